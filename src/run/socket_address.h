/* Addresses as the kernel's socket calls want them, from and to salut's.
 */
#ifndef SLT_RUN_SOCKET_ADDRESS_H
#define SLT_RUN_SOCKET_ADDRESS_H

#include "salut/types.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* sockaddr_in for ::ffff:a.b.c.d, else sockaddr_in6. */
void slt_socket_address_make(const salut_addr *addr, uint16_t port, struct sockaddr_storage *out);

/* How long it is, by its family. */
socklen_t slt_socket_address_bytes(const struct sockaddr_storage *address);

/* Parse "192.0.2.1", "2001:db8::1", "fe80::1%eth0". False: it is none. */
bool slt_socket_address_parse(const char *text, uint16_t port, struct sockaddr_storage *out);

#endif
