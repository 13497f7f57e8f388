/* A TCP segment in a frame as a tee shows it: header parsed, payload counted.
 */
#ifndef SLT_OBSERVE_GLIMPSE_H
#define SLT_OBSERVE_GLIMPSE_H

#include "link/segment.h"
#include "salut/types.h"
#include "wire/tcp.h"

struct slt_glimpse {
    struct slt_tcp_segment seg; /* without payload */
    salut_addr src;
    salut_addr dst;
    uint32_t bytes; /* of payload */
};

/* False when the frame is no whole TCP segment. */
bool slt_glimpse_take(const struct slt_frame_view *view, struct slt_glimpse *out);

#endif
