/* Readiness: what a connection has to report, as levels over its fields (I-34; SOCK-40..44). */
#include "tcp/engine.h"

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
 * worthwhile piece. */
static bool is_writable(const struct slt_tcp_conn *c)
{
    if (slt_tcp_has(c, SLT_CONN_FIN_QUEUED) ||
        (c->state != SALUT_STATE_ESTABLISHED && c->state != SALUT_STATE_CLOSE_WAIT &&
         !(c->state == SALUT_STATE_SYN_RECEIVED && slt_tcp_has(c, SLT_CONN_FAST_OPEN)))) {
        return false;
    }
    return slt_tcp_snd_room(c) > 0 && slt_tcp_snd_room(c) >= c->snd.queue.bytes / 2;
}

uint32_t slt_tcp_ready(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    uint32_t ready = 0;

    (void)tcp;
    ready |= is_readable(c) ? SALUT_READABLE : 0;
    ready |= is_writable(c) ? SALUT_WRITABLE : 0;
    ready |= slt_tcp_has(c, SLT_CONN_CONNECTED) ? SALUT_CONNECTED : 0;
    ready |= slt_tcp_has(c, SLT_CONN_FIN_TAKEN) ? SALUT_PEER_CLOSED : 0;
    ready |= c->state == SALUT_STATE_CLOSED ? SALUT_ENDED : 0;
    ready |= slt_tcp_has(c, SLT_CONN_URGENT_NEWS) ? SALUT_URGENT : 0;
    ready |= slt_tcp_has(c, SLT_CONN_ADVISED) ? SALUT_ADVICE : 0;
    return ready;
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
