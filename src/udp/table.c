/* The table of sockets: by tuple for what arrives, by port for what must not collide.
 *
 * Both tables are keyed hashes, so that nobody outside can choose tuples that share a chain. A
 * datagram asks the first one class by class, from the whole tuple to the port alone, and skips
 * classes that have no socket: a server with one socket pays for one lookup, and so does a client
 * whose socket is connected. Sockets that share address and port by consent are chosen among by the
 * tuple's hash, so that one peer's datagrams always find the same one.
 *
 * Whether a port is free is asked of the second table, where every socket of a port stands, with or
 * without a peer; what must differ is the address that it was bound to. The walk is as long as
 * there are sockets of that port. Datagrams to a group take it too, for they go to all.
 */
#include "udp/udp.h"

#define BUCKETS_MIN 8U

/* ---- hashes --------------------------------------------------------------------------------- */

uint32_t slt_udp_bucket_count(const struct salut_config *config)
{
    return slt_max32(config->udp_max, BUCKETS_MIN);
}

uint32_t slt_udp_hash(const struct slt_udp *udp, const struct slt_udp_id *id)
{
    return (uint32_t)slt_siphash13(&udp->key, id, sizeof(*id));
}

static uint32_t hash_port(const struct slt_udp *udp, uint16_t port)
{
    return (uint32_t)slt_siphash13(&udp->key, &port, sizeof(port));
}

bool slt_udp_init(struct slt_udp *udp, struct slt_mem *mem, struct slt_pool *bufs,
                  const struct salut_config *config, struct slt_sipkey key)
{
    uint32_t buckets = slt_udp_bucket_count(config);
    *udp =
        (struct slt_udp){.bufs = bufs,
                         .key = key,
                         .queued_max = (uint64_t)(config->buffers_max / 2) * config->buffer_bytes,
                         .recv_default = config->udp_recv_buffer_bytes,
                         .send_default = config->udp_send_buffer_bytes};
    for (uint32_t i = 0; i < SLT_UDP_LIST_COUNT; i++) {
        udp->lists[i] = (struct slt_udp_list){.head = SLT_NIL, .tail = SLT_NIL};
    }
    if (!slt_pool_init(&udp->pool, mem, SLT_OWNER_UDP, (uint32_t)sizeof(struct slt_udp_sock),
                       config->udp_max) ||
        !slt_flow_init(&udp->by_tuple, mem, buckets) ||
        !slt_flow_init(&udp->by_port, mem, buckets)) {
        return false;
    }
    udp->by_tuple.kinds[0] =
        (struct slt_flow_kind){&udp->pool, (uint32_t)offsetof(struct slt_udp_sock, tuple_next)};
    udp->by_port.kinds[0] =
        (struct slt_flow_kind){&udp->pool, (uint32_t)offsetof(struct slt_udp_sock, port_next)};
    return true;
}

void slt_udp_deinit(struct slt_udp *udp)
{
    if (!udp->pool.mem) {
        return;
    }
    if (udp->by_port.buckets) {
        slt_flow_deinit(&udp->by_port, udp->pool.mem);
    }
    if (udp->by_tuple.buckets) {
        slt_flow_deinit(&udp->by_tuple, udp->pool.mem);
    }
    slt_pool_deinit(&udp->pool);
}

/* ---- who is in them ------------------------------------------------------------------------- */

static enum slt_udp_class class_of(const struct slt_udp_id *id)
{
    if (id->remote_port != 0) {
        return SLT_UDP_CLASS_CONNECTED;
    }
    if (!slt_address_is_unspecified(id->local)) {
        return SLT_UDP_CLASS_EXACT;
    }
    return slt_address_is_v4(id->local) ? SLT_UDP_CLASS_ANY4 : SLT_UDP_CLASS_ANY;
}

static bool has_id(const struct slt_udp_sock *s, const struct slt_udp_id *id)
{
    return memcmp(&s->id, id, sizeof(*id)) == 0;
}

static void show(struct slt_udp *udp, struct slt_udp_sock *s)
{
    s->class = (uint8_t)class_of(&s->id);
    udp->class_count[s->class]++;
    slt_flow_add(&udp->by_tuple, slt_udp_hash(udp, &s->id), slt_flow_ref_make(0, s->index));
}

static void hide(struct slt_udp *udp, const struct slt_udp_sock *s)
{
    SLT_ASSERT(udp->class_count[s->class] > 0);
    udp->class_count[s->class]--;
    slt_flow_remove(&udp->by_tuple, slt_udp_hash(udp, &s->id), slt_flow_ref_make(0, s->index));
}

/* The first socket of the port's chain, and the one after: others may share the chain. */
static struct slt_udp_sock *with_port(struct slt_udp *udp, slt_flow_ref ref, uint16_t port)
{
    while (ref != SLT_FLOW_NONE) {
        struct slt_udp_sock *s = slt_udp_at(udp, slt_flow_index(ref));
        udp->work++;
        if (s->id.local_port == port) {
            return s;
        }
        ref = s->port_next;
    }
    return NULL;
}

static struct slt_udp_sock *first_with_port(struct slt_udp *udp, uint16_t port)
{
    return with_port(udp, slt_flow_first(&udp->by_port, hash_port(udp, port)), port);
}

bool slt_udp_port_is_free(struct slt_udp *udp, uint16_t port)
{
    return first_with_port(udp, port) == NULL;
}

static bool may_share(const struct slt_udp_sock *s, uint32_t marks)
{
    return (s->marks & marks & SLT_UDP_REUSE) != 0;
}

static bool binding_is_free(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t marks)
{
    const struct slt_udp_sock *s = first_with_port(udp, id->local_port);
    while (s != NULL) {
        if (memcmp(s->bound, id->local, sizeof(s->bound)) == 0 && !may_share(s, marks)) {
            return false;
        }
        s = with_port(udp, s->port_next, id->local_port);
    }
    return true;
}

bool slt_udp_is_free(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t marks)
{
    if (id->remote_port == 0) {
        return binding_is_free(udp, id, marks);
    }
    slt_flow_ref ref = slt_flow_first(&udp->by_tuple, slt_udp_hash(udp, id));
    while (ref != SLT_FLOW_NONE) {
        const struct slt_udp_sock *s = slt_udp_at(udp, slt_flow_index(ref));
        udp->work++;
        if (has_id(s, id) && !may_share(s, marks)) {
            return false;
        }
        ref = s->tuple_next;
    }
    return true;
}

uint32_t slt_udp_new(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t marks)
{
    SLT_ASSERT(id->local_port != 0);
    SLT_ASSERT(id->remote_port == 0);
    uint32_t index = slt_pool_take(&udp->pool);
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_udp_sock *s = slt_udp_at(udp, index);
    *s = (struct slt_udp_sock){.index = index,
                               .generation = s->generation + 1,
                               .id = *id,
                               .recv_max = udp->recv_default,
                               .send_max = udp->send_default,
                               .marks = (uint8_t)marks,
                               .interest = SALUT_READABLE,
                               .fragment = SALUT_FRAGMENT_HERE};
    SLT_ASSERT(s->generation % 2 == 1);
    memcpy(s->bound, id->local, sizeof(s->bound));
    for (uint32_t i = 0; i < SLT_UDP_LINK_COUNT; i++) {
        s->links[i].list = SLT_UDP_LIST_COUNT;
    }
    slt_chain_init(&s->in.chain);
    slt_chain_init(&s->out.chain);
    slt_chain_init(&s->held.chain);
    show(udp, s);
    slt_flow_add(&udp->by_port, hash_port(udp, id->local_port), slt_flow_ref_make(0, index));
    return index;
}

void slt_udp_set_id(struct slt_udp *udp, struct slt_udp_sock *s, const struct slt_udp_id *id)
{
    SLT_ASSERT(!slt_udp_has(s, SLT_UDP_ORPHAN));
    SLT_ASSERT(s->id.local_port == id->local_port);
    hide(udp, s);
    s->id = *id;
    s->marks &= (uint8_t) ~(unsigned)SLT_UDP_CONNECTED;
    s->marks |= id->remote_port != 0 ? SLT_UDP_CONNECTED : 0;
    show(udp, s);
}

void slt_udp_close(struct slt_udp *udp, struct slt_udp_sock *s)
{
    SLT_ASSERT(!slt_udp_has(s, SLT_UDP_ORPHAN));
    udp->queued_bytes -= s->in.chain.bytes;
    slt_chain_clear(&s->in.chain, udp->bufs);
    s->in.count = 0;
    slt_udp_unlist(udp, s, SLT_UDP_LIST_READY);
    slt_udp_unlist(udp, s, SLT_UDP_LIST_REPORTED);
    hide(udp, s);
    slt_flow_remove(&udp->by_port, hash_port(udp, s->id.local_port),
                    slt_flow_ref_make(0, s->index));
    s->marks |= SLT_UDP_ORPHAN;
    slt_udp_reap(udp, s);
}

void slt_udp_reap(struct slt_udp *udp, struct slt_udp_sock *s)
{
    if (!slt_udp_has(s, SLT_UDP_ORPHAN) || s->out.count > 0 || s->held.count > 0) {
        return;
    }
    slt_udp_unlist(udp, s, SLT_UDP_LIST_DIRTY);
    slt_udp_unlist(udp, s, SLT_UDP_LIST_WAITING);
    slt_chain_clear(&s->out.chain, udp->bufs); /* buffers taken in vain may hang there */
    slt_chain_clear(&s->held.chain, udp->bufs);
    s->generation++;
    slt_pool_give(&udp->pool, s->index);
}

/* ---- lookup --------------------------------------------------------------------------------- */

/* What a datagram asks the table, class by class. */
struct query {
    const struct slt_udp_id *id; /* as it came */
    struct slt_udp_id key;       /* as a socket of the class has it */
    enum slt_udp_class class;
    bool v4;
};

static bool fits(const struct slt_udp_sock *s, const struct query *q)
{
    bool other_family = q->v4 && s->class == SLT_UDP_CLASS_ANY && slt_udp_has(s, SLT_UDP_V6_ONLY);
    return s->class == q->class && has_id(s, &q->key) && !other_family;
}

/* Of several that fit, the one that the tuple's hash falls to. */
static struct slt_udp_sock *share_out(const struct slt_udp *udp, slt_flow_ref ref,
                                      const struct query *q, uint32_t count)
{
    uint32_t skip = (uint32_t)((uint64_t)slt_udp_hash(udp, q->id) * count >> 32);
    for (; ref != SLT_FLOW_NONE; ref = slt_udp_at(udp, slt_flow_index(ref))->tuple_next) {
        struct slt_udp_sock *s = slt_udp_at(udp, slt_flow_index(ref));
        if (fits(s, q) && skip-- == 0) {
            return s;
        }
    }
    SLT_UNREACHABLE("a socket was counted and not found");
}

static struct slt_udp_sock *find_class(struct slt_udp *udp, const struct query *q)
{
    slt_flow_ref first = slt_flow_first(&udp->by_tuple, slt_udp_hash(udp, &q->key));
    struct slt_udp_sock *found = NULL;
    uint32_t count = 0;
    for (slt_flow_ref ref = first; ref != SLT_FLOW_NONE;) {
        struct slt_udp_sock *s = slt_udp_at(udp, slt_flow_index(ref));
        udp->work++;
        if (fits(s, q)) {
            count++;
            found = s;
        }
        ref = s->tuple_next;
    }
    return count < 2 ? found : share_out(udp, first, q, count);
}

static void ask_class(struct query *q, enum slt_udp_class class)
{
    static const uint8_t any4[4] = {0};
    q->class = class;
    q->key = *q->id;
    if (class == SLT_UDP_CLASS_CONNECTED) {
        return;
    }
    memset(q->key.remote, 0, sizeof(q->key.remote));
    q->key.remote_port = 0;
    if (class == SLT_UDP_CLASS_ANY4) {
        slt_address_set_v4(q->key.local, any4);
    } else if (class == SLT_UDP_CLASS_ANY) {
        memset(q->key.local, 0, sizeof(q->key.local));
    }
}

struct slt_udp_sock *slt_udp_find(struct slt_udp *udp, const struct slt_udp_id *id)
{
    struct query q = {.id = id, .v4 = slt_address_is_v4(id->local)};
    for (uint32_t class = 0; class < SLT_UDP_CLASS_COUNT; class ++) {
        bool possible = (class != SLT_UDP_CLASS_ANY4 || q.v4) &&
                        (class != SLT_UDP_CLASS_CONNECTED || id->remote_port != 0);
        if (udp->class_count[class] == 0 || !possible) {
            continue;
        }
        ask_class(&q, (enum slt_udp_class) class);
        struct slt_udp_sock *found = find_class(udp, &q);
        if (found != NULL) {
            return found;
        }
    }
    return NULL;
}

static bool is_member(const struct slt_udp_sock *s, const struct slt_udp_id *id)
{
    bool v4 = slt_address_is_v4(id->local);
    switch ((enum slt_udp_class)s->class) {
    case SLT_UDP_CLASS_EXACT:
        return memcmp(s->id.local, id->local, sizeof(id->local)) == 0;
    case SLT_UDP_CLASS_ANY4:
        return v4;
    case SLT_UDP_CLASS_ANY:
        return !v4 || !slt_udp_has(s, SLT_UDP_V6_ONLY);
    case SLT_UDP_CLASS_CONNECTED:
    case SLT_UDP_CLASS_COUNT:
        break;
    }
    return false;
}

struct slt_udp_sock *slt_udp_next_member(struct slt_udp *udp, const struct slt_udp_id *id,
                                         const struct slt_udp_sock *after)
{
    struct slt_udp_sock *s = after == NULL ? first_with_port(udp, id->local_port)
                                           : with_port(udp, after->port_next, id->local_port);
    while (s != NULL && !is_member(s, id)) {
        s = with_port(udp, s->port_next, id->local_port);
    }
    return s;
}
