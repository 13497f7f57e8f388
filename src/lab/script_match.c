/* A written outbound packet against what the stack sent.
 *
 * Everything is compared that the script says, and some things that it does not: payloads are
 * zeros while only zeros were written, the hop limit is the configured one, the class is 0, ports
 * and addresses belong to the connection, the echoed timestamp is the script's to the digit. The
 * timestamp itself is compared when its tick is known; else the written and the sent one are a
 * pair from then on. Several segments may make up one written packet when strict_segments is off:
 * the first gives the number, the last everything else.
 */
#include "lab/script_flow.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct compare {
    struct slt_match *match;
    const struct slt_script_packet *want;
    struct slt_script_flow *flow;
    struct slt_live_packet first;
    struct slt_live_packet last;
    uint32_t payload_bytes; /* of all segments */
    bool differs;
};

SLT_PRINTF(2, 3)
static void complain(struct compare *c, const char *format, ...)
{
    char words[256];
    va_list args;
    size_t used = strlen(c->match->out);

    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    snprintf(c->match->out + used, c->match->out_bytes - used, "    %s\n", words);
    c->differs = true;
}

static void compare_number(struct compare *c, const char *name, uint32_t want, uint32_t got)
{
    if (want != got) {
        complain(c, "%s: expected %u, got %u", name, want, got);
    }
}

/* ---- which connection ---------------------------------------------------------------------- */

static bool is_opening(const struct slt_tcp_segment *seg)
{
    return (seg->flags & (SLT_TCP_SYN | SLT_TCP_ACK | SLT_TCP_RST)) == SLT_TCP_SYN;
}

static struct slt_script_flow *known_flow(struct slt_script_flows *flows,
                                          const struct slt_tcp_segment *seg)
{
    for (uint32_t i = 0; i < flows->count; i++) {
        struct slt_script_flow *flow = &flows->flow[i];
        if (flow->local_port == seg->src_port && flow->remote_port == seg->dst_port) {
            return flow;
        }
    }
    return NULL;
}

/* The flow of the first packet. A SYN to a new place opens one, and is from then on the one the
 * script talks about. */
static bool choose_flow(struct compare *c)
{
    struct slt_script_flows *flows = c->match->flows;
    const struct slt_tcp_segment *seg = &c->first.seg;
    struct slt_script_flow *flow = known_flow(flows, seg);

    if (c->want->has_ports &&
        (c->want->src_port != seg->src_port || c->want->dst_port != seg->dst_port)) {
        complain(c, "ports: expected %u > %u, got %u > %u", c->want->src_port, c->want->dst_port,
                 seg->src_port, seg->dst_port);
        return false;
    }
    if (!flow && (is_opening(seg) || c->want->has_ports)) {
        flow = slt_flow_find(flows, seg->src_port, seg->dst_port);
    }
    if (!flow) {
        complain(c, "the packet belongs to no connection of the script: ports %u > %u",
                 seg->src_port, seg->dst_port);
        return false;
    }
    bool other = flows->current < flows->count && flow != &flows->flow[flows->current];
    if (other && !c->want->has_ports && !is_opening(seg)) {
        complain(c, "the packet belongs to another connection of the script: ports %u > %u",
                 seg->src_port, seg->dst_port);
        return false;
    }
    slt_flow_set_current(flows, flow);
    c->flow = flow;
    return true;
}

/* A SYN tells the initial sequence number, unless it is the same SYN again. */
static void learn_isn(struct compare *c)
{
    const struct slt_tcp_segment *seg = &c->first.seg;
    bool fresh = !c->flow->isn_known || c->flow->isn_open;

    if ((seg->flags & SLT_TCP_SYN) && (c->want->flags & SLT_TCP_SYN) && fresh) {
        c->flow->isn = seg->seq - c->want->seq;
        c->flow->isn_known = true;
        c->flow->isn_open = false;
    }
}

/* ---- fields -------------------------------------------------------------------------------- */

static void compare_ip(struct compare *c, const struct slt_live_packet *live)
{
    const struct slt_script_packet *want = c->want;
    const struct slt_script_flows *flows = c->match->flows;
    int tos = live->dscp << 2 | live->ecn;

    if (live->fault) {
        complain(c, "%s", live->fault);
    }
    if (memcmp(live->src, flows->local.b, 16) != 0 || memcmp(live->dst, flows->remote.b, 16) != 0) {
        complain(c, "the packet goes from or to another address");
    }
    if (want->tos != SLT_SCRIPT_UNSAID) {
        compare_number(c, "tos", (uint32_t)want->tos, (uint32_t)tos);
    } else if (want->ecn != SLT_SCRIPT_UNSAID) {
        compare_number(c, "ECN", (uint32_t)want->ecn, live->ecn);
    } else {
        compare_number(c, "tos (nothing said)", 0, (uint32_t)tos);
    }
    uint32_t ttl = want->ttl == SLT_SCRIPT_UNSAID ? flows->ttl : (uint32_t)want->ttl;
    compare_number(c, "ttl", ttl, live->ttl);
}

static void compare_flags(struct compare *c)
{
    uint16_t want = c->want->flags;
    uint16_t got = c->last.seg.flags;

    if (want != got) {
        char want_text[12];
        char got_text[12];
        slt_tcp_flags_print(want, want_text);
        slt_tcp_flags_print(got, got_text);
        complain(c, "flags: expected %s, got %s", want_text, got_text);
    }
}

static void compare_sequence(struct compare *c)
{
    const struct slt_tcp_segment *seg = &c->first.seg;
    uint32_t isn = c->flow->isn_known ? c->flow->isn : 0;
    bool bare_reset = (seg->flags & SLT_TCP_RST) && seg->seq == 0;

    /* A reset that answers a segment without ACK has the number 0 itself (RFC 9293 3.10.7.1). */
    if (!(bare_reset && c->want->seq == 0)) {
        compare_number(c, "sequence number", c->want->seq, seg->seq - isn);
    }
    compare_number(c, "payload bytes", c->want->payload_bytes, c->payload_bytes);
    if (c->want->has_ack) {
        compare_number(c, "acknowledgement", c->want->ack, c->last.seg.ack);
    } else if (c->last.seg.flags & SLT_TCP_ACK) {
        complain(c, "acknowledgement: expected none, got %u", c->last.seg.ack);
    }
    if (c->want->has_window) {
        compare_number(c, "window", c->want->window, c->last.seg.window);
    }
    compare_number(c, "urgent pointer", c->want->has_urgent ? c->want->urgent : 0,
                   c->last.seg.urgent);
}

static void compare_payload(struct compare *c, const struct slt_live_packet *live)
{
    if (!c->match->flows->zeros) {
        return;
    }
    for (uint32_t i = 0; i < live->seg.payload_bytes; i++) {
        if (live->seg.payload[i] != 0) {
            complain(c, "payload: byte %u is not what was written", i);
            return;
        }
    }
}

/* ---- options ------------------------------------------------------------------------------- */

static void learn_times(struct slt_script_flow *flow, uint32_t written, uint32_t sent)
{
    uint32_t at = flow->time_count++ % SLT_FLOW_TIMES;

    flow->times_script[at] = written;
    flow->times_wire[at] = sent;
    if (!flow->ts_known) {
        flow->ts_known = true;
        flow->ts_script = written;
        flow->ts_wire = sent;
    }
}

static void compare_clock(struct compare *c, uint32_t written, uint32_t sent)
{
    const struct slt_script_options *options = c->match->flows->options;
    int64_t tick = options->ts_tick_ns;

    if (tick > 0 && c->flow->ts_known) {
        int64_t want_ns = (int64_t)(int32_t)(written - c->flow->ts_script) * tick;
        int64_t got_ns = (int64_t)(int32_t)(sent - c->flow->ts_wire) * SLT_NS_PER_MS;
        int64_t off = want_ns > got_ns ? want_ns - got_ns : got_ns - want_ns;
        if (off > tick + options->tolerance_ns) {
            complain(c, "timestamp: expected %u, got %u", written,
                     c->flow->ts_script + (uint32_t)(got_ns / tick));
        }
    }
    learn_times(c->flow, written, sent);
}

/* The written options in wire form, with the timestamp the stack really sent. */
static uint32_t wanted_bytes(struct compare *c, uint8_t bytes[40])
{
    struct slt_script_packet copy = *c->want;
    const struct slt_tcp_options *got = &c->last.seg.opt;
    bool fits;

    for (uint32_t i = 0; i < copy.option_count; i++) {
        struct slt_script_option *option = &copy.options[i];
        if (option->kind == SLT_OPTION_TIMESTAMPS && (got->present & SLT_TCP_OPT_TIMESTAMPS)) {
            compare_clock(c, option->number[0], got->ts_val);
            option->number[0] = got->ts_val;
        }
    }
    uint32_t used = slt_packet_options(&copy, 0, bytes, &fits);
    if (!fits) {
        complain(c, "the written options do not fit in 40 bytes");
    }
    return used;
}

static void compare_options(struct compare *c)
{
    uint8_t want[40];
    const struct slt_live_packet *live = &c->last;

    if (c->want->any_options) {
        return;
    }
    uint32_t bytes = wanted_bytes(c, want);
    if (bytes == live->option_byte_count &&
        (bytes == 0 || memcmp(want, live->option_bytes, bytes) == 0)) {
        return;
    }
    char shown[512];
    slt_live_show(live, c->flow, shown, sizeof(shown));
    const char *options = strchr(shown, '<');
    const char *end = options ? strchr(options, '>') : NULL;
    complain(c, "options differ: got %.*s", end ? (int)(end - options + 1) : 4,
             end ? options : "none");
}

/* ---- other protocols ----------------------------------------------------------------------- */

static void compare_icmp(struct compare *c)
{
    const struct slt_live_packet *live = &c->first;
    bool v6 = live->protocol == SLT_IP_PROTOCOL_ICMP6;

    if ((live->protocol != SLT_IP_PROTOCOL_ICMP4 && !v6) || live->transport_bytes < 8) {
        complain(c, "protocol: expected ICMP, got %u", live->protocol);
        return;
    }
    compare_number(c, "ICMP type", c->want->icmp_type, live->transport[0]);
    compare_number(c, "ICMP code", c->want->icmp_code, live->transport[1]);
}

/* ---- all together -------------------------------------------------------------------------- */

/* How many segments make up the written packet. */
static enum slt_match_result gather(struct compare *c)
{
    struct slt_match *match = c->match;

    match->used = 1;
    c->last = c->first;
    c->payload_bytes = c->first.seg.payload_bytes;
    if (match->flows->options->strict_segments || c->first.seg.flags & SLT_TCP_SYN) {
        return SLT_MATCH_YES;
    }
    while (c->payload_bytes < c->want->payload_bytes && c->last.seg.payload_bytes > 0) {
        const struct slt_script_host_packet *packet =
            slt_script_host_peek(match->host, match->used);
        struct slt_live_packet next;
        if (!packet) {
            return SLT_MATCH_MORE;
        }
        slt_live_parse(&next, match->host, packet);
        if (next.fault || next.protocol != SLT_IP_PROTOCOL_TCP ||
            next.seg.seq != c->first.seg.seq + c->payload_bytes ||
            next.seg.src_port != c->first.seg.src_port || next.seg.payload_bytes == 0) {
            return SLT_MATCH_YES;
        }
        c->last = next;
        c->payload_bytes += next.seg.payload_bytes;
        match->used++;
    }
    return SLT_MATCH_YES;
}

static enum slt_match_result match_tcp(struct compare *c)
{
    if (c->first.protocol != SLT_IP_PROTOCOL_TCP) {
        complain(c, "protocol: expected TCP, got %u", c->first.protocol);
        return SLT_MATCH_NO;
    }
    if (!c->first.option_bytes) {
        complain(c, "%s", c->first.fault);
        return SLT_MATCH_NO;
    }
    if (gather(c) == SLT_MATCH_MORE) {
        return SLT_MATCH_MORE;
    }
    if (!choose_flow(c)) {
        return SLT_MATCH_NO;
    }
    learn_isn(c);
    compare_ip(c, &c->last);
    compare_flags(c);
    compare_sequence(c);
    compare_payload(c, &c->first);
    compare_payload(c, &c->last);
    compare_options(c);
    return c->differs ? SLT_MATCH_NO : SLT_MATCH_YES;
}

enum slt_match_result slt_match_packet(struct slt_match *match)
{
    struct compare c = {.match = match, .want = match->expected};
    const struct slt_script_host_packet *packet = slt_script_host_peek(match->host, 0);

    SLT_ASSERT(packet);
    match->used = 1;
    match->out[0] = '\0';
    slt_live_parse(&c.first, match->host, packet);
    if (match->expected->protocol == SLT_SCRIPT_TCP) {
        return match_tcp(&c);
    }
    if (match->expected->protocol == SLT_SCRIPT_ICMP) {
        compare_ip(&c, &c.first);
        compare_icmp(&c);
    } else {
        complain(&c, "UDP packets cannot be expected");
    }
    return c.differs ? SLT_MATCH_NO : SLT_MATCH_YES;
}
