/* Cutting super-frames and completing checksums; segment.h tells the rules.
 *
 * The layout is found by walking offsets, not by the full parsers: a link must pass on what a
 * parser would refuse, and needs only to know where things stand.
 */
#include "link/segment.h"

#include "base/span.h"
#include "wire/checksum.h"

#define ETHER_BYTES     14U
#define ETHER_TYPE_IP4  0x0800U
#define ETHER_TYPE_IP6  0x86ddU
#define ETHER_TYPE_VLAN 0x8100U
#define IP4_BYTES       20U
#define IP6_BYTES       40U
#define PROTOCOL_ICMP4  1U
#define PROTOCOL_TCP    6U
#define PROTOCOL_UDP    17U
#define PROTOCOL_ICMP6  58U
#define TCP_BYTES       20U
#define TCP_FLAGS_AT    13U
#define TCP_CHECKSUM_AT 16U
#define TCP_URGENT_AT   18U
#define UDP_BYTES       8U
#define EXTENSIONS_MAX  8U

enum { FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_URG = 0x20, FLAG_CWR = 0x80 };

static uint16_t load16(const uint8_t *p)
{
    return (uint16_t)((uint32_t)p[0] << 8 | p[1]);
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)load16(p) << 16 | load16(p + 2);
}

static void store16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void store32(uint8_t *p, uint32_t v)
{
    store16(p, v >> 16);
    store16(p + 2, v & 0xffffU);
}

/* ---- the layout --------------------------------------------------------------------------- */

static bool find_network(const uint8_t *head, uint32_t bytes, enum salut_link_kind kind,
                         struct slt_frame_layout *out)
{
    if (kind == SALUT_LINK_IP) {
        out->network_offset = 0;
        out->family = bytes > 0 ? head[0] >> 4 : 0;
        return out->family == 4 || out->family == 6;
    }
    uint32_t at = ETHER_BYTES;
    if (bytes < at) {
        return false;
    }
    uint32_t type = load16(head + at - 2);
    if (type == ETHER_TYPE_VLAN && bytes >= at + 4) {
        at += 4;
        type = load16(head + at - 2);
    }
    out->network_offset = (uint16_t)at;
    out->family = type == ETHER_TYPE_IP4 ? 4 : type == ETHER_TYPE_IP6 ? 6 : 0;
    return out->family != 0;
}

static bool find_ip4(const uint8_t *head, uint32_t bytes, struct slt_frame_layout *out)
{
    uint32_t at = out->network_offset;
    if (bytes < at + IP4_BYTES || head[at] >> 4 != 4) {
        return false;
    }
    uint32_t header_bytes = (head[at] & 15U) * 4U;
    uint32_t total_bytes = load16(head + at + 2);
    if (header_bytes < IP4_BYTES || total_bytes < header_bytes || bytes < at + header_bytes) {
        return false;
    }
    out->transport_offset = (uint16_t)(at + header_bytes);
    out->end_offset = at + total_bytes;
    out->protocol = head[at + 9];
    out->fragment = (load16(head + at + 6) & 0x3fffU) != 0;
    return true;
}

static bool is_extension(uint8_t next)
{
    return next == 0 || next == 43 || next == 44 || next == 51 || next == 60;
}

static bool find_ip6(const uint8_t *head, uint32_t bytes, struct slt_frame_layout *out)
{
    uint32_t at = out->network_offset;
    if (bytes < at + IP6_BYTES || head[at] >> 4 != 6) {
        return false;
    }
    out->end_offset = at + IP6_BYTES + load16(head + at + 4);
    uint8_t next = head[at + 6];
    at += IP6_BYTES;
    for (uint32_t i = 0; i < EXTENSIONS_MAX && is_extension(next) && !out->fragment; i++) {
        if (bytes < at + 8) {
            return false;
        }
        uint32_t unit = next == 51 ? 4U : 8U;
        uint32_t length = next == 44   ? 8U
                          : next == 51 ? (head[at + 1] + 2U) * unit
                                       : (head[at + 1] + 1U) * unit;
        out->fragment = next == 44;
        next = head[at];
        at += length;
    }
    out->transport_offset = (uint16_t)at;
    out->protocol = next;
    return at <= bytes && at <= out->end_offset;
}

static bool find_payload(const uint8_t *head, uint32_t bytes, struct slt_frame_layout *out)
{
    uint32_t at = out->transport_offset;
    out->payload_offset = out->transport_offset;
    if (out->fragment) {
        return true;
    }
    if (out->protocol == PROTOCOL_UDP) {
        at += UDP_BYTES;
    }
    if (out->protocol == PROTOCOL_TCP) {
        if (bytes < at + TCP_BYTES || head[at + 12] >> 4 < 5) {
            return false;
        }
        at += (uint32_t)(head[at + 12] >> 4) * 4U;
    }
    out->payload_offset = (uint16_t)at;
    return at <= bytes && at <= out->end_offset;
}

bool slt_frame_layout_find(const uint8_t *head, uint32_t bytes, uint32_t frame_bytes,
                           enum salut_link_kind kind, struct slt_frame_layout *out)
{
    *out = (struct slt_frame_layout){0};
    if (!find_network(head, bytes, kind, out)) {
        return false;
    }
    if (out->family == 4 ? !find_ip4(head, bytes, out) : !find_ip6(head, bytes, out)) {
        return false;
    }
    return out->end_offset <= frame_bytes && find_payload(head, bytes, out);
}

/* ---- checksums ---------------------------------------------------------------------------- */

/* The pseudo header's sum but for the length, which differs between the segments of a frame. */
static uint32_t addresses_sum(const uint8_t *frame, const struct slt_frame_layout *layout)
{
    const uint8_t *ip = frame + layout->network_offset;
    if (layout->family == 6) {
        return slt_checksum_add(layout->protocol, ip + 8, 32);
    }
    return slt_checksum_add(layout->protocol, ip + 12, 8);
}

static uint32_t pseudo_sum(const uint8_t *frame, const struct slt_frame_layout *layout)
{
    uint32_t bytes = layout->end_offset - layout->transport_offset;
    if (layout->family == 4 && layout->protocol == PROTOCOL_ICMP4) {
        return 0; /* RFC 792: ICMP over IPv4 has no pseudo-header */
    }
    return slt_checksum_add_u16(addresses_sum(frame, layout), (uint16_t)bytes);
}

static uint32_t checksum_field(const struct slt_frame_layout *layout)
{
    switch (layout->protocol) {
    case PROTOCOL_TCP:
        return TCP_CHECKSUM_AT;
    case PROTOCOL_UDP:
        return 6;
    case PROTOCOL_ICMP4:
        return layout->family == 4 ? 2 : 0;
    case PROTOCOL_ICMP6:
        return layout->family == 6 ? 2 : 0;
    default:
        return 0;
    }
}

void slt_segment_fill_checksum(uint8_t *frame, const struct slt_frame_layout *layout)
{
    uint32_t field = checksum_field(layout);
    uint32_t bytes = layout->end_offset - layout->transport_offset;
    uint8_t *transport = frame + layout->transport_offset;
    if (layout->fragment || field == 0 || bytes < field + 2) {
        return;
    }
    bool udp = layout->protocol == PROTOCOL_UDP;
    if (udp && layout->family == 4 && load16(transport + field) == 0) {
        return; /* RFC 768: the sender generated none */
    }
    store16(transport + field, 0);
    uint32_t sum = slt_checksum_add(pseudo_sum(frame, layout), transport, bytes);
    uint32_t value = slt_checksum_finish(sum);
    /* RFC 768: a computed zero goes out as all ones. */
    store16(transport + field, udp && value == 0 ? 0xffffU : value);
}

/* ---- views -------------------------------------------------------------------------------- */

struct slt_frame_view slt_frame_view_of_tx(const struct salut_tx_frame *frame,
                                           enum salut_link_kind kind)
{
    bool partial = frame->checksum_start != 0 || frame->checksum_offset != 0;
    return (struct slt_frame_view){
        .head = frame->header,
        .head_bytes = frame->header_bytes,
        .pieces = frame->pieces,
        .piece_count = frame->piece_count,
        .bytes = slt_tx_frame_bytes(frame),
        .gso_bytes = frame->gso_bytes,
        .checksum = partial ? SLT_SEGMENT_PARTIAL : SLT_SEGMENT_COMPLETE,
        .checksum_start = frame->checksum_start,
        .checksum_offset = frame->checksum_offset,
        .kind = kind,
    };
}

struct slt_frame_view slt_frame_view_of_rx(const struct salut_rx_frame *frame,
                                           enum salut_link_kind kind)
{
    return (struct slt_frame_view){
        .head = frame->data,
        .head_bytes = frame->bytes,
        .bytes = frame->bytes,
        .gso_bytes = frame->gso_bytes,
        .checksum = frame->checksum_valid ? SLT_SEGMENT_AFRESH : SLT_SEGMENT_COMPLETE,
        .kind = kind,
    };
}

/* ---- the segmenter ------------------------------------------------------------------------ */

static bool layout_found(struct slt_segmenter *s)
{
    const struct slt_frame_view *v = &s->view;
    return slt_frame_layout_find(v->head, v->head_bytes, v->bytes, v->kind, &s->layout);
}

static bool plan_cut(struct slt_segmenter *s)
{
    if (!layout_found(s) || s->layout.fragment || s->layout.protocol != PROTOCOL_TCP) {
        return false;
    }
    s->payload_bytes = s->layout.end_offset - s->layout.payload_offset;
    uint32_t gso_bytes = s->view.gso_bytes;
    s->segment_count = (s->payload_bytes + gso_bytes - 1) / gso_bytes;
    s->cut = s->segment_count > 1;
    s->addresses_sum = addresses_sum(s->view.head, &s->layout);
    if (!s->cut) {
        s->segment_count = 1;
        s->view.checksum = SLT_SEGMENT_AFRESH;
    }
    return true;
}

static bool plan_whole(struct slt_segmenter *s)
{
    const struct slt_frame_view *v = &s->view;
    s->segment_count = 1;
    if (v->checksum == SLT_SEGMENT_PARTIAL) {
        return (uint32_t)v->checksum_start + v->checksum_offset + 2U <= v->bytes;
    }
    if (v->checksum == SLT_SEGMENT_AFRESH && !layout_found(s)) {
        s->view.checksum = SLT_SEGMENT_COMPLETE; /* not IP: nothing to complete */
    }
    return true;
}

bool slt_segmenter_init(struct slt_segmenter *s, const struct slt_frame_view *view)
{
    *s = (struct slt_segmenter){.view = *view};
    return view->gso_bytes > 0 ? plan_cut(s) : plan_whole(s);
}

static uint32_t segment_payload(const struct slt_segmenter *s)
{
    uint32_t done = s->index * s->view.gso_bytes;
    return slt_min32(s->view.gso_bytes, s->payload_bytes - done);
}

uint32_t slt_segmenter_next_bytes(const struct slt_segmenter *s)
{
    if (s->index == s->segment_count) {
        return 0;
    }
    return s->cut ? s->layout.payload_offset + segment_payload(s) : s->view.bytes;
}

/* Copy the next bytes of the frame, over the borders of pieces. What is copied is added to *sum,
 * unless that is NULL: one pass over the memory does for both. */
static void copy_on(struct slt_segmenter *s, uint8_t *out, uint32_t bytes, uint32_t *sum)
{
    const struct slt_frame_view *v = &s->view;
    uint32_t done = 0;
    while (done < bytes) {
        bool head = s->piece_index == 0;
        SLT_ASSERT(s->piece_index <= v->piece_count);
        const uint8_t *base = head ? v->head : v->pieces[s->piece_index - 1].base;
        size_t all = head ? v->head_bytes : v->pieces[s->piece_index - 1].bytes;
        size_t left = all - s->piece_at;
        uint32_t n = left < bytes - done ? (uint32_t)left : bytes - done;
        if (n > 0 && sum) {
            *sum = slt_checksum_copy(*sum, out + done, base + s->piece_at, n, (done & 1U) != 0);
        } else if (n > 0) {
            memcpy(out + done, base + s->piece_at, n);
        }
        done += n;
        s->piece_at += n;
        if (s->piece_at == all) {
            s->piece_index++;
            s->piece_at = 0;
        }
    }
}

static void fix_network(const struct slt_segmenter *s, uint8_t *frame, uint32_t frame_bytes)
{
    uint8_t *ip = frame + s->layout.network_offset;
    uint32_t packet_bytes = frame_bytes - s->layout.network_offset;
    if (s->layout.family == 6) {
        store16(ip + 4, packet_bytes - IP6_BYTES);
        return;
    }
    store16(ip + 2, packet_bytes);
    store16(ip + 4, load16(ip + 4) + s->index);
    store16(ip + 10, 0);
    uint32_t header_bytes = (ip[0] & 15U) * 4U;
    store16(ip + 10, header_bytes == IP4_BYTES
                         ? slt_checksum_ipv4(ip)
                         : slt_checksum_finish(slt_checksum_add(0, ip, header_bytes)));
}

static void fix_transport(const struct slt_segmenter *s, uint8_t *frame)
{
    uint8_t *tcp = frame + s->layout.transport_offset;
    uint32_t done = s->index * s->view.gso_bytes;
    store32(tcp + 4, load32(tcp + 4) + done);
    if (s->index + 1 < s->segment_count) {
        tcp[TCP_FLAGS_AT] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
    }
    if (s->index > 0) {
        tcp[TCP_FLAGS_AT] &= (uint8_t)~FLAG_CWR;
    }
    /* RFC 9293 3.8.5 (MUST-31): the pointer is relative to the segment it stands in. */
    uint32_t urgent = load16(tcp + TCP_URGENT_AT);
    if ((tcp[TCP_FLAGS_AT] & FLAG_URG) && urgent > done) {
        store16(tcp + TCP_URGENT_AT, urgent - done);
    } else if (done > 0) {
        tcp[TCP_FLAGS_AT] &= (uint8_t)~FLAG_URG;
        store16(tcp + TCP_URGENT_AT, 0);
    }
}

static void next_cut(struct slt_segmenter *s, uint8_t *out)
{
    uint32_t bytes = slt_segmenter_next_bytes(s);
    uint32_t header_bytes = s->layout.payload_offset;
    uint32_t sum = s->addresses_sum;
    memcpy(out, s->view.head, header_bytes);
    if (s->index == 0) {
        s->piece_at = header_bytes;
    }
    copy_on(s, out + header_bytes, bytes - header_bytes, &sum);
    fix_network(s, out, bytes);
    fix_transport(s, out);
    /* A TCP header has an even number of bytes, so the payload's words are the segment's. */
    uint8_t *tcp = out + s->layout.transport_offset;
    uint32_t tcp_bytes = header_bytes - s->layout.transport_offset;
    store16(tcp + TCP_CHECKSUM_AT, 0);
    sum = slt_checksum_add_u16(sum, (uint16_t)(bytes - s->layout.transport_offset));
    store16(tcp + TCP_CHECKSUM_AT, slt_checksum_finish(slt_checksum_add(sum, tcp, tcp_bytes)));
}

void slt_segment_store_checksum(uint8_t *field, uint32_t sum)
{
    uint32_t value = slt_checksum_finish(sum);
    /* A UDP checksum of zero would mean "none"; for the other protocols 0xffff is the same sum. */
    store16(field, value == 0 ? 0xffffU : value);
}

/* The field holds the pseudo header's sum: the sum of everything from `start` on is the rest. */
static void next_partial(struct slt_segmenter *s, uint8_t *out)
{
    const struct slt_frame_view *v = &s->view;
    uint32_t sum = 0;
    copy_on(s, out, v->checksum_start, NULL);
    copy_on(s, out + v->checksum_start, v->bytes - v->checksum_start, &sum);
    slt_segment_store_checksum(out + v->checksum_start + v->checksum_offset, sum);
}

void slt_segmenter_next(struct slt_segmenter *s, uint8_t *out)
{
    SLT_ASSERT(s->index < s->segment_count);
    if (s->cut) {
        next_cut(s, out);
    } else if (s->view.checksum == SLT_SEGMENT_PARTIAL) {
        next_partial(s, out);
    } else {
        copy_on(s, out, s->view.bytes, NULL);
        if (s->view.checksum == SLT_SEGMENT_AFRESH) {
            slt_segment_fill_checksum(out, &s->layout);
        }
    }
    s->index++;
}
