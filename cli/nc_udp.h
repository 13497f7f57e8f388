/* salut nc -u: datagrams.
 */
#ifndef SLT_CLI_NC_UDP_H
#define SLT_CLI_NC_UDP_H

#include "cli/host.h"

#define SLT_NC_DATAGRAM_MAX 65507

struct slt_nc_udp_words {
    const struct slt_host_words *host;
    bool listens;
    int64_t timeout_ns; /* 0: none given */
    int64_t bytes;      /* of input in one datagram, at most; 0: 1,200 */
    salut_addr remote;
    uint16_t port;
};

/* Do it; returns the exit code. */
int slt_nc_udp(const struct slt_cli_verb *verb, const struct slt_nc_udp_words *words);

#endif
