/* The table: which lines there are, how they are run in pairs, and what is printed.
 *
 * The whole run takes place in a private network, in a child process (slt_netns_run). Each sample
 * is a child of that one, pinned, with an alarm clock, and hands its result back through a pipe:
 * what a sample leaves behind in memory, descriptors or namespaces ends with it.
 */
#include "bench/bench.h"

#include "bench/machine.h"
#include "bench/measure.h"
#include "link/netns_linux.h"
#include "salut/salut.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef SLT_PROFILED
#define BUILT "guided by a training run, for this processor"
#else
#define BUILT "built without a profile"
#endif

#define GIGABIT (1e9 / 8)

static const struct slt_bench_case cases[] = {
    {"connect", "connect, 64 B, 64 B back, close; memory pair : loopback", "1000/s", 1e3, 10.0, 1,
     slt_bench_connect_salut, slt_bench_connect_kernel},
    {"bulk64k", "bulk, 64 KB segments, offload; memory pair : loopback", "Gb/s", GIGABIT, 1.0, 1,
     slt_bench_bulk_offload_salut, slt_bench_bulk_offload_kernel},
    {"bulk1448", "bulk, 1448 B segments, software checksums; pair : veth", "Gb/s", GIGABIT, 2.0, 1,
     slt_bench_bulk_wire_salut, slt_bench_bulk_wire_kernel},
    {"tap-out", "bulk, salut to the kernel; TAP : veth with offloads", "Gb/s", GIGABIT, 0.5, 2,
     slt_bench_tap_out_salut, slt_bench_tap_kernel},
    {"tap-in", "bulk, the kernel to salut; TAP : veth with offloads", "Gb/s", GIGABIT, 0.5, 2,
     slt_bench_tap_in_salut, slt_bench_tap_kernel},
    {"exchange1", "64 B there and back, 1 connection; pair : loopback, two threads", "1000/s", 1e3,
     5.0, 1, slt_bench_exchange_one_salut, slt_bench_exchange_one_kernel},
    {"exchange1turn", "the same; the kernel's ends in turn in one thread, never waiting", "1000/s",
     1e3, 0.0, 1, slt_bench_exchange_one_salut, slt_bench_exchange_in_turn_kernel},
    {"exchange1000", "64 B there and back, 1000 connections; pair : loopback", "1000/s", 1e3, 5.0,
     1, slt_bench_exchange_many_salut, slt_bench_exchange_many_kernel},
};

static const struct slt_bench_gate gates[] = {
    {"established", "an idle established connection, of 2,000,000 ends", 384.0,
     slt_bench_memory_established},
    {"half-open", "a half-open connection, of 1,000,000", 96.0, slt_bench_memory_half_open},
    {"time-wait", "a connection in TIME-WAIT, of 1,000,000", 64.0, slt_bench_memory_time_wait},
};

#define CASE_COUNT (sizeof(cases) / sizeof(cases[0]))
#define GATE_COUNT (sizeof(gates) / sizeof(gates[0]))

/* The memory lines need about 900 MB at a time. */
#define GATE_MEMORY_BYTES (UINT64_C(1200) << 20)

/* ---- samples -------------------------------------------------------------------------------- */

bool slt_bench_fail(struct slt_bench_run *run, const char *format, ...)
{
    va_list list;
    if (run->why[0] == '\0') {
        va_start(list, format);
        vsnprintf(run->why, sizeof(run->why), format, list);
        va_end(list);
    }
    return false;
}

bool slt_bench_fail_os(struct slt_bench_run *run, const char *what)
{
    return slt_bench_fail(run, "%s: %s", what, strerror(errno));
}

typedef bool sample_fn(struct slt_bench_run *run);

static _Noreturn void run_child(sample_fn *sample, struct slt_bench_run *run, int report_fd)
{
    alarm((unsigned)(run->for_ns / 1000000000) + 120);
    if (slt_bench_pin(run->cpu[0])) {
        sample(run);
    } else {
        slt_bench_fail_os(run, "sched_setaffinity");
    }
    ssize_t put = write(report_fd, run, sizeof(*run));
    exit(put == (ssize_t)sizeof(*run) ? 0 : 1); /* not _exit: a training run writes its counts */
}

/* Take one sample in a process of its own; run->why tells when it failed. */
static void take_sample(sample_fn *sample, struct slt_bench_run *run)
{
    int report[2];
    if (pipe(report) < 0) {
        slt_bench_fail_os(run, "pipe");
        return;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(report[0]);
        run_child(sample, run, report[1]);
    }
    close(report[1]);
    struct slt_bench_run result;
    ssize_t got = pid < 0 ? -1 : read(report[0], &result, sizeof(result));
    close(report[0]);
    int status = 0;
    if (pid > 0) {
        waitpid(pid, &status, 0);
    }
    if (got == (ssize_t)sizeof(result)) {
        *run = result;
        return;
    }
    slt_bench_fail(run, "the sample's process ended by %s %d",
                   WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/* ---- the table ------------------------------------------------------------------------------ */

/* What a run has found out so far. */
struct tally {
    const struct slt_bench_options *options;
    int cpus[2];
    unsigned cpu_count;
    unsigned missed;
    unsigned missing;
};

struct series {
    double values[SLT_BENCH_PAIRS_MAX];
    unsigned count;
};

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(const struct series *series)
{
    unsigned half = series->count / 2;
    if (series->count == 0) {
        return 0.0;
    }
    return series->count % 2 == 1 ? series->values[half]
                                  : (series->values[half - 1] + series->values[half]) / 2;
}

static bool sample_into(const struct tally *tally, const struct slt_bench_case *line,
                        sample_fn *sample, struct series *series, struct slt_bench_run *run)
{
    *run = (struct slt_bench_run){.for_ns = tally->options->sample_ns,
                                  .cpu = {tally->cpus[0], tally->cpus[1]}};
    take_sample(sample, run);
    if (run->why[0] != '\0' || run->took_ns <= 0) {
        slt_bench_fail(run, "nothing was measured");
        return false;
    }
    series->values[series->count++] = run->amount * 1e9 / (double)run->took_ns / line->per_unit;
    return true;
}

static bool wanted(const char *only, const char *name)
{
    size_t bytes = strlen(name);
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, name, bytes) == 0 && (at[bytes] == '\0' || at[bytes] == ',')) {
            return true;
        }
    }
    return only == NULL;
}

static void print_failure(struct tally *tally, const char *name, const char *side,
                          const struct slt_bench_run *run)
{
    printf("%-13s %s: %s\n", name, side, run->why);
    tally->missed += !run->missing;
    tally->missing += run->missing;
}

static void print_side(const struct series *series)
{
    if (series->count == 0) {
        printf("  %26s", "-");
        return;
    }
    printf("  %8.2f (%7.2f-%7.2f)", median(series), series->values[0],
           series->values[series->count - 1]);
}

static void print_line(struct tally *tally, const struct slt_bench_case *line,
                       struct series sides[2])
{
    for (unsigned i = 0; i < 2; i++) {
        qsort(sides[i].values, sides[i].count, sizeof(double), compare);
    }
    printf("%-13s %-6s", line->name, line->unit);
    print_side(&sides[0]);
    print_side(&sides[1]);
    if (sides[0].count > 0 && sides[1].count > 0) {
        double ratio = median(&sides[0]) / median(&sides[1]);
        if (line->target <= 0) {
            printf("  %7.2f  %-8s %s  %s\n", ratio, "-", "", line->title);
            return;
        }
        double floor = tally->options->quick ? line->target / 2 : line->target;
        bool met = ratio >= floor;
        printf("  %7.2f  >= %-5.4g %s", ratio, line->target,
               ratio >= line->target ? "ok"
               : met                 ? "below target"
                                     : "MISSED");
        tally->missed += !met;
    }
    printf("  %s\n", line->title);
}

static void run_case(struct tally *tally, const struct slt_bench_case *line)
{
    struct series sides[2] = {{.count = 0}, {.count = 0}};
    struct slt_bench_run run;
    if (tally->cpu_count < line->cpus) {
        printf("%-13s needs two processors; this process may use one\n", line->name);
        tally->missing++;
        return;
    }
    for (unsigned i = 0; i < tally->options->pairs; i++) {
        if ((tally->options->sides & SLT_BENCH_SALUT) != 0 &&
            !sample_into(tally, line, line->salut, &sides[0], &run)) {
            print_failure(tally, line->name, "salut", &run);
            return;
        }
        if ((tally->options->sides & SLT_BENCH_KERNEL) != 0 &&
            !sample_into(tally, line, line->kernel, &sides[1], &run)) {
            print_failure(tally, line->name, "kernel", &run);
            return;
        }
    }
    print_line(tally, line, sides);
    fflush(stdout);
}

static void run_gate(struct tally *tally, const struct slt_bench_gate *gate)
{
    struct slt_bench_run run = {.for_ns = 0, .cpu = {tally->cpus[0], tally->cpus[1]}};
    uint64_t available = slt_bench_available_bytes();
    if (available != 0 && available < GATE_MEMORY_BYTES) {
        printf("%-13s needs 1.2 GB of free memory; there are %.1f\n", gate->name,
               (double)available / 1e9);
        tally->missing++;
        return;
    }
    take_sample(gate->salut, &run);
    if (run.why[0] != '\0') {
        print_failure(tally, gate->name, "salut", &run);
        return;
    }
    bool met = run.amount <= gate->limit_bytes;
    printf("%-13s %-6s  %8.1f  <= %-5.4g %s  %s\n", gate->name, "bytes", run.amount,
           gate->limit_bytes, met ? "ok" : "MISSED", gate->title);
    tally->missed += !met;
    fflush(stdout);
}

static void print_heading(const struct tally *tally, bool cubic)
{
    char machine[256];
    const struct slt_bench_options *options = tally->options;
    slt_bench_machine_print(machine, sizeof(machine));
    printf("salut %s, %s, %u alternated pairs of %.2f s, medians (lowest-highest)\n",
           salut_version(), BUILT, options->pairs, (double)options->sample_ns / 1e9);
    printf("%s; one-processor lines on processor %d; kernel congestion control: %s\n\n", machine,
           tally->cpus[0], cubic ? "cubic" : "the system's default");
    printf("%-13s %-6s  %-26s  %-26s  %7s  %s\n", "line", "unit", "salut", "kernel", "ratio",
           "target");
}

struct job {
    struct tally tally;
    bool cubic;
};

static int run_all(void *ctx)
{
    struct job *job = ctx;
    struct tally *tally = &job->tally;
    /* Whoever is root of a private network may choose there. */
    print_heading(tally, slt_bench_allow_cubic() || job->cubic);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        if (wanted(tally->options->only, cases[i].name)) {
            run_case(tally, &cases[i]);
        }
    }
    for (size_t i = 0; i < GATE_COUNT; i++) {
        if (wanted(tally->options->only, gates[i].name) &&
            (tally->options->sides & SLT_BENCH_SALUT) != 0) {
            run_gate(tally, &gates[i]);
        }
    }
    if (tally->missed > 0) {
        return 1;
    }
    return tally->missing > 0 ? 3 : 0;
}

/* ---- doors ---------------------------------------------------------------------------------- */

void slt_bench_options_init(struct slt_bench_options *options, bool quick)
{
    *options = (struct slt_bench_options){.quick = quick,
                                          .pairs = quick ? 3 : 7,
                                          .sample_ns = quick ? 250000000 : 1000000000,
                                          .sides = SLT_BENCH_BOTH};
}

static bool is_line(const char *name, size_t bytes)
{
    for (size_t i = 0; i < CASE_COUNT; i++) {
        if (strlen(cases[i].name) == bytes && strncmp(cases[i].name, name, bytes) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < GATE_COUNT; i++) {
        if (strlen(gates[i].name) == bytes && strncmp(gates[i].name, name, bytes) == 0) {
            return true;
        }
    }
    return false;
}

bool slt_bench_names_ok(const char *only, const char **unknown)
{
    const char *at = only;
    while (at) {
        size_t bytes = strcspn(at, ",");
        *unknown = at;
        if (!is_line(at, bytes)) {
            return false;
        }
        at = at[bytes] == ',' ? at + bytes + 1 : NULL;
    }
    return true;
}

void slt_bench_list(void)
{
    for (size_t i = 0; i < CASE_COUNT; i++) {
        printf("  %-13s %s\n", cases[i].name, cases[i].title);
    }
    for (size_t i = 0; i < GATE_COUNT; i++) {
        printf("  %-13s memory of %s\n", gates[i].name, gates[i].title);
    }
}

int slt_bench(const struct slt_bench_options *options)
{
    struct job job = {.tally = {.options = options}};
    struct slt_link_error error;
    int result = 1;
    job.tally.cpu_count = slt_bench_cpus(job.tally.cpus, 2);
    if (job.tally.cpu_count == 0) {
        fprintf(stderr, "salut bench: the processors of this process cannot be told\n");
        return 3;
    }
    job.cubic = slt_bench_allow_cubic(); /* before entering the private network */
    if (slt_netns_run(run_all, &job, &result, &error) != SLT_LINK_FINE) {
        fprintf(stderr, "salut bench: %s\n%s%s%s", error.sentence,
                error.remedy[0] ? "  what helps: " : "", error.remedy, error.remedy[0] ? "\n" : "");
        return 3;
    }
    return result > 255 ? 1 : result;
}
