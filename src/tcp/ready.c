/* Readiness: what a connection has to report, as levels over its fields (I-34; SOCK-40..44). */
#include "tcp/engine.h"

#define CRUMB_SHARE 16 /* less than this fraction of the buffer is not worth waking a writer */

static bool is_readable(const struct slt_tcp_conn *c)
{
    if (c->state < SALUT_STATE_ESTABLISHED && c->state != SALUT_STATE_CLOSED &&
        !slt_tcp_has(c, SLT_CONN_FAST_OPEN)) {
        return false;
    }
    uint32_t enough = slt_min32(c->opts.lowat_bytes, slt_max32(c->rcv.buffer_max / 2, 1));
    return c->rcv.queue.bytes >= enough || c->state == SALUT_STATE_CLOSED ||
           slt_tcp_has(c, SLT_CONN_FIN_TAKEN | SLT_CONN_READ_SHUT);
}

/* SOCK-41: free room of at least half of what is queued, so that writers are woken for a
 * worthwhile piece. While a lost segment waits to be sent again nearly all that is queued has been
 * sent, and none of it leaves the buffer: then room for twice what is still unsent is enough, lest
 * the sender fall silent for want of the writer, but no crumbs. */
static bool has_room(const struct slt_tcp_conn *c)
{
    uint32_t room = slt_tcp_snd_room(c);
    int64_t unsent = slt_tcp_unsent_bytes(c, c->snd.nxt);

    if (room == 0) {
        return false;
    }
    return room >= c->snd.queue.bytes / 2 ||
           (room >= c->snd.buffer_max / CRUMB_SHARE && room / 2 >= unsent);
}

static bool is_writable(const struct slt_tcp_conn *c)
{
    if (slt_tcp_has(c, SLT_CONN_FIN_QUEUED) ||
        (c->state != SALUT_STATE_ESTABLISHED && c->state != SALUT_STATE_CLOSE_WAIT &&
         !(c->state == SALUT_STATE_SYN_RECEIVED && slt_tcp_has(c, SLT_CONN_FAST_OPEN)))) {
        return false;
    }
    return has_room(c);
}

uint32_t slt_tcp_ready(const struct slt_tcp_conn *c, uint32_t wanted)
{
    uint32_t ready = 0;

    ready |= (wanted & SALUT_READABLE) && is_readable(c) ? SALUT_READABLE : 0;
    ready |= (wanted & SALUT_WRITABLE) && is_writable(c) ? SALUT_WRITABLE : 0;
    ready |= slt_tcp_has(c, SLT_CONN_CONNECTED) ? SALUT_CONNECTED : 0;
    ready |= slt_tcp_has(c, SLT_CONN_FIN_TAKEN) ? SALUT_PEER_CLOSED : 0;
    ready |= c->state == SALUT_STATE_CLOSED ? SALUT_ENDED : 0;
    ready |= slt_tcp_has(c, SLT_CONN_URGENT_NEWS) ? SALUT_URGENT : 0;
    ready |= slt_tcp_has(c, SLT_CONN_ADVISED) ? SALUT_ADVICE : 0;
    return ready & wanted;
}

void slt_tcp_seen(struct slt_tcp_conn *c, uint32_t ready)
{
    if (ready & SALUT_URGENT) {
        c->flags &= ~(uint32_t)SLT_CONN_URGENT_NEWS;
    }
    if (ready & SALUT_ADVICE) {
        c->flags &= ~(uint32_t)SLT_CONN_ADVISED;
    }
}
