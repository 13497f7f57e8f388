/* SEGMENT ARRIVES in CLOSED and LISTEN (RFC 9293 3.10.7.1, 3.10.7.2), and the segments that are
 * answered without any state.
 *
 * A SYN for a listener makes a half-open entry, never a connection (RFC 4987). Data and FIN on a
 * SYN are left unacknowledged, so that the peer sends them again once it is ESTABLISHED (S-24,
 * L-66); the RFC would also let us queue them.
 */
#include "tcp/engine.h"

void slt_tcp_reply_segment(const struct slt_tcp_reply *reply, struct slt_tcp_segment *seg)
{
    memset(seg, 0, sizeof(*seg));
    seg->src_port = reply->id.local_port;
    seg->dst_port = reply->id.remote_port;
    seg->seq = reply->seq;
    seg->ack = reply->ack;
    seg->flags = reply->flags;
    seg->window = reply->window;
    seg->opt = reply->opt;
}

/* RFC 9293 3.10.7.1, 3.5.2 group 1 (U-11): no reset answers a reset; the reset takes its number
 * from the segment. With timestamps in the segment it echoes them (R7323-17). */
bool slt_tcp_closed_input(const struct slt_tcp_id *id, const struct slt_tcp_segment *seg,
                          struct slt_tcp_reply *reply)
{
    if (seg->flags & SLT_TCP_RST) {
        return false;
    }
    memset(reply, 0, sizeof(*reply));
    reply->id = *id;
    reply->why = SLT_SEND_RST_NO_CONNECTION;
    if (seg->flags & SLT_TCP_ACK) {
        reply->seq = seg->ack;
        reply->flags = SLT_TCP_RST;
    } else {
        reply->seq = 0;
        reply->ack = seg->seq + slt_tcp_seg_len(seg); /* U-04 */
        reply->flags = SLT_TCP_RST | SLT_TCP_ACK;
    }
    return true;
}

static void drop(struct slt_tcp_verdict *v, enum slt_reason why)
{
    v->kind = SLT_VERDICT_DROP;
    v->why = why;
}

void slt_tcp_listen_input(struct slt_tcp *tcp, const struct slt_tcp_id *id,
                          const struct slt_tcp_segment *seg, bool armed, int64_t now_ns,
                          struct slt_tcp_half_open *cookie, struct slt_tcp_verdict *v)
{
    memset(v, 0, sizeof(*v));
    if (seg->flags & SLT_TCP_RST) { /* first: an old one; nothing was ever sent */
        drop(v, SLT_DROP_TCP_LISTEN_IGNORED);
        return;
    }
    if (seg->flags & SLT_TCP_ACK) { /* second: nothing of ours can be acknowledged, but a cookie */
        if (armed && !(seg->flags & SLT_TCP_SYN)) {
            if (slt_tcp_cookie_check(tcp, id, seg, now_ns, cookie)) {
                v->kind = SLT_VERDICT_COMPLETE;
                v->why = SLT_NOTE_TCP_COOKIE_TAKEN;
                return;
            }
            slt_count(tcp->telemetry, SLT_DROP_TCP_COOKIE_BAD);
        }
        v->kind = SLT_VERDICT_REPLY;
        v->why = SLT_DROP_TCP_ACK_UNACCEPTABLE;
        v->has_reply = slt_tcp_closed_input(id, seg, &v->reply);
        v->reply.why = SLT_SEND_RST_HANDSHAKE;
        return;
    }
    if (!(seg->flags & SLT_TCP_SYN)) { /* fourth: FIN, null and the like (X1, U-19) */
        drop(v, SLT_DROP_TCP_LISTEN_IGNORED);
        return;
    }
    if ((seg->flags & SLT_TCP_FIN) && !tcp->config->syn_fin_processed) { /* D-14, L-32 */
        drop(v, SLT_DROP_TCP_SYN_FIN);
        return;
    }
    v->kind = SLT_VERDICT_CREATE; /* third */
    v->why = SLT_CAUSE_PASSIVE_OPEN;
}
