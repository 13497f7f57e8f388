/* `salut bench`: this stack and the kernel side by side, one table.
 *
 * Each line of the table does the same work on both: the same bytes, the same number of
 * connections, the same processors. A line is measured in pairs, salut and kernel alternating, so
 * that what else the machine does falls on both; the table shows the medians, the lowest and the
 * highest, and the ratio of the medians against its target. The memory lines are gates: bytes per
 * object, without a kernel beside them.
 *
 * Every sample runs in a process of its own, inside a private network made for the purpose
 * (netns_linux.h): kernel traffic stays on the loopback and the virtual Ethernet pairs in there.
 * On both sides timestamps and TIME-WAIT are on, and the applications copy into and out of their
 * own buffers and verify a pattern that depends on the position.
 */
#ifndef SLT_BENCH_BENCH_H
#define SLT_BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

enum slt_bench_side { SLT_BENCH_SALUT = 1, SLT_BENCH_KERNEL = 2, SLT_BENCH_BOTH = 3 };

struct slt_bench_options {
    bool quick;        /* fail below half of a target only */
    unsigned pairs;    /* 1..SLT_BENCH_PAIRS_MAX */
    int64_t sample_ns; /* how long one sample runs */
    const char *only;  /* names of lines, separated by commas; NULL: all */
    int sides;         /* enum slt_bench_side */
};

#define SLT_BENCH_PAIRS_MAX 99U

/* The usual run (7 pairs of a second each), or the quick one (3 of a quarter). */
void slt_bench_options_init(struct slt_bench_options *options, bool quick);

/* True when every name in `only` is a line; else *unknown is the first that is none. */
bool slt_bench_names_ok(const char *only, const char **unknown);

/* Print the lines there are, one each. */
void slt_bench_list(void);

/* Measure and print. Returns 0: every target and gate is met; 1: one is missed or a sample failed;
 * 3: something this machine does not offer is missing, and was named. */
int slt_bench(const struct slt_bench_options *options);

#endif
