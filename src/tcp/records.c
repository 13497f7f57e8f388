/* The records of what was sent: one treap by position and the lists through it (records.h).
 *
 * Each operation touches the record it is about and its neighbours. Two of them may walk: a record
 * that is lost again goes back to its place among the lost, searched from where the last one went
 * in (losses are found in transmission order, which is nearly sequence order); and what is found
 * again goes back to its place in transmission order, in one merging pass.
 *
 * The treap is base/treap.h's, with priorities that the peer cannot foresee.
 */
#include "tcp/records.h"

#include "tcp/engine.h"

static const struct slt_treap_kind by_start = {offsetof(struct slt_record, tree),
                                               offsetof(struct slt_record, start)};

struct slt_record *slt_record_at(const struct slt_tcp *tcp, uint32_t index)
{
    return slt_pool_at_typed(&tcp->records, index, (uint32_t)sizeof(struct slt_record));
}

void slt_records_init(struct slt_records *rs)
{
    *rs = (struct slt_records){.root = SLT_NIL,
                               .head = SLT_NIL,
                               .tail = SLT_NIL,
                               .flight = {SLT_NIL, SLT_NIL},
                               .lost = {SLT_NIL, SLT_NIL},
                               .lost_near = SLT_NIL};
}

/* ---- the memory ------------------------------------------------------------------------------ */

/* Every connection may have one record; what goes beyond that comes out of a common limit. */
static uint32_t take_record(struct slt_tcp *tcp, struct slt_records *rs)
{
    bool common = rs->count > 0;
    uint32_t index = SLT_NIL;

    if (!common || tcp->records_common < tcp->config->records_max) {
        index = slt_pool_take_typed(&tcp->records, (uint32_t)sizeof(struct slt_record));
    }
    if (index == SLT_NIL) {
        slt_count(tcp->telemetry, SLT_NOTE_TCP_NO_RECORD);
        return SLT_NIL;
    }
    tcp->records_common += common ? 1 : 0;
    rs->count++;
    return index;
}

static void give_record(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index)
{
    SLT_ASSERT(rs->count > 0);
    rs->count--;
    tcp->records_common -= rs->count > 0 ? 1 : 0;
    slt_pool_give_typed(&tcp->records, index, (uint32_t)sizeof(struct slt_record));
}

/* ---- the treap ------------------------------------------------------------------------------- */

static uint32_t draw_priority(const struct slt_tcp *tcp, uint32_t index, int64_t start)
{
    uint64_t x = tcp->records.secret ^ (uint64_t)start ^ ((uint64_t)index << 40);

    x *= UINT64_C(0xd6e8feb86659fd93); /* an odd constant and two folds: each bit reaches each */
    x ^= x >> 32;
    x += tcp->records.secret;
    x *= UINT64_C(0xd6e8feb86659fd93);
    return (uint32_t)(x >> 32);
}

uint32_t slt_records_find(const struct slt_tcp *tcp, const struct slt_records *rs, int64_t pos)
{
    uint32_t floor = slt_treap_floor(&by_start, &tcp->records, rs->root, pos);

    if (floor == SLT_NIL) {
        return rs->head;
    }
    const struct slt_record *record = slt_record_at(tcp, floor);
    return pos < slt_record_end(record) ? floor : record->next;
}

/* ---- the lists of the states ----------------------------------------------------------------- */

/* Put the record, which is `index`, behind `prev`, or first when that is SLT_NIL. */
static void list_insert(const struct slt_tcp *tcp, struct slt_record_list *list,
                        struct slt_record *record, uint32_t index, uint32_t prev)
{
    uint32_t *next = prev == SLT_NIL ? &list->head : &slt_record_at(tcp, prev)->list_next;

    record->list_prev = prev;
    record->list_next = *next;
    if (*next == SLT_NIL) {
        list->tail = index;
    } else {
        slt_record_at(tcp, *next)->list_prev = index;
    }
    *next = index;
}

static void list_remove(const struct slt_tcp *tcp, struct slt_record_list *list,
                        const struct slt_record *gone)
{
    if (gone->list_prev == SLT_NIL) {
        list->head = gone->list_next;
    } else {
        slt_record_at(tcp, gone->list_prev)->list_next = gone->list_next;
    }
    if (gone->list_next == SLT_NIL) {
        list->tail = gone->list_prev;
    } else {
        slt_record_at(tcp, gone->list_next)->list_prev = gone->list_prev;
    }
}

/* The lost record behind which one that starts at `start` belongs; SLT_NIL: it is the first. */
static uint32_t lost_before(const struct slt_tcp *tcp, const struct slt_records *rs, int64_t start)
{
    uint32_t at = rs->lost_near;

    if (rs->lost.tail == SLT_NIL || slt_record_at(tcp, rs->lost.tail)->start < start) {
        return rs->lost.tail;
    }
    if (at == SLT_NIL || slt_record_at(tcp, at)->start > start) {
        at = SLT_NIL;
    }
    uint32_t next = at == SLT_NIL ? rs->lost.head : slt_record_at(tcp, at)->list_next;
    while (next != SLT_NIL && slt_record_at(tcp, next)->start < start) {
        at = next;
        next = slt_record_at(tcp, at)->list_next;
    }
    return at;
}

/* Count `bytes` and `segs` of a record in or out of the totals of its state. */
static void count_state(struct slt_records *rs, const struct slt_record *record, uint32_t bytes,
                        uint32_t segs)
{
    if (record->fate == SLT_RECORD_LOST) {
        rs->lost_bytes += bytes;
        rs->lost_segs += segs;
    } else if (record->fate == SLT_RECORD_SACKED) {
        rs->sacked_bytes += bytes;
        rs->sacked_segs += segs;
    } else if (record->flags & SLT_RECORD_RETRANSMITTED) {
        rs->rtx_bytes += bytes;
    }
}

/* Out of its state: out of its list and out of the totals. */
static void leave_state(const struct slt_tcp *tcp, struct slt_records *rs,
                        const struct slt_record *record, uint32_t index)
{
    count_state(rs, record, 0U - record->bytes, 0U - record->segs);
    if (record->fate == SLT_RECORD_FLIGHT) {
        list_remove(tcp, &rs->flight, record);
    } else if (record->fate == SLT_RECORD_LOST) {
        if (rs->lost_near == index) {
            rs->lost_near = record->list_prev;
        }
        list_remove(tcp, &rs->lost, record);
    }
}

static void enter_lost(const struct slt_tcp *tcp, struct slt_records *rs, struct slt_record *record,
                       uint32_t index)
{
    record->fate = SLT_RECORD_LOST;
    list_insert(tcp, &rs->lost, record, index, lost_before(tcp, rs, record->start));
    rs->lost_near = index;
    count_state(rs, record, record->bytes, record->segs);
}

static void enter_flight(const struct slt_tcp *tcp, struct slt_records *rs,
                         struct slt_record *record, uint32_t index, uint32_t behind)
{
    record->fate = SLT_RECORD_FLIGHT;
    list_insert(tcp, &rs->flight, record, index, behind);
    count_state(rs, record, record->bytes, record->segs);
}

/* ---- making, cutting, joining, dropping ------------------------------------------------------ */

/* A record that stands alone needs no priority, and mostly goes alone: the second draws for both.
 */
static void put_in_tree(const struct slt_tcp *tcp, struct slt_records *rs,
                        struct slt_record *record, uint32_t index)
{
    if (rs->root == SLT_NIL) {
        slt_treap_insert_first(&record->tree, &rs->root, index);
        return;
    }
    if (rs->count == 2) {
        struct slt_record *alone = slt_record_at(tcp, rs->root);
        alone->tree.priority = draw_priority(tcp, rs->root, alone->start);
    }
    record->tree.priority = draw_priority(tcp, index, record->start);
    slt_treap_insert(&by_start, &tcp->records, &rs->root, index);
}

/* Chain the record behind `prev` (SLT_NIL: first) in sequence order, and into the treap. */
static void put_in_sequence(const struct slt_tcp *tcp, struct slt_records *rs,
                            struct slt_record *record, uint32_t index, uint32_t prev)
{
    uint32_t *next = prev == SLT_NIL ? &rs->head : &slt_record_at(tcp, prev)->next;

    record->prev = prev;
    record->next = *next;
    if (*next == SLT_NIL) {
        rs->tail = index;
    } else {
        slt_record_at(tcp, *next)->prev = index;
    }
    *next = index;
    put_in_tree(tcp, rs, record, index);
}

/* Out of everything: the record is free. Its state was left before. */
static void remove_record(struct slt_tcp *tcp, struct slt_records *rs,
                          const struct slt_record *gone, uint32_t index)
{
    if (slt_treap_is_alone(&gone->tree, rs->root, index)) {
        rs->root = SLT_NIL;
    } else {
        slt_treap_remove(&by_start, &tcp->records, &rs->root, index);
    }
    if (gone->prev == SLT_NIL) {
        rs->head = gone->next;
    } else {
        slt_record_at(tcp, gone->prev)->next = gone->next;
    }
    if (gone->next == SLT_NIL) {
        rs->tail = gone->prev;
    } else {
        slt_record_at(tcp, gone->next)->prev = gone->prev;
    }
    give_record(tcp, rs, index);
}

/* The only record, new octets in flight: it has no neighbours to look up. */
static void stand_alone(struct slt_records *rs, struct slt_record *record, uint32_t index)
{
    record->next = SLT_NIL;
    record->prev = SLT_NIL;
    record->list_next = SLT_NIL;
    record->list_prev = SLT_NIL;
    rs->head = index;
    rs->tail = index;
    rs->flight = (struct slt_record_list){index, index};
    slt_treap_insert_first(&record->tree, &rs->root, index);
}

/* It goes, and nothing is left. */
static void go_alone(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index)
{
    rs->root = SLT_NIL;
    rs->head = SLT_NIL;
    rs->tail = SLT_NIL;
    rs->flight = (struct slt_record_list){SLT_NIL, SLT_NIL};
    give_record(tcp, rs, index);
}

struct slt_record *slt_records_add(struct slt_tcp *tcp, struct slt_records *rs, int64_t start,
                                   int64_t end, uint32_t segs)
{
    SLT_ASSERT(start < end);
    SLT_ASSERT(rs->tail == SLT_NIL || slt_record_end(slt_record_at(tcp, rs->tail)) <= start);
    uint32_t index = take_record(tcp, rs);

    if (index == SLT_NIL) {
        return NULL;
    }
    struct slt_record *record = slt_record_at(tcp, index);
    *record = (struct slt_record){.start = start, .bytes = (uint32_t)(end - start), .segs = segs};
    if (rs->head == SLT_NIL) {
        stand_alone(rs, record, index);
        return record;
    }
    put_in_sequence(tcp, rs, record, index, rs->tail);
    enter_flight(tcp, rs, record, index, rs->flight.tail);
    return record;
}

uint32_t slt_records_add_lost(struct slt_tcp *tcp, struct slt_records *rs, int64_t start,
                              int64_t end, uint32_t segs)
{
    uint32_t index = take_record(tcp, rs);

    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_record *record = slt_record_at(tcp, index);
    *record = (struct slt_record){.start = start,
                                  .bytes = (uint32_t)(end - start),
                                  .segs = segs,
                                  .flags = SLT_RECORD_UNTIMED};
    uint32_t below = slt_treap_floor(&by_start, &tcp->records, rs->root, start);
    put_in_sequence(tcp, rs, record, index, below);
    enter_lost(tcp, rs, record, index);
    return index;
}

static uint32_t share_of_segs(const struct slt_record *record, uint32_t bytes)
{
    uint64_t share = ((uint64_t)record->segs * bytes + record->bytes - 1) / record->bytes;

    return slt_max32((uint32_t)share, 1);
}

bool slt_records_cut(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index, int64_t pos)
{
    struct slt_record *low = slt_record_at(tcp, index);
    SLT_ASSERT(pos > low->start && pos < slt_record_end(low));
    uint32_t upper = take_record(tcp, rs);

    if (upper == SLT_NIL) {
        return false;
    }
    low = slt_record_at(tcp, index);
    struct slt_record *high = slt_record_at(tcp, upper);
    *high = *low;
    high->start = pos;
    high->bytes = (uint32_t)(slt_record_end(low) - pos);
    high->segs = share_of_segs(low, high->bytes);
    uint32_t rest = low->segs > high->segs ? low->segs - high->segs : 1;
    count_state(rs, low, 0U - high->bytes, rest - low->segs);
    low->bytes -= high->bytes;
    low->segs = rest;
    put_in_sequence(tcp, rs, high, upper, index);
    if (high->fate == SLT_RECORD_FLIGHT) {
        list_insert(tcp, &rs->flight, high, upper, index);
    } else if (high->fate == SLT_RECORD_LOST) {
        list_insert(tcp, &rs->lost, high, upper, index);
    }
    count_state(rs, high, high->bytes, high->segs);
    return true;
}

void slt_records_drop_only(struct slt_tcp *tcp, struct slt_records *rs)
{
    SLT_ASSERT(rs->count == 1 && rs->flight.head == rs->head);
    go_alone(tcp, rs, rs->head);
}

void slt_records_drop(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index, uint32_t bytes)
{
    struct slt_record *record = slt_record_at(tcp, index);

    SLT_ASSERT(bytes <= record->bytes);
    if (bytes == record->bytes && rs->count == 1 && record->fate == SLT_RECORD_FLIGHT &&
        !(record->flags & SLT_RECORD_RETRANSMITTED)) {
        go_alone(tcp, rs, index);
        return;
    }
    if (bytes == record->bytes) {
        leave_state(tcp, rs, record, index);
        remove_record(tcp, rs, record, index);
        return;
    }
    uint32_t rest = share_of_segs(record, record->bytes - bytes);
    count_state(rs, record, 0U - bytes, rest - record->segs);
    record->start += bytes; /* it stays between its neighbours: the treap holds */
    record->bytes -= bytes;
    record->segs = rest;
}

void slt_records_lose(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index)
{
    struct slt_record *record = slt_record_at(tcp, index);

    SLT_ASSERT(record->fate == SLT_RECORD_FLIGHT);
    leave_state(tcp, rs, record, index);
    enter_lost(tcp, rs, record, index);
}

/* Join `high` into `low`, its neighbour below: both are SACKED and touch. */
static void join_sacked(struct slt_tcp *tcp, struct slt_records *rs, uint32_t low, uint32_t high)
{
    struct slt_record *l = slt_record_at(tcp, low);
    const struct slt_record *h = slt_record_at(tcp, high);

    l->bytes += h->bytes;
    l->segs += h->segs;
    l->flags |= h->flags | SLT_RECORD_UNTIMED;
    remove_record(tcp, rs, h, high);
}

static bool joins(const struct slt_tcp *tcp, uint32_t low, uint32_t high)
{
    if (low == SLT_NIL || high == SLT_NIL) {
        return false;
    }
    const struct slt_record *l = slt_record_at(tcp, low);
    const struct slt_record *h = slt_record_at(tcp, high);
    return l->fate == SLT_RECORD_SACKED && h->fate == SLT_RECORD_SACKED &&
           slt_record_end(l) == h->start && (uint64_t)l->bytes + h->bytes <= INT32_MAX;
}

uint32_t slt_records_sack(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index)
{
    struct slt_record *record = slt_record_at(tcp, index);

    SLT_ASSERT(record->fate != SLT_RECORD_SACKED);
    leave_state(tcp, rs, record, index);
    record->fate = SLT_RECORD_SACKED;
    count_state(rs, record, record->bytes, record->segs);
    if (joins(tcp, index, record->next)) {
        join_sacked(tcp, rs, index, record->next);
    }
    if (joins(tcp, record->prev, index)) {
        uint32_t low = record->prev;
        join_sacked(tcp, rs, low, index);
        return low;
    }
    return index;
}

void slt_records_resend(struct slt_tcp *tcp, struct slt_records *rs, uint32_t index)
{
    struct slt_record *record = slt_record_at(tcp, index);

    SLT_ASSERT(record->fate != SLT_RECORD_SACKED);
    leave_state(tcp, rs, record, index);
    record->flags = SLT_RECORD_RETRANSMITTED;
    enter_flight(tcp, rs, record, index, rs->flight.tail);
}

void slt_records_find_again(struct slt_tcp *tcp, struct slt_records *rs)
{
    uint32_t at = SLT_NIL; /* in transmission order: the last one known to be no later */

    while (rs->lost.head != SLT_NIL) {
        uint32_t index = rs->lost.head;
        struct slt_record *record = slt_record_at(tcp, index);
        uint32_t order = record->order;
        if (at != SLT_NIL && slt_record_compare_order(slt_record_at(tcp, at)->order, order) > 0) {
            at = SLT_NIL;
        }
        uint32_t next = at == SLT_NIL ? rs->flight.head : slt_record_at(tcp, at)->list_next;
        while (next != SLT_NIL &&
               slt_record_compare_order(slt_record_at(tcp, next)->order, order) <= 0) {
            at = next;
            next = slt_record_at(tcp, at)->list_next;
        }
        leave_state(tcp, rs, record, index);
        enter_flight(tcp, rs, record, index, at);
        at = index;
    }
}

void slt_records_renege(struct slt_tcp *tcp, struct slt_records *rs)
{
    for (uint32_t i = rs->head; i != SLT_NIL; i = slt_record_at(tcp, i)->next) {
        struct slt_record *record = slt_record_at(tcp, i);
        if (record->fate == SLT_RECORD_SACKED) {
            leave_state(tcp, rs, record, i);
            enter_lost(tcp, rs, record, i);
        }
    }
}

void slt_records_clear(struct slt_tcp *tcp, struct slt_records *rs)
{
    uint32_t index = rs->head;

    while (index != SLT_NIL) {
        uint32_t next = slt_record_at(tcp, index)->next;
        give_record(tcp, rs, index);
        index = next;
    }
    slt_records_init(rs);
}

/* ---- what must hold -------------------------------------------------------------------------- */

static const char *check_list(const struct slt_tcp *tcp, const struct slt_record_list *list,
                              uint8_t fate, uint32_t *counted)
{
    uint32_t prev = SLT_NIL;

    for (uint32_t i = list->head; i != SLT_NIL; i = slt_record_at(tcp, i)->list_next) {
        const struct slt_record *record = slt_record_at(tcp, i);
        if (record->fate != fate || record->list_prev != prev) {
            return "I-16: a list of send records holds one that is not its own";
        }
        if (prev != SLT_NIL) {
            const struct slt_record *before = slt_record_at(tcp, prev);
            bool sorted = fate == SLT_RECORD_LOST
                              ? before->start < record->start
                              : slt_record_compare_order(before->order, record->order) <= 0 &&
                                    before->stamp.sent_at_ns <= record->stamp.sent_at_ns;
            if (!sorted) {
                return "I-16: a list of send records is out of order";
            }
        }
        prev = i;
        (*counted)++;
    }
    return list->tail == prev ? NULL : "I-16: a list of send records does not end where it says";
}

static const char *check_totals(const struct slt_records *rs, const struct slt_records *sum)
{
    if (sum->count != rs->count || sum->lost_bytes != rs->lost_bytes ||
        sum->sacked_bytes != rs->sacked_bytes || sum->rtx_bytes != rs->rtx_bytes ||
        sum->lost_segs != rs->lost_segs || sum->sacked_segs != rs->sacked_segs) {
        return "I-16: the scoreboard's totals are not the sum of its records";
    }
    return NULL;
}

const char *slt_records_check(const struct slt_tcp *tcp, const struct slt_records *rs, int64_t una,
                              int64_t nxt)
{
    struct slt_records sum = {.count = 0};
    int64_t pos = una;
    uint32_t listed = 0;
    uint32_t sacked = 0;

    for (uint32_t i = rs->head; i != SLT_NIL; i = slt_record_at(tcp, i)->next) {
        const struct slt_record *record = slt_record_at(tcp, i);
        if (record->start < pos || record->bytes == 0 || slt_record_end(record) > nxt) {
            return "I-16: a send record overlaps another, or lies outside what is in flight";
        }
        if (slt_records_find(tcp, rs, record->start) != i) {
            return "I-16: a send record cannot be found by its position";
        }
        pos = slt_record_end(record);
        sum.count++;
        sacked += record->fate == SLT_RECORD_SACKED ? 1 : 0;
        count_state(&sum, record, record->bytes, record->segs);
    }
    const char *broken = check_list(tcp, &rs->flight, SLT_RECORD_FLIGHT, &listed);
    if (!broken) {
        broken = check_list(tcp, &rs->lost, SLT_RECORD_LOST, &listed);
    }
    if (!broken && listed + sacked != sum.count) {
        broken = "I-16: a send record is in no list";
    }
    return broken ? broken : check_totals(rs, &sum);
}
