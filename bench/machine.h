/* The machine a sample runs on: clock, processors, memory, and who it is. */
#ifndef SLT_BENCH_MACHINE_H
#define SLT_BENCH_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC. */
int64_t slt_bench_now_ns(void);

/* The last `max` processors this process may run on, highest first (interrupts tend to go to the
 * lowest). Returns how many there are. */
unsigned slt_bench_cpus(int *cpus, unsigned max);

/* Run this process on one processor alone. */
bool slt_bench_pin(int cpu);

/* Bytes of memory resident in this process, and available on the machine; 0: unknown. */
uint64_t slt_bench_resident_bytes(void);
uint64_t slt_bench_available_bytes(void);

/* "Linux 6.1.0, 2 processors: Some Model" */
void slt_bench_machine_print(char *out, size_t size);

/* Let every program choose the cubic congestion control, where this process may allow it. Returns
 * false when connections will have to do with the system's default. */
bool slt_bench_allow_cubic(void);

/* Switch a network interface's checksum and segmentation offloads, sending and receiving, off. */
bool slt_bench_offloads_off(const char *interface);

#endif
