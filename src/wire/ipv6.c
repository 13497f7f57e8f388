/* The IPv6 fixed header: forty bytes without a checksum of their own, so all there is to prove is
 * the version and that the payload length does not reach beyond what arrived (RFC 8200 3). */
#include "wire/ipv6.h"

#include "wire/address.h"

static enum slt_reason parse_header(struct slt_span packet, struct slt_ipv6 *out,
                                    uint32_t *claimed_bytes)
{
    struct slt_reader r = slt_reader_of(packet);
    memset(out, 0, sizeof(*out));
    if (packet.bytes > 0 && packet.data[0] >> 4 != 6) {
        return SLT_DROP_IP_VERSION;
    }
    if (packet.bytes < SLT_IPV6_HEADER_BYTES) {
        return SLT_DROP_IP_LENGTH;
    }
    const uint32_t first = slt_read_u32(&r);
    out->dscp = (uint8_t)(first >> 22 & 0x3fU);
    out->ecn = (uint8_t)(first >> 20 & 3U);
    out->flow_label = first & 0xfffffU;
    *claimed_bytes = slt_read_u16(&r);
    out->next_header = slt_read_u8(&r);
    out->hop_limit = slt_read_u8(&r);
    memcpy(out->src, slt_read_bytes(&r, 16), 16);
    memcpy(out->dst, slt_read_bytes(&r, 16), 16);
    out->payload_bytes = slt_reader_left(&r);
    out->payload = slt_read_bytes(&r, out->payload_bytes);
    return SLT_PASS;
}

enum slt_reason slt_ipv6_parse(struct slt_span packet, struct slt_ipv6 *out)
{
    uint32_t claimed_bytes = 0;
    const enum slt_reason reason = parse_header(packet, out, &claimed_bytes);
    if (reason != SLT_PASS) {
        return reason;
    }
    if (claimed_bytes > out->payload_bytes) {
        return SLT_DROP_IP_LENGTH;
    }
    out->payload_bytes = claimed_bytes;
    return SLT_PASS;
}

enum slt_reason slt_ipv6_parse_quoted(struct slt_span quote, struct slt_ipv6 *out)
{
    uint32_t claimed_bytes = 0;
    return parse_header(quote, out, &claimed_bytes);
}

uint32_t slt_ipv6_emit(const struct slt_ipv6 *ip, struct slt_writer *w)
{
    SLT_ASSERT(ip->payload_bytes <= 65535U);
    SLT_ASSERT(ip->flow_label <= 0xfffffU);
    slt_write_u32(w, 6U << 28 | (uint32_t)(ip->dscp & 0x3f) << 22 | (uint32_t)(ip->ecn & 3) << 20 |
                         ip->flow_label);
    slt_write_u16(w, (uint16_t)ip->payload_bytes);
    slt_write_u8(w, ip->next_header);
    slt_write_u8(w, ip->hop_limit);
    slt_write_bytes(w, ip->src, 16);
    slt_write_bytes(w, ip->dst, 16);
    return w->failed ? 0 : SLT_IPV6_HEADER_BYTES;
}

int slt_ipv6_print(const struct slt_ipv6 *ip, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_address_text(&t, ip->src);
    slt_text_str(&t, " > ");
    slt_address_text(&t, ip->dst);
    slt_text_str(&t, ": next ");
    slt_text_u64(&t, ip->next_header);
    slt_text_str(&t, ", hlim ");
    slt_text_u64(&t, ip->hop_limit);
    if (ip->ecn != 0) {
        slt_text_str(&t, ", ecn ");
        slt_text_u64(&t, ip->ecn);
    }
    slt_text_str(&t, ", length ");
    slt_text_u64(&t, ip->payload_bytes);
    return (int)t.used;
}
