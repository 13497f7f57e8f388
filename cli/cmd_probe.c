/* salut probe: ask whether the peers of silent connections are still there.
 */
#include "cli/choice.h"
#include "cli/status_print.h"

#include "base/time.h"
#include "observe/probe_linux.h"
#include "observe/why.h"
#include "sock/runner_clock.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROBES_MOST 512U /* connections at once: each takes a descriptor */

static const char help[] =
    "usage: salut probe [options] FILTER\n"
    "\n"
    "A silent connection may be idle, or its peer may be long gone: looking at it does not tell.\n"
    "This asks the peers of the kernel's open connections that pass FILTER (as in salut status) "
    "by\n"
    "keep-alive probes on the program's own socket, one a second, and says of each:\n"
    "\n"
    "  alive            the peer answered\n"
    "  no answer        none of the probes was answered: the peer or the path is dead\n"
    "  gone             the peer answered with a reset: it knows no such connection\n"
    "\n"
    "No data is sent, and unanswered probes end nothing; the program's keep-alive settings are "
    "put\n"
    "back afterwards. Needs the right to trace the program (its user, or CAP_SYS_PTRACE).\n"
    "\n"
    "  --probes N       how many without an answer make a verdict (3)\n"
    "  --dry-run        list them, probe none\n"
    "  --yes            do not ask\n"
    "  --json           one object a line\n"
    "\n"
    "  salut probe 'idle > 10m and sport = :5432'\n"
    "\n"
    "Exit status: 0 all are alive, 1 some are not.\n";

struct words {
    struct slt_choice choice;
    int64_t probes;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* An open connection that some program has. */
static bool fits(const struct slt_seen *seen, void *ctx)
{
    (void)ctx;
    return seen->source == SLT_SOURCE_KERNEL && seen->kind == SLT_SEEN_CONN && seen->inode != 0 &&
           (seen->state == SALUT_STATE_ESTABLISHED || seen->state == SALUT_STATE_CLOSE_WAIT ||
            seen->state == SALUT_STATE_FIN_WAIT_2);
}

static const char *verdict_name(uint8_t verdict)
{
    static const char *const names[] = {"not decided", "alive", "no answer", "gone", "not probed"};
    return names[verdict];
}

static void tell(const struct words *words, const struct slt_probe *probe)
{
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    char owner[SLT_OWNER_TEXT_MAX];
    char text[SLT_DURATION_MAX];
    const struct slt_seen *seen = probe->seen;
    bool timed = probe->verdict == SLT_PROBE_ALIVE || probe->verdict == SLT_PROBE_GONE;
    (void)slt_print_endpoint(&seen->local, seen->local_port, local);
    (void)slt_print_endpoint(&seen->remote, seen->remote_port, remote);
    (void)slt_status_owner(seen, owner);
    if (words->choice.json) {
        (void)printf(
            "{\"schema\":1,\"verdict\":\"%s\",\"local\":\"%s\",\"remote\":\"%s\",\"pid\":%d",
            verdict_name(probe->verdict), local, remote, seen->pid);
        if (timed) {
            (void)printf(",\"after_ms\":%lld", (long long)(probe->answered_ns / SLT_NS_PER_MS));
        }
        (void)puts("}");
        return;
    }
    (void)printf("%-11s %-21s  %-21s  %s", verdict_name(probe->verdict), local, remote, owner);
    if (timed) {
        (void)printf("  after %s", slt_print_duration(probe->answered_ns, text));
    } else if (probe->verdict == SLT_PROBE_REFUSED) {
        (void)printf("  %s", strerror(-probe->error));
    }
    (void)fputc('\n', stdout);
}

static void probe_all(struct slt_probe *probes, size_t count, int64_t for_ns)
{
    int64_t end_at_ns = slt_runner_clock() + for_ns;
    size_t pending = count;
    while (pending > 0 && !interrupted) {
        struct timespec pause = {.tv_nsec = 50 * SLT_NS_PER_MS};
        (void)nanosleep(&pause, NULL);
        int64_t now_ns = slt_runner_clock();
        pending = 0;
        for (size_t i = 0; i < count; i++) {
            slt_probe_look(&probes[i], now_ns, now_ns >= end_at_ns);
            pending += probes[i].verdict == SLT_PROBE_PENDING;
        }
    }
}

static int sum_up(const struct words *words, const struct slt_probe *probes, size_t count)
{
    size_t verdicts[SLT_PROBE_REFUSED + 1] = {0};
    int error = 0;
    for (size_t i = 0; i < count; i++) {
        verdicts[probes[i].verdict]++;
        error = probes[i].verdict == SLT_PROBE_REFUSED ? probes[i].error : error;
        tell(words, &probes[i]);
    }
    if (verdicts[SLT_PROBE_REFUSED] == count) {
        return slt_fail(&slt_cli_probe, SLT_EXIT_MISSING,
                        "none could be probed: %s; the program's user or root (CAP_SYS_PTRACE) may",
                        strerror(-error));
    }
    if (!words->choice.json) {
        (void)fprintf(stderr, "%zu alive, %zu no answer, %zu gone, %zu not probed\n",
                      verdicts[SLT_PROBE_ALIVE], verdicts[SLT_PROBE_SILENT],
                      verdicts[SLT_PROBE_GONE],
                      verdicts[SLT_PROBE_REFUSED] + verdicts[SLT_PROBE_PENDING]);
    }
    return verdicts[SLT_PROBE_ALIVE] == count ? SLT_EXIT_FINE : SLT_EXIT_FAILURE;
}

static int probe(const struct words *words, const struct slt_look *look)
{
    size_t count = look->list.count < PROBES_MOST ? look->list.count : PROBES_MOST;
    struct slt_probe *probes = calloc(count, sizeof(*probes));
    struct sigaction action = {.sa_handler = on_signal};
    if (probes == NULL) {
        return slt_fail(&slt_cli_probe, SLT_EXIT_FAILURE, "out of memory");
    }
    if (count < look->list.count) {
        (void)fprintf(stderr, "salut probe: the first %zu of %zu are probed\n", count,
                      look->list.count);
    }
    /* Whatever ends this, the settings go back. */
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
    (void)sigaction(SIGPIPE, &action, NULL);
    for (size_t i = 0; i < count; i++) {
        (void)slt_probe_start(&probes[i], &look->list.items[i], slt_runner_clock());
    }
    probe_all(probes, count, (words->probes + 1) * SLT_NS_PER_S + SLT_NS_PER_S / 2);
    for (size_t i = 0; i < count; i++) {
        slt_probe_end(&probes[i]);
    }
    int result = sum_up(words, probes, count);
    free(probes);
    return result;
}

static int run(int argc, char **argv)
{
    struct words words = {.choice = {.verb = &slt_cli_probe, .what = "probe", .fits = fits},
                          .probes = 3};
    struct slt_look look;
    const struct slt_arg options[] = {
        {"--probes", SLT_ARG_NUMBER, &words.probes, 1, 60},
        {"--dry-run", SLT_ARG_FLAG, &words.choice.dry_run, 0, 0},
        {"--yes", SLT_ARG_FLAG, &words.choice.yes, 0, 0},
        {"--json", SLT_ARG_FLAG, &words.choice.json, 0, 0},
    };
    int result = slt_choice_parse(&words.choice, options, SLT_ARRAY_COUNT(options), argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    result = slt_choose(&words.choice, &look);
    if (result == SLT_EXIT_FINE) {
        result = probe(&words, &look);
    }
    slt_look_free(&look);
    return result < 0 ? SLT_EXIT_FINE : result;
}

const struct slt_cli_verb slt_cli_probe = {.name = "probe",
                                           .summary = "ask whether silent peers are still there",
                                           .help = help,
                                           .run = run};
