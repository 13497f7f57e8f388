/* Addresses, routes and the choices made from them.
 *
 * The tables are small arrays taken once. Addresses are kept in byte order and found by halving;
 * routes are kept in the order in which they match: longer prefix, lower metric, then age, so that
 * a lookup stops at the end of the first group that matches. The walk over addresses in source
 * selection and over routes in the next hop is bounded by addresses_max and routes_max.
 *
 * Not here: redirects change no route (J09: they are ignored), and nothing is forwarded.
 */
#include "ip/iface.h"

#include "base/span.h"

static const uint8_t no_gateway[16];

bool slt_ip_iface_init(struct slt_ip_iface *iface, struct slt_mem *mem,
                       const struct salut_config *config)
{
    *iface = (struct slt_ip_iface){.mem = mem,
                                   .own_max = config->addresses_max,
                                   .route_max = config->routes_max,
                                   .mtu = config->mtu,
                                   .mtu6 = config->mtu,
                                   .ttl = config->ttl,
                                   .hop_limit = config->ttl,
                                   .link_kind = (uint8_t)config->link_kind,
                                   .version = 1};
    memcpy(iface->mac, config->mac, sizeof(iface->mac));
    /* RFC 1122 3.2.1.7 (R1122-05): a packet with a TTL of 0 is never sent. */
    SLT_ASSERT(iface->ttl > 0);
    if (iface->own_max > 0) {
        iface->own = slt_mem_take(mem, SLT_OWNER_STACK, iface->own_max * sizeof(*iface->own));
    }
    if (iface->route_max > 0) {
        iface->routes =
            slt_mem_take(mem, SLT_OWNER_STACK, iface->route_max * sizeof(*iface->routes));
    }
    if ((iface->own_max > 0 && !iface->own) || (iface->route_max > 0 && !iface->routes)) {
        slt_ip_iface_deinit(iface);
        return false;
    }
    return true;
}

void slt_ip_iface_changed(struct slt_ip_iface *iface)
{
    iface->version++;
}

void slt_ip_iface_deinit(struct slt_ip_iface *iface)
{
    if (iface->own) {
        slt_mem_give(iface->mem, SLT_OWNER_STACK, iface->own, iface->own_max * sizeof(*iface->own));
    }
    if (iface->routes) {
        slt_mem_give(iface->mem, SLT_OWNER_STACK, iface->routes,
                     iface->route_max * sizeof(*iface->routes));
    }
    iface->own = NULL;
    iface->routes = NULL;
    iface->own_count = 0;
    iface->route_count = 0;
}

/* The index of the first own address that is not below `addr`. */
static uint32_t own_place(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    uint32_t low = 0;
    uint32_t high = iface->own_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slt_ip_addr_compare(iface->own[middle].addr, addr) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct slt_ip_own *slt_ip_iface_find(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    uint32_t place = own_place(iface, addr);
    bool found = place < iface->own_count && slt_ip_addr_equal(iface->own[place].addr, addr);
    return found ? &iface->own[place] : NULL;
}

enum salut_status slt_ip_iface_add(struct slt_ip_iface *iface, const uint8_t addr[16], uint8_t bits,
                                   enum slt_ip_own_state state)
{
    if (slt_ip_addr_is_unfit_source(addr)) {
        return SALUT_ADDRESS_INVALID;
    }
    if (bits > 128 || (slt_address_is_v4(addr) && bits < SLT_IP_V4_BITS)) {
        return SALUT_INVALID;
    }
    uint32_t place = own_place(iface, addr);
    if (place < iface->own_count && slt_ip_addr_equal(iface->own[place].addr, addr)) {
        return SALUT_ADDRESS_IN_USE;
    }
    if (iface->own_count == iface->own_max) {
        return SALUT_NO_MEMORY;
    }
    struct slt_ip_own *own = &iface->own[place];
    memmove(own + 1, own, (iface->own_count - place) * sizeof(*own));
    *own = (struct slt_ip_own){.bits = bits,
                               .state = (uint8_t)state,
                               .preferred_until_ns = SLT_NEVER,
                               .valid_until_ns = SLT_NEVER,
                               .due_at_ns = SLT_NEVER};
    slt_ip_addr_copy(own->addr, addr);
    iface->own_count++;
    slt_ip_iface_changed(iface);
    return SALUT_OK;
}

enum salut_status slt_ip_iface_remove(struct slt_ip_iface *iface, const uint8_t addr[16])
{
    struct slt_ip_own *own = slt_ip_iface_find(iface, addr);
    if (!own) {
        return SALUT_ADDRESS_NOT_AVAILABLE;
    }
    iface->own_count--;
    uint32_t place = (uint32_t)(own - iface->own);
    memmove(own, own + 1, (iface->own_count - place) * sizeof(*own));
    slt_ip_iface_changed(iface);
    return SALUT_OK;
}

bool slt_ip_is_local(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    const struct slt_ip_own *own = slt_ip_iface_find(iface, addr);
    /* RFC 4862 5.4 (R4862-01): a tentative address is not yet ours. */
    return own && own->state != SLT_IP_OWN_TENTATIVE;
}

/* `addr` is an IPv4 address. */
static bool is_broadcast_of(const struct slt_ip_own *own, const uint8_t addr[16])
{
    /* RFC 3021: a /31 has no broadcast, and a /32 no subnet. */
    if (!slt_address_is_v4(own->addr) || own->bits > 126) {
        return false;
    }
    const uint32_t host_mask = UINT32_MAX >> (own->bits - SLT_IP_V4_BITS);
    const uint32_t v4 = slt_get_u32(addr + 12);
    const uint32_t host = v4 & host_mask;
    bool same_subnet = ((v4 ^ slt_get_u32(own->addr + 12)) & ~host_mask) == 0;
    return same_subnet && (host == 0 || host == host_mask);
}

bool slt_ip_is_subnet_broadcast(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    for (uint32_t i = 0; slt_address_is_v4(addr) && i < iface->own_count; i++) {
        if (is_broadcast_of(&iface->own[i], addr)) {
            return true;
        }
    }
    return false;
}

bool slt_ip_is_member(const struct slt_ip_iface *iface, const uint8_t group[16])
{
    static const uint8_t all_hosts[4] = {224, 0, 0, 1};
    static const uint8_t all_nodes_interface[16] = {0xff, 0x01, [15] = 1};
    static const uint8_t all_nodes_link[16] = {0xff, 0x02, [15] = 1};
    if (slt_address_is_v4(group)) {
        return memcmp(group + 12, all_hosts, sizeof(all_hosts)) == 0;
    }
    if (slt_ip_addr_equal(group, all_nodes_link) || slt_ip_addr_equal(group, all_nodes_interface)) {
        return true;
    }
    for (uint32_t i = 0; i < iface->own_count; i++) {
        uint8_t mine[16];
        /* RFC 4862 5.4.2 (R4862-01): tentative addresses' groups too, or no conflict is heard. */
        slt_address_solicited_node(iface->own[i].addr, mine);
        if (!slt_address_is_v4(iface->own[i].addr) && slt_ip_addr_equal(mine, group)) {
            return true;
        }
    }
    return false;
}

enum slt_ip_target slt_ip_target_of(const struct slt_ip_iface *iface, const uint8_t dst[16])
{
    if (slt_ip_is_local(iface, dst)) {
        return SLT_IP_TARGET_OURS;
    }
    if (slt_address_is_multicast(dst)) {
        return slt_ip_is_member(iface, dst) ? SLT_IP_TARGET_MULTICAST : SLT_IP_TARGET_FOREIGN;
    }
    if (slt_ip_addr_is_broadcast(dst) || slt_ip_is_subnet_broadcast(iface, dst)) {
        return SLT_IP_TARGET_BROADCAST;
    }
    return SLT_IP_TARGET_FOREIGN;
}

struct slt_ip_route *slt_ip_route_find(const struct slt_ip_iface *iface, const uint8_t prefix[16],
                                       uint8_t bits, const uint8_t gateway[16])
{
    for (uint32_t i = 0; i < iface->route_count; i++) {
        struct slt_ip_route *route = &iface->routes[i];
        if (route->bits == bits && slt_ip_addr_in_prefix(prefix, route->prefix, bits) &&
            slt_ip_addr_equal(gateway, route->gateway)) {
            return route;
        }
    }
    return NULL;
}

static void remove_route(struct slt_ip_iface *iface, struct slt_ip_route *route)
{
    iface->route_count--;
    uint32_t place = (uint32_t)(route - iface->routes);
    memmove(route, route + 1, (iface->route_count - place) * sizeof(*route));
    slt_ip_iface_changed(iface);
}

static bool is_usable_gateway(const uint8_t prefix[16], const uint8_t gateway[16])
{
    if (slt_address_is_unspecified(gateway)) {
        return true;
    }
    return slt_address_is_v4(prefix) == slt_address_is_v4(gateway) &&
           !slt_ip_addr_is_unfit_source(gateway);
}

enum salut_status slt_ip_route_add(struct slt_ip_iface *iface, const uint8_t prefix[16],
                                   uint8_t bits, const uint8_t gateway[16], uint16_t metric)
{
    bool on_link = slt_address_is_unspecified(gateway);
    const uint8_t *via = on_link ? no_gateway : gateway;
    if (bits > 128 || (slt_address_is_v4(prefix) && bits < SLT_IP_V4_BITS) ||
        !is_usable_gateway(prefix, via)) {
        return SALUT_INVALID;
    }
    struct slt_ip_route added = {.valid_until_ns = SLT_NEVER, .metric = metric, .bits = bits};
    slt_ip_addr_copy(added.prefix, prefix);
    slt_ip_addr_fill_host(added.prefix, bits, false);
    slt_ip_addr_copy(added.gateway, via);
    struct slt_ip_route *same = slt_ip_route_find(iface, prefix, bits, via);
    if (same) {
        added.doubts = same->doubts;
        remove_route(iface, same);
    } else if (iface->route_count == iface->route_max) {
        return SALUT_NO_MEMORY;
    }
    uint32_t place = 0;
    while (place < iface->route_count &&
           (iface->routes[place].bits > bits ||
            (iface->routes[place].bits == bits && iface->routes[place].metric <= metric))) {
        place++;
    }
    struct slt_ip_route *route = &iface->routes[place];
    memmove(route + 1, route, (iface->route_count - place) * sizeof(*route));
    *route = added;
    iface->route_count++;
    slt_ip_iface_changed(iface);
    return SALUT_OK;
}

enum salut_status slt_ip_route_remove(struct slt_ip_iface *iface, const uint8_t prefix[16],
                                      uint8_t bits, const uint8_t gateway[16])
{
    const uint8_t *via = slt_address_is_unspecified(gateway) ? no_gateway : gateway;
    struct slt_ip_route *route = slt_ip_route_find(iface, prefix, bits, via);
    if (!route) {
        return SALUT_ADDRESS_NOT_AVAILABLE;
    }
    remove_route(iface, route);
    return SALUT_OK;
}

void slt_ip_gateway_doubt(struct slt_ip_iface *iface, const uint8_t gateway[16])
{
    for (uint32_t i = 0; i < iface->route_count; i++) {
        struct slt_ip_route *route = &iface->routes[i];
        if (slt_ip_addr_equal(route->gateway, gateway) && route->doubts < UINT32_MAX) {
            route->doubts++;
            slt_ip_iface_changed(iface);
        }
    }
}

void slt_ip_gateway_trust(struct slt_ip_iface *iface, const uint8_t gateway[16])
{
    for (uint32_t i = 0; i < iface->route_count; i++) {
        struct slt_ip_route *route = &iface->routes[i];
        if (slt_ip_addr_equal(route->gateway, gateway) && route->doubts > 0) {
            route->doubts = 0;
            slt_ip_iface_changed(iface);
        }
    }
}

/* An IPv6 prefix shorter than 96 bits may hold the mapped form of every IPv4 address. */
static bool route_matches(const struct slt_ip_route *route, const uint8_t dst[16])
{
    if (slt_address_is_v4(dst) && route->bits < SLT_IP_V4_BITS) {
        return false;
    }
    return slt_ip_addr_in_prefix(dst, route->prefix, route->bits);
}

/* The best route: longest prefix, lowest metric, least doubted, oldest. */
static const struct slt_ip_route *best_route(const struct slt_ip_iface *iface,
                                             const uint8_t dst[16])
{
    const struct slt_ip_route *best = NULL;
    for (uint32_t i = 0; i < iface->route_count; i++) {
        const struct slt_ip_route *route = &iface->routes[i];
        if (best && (route->bits != best->bits || route->metric != best->metric)) {
            break;
        }
        /* RFC 1122 3.3.1.4 (R1122-08): go on to another gateway when this one seems dead. */
        if (route_matches(route, dst) && (!best || route->doubts < best->doubts)) {
            best = route;
        }
    }
    return best;
}

/* The length of the longest prefix of our addresses that holds `addr`; -1: none. */
static int32_t connected_bits(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    int32_t bits = -1;
    /* RFC 4861 5.1: the link-local prefix is always on the link. */
    if (!slt_address_is_v4(addr) && slt_address_is_link_local(addr)) {
        bits = 10;
    }
    for (uint32_t i = 0; i < iface->own_count; i++) {
        const struct slt_ip_own *own = &iface->own[i];
        bool family = slt_address_is_v4(own->addr) == slt_address_is_v4(addr);
        /* RFC 5942 4: a prefix from which a router let us make an address says nothing about the
         * link; the advertisement's L flag does, and becomes a route. */
        if (family && !own->from_ra && own->bits > bits &&
            slt_ip_addr_in_prefix(addr, own->addr, own->bits)) {
            bits = own->bits;
        }
    }
    return bits;
}

bool slt_ip_is_on_link(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    const struct slt_ip_route *route = best_route(iface, addr);
    int32_t connected = connected_bits(iface, addr);
    if (!route || connected >= route->bits) {
        return connected >= 0;
    }
    return slt_address_is_unspecified(route->gateway);
}

static void hop_to_group(const uint8_t dst[16], struct slt_ip_hop *hop)
{
    if (slt_address_is_multicast(dst)) {
        hop->kind = SLT_IP_HOP_MULTICAST;
        slt_mac_of_multicast(dst, hop->group);
        return;
    }
    hop->kind = SLT_IP_HOP_BROADCAST;
    memset(hop->group, 0xff, sizeof(hop->group));
}

void slt_ip_next_hop(const struct slt_ip_iface *iface, const uint8_t dst[16],
                     struct slt_ip_hop *hop)
{
    *hop = (struct slt_ip_hop){.kind = SLT_IP_HOP_NONE};
    slt_ip_addr_copy(hop->addr, dst);
    if (slt_address_is_unspecified(dst)) {
        return;
    }
    if (slt_ip_is_local(iface, dst) || slt_ip_addr_is_loopback(dst)) {
        hop->kind = SLT_IP_HOP_LOCAL;
        return;
    }
    if (slt_address_is_multicast(dst) || slt_ip_addr_is_broadcast(dst) ||
        slt_ip_is_subnet_broadcast(iface, dst)) {
        hop_to_group(dst, hop);
        return;
    }
    const struct slt_ip_route *route = best_route(iface, dst);
    int32_t connected = connected_bits(iface, dst);
    bool ethernet = iface->link_kind == SALUT_LINK_ETHERNET;
    if (route && connected < route->bits && !slt_address_is_unspecified(route->gateway)) {
        hop->kind = SLT_IP_HOP_GATEWAY;
        slt_ip_addr_copy(hop->addr, route->gateway);
    } else if (route || connected >= 0 || !ethernet) {
        /* A link without stations has one other end: it needs no route to be the way out. */
        hop->kind = SLT_IP_HOP_ON_LINK;
    }
    hop->resolve = ethernet && hop->kind != SLT_IP_HOP_NONE;
}

struct choice {
    const uint8_t *dst;
    const uint8_t *hop; /* next hop's address */
};

/* RFC 6724 5, in its order. True when `a` is the better source than `b`. Rules 4 and 7 (home and
 * temporary addresses) have no object here, and rule 5 none with one interface. */
static bool is_better(const struct slt_ip_own *a, const struct slt_ip_own *b,
                      const struct choice *choice)
{
    const uint8_t *dst = choice->dst;
    /* Rule 1: the destination itself. */
    bool same_a = slt_ip_addr_equal(a->addr, dst);
    if (same_a || slt_ip_addr_equal(b->addr, dst)) {
        return same_a;
    }
    /* Rule 2: the smallest scope that reaches as far as the destination's. */
    enum slt_ip_scope scope_a = slt_ip_addr_scope(a->addr);
    enum slt_ip_scope scope_b = slt_ip_addr_scope(b->addr);
    enum slt_ip_scope scope = slt_ip_addr_scope(dst);
    if (scope_a != scope_b) {
        return scope_a < scope_b ? scope_a >= scope : scope_b < scope;
    }
    /* Rule 3 (R4862-04): new things do not begin on deprecated addresses. */
    if (a->state != b->state) {
        return a->state == SLT_IP_OWN_PREFERRED;
    }
    /* Rule 5.5, for static gateways: the subnet the packet leaves through. */
    bool near_a = slt_ip_addr_in_prefix(choice->hop, a->addr, a->bits);
    bool near_b = slt_ip_addr_in_prefix(choice->hop, b->addr, b->bits);
    if (near_a != near_b) {
        return near_a;
    }
    /* Rule 6: matching labels. */
    uint32_t label = slt_ip_addr_label(dst);
    bool label_a = slt_ip_addr_label(a->addr) == label;
    if (label_a != (slt_ip_addr_label(b->addr) == label)) {
        return label_a;
    }
    /* Rule 8: the longest common prefix, as far as the source's own prefix goes. */
    uint32_t common_a = slt_min32(slt_ip_addr_common_bits(a->addr, dst), a->bits);
    uint32_t common_b = slt_min32(slt_ip_addr_common_bits(b->addr, dst), b->bits);
    return common_a > common_b;
}

bool slt_ip_select_source(const struct slt_ip_iface *iface, const uint8_t dst[16], uint8_t src[16])
{
    struct slt_ip_hop hop;
    slt_ip_next_hop(iface, dst, &hop);
    const struct choice choice = {.dst = dst, .hop = hop.addr};
    const struct slt_ip_own *best = NULL;
    for (uint32_t i = 0; i < iface->own_count; i++) {
        const struct slt_ip_own *own = &iface->own[i];
        bool family = slt_address_is_v4(own->addr) == slt_address_is_v4(dst);
        if (family && own->state != SLT_IP_OWN_TENTATIVE &&
            (!best || is_better(own, best, &choice))) {
            best = own;
        }
    }
    if (!best) {
        return false;
    }
    slt_ip_addr_copy(src, best->addr);
    return true;
}
