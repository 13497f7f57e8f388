/* UDP: eight bytes, of which the length is the only one that can be wrong. A length shorter than
 * the packet leaves bytes that belong to nobody; they are not delivered. */
#include "wire/udp.h"

#include "base/print.h"

enum slt_reason slt_udp_parse(struct slt_span packet, struct slt_udp_datagram *out)
{
    struct slt_reader r = slt_reader_of(packet);
    memset(out, 0, sizeof(*out));
    out->src_port = slt_read_u16(&r);
    out->dst_port = slt_read_u16(&r);
    const uint32_t length = slt_read_u16(&r);
    out->checksum = slt_read_u16(&r);
    if (r.failed || length < SLT_UDP_HEADER_BYTES || length > packet.bytes) {
        return SLT_DROP_UDP_MALFORMED;
    }
    out->payload_bytes = length - SLT_UDP_HEADER_BYTES;
    out->payload = slt_read_bytes(&r, out->payload_bytes);
    return SLT_PASS;
}

uint32_t slt_udp_emit(const struct slt_udp_datagram *udp, struct slt_writer *w)
{
    SLT_ASSERT(udp->payload_bytes <= 65535U - SLT_UDP_HEADER_BYTES);
    slt_write_u16(w, udp->src_port);
    slt_write_u16(w, udp->dst_port);
    slt_write_u16(w, (uint16_t)(SLT_UDP_HEADER_BYTES + udp->payload_bytes));
    slt_write_u16(w, 0);
    return w->failed ? 0 : SLT_UDP_HEADER_BYTES;
}

int slt_udp_print(const struct slt_udp_datagram *udp, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_text_u64(&t, udp->src_port);
    slt_text_str(&t, " > ");
    slt_text_u64(&t, udp->dst_port);
    slt_text_str(&t, ": udp, length ");
    slt_text_u64(&t, udp->payload_bytes);
    return (int)t.used;
}
