/* Dispatch of a TCP segment: to the connection, half-open entry or TIME-WAIT entry that owns the
 * tuple, else to a listener, else to CLOSED, which answers with a reset (RFC 9293 3.10.7).
 */
#include "stack/stack.h"

#include "ip/addr.h"

/* ---- nobody owns the tuple ------------------------------------------------------------------ */

static void input_closed(struct salut_stack *stack, const struct slt_rx_item *item)
{
    struct slt_tcp_reply reply;
    if (!item->ours) { /* RFC 1122 3.2.1.3 (R1122-04) */
        slt_stack_drop_segment(stack, item, SLT_DROP_IP_NOT_OURS);
        return;
    }
    slt_stack_drop_segment(stack, item, SLT_DROP_TCP_NO_CONNECTION);
    if (slt_tcp_closed_input(&item->id, &item->seg, &reply)) {
        slt_reply_tcp(stack, &reply, NULL);
    }
}

static bool is_land(const struct slt_rx_item *item)
{
    return item->id.local_port == item->id.remote_port &&
           slt_ip_addr_equal(item->id.local, item->id.remote);
}

static void input_listener(struct salut_stack *stack, const struct slt_rx_item *item)
{
    /* E08: a segment from ourselves to ourselves belongs to a connection that opened itself, or to
     * an attack. */
    if (is_land(item)) {
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_BAD_ADDRESS);
        return;
    }
    uint32_t listener = slt_listen_find(stack, &item->id, item->ours, item->hash);
    if (listener == SLT_NIL) {
        input_closed(stack, item);
        return;
    }
    if (slt_stack_is_quiet(stack)) { /* RFC 9293 3.4.2: no sequence number is used yet */
        slt_stack_drop_segment(stack, item, SLT_DROP_TCP_QUIET);
        return;
    }
    slt_half_open_listen(stack, item, listener);
}

/* A SYN that takes the place of a connection in TIME-WAIT (RFC 6191, MAY-2). */
static void input_reuse(struct salut_stack *stack, const struct slt_rx_item *item, uint32_t isn)
{
    struct slt_rx_item again = *item;
    again.isn = isn;
    again.has_isn = true;
    input_listener(stack, &again);
}

/* ---- connections ---------------------------------------------------------------------------- */

static void input_conn(struct salut_stack *stack, const struct slt_rx_item *item, uint32_t index)
{
    struct slt_tcp *tcp = &stack->tcp;
    struct slt_tcp_conn *c = slt_tcp_conn_at(tcp, index);
    int64_t una = c->snd.una;
    bool opening = c->state == SALUT_STATE_SYN_SENT && (c->place.marks & SLT_MARK_FAST_OPEN);
    enum slt_reason why = slt_tcp_input(tcp, c, &item->seg, stack->now_ns);
    uint32_t isn = 0;
    if (opening && c->state >= SALUT_STATE_ESTABLISHED && c->cold != NULL) {
        slt_fast_open_learn(stack, c, &item->seg);
    }
    if (c->snd.una > una) {
        slt_net_confirm(stack, &c->place); /* RFC 4861 7.3.1: forward progress */
    }
    if (why == SLT_DROP_TCP_ACK_UNACCEPTABLE) {
        struct slt_tcp_reply reply;
        if (slt_tcp_closed_input(&item->id, &item->seg, &reply)) {
            reply.why = SLT_SEND_RST_HANDSHAKE;
            slt_reply_tcp(stack, &reply, &c->opts);
        }
    }
    if (why == SLT_NOTE_TCP_TW_REUSED) {
        isn = slt_tcp_reuse_isn(c);
    }
    slt_after(stack, c);
    if (why == SLT_NOTE_TCP_TW_REUSED) {
        input_reuse(stack, item, isn);
    }
}

/* ---- TIME-WAIT entries ---------------------------------------------------------------------- */

static void input_time_wait(struct salut_stack *stack, const struct slt_rx_item *item,
                            uint32_t index)
{
    struct slt_tcp_time_wait *tw = slt_wait_at(stack, index);
    struct slt_tcp_verdict verdict;
    slt_tcp_time_wait_input(&stack->tcp, tw, &item->seg, stack->now_ns, &verdict);
    if (verdict.has_reply) {
        slt_reply_tcp(stack, &verdict.reply, NULL);
    }
    if (verdict.kind == SLT_VERDICT_REUSE) {
        uint32_t isn = slt_tcp_time_wait_reuse_isn(tw);
        slt_stack_note(stack, SLT_NOTE_TCP_TW_REUSED);
        slt_stack_emit_wait_end(stack, index, SLT_CAUSE_TIME_WAIT_REUSED);
        slt_waits_end(stack, index);
        input_reuse(stack, item, isn);
        return;
    }
    if (verdict.kind == SLT_VERDICT_KILL) {
        slt_stack_emit_wait_end(stack, index, SLT_CAUSE_TIME_WAIT_KILLED);
        slt_waits_end(stack, index);
        return;
    }
    slt_stack_tell_segment(stack, item, verdict.why);
}

/* ---- doors ---------------------------------------------------------------------------------- */

void slt_rx_tcp(struct salut_stack *stack, const struct slt_rx_item *item)
{
    uint32_t probes = 0;
    slt_flow_ref ref = slt_demux_find(stack, item->hash, &item->id, &probes);
    stack->tcp.work += probes;
    if (ref == SLT_FLOW_NONE) {
        input_listener(stack, item);
        return;
    }
    uint32_t index = slt_flow_index(ref);
    switch ((enum slt_flow_object)slt_flow_kind(ref)) {
    case SLT_FLOW_CONN:
        input_conn(stack, item, index);
        break;
    case SLT_FLOW_HALF_OPEN:
        slt_half_open_segment(stack, item, index);
        break;
    case SLT_FLOW_TIME_WAIT:
        input_time_wait(stack, item, index);
        break;
    }
}

/* RFC 9293 3.9.2.2 (MUST-54): what the network says goes to the connection it is about. */
enum slt_reason slt_rx_tcp_notice(struct salut_stack *stack, const struct slt_tcp_id *id,
                                  const struct slt_tcp_notice *notice)
{
    uint32_t probes = 0;
    slt_flow_ref ref = slt_demux_find(stack, slt_demux_hash(stack, id), id, &probes);
    if (ref == SLT_FLOW_NONE || slt_flow_kind(ref) != SLT_FLOW_CONN) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, slt_flow_index(ref));
    enum slt_reason why = slt_tcp_icmp(&stack->tcp, c, notice, stack->now_ns);
    slt_after(stack, c);
    return why;
}
