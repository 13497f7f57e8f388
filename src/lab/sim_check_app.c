/* Invariants of the applications: what they are given is what was written (I-01 to I-06), they are
 * told once how it ended (I-27), they are called when there is something to do (I-34), and when the
 * faults are over everything arrives or an error is told (I-03, I-24, I-40, I-43, I-44).
 */
#include "lab/sim_world.h"

#include "tcp/engine.h"

/* ---- receiving
 * ----------------------------------------------------------------------------------- */

bool slt_sim_check_read(struct sim_world *w, struct sim_end *e, const uint8_t *data, size_t bytes)
{
    struct salut_info info;
    const struct sim_end *o = slt_sim_match(w, e);
    unsigned number = (unsigned)(e - w->end);
    slt_sim_checked(w, 1);
    slt_sim_checked(w, 2);
    slt_sim_checked(w, 4);
    slt_sim_checked(w, 5);
    slt_sim_checked(w, 6);
    if (e->eof) {
        return slt_sim_fail(w, 2, "end %u got bytes after the end of the stream", number);
    }
    if (salut_get_info(w->host[e->host].stack, e->conn, &info) == SALUT_OK &&
        (info.state == SALUT_STATE_SYN_SENT || info.state == SALUT_STATE_SYN_RECEIVED) &&
        !info.fast_open) {
        return slt_sim_fail(w, 2, "end %u got bytes before ESTABLISHED", number);
    }
    if (!o) {
        return slt_sim_fail(w, 6, "end %u got bytes that nobody can have written", number);
    }
    if (e->read + bytes > o->written) {
        return slt_sim_fail(w, 1, "end %u got %llu bytes of %llu that were written", number,
                            (unsigned long long)(e->read + bytes), (unsigned long long)o->written);
    }
    if (!slt_sim_pattern_matches(o->key, e->read, data, (uint32_t)bytes)) {
        return slt_sim_fail(w, 1, "end %u got other bytes than were written, from %llu on", number,
                            (unsigned long long)e->read);
    }
    e->read += bytes;
    w->tally->bytes += bytes;
    slt_digest_u64(&w->hash, e->read);
    return true;
}

bool slt_sim_check_eof(struct sim_world *w, struct sim_end *e)
{
    unsigned number = (unsigned)(e - w->end);
    e->eof = true;
    slt_sim_note(w, "end %u: end of stream after %llu", number, (unsigned long long)e->read);
    slt_sim_checked(w, 2);
    if (e->shut_read) {
        return true;
    }
    const struct sim_end *o = slt_sim_match(w, e);
    if (!o || !(o->shut_write || o->closed)) {
        return slt_sim_fail(w, 2, "end %u was told of an end that nobody made", number);
    }
    if (e->read != o->written) {
        return slt_sim_fail(w, 2, "end %u was told of the end after %llu of %llu bytes", number,
                            (unsigned long long)e->read, (unsigned long long)o->written);
    }
    return true;
}

/* Anything but success from a send or receive call. */
bool slt_sim_check_status(struct sim_world *w, struct sim_end *e, enum salut_status status,
                          bool sending)
{
    unsigned number = (unsigned)(e - w->end);
    struct salut_info info;
    w->tally->status[status]++;
    if (status == SALUT_WOULD_BLOCK || status == SALUT_IN_PROGRESS) {
        e->blocked = e->blocked || (sending && status == SALUT_WOULD_BLOCK);
        return true;
    }
    if (status == SALUT_NO_MEMORY || (status == SALUT_CLOSED && e->shut_write)) {
        return true;
    }
    if (salut_get_info(w->host[e->host].stack, e->conn, &info) != SALUT_OK) {
        return slt_sim_fail(w, 30, "end %u holds a handle that is stale", number);
    }
    if (status == SALUT_NOT_CONNECTED && info.state == SALUT_STATE_CLOSED &&
        info.status == SALUT_OK) {
        e->eof = true; /* closed normally on both sides: nothing more to do */
        return true;
    }
    slt_sim_checked(w, 27);
    if (info.status == SALUT_OK) {
        return slt_sim_fail(w, 27, "end %u was told '%s', but its connection has not failed",
                            number, salut_status_text(status));
    }
    if (e->error != SALUT_OK && e->error != status) {
        return slt_sim_fail(w, 27, "end %u was told '%s' after '%s'", number,
                            salut_status_text(status), salut_status_text(e->error));
    }
    e->error = status;
    slt_sim_note(w, "end %u: %s", number, salut_status_text(status));
    return true;
}

/* ---- wake-ups (I-34)
 * ----------------------------------------------------------------------------- */

static const char *wrong_bits(const struct sim_end *e, const struct salut_info *i, uint32_t ready)
{
    bool closed = i->state == SALUT_STATE_CLOSED;
    bool open = i->state >= SALUT_STATE_ESTABLISHED;
    if (closed != ((ready & SALUT_ENDED) != 0)) {
        return "ENDED is not the state CLOSED";
    }
    if ((i->recv_queued > 0 || i->fin_received) && (open || closed) && !(ready & SALUT_READABLE)) {
        return "bytes or the end wait and READABLE is not set";
    }
    if (i->recv_queued == 0 && !i->fin_received && !closed && !e->shut_read &&
        (ready & SALUT_READABLE)) {
        return "READABLE, but there is nothing to read";
    }
    if (i->fin_received && !(ready & SALUT_PEER_CLOSED)) {
        return "the peer's FIN came and PEER_CLOSED is not set";
    }
    bool sends = i->state == SALUT_STATE_ESTABLISHED || i->state == SALUT_STATE_CLOSE_WAIT;
    if (sends && !i->fin_queued && i->send_queued == 0 && !(ready & SALUT_WRITABLE)) {
        return "the send buffer is empty and WRITABLE is not set";
    }
    if (i->send_queued >= i->send_buffer && (ready & SALUT_WRITABLE)) {
        return "WRITABLE, but the send buffer is full";
    }
    return NULL;
}

/* After the application has drained its events. */
bool slt_sim_check_ready(struct sim_world *w, struct sim_host *h)
{
    for (uint32_t n = 0; n < w->end_count; n++) {
        struct sim_end *e = &w->end[n];
        struct salut_info info;
        uint32_t ready = 0;
        if (e->host != h->number || !e->held || e->dead) {
            continue;
        }
        if (salut_get_info(h->stack, e->conn, &info) != SALUT_OK ||
            salut_ready(h->stack, e->conn, &ready) != SALUT_OK) {
            return slt_sim_fail(w, 30, "end %u holds a handle that is stale", n);
        }
        slt_sim_checked(w, 34);
        const char *wrong = wrong_bits(e, &info, ready);
        if (wrong) {
            return slt_sim_fail(w, 34, "end %u in %s: %s", n,
                                salut_state_name((enum salut_state)info.state), wrong);
        }
        uint32_t interest = slt_tcp_conn_at(&h->stack->tcp, e->conn.index)->place.interest;
        if (h->asleep_until_ns <= w->now_ns && (ready & interest) != 0 && !e->reported) {
            return slt_sim_fail(w, 34, "end %u is ready (%#x) and no event told", n,
                                ready & interest);
        }
        slt_sim_checked(w, 27);
        if (info.status != SALUT_OK && info.state != SALUT_STATE_CLOSED) {
            return slt_sim_fail(w, 27, "end %u has a status and is not closed", n);
        }
        if (e->killed && info.state == SALUT_STATE_CLOSED && info.status == SALUT_OK) {
            return slt_sim_fail(w, 27, "end %u ended abnormally and has no error to tell", n);
        }
        e->connected = e->connected || info.state >= SALUT_STATE_ESTABLISHED;
        e->reported = false;
        (void)slt_sim_match(w, e);
    }
    return true;
}

/* ---- liveness
 * ------------------------------------------------------------------------------------ */

/* What an end still waits for, once faults are off; NULL: nothing. */
static const char *waits_for(struct sim_world *w, struct sim_end *e, unsigned *id)
{
    *id = 43;
    if (!e->held || e->dead || e->error != SALUT_OK || e->eof) {
        return NULL;
    }
    if (!e->connected) {
        return "its connection";
    }
    if (e->written < e->to_write && !e->shut_write) {
        *id = e->blocked ? 44 : 43;
        return "room to write";
    }
    const struct sim_end *o = slt_sim_match(w, e);
    if (!o || o->dead || o->aborted || o->killed || o->closed_unread || o->error != SALUT_OK) {
        return NULL;
    }
    *id = 40;
    if (e->read < o->written) {
        return "bytes that were written";
    }
    *id = 3;
    return (o->shut_write || o->closed) && !e->shut_read ? "the end of the stream" : NULL;
}

bool slt_sim_all_delivered(struct sim_world *w)
{
    unsigned id;
    for (uint32_t n = 0; n < w->end_count; n++) {
        if (waits_for(w, &w->end[n], &id)) {
            return false;
        }
    }
    return true;
}

/* The time for everything to arrive is over (I-03, I-40, I-43, I-44). */
bool slt_sim_check_delivered(struct sim_world *w)
{
    for (uint32_t n = 0; n < w->end_count; n++) {
        struct sim_end *e = &w->end[n];
        unsigned id;
        slt_sim_checked(w, 40);
        slt_sim_checked(w, 43);
        slt_sim_checked(w, 44);
        slt_sim_checked(w, 3);
        const char *what = waits_for(w, e, &id);
        if (what) {
            return slt_sim_fail(w, id, "end %u still waits for %s: written %llu of %llu, read %llu",
                                n, what, (unsigned long long)e->written,
                                (unsigned long long)e->to_write, (unsigned long long)e->read);
        }
    }
    return true;
}

static bool is_settled(const struct sim_end *e)
{
    return e->held && !e->dead && !e->killed && !e->aborted && e->error == SALUT_OK &&
           !e->shut_write;
}

/* I-24: with nothing on its way, both ends agree that they are connected. */
bool slt_sim_check_quiescent(struct sim_world *w)
{
    for (uint32_t n = 0; n < w->end_count; n++) {
        struct sim_end *e = &w->end[n];
        struct sim_end *o = slt_sim_match(w, e);
        struct salut_info info[2];
        if (!o || !is_settled(e) || !is_settled(o) ||
            salut_get_info(w->host[e->host].stack, e->conn, &info[0]) != SALUT_OK ||
            salut_get_info(w->host[o->host].stack, o->conn, &info[1]) != SALUT_OK) {
            continue;
        }
        slt_sim_checked(w, 24);
        if ((info[0].state == SALUT_STATE_ESTABLISHED) !=
            (info[1].state == SALUT_STATE_ESTABLISHED)) {
            return slt_sim_fail(w, 24, "ends %u and %u are in %s and %s", n, e->peer,
                                salut_state_name((enum salut_state)info[0].state),
                                salut_state_name((enum salut_state)info[1].state));
        }
    }
    return true;
}

/* Both applications have closed; nobody may still be waiting (I-41), except for a peer that is
 * gone without having been able to say so. */
bool slt_sim_check_parted(struct sim_world *w)
{
    for (uint32_t n = 0; n < w->end_count; n++) {
        struct sim_end *e = &w->end[n];
        const struct sim_end *o = slt_sim_match(w, e);
        if (!e->held || e->dead || !o) {
            continue;
        }
        slt_sim_checked(w, 41);
        if (!o->dead && !o->aborted && !o->killed && !o->closed_unread) {
            return slt_sim_fail(w, 41, "end %u could not close: peer %s", n,
                                o->held ? "holds its end" : "has closed");
        }
    }
    return true;
}
