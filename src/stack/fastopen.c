/* Fast open (RFC 7413), what the stack keeps for it: a client's memory of servers, a server's
 * count of what is pending.
 *
 * A client remembers, for each path (both addresses and the server's port, 4.1.3.1), the cookie and
 * the MSS it was given, or that the path is to be spared: an attempt that ended without a
 * connection, or whose SYN had to be sent again without data, or whose data and cookie were
 * ignored, is not repeated for a while, which doubles each time. The memory is a table of sets of
 * four, keyed by a hash of the path; in a full set the path not used for longest makes room.
 *
 * A server that gives connections to SYNs must not be flooded by spoofed ones that show stolen
 * cookies (5.1): each listener has a limit of such connections in SYN-RECEIVED, and one that was
 * reset in that state goes on counting for a minute, because the spoofed host resets what it never
 * asked for. Each is an entry here, found by its connection's index through a small hash; all
 * entries are bounded for the instance, too. Beyond a limit, or with a bad cookie, the SYN gets the
 * ordinary handshake.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#include <string.h>

#define WAYS         4U
#define DOUBLING_MAX 6U /* how often the time a path is spared doubles */
#define RESET_NS     (60 * SLT_NS_PER_S)

/* ---- making --------------------------------------------------------------------------------- */

static uint32_t sets_of(const struct salut_config *c)
{
    return (c->fast_open & SALUT_FAST_OPEN_CLIENT) ? (c->fast_open_servers_max + WAYS - 1) / WAYS
                                                   : 0;
}

static uint32_t pending_of(const struct salut_config *c)
{
    return (c->fast_open & SALUT_FAST_OPEN_SERVER) ? c->fast_open_pending_max : 0;
}

size_t slt_fast_open_servers_bytes(const struct salut_config *c)
{
    return (size_t)sets_of(c) * WAYS * sizeof(struct slt_fast_open_server);
}

size_t slt_fast_open_pending_bytes(const struct salut_config *c)
{
    return (size_t)pending_of(c) * (sizeof(struct slt_fast_open_pending) + sizeof(uint32_t));
}

static uint32_t *buckets(const struct slt_fast_open *f)
{
    return (uint32_t *)(void *)(f->pending + f->pending_max);
}

bool slt_fast_open_init(struct salut_stack *stack)
{
    struct slt_fast_open *f = &stack->fast_open;
    const struct salut_config *c = &stack->config;
    size_t servers_bytes = slt_fast_open_servers_bytes(c);
    size_t pending_bytes = slt_fast_open_pending_bytes(c);

    f->free = SLT_NIL;
    f->reset_head = SLT_NIL;
    f->reset_tail = SLT_NIL;
    if (servers_bytes > 0) {
        f->servers = slt_mem_take(&stack->mem, SLT_OWNER_LISTENER, servers_bytes);
        if (!f->servers) {
            return false;
        }
        memset(f->servers, 0, servers_bytes);
        f->set_count = sets_of(c);
    }
    if (pending_bytes > 0) {
        f->pending = slt_mem_take(&stack->mem, SLT_OWNER_LISTENER, pending_bytes);
        if (!f->pending) {
            return false;
        }
        f->pending_max = pending_of(c);
        for (uint32_t i = f->pending_max; i-- > 0;) {
            f->pending[i] = (struct slt_fast_open_pending){.next = f->free};
            f->free = i;
            buckets(f)[i] = SLT_NIL;
        }
    }
    return true;
}

void slt_fast_open_deinit(struct salut_stack *stack)
{
    struct slt_fast_open *f = &stack->fast_open;

    slt_mem_give(&stack->mem, SLT_OWNER_LISTENER, f->servers,
                 f->servers ? slt_fast_open_servers_bytes(&stack->config) : 0);
    slt_mem_give(&stack->mem, SLT_OWNER_LISTENER, f->pending,
                 f->pending ? slt_fast_open_pending_bytes(&stack->config) : 0);
}

/* ---- client: servers ------------------------------------------------------------------------ */

static struct slt_fast_open_path path_of(const struct slt_tcp_id *id)
{
    struct slt_fast_open_path path;

    memset(&path, 0, sizeof(path));
    slt_ip_addr_copy(path.local, id->local);
    slt_ip_addr_copy(path.remote, id->remote);
    path.port = id->remote_port;
    return path;
}

static struct slt_fast_open_server *set_of(const struct salut_stack *stack,
                                           const struct slt_fast_open_path *path)
{
    uint64_t hash = slt_siphash13(&stack->flow_key, path, sizeof(*path));

    return stack->fast_open.servers + (hash % stack->fast_open.set_count) * WAYS;
}

static struct slt_fast_open_server *find_server(const struct salut_stack *stack,
                                                const struct slt_fast_open_path *path)
{
    if (stack->fast_open.set_count == 0) {
        return NULL;
    }
    struct slt_fast_open_server *set = set_of(stack, path);
    for (uint32_t i = 0; i < WAYS; i++) {
        if (set[i].used != 0 && memcmp(&set[i].path, path, sizeof(*path)) == 0) {
            return &set[i];
        }
    }
    return NULL;
}

/* The entry of a path; a new one takes the place not used for longest. */
static struct slt_fast_open_server *get_server(struct salut_stack *stack,
                                               const struct slt_fast_open_path *path)
{
    struct slt_fast_open_server *server = find_server(stack, path);

    if (server == NULL && stack->fast_open.set_count > 0) {
        struct slt_fast_open_server *set = set_of(stack, path);
        server = &set[0];
        for (uint32_t i = 1; i < WAYS; i++) {
            server = set[i].used < server->used ? &set[i] : server;
        }
        *server = (struct slt_fast_open_server){.path = *path, .spared_until_ns = INT64_MIN};
    }
    if (server != NULL) {
        server->used = ++stack->fast_open.uses;
    }
    return server;
}

/* RFC 7413 4.1.3.1 (R7413-04): negative answers are remembered. */
static void spare(struct salut_stack *stack, const struct slt_tcp_id *id)
{
    struct slt_fast_open_path path = path_of(id);
    struct slt_fast_open_server *server = get_server(stack, &path);

    if (server == NULL) {
        return;
    }
    int64_t for_ns = stack->config.fast_open_retry_ns << server->failures;
    server->failures = (uint8_t)slt_min32(server->failures + 1U, DOUBLING_MAX);
    server->cookie_bytes = 0;
    server->spared_until_ns = slt_time_add(stack->now_ns, for_ns);
    slt_stack_note(stack, SLT_NOTE_TCP_FAST_OPEN_SPARED);
}

bool slt_fast_open_knows(const struct salut_stack *stack, const struct slt_tcp_id *id)
{
    struct slt_fast_open_path path = path_of(id);
    const struct slt_fast_open_server *server = find_server(stack, &path);

    return server != NULL && server->cookie_bytes > 0 && server->spared_until_ns <= stack->now_ns;
}

/* An active open that asks for it has begun. */
void slt_fast_open_begin(struct salut_stack *stack, struct slt_tcp_conn *c, bool wait)
{
    struct slt_fast_open_path path = path_of(&c->id);
    struct slt_tcp_fast_open_known known = {.cookie_bytes = 0};

    if (stack->fast_open.set_count == 0) {
        return;
    }
    struct slt_fast_open_server *server = get_server(stack, &path);
    if (server->spared_until_ns > stack->now_ns) {
        return;
    }
    memcpy(known.cookie, server->cookie, sizeof(known.cookie));
    known.cookie_bytes = server->cookie_bytes;
    known.mss = server->mss;
    known.wait = wait;
    slt_tcp_fast_open_begin(c, &known);
    c->place.marks |= SLT_MARK_FAST_OPEN;
}

static void forget_mark(struct slt_tcp_conn *c)
{
    c->place.marks &= (uint8_t) ~(unsigned)SLT_MARK_FAST_OPEN;
}

/* A marked connection left SYN-SENT by this segment: learn from it (4.2.1 step 3, 4.2.2). */
void slt_fast_open_learn(struct salut_stack *stack, struct slt_tcp_conn *c,
                         const struct slt_tcp_segment *seg)
{
    struct slt_fast_open_path path = path_of(&c->id);
    bool gives = (seg->opt.present & SLT_TCP_OPT_FAST_OPEN) && seg->opt.cookie_bytes > 0;
    bool works = slt_tcp_has(c, SLT_CONN_FAST_OPEN);

    forget_mark(c);
    const struct slt_tcp_opening *o = &c->cold->opening;
    bool showed_alone = o->fast_open == SLT_FAST_OPEN_SEND && o->syn_bytes == 0;
    bool sent_again = c->cold->recovery.syn_timeouts > 0;
    if (!gives && !works && (!showed_alone || sent_again)) {
        spare(stack, &c->id);
        return;
    }
    struct slt_fast_open_server *server = get_server(stack, &path);
    if (server == NULL) {
        return;
    }
    server->failures = 0;
    server->mss = c->snd.peer_mss;
    if (gives) {
        memcpy(server->cookie, seg->opt.cookie, sizeof(server->cookie));
        server->cookie_bytes = seg->opt.cookie_bytes;
    }
}

/* ---- server: pending connections ------------------------------------------------------------ */

/* One that waits no longer gives its place back, to its listener too if that is still there. */
static void free_pending(struct salut_stack *stack, uint32_t index)
{
    struct slt_fast_open *f = &stack->fast_open;
    struct slt_fast_open_pending *p = &f->pending[index];
    struct slt_listener *l = slt_listener_at(stack, p->listener);

    if (l->generation == p->listener_generation) {
        SLT_ASSERT(l->fast_open_count > 0);
        l->fast_open_count--;
    }
    p->next = f->free;
    f->free = index;
}

static void expire_reset(struct salut_stack *stack)
{
    struct slt_fast_open *f = &stack->fast_open;

    while (f->reset_head != SLT_NIL && f->pending[f->reset_head].until_ns <= stack->now_ns) {
        uint32_t index = f->reset_head;
        f->reset_head = f->pending[index].next;
        f->reset_tail = f->reset_head == SLT_NIL ? SLT_NIL : f->reset_tail;
        free_pending(stack, index);
    }
}

static bool is_full(struct salut_stack *stack, const struct slt_listener *l)
{
    expire_reset(stack);
    return l->fast_open_count >= l->defaults.fast_open_max || stack->fast_open.free == SLT_NIL;
}

/* A SYN came for a listener: whether it makes a connection at once. What its SYN,ACK is to give
 * away is noted in `made` (4.2.2, R7413-07). */
bool slt_fast_open_takes(struct salut_stack *stack, const struct slt_rx_item *item,
                         struct slt_tcp_half_open *made)
{
    const struct slt_listener *l = slt_listener_at(stack, made->listener);

    if (l->defaults.fast_open_max == 0 || stack->fast_open.pending_max == 0) {
        return false; /* 4.2 (R7413-01): off, and every option is ignored */
    }
    enum slt_tcp_fast_open_verdict verdict =
        slt_tcp_fast_open_judge(&stack->tcp, &item->id, &item->seg.opt, stack->now_ns);
    if (verdict == SLT_FAST_OPEN_NONE) {
        return false;
    }
    if (verdict != SLT_FAST_OPEN_FRESH) {
        made->flags |= SLT_HALF_FAST_OPEN;
        slt_stack_note(stack, SLT_NOTE_TCP_FAST_OPEN_GIVEN);
    }
    if (verdict == SLT_FAST_OPEN_BAD) {
        slt_stack_note(stack, SLT_NOTE_TCP_FAST_OPEN_BAD);
    }
    if (verdict == SLT_FAST_OPEN_REQUEST || verdict == SLT_FAST_OPEN_BAD) {
        return false;
    }
    if (is_full(stack, l)) { /* R7413-05 */
        slt_stack_note(stack, SLT_NOTE_TCP_FAST_OPEN_FULL);
        return false;
    }
    return true;
}

void slt_fast_open_accepted(struct salut_stack *stack, struct slt_tcp_conn *c, uint32_t listener)
{
    struct slt_fast_open *f = &stack->fast_open;
    struct slt_listener *l = slt_listener_at(stack, listener);
    uint32_t index = f->free;
    uint32_t *bucket = &buckets(f)[c->index % f->pending_max];

    SLT_ASSERT(index != SLT_NIL);
    f->free = f->pending[index].next;
    f->pending[index] = (struct slt_fast_open_pending){.next = *bucket,
                                                       .conn = c->index,
                                                       .listener = listener,
                                                       .listener_generation = l->generation};
    *bucket = index;
    l->fast_open_count++;
    c->place.marks |= SLT_MARK_FAST_OPEN;
}

static uint32_t take_pending(struct slt_fast_open *f, uint32_t conn)
{
    uint32_t *link = &buckets(f)[conn % f->pending_max];

    while (f->pending[*link].conn != conn) {
        link = &f->pending[*link].next;
        SLT_ASSERT(*link != SLT_NIL);
    }
    uint32_t index = *link;
    *link = f->pending[index].next;
    return index;
}

/* A pending connection's handshake is over, one way or the other. */
static void settle_passive(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    struct slt_fast_open *f = &stack->fast_open;
    uint32_t index = take_pending(f, c->index);

    forget_mark(c);
    if (c->state != SALUT_STATE_CLOSED || c->end_reason != SLT_CAUSE_RESET_RECEIVED ||
        slt_tcp_has(c, SLT_CONN_CONNECTED)) {
        free_pending(stack, index);
        return;
    }
    f->pending[index].until_ns = slt_time_add(stack->now_ns, RESET_NS); /* 5.1 (R7413-05) */
    f->pending[index].next = SLT_NIL;
    if (f->reset_tail == SLT_NIL) {
        f->reset_head = index;
    } else {
        f->pending[f->reset_tail].next = index;
    }
    f->reset_tail = index;
}

/* A marked connection was changed by a door. */
void slt_fast_open_watch(struct salut_stack *stack, struct slt_tcp_conn *c)
{
    if (slt_tcp_has(c, SLT_CONN_PASSIVE)) {
        if (c->state != SALUT_STATE_SYN_RECEIVED) {
            settle_passive(stack, c);
        }
    } else if (c->state == SALUT_STATE_CLOSED) { /* nobody answered, or not kindly */
        forget_mark(c);
        if (c->status != SALUT_ABORTED) {
            spare(stack, &c->id);
        }
    }
}

/* ---- check ---------------------------------------------------------------------------------- */

static uint32_t counted_by_listeners(const struct salut_stack *stack)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < stack->listen.pool.fresh; i++) {
        const struct slt_listener *l = slt_listener_at(stack, i);
        count += l->generation % 2 == 1 ? l->fast_open_count : 0;
    }
    return count;
}

static bool has_listener(const struct salut_stack *stack, const struct slt_fast_open_pending *p)
{
    return slt_listener_at(stack, p->listener)->generation == p->listener_generation;
}

/* Every entry is free, waits for its connection, or goes on counting for its listener. */
const char *slt_fast_open_check(const struct salut_stack *stack)
{
    const struct slt_fast_open *f = &stack->fast_open;
    uint32_t seen = 0;
    uint32_t counting = 0;

    for (uint32_t i = 0; i < f->pending_max; i++) {
        for (uint32_t at = buckets(f)[i]; at != SLT_NIL; at = f->pending[at].next) {
            const struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, f->pending[at].conn);
            if (!(c->place.marks & SLT_MARK_FAST_OPEN) || c->index % f->pending_max != i) {
                return "I-49: a pending fast open belongs to no connection";
            }
            seen++;
            counting += has_listener(stack, &f->pending[at]) ? 1U : 0U;
        }
    }
    for (uint32_t at = f->reset_head; at != SLT_NIL; at = f->pending[at].next) {
        seen++;
        counting += has_listener(stack, &f->pending[at]) ? 1U : 0U;
    }
    for (uint32_t at = f->free; at != SLT_NIL; at = f->pending[at].next) {
        seen++;
    }
    if (seen != f->pending_max) {
        return "I-49: an entry of the fast open table is lost";
    }
    return counting == counted_by_listeners(stack) ? NULL
                                                   : "I-49: a listener miscounts its fast opens";
}
