/* A run of a scenario: what there is comes to life, things happen in their order, samples are
 * taken, and at the end everything is counted.
 *
 * The next instant is the earliest of an event and a stack's deadline. What was put down for it
 * happens first; then every host that was touched, or has a timer due, takes its turn. Invariants
 * of every stack are checked whenever samples are taken and at the end.
 */
#include "lab/scenario_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_WANTED 500
#define SPIN_MAX       1000000U /* steps without time passing */
#define END_MAX        (24 * 3600 * SLT_NS_PER_S)

/* ---- beginning ------------------------------------------------------------------------------ */

static bool check_cc(struct scn_world *w, const char *name, uint32_t line)
{
    if (slt_scn_cc_known(name)) {
        return true;
    }
    (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX,
                   "line %u: there is no congestion control '%s'; there are: %s", line, name,
                   slt_scn_cc_names());
    return false;
}

static bool check_ccs(struct scn_world *w)
{
    bool fine = true;
    for (uint32_t i = 0; i < w->scn->node_count && fine; i++) {
        fine = check_cc(w, w->scn->node[i].cc, w->scn->node[i].line);
    }
    for (uint32_t i = 0; i < w->scn->app_count && fine; i++) {
        fine = check_cc(w, w->scn->app[i].cc, w->scn->app[i].line);
    }
    return fine;
}

static bool make_ways(struct scn_world *w)
{
    w->way_count = w->scn->link_count * 2;
    w->result->way = calloc(w->scn->link_count + 1, sizeof(*w->result->way));
    if (w->result->way == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < w->way_count; i++) {
        const struct slt_scn_link *link = &w->scn->link[i / 2];
        w->way[i].from = i % 2 == 0 ? link->a : link->b;
        w->way[i].to = i % 2 == 0 ? link->b : link->a;
        w->way[i].say = link->way[i % 2];
        w->way[i].row = &w->result->way[i / 2][i % 2];
        slt_scn_way_init(w, i);
    }
    slt_scn_routes(w);
    slt_scn_round_trips(w);
    for (uint32_t i = 0; i < w->way_count; i++) {
        struct slt_scn_way say = w->way[i].say;
        if (!slt_scn_way_set(w, i, &say)) {
            return false;
        }
    }
    return true;
}

/* A path that the scenario never provides is a slip of its writer. */
static bool check_paths(struct scn_world *w)
{
    for (uint32_t i = 0; i < w->scn->app_count; i++) {
        const struct slt_scn_app *app = &w->scn->app[i];
        bool joined = w->next_way[app->from][app->to] != SCN_NONE;
        if (!joined && w->scn->change_count == 0) {
            (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX, "line %u: no links lead from %s to %s",
                           app->line, w->scn->node[app->from].name, w->scn->node[app->to].name);
            return false;
        }
    }
    return true;
}

static int64_t end_of(const struct slt_scn *scn, const struct slt_scn_options *options)
{
    int64_t end_ns = options->until_ns > 0 ? options->until_ns : scn->run_ns;
    return end_ns > 0 ? end_ns : SLT_NEVER;
}

static void plan_samples(struct scn_world *w)
{
    int64_t sample_ns = w->scn->sample_ns;
    if (sample_ns == 0) {
        int64_t end_ns = w->end_ns == SLT_NEVER ? 50 * SLT_NS_PER_S : w->end_ns;
        sample_ns = slt_max64(SLT_NS_PER_MS, end_ns / SAMPLES_WANTED);
    }
    w->result->sample_ns = sample_ns;
    slt_scn_at(w, sample_ns, SCN_SAMPLE, 0);
}

static bool begin(struct scn_world *w)
{
    for (size_t i = 0; i < sizeof(w->pattern); i++) {
        w->pattern[i] =
            i < SCN_PERIOD ? (uint8_t)slt_prng_u64(&w->prng) : w->pattern[i % SCN_PERIOD];
    }
    if (!check_ccs(w) || !make_ways(w) || !check_paths(w)) {
        return false;
    }
    for (uint32_t i = 0; i < w->scn->node_count; i++) {
        if (!slt_scn_host_start(w, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < w->scn->change_count; i++) {
        if (w->scn->change[i].at_ns < w->end_ns) {
            slt_scn_at(w, w->scn->change[i].at_ns, SCN_CHANGE, i);
        }
    }
    for (uint32_t i = 0; i < w->scn->app_count; i++) {
        if (!slt_scn_listen(w, i)) {
            return false;
        }
        slt_scn_app_begin(w, i);
    }
    plan_samples(w);
    return true;
}

/* ---- samples -------------------------------------------------------------------------------- */

static void sample_flow(struct scn_world *w, uint32_t index, struct slt_scn_flow_sample *sample)
{
    struct scn_flow *flow = &w->flow[index];
    struct scn_end *end = &flow->end[flow->sender];
    struct scn_watch *watch = &end->watch;
    struct salut_info info;
    if (end->held && salut_get_info(w->host[end->node].stack, end->conn, &info) == SALUT_OK) {
        sample->cwnd = info.cwnd_bytes;
        sample->ssthresh = info.ssthresh_bytes;
        sample->flight = info.flight_bytes;
        sample->srtt_us = info.srtt_us;
    }
    if (watch->rtt_count > 0) {
        sample->rtt_us = (uint32_t)(watch->rtt_sum_ns / watch->rtt_count / SLT_NS_PER_US);
    }
    watch->rtt_count = 0;
    watch->rtt_sum_ns = 0;
    sample->delivered = slt_scn_row(w, index)->bytes;
    sample->retransmits = (uint32_t)slt_scn_row(w, index)->retransmits;
}

static void sample_way(struct scn_world *w, uint32_t index, uint32_t queue,
                       struct slt_scn_way_sample *sample)
{
    const struct slt_scn_way_row *row = w->way[index].row;
    sample->queue = queue;
    sample->bytes = row->bytes;
    sample->marked = (uint32_t)row->marked;
    for (uint32_t i = 0; i < SLT_SCN_DROPS; i++) {
        sample->dropped += (uint32_t)row->dropped[i];
    }
}

/* Room for one more row of samples; false when there is none: sampling ends. */
static bool grow_samples(struct scn_world *w)
{
    struct slt_scn_result *r = w->result;
    uint32_t count = r->sample_count;
    if ((count & (count - 1)) != 0) {
        return true;
    }
    size_t rooms = count == 0 ? 1 : (size_t)count * 2;
    void *flows = realloc(r->flow_sample, rooms * SLT_SCN_SERIES_MAX * sizeof(*r->flow_sample));
    r->flow_sample = flows != NULL ? flows : r->flow_sample;
    void *ways = realloc(r->way_sample, (rooms * w->way_count + 1) * sizeof(*r->way_sample));
    r->way_sample = ways != NULL ? ways : r->way_sample;
    return flows != NULL && ways != NULL;
}

static void take_sample(struct scn_world *w)
{
    struct slt_scn_result *r = w->result;
    uint32_t row = r->sample_count;
    int64_t for_ns = w->now_ns - w->sampled_ns;
    bool keep = w->options->samples && grow_samples(w);
    for (uint32_t i = 0; i < w->way_count; i++) {
        uint32_t queue = slt_scn_way_look(w, i, for_ns);
        if (keep) {
            struct slt_scn_way_sample *to = &r->way_sample[(size_t)row * w->way_count + i];
            *to = (struct slt_scn_way_sample){0};
            sample_way(w, i, queue, to);
        }
    }
    for (uint32_t i = 0; keep && i < SLT_SCN_SERIES_MAX; i++) {
        struct slt_scn_flow_sample *to = &r->flow_sample[(size_t)row * SLT_SCN_SERIES_MAX + i];
        *to = (struct slt_scn_flow_sample){0};
        if (i < w->flow_count) {
            sample_flow(w, i, to);
        }
    }
    r->sample_count += keep;
    w->sampled_ns = w->now_ns;
    for (uint32_t i = 0; i < w->scn->node_count && r->broken[0] == '\0'; i++) {
        (void)slt_scn_host_check(w, i);
    }
    if (w->now_ns + r->sample_ns <= w->end_ns) {
        slt_scn_at(w, w->now_ns + r->sample_ns, SCN_SAMPLE, 0);
    }
}

/* ---- going on ------------------------------------------------------------------------------- */

static bool change(struct scn_world *w, uint32_t index)
{
    const struct slt_scn_change *what = &w->scn->change[index];
    bool moved = false;
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t way = what->link * 2 + i;
        moved = moved || w->way[way].say.down != what->way[i].down;
        if (!slt_scn_way_set(w, way, &what->way[i])) {
            return false;
        }
    }
    if (moved) {
        slt_scn_routes(w);
    }
    return true;
}

static void arrive(struct scn_world *w, const struct scn_event *event)
{
    uint32_t node = w->way[event->index].to;
    if (w->host[node].stack == NULL) {
        slt_scn_net_send(w, node, event->packet);
    } else if (event->packet->to == node) {
        slt_scn_host_receive(w, node, event->packet);
    } else {
        free(event->packet); /* hosts do not forward */
    }
}

static bool happen(struct scn_world *w, const struct scn_event *event)
{
    switch ((enum scn_event_kind)event->kind) {
    case SCN_ARRIVES:
        arrive(w, event);
        return true;
    case SCN_FLOW:
        if (w->flow[event->index].wake_at_ns <= w->now_ns) {
            slt_scn_app_advance(w, event->index);
        }
        return true;
    case SCN_SPAWN:
        slt_scn_app_spawn(w, event->index);
        return true;
    case SCN_SESSION:
        slt_scn_app_page(w, event->index);
        return true;
    case SCN_SAMPLE:
        take_sample(w);
        return true;
    case SCN_CHANGE:
        return change(w, event->index);
    }
    return true;
}

static void turn(struct scn_world *w, uint32_t node)
{
    struct salut_event event;
    w->host[node].touched = false;
    slt_scn_host_poll(w, node);
    while (salut_next_event(w->host[node].stack, &event)) {
        uint32_t flow = slt_scn_flow_event(w, node, &event);
        if (flow != SCN_NONE) {
            slt_scn_app_advance(w, flow);
        }
    }
    slt_scn_host_output(w, node);
}

static bool turn_hosts(struct scn_world *w)
{
    bool again = false;
    for (uint32_t i = 0; i < w->scn->node_count; i++) {
        struct scn_host *host = &w->host[i];
        if (host->stack != NULL && (host->touched || w->deadline_ns[i] <= w->now_ns)) {
            turn(w, i);
            again = true;
        }
    }
    return again;
}

static bool go_on(struct scn_world *w)
{
    uint32_t spin = 0;
    while (w->result->broken[0] == '\0' && (w->pending > 0 || w->scn->run_ns > 0)) {
        int64_t next_ns = slt_scn_queue_next(&w->queue);
        for (uint32_t i = 0; i < w->scn->node_count; i++) {
            int64_t due_ns = w->host[i].touched ? w->now_ns : w->deadline_ns[i];
            next_ns = slt_min64(next_ns, due_ns);
        }
        if (next_ns > w->end_ns || next_ns > END_MAX) {
            break;
        }
        spin = next_ns > w->now_ns ? 0 : spin + 1;
        if (spin > SPIN_MAX) {
            (void)snprintf(w->result->broken, sizeof(w->result->broken),
                           "time stands still at %.6f s", (double)w->now_ns / 1e9);
            break;
        }
        w->now_ns = slt_max64(w->now_ns, next_ns);
        while (slt_scn_queue_next(&w->queue) <= w->now_ns) {
            struct scn_event event = slt_scn_queue_take(&w->queue);
            if (!happen(w, &event)) {
                return false;
            }
        }
        (void)turn_hosts(w);
    }
    return true;
}

/* ---- the end -------------------------------------------------------------------------------- */

static void end(struct scn_world *w)
{
    struct slt_scn_result *r = w->result;
    bool to_the_end = w->scn->run_ns > 0 || w->pending > 0;
    if (w->end_ns != SLT_NEVER && to_the_end && r->broken[0] == '\0') {
        w->now_ns = w->end_ns;
    }
    r->end_ns = w->now_ns;
    r->hash = w->hash.h;
    r->series_count = slt_min32(w->flow_count, SLT_SCN_SERIES_MAX);
    for (uint32_t i = 0; i < w->flow_count; i++) {
        struct slt_scn_flow_row *row = &r->flow[i];
        row->end_ns = row->finished || row->failed ? row->end_ns : w->now_ns;
    }
    for (uint32_t i = 0; i < w->scn->node_count && r->broken[0] == '\0'; i++) {
        (void)slt_scn_host_check(w, i);
    }
}

static void take_down(struct scn_world *w)
{
    for (uint32_t i = 0; i < w->way_count; i++) {
        slt_scn_way_finish(w, i);
    }
    for (uint32_t i = 0; i < w->scn->node_count; i++) {
        slt_scn_host_stop(w, i);
    }
    slt_scn_queue_free(&w->queue);
    free(w->flow);
    free(w->session);
    free(w);
}

bool slt_scn_run(const struct slt_scn *scn, const struct slt_scn_options *options,
                 struct slt_scn_result *result, char why[SLT_SCN_SENTENCE_MAX])
{
    struct scn_world *w = calloc(1, sizeof(*w));
    memset(result, 0, sizeof(*result));
    (void)snprintf(why, SLT_SCN_SENTENCE_MAX, "no memory");
    if (w == NULL) {
        return false;
    }
    w->scn = scn;
    w->options = options;
    w->result = result;
    w->why = why;
    w->end_ns = end_of(scn, options);
    slt_prng_seed(&w->prng, options->seed);
    slt_digest_init(&w->hash);
    bool fine = begin(w) && go_on(w);
    if (fine) {
        end(w);
    }
    take_down(w);
    if (!fine) {
        slt_scn_result_free(result);
    }
    return fine;
}

void slt_scn_result_free(struct slt_scn_result *result)
{
    free(result->flow);
    free(result->way);
    free(result->flow_sample);
    free(result->way_sample);
    memset(result, 0, sizeof(*result));
}
