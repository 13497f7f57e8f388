/* Names for a private network: DNS questions over UDP, carried to the host's resolver.
 *
 * A program's UDP is the kernel's, and in a private network leads nowhere. So a socket on port 53
 * of the kernel's own address there takes questions, and each goes out through a socket of the
 * host's network made for it alone (a port nobody can guess) to a server of the host's
 * /etc/resolv.conf, the next one when that is silent or refuses. Answers come back as they are.
 * Questions over TCP to the same address are spliced to the first server.
 */
#ifndef SLT_RUN_RESOLVER_H
#define SLT_RUN_RESOLVER_H

#include "run/porter_linux.h"
#include "salut/types.h"

struct slt_resolver;

struct slt_resolver_params {
    struct salut_runner *runner;
    struct slt_poller *poller;
    struct slt_porter *porter;
    salut_addr address; /* the kernel's, in the private network */
};

/* Bind the sockets. Returns 0 or a negative errno value. */
int slt_resolver_open(const struct slt_resolver_params *params, struct slt_resolver **resolver);

/* NULL is allowed. */
void slt_resolver_close(struct slt_resolver *resolver);

#endif
