/* See endpoint.h. */
#include "observe/endpoint.h"

#include "base/print.h"
#include "wire/address.h"

const char *slt_print_endpoint(const salut_addr *addr, uint16_t port, char out[SLT_ENDPOINT_MAX])
{
    char printed[48];
    struct slt_text text;
    bool v4 = slt_address_is_v4(addr->b);
    bool any = slt_address_is_unspecified(addr->b);
    slt_text_init(&text, out, SLT_ENDPOINT_MAX);
    if (any && (port == 0 || !v4)) {
        slt_text_char(&text, '*');
    } else {
        (void)salut_addr_print(addr, printed, sizeof(printed));
        slt_text_str(&text, v4 ? "" : "[");
        slt_text_str(&text, printed);
        slt_text_str(&text, v4 ? "" : "]");
    }
    if (!any || port != 0) {
        slt_text_char(&text, ':');
        slt_text_u64(&text, port);
    }
    return out;
}
