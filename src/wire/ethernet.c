/* Ethernet II: two addresses, perhaps a tag, a type.
 *
 * RFC 1122 2.3.3 would let a host take 802.3 frames with an RFC 1042 header as well; nobody has
 * sent IP that way for decades, so they are refused with a reason of their own (a wrong driver or
 * a spanning-tree frame is the usual cause).
 */
#include "wire/ethernet.h"

#include "wire/address.h"

#define FIRST_TYPE 0x0600U

enum slt_reason slt_ethernet_parse(struct slt_span frame, struct slt_ethernet *out)
{
    memset(out, 0, sizeof(*out));
    struct slt_reader r = slt_reader_of(frame);
    const uint8_t *addresses = slt_read_bytes(&r, SLT_ETHERNET_HEADER_BYTES);
    if (!addresses) {
        return SLT_DROP_FRAME_SHORT;
    }
    out->type = slt_get_u16(addresses + 12);
    if (out->type == SLT_ETHERTYPE_VLAN) {
        out->tagged = true;
        out->tag = slt_read_u16(&r);
        out->type = slt_read_u16(&r);
    }
    if (r.failed) {
        return SLT_DROP_FRAME_SHORT;
    }
    if (out->type < FIRST_TYPE) {
        return SLT_DROP_FRAME_802_3;
    }
    memcpy(out->dst, addresses, 6);
    memcpy(out->src, addresses + 6, 6);
    out->payload_bytes = slt_reader_left(&r);
    out->payload = slt_read_bytes(&r, out->payload_bytes);
    return SLT_PASS;
}

uint32_t slt_ethernet_emit(const struct slt_ethernet *eth, struct slt_writer *w)
{
    const uint32_t start = w->at;
    slt_write_bytes(w, eth->dst, 6);
    slt_write_bytes(w, eth->src, 6);
    if (eth->tagged) {
        slt_write_u16(w, SLT_ETHERTYPE_VLAN);
        slt_write_u16(w, eth->tag);
    }
    slt_write_u16(w, eth->type);
    return w->failed ? 0 : w->at - start;
}

int slt_ethernet_print(const struct slt_ethernet *eth, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_mac_text(&t, eth->src);
    slt_text_str(&t, " > ");
    slt_mac_text(&t, eth->dst);
    if (eth->tagged) {
        slt_text_str(&t, ", vlan ");
        slt_text_u64(&t, eth->tag & 0xfffU);
    }
    slt_text_str(&t, ", type 0x");
    slt_text_hex(&t, eth->type, 4);
    slt_text_str(&t, ", length ");
    slt_text_u64(&t, eth->payload_bytes);
    return (int)t.used;
}
