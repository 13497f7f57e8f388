/* What the packets of a connection tell an onlooker at its end: how often something was sent
 * again, and how long round trips take.
 *
 * A round trip is measured from a segment sent for the first time to the acknowledgement that
 * covers its end. Once something is sent again nothing is measured until everything that was out
 * then is acknowledged: until then an acknowledgement may have waited for a hole to be filled, or
 * may be for either copy (Karn's rule, RFC 6298 3, for onlookers). These numbers do not depend on
 * what the stack believes of itself; only timeouts are taken from its own word (salut_info),
 * because on the wire they look like any other retransmission.
 */
#include "lab/scenario_world.h"

#include <string.h>

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

bool slt_scn_segment(const uint8_t *packet, uint32_t bytes, struct scn_segment *segment)
{
    if (bytes < 40 || packet[0] != 0x45 || packet[9] != 6) {
        return false;
    }
    const uint8_t *tcp = packet + 20;
    uint32_t header = 20 + (uint32_t)(tcp[12] >> 4) * 4;
    uint32_t total = get16(packet + 2);
    if (total > bytes || header > total) {
        return false;
    }
    uint8_t flags = tcp[13];
    *segment = (struct scn_segment){
        .from = get16(packet + 14) - 1,
        .to = get16(packet + 18) - 1,
        .source = (uint16_t)get16(tcp),
        .target = (uint16_t)get16(tcp + 2),
        .seq = get32(tcp + 4),
        .ack = get32(tcp + 8),
        .length = total - header + (flags & 1) + ((flags >> 1) & 1),
        .has_ack = (flags & 0x10) != 0,
    };
    return (flags & 4) == 0;
}

static uint32_t flow_at(const struct scn_world *w, uint32_t node, uint16_t port)
{
    if (node >= w->scn->node_count || w->host[node].flow_of_port == NULL) {
        return SCN_NONE;
    }
    return w->host[node].flow_of_port[port];
}

uint32_t slt_scn_flow_of(const struct scn_world *w, const struct scn_segment *segment,
                         uint32_t *end)
{
    uint32_t flow = flow_at(w, segment->from, segment->source);
    *end = 0;
    if (flow != SCN_NONE && w->flow[flow].end[1].node == segment->to) {
        return flow;
    }
    flow = flow_at(w, segment->to, segment->target);
    *end = 1;
    return flow != SCN_NONE && w->flow[flow].end[1].node == segment->from ? flow : SCN_NONE;
}

static void suspect(struct scn_world *w, uint32_t flow, uint32_t end)
{
    struct scn_host *host = &w->host[w->flow[flow].end[end].node];
    uint32_t entry = flow * 2 + end;
    bool there = host->suspect_count > 0 && host->suspect[host->suspect_count - 1] == entry;
    if (!there && host->suspect_count < SCN_SUSPECTS_MAX) {
        host->suspect[host->suspect_count++] = entry;
    }
}

void slt_scn_watch_sent(struct scn_world *w, uint32_t flow, uint32_t end,
                        const struct scn_segment *segment)
{
    struct scn_watch *watch = &w->flow[flow].end[end].watch;
    uint32_t past = segment->seq + segment->length;
    if (segment->length == 0) {
        return;
    }
    slt_scn_row(w, flow)->segments++;
    if (!watch->begun) {
        watch->begun = true;
        watch->acked = segment->seq;
        watch->sent_end = segment->seq;
    }
    if (before(segment->seq, watch->sent_end)) {
        slt_scn_row(w, flow)->retransmits++;
        watch->hold = true;
        watch->hold_until = watch->sent_end;
        watch->probe_count = 0;
        suspect(w, flow, end);
    } else if (!watch->hold && watch->probe_count < SCN_PROBES_MAX) {
        uint32_t at = (watch->probe_first + watch->probe_count) % SCN_PROBES_MAX;
        watch->probe[at] = (struct scn_probe){past, w->now_ns};
        watch->probe_count++;
    }
    watch->sent_end = before(watch->sent_end, past) ? past : watch->sent_end;
}

void slt_scn_watch_heard(struct scn_world *w, uint32_t flow, uint32_t end,
                         const struct scn_segment *segment)
{
    struct scn_watch *watch = &w->flow[flow].end[end].watch;
    int64_t sent_ns = -1;
    if (!segment->has_ack || !watch->begun || !before(watch->acked, segment->ack) ||
        before(watch->sent_end, segment->ack)) {
        return;
    }
    watch->acked = segment->ack;
    watch->recount = watch->backoff > 0;
    if (watch->recount) {
        suspect(w, flow, end);
    }
    while (watch->probe_count > 0 && !before(segment->ack, watch->probe[watch->probe_first].end)) {
        sent_ns = watch->probe[watch->probe_first].sent_ns;
        watch->probe_first = (watch->probe_first + 1) % SCN_PROBES_MAX;
        watch->probe_count--;
    }
    if (watch->hold && !before(segment->ack, watch->hold_until)) {
        watch->hold = false;
    }
    if (sent_ns >= 0) {
        int64_t rtt_ns = w->now_ns - sent_ns;
        watch->rtt_sum_ns += rtt_ns;
        watch->rtt_count++;
        if (end == w->flow[flow].sender) {
            slt_scn_times_add(&slt_scn_row(w, flow)->rtt, rtt_ns);
        }
    }
}

void slt_scn_watch_timeouts(struct scn_world *w, uint32_t node)
{
    struct scn_host *host = &w->host[node];
    for (uint32_t i = 0; i < host->suspect_count; i++) {
        uint32_t flow = host->suspect[i] / 2;
        struct scn_end *end = &w->flow[flow].end[host->suspect[i] & 1U];
        struct salut_info info;
        if (!end->held || salut_get_info(host->stack, end->conn, &info) != SALUT_OK) {
            continue;
        }
        uint8_t before_turn = end->watch.recount ? 0 : end->watch.backoff;
        if (info.backoff > before_turn) {
            slt_scn_row(w, flow)->timeouts += (uint64_t)(info.backoff - before_turn);
        }
        end->watch.backoff = info.backoff;
        end->watch.recount = false;
    }
    host->suspect_count = 0;
}
