/* Fuzz target: ARP packets. What parses is emitted and parsed again to the same value. */
#include "wire/arp.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_arp_print(value, out, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    struct slt_arp value;
    if (slt_arp_parse(input, &value) == SLT_PASS) {
        struct slt_arp back;
        struct slt_writer w = fuzz_writer(input.bytes);
        const uint32_t header = slt_arp_emit(&value, &w);
        fuzz_check(header > 0 && header == w.at);
        fuzz_check(slt_arp_parse((struct slt_span){w.data, w.at}, &back) == SLT_PASS);
        fuzz_check(memcmp(&value, &back, sizeof(value)) == 0);
        fuzz_try_print(print, &value, input.bytes);
        free(w.data);
    }
    fuzz_free(input);
    return 0;
}
