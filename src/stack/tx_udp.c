/* The transmit turn of UDP sockets: their datagrams become frames, whole or in fragments.
 *
 * As with connections, offering changes nothing: a datagram leaves its queue when its last frame
 * was taken by the link, and what has left of a fragmented one is remembered, so that it goes on
 * where the link stopped. What cannot be offered is settled only while nothing of its socket is on
 * offer: a datagram whose neighbour is being asked for moves aside and waits (RFC 1122 2.3.2.2),
 * one without a way is given up, and its socket is told.
 *
 * RFC 768, RFC 791 3.2, RFC 8200 4.5, RFC 6864 4, RFC 8085 3.2.
 */
#include "stack/stack.h"

#include "ip/addr.h"

struct turn {
    struct slt_udp_sock *s;
    struct slt_udp_queue *queue;
    struct slt_udp_place place;
    struct slt_udp_head head;
    struct salut_tx_frame *frames;
    uint32_t max;
    uint32_t count;
};

/* ---- what does not leave -------------------------------------------------------------------- */

/* It has left room, which is news even while another datagram of the socket is on offer (I-34). */
static void give_up(struct salut_stack *stack, struct slt_udp_sock *s, enum salut_status status)
{
    slt_stack_drop(stack, SLT_DROP_UDP_UNSENT);
    if (status != SALUT_OK && !slt_udp_has(s, SLT_UDP_ORPHAN)) {
        slt_udp_complain(&stack->udp, s, status, status == SALUT_TOO_BIG);
    } else {
        slt_udp_news(&stack->udp, s);
    }
}

/* The first datagram has no way out now. */
static void set_aside(struct salut_stack *stack, struct turn *t, enum slt_net_answer answer)
{
    SLT_ASSERT(t->count == 0);
    if (answer == SLT_NET_WAIT) {
        for (uint32_t lost = slt_udp_hold(&stack->udp, t->s); lost > 0; lost--) {
            give_up(stack, t->s, SALUT_OK);
        }
        return;
    }
    slt_udp_drop_first(&stack->udp, t->s, t->queue);
    give_up(stack, t->s,
            answer == SLT_NET_NO_ROUTE      ? SALUT_NET_UNREACHABLE
            : answer == SLT_NET_UNREACHABLE ? SALUT_HOST_UNREACHABLE
                                            : SALUT_OK);
}

/* ---- what leaves ---------------------------------------------------------------------------- */

/* How the datagram is cut, from the point it has reached. */
static void plan_piece(struct salut_stack *stack, const struct turn *t, uint32_t at,
                       struct slt_ip_send *send)
{
    bool v4 = slt_address_is_v4(t->head.remote);
    bool anywhere = v4 && t->s->fragment == SALUT_FRAGMENT_ANYWHERE;
    uint32_t mtu = anywhere ? stack->iface.mtu : slt_net_pmtu(stack, t->head.remote);
    send->offset = at;
    slt_ip_cut(send, SLT_UDP_HEADER_BYTES + t->head.bytes, mtu);
    if (at == 0 && (send->fragment || anywhere)) {
        send->id = slt_ip_draw_id(&stack->chance);
    }
    /* RFC 6864 4.1: what routers may cut is not atomic, so it has an identification and no DF. */
    send->fragment = send->fragment || anywhere;
}

static bool is_too_large(const struct turn *t, const struct slt_ip_send *send)
{
    return send->fragment && t->s->fragment == SALUT_FRAGMENT_NEVER;
}

/* Fill frames with the datagram, as far as they reach; false: it must never leave. */
static bool offer_datagram(struct salut_stack *stack, struct turn *t, const uint8_t mac[6])
{
    struct slt_udp_sock *s = t->s;
    bool begun = t->place.number == 1 && s->cut.at > 0;
    uint32_t total = SLT_UDP_HEADER_BYTES + t->head.bytes;
    uint32_t at = begun ? s->cut.at : 0;
    struct slt_ip_send send = {.protocol = SLT_IP_PROTOCOL_UDP,
                               .ttl = t->head.ttl,
                               .dscp = t->head.class >> 2,
                               .id = begun ? s->cut.id : 0};
    struct slt_udp_frame frame = {.send = &send,
                                  .local_port = s->id.local_port,
                                  .head = &t->head,
                                  .chain = &t->queue->chain,
                                  .cursor = t->place.cursor};
    slt_ip_addr_copy(send.src, t->head.local);
    slt_ip_addr_copy(send.dst, t->head.remote);
    memcpy(send.dst_mac, mac, sizeof(send.dst_mac));
    do {
        plan_piece(stack, t, at, &send);
        if (is_too_large(t, &send)) {
            return false;
        }
        slt_stack_frame_udp(stack, &frame, &t->frames[t->count]);
        at += send.payload_bytes;
        struct slt_tx_record *record = slt_tx_new_record(stack, s->index, SLT_TX_UDP);
        record->of.step = (struct slt_tx_step){
            .end = at, .id = send.id, .held = t->queue == &s->held, .whole = at == total};
        t->count++;
    } while (at < total && t->count < t->max);
    return true;
}

static void offer_queue(struct salut_stack *stack, struct turn *t)
{
    while (t->count < t->max && slt_udp_step(&stack->udp, t->queue, &t->place, &t->head)) {
        struct slt_net_way way = {.mac = {0}};
        enum slt_net_answer answer = slt_net_way(stack, t->head.remote, &way);
        bool sent = answer == SLT_NET_SEND && offer_datagram(stack, t, way.mac);
        if (!sent && t->count > 0) {
            return; /* its turn comes when what is on offer has left */
        }
        if (!sent && answer == SLT_NET_SEND) {
            slt_udp_drop_first(&stack->udp, t->s, t->queue);
            give_up(stack, t->s, SALUT_TOO_BIG);
            return;
        }
        if (!sent) {
            set_aside(stack, t, answer);
            return;
        }
        if (t->queue == &t->s->held && t->place.number >= t->s->held_left) {
            return; /* what stands behind has been tried */
        }
    }
}

/* Back in its list, or gone. */
static void settle(struct salut_stack *stack, struct slt_udp_sock *s)
{
    if (slt_udp_sendable(s) != NULL) {
        slt_udp_push(&stack->udp, SLT_UDP_LIST_DIRTY, s);
    }
    slt_udp_news(&stack->udp, s);
    slt_udp_reap(&stack->udp, s);
}

/* Whatever cannot leave is settled on the way to the first datagram that can: at most what the
 * queues hold, each once. */
static void offer_sock(struct salut_stack *stack, struct slt_udp_sock *s,
                       struct salut_tx_frame *frames, uint32_t max)
{
    struct turn t = {.s = s, .frames = frames, .max = slt_min32(max, SLT_TX_SHARE)};
    while (t.count == 0 && (t.queue = slt_udp_sendable(s)) != NULL) {
        t.place = (struct slt_udp_place){.number = 0};
        offer_queue(stack, &t);
    }
    if (t.count == 0) {
        settle(stack, s);
    }
}

/* Each socket has one turn in a call, as each connection has. */
void slt_tx_udp_offer(struct salut_stack *stack, struct salut_tx_frame *frames, uint32_t limit)
{
    struct slt_tx_batch *tx = &stack->tx;
    uint32_t turns = stack->udp.lists[SLT_UDP_LIST_DIRTY].count;
    while (tx->count < limit && turns > 0) {
        struct slt_udp_sock *s = slt_udp_pop(&stack->udp, SLT_UDP_LIST_DIRTY);
        SLT_ASSERT(s != NULL);
        turns--;
        offer_sock(stack, s, &frames[tx->count], limit - tx->count);
    }
}

/* ---- what the link took --------------------------------------------------------------------- */

/* RFC 8201 5.2, RFC 1191 3: who sends what may be too large remembers it. */
static void note_sent(struct salut_stack *stack, struct slt_udp_sock *s,
                      const struct slt_udp_head *head)
{
    bool v4 = slt_address_is_v4(head->remote);
    uint32_t bytes =
        SLT_UDP_HEADER_BYTES + head->bytes + (v4 ? SLT_IPV4_HEADER_BYTES : SLT_IPV6_HEADER_BYTES);
    if (bytes > (v4 ? SLT_PMTU_FLOOR4 : SLT_PMTU_FLOOR6)) {
        struct slt_udp_id id = {.local_port = s->id.local_port, .remote_port = head->remote_port};
        slt_ip_addr_copy(id.local, head->local);
        slt_ip_addr_copy(id.remote, head->remote);
        slt_udp_note_large(&stack->udp, &id, slt_min32(bytes, slt_net_pmtu(stack, head->remote)));
    }
    slt_stack_note(stack, SLT_NOTE_UDP_SENT);
    s->datagrams_out++;
    s->bytes_out += head->bytes;
}

static void commit(struct salut_stack *stack, struct slt_udp_sock *s,
                   const struct slt_tx_step *step)
{
    struct slt_udp_queue *queue = step->held ? &s->held : &s->out;
    struct slt_udp_place place = {.number = 0};
    struct slt_udp_head head;
    if (!step->whole) {
        s->cut = (struct slt_udp_cut){.at = step->end, .id = step->id, .held = step->held};
        return;
    }
    bool there = slt_udp_step(&stack->udp, queue, &place, &head);
    SLT_ASSERT(there);
    note_sent(stack, s, &head);
    slt_udp_drop_known(&stack->udp, s, queue, &head);
}

uint32_t slt_tx_udp_settle(struct salut_stack *stack, uint32_t at, uint32_t taken)
{
    const struct slt_tx_record *record = &stack->tx.record[at];
    uint32_t index = record->index;
    struct slt_udp_sock *s = slt_udp_at(&stack->udp, index);
    for (; at < stack->tx.count && record->kind == SLT_TX_UDP && record->index == index; at++) {
        if (at < taken) {
            commit(stack, s, &record->of.step);
        }
        record++;
    }
    settle(stack, s);
    return at;
}
