/* Loopback: what is sent on the link comes back on it, at the next receive.
 *
 * For a stack that talks to itself. Offload and backpressure are as on a memory pair (memory.h).
 */
#ifndef SLT_LINK_LOOPBACK_H
#define SLT_LINK_LOOPBACK_H

#include "link/link.h"

struct slt_loopback_params {
    enum salut_link_kind kind;
    uint32_t mtu;       /* IP packet bytes, 68..65535 */
    uint32_t slots;     /* frames: a power of two; 0: 256 */
    uint32_t large_max; /* frames above MTU size; 0: 64 */
    bool offload;       /* super-frames whole, checksums not computed but vouched for */
    uint8_t mac[6];     /* all zero: 02:73:61:00:00:01 */
};

/* Returns SALUT_OK, SALUT_INVALID (mtu or slots outside their domain), SALUT_NO_MEMORY. */
enum salut_status slt_loopback_open(const struct slt_loopback_params *params,
                                    struct slt_link **link);

#endif
