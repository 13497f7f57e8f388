/* What applications do: open, listen, accept late, write and read in odd sizes, stop reading, shut
 * one side, close, abort, set options; and, in the second phase, finish politely.
 *
 * An application that was told to wait does nothing until an event calls it: a wake-up that the
 * stack forgets is then a transfer that never ends. One that has work of its own left comes back
 * after a time of thought.
 */
#include "lab/sim_world.h"

#include <string.h>

#define PIECE_MAX 20000U

static struct salut_stack *stack_of(struct sim_world *w, const struct sim_end *e)
{
    return w->host[e->host].stack;
}

/* ---- reading
 * ------------------------------------------------------------------------------------- */

static enum salut_status read_once(struct sim_world *w, struct sim_end *e, uint8_t *data,
                                   size_t bytes, size_t *got)
{
    struct salut_stack *s = stack_of(w, e);
    uint64_t way = slt_sim_below(w, 6);
    *got = 0;
    if (way == 0) {
        struct salut_iovec_mut two[2] = {{data, bytes / 2}, {data + bytes / 2, bytes - bytes / 2}};
        return salut_recvv(s, e->conn, two, 2, got);
    }
    if (way == 1) {
        struct salut_iovec pieces[4];
        size_t count = 0;
        size_t seen = 0;
        enum salut_status status = salut_peek(s, e->conn, pieces, 4, &count, &seen);
        for (size_t i = 0; status == SALUT_OK && i < count && *got < bytes; i++) {
            size_t part = pieces[i].bytes < bytes - *got ? pieces[i].bytes : bytes - *got;
            memcpy(data + *got, pieces[i].base, part);
            *got += part;
        }
        if (status == SALUT_OK && salut_consume(s, e->conn, *got) != SALUT_OK) {
            slt_sim_fail(w, 4, "bytes that were shown could not be consumed");
        }
        return status;
    }
    return salut_recv(s, e->conn, data, bytes, got);
}

/* Read up to `limit` bytes; returns false when there is nothing more for now. */
static bool read_some(struct sim_world *w, struct sim_end *e, uint64_t limit)
{
    uint8_t *data = w->scratch2;
    while (limit > 0 && e->held && !e->eof && e->error == SALUT_OK && !slt_sim_failed(w)) {
        size_t want = 1 + (size_t)slt_sim_below(w, limit < PIECE_MAX ? limit : PIECE_MAX);
        size_t got = 0;
        enum salut_status status = read_once(w, e, data, want, &got);
        if (status == SALUT_OK) {
            if (got == 0) {
                return slt_sim_fail(w, 34, "a receive call succeeded with no bytes");
            }
            slt_sim_check_read(w, e, data, got);
            limit -= got < limit ? got : limit;
            continue;
        }
        if (status == SALUT_END) {
            slt_sim_check_eof(w, e);
        } else {
            slt_sim_check_status(w, e, status, false);
        }
        return false;
    }
    return true;
}

/* ---- writing
 * ------------------------------------------------------------------------------------- */

static void write_some(struct sim_world *w, struct sim_end *e, unsigned calls)
{
    struct salut_stack *s = stack_of(w, e);
    uint8_t *data = w->scratch2;
    while (calls-- > 0 && e->written < e->to_write && !e->blocked && e->error == SALUT_OK &&
           !e->shut_write && !slt_sim_failed(w)) {
        uint64_t left = e->to_write - e->written;
        uint32_t bytes = (uint32_t)(1 + slt_sim_below(w, e->chunk_max));
        bytes = left < bytes ? (uint32_t)left : bytes;
        slt_sim_pattern(e->key, e->written, data, bytes);
        unsigned flags = 0;
        if (slt_sim_chance(w, e->urgent_chance)) {
            flags |= SALUT_SEND_URGENT;
            slt_sim_fault(w, SLT_SIM_URGENT);
        }
        flags |= slt_sim_chance(w, 500) ? SALUT_SEND_MORE : 0;
        size_t taken = 0;
        enum salut_status status;
        bool halves = slt_sim_chance(w, 2000);
        if (slt_sim_lends(w, e)) {
            status = slt_sim_lend(w, e, &bytes, flags);
            taken = status == SALUT_OK ? bytes : 0;
        } else if (halves) {
            struct salut_iovec two[2] = {{data, bytes / 3}, {data + bytes / 3, bytes - bytes / 3}};
            status = salut_sendv(s, e->conn, two, 2, flags, &taken);
        } else {
            status = salut_send(s, e->conn, data, bytes, flags, &taken);
        }
        if (status == SALUT_OK) {
            e->written += taken;
            slt_digest_u64(&w->hash, taken);
        } else {
            slt_sim_check_status(w, e, status, true);
        }
    }
    uint32_t writable = e->blocked || e->written < e->to_write ? SALUT_WRITABLE : 0;
    if (e->held) {
        (void)salut_set_interest(s, e->conn,
                                 writable | SALUT_READABLE | SALUT_ENDED | SALUT_PEER_CLOSED |
                                     SALUT_URGENT | SALUT_ADVICE |
                                     (e->connected ? 0 : SALUT_CONNECTED));
    }
}

/* ---- closing
 * ------------------------------------------------------------------------------------- */

static void close_end(struct sim_world *w, struct sim_end *e)
{
    struct salut_info info;
    if (salut_get_info(stack_of(w, e), e->conn, &info) == SALUT_OK && info.recv_queued > 0) {
        e->closed_unread = true;
        slt_sim_fault(w, SLT_SIM_CLOSE_UNREAD);
    }
    slt_sim_note(w, "end %u closes: %llu written, %llu read", (unsigned)(e - w->end),
                 (unsigned long long)e->written, (unsigned long long)e->read);
    if (salut_close(stack_of(w, e), e->conn) != SALUT_OK) {
        slt_sim_fail(w, 30, "the handle of a held connection is stale");
    }
    e->held = false;
    e->closed = true;
}

static void abort_end(struct sim_world *w, struct sim_end *e)
{
    slt_sim_fault(w, SLT_SIM_APP_ABORT);
    slt_sim_note(w, "end %u aborts", (unsigned)(e - w->end));
    if (salut_abort(stack_of(w, e), e->conn) != SALUT_OK) {
        slt_sim_fail(w, 30, "the handle of a held connection is stale");
    }
    e->held = false;
    e->aborted = true;
}

static void shut_end(struct sim_world *w, struct sim_end *e, enum salut_how how)
{
    enum salut_status status = salut_shutdown(stack_of(w, e), e->conn, how);
    if (status == SALUT_OK) {
        e->shut_write = e->shut_write || (how & SALUT_SHUT_WRITE);
        e->shut_read = e->shut_read || (how & SALUT_SHUT_READ);
        slt_sim_note(w, "end %u shuts %d", (unsigned)(e - w->end), (int)how);
    } else if (status == SALUT_STALE) {
        slt_sim_fail(w, 30, "the handle of a held connection is stale");
    }
}

/* What the end does about closing, its writing and reading being where they are. */
static void close_by_mode(struct sim_world *w, struct sim_end *e)
{
    bool written = e->written >= e->to_write;
    bool gone = e->error != SALUT_OK;
    if (gone || (e->eof && e->shut_write)) {
        if (gone || slt_sim_chance(w, 7000)) {
            close_end(w, e);
        }
        return;
    }
    switch ((enum sim_close_mode)e->close_mode) {
    case SIM_CLOSE_AFTER_SEND:
        if (written) {
            close_end(w, e);
        }
        break;
    case SIM_SHUT_THEN_READ:
        /* A transfer's end that closed in SYN-SENT would have deleted itself (3.10.4). */
        if (written && !e->shut_write && (e->connected || !w->paths)) {
            slt_sim_fault(w, SLT_SIM_HALF_CLOSE);
            shut_end(w, e, SALUT_SHUT_WRITE);
        }
        break;
    case SIM_READ_THEN_CLOSE:
        if (e->eof && written) {
            close_end(w, e);
        }
        break;
    case SIM_ABORT:
        if (e->written + e->read >= e->early_at) {
            abort_end(w, e);
        }
        break;
    case SIM_CLOSE_EARLY:
        if (e->written + e->read >= e->early_at) {
            close_end(w, e);
        }
        break;
    case SIM_SHUT_BOTH:
        if (written && !e->shut_write) {
            shut_end(w, e, SALUT_SHUT_BOTH);
        }
        break;
    case SIM_HOLD:
    case SIM_CLOSE_MODES:
        break;
    }
}

/* ---- options
 * ------------------------------------------------------------------------------------- */

static void set_some_option(struct sim_world *w, struct sim_end *e)
{
    static const struct {
        enum salut_option option;
        int32_t low, high;
    } choices[] = {
        {SALUT_OPT_NODELAY, 0, 1},
        {SALUT_OPT_CORK, 0, 1},
        {SALUT_OPT_KEEPALIVE, 0, 1},
        {SALUT_OPT_KEEPALIVE_IDLE_S, 1, 20},
        {SALUT_OPT_KEEPALIVE_INTERVAL_S, 1, 8},
        {SALUT_OPT_KEEPALIVE_PROBES, 1, 4},
        {SALUT_OPT_USER_TIMEOUT_MS, 0, 200000},
        {SALUT_OPT_SEND_BUFFER, 2048, 200000},
        {SALUT_OPT_RECV_BUFFER, 2048, 200000},
        {SALUT_OPT_QUICK_ACK, 0, 1},
        {SALUT_OPT_TTL, 1, 255},
        {SALUT_OPT_DSCP, 0, 63},
        {SALUT_OPT_LINGER2_S, 1, 100},
        {SALUT_OPT_LINGER_ABORT, 0, 1},
        {SALUT_OPT_RCVLOWAT, 1, 1},
        {SALUT_OPT_CONGESTION, 0, SALUT_CC_COUNT - 1},
        {SALUT_OPT_PACING, 0, 1},
        {SALUT_OPT_PACING_MAX, 10000, 1000000}, /* a transfer must end within the time it has */
    };
    uint64_t i = slt_sim_below(w, SLT_ARRAY_COUNT(choices));
    bool ends = choices[i].option == SALUT_OPT_LINGER_ABORT ||
                choices[i].option == SALUT_OPT_KEEPALIVE ||
                choices[i].option == SALUT_OPT_USER_TIMEOUT_MS;
    if (w->phase != SIM_SAFETY || (w->paths && ends)) {
        return;
    }
    int64_t value = choices[i].low +
                    (int64_t)slt_sim_below(w, (uint64_t)(choices[i].high - choices[i].low + 1));
    enum salut_status status = salut_set_option(stack_of(w, e), e->conn, choices[i].option, value);
    if (status != SALUT_OK) {
        slt_sim_fail(w, 30, "option %d was refused: %s", (int)choices[i].option,
                     salut_status_text(status));
    }
    if (choices[i].option == SALUT_OPT_LINGER_ABORT && value) {
        e->aborted = true; /* its close will be a reset */
    }
}

/* ---- one end acts
 * -------------------------------------------------------------------------------- */

static void act_in_safety(struct sim_world *w, struct sim_end *e)
{
    if (slt_sim_chance(w, w->is.stall)) {
        e->wake_at_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1), SIM_S(40));
        slt_sim_fault(w, SLT_SIM_STALL);
        return;
    }
    if (slt_sim_chance(w, 300)) {
        set_some_option(w, e);
    }
    write_some(w, e, 1 + (unsigned)slt_sim_below(w, 4));
    bool more = false;
    if (e->read_mode == SIM_READ_EAGER) {
        read_some(w, e, UINT64_MAX);
    } else if (e->read_mode == SIM_READ_SLOW) {
        more = read_some(w, e, 1 + slt_sim_below(w, 3000));
    } else if (w->now_ns >= e->read_from_ns) {
        read_some(w, e, UINT64_MAX);
    }
    if (e->held && !slt_sim_failed(w)) {
        close_by_mode(w, e);
    }
    e->wake_at_ns = SLT_NEVER;
    if (e->held && (more || (e->written < e->to_write && !e->blocked))) {
        e->wake_at_ns = w->now_ns + 1 + (int64_t)slt_sim_below(w, (uint64_t)e->think_ns);
    } else if (e->held && e->read_mode == SIM_READ_LATE && w->now_ns < e->read_from_ns) {
        e->wake_at_ns = e->read_from_ns;
    }
}

static void act_in_liveness(struct sim_world *w, struct sim_end *e)
{
    write_some(w, e, 64);
    read_some(w, e, UINT64_MAX);
    e->wake_at_ns = SLT_NEVER;
    if (!e->held || slt_sim_failed(w)) {
        return;
    }
    if (e->written < e->to_write && !e->blocked && e->error == SALUT_OK && !e->shut_write) {
        e->wake_at_ns = w->now_ns + SIM_MS(100); /* no buffer was free */
    } else if (w->phase >= SIM_PARTING) {
        if (e->error != SALUT_OK || e->eof) {
            close_end(w, e);
        } else if (!e->shut_write) {
            shut_end(w, e, SALUT_SHUT_WRITE);
        }
    }
}

static void act(struct sim_world *w, struct sim_end *e)
{
    if (!e->held || e->dead || slt_sim_failed(w)) {
        return;
    }
    if (w->phase == SIM_SAFETY) {
        act_in_safety(w, e);
    } else {
        act_in_liveness(w, e);
    }
}

/* ---- listeners
 * ----------------------------------------------------------------------------------- */

static void open_listener(struct sim_world *w, struct sim_host *h, struct sim_listener *l)
{
    struct salut_listen_params params = {.port = l->port,
                                         .flags = l->flags,
                                         .backlog = l->backlog,
                                         .user = (uint64_t)(l - h->listener)};
    enum salut_status status = salut_listen(h->stack, &params, &l->handle);
    l->open_at_ns = SLT_NEVER;
    l->accept_at_ns = SLT_NEVER;
    if (status == SALUT_OK) {
        l->open = true;
        (void)salut_set_listener_option(h->stack, l->handle, SALUT_OPT_FAST_OPEN, l->fast_open);
    } else {
        l->open_at_ns = w->now_ns + SIM_S(1);
    }
}

static void close_listener(struct sim_world *w, struct sim_host *h, struct sim_listener *l)
{
    l->close_at_ns = SLT_NEVER;
    l->accept_at_ns = SLT_NEVER;
    if (l->open) {
        slt_sim_fault(w, SLT_SIM_LISTENER_CLOSE);
        l->open = false;
        if (salut_close_listener(h->stack, l->handle) != SALUT_OK) {
            slt_sim_fail(w, 30, "the handle of an open listener is stale");
        }
    }
}

/* The end that was accepted before for the very same connection, or NULL. */
static const struct sim_end *accepted_before(const struct sim_world *w, const struct sim_end *e)
{
    for (const struct sim_end *o = w->end; o < e; o++) {
        if (o->host == e->host && o->local_port == e->local_port &&
            o->remote_port == e->remote_port && o->isn == e->isn && !o->dead) {
            return o;
        }
    }
    return NULL;
}

/* I-07: a connection is handed out once. One exception is the price of SYN cookies: when the first
 * is over, the cookie in what its peer still sends, or in a late copy, is as good as ever.
 * Nothing in the segments tells the two apart; the application here hangs up at once. */
static bool accept_one(struct sim_world *w, struct sim_host *h, salut_conn conn)
{
    struct sim_end *e = slt_sim_end_new(w, h->number, conn);
    slt_sim_checked(w, 7);
    if (!e) {
        (void)salut_abort(h->stack, conn);
        return true;
    }
    const struct sim_end *o = accepted_before(w, e);
    if (o && (o->killed || !o->held) && h->config.syn_cookies != SALUT_COOKIES_NEVER) {
        w->end_count--;
        (void)salut_abort(h->stack, conn);
        return true;
    }
    if (o) {
        return slt_sim_fail(w, 7, "a connection was accepted twice");
    }
    (void)salut_set_user(h->stack, conn, (uint64_t)(e - w->end));
    slt_sim_app_shape(w, e);
    act(w, e);
    return true;
}

static void accept_all(struct sim_world *w, struct sim_host *h, struct sim_listener *l)
{
    salut_conn conn;
    l->accept_at_ns = SLT_NEVER;
    while (l->open && !slt_sim_failed(w) &&
           salut_accept(h->stack, l->handle, 0, &conn) == SALUT_OK) {
        accept_one(w, h, conn);
    }
}

static void told_of_listener(struct sim_world *w, struct sim_host *h, uint64_t number)
{
    struct sim_listener *l = &h->listener[number];
    if (w->phase == SIM_SAFETY && l->lazy_ns > 0) {
        if (l->accept_at_ns == SLT_NEVER) {
            l->accept_at_ns = w->now_ns + l->lazy_ns;
            slt_sim_fault(w, SLT_SIM_LATE_ACCEPT);
        }
        return;
    }
    accept_all(w, h, l);
}

/* ---- opening
 * ------------------------------------------------------------------------------------- */

static void connected(struct sim_world *w, struct sim_plan *plan, uint8_t host, salut_conn conn)
{
    struct sim_end *e = slt_sim_end_new(w, host, conn);
    if (!e) {
        (void)salut_abort(w->host[host].stack, conn);
        return;
    }
    e->active = true;
    e->plan = (uint8_t)(plan - w->plan);
    (void)salut_set_user(w->host[host].stack, conn, (uint64_t)(e - w->end));
    slt_sim_app_shape(w, e);
    if (plan->kind == SIM_PLAN_NOBODY) {
        e->to_write = e->to_write < 100 ? e->to_write : 100;
    }
    act(w, e);
}

static void try_connect(struct sim_world *w, struct sim_plan *plan, bool other_side)
{
    uint8_t from = other_side ? plan->to : plan->from;
    uint8_t to = other_side ? plan->from : plan->to;
    struct sim_host *h = &w->host[from];
    struct salut_connect_params params = {.remote = w->host[to].addr[w->is.ip6],
                                          .remote_port = other_side ? plan->local_port : plan->port,
                                          .local_port = other_side ? plan->port : plan->local_port};
    salut_conn conn;
    enum salut_status status;
    if (!h->up) {
        return;
    }
    if (w->is.fast_open) {
        params.flags = SALUT_CONNECT_FAST_OPEN;
        slt_sim_fault(w, SLT_SIM_FAST_OPEN);
    }
    if (plan->kind == SIM_PLAN_LISTEN_CONNECT) {
        struct salut_listen_params lp = {.port = plan->local_port, .backlog = 1};
        salut_listener l;
        if (salut_listen(h->stack, &lp, &l) != SALUT_OK) {
            return;
        }
        slt_sim_fault(w, SLT_SIM_LISTEN_CONNECT);
        status = salut_listener_connect(h->stack, l, &params, &conn);
        if (status != SALUT_OK) {
            (void)salut_close_listener(h->stack, l);
        }
    } else {
        status = salut_connect(h->stack, &params, &conn);
    }
    w->tally->status[status]++;
    if (status == SALUT_OK) {
        connected(w, plan, from, conn);
    }
}

static void run_plan(struct sim_world *w, struct sim_host *h, struct sim_plan *plan)
{
    if (plan->from == h->number && plan->at_ns <= w->now_ns) {
        plan->at_ns = SLT_NEVER;
        try_connect(w, plan, false);
        if (plan->repeats > 0) {
            plan->repeats--;
            plan->at_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(50), SIM_S(200));
            slt_sim_fault(w, SLT_SIM_PORT_REUSE);
        }
    }
    if (plan->to == h->number && plan->other_at_ns <= w->now_ns) {
        plan->other_at_ns = SLT_NEVER;
        slt_sim_fault(w, SLT_SIM_SIMULTANEOUS);
        try_connect(w, plan, true);
    }
}

/* ---- doors
 * --------------------------------------------------------------------------------------- */

void slt_sim_app_events(struct sim_world *w, struct sim_host *h)
{
    struct salut_event event;
    slt_sim_take_back(w, h);
    if (h->asleep_until_ns > w->now_ns) {
        return;
    }
    for (unsigned count = 0; !slt_sim_failed(w) && salut_next_event(h->stack, &event); count++) {
        if (count > 10000) {
            slt_sim_fail(w, 34, "events do not come to an end within one turn");
        }
        if (event.conn.index == SALUT_NO_INDEX) {
            told_of_listener(w, h, event.user);
            continue;
        }
        if (event.user >= w->end_count) {
            slt_sim_fail(w, 34, "an event bears the user value of nobody");
            return;
        }
        struct sim_end *e = &w->end[event.user];
        if (!e->held || e->host != h->number || e->conn.generation != event.conn.generation) {
            slt_sim_fail(w, 30, "an event is about a connection that nobody holds");
            return;
        }
        if (event.ready == 0 || e->reported) {
            slt_sim_fail(w, 34, "an event without news, or told twice in a turn");
        }
        e->reported = true;
        e->connected = e->connected || (event.ready & SALUT_CONNECTED) != 0;
        e->ended = e->ended || (event.ready & SALUT_ENDED) != 0;
        if (event.ready & (SALUT_WRITABLE | SALUT_ENDED)) {
            e->blocked = false;
        }
        if (e->wake_at_ns == SLT_NEVER || w->phase != SIM_SAFETY || slt_sim_chance(w, 3000)) {
            act(w, e);
        }
    }
}

static void listener_timers(struct sim_world *w, struct sim_host *h)
{
    for (int i = 0; i < SIM_LISTENERS_MAX; i++) {
        struct sim_listener *l = &h->listener[i];
        if (l->port == 0) {
            continue;
        }
        if (l->close_at_ns <= w->now_ns) {
            close_listener(w, h, l);
        }
        if (!l->open && l->open_at_ns <= w->now_ns && w->phase != SIM_AFTER) {
            open_listener(w, h, l);
        }
        if (l->accept_at_ns <= w->now_ns) {
            accept_all(w, h, l);
        }
    }
}

void slt_sim_app_timers(struct sim_world *w, struct sim_host *h)
{
    if (h->asleep_until_ns > w->now_ns) {
        return;
    }
    listener_timers(w, h);
    for (uint32_t i = 0; i < w->plan_count && w->phase == SIM_SAFETY; i++) {
        run_plan(w, h, &w->plan[i]);
    }
    for (uint32_t i = 0; i < w->end_count && !slt_sim_failed(w); i++) {
        struct sim_end *e = &w->end[i];
        if (e->host == h->number && e->held && !e->dead && e->wake_at_ns <= w->now_ns) {
            act(w, e);
        }
    }
}

int64_t slt_sim_app_next(const struct sim_world *w, const struct sim_host *h)
{
    int64_t next = SLT_NEVER;
    for (int i = 0; i < SIM_LISTENERS_MAX; i++) {
        const struct sim_listener *l = &h->listener[i];
        if (l->port != 0) {
            next = slt_min64(next, slt_min64(l->close_at_ns, l->accept_at_ns));
            next = slt_min64(next, l->open || w->phase == SIM_AFTER ? SLT_NEVER : l->open_at_ns);
        }
    }
    for (uint32_t i = 0; i < w->plan_count && w->phase == SIM_SAFETY; i++) {
        const struct sim_plan *plan = &w->plan[i];
        next = slt_min64(next, plan->from == h->number ? plan->at_ns : SLT_NEVER);
        next = slt_min64(next, plan->to == h->number ? plan->other_at_ns : SLT_NEVER);
    }
    for (uint32_t i = 0; i < w->end_count; i++) {
        const struct sim_end *e = &w->end[i];
        if (e->host == h->number && e->held && !e->dead) {
            next = slt_min64(next, e->wake_at_ns);
        }
    }
    return slt_max64(next, h->asleep_until_ns > w->now_ns ? h->asleep_until_ns : next);
}

/* The host lost its memory: its applications' ends are gone with it. */
void slt_sim_app_crashed(struct sim_world *w, struct sim_host *h)
{
    for (uint32_t i = 0; i < w->end_count; i++) {
        if (w->end[i].host == h->number) {
            w->end[i].dead = true;
            w->end[i].held = false;
        }
    }
    for (int i = 0; i < SIM_LISTENERS_MAX; i++) {
        h->listener[i].open = false;
        h->listener[i].accept_at_ns = SLT_NEVER;
        h->listener[i].open_at_ns = w->now_ns;
    }
}

/* The second phase begins: everybody reads, writes what is left and keeps the rest for later. */
void slt_sim_app_finish(struct sim_world *w)
{
    for (uint8_t i = 0; i < w->host_count; i++) {
        w->host[i].asleep_until_ns = 0;
        for (int k = 0; k < SIM_LISTENERS_MAX; k++) {
            struct sim_listener *l = &w->host[i].listener[k];
            l->close_at_ns = SLT_NEVER;
            l->accept_at_ns = l->accept_at_ns == SLT_NEVER ? SLT_NEVER : w->now_ns;
        }
    }
    for (uint32_t i = 0; i < w->end_count; i++) {
        struct sim_end *e = &w->end[i];
        e->to_write = e->to_write > e->written + 3000 ? e->written + 3000 : e->to_write;
        e->wake_at_ns = w->now_ns;
        if (e->held && !e->dead) {
            (void)salut_set_option(w->host[e->host].stack, e->conn, SALUT_OPT_KEEPALIVE, 0);
            (void)salut_set_option(w->host[e->host].stack, e->conn, SALUT_OPT_LINGER2_S, 0);
        }
    }
}

/* Everybody parts: shut, read to the end, close; with `force`, whoever is left closes at once. */
void slt_sim_app_part(struct sim_world *w, bool force)
{
    for (uint32_t i = 0; i < w->end_count; i++) {
        struct sim_end *e = &w->end[i];
        e->wake_at_ns = w->now_ns;
        if (force && e->held && !e->dead) {
            close_end(w, e);
        }
    }
    for (uint8_t i = 0; i < w->host_count && force; i++) {
        for (int k = 0; k < SIM_LISTENERS_MAX; k++) {
            close_listener(w, &w->host[i], &w->host[i].listener[k]);
        }
    }
}

bool slt_sim_app_all_gone(const struct sim_world *w)
{
    for (uint32_t i = 0; i < w->end_count; i++) {
        if (w->end[i].held && !w->end[i].dead) {
            return false;
        }
    }
    return true;
}
