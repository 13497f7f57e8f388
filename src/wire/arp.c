/* ARP: one fixed layout of 28 bytes. RFC 826 allows any pair of hardware and protocol; a packet
 * for another pair than Ethernet and IPv4 has nothing to say to us and counts as malformed. */
#include "wire/arp.h"

#include "wire/address.h"

#define HARDWARE_ETHERNET 1U
#define PROTOCOL_IPV4     0x0800U
#define LENGTHS           0x0604U

enum slt_reason slt_arp_parse(struct slt_span packet, struct slt_arp *out)
{
    memset(out, 0, sizeof(*out));
    if (packet.bytes < SLT_ARP_BYTES) {
        return SLT_DROP_ARP_MALFORMED;
    }
    struct slt_reader r = slt_reader_of(packet);
    const uint16_t hardware = slt_read_u16(&r);
    const uint16_t protocol = slt_read_u16(&r);
    const uint16_t lengths = slt_read_u16(&r);
    if (hardware != HARDWARE_ETHERNET || protocol != PROTOCOL_IPV4 || lengths != LENGTHS) {
        return SLT_DROP_ARP_MALFORMED;
    }
    out->op = slt_read_u16(&r);
    memcpy(out->sender_mac, slt_read_bytes(&r, 6), 6);
    slt_address_set_v4(out->sender_ip, slt_read_bytes(&r, 4));
    memcpy(out->target_mac, slt_read_bytes(&r, 6), 6);
    slt_address_set_v4(out->target_ip, slt_read_bytes(&r, 4));
    return SLT_PASS;
}

uint32_t slt_arp_emit(const struct slt_arp *arp, struct slt_writer *w)
{
    SLT_ASSERT(slt_address_is_v4(arp->sender_ip));
    SLT_ASSERT(slt_address_is_v4(arp->target_ip));
    slt_write_u16(w, HARDWARE_ETHERNET);
    slt_write_u16(w, PROTOCOL_IPV4);
    slt_write_u16(w, LENGTHS);
    slt_write_u16(w, arp->op);
    slt_write_bytes(w, arp->sender_mac, 6);
    slt_write_bytes(w, arp->sender_ip + 12, 4);
    slt_write_bytes(w, arp->target_mac, 6);
    slt_write_bytes(w, arp->target_ip + 12, 4);
    return w->failed ? 0 : SLT_ARP_BYTES;
}

int slt_arp_print(const struct slt_arp *arp, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    if (arp->op == SLT_ARP_REQUEST) {
        slt_text_str(&t, "arp who-has ");
        slt_address_text(&t, arp->target_ip);
        slt_text_str(&t, " tell ");
        slt_address_text(&t, arp->sender_ip);
        return (int)t.used;
    }
    if (arp->op == SLT_ARP_REPLY) {
        slt_text_str(&t, "arp reply ");
    } else {
        slt_text_str(&t, "arp op ");
        slt_text_u64(&t, arp->op);
        slt_text_char(&t, ' ');
    }
    slt_address_text(&t, arp->sender_ip);
    slt_text_str(&t, " is-at ");
    slt_mac_text(&t, arp->sender_mac);
    return (int)t.used;
}
