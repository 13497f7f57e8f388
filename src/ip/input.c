/* Judging received packets: source, destination, way, headers, protocol, in this order.
 *
 * Source and destination come first because everything after them may earn the sender an ICMP
 * error, and a packet that is not for us, or from nobody, must earn nothing. The order also keeps
 * the work per unwanted packet small.
 *
 * Ignored: the security and timestamp options of IPv4 (RFC 1122 3.2.1.8 (a), (e)), which no
 * transport here asks for.
 */
#include "ip/input.h"

#include "wire/icmp4.h"
#include "wire/icmp6.h"

static void set_error(struct slt_ip_packet *out, uint8_t type, uint8_t code, uint32_t param)
{
    out->error =
        (struct slt_ip_error){.due = !out->foreign, .type = type, .code = code, .param = param};
}

static enum slt_reason check_source(const struct slt_ip_iface *iface,
                                    const struct slt_ip_packet *out)
{
    if ((out->way & SLT_IP_WAY_LOOPBACK) != 0) {
        return slt_address_is_multicast(out->src) ? SLT_DROP_IP_BAD_SOURCE : SLT_PASS;
    }
    /* IPv6's unspecified source asks about an address before using it (RFC 4862 5.4.2): whether
     * the message is one that may is seen when the protocol is known. */
    bool asking = out->family == 6 && slt_address_is_unspecified(out->src);
    if (slt_ip_addr_is_unfit_source(out->src) && !asking) {
        return SLT_DROP_IP_BAD_SOURCE;
    }
    /* RFC 1122 3.2.1.3 (R1122-03): no broadcast address of our subnets, and nothing on the wire
     * comes from us. */
    if (slt_ip_is_subnet_broadcast(iface, out->src) || slt_ip_is_local(iface, out->src)) {
        return SLT_DROP_IP_BAD_SOURCE;
    }
    return SLT_PASS;
}

static bool is_wire_group(const struct slt_ip_packet *out)
{
    /* RFC 4291 2.7: interface scope never leaves a node, scope 0 is reserved. */
    return out->family == 4 || (out->dst[1] & 0x0fU) > SLT_IP_SCOPE_INTERFACE ||
           (out->way & SLT_IP_WAY_LOOPBACK) != 0;
}

static enum slt_reason check_destination(const struct slt_ip_iface *iface,
                                         struct slt_ip_packet *out)
{
    bool own_way = (out->way & SLT_IP_WAY_LOOPBACK) != 0;
    if (slt_ip_addr_is_loopback(out->dst)) {
        out->target = SLT_IP_TARGET_OURS;
        return own_way ? SLT_PASS : SLT_DROP_IP_NOT_OURS;
    }
    out->target = (uint8_t)slt_ip_target_of(iface, out->dst);
    switch ((enum slt_ip_target)out->target) {
    case SLT_IP_TARGET_OURS:
        break;
    case SLT_IP_TARGET_BROADCAST:
        return SLT_PASS;
    case SLT_IP_TARGET_MULTICAST:
        return is_wire_group(out) ? SLT_PASS : SLT_DROP_IP_NOT_OURS;
    case SLT_IP_TARGET_FOREIGN:
    default:
        /* RFC 1122 3.2.1.3 (R1122-04): no forwarding and no word about it. */
        out->foreign = (out->way & SLT_IP_WAY_TRANSPARENT) != 0 &&
                       !slt_ip_addr_is_unfit_source(out->dst) &&
                       !slt_ip_iface_find(iface, out->dst);
        if (!out->foreign) {
            return SLT_DROP_IP_NOT_OURS;
        }
        break;
    }
    /* RFC 1122 3.3.6 (R1122-12). */
    return (out->way & SLT_IP_WAY_LINK_GROUP) != 0 ? SLT_DROP_IP_LINK_BROADCAST : SLT_PASS;
}

static bool is_judged(const struct slt_ip_iface *iface, const struct slt_ip_packet *out)
{
    const struct slt_ip_judged *judged = &iface->judged;
    return judged->version == iface->version && judged->way == out->way &&
           slt_ip_addr_equal(judged->src, out->src) && slt_ip_addr_equal(judged->dst, out->dst);
}

/* The judgement depends on the two addresses, the way and our own addresses, on nothing else. */
static enum slt_reason check_addresses(struct slt_ip_iface *iface, struct slt_ip_packet *out)
{
    if (is_judged(iface, out)) {
        out->target = SLT_IP_TARGET_OURS;
        return SLT_PASS;
    }
    enum slt_reason reason = check_source(iface, out);
    if (reason == SLT_PASS) {
        reason = check_destination(iface, out);
    }
    if (reason == SLT_PASS && out->target == SLT_IP_TARGET_OURS) {
        iface->judged = (struct slt_ip_judged){.way = out->way, .version = iface->version};
        slt_ip_addr_copy(iface->judged.src, out->src);
        slt_ip_addr_copy(iface->judged.dst, out->dst);
    }
    return reason;
}

static bool is_handled(const struct slt_ip_packet *out)
{
    uint8_t icmp = out->family == 4 ? SLT_IP_PROTOCOL_ICMP4 : SLT_IP_PROTOCOL_ICMP6;
    return out->protocol == SLT_IP_PROTOCOL_TCP || out->protocol == SLT_IP_PROTOCOL_UDP ||
           out->protocol == icmp;
}

static enum slt_reason parse_v4(struct slt_ip_iface *iface, struct slt_span packet,
                                struct slt_ip_packet *out)
{
    struct slt_ipv4 ip;
    enum slt_reason reason = slt_ipv4_parse(packet, &ip);
    if (reason != SLT_PASS) {
        return reason;
    }
    out->protocol = ip.protocol;
    out->ttl = ip.ttl;
    out->ecn = ip.ecn;
    out->dscp = ip.dscp;
    slt_ip_addr_copy(out->src, ip.src);
    slt_ip_addr_copy(out->dst, ip.dst);
    out->header_bytes = SLT_IPV4_HEADER_BYTES + (uint32_t)ip.options_bytes;
    out->payload = (struct slt_span){ip.payload, ip.payload_bytes};
    /* R1122-02: what the frame holds beyond the total length is padding. */
    out->packet = (struct slt_span){packet.data, out->header_bytes + ip.payload_bytes};
    out->fragment = slt_ipv4_is_fragment(&ip);
    out->more = ip.more_fragments;
    out->offset = ip.fragment_offset;
    out->dont_fragment = ip.dont_fragment;
    out->id = ip.id;
    reason = check_addresses(iface, out);
    if (reason != SLT_PASS) {
        return reason;
    }
    /* RFC 1122 3.2.1.8 (R1122-06): not even as the last stop of a source route. */
    if (ip.source_route) {
        return SLT_DROP_IP_SOURCE_ROUTE;
    }
    if (!is_handled(out)) {
        set_error(out, SLT_ICMP4_UNREACHABLE, SLT_ICMP4_UNREACHABLE_PROTOCOL, 0);
        return SLT_DROP_IP_PROTOCOL;
    }
    return SLT_PASS;
}

/* What may be said only after the chain of extension headers: the protocol and its conditions. */
static enum slt_reason check_v6_protocol(const struct slt_ipv6_chain *chain,
                                         struct slt_ip_packet *out)
{
    if (out->fragment) {
        /* A question about an address is never so long that it comes in pieces. */
        return slt_address_is_unspecified(out->src) ? SLT_DROP_IP_BAD_SOURCE : SLT_PASS;
    }
    if (!is_handled(out)) {
        /* RFC 8200 4 (R8200-01). */
        set_error(out, SLT_ICMP6_PARAMETER_PROBLEM, 1, chain->next_header_at);
        return SLT_DROP_IP_PROTOCOL;
    }
    bool icmp = out->protocol == SLT_IP_PROTOCOL_ICMP6;
    if (slt_address_is_unspecified(out->src) && !icmp) {
        return SLT_DROP_IP_BAD_SOURCE;
    }
    bool had_fragment_header =
        (out->way & SLT_IP_WAY_REASSEMBLED) != 0 || chain->unfragmentable_next_at != 0;
    /* RFC 6980 5 (R4861-09): neighbour discovery in fragments hides from filters. */
    if (icmp && had_fragment_header && out->payload.bytes > 0 &&
        out->payload.data[0] >= SLT_ICMP6_ROUTER_SOLICIT &&
        out->payload.data[0] <= SLT_ICMP6_REDIRECT) {
        return SLT_DROP_ND_INVALID;
    }
    return SLT_PASS;
}

static enum slt_reason walk_v6(const struct slt_ipv6 *ip, struct slt_ip_packet *out)
{
    struct slt_ipv6_chain chain;
    bool reassembled = (out->way & SLT_IP_WAY_REASSEMBLED) != 0;
    enum slt_reason reason = slt_ipv6_ext_walk(ip, reassembled, &chain);
    if (reason != SLT_PASS) {
        if (chain.problem != SLT_IPV6_PROBLEM_NONE) {
            set_error(out, SLT_ICMP6_PARAMETER_PROBLEM, chain.problem_code, chain.problem_pointer);
            out->error.even_multicast = chain.problem == SLT_IPV6_PROBLEM_ALWAYS;
        }
        return reason;
    }
    out->protocol = chain.next_header;
    out->payload = (struct slt_span){chain.payload, chain.payload_bytes};
    out->header_bytes = out->packet.bytes - chain.payload_bytes;
    out->fragment = chain.fragmented;
    out->more = chain.fragment.more;
    out->offset = chain.fragment.offset;
    out->id = chain.fragment.id;
    out->next_header_at = chain.unfragmentable_next_at;
    return check_v6_protocol(&chain, out);
}

static enum slt_reason parse_v6(struct slt_ip_iface *iface, struct slt_span packet,
                                struct slt_ip_packet *out)
{
    struct slt_ipv6 ip;
    enum slt_reason reason = slt_ipv6_parse(packet, &ip);
    if (reason != SLT_PASS) {
        return reason;
    }
    out->ttl = ip.hop_limit;
    out->ecn = ip.ecn;
    out->dscp = ip.dscp;
    slt_ip_addr_copy(out->src, ip.src);
    slt_ip_addr_copy(out->dst, ip.dst);
    out->packet = (struct slt_span){packet.data, SLT_IPV6_HEADER_BYTES + ip.payload_bytes};
    /* RFC 4942 2.2: IPv6 headers with mapped addresses would pass for IPv4 from here on. */
    if (slt_ip_addr_is_mapped_on_wire(ip.src)) {
        return SLT_DROP_IP_BAD_SOURCE;
    }
    if (slt_ip_addr_is_mapped_on_wire(ip.dst) || iface->down6) {
        return SLT_DROP_IP_NOT_OURS;
    }
    reason = check_addresses(iface, out);
    return reason != SLT_PASS ? reason : walk_v6(&ip, out);
}

enum slt_reason slt_ip_parse(struct slt_ip_iface *iface, struct slt_span packet, uint8_t way,
                             struct slt_ip_packet *out)
{
    *out = (struct slt_ip_packet){.way = way, .packet = packet};
    uint32_t version = packet.bytes > 0 ? packet.data[0] >> 4 : 0;
    /* RFC 1122 3.2.1.1 (R1122-01). */
    if (version != 4 && version != 6) {
        return SLT_DROP_IP_VERSION;
    }
    out->family = (uint8_t)version;
    return version == 4 ? parse_v4(iface, packet, out) : parse_v6(iface, packet, out);
}
