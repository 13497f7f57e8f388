/* Was it lost at all? The evidence that an episode was spurious, and its reduction to be undone.
 *
 * Three witnesses, each with its own strength:
 *   timestamps  (Eifel, RFC 3522) an acknowledgement that advances SND.UNA and echoes a timestamp
 *               older than the first retransmission's was caused by an original: at once, the first
 *               time it can be said.
 *   F-RTO       (RFC 5682) after a timeout one segment goes again, then new ones; if originals are
 *               acknowledged next, the timeout was early: two round trips, needs no option.
 *   D-SACK      (RFC 3708) everything that was sent again has been reported as a duplicate: a
 *               round trip after the fact, also when the episode is long over; not on a path that
 *               makes copies itself.
 * This file keeps the evidence; recovery.c acts on it (RFC 4015: the windows as they were before).
 *
 * Where segments overtake one another much, the next episode begins before that round trip is over.
 * If all that was sent again had then been delivered sooner than a copy could have been, only the
 * reports are missing: both episodes are judged together, and an undo goes back to before the
 * first.
 *
 * An episode is only judged while nothing speaks against it: in fast recovery with several
 * segments taken as lost, one that was late does not acquit the others that were sent again and
 * are still out.
 */
#include "tcp/engine.h"

/* The windows were reduced for a loss; from here on it is watched whether there was one. `frto`:
 * by a timeout that F-RTO is to judge. */
void slt_undo_begin(const struct slt_tcp_conn *c, struct slt_undo *u)
{
    *u = (struct slt_undo){.from = c->snd.una, .to = c->snd.nxt, .open = true};
}

/* D-SACKs are still to be expected for the episode before, and will acquit it. Timestamps would
 * have done so at once. */
bool slt_undo_waits(const struct slt_tcp_conn *c, const struct slt_undo *u, int64_t now_ns)
{
    int64_t patience_us = (int64_t)(c->rtt.srtt8_us >> 3) + c->rtt.rttvar4_us;

    return u->open && u->sent && !slt_tcp_has(c, SLT_CONN_TS_OK) && u->sent_bytes > 0 &&
           !c->cold->tally.path_copies && u->doubt_bytes <= 0 &&
           now_ns - u->resent_at_ns <= patience_us * SLT_NS_PER_US;
}

/* Another episode begins, to be judged with the one before. */
void slt_undo_join(const struct slt_tcp_conn *c, struct slt_undo *u)
{
    u->to = c->snd.nxt;
    u->sent = false;
}

void slt_undo_close(struct slt_undo *u)
{
    *u = (struct slt_undo){.open = false};
}

/* Octets left again, up to `end`; some of them may have been new when the episode began. */
void slt_undo_on_resent(const struct slt_tcp_conn *c, struct slt_undo *u, int64_t end,
                        uint32_t bytes, int64_t now_ns)
{
    if (!u->open) {
        return;
    }
    u->sent = true;
    u->sent_bytes += bytes;
    u->doubt_bytes += bytes;
    u->resent_at_ns = now_ns;
    u->to = slt_max64(u->to, end);
    if (!u->stamped) { /* RFC 3522 3.2 step 2 */
        u->stamped = true;
        u->stamp = slt_tcp_ts_now(c, now_ns);
    }
}

void slt_undo_on_delivered(struct slt_undo *u, const struct slt_delivery *d)
{
    if (u->open) {
        u->sent_bytes -= d->dsack_bytes;
        u->doubt_bytes -= d->early_bytes;
    }
}

/* RFC 3522 3.2 step 4: the echo is older than anything that was sent again. */
static bool echoes_an_original(const struct slt_tcp_conn *c, const struct slt_undo *u,
                               const struct slt_tcp_in *in)
{
    return in->ack.advanced && u->stamped && slt_tcp_has(c, SLT_CONN_TS_OK) &&
           (in->seg->opt.present & SLT_TCP_OPT_TIMESTAMPS) && in->seg->opt.ts_ecr != 0 &&
           slt_tcp_ts_older(in->seg->opt.ts_ecr, u->stamp);
}

/* True when the acknowledgement shows that nothing of the episode was lost. */
bool slt_undo_is_spurious(const struct slt_tcp_conn *c, const struct slt_tcp_recovery *r,
                          const struct slt_tcp_in *in, const struct slt_delivery *d)
{
    const struct slt_undo *u = &r->undo;

    if (!u->open) {
        return false;
    }
    if (d->dsack && u->sent && u->sent_bytes <= 0 && !c->cold->tally.path_copies) { /* RFC 3708 3 */
        return true;
    }
    if (r->ca_state == SALUT_CA_LOSS) {
        return echoes_an_original(c, u, in);
    }
    if (r->ca_state != SALUT_CA_RECOVERY) {
        return false;
    }
    bool over = c->snd.una >= r->recover;
    if (over && !u->sent &&
        u->sent_bytes <= 0) { /* everything came before it could be sent again */
        return true;
    }
    return echoes_an_original(c, u, in) && (over || r->records.rtx_bytes == 0);
}

/* ---- F-RTO ----------------------------------------------------------------------------------- */

/* RFC 5682 2.1 step 1: the timeout's retransmission is about to leave. */
void slt_undo_frto_begin(struct slt_undo *u)
{
    u->frto = 2;
    u->hold = false;
}

void slt_undo_frto_end(struct slt_undo *u)
{
    u->frto = 0;
    u->hold = false;
}

/* RFC 5682 2.1 and 3.1, steps 2 and 3. `new_waits`: new octets could be sent. True: spurious. */
bool slt_undo_frto(const struct slt_tcp_conn *c, struct slt_tcp_recovery *r,
                   const struct slt_tcp_in *in, const struct slt_delivery *d, bool new_waits)
{
    struct slt_undo *u = &r->undo;
    bool sack = slt_tcp_has(c, SLT_CONN_SACK_OK);

    if (u->frto == 2) {
        if (!in->ack.advanced && (sack || !in->ack.duplicate)) {
            return false; /* 3.1 step 2: the scoreboard learns, the step stays */
        }
        bool goes_on = in->ack.advanced && r->records.rtx_bytes == 0 && c->snd.una < r->recover &&
                       new_waits; /* R5682-02, R5682-05 */
        u->frto = goes_on ? 3 : 0;
        u->hold = goes_on; /* R5682-03: new octets now, not what counts as lost */
        return false;
    }
    if (u->frto != 3 || (d->delivered_bytes == 0 && !in->ack.duplicate)) {
        return false;
    }
    if (d->original && (sack || !d->resent)) { /* R5682-03, R5682-04 */
        return true;
    }
    slt_undo_frto_end(u); /* step 3a: it was lost */
    return false;
}
