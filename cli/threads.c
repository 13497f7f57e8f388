/* See threads.h. */
#include "cli/threads.h"

#include "base/time.h"
#include "salut/shard.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* The words, and a host for every shard: its runner and its stack are the shard's. */
struct run {
    const struct slt_threads *threads;
    struct slt_host *hosts;
    atomic_int failed; /* the first exit code that is not fine */
    atomic_uint started;
};

/* What a signal ends. */
static struct salut_shards *signalled;

static void on_signal(int number)
{
    (void)number;
    salut_shards_stop(signalled);
}

static void catch_signals(struct salut_shards *shards)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    signalled = shards;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static enum salut_status set_up(void *ctx, struct salut_shard *shard)
{
    struct run *run = ctx;
    const struct slt_threads *t = run->threads;
    struct slt_host *host = &run->hosts[shard->index];
    *host = (struct slt_host){
        .verb = t->verb, .words = t->words, .runner = shard->runner, .stack = shard->stack};
    int result = slt_host_furnish(host);
    result = result == SLT_EXIT_FINE ? t->start(t->ctx, host, shard->index) : result;
    if (result != SLT_EXIT_FINE) {
        int fine = SLT_EXIT_FINE;
        (void)atomic_compare_exchange_strong(&run->failed, &fine, result);
        return SALUT_ABORTED;
    }
    /* Connections come to every shard: none is announced before all of them listen. */
    if (atomic_fetch_add(&run->started, 1) + 1 == t->count) {
        t->ready(t->ctx, shard->interface);
    }
    return SALUT_OK;
}

static void tear_down(void *ctx, struct salut_shard *shard)
{
    struct run *run = ctx;
    run->threads->stop(run->threads->ctx, shard->index);
    slt_host_settle(&run->hosts[shard->index], SLT_NS_PER_S);
}

static int check_words(const struct slt_host *host)
{
    const struct slt_host_words *w = host->words;
    if (w->packet != NULL || w->capture != NULL || w->verbose) {
        return slt_usage_error(host->verb,
                               "--threads is for a TAP or TUN, without --capture and --verbose");
    }
    return slt_host_check_words(host);
}

static int make_shards(struct run *run, struct slt_host *host, struct salut_shards **shards)
{
    const struct slt_host_words *w = host->words;
    char why[512] = "";
    slt_host_configure(host);
    struct salut_shards_params params = {
        .count = run->threads->count,
        .link = {.device = w->tun != NULL ? SALUT_DEVICE_TUN : SALUT_DEVICE_TAP,
                 .name = w->tun != NULL   ? w->tun
                         : w->tap != NULL ? w->tap
                                          : "salut0",
                 .mtu = (uint32_t)w->mtu,
                 .no_offload = w->no_offload,
                 .impair = w->impair},
        .config = &host->config,
        .setup = set_up,
        .on_event = run->threads->on_event,
        .teardown = tear_down,
        .ctx = run};
    enum salut_status status = salut_shards_create(&params, shards, why, sizeof(why));
    if (status == SALUT_OK) {
        return SLT_EXIT_FINE;
    }
    bool missing = status == SALUT_NOT_SUPPORTED || status == SALUT_ADDRESS_NOT_AVAILABLE;
    return slt_fail(host->verb, missing ? SLT_EXIT_MISSING : SLT_EXIT_FAILURE, "%s", why);
}

static int run_shards(struct run *run, const struct slt_host *host, struct salut_shards *shards)
{
    int result = slt_host_set_up_kernel(host, salut_shards_interface(shards));
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    catch_signals(shards);
    enum salut_status status = salut_shards_run(shards);
    result = atomic_load(&run->failed);
    if (status != SALUT_OK && result == SLT_EXIT_FINE) {
        result = slt_fail(host->verb, SLT_EXIT_FAILURE, "%s", salut_status_text(status));
    }
    if (host->words->stats) {
        slt_host_print_counters(run->hosts, run->threads->count);
    }
    return result;
}

int slt_threads_run(const struct slt_threads *threads)
{
    struct run run = {.threads = threads};
    struct slt_host host = {.verb = threads->verb, .words = threads->words};
    struct salut_shards *shards = NULL;
    int result = check_words(&host);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    atomic_init(&run.failed, SLT_EXIT_FINE);
    atomic_init(&run.started, 0);
    run.hosts = calloc(threads->count, sizeof(*run.hosts));
    if (run.hosts == NULL) {
        return slt_fail(threads->verb, SLT_EXIT_FAILURE, "memory is short");
    }
    result = make_shards(&run, &host, &shards);
    if (result == SLT_EXIT_FINE) {
        result = run_shards(&run, &host, shards);
    }
    /* A signal that comes from here on ends the program as it would any other. */
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    salut_shards_destroy(shards);
    free(run.hosts);
    return result;
}
