/* Network interfaces of the current network namespace, set up through rtnetlink (rtnetlink(7)).
 *
 * What ip(8) would do for us, without needing it: links, addresses, routes, virtual Ethernet
 * pairs. Each call opens a netlink socket, sends one request and waits for its acknowledgement;
 * this is for setting up, not for the path of packets. Every call needs CAP_NET_ADMIN in the
 * namespace, except the two that only look.
 */
#ifndef SLT_LINK_RTNL_LINUX_H
#define SLT_LINK_RTNL_LINUX_H

#include "link/link.h"

struct slt_rtnl_facts {
    uint32_t index;
    uint32_t mtu;
    uint8_t mac[6]; /* zero where the interface has none */
    bool up;
    bool ethernet;
};

/* What an interface is. Returns SLT_LINK_FINE, SLT_LINK_NO_DEVICE, or other trouble. */
enum slt_link_trouble slt_rtnl_facts(const char *name, struct slt_rtnl_facts *facts,
                                     struct slt_link_error *error);

/* An address for the station at our end of a device whose other end has `mac`: locally
 * administered, not a group, and another one. */
void slt_rtnl_derive_mac(const uint8_t mac[6], uint8_t out[6]);

/* Settings of an interface. Each returns SLT_LINK_FINE or the trouble, with *error filled. */
enum slt_link_trouble slt_rtnl_set_mtu(const char *name, uint32_t mtu,
                                       struct slt_link_error *error);
enum slt_link_trouble slt_rtnl_set_queue(const char *name, uint32_t frames,
                                         struct slt_link_error *error);
enum slt_link_trouble slt_rtnl_set_up(const char *name, bool up, struct slt_link_error *error);
enum slt_link_trouble slt_rtnl_set_mac(const char *name, const uint8_t mac[6],
                                       struct slt_link_error *error);

/* Give the kernel an address on an interface. IPv6 addresses are usable at once (no duplicate
 * address detection). That it was there already is fine. */
enum slt_link_trouble slt_rtnl_add_address(const char *name, const salut_addr *addr,
                                           unsigned prefix_bits, struct slt_link_error *error);

/* Route `dest`/`prefix_bits` out of `name`, through `gateway` unless it is all zero. A default
 * route is 0 bits of an address of the family meant: :: or ::ffff:0.0.0.0. */
struct slt_rtnl_route {
    salut_addr dest;
    unsigned prefix_bits;
    salut_addr gateway;
};
enum slt_link_trouble slt_rtnl_add_route(const char *name, const struct slt_rtnl_route *route,
                                         struct slt_link_error *error);

/* Make a virtual Ethernet pair: what goes into one interface comes out of the other. */
enum slt_link_trouble slt_rtnl_make_veth(const char *a, const char *b,
                                         struct slt_link_error *error);

/* Remove an interface (of a pair: both). */
enum slt_link_trouble slt_rtnl_remove(const char *name, struct slt_link_error *error);

/* Move an interface to the network namespace that descriptor `namespace_fd` stands for. */
enum slt_link_trouble slt_rtnl_move(const char *name, int namespace_fd,
                                    struct slt_link_error *error);

#endif
