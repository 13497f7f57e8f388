/* The other end's state, read off the segments that pass.
 *
 * salut tells its own states exactly; the peer says nothing but what stands in its segments. From
 * them its state follows, as long as nothing is lost on the way: what it has sent tells what its
 * user has done, and what was sent to it tells what it must have done on arrival (RFC 9293 3.3.2).
 * With loss the state is right again at the next segment that comes from it.
 */
#ifndef SLT_OBSERVE_PEER_H
#define SLT_OBSERVE_PEER_H

#include <stdbool.h>
#include <stdint.h>

/* One segment; positions are relative to their senders' initial sequence numbers. */
struct slt_peer_segment {
    bool from_peer;
    uint16_t flags; /* enum slt_tcp_flag */
    int64_t seq;
    int64_t ack;
    uint32_t bytes;
};

struct slt_peer {
    uint8_t state;   /* enum salut_state */
    bool fin_sent;   /* the peer's FIN was seen */
    int64_t fin_pos; /* ... there */
};

/* Look at a segment. True when the state changes: *why says because of what. */
bool slt_peer_take(struct slt_peer *peer, const struct slt_peer_segment *seg, const char **why);

#endif
