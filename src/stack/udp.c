/* UDP sockets through the public calls: opening, choosing a peer, options, facts, closing.
 *
 * A socket's port is chosen as RFC 6056 3.3.1 does it, from a place in the range that nobody can
 * predict; a port that no socket has at all is preferred to one that could be shared by address. A
 * peer is judged when it is chosen, by the tables of the network, and a socket without an address
 * of its own gets the one that the route asks for, as RFC 1122 4.1.3.5 wants it known.
 */
#include "stack/stack.h"

#include "ip/addr.h"

static struct slt_udp_sock *find(const struct salut_stack *stack, salut_udp handle)
{
    if (handle.index >= stack->udp.pool.fresh || handle.generation % 2 == 0) {
        return NULL;
    }
    struct slt_udp_sock *s = slt_udp_at(&stack->udp, handle.index);
    return s->generation == handle.generation && !slt_udp_has(s, SLT_UDP_ORPHAN) ? s : NULL;
}

struct slt_udp_sock *slt_udp_enter(const struct salut_stack *stack, salut_udp handle,
                                   enum salut_status *status)
{
    *status = stack->tx.pending ? SALUT_PENDING_OUTPUT : SALUT_STALE;
    return stack->tx.pending ? NULL : find(stack, handle);
}

/* ---- opening -------------------------------------------------------------------------------- */

#define OPEN_FLAGS (SALUT_UDP_V6_ONLY | SALUT_UDP_REUSE)

/* The first port from a random place on that is free: of everybody, or of those that may not share.
 */
static bool choose_from(struct salut_stack *stack, struct slt_udp_id *id, bool of_everybody)
{
    uint32_t range = (uint32_t)stack->config.port_high - stack->config.port_low + 1;
    uint32_t start = (uint32_t)(slt_prng_secret_u64(&stack->chance) % range);
    for (uint32_t tries = 0; tries < range; tries++) {
        id->local_port = (uint16_t)(stack->config.port_low + (start + tries) % range);
        if (of_everybody ? slt_udp_port_is_free(&stack->udp, id->local_port)
                         : slt_udp_is_free(&stack->udp, id, 0)) {
            return true;
        }
    }
    return false;
}

enum salut_status salut_udp_open(struct salut_stack *stack, const struct salut_udp_params *params,
                                 salut_udp *udp)
{
    struct slt_udp_id id = {.local_port = params->port};
    *udp = (salut_udp){SALUT_NO_INDEX, 0};
    if ((params->flags & ~(uint32_t)OPEN_FLAGS) != 0) {
        return SALUT_INVALID;
    }
    slt_ip_addr_copy(id.local, params->local.b);
    if (!slt_address_is_unspecified(id.local) && !slt_net_is_ours(stack, id.local)) {
        return SALUT_ADDRESS_NOT_AVAILABLE;
    }
    uint32_t marks = (params->flags & SALUT_UDP_V6_ONLY) ? SLT_UDP_V6_ONLY : 0U;
    marks |= (params->flags & SALUT_UDP_REUSE) ? SLT_UDP_REUSE : 0U;
    if (id.local_port == 0) {
        if (!choose_from(stack, &id, true) && !choose_from(stack, &id, false)) {
            return SALUT_ADDRESS_NOT_AVAILABLE;
        }
    } else if (!slt_udp_is_free(&stack->udp, &id, marks)) {
        return SALUT_ADDRESS_IN_USE;
    }
    uint32_t index = slt_udp_new(&stack->udp, &id, marks);
    if (index == SLT_NIL) {
        return SALUT_NO_MEMORY;
    }
    struct slt_udp_sock *s = slt_udp_at(&stack->udp, index);
    s->user = params->user;
    s->zone = params->local.zone;
    *udp = (salut_udp){index, s->generation};
    return SALUT_OK;
}

enum salut_status salut_udp_close(struct salut_stack *stack, salut_udp udp)
{
    enum salut_status status;
    struct slt_udp_sock *s = slt_udp_enter(stack, udp, &status);
    if (!s) {
        return status;
    }
    slt_udp_close(&stack->udp, s);
    return SALUT_OK;
}

/* ---- peers ---------------------------------------------------------------------------------- */

enum salut_status slt_udp_judge(struct salut_stack *stack, const struct slt_udp_sock *s,
                                const uint8_t remote[16])
{
    bool v4 = slt_address_is_v4(remote);
    if (slt_address_is_unspecified(remote)) {
        return SALUT_ADDRESS_INVALID;
    }
    bool any = !slt_address_is_v4(s->bound) && slt_address_is_unspecified(s->bound);
    if (any ? v4 && slt_udp_has(s, SLT_UDP_V6_ONLY) : v4 != slt_address_is_v4(s->bound)) {
        return SALUT_INVALID;
    }
    switch (slt_net_hop_kind(stack, remote)) {
    case SLT_IP_HOP_NONE:
        return SALUT_NET_UNREACHABLE;
    case SLT_IP_HOP_LOCAL:
        return stack->loopback != 0 ? SALUT_OK : SALUT_NET_UNREACHABLE;
    case SLT_IP_HOP_BROADCAST: /* as everywhere: nobody floods a network by a mistyped address */
        return slt_udp_has(s, SLT_UDP_BROADCAST) ? SALUT_OK : SALUT_ADDRESS_INVALID;
    case SLT_IP_HOP_ON_LINK:
    case SLT_IP_HOP_GATEWAY:
    case SLT_IP_HOP_MULTICAST:
        break;
    }
    return SALUT_OK;
}

/* RFC 1122 4.1.4, RFC 6724: the address that the route asks for; RFC 4291 2.5.6: a link-local one
 * does not leave the link. */
bool slt_udp_source(const struct salut_stack *stack, const uint8_t remote[16], uint8_t local[16])
{
    if (!slt_net_source(stack, remote, local)) {
        return false;
    }
    return !slt_address_is_link_local(local) || slt_address_is_link_local(remote) ||
           slt_address_is_multicast(remote);
}

static enum salut_status set_peer(struct salut_stack *stack, struct slt_udp_sock *s,
                                  const uint8_t remote[16], uint16_t port)
{
    struct slt_udp_id id = {.local_port = s->id.local_port, .remote_port = port};
    enum salut_status status = slt_udp_judge(stack, s, remote);
    if (status != SALUT_OK) {
        return status;
    }
    slt_ip_addr_copy(id.remote, remote);
    slt_ip_addr_copy(id.local, s->bound);
    if (slt_address_is_unspecified(s->bound) && !slt_udp_source(stack, remote, id.local)) {
        return SALUT_NET_UNREACHABLE;
    }
    bool same = memcmp(&id, &s->id, sizeof(id)) == 0;
    if (!same && !slt_udp_is_free(&stack->udp, &id, s->marks)) {
        return SALUT_ADDRESS_IN_USE;
    }
    slt_udp_set_id(&stack->udp, s, &id);
    return SALUT_OK;
}

enum salut_status salut_udp_connect(struct salut_stack *stack, salut_udp udp,
                                    const salut_addr *remote, uint16_t port)
{
    enum salut_status status;
    struct slt_udp_sock *s = slt_udp_enter(stack, udp, &status);
    if (!s) {
        return status;
    }
    if (port != 0) {
        status = set_peer(stack, s, remote->b, port);
        if (status != SALUT_OK) {
            return status;
        }
    } else {
        struct slt_udp_id id = {.local_port = s->id.local_port};
        slt_ip_addr_copy(id.local, s->bound);
        slt_udp_set_id(&stack->udp, s, &id);
    }
    s->error = SALUT_OK; /* what was said of another peer */
    s->advice = SALUT_OK;
    return SALUT_OK;
}

/* ---- options and facts ---------------------------------------------------------------------- */

enum salut_status salut_udp_take_error(struct salut_stack *stack, salut_udp udp,
                                       enum salut_status *error)
{
    struct slt_udp_sock *s = find(stack, udp);
    *error = SALUT_OK;
    if (!s) {
        return SALUT_STALE;
    }
    *error = (enum salut_status)(s->error != SALUT_OK ? s->error : s->advice);
    s->error = SALUT_OK;
    s->advice = SALUT_OK;
    return SALUT_OK;
}

enum salut_status salut_udp_set_option(struct salut_stack *stack, salut_udp udp,
                                       enum salut_option option, int64_t value)
{
    struct slt_udp_sock *s = find(stack, udp);
    return s ? slt_udp_set_option(&stack->udp, s, option, value) : SALUT_STALE;
}

enum salut_status salut_udp_get_option(const struct salut_stack *stack, salut_udp udp,
                                       enum salut_option option, int64_t *value)
{
    const struct slt_udp_sock *s = find(stack, udp);
    *value = 0;
    if (!s) {
        return SALUT_STALE;
    }
    enum salut_status status = slt_udp_get_option(s, option, value);
    if (option == SALUT_OPT_TTL && *value == 0) {
        *value = slt_address_is_v4(s->bound) ? stack->iface.ttl : stack->iface.hop_limit;
    }
    return status;
}

enum salut_status salut_udp_set_interest(struct salut_stack *stack, salut_udp udp,
                                         uint32_t interest)
{
    struct slt_udp_sock *s = find(stack, udp);
    if (!s) {
        return SALUT_STALE;
    }
    s->interest = (uint8_t)interest;
    slt_udp_news(&stack->udp, s);
    return SALUT_OK;
}

enum salut_status salut_udp_ready(const struct salut_stack *stack, salut_udp udp, uint32_t *ready)
{
    const struct slt_udp_sock *s = find(stack, udp);
    *ready = s ? slt_udp_ready(s) : 0;
    return s ? SALUT_OK : SALUT_STALE;
}

enum salut_status salut_udp_set_user(struct salut_stack *stack, salut_udp udp, uint64_t user)
{
    struct slt_udp_sock *s = find(stack, udp);
    if (!s) {
        return SALUT_STALE;
    }
    s->user = user;
    return SALUT_OK;
}

bool slt_udp_info_at(const struct salut_stack *stack, uint32_t index, struct salut_info *info)
{
    const struct slt_udp_sock *s = slt_udp_at(&stack->udp, index);
    if (s->generation % 2 == 0) {
        return false;
    }
    slt_udp_info(s, info);
    if (slt_udp_has(s, SLT_UDP_CONNECTED)) {
        info->pmtu = slt_net_pmtu_now(stack, s->id.remote);
    }
    return true;
}

enum salut_status salut_udp_get_info(const struct salut_stack *stack, salut_udp udp,
                                     struct salut_info *info)
{
    const struct slt_udp_sock *s = find(stack, udp);
    if (!s) {
        return SALUT_STALE;
    }
    return slt_udp_info_at(stack, s->index, info) ? SALUT_OK : SALUT_STALE;
}
