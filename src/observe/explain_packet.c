/* See explain_packet.h. */
#include "observe/explain_packet.h"

#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/endian.h"
#include "wire/ipv4.h"

#define ETHERTYPE_IPV4   0x0800U
#define ETHERTYPE_IPV6   0x86ddU
#define ETHERTYPE_VLAN   0x8100U
#define ETHERTYPE_QINQ   0x88a8U
#define ETHERTYPE_QINQ_1 0x9100U
#define VLAN_TAGS_MAX    4U
#define IPV6_STEPS_MAX   8U

enum { NEXT_HOP_BY_HOP = 0, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_DESTINATION = 60 };

/* How the bytes of a packet are walked: what was captured, and how much there was on the link. */
struct walk {
    struct slt_reader r;
    uint32_t on_link; /* bytes from the reader's start */
};

/* The protocol that an EtherType names, tags stepped over. */
static uint16_t skip_tags(struct slt_reader *r, uint16_t type)
{
    for (uint32_t i = 0; i < VLAN_TAGS_MAX; i++) {
        if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ && type != ETHERTYPE_QINQ_1) {
            break;
        }
        (void)slt_read_u16(r);
        type = slt_read_u16(r);
    }
    return type;
}

/* Linux cooked packets say whether this machine sent them. */
static uint8_t cooked_direction(uint16_t type)
{
    return type == 4 ? SLT_CAPTURE_OUTBOUND : type == 0 ? SLT_CAPTURE_INBOUND : SLT_CAPTURE_UNKNOWN;
}

/* Step over the link's header. Returns false when what follows is no IP. */
static bool skip_link(struct slt_reader *r, uint16_t linktype, struct slt_explain_packet *out)
{
    uint16_t type = ETHERTYPE_IPV4;
    uint8_t direction = SLT_CAPTURE_UNKNOWN;
    switch (linktype) {
    case SLT_LINKTYPE_ETHERNET:
        (void)slt_read_bytes(r, 12);
        type = skip_tags(r, slt_read_u16(r));
        break;
    case SLT_LINKTYPE_NULL: /* the families differ between systems; the IP version tells */
    case SLT_LINKTYPE_LOOP:
        (void)slt_read_bytes(r, 4);
        break;
    case SLT_LINKTYPE_LINUX_SLL:
        direction = cooked_direction(slt_read_u16(r));
        (void)slt_read_bytes(r, 12);
        type = skip_tags(r, slt_read_u16(r));
        break;
    case SLT_LINKTYPE_LINUX_SLL2:
        type = slt_read_u16(r);
        (void)slt_read_u16(r);
        /* One interface of the file stands for many of the machine. */
        out->interface_index = slt_read_u32(r);
        (void)slt_read_u16(r);
        direction = cooked_direction(slt_read_u8(r));
        (void)slt_read_bytes(r, 9);
        type = skip_tags(r, type);
        break;
    case SLT_LINKTYPE_RAW:
    case SLT_LINKTYPE_IPV4:
    case SLT_LINKTYPE_IPV6:
    case 12: /* RAW as some systems number it */
    case 14:
        break;
    default:
        return false;
    }
    if (out->direction == SLT_CAPTURE_UNKNOWN) {
        out->direction = direction;
    }
    return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
}

/* The TCP header and what follows it: `bytes` by the IP header. */
static enum slt_decoded take_tcp(struct walk *w, uint32_t bytes, struct slt_explain_packet *out)
{
    uint32_t there = slt_reader_left(&w->r);
    uint32_t captured = slt_min32(there, bytes);
    const uint8_t *tcp = slt_read_bytes(&w->r, captured);
    if (tcp == NULL || captured < SLT_TCP_HEADER_BYTES) {
        return SLT_DECODED_BROKEN;
    }
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
    if (header < SLT_TCP_HEADER_BYTES || header > bytes) {
        return SLT_DECODED_BROKEN;
    }
    /* Options that were clipped are options that are not known; the header still counts. */
    struct slt_span span = {tcp, captured};
    enum slt_reason reason = slt_tcp_parse(span, &out->seg);
    if (reason != SLT_PASS && (reason != SLT_DROP_TCP_DATA_OFFSET || header <= captured)) {
        return SLT_DECODED_BROKEN;
    }
    if (header > captured) {
        memset(&out->seg.opt, 0, sizeof(out->seg.opt));
    }
    out->tcp = tcp;
    out->tcp_bytes = bytes;
    out->bytes = bytes - header;
    out->clipped = captured < bytes;
    return SLT_DECODED_TCP;
}

static enum slt_decoded take_ipv4(struct walk *w, struct slt_explain_packet *out)
{
    const uint8_t *ip = slt_read_bytes(&w->r, SLT_IPV4_HEADER_BYTES);
    if (ip == NULL) {
        return SLT_DECODED_BROKEN;
    }
    uint32_t header = (uint32_t)(ip[0] & 15U) * 4;
    uint32_t total = slt_get_u16(ip + 2);
    total = total == 0 ? w->on_link : total;
    if (header < SLT_IPV4_HEADER_BYTES || total < header) {
        return SLT_DECODED_BROKEN;
    }
    if (ip[9] != SLT_IP_PROTOCOL_TCP) {
        return SLT_DECODED_OTHER;
    }
    if ((slt_get_u16(ip + 6) & 0x3fffU) != 0) {
        return SLT_DECODED_FRAGMENT;
    }
    slt_address_set_v4(out->src, ip + 12);
    slt_address_set_v4(out->dst, ip + 16);
    out->ip_id = slt_get_u16(ip + 4);
    out->ttl = ip[8];
    out->ecn = ip[1] & 3U;
    (void)slt_read_bytes(&w->r, header - SLT_IPV4_HEADER_BYTES);
    return take_tcp(w, total - header, out);
}

/* The bytes of an extension header; 0: it is none, or it is broken. */
static uint32_t extension_bytes(struct slt_reader *r, uint8_t *next)
{
    uint8_t kind = *next;
    if (kind != NEXT_HOP_BY_HOP && kind != NEXT_ROUTING && kind != NEXT_DESTINATION &&
        kind != NEXT_FRAGMENT) {
        return 0;
    }
    *next = slt_read_u8(r);
    uint32_t length = slt_read_u8(r);
    uint32_t bytes = kind == NEXT_FRAGMENT ? 8 : 8 + length * 8;
    const uint8_t *rest = slt_read_bytes(r, bytes - 2);
    bool piece = kind == NEXT_FRAGMENT && rest != NULL && (slt_get_u16(rest) & 0xfff9U) != 0;
    *next = piece ? NEXT_FRAGMENT : *next;
    return rest == NULL || piece ? 0 : bytes;
}

static enum slt_decoded take_ipv6(struct walk *w, struct slt_explain_packet *out)
{
    const uint8_t *ip = slt_read_bytes(&w->r, 40);
    if (ip == NULL) {
        return SLT_DECODED_BROKEN;
    }
    uint32_t bytes = slt_get_u16(ip + 4);
    /* RFC 2675: a jumbogram says zero; what was on the link is then the length. */
    bytes = bytes == 0 && w->on_link > 40 ? w->on_link - 40 : bytes;
    uint8_t next = ip[6];
    memcpy(out->src, ip + 8, 16);
    memcpy(out->dst, ip + 24, 16);
    out->ip_id = 0;
    out->ttl = ip[7];
    out->ecn = ip[1] >> 4 & 3U;
    for (uint32_t i = 0; i < IPV6_STEPS_MAX && next != SLT_IP_PROTOCOL_TCP; i++) {
        uint32_t header = extension_bytes(&w->r, &next);
        if (w->r.failed || header > bytes) {
            return SLT_DECODED_BROKEN;
        }
        if (header == 0) {
            return next == NEXT_FRAGMENT ? SLT_DECODED_FRAGMENT : SLT_DECODED_OTHER;
        }
        bytes -= header;
    }
    return next == SLT_IP_PROTOCOL_TCP ? take_tcp(w, bytes, out) : SLT_DECODED_OTHER;
}

enum slt_decoded slt_explain_decode(const struct slt_capture_packet *packet, uint16_t linktype,
                                    struct slt_explain_packet *out)
{
    struct walk w = {.r = slt_reader_of((struct slt_span){packet->data, packet->bytes})};
    out->at_ns = packet->at_ns;
    out->interface_index = packet->interface_index;
    out->direction = packet->direction;
    if (!skip_link(&w.r, linktype, out)) {
        return SLT_DECODED_OTHER;
    }
    if (w.r.failed || slt_reader_left(&w.r) == 0) {
        return SLT_DECODED_BROKEN;
    }
    uint32_t on_link = slt_max32(packet->original_bytes, packet->bytes);
    w.on_link = on_link - w.r.at;
    uint8_t version = w.r.data[w.r.at] >> 4;
    if (version == 4) {
        return take_ipv4(&w, out);
    }
    return version == 6 ? take_ipv6(&w, out) : SLT_DECODED_BROKEN;
}

bool slt_explain_checksum_is_wrong(const struct slt_explain_packet *packet)
{
    if (packet->clipped) {
        return false;
    }
    uint32_t sum =
        slt_checksum_pseudo(packet->src, packet->dst, SLT_IP_PROTOCOL_TCP, packet->tcp_bytes);
    /* A field that holds the sum of the pseudo header alone was left for a device to complete
     * (CAP-3): nothing was damaged. */
    if (packet->seg.checksum == slt_checksum_fold(sum)) {
        return false;
    }
    sum = slt_checksum_add(sum, packet->tcp, packet->tcp_bytes);
    return slt_checksum_finish(sum) != 0;
}
