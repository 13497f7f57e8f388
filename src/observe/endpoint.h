/* One end of a connection for people: "10.0.0.1:80", "[fd00::1]:80".
 */
#ifndef SLT_OBSERVE_ENDPOINT_H
#define SLT_OBSERVE_ENDPOINT_H

#include "salut/salut.h"

/* Any address is "0.0.0.0:80" or, where it takes both families, "*:80"; without a port it is "*".
 * Returns `out`. */
#define SLT_ENDPOINT_MAX 64
const char *slt_print_endpoint(const salut_addr *addr, uint16_t port, char out[SLT_ENDPOINT_MAX]);

#endif
