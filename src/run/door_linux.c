/* See door_linux.h. */
#define _GNU_SOURCE 1
#include "run/door_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PREFIX     "salut-run-"
#define BACKLOG    16
#define SPACES     3
#define VERSION    1U
#define PATIENCE_S 2
#define NOBODY     65534U /* how who is not mapped looks from inside a user namespace */

static const char *const space_files[SPACES] = {"/proc/self/ns/user", "/proc/self/ns/mnt",
                                                "/proc/self/ns/net"};

struct greeting {
    uint32_t version;
    uint32_t is_private; /* SPACES descriptors come with it */
};

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(SPACES * sizeof(int))];
};

static socklen_t make_address(pid_t pid, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    int length =
        snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, PREFIX "%ld", (long)pid);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
}

/* ---- inside --------------------------------------------------------------------------------- */

bool slt_door_open(struct slt_door *door)
{
    struct sockaddr_un address;
    socklen_t bytes = make_address(getpid(), &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    *door = (struct slt_door){.polled = {.fd = fd}};
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, bytes) == 0 &&
        listen(fd, BACKLOG) == 0) {
        return true;
    }
    slt_door_close(door);
    return false;
}

static bool open_spaces(int fds[SPACES])
{
    bool all = true;
    for (int i = 0; i < SPACES; i++) {
        fds[i] = open(space_files[i], O_RDONLY | O_CLOEXEC);
        all = all && fds[i] >= 0;
    }
    return all;
}

static void close_spaces(const int fds[SPACES])
{
    for (int i = 0; i < SPACES; i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
}

static void greet(int to, bool is_private)
{
    int fds[SPACES] = {-1, -1, -1};
    struct greeting greeting = {.version = VERSION};
    struct iovec piece = {.iov_base = &greeting, .iov_len = sizeof(greeting)};
    union control control;
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    memset(&control, 0, sizeof(control));
    if (is_private && open_spaces(fds)) {
        greeting.is_private = 1;
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(head), fds, sizeof(fds));
    }
    (void)sendmsg(to, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    close_spaces(fds);
}

static void on_knock(void *ctx, uint32_t events)
{
    struct slt_door *door = ctx;
    struct ucred who;
    socklen_t bytes = sizeof(who);
    (void)events;
    int fd = accept4(door->polled.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 &&
        (who.uid == geteuid() || who.uid == 0 || who.uid == NOBODY)) {
        greet(fd, door->is_private);
    }
    (void)close(fd);
}

bool slt_door_attach(struct slt_door *door, struct slt_poller *poller, bool is_private)
{
    door->poller = poller;
    door->is_private = is_private;
    door->polled.on_ready = on_knock;
    door->polled.ctx = door;
    return slt_poller_watch(poller, &door->polled, EPOLLIN);
}

void slt_door_close(struct slt_door *door)
{
    if (door->poller != NULL) {
        slt_poller_drop(door->poller, &door->polled);
    } else if (door->polled.fd >= 0) {
        (void)close(door->polled.fd);
        door->polled.fd = -1;
    }
}

/* ---- outside -------------------------------------------------------------------------------- */

size_t slt_door_list(pid_t *pids, size_t max)
{
    char line[512];
    size_t count = 0;
    FILE *file = fopen("/proc/net/unix", "re");
    while (file != NULL && count < max && fgets(line, sizeof(line), file) != NULL) {
        const char *name = strstr(line, "@" PREFIX);
        char *end = NULL;
        long pid = name == NULL ? 0 : strtol(name + sizeof(PREFIX), &end, 10);
        bool listens = strstr(line, " 00010000 ") != NULL; /* not a connection to it */
        if (pid > 0 && listens && (*end == '\n' || *end == '\0')) {
            pids[count] = (pid_t)pid;
            count++;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

static int connect_to(pid_t pid)
{
    struct sockaddr_un address;
    struct timeval patience = {.tv_sec = PATIENCE_S};
    socklen_t bytes = make_address(pid, &address);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    }
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, bytes) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Anybody may take such a name: what it offers is believed of ourselves and of root. */
static bool is_trusted(int fd, pid_t pid)
{
    struct ucred who;
    socklen_t bytes = sizeof(who);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) == 0 && who.pid == pid &&
           (who.uid == geteuid() || who.uid == 0 || geteuid() == 0);
}

static enum slt_door_answer hear(int fd, struct slt_door_spaces *spaces)
{
    struct greeting greeting;
    struct iovec piece = {.iov_base = &greeting, .iov_len = sizeof(greeting)};
    union control control;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(greeting) ||
        greeting.version != VERSION) {
        return SLT_DOOR_NONE;
    }
    const struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int fds[SPACES];
    if (greeting.is_private == 0 || head == NULL || head->cmsg_type != SCM_RIGHTS ||
        head->cmsg_len != CMSG_LEN(sizeof(fds))) {
        return SLT_DOOR_PLAIN;
    }
    memcpy(fds, CMSG_DATA(head), sizeof(fds));
    *spaces = (struct slt_door_spaces){.user = fds[0], .mount = fds[1], .net = fds[2]};
    return SLT_DOOR_OPEN;
}

enum slt_door_answer slt_door_knock(pid_t pid, struct slt_door_spaces *spaces)
{
    *spaces = (struct slt_door_spaces){-1, -1, -1};
    int fd = connect_to(pid);
    if (fd < 0) {
        return SLT_DOOR_NONE;
    }
    enum slt_door_answer answer = is_trusted(fd, pid) ? hear(fd, spaces) : SLT_DOOR_FOREIGN;
    (void)close(fd);
    return answer;
}

/* Entering the namespace one is in already is an error for users (setns(2)). */
static bool is_here(int fd, const char *file)
{
    struct stat there;
    struct stat here;
    return fstat(fd, &there) == 0 && stat(file, &here) == 0 && there.st_ino == here.st_ino &&
           there.st_dev == here.st_dev;
}

static int enter_one(int *fd, const char *file, int kind)
{
    int result = is_here(*fd, file) || setns(*fd, kind) == 0 ? 0 : -errno;
    (void)close(*fd);
    *fd = -1;
    return result;
}

/* An execve by who is not root inside would lose what entering gave; this much is kept. */
static void keep_network_capabilities(void)
{
    static const unsigned long kept[] = {CAP_NET_ADMIN, CAP_NET_RAW};
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &head, data) != 0) {
        return;
    }
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        data[0].inheritable |= data[0].permitted & (1U << kept[i]);
    }
    (void)syscall(SYS_capset, &head, data);
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept[i], 0, 0);
    }
}

static bool read_first_id(const char *map, unsigned *id)
{
    FILE *file = fopen(map, "re");
    bool found = file != NULL && fscanf(file, "%u", id) == 1;
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

/* Root from outside is nobody inside, but keeps root's power over root's files: what it runs there
 * is to run as the user whose network it is. */
static int become_owner(void)
{
    unsigned uid;
    unsigned gid;
    if (!read_first_id("/proc/self/uid_map", &uid) || !read_first_id("/proc/self/gid_map", &gid)) {
        return -EPERM;
    }
    return setresgid(gid, gid, gid) == 0 && setresuid(uid, uid, uid) == 0 ? 0 : -errno;
}

int slt_door_enter(struct slt_door_spaces *spaces)
{
    char *where = getcwd(NULL, 0);
    bool as_user = !is_here(spaces->user, space_files[0]);
    bool was_root = geteuid() == 0;
    if (as_user && was_root && setgroups(0, NULL) != 0) {
        free(where);
        return -errno;
    }
    int result = enter_one(&spaces->user, space_files[0], CLONE_NEWUSER);
    int mounts = enter_one(&spaces->mount, space_files[1], CLONE_NEWNS);
    int net = enter_one(&spaces->net, space_files[2], CLONE_NEWNET);
    result = result != 0 ? result : mounts != 0 ? mounts : net;
    if (where != NULL && chdir(where) != 0) {
        (void)chdir("/");
    }
    free(where);
    if (result == 0 && was_root && geteuid() != 0) {
        result = become_owner();
    }
    if (result == 0 && as_user) {
        keep_network_capabilities();
    }
    return result;
}
