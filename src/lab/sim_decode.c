/* A reading of packets that shares no line with src/wire: what the stack emits is judged by it
 * (I-28). It is strict: everything a well-behaved sender does not do is named.
 */
#include "lab/sim_world.h"

#include <string.h>

#include "wire/tcp.h"

static uint32_t sum_bytes(const uint8_t *p, uint32_t bytes, uint32_t sum)
{
    uint64_t wide = sum;
    uint32_t i = 0;
    for (; i + 1 < bytes; i += 2) {
        wide += slt_sim_get16(p + i);
    }
    if (i < bytes) {
        wide += (uint32_t)p[i] << 8;
    }
    while (wide >> 16) {
        wide = (wide & 0xffff) + (wide >> 16);
    }
    return (uint32_t)wide;
}

static uint32_t pseudo_sum(const struct sim_decoded *d, uint32_t protocol, uint32_t bytes)
{
    uint32_t from = d->family == 4 ? 12 : 0;
    uint32_t sum = protocol + bytes;
    sum = sum_bytes(d->src + from, 16 - from, sum);
    return sum_bytes(d->dst + from, 16 - from, sum);
}

uint32_t slt_sim_kind_offset(const struct sim_world *w)
{
    return w->host[0].config.link_kind == SALUT_LINK_ETHERNET ? 14 : 0;
}

static uint8_t host_of(const struct sim_world *w, const uint8_t addr[16])
{
    for (uint8_t i = 0; i < w->host_count; i++) {
        if (memcmp(addr, w->host[i].addr[0].b, 16) == 0 ||
            memcmp(addr, w->host[i].addr[1].b, 16) == 0) {
            return i;
        }
    }
    return SIM_NOBODY;
}

/* ---- TCP options --------------------------------------------------------------------------------
 */

static const char *read_option(struct sim_decoded *d, const uint8_t *p, uint32_t bytes)
{
    switch (p[0]) {
    case 2:
        d->has_mss = 1;
        d->mss = (uint16_t)(bytes == 4 ? slt_sim_get16(p + 2) : 0);
        return bytes == 4 ? NULL : "an MSS option of another length than 4";
    case 3:
        d->has_wscale = 1;
        d->wscale = bytes == 3 ? p[2] : 0;
        return bytes == 3 && p[2] <= 14 ? NULL : "a window scale option that is not legal";
    case 4:
        d->has_sack_ok = 1;
        return bytes == 2 ? NULL : "a SACK-permitted option of another length than 2";
    case 5:
        if (bytes < 10 || (bytes - 2) % 8 != 0 || bytes > 34) {
            return "a SACK option of impossible length";
        }
        d->sack_count = (uint8_t)((bytes - 2) / 8);
        for (uint32_t i = 0; i < d->sack_count; i++) {
            d->sack[i][0] = slt_sim_get32(p + 2 + 8 * i);
            d->sack[i][1] = slt_sim_get32(p + 6 + 8 * i);
        }
        return NULL;
    case 8:
        if (bytes != 10) {
            return "a timestamp option of another length than 10";
        }
        d->has_ts = 1;
        d->ts_val = slt_sim_get32(p + 2);
        d->ts_ecr = slt_sim_get32(p + 6);
        return NULL;
    case 28:
        return bytes == 4 && slt_sim_get16(p + 2) != 0 ? NULL
                                                       : "a user timeout option that is not legal";
    case 34:
        return (bytes == 2 || bytes == 10) && (d->flags & SLT_TCP_SYN)
                   ? NULL
                   : "a fast open option that is not legal";
    case 172:
        return bytes <= 11 && (bytes - 2) % 3 == 0 ? NULL : "an AccECN option of impossible length";
    default:
        return "an option nobody asked for";
    }
}

static const char *read_padding(const uint8_t *p, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        if (p[i] != 0) {
            return "the padding behind the options is not zero";
        }
    }
    return NULL;
}

static const char *read_options(struct sim_decoded *d, const uint8_t *p, uint32_t bytes)
{
    uint64_t seen = 0;
    for (uint32_t at = 0; at < bytes;) {
        if (p[at] == 0) {
            return read_padding(p + at, bytes - at);
        }
        if (p[at] == 1) {
            at++;
            continue;
        }
        if (at + 2 > bytes || p[at + 1] < 2 || at + p[at + 1] > bytes) {
            return "an option of impossible length";
        }
        if (p[at] < 64 && (seen >> p[at] & 1U)) {
            return "an option stands twice";
        }
        seen |= p[at] < 64 ? UINT64_C(1) << p[at] : 0;
        const char *bad = read_option(d, p + at, p[at + 1]);
        if (bad) {
            return bad;
        }
        at += p[at + 1];
    }
    return NULL;
}

static const char *read_tcp(struct sim_decoded *d, const uint8_t *data, uint32_t at, uint32_t bytes)
{
    const uint8_t *p = data + at;
    if (bytes < 20) {
        return "a TCP header that is cut";
    }
    uint32_t header = (uint32_t)(p[12] >> 4) * 4;
    d->tcp_at = at;
    d->src_port = (uint16_t)slt_sim_get16(p);
    d->dst_port = (uint16_t)slt_sim_get16(p + 2);
    d->seq = slt_sim_get32(p + 4);
    d->ack = slt_sim_get32(p + 8);
    d->flags = (uint16_t)(slt_sim_get16(p + 12) & 0x1ff);
    d->window = (uint16_t)slt_sim_get16(p + 14);
    d->urgent = (uint16_t)slt_sim_get16(p + 18);
    if (header < 20 || header > bytes) {
        return "a TCP data offset that is not possible";
    }
    d->payload_at = at + header;
    d->payload_bytes = bytes - header;
    if (sum_bytes(p, bytes, pseudo_sum(d, 6, bytes)) != 0xffff) {
        return "a wrong TCP checksum";
    }
    if (p[12] & 0x0e) {
        return "reserved bits of the TCP header are set";
    }
    const char *bad = read_options(d, p + 20, header - 20);
    if (bad) {
        return bad;
    }
    if (!(d->flags & SLT_TCP_URG) && d->urgent != 0) {
        return "an urgent pointer without URG";
    }
    return !(d->flags & SLT_TCP_ACK) && d->ack != 0 ? "an ACK number without ACK" : NULL;
}

/* ---- IP
 * ------------------------------------------------------------------------------------------ */

static const char *read_icmp(struct sim_decoded *d, const uint8_t *data, uint32_t at,
                             uint32_t bytes)
{
    d->kind = SIM_ICMP;
    if (bytes < 8) {
        return "an ICMP message that is cut";
    }
    d->icmp_type = data[at];
    uint32_t sum = d->family == 6 ? pseudo_sum(d, 58, bytes) : 0;
    if (d->family == 6 && data[at] >= 133 && data[at] <= 137) {
        d->kind = SIM_ND;
    }
    return sum_bytes(data + at, bytes, sum) == 0xffff ? NULL : "a wrong ICMP checksum";
}

static const char *read_payload(struct sim_decoded *d, const uint8_t *data, uint32_t at,
                                uint32_t protocol)
{
    uint32_t bytes = d->ip_at + d->ip_bytes - at;
    if (protocol == 6) {
        d->kind = SIM_TCP;
        return read_tcp(d, data, at, bytes);
    }
    if ((protocol == 1 && d->family == 4) || (protocol == 58 && d->family == 6)) {
        return read_icmp(d, data, at, bytes);
    }
    if (protocol == 44 && d->family == 6) {
        d->kind = SIM_FRAGMENT;
        return NULL;
    }
    d->kind = SIM_OTHER;
    return NULL;
}

static const char *read_ip4(struct sim_decoded *d, const uint8_t *data, uint32_t bytes)
{
    const uint8_t *p = data + d->ip_at;
    uint32_t room = bytes - d->ip_at;
    if (room < 20 || (p[0] & 15) < 5) {
        return "an IPv4 header that is cut";
    }
    uint32_t header = (uint32_t)(p[0] & 15) * 4;
    d->family = 4;
    d->ip_bytes = slt_sim_get16(p + 2);
    memset(d->src, 0, 32);
    memcpy(d->src + 12, p + 12, 4);
    memcpy(d->dst + 12, p + 16, 4);
    d->src[10] = d->src[11] = d->dst[10] = d->dst[11] = 0xff;
    d->dst_group = p[16] >= 224 || p[19] == 255;
    if (d->ip_bytes > room || d->ip_bytes < header) {
        return "an IPv4 length that is not the frame's";
    }
    if (sum_bytes(p, header, 0) != 0xffff) {
        return "a wrong IPv4 checksum";
    }
    if (slt_sim_get16(p + 6) & 0x3fff) {
        d->kind = SIM_FRAGMENT;
        return NULL;
    }
    if (p[6] & 0x80) {
        return "the reserved IPv4 flag is set";
    }
    if (p[8] == 0) {
        return "a time to live of 0";
    }
    return read_payload(d, data, d->ip_at + header, p[9]);
}

static const char *read_ip6(struct sim_decoded *d, const uint8_t *data, uint32_t bytes)
{
    const uint8_t *p = data + d->ip_at;
    uint32_t room = bytes - d->ip_at;
    if (room < 40) {
        return "an IPv6 header that is cut";
    }
    d->family = 6;
    d->ip_bytes = slt_sim_get16(p + 4) + 40;
    memcpy(d->src, p + 8, 16);
    memcpy(d->dst, p + 24, 16);
    d->dst_group = p[24] == 0xff;
    if (d->ip_bytes > room) {
        return "an IPv6 length that is not the frame's";
    }
    if (p[7] == 0) {
        return "a hop limit of 0";
    }
    return read_payload(d, data, d->ip_at + 40, p[6]);
}

static const char *read_arp(struct sim_decoded *d, const uint8_t *p, uint32_t bytes)
{
    static const uint8_t head[6] = {0, 1, 8, 0, 6, 4};
    d->kind = SIM_ARP;
    d->dst_group = 1;
    if (bytes < 28 || memcmp(p, head, 6) != 0) {
        return "a malformed ARP packet";
    }
    return slt_sim_get16(p + 6) == 1 || slt_sim_get16(p + 6) == 2 ? NULL
                                                                  : "an ARP operation that is none";
}

void slt_sim_decode(const struct sim_world *w, const uint8_t *data, uint32_t bytes,
                    struct sim_decoded *d)
{
    memset(d, 0, sizeof(*d));
    d->src_host = SIM_NOBODY;
    d->dst_host = SIM_NOBODY;
    d->ip_at = slt_sim_kind_offset(w);
    if (bytes < d->ip_at + 1) {
        d->bad = "a frame that is cut";
        return;
    }
    uint32_t type = d->ip_at == 0 ? 0 : slt_sim_get16(data + 12);
    if (type == 0x806) {
        d->bad = read_arp(d, data + d->ip_at, bytes - d->ip_at);
        return;
    }
    uint8_t version = data[d->ip_at] >> 4;
    if (type != 0 && type != (version == 4 ? 0x800U : 0x86ddU)) {
        d->bad = "an ether type that is not the packet's";
        return;
    }
    if (version == 4) {
        d->bad = read_ip4(d, data, bytes);
    } else if (version == 6) {
        d->bad = read_ip6(d, data, bytes);
    } else {
        d->bad = "an IP version that is none";
        return;
    }
    d->src_host = host_of(w, d->src);
    d->dst_host = host_of(w, d->dst);
    if (d->bad == NULL && d->ip_at > 0 && bytes > 60 && bytes != d->ip_at + d->ip_bytes) {
        d->bad = "bytes behind the IP packet";
    }
}

static void seal_transport(uint8_t *p, uint32_t bytes, uint32_t protocol, uint32_t sum)
{
    uint32_t at = protocol == 6 ? 16 : protocol == 17 ? 6 : 2;
    if (bytes < at + 2 || (protocol != 6 && protocol != 17 && protocol != 1 && protocol != 58)) {
        return;
    }
    slt_sim_put16(p + at, 0);
    slt_sim_put16(p + at, ~sum_bytes(p, bytes, sum));
}

void slt_sim_seal(uint8_t *p, uint32_t bytes)
{
    if (p[0] >> 4 == 4) {
        uint32_t header = (uint32_t)(p[0] & 15) * 4;
        uint32_t sum = p[9] == 1 ? 0 : sum_bytes(p + 12, 8, p[9] + bytes - header);
        slt_sim_put16(p + 10, 0);
        slt_sim_put16(p + 10, ~sum_bytes(p, header, 0));
        if ((slt_sim_get16(p + 6) & 0x3fff) == 0) {
            seal_transport(p + header, bytes - header, p[9], sum);
        }
        return;
    }
    seal_transport(p + 40, bytes - 40, p[6], sum_bytes(p + 8, 32, p[6] + bytes - 40));
}
