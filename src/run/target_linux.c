/* Looking into the program; target_linux.h tells how far it may be trusted.
 *
 * How it works. Memory is copied by process_vm_readv(2) and process_vm_writev(2), one system call
 * for each piece. A socket is told by the number that its link in /proc/TID/fd says, which is the
 * inode number of the socket; reading that link asks no file system anything, where stat(2) of a
 * hostile descriptor might wait for a server of the program's own (FUSE). A duplicate is taken by
 * pidfd_getfd(2).
 *
 * Everything is asked of the thread, not of its process: threads may have tables of descriptors of
 * their own. Only pidfd_open(2) before Linux 6.9 knows processes alone; then the duplicate that
 * came from the process is compared with what the thread has.
 *
 * A program can make the copying of its memory wait (userfaultfd(2), memory mapped from FUSE). It
 * then stops its own supervisor, which is nobody else's.
 */
#define _GNU_SOURCE 1
#include "run/target_linux.h"

#include "base/compiler.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL /* Linux 6.9 */
#endif

#define PATH_SIZE 64U

/* Bounds of the walks, so that a program with very many descriptors cannot hold us up. */
#define SOLE_DESCRIPTORS_MAX 4096U
#define FIND_PROCESSES_MAX   32768U
#define FIND_DESCRIPTORS_MAX 65536U

/* ---- memory ------------------------------------------------------------------------------- */

/* What process_vm_readv and process_vm_writev said, as all or nothing. */
static int whole(ssize_t moved, size_t bytes)
{
    if (moved < 0) {
        return errno == ENOMEM ? -EFAULT : -errno;
    }
    return (size_t)moved == bytes ? 0 : -EFAULT;
}

int slt_target_read(pid_t tid, uint64_t their_address, void *data, size_t bytes)
{
    struct iovec ours = {.iov_base = data, .iov_len = bytes};
    struct iovec theirs = {.iov_base = (void *)(uintptr_t)their_address, .iov_len = bytes};
    return bytes == 0 ? 0 : whole(process_vm_readv(tid, &ours, 1, &theirs, 1, 0), bytes);
}

int slt_target_write(pid_t tid, uint64_t their_address, const void *data, size_t bytes)
{
    union {
        const void *in;
        void *base; /* struct iovec knows no const; nothing is written through it */
    } source = {.in = data};
    struct iovec ours = {.iov_base = source.base, .iov_len = bytes};
    struct iovec theirs = {.iov_base = (void *)(uintptr_t)their_address, .iov_len = bytes};
    return bytes == 0 ? 0 : whole(process_vm_writev(tid, &ours, 1, &theirs, 1, 0), bytes);
}

/* ---- descriptors -------------------------------------------------------------------------- */

/* The number in "socket:[123]"; 0 for anything else. */
static uint64_t socket_number(const char *link)
{
    static const char prefix[] = "socket:[";
    if (strncmp(link, prefix, sizeof(prefix) - 1) != 0) {
        return 0;
    }
    char *end = NULL;
    unsigned long long number = strtoull(link + sizeof(prefix) - 1, &end, 10);
    return *end == ']' ? number : 0;
}

/* Read a link of a folder of /proc (AT_FDCWD: `name` is a whole path). Cut short when it is long:
 * those that matter here are short. */
static int read_link(int folder, const char *name, char *out, size_t size)
{
    ssize_t length = readlinkat(folder, name, out, size - 1);
    if (length < 0) {
        return -errno;
    }
    out[length] = '\0';
    return 0;
}

static int64_t inode_by_link(pid_t tid, int their_fd)
{
    char path[PATH_SIZE];
    char link[PATH_SIZE];
    if (their_fd < 0) {
        return -EBADF;
    }
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)tid, their_fd);
    int result = read_link(AT_FDCWD, path, link, sizeof(link));
    if (result == 0) {
        return (int64_t)socket_number(link);
    }
    if (result == -EACCES || result == -EPERM) {
        return -EPERM;
    }
    /* The thread or the descriptor has gone: its folder tells which. */
    snprintf(path, sizeof(path), "/proc/%d", (int)tid);
    return access(path, F_OK) == 0 ? -EBADF : -ESRCH;
}

static int open_pid(pid_t id, unsigned flags)
{
    long fd = syscall(SYS_pidfd_open, id, flags);
    return fd < 0 ? -errno : (int)fd;
}

static int take_by(int pidfd, int their_fd)
{
    long fd = syscall(SYS_pidfd_getfd, pidfd, their_fd, 0);
    int result = fd < 0 ? -errno : (int)fd;
    close(pidfd);
    return result;
}

/* By way of the process, for kernels whose pidfd_open knows no threads. */
static int take_from_process(pid_t tid, int their_fd)
{
    pid_t pid = slt_target_pid(tid);
    int pidfd = pid > 0 ? open_pid(pid, 0) : -ESRCH;
    int fd = pidfd < 0 ? pidfd : take_by(pidfd, their_fd);
    if (fd < 0) {
        return fd;
    }
    int64_t inode = inode_by_link(tid, their_fd);
    if (inode < 0 || inode_by_link(getpid(), fd) != inode) {
        close(fd);
        return inode < 0 ? (int)inode : -EPERM;
    }
    return fd;
}

int slt_target_take_fd(pid_t tid, int their_fd)
{
    if (their_fd < 0) {
        return -EBADF;
    }
    int pidfd = open_pid(tid, PIDFD_THREAD);
    if (pidfd == -EINVAL) {
        return take_from_process(tid, their_fd);
    }
    return pidfd < 0 ? pidfd : take_by(pidfd, their_fd);
}

/* The folder of another user's descriptors is closed to us (CAP_DAC_READ_SEARCH is among what was
 * dropped), but its descriptors can be taken with CAP_SYS_PTRACE: for as long as a look takes. */
static int64_t inode_by_taking(pid_t tid, int their_fd)
{
    struct stat facts;
    int fd = slt_target_take_fd(tid, their_fd);
    if (fd < 0) {
        return fd;
    }
    bool known = fstat(fd, &facts) == 0;
    close(fd);
    return known && S_ISSOCK(facts.st_mode) ? (int64_t)facts.st_ino : 0;
}

int64_t slt_target_socket_inode(pid_t tid, int their_fd)
{
    int64_t inode = inode_by_link(tid, their_fd);
    return inode == -EPERM ? inode_by_taking(tid, their_fd) : inode;
}

/* ---- names -------------------------------------------------------------------------------- */

/* A small file of /proc as text. Its length, or -1. */
static ssize_t read_small(int folder, const char *name, char *out, size_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    ssize_t length = read(fd, out, size - 1);
    close(fd);
    out[length < 0 ? 0 : length] = '\0';
    return length;
}

pid_t slt_target_pid(pid_t tid)
{
    char path[PATH_SIZE];
    char text[512];
    snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
    if (read_small(AT_FDCWD, path, text, sizeof(text)) <= 0) {
        return -ESRCH;
    }
    /* The program chooses the first line, its name; line ends in it are escaped by the kernel. */
    const char *line = strstr(text, "\nTgid:");
    return line ? (pid_t)strtol(line + strlen("\nTgid:"), NULL, 10) : -ESRCH;
}

void slt_target_name(pid_t tid, char *out, size_t size)
{
    char path[PATH_SIZE];
    SLT_ASSERT(size > 0);
    pid_t pid = slt_target_pid(tid);
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)(pid > 0 ? pid : tid));
    ssize_t length = read_small(AT_FDCWD, path, out, size);
    if (length <= 0) {
        snprintf(out, size, "?");
        return;
    }
    /* The program chose it, and it goes to somebody's terminal. */
    for (char *at = out; *at != '\0'; at++) {
        if (*at == '\n') {
            *at = '\0';
            return;
        }
        if (!isprint((unsigned char)*at)) {
            *at = '?';
        }
    }
}

/* ---- who else has it ---------------------------------------------------------------------- */

/* A walk through a folder of /proc whose entries are numbers. */
struct walk {
    DIR *folder;
    int fd;
    unsigned left; /* entries that may still be looked at */
};

static bool walk_begin(struct walk *walk, const char *path, unsigned entries_max)
{
    walk->folder = opendir(path);
    walk->fd = walk->folder ? dirfd(walk->folder) : -1;
    walk->left = entries_max;
    return walk->folder != NULL;
}

/* The next numbered entry's name; NULL at the end, and when there are too many (left is 0). */
static const char *walk_next(struct walk *walk)
{
    for (struct dirent *entry = readdir(walk->folder); entry; entry = readdir(walk->folder)) {
        if (isdigit((unsigned char)entry->d_name[0])) {
            if (walk->left == 0) {
                return NULL;
            }
            walk->left--;
            return entry->d_name;
        }
    }
    return NULL;
}

static void walk_end(struct walk *walk)
{
    closedir(walk->folder);
}

/* True when the epoll set's description in fdinfo, open as `file`, names the inode. */
static bool lists_inode(FILE *file, uint64_t inode)
{
    char line[256];
    while (fgets(line, (int)sizeof(line), file)) {
        const char *at = strncmp(line, "tfd:", 4) == 0 ? strstr(line, " ino:") : NULL;
        /* In hexadecimal, unlike the link. Numbers of other file systems may be the same; then the
         * answer errs on the safe side. */
        if (at && strtoull(at + strlen(" ino:"), NULL, 16) == inode) {
            return true;
        }
    }
    return false;
}

static bool epoll_watches(pid_t tid, const char *name, uint64_t inode)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.16s", (int)tid, name);
    FILE *file = fopen(path, "re");
    if (!file) {
        return true;
    }
    bool watches = lists_inode(file, inode);
    fclose(file);
    return watches;
}

bool slt_target_is_sole(pid_t tid, int their_fd, uint64_t inode)
{
    char path[PATH_SIZE];
    struct walk walk;
    unsigned seen = 0;
    bool other = false;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)tid);
    if (!walk_begin(&walk, path, SOLE_DESCRIPTORS_MAX)) {
        return false;
    }
    for (const char *name = walk_next(&walk); name && !other; name = walk_next(&walk)) {
        char link[PATH_SIZE];
        if (read_link(walk.fd, name, link, sizeof(link)) < 0) {
            continue;
        }
        if (socket_number(link) == inode) {
            seen++;
            other = strtol(name, NULL, 10) != their_fd;
        } else if (strcmp(link, "anon_inode:[eventpoll]") == 0) {
            other = epoll_watches(tid, name, inode);
        }
    }
    bool complete = walk.left > 0;
    walk_end(&walk);
    return complete && seen == 1 && !other;
}

/* ---- who has it at all -------------------------------------------------------------------- */

struct process {
    pid_t pid;
    pid_t parent;
    bool below; /* the root, a descendant of it, or an orphan that came to us */
};

static pid_t parent_of(int proc, const char *name)
{
    char path[PATH_SIZE];
    char text[512];
    snprintf(path, sizeof(path), "%.16s/stat", name);
    if (read_small(proc, path, text, sizeof(text)) <= 0) {
        return 0;
    }
    /* "pid (name) state parent": the name may hold anything, but ends at the last parenthesis. */
    const char *at = strrchr(text, ')');
    return at && strlen(at) > 4 ? (pid_t)strtol(at + 4, NULL, 10) : 0;
}

static int by_pid(const void *a, const void *b)
{
    pid_t left = ((const struct process *)a)->pid;
    pid_t right = ((const struct process *)b)->pid;
    return (left > right) - (left < right);
}

/* All processes and their parents, by number. The caller frees the table. */
static struct process *list_processes(size_t *count)
{
    struct walk walk;
    *count = 0;
    struct process *table = malloc(FIND_PROCESSES_MAX * sizeof(*table));
    if (!table || !walk_begin(&walk, "/proc", FIND_PROCESSES_MAX)) {
        return table;
    }
    for (const char *name = walk_next(&walk); name; name = walk_next(&walk)) {
        table[*count] = (struct process){.pid = (pid_t)strtol(name, NULL, 10),
                                         .parent = parent_of(walk.fd, name)};
        *count += 1;
    }
    walk_end(&walk);
    qsort(table, *count, sizeof(*table), by_pid);
    return table;
}

static bool is_below(const struct process *table, size_t count, pid_t pid)
{
    struct process key = {.pid = pid};
    const struct process *found = bsearch(&key, table, count, sizeof(key), by_pid);
    return found && found->below;
}

/* Children mostly have greater numbers than their parents: one or two rounds. */
static void mark_below(struct process *table, size_t count, pid_t root)
{
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < count; i++) {
            struct process *process = &table[i];
            if (process->below || process->pid == getpid()) {
                continue;
            }
            process->below = process->pid == root || process->parent == getpid() ||
                             is_below(table, count, process->parent);
            changed = changed || process->below;
        }
    }
}

static int find_in(pid_t pid, uint64_t inode)
{
    char path[PATH_SIZE];
    struct walk walk;
    int found = -1;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    if (!walk_begin(&walk, path, FIND_DESCRIPTORS_MAX)) {
        return -1;
    }
    for (const char *name = walk_next(&walk); name && found < 0; name = walk_next(&walk)) {
        char link[PATH_SIZE];
        if (read_link(walk.fd, name, link, sizeof(link)) == 0 && socket_number(link) == inode) {
            found = (int)strtol(name, NULL, 10);
        }
    }
    walk_end(&walk);
    return found;
}

bool slt_target_find(pid_t root, uint64_t inode, pid_t *pid, int *fd)
{
    size_t count = 0;
    bool found = false;
    struct process *table = list_processes(&count);
    if (!table) {
        return false;
    }
    mark_below(table, count, root);
    for (size_t i = 0; i < count && !found; i++) {
        int number = table[i].below ? find_in(table[i].pid, inode) : -1;
        if (number >= 0) {
            *pid = table[i].pid;
            *fd = number;
            found = true;
        }
    }
    free(table);
    return found;
}
