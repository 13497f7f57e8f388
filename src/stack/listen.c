/* Listeners: which one a SYN belongs to, and the queue of connections it has to offer.
 *
 * Listeners lie in a small hash by {class, address, port}; a class is a degree of precision
 * (exact address and port first, any address and any port last). A lookup asks class by class and
 * skips classes that have no listener, so an ordinary server pays for one probe. Where several
 * listeners share address and port by consent (SALUT_LISTEN_REUSE) the tuple's hash chooses, so
 * that one connection's segments always find the same one. What lies in the table the user alone
 * has chosen: nobody outside can make its chains longer, and its hash needs no key.
 *
 * RFC 9293 3.10.7.2; the accept queue holds connections from the handshake's end until
 * salut_accept (SOCK-50: the queue is full when it holds more than the backlog, as on Linux; the
 * rfc profile counts to the letter). What the user took and offers in a queue of its own counts, if
 * it says so.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#include <string.h>

struct listen_key {
    uint8_t addr[16];
    uint16_t port;
    uint16_t class;
};

#define SPREAD_A UINT64_C(0x9e3779b97f4a7c15) /* odd, with bits everywhere */
#define SPREAD_B UINT64_C(0xc2b2ae3d27d4eb4f)

/* Multiplications carry every difference upwards, so the upper half tells the keys apart. */
static uint32_t bucket_of(const struct salut_stack *stack, const struct listen_key *key)
{
    uint64_t addr[2];
    memcpy(addr, key->addr, sizeof(addr));
    uint64_t mixed = (addr[0] * SPREAD_A ^ addr[1]) * SPREAD_B;
    mixed = (mixed ^ mixed >> 32 ^ ((uint32_t)key->class << 16 | key->port)) * SPREAD_A;
    return (uint32_t)(mixed >> 32) & (stack->listen.bucket_count - 1);
}

uint32_t slt_listen_bucket_count(const struct salut_config *config)
{
    uint32_t count = 8;
    while (count < config->listeners_max) {
        count *= 2;
    }
    return count;
}

bool slt_listen_init(struct salut_stack *stack)
{
    struct slt_listen_table *table = &stack->listen;
    table->bucket_count = slt_listen_bucket_count(&stack->config);
    size_t bytes = table->bucket_count * sizeof(*table->buckets);
    table->buckets = slt_mem_take(&stack->mem, SLT_OWNER_LISTENER, bytes);
    if (!table->buckets) {
        return false;
    }
    memset(table->buckets, 0xff, bytes);
    slt_queue_init(&table->ready);
    slt_queue_init(&table->reported);
    return slt_pool_init(&table->pool, &stack->mem, SLT_OWNER_LISTENER,
                         (uint32_t)sizeof(struct slt_listener), stack->config.listeners_max);
}

void slt_listen_deinit(struct salut_stack *stack)
{
    struct slt_listen_table *table = &stack->listen;
    slt_pool_deinit(&table->pool);
    slt_mem_give(&stack->mem, SLT_OWNER_LISTENER, table->buckets,
                 table->bucket_count * sizeof(*table->buckets));
    table->buckets = NULL;
}

/* A new listener is a new record or an error; connections of its port stay what they are, and may
 * be there before it (MUST-41, MUST-42). */

/* ---- the table ------------------------------------------------------------------------------ */

static bool any_v4(const uint8_t addr[16])
{
    return slt_address_is_v4(addr) && slt_address_is_unspecified(addr);
}

static enum slt_listen_class class_of(const uint8_t addr[16], bool any_port)
{
    enum slt_listen_class class = SLT_LISTEN_EXACT;
    if (any_v4(addr)) {
        class = SLT_LISTEN_ANY4;
    } else if (slt_address_is_unspecified(addr)) {
        class = SLT_LISTEN_ANY;
    }
    return any_port ? (enum slt_listen_class)(class + SLT_LISTEN_EXACT_PORTS) : class;
}

static struct listen_key key_of(const struct slt_listener *l)
{
    struct listen_key key = {.port = l->port, .class = l->class};
    slt_ip_addr_copy(key.addr, l->addr);
    return key;
}

static bool has_key(const struct slt_listener *l, const struct listen_key *key)
{
    return l->class == key->class && l->port == key->port && slt_ip_addr_equal(l->addr, key->addr);
}

static bool may_share(const struct slt_listener *a, uint32_t flags)
{
    if ((a->flags & SALUT_LISTEN_TRANSPARENT) != (flags & SALUT_LISTEN_TRANSPARENT)) {
        return true;
    }
    return (a->flags & flags & SALUT_LISTEN_REUSE) != 0;
}

bool slt_listen_conflicts(const struct salut_stack *stack, const struct slt_listener *wanted)
{
    struct listen_key key = key_of(wanted);
    uint32_t index = stack->listen.buckets[bucket_of(stack, &key)];
    while (index != SLT_NIL) {
        const struct slt_listener *l = slt_listener_at(stack, index);
        if (has_key(l, &key) && !may_share(l, wanted->flags)) {
            return true;
        }
        index = l->bucket_next;
    }
    return false;
}

void slt_listen_classify(struct slt_listener *l)
{
    bool any_port = (l->flags & SALUT_LISTEN_ANY_PORT) != 0;
    l->class = (uint8_t)class_of(l->addr, any_port);
    if (any_port) {
        l->port = 0;
    }
}

uint32_t slt_listen_add(struct salut_stack *stack, const struct slt_listener *wanted)
{
    struct slt_listen_table *table = &stack->listen;
    uint32_t index = slt_pool_take(&table->pool);
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_listener *l = slt_listener_at(stack, index);
    uint32_t generation = l->generation + 1;
    SLT_ASSERT(generation % 2 == 1);
    *l = *wanted;
    l->generation = generation;
    l->ready_next = index;
    l->queue_head = SLT_NIL;
    l->queue_tail = SLT_NIL;
    struct listen_key key = key_of(l);
    uint32_t bucket = bucket_of(stack, &key);
    l->bucket_next = table->buckets[bucket];
    table->buckets[bucket] = index;
    table->class_count[l->class]++;
    table->transparent_count += (l->flags & SALUT_LISTEN_TRANSPARENT) ? 1U : 0U;
    return index;
}

void slt_listen_remove(struct salut_stack *stack, uint32_t index)
{
    struct slt_listen_table *table = &stack->listen;
    struct slt_listener *l = slt_listener_at(stack, index);
    SLT_ASSERT(l->queue_count == 0);
    SLT_ASSERT(l->half_open_count == 0);
    struct listen_key key = key_of(l);
    uint32_t *link = &table->buckets[bucket_of(stack, &key)];
    while (*link != index) {
        SLT_ASSERT(*link != SLT_NIL);
        link = &slt_listener_at(stack, *link)->bucket_next;
    }
    *link = l->bucket_next;
    table->class_count[l->class]--;
    table->transparent_count -= (l->flags & SALUT_LISTEN_TRANSPARENT) ? 1U : 0U;
    l->generation++;
    /* The place is given back when no queue of news holds it. */
    if (l->ready_next == index) {
        slt_pool_give(&table->pool, index);
    }
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* What a segment asks the table. */
struct listen_query {
    bool ours; /* the destination is an address of ours */
    bool v4;
    uint32_t hash; /* chooses among those that share */
};

static bool eligible(const struct slt_listener *l, const struct listen_query *q, bool transparent)
{
    if (((l->flags & SALUT_LISTEN_TRANSPARENT) != 0) != transparent) {
        return false;
    }
    return !q->v4 || (l->flags & SALUT_LISTEN_V6_ONLY) == 0;
}

static uint32_t choose(const struct salut_stack *stack, const struct listen_key *key,
                       const struct listen_query *q, bool transparent)
{
    uint32_t head = stack->listen.buckets[bucket_of(stack, key)];
    uint32_t count = 0;
    uint32_t found = SLT_NIL;
    for (uint32_t i = head; i != SLT_NIL; i = slt_listener_at(stack, i)->bucket_next) {
        const struct slt_listener *l = slt_listener_at(stack, i);
        if (has_key(l, key) && eligible(l, q, transparent)) {
            count++;
            found = i;
        }
    }
    if (count < 2) {
        return found;
    }
    uint32_t skip = (uint32_t)((uint64_t)q->hash * count >> 32);
    for (uint32_t i = head; i != SLT_NIL; i = slt_listener_at(stack, i)->bucket_next) {
        const struct slt_listener *l = slt_listener_at(stack, i);
        if (has_key(l, key) && eligible(l, q, transparent) && skip-- == 0) {
            return i;
        }
    }
    SLT_UNREACHABLE("a listener was counted and not found");
}

static uint32_t find_class(const struct salut_stack *stack, const struct slt_tcp_id *id,
                           enum slt_listen_class class, const struct listen_query *q)
{
    struct listen_key key = {.class = (uint16_t) class};
    key.port = class < SLT_LISTEN_EXACT_PORTS ? id->local_port : 0;
    enum slt_listen_class precision = class < SLT_LISTEN_EXACT_PORTS
                                          ? class
                                          : (enum slt_listen_class)(class - SLT_LISTEN_EXACT_PORTS);
    if (precision == SLT_LISTEN_EXACT) {
        slt_ip_addr_copy(key.addr, id->local);
    } else if (precision == SLT_LISTEN_ANY4) {
        const uint8_t any[4] = {0};
        slt_address_set_v4(key.addr, any);
    }
    uint32_t found = q->ours ? choose(stack, &key, q, false) : SLT_NIL;
    return found != SLT_NIL ? found : choose(stack, &key, q, true);
}

uint32_t slt_listen_find(const struct salut_stack *stack, const struct slt_tcp_id *id, bool ours,
                         uint32_t hash)
{
    struct listen_query q = {.ours = ours, .v4 = slt_address_is_v4(id->local), .hash = hash};
    for (uint32_t class = 0; class < SLT_LISTEN_CLASS_COUNT; class ++) {
        bool v4_only = class == SLT_LISTEN_ANY4 || class == SLT_LISTEN_ANY4_PORTS;
        if (stack->listen.class_count[class] == 0 || (v4_only && !q.v4)) {
            continue;
        }
        uint32_t found = find_class(stack, id, (enum slt_listen_class) class, &q);
        if (found != SLT_NIL) {
            return found;
        }
    }
    return SLT_NIL;
}

bool slt_listen_owns_port(const struct salut_stack *stack, const uint8_t local[16], uint16_t port)
{
    struct slt_tcp_id id = {.local_port = port};
    slt_ip_addr_copy(id.local, local);
    struct listen_query q = {.ours = true, .v4 = slt_address_is_v4(local)};
    for (uint32_t class = 0; class < SLT_LISTEN_EXACT_PORTS; class ++) {
        if (stack->listen.class_count[class] > 0 &&
            find_class(stack, &id, (enum slt_listen_class) class, &q) != SLT_NIL) {
            return true;
        }
    }
    return false;
}

/* ---- the accept queue ----------------------------------------------------------------------- */

bool slt_listen_full(const struct salut_stack *stack, const struct slt_listener *l)
{
    uint64_t waiting = (uint64_t)l->queue_count + l->offered;
    if (stack->config.profile == SALUT_PROFILE_LINUX) {
        return waiting > l->backlog; /* SOCK-50 */
    }
    return waiting >= slt_max32(l->backlog, 1);
}

void slt_listen_queue(struct salut_stack *stack, uint32_t listener, uint32_t conn)
{
    struct slt_listener *l = slt_listener_at(stack, listener);
    struct slt_tcp_place *place = &slt_tcp_conn_at(&stack->tcp, conn)->place;
    SLT_ASSERT((place->marks & SLT_MARK_QUEUED) == 0);
    place->marks = (uint8_t)((place->marks | SLT_MARK_QUEUED) & ~(unsigned)SLT_MARK_CHILD);
    place->of.waiting.queue_next = SLT_NIL;
    if (l->queue_head == SLT_NIL) {
        l->queue_head = conn;
    } else {
        slt_tcp_conn_at(&stack->tcp, l->queue_tail)->place.of.waiting.queue_next = conn;
    }
    l->queue_tail = conn;
    l->queue_count++;
    slt_listen_news(stack, listener);
}

uint32_t slt_listen_take(struct salut_stack *stack, uint32_t listener)
{
    struct slt_listener *l = slt_listener_at(stack, listener);
    uint32_t conn = l->queue_head;
    if (conn == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_tcp_place *place = &slt_tcp_conn_at(&stack->tcp, conn)->place;
    SLT_ASSERT(place->marks & SLT_MARK_QUEUED);
    l->queue_head = place->of.waiting.queue_next;
    if (l->queue_head == SLT_NIL) {
        l->queue_tail = SLT_NIL;
    }
    l->queue_count--;
    place->marks &= (uint8_t) ~(unsigned)SLT_MARK_QUEUED;
    place->of.user = 0;
    return conn;
}

/* ---- news ----------------------------------------------------------------------------------- */

static void news_push(struct salut_stack *stack, struct slt_conn_queue *queue, uint32_t index)
{
    slt_listener_at(stack, index)->ready_next = SLT_NIL;
    if (queue->head == SLT_NIL) {
        queue->head = index;
    } else {
        slt_listener_at(stack, queue->tail)->ready_next = index;
    }
    queue->tail = index;
    queue->count++;
}

void slt_listen_news(struct salut_stack *stack, uint32_t listener)
{
    if (slt_listener_at(stack, listener)->ready_next == listener) {
        news_push(stack, &stack->listen.ready, listener);
    }
}

void slt_listen_turn(struct salut_stack *stack)
{
    struct slt_conn_queue *reported = &stack->listen.reported;
    struct slt_conn_queue *ready = &stack->listen.ready;
    if (reported->head == SLT_NIL) {
        return;
    }
    if (ready->head == SLT_NIL) {
        ready->head = reported->head;
    } else {
        slt_listener_at(stack, ready->tail)->ready_next = reported->head;
    }
    ready->tail = reported->tail;
    ready->count += reported->count;
    slt_queue_init(reported);
}

uint32_t slt_listen_next_news(struct salut_stack *stack)
{
    struct slt_conn_queue *ready = &stack->listen.ready;
    while (ready->head != SLT_NIL) {
        uint32_t index = ready->head;
        struct slt_listener *l = slt_listener_at(stack, index);
        ready->head = l->ready_next;
        ready->tail = ready->head == SLT_NIL ? SLT_NIL : ready->tail;
        ready->count--;
        l->ready_next = index;
        if (l->generation % 2 == 0) {
            slt_pool_give(&stack->listen.pool, index);
        } else if (l->queue_count > 0) {
            news_push(stack, &stack->listen.reported, index);
            return index;
        }
    }
    return SLT_NIL;
}
