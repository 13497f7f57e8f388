/* See recorder.h.
 *
 * Entries are handed out in a ring: the cursor looks at a few places ahead for one whose
 * connection is over, and takes the first if there is none. Two indices of chains lead to them, by
 * socket and by addresses.
 */
#include "observe/recorder.h"

#include "base/compiler.h"
#include "base/time.h"

#include <stdlib.h>
#include <string.h>

#define NOWHERE       UINT32_MAX
#define LOOK_AHEAD    16U
#define PORTS         65536U
#define TIME_WAIT_NS  (60 * SLT_NS_PER_S)
#define RESET_NEAR_NS (200 * SLT_NS_PER_US)
#define EVENTS_NEAR   64U
#define SERIES_NS     (130 * SLT_NS_PER_S) /* retransmissions further apart are not of one */

struct links {
    uint32_t next_by_socket;
    uint32_t next_by_ends;
};

struct slt_recorder {
    struct slt_recorded *table;
    struct links *links;
    uint32_t *by_socket; /* heads of chains */
    uint32_t *by_ends;
    uint32_t room;
    uint32_t mask; /* of the heads */
    uint32_t cursor;
    struct slt_pids *pids;
    struct slt_recorder_counts counts;
    uint64_t reset_socket; /* the last one a RST came for */
    int64_t reset_at_ns;
    uint32_t listener_at[PORTS]; /* entry of the last listener seen there */
};

/* ---- indices -------------------------------------------------------------------------------- */

static uint32_t mix(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    return (uint32_t)value;
}

uint32_t slt_recorded_hash(const salut_addr *local, const salut_addr *remote, uint16_t local_port,
                           uint16_t remote_port)
{
    uint64_t words[4];
    memcpy(words, local->b, 16);
    memcpy(words + 2, remote->b, 16);
    uint64_t ports = (uint64_t)local_port << 16 | remote_port;
    return mix(words[0] * 3 + words[1] * 5 + words[2] * 7 + words[3] * 11 +
               ports * 0x9e3779b97f4a7c15);
}

static uint32_t hash_of(const struct slt_recorded *c)
{
    return slt_recorded_hash(&c->local, &c->remote, c->local_port, c->remote_port);
}

static void link_socket(struct slt_recorder *r, uint32_t at)
{
    uint32_t *head = &r->by_socket[mix(r->table[at].socket) & r->mask];
    r->links[at].next_by_socket = *head;
    *head = at;
}

static void unlink_socket(struct slt_recorder *r, uint32_t at)
{
    struct slt_recorded *c = &r->table[at];
    if (c->socket == 0) {
        return;
    }
    uint32_t *link = &r->by_socket[mix(c->socket) & r->mask];
    while (*link != NOWHERE && *link != at) {
        link = &r->links[*link].next_by_socket;
    }
    if (*link == at) {
        *link = r->links[at].next_by_socket;
    }
    c->socket = 0;
}

static void link_ends(struct slt_recorder *r, uint32_t at)
{
    uint32_t *head = &r->by_ends[hash_of(&r->table[at]) & r->mask];
    r->links[at].next_by_ends = *head;
    *head = at;
}

static void unlink_ends(struct slt_recorder *r, uint32_t at)
{
    uint32_t *link = &r->by_ends[hash_of(&r->table[at]) & r->mask];
    while (*link != NOWHERE && *link != at) {
        link = &r->links[*link].next_by_ends;
    }
    if (*link == at) {
        *link = r->links[at].next_by_ends;
    }
}

static uint32_t find_socket(const struct slt_recorder *r, uint64_t socket)
{
    uint32_t at = socket == 0 ? NOWHERE : r->by_socket[mix(socket) & r->mask];
    while (at != NOWHERE && r->table[at].socket != socket) {
        at = r->links[at].next_by_socket;
    }
    return at;
}

static bool same_addr(const salut_addr *a, const salut_addr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

struct ends {
    const salut_addr *local, *remote;
    uint16_t local_port, remote_port;
};

static bool has_ends(const struct slt_recorded *c, const struct ends *e)
{
    return c->local_port == e->local_port && c->remote_port == e->remote_port &&
           same_addr(&c->local, e->local) && same_addr(&c->remote, e->remote);
}

static uint32_t find_ends(const struct slt_recorder *r, const struct ends *e,
                          bool (*wanted)(const struct slt_recorded *c))
{
    uint32_t hash = slt_recorded_hash(e->local, e->remote, e->local_port, e->remote_port);
    uint32_t at = r->by_ends[hash & r->mask];
    while (at != NOWHERE && !(has_ends(&r->table[at], e) && wanted(&r->table[at]))) {
        at = r->links[at].next_by_ends;
    }
    return at;
}

/* ---- entries -------------------------------------------------------------------------------- */

static void begin(struct slt_recorded *c)
{
    __atomic_store_n(&c->turn, c->turn + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void end(struct slt_recorded *c)
{
    __atomic_store_n(&c->turn, c->turn + 1, __ATOMIC_RELEASE);
}

static bool is_over(const struct slt_recorded *c, int64_t now_ns)
{
    bool small = c->socket == 0 &&
                 (c->stands == SALUT_STATE_TIME_WAIT || c->stands == SALUT_STATE_FIN_WAIT_2);
    return c->used == 0 || c->stands == SALUT_STATE_CLOSED ||
           (small && c->since_ns != 0 && now_ns - c->since_ns > TIME_WAIT_NS);
}

/* The number of a fresh entry, its turn odd. */
static uint32_t make_room(struct slt_recorder *r, int64_t now_ns)
{
    uint32_t at = r->cursor;
    for (uint32_t i = 0; i < LOOK_AHEAD; i++) {
        uint32_t next = (r->cursor + i) % r->room;
        if (is_over(&r->table[next], now_ns)) {
            at = next;
            break;
        }
    }
    r->cursor = (at + 1) % r->room;
    struct slt_recorded *c = &r->table[at];
    begin(c);
    if (c->used != 0) {
        r->counts.forgotten += !is_over(c, now_ns);
        unlink_socket(r, at);
        unlink_ends(r, at);
    }
    uint32_t turn = c->turn;
    memset(c, 0, sizeof(*c));
    c->turn = turn;
    c->used = 1;
    c->pid = SLT_UNKNOWN;
    c->passive = SLT_DONT_KNOW;
    c->bytes_sent = c->bytes_received = SLT_UNKNOWN;
    return at;
}

static void own(struct slt_recorder *r, struct slt_recorded *c, int32_t pid)
{
    const struct slt_pid *p = slt_pids_find(r->pids, pid);
    c->pid = pid;
    c->netns = p->netns != 0 ? p->netns : c->netns;
    memcpy(c->program, p->program, sizeof(c->program));
}

/* A connection that comes in belongs to whoever listens. */
static void inherit(const struct slt_recorder *r, struct slt_recorded *c)
{
    static const salut_addr any4 = {.b = {[10] = 0xff, [11] = 0xff}};
    static const salut_addr any6;
    const struct slt_recorded *l = &r->table[r->listener_at[c->local_port] % r->room];
    bool here = same_addr(&l->local, &c->local) || same_addr(&l->local, &any4) ||
                same_addr(&l->local, &any6);
    if (l->used != 0 && l->stands == SALUT_STATE_LISTEN && l->local_port == c->local_port && here) {
        c->pid = l->pid;
        c->netns = l->netns;
        memcpy(c->program, l->program, sizeof(c->program));
    }
}

/* ---- what was there before ------------------------------------------------------------------ */

void slt_recorder_learn(struct slt_recorder *r, const struct slt_seen *seen)
{
    uint32_t at = make_room(r, 0);
    struct slt_recorded *c = &r->table[at];
    c->netns = seen->instance;
    c->local = seen->local;
    c->remote = seen->remote;
    c->local_port = seen->local_port;
    c->remote_port = seen->remote_port;
    c->stands = seen->state;
    c->family = seen->family;
    c->passive = seen->passive;
    c->pid = seen->pid;
    memcpy(c->program, seen->program, sizeof(c->program));
    link_ends(r, at);
    if (seen->kind == SLT_SEEN_LISTENER) {
        r->listener_at[c->local_port] = at;
    }
    end(c);
}

/* Seen before, by a look at sock_diag, and still without a socket of its own. */
static bool awaits_socket(const struct slt_recorded *c)
{
    return c->socket == 0 && c->change_count == 0;
}

/* ---- changes -------------------------------------------------------------------------------- */

static void fill_ends(struct slt_recorded *c, const struct slt_trace_event *e)
{
    c->local = e->local;
    c->remote = e->remote;
    c->local_port = e->local_port;
    c->remote_port = e->remote_port;
    c->family = e->family;
}

static enum slt_cause last_cause(const struct slt_recorded *c)
{
    return c->change_count == 0
               ? SLT_BY_NONE
               : (enum slt_cause)c->changes[(c->change_count - 1) % SLT_RECORDED_MAX].cause;
}

static struct ends ends_of(const struct slt_trace_event *e)
{
    return (struct ends){&e->local, &e->remote, e->local_port, e->remote_port};
}

/* The entry of an event's socket, its turn odd; ends may have become known since (a connect()
 * chooses its port, a listener's child has the peer's address). */
static uint32_t entry_of(struct slt_recorder *r, const struct slt_trace_event *e)
{
    struct ends ends = ends_of(e);
    uint32_t at = find_socket(r, e->socket);
    if (at != NOWHERE) {
        begin(&r->table[at]);
        if (!has_ends(&r->table[at], &ends) && e->to != SALUT_STATE_CLOSED) {
            unlink_ends(r, at);
            fill_ends(&r->table[at], e);
            link_ends(r, at);
        }
        return at;
    }
    at = find_ends(r, &ends, awaits_socket);
    if (at != NOWHERE) {
        begin(&r->table[at]);
    } else {
        at = make_room(r, e->at_ns);
        fill_ends(&r->table[at], e);
        r->table[at].stands = e->from;
        link_ends(r, at);
    }
    r->table[at].socket = e->socket;
    link_socket(r, at);
    return at;
}

/* A RST sent in answer to what made the change is the next thing the socket does. */
static bool reset_follows(const struct slt_trace_event *events, size_t count)
{
    for (size_t i = 1; i < count && i < EVENTS_NEAR; i++) {
        if (events[i].at_ns - events[0].at_ns > RESET_NEAR_NS) {
            break;
        }
        if (events[i].socket == events[0].socket) {
            return events[i].kind == SLT_TRACE_RESET_SENT;
        }
    }
    return false;
}

static bool reset_came(const struct slt_recorder *r, const struct slt_trace_event *e)
{
    return r->reset_socket == e->socket && e->at_ns - r->reset_at_ns < RESET_NEAR_NS;
}

static void note(struct slt_recorder *r, struct slt_recorded *c, const struct slt_trace_event *e,
                 const struct slt_cause_verdict *verdict)
{
    bool programs = slt_cause_is_programs(verdict->cause);
    if (programs) {
        own(r, c, e->pid);
    } else if (e->from == SALUT_STATE_LISTEN) {
        c->passive = SLT_YES;
        inherit(r, c);
    }
    if (verdict->cause == SLT_BY_CONNECT) {
        c->passive = SLT_NO;
    }
    if (c->change_count == 0 &&
        (verdict->cause == SLT_BY_CONNECT || e->from == SALUT_STATE_LISTEN)) {
        c->opened_ns = e->at_ns;
    }
    c->changes[c->change_count % SLT_RECORDED_MAX] = (struct slt_recorded_change){
        .at_ns = e->at_ns,
        .pid = programs ? e->pid : SLT_UNKNOWN,
        .from = e->from,
        .to = verdict->to,
        .cause = (uint8_t)verdict->cause,
        .certain = verdict->certain,
    };
    c->change_count++;
    c->stands = verdict->to;
    c->since_ns = e->at_ns;
    r->counts.changes++;
    r->counts.unknown += verdict->cause == SLT_BY_UNKNOWN;
}

static void make_change(struct slt_recorder *r, struct slt_recorded *c,
                        const struct slt_trace_event *e, const struct slt_cause_verdict *verdict,
                        struct slt_change *change)
{
    change->conn = c;
    change->in_state_ns = c->since_ns == 0 ? SLT_UNKNOWN : e->at_ns - c->since_ns;
    note(r, c, e, verdict);
    change->what = c->changes[(c->change_count - 1) % SLT_RECORDED_MAX];
}

static void take_change(struct slt_recorder *r, const struct slt_trace_event *events, size_t count,
                        struct slt_change *change)
{
    const struct slt_trace_event *e = &events[0];
    uint32_t at = entry_of(r, e);
    struct slt_recorded *c = &r->table[at];
    struct slt_cause_facts facts = {
        .from = e->from,
        .to = e->to,
        .reset_received = reset_came(r, e),
        .reset_sent = e->to == SALUT_STATE_CLOSED && reset_follows(events, count),
        .frames = e->frames,
    };
    struct slt_cause_verdict verdict = slt_cause_judge(&facts);
    make_change(r, c, e, &verdict, change);
    if (verdict.to == SALUT_STATE_LISTEN) {
        r->listener_at[c->local_port] = at;
    }
    if (e->to == SALUT_STATE_CLOSED) {
        unlink_socket(r, at); /* the kernel may give its address to another at once */
    }
    end(c);
}

static void take_retransmission(struct slt_recorder *r, const struct slt_trace_event *e)
{
    uint32_t at = find_socket(r, e->socket);
    if (at == NOWHERE) {
        return;
    }
    struct slt_recorded *c = &r->table[at];
    begin(c);
    c->retransmits++;
    if (c->retry_last_ns == 0 || e->at_ns - c->retry_last_ns > SERIES_NS) {
        c->retry_began_ns = e->at_ns;
    }
    c->retry_last_ns = e->at_ns;
    end(c);
}

static bool is_orphan(const struct slt_recorded *c)
{
    return c->socket == 0 && c->stands == SALUT_STATE_FIN_WAIT_2;
}

/* What is left of a closed connection is no socket: that it answers data with a RST, and ends with
 * it, is all there is to see. */
static bool take_reset(struct slt_recorder *r, const struct slt_trace_event *e,
                       struct slt_change *change)
{
    struct ends ends = ends_of(e);
    uint32_t at = find_socket(r, e->socket);
    if (at != NOWHERE) {
        begin(&r->table[at]);
        r->table[at].odd_answers += r->table[at].stands == SALUT_STATE_SYN_SENT;
        end(&r->table[at]);
        return false;
    }
    at = find_ends(r, &ends, is_orphan);
    if (at == NOWHERE) {
        return false;
    }
    struct slt_trace_event over = *e;
    struct slt_cause_verdict verdict = {SLT_BY_DATA_AFTER_CLOSE, SALUT_STATE_CLOSED, true};
    over.from = SALUT_STATE_FIN_WAIT_2;
    over.to = SALUT_STATE_CLOSED;
    begin(&r->table[at]);
    make_change(r, &r->table[at], &over, &verdict, change);
    end(&r->table[at]);
    return true;
}

/* One entry for each process: it has neither socket nor ends. */
static uint32_t entry_in_use(struct slt_recorder *r, const struct slt_trace_event *e)
{
    struct ends ends = ends_of(e);
    uint32_t hash = slt_recorded_hash(ends.local, ends.remote, ends.local_port, ends.remote_port);
    uint32_t at = r->by_ends[hash & r->mask];
    while (at != NOWHERE && !(has_ends(&r->table[at], &ends) && r->table[at].pid == e->pid &&
                              last_cause(&r->table[at]) == SLT_BY_ADDRESS_IN_USE)) {
        at = r->links[at].next_by_ends;
    }
    if (at != NOWHERE) {
        begin(&r->table[at]);
        return at;
    }
    at = make_room(r, e->at_ns);
    fill_ends(&r->table[at], e);
    link_ends(r, at);
    return at;
}

static void take_in_use(struct slt_recorder *r, const struct slt_trace_event *e,
                        struct slt_change *change)
{
    struct slt_cause_verdict verdict = {SLT_BY_ADDRESS_IN_USE, SALUT_STATE_CLOSED, true};
    struct slt_trace_event here = *e;
    here.from = here.to = SALUT_STATE_CLOSED;
    here.family = 4;
    uint32_t at = entry_in_use(r, &here);
    make_change(r, &r->table[at], &here, &verdict, change);
    end(&r->table[at]);
}

bool slt_recorder_take(struct slt_recorder *r, const struct slt_trace_event *events, size_t count,
                       struct slt_change *change)
{
    const struct slt_trace_event *e = &events[0];
    switch ((enum slt_trace_kind)e->kind) {
    case SLT_TRACE_STATE:
        take_change(r, events, count, change);
        return true;
    case SLT_TRACE_RESET_RECEIVED:
        r->reset_socket = e->socket;
        r->reset_at_ns = e->at_ns;
        return false;
    case SLT_TRACE_RETRANSMIT:
        take_retransmission(r, e);
        return false;
    case SLT_TRACE_RESET_SENT:
        return take_reset(r, e, change);
    case SLT_TRACE_IN_USE:
        take_in_use(r, e, change);
        return true;
    case SLT_TRACE_KIND_COUNT:
    default:
        return false;
    }
}

/* ---- the end -------------------------------------------------------------------------------- */

static bool is_full(const struct slt_recorded *c)
{
    return c->stands != SALUT_STATE_CLOSED && c->stands != SALUT_STATE_TIME_WAIT &&
           c->stands != SALUT_STATE_LISTEN && c->remote_port != 0 &&
           (c->stands != SALUT_STATE_FIN_WAIT_2 || c->socket != 0);
}

static bool awaits_numbers(const struct slt_recorded *c)
{
    return c->remote_port != 0 && !is_full(c) && c->bytes_sent == SLT_UNKNOWN;
}

static void keep_numbers(struct slt_recorded *c, const struct slt_seen *seen, int64_t at_ns)
{
    c->bytes_sent = seen->bytes_sent;
    c->bytes_received = seen->bytes_received;
    if (seen->retransmits > 0) {
        c->retransmits = (uint32_t)seen->retransmits;
    }
    /* Of what never was the kernel tells the time since its own start. */
    if (seen->idle.how == SLT_SPAN_EXACT && seen->bytes_sent + seen->bytes_received > 0) {
        c->data_ns = at_ns - seen->idle.ns;
        c->heard_ns = at_ns - seen->silent.ns;
    }
    /* Timeouts double: a series lasts no longer than the one after its last. */
    if (c->retry_began_ns == 0 && c->data_ns != 0 && seen->retransmits > 0 && seen->rto_us > 0) {
        c->retry_began_ns = c->data_ns - seen->rto_us * SLT_NS_PER_US;
    }
}

bool slt_recorder_takes_for_open(const struct slt_recorder *r, const struct slt_seen *seen)
{
    struct ends ends = {&seen->local, &seen->remote, seen->local_port, seen->remote_port};
    return find_ends(r, &ends, is_full) != NOWHERE;
}

const struct slt_recorded *slt_recorder_finish(struct slt_recorder *r, const struct slt_seen *seen,
                                               int64_t at_ns, bool missed,
                                               struct slt_change *change)
{
    struct ends ends = {&seen->local, &seen->remote, seen->local_port, seen->remote_port};
    uint32_t at = seen->bytes_sent == SLT_UNKNOWN ? NOWHERE : find_ends(r, &ends, awaits_numbers);
    bool makes_change = at == NOWHERE && missed;
    change->conn = NULL;
    if (makes_change) {
        at = find_ends(r, &ends, is_full);
    }
    if (at == NOWHERE) {
        return NULL;
    }
    struct slt_recorded *c = &r->table[at];
    if (c->netns != 0 && seen->instance != 0 && c->netns != seen->instance) {
        return NULL; /* another namespace's, of the same ends */
    }
    begin(c);
    c->netns = c->netns == 0 ? seen->instance : c->netns;
    if (makes_change) {
        struct slt_trace_event e = {.at_ns = at_ns, .from = c->stands, .to = SALUT_STATE_CLOSED};
        struct slt_cause_verdict verdict = slt_cause_guess(c->stands, seen);
        make_change(r, c, &e, &verdict, change);
        unlink_socket(r, at);
        r->counts.guessed++;
    }
    keep_numbers(c, seen, at_ns);
    r->counts.finals++;
    end(c);
    return c;
}

/* ---- life ----------------------------------------------------------------------------------- */

struct slt_recorder *slt_recorder_new(struct slt_recorded *table, uint32_t room,
                                      struct slt_pids *pids)
{
    struct slt_recorder *r = calloc(1, sizeof(*r));
    uint32_t heads = 1024;
    while (heads < room) {
        heads *= 2;
    }
    if (r == NULL) {
        return NULL;
    }
    r->table = table;
    r->room = room;
    r->mask = heads - 1;
    r->pids = pids;
    r->links = malloc(room * sizeof(*r->links));
    r->by_socket = malloc(heads * sizeof(*r->by_socket));
    r->by_ends = malloc(heads * sizeof(*r->by_ends));
    if (r->links == NULL || r->by_socket == NULL || r->by_ends == NULL) {
        slt_recorder_free(r);
        return NULL;
    }
    memset(r->by_socket, 0xff, heads * sizeof(*r->by_socket));
    memset(r->by_ends, 0xff, heads * sizeof(*r->by_ends));
    return r;
}

void slt_recorder_free(struct slt_recorder *r)
{
    free(r->links);
    free(r->by_socket);
    free(r->by_ends);
    free(r);
}

const struct slt_recorder_counts *slt_recorder_counts(const struct slt_recorder *r)
{
    return &r->counts;
}
