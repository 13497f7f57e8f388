/* The simulator as a program: many seeds, or one seed with its trace.
 *
 *   sim --seeds 1..10000 [--jobs 2] [--twice N]     run them all, print what happened how often
 *   sim --seed 4711 [--trace [--from TURN]]         run one
 *   sim --connections 10000 [--jobs 2]              as many seeds as it takes for that many
 *                                                   transfers of random size over random paths
 *   sim --paths --seed 4711 [--trace]               one of those
 *
 * Every N-th seed (--twice, 50 unless told) is run a second time and must give the same hash
 * (I-54). --need-all fails when a fault, state or reason that can occur did not. Exit 1 when an
 * invariant was violated, 2 when the command line makes no sense.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "lab/sim.h"
#include "salut/salut.h"

struct order {
    uint64_t first, last;
    unsigned jobs;
    uint64_t twice;
    uint64_t connections; /* 0: count seeds */
    bool trace, need_all, quiet, paths;
    uint64_t from;
};

struct outcome {
    struct slt_sim_tally tally;
    struct slt_sim_result result;
    uint64_t seed;
};

_Noreturn void salut_fault(const char *file, int line, const char *what)
{
    if (!slt_sim_caught(file, line, what)) {
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
    }
    abort();
}

static void run_share(const struct order *order, unsigned share, struct outcome *out)
{
    memset(out, 0, sizeof(*out));
    for (uint64_t seed = order->first + share; seed <= order->last; seed += order->jobs) {
        struct slt_sim_options options = {.seed = seed,
                                          .paths = order->paths,
                                          .trace = order->trace ? stdout : NULL,
                                          .trace_from = order->from};
        if (order->connections > 0 && out->tally.transfers * order->jobs >= order->connections) {
            return;
        }
        out->seed = seed;
        slt_sim_run(&options, &out->result, &out->tally);
        if (out->result.failed) {
            return;
        }
        if (order->twice > 0 && seed % order->twice == 0) {
            struct slt_sim_tally again = {0};
            struct slt_sim_result second;
            slt_sim_run(&options, &second, &again);
            out->tally.checked[54]++;
            if (second.hash != out->result.hash) {
                out->result.failed = true;
                snprintf(out->result.sentence, sizeof(out->result.sentence),
                         "I-54: the same seed gave another run");
                return;
            }
        }
    }
}

static void add(struct slt_sim_tally *to, const struct slt_sim_tally *from)
{
    uint64_t *a = (uint64_t *)to;
    const uint64_t *b = (const uint64_t *)from;
    uint64_t work_max = to->work_max > from->work_max ? to->work_max : from->work_max;
    for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++) {
        a[i] += b[i];
    }
    to->work_max = work_max;
}

static unsigned zero_count;

static void print_count(const char *name, uint64_t count, const char *excuse)
{
    printf("  %-28s %12llu%s%s\n", name, (unsigned long long)count,
           count == 0 ? excuse ? "  cannot: " : "  NEVER" : "", count == 0 && excuse ? excuse : "");
    zero_count += count == 0 && !excuse;
}

static void print_tally(const struct slt_sim_tally *t)
{
    printf("runs %llu, turns %llu, packets %llu, bytes delivered %llu, ends %llu, steps of the "
           "longest turn %llu\n",
           (unsigned long long)t->runs, (unsigned long long)t->turns,
           (unsigned long long)t->packets, (unsigned long long)t->bytes,
           (unsigned long long)t->conns, (unsigned long long)t->work_max);
    if (t->transfers > 0) {
        printf("transfers %llu: %llu carried every byte both ways, %llu ended with an error told, "
               "%llu neither\n",
               (unsigned long long)t->transfers, (unsigned long long)t->whole,
               (unsigned long long)t->told,
               (unsigned long long)(t->transfers - t->whole - t->told));
    }
    printf("faults:\n");
    for (int i = 0; i < SLT_SIM_FAULT_COUNT; i++) {
        print_count(slt_sim_fault_name((enum slt_sim_fault)i), t->fault[i], NULL);
    }
    printf("states entered:\n");
    for (int i = 0; i < SALUT_STATE_COUNT; i++) {
        print_count(salut_state_name((enum salut_state)i), t->state[i], NULL);
    }
    printf("answers of calls other than success:\n");
    for (int i = 1; i < SALUT_STATUS_COUNT; i++) {
        if (t->status[i]) {
            printf("  %-28s %12llu\n", salut_status_text((enum salut_status)i),
                   (unsigned long long)t->status[i]);
        }
    }
    printf("reasons:\n");
    for (int i = 1; i < SLT_REASON_COUNT; i++) {
        print_count(slt_reason_token((enum slt_reason)i), t->reason[i],
                    slt_sim_unreachable((enum slt_reason)i));
    }
    printf("invariants looked at:\n");
    for (int i = 1; i < SLT_SIM_INVARIANTS; i++) {
        if (t->checked[i]) {
            printf("  I-%02d %12llu%s", i, (unsigned long long)t->checked[i],
                   i % 4 == 0 ? "\n" : "");
        }
    }
    printf("\n");
}

static bool report(const struct order *order, const struct outcome *out)
{
    if (!out->result.failed) {
        return true;
    }
    printf("seed %llu, turn %llu, %.6f s: %s\n", (unsigned long long)out->seed,
           (unsigned long long)out->result.turn, (double)out->result.at_ns / 1e9,
           out->result.sentence);
    if (!order->trace) {
        struct slt_sim_tally again = {0};
        struct slt_sim_result second;
        struct slt_sim_options options = {.seed = out->seed,
                                          .paths = order->paths,
                                          .trace = stdout,
                                          .trace_from =
                                              out->result.turn > 8 ? out->result.turn - 8 : 0};
        if (!order->quiet) {
            slt_sim_run(&options, &second, &again);
        }
        printf("again, with everything: sim %s--seed %llu --trace\n",
               order->paths ? "--paths " : "", (unsigned long long)out->seed);
    }
    return false;
}

static bool read_all(int fd, void *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t got = read(fd, (char *)data + at, bytes - at);
        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static void write_all(int fd, const void *data, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t put = write(fd, (const char *)data + at, bytes - at);
        if (put <= 0) {
            return;
        }
        at += (size_t)put;
    }
}

/* Shares run in processes of their own; the first failing seed of the lowest number is shown. */
static bool run_jobs(const struct order *order, struct slt_sim_tally *total)
{
    static struct outcome out;
    int fds[16][2];
    bool fine = true;
    for (unsigned i = 0; i < order->jobs; i++) {
        if (pipe(fds[i]) != 0) {
            return false;
        }
        fflush(stdout);
        if (fork() == 0) {
            run_share(order, i, &out);
            write_all(fds[i][1], &out, sizeof(out));
            _exit(0);
        }
        close(fds[i][1]);
    }
    for (unsigned i = 0; i < order->jobs; i++) {
        if (!read_all(fds[i][0], &out, sizeof(out))) {
            printf("a share of the seeds died\n");
            fine = false;
            continue;
        }
        add(total, &out.tally);
        fine = report(order, &out) && fine;
    }
    while (wait(NULL) > 0) {
    }
    return fine;
}

static bool parse(int argc, char **argv, struct order *order)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            order->trace = true;
        } else if (strcmp(argv[i], "--need-all") == 0) {
            order->need_all = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            order->quiet = true;
        } else if (strcmp(argv[i], "--paths") == 0) {
            order->paths = true;
        } else if (!value) {
            return false;
        } else if (strcmp(argv[i], "--connections") == 0) {
            order->connections = strtoull(value, NULL, 10);
            order->paths = true;
            order->first = 1;
            order->last = UINT64_MAX / 2;
            i++;
        } else if (strcmp(argv[i], "--seeds") == 0) {
            char *end;
            order->first = strtoull(value, &end, 10);
            order->last = strncmp(end, "..", 2) == 0 ? strtoull(end + 2, NULL, 10) : order->first;
            i++;
        } else if (strcmp(argv[i], "--seed") == 0) {
            order->first = order->last = strtoull(value, NULL, 10);
            order->twice = 1;
            i++;
        } else if (strcmp(argv[i], "--jobs") == 0) {
            order->jobs = (unsigned)strtoul(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--twice") == 0) {
            order->twice = strtoull(value, NULL, 10);
            i++;
        } else if (strcmp(argv[i], "--from") == 0) {
            order->from = strtoull(value, NULL, 10);
            i++;
        } else {
            return false;
        }
    }
    return order->jobs >= 1 && order->jobs <= 16 && order->first <= order->last;
}

int main(int argc, char **argv)
{
    static struct slt_sim_tally total;
    static struct outcome out;
    struct order order = {.first = 1, .last = 200, .jobs = 1, .twice = 50};
    if (!parse(argc, argv, &order)) {
        fprintf(stderr, "usage: sim [--seeds A..B | --seed N | --connections N] [--paths] [--jobs "
                        "N] [--twice N] [--trace] "
                        "[--from TURN] [--need-all] [--quiet]\n");
        return 2;
    }
    if (order.trace) {
        order.twice = 0;
    }
    bool fine;
    if (order.jobs > 1) {
        fine = run_jobs(&order, &total);
    } else {
        run_share(&order, 0, &out);
        add(&total, &out.tally);
        fine = report(&order, &out);
    }
    if (fine && !order.trace && !order.quiet) {
        print_tally(&total);
    }
    if (total.transfers != total.whole + total.told) {
        printf("a transfer neither carried every byte nor was told why\n");
        return 1;
    }
    if (fine && order.need_all && zero_count > 0) {
        printf("%u things that can occur did not\n", zero_count);
        return 1;
    }
    return fine ? 0 : 1;
}
