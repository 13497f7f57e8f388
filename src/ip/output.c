/* Headers from values. Whole packets are atomic: DF is set and the identification is 0, so that it
 * tells nothing about other traffic (RFC 6864 4.1 (R6864-01), J08); pieces carry the drawn one.
 */
#include "ip/output.h"

static bool is_v4(const struct slt_ip_send *send)
{
    return slt_address_is_v4(send->dst);
}

static uint32_t network_bytes(const struct slt_ip_send *send, bool fragment)
{
    if (is_v4(send)) {
        return SLT_IPV4_HEADER_BYTES;
    }
    return SLT_IPV6_HEADER_BYTES + (fragment ? SLT_IPV6_FRAGMENT_BYTES : 0U);
}

uint32_t slt_ip_header_bytes(const struct slt_ip_iface *iface, const struct slt_ip_send *send)
{
    return slt_ip_network_offset(iface) + network_bytes(send, send->fragment);
}

static void emit_v4(const struct slt_ip_iface *iface, const struct slt_ip_send *send,
                    struct slt_writer *w)
{
    /* RFC 1122 3.2.1.7 (R1122-05): the TTL is configurable and never 0. */
    struct slt_ipv4 ip = {.dscp = send->dscp,
                          .ecn = send->ecn,
                          .ttl = send->ttl > 0 ? send->ttl : iface->ttl,
                          .protocol = send->protocol,
                          .dont_fragment = !send->fragment,
                          .payload_bytes = send->payload_bytes};
    SLT_ASSERT(ip.ttl > 0);
    if (send->fragment) {
        ip.id = (uint16_t)send->id;
        ip.more_fragments = send->more;
        ip.fragment_offset = (uint16_t)send->offset;
    }
    slt_ip_addr_copy(ip.src, send->src);
    slt_ip_addr_copy(ip.dst, send->dst);
    (void)slt_ipv4_emit(&ip, w);
}

static void emit_v6(const struct slt_ip_iface *iface, const struct slt_ip_send *send,
                    struct slt_writer *w)
{
    uint32_t fragment_bytes = send->fragment ? SLT_IPV6_FRAGMENT_BYTES : 0U;
    struct slt_ipv6 ip = {.flow_label = send->flow_label,
                          .dscp = send->dscp,
                          .ecn = send->ecn,
                          .next_header = send->fragment ? SLT_IPV6_FRAGMENT : send->protocol,
                          .hop_limit = send->ttl > 0 ? send->ttl : iface->hop_limit,
                          .payload_bytes = fragment_bytes + send->payload_bytes};
    SLT_ASSERT(ip.hop_limit > 0);
    slt_ip_addr_copy(ip.src, send->src);
    slt_ip_addr_copy(ip.dst, send->dst);
    (void)slt_ipv6_emit(&ip, w);
    if (send->fragment) {
        const struct slt_ipv6_fragment fragment = {.id = send->id,
                                                   .offset = (uint16_t)send->offset,
                                                   .more = send->more,
                                                   .next_header = send->protocol};
        (void)slt_ipv6_fragment_emit(&fragment, w);
    }
}

uint32_t slt_ip_emit(const struct slt_ip_iface *iface, const struct slt_ip_send *send,
                     struct slt_writer *w)
{
    uint32_t start = w->at;
    SLT_ASSERT(slt_address_is_v4(send->src) == is_v4(send));
    if (iface->link_kind == SALUT_LINK_ETHERNET) {
        struct slt_ethernet eth = {.type = is_v4(send) ? SLT_ETHERTYPE_IPV4 : SLT_ETHERTYPE_IPV6};
        memcpy(eth.dst, send->dst_mac, sizeof(eth.dst));
        memcpy(eth.src, iface->mac, sizeof(eth.src));
        (void)slt_ethernet_emit(&eth, w);
    }
    if (is_v4(send)) {
        emit_v4(iface, send, w);
    } else {
        emit_v6(iface, send, w);
    }
    return w->failed ? 0 : w->at - start;
}

void slt_ip_cut(struct slt_ip_send *send, uint32_t total_bytes, uint32_t mtu)
{
    SLT_ASSERT(send->offset % 8 == 0);
    SLT_ASSERT(send->offset < total_bytes || total_bytes == 0);
    uint32_t left = total_bytes - send->offset;
    if (send->offset == 0 && network_bytes(send, false) + left <= mtu) {
        send->fragment = false;
        send->more = false;
        send->payload_bytes = left;
        return;
    }
    /* RFC 791 3.2 (R791-02): all pieces but the last are multiples of eight octets. */
    SLT_ASSERT(mtu >= network_bytes(send, true) + 8U);
    uint32_t room = (mtu - network_bytes(send, true)) & ~7U;
    send->fragment = true;
    send->more = left > room;
    send->payload_bytes = send->more ? room : left;
}
