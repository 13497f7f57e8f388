/* ICMP messages in and out.
 *
 * The checks of a received error lean on two facts that an outsider must guess: the quoted source
 * is the address the error was sent to, and the quoted ports are those of a connection (the
 * transport's check, with the sequence number).
 *
 * Ignored on purpose: source quench (RFC 6633 3 (R6633-01), RFC 5927 6 (R5927-04)) and redirects
 * (J09; ICMP-06 is a SHOULD of hosts with several routers, and an attack on all others); address
 * mask and information requests (ICMP-07) end in wire/icmp4 as unknown types.
 */
#include "ip/icmp.h"

#define QUOTE4_MAX (576U - SLT_IPV4_HEADER_BYTES - SLT_ICMP4_HEADER_BYTES)
#define QUOTE6_MAX (1280U - SLT_IPV6_HEADER_BYTES - SLT_ICMP6_HEADER_BYTES)
_Static_assert(QUOTE6_MAX + SLT_ICMP6_HEADER_BYTES == SLT_ICMP_ANSWER_MAX,
               "the largest error fills IPv6's minimum MTU");

/* RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1. */
static enum slt_icmp_kind kind_of_unreachable4(uint8_t code)
{
    switch (code) {
    case 1:  /* host */
    case 5:  /* source route failed */
    case 7:  /* host unknown */
    case 8:  /* source host isolated */
    case 12: /* host, for this type of service */
        return SLT_ICMP_HOST_UNREACHABLE;
    case 2:
        return SLT_ICMP_PROTOCOL_UNREACHABLE;
    case 3:
        return SLT_ICMP_PORT_UNREACHABLE;
    case 4:
        return SLT_ICMP_TOO_BIG;
    case 9:  /* network prohibited */
    case 10: /* host prohibited */
    case 13: /* communication prohibited */
    case 14: /* precedence */
    case 15:
        return SLT_ICMP_PROHIBITED;
    default: /* 0, 6, 11, and what is not assigned: the least that can be said */
        return SLT_ICMP_NET_UNREACHABLE;
    }
}

/* RFC 4443 3.1. */
static enum slt_icmp_kind kind_of_unreachable6(uint8_t code)
{
    switch (code) {
    case SLT_ICMP6_UNREACHABLE_PROHIBITED:
    case 5: /* the source address failed a policy */
    case 6: /* the route is one that rejects */
        return SLT_ICMP_PROHIBITED;
    case SLT_ICMP6_UNREACHABLE_SCOPE:
    case SLT_ICMP6_UNREACHABLE_ADDRESS:
        return SLT_ICMP_HOST_UNREACHABLE;
    case SLT_ICMP6_UNREACHABLE_PORT:
        return SLT_ICMP_PORT_UNREACHABLE;
    default:
        return SLT_ICMP_NET_UNREACHABLE;
    }
}

/* The ports, and TCP's sequence number, from what the quote still holds of the transport header:
 * eight octets at least, by RFC 792 (ICMP-02). */
static enum slt_reason read_transport(struct slt_span payload, struct slt_icmp_notice *out)
{
    struct slt_reader r = slt_reader_of(payload);
    if (out->protocol != SLT_IP_PROTOCOL_TCP && out->protocol != SLT_IP_PROTOCOL_UDP) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    out->src_port = slt_read_u16(&r);
    out->dst_port = slt_read_u16(&r);
    uint32_t seq = slt_read_u32(&r);
    out->seq = out->protocol == SLT_IP_PROTOCOL_TCP ? seq : 0;
    return r.failed ? SLT_DROP_ICMP_MALFORMED : SLT_PASS;
}

/* The error must have been sent to whom it says sent the packet, and to one host. */
static bool is_about_receiver(const struct slt_ip_packet *packet,
                              const struct slt_icmp_notice *notice)
{
    return (packet->target == SLT_IP_TARGET_OURS || packet->foreign) &&
           slt_ip_addr_equal(packet->dst, notice->src) && !slt_address_is_multicast(notice->dst);
}

enum slt_reason slt_icmp4_notice(const struct slt_ip_packet *packet, const struct slt_icmp4 *icmp,
                                 struct slt_icmp_notice *out)
{
    *out = (struct slt_icmp_notice){.family = 4, .type = icmp->type, .code = icmp->code};
    switch (icmp->type) {
    case SLT_ICMP4_UNREACHABLE:
        out->kind = (uint8_t)kind_of_unreachable4(icmp->code);
        out->mtu = icmp->mtu;
        break;
    case SLT_ICMP4_TIME_EXCEEDED:
        out->kind = SLT_ICMP_TIME_EXCEEDED;
        break;
    case SLT_ICMP4_PARAMETER_PROBLEM:
        out->kind = SLT_ICMP_PARAMETER_PROBLEM;
        break;
    case SLT_ICMP4_SOURCE_QUENCH: /* MUST-55 */
        return SLT_DROP_ICMP_QUENCH;
    case SLT_ICMP4_REDIRECT:
        return SLT_DROP_ICMP_REDIRECT;
    default:
        return SLT_DROP_ICMP_TYPE;
    }
    struct slt_ipv4 quoted;
    if (slt_ipv4_parse_quoted((struct slt_span){icmp->data, icmp->data_bytes}, &quoted) !=
        SLT_PASS) {
        return SLT_DROP_ICMP_MALFORMED;
    }
    out->protocol = quoted.protocol;
    out->quoted_bytes = (uint32_t)icmp->data[2] << 8 | icmp->data[3];
    slt_ip_addr_copy(out->from, packet->src);
    slt_ip_addr_copy(out->src, quoted.src);
    slt_ip_addr_copy(out->dst, quoted.dst);
    if (!is_about_receiver(packet, out) || quoted.fragment_offset != 0) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    return read_transport((struct slt_span){quoted.payload, quoted.payload_bytes}, out);
}

static enum slt_reason read_quote6(const struct slt_icmp6 *icmp, struct slt_icmp_notice *out,
                                   struct slt_span *payload)
{
    struct slt_ipv6 quoted;
    struct slt_ipv6_chain chain;
    if (slt_ipv6_parse_quoted((struct slt_span){icmp->data, icmp->data_bytes}, &quoted) !=
        SLT_PASS) {
        return SLT_DROP_ICMP_MALFORMED;
    }
    slt_ip_addr_copy(out->src, quoted.src);
    slt_ip_addr_copy(out->dst, quoted.dst);
    /* What is quoted was sent by us: a chain that we would refuse is none of ours. */
    if (slt_ipv6_ext_walk(&quoted, false, &chain) != SLT_PASS || chain.fragment.offset != 0) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    out->protocol = chain.next_header;
    *payload = (struct slt_span){chain.payload, chain.payload_bytes};
    return SLT_PASS;
}

enum slt_reason slt_icmp6_notice(const struct slt_ip_packet *packet, const struct slt_icmp6 *icmp,
                                 struct slt_icmp_notice *out)
{
    *out = (struct slt_icmp_notice){.family = 6, .type = icmp->type, .code = icmp->code};
    switch (icmp->type) {
    case SLT_ICMP6_UNREACHABLE:
        out->kind = (uint8_t)kind_of_unreachable6(icmp->code);
        break;
    case SLT_ICMP6_PACKET_TOO_BIG:
        out->kind = SLT_ICMP_TOO_BIG;
        out->mtu = icmp->mtu;
        break;
    case SLT_ICMP6_TIME_EXCEEDED:
        out->kind = SLT_ICMP_TIME_EXCEEDED;
        break;
    case SLT_ICMP6_PARAMETER_PROBLEM:
        /* Code 1, an unknown next header, is what IPv4 calls protocol unreachable (RFC 5461 2). */
        out->kind = icmp->code == 1 ? SLT_ICMP_PROTOCOL_UNREACHABLE : SLT_ICMP_PARAMETER_PROBLEM;
        break;
    case SLT_ICMP6_REDIRECT:
        return SLT_DROP_ICMP_REDIRECT;
    default:
        return SLT_DROP_ICMP_TYPE;
    }
    struct slt_span payload;
    slt_ip_addr_copy(out->from, packet->src);
    enum slt_reason reason = read_quote6(icmp, out, &payload);
    if (reason != SLT_PASS) {
        return reason;
    }
    return is_about_receiver(packet, out) ? read_transport(payload, out) : SLT_DROP_ICMP_NO_MATCH;
}

/* Our end of an answer: the address that was addressed (R1122-11, ICMP-05), else one that fits. */
static bool choose_source(const struct slt_ip_iface *iface, const struct slt_ip_packet *packet,
                          uint8_t src[16])
{
    if (packet->target == SLT_IP_TARGET_OURS) {
        slt_ip_addr_copy(src, packet->dst);
        return true;
    }
    return slt_ip_select_source(iface, packet->src, src);
}

bool slt_icmp_echo_reply(const struct slt_ip_iface *iface, const struct slt_ip_packet *packet,
                         struct slt_icmp_echo *echo)
{
    bool group = packet->target != SLT_IP_TARGET_OURS;
    /* RFC 1122 3.2.2.6 lets a host ignore an echo request to a broadcast address, which is all
     * that a smurf attack needs; RFC 4443 4.2 says SHOULD for IPv6 multicast. */
    if (packet->foreign || (packet->family == 4 && group) ||
        slt_address_is_unspecified(packet->src)) {
        return false;
    }
    echo->family = packet->family;
    slt_ip_addr_copy(echo->dst, packet->src);
    return choose_source(iface, packet, echo->src);
}

uint32_t slt_icmp_emit_echo_reply(const struct slt_icmp_echo *echo, struct slt_writer *w)
{
    if (echo->family == 4) {
        const struct slt_icmp4 icmp = {.type = SLT_ICMP4_ECHO_REPLY,
                                       .id = echo->id,
                                       .seq = echo->seq,
                                       .data = echo->data.data,
                                       .data_bytes = echo->data.bytes};
        return slt_icmp4_emit(&icmp, w);
    }
    const struct slt_icmp6 icmp = {.type = SLT_ICMP6_ECHO_REPLY,
                                   .id = echo->id,
                                   .seq = echo->seq,
                                   .data = echo->data.data,
                                   .data_bytes = echo->data.bytes};
    return slt_icmp6_emit(&icmp, echo->src, echo->dst, w);
}

/* Is the packet an ICMP error or redirect, or may it be one for all we know? */
static bool is_icmp_error(const struct slt_ip_packet *packet)
{
    const uint8_t *type = packet->payload.data;
    if (packet->family == 4) {
        return packet->protocol == SLT_IP_PROTOCOL_ICMP4 &&
               (packet->payload.bytes == 0 ||
                (*type != SLT_ICMP4_ECHO_REQUEST && *type != SLT_ICMP4_ECHO_REPLY));
    }
    return packet->protocol == SLT_IP_PROTOCOL_ICMP6 &&
           (packet->payload.bytes == 0 || *type < 128 || *type == SLT_ICMP6_REDIRECT);
}

/* RFC 1122 3.2.2 (ICMP-03), RFC 4443 2.4 (e) (R4443-02), J06: errors about errors, groups and
 * nobody make storms. */
static bool may_answer(const struct slt_ip_packet *packet, const struct slt_ip_error *error)
{
    bool group = packet->target == SLT_IP_TARGET_BROADCAST ||
                 packet->target == SLT_IP_TARGET_MULTICAST ||
                 (packet->way & SLT_IP_WAY_LINK_GROUP) != 0;
    if (packet->foreign || packet->target == SLT_IP_TARGET_FOREIGN ||
        (group && !error->even_multicast)) {
        return false;
    }
    if (slt_ip_addr_is_unfit_source(packet->src) && (packet->way & SLT_IP_WAY_LOOPBACK) == 0) {
        return false;
    }
    return packet->offset == 0 && !is_icmp_error(packet);
}

bool slt_icmp_answer(const struct slt_ip_iface *iface, const struct slt_ip_packet *packet,
                     const struct slt_ip_error *error, struct slt_icmp_answer *out)
{
    if (!error->due || !may_answer(packet, error)) {
        return false;
    }
    *out = (struct slt_icmp_answer){.family = packet->family, .error = *error};
    slt_ip_addr_copy(out->dst, packet->src);
    /* ICMP-02, R4443-02: the packet as it came, up to the size that needs no fragments. */
    uint32_t most = packet->family == 4 ? QUOTE4_MAX : QUOTE6_MAX;
    out->quote = (struct slt_span){packet->packet.data, slt_min32(packet->packet.bytes, most)};
    return choose_source(iface, packet, out->src);
}

uint32_t slt_icmp_emit_answer(const struct slt_icmp_answer *answer, struct slt_writer *w)
{
    const struct slt_ip_error *error = &answer->error;
    if (answer->family == 4) {
        const struct slt_icmp4 icmp = {.type = error->type,
                                       .code = error->code,
                                       .pointer = (uint8_t)error->param,
                                       .mtu = (uint16_t)error->param,
                                       .data = answer->quote.data,
                                       .data_bytes = answer->quote.bytes};
        return slt_icmp4_emit(&icmp, w);
    }
    const struct slt_icmp6 icmp = {.type = error->type,
                                   .code = error->code,
                                   .mtu = error->param,
                                   .pointer = error->param,
                                   .data = answer->quote.data,
                                   .data_bytes = answer->quote.bytes};
    return slt_icmp6_emit(&icmp, answer->src, answer->dst, w);
}

struct slt_ip_error slt_icmp_port_unreachable(uint8_t family)
{
    if (family == 4) {
        return (struct slt_ip_error){
            .due = true, .type = SLT_ICMP4_UNREACHABLE, .code = SLT_ICMP4_UNREACHABLE_PORT};
    }
    /* RFC 4443 3.1 (R4443-04). */
    return (struct slt_ip_error){
        .due = true, .type = SLT_ICMP6_UNREACHABLE, .code = SLT_ICMP6_UNREACHABLE_PORT};
}

struct slt_ip_error slt_icmp_reassembly_timeout(uint8_t family)
{
    uint8_t type = family == 4 ? SLT_ICMP4_TIME_EXCEEDED : SLT_ICMP6_TIME_EXCEEDED;
    return (struct slt_ip_error){.due = true, .type = type, .code = 1};
}

void slt_icmp_limit_init(struct slt_icmp_limit *limit, uint32_t rate_per_s, uint32_t burst,
                         uint64_t seed, int64_t now_ns)
{
    *limit = (struct slt_icmp_limit){
        .filled_at_ns = now_ns, .rate_per_s = rate_per_s, .burst = slt_max32(burst, 1)};
    slt_prng_seed(&limit->prng, seed);
    if (rate_per_s > 0) {
        limit->credit_ns = SLT_NS_PER_S / rate_per_s * limit->burst;
    }
}

bool slt_icmp_limit_take(struct slt_icmp_limit *limit, int64_t now_ns)
{
    if (limit->rate_per_s == 0) {
        return false;
    }
    /* RFC 4443 2.4 (f) (R4443-03, ICMP-08). */
    int64_t cost_ns = slt_max64(SLT_NS_PER_S / limit->rate_per_s, 1);
    int64_t full_ns = cost_ns * limit->burst;
    if (now_ns > limit->filled_at_ns) {
        int64_t passed_ns = slt_min64(now_ns - limit->filled_at_ns, full_ns);
        limit->credit_ns = slt_min64(limit->credit_ns + passed_ns, full_ns);
        limit->filled_at_ns = now_ns;
    }
    if (limit->credit_ns < cost_ns) {
        return false;
    }
    /* Up to one message's worth goes unused at random: the limit is never exceeded, and the
     * number of messages left is not known to the one who counts them. */
    int64_t lost_ns = (int64_t)slt_prng_below(&limit->prng, (uint64_t)cost_ns + 1);
    limit->credit_ns = slt_max64(limit->credit_ns - cost_ns - lost_ns, 0);
    return true;
}
