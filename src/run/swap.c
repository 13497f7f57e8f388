/* Another socket in the place of one the program has.
 *
 * The program's number stays, and so does what its epoll sets know of it: an epoll set watches a
 * pair of open file and number, so the new file is put into each set that watched the old one,
 * under the same number and with the same data, through a duplicate of the set. For that moment the
 * new file has the program's number in our own table, too; whatever is there gives way and comes
 * back.
 *
 * Duplicates of the old descriptor, in this process or another, keep the old socket.
 */
#include "run/sockets.h"

#include "run/target_linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SETS_MAX    8
#define FDS_MAX     65536
#define FDINFO_SIZE 65536U

/* A set of the program that watches the socket. */
struct watching {
    int set; /* its number in the program */
    uint32_t events;
    uint64_t data;
};

struct search {
    pid_t tid;
    int their_fd;
    uint64_t inode;
    struct watching found[SETS_MAX];
    int count;
};

/* One line of the set's fdinfo: "tfd: 5 events: 19 data: 5 pos:0 ino:1a2b sdev:8". */
static void read_line(struct search *s, int set, const char *line)
{
    int tfd;
    unsigned events;
    uint64_t data;
    uint64_t inode;
    if (sscanf(line, " tfd: %d events: %x data: %" SCNx64 " pos:%*d ino:%" SCNx64, &tfd, &events,
               &data, &inode) == 4 &&
        tfd == s->their_fd && inode == s->inode && s->count < SETS_MAX) {
        s->found[s->count++] =
            (struct watching){.set = set, .events = (uint32_t)events, .data = data};
    }
}

static void read_set(struct search *s, int set)
{
    char path[64];
    char line[256];
    (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)s->tid, set);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "tfd:", 4) == 0) {
            read_line(s, set, line);
        }
    }
    (void)fclose(file);
}

static void find_sets(struct search *s)
{
    char path[64];
    char target[64];
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)s->tid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return;
    }
    const struct dirent *entry;
    for (int i = 0; i < FDS_MAX && (entry = readdir(dir)) != NULL; i++) {
        ssize_t got = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        target[got > 0 ? got : 0] = '\0';
        if (strcmp(target, "anon_inode:[eventpoll]") == 0) {
            read_set(s, (int)strtol(entry->d_name, NULL, 10));
        }
    }
    (void)closedir(dir);
}

/* epoll_ctl goes by the caller's number, and that is to be the program's. */
static void watch_as(int epoll_fd, const struct watching *w, int fd, int their_fd)
{
    struct epoll_event event = {.events = w->events, .data.u64 = w->data};
    int saved = fcntl(their_fd, F_DUPFD_CLOEXEC, 0);
    if (saved < 0 && errno != EBADF) {
        return;
    }
    if (dup3(fd, their_fd, O_CLOEXEC) == their_fd) {
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, their_fd, &event);
        if (saved < 0) {
            (void)close(their_fd);
        }
    }
    if (saved >= 0) {
        (void)dup3(saved, their_fd, O_CLOEXEC);
        (void)close(saved);
    }
}

static void move_sets(const struct search *s, int fd)
{
    for (int i = 0; i < s->count; i++) {
        int set = slt_target_take_fd(s->tid, s->found[i].set);
        if (set >= 0) {
            watch_as(set, &s->found[i], fd, s->their_fd);
            (void)close(set);
        }
    }
}

int slt_run_descriptor_flags(const struct slt_call *call)
{
    char path[64];
    char text[256];
    (void)snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)call->tid, (int)call->args[0]);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0) {
        (void)close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
    const char *flags = strstr(text, "flags:");
    return flags == NULL ? 0 : (int)strtol(flags + 6, NULL, 8);
}

int slt_run_swap(struct slt_run_sock *sock, const struct slt_call *call, int fd, int flags)
{
    struct search s = {.tid = call->tid, .their_fd = (int)call->args[0], .inode = sock->inode};
    find_sets(&s);
    int result = slt_notify_replace(sock->sup->notify_fd, call, fd, s.their_fd, flags & O_CLOEXEC);
    if (result >= 0) {
        move_sets(&s, fd);
    }
    return result < 0 ? result : 0;
}
