/* The invariants of an instance, and a digest of its state.
 *
 * Beside what each connection's engine claims about itself: every tuple is found, and found once;
 * queues hold whom they say they hold; the wheel knows every deadline; what the ledger counts is
 * what is there; nothing that can be sent is forgotten (I-30, I-31, I-32, I-34, I-49).
 */
#include "stack/stack.h"

#include "base/digest.h"

static bool in_use(const struct slt_tcp_conn *c)
{
    return c->place.generation % 2 == 1 && (c->place.marks & SLT_MARK_DEAD) == 0;
}

static bool is_found(const struct salut_stack *stack, enum slt_flow_object kind, uint32_t index,
                     const struct slt_tcp_id *id)
{
    uint32_t probes = 0;
    slt_flow_ref ref = slt_demux_find(stack, slt_demux_hash(stack, id), id, &probes);
    return ref == slt_flow_ref_make((uint32_t)kind, index);
}

/* ---- connections ---------------------------------------------------------------------------- */

static const char *check_news(const struct salut_stack *stack, uint32_t index,
                              const struct slt_tcp_conn *c)
{
    bool held = slt_queue_has(stack, index, SLT_LINK_READY);
    bool silent = slt_tcp_has(c, SLT_CONN_ORPHAN) || (c->place.marks & SLT_MARK_QUEUED) != 0;
    if (!silent && !held && slt_tcp_ready(c, c->place.interest) != 0) {
        return "I-34: a connection has news and nobody will be told";
    }
    return NULL;
}

static const char *check_conn(const struct salut_stack *stack, uint32_t index)
{
    const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    bool closed = c->state == SALUT_STATE_CLOSED;
    const char *broken = slt_tcp_check(&stack->tcp, c, stack->now_ns);
    if (broken) {
        return broken;
    }
    if (closed == ((c->place.marks & SLT_MARK_FOUND) != 0)) {
        return "I-32: a CLOSED connection can be found, or another cannot";
    }
    if (!closed && !is_found(stack, SLT_FLOW_CONN, index, &c->id)) {
        return "I-30: a connection is not found by its tuple";
    }
    if (closed && slt_tcp_is_done(c)) {
        return "I-45: a connection is over and still held";
    }
    if (stack->tx.pending) {
        return NULL; /* a batch is out: its connections stand in no queue */
    }
    if (c->place.wheel.due_at_ns > slt_tcp_next_deadline(c)) {
        return "I-32: the wheel's deadline lies after the connection's";
    }
    if (slt_tcp_wants_output(&stack->tcp, c, stack->now_ns) &&
        !slt_queue_has(stack, index, SLT_LINK_DIRTY)) {
        return "I-34: a connection has something to send and stands in no queue";
    }
    return check_news(stack, index, c);
}

static const char *check_conns(const struct salut_stack *stack)
{
    uint32_t used = 0;
    uint32_t dead = 0;
    for (uint32_t i = 0; i < stack->tcp.conns.fresh; i++) {
        const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, i);
        used += c->place.generation % 2 == 1 ? 1U : 0U;
        dead += c->place.generation % 2 == 1 && (c->place.marks & SLT_MARK_DEAD) != 0 ? 1U : 0U;
        const char *broken = in_use(c) ? check_conn(stack, i) : NULL;
        if (broken) {
            return broken;
        }
    }
    if (used != stack->tcp.conns.used_objects) {
        return "I-49: connections in use and connections counted differ";
    }
    return dead == stack->dead_count ? NULL : "I-49: dead connections are miscounted";
}

/* ---- queues --------------------------------------------------------------------------------- */

static const char *check_queue(const struct salut_stack *stack, const struct slt_conn_queue *queue,
                               enum slt_queue_link link)
{
    uint32_t count = 0;
    uint32_t last = SLT_NIL;
    for (uint32_t i = queue->head; i != SLT_NIL; i = slt_queue_next(stack, i, link)) {
        if (count == queue->count || i >= stack->tcp.conns.fresh ||
            slt_tcp_conn_at(&stack->tcp, i)->place.generation % 2 == 0) {
            return "I-30: a queue runs on, or holds what is not in use";
        }
        last = i;
        count++;
    }
    return count == queue->count && last == queue->tail ? NULL
                                                        : "I-30: a queue's count or end is wrong";
}

static const char *check_queues(const struct salut_stack *stack)
{
    const char *broken = check_queue(stack, &stack->dirty, SLT_LINK_DIRTY);
    if (!broken) {
        broken = check_queue(stack, &stack->ready, SLT_LINK_READY);
    }
    if (!broken) {
        broken = check_queue(stack, &stack->reported, SLT_LINK_READY);
    }
    for (uint32_t i = 0; i < stack->parked_max && !broken; i++) {
        broken = check_queue(stack, &stack->parked[i], SLT_LINK_DIRTY);
    }
    return broken;
}

/* ---- entries and listeners ------------------------------------------------------------------ */

static const char *check_level(const struct salut_stack *stack, uint32_t level, uint32_t *count)
{
    const struct slt_conn_queue *queue = &stack->half_open.level[level];
    int64_t before_ns = INT64_MIN;
    uint32_t seen = 0;
    for (uint32_t i = queue->head; i != SLT_NIL; i = slt_half_open_at(stack, i)->next) {
        const struct slt_tcp_half_open *h = slt_half_open_at(stack, i);
        if (++seen > queue->count || h->retries != level || h->due_at_ns < before_ns) {
            return "I-32: a queue of half-open entries is out of order";
        }
        if (h->listener == SLT_NIL || slt_listener_at(stack, h->listener)->generation % 2 == 0) {
            return "I-30: a half-open entry has no listener";
        }
        if (!is_found(stack, SLT_FLOW_HALF_OPEN, i, &h->id)) {
            return "I-30: a half-open entry is not found by its tuple";
        }
        before_ns = h->due_at_ns;
    }
    *count += seen;
    return seen == queue->count ? NULL : "I-49: half-open entries are miscounted";
}

static const char *check_half_opens(const struct salut_stack *stack)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < SLT_HALF_OPEN_LEVELS; i++) {
        const char *broken = check_level(stack, i, &count);
        if (broken) {
            return broken;
        }
    }
    return count == stack->half_open.pool.used_objects
               ? NULL
               : "I-49: a half-open entry stands in no queue";
}

static const char *check_waits(const struct salut_stack *stack)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stack->waits.pool.fresh; i++) {
        const struct slt_tcp_time_wait *tw = slt_wait_at(stack, i);
        if (tw->id.local_port == 0) {
            continue;
        }
        count++;
        if (!is_found(stack, SLT_FLOW_TIME_WAIT, i, &tw->id)) {
            return "I-30: a TIME-WAIT entry is not found by its tuple";
        }
    }
    return count == stack->waits.count &&
                   count + stack->waits.over_count == stack->waits.pool.used_objects
               ? NULL
               : "I-49: TIME-WAIT entries are miscounted";
}

static const char *check_listener(const struct salut_stack *stack, uint32_t index)
{
    const struct slt_listener *l = slt_listener_at(stack, index);
    uint32_t count = 0;
    for (uint32_t i = l->queue_head; i != SLT_NIL;) {
        const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, i);
        if (++count > l->queue_count || !in_use(c) || c->place.of.waiting.listener != index ||
            (c->place.marks & SLT_MARK_QUEUED) == 0) {
            return "I-07: an accept queue holds what is not its own";
        }
        i = c->place.of.waiting.queue_next;
    }
    if (count != l->queue_count) {
        return "I-07: an accept queue is miscounted";
    }
    return count > 0 && l->ready_next == index
               ? "I-34: a connection can be accepted and nobody will be told"
               : NULL;
}

static const char *check_listeners(const struct salut_stack *stack)
{
    uint32_t half_opens = 0;
    for (uint32_t i = 0; i < stack->listen.pool.fresh; i++) {
        const struct slt_listener *l = slt_listener_at(stack, i);
        if (l->generation % 2 == 0) {
            continue;
        }
        const char *broken = check_listener(stack, i);
        if (broken) {
            return broken;
        }
        half_opens += l->half_open_count;
    }
    return half_opens == stack->half_open.pool.used_objects
               ? NULL
               : "I-49: half-open entries and their listeners' counts differ";
}

/* ---- the instance --------------------------------------------------------------------------- */

static const char *check_ledger(const struct salut_stack *stack)
{
    const struct slt_ledger *ledger = &stack->mem.ledger;
    if (ledger->objects[SLT_OWNER_CONN] != stack->tcp.conns.used_objects ||
        ledger->objects[SLT_OWNER_HALF_OPEN] != stack->half_open.pool.used_objects ||
        ledger->objects[SLT_OWNER_TIME_WAIT] != stack->waits.pool.used_objects ||
        ledger->objects[SLT_OWNER_BUFFER] != stack->tcp.bufs.used_objects ||
        ledger->objects[SLT_OWNER_UDP] != stack->udp.pool.used_objects ||
        ledger->objects[SLT_OWNER_LOAN] != stack->tcp.loans.pool.used_objects) {
        return "I-49: the ledger and the pools differ";
    }
    if (stack->tcp.colds.used_objects > stack->tcp.conns.used_objects) {
        return "I-49: more cold blocks than connections";
    }
    if (stack->tcp.rests.count > SLT_TCP_RESTS_MAX ||
        stack->tcp.rests.count > stack->tcp.colds.used_objects) {
        return "I-49: more cold blocks rest than may";
    }
    return NULL;
}

static const char *check_udp(const struct salut_stack *stack)
{
    return slt_udp_check(&stack->udp, stack->tx.pending);
}

const char *salut_check(const struct salut_stack *stack)
{
    const char *(*const checks[])(const struct salut_stack *) = {
        check_queues,    check_conns,  check_half_opens, check_waits,
        check_listeners, check_ledger, check_udp,        slt_fast_open_check,
    };
    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(checks); i++) {
        const char *broken = checks[i](stack);
        if (broken) {
            return broken;
        }
    }
    if (!slt_neigh_check(&stack->neigh)) {
        return "I-48: the neighbour cache is inconsistent";
    }
    return slt_frag_check(&stack->frag) ? NULL : "I-38: the fragments are inconsistent";
}

/* ---- digest --------------------------------------------------------------------------------- */

static void digest_id(struct slt_digest *digest, const struct slt_tcp_id *id)
{
    slt_digest_bytes(digest, id->local, sizeof(id->local));
    slt_digest_bytes(digest, id->remote, sizeof(id->remote));
    slt_digest_u64(digest, (uint64_t)id->local_port << 16 | id->remote_port);
}

static void digest_half_opens(const struct salut_stack *stack, struct slt_digest *digest)
{
    for (uint32_t level = 0; level < SLT_HALF_OPEN_LEVELS; level++) {
        uint32_t i = stack->half_open.level[level].head;
        while (i != SLT_NIL) {
            const struct slt_tcp_half_open *h = slt_half_open_at(stack, i);
            digest_id(digest, &h->id);
            slt_digest_u64(digest, (uint64_t)(h->due_at_ns - stack->now_ns));
            slt_digest_u64(digest, (uint64_t)h->flags << 16 | h->mss);
            i = h->next;
        }
        slt_digest_u64(digest, stack->half_open.level[level].count);
    }
}

static void digest_waits(const struct salut_stack *stack, struct slt_digest *digest)
{
    for (uint32_t i = 0; i < stack->waits.pool.fresh; i++) {
        const struct slt_tcp_time_wait *tw = slt_wait_at(stack, i);
        if (tw->id.local_port != 0) {
            int64_t due_at_ns = slt_tcp_time_wait_due_at_ns(tw, stack->now_ns);
            digest_id(digest, &tw->id);
            slt_digest_u64(digest, (uint64_t)(due_at_ns - stack->now_ns));
        }
    }
}

uint64_t salut_digest(const struct salut_stack *stack)
{
    struct slt_digest digest;
    slt_digest_init(&digest);
    for (uint32_t i = 0; i < stack->tcp.conns.fresh; i++) {
        const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, i);
        if (in_use(c)) {
            digest_id(&digest, &c->id);
            slt_tcp_digest(&stack->tcp, c, stack->now_ns, &digest);
        }
    }
    digest_half_opens(stack, &digest);
    digest_waits(stack, &digest);
    for (uint32_t i = 0; i < stack->listen.pool.fresh; i++) {
        const struct slt_listener *l = slt_listener_at(stack, i);
        if (l->generation % 2 == 1) {
            slt_digest_bytes(&digest, l->addr, sizeof(l->addr));
            slt_digest_u64(&digest, (uint64_t)l->port << 32 | l->queue_count);
        }
    }
    slt_udp_digest(&stack->udp, &digest);
    slt_digest_u64(&digest, stack->replies.ready.count + stack->replies.waiting.count);
    return digest.h;
}
