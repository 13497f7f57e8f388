/* A host on several threads: one shard each (salut/shard.h), on the queues of one TAP or TUN
 * device.
 */
#ifndef SLT_CLI_THREADS_H
#define SLT_CLI_THREADS_H

#include "cli/host.h"

struct slt_threads {
    const struct slt_cli_verb *verb;
    const struct slt_host_words *words;
    uint32_t count;
    /* In each thread, before its first turn: open what is to be open. An exit code. */
    int (*start)(void *ctx, const struct slt_host *host, uint32_t index);
    /* Once, when all have started. */
    void (*ready)(void *ctx, const char *interface);
    /* In each thread, after its last turn: close it again; what is left to say is then said. */
    void (*stop)(void *ctx, uint32_t index);
    void (*on_event)(void *user, struct salut_stack *stack, const struct salut_event *event);
    void *ctx;
};

/* Run until a signal ends it. Returns an exit code, having said what is wrong. */
int slt_threads_run(const struct slt_threads *threads);

#endif
