/* The IPv4 header: every length is checked before anything is derived from it.
 *
 * Order matters: version, header length, total length against what arrived, and only then the
 * checksum over a header that is known to be there. Options are walked once for their lengths;
 * the only ones with a name here are the two source routes. RFC 1122 3.2.1.8 (MUST-50): unknown
 * options are stepped over.
 */
#include "wire/ipv4.h"

#include "wire/address.h"

enum { OPTION_END = 0, OPTION_NOP = 1, OPTION_LSRR = 131, OPTION_SSRR = 137 };

#define OFFSET_MASK 0x1fffU

/* Most headers are bare. */
static uint16_t header_checksum(const uint8_t *header, uint32_t bytes)
{
    return bytes == SLT_IPV4_HEADER_BYTES ? slt_checksum_ipv4(header)
                                          : slt_checksum_finish(slt_checksum_add(0, header, bytes));
}

static enum slt_reason walk_options(struct slt_ipv4 *ip)
{
    struct slt_reader r = slt_reader_of((struct slt_span){ip->options, ip->options_bytes});
    while (slt_reader_left(&r) > 0) {
        const uint8_t kind = slt_read_u8(&r);
        if (kind == OPTION_END) {
            break;
        }
        if (kind == OPTION_NOP) {
            continue;
        }
        const uint32_t length = slt_read_u8(&r);
        if (r.failed || length < 2 || length - 2 > slt_reader_left(&r)) {
            return SLT_DROP_IP_OPTION_MALFORMED;
        }
        (void)slt_read_bytes(&r, length - 2);
        if (kind == OPTION_LSRR || kind == OPTION_SSRR) {
            ip->source_route = true;
        }
    }
    return SLT_PASS;
}

/* Read what stands in the header; *total_bytes is the length the header claims. */
static enum slt_reason parse_header(struct slt_span packet, struct slt_ipv4 *out,
                                    uint32_t *total_bytes)
{
    if (packet.bytes > 0 && packet.data[0] >> 4 != 4) {
        return SLT_DROP_IP_VERSION;
    }
    struct slt_reader r = slt_reader_of(packet);
    const uint8_t *header = slt_read_bytes(&r, SLT_IPV4_HEADER_BYTES);
    if (!header) {
        return SLT_DROP_IP_LENGTH;
    }
    const uint32_t header_bytes = (header[0] & 15U) * 4U;
    if (header_bytes < SLT_IPV4_HEADER_BYTES || header_bytes > packet.bytes) {
        return SLT_DROP_IP_LENGTH;
    }
    const uint16_t fragment = slt_get_u16(header + 6);
    *total_bytes = slt_get_u16(header + 2);
    *out = (struct slt_ipv4){.dscp = header[1] >> 2,
                             .ecn = header[1] & 3U,
                             .id = slt_get_u16(header + 4),
                             .dont_fragment = (fragment & SLT_IPV4_DF) != 0,
                             .more_fragments = (fragment & SLT_IPV4_MF) != 0,
                             .fragment_offset = (uint16_t)((fragment & OFFSET_MASK) * 8),
                             .ttl = header[8],
                             .protocol = header[9],
                             .options_bytes = (uint8_t)(header_bytes - SLT_IPV4_HEADER_BYTES)};
    slt_address_set_v4(out->src, header + 12);
    slt_address_set_v4(out->dst, header + 16);
    out->options = slt_read_bytes(&r, out->options_bytes);
    out->payload_bytes = slt_reader_left(&r);
    out->payload = slt_read_bytes(&r, out->payload_bytes);
    return SLT_PASS;
}

enum slt_reason slt_ipv4_parse(struct slt_span packet, struct slt_ipv4 *out)
{
    uint32_t total_bytes = 0;
    const enum slt_reason reason = parse_header(packet, out, &total_bytes);
    if (reason != SLT_PASS) {
        return reason;
    }
    const uint32_t header_bytes = SLT_IPV4_HEADER_BYTES + (uint32_t)out->options_bytes;
    if (total_bytes < header_bytes || total_bytes > packet.bytes) {
        return SLT_DROP_IP_LENGTH;
    }
    out->payload_bytes = total_bytes - header_bytes;
    /* RFC 1122 3.2.1.2: the header checksum is verified on every datagram. */
    if (header_checksum(packet.data, header_bytes) != 0) {
        return SLT_DROP_IP_CHECKSUM;
    }
    return out->options_bytes > 0 ? walk_options(out) : SLT_PASS;
}

enum slt_reason slt_ipv4_parse_quoted(struct slt_span quote, struct slt_ipv4 *out)
{
    uint32_t total_bytes = 0;
    const enum slt_reason reason = parse_header(quote, out, &total_bytes);
    if (reason != SLT_PASS) {
        return reason;
    }
    return walk_options(out);
}

int slt_ipv4_print(const struct slt_ipv4 *ip, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_address_text(&t, ip->src);
    slt_text_str(&t, " > ");
    slt_address_text(&t, ip->dst);
    slt_text_str(&t, ": proto ");
    slt_text_u64(&t, ip->protocol);
    slt_text_str(&t, ", ttl ");
    slt_text_u64(&t, ip->ttl);
    slt_text_str(&t, ", id ");
    slt_text_u64(&t, ip->id);
    if (ip->dont_fragment) {
        slt_text_str(&t, ", [DF]");
    }
    if (slt_ipv4_is_fragment(ip)) {
        slt_text_str(&t, ", frag ");
        slt_text_u64(&t, ip->fragment_offset);
        slt_text_str(&t, ip->more_fragments ? "+" : "");
    }
    if (ip->ecn != SLT_ECN_NONE) {
        slt_text_str(&t, ", ecn ");
        slt_text_u64(&t, ip->ecn);
    }
    slt_text_str(&t, ", length ");
    slt_text_u64(&t, ip->payload_bytes);
    return (int)t.used;
}
