/* The way out: next hop, link address, path MTU.
 *
 * A connection keeps the neighbour it sends through, and holds the entry in the cache, so that the
 * index stays its own. It lets go of it when the way is doubted: the next segment asks again which
 * way to go.
 *
 * Connections open in runs towards one destination, so what addresses and routes last answered is
 * remembered, with the version of the tables that answered (slt_ip_iface_changed): one change of
 * any of them, and the next question goes to the tables again. The neighbour that was found is
 * remembered by its reference, which the cache itself knows to be stale. Whoever is about to send
 * remembers; who only asks looks here first.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#include <string.h>

uint16_t slt_net_pmtu(struct salut_stack *stack, const uint8_t dst[16])
{
    uint32_t link_mtu = slt_address_is_v4(dst) ? stack->iface.mtu : stack->iface.mtu6;
    return (uint16_t)slt_pmtu_get(&stack->pmtu, dst, link_mtu, stack->now_ns);
}

uint16_t slt_net_pmtu_now(const struct salut_stack *stack, const uint8_t dst[16])
{
    uint32_t link_mtu = slt_address_is_v4(dst) ? stack->iface.mtu : stack->iface.mtu6;
    return (uint16_t)slt_pmtu_peek(&stack->pmtu, dst, link_mtu, stack->now_ns);
}

static struct slt_neigh_ref ref_of(const struct salut_stack *stack,
                                   const struct slt_tcp_place *place)
{
    uint32_t index = place->neighbour - 1U;
    return (struct slt_neigh_ref){index, slt_neigh_at(&stack->neigh, index)->generation};
}

void slt_net_forget(struct salut_stack *stack, struct slt_tcp_place *place)
{
    if (place->neighbour != 0) {
        slt_neigh_release(&stack->neigh, ref_of(stack, place));
        place->neighbour = 0;
    }
}

void slt_net_confirm(struct salut_stack *stack, const struct slt_tcp_place *place)
{
    if (place->neighbour != 0) {
        slt_neigh_confirm_held(&stack->neigh, place->neighbour - 1U, stack->now_ns);
    }
}

static bool is_remembered(const struct salut_stack *stack, const uint8_t dst[16])
{
    return stack->net.version == stack->iface.version && slt_ip_addr_equal(stack->net.dst, dst);
}

/* Where the packets for `dst` go, remembered from now on. */
static struct slt_net_memory *recall(struct salut_stack *stack, const uint8_t dst[16])
{
    struct slt_net_memory *net = &stack->net;
    if (!is_remembered(stack, dst)) {
        net->version = stack->iface.version;
        net->source = SLT_NET_SOURCE_UNASKED;
        net->ref = (struct slt_neigh_ref){SLT_NIL, 0};
        slt_ip_addr_copy(net->dst, dst);
        slt_ip_next_hop(&stack->iface, dst, &net->hop);
    }
    return net;
}

void slt_net_remember(struct salut_stack *stack, const uint8_t dst[16])
{
    struct slt_net_memory *net = recall(stack, dst);
    if (net->source == SLT_NET_SOURCE_UNASKED) {
        bool found = slt_ip_select_source(&stack->iface, dst, net->src);
        net->source = found ? SLT_NET_SOURCE_FOUND : SLT_NET_SOURCE_NONE;
    }
}

/* Where packets for `dst` go first; and its source, for whoever asks next. */
enum slt_ip_hop_kind slt_net_hop_kind(struct salut_stack *stack, const uint8_t dst[16])
{
    slt_net_remember(stack, dst);
    return (enum slt_ip_hop_kind)stack->net.hop.kind;
}

/* RFC 1122 3.3.1.4, RFC 9293 3.8.3 (MUST-20): R1 has passed, so the first hop is doubted. */
void slt_net_doubt(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    struct slt_ip_hop hop;
    slt_ip_next_hop(&stack->iface, c->id.remote, &hop);
    if (hop.kind == SLT_IP_HOP_GATEWAY) {
        slt_ip_gateway_doubt(&stack->iface, hop.addr);
    }
    slt_net_forget(stack, &c->place);
}

/* A destination of our own needs a link that brings back what we send. */
static bool reaches_itself(const struct salut_stack *stack)
{
    return stack->loopback != 0 || stack->config.own_traffic != 0;
}

/* Destinations that ask no neighbour. */
static enum slt_net_answer answer_without_neighbour(const struct salut_stack *stack,
                                                    const struct slt_ip_hop *hop, uint8_t mac[6])
{
    if (hop->kind == SLT_IP_HOP_NONE) {
        return SLT_NET_NO_ROUTE;
    }
    if (hop->kind == SLT_IP_HOP_LOCAL) {
        memcpy(mac, stack->config.mac, SLT_MAC_BYTES);
        return reaches_itself(stack) ? SLT_NET_SEND : SLT_NET_NO_ROUTE;
    }
    memcpy(mac, hop->group, SLT_MAC_BYTES);
    return SLT_NET_SEND;
}

enum slt_net_answer slt_net_way(struct salut_stack *stack, const uint8_t dst[16],
                                struct slt_net_way *way)
{
    struct slt_neigh_found found;
    way->ref = (struct slt_neigh_ref){SLT_NIL, 0};
    /* A link without stations has one way out, and one that brings back what we send takes
     * everything; where there is no way at all was seen when the connection was opened. */
    if (stack->config.link_kind != SALUT_LINK_ETHERNET) {
        return SLT_NET_SEND;
    }
    struct slt_net_memory *net = recall(stack, dst);
    if (!net->hop.resolve) {
        return answer_without_neighbour(stack, &net->hop, way->mac);
    }
    if (slt_neigh_use(&stack->neigh, net->ref, stack->now_ns, way->mac)) {
        way->ref = net->ref;
        return SLT_NET_SEND;
    }
    slt_neigh_resolve(&stack->neigh, net->hop.addr, stack->now_ns, &found);
    net->ref = found.ref;
    way->ref = found.ref;
    memcpy(way->mac, found.mac, SLT_MAC_BYTES);
    switch ((enum slt_neigh_answer)found.answer) {
    case SLT_NEIGH_RESOLVED:
        return SLT_NET_SEND;
    case SLT_NEIGH_UNRESOLVED:
        return SLT_NET_WAIT;
    case SLT_NEIGH_UNREACHABLE:
        return SLT_NET_UNREACHABLE;
    case SLT_NEIGH_TABLE_FULL:
        slt_stack_note(stack, SLT_DROP_NEIGHBOUR_FULL);
        return SLT_NET_LOST;
    }
    SLT_UNREACHABLE("the neighbour cache answered nothing known");
}

enum slt_net_answer slt_net_way_of_conn(struct salut_stack *stack, struct slt_tcp_conn *c,
                                        struct slt_net_way *way)
{
    struct slt_tcp_place *place = &c->place;
    if (place->neighbour != 0) {
        if (slt_neigh_use_held(&stack->neigh, place->neighbour - 1U, stack->now_ns, way->mac)) {
            return SLT_NET_SEND;
        }
        slt_net_forget(stack, place);
    }
    enum slt_net_answer answer = slt_net_way(stack, c->id.remote, way);
    if (answer == SLT_NET_SEND && way->ref.index != SLT_NIL) {
        slt_neigh_hold(&stack->neigh, way->ref);
        place->neighbour = (uint16_t)(way->ref.index + 1);
    }
    return answer;
}

/* ---- questions about addresses -------------------------------------------------------------- */

bool slt_net_is_ours(const struct salut_stack *stack, const uint8_t addr[16])
{
    if (slt_ip_addr_is_loopback(addr)) {
        return stack->loopback != 0;
    }
    return slt_ip_is_local(&stack->iface, addr);
}

bool slt_net_has_way(const struct salut_stack *stack, const uint8_t dst[16])
{
    struct slt_ip_hop hop = stack->net.hop;
    if (!is_remembered(stack, dst)) {
        slt_ip_next_hop(&stack->iface, dst, &hop);
    }
    return hop.kind == SLT_IP_HOP_LOCAL ? reaches_itself(stack) : hop.kind != SLT_IP_HOP_NONE;
}

bool slt_net_source(const struct salut_stack *stack, const uint8_t dst[16], uint8_t src[16])
{
    if (slt_ip_addr_is_loopback(dst)) {
        slt_ip_addr_copy(src, dst);
        return true;
    }
    const struct slt_net_memory *net = &stack->net;
    if (is_remembered(stack, dst) && net->source != SLT_NET_SOURCE_UNASKED) {
        slt_ip_addr_copy(src, net->src);
        return net->source == SLT_NET_SOURCE_FOUND;
    }
    return slt_ip_select_source(&stack->iface, dst, src);
}
