/* What one sample is given and gives back, and the lines of the table. */
#ifndef SLT_BENCH_MEASURE_H
#define SLT_BENCH_MEASURE_H

#include "base/compiler.h"
#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

/* One sample. It runs in a child process that is pinned to cpu[0]; a sample on two processors
 * starts its other half on cpu[1] itself. */
struct slt_bench_run {
    int64_t for_ns; /* given: how long */
    int cpu[2];     /* given: where */
    double amount;  /* result: units done (bytes, connections, exchanges; bytes per object) */
    int64_t took_ns;
    bool missing;  /* failed for something that this machine does not offer */
    char why[300]; /* why it failed; empty: it did not */
};

/* A line that compares. */
struct slt_bench_case {
    const char *name;
    const char *title;
    const char *unit;
    double per_unit; /* amount per second divided by this is printed */
    double target;   /* salut over kernel; 0: told for comparison only */
    unsigned cpus;
    bool (*salut)(struct slt_bench_run *run);
    bool (*kernel)(struct slt_bench_run *run);
};

/* A memory gate. */
struct slt_bench_gate {
    const char *name;
    const char *title;
    double limit_bytes;
    bool (*salut)(struct slt_bench_run *run);
};

/* Note why the sample failed (the first reason stays). Returns false. */
bool slt_bench_fail(struct slt_bench_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same for errno. */
bool slt_bench_fail_os(struct slt_bench_run *run, const char *what);

/* connect.c, bulk.c, tap.c, exchange.c, memory.c */
bool slt_bench_connect_salut(struct slt_bench_run *run);
bool slt_bench_connect_kernel(struct slt_bench_run *run);
bool slt_bench_bulk_offload_salut(struct slt_bench_run *run);
bool slt_bench_bulk_offload_kernel(struct slt_bench_run *run);
bool slt_bench_bulk_wire_salut(struct slt_bench_run *run);
bool slt_bench_bulk_wire_kernel(struct slt_bench_run *run);
bool slt_bench_tap_out_salut(struct slt_bench_run *run);
bool slt_bench_tap_in_salut(struct slt_bench_run *run);
bool slt_bench_tap_kernel(struct slt_bench_run *run);
bool slt_bench_exchange_one_salut(struct slt_bench_run *run);
bool slt_bench_exchange_one_kernel(struct slt_bench_run *run);
bool slt_bench_exchange_in_turn_kernel(struct slt_bench_run *run);
bool slt_bench_exchange_many_salut(struct slt_bench_run *run);
bool slt_bench_exchange_many_kernel(struct slt_bench_run *run);
bool slt_bench_memory_established(struct slt_bench_run *run);
bool slt_bench_memory_half_open(struct slt_bench_run *run);
bool slt_bench_memory_time_wait(struct slt_bench_run *run);

#endif
