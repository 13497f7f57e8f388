/* See explain_flow.h. */
#include "observe/explain_flow.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_FIRST 16U

/* A flow that finds the common room used up still keeps so many steps. */
#define STEPS_LEAST 32U

bool slt_explain_flows_init(struct slt_explain_flows *flows,
                            const struct slt_explain_limits *limits)
{
    uint32_t slots = 16;
    memset(flows, 0, sizeof(*flows));
    flows->limits = *limits;
    while (slots < limits->flows_max * 2) {
        slots *= 2;
    }
    flows->table = calloc(slots, sizeof(struct slt_explain_flow *));
    flows->table_mask = slots - 1;
    return flows->table != NULL;
}

void slt_explain_flows_free(struct slt_explain_flows *flows)
{
    struct slt_explain_flow *flow = flows->oldest;
    while (flow != NULL) {
        struct slt_explain_flow *next = flow->younger;
        free(flow->steps);
        free(flow);
        flow = next;
    }
    free(flows->table);
    memset(flows, 0, sizeof(*flows));
}

static uint64_t mix(uint64_t hash, const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ hash >> 29;
}

/* The same in both directions. */
static uint32_t hash_of(const struct slt_explain_packet *p)
{
    uint64_t a = mix(mix(p->seg.src_port + 1U, p->src), p->src + 8);
    uint64_t b = mix(mix(p->seg.dst_port + 1U, p->dst), p->dst + 8);
    uint64_t both = (a + b) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(both >> 32);
}

static bool is_end(const struct slt_explain_end *end, const uint8_t addr[16], uint16_t port)
{
    return end->port == port && memcmp(end->addr, addr, sizeof(end->addr)) == 0;
}

static bool belongs(const struct slt_explain_flow *flow, const struct slt_explain_packet *p,
                    uint8_t *from)
{
    for (uint8_t i = 0; i < 2; i++) {
        if (is_end(&flow->end[i], p->src, p->seg.src_port) &&
            is_end(&flow->end[1 - i], p->dst, p->seg.dst_port)) {
            *from = i;
            return true;
        }
    }
    return false;
}

static struct slt_explain_flow **slot_of(struct slt_explain_flows *flows, uint32_t hash,
                                         const struct slt_explain_packet *p, uint8_t *from)
{
    uint32_t at = hash & flows->table_mask;
    while (flows->table[at] != NULL &&
           (flows->table[at]->hash != hash || !belongs(flows->table[at], p, from))) {
        at = (at + 1) & flows->table_mask;
    }
    return &flows->table[at];
}

/* Who opened, when the packet is the first one seen: flags tell, or else the ports (a server's is
 * the lower one, as a rule). */
static bool sender_opened(const struct slt_explain_packet *p, bool *known)
{
    uint16_t syn = p->seg.flags & (SLT_TCP_SYN | SLT_TCP_ACK);
    *known = (syn & SLT_TCP_SYN) != 0;
    if (*known) {
        return syn == SLT_TCP_SYN;
    }
    return p->seg.src_port >= p->seg.dst_port;
}

static void set_end(struct slt_explain_end *end, const uint8_t addr[16], uint16_t port)
{
    memcpy(end->addr, addr, sizeof(end->addr));
    end->port = port;
    end->delay_ns = -1;
}

static struct slt_explain_flow *make(struct slt_explain_flows *flows,
                                     const struct slt_explain_packet *p, uint8_t *from)
{
    if (flows->count == flows->limits.flows_max) {
        return NULL;
    }
    struct slt_explain_flow *flow = calloc(1, sizeof(*flow));
    if (flow == NULL) {
        return NULL;
    }
    *from = sender_opened(p, &flow->opener_known) ? 0 : 1;
    set_end(&flow->end[*from], p->src, p->seg.src_port);
    set_end(&flow->end[1 - *from], p->dst, p->seg.dst_port);
    flow->first_at_ns = p->at_ns;
    flow->last_at_ns = p->at_ns;
    flow->incarnation = 1;
    flows->count++;
    flow->id = flows->count;
    if (flows->youngest != NULL) {
        flows->youngest->younger = flow;
    } else {
        flows->oldest = flow;
    }
    flows->youngest = flow;
    return flow;
}

/* A SYN whose number is new: another connection, unless it is the other half of a simultaneous
 * open. */
static bool begins_anew(const struct slt_explain_flow *flow, const struct slt_explain_packet *p,
                        uint8_t from)
{
    const struct slt_explain_end *end = &flow->end[from];
    if ((p->seg.flags & (SLT_TCP_SYN | SLT_TCP_ACK | SLT_TCP_RST)) != SLT_TCP_SYN) {
        return false;
    }
    if (!end->seen) {
        return flow->connected || flow->end[1 - from].reset;
    }
    return !end->syn_seen || end->isn != p->seg.seq;
}

struct slt_explain_flow *slt_explain_flow_of(struct slt_explain_flows *flows,
                                             const struct slt_explain_packet *packet, uint8_t *from)
{
    uint32_t hash = hash_of(packet);
    struct slt_explain_flow **slot = slot_of(flows, hash, packet, from);
    struct slt_explain_flow *before = *slot;
    if (before != NULL && !begins_anew(before, packet, *from)) {
        return before;
    }
    struct slt_explain_flow *flow = make(flows, packet, from);
    if (flow == NULL) {
        flows->refused++;
        return NULL;
    }
    flow->hash = hash;
    flow->before = before;
    flow->incarnation = before == NULL ? 1 : before->incarnation + 1;
    *slot = flow;
    return flow;
}

/* How many steps this flow may have by now. */
static uint32_t room_of(const struct slt_explain_flows *flows, const struct slt_explain_flow *flow)
{
    uint32_t wanted = flow->step_room == 0 ? STEPS_FIRST : flow->step_room * 2;
    wanted = wanted > flows->limits.steps_max ? flows->limits.steps_max : wanted;
    bool fits = flows->steps + (wanted - flow->step_room) <= flows->limits.all_steps_max;
    return fits || wanted <= STEPS_LEAST ? wanted : flow->step_room;
}

static void grow(struct slt_explain_flows *flows, struct slt_explain_flow *flow)
{
    uint32_t room = room_of(flows, flow);
    if (room <= flow->step_room || flow->head_count > 0) {
        return;
    }
    struct slt_explain_step *steps = realloc(flow->steps, room * sizeof(*steps));
    if (steps != NULL) {
        flows->steps += room - flow->step_room;
        flow->steps = steps;
        flow->step_room = room;
    }
}

struct slt_explain_step *slt_explain_step_add(struct slt_explain_flows *flows,
                                              struct slt_explain_flow *flow)
{
    if (flow->step_count == flow->step_room) {
        grow(flows, flow);
    }
    if (flow->step_count < flow->step_room) {
        return &flow->steps[flow->step_count++];
    }
    flow->left_out++;
    if (flow->step_room < 2) {
        return NULL;
    }
    flow->head_count = flow->step_room / 2;
    struct slt_explain_step *step = &flow->steps[flow->head_count + flow->ring_at];
    flow->ring_at = (flow->ring_at + 1) % (flow->step_room - flow->head_count);
    return step;
}

static void reverse(struct slt_explain_step *steps, uint32_t count)
{
    for (uint32_t i = 0; i < count / 2; i++) {
        struct slt_explain_step kept = steps[i];
        steps[i] = steps[count - 1 - i];
        steps[count - 1 - i] = kept;
    }
}

/* The ring turned until its oldest step stands first: three reversals do it in place. */
void slt_explain_flow_settle(struct slt_explain_flow *flow)
{
    if (flow->head_count == 0 || flow->ring_at == 0) {
        return;
    }
    struct slt_explain_step *ring = &flow->steps[flow->head_count];
    uint32_t count = flow->step_room - flow->head_count;
    reverse(ring, flow->ring_at);
    reverse(ring + flow->ring_at, count - flow->ring_at);
    reverse(ring, count);
    flow->ring_at = 0;
}
