/* The server's side of a control socket: a process that runs a stack lets its owner look into it.
 *
 * It lives on the stack's runner and never blocks it: a turn of the runner sends each reader at
 * most one message (some forty records), and a reader that does not take what it asked for, or asks
 * for nothing, is cut off. Only this user and root are answered. A process that is killed leaves
 * its socket behind; whoever looks next removes it.
 */
#ifndef SLT_OBSERVE_CONTROL_LINUX_H
#define SLT_OBSERVE_CONTROL_LINUX_H

#include "observe/control.h"
#include "salut/runner.h"

struct slt_control;

/* Offer a stack at a socket of its own. `program` is whose connections they are (NULL: this
 * process). Returns 0 or a negative errno value. */
int slt_control_open(struct salut_runner *runner, const struct salut_stack *stack,
                     const char *program, struct slt_control **control);

/* Remove the socket and let go of all readers; before the runner or the stack goes. NULL is
 * allowed. */
void slt_control_close(struct slt_control *control);

#endif
