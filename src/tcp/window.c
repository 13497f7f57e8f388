/* The window we advertise (RFC 9293 3.8.6, 3.8.6.2.2; RFC 7323 2).
 *
 * The right edge never moves left (SHLD-14): it moves right only when it can move by at least a
 * segment or half the buffer (receiver's silly-window avoidance, MUST-39). A scaled window counts
 * in steps of 2^shift; where rounding down would pull the edge back it is rounded up instead, so
 * that every byte ever promised stays promised (R7323-08).
 */
#include "tcp/engine.h"

#define WINDOW_FIELD_MAX 65535

/* What the buffer still takes. When the pool is nearly used up nobody is promised more than the
 * minimum; what was promised before stays promised. */
static int64_t free_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    int64_t buffer = c->rcv.buffer_max;

    if (slt_tcp_tune_pressed(tcp)) {
        buffer = slt_min64(buffer, tcp->config->recv_buffer_min_bytes);
    }
    return slt_max64(buffer - c->rcv.queue.bytes, 0);
}

/* The least step by which the edge moves (MUST-39). */
static int64_t least_step(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    uint16_t mss = slt_tcp_advertised_mss(tcp->config, c->ip_bytes, c->opts.max_segment);

    return slt_min64(c->rcv.buffer_max / 2, mss);
}

/* The right edge the next segment shall advertise. */
int64_t slt_tcp_window_edge(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    int64_t wanted = c->rcv.nxt + free_bytes(tcp, c);
    int64_t below_step = (INT64_C(1) << c->rcv.wscale) - 1;

    if (wanted <= c->rcv.edge || wanted - c->rcv.edge < least_step(tcp, c)) {
        wanted = c->rcv.edge;
    }
    int64_t wnd = slt_max64(wanted - c->rcv.nxt, 0);
    wnd = slt_min64(wnd, (int64_t)WINDOW_FIELD_MAX << c->rcv.wscale);
    int64_t rounded = wnd & ~below_step;
    if (c->rcv.nxt + rounded < c->rcv.edge) {
        rounded = (wnd + below_step) & ~below_step;
    }
    return c->rcv.nxt + rounded;
}

/* The header's window field for an edge; in SYNs it is not scaled (R7323-04). */
uint16_t slt_tcp_window_field(const struct slt_tcp_conn *c, int64_t edge, bool syn)
{
    int64_t wnd = slt_max64(edge - c->rcv.nxt, 0);

    if (!syn) {
        wnd >>= c->rcv.wscale;
    }
    return (uint16_t)slt_min64(wnd, WINDOW_FIELD_MAX);
}

/* A segment that advertised this edge has left. */
void slt_tcp_window_advertised(struct slt_tcp_conn *c, int64_t edge)
{
    c->rcv.edge = slt_max64(c->rcv.edge, edge);
}

/* The user has read: say so if the window can open by a worthwhile step. */
void slt_tcp_window_on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c)
{
    if (c->state < SALUT_STATE_ESTABLISHED || slt_tcp_has(c, SLT_CONN_FIN_KNOWN)) {
        return;
    }
    /* Half of the window must have become free, or all of it while it was closed: smaller news
     * ride on the next acknowledgement. The edge never moves further than what is free. */
    int64_t open = c->rcv.edge - c->rcv.nxt;
    if (free_bytes(tcp, c) < 2 * open) {
        return;
    }
    int64_t gain = slt_tcp_window_edge(tcp, c) - c->rcv.edge;
    if (gain > 0 && gain >= open) {
        c->due |= SLT_DUE_WINDOW;
    }
}

/* The peer's SYN fixed the start of what we receive. */
void slt_tcp_window_start(struct slt_tcp_conn *c, uint32_t irs, uint8_t wscale)
{
    c->rcv.isn = irs;
    c->rcv.mss_seen = SLT_TCP_FIRST_MSS_SEEN;
    c->rcv.nxt = 1;
    c->rcv.wscale = wscale;
    c->rcv.edge = 1 + slt_min64(c->rcv.buffer_max, WINDOW_FIELD_MAX);
}
