/* The gateway of a private network: the way of a program's connections to the outside.
 *
 * A second instance of the stack sits beside the kernel on the kernel's interface, with a MAC and
 * addresses of its own, and takes connections to every address that is routed through it. For each
 * the porter opens a connection in the host's network; when that one stands the program's handshake
 * is completed (syn_gate.h) and a relay joins the two, when it is refused the program's SYN is
 * reset, and when nobody answers nobody answers the program. So connect(2) and its errors are what
 * they would be outside.
 *
 * Addresses of the gateway itself are nobody, and so are loopback addresses that a packet may bear:
 * a program does not reach what listens on the host's loopback.
 */
#ifndef SLT_RUN_GATEWAY_H
#define SLT_RUN_GATEWAY_H

#include "link/link.h"
#include "run/porter_linux.h"

struct slt_gateway;

struct slt_gateway_params {
    struct salut_runner *runner;
    struct slt_poller *poller;
    struct slt_porter *porter;
    const char *interface; /* the kernel's end */
    salut_addr v4;         /* all zero: none */
    unsigned v4_prefix_bits;
    salut_addr v6;
    unsigned v6_prefix_bits;
    uint32_t passages_max; /* connections at once; 0: 4096 */
};

/* Open the gateway and put it on the runner. Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_gateway_open(const struct slt_gateway_params *params,
                                       struct slt_gateway **gateway, struct slt_link_error *error);

/* True when everything that the program sent has gone out, as far as it has ended sending. NULL is
 * allowed. */
bool slt_gateway_is_quiet(const struct slt_gateway *gateway);

/* Reset what is left and take it down. NULL is allowed. */
void slt_gateway_close(struct slt_gateway *gateway);

#endif
