/* salut wire: two TAP devices joined as a faulty link. The work is done in lab/wire.
 */
#include "cli/cli.h"
#include "cli/wire_words.h"

#include "lab/wire_run.h"

#include <inttypes.h>
#include <string.h>

#define SCHEMA           1
#define WAY_OPTIONS      10U
#define CHECK_RATE       "200mbit"
#define CHECK_DELAY      "10ms"
#define CHECK_QUEUE      "1000p"
#define CHECK_ERROR_NS   (500 * SLT_NS_PER_US)
#define CHECK_RATE_PARTS 100U /* the rate may be wrong by one part in that many */
#define NETNS_BYTES      128U

static const char help[] =
    "usage: salut wire [options] A B\n"
    "       salut wire --check [--rate R] [--delay D]\n"
    "\n"
    "Joins two TAP devices as a faulty link with a bottleneck, for any traffic between two "
    "kernels,\n"
    "or between a kernel and salut. A and B are device names, or NETNS:NAME with a network\n"
    "namespace (as `ip netns` knows it, or a process id). They are made when they do not exist.\n"
    "\n"
    "  --rate R             bottleneck, 20mbit, 1gbit; bytes of the whole Ethernet frame\n"
    "  --queue N            its drop-tail queue: 64K (bytes), 100p (packets), 0.25bdp (of rate\n"
    "                       times both delays); without, it never drops\n"
    "  --ecn N              mark ECN-capable packets when more than that waits (RFC 3168)\n"
    "  --delay D            one way, 25ms\n"
    "  --jitter J           the delay varies by up to that; the order is kept\n"
    "  --loss P             1%\n"
    "  --burst-loss P,LEN   that many losses in bursts of LEN packets on average\n"
    "  --reorder P[,D]      that many packets are held D longer (5ms) and overtaken\n"
    "  --dup P              duplicated\n"
    "  --corrupt P          one bit flipped, such that a checksum must notice\n"
    "  --back-rate R ...    each of these for B to A; without, it is as from A to B\n"
    "  --seed N             the fate of packet number n depends on it, the direction and n (1)\n"
    "  --mtu BYTES          of both devices\n"
    "  --duration T         end after that long (or with SIGINT, SIGTERM)\n"
    "  --spin T             do not sleep that long before a packet is due: 50us (0)\n"
    "  --realtime           run before ordinary processes\n"
    "  --check              measure this machine's wire in a private network, at 200mbit and "
    "10ms:\n"
    "                       the rate must be right within 1 %, the delay within 0.5 ms for 99 %\n"
    "                       of the packets\n"
    "  --json               one object a line\n"
    "\n"
    "At the end it prints what happened to the packets, and how late it was itself: a run whose\n"
    "lateness is not small beside the delay says nothing about the peers.\n";

struct words {
    struct slt_wire_words way[2];
    int64_t seed;
    int64_t mtu;
    int64_t duration_ns;
    int64_t spin_ns;
    bool realtime;
    bool check;
    bool json;
};

/* ---- the end ------------------------------------------------------------------------------ */

static int fail_device(const struct slt_link_error *error)
{
    bool missing = error->trouble == SLT_LINK_NO_PRIVILEGE ||
                   error->trouble == SLT_LINK_NO_DEVICE ||
                   error->trouble == SLT_LINK_NOT_SUPPORTED || error->trouble == SLT_LINK_BUSY;
    int code = error->trouble == SLT_LINK_BAD_NAME ? SLT_EXIT_USAGE
               : missing                           ? SLT_EXIT_MISSING
                                                   : SLT_EXIT_FAILURE;
    return slt_fail(&slt_cli_wire, code, "%s%s%s", error->sentence,
                    error->remedy[0] != '\0' ? "\n" : "", error->remedy);
}

/* The rows of the ledger, for people and for programs. */
struct row {
    const char *name;
    uint64_t value;
};

#define ROWS 17U

static uint64_t us_of(int64_t ns)
{
    return (uint64_t)(slt_max64(ns, 0) + 500) / 1000;
}

static void fill_rows(const struct slt_wire_way *way, struct row rows[ROWS])
{
    const struct slt_path_counters *c = &way->path.model.counters;
    uint64_t dropped = way->refused;
    for (int i = 0; i < SLT_LINK_DROP_COUNT; i++) {
        dropped += way->to->counters.dropped[i];
    }
    const struct row filled[ROWS] = {
        {"seen", c->seen},
        {"lost", c->lost},
        {"policed", c->policed},
        {"overflowed", c->overflowed},
        {"duplicated", c->duplicated},
        {"reordered", c->reordered},
        {"corrupted", c->corrupted},
        {"marked", c->marked},
        {"passed", c->passed},
        {"held", way->path.heap_count},
        {"refused", dropped}, /* by a device: it was down */
        {"queue_top_bytes", c->queue_bytes_top},
        {"queue_top_packets", c->queue_frames_top},
        {"late_p50_us", us_of(slt_wire_late_quantile(&way->late, 500))},
        {"late_p99_us", us_of(slt_wire_late_quantile(&way->late, 990))},
        {"late_p999_us", us_of(slt_wire_late_quantile(&way->late, 999))},
        {"late_most_us", us_of(way->late.most_ns)},
    };
    memcpy(rows, filled, sizeof(filled));
}

static void print_ledger(const struct slt_wire *wire, const char *const ends[2], bool json)
{
    struct row rows[2][ROWS];
    for (int i = 0; i < 2; i++) {
        fill_rows(&wire->way[i], rows[i]);
    }
    for (int i = 0; json && i < 2; i++) {
        (void)printf("{\"schema\":%d,\"event\":\"ledger\",\"from\":\"%s\",\"to\":\"%s\"", SCHEMA,
                     ends[i], ends[1 - i]);
        for (uint32_t k = 0; k < ROWS; k++) {
            (void)printf(",\"%s\":%" PRIu64, rows[i][k].name, rows[i][k].value);
        }
        (void)printf("}\n");
    }
    if (!json) {
        (void)printf("%-18s %14s %14s\n", "", "there", "back");
    }
    for (uint32_t k = 0; !json && k < ROWS; k++) {
        (void)printf("%-18s %14" PRIu64 " %14" PRIu64 "\n", rows[0][k].name, rows[0][k].value,
                     rows[1][k].value);
    }
}

/* ---- the wire ----------------------------------------------------------------------------- */

/* "NETNS:NAME" or "NAME". */
static int take_device(const char *word, char netns[NETNS_BYTES], struct slt_wire_device *device)
{
    const char *colon = strrchr(word, ':');
    size_t bytes = colon != NULL ? (size_t)(colon - word) : 0;
    *device = (struct slt_wire_device){.name = colon != NULL ? colon + 1 : word};
    if (bytes >= NETNS_BYTES || device->name[0] == '\0') {
        return slt_usage_error(&slt_cli_wire, "'%s' is no device, nor NETNS:NAME", word);
    }
    if (colon != NULL) {
        memcpy(netns, word, bytes);
        netns[bytes] = '\0';
        device->netns = netns;
    }
    return SLT_EXIT_FINE;
}

static int carry(const struct words *w, const struct slt_wire_run_params *params,
                 const char *const ends[2])
{
    static struct slt_wire wire;
    struct slt_link_error error;
    if (slt_wire_open(&wire, params, &error) != SLT_LINK_FINE) {
        return fail_device(&error);
    }
    if (w->json) {
        (void)printf("{\"schema\":%d,\"event\":\"joined\",\"a\":\"%s\",\"b\":\"%s\","
                     "\"seed\":%" PRIu64 "}\n",
                     SCHEMA, ends[0], ends[1], params->wire.seed);
    } else {
        (void)printf("joined %s and %s (seed %" PRIu64 ")\n", ends[0], ends[1], params->wire.seed);
    }
    (void)fflush(stdout);
    slt_wire_carry(&wire, params);
    print_ledger(&wire, ends, w->json);
    slt_wire_deinit(&wire);
    return SLT_EXIT_FINE;
}

/* ---- the check ---------------------------------------------------------------------------- */

static void print_check(const struct slt_wire_check *c, const struct slt_path_params *p, bool json)
{
    if (json) {
        (void)printf("{\"schema\":%d,\"event\":\"check\",\"rate_wanted\":%" PRIu64
                     ",\"rate\":%" PRIu64 ",\"delay_ns\":%" PRId64,
                     SCHEMA, p->rate_bits_per_s, c->rate_bits_per_s, p->delay_ns);
        (void)printf(",\"error_p50_ns\":%" PRId64 ",\"error_p99_ns\":%" PRId64
                     ",\"error_most_ns\":%" PRId64 ",\"probes\":%" PRIu32
                     ",\"probes_lost\":%" PRIu32 "}\n",
                     c->error_p50_ns, c->error_p99_ns, c->error_most_ns, c->probes, c->probes_lost);
        return;
    }
    if (p->rate_bits_per_s > 0) {
        (void)printf("rate   %9.3f Mbit/s, %.3f wanted: %+.2f %%\n",
                     (double)c->rate_bits_per_s / 1e6, (double)p->rate_bits_per_s / 1e6,
                     ((double)c->rate_bits_per_s / (double)p->rate_bits_per_s - 1) * 100);
    }
    (void)printf("delay  %9.3f ms; wrong by %.3f ms (median), %.3f ms (99 %%), %.3f ms (most); "
                 "%" PRIu32 " of %" PRIu32 " packets lost\n",
                 (double)p->delay_ns / 1e6, (double)c->error_p50_ns / 1e6,
                 (double)c->error_p99_ns / 1e6, (double)c->error_most_ns / 1e6, c->probes_lost,
                 c->probes);
}

static int check(const struct words *w, struct slt_wire_run_params *params)
{
    const struct slt_path_params *there = &params->wire.way[SLT_WIRE_THERE];
    struct slt_wire_check found;
    struct slt_link_error error;
    params->device[0] = (struct slt_wire_device){.name = "wire0"};
    params->device[1] = (struct slt_wire_device){.name = "wire1"};
    if (slt_wire_measure(params, &found, &error) != SLT_LINK_FINE) {
        return fail_device(&error);
    }
    print_check(&found, there, w->json);
    uint64_t rate = there->rate_bits_per_s;
    uint64_t wrong =
        found.rate_bits_per_s > rate ? found.rate_bits_per_s - rate : rate - found.rate_bits_per_s;
    bool fine = wrong <= rate / CHECK_RATE_PARTS && found.probes_lost == 0 &&
                found.error_p99_ns <= CHECK_ERROR_NS;
    return fine ? SLT_EXIT_FINE
                : slt_fail(&slt_cli_wire, SLT_EXIT_FAILURE,
                           "this machine does not keep the wire's time at the moment");
}

/* ---- the command line --------------------------------------------------------------------- */

static void list_way(struct slt_wire_words *w, bool back, struct slt_arg table[WAY_OPTIONS])
{
    const struct slt_arg options[WAY_OPTIONS] = {
        {back ? "--back-rate" : "--rate", SLT_ARG_TEXT, &w->rate, 0, 0},
        {back ? "--back-delay" : "--delay", SLT_ARG_TEXT, &w->delay, 0, 0},
        {back ? "--back-jitter" : "--jitter", SLT_ARG_TEXT, &w->jitter, 0, 0},
        {back ? "--back-loss" : "--loss", SLT_ARG_TEXT, &w->loss, 0, 0},
        {back ? "--back-burst-loss" : "--burst-loss", SLT_ARG_TEXT, &w->burst_loss, 0, 0},
        {back ? "--back-reorder" : "--reorder", SLT_ARG_TEXT, &w->reorder, 0, 0},
        {back ? "--back-dup" : "--dup", SLT_ARG_TEXT, &w->dup, 0, 0},
        {back ? "--back-corrupt" : "--corrupt", SLT_ARG_TEXT, &w->corrupt, 0, 0},
        {back ? "--back-queue" : "--queue", SLT_ARG_TEXT, &w->queue, 0, 0},
        {back ? "--back-ecn" : "--ecn", SLT_ARG_TEXT, &w->ecn, 0, 0},
    };
    memcpy(table, options, sizeof(options));
}

static int parse(struct words *w, struct slt_args *args, int argc, char **argv)
{
    struct slt_arg ways[2 * WAY_OPTIONS];
    const struct slt_arg options[] = {
        {"--seed", SLT_ARG_NUMBER, &w->seed, 0, INT64_MAX},
        {"--mtu", SLT_ARG_NUMBER, &w->mtu, 68, 65535},
        {"--duration", SLT_ARG_TIME, &w->duration_ns, 0, 0},
        {"--spin", SLT_ARG_TIME, &w->spin_ns, 0, 0},
        {"--realtime", SLT_ARG_FLAG, &w->realtime, 0, 0},
        {"--check", SLT_ARG_FLAG, &w->check, 0, 0},
        {"--json", SLT_ARG_FLAG, &w->json, 0, 0},
    };
    list_way(&w->way[0], false, ways);
    list_way(&w->way[1], true, ways + WAY_OPTIONS);
    args->options = options;
    args->option_count = SLT_ARRAY_COUNT(options);
    args->more = ways;
    args->more_count = SLT_ARRAY_COUNT(ways);
    return slt_args_parse(args, argc, argv);
}

static void use_check_defaults(struct words *w)
{
    w->way[0].rate = w->way[0].rate != NULL ? w->way[0].rate : CHECK_RATE;
    w->way[0].delay = w->way[0].delay != NULL ? w->way[0].delay : CHECK_DELAY;
    w->way[0].queue = w->way[0].queue != NULL ? w->way[0].queue : CHECK_QUEUE;
}

static int run(int argc, char **argv)
{
    struct words w = {.seed = 1};
    const char *names[2] = {NULL, NULL};
    char netns[2][NETNS_BYTES];
    struct slt_args args = {.verb = &slt_cli_wire, .words = names, .words_max = 2};
    struct slt_wire_run_params params = {.stop_on_signals = true, .stop_fd = -1, .ready_fd = -1};
    int result = parse(&w, &args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (args.word_count != (w.check ? 0 : 2)) {
        return slt_usage_error(&slt_cli_wire, w.check ? "--check makes its own devices"
                                                      : "two devices are wanted");
    }
    if (w.check) {
        use_check_defaults(&w);
    }
    params.mtu = (uint32_t)w.mtu;
    params.duration_ns = w.duration_ns;
    params.spin_ns = w.spin_ns;
    params.realtime = w.realtime;
    params.wire.seed = (uint64_t)w.seed;
    result = slt_wire_words_parse(&slt_cli_wire, w.way, params.wire.way);
    if (result != SLT_EXIT_FINE || w.check) {
        return result != SLT_EXIT_FINE ? result : check(&w, &params);
    }
    for (int i = 0; i < 2 && result == SLT_EXIT_FINE; i++) {
        result = take_device(names[i], netns[i], &params.device[i]);
    }
    return result == SLT_EXIT_FINE ? carry(&w, &params, names) : result;
}

const struct slt_cli_verb slt_cli_wire = {
    .name = "wire",
    .summary = "join two TAP devices as a faulty link",
    .help = help,
    .run = run,
};
