/* Choosing a local port: RFC 6056 3.3.4 (double hash).
 *
 * A keyed hash of the destination gives the place where the search starts, and its other half picks
 * one of a table of counters that moves the start on with every choice: ports towards one
 * destination come in order (so the longest possible time passes before one is used again), and
 * nobody outside can tell what ports go elsewhere. What must be unique is the tuple, not the port;
 * ports that a listener has are left out (3.2). The search visits every port of the range at most
 * once, so an exhausted range is an answer and not a loop.
 *
 * Programs open connections to the same few destinations over and over: the hashes of the last ones
 * (of IPv4) are remembered, each at the place that its port names.
 */
#include "stack/stack.h"

#include "ip/addr.h"

void slt_ports_init(struct salut_stack *stack, struct slt_prng_secret *prng)
{
    struct slt_port_chooser *ports = &stack->ports;
    ports->key = (struct slt_sipkey){slt_prng_secret_u64(prng), slt_prng_secret_u64(prng)};
    for (uint32_t i = 0; i < SLT_PORT_COUNTERS; i++) {
        ports->counters[i] = (uint32_t)slt_prng_secret_u64(prng);
    }
}

static uint64_t hash_of(const struct slt_port_chooser *ports, const struct slt_tcp_id *id)
{
    struct slt_tcp_id key = *id;
    key.local_port = 0;
    return slt_tcp_id_hash24(&ports->key, &key);
}

/* The same, remembered. */
static uint64_t recall_hash(struct slt_port_chooser *ports, const struct slt_tcp_id *id)
{
    if (!slt_tcp_id_is_v4(id)) {
        return hash_of(ports, id);
    }
    struct slt_port_start *start = &ports->starts[id->remote_port % SLT_PORT_STARTS];
    uint64_t addresses = slt_tcp_id_v4(id).addresses;
    if (!start->known || start->port != id->remote_port || start->addresses != addresses) {
        *start = (struct slt_port_start){addresses, id->remote_port, 1, hash_of(ports, id)};
    }
    return start->hash;
}

/* Where the search for this destination starts, and the counter that it moves. */
static uint32_t *start_of(struct salut_stack *stack, const struct slt_tcp_id *id, uint32_t *offset)
{
    struct slt_port_chooser *ports = &stack->ports;
    uint64_t hash = recall_hash(ports, id);
    *offset = (uint32_t)hash;
    return &ports->counters[(hash >> 32) % SLT_PORT_COUNTERS];
}

static uint32_t range_of(const struct salut_stack *stack)
{
    return (uint32_t)stack->config.port_high - stack->config.port_low + 1;
}

void slt_ports_search(struct salut_stack *stack, const struct slt_tcp_id *id,
                      struct slt_port_search *search)
{
    search->counter = start_of(stack, id, &search->offset);
    search->left = range_of(stack);
}

bool slt_ports_next(struct salut_stack *stack, struct slt_port_search *search,
                    struct slt_tcp_id *id, uint32_t *hash)
{
    while (search->left > 0) {
        uint32_t at = (search->offset + (*search->counter)++) % range_of(stack);
        search->left--;
        stack->tcp.work++;
        id->local_port = (uint16_t)(stack->config.port_low + at);
        if (!slt_listen_owns_port(stack, id->local, id->local_port)) {
            *hash = slt_demux_meet(stack, id);
            slt_demux_approach(stack, *hash);
            return true;
        }
    }
    return false;
}

void slt_ports_foresee(struct salut_stack *stack, const struct slt_tcp_id *id)
{
    if (slt_tcp_id_is_v4(id)) { /* whose hashes are remembered */
        struct slt_tcp_id next = *id;
        next.local_port = id->local_port == stack->config.port_high
                              ? stack->config.port_low
                              : (uint16_t)(id->local_port + 1);
        slt_demux_expect(stack, slt_demux_meet(stack, &next));
    }
}

bool slt_ports_choose_listener(struct salut_stack *stack, struct slt_listener *wanted)
{
    struct slt_tcp_id id = {0};
    slt_ip_addr_copy(id.local, wanted->addr);
    uint32_t range = range_of(stack);
    uint32_t offset;
    uint32_t *counter = start_of(stack, &id, &offset);
    for (uint32_t tries = 0; tries < range; tries++) {
        uint32_t at = (offset + (*counter)++) % range;
        wanted->port = (uint16_t)(stack->config.port_low + at);
        if (!slt_listen_conflicts(stack, wanted)) {
            return true;
        }
    }
    return false;
}
