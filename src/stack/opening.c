/* Opening and accepting: listeners, active opens, and a listener that becomes one (RFC 9293
 * 3.10.1, 3.9.1.1).
 */
#include "stack/stack.h"

#include "ip/addr.h"

/* ---- listeners ------------------------------------------------------------------------------ */

static uint32_t find_listener(const struct salut_stack *stack, salut_listener handle)
{
    if (handle.index >= stack->listen.pool.fresh || handle.generation % 2 == 0 ||
        slt_listener_at(stack, handle.index)->generation != handle.generation) {
        return SLT_NIL;
    }
    return handle.index;
}

#define LISTEN_FLAGS                                                                               \
    (SALUT_LISTEN_V6_ONLY | SALUT_LISTEN_ANY_PORT | SALUT_LISTEN_TRANSPARENT |                     \
     SALUT_LISTEN_EARLY_ACCEPT | SALUT_LISTEN_REUSE)

static enum salut_status check_listen_address(const struct salut_stack *stack,
                                              const struct salut_listen_params *params)
{
    const uint8_t *addr = params->local.b;
    if ((params->flags & ~(uint32_t)LISTEN_FLAGS) != 0) {
        return SALUT_INVALID;
    }
    if (slt_address_is_unspecified(addr) || (params->flags & SALUT_LISTEN_TRANSPARENT) != 0) {
        return slt_address_is_multicast(addr) ? SALUT_ADDRESS_NOT_AVAILABLE : SALUT_OK;
    }
    return slt_net_is_ours(stack, addr) ? SALUT_OK : SALUT_ADDRESS_NOT_AVAILABLE;
}

enum salut_status salut_listen(struct salut_stack *stack, const struct salut_listen_params *params,
                               salut_listener *listener)
{
    *listener = (salut_listener){SALUT_NO_INDEX, 0};
    enum salut_status status = check_listen_address(stack, params);
    if (status != SALUT_OK) {
        return status;
    }
    struct slt_listener wanted = {.port = params->port,
                                  .flags = params->flags,
                                  .backlog = params->backlog,
                                  .user = params->user,
                                  .zone = params->local.zone,
                                  .defaults = stack->defaults};
    slt_ip_addr_copy(wanted.addr, params->local.b);
    slt_listen_classify(&wanted);
    bool any_port = (params->flags & SALUT_LISTEN_ANY_PORT) != 0;
    if (!any_port && wanted.port == 0 && !slt_ports_choose_listener(stack, &wanted)) {
        return SALUT_ADDRESS_NOT_AVAILABLE;
    }
    if (slt_listen_conflicts(stack, &wanted)) {
        return SALUT_ADDRESS_IN_USE;
    }
    uint32_t index = slt_listen_add(stack, &wanted);
    if (index == SLT_NIL) {
        return SALUT_NO_MEMORY;
    }
    slt_stack_emit_listener(stack, index, SALUT_STATE_LISTEN, SLT_CAUSE_LISTEN_OPEN);
    *listener = (salut_listener){index, slt_listener_at(stack, index)->generation};
    return SALUT_OK;
}

enum salut_status salut_set_backlog(struct salut_stack *stack, salut_listener listener,
                                    uint32_t backlog)
{
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    slt_listener_at(stack, index)->backlog = backlog;
    return SALUT_OK;
}

enum salut_status salut_set_offered(struct salut_stack *stack, salut_listener listener,
                                    uint32_t count)
{
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    slt_listener_at(stack, index)->offered = count;
    return SALUT_OK;
}

enum salut_status salut_listener_local(const struct salut_stack *stack, salut_listener listener,
                                       salut_addr *local, uint16_t *port)
{
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    const struct slt_listener *l = slt_listener_at(stack, index);
    *local = (salut_addr){.zone = l->zone};
    slt_ip_addr_copy(local->b, l->addr);
    *port = l->port;
    return SALUT_OK;
}

enum salut_status salut_set_listener_option(struct salut_stack *stack, salut_listener listener,
                                            enum salut_option option, int64_t value)
{
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    return slt_tcp_set_default(&slt_listener_at(stack, index)->defaults, option, value);
}

enum salut_status salut_accept(struct salut_stack *stack, salut_listener listener, uint64_t user,
                               salut_conn *conn)
{
    *conn = (salut_conn){SALUT_NO_INDEX, 0};
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    if (stack->tx.pending) {
        return SALUT_PENDING_OUTPUT;
    }
    uint32_t taken = slt_listen_take(stack, index);
    if (taken == SLT_NIL) {
        return SALUT_WOULD_BLOCK;
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, taken);
    c->place.of.user = user;
    *conn = (salut_conn){taken, c->place.generation};
    slt_after_news(stack, c);
    return SALUT_OK;
}

/* SOCK-08: who was not accepted is reset, and whose handshake was under way too. */
static void close_listener(struct salut_stack *stack, uint32_t index)
{
    uint32_t conn;
    while ((conn = slt_listen_take(stack, index)) != SLT_NIL) {
        struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, conn);
        slt_tcp_abort(&stack->tcp, c, SLT_CAUSE_LISTENER_CLOSED, stack->now_ns);
        slt_tcp_close(&stack->tcp, c, stack->now_ns);
        slt_after(stack, c);
    }
    slt_half_open_drop_listener(stack, index);
    slt_listen_remove(stack, index);
}

enum salut_status salut_close_listener(struct salut_stack *stack, salut_listener listener)
{
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    if (stack->tx.pending) {
        return SALUT_PENDING_OUTPUT;
    }
    slt_stack_emit_listener(stack, index, SALUT_STATE_CLOSED, SLT_CAUSE_USER_CLOSE);
    close_listener(stack, index);
    return SALUT_OK;
}

#define CONNECT_FLAGS (SALUT_CONNECT_FAST_OPEN | SALUT_CONNECT_FAST_OPEN_WAIT)

/* ---- active opens --------------------------------------------------------------------------- */

/* RFC 9293 3.9.2.3 (MUST-46): no connection to a broadcast, multicast or unspecified address. */
static enum salut_status check_peer(const struct salut_stack *stack,
                                    const struct salut_connect_params *params)
{
    const uint8_t *addr = params->remote.b;
    if (slt_address_is_unspecified(addr) || slt_address_is_multicast(addr) ||
        slt_ip_addr_is_broadcast(addr) || slt_ip_is_subnet_broadcast(&stack->iface, addr)) {
        return SALUT_ADDRESS_INVALID;
    }
    bool odd = params->remote_port == 0 || (params->flags & ~(uint32_t)CONNECT_FLAGS) != 0;
    return odd ? SALUT_INVALID : SALUT_OK;
}

/* RFC 9293 3.9.1.1 (MUST-43, MUST-44): the caller's local address, or the one that IP chooses. */
static enum salut_status choose_local(const struct salut_stack *stack,
                                      const struct salut_connect_params *params,
                                      struct slt_tcp_id *id)
{
    if (!slt_net_has_way(stack, params->remote.b)) {
        return SALUT_NET_UNREACHABLE;
    }
    if (slt_address_is_unspecified(params->local.b)) {
        /* Without an address of the family and scope nothing gets through, whatever the routes say
         * (S-50; RFC 4291 2.5.6: no router forwards a link-local source). */
        bool found =
            slt_net_source(stack, params->remote.b, id->local) &&
            (!slt_address_is_link_local(id->local) || slt_address_is_link_local(params->remote.b));
        return found ? SALUT_OK : SALUT_NET_UNREACHABLE;
    }
    if (slt_address_is_v4(params->local.b) != slt_address_is_v4(params->remote.b)) {
        return SALUT_INVALID;
    }
    slt_ip_addr_copy(id->local, params->local.b);
    return slt_net_is_ours(stack, id->local) ? SALUT_OK : SALUT_ADDRESS_NOT_AVAILABLE;
}

/* A tuple to be opened, its hash (demux.c), and where its port comes from when the caller named
 * none. */
struct tuple {
    struct slt_tcp_id id;
    uint32_t hash;
    bool any_port;
    struct slt_port_search search;
};

/* All of a tuple, but for whether a port that we propose ourselves is taken. */
static enum salut_status choose_tuple(struct salut_stack *stack,
                                      const struct salut_connect_params *params, struct tuple *out)
{
    struct slt_tcp_id *id = &out->id;
    *id = (struct slt_tcp_id){.local_port = params->local_port, .remote_port = params->remote_port};
    slt_ip_addr_copy(id->remote, params->remote.b);
    enum salut_status status = check_peer(stack, params);
    if (status == SALUT_OK) {
        slt_net_remember(stack, id->remote);
        status = choose_local(stack, params, id);
    }
    if (status != SALUT_OK) {
        return status;
    }
    out->any_port = id->local_port == 0;
    if (out->any_port) {
        slt_ports_search(stack, id, &out->search);
        bool found = slt_ports_next(stack, &out->search, id, &out->hash);
        return found ? SALUT_OK : SALUT_ADDRESS_NOT_AVAILABLE;
    }
    out->hash = slt_demux_meet(stack, id);
    return slt_demux_has(stack, out->hash, id) ? SALUT_ADDRESS_IN_USE : SALUT_OK;
}

/* Go on from the port proposed to one that is free; false when there is none. */
static bool settle_port(struct salut_stack *stack, struct tuple *tuple)
{
    bool found = true;
    while (found && tuple->any_port && slt_demux_has(stack, tuple->hash, &tuple->id)) {
        found = slt_ports_next(stack, &tuple->search, &tuple->id, &tuple->hash);
    }
    if (found && tuple->any_port) {
        slt_ports_foresee(stack, &tuple->id);
    }
    return found;
}

/* Open on a tuple that nobody has. */
static enum salut_status open_conn(struct salut_stack *stack, struct tuple *tuple,
                                   const struct slt_listener *from,
                                   const struct salut_connect_params *params, salut_conn *conn)
{
    uint32_t index = slt_conns_new(stack, &tuple->id, from ? &from->defaults : &stack->defaults,
                                   from ? SALUT_STATE_LISTEN : SALUT_STATE_CLOSED);
    if (index == SLT_NIL) {
        return SALUT_NO_MEMORY;
    }
    slt_tcp_isn_foresee(&stack->tcp, &tuple->id); /* while the flow table is on its way */
    if (!settle_port(stack, tuple)) {
        slt_tcp_conn_give(&stack->tcp, index);
        return SALUT_ADDRESS_NOT_AVAILABLE;
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, index);
    c->id.local_port = tuple->id.local_port;
    enum salut_status status = slt_tcp_open(&stack->tcp, c, stack->now_ns);
    if (status != SALUT_OK) {
        slt_tcp_conn_give(&stack->tcp, index);
        return status;
    }
    if (params->flags & SALUT_CONNECT_FAST_OPEN) {
        slt_fast_open_begin(stack, c, (params->flags & SALUT_CONNECT_FAST_OPEN_WAIT) != 0);
    }
    c->place.of.user = params->user;
    c->place.interest = SALUT_CONNECTED | SALUT_ENDED;
    slt_conns_find_by_tuple(stack, index, tuple->hash);
    *conn = (salut_conn){index, c->place.generation};
    slt_after(stack, c);
    return SALUT_OK;
}

enum salut_status salut_connect(struct salut_stack *stack,
                                const struct salut_connect_params *params, salut_conn *conn)
{
    struct tuple tuple;
    *conn = (salut_conn){SALUT_NO_INDEX, 0};
    if (stack->tx.pending) {
        return SALUT_PENDING_OUTPUT;
    }
    enum salut_status status = choose_tuple(stack, params, &tuple);
    return status == SALUT_OK ? open_conn(stack, &tuple, NULL, params, conn) : status;
}

bool salut_fast_open_ready(const struct salut_stack *stack,
                           const struct salut_connect_params *params)
{
    struct slt_tcp_id id = {.remote_port = params->remote_port};
    if (check_peer(stack, params) != SALUT_OK || choose_local(stack, params, &id) != SALUT_OK) {
        return false;
    }
    slt_ip_addr_copy(id.remote, params->remote.b);
    return slt_fast_open_knows(stack, &id);
}

enum salut_status salut_listener_connect(struct salut_stack *stack, salut_listener listener,
                                         const struct salut_connect_params *params,
                                         salut_conn *conn)
{
    struct tuple tuple;
    struct salut_connect_params own = *params;
    *conn = (salut_conn){SALUT_NO_INDEX, 0};
    uint32_t index = find_listener(stack, listener);
    if (index == SLT_NIL) {
        return SALUT_STALE;
    }
    if (stack->tx.pending) {
        return SALUT_PENDING_OUTPUT;
    }
    const struct slt_listener *l = slt_listener_at(stack, index);
    own.local_port = l->port;
    own.local = (salut_addr){.zone = l->zone};
    if (!slt_address_is_unspecified(l->addr)) {
        slt_ip_addr_copy(own.local.b, l->addr);
    }
    enum salut_status status = choose_tuple(stack, &own, &tuple);
    if (status == SALUT_OK) {
        status = open_conn(stack, &tuple, l, params, conn);
    }
    if (status == SALUT_OK) {
        close_listener(stack, index);
    }
    return status;
}
