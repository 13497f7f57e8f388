/* See diag_format_linux.h. */
#include "observe/diag_format_linux.h"

#include <string.h>
#include <sys/socket.h>

static void put_address(uint8_t out[16], const salut_addr *addr, uint8_t family)
{
    memset(out, 0, 16);
    if (family == AF_INET6) {
        memcpy(out, addr->b, 16);
    } else {
        memcpy(out, addr->b + 12, 4);
    }
}

static uint16_t network_order(uint16_t port)
{
    const uint8_t b[2] = {(uint8_t)(port >> 8), (uint8_t)port};
    uint16_t value;
    memcpy(&value, b, sizeof(value));
    return value;
}

uint8_t slt_diag_family(const struct slt_seen *seen)
{
    return seen->family == 6 ? AF_INET6 : AF_INET;
}

struct diag_id slt_diag_id(const struct slt_seen *seen)
{
    struct diag_id id = {.local_port = network_order(seen->local_port),
                         .remote_port = network_order(seen->remote_port),
                         .interface = seen->interface,
                         .cookie = {(uint32_t)seen->key, (uint32_t)(seen->key >> 32)}};
    put_address(id.local, &seen->local, slt_diag_family(seen));
    put_address(id.remote, &seen->remote, slt_diag_family(seen));
    return id;
}
