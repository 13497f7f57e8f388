/* The interface: who we are on the link, and where a packet goes next.
 *
 * Owns the instance's addresses (sorted, so that "is this address ours" is a binary search), the
 * routes (longest prefix first, so that the first match is the best) and the link's facts. An
 * address brings its prefix along as a connected route. Several default gateways may stand side by
 * side: the one TCP has doubted least is taken (RFC 1122 3.3.1.4), so a dead gateway is left
 * without asking anybody.
 *
 * RFC 1122 3.3.1 (routing of a host), 3.3.6 (broadcasts), RFC 4291 2.8 (a node's groups),
 * RFC 6724 5 (source selection), RFC 4861 5.2 (next hop).
 */
#ifndef SLT_IP_IFACE_H
#define SLT_IP_IFACE_H

#include "base/mem.h"
#include "base/time.h"
#include "ip/addr.h"
#include "salut/config.h"

enum slt_ip_own_state {
    SLT_IP_OWN_TENTATIVE, /* being tested: neither answers nor sends (RFC 4862 5.4) */
    SLT_IP_OWN_PREFERRED,
    SLT_IP_OWN_DEPRECATED /* goes on for what uses it, not chosen for new things */
};

/* An address of ours. */
struct slt_ip_own {
    uint8_t addr[16];
    uint8_t bits;               /* prefix length of 128 */
    uint8_t state;              /* enum slt_ip_own_state */
    uint8_t from_ra;            /* made from a router's prefix, and governed by its lifetimes */
    uint8_t probes;             /* duplicate address detection: solicitations sent */
    int64_t preferred_until_ns; /* SLT_NEVER unless from_ra */
    int64_t valid_until_ns;
    int64_t due_at_ns; /* next step of duplicate address detection; SLT_NEVER: none */
};

struct slt_ip_route {
    uint8_t prefix[16];     /* bits after `bits` are zero */
    uint8_t gateway[16];    /* unspecified: the prefix is on the link */
    int64_t valid_until_ns; /* SLT_NEVER unless from_ra */
    uint32_t doubts;        /* times TCP found this way doubtful since it last worked */
    uint16_t metric;        /* the lower is taken, among equal prefixes */
    uint8_t bits;           /* of 128 */
    uint8_t from_ra;
};

/* The last pair of addresses that a received packet was found fit with (ip/input.c): most packets
 * come between the same two hosts. */
struct slt_ip_judged {
    uint8_t src[16];
    uint8_t dst[16];
    uint64_t version; /* of the tables it was judged by */
    uint8_t way;
};

struct slt_ip_iface {
    struct slt_mem *mem;
    struct slt_ip_own *own; /* own_count of own_max, sorted by address */
    struct slt_ip_route *routes;
    uint32_t own_count;
    uint32_t own_max;
    uint32_t route_count;
    uint32_t route_max;
    uint16_t mtu;      /* of the link, IP packet bytes */
    uint16_t mtu6;     /* for IPv6: lowered by router advertisements, never above mtu */
    uint8_t ttl;       /* IPv4 */
    uint8_t hop_limit; /* IPv6: `ttl` until a router says otherwise */
    uint8_t link_kind; /* enum salut_link_kind */
    uint8_t mac[6];
    uint64_t version; /* of addresses and routes: see slt_ip_iface_changed; never 0 */
    struct slt_ip_judged judged;
    bool down6; /* IPv6 is off: our hardware-derived address is a duplicate (RFC 4862 5.4.5) */
};

/* What a destination address of a received packet means to us. */
enum slt_ip_target {
    SLT_IP_TARGET_FOREIGN,
    SLT_IP_TARGET_OURS,
    SLT_IP_TARGET_BROADCAST,
    SLT_IP_TARGET_MULTICAST /* a group we are in */
};

enum slt_ip_hop_kind {
    SLT_IP_HOP_NONE, /* no route */
    SLT_IP_HOP_LOCAL,
    SLT_IP_HOP_ON_LINK,
    SLT_IP_HOP_GATEWAY,
    SLT_IP_HOP_BROADCAST,
    SLT_IP_HOP_MULTICAST
};

struct slt_ip_hop {
    uint8_t kind;     /* enum slt_ip_hop_kind */
    bool resolve;     /* `addr` needs a link address from the neighbour cache */
    uint8_t addr[16]; /* the station to hand the packet to */
    uint8_t group[6]; /* broadcast and multicast: the link address itself */
};

/* Take the tables from `mem` (owner STACK) and the link's facts from `config`. */
SLT_MUST_USE bool slt_ip_iface_init(struct slt_ip_iface *iface, struct slt_mem *mem,
                                    const struct salut_config *config);
void slt_ip_iface_deinit(struct slt_ip_iface *iface);

/* Addresses or routes have changed in what they answer. Whoever remembers an answer remembers the
 * version that gave it, too, and asks again when this one differs; every function below that
 * changes something calls this, and so must who writes to an entry that it was given. */
void slt_ip_iface_changed(struct slt_ip_iface *iface);

/* Add an address; `bits` counts in 128. SALUT_OK, SALUT_ADDRESS_INVALID (no unicast address),
 * SALUT_INVALID (prefix length), SALUT_ADDRESS_IN_USE (it is ours already), SALUT_NO_MEMORY. */
enum salut_status slt_ip_iface_add(struct slt_ip_iface *iface, const uint8_t addr[16], uint8_t bits,
                                   enum slt_ip_own_state state);

/* SALUT_OK or SALUT_ADDRESS_NOT_AVAILABLE. */
enum salut_status slt_ip_iface_remove(struct slt_ip_iface *iface, const uint8_t addr[16]);

/* The entry of an address, tentative ones too; NULL when it is none of ours. Valid until the next
 * change of the addresses. */
struct slt_ip_own *slt_ip_iface_find(const struct slt_ip_iface *iface, const uint8_t addr[16]);

/* True when `addr` is ours and in use (not tentative). */
bool slt_ip_is_local(const struct slt_ip_iface *iface, const uint8_t addr[16]);

/* True for the directed broadcast of a subnet of ours, {net, 0} and {net, -1} (RFC 1122 3.3.6). */
bool slt_ip_is_subnet_broadcast(const struct slt_ip_iface *iface, const uint8_t addr[16]);

/* True for groups this host is in: all hosts, all nodes, solicited-node of each address. */
bool slt_ip_is_member(const struct slt_ip_iface *iface, const uint8_t group[16]);

enum slt_ip_target slt_ip_target_of(const struct slt_ip_iface *iface, const uint8_t dst[16]);

/* Add a route; an unspecified gateway means "on the link". Bits of `prefix` after `bits` are
 * ignored. A second route with the same prefix and gateway replaces the metric.
 * SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY. */
enum salut_status slt_ip_route_add(struct slt_ip_iface *iface, const uint8_t prefix[16],
                                   uint8_t bits, const uint8_t gateway[16], uint16_t metric);

/* SALUT_OK or SALUT_ADDRESS_NOT_AVAILABLE (no such route). */
enum salut_status slt_ip_route_remove(struct slt_ip_iface *iface, const uint8_t prefix[16],
                                      uint8_t bits, const uint8_t gateway[16]);

/* The route entry with this prefix and gateway, or NULL. */
struct slt_ip_route *slt_ip_route_find(const struct slt_ip_iface *iface, const uint8_t prefix[16],
                                       uint8_t bits, const uint8_t gateway[16]);

/* Advice from TCP about a gateway: it seems dead (R1, or resolution failed), or it works. */
void slt_ip_gateway_doubt(struct slt_ip_iface *iface, const uint8_t gateway[16]);
void slt_ip_gateway_trust(struct slt_ip_iface *iface, const uint8_t gateway[16]);

/* True when `addr` is in a prefix that is on our link. */
bool slt_ip_is_on_link(const struct slt_ip_iface *iface, const uint8_t addr[16]);

/* Where a packet for `dst` is handed over. */
void slt_ip_next_hop(const struct slt_ip_iface *iface, const uint8_t dst[16],
                     struct slt_ip_hop *hop);

/* The source for a new exchange with `dst`; false when no address fits. */
SLT_MUST_USE bool slt_ip_select_source(const struct slt_ip_iface *iface, const uint8_t dst[16],
                                       uint8_t src[16]);

#endif
