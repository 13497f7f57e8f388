/* See socket_address.h. */
#include "run/socket_address.h"

#include "wire/address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

void slt_socket_address_make(const salut_addr *addr, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (slt_address_is_v4(addr->b)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in.sin_addr, &addr->b[12], 4);
        memcpy(out, &in, sizeof(in));
        return;
    }
    struct sockaddr_in6 in6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_scope_id = addr->zone};
    memcpy(&in6.sin6_addr, addr->b, 16);
    memcpy(out, &in6, sizeof(in6));
}

socklen_t slt_socket_address_bytes(const struct sockaddr_storage *address)
{
    return address->ss_family == AF_INET ? (socklen_t)sizeof(struct sockaddr_in)
                                         : (socklen_t)sizeof(struct sockaddr_in6);
}

static bool parse_v4(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    memset(out, 0, sizeof(*out));
    bool fits = inet_pton(AF_INET, text, &in.sin_addr) == 1;
    memcpy(out, &in, sizeof(in));
    return fits;
}

/* getaddrinfo knows zones; of IPv4 it knows forms that nobody means. */
bool slt_socket_address_parse(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct addrinfo hints = {
        .ai_flags = AI_NUMERICHOST, .ai_family = AF_INET6, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct sockaddr_in6 in6;
    if (strchr(text, ':') == NULL) {
        return parse_v4(text, port, out);
    }
    if (getaddrinfo(text, NULL, &hints, &found) != 0) {
        return false;
    }
    bool fits = found->ai_addrlen == sizeof(in6);
    if (fits) {
        memcpy(&in6, found->ai_addr, sizeof(in6));
        in6.sin6_port = htons(port);
        memset(out, 0, sizeof(*out));
        memcpy(out, &in6, sizeof(in6));
    }
    freeaddrinfo(found);
    return fits;
}
