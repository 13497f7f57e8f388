/* Taking apart what the stack emitted, without any code of the stack.
 *
 * Every frame must satisfy what holds for all of them, whatever the row expects: lengths agree,
 * the IPv4 header checksum and the transport checksum verify (MUST-2), reserved bits are zero
 * (U-01), options parse to the end and are padded with zeros (MUST-69), the MSS option stands on
 * SYN segments alone (MUST-65), the time to live is not zero (R1122-05), no address is a
 * broadcast source, a segment without the ACK bit carries ACK number 0.
 */
#include "tests/conform/conform.h"

#include <string.h>

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

/* The ones' complement sum, byte by byte: deliberately not the way the stack does it. */
static uint32_t ones_sum(uint32_t sum, const uint8_t *at, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        sum += (i & 1) ? at[i] : (uint32_t)at[i] << 8;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static bool transport_sum_holds(const struct packet *p, const uint8_t *at, size_t bytes,
                                uint8_t protocol)
{
    uint8_t tail[8] = {0};
    size_t skip = p->family == 4 ? 12 : 0;
    uint32_t sum = ones_sum(0, p->src + skip, 16 - skip);
    sum = ones_sum(sum, p->dst + skip, 16 - skip);
    tail[2] = (uint8_t)(bytes >> 8);
    tail[3] = (uint8_t)bytes;
    tail[7] = protocol;
    sum = ones_sum(sum, tail, 8);
    return ones_sum(sum, at, bytes) == 0xffff;
}

static void note_option(struct packet *p, const char *name)
{
    size_t used = strlen(p->option_order);
    if (used + strlen(name) + 2 < sizeof(p->option_order)) {
        if (used > 0) {
            p->option_order[used++] = '/';
        }
        strcpy(p->option_order + used, name);
    }
}

static const char *take_option(struct packet *p, const uint8_t *o, uint32_t length)
{
    if (o[0] == 2 && length == 4) {
        p->mss = (int32_t)get16(o + 2);
        note_option(p, "mss");
        return (p->flags & 2) ? NULL : "the MSS option stands on a segment without SYN (MUST-65)";
    }
    if (o[0] == 3 && length == 3) {
        p->wscale = o[2];
        note_option(p, "ws");
        return (p->flags & 2) ? NULL : "window scale stands on a segment without SYN";
    }
    if (o[0] == 4 && length == 2) {
        p->sack_ok = true;
        note_option(p, "sackok");
        return (p->flags & 2) ? NULL : "SACK-permitted stands on a segment without SYN";
    }
    if (o[0] == 8 && length == 10) {
        p->ts = true;
        p->ts_val = get32(o + 2);
        p->ts_ecr = get32(o + 6);
        note_option(p, "ts");
        return NULL;
    }
    if (o[0] == 5 && length >= 10 && (length - 2) % 8 == 0) {
        p->sack_count = (int)((length - 2) / 8);
        for (int i = 0; i < p->sack_count; i++) {
            p->sack[i][0] = get32(o + 2 + 8 * i);
            p->sack[i][1] = get32(o + 6 + 8 * i);
        }
        note_option(p, "sack");
        return p->sack_count <= 4 ? NULL : "more SACK blocks than fit";
    }
    if (o[0] == 34 && length <= 18) {
        p->cookie_bytes = (int)length - 2;
        memcpy(p->cookie, o + 2, length - 2);
        note_option(p, "fo");
        return (p->flags & 2) ? NULL : "a fast open option stands on a segment without SYN";
    }
    if (o[0] == 172 && (length - 2) % 3 == 0 && length <= 11) {
        p->accecn_count = (int)(length - 2) / 3;
        for (int i = 0; i < p->accecn_count; i++) {
            p->accecn[i] = (uint32_t)o[2 + 3 * i] << 16 | get16(o + 3 + 3 * i);
        }
        note_option(p, "accecn");
        return (p->flags & 0x12) == 2 ? "an AccECN option stands on a SYN" : NULL;
    }
    if (o[0] == 28 && length == 4) {
        p->uto = (int32_t)get16(o + 2);
        note_option(p, "uto");
        return p->uto == 0 ? "a user timeout of 0 is said" : NULL;
    }
    return "an option that the tables do not know";
}

static const char *take_options(struct packet *p, const uint8_t *o, uint32_t bytes)
{
    uint32_t at = 0;
    while (at < bytes) {
        if (o[at] == 0) {
            for (; at < bytes; at++) {
                if (o[at] != 0) {
                    return "the padding after the end of the options is not zero (MUST-69)";
                }
            }
            return NULL;
        }
        if (o[at] == 1) {
            note_option(p, "nop");
            at++;
            continue;
        }
        if (at + 1 >= bytes || o[at + 1] < 2 || at + o[at + 1] > bytes) {
            return "an option's length is impossible";
        }
        const char *problem = take_option(p, o + at, o[at + 1]);
        if (problem != NULL) {
            return problem;
        }
        at += o[at + 1];
    }
    return NULL;
}

static const char *decode_tcp(struct packet *p, const uint8_t *t, uint32_t bytes)
{
    if (bytes < 20) {
        return "the TCP header is cut";
    }
    uint32_t header = (uint32_t)(t[12] >> 4) * 4;
    if (header < 20 || header > bytes) {
        return "the data offset is impossible";
    }
    if (!transport_sum_holds(p, t, bytes, 6)) {
        return "the TCP checksum is wrong (MUST-2)";
    }
    if (t[12] & 0x0e) { /* the fourth is AE (RFC 9768), compared as a flag */
        return "reserved bits are set (U-01)";
    }
    p->kind = PACKET_TCP;
    p->src_port = (uint16_t)get16(t);
    p->dst_port = (uint16_t)get16(t + 2);
    p->seq = get32(t + 4);
    p->ack = get32(t + 8);
    p->flags = (uint16_t)((t[12] & 1U) << 8 | t[13]);
    p->window = (uint16_t)get16(t + 14);
    p->urgent = (uint16_t)get16(t + 18);
    p->payload = t + header;
    p->payload_bytes = bytes - header;
    if ((p->flags & 0x10) == 0 && p->ack != 0) {
        return "an ACK number without the ACK bit";
    }
    if ((p->flags & 0x20) == 0 && p->urgent != 0) {
        return "an urgent pointer without the URG bit";
    }
    if ((p->flags & 0x16) == 0) {
        return "neither SYN, RST nor ACK is set (U-16)";
    }
    if ((p->flags & 3) == 3 || (p->flags & 6) == 6) {
        return "SYN stands together with FIN or RST";
    }
    return take_options(p, t + 20, header - 20);
}

static const char *decode_message(struct packet *p, const uint8_t *at, uint32_t bytes, uint8_t next)
{
    p->body = at;
    p->body_bytes = bytes;
    if (next == 6) {
        return decode_tcp(p, at, bytes);
    }
    if ((next == 1 || next == 58) && bytes < 8) {
        return "the ICMP message is cut";
    }
    if (next == 1) {
        p->kind = PACKET_ICMP4;
        p->type = at[0];
        p->code = at[1];
        return ones_sum(0, at, bytes) == 0xffff ? NULL : "the ICMP checksum is wrong";
    }
    if (next == 58) {
        p->kind = PACKET_ICMP6;
        p->type = at[0];
        p->code = at[1];
        return transport_sum_holds(p, at, bytes, 58) ? NULL : "the ICMPv6 checksum is wrong";
    }
    p->kind = next == 17 ? PACKET_UDP : PACKET_OTHER;
    return NULL;
}

static const char *decode_ip4(struct packet *p, const uint8_t *h, uint32_t bytes)
{
    uint32_t header = bytes < 20 ? 0 : (uint32_t)(h[0] & 15) * 4;
    if (bytes < 20 || h[0] >> 4 != 4 || header < 20 || get16(h + 2) < header ||
        get16(h + 2) > bytes) {
        return "an IPv4 length is impossible";
    }
    if (ones_sum(0, h, header) != 0xffff) {
        return "the IPv4 header checksum is wrong";
    }
    if (get16(h + 2) != bytes && bytes > 46) {
        return "bytes stand behind the IPv4 packet";
    }
    p->family = 4;
    p->tos = h[1];
    p->ip_id = (uint16_t)get16(h + 4);
    p->df = (h[6] & 0x40) != 0;
    p->ttl = h[8];
    p->src[10] = p->src[11] = p->dst[10] = p->dst[11] = 0xff;
    memcpy(p->src + 12, h + 12, 4);
    memcpy(p->dst + 12, h + 16, 4);
    if (get16(h + 6) & 0x3fff) {
        return "the stack fragmented a packet";
    }
    if (p->ttl == 0) {
        return "the time to live is zero (R1122-05)";
    }
    if (h[12] == 0 || h[12] >= 224 || h[12] == 127) {
        return "the source address is none a host may use (R1122-03)";
    }
    return decode_message(p, h + header, get16(h + 2) - header, h[9]);
}

static const char *decode_ip6(struct packet *p, const uint8_t *h, uint32_t bytes)
{
    if (bytes < 40 || h[0] >> 4 != 6 || get16(h + 4) + 40 != bytes) {
        return "an IPv6 length is impossible";
    }
    p->family = 6;
    p->tos = (uint8_t)((h[0] & 15) << 4 | h[1] >> 4);
    p->ttl = h[7];
    p->df = true;
    memcpy(p->src, h + 8, 16);
    memcpy(p->dst, h + 24, 16);
    if (p->ttl == 0) {
        return "the hop limit is zero";
    }
    if (h[8] == 0xff) {
        return "the source address is a group";
    }
    uint32_t at = 40;
    uint8_t next = h[6];
    if (next == 0 && bytes >= 48) { /* a router alert in front of a multicast report */
        next = h[40];
        at += 8U * (h[41] + 1U);
    }
    return at > bytes ? "an extension header is cut" : decode_message(p, h + at, bytes - at, next);
}

static const char *decode_arp(struct packet *p, const uint8_t *h, uint32_t bytes)
{
    if (bytes < 28 || get16(h) != 1 || get16(h + 2) != 0x800 || h[4] != 6 || h[5] != 4) {
        return "the ARP packet is malformed (ARP-01)";
    }
    p->kind = PACKET_ARP;
    p->type = h[7];
    p->body = h;
    p->body_bytes = 28;
    p->src[10] = p->src[11] = p->dst[10] = p->dst[11] = 0xff;
    memcpy(p->src + 12, h + 14, 4);
    memcpy(p->dst + 12, h + 24, 4);
    return NULL;
}

const char *decode_packet(struct packet *p, bool ethernet)
{
    const uint8_t *at = p->raw;
    uint32_t bytes = p->bytes;
    p->kind = PACKET_OTHER;
    p->mss = -1;
    p->uto = -1;
    p->cookie_bytes = -1;
    p->accecn_count = -1;
    p->wscale = -1;
    if (!ethernet) {
        return bytes > 0 && at[0] >> 4 == 6 ? decode_ip6(p, at, bytes) : decode_ip4(p, at, bytes);
    }
    if (bytes < 14) {
        return "the frame is cut";
    }
    memcpy(p->eth_dst, at, 6);
    memcpy(p->eth_src, at + 6, 6);
    if (memcmp(p->eth_src, "\2\0\0\0\0\1", 6) != 0) {
        return "the frame's source is not our station";
    }
    uint32_t type = get16(at + 12);
    if (type == 0x806) {
        return decode_arp(p, at + 14, bytes - 14);
    }
    if (type == 0x86dd) {
        return decode_ip6(p, at + 14, bytes - 14);
    }
    return type == 0x800 ? decode_ip4(p, at + 14, bytes - 14) : "an unknown ether type";
}
