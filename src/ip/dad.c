/* The steps of an address under test. `probes` counts what was sent: probes first, then, for IPv4,
 * announcements; `due_at_ns` is the only timer, and the table of addresses is small, so that
 * looking through it is the whole schedule.
 */
#include "ip/dad.h"

void slt_dad_init(struct slt_dad *dad, uint64_t seed)
{
    *dad = (struct slt_dad){.started_at_ns = INT64_MIN};
    slt_prng_seed(&dad->prng, seed);
}

static int64_t draw(struct slt_dad *dad, int64_t most_ns)
{
    return (int64_t)slt_prng_below(&dad->prng, (uint64_t)most_ns + 1);
}

void slt_dad_start(struct slt_dad *dad, struct slt_ip_own *own, int64_t now_ns)
{
    SLT_ASSERT(own->state == SLT_IP_OWN_TENTATIVE);
    int64_t from_ns = now_ns;
    /* RFC 5227 2.1.1 (ARP-10): after many conflicts, one attempt a minute. */
    if (dad->conflict_count >= SLT_DAD_CONFLICTS_MAX && dad->started_at_ns != INT64_MIN) {
        from_ns = slt_max64(now_ns, slt_time_add(dad->started_at_ns, SLT_DAD_RATE_LIMIT_NS));
    }
    dad->started_at_ns = from_ns;
    own->probes = 0;
    /* RFC 4862 5.4.2, RFC 5227 2.1.1: machines that start together do not speak together. */
    own->due_at_ns = slt_time_add(from_ns, draw(dad, SLT_NS_PER_S));
}

static void fill_probe(const struct slt_ip_own *own, struct slt_neigh_solicit *ask)
{
    *ask = (struct slt_neigh_solicit){.probe = true};
    slt_ip_addr_copy(ask->target, own->addr);
    if (slt_address_is_v4(own->addr)) {
        slt_ip_addr_copy(ask->dst, own->addr);
        memset(ask->dst_mac, 0xff, sizeof(ask->dst_mac));
    } else {
        slt_address_solicited_node(own->addr, ask->dst);
        slt_mac_of_multicast(ask->dst, ask->dst_mac);
    }
}

static void fill_announcement(const struct slt_ip_own *own, struct slt_neigh_reply *announce)
{
    *announce = (struct slt_neigh_reply){.kind = SLT_NEIGH_REPLY_ANNOUNCE};
    slt_ip_addr_copy(announce->target, own->addr);
    slt_ip_addr_copy(announce->dst, own->addr);
    memset(announce->dst_mac, 0xff, sizeof(announce->dst_mac));
}

/* One probe of IPv6 (RFC 4862 5.1: DupAddrDetectTransmits), three of IPv4 (ARP-07). */
static uint32_t probes_wanted(const struct slt_ip_own *own)
{
    return slt_address_is_v4(own->addr) ? SLT_DAD_PROBES4 : 1;
}

static void take_probe(struct slt_dad *dad, struct slt_ip_own *own, int64_t now_ns,
                       struct slt_dad_step *out)
{
    out->kind = SLT_DAD_PROBE;
    fill_probe(own, &out->ask);
    own->probes++;
    int64_t wait_ns = SLT_NS_PER_S; /* RFC 4862 5.4: RetransTimer */
    if (slt_address_is_v4(own->addr)) {
        bool last = own->probes == SLT_DAD_PROBES4;
        wait_ns = last ? SLT_DAD_ANNOUNCE_WAIT_NS : SLT_NS_PER_S + draw(dad, SLT_NS_PER_S);
    }
    own->due_at_ns = slt_time_add(now_ns, wait_ns);
}

static void take_usable(struct slt_ip_own *own, int64_t now_ns, struct slt_dad_step *out)
{
    bool deprecated = own->preferred_until_ns <= now_ns;
    out->kind = SLT_DAD_USABLE;
    own->state = deprecated ? SLT_IP_OWN_DEPRECATED : SLT_IP_OWN_PREFERRED;
    own->due_at_ns = slt_address_is_v4(own->addr) ? now_ns : SLT_NEVER;
}

/* RFC 5227 2.3 (ARP-08). */
static void take_announcement(struct slt_ip_own *own, int64_t now_ns, struct slt_dad_step *out)
{
    out->kind = SLT_DAD_ANNOUNCE;
    fill_announcement(own, &out->announce);
    own->probes++;
    bool last = own->probes == SLT_DAD_PROBES4 + SLT_DAD_ANNOUNCEMENTS4;
    own->due_at_ns = last ? SLT_NEVER : slt_time_add(now_ns, SLT_DAD_ANNOUNCE_WAIT_NS);
}

bool slt_dad_next(struct slt_dad *dad, struct slt_ip_iface *iface, int64_t now_ns,
                  struct slt_dad_step *out)
{
    struct slt_ip_own *own = NULL;
    for (uint32_t i = 0; i < iface->own_count && !own; i++) {
        own = iface->own[i].due_at_ns <= now_ns ? &iface->own[i] : NULL;
    }
    if (!own) {
        return false;
    }
    *out = (struct slt_dad_step){.kind = SLT_DAD_PROBE};
    slt_ip_addr_copy(out->addr, own->addr);
    if (own->state != SLT_IP_OWN_TENTATIVE) {
        take_announcement(own, now_ns, out);
    } else if (own->probes < probes_wanted(own)) {
        take_probe(dad, own, now_ns, out);
    } else {
        take_usable(own, now_ns, out);
        slt_ip_iface_changed(iface);
    }
    return true;
}

int64_t slt_dad_next_deadline(const struct slt_ip_iface *iface)
{
    int64_t next_ns = SLT_NEVER;
    for (uint32_t i = 0; i < iface->own_count; i++) {
        next_ns = slt_min64(next_ns, iface->own[i].due_at_ns);
    }
    return next_ns;
}

static bool is_tentative(const struct slt_ip_iface *iface, const uint8_t addr[16])
{
    const struct slt_ip_own *own = slt_ip_iface_find(iface, addr);
    return own && own->state == SLT_IP_OWN_TENTATIVE;
}

bool slt_dad_hears_arp(const struct slt_ip_iface *iface, const struct slt_arp *arp,
                       uint8_t addr[16])
{
    if (memcmp(arp->sender_mac, iface->mac, sizeof(iface->mac)) == 0) {
        return false;
    }
    if (is_tentative(iface, arp->sender_ip)) {
        slt_ip_addr_copy(addr, arp->sender_ip);
        return true;
    }
    /* RFC 5227 2.1.1: somebody else probes for the same address at the same time. */
    bool probe = arp->op == SLT_ARP_REQUEST && slt_address_is_unspecified(arp->sender_ip);
    if (probe && is_tentative(iface, arp->target_ip)) {
        slt_ip_addr_copy(addr, arp->target_ip);
        return true;
    }
    return false;
}

void slt_dad_eui64(const uint8_t mac[6], uint8_t id[8])
{
    id[0] = mac[0] ^ 2U;
    id[1] = mac[1];
    id[2] = mac[2];
    id[3] = 0xff;
    id[4] = 0xfe;
    id[5] = mac[3];
    id[6] = mac[4];
    id[7] = mac[5];
}

void slt_dad_conflict(struct slt_dad *dad, struct slt_ip_iface *iface, const uint8_t addr[16])
{
    uint8_t id[8];
    slt_dad_eui64(iface->mac, id);
    dad->conflict_count++;
    /* RFC 4862 5.4.5: a duplicate hardware address makes every other address suspect. */
    if (!slt_address_is_v4(addr) && slt_address_is_link_local(addr) &&
        memcmp(addr + 8, id, sizeof(id)) == 0) {
        iface->down6 = true;
    }
    (void)slt_ip_iface_remove(iface, addr);
}
