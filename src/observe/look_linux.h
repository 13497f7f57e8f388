/* One look at everything there is: the sources' records in one list, with owners, filtered and
 * sorted. Every verb that shows or judges connections begins with this.
 */
#ifndef SLT_OBSERVE_LOOK_LINUX_H
#define SLT_OBSERVE_LOOK_LINUX_H

#include "observe/filter.h"
#include "observe/kernel_diag_linux.h"
#include "observe/owner_linux.h"

struct slt_look_ask {
    const struct slt_filter *filter; /* NULL: everything */
    bool kernel;                     /* the host's sockets, of this network namespace */
    bool stacks;                     /* of the instances of salut that offer a control socket */
    bool owners;                     /* find the processes */
    enum slt_owner_means means;      /* how */
    enum slt_kernel_detail detail;   /* of the kernel's; 0: everything */
    bool findings;                   /* mark what each record is a part of (concern.h) */
    bool keep_left_out;              /* what the filter leaves out is wanted as well, apart */
    bool in_order;                   /* by slt_look_at alone: thirty megabytes need not be moved */
};

struct slt_look {
    struct slt_seen_list list;
    struct slt_seen_list left_out; /* by the filter; empty unless asked for */
    const struct slt_seen **order; /* of the list, when asked for so; else it is in order itself */
    int owners_error; /* why none were looked for, a negative errno value; 0: they were */
    uint32_t hidden;  /* records whose owner may not be seen */
    uint32_t stacks;  /* instances that told */
    uint32_t mute;    /* instances that did not, or not all */
    int32_t mute_pid; /* the last of these */
    int64_t at_ns;    /* CLOCK_MONOTONIC, when it was taken */
};

/* Take one. Returns 0 or a negative errno value of the source that failed; free it either way. */
int slt_look_take(const struct slt_look_ask *ask, struct slt_look *look);
void slt_look_free(struct slt_look *look);

/* The records in order: listeners, then by state in the order of a connection's life, the oldest
 * first. */
static inline const struct slt_seen *slt_look_at(const struct slt_look *look, size_t index)
{
    return look->order != NULL ? look->order[index] : &look->list.items[index];
}

#endif
