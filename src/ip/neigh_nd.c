/* Neighbour discovery's receiver rules: RFC 4861 7.2.3 (solicitations), 7.2.5 (advertisements).
 *
 * A solicitation is answered from the message alone: the reply goes to the station it came from,
 * so answering needs no resolution and a flood of questions leaves no trace but entries of the
 * kind that gives way first. Advertisements touch only entries that exist.
 *
 * Not here: anycast and proxies (we are neither), so every advertisement of ours overrides.
 */
#include "ip/neigh_nd.h"

#include "wire/ethernet.h"

#define ND_HOP_LIMIT 255

static const uint8_t all_nodes[16] = {0xff, 0x02, [15] = 1};

enum slt_reason slt_neigh_read_nd(const struct slt_icmp6 *icmp, const struct slt_ip_packet *packet,
                                  struct slt_ndp *out)
{
    struct slt_ipv6 ip = {.next_header = SLT_IP_PROTOCOL_ICMP6, .hop_limit = packet->ttl};
    slt_ip_addr_copy(ip.src, packet->src);
    slt_ip_addr_copy(ip.dst, packet->dst);
    return slt_ndp_parse(icmp, &ip, out);
}

static const uint8_t *station_of(const struct slt_neigh_nd *in)
{
    return (in->ndp->present & SLT_NDP_SOURCE_MAC) != 0 ? in->ndp->source_mac : in->link_src;
}

static void fill_reply(const struct slt_neigh_nd *in, struct slt_neigh_reply *reply)
{
    bool asking = slt_address_is_unspecified(in->packet->src);
    /* RFC 4861 7.2.4 (R4861-03): to the asker, or to all when it has no address yet. */
    *reply = (struct slt_neigh_reply){
        .kind = SLT_NEIGH_REPLY_NA, .solicited = !asking, .overrides = true};
    slt_ip_addr_copy(reply->target, in->ndp->target);
    if (asking) {
        slt_ip_addr_copy(reply->dst, all_nodes);
        slt_mac_of_multicast(all_nodes, reply->dst_mac);
    } else {
        slt_ip_addr_copy(reply->dst, in->packet->src);
        memcpy(reply->dst_mac, station_of(in), sizeof(reply->dst_mac));
    }
}

/* RFC 4861 7.2.3: the asker's link address, new or changed, is news that must prove itself. */
static void learn_asker(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                        const struct slt_neigh_nd *in)
{
    if ((in->ndp->present & SLT_NDP_SOURCE_MAC) == 0 ||
        slt_address_is_unspecified(in->packet->src)) {
        return;
    }
    const struct slt_neigh_claim claim = {.mac = in->ndp->source_mac, .now_ns = in->now_ns};
    uint32_t index = slt_neigh_find(neigh, in->packet->src);
    if (index != SLT_NIL) {
        slt_neigh_learn(neigh, index, &claim);
    } else if (slt_ip_is_on_link(iface, in->packet->src)) {
        slt_neigh_learn_asker(neigh, in->packet->src, &claim);
    }
}

static enum slt_reason take_solicitation(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                         const struct slt_neigh_nd *in,
                                         struct slt_neigh_nd_result *out)
{
    const struct slt_ip_own *own = slt_ip_iface_find(iface, in->ndp->target);
    if (slt_mac_is_group(station_of(in))) {
        return SLT_DROP_ND_INVALID;
    }
    if (!own) {
        return SLT_DROP_ND_NOT_FOR_US;
    }
    if (own->state == SLT_IP_OWN_TENTATIVE) {
        /* RFC 4862 5.4.3 (R4862-01, R4862-02): somebody else tests the same address; a question
         * from a real source merely comes too early to be answered. */
        out->duplicate = slt_address_is_unspecified(in->packet->src);
        return SLT_DROP_ND_NOT_FOR_US;
    }
    learn_asker(neigh, iface, in);
    fill_reply(in, &out->reply);
    return SLT_PASS;
}

/* RFC 4861 7.2.5, for an entry that has a link address. */
static void update_known(struct slt_neigh *neigh, uint32_t index, const struct slt_neigh_nd *in,
                         struct slt_neigh_nd_result *out)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    const struct slt_ndp *ndp = in->ndp;
    bool has_mac = (ndp->present & SLT_NDP_TARGET_MAC) != 0;
    bool other = has_mac && memcmp(e->mac, ndp->target_mac, sizeof(e->mac)) != 0;
    if (!ndp->override && other) {
        /* I: a doubt about what we had, no replacement for it. */
        if (e->state == SLT_NEIGH_REACHABLE) {
            slt_neigh_set_stale(neigh, index, in->now_ns);
        }
        return;
    }
    /* II: take it over. */
    uint8_t mac[6];
    memcpy(mac, has_mac ? ndp->target_mac : e->mac, sizeof(mac));
    const struct slt_neigh_claim claim = {
        .mac = mac, .now_ns = in->now_ns, .proves = ndp->solicited};
    out->router_gone = e->router && !ndp->router;
    e->router = ndp->router;
    slt_neigh_learn(neigh, index, &claim);
}

static enum slt_reason update_entry(struct slt_neigh *neigh, uint32_t index,
                                    const struct slt_neigh_nd *in, struct slt_neigh_nd_result *out)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    if (e->state == SLT_NEIGH_FAILED) {
        /* To the RFC a failed entry is none, and none is made from an advertisement. */
        return SLT_DROP_ND_NOT_FOR_US;
    }
    if (e->state != SLT_NEIGH_INCOMPLETE) {
        update_known(neigh, index, in, out);
        return SLT_PASS;
    }
    if ((in->ndp->present & SLT_NDP_TARGET_MAC) == 0) {
        return SLT_DROP_ND_INVALID;
    }
    e->router = in->ndp->router;
    const struct slt_neigh_claim claim = {
        .mac = in->ndp->target_mac, .now_ns = in->now_ns, .proves = in->ndp->solicited};
    slt_neigh_learn(neigh, index, &claim);
    return SLT_PASS;
}

static enum slt_reason take_advertisement(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                          const struct slt_neigh_nd *in,
                                          struct slt_neigh_nd_result *out)
{
    const struct slt_ip_own *own = slt_ip_iface_find(iface, in->ndp->target);
    if ((in->ndp->present & SLT_NDP_TARGET_MAC) != 0 && slt_mac_is_group(in->ndp->target_mac)) {
        return SLT_DROP_ND_INVALID;
    }
    if (own) {
        /* RFC 4862 5.4.4: while it is tested the address is the other's; later it is a conflict
         * that is noted and changes nothing. */
        out->duplicate = own->state == SLT_IP_OWN_TENTATIVE;
        return SLT_NOTE_ARP_CONFLICT;
    }
    uint32_t index = slt_neigh_find(neigh, in->ndp->target);
    return index == SLT_NIL ? SLT_DROP_ND_NOT_FOR_US : update_entry(neigh, index, in, out);
}

enum slt_reason slt_neigh_input_nd(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                   const struct slt_neigh_nd *in, struct slt_neigh_nd_result *out)
{
    *out = (struct slt_neigh_nd_result){.reply = {.kind = SLT_NEIGH_REPLY_NONE}};
    slt_ip_addr_copy(out->target, in->ndp->target);
    if (in->ndp->type == SLT_ICMP6_NEIGHBOUR_SOLICIT) {
        return take_solicitation(neigh, iface, in, out);
    }
    SLT_ASSERT(in->ndp->type == SLT_ICMP6_NEIGHBOUR_ADVERT);
    return take_advertisement(neigh, iface, in, out);
}

/* Bytes of the message come after the headers, but the IPv6 header needs their number: the
 * messages here have one address and at most one option of eight octets. */
static uint32_t message_bytes(const struct slt_ndp *ndp)
{
    return 24U + (ndp->present != 0 ? 8U : 0U);
}

struct envelope {
    const uint8_t *src;
    const uint8_t *dst;
    const uint8_t *dst_mac;
};

static uint32_t emit_frame(const struct slt_ip_iface *iface, const struct envelope *to,
                           const struct slt_ndp *ndp, struct slt_writer *w)
{
    uint32_t start = w->at;
    struct slt_ipv6 ip = {.next_header = SLT_IP_PROTOCOL_ICMP6,
                          .hop_limit = ND_HOP_LIMIT,
                          .payload_bytes = message_bytes(ndp)};
    slt_ip_addr_copy(ip.src, to->src);
    slt_ip_addr_copy(ip.dst, to->dst);
    if (iface->link_kind == SALUT_LINK_ETHERNET) {
        struct slt_ethernet eth = {.type = SLT_ETHERTYPE_IPV6};
        memcpy(eth.dst, to->dst_mac, sizeof(eth.dst));
        memcpy(eth.src, iface->mac, sizeof(eth.src));
        (void)slt_ethernet_emit(&eth, w);
    }
    (void)slt_ipv6_emit(&ip, w);
    uint32_t body = slt_ndp_emit(ndp, to->src, to->dst, w);
    SLT_ASSERT(w->failed || body == ip.payload_bytes);
    return w->failed ? 0 : w->at - start;
}

uint32_t slt_neigh_emit_solicitation(const struct slt_ip_iface *iface,
                                     const struct slt_neigh_solicit *ask, struct slt_writer *w)
{
    static const uint8_t nobody[16];
    struct slt_ndp ndp = {.type = SLT_ICMP6_NEIGHBOUR_SOLICIT};
    struct envelope to = {.src = ask->src, .dst = ask->dst, .dst_mac = ask->dst_mac};
    slt_ip_addr_copy(ndp.target, ask->target);
    if (ask->probe) {
        /* RFC 4862 5.4.2 (R4862-01). */
        to.src = nobody;
    } else {
        ndp.present = SLT_NDP_SOURCE_MAC;
        memcpy(ndp.source_mac, iface->mac, sizeof(ndp.source_mac));
    }
    return emit_frame(iface, &to, &ndp, w);
}

uint32_t slt_neigh_emit_advertisement(const struct slt_ip_iface *iface,
                                      const struct slt_neigh_reply *reply, struct slt_writer *w)
{
    SLT_ASSERT(reply->kind == SLT_NEIGH_REPLY_NA);
    struct slt_ndp ndp = {.type = SLT_ICMP6_NEIGHBOUR_ADVERT,
                          .present = SLT_NDP_TARGET_MAC,
                          .solicited = reply->solicited,
                          .override = reply->overrides};
    slt_ip_addr_copy(ndp.target, reply->target);
    memcpy(ndp.target_mac, iface->mac, sizeof(ndp.target_mac));
    const struct envelope to = {.src = reply->target, .dst = reply->dst, .dst_mac = reply->dst_mac};
    return emit_frame(iface, &to, &ndp, w);
}
