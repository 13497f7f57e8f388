/* A run: the order of events, the two phases, the end.
 *
 * The next thing to happen is the earliest of a packet's arrival, a stack's deadline, an
 * application's intention and a fault. What happens at one instant happens in a fixed order:
 * faults, packets, then the hosts one by one.
 */
#include "lab/sim_world.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#define SPIN_MAX 20000U

static jmp_buf caught_at;
static struct sim_world *running;

bool slt_sim_caught(const char *file, int line, const char *what)
{
    struct sim_world *w = running;
    if (!w) {
        return false;
    }
    running = NULL;
    const char *name = strrchr(file, '/');
    w->result->failed = false;
    slt_sim_fail(w, 0, "assertion failed at %s:%d: %s", name ? name + 1 : file, line, what);
    longjmp(caught_at, 1);
}

/* ---- faults of hosts
 * ----------------------------------------------------------------------------- */

static void crash(struct sim_world *w, struct sim_host *h)
{
    slt_sim_fault(w, SLT_SIM_CRASH);
    slt_sim_note(w, "host %c crashes", 'A' + h->number);
    slt_sim_app_crashed(w, h);
    slt_sim_host_stop(w, h);
    slt_sim_flows_forget(w, h->number);
    h->wait_count = 0;
    h->config.quiet_time_ns = 0;
    if (w->is.crash_quiet) {
        h->config.quiet_time_ns = h->config.msl_ns;
        slt_sim_fault(w, SLT_SIM_CRASH_QUIET);
    }
    h->boot_at_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1), SIM_S(60));
}

static void host_fault(struct sim_world *w, struct sim_host *h, uint64_t kind)
{
    switch (kind) {
    case 0:
        h->asleep_until_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1), SIM_S(30));
        slt_sim_fault(w, SLT_SIM_STALL);
        break;
    case 1:
        slt_sim_clock_set(w, h, slt_sim_log_between(w, SIM_MS(1), SIM_S(300)), h->clock.ppm);
        slt_sim_fault(w, SLT_SIM_JUMP);
        break;
    case 2:
        if (h->up) {
            crash(w, h);
        }
        break;
    default:
        h->alloc_fail_from = h->alloc_calls + slt_sim_below(w, 20);
        h->alloc_fail_to = h->alloc_fail_from + 1 + slt_sim_below(w, 20);
        slt_sim_fault(w, SLT_SIM_ALLOC);
        break;
    }
}

static void fault_tick(struct sim_world *w)
{
    struct sim_host *h = &w->host[slt_sim_below(w, w->host_count)];
    const struct sim_character *is = &w->is;
    const uint32_t weights[4] = {is->stall, is->jump * 10, is->crash * 10, is->alloc * 10};
    w->next_fault_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1), w->is.phase_ns / 4);
    if (slt_sim_chance(w, is->path_event * 10)) {
        slt_sim_net_path_event(w);
    }
    if (slt_sim_chance(w, is->noise * 10)) {
        slt_sim_forge(w);
        w->next_fault_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1), SIM_S(2));
    }
    for (uint64_t i = 0; i < 4; i++) {
        if (slt_sim_chance(w, weights[i])) {
            host_fault(w, h, i);
        }
    }
}

/* ---- turns
 * --------------------------------------------------------------------------------------- */

static bool host_due(const struct sim_world *w, const struct sim_host *h, int64_t *at_ns)
{
    if (!h->up) {
        *at_ns = h->boot_at_ns;
        return h->boot_at_ns <= w->now_ns;
    }
    int64_t next = slt_sim_virtual(h, salut_next_deadline(h->stack));
    if (salut_wants_output(h->stack)) {
        next = slt_min64(next, slt_max64(w->now_ns, h->tx_until_ns));
    }
    next = slt_min64(next, slt_sim_app_next(w, h));
    *at_ns = slt_max64(next, w->now_ns);
    return next <= w->now_ns;
}

static void host_turn(struct sim_world *w, struct sim_host *h)
{
    w->turn++;
    w->tally->turns++;
    slt_sim_note(w, "%c turns at %.6f%s%s", 'A' + h->number, (double)slt_sim_local(w, h) / 1e9,
                 salut_wants_output(h->stack) ? ", has output" : "",
                 salut_next_deadline(h->stack) <= slt_sim_local(w, h) ? ", a timer is due" : "");
    if (!slt_sim_host_poll(w, h)) {
        return;
    }
    slt_sim_app_events(w, h);
    if (slt_sim_failed(w) || !slt_sim_check_ready(w, h)) {
        return;
    }
    slt_sim_app_timers(w, h);
    for (unsigned i = 0; i < 64 && slt_sim_host_output(w, h); i++) {
    }
    if (!salut_wants_output(h->stack)) {
        h->heard_answered = h->heard_count;
    }
    slt_sim_host_settle(w, h);
}

static void boot(struct sim_world *w, struct sim_host *h)
{
    h->boot_at_ns = SLT_NEVER;
    if (slt_sim_host_boot(w, h) && !h->up) {
        h->boot_at_ns = w->now_ns + SIM_MS(100);
        h->alloc_fail_to = h->alloc_calls;
    }
}

/* One instant. False when nothing will ever happen again, or something failed. */
static bool step(struct sim_world *w, int64_t until_ns)
{
    bool touched[SIM_HOSTS_MAX] = {false};
    int64_t next = slt_sim_net_next(w);
    int64_t at_ns;
    for (uint8_t i = 0; i < w->host_count; i++) {
        host_due(w, &w->host[i], &at_ns);
        next = slt_min64(next, at_ns);
    }
    next = w->phase == SIM_SAFETY ? slt_min64(next, w->next_fault_ns) : next;
    if (next > until_ns) {
        w->now_ns = until_ns;
        return false;
    }
    w->spin = next > w->now_ns ? 0 : w->spin + 1;
    if (w->spin > SPIN_MAX) {
        return slt_sim_fail(w, 42, "%u turns and no time passes", SPIN_MAX);
    }
    w->now_ns = slt_max64(w->now_ns, next);
    if (w->phase == SIM_SAFETY && w->next_fault_ns <= w->now_ns) {
        fault_tick(w);
    }
    struct sim_packet *p;
    while (!slt_sim_failed(w) && (p = slt_sim_net_take(w)) != NULL) {
        slt_sim_host_deliver(w, &w->host[p->to], p);
        touched[p->to] = true;
        free(p);
    }
    for (uint8_t i = 0; i < w->host_count && !slt_sim_failed(w); i++) {
        bool due = host_due(w, &w->host[i], &at_ns);
        if (due && !w->host[i].up) {
            boot(w, &w->host[i]);
        } else if ((due || touched[i]) && w->host[i].up) {
            host_turn(w, &w->host[i]);
        }
    }
    return !slt_sim_failed(w);
}

static void run_until(struct sim_world *w, int64_t until_ns)
{
    while (w->now_ns < until_ns && step(w, until_ns)) {
    }
}

/* ---- phases
 * -------------------------------------------------------------------------------------- */

static int64_t longest(const struct sim_world *w, int64_t (*of)(const struct salut_config *))
{
    int64_t top = 0;
    for (uint8_t i = 0; i < w->host_count; i++) {
        top = slt_max64(top, of(&w->host[i].config));
    }
    return top;
}

static int64_t rto_max_of(const struct salut_config *c)
{
    return c->rto_max_ns;
}

static int64_t linger_of(const struct salut_config *c)
{
    return 2 * c->msl_ns + c->fin_wait_2_ns;
}

static void safety(struct sim_world *w)
{
    w->next_fault_ns = slt_sim_log_between(w, SIM_MS(1), SIM_S(1));
    while (w->now_ns < w->is.phase_ns && w->turn < w->is.turns_max && step(w, w->is.phase_ns)) {
    }
}

static void heal(struct sim_world *w)
{
    slt_sim_note(w, "the faults end");
    slt_sim_net_heal(w);
    w->phase = SIM_FINISH;
    for (uint8_t i = 0; i < w->host_count; i++) {
        struct sim_host *h = &w->host[i];
        h->alloc_fail_to = 0;
        h->tx_until_ns = 0;
        h->rx_until_ns = 0;
        h->boot_at_ns = h->up ? SLT_NEVER : w->now_ns;
        slt_sim_clock_set(w, h, 0, 0);
    }
    slt_sim_app_finish(w);
}

/* Faults are off: everything arrives, or an error is told (I-40). What a packet still on its way
 * or a retransmission interval at its longest costs is allowed for. */
static void finish(struct sim_world *w)
{
    int64_t until_ns = w->now_ns + 2 * longest(w, rto_max_of) + SIM_S(400);
    while (w->now_ns < until_ns && !slt_sim_all_delivered(w) && step(w, until_ns)) {
    }
    if (!slt_sim_failed(w)) {
        slt_sim_check_delivered(w);
    }
}

/* What may be said in ten minutes by those who have nothing to say: a few words about neighbours,
 * and probes of windows that stay closed because a reader has shut its side, with their answers
 * and the questions about neighbours they cause. */
static uint64_t idle_packets(const struct sim_world *w)
{
    int64_t shortest = SIM_S(120);
    uint64_t held = 0;
    for (uint8_t i = 0; i < w->host_count; i++) {
        shortest = slt_min64(shortest, w->host[i].config.rto_max_ns);
    }
    for (uint32_t i = 0; i < w->end_count; i++) {
        held += w->end[i].shut_read && w->end[i].held && !w->end[i].dead;
    }
    return 40 + held * 8 * (1 + (uint64_t)(SIM_S(600) / shortest));
}

/* Nobody has anything to say: few packets, and both ends of one mind (I-24, I-42). */
static void idle(struct sim_world *w)
{
    w->phase = SIM_IDLE;
    run_until(w, w->now_ns + longest(w, linger_of) + SIM_S(150));
    if (slt_sim_failed(w)) {
        return;
    }
    w->packets_since_idle = 0;
    slt_sim_check_quiescent(w);
    run_until(w, w->now_ns + SIM_S(600));
    slt_sim_checked(w, 42);
    if (!slt_sim_failed(w) && w->packets_since_idle > idle_packets(w)) {
        slt_sim_fail(w, 42, "%llu packets while nobody had anything to say",
                     (unsigned long long)w->packets_since_idle);
    }
}

static void part(struct sim_world *w)
{
    w->phase = SIM_PARTING;
    slt_sim_app_part(w, false);
    int64_t until_ns = w->now_ns + 2 * longest(w, rto_max_of) + SIM_S(400);
    while (w->now_ns < until_ns && !slt_sim_app_all_gone(w) && step(w, until_ns)) {
    }
    if (slt_sim_failed(w) || !slt_sim_check_parted(w)) {
        return;
    }
    slt_sim_app_part(w, true);
    w->phase = SIM_AFTER;
    run_until(w, w->now_ns + longest(w, linger_of) + 2 * longest(w, rto_max_of) + SIM_S(300));
}

static void last_checks(struct sim_world *w)
{
    for (uint8_t i = 0; i < w->host_count && !slt_sim_failed(w); i++) {
        struct sim_host *h = &w->host[i];
        slt_sim_checked(w, 41);
        slt_sim_checked(w, 45);
        /* What ended while it stood in a queue goes when the queue is next turned over. */
        host_turn(w, h);
        host_turn(w, h);
        slt_sim_check_conserved(w, h);
        slt_sim_check_ledger(w, h);
    }
}

static void run_phases(struct sim_world *w)
{
    slt_sim_draw(w);
    if (w->paths) {
        slt_sim_draw_paths(w);
    }
    for (uint8_t i = 0; i < w->host_count && !slt_sim_failed(w); i++) {
        boot(w, &w->host[i]);
    }
    void (*const phases[])(struct sim_world *) = {safety, heal, finish, idle, part, last_checks};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(phases) && !slt_sim_failed(w); i++) {
        phases[i](w);
    }
    if (w->paths && !slt_sim_failed(w)) { /* what a failure cut short is not a transfer's fault */
        slt_sim_count_transfers(w);
    }
}

/* ---- the door
 * ------------------------------------------------------------------------------------ */

static struct sim_world *new_world(const struct slt_sim_options *options,
                                   struct slt_sim_result *result, struct slt_sim_tally *tally)
{
    struct sim_world *w = calloc(1, sizeof(*w));
    SLT_ASSERT(w != NULL);
    w->seed = options->seed;
    w->paths = options->paths;
    w->trace = options->trace;
    w->trace_from = options->trace_from;
    w->result = result;
    w->tally = tally;
    w->scratch = malloc(2 * SIM_FRAME_MAX);
    w->scratch2 = malloc(SIM_FRAME_MAX);
    w->out = malloc(SIM_OUT_MAX * sizeof(*w->out));
    w->canary_stack = malloc(SIM_CANARY_BYTES);
    SLT_ASSERT(w->scratch && w->scratch2 && w->out && w->canary_stack);
    slt_prng_seed(&w->prng, options->seed);
    slt_digest_init(&w->hash);
    return w;
}

static void free_world(struct sim_world *w)
{
    slt_sim_net_free(w);
    free(w->scratch);
    free(w->scratch2);
    free(w->out);
    free(w->canary_stack);
    free(w);
}

void slt_sim_run(const struct slt_sim_options *options, struct slt_sim_result *result,
                 struct slt_sim_tally *tally)
{
    memset(result, 0, sizeof(*result));
    struct sim_world *w = new_world(options, result, tally);
    tally->runs++;
    running = w;
    if (setjmp(caught_at) == 0) {
        run_phases(w);
        if (result->failed && w->trace) {
            for (uint8_t i = 0; i < w->host_count; i++) {
                slt_sim_trace_events(w, &w->host[i], 12, w->trace);
            }
        }
        for (uint8_t i = 0; i < w->host_count; i++) {
            slt_sim_host_stop(w, &w->host[i]);
        }
    }
    running = NULL;
    result->hash = w->hash.h;
    tally->work_max = w->work_max > tally->work_max ? w->work_max : tally->work_max;
    free_world(w);
}
