/* An instance: its memory plan, its making and unmaking, its snapshots.
 *
 * Everything is taken from one struct slt_mem. In fixed mode that is one block of the caller's:
 *
 *     | struct salut_stack | engine | network | tables | ...  | telemetry: counters, event ring |
 *     '------------------------ snapshot --------------------'
 *
 * Objects refer to one another by index and to the tables by addresses inside the block, so a copy
 * of the first part, put back into the same block, is the instance as it was. Counters and events
 * lie behind it and go on: they tell what happened, also to whoever turns back time.
 *
 * salut_block_bytes adds up what setup's steps take, in their order.
 */
#include "stack/stack.h"

#include <string.h>

#define BLOCK_ALIGN ((size_t)64)

/* Super-frames: an IPv4 packet holds 65535 bytes, headers included, and a frame as many pieces as
 * it has places for; the first and the last may be cut. */
#define GSO_BYTES_MAX (65535U - 20U - SLT_TCP_HEADER_MAX)
#define WHOLE_PIECES  (SALUT_FRAME_PIECES_MAX - 2U)

static uint32_t neighbours_of(const struct salut_config *config)
{
    return config->link_kind == SALUT_LINK_ETHERNET ? slt_max32(config->neighbours_max, 1) : 1;
}

static uint32_t pmtu_entries_of(const struct salut_config *config)
{
    return slt_min32(slt_max32(config->conns_max / 4, 16), 1024);
}

/* ---- how much memory ------------------------------------------------------------------------ */

static size_t add_bytes(size_t sum, size_t bytes)
{
    return bytes > SIZE_MAX - sum ? SIZE_MAX : sum + bytes;
}

static size_t add_array(size_t sum, uint64_t count, size_t bytes)
{
    uint64_t total = count * bytes;
    if (total > SIZE_MAX - BLOCK_ALIGN) {
        return SIZE_MAX;
    }
    return add_bytes(sum, ((size_t)total + BLOCK_ALIGN - 1) & ~(BLOCK_ALIGN - 1));
}

static size_t add_pool(size_t sum, size_t object_bytes, uint32_t count)
{
    return add_bytes(sum, slt_pool_block_bytes((uint32_t)object_bytes, count));
}

static size_t engine_bytes(size_t sum, const struct salut_config *c)
{
    sum = add_pool(sum, sizeof(struct slt_tcp_conn), c->conns_max);
    sum = add_pool(sum, sizeof(struct slt_tcp_cold), c->conns_max);
    sum = add_pool(sum, sizeof(struct slt_buf) + c->buffer_bytes, c->buffers_max);
    sum = add_pool(sum, sizeof(struct slt_range), c->ranges_max);
    sum = add_pool(sum, sizeof(struct slt_record), c->conns_max + c->records_max);
    return add_pool(sum, slt_loan_object_bytes(), c->loans_max);
}

static size_t network_bytes(size_t sum, const struct salut_config *c)
{
    uint32_t fragment_bufs = c->fragment_bytes_max / SLT_FRAG_BUFFER_BYTES;
    sum = add_array(sum, c->addresses_max, sizeof(struct slt_ip_own));
    sum = add_array(sum, c->routes_max, sizeof(struct slt_ip_route));
    sum = add_pool(sum, sizeof(struct slt_neigh_entry), neighbours_of(c));
    sum = add_array(sum, neighbours_of(c), sizeof(uint32_t));
    sum = add_pool(sum, sizeof(struct slt_pmtu_entry), pmtu_entries_of(c));
    sum = add_array(sum, pmtu_entries_of(c), sizeof(uint32_t));
    if (c->fragments_max > 0) {
        sum = add_pool(sum, sizeof(struct slt_frag_datagram), c->fragments_max);
        sum = add_pool(sum, sizeof(struct slt_range), fragment_bufs);
        sum = add_pool(sum, SLT_FRAG_BUFFER_BYTES, fragment_bufs);
        sum = add_array(sum, c->fragments_max, sizeof(uint32_t));
        sum = add_array(sum, slt_min32(c->fragment_bytes_max, 40U + 65535U), 1);
    }
    return add_array(sum, c->link_kind == SALUT_LINK_ETHERNET ? c->neighbours_max : 0,
                     sizeof(struct slt_conn_queue));
}

static size_t table_bytes(size_t sum, const struct salut_config *c)
{
    sum = add_array(sum, slt_listen_bucket_count(c), sizeof(uint32_t));
    sum = add_pool(sum, sizeof(struct slt_listener), c->listeners_max);
    sum = add_pool(sum, sizeof(struct slt_tcp_half_open), c->half_open_max);
    sum = add_pool(sum, sizeof(struct slt_tcp_time_wait), c->time_wait_max);
    sum = add_pool(sum, sizeof(struct slt_reply), slt_reply_max(c));
    sum = add_array(sum, slt_fast_open_servers_bytes(c), 1);
    sum = add_array(sum, slt_fast_open_pending_bytes(c), 1);
    sum = add_pool(sum, sizeof(struct slt_udp_sock), c->udp_max);
    sum = add_array(sum, slt_udp_bucket_count(c), sizeof(uint32_t)); /* by tuple */
    sum = add_array(sum, slt_udp_bucket_count(c), sizeof(uint32_t)); /* by port */
    return add_array(sum, slt_demux_bucket_count(c), sizeof(uint32_t));
}

size_t salut_block_bytes(const struct salut_config *config)
{
    if (!slt_config_limits_ok(config)) {
        return 0;
    }
    size_t sum = add_array(BLOCK_ALIGN, 1, sizeof(struct salut_stack));
    sum = engine_bytes(sum, config);
    sum = network_bytes(sum, config);
    sum = table_bytes(sum, config);
    sum = add_array(sum, 1, sizeof(struct slt_telemetry));
    sum = add_array(sum, config->event_ring, sizeof(struct slt_event));
    return sum == SIZE_MAX ? 0 : sum;
}

/* ---- making --------------------------------------------------------------------------------- */

static struct slt_sipkey draw_key(struct slt_prng_secret *prng)
{
    struct slt_sipkey key;
    key.k0 = slt_prng_secret_u64(prng);
    key.k1 = slt_prng_secret_u64(prng);
    return key;
}

static bool setup_network(struct salut_stack *stack)
{
    const struct salut_config *c = &stack->config;
    struct slt_neigh_setup neigh = {.entries_max = neighbours_of(c),
                                    .key = draw_key(&stack->chance),
                                    .seed = slt_prng_secret_u64(&stack->chance),
                                    .now_ns = c->start_at_ns};
    struct slt_sipkey pmtu_key = draw_key(&stack->chance);
    struct slt_frag_setup frag = {.datagrams_max = c->fragments_max,
                                  .bytes_max = c->fragment_bytes_max,
                                  .timeout4_ns = c->fragment_timeout4_ns,
                                  .timeout6_ns = c->fragment_timeout6_ns,
                                  .key = draw_key(&stack->chance)};
    slt_icmp_limit_init(&stack->icmp_limit, c->icmp_rate_per_s, c->icmp_burst,
                        slt_prng_secret_u64(&stack->chance), c->start_at_ns);
    return slt_ip_iface_init(&stack->iface, &stack->mem, c) &&
           slt_neigh_init(&stack->neigh, &stack->mem, &neigh) &&
           slt_pmtu_init(&stack->pmtu, &stack->mem, pmtu_entries_of(c), &pmtu_key) &&
           slt_frag_init(&stack->frag, &stack->mem, &frag) && slt_park_init(stack);
}

/* Made beside the sequence of draws, so that a seed goes on drawing for all others what it always
 * drew; the messages differ in length from those of the sequence. */
static struct slt_sipkey udp_key(const struct slt_prng_secret *prng)
{
    static const char label[2][5] = {"udp 0", "udp 1"};
    return (struct slt_sipkey){slt_siphash24(&prng->key, label[0], sizeof(label[0])),
                               slt_siphash24(&prng->key, label[1], sizeof(label[1]))};
}

static bool setup_tables(struct salut_stack *stack)
{
    slt_queue_init(&stack->dirty);
    slt_queue_init(&stack->ready);
    slt_queue_init(&stack->reported);
    slt_wheel_init(
        &stack->wheel,
        (uint32_t)(offsetof(struct slt_tcp_conn, place) + offsetof(struct slt_tcp_place, wheel)),
        stack->config.start_at_ns);
    stack->flow_key = draw_key(&stack->chance);
    stack->label_key = draw_key(&stack->chance);
    slt_ports_init(stack, &stack->chance);
    slt_tcp_defaults_init(&stack->defaults, &stack->config);
    return slt_listen_init(stack) && slt_half_open_init(stack) && slt_waits_init(stack) &&
           slt_reply_init(stack) && slt_fast_open_init(stack) && slt_demux_init(stack) &&
           slt_udp_init(&stack->udp, &stack->mem, &stack->tcp.bufs, &stack->config,
                        udp_key(&stack->chance));
}

/* The telemetry is taken last, behind everything a snapshot holds; the engine learns of it then. */
static bool setup_telemetry(struct salut_stack *stack)
{
    stack->core_bytes = stack->mem.block_used;
    struct slt_telemetry *t = slt_mem_take(&stack->mem, SLT_OWNER_TELEMETRY, sizeof(*t));
    stack->telemetry = t;
    stack->tcp.telemetry = t;
    if (!t || stack->config.event_ring == 0) {
        return t != NULL;
    }
    t->ring =
        slt_mem_take(&stack->mem, SLT_OWNER_TELEMETRY, stack->config.event_ring * sizeof(*t->ring));
    t->ring_count = t->ring ? stack->config.event_ring : 0;
    return t->ring != NULL;
}

static bool setup(struct salut_stack *stack)
{
    struct salut_config *c = &stack->config;
    uint32_t pieces_bytes = WHOLE_PIECES * c->buffer_bytes;
    c->gso_max_bytes = slt_min32(slt_min32(c->gso_max_bytes, GSO_BYTES_MAX), pieces_bytes);
    stack->now_ns = c->start_at_ns;
    memcpy(&stack->chance.key, c->seed + 16, sizeof(stack->chance.key));
    stack->chance.counter = UINT64_C(1) << 32;
    return slt_tcp_init(&stack->tcp, c, &stack->mem, NULL) && setup_network(stack) &&
           setup_tables(stack) && setup_telemetry(stack);
}

/* Give everything back; also what a setup that failed half-way has taken. */
static void give_all(struct salut_stack *stack)
{
    struct slt_telemetry *t = stack->telemetry;
    if (t) {
        slt_mem_give(&stack->mem, SLT_OWNER_TELEMETRY, t->ring, t->ring_count * sizeof(*t->ring));
        slt_mem_give(&stack->mem, SLT_OWNER_TELEMETRY, t, sizeof(*t));
    }
    slt_udp_deinit(&stack->udp);
    if (stack->flow.buckets) {
        slt_flow_deinit(&stack->flow, &stack->mem);
    }
    slt_fast_open_deinit(stack);
    slt_pool_deinit(&stack->replies.pool);
    slt_pool_deinit(&stack->waits.pool);
    slt_pool_deinit(&stack->half_open.pool);
    slt_listen_deinit(stack);
    slt_park_deinit(stack);
    if (stack->frag.mem) {
        slt_frag_deinit(&stack->frag);
    }
    if (stack->pmtu.pool.mem) {
        slt_pmtu_deinit(&stack->pmtu);
    }
    if (stack->neigh.pool.mem) {
        slt_neigh_deinit(&stack->neigh);
    }
    slt_ip_iface_deinit(&stack->iface);
    slt_tcp_deinit(&stack->tcp);
    struct slt_mem mem = stack->mem;
    slt_mem_give(&mem, SLT_OWNER_STACK, stack, sizeof(*stack));
}

enum salut_status salut_create(const struct salut_config *config, struct salut_stack **out)
{
    struct slt_mem mem;
    *out = NULL;
    if (!slt_config_ok(config)) {
        return SALUT_INVALID;
    }
    if (config->memory) {
        slt_mem_init_block(&mem, config->memory, config->memory_bytes);
    } else {
        slt_mem_init_growing(&mem, config->alloc, config->free, config->alloc_ctx);
    }
    struct salut_stack *stack = slt_mem_take(&mem, SLT_OWNER_STACK, sizeof(*stack));
    if (!stack) {
        return SALUT_NO_MEMORY;
    }
    stack->mem = mem;
    stack->config = *config;
    if (!setup(stack)) {
        give_all(stack);
        return SALUT_NO_MEMORY;
    }
    slt_auto_init(stack);
    *out = stack;
    return SALUT_OK;
}

void salut_destroy(struct salut_stack *stack)
{
    if (stack) {
        give_all(stack);
    }
}

/* ---- snapshots ------------------------------------------------------------------------------ */

size_t salut_snapshot_bytes(const struct salut_stack *stack)
{
    return slt_mem_is_fixed(&stack->mem) ? stack->core_bytes : 0;
}

void salut_save(const struct salut_stack *stack, void *copy)
{
    if (slt_mem_is_fixed(&stack->mem)) {
        memcpy(copy, stack->mem.block, stack->core_bytes);
    }
}

void salut_restore(struct salut_stack *stack, const void *copy)
{
    if (slt_mem_is_fixed(&stack->mem)) {
        memcpy(stack->mem.block, copy, stack->core_bytes);
    }
}
