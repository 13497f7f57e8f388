/* Looking into the program: the memory, descriptors and names of the thread that waits in a call.
 *
 * All of it is done by thread id, and a thread id may be given to another between two steps: the
 * caller asks slt_notify_is_waiting after the last step and before acting on what was learnt.
 * Programs that changed their user are not dumpable; to look into those takes CAP_SYS_PTRACE
 * (ptrace(2)), and without it every function here answers -EPERM.
 */
#ifndef SLT_RUN_TARGET_LINUX_H
#define SLT_RUN_TARGET_LINUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Copy memory of the program. All or nothing: 0, or -EFAULT, -EPERM, -ESRCH. */
int slt_target_read(pid_t tid, uint64_t their_address, void *data, size_t bytes);
int slt_target_write(pid_t tid, uint64_t their_address, const void *data, size_t bytes);

/* The inode of the socket behind a descriptor of the program, without taking it. 0: it is open and
 * no socket; negative: -EBADF, -EPERM, -ESRCH. */
int64_t slt_target_socket_inode(pid_t tid, int their_fd);

/* A duplicate of a descriptor of the program (close-on-exec); negative: an errno value. It shares
 * the open file: keep it no longer than the step needs, for while it lives the program's own close
 * is no close. */
int slt_target_take_fd(pid_t tid, int their_fd);

/* The process of a thread, and what it is called ("nginx"), for people. */
pid_t slt_target_pid(pid_t tid);
void slt_target_name(pid_t tid, char *out, size_t size);

/* True when the socket is behind that one descriptor of its process and none of the process's
 * epoll sets watches it: only then may it be replaced by another. */
bool slt_target_is_sole(pid_t tid, int their_fd, uint64_t inode);

/* Find any process below `root` that has the socket open. Costs a walk over /proc: for the rare
 * cases in which the descriptor last seen has gone. True: *pid and *fd say where. */
bool slt_target_find(pid_t root, uint64_t inode, pid_t *pid, int *fd);

#endif
