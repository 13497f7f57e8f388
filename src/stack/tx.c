/* The transmit turn: salut_output fills a batch, salut_output_taken commits what the link took.
 *
 * First leave replies, which are few and small, then datagrams and the dirty connections, each
 * socket and connection at most a share of the batch before the next one's turn. Offering changes
 * nothing but the places in the queues: a connection changes when its segments are committed, in
 * the order in which they were offered, and what the link did not take is planned afresh. The
 * caller answers a batch before any other call (an unanswered batch counts as not taken), so
 * nothing that a frame refers to can go away meanwhile and no references need be counted.
 */
#include "stack/stack.h"

/* ---- replies -------------------------------------------------------------------------------- */

static void fill_reply(struct salut_stack *stack, const struct slt_reply *reply,
                       const struct slt_net_way *way, struct salut_tx_frame *frame)
{
    if (reply->kind != SLT_REPLY_TCP) {
        bool whole = slt_stack_frame_reply(stack, reply, way->mac, frame);
        SLT_ASSERT(whole);
        return;
    }
    struct slt_tcp_segment seg;
    struct slt_frame_to to = {.id = &reply->of.tcp.id,
                              .mac = way->mac,
                              .family = slt_address_is_v4(reply->of.tcp.id.remote) ? 4 : 6,
                              .ttl = reply->ttl,
                              .dscp = reply->dscp};
    slt_tcp_reply_segment(&reply->of.tcp, &seg);
    slt_stack_frame_tcp(stack, &to, &seg, NULL, frame);
}

/* True when the reply takes its place in the batch. */
static bool offer_reply(struct salut_stack *stack, uint32_t index, struct salut_tx_frame *frame)
{
    const struct slt_reply *reply = slt_reply_at(stack, index);
    struct slt_net_way way = {.mac = {0}};
    enum slt_net_answer answer = SLT_NET_SEND;
    if (reply->kind == SLT_REPLY_TCP ||
        (reply->kind == SLT_REPLY_PACKET && reply->byte_count > 0)) {
        const uint8_t *dst = reply->kind == SLT_REPLY_TCP ? reply->of.tcp.id.remote : reply->hop;
        answer = slt_net_way(stack, dst, &way);
    }
    if (answer == SLT_NET_WAIT) {
        slt_reply_wait(stack, index);
        return false;
    }
    bool empty = reply->kind != SLT_REPLY_TCP && reply->byte_count == 0;
    if (answer != SLT_NET_SEND || empty) {
        slt_reply_free(stack, index);
        return false;
    }
    fill_reply(stack, reply, &way, frame);
    (void)slt_tx_new_record(stack, index, SLT_TX_REPLY);
    return true;
}

/* ---- connections ---------------------------------------------------------------------------- */

static uint32_t offer_segments(struct salut_stack *stack, const struct slt_tcp_conn *c,
                               const struct slt_net_way *way, struct salut_tx_frame *frames,
                               uint32_t max)
{
    struct slt_tcp *tcp = &stack->tcp;
    struct slt_piece pieces[SALUT_FRAME_PIECES_MAX];
    struct slt_tcp_segment seg;
    struct slt_tcp_burst burst;
    struct slt_frame_to to = {.id = &c->id,
                              .mac = way->mac,
                              .family = c->ip_bytes == 20 ? 4 : 6,
                              .ttl = c->opts.ttl,
                              .dscp = c->opts.dscp};
    uint32_t count = 0;
    max = slt_min32(max, SLT_TX_SHARE);
    slt_tcp_burst_begin(c, &burst);
    while (count < max) {
        struct slt_tcp_plan *plan = &stack->tx.record[stack->tx.count].of.plan;
        if (!slt_tcp_plan(tcp, c, &burst, stack->now_ns, plan)) {
            break;
        }
        to.piece_count =
            slt_tcp_build(tcp, c, plan, stack->now_ns, &seg, pieces, SALUT_FRAME_PIECES_MAX);
        to.gso_bytes = plan->gso ? plan->gso_bytes : 0;
        to.ecn = seg.ecn;
        slt_stack_frame_tcp(stack, &to, &seg, pieces, &frames[count]);
        (void)slt_tx_new_record(stack, c->index, SLT_TX_CONN);
        count++;
    }
    return count;
}

/* No way to the peer. The connection is told, and one segment counts as sent, as it would have been
 * had the network lost it: from then on the retransmission timer decides how often to try and when
 * to give up (RFC 9293 3.8.3). */
static void lose_segment(struct salut_stack *stack, struct slt_tcp_conn *c,
                         enum slt_net_answer answer)
{
    struct slt_tcp *tcp = &stack->tcp;
    struct slt_tcp_burst burst;
    struct slt_tcp_plan plan;
    if (answer != SLT_NET_LOST) {
        struct slt_tcp_notice notice = {.kind = answer == SLT_NET_NO_ROUTE
                                                    ? SLT_NOTICE_NET_UNREACHABLE
                                                    : SLT_NOTICE_HOST_UNREACHABLE,
                                        .local = true};
        slt_tcp_icmp(tcp, c, &notice, stack->now_ns);
    }
    slt_tcp_burst_begin(c, &burst);
    if (slt_tcp_plan(tcp, c, &burst, stack->now_ns, &plan)) {
        slt_tcp_commit(tcp, c, &plan, stack->now_ns);
    }
    slt_after_turn(stack, c);
}

static uint32_t offer_conn(struct salut_stack *stack, struct slt_tcp_conn *c,
                           struct salut_tx_frame *frames, uint32_t max)
{
    struct slt_net_way way = {.mac = {0}};
    if (slt_conns_let_go(stack, c)) {
        return 0;
    }
    enum slt_net_answer answer = slt_net_way_of_conn(stack, c, &way);
    if (stack->pmtu.pool.used_objects > 0) { /* R8201-02: what others on the path were told */
        slt_tcp_path_mtu(&stack->tcp, c, slt_net_pmtu(stack, c->id.remote), stack->now_ns);
    }
    if (answer == SLT_NET_SEND) {
        uint32_t count = offer_segments(stack, c, &way, frames, max);
        if (count == 0) {
            slt_after_turn(stack, c);
        }
        return count;
    }
    if (answer == SLT_NET_WAIT) {
        slt_park_conn(stack, c, way.ref);
    } else {
        lose_segment(stack, c, answer);
    }
    return 0;
}

/* ---- doors ---------------------------------------------------------------------------------- */

static void offer_replies(struct salut_stack *stack, struct salut_tx_frame *frames, uint32_t limit)
{
    uint32_t index;
    if (slt_park_has_work(stack)) {
        slt_park_turn(stack);
    }
    while (stack->tx.count < limit && (index = slt_reply_pop(stack)) != SLT_NIL) {
        offer_reply(stack, index, &frames[stack->tx.count]);
    }
}

/* Each connection has one turn in a call: who comes back to the queue waits for the next. */
static void offer_conns(struct salut_stack *stack, struct salut_tx_frame *frames, uint32_t limit)
{
    struct slt_tx_batch *tx = &stack->tx;
    uint32_t turns = slt_stack_is_quiet(stack) ? 0 : stack->dirty.count;
    while (tx->count < limit && turns > 0) {
        struct slt_tcp_conn *c = slt_queue_pop(stack, &stack->dirty, SLT_LINK_DIRTY);
        if (!c) {
            return;
        }
        turns--;
        offer_conn(stack, c, &frames[tx->count], limit - tx->count);
    }
}

/* Connections that wait as well have half of what is left of the batch, or more. */
static void offer_datagrams(struct salut_stack *stack, struct salut_tx_frame *frames,
                            uint32_t limit)
{
    uint32_t room = limit - stack->tx.count;
    uint32_t theirs = stack->dirty.head == SLT_NIL ? 0 : room / 2;
    slt_tx_udp_offer(stack, frames, limit - theirs);
}

size_t salut_output(struct salut_stack *stack, struct salut_tx_frame *frames, size_t max)
{
    struct slt_tx_batch *tx = &stack->tx;
    slt_tx_cancel(stack);
    uint32_t limit = max < SLT_TX_BATCH ? (uint32_t)max : SLT_TX_BATCH;
    offer_replies(stack, frames, limit);
    if (stack->udp.lists[SLT_UDP_LIST_DIRTY].head != SLT_NIL) {
        offer_datagrams(stack, frames, limit);
    }
    offer_conns(stack, frames, limit);
    if (slt_park_has_work(stack)) { /* the way out had questions for neighbours */
        offer_replies(stack, frames, limit);
    }
    tx->pending = tx->count > 0;
    return tx->count;
}

static uint32_t settle_conn(struct salut_stack *stack, uint32_t at, uint32_t taken)
{
    const struct slt_tx_record *record = &stack->tx.record[at];
    uint32_t index = record->index;
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    for (; at < stack->tx.count && record->kind == SLT_TX_CONN && record->index == index; at++) {
        if (at < taken) {
            slt_tcp_commit(&stack->tcp, c, &record->of.plan, stack->now_ns);
        }
        record++;
    }
    slt_after_turn(stack, c);
    return at;
}

static void settle_reply(struct salut_stack *stack, uint32_t index)
{
    const struct slt_reply *reply = slt_reply_at(stack, index);
    if (reply->kind == SLT_REPLY_TCP) {
        slt_stack_emit_reply(stack, &reply->of.tcp);
    }
    slt_reply_free(stack, index);
}

static void settle_batch(struct salut_stack *stack, uint32_t taken)
{
    struct slt_tx_batch *tx = &stack->tx;
    /* From the last on, so that what goes back to the head stands in its old order. */
    for (uint32_t i = tx->count; i > taken; i--) {
        if (tx->record[i - 1].kind == SLT_TX_REPLY) {
            slt_reply_unpop(stack, tx->record[i - 1].index);
        }
    }
    uint32_t at = 0;
    while (at < tx->count) {
        if (tx->record[at].kind == SLT_TX_CONN) {
            at = settle_conn(stack, at, taken);
            continue;
        }
        if (tx->record[at].kind == SLT_TX_UDP) {
            at = slt_tx_udp_settle(stack, at, taken);
            continue;
        }
        if (at < taken) {
            settle_reply(stack, tx->record[at].index);
        }
        at++;
    }
    tx->count = 0;
    tx->pending = false;
}

void slt_tx_cancel(struct salut_stack *stack)
{
    if (stack->tx.pending) {
        settle_batch(stack, 0);
    }
}

void salut_output_taken(struct salut_stack *stack, size_t count)
{
    if (stack->tx.pending) {
        settle_batch(stack, count < stack->tx.count ? (uint32_t)count : stack->tx.count);
    }
}

bool salut_wants_output(const struct salut_stack *stack)
{
    if (stack->tx.pending || stack->replies.ready.head != SLT_NIL || slt_park_has_work(stack) ||
        stack->udp.lists[SLT_UDP_LIST_DIRTY].head != SLT_NIL) {
        return true;
    }
    return stack->dirty.head != SLT_NIL && !slt_stack_is_quiet(stack);
}
