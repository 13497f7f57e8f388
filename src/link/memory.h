/* A memory pair: two links joined back to back inside one thread.
 *
 * What one end sends is there at the other end's next receive. Both ends draw from one pool of
 * buffers (frame_pool.h). With offload, super-frames and partial checksums pass as they are and
 * arrive vouched for; without, every frame that arrives is a wire frame with complete checksums,
 * cut and completed in software where the stack did not do it. A full channel takes no more
 * frames: nothing is lost between the ends. When one end is closed, what the other sends is
 * dropped and counted.
 */
#ifndef SLT_LINK_MEMORY_H
#define SLT_LINK_MEMORY_H

#include "link/link.h"

struct slt_memory_params {
    enum salut_link_kind kind;
    uint32_t mtu;       /* IP packet bytes, 68..65535 */
    uint32_t slots;     /* frames each way: a power of two; 0: 256 */
    uint32_t large_max; /* frames above MTU size held by both ways together; 0: 64 */
    bool offload;       /* super-frames whole, checksums not computed but vouched for */
    uint8_t mac_a[6];   /* all zero: 02:73:61:00:00:01 */
    uint8_t mac_b[6];   /* all zero: 02:73:61:00:00:02 */
};

/* Make a pair. Each end is closed by itself; the memory goes with the second.
 *
 * Returns SALUT_OK, SALUT_INVALID (mtu or slots outside their domain), SALUT_NO_MEMORY. */
enum salut_status slt_memory_pair(const struct slt_memory_params *params, struct slt_link **a,
                                  struct slt_link **b);

#endif
