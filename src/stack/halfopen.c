/* Passive opening: from a SYN to a connection in the accept queue.
 *
 * A SYN makes a small entry, found by its tuple like a connection. Entries stand in one queue for
 * each retry level; within a level all waits are equal, so the head is always the next one due and
 * a timer costs O(1). The segment that completes the handshake makes the connection, which takes
 * the entry's place and is then fed the segment, so step five of RFC 9293 3.10.7.4 exists once.
 *
 * Pressed table (RFC 4987): with SYN cookies nothing is kept and the SYN,ACK's number says all;
 * without them the entry that has waited longest makes room. A full accept queue (SOCK-51, L-40)
 * drops SYNs; a handshake that completes then is ignored, so that the peer's data or our own
 * SYN,ACK brings another chance, or is reset when so configured.
 */
#include "stack/stack.h"

/* How long after the last cookie a bare ACK may still bring one back: the two periods of 64 s
 * that a cookie is good for. */
#define COOKIES_ARMED_NS (128 * SLT_NS_PER_S)

#define COOKIES_NEVER_SENT INT64_MIN

bool slt_half_open_init(struct salut_stack *stack)
{
    struct slt_half_open_table *table = &stack->half_open;
    for (uint32_t i = 0; i < SLT_HALF_OPEN_LEVELS; i++) {
        slt_queue_init(&table->level[i]);
    }
    table->pressed_at_ns = COOKIES_NEVER_SENT;
    return slt_pool_init(&table->pool, &stack->mem, SLT_OWNER_HALF_OPEN,
                         (uint32_t)sizeof(struct slt_tcp_half_open), stack->config.half_open_max);
}

/* Levels that can hold an entry now. */
static uint32_t levels_in_use(const struct salut_stack *stack)
{
    return stack->half_open.pool.used_objects == 0 ? 0 : stack->config.syn_ack_retries + 1U;
}

/* ---- the queues ----------------------------------------------------------------------------- */

static void enqueue(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    struct slt_conn_queue *queue = &stack->half_open.level[h->retries];
    h->next = SLT_NIL;
    h->prev = queue->tail;
    if (queue->tail == SLT_NIL) {
        queue->head = index;
    } else {
        slt_half_open_at(stack, queue->tail)->next = index;
    }
    queue->tail = index;
    queue->count++;
}

static void dequeue(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    struct slt_conn_queue *queue = &stack->half_open.level[h->retries];
    if (h->prev == SLT_NIL) {
        queue->head = h->next;
    } else {
        slt_half_open_at(stack, h->prev)->next = h->next;
    }
    if (h->next == SLT_NIL) {
        queue->tail = h->prev;
    } else {
        slt_half_open_at(stack, h->next)->prev = h->prev;
    }
    queue->count--;
}

/* Give an entry back that the flow table no longer knows; an entry in use names its listener, a
 * free one nobody. */
static void free_entry(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    dequeue(stack, index);
    struct slt_listener *l = slt_listener_at(stack, h->listener);
    SLT_ASSERT(l->half_open_count > 0);
    l->half_open_count--;
    h->listener = SLT_NIL;
    slt_pool_give(&stack->half_open.pool, index);
}

/* Take an entry out of everything. */
static void discard(struct salut_stack *stack, uint32_t index)
{
    slt_demux_remove(stack, SLT_FLOW_HALF_OPEN, index);
    free_entry(stack, index);
}

static void end_entry(struct salut_stack *stack, uint32_t index, enum slt_reason why)
{
    slt_stack_emit_half_open(stack, index, SALUT_STATE_CLOSED, why);
    discard(stack, index);
}

/* RFC 4987 3.3: the entry with the most retries behind it has had the best chance already. */
static void recycle_oldest(struct salut_stack *stack)
{
    for (uint32_t i = SLT_HALF_OPEN_LEVELS; i-- > 0;) {
        uint32_t index = stack->half_open.level[i].head;
        if (index != SLT_NIL) {
            end_entry(stack, index, SLT_CAUSE_EVICTED);
            return;
        }
    }
}

/* ---- SYN,ACK -------------------------------------------------------------------------------- */

static void send_syn_ack(struct salut_stack *stack, const struct slt_tcp_half_open *h, bool cookie)
{
    const struct slt_listener *l = slt_listener_at(stack, h->listener);
    struct slt_tcp_reply reply;
    slt_tcp_half_open_syn_ack(&stack->tcp, h, &l->defaults, cookie, stack->now_ns, &reply);
    slt_reply_tcp(stack, &reply, &l->defaults.opts);
}

static void send_reset(struct salut_stack *stack, const struct slt_rx_item *item,
                       enum slt_reason why)
{
    struct slt_tcp_reply reply;
    if (slt_tcp_closed_input(&item->id, &item->seg, &reply)) {
        reply.why = why;
        slt_reply_tcp(stack, &reply, NULL);
    }
}

/* ---- the connection ------------------------------------------------------------------------- */

/* Make the connection of an entry or a cookie and let it be found. */
static uint32_t make_conn(struct salut_stack *stack, const struct slt_tcp_half_open *h, bool early)
{
    const struct slt_listener *l = slt_listener_at(stack, h->listener);
    uint32_t conn = slt_conns_new(stack, &h->id, &l->defaults, SALUT_STATE_LISTEN);
    if (conn == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, conn);
    if (!slt_tcp_open_passive(&stack->tcp, c, h, early, stack->now_ns)) {
        slt_tcp_conn_give(&stack->tcp, conn);
        return SLT_NIL;
    }
    c->place.of.waiting.listener = h->listener;
    c->place.interest = SALUT_READABLE | SALUT_ENDED;
    return conn;
}

/* SOCK-56: the SYN,ACKs that must have been sent again before a bare ACK is enough; never more than
 * are sent, so that the last of them brings the connection. */
static uint8_t deferred_retries(const struct salut_stack *stack, const struct slt_tcp_half_open *h)
{
    const struct slt_listener *l = slt_listener_at(stack, h->listener);
    return (uint8_t)slt_min32(l->defaults.defer_retries, stack->config.syn_ack_retries);
}

/* SOCK-56: a segment that brings nothing leaves the handshake of such a listener incomplete. */
static bool is_deferred(const struct salut_stack *stack, const struct slt_rx_item *item,
                        struct slt_tcp_half_open *h)
{
    bool bare = item->seg.payload_bytes == 0 && (item->seg.flags & SLT_TCP_FIN) == 0;
    if (!bare || h->retries >= deferred_retries(stack, h)) {
        return false;
    }
    h->flags |= SLT_HALF_DEFERRED;
    return true;
}

/* The handshake is complete; `index` is SLT_NIL for a cookie, whose entry was never kept. */
static void complete(struct salut_stack *stack, const struct slt_rx_item *item,
                     struct slt_tcp_half_open *h, uint32_t index)
{
    uint32_t listener = h->listener;
    if (slt_listen_full(stack, slt_listener_at(stack, listener))) {
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_BACKLOG_FULL);
        if (stack->config.overflow == SALUT_OVERFLOW_RESET) {
            send_reset(stack, item, SLT_SEND_RST_LISTENER);
            if (index != SLT_NIL) {
                discard(stack, index);
            }
        } else {
            h->flags |= SLT_HALF_HELD;
        }
        return;
    }
    uint32_t conn = make_conn(stack, h, false);
    if (conn == SLT_NIL) {
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_NO_CONN_SLOT);
        return;
    }
    if (index != SLT_NIL) {
        slt_conns_take_over(stack, conn, index, item->hash);
        free_entry(stack, index);
    } else {
        slt_conns_find_by_tuple(stack, conn, item->hash);
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, conn);
    slt_tcp_input(&stack->tcp, c, &item->seg, stack->now_ns);
    if (c->state >= SALUT_STATE_ESTABLISHED) {
        slt_listen_queue(stack, listener, conn);
    } else {
        /* The judgement said that the segment completes the handshake; a connection that thinks
         * otherwise has nobody to tell. */
        slt_tcp_abort(&stack->tcp, c, SLT_CAUSE_NO_MEMORY, stack->now_ns);
        slt_tcp_close(&stack->tcp, c, stack->now_ns);
    }
    slt_after(stack, c);
}

/* ---- SYN ------------------------------------------------------------------------------------ */

/* SALUT_LISTEN_EARLY_ACCEPT, or a fast open: the connection exists from the SYN on. */
static void open_early(struct salut_stack *stack, const struct slt_rx_item *item,
                       const struct slt_tcp_half_open *h, bool fast)
{
    uint32_t conn = make_conn(stack, h, true);
    if (conn == SLT_NIL) {
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_NO_CONN_SLOT);
        return;
    }
    slt_conns_find_by_tuple(stack, conn, item->hash);
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, conn);
    if (h->flags & SLT_HALF_FAST_OPEN) {
        slt_tcp_fast_open_give(&stack->tcp, c, stack->now_ns);
    }
    if (fast) {
        slt_fast_open_accepted(stack, c, h->listener);
        slt_tcp_fast_open_accept(&stack->tcp, c, &item->seg, stack->now_ns);
    }
    slt_listen_queue(stack, h->listener, conn);
    slt_after(stack, c);
}

static void send_cookie(struct salut_stack *stack, struct slt_tcp_half_open *h)
{
    slt_tcp_cookie_make(&stack->tcp, h, stack->now_ns);
    send_syn_ack(stack, h, true);
    slt_stack_note(stack, SLT_NOTE_TCP_COOKIE_SENT);
    stack->half_open.pressed_at_ns = stack->now_ns;
}

/* A place for a new entry; SLT_NIL: there is none, and cookies may help. */
static uint32_t take_place(struct salut_stack *stack)
{
    if (stack->config.syn_cookies == SALUT_COOKIES_ALWAYS) {
        return SLT_NIL;
    }
    uint32_t index = slt_pool_take(&stack->half_open.pool);
    if (index == SLT_NIL && stack->config.syn_cookies == SALUT_COOKIES_NEVER) {
        recycle_oldest(stack);
        index = slt_pool_take(&stack->half_open.pool);
    }
    return index;
}

static void keep_entry(struct salut_stack *stack, const struct slt_rx_item *item,
                       const struct slt_tcp_half_open *made, uint32_t index)
{
    struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    *h = *made;
    h->retries = 0;
    h->due_at_ns = slt_time_add(stack->now_ns, slt_tcp_half_open_wait_ns(&stack->tcp, h));
    enqueue(stack, index);
    slt_demux_add(stack, SLT_FLOW_HALF_OPEN, index, item->hash);
    slt_listener_at(stack, h->listener)->half_open_count++;
    slt_stack_emit_half_open(stack, index, SALUT_STATE_SYN_RECEIVED, SLT_CAUSE_PASSIVE_OPEN);
    send_syn_ack(stack, h, false);
}

static void take_syn(struct salut_stack *stack, const struct slt_rx_item *item, uint32_t listener)
{
    struct slt_tcp_half_open made;
    uint32_t isn = item->has_isn ? item->isn : slt_tcp_isn(&stack->tcp, &item->id, stack->now_ns);
    const struct slt_listener *l = slt_listener_at(stack, listener);
    if (slt_listen_full(stack, l)) {
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_BACKLOG_FULL);
        return;
    }
    slt_tcp_half_open_init(&stack->tcp, &made, &item->id, &item->seg, isn, stack->now_ns);
    made.listener = listener;
    bool fast = slt_fast_open_takes(stack, item, &made);
    if (fast || (l->flags & SALUT_LISTEN_EARLY_ACCEPT)) {
        open_early(stack, item, &made, fast);
        return;
    }
    uint32_t index = take_place(stack);
    if (index != SLT_NIL) {
        keep_entry(stack, item, &made, index);
    } else if (stack->config.syn_cookies != SALUT_COOKIES_NEVER) {
        send_cookie(stack, &made);
    } else {
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_HALF_OPEN_FULL);
    }
}

/* ---- doors ---------------------------------------------------------------------------------- */

static bool cookies_armed(const struct salut_stack *stack)
{
    if (stack->config.syn_cookies == SALUT_COOKIES_NEVER) {
        return false;
    }
    int64_t pressed_at_ns = stack->half_open.pressed_at_ns;
    return pressed_at_ns != COOKIES_NEVER_SENT && stack->now_ns - pressed_at_ns <= COOKIES_ARMED_NS;
}

void slt_half_open_listen(struct salut_stack *stack, const struct slt_rx_item *item,
                          uint32_t listener)
{
    struct slt_tcp_half_open cookie = {0};
    struct slt_tcp_verdict verdict;
    slt_tcp_listen_input(&stack->tcp, &item->id, &item->seg, cookies_armed(stack), stack->now_ns,
                         &cookie, &verdict);
    if (verdict.has_reply) {
        slt_reply_tcp(stack, &verdict.reply, NULL);
    }
    if (verdict.kind == SLT_VERDICT_CREATE) {
        take_syn(stack, item, listener);
    } else if (verdict.kind == SLT_VERDICT_COMPLETE) {
        cookie.listener = listener;
        complete(stack, item, &cookie, SLT_NIL);
    }
    slt_stack_tell_segment(stack, item, verdict.why);
}

void slt_half_open_segment(struct salut_stack *stack, const struct slt_rx_item *item,
                           uint32_t index)
{
    struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    struct slt_tcp_verdict verdict;
    slt_tcp_half_open_input(&stack->tcp, h, &item->seg, stack->now_ns, &verdict);
    if (verdict.has_reply) {
        slt_reply_tcp(stack, &verdict.reply, NULL);
    }
    switch (verdict.kind) {
    case SLT_VERDICT_SYN_ACK:
        send_syn_ack(stack, h, false);
        break;
    case SLT_VERDICT_COMPLETE:
        if (is_deferred(stack, item, h)) {
            slt_stack_drop_segment(stack, item, SLT_DROP_TCP_DEFERRED);
        } else {
            complete(stack, item, h, index);
        }
        return;
    case SLT_VERDICT_REMOVE:
        end_entry(stack, index,
                  slt_reason_category(verdict.why) == SLT_CATEGORY_CAUSE
                      ? verdict.why
                      : SLT_CAUSE_RESET_RECEIVED);
        break;
    case SLT_VERDICT_DROP:
    case SLT_VERDICT_REPLY:
    case SLT_VERDICT_CREATE:
    case SLT_VERDICT_RESTART:
    case SLT_VERDICT_REUSE:
    case SLT_VERDICT_KILL:
        break;
    }
    slt_stack_tell_segment(stack, item, verdict.why);
}

/* One entry whose time has come: its SYN,ACK again, or the end (L-14). */
static void fire(struct salut_stack *stack, uint32_t index)
{
    struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
    dequeue(stack, index);
    h->retries++;
    int64_t wait_ns = h->retries <= stack->config.syn_ack_retries
                          ? slt_tcp_half_open_wait_ns(&stack->tcp, h)
                          : SLT_NEVER;
    if (wait_ns != SLT_NEVER) {
        h->due_at_ns = slt_time_add(stack->now_ns, wait_ns);
        enqueue(stack, index);
        /* SOCK-56: who has acknowledged is asked again only when that ends the waiting. */
        if ((h->flags & SLT_HALF_DEFERRED) == 0 || h->retries >= deferred_retries(stack, h)) {
            send_syn_ack(stack, h, false);
        }
        return;
    }
    h->retries--;
    enqueue(stack, index);
    if (stack->config.reset_on_half_open_timeout) { /* D-22 */
        struct slt_tcp_reply reply = {
            .id = h->id, .seq = h->isn + 1, .flags = SLT_TCP_RST, .why = SLT_SEND_RST_TIMEOUT};
        slt_reply_tcp(stack, &reply, NULL);
    }
    end_entry(stack, index, SLT_CAUSE_SYNACK_RETRANSMIT_LIMIT);
}

bool slt_half_open_expire(struct salut_stack *stack, uint32_t *budget)
{
    for (uint32_t i = levels_in_use(stack); i-- > 0;) {
        struct slt_conn_queue *queue = &stack->half_open.level[i];
        while (queue->head != SLT_NIL &&
               slt_half_open_at(stack, queue->head)->due_at_ns <= stack->now_ns) {
            if (*budget == 0) {
                return true;
            }
            --*budget;
            fire(stack, queue->head);
        }
    }
    return false;
}

int64_t slt_half_open_next(const struct salut_stack *stack)
{
    int64_t next_ns = SLT_NEVER;
    for (uint32_t i = 0; i < levels_in_use(stack); i++) {
        uint32_t head = stack->half_open.level[i].head;
        if (head != SLT_NIL) {
            next_ns = slt_min64(next_ns, slt_half_open_at(stack, head)->due_at_ns);
        }
    }
    return next_ns;
}

/* SOCK-08: what a closed listener had begun is reset. */
void slt_half_open_drop_listener(struct salut_stack *stack, uint32_t listener)
{
    const struct slt_listener *l = slt_listener_at(stack, listener);
    for (uint32_t i = 0; i < SLT_HALF_OPEN_LEVELS && l->half_open_count > 0; i++) {
        uint32_t index = stack->half_open.level[i].head;
        while (index != SLT_NIL && l->half_open_count > 0) {
            const struct slt_tcp_half_open *h = slt_half_open_at(stack, index);
            uint32_t next = h->next;
            if (h->listener == listener) {
                struct slt_tcp_reply reply = {.id = h->id,
                                              .seq = h->isn + 1,
                                              .ack = h->irs + 1,
                                              .flags = SLT_TCP_RST | SLT_TCP_ACK,
                                              .why = SLT_SEND_RST_LISTENER};
                slt_reply_tcp(stack, &reply, NULL);
                end_entry(stack, index, SLT_CAUSE_LISTENER_CLOSED);
            }
            index = next;
        }
    }
    SLT_ASSERT(l->half_open_count == 0);
}
