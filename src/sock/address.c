/* Socket addresses: sockaddr_in and sockaddr_in6 to and from the engine's one form, in which IPv4
 * is ::ffff:a.b.c.d.
 */
#include "sock/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define V4_OFFSET 12U

/* sizeof(sockaddr_in6) without its scope: what RFC 2133 had, and Linux still takes. */
#define IN6_BYTES_MIN 24U

static const uint8_t v4_prefix[V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

salut_addr slt_addr_any(uint8_t family)
{
    salut_addr addr = {0};
    if (family == 4) {
        memcpy(addr.b, v4_prefix, V4_OFFSET);
    }
    return addr;
}

bool slt_addr_is_v4(const salut_addr *addr)
{
    return memcmp(addr->b, v4_prefix, V4_OFFSET) == 0;
}

bool slt_addr_is_any(const salut_addr *addr)
{
    salut_addr any4 = slt_addr_any(4);
    salut_addr any6 = slt_addr_any(6);
    return memcmp(addr->b, any4.b, sizeof(addr->b)) == 0 ||
           memcmp(addr->b, any6.b, sizeof(addr->b)) == 0;
}

bool slt_addr_equal(const salut_addr *a, const salut_addr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0 && a->zone == b->zone;
}

static int read_v4(const struct sockaddr *from, uint32_t bytes, salut_addr *addr, uint16_t *port)
{
    struct sockaddr_in in;
    if (bytes < sizeof(in)) {
        return -EINVAL;
    }
    memcpy(&in, from, sizeof(in));
    *addr = slt_addr_any(4);
    memcpy(&addr->b[V4_OFFSET], &in.sin_addr, 4);
    *port = ntohs(in.sin_port);
    return 0;
}

static int read_v6(const struct sockaddr *from, uint32_t bytes, salut_addr *addr, uint16_t *port)
{
    struct sockaddr_in6 in6 = {0};
    if (bytes < IN6_BYTES_MIN) {
        return -EINVAL;
    }
    memcpy(&in6, from, bytes < sizeof(in6) ? bytes : sizeof(in6));
    memcpy(addr->b, &in6.sin6_addr, sizeof(addr->b));
    addr->zone = in6.sin6_scope_id;
    *port = ntohs(in6.sin6_port);
    return 0;
}

int slt_sockaddr_read(const struct sockaddr *from, uint32_t bytes, uint8_t family, salut_addr *addr,
                      uint16_t *port)
{
    sa_family_t given;
    if (from == NULL || bytes < sizeof(given)) {
        return -EINVAL;
    }
    memcpy(&given, from, sizeof(given));
    *addr = slt_addr_any(family);
    if (family == 4) {
        /* Linux takes an IPv4 address before it looks at the family, so a short one is EINVAL. */
        if (bytes < sizeof(struct sockaddr_in)) {
            return -EINVAL;
        }
        return given == AF_INET ? read_v4(from, bytes, addr, port) : -EAFNOSUPPORT;
    }
    if (bytes < IN6_BYTES_MIN) {
        return -EINVAL;
    }
    return given == AF_INET6 ? read_v6(from, bytes, addr, port) : -EAFNOSUPPORT;
}

void slt_sockaddr_write(const salut_addr *addr, uint16_t port, uint8_t family, struct sockaddr *to,
                        uint32_t *bytes)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&in.sin_addr, &addr->b[V4_OFFSET], 4);
    memcpy(&in6.sin6_addr, addr->b, sizeof(addr->b));
    in6.sin6_scope_id = addr->zone;
    uint32_t whole = family == 4 ? sizeof(in) : sizeof(in6);
    uint32_t room = *bytes < whole ? *bytes : whole;
    memcpy(to, family == 4 ? (const void *)&in : (const void *)&in6, room);
    *bytes = whole;
}
