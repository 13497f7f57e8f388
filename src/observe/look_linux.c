/* See look_linux.h.
 *
 * A filter may ask about owners, so they are found first: one search costs the same for any number
 * of sockets.
 */
#include "observe/look_linux.h"

#include "observe/concern.h"
#include "observe/control_read_linux.h"
#include "observe/kernel_diag_linux.h"
#include "observe/owner_again_linux.h"
#include "observe/recorder_linux.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The rest goes to `left_out`, unless that is NULL. */
static bool keep_passing(struct slt_seen_list *list, const struct slt_filter *filter,
                         struct slt_seen_list *left_out)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (!slt_filter_passes(filter, &list->items[i])) {
            if (left_out != NULL && !slt_seen_list_add(left_out, &list->items[i])) {
                return false;
            }
            continue;
        }
        if (kept != i) {
            list->items[kept] = list->items[i];
        }
        kept++;
    }
    list->count = kept;
    return true;
}

/* A record's place in the order, without the record: six hundred bytes are not moved for every
 * comparison. */
struct place {
    int64_t age_ns;
    const struct slt_seen *seen; /* NULL: what belongs there has been put there */
    uint32_t rank;               /* listeners, then the states of a connection's life */
    uint32_t ports;
};

static int in_order(const struct place *x, const struct place *y)
{
    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    if (x->age_ns != y->age_ns) {
        return x->age_ns > y->age_ns ? -1 : 1;
    }
    if (x->ports != y->ports) {
        return x->ports < y->ports ? -1 : 1;
    }
    return memcmp(x->seen->local.b, y->seen->local.b, sizeof(x->seen->local.b));
}

/* Two runs that are in order, [first, second) and [second, end), to one. */
static void merge(const struct place *from, struct place *to, size_t first, size_t second,
                  size_t end)
{
    size_t a = first;
    size_t b = second;
    for (size_t i = first; i < end; i++) {
        bool left = a < second && (b == end || in_order(&from[a], &from[b]) <= 0);
        to[i] = left ? from[a++] : from[b++];
    }
}

/* Of fifty thousand places qsort takes three times as long: it calls for every comparison and for
 * every place that it moves. Returns where the sorted ones are: `places` or `room`. */
static struct place *merge_sort(struct place *places, struct place *room, size_t count)
{
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t first = 0; first < count; first += 2 * run) {
            size_t second = first + run < count ? first + run : count;
            size_t end = second + run < count ? second + run : count;
            merge(places, room, first, second, end);
        }
        struct place *merged = room;
        room = places;
        places = merged;
    }
    return places;
}

/* Move every record to its place, once. */
static void arrange(struct slt_seen *items, struct place *places, size_t count)
{
    for (size_t start = 0; start < count; start++) {
        if (places[start].seen == NULL || places[start].seen == &items[start]) {
            continue; /* is there, or has been put there */
        }
        struct slt_seen first = items[start];
        size_t to = start;
        while (places[to].seen != NULL) {
            size_t from = (size_t)(places[to].seen - items);
            places[to].seen = NULL;
            if (from == start) {
                break;
            }
            items[to] = items[from];
            to = from;
        }
        items[to] = first;
    }
}

/* Listeners first, by port; then by state in the order of a connection's life, the oldest first.
 * Of `list` itself, or of `order`, which has a pointer for each and leaves them where they are. */
static bool sort(struct slt_seen_list *list, const struct slt_seen **order)
{
    struct place *places = list->count > 1 ? malloc(list->count * 2 * sizeof(*places)) : NULL;
    for (size_t i = 0; places != NULL && i < list->count; i++) {
        const struct slt_seen *seen = &list->items[i];
        places[i] = (struct place){
            .age_ns = seen->age.ns,
            .seen = seen,
            .rank = seen->kind == SLT_SEEN_LISTENER ? 0 : 1U + seen->state,
            .ports = (uint32_t)seen->local_port << 16 | seen->remote_port,
        };
    }
    if (places != NULL) {
        struct place *sorted = merge_sort(places, places + list->count, list->count);
        for (size_t i = 0; order != NULL && i < list->count; i++) {
            order[i] = sorted[i].seen;
        }
        if (order == NULL) {
            arrange(list->items, sorted, list->count);
        }
    }
    free(places);
    return places != NULL || list->count < 2;
}

static bool put_in_order(const struct slt_look_ask *ask, struct slt_look *look)
{
    if (ask->in_order && look->list.count > 1) {
        look->order = malloc(look->list.count * sizeof(const struct slt_seen *));
        return look->order != NULL && sort(&look->list, look->order);
    }
    return sort(&look->list, NULL);
}

static uint32_t count_hidden(const struct slt_seen_list *list)
{
    uint32_t hidden = 0;
    for (size_t i = 0; i < list->count; i++) {
        hidden += list->items[i].owner == SLT_OWNER_HIDDEN;
    }
    return hidden;
}

/* ---- instances of salut -----------------------------------------------------------------------
 */

static bool add_conn(void *ctx, const struct slt_seen *seen)
{
    return slt_seen_list_add(ctx, seen);
}

static int by_instance_and_key(const void *a, const void *b)
{
    const struct slt_seen *x = a;
    const struct slt_seen *y = b;
    if (x->instance != y->instance) {
        return x->instance < y->instance ? -1 : 1;
    }
    return x->key < y->key ? -1 : x->key > y->key;
}

/* A connection that moved on during the walk came twice, the second time as what it is now. */
static void drop_twins(struct slt_seen_list *list, size_t from)
{
    size_t kept = from;
    if (list->count <= from) {
        return;
    }
    qsort(list->items + from, list->count - from, sizeof(*list->items), by_instance_and_key);
    for (size_t i = from; i < list->count; i++) {
        bool twin = kept > from && list->items[i].kind != SLT_SEEN_LISTENER &&
                    by_instance_and_key(&list->items[kept - 1], &list->items[i]) == 0;
        kept -= twin;
        list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

static void look_at_stacks(struct slt_look *look)
{
    struct slt_control_round round;
    struct slt_control_taker taker = {.ctx = &look->list, .on_conn = add_conn};
    size_t from = look->list.count;
    slt_control_ask(&taker, 0, &round);
    look->stacks = round.instances;
    look->mute = round.mute;
    look->mute_pid = round.mute_pid;
    drop_twins(&look->list, from);
}

static int read_sources(const struct slt_look_ask *ask, struct slt_look *look)
{
    struct slt_kernel_ask kernel = {.detail = ask->detail};
    int result = ask->kernel ? slt_kernel_diag(&kernel, &look->list) : 0;
    if (result == 0 && ask->stacks) {
        look_at_stacks(look);
    }
    return result;
}

static int read_with_owners(const struct slt_look_ask *ask, struct slt_look *look)
{
    struct slt_owner_ahead ahead;
    slt_owner_begin(&ahead, ask->means);
    int result = read_sources(ask, look);
    look->owners_error = slt_owner_end(&ahead, &look->list);
    if (look->owners_error == 0) {
        slt_owner_ask_again(&look->list);
    }
    return result == 0 && look->owners_error == -ENOMEM ? -ENOMEM : result;
}

int slt_look_take(const struct slt_look_ask *ask, struct slt_look *look)
{
    *look = (struct slt_look){.at_ns = slt_runner_clock()};
    bool owners = ask->owners && ask->kernel; /* stacks tell theirs themselves */
    int result = owners ? read_with_owners(ask, look) : read_sources(ask, look);
    if (result < 0) {
        return result;
    }
    if (ask->detail != SLT_KERNEL_BRIEF) {
        (void)slt_recorded_complete(&look->list, look->at_ns);
    }
    bool findings = ask->findings || (ask->filter != NULL && slt_filter_asks_findings(ask->filter));
    if (findings && !(sort(&look->list, NULL) && slt_concern_mark(&look->list))) {
        return -ENOMEM;
    }
    struct slt_seen_list *left_out = ask->keep_left_out ? &look->left_out : NULL;
    if (ask->filter != NULL && !keep_passing(&look->list, ask->filter, left_out)) {
        return -ENOMEM;
    }
    look->hidden = ask->owners ? count_hidden(&look->list) : 0;
    return put_in_order(ask, look) && sort(&look->left_out, NULL) ? 0 : -ENOMEM;
}

void slt_look_free(struct slt_look *look)
{
    slt_seen_list_free(&look->list);
    slt_seen_list_free(&look->left_out);
    free(look->order);
    look->order = NULL;
}
