/* Router advertisements, part by part: parameters, the router, prefixes on the link, prefixes for
 * addresses. Each part is a function that looks for its own earlier entry first, so that the same
 * advertisement repeated only moves lifetimes.
 *
 * Not here: DHCPv6 (the M and O flags), route information options (RFC 4191), RDNSS.
 */
#include "ip/ra.h"

#include "wire/ethernet.h"

#define LIFETIME_INFINITE UINT32_MAX
#define TWO_HOURS_NS      (7200 * SLT_NS_PER_S)
#define REACHABLE_MAX_MS  3600000U /* RFC 4861 6.2.1 */

static const uint8_t any[16];
static const uint8_t all_routers[16] = {0xff, 0x02, [15] = 2};

void slt_ra_init(struct slt_ra *ra, const struct slt_ra_setup *setup)
{
    *ra = (struct slt_ra){.key = setup->key, .slaac = setup->slaac, .due_at_ns = SLT_NEVER};
    slt_prng_seed(&ra->prng, setup->seed);
}

void slt_ra_start(struct slt_ra *ra, int64_t now_ns)
{
    ra->sent_count = 0;
    ra->due_at_ns =
        slt_time_add(now_ns, (int64_t)slt_prng_below(&ra->prng, (uint64_t)SLT_NS_PER_S + 1));
}

bool slt_ra_next_due(struct slt_ra *ra, int64_t now_ns)
{
    if (ra->due_at_ns > now_ns) {
        return false;
    }
    ra->sent_count++;
    bool last = ra->sent_count >= SLT_RA_SOLICITS_MAX;
    ra->due_at_ns = last ? SLT_NEVER : slt_time_add(now_ns, SLT_RA_SOLICIT_NS);
    return true;
}

uint32_t slt_ra_emit_solicitation(const struct slt_ip_iface *iface, struct slt_writer *w)
{
    uint32_t start = w->at;
    struct slt_ndp ndp = {.type = SLT_ICMP6_ROUTER_SOLICIT};
    struct slt_ipv6 ip = {
        .next_header = SLT_IP_PROTOCOL_ICMP6, .hop_limit = 255, .payload_bytes = 8};
    slt_ip_addr_copy(ip.dst, all_routers);
    /* RFC 4861 4.1: without an address yet, no link address either. */
    if (slt_ip_select_source(iface, all_routers, ip.src)) {
        ndp.present = SLT_NDP_SOURCE_MAC;
        memcpy(ndp.source_mac, iface->mac, sizeof(ndp.source_mac));
        ip.payload_bytes += 8;
    }
    if (iface->link_kind == SALUT_LINK_ETHERNET) {
        struct slt_ethernet eth = {.type = SLT_ETHERTYPE_IPV6};
        slt_mac_of_multicast(all_routers, eth.dst);
        memcpy(eth.src, iface->mac, sizeof(eth.src));
        (void)slt_ethernet_emit(&eth, w);
    }
    (void)slt_ipv6_emit(&ip, w);
    (void)slt_ndp_emit(&ndp, ip.src, ip.dst, w);
    return w->failed ? 0 : w->at - start;
}

static int64_t until(int64_t now_ns, uint32_t lifetime_s)
{
    if (lifetime_s == LIFETIME_INFINITE) {
        return SLT_NEVER;
    }
    return slt_time_add(now_ns, (int64_t)lifetime_s * SLT_NS_PER_S);
}

/* R4861-06: a value of 0 says nothing. */
static void take_parameters(const struct slt_ra_targets *to, const struct slt_ndp *ndp)
{
    if (ndp->hop_limit != 0) {
        to->iface->hop_limit = ndp->hop_limit;
    }
    uint32_t reachable_ms = ndp->reachable_ms <= REACHABLE_MAX_MS ? ndp->reachable_ms : 0;
    slt_neigh_set_times(to->neigh, (int64_t)reachable_ms * SLT_NS_PER_MS,
                        (int64_t)slt_min32(ndp->retransmit_ms, 60000) * SLT_NS_PER_MS);
    /* RFC 4861 6.3.4: between IPv6's minimum and what the link can carry. */
    if ((ndp->present & SLT_NDP_MTU) != 0 && ndp->mtu >= 1280 && ndp->mtu <= to->iface->mtu) {
        to->iface->mtu6 = (uint16_t)ndp->mtu;
    }
}

/* The advertisement's source is a neighbour, and a router (RFC 4861 6.3.4). */
static void learn_router(const struct slt_ra_targets *to, const struct slt_neigh_nd *in)
{
    uint32_t index = slt_neigh_find(to->neigh, in->packet->src);
    const struct slt_neigh_claim claim = {.mac = in->ndp->source_mac, .now_ns = in->now_ns};
    if ((in->ndp->present & SLT_NDP_SOURCE_MAC) != 0) {
        if (index != SLT_NIL) {
            slt_neigh_learn(to->neigh, index, &claim);
        } else {
            slt_neigh_learn_asker(to->neigh, in->packet->src, &claim);
            index = slt_neigh_find(to->neigh, in->packet->src);
        }
    }
    if (index != SLT_NIL) {
        slt_neigh_at(to->neigh, index)->router = true;
    }
}

/* Routes from advertisements, with a gateway (routers) or without (prefixes). */
static uint32_t count_routes(const struct slt_ip_iface *iface, bool routers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < iface->route_count; i++) {
        bool router = !slt_address_is_unspecified(iface->routes[i].gateway);
        count += iface->routes[i].from_ra && router == routers ? 1 : 0;
    }
    return count;
}

/* Set, add or remove a route; `max` bounds those of its kind. Configured ones are left alone. */
static void set_route(struct slt_ip_iface *iface, const struct slt_ip_route *wanted, uint32_t max,
                      int64_t now_ns)
{
    bool router = !slt_address_is_unspecified(wanted->gateway);
    struct slt_ip_route *route =
        slt_ip_route_find(iface, wanted->prefix, wanted->bits, wanted->gateway);
    if (route && !route->from_ra) {
        return;
    }
    if (wanted->valid_until_ns <= now_ns) {
        if (route) {
            (void)slt_ip_route_remove(iface, wanted->prefix, wanted->bits, wanted->gateway);
        }
        return;
    }
    if (!route) {
        if (count_routes(iface, router) >= max ||
            slt_ip_route_add(iface, wanted->prefix, wanted->bits, wanted->gateway, 0) != SALUT_OK) {
            return;
        }
        route = slt_ip_route_find(iface, wanted->prefix, wanted->bits, wanted->gateway);
    }
    SLT_ASSERT(route);
    route->from_ra = 1;
    route->valid_until_ns = wanted->valid_until_ns;
}

static void take_router(struct slt_ip_iface *iface, const struct slt_neigh_nd *in)
{
    /* R4861-06: a lifetime of 0 means "not a default router". */
    struct slt_ip_route wanted = {.valid_until_ns = until(in->now_ns, in->ndp->lifetime_s)};
    slt_ip_addr_copy(wanted.gateway, in->packet->src);
    set_route(iface, &wanted, SLT_RA_ROUTERS_MAX, in->now_ns);
}

static void take_on_link(struct slt_ip_iface *iface, const struct slt_ndp_prefix *prefix,
                         int64_t now_ns)
{
    struct slt_ip_route wanted = {.bits = prefix->length,
                                  .valid_until_ns = until(now_ns, prefix->valid_s)};
    slt_ip_addr_copy(wanted.prefix, prefix->prefix);
    slt_ip_addr_fill_host(wanted.prefix, prefix->length, false);
    set_route(iface, &wanted, SLT_RA_PREFIXES_MAX, now_ns);
}

void slt_ra_fill_id(const struct slt_ra *ra, const uint8_t mac[6], uint8_t addr[16])
{
    /* RFC 7217 5: the same on the same network, different on every other, and no hint at the
     * hardware. */
    uint8_t input[14];
    memcpy(input, addr, 8);
    memcpy(input + 8, mac, 6);
    uint64_t id = slt_siphash24(&ra->key, input, sizeof(input));
    for (uint32_t i = 0; i < 8; i++) {
        addr[8 + i] = (uint8_t)(id >> 8 * i);
    }
}

static uint32_t count_addresses(const struct slt_ip_iface *iface)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < iface->own_count; i++) {
        count += iface->own[i].from_ra ? 1 : 0;
    }
    return count;
}

/* RFC 4862 5.5.3 (e) (R4862-03): an advertisement, which anyone may forge, cannot end an address
 * sooner than in two hours. */
static void refresh_address(struct slt_ip_iface *iface, struct slt_ip_own *own,
                            const struct slt_ndp_prefix *prefix, int64_t now_ns)
{
    int64_t valid_until_ns = until(now_ns, prefix->valid_s);
    int64_t two_hours_ns = slt_time_add(now_ns, TWO_HOURS_NS);
    if (valid_until_ns > two_hours_ns || valid_until_ns > own->valid_until_ns) {
        own->valid_until_ns = valid_until_ns;
    } else if (own->valid_until_ns > two_hours_ns) {
        own->valid_until_ns = two_hours_ns;
    }
    own->preferred_until_ns = until(now_ns, prefix->preferred_s);
    if (own->state != SLT_IP_OWN_TENTATIVE) {
        bool preferred = own->preferred_until_ns > now_ns;
        own->state = preferred ? SLT_IP_OWN_PREFERRED : SLT_IP_OWN_DEPRECATED;
        slt_ip_iface_changed(iface);
    }
}

static void make_address(const struct slt_ra *ra, const struct slt_ra_targets *to,
                         const struct slt_ndp_prefix *prefix, int64_t now_ns)
{
    uint8_t addr[16];
    slt_ip_addr_copy(addr, prefix->prefix);
    slt_ra_fill_id(ra, to->iface->mac, addr);
    struct slt_ip_own *own = slt_ip_iface_find(to->iface, addr);
    if (own) {
        if (own->from_ra) {
            refresh_address(to->iface, own, prefix, now_ns);
        }
        return;
    }
    if (prefix->valid_s == 0 || count_addresses(to->iface) >= SLT_RA_ADDRESSES_MAX ||
        slt_ip_iface_add(to->iface, addr, 64, SLT_IP_OWN_TENTATIVE) != SALUT_OK) {
        return;
    }
    own = slt_ip_iface_find(to->iface, addr);
    SLT_ASSERT(own);
    own->from_ra = 1;
    slt_ip_iface_changed(to->iface);
    own->valid_until_ns = until(now_ns, prefix->valid_s);
    own->preferred_until_ns = until(now_ns, prefix->preferred_s);
    slt_dad_start(to->dad, own, now_ns);
}

static void take_prefix(const struct slt_ra *ra, const struct slt_ra_targets *to,
                        const struct slt_ndp_prefix *prefix, int64_t now_ns)
{
    /* RFC 4861 6.3.4, RFC 4862 5.5.3 (b): the link-local prefix is nobody's to advertise; and a
     * multicast or IPv4-mapped one is nonsense. */
    uint8_t masked[16];
    slt_ip_addr_copy(masked, prefix->prefix);
    if (slt_address_is_link_local(masked) || slt_address_is_multicast(masked) ||
        slt_address_is_v4(masked) || prefix->length == 0) {
        return;
    }
    if (prefix->on_link) {
        take_on_link(to->iface, prefix, now_ns);
    }
    /* (c): preferred longer than valid is ignored; (d): prefix and identifier must make 128. */
    if (prefix->autonomous && ra->slaac && prefix->length == 64 &&
        prefix->preferred_s <= prefix->valid_s) {
        make_address(ra, to, prefix, now_ns);
    }
}

enum slt_reason slt_ra_input(struct slt_ra *ra, const struct slt_ra_targets *to,
                             const struct slt_neigh_nd *in)
{
    const struct slt_ndp *ndp = in->ndp;
    SLT_ASSERT(ndp->type == SLT_ICMP6_ROUTER_ADVERT);
    if ((ndp->present & SLT_NDP_SOURCE_MAC) != 0 && slt_mac_is_group(ndp->source_mac)) {
        return SLT_DROP_ND_INVALID;
    }
    take_parameters(to, ndp);
    learn_router(to, in);
    take_router(to->iface, in);
    for (uint32_t i = 0; i < ndp->prefix_count; i++) {
        take_prefix(ra, to, &ndp->prefixes[i], in->now_ns);
    }
    /* RFC 4861 6.3.7: a router that is there need not be asked for. */
    if (ndp->lifetime_s > 0 && ra->sent_count > 0) {
        ra->due_at_ns = SLT_NEVER;
    }
    return SLT_PASS;
}

void slt_ra_drop_router(struct slt_ip_iface *iface, const uint8_t router[16])
{
    const struct slt_ip_route *route = slt_ip_route_find(iface, any, 0, router);
    if (route && route->from_ra) {
        (void)slt_ip_route_remove(iface, any, 0, router);
    }
}

static void expire_routes(struct slt_ip_iface *iface, int64_t now_ns)
{
    uint32_t i = 0;
    while (i < iface->route_count) {
        struct slt_ip_route old = iface->routes[i];
        if (old.valid_until_ns <= now_ns) {
            (void)slt_ip_route_remove(iface, old.prefix, old.bits, old.gateway);
        } else {
            i++;
        }
    }
}

bool slt_ra_expire(struct slt_ip_iface *iface, int64_t now_ns, uint8_t addr[16])
{
    expire_routes(iface, now_ns);
    for (uint32_t i = 0; i < iface->own_count; i++) {
        struct slt_ip_own *own = &iface->own[i];
        if (own->valid_until_ns <= now_ns) {
            slt_ip_addr_copy(addr, own->addr);
            (void)slt_ip_iface_remove(iface, addr);
            return true;
        }
        /* RFC 4862 5.5.4 (R4862-04). */
        if (own->preferred_until_ns <= now_ns && own->state == SLT_IP_OWN_PREFERRED) {
            own->state = SLT_IP_OWN_DEPRECATED;
            slt_ip_iface_changed(iface);
        }
    }
    return false;
}

int64_t slt_ra_next_deadline(const struct slt_ra *ra, const struct slt_ip_iface *iface)
{
    int64_t next_ns = ra->due_at_ns;
    for (uint32_t i = 0; i < iface->own_count; i++) {
        const struct slt_ip_own *own = &iface->own[i];
        next_ns = slt_min64(next_ns, own->valid_until_ns);
        if (own->state == SLT_IP_OWN_PREFERRED) {
            next_ns = slt_min64(next_ns, own->preferred_until_ns);
        }
    }
    for (uint32_t i = 0; i < iface->route_count; i++) {
        next_ns = slt_min64(next_ns, iface->routes[i].valid_until_ns);
    }
    return next_ns;
}
