/* What an attacker sends: segments beside and inside windows, floods, lies about the path, and (in
 * sim_forge_ip.c) everything that is malformed.
 *
 * Most of it is what someone off the path can send who guesses well: the numbers come from the
 * flows the checkers follow. Four things are left out, because TCP has no defence against one who
 * knows the numbers: the last segment of a handshake, octets inside the window, a FIN at the right
 * place, an acknowledgement of octets in flight. Resets with the exact number are sent now and
 * then; they end a connection, and the other end learns of it by the ordinary ways.
 */
#include "lab/sim_forge.h"

#include <string.h>

#include "wire/tcp.h"

/* Pretend to be the peer of a flow that the checkers know, one in its handshake only when
 * `handshake` says so. False: there is none. */
static bool aim(struct sim_world *w, struct sim_forged *f, bool handshake,
                const struct sim_flow **flow)
{
    slt_sim_forge_init(w, f);
    uint64_t first = slt_sim_below(w, SIM_FLOWS_MAX);
    for (uint64_t i = 0; i < SIM_FLOWS_MAX; i++) {
        const struct sim_flow *o = &w->flow[(first + i) % SIM_FLOWS_MAX];
        uint32_t end = slt_sim_end_by_isn(w, o);
        bool ready = o->peer_known && end != SLT_NIL && w->end[end].connected;
        if (!o->used || o->peer == SIM_NOBODY || o->finished || !(ready || handshake)) {
            continue;
        }
        *flow = o;
        f->to = o->host;
        f->ip6 = o->family == 6;
        f->dst = w->host[o->host].addr[f->ip6];
        f->src = w->host[o->peer].addr[f->ip6];
        f->src_port = o->remote_port;
        f->dst_port = o->local_port;
        f->seq = o->irs + (uint32_t)slt_max64(o->ack_out, 1);
        f->ack = o->isn + (uint32_t)slt_max64(o->ack_in, 1);
        f->flags = SLT_TCP_ACK;
        f->window = 1; /* a larger one would make the sender overrun the real one */
        return true;
    }
    return false;
}

/* ---- segments
 * ------------------------------------------------------------------------------------ */

/* Once, or eight times within a second: answers to such segments are limited (I-37). */
static void send_burst(struct sim_world *w, const struct sim_forged *f)
{
    int64_t count = slt_sim_below(w, 3) == 0 ? 8 : 1;
    uint32_t bytes = slt_sim_forge_segment(w, f, w->scratch);
    for (int64_t i = 0; i < count; i++) {
        slt_sim_net_inject(w, f->to, w->scratch, bytes, SIM_MS(1 + 50 * i));
    }
}

static void forge_reset(struct sim_world *w)
{
    struct sim_forged f;
    const struct sim_flow *flow;
    if (!aim(w, &f, false, &flow)) {
        return;
    }
    uint64_t kind = slt_sim_below(w, 12);
    f.flags = SLT_TCP_RST | (slt_sim_below(w, 2) ? SLT_TCP_ACK : 0);
    if (!(f.flags & SLT_TCP_ACK)) {
        f.ack = 0;
    }
    if (kind < 5) {
        f.seq += 1 + (uint32_t)slt_sim_below(w, 2000); /* in the window, not at its edge */
    } else if (kind < 11) {
        f.seq = (uint32_t)slt_prng_u64(&w->prng);
    }
    slt_sim_fault(w, SLT_SIM_INJECT_RST);
    send_burst(w, &f);
}

static void forge_syn(struct sim_world *w)
{
    struct sim_forged f;
    const struct sim_flow *flow;
    if (!aim(w, &f, false, &flow)) {
        return;
    }
    f.flags = SLT_TCP_SYN;
    f.seq = slt_sim_below(w, 2) ? f.seq + (uint32_t)slt_sim_below(w, 1000)
                                : (uint32_t)slt_prng_u64(&w->prng);
    if (slt_sim_below(w, 4) == 0) {
        f.flags |= SLT_TCP_ACK;
    } else {
        f.ack = 0;
    }
    slt_sim_fault(w, SLT_SIM_INJECT_SYN);
    send_burst(w, &f);
}

/* The other direction of a flow, or NULL. */
static const struct sim_flow *other_way(const struct sim_world *w, const struct sim_flow *flow)
{
    for (int i = 0; i < SIM_FLOWS_MAX; i++) {
        const struct sim_flow *o = &w->flow[i];
        if (o->used && o->host == flow->peer && o->local_port == flow->remote_port &&
            o->remote_port == flow->local_port) {
            return o;
        }
    }
    return NULL;
}

/* Was the FIN of the flow's peer taken? */
static bool peer_finished(const struct sim_world *w, const struct sim_flow *flow)
{
    const struct sim_flow *o = other_way(w, flow);
    return o && o->fin_pos >= 0 && flow->ack_out > o->fin_pos;
}

/* Numbers of which one is wrong, none of which may change anything. */
static void forge_numbers(struct sim_world *w, struct sim_forged *f, const struct sim_flow *flow,
                          uint64_t kind)
{
    switch (kind) {
    case 0: /* acknowledges what was never sent */
        f->ack = flow->isn + (uint32_t)flow->nxt + 1 + (uint32_t)slt_sim_below(w, 100000);
        break;
    case 1: /* older than anything */
        f->ack -= 0x7000000 + (uint32_t)slt_sim_below(w, 100000000);
        break;
    case 2: /* beside the window */
        f->seq += 0x2000000;
        f->payload_bytes = 1 + (uint32_t)slt_sim_below(w, 100);
        break;
    case 3: /* no ACK bit */
        f->flags = SLT_TCP_PSH;
        f->ack = 0;
        break;
    case 4: /* long delivered */
        f->seq -= (uint32_t)slt_min64(flow->ack_out, 50);
        f->payload_bytes = flow->ack_out > 50 ? 1 : 0;
        break;
    case 5: /* a keep-alive probe */
        f->seq -= 1;
        break;
    case 6: /* behind the peer's FIN: of octets that can never be part of the stream */
        f->payload_bytes = peer_finished(w, flow) ? 3 : 0;
        f->seq += f->payload_bytes > 0 ? (uint32_t)slt_sim_below(w, 50) : 0;
        break;
    default: /* a closed window: the sender must probe its way out */
        f->window = (uint16_t)slt_sim_below(w, 2);
        break;
    }
}

static void add_timestamp(struct sim_forged *f, uint32_t val, uint32_t ecr)
{
    f->options[0] = f->options[1] = 1;
    f->options[2] = 8;
    f->options[3] = 10;
    slt_sim_put32(f->options + 4, val);
    slt_sim_put32(f->options + 8, ecr);
    f->option_bytes = 12;
}

static void forge_segment(struct sim_world *w)
{
    struct sim_forged f;
    const struct sim_flow *flow;
    if (!aim(w, &f, false, &flow)) {
        return;
    }
    forge_numbers(w, &f, flow, slt_sim_below(w, 8));
    const struct sim_flow *peer = other_way(w, flow);
    if (peer && slt_sim_below(w, 2) == 0) { /* a newer timestamp would silence the peer (PAWS) */
        add_timestamp(&f, peer->ts_last - 1000 - (uint32_t)slt_sim_below(w, 1000000), 0);
    }
    slt_sim_fault(w, SLT_SIM_INJECT_SEGMENT);
    slt_sim_forge_send(w, &f);
}

/* From addresses and ports that nobody has a connection with. */
static void forge_stranger(struct sim_world *w)
{
    static const uint16_t flags[] = {SLT_TCP_SYN,
                                     SLT_TCP_ACK,
                                     SLT_TCP_RST,
                                     SLT_TCP_FIN,
                                     SLT_TCP_SYN | SLT_TCP_FIN,
                                     SLT_TCP_SYN | SLT_TCP_ACK,
                                     SLT_TCP_RST | SLT_TCP_ACK,
                                     0,
                                     SLT_TCP_FIN | SLT_TCP_ACK};
    struct sim_forged f;
    slt_sim_forge_init(w, &f);
    f.flags = flags[slt_sim_below(w, SLT_ARRAY_COUNT(flags))];
    f.ack = (f.flags & SLT_TCP_ACK) ? f.ack : 0;
    if (slt_sim_below(w, 3) == 0) {
        f.dst_port = 9;
    }
    if (slt_sim_below(w, 6) == 0) { /* to itself, from itself */
        f.src = f.dst;
        f.src_port = f.dst_port;
        f.flags = SLT_TCP_SYN;
        f.ack = 0;
    }
    slt_sim_fault(w, SLT_SIM_INJECT_SEGMENT);
    slt_sim_forge_send(w, &f);
}

static void forge_flood(struct sim_world *w)
{
    struct sim_forged f;
    slt_sim_forge_init(w, &f);
    uint64_t count = 1 + slt_sim_below(w, 12);
    uint8_t to = f.to;
    uint16_t port = f.dst_port;
    for (uint64_t i = 0; i < count; i++) {
        slt_sim_forge_init(w, &f);
        f.to = to;
        f.dst = w->host[to].addr[f.ip6];
        f.dst_port = port;
        f.flags = SLT_TCP_SYN;
        f.ack = 0;
        slt_sim_forge_send(w, &f);
        if (slt_sim_below(w, 3) == 0) { /* the number guessed at, or the attempt taken back */
            f.seq++;
            f.flags = slt_sim_below(w, 2) ? SLT_TCP_ACK : SLT_TCP_RST;
            f.ack = f.flags == SLT_TCP_ACK ? (uint32_t)slt_prng_u64(&w->prng) : 0;
            slt_sim_forge_send(w, &f);
        }
    }
    slt_sim_fault(w, SLT_SIM_SYN_FLOOD);
}

/* ---- the door
 * ------------------------------------------------------------------------------------ */

void slt_sim_forge(struct sim_world *w)
{
    switch (slt_sim_below(w, 8)) {
    case 0:
        forge_reset(w);
        break;
    case 1:
        forge_syn(w);
        break;
    case 2:
        forge_segment(w);
        break;
    case 3:
        forge_stranger(w);
        break;
    case 4:
        forge_flood(w);
        break;
    case 5: {
        struct sim_forged f;
        const struct sim_flow *flow;
        if (aim(w, &f, true, &flow)) {
            slt_sim_forge_icmp(w, &f, flow);
        }
        break;
    }
    default:
        slt_sim_forge_malformed(w);
        break;
    }
}
