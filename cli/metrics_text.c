/* See metrics_text.h. All samples of a metric stand together, as the format wants it: for each
 * metric the sources are gone through, and not the other way round.
 */
#include "cli/metrics_text.h"

#include "cli/status_print.h"
#include "observe/counters_stack.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 256U /* state, port and program at once; what is beyond is told as "other" */

/* A page under work. */
struct page {
    FILE *to;
    const struct slt_metrics_ask *ask;
    struct slt_look look;
};

/* ---- words of the format -------------------------------------------------------------------- */

static void put_head(const struct page *page, const char *name, const char *type, const char *what)
{
    (void)fprintf(page->to, "# HELP %s %s\n# TYPE %s %s\n", name, what, name, type);
}

/* "close_wait", "syn_retransmit_limit" */
static const char *with_bars(const char *name, char *out, size_t size)
{
    size_t i = 0;
    for (; name[i] != '\0' && i < size - 1; i++) {
        out[i] = name[i] == '-' ? '_' : (char)tolower((unsigned char)name[i]);
    }
    out[i] = '\0';
    return out;
}

static const char *state_label(unsigned state, char out[24])
{
    return with_bars(slt_seen_rfc_name((enum salut_state)state), out, 24);
}

/* A label's value: '"', '\' and line ends escaped. */
static void put_label(const struct page *page, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            (void)fputc('\\', page->to);
        }
        (void)fputc(*text == '\n' ? ' ' : *text, page->to);
    }
}

/* The sources that were asked, in one order. */
static const uint8_t source_order[] = {SLT_SOURCE_KERNEL, SLT_SOURCE_STACK};

static bool is_asked(const struct page *page, uint8_t source)
{
    return source == SLT_SOURCE_KERNEL ? page->ask->sources.kernel : page->ask->sources.stacks;
}

static const char *source_label(uint8_t source)
{
    return source == SLT_SOURCE_KERNEL ? "kernel" : "salut";
}

/* ---- by listener and program ---------------------------------------------------------------- */

struct group {
    uint8_t source;
    uint8_t state;
    uint16_t port; /* of the listener; 0: the connection was opened here */
    char program[SLT_SEEN_NAME_MAX];
    uint64_t count;
};

struct groups {
    struct group items[GROUPS_MAX];
    size_t count;
    uint64_t beyond;
};

static bool is_served(const struct slt_look *look, const struct slt_seen *seen)
{
    for (size_t i = 0; i < look->list.count && look->list.items[i].kind == SLT_SEEN_LISTENER; i++) {
        const struct slt_seen *listener = &look->list.items[i];
        if (listener->local_port == seen->local_port && listener->source == seen->source) {
            return true;
        }
    }
    return false;
}

static void count_group(struct groups *groups, const struct slt_seen *seen, uint16_t port)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct group *g = &groups->items[i];
        if (g->source == seen->source && g->state == seen->state && g->port == port &&
            strcmp(g->program, seen->program) == 0) {
            g->count++;
            return;
        }
    }
    if (groups->count == GROUPS_MAX) {
        groups->beyond++;
        return;
    }
    struct group *g = &groups->items[groups->count++];
    *g = (struct group){.source = seen->source, .state = seen->state, .port = port, .count = 1};
    memcpy(g->program, seen->program, sizeof(g->program));
}

static void put_group(const struct page *page, const struct group *g)
{
    char label[24];
    (void)fprintf(page->to, "tcp_program_connections{source=\"%s\",state=\"%s\",listener=\"",
                  source_label(g->source), state_label(g->state, label));
    if (g->port != 0) {
        (void)fprintf(page->to, ":%u", g->port);
    }
    (void)fputs("\",program=\"", page->to);
    put_label(page, g->program);
    (void)fprintf(page->to, "\"} %" PRIu64 "\n", g->count);
}

static void put_groups(const struct page *page)
{
    struct groups *groups = calloc(1, sizeof(*groups));
    if (groups == NULL) {
        return;
    }
    for (size_t i = 0; i < page->look.list.count; i++) {
        const struct slt_seen *seen = &page->look.list.items[i];
        if (seen->kind != SLT_SEEN_LISTENER) {
            count_group(groups, seen, is_served(&page->look, seen) ? seen->local_port : 0);
        }
    }
    put_head(page, "tcp_program_connections", "gauge",
             "Connections by state, port of the listener (empty: opened here) and program.");
    for (size_t i = 0; i < groups->count; i++) {
        put_group(page, &groups->items[i]);
    }
    if (groups->beyond > 0) {
        (void)fprintf(
            page->to,
            "tcp_program_connections{source=\"\",state=\"other\",listener=\"\",program=\"\"}"
            " %" PRIu64 "\n",
            groups->beyond);
    }
    free(groups);
}

/* ---- states --------------------------------------------------------------------------------- */

struct sums {
    uint64_t states[SALUT_STATE_COUNT];
    int64_t oldest_ns[SALUT_STATE_COUNT];
    uint64_t unaccepted;
    uint64_t orphans;
};

static void sum_up(const struct slt_look *look, struct sums sums[SLT_SOURCE_COUNT])
{
    memset(sums, 0, sizeof(*sums) * SLT_SOURCE_COUNT);
    for (size_t i = 0; i < look->list.count; i++) {
        const struct slt_seen *seen = &look->list.items[i];
        struct sums *s = &sums[seen->source];
        s->states[seen->state]++;
        s->unaccepted += seen->accepted == SLT_NO;
        s->orphans += seen->orphan == SLT_YES;
        if (seen->age.how != SLT_SPAN_UNKNOWN && seen->age.ns > s->oldest_ns[seen->state]) {
            s->oldest_ns[seen->state] = seen->age.ns;
        }
    }
}

static void put_by_state(const struct page *page, const char *name,
                         const struct sums sums[SLT_SOURCE_COUNT], bool oldest)
{
    char label[24];
    for (size_t k = 0; k < SLT_ARRAY_COUNT(source_order); k++) {
        const struct sums *s = &sums[source_order[k]];
        for (unsigned i = 0; is_asked(page, source_order[k]) && i < SALUT_STATE_COUNT; i++) {
            (void)fprintf(page->to, "%s{source=\"%s\",state=\"%s\"} ", name,
                          source_label(source_order[k]), state_label(i, label));
            if (oldest) {
                (void)fprintf(page->to, "%.3f\n", (double)s->oldest_ns[i] / 1e9);
            } else {
                (void)fprintf(page->to, "%" PRIu64 "\n", s->states[i]);
            }
        }
    }
}

static void put_by_source(const struct page *page, const char *name, uint64_t kernel,
                          uint64_t stacks)
{
    for (size_t k = 0; k < SLT_ARRAY_COUNT(source_order); k++) {
        if (is_asked(page, source_order[k])) {
            (void)fprintf(page->to, "%s{source=\"%s\"} %" PRIu64 "\n", name,
                          source_label(source_order[k]),
                          source_order[k] == SLT_SOURCE_KERNEL ? kernel : stacks);
        }
    }
}

static void put_states(const struct page *page)
{
    struct sums sums[SLT_SOURCE_COUNT];
    sum_up(&page->look, sums);
    put_head(page, "tcp_connections", "gauge", "TCP connections and listeners by state.");
    put_by_state(page, "tcp_connections", sums, false);
    put_head(page, "tcp_state_oldest_seconds", "gauge",
             "Lower bound of the longest time a connection has been in the state.");
    put_by_state(page, "tcp_state_oldest_seconds", sums, true);
    put_head(page, "tcp_unaccepted_connections", "gauge",
             "Complete connections that no program has accepted.");
    put_by_source(page, "tcp_unaccepted_connections", sums[SLT_SOURCE_KERNEL].unaccepted,
                  sums[SLT_SOURCE_STACK].unaccepted);
    put_head(page, "tcp_orphan_connections", "gauge", "Connections that no program has any more.");
    put_by_source(page, "tcp_orphan_connections", sums[SLT_SOURCE_KERNEL].orphans,
                  sums[SLT_SOURCE_STACK].orphans);
}

/* ---- listeners ------------------------------------------------------------------------------ */

/* One value of one listener; listeners that share a port (SO_REUSEPORT, two families, two stacks)
 * are told apart by address, inode and process. */
static void put_listener(const struct page *page, const char *metric, const struct slt_seen *seen,
                         int64_t value)
{
    char addr[48];
    if (value == SLT_UNKNOWN) {
        return;
    }
    (void)salut_addr_print(&seen->local, addr, sizeof(addr));
    (void)fprintf(page->to,
                  "%s{source=\"%s\",listener=\":%u\",address=\"%s\",inode=\"%" PRIu64 "\"", metric,
                  source_label(seen->source), seen->local_port, addr, seen->inode);
    if (seen->source == SLT_SOURCE_STACK) {
        (void)fprintf(page->to, ",pid=\"%" PRIu64 "\"", seen->instance);
    }
    (void)fputs(",program=\"", page->to);
    put_label(page, seen->program);
    (void)fprintf(page->to, "\"} %" PRId64 "\n", value);
}

static void put_listeners(const struct page *page)
{
    static const char *const metrics[] = {"tcp_listener_queue", "tcp_listener_queue_limit",
                                          "tcp_listener_drops_total"};
    static const char *const what[] = {"Connections that wait for accept().",
                                       "The backlog: how many may wait.",
                                       "Connection attempts the listener lost, of any cause."};
    for (size_t m = 0; m < SLT_ARRAY_COUNT(metrics); m++) {
        put_head(page, metrics[m], m == 2 ? "counter" : "gauge", what[m]);
        for (size_t i = 0; i < page->look.list.count; i++) {
            const struct slt_seen *seen = &page->look.list.items[i];
            const int64_t values[] = {seen->queue, seen->queue_limit, seen->drops};
            if (seen->kind == SLT_SEEN_LISTENER) {
                put_listener(page, metrics[m], seen, values[m]);
            }
        }
    }
}

/* ---- counters ------------------------------------------------------------------------------- */

static void put_kernel_counters(const struct page *page)
{
    struct slt_counters counters;
    char name[64];
    char what[96];
    if (!slt_counters_read(&counters)) {
        return;
    }
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        const struct slt_counter_name *counter = slt_counter_name((enum slt_counter)i);
        if (counters.value[i] == SLT_UNKNOWN) {
            continue;
        }
        (void)snprintf(name, sizeof(name), "tcp_%s%s", counter->field,
                       counter->rises ? "_total" : "");
        (void)snprintf(what, sizeof(what), "%s of %s.", counter->name, counter->group);
        put_head(page, name, counter->rises ? "counter" : "gauge", what);
        (void)fprintf(page->to, "%s %" PRId64 "\n", name, counters.value[i]);
    }
}

/* Of all instances together: one that ends takes its share away, which reads as a restart. */
static void put_reasons(const struct page *page)
{
    struct slt_reason_sums *sums = calloc(1, sizeof(*sums));
    struct slt_counters counters;
    char label[48];
    if (sums == NULL) {
        return;
    }
    (void)slt_counters_read_stacks(&counters, sums);
    put_head(page, "salut_instances", "gauge", "Processes that run a stack of salut.");
    (void)fprintf(page->to, "salut_instances %u\n", sums->instances);
    put_head(page, "salut_instances_mute", "gauge", "Those that did not answer.");
    (void)fprintf(page->to, "salut_instances_mute %u\n", sums->mute);
    put_head(page, "salut_reason_total", "counter",
             "Segments, packets and changes of state by reason, of all instances.");
    for (uint32_t i = 0; i < sums->count; i++) {
        (void)fprintf(page->to, "salut_reason_total{reason=\"%s\"} %" PRIu64 "\n",
                      with_bars(sums->items[i].token, label, sizeof(label)), sums->items[i].value);
    }
    free(sums);
}

int slt_metrics_write(const struct slt_metrics_ask *ask, FILE *to)
{
    struct page page = {.to = to, .ask = ask};
    struct slt_look_ask look = {
        .kernel = ask->sources.kernel, .stacks = ask->sources.stacks, .owners = ask->owners};
    int result = slt_look_take(&look, &page.look);
    if (result == 0) {
        put_states(&page);
        put_groups(&page);
        put_listeners(&page);
    }
    if (result == 0 && ask->sources.kernel) {
        put_kernel_counters(&page);
    }
    if (result == 0 && ask->sources.stacks) {
        put_reasons(&page);
    }
    slt_look_free(&page.look);
    return result;
}
