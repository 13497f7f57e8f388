/* The neighbour table and its state machine.
 *
 * Every change of state goes through set_state, which sets the state's timer, puts the entry on
 * the due list when a question is to be asked, on the wake list when resolution has ended, and in
 * the eviction list that the new state, its users and its origin call for. What the timer means:
 *
 *     INCOMPLETE, PROBE   the answer is late: ask again, or fail after three questions
 *     REACHABLE           the proof is old; confirmations since then only moved confirmed_at_ns,
 *                         so that TCP's progress costs a store and not a timer
 *     DELAY               nobody has confirmed: ask
 *     STALE, FAILED       nobody has cared for a minute: forget
 *
 * A question is counted when it is taken (slt_neigh_next_due), not when it becomes due, so a full
 * device does not use up the attempts; asked_at_ns outlives states and keeps two questions to one
 * target a second apart (RFC 1122 2.3.2.1, ARP-03).
 */
#include "ip/neigh.h"

#define NEVER_ASKED INT64_MIN

bool slt_neigh_init(struct slt_neigh *neigh, struct slt_mem *mem,
                    const struct slt_neigh_setup *setup)
{
    SLT_ASSERT(setup->entries_max > 0);
    *neigh = (struct slt_neigh){.key = setup->key,
                                .due_head = SLT_NIL,
                                .due_tail = SLT_NIL,
                                .wake_head = SLT_NIL,
                                .wake_tail = SLT_NIL,
                                .incomplete_max = (setup->entries_max + 1) / 2,
                                .reachable_base_ns = SLT_NEIGH_REACHABLE_NS,
                                .retrans_ns = SLT_NEIGH_RETRANS_NS,
                                .defended_at_ns = NEVER_ASKED};
    for (uint32_t i = 0; i < SLT_NEIGH_LIST_COUNT; i++) {
        neigh->lists[i] = (struct slt_neigh_list){SLT_NIL, SLT_NIL};
    }
    slt_prng_seed(&neigh->prng, setup->seed);
    slt_wheel_init(&neigh->wheel, offsetof(struct slt_neigh_entry, timer), setup->now_ns);
    if (!slt_pool_init(&neigh->pool, mem, SLT_OWNER_NEIGHBOUR, sizeof(struct slt_neigh_entry),
                       setup->entries_max)) {
        return false;
    }
    if (!slt_flow_init(&neigh->flow, mem, setup->entries_max)) {
        slt_pool_deinit(&neigh->pool);
        return false;
    }
    neigh->flow.kinds[0] = (struct slt_flow_kind){
        .pool = &neigh->pool, .link_offset = offsetof(struct slt_neigh_entry, hash_link)};
    return true;
}

void slt_neigh_deinit(struct slt_neigh *neigh)
{
    slt_flow_deinit(&neigh->flow, neigh->pool.mem);
    slt_pool_deinit(&neigh->pool);
}

static uint32_t hash_of(const struct slt_neigh *neigh, const uint8_t addr[16])
{
    return (uint32_t)slt_siphash13(&neigh->key, addr, SLT_ADDRESS_BYTES);
}

static uint32_t find_hashed(const struct slt_neigh *neigh, const uint8_t addr[16], uint32_t hash,
                            uint64_t *steps)
{
    slt_flow_ref ref = slt_flow_first(&neigh->flow, hash);
    while (ref != SLT_FLOW_NONE) {
        const struct slt_neigh_entry *e = slt_neigh_at(neigh, slt_flow_index(ref));
        (*steps)++;
        if (slt_ip_addr_equal(e->addr, addr)) {
            return slt_flow_index(ref);
        }
        ref = e->hash_link;
    }
    return SLT_NIL;
}

uint32_t slt_neigh_find(struct slt_neigh *neigh, const uint8_t addr[16])
{
    return find_hashed(neigh, addr, hash_of(neigh, addr), &neigh->steps);
}

const struct slt_neigh_entry *slt_neigh_peek(const struct slt_neigh *neigh, const uint8_t addr[16])
{
    uint64_t steps = 0;
    uint32_t index = find_hashed(neigh, addr, hash_of(neigh, addr), &steps);
    return index == SLT_NIL ? NULL : slt_neigh_at(neigh, index);
}

static void unlist(struct slt_neigh *neigh, uint32_t index)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    struct slt_neigh_list *list = &neigh->lists[e->list];
    if (e->older == SLT_NIL) {
        list->oldest = e->newer;
    } else {
        slt_neigh_at(neigh, e->older)->newer = e->newer;
    }
    if (e->newer == SLT_NIL) {
        list->newest = e->older;
    } else {
        slt_neigh_at(neigh, e->newer)->older = e->older;
    }
}

static void enlist(struct slt_neigh *neigh, uint32_t index, uint8_t id)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    struct slt_neigh_list *list = &neigh->lists[id];
    e->list = id;
    e->older = list->newest;
    e->newer = SLT_NIL;
    if (list->newest == SLT_NIL) {
        list->oldest = index;
    } else {
        slt_neigh_at(neigh, list->newest)->newer = index;
    }
    list->newest = index;
}

/* Which list the entry belongs in. An entry on the due or wake list is not evicted: the lists
 * would lose their links, and a waiter its answer. */
static uint8_t list_of(const struct slt_neigh_entry *e)
{
    if (e->permanent || e->holds > 0 || e->due || e->wake != SLT_NEIGH_WAKE_NONE) {
        return SLT_NEIGH_LIST_KEPT;
    }
    if (e->state == SLT_NEIGH_FAILED) {
        return SLT_NEIGH_LIST_FAILED;
    }
    if (e->state != SLT_NEIGH_STALE) {
        return SLT_NEIGH_LIST_KEPT;
    }
    return e->wanted ? SLT_NEIGH_LIST_STALE : SLT_NEIGH_LIST_THEIRS;
}

static void relist(struct slt_neigh *neigh, uint32_t index)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    uint8_t id = list_of(e);
    if (id != e->list) {
        unlist(neigh, index);
        enlist(neigh, index, id);
    }
}

static void push_due(struct slt_neigh *neigh, uint32_t index)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    if (e->due) {
        return;
    }
    e->due = true;
    e->due_next = SLT_NIL;
    if (neigh->due_tail == SLT_NIL) {
        neigh->due_head = index;
    } else {
        slt_neigh_at(neigh, neigh->due_tail)->due_next = index;
    }
    neigh->due_tail = index;
}

static void push_wake(struct slt_neigh *neigh, uint32_t index, uint8_t kind)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    bool listed = e->wake != SLT_NEIGH_WAKE_NONE;
    e->wake = kind; /* a later outcome that nobody has fetched replaces the earlier one */
    if (listed) {
        return;
    }
    e->wake_next = SLT_NIL;
    if (neigh->wake_tail == SLT_NIL) {
        neigh->wake_head = index;
    } else {
        slt_neigh_at(neigh, neigh->wake_tail)->wake_next = index;
    }
    neigh->wake_tail = index;
}

static void set_timer(struct slt_neigh *neigh, uint32_t index, int64_t at_ns)
{
    slt_wheel_set(&neigh->wheel, &neigh->pool, index, at_ns);
}

/* The next question, at once or when a second has passed since the last one. */
static void ask(struct slt_neigh *neigh, uint32_t index, int64_t now_ns)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    int64_t at_ns = now_ns;
    if (e->asked_at_ns != NEVER_ASKED) {
        at_ns = slt_max64(now_ns, slt_time_add(e->asked_at_ns, neigh->retrans_ns));
    }
    if (at_ns > now_ns) {
        set_timer(neigh, index, at_ns);
        return;
    }
    set_timer(neigh, index, SLT_NEVER);
    push_due(neigh, index);
}

/* Half to one and a half times the base, so that neighbours are not probed in step (R4861-05). */
static int64_t draw_reachable(struct slt_neigh *neigh)
{
    uint64_t base = (uint64_t)neigh->reachable_base_ns;
    return (int64_t)(base / 2 + slt_prng_below(&neigh->prng, base + 1));
}

static void on_enter(struct slt_neigh *neigh, uint32_t index, uint8_t from, int64_t now_ns)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    switch ((enum slt_neigh_state)e->state) {
    case SLT_NEIGH_INCOMPLETE:
    case SLT_NEIGH_PROBE:
        e->probes = 0;
        ask(neigh, index, now_ns);
        break;
    case SLT_NEIGH_REACHABLE:
        e->confirmed_at_ns = now_ns;
        e->reachable_for_ns = draw_reachable(neigh);
        set_timer(neigh, index, slt_time_add(now_ns, e->reachable_for_ns));
        break;
    case SLT_NEIGH_STALE:
        set_timer(neigh, index, slt_time_add(now_ns, SLT_NEIGH_FORGET_NS));
        break;
    case SLT_NEIGH_DELAY:
        set_timer(neigh, index, slt_time_add(now_ns, SLT_NEIGH_DELAY_NS));
        break;
    case SLT_NEIGH_FAILED:
        /* Only a neighbour that never answered is left alone for a while: one that did may just
         * have changed its link address, and the next packet may ask everybody. */
        e->retry_at_ns =
            from == SLT_NEIGH_INCOMPLETE ? slt_time_add(now_ns, SLT_NEIGH_FAILED_HOLD_NS) : now_ns;
        set_timer(neigh, index, slt_time_add(now_ns, SLT_NEIGH_FORGET_NS));
        break;
    case SLT_NEIGH_NONE:
    default:
        SLT_UNREACHABLE("an entry in use has a state");
    }
}

/* The one place where an entry changes its state. */
static void set_state(struct slt_neigh *neigh, uint32_t index, enum slt_neigh_state to,
                      int64_t now_ns)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    uint8_t from = e->state;
    SLT_ASSERT(!e->permanent);
    if (from == SLT_NEIGH_INCOMPLETE) {
        SLT_ASSERT(neigh->incomplete_count > 0);
        neigh->incomplete_count--;
    }
    e->state = (uint8_t)to;
    neigh->incomplete_count += to == SLT_NEIGH_INCOMPLETE ? 1 : 0;
    on_enter(neigh, index, from, now_ns);
    bool was_open = from == SLT_NEIGH_INCOMPLETE || from == SLT_NEIGH_FAILED;
    if (to == SLT_NEIGH_FAILED) {
        push_wake(neigh, index, SLT_NEIGH_WAKE_FAILED);
    } else if (was_open && to != SLT_NEIGH_INCOMPLETE && e->wanted) {
        push_wake(neigh, index, SLT_NEIGH_WAKE_RESOLVED);
    }
    relist(neigh, index);
}

/* Give an entry up. Those on the due or wake list are in the list that may not be evicted. */
static void forget(struct slt_neigh *neigh, uint32_t index)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    SLT_ASSERT(!e->due);
    SLT_ASSERT(e->wake == SLT_NEIGH_WAKE_NONE);
    SLT_ASSERT(e->state != SLT_NEIGH_INCOMPLETE);
    set_timer(neigh, index, SLT_NEVER);
    unlist(neigh, index);
    slt_flow_remove(&neigh->flow, e->hash, slt_flow_ref_make(0, index));
    e->state = SLT_NEIGH_NONE;
    e->generation++;
    slt_pool_give(&neigh->pool, index);
}

/* Make room, from the lists up to and including `last`. */
static bool evict(struct slt_neigh *neigh, uint32_t last)
{
    for (uint32_t id = SLT_NEIGH_LIST_FAILED; id <= last; id++) {
        neigh->steps++;
        if (neigh->lists[id].oldest != SLT_NIL) {
            forget(neigh, neigh->lists[id].oldest);
            return true;
        }
    }
    return false;
}

/* A new entry without a state, in the table; SLT_NIL when nothing may give way. */
static uint32_t create(struct slt_neigh *neigh, const uint8_t addr[16], uint32_t last_list)
{
    uint32_t index = slt_pool_take(&neigh->pool);
    if (index == SLT_NIL && evict(neigh, last_list)) {
        index = slt_pool_take(&neigh->pool);
    }
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    /* 0 is no generation, so that a zeroed reference names nothing. */
    uint32_t generation = e->generation == 0 ? 1 : e->generation;
    *e = (struct slt_neigh_entry){.generation = generation,
                                  .hash = hash_of(neigh, addr),
                                  .hash_link = SLT_FLOW_NONE,
                                  .asked_at_ns = NEVER_ASKED,
                                  .state = SLT_NEIGH_NONE};
    slt_wheel_entry_init(&e->timer);
    slt_ip_addr_copy(e->addr, addr);
    slt_flow_add(&neigh->flow, e->hash, slt_flow_ref_make(0, index));
    enlist(neigh, index, SLT_NEIGH_LIST_KEPT);
    return index;
}

static struct slt_neigh_entry *entry_of(const struct slt_neigh *neigh, struct slt_neigh_ref ref)
{
    if (ref.generation == 0 || ref.index >= neigh->pool.fresh) {
        return NULL;
    }
    struct slt_neigh_entry *e = slt_neigh_at(neigh, ref.index);
    return e->generation == ref.generation && e->state != SLT_NEIGH_NONE ? e : NULL;
}

/* We are about to send to the entry: what the state machine makes of it. */
static enum slt_neigh_answer use_entry(struct slt_neigh *neigh, struct slt_neigh_entry *e,
                                       uint32_t index, int64_t now_ns)
{
    e->wanted = true;
    if (e->permanent) {
        return SLT_NEIGH_RESOLVED;
    }
    switch ((enum slt_neigh_state)e->state) {
    case SLT_NEIGH_REACHABLE:
    case SLT_NEIGH_DELAY:
    case SLT_NEIGH_PROBE:
        return SLT_NEIGH_RESOLVED;
    case SLT_NEIGH_STALE:
        set_state(neigh, index, SLT_NEIGH_DELAY, now_ns);
        return SLT_NEIGH_RESOLVED;
    case SLT_NEIGH_INCOMPLETE:
        return SLT_NEIGH_UNRESOLVED;
    case SLT_NEIGH_FAILED:
        if (now_ns < e->retry_at_ns || neigh->incomplete_count >= neigh->incomplete_max) {
            return SLT_NEIGH_UNREACHABLE;
        }
        set_state(neigh, index, SLT_NEIGH_INCOMPLETE, now_ns);
        return SLT_NEIGH_UNRESOLVED;
    case SLT_NEIGH_NONE:
    default:
        SLT_UNREACHABLE("an entry in use has a state");
    }
}

void slt_neigh_resolve(struct slt_neigh *neigh, const uint8_t addr[16], int64_t now_ns,
                       struct slt_neigh_found *out)
{
    *out = (struct slt_neigh_found){.answer = SLT_NEIGH_TABLE_FULL,
                                    .ref = {.index = SLT_NIL, .generation = 0}};
    uint32_t index = slt_neigh_find(neigh, addr);
    if (index == SLT_NIL) {
        if (neigh->incomplete_count >= neigh->incomplete_max) {
            return;
        }
        index = create(neigh, addr, SLT_NEIGH_LIST_STALE);
        if (index == SLT_NIL) {
            return;
        }
        slt_neigh_at(neigh, index)->wanted = true;
        set_state(neigh, index, SLT_NEIGH_INCOMPLETE, now_ns);
    }
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    out->answer = (uint8_t)use_entry(neigh, e, index, now_ns);
    out->ref = (struct slt_neigh_ref){.index = index, .generation = e->generation};
    memcpy(out->mac, e->mac, sizeof(out->mac));
}

static bool find_mac(struct slt_neigh *neigh, struct slt_neigh_entry *e, uint32_t index,
                     int64_t now_ns, uint8_t mac[6])
{
    if (use_entry(neigh, e, index, now_ns) != SLT_NEIGH_RESOLVED) {
        return false;
    }
    memcpy(mac, e->mac, sizeof(e->mac));
    return true;
}

bool slt_neigh_use(struct slt_neigh *neigh, struct slt_neigh_ref ref, int64_t now_ns,
                   uint8_t mac[6])
{
    struct slt_neigh_entry *e = entry_of(neigh, ref);
    return e && find_mac(neigh, e, ref.index, now_ns, mac);
}

bool slt_neigh_use_held(struct slt_neigh *neigh, uint32_t index, int64_t now_ns, uint8_t mac[6])
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    SLT_ASSERT(e->holds > 0);
    return e->state != SLT_NEIGH_NONE && find_mac(neigh, e, index, now_ns, mac);
}

static void confirm(struct slt_neigh *neigh, struct slt_neigh_entry *e, uint32_t index,
                    int64_t now_ns)
{
    if (e->permanent) {
        return;
    }
    if (e->state == SLT_NEIGH_REACHABLE) {
        e->confirmed_at_ns = now_ns;
    } else if (e->state == SLT_NEIGH_STALE || e->state == SLT_NEIGH_DELAY ||
               e->state == SLT_NEIGH_PROBE) {
        set_state(neigh, index, SLT_NEIGH_REACHABLE, now_ns);
    }
}

void slt_neigh_confirm(struct slt_neigh *neigh, struct slt_neigh_ref ref, int64_t now_ns)
{
    struct slt_neigh_entry *e = entry_of(neigh, ref);
    if (e) {
        confirm(neigh, e, ref.index, now_ns);
    }
}

void slt_neigh_confirm_held(struct slt_neigh *neigh, uint32_t index, int64_t now_ns)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    SLT_ASSERT(e->holds > 0);
    confirm(neigh, e, index, now_ns);
}

void slt_neigh_hold(struct slt_neigh *neigh, struct slt_neigh_ref ref)
{
    struct slt_neigh_entry *e = entry_of(neigh, ref);
    if (e) {
        SLT_ASSERT(e->holds < UINT32_MAX);
        e->wanted = true;
        if (e->holds++ == 0) { /* who is held is kept already */
            relist(neigh, ref.index);
        }
    }
}

void slt_neigh_release(struct slt_neigh *neigh, struct slt_neigh_ref ref)
{
    struct slt_neigh_entry *e = entry_of(neigh, ref);
    if (!e) {
        return;
    }
    SLT_ASSERT(e->holds > 0);
    if (--e->holds == 0) {
        relist(neigh, ref.index);
    }
}

bool slt_neigh_set_permanent(struct slt_neigh *neigh, const uint8_t addr[16], const uint8_t mac[6])
{
    uint32_t index = slt_neigh_find(neigh, addr);
    if (index == SLT_NIL) {
        index = create(neigh, addr, SLT_NEIGH_LIST_STALE);
    }
    if (index == SLT_NIL) {
        return false;
    }
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    memcpy(e->mac, mac, sizeof(e->mac));
    if (!e->permanent) {
        int64_t now_ns = neigh->wheel.now_ns;
        set_state(neigh, index, SLT_NEIGH_REACHABLE, now_ns);
        e->permanent = true;
        set_timer(neigh, index, SLT_NEVER);
        relist(neigh, index);
    }
    return true;
}

static void pop_due(struct slt_neigh *neigh, uint32_t index)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    neigh->due_head = e->due_next;
    if (neigh->due_head == SLT_NIL) {
        neigh->due_tail = SLT_NIL;
    }
    e->due = false;
    relist(neigh, index);
}

static void fill_solicit(const struct slt_neigh_entry *e, struct slt_neigh_solicit *out)
{
    bool v4 = slt_address_is_v4(e->addr);
    slt_ip_addr_copy(out->target, e->addr);
    slt_ip_addr_copy(out->dst, e->addr);
    if (e->state == SLT_NEIGH_PROBE) {
        memcpy(out->dst_mac, e->mac, sizeof(out->dst_mac));
    } else if (v4) {
        memset(out->dst_mac, 0xff, sizeof(out->dst_mac));
    } else {
        slt_address_solicited_node(e->addr, out->dst);
        slt_mac_of_multicast(out->dst, out->dst_mac);
    }
}

bool slt_neigh_next_due(struct slt_neigh *neigh, const struct slt_ip_iface *iface, int64_t now_ns,
                        struct slt_neigh_solicit *out)
{
    while (neigh->due_head != SLT_NIL) {
        uint32_t index = neigh->due_head;
        struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
        neigh->steps++;
        pop_due(neigh, index);
        if (e->state != SLT_NEIGH_INCOMPLETE && e->state != SLT_NEIGH_PROBE) {
            continue; /* answered before it was asked */
        }
        *out = (struct slt_neigh_solicit){.probe = false};
        if (!slt_ip_select_source(iface, e->addr, out->src)) {
            /* Nobody could answer a question that comes from nowhere. */
            set_state(neigh, index, SLT_NEIGH_FAILED, now_ns);
            continue;
        }
        fill_solicit(e, out);
        e->probes++;
        e->asked_at_ns = now_ns;
        set_timer(neigh, index, slt_time_add(now_ns, neigh->retrans_ns));
        return true;
    }
    return false;
}

bool slt_neigh_take_wake(struct slt_neigh *neigh, struct slt_neigh_wake *out)
{
    while (neigh->wake_head != SLT_NIL) {
        uint32_t index = neigh->wake_head;
        struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
        neigh->wake_head = e->wake_next;
        if (neigh->wake_head == SLT_NIL) {
            neigh->wake_tail = SLT_NIL;
        }
        *out = (struct slt_neigh_wake){
            .ref = {index, e->generation}, .kind = e->wake, .router = e->router};
        slt_ip_addr_copy(out->addr, e->addr);
        e->wake = SLT_NEIGH_WAKE_NONE;
        relist(neigh, index);
        /* A new attempt has begun since: the outcome that counts is still to come. */
        if (e->state != SLT_NEIGH_INCOMPLETE) {
            return true;
        }
    }
    return false;
}

static void on_timer(struct slt_neigh *neigh, uint32_t index, int64_t now_ns)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    int64_t until_ns = slt_time_add(e->confirmed_at_ns, e->reachable_for_ns);
    switch ((enum slt_neigh_state)e->state) {
    case SLT_NEIGH_INCOMPLETE:
    case SLT_NEIGH_PROBE:
        if (e->probes >= SLT_NEIGH_PROBES_MAX) {
            set_state(neigh, index, SLT_NEIGH_FAILED, now_ns);
        } else {
            push_due(neigh, index);
        }
        break;
    case SLT_NEIGH_REACHABLE:
        if (until_ns > now_ns) {
            set_timer(neigh, index, until_ns);
        } else {
            set_state(neigh, index, SLT_NEIGH_STALE, now_ns);
        }
        break;
    case SLT_NEIGH_DELAY:
        set_state(neigh, index, SLT_NEIGH_PROBE, now_ns);
        break;
    case SLT_NEIGH_STALE:
    case SLT_NEIGH_FAILED:
        if (e->list != SLT_NEIGH_LIST_KEPT) {
            forget(neigh, index);
        } else {
            /* Held, or its wake has not been fetched: ask again in a minute. */
            set_timer(neigh, index, slt_time_add(now_ns, SLT_NEIGH_FORGET_NS));
        }
        break;
    case SLT_NEIGH_NONE:
    default:
        SLT_UNREACHABLE("an entry in use has a state");
    }
}

uint32_t slt_neigh_expire(struct slt_neigh *neigh, int64_t now_ns, uint32_t budget)
{
    uint32_t done = 0;
    while (done < budget) {
        uint32_t index = slt_wheel_pop(&neigh->wheel, &neigh->pool, now_ns);
        if (index == SLT_NIL) {
            break;
        }
        neigh->steps++;
        done++;
        on_timer(neigh, index, now_ns);
    }
    return done;
}

int64_t slt_neigh_next_deadline(const struct slt_neigh *neigh)
{
    if (neigh->due_head != SLT_NIL || neigh->wake_head != SLT_NIL) {
        return neigh->wheel.now_ns;
    }
    return slt_wheel_next(&neigh->wheel, &neigh->pool);
}

void slt_neigh_learn(struct slt_neigh *neigh, uint32_t index, const struct slt_neigh_claim *claim)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    if (e->permanent) {
        return;
    }
    bool open = e->state == SLT_NEIGH_INCOMPLETE || e->state == SLT_NEIGH_FAILED;
    bool same = !open && memcmp(e->mac, claim->mac, sizeof(e->mac)) == 0;
    memcpy(e->mac, claim->mac, sizeof(e->mac));
    if (claim->proves) {
        set_state(neigh, index, SLT_NEIGH_REACHABLE, claim->now_ns);
    } else if (!same) {
        set_state(neigh, index, SLT_NEIGH_STALE, claim->now_ns);
    }
}

void slt_neigh_learn_asker(struct slt_neigh *neigh, const uint8_t addr[16],
                           const struct slt_neigh_claim *claim)
{
    uint32_t index = create(neigh, addr, SLT_NEIGH_LIST_THEIRS);
    if (index != SLT_NIL) {
        memcpy(slt_neigh_at(neigh, index)->mac, claim->mac, 6);
        set_state(neigh, index, SLT_NEIGH_STALE, claim->now_ns);
    }
}

void slt_neigh_set_stale(struct slt_neigh *neigh, uint32_t index, int64_t now_ns)
{
    struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    if (!e->permanent && e->state != SLT_NEIGH_STALE) {
        set_state(neigh, index, SLT_NEIGH_STALE, now_ns);
    }
}

void slt_neigh_set_times(struct slt_neigh *neigh, int64_t reachable_ns, int64_t retrans_ns)
{
    if (reachable_ns > 0) {
        neigh->reachable_base_ns = reachable_ns;
    }
    if (retrans_ns > 0) {
        /* ARP-03 and RFC 4861 agree on a second; a router may ask for more patience, not less. */
        neigh->retrans_ns = slt_max64(retrans_ns, SLT_NEIGH_RETRANS_NS);
    }
}

static uint32_t count_list(const struct slt_neigh *neigh, uint8_t id, bool *good)
{
    uint32_t count = 0;
    uint32_t before = SLT_NIL;
    uint32_t index = neigh->lists[id].oldest;
    while (index != SLT_NIL && count <= neigh->pool.used_objects) {
        const struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
        bool asks = e->state == SLT_NEIGH_INCOMPLETE || e->state == SLT_NEIGH_PROBE;
        bool timed = e->timer.due_at_ns != SLT_NEVER;
        *good = *good && e->list == id && list_of(e) == id && e->older == before;
        *good = *good && e->state != SLT_NEIGH_NONE;
        *good = *good && (timed || e->due || e->permanent);
        *good = *good && (!asks || timed != e->due);
        before = index;
        index = e->newer;
        count++;
    }
    *good = *good && neigh->lists[id].newest == before;
    return count;
}

bool slt_neigh_check(const struct slt_neigh *neigh)
{
    bool good = true;
    uint32_t count = 0;
    for (uint8_t id = 0; id < SLT_NEIGH_LIST_COUNT; id++) {
        count += count_list(neigh, id, &good);
    }
    return good && count == neigh->pool.used_objects &&
           neigh->incomplete_count <= neigh->incomplete_max;
}
