/* See peer.h. */
#include "observe/peer.h"

#include "salut/types.h"
#include "wire/tcp.h"

struct change {
    uint8_t to;
    const char *why;
};

static const struct change no_change = {SALUT_STATE_COUNT, ""};

static struct change on_sent_syn(const struct slt_peer *peer, bool with_ack)
{
    if (with_ack && (peer->state == SALUT_STATE_LISTEN || peer->state == SALUT_STATE_SYN_SENT)) {
        return (struct change){SALUT_STATE_SYN_RECEIVED, "it answered our SYN"};
    }
    if (!with_ack && peer->state != SALUT_STATE_SYN_SENT) {
        return (struct change){SALUT_STATE_SYN_SENT, "its program opened the connection"};
    }
    return no_change;
}

static struct change on_sent_fin(const struct slt_peer *peer)
{
    if (peer->state == SALUT_STATE_CLOSE_WAIT) {
        return (struct change){SALUT_STATE_LAST_ACK, "its program closed, too"};
    }
    if (peer->state == SALUT_STATE_ESTABLISHED || peer->state == SALUT_STATE_SYN_RECEIVED) {
        return (struct change){SALUT_STATE_FIN_WAIT_1, "its program closed first"};
    }
    return no_change;
}

static struct change on_sent(const struct slt_peer *peer, const struct slt_peer_segment *seg)
{
    if ((seg->flags & SLT_TCP_RST) != 0) {
        return (struct change){SALUT_STATE_CLOSED, "it reset the connection"};
    }
    if ((seg->flags & SLT_TCP_SYN) != 0) {
        return on_sent_syn(peer, (seg->flags & SLT_TCP_ACK) != 0);
    }
    return (seg->flags & SLT_TCP_FIN) != 0 ? on_sent_fin(peer) : no_change;
}

static struct change on_handshake(const struct slt_peer *peer, const struct slt_peer_segment *seg)
{
    bool ack = (seg->flags & SLT_TCP_ACK) != 0;
    if (peer->state == SALUT_STATE_SYN_SENT && (seg->flags & SLT_TCP_SYN) != 0) {
        return ack ? (struct change){SALUT_STATE_ESTABLISHED, "our SYN,ACK answers its SYN"}
                   : (struct change){SALUT_STATE_SYN_RECEIVED, "our SYN crossed its own"};
    }
    if (peer->state == SALUT_STATE_SYN_RECEIVED && ack && seg->ack >= 1) {
        return (struct change){SALUT_STATE_ESTABLISHED, "we acknowledged its SYN"};
    }
    return no_change;
}

/* Its FIN acknowledged, our FIN, or both in one. */
static struct change on_closing(const struct slt_peer *peer, bool acked, bool fin)
{
    switch ((enum salut_state)peer->state) {
    case SALUT_STATE_ESTABLISHED:
        return fin ? (struct change){SALUT_STATE_CLOSE_WAIT, "our FIN arrived"} : no_change;
    case SALUT_STATE_FIN_WAIT_1:
        if (fin) {
            return acked ? (struct change){SALUT_STATE_TIME_WAIT,
                                           "our FIN came with the ACK of its own"}
                         : (struct change){SALUT_STATE_CLOSING, "our FIN crossed its own"};
        }
        return acked ? (struct change){SALUT_STATE_FIN_WAIT_2, "we acknowledged its FIN"}
                     : no_change;
    case SALUT_STATE_FIN_WAIT_2:
        return fin ? (struct change){SALUT_STATE_TIME_WAIT, "our FIN arrived"} : no_change;
    case SALUT_STATE_CLOSING:
        return acked ? (struct change){SALUT_STATE_TIME_WAIT, "we acknowledged its FIN"}
                     : no_change;
    case SALUT_STATE_LAST_ACK:
        return acked ? (struct change){SALUT_STATE_CLOSED, "we acknowledged its FIN"} : no_change;
    case SALUT_STATE_CLOSED:
    case SALUT_STATE_LISTEN:
    case SALUT_STATE_SYN_SENT:
    case SALUT_STATE_SYN_RECEIVED:
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_TIME_WAIT:
    case SALUT_STATE_COUNT:
        break;
    }
    return no_change;
}

static struct change on_arrived(const struct slt_peer *peer, const struct slt_peer_segment *seg)
{
    if ((seg->flags & SLT_TCP_RST) != 0) {
        bool listens = peer->state == SALUT_STATE_LISTEN || peer->state == SALUT_STATE_CLOSED;
        return listens ? no_change : (struct change){SALUT_STATE_CLOSED, "we reset the connection"};
    }
    struct change change = on_handshake(peer, seg);
    if (change.to != SALUT_STATE_COUNT) {
        return change;
    }
    bool acked = peer->fin_sent && (seg->flags & SLT_TCP_ACK) != 0 && seg->ack > peer->fin_pos;
    return on_closing(peer, acked, (seg->flags & SLT_TCP_FIN) != 0);
}

bool slt_peer_take(struct slt_peer *peer, const struct slt_peer_segment *seg, const char **why)
{
    struct change change = seg->from_peer ? on_sent(peer, seg) : on_arrived(peer, seg);
    if (seg->from_peer && (seg->flags & SLT_TCP_FIN) != 0) {
        peer->fin_sent = true;
        peer->fin_pos = seg->seq + seg->bytes;
    }
    if (change.to == SALUT_STATE_COUNT || change.to == peer->state) {
        return false;
    }
    peer->state = change.to;
    *why = change.why;
    return true;
}
