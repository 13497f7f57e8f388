/* System calls of scripts, made against the host's sockets.
 *
 * A call is tried at its time. When it would block, and the script gives it an end time, it stays
 * pending and is tried again after everything that happens, which is what a blocked thread would
 * see; else -EAGAIN is its answer as for any non-blocking call.
 */
#ifndef SLT_LAB_SCRIPT_CALL_H
#define SLT_LAB_SCRIPT_CALL_H

#include "lab/script_flow.h"

#define SLT_CALL_FDS_MAX 256

/* What calls share over a script. */
struct slt_call_world {
    struct slt_host *host;
    struct slt_script_flows *flows;
    const struct slt_script_options *options;
    int fds[SLT_CALL_FDS_MAX]; /* the script's descriptor to the host's; -1: none */
    int fd_under_test;         /* the host's, of the last connection made; -1: none */
    uint8_t *scratch;          /* what is written and read */
    size_t scratch_bytes;
};

enum slt_call_result { SLT_CALL_GOOD, SLT_CALL_BAD, SLT_CALL_BLOCKED };

struct slt_call {
    struct slt_call_world *world;
    const struct slt_script_call *call;
    bool may_block;   /* it has an end time */
    bool would_block; /* the last try would have blocked */
    bool returns_fd;
    int64_t result;     /* what it returned: >= 0, or a negative errno value */
    int64_t done_bytes; /* of a blocked write */
    int64_t give_up_ns; /* poll and epoll_wait: when they return empty-handed */
    char complaint[SLT_COMPLAINT_MAX];
};

void slt_call_world_init(struct slt_call_world *world, struct slt_host *host,
                         struct slt_script_flows *flows);
void slt_call_world_free(struct slt_call_world *world);

/* script_call_run.c: begin a call, and try it; try it again. BAD: the complaint says what was
 * expected. */
enum slt_call_result slt_call_begin(struct slt_call *run, struct slt_call_world *world,
                                    const struct slt_script_call *call);
enum slt_call_result slt_call_retry(struct slt_call *run);

/* ---- for the files of calls ---------------------------------------------------------------- */

/* Complain about a call. Always false. */
SLT_PRINTF(2, 3) bool slt_call_fail(struct slt_call *run, const char *format, ...);

/* Argument number `index`, from 0; NULL when there are fewer. */
const struct slt_expr *slt_call_arg(const struct slt_call *run, uint32_t index);

/* The value of an expression: numbers, words, alternatives, a list of one, htons(). */
bool slt_call_number(struct slt_call *run, const struct slt_expr *expr, int64_t *number);
bool slt_call_int(struct slt_call *run, uint32_t index, int *number);

/* The host's descriptor for the script's; -1 for one that is not open. */
bool slt_call_fd(struct slt_call *run, uint32_t index, int *fd);
int slt_call_fd_of(const struct slt_call_world *world, int64_t script_fd);

/* A member of a structure by name, or by its place among the unnamed. */
const struct slt_expr *slt_expr_member(const struct slt_expr *expr, const char *name,
                                       uint32_t place);

/* Memory of at least so many bytes, all zero; NULL (with a complaint) when there is none. */
uint8_t *slt_call_scratch(struct slt_call *run, size_t bytes);

/* One call of the script language. */
struct slt_call_row {
    const char *name;
    uint8_t arg_min;
    uint8_t arg_max;
    bool returns_fd;
    bool (*run)(struct slt_call *run); /* false: a complaint was made */
};

/* script_call_data.c, script_call_opt.c, script_call_poll.c */
const struct slt_call_row *slt_call_data_row(const char *name);
const struct slt_call_row *slt_call_opt_row(const char *name);
const struct slt_call_row *slt_call_poll_row(const char *name);

#endif
