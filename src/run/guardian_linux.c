/* The guardian's process (guardian_linux.h).
 *
 * It waits at a pipe whose other end only the supervisor holds. Which listeners were the program's
 * the kernel's list of UNIX sockets tells (sock_diag(7)): they are bound in the file system that
 * the supervisor made for names, or, where there is none, by abstract names of their form in a
 * network that is the program's alone (names_linux.c). Who has them open is found by a walk over
 * /proc, and pidfd_getfd(2) gives the descriptor to shut down. Two walks, because a descriptor may
 * be handed on during the first.
 *
 * It keeps two capabilities, to look into processes of other users, and none of the supervisor's
 * descriptors; signals that are meant for the program do not end it.
 */
#include "run/guardian_linux.h"

#include "run/sockets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LISTENERS_MAX    4096
#define ATTR_HEAD        4U  /* an attribute's length and type */
#define ABSTRACT_BYTES   33U /* NUL and 32 digits */
#define KERNEL_DEV_SHIFT 20  /* how the kernel itself joins major and minor */
#define STATE_LISTEN     10
#define PAUSE_NS         100000000L
#define PATH_SIZE        300

/* What the listeners of the program are known by. */
struct mark {
    uint32_t device; /* of the file system of names; 0: abstract names */
};

struct found {
    uint32_t inode[LISTENERS_MAX];
    size_t count;
};

/* ---- which listeners ------------------------------------------------------------------------ */

static bool is_abstract_name(const uint8_t *name, size_t bytes)
{
    if (bytes != ABSTRACT_BYTES || name[0] != '\0') {
        return false;
    }
    for (size_t i = 1; i < bytes; i++) {
        bool is_digit = name[i] >= '0' && name[i] <= '9';
        if (!is_digit && (name[i] < 'a' || name[i] > 'f')) {
            return false;
        }
    }
    return true;
}

static bool is_marked(const struct mark *mark, const uint8_t *attrs, size_t bytes)
{
    struct nlattr attr;
    for (size_t at = 0; at + sizeof(attr) <= bytes; at += (attr.nla_len + 3U) & ~3U) {
        memcpy(&attr, &attrs[at], sizeof(attr));
        if (attr.nla_len < sizeof(attr) || attr.nla_len > bytes - at) {
            return false;
        }
        const uint8_t *value = &attrs[at + ATTR_HEAD];
        size_t size = attr.nla_len - ATTR_HEAD;
        struct unix_diag_vfs vfs;
        if (attr.nla_type == UNIX_DIAG_VFS && size >= sizeof(vfs) && mark->device != 0) {
            memcpy(&vfs, value, sizeof(vfs));
            return vfs.udiag_vfs_dev == mark->device;
        }
        if (attr.nla_type == UNIX_DIAG_NAME && mark->device == 0 && is_abstract_name(value, size)) {
            return true;
        }
    }
    return false;
}

/* One answer's messages. True once the end, or an error, was among them. */
static bool read_messages(const uint8_t *data, size_t bytes, const struct mark *mark,
                          struct found *found)
{
    struct nlmsghdr head;
    struct unix_diag_msg msg;
    size_t fixed = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(msg));
    for (size_t at = 0; at + sizeof(head) <= bytes; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, &data[at], sizeof(head));
        if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR ||
            head.nlmsg_len < fixed || head.nlmsg_len > bytes - at) {
            return true;
        }
        memcpy(&msg, &data[at + NLMSG_HDRLEN], sizeof(msg));
        if (found->count < LISTENERS_MAX &&
            is_marked(mark, &data[at + fixed], head.nlmsg_len - fixed)) {
            found->inode[found->count++] = msg.udiag_ino;
        }
    }
    return false;
}

static void list_listeners(const struct mark *mark, struct found *found)
{
    _Alignas(8) uint8_t data[32768];
    struct {
        struct nlmsghdr head;
        struct unix_diag_req req;
    } ask = {.head = {.nlmsg_len = sizeof(ask),
                      .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                      .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .req = {.sdiag_family = AF_UNIX,
                     .udiag_states = 1U << STATE_LISTEN,
                     .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS}};
    found->count = 0;
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    bool over = fd < 0 || send(fd, &ask, sizeof(ask), 0) != (ssize_t)sizeof(ask);
    while (!over) {
        ssize_t got = recv(fd, data, sizeof(data), 0);
        over = got <= 0 || read_messages(data, (size_t)got, mark, found);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* ---- who has them --------------------------------------------------------------------------- */

static bool is_found(const struct found *found, unsigned long inode)
{
    for (size_t i = 0; i < found->count; i++) {
        if (found->inode[i] == inode) {
            return true;
        }
    }
    return false;
}

static void shut_down(pid_t pid, int their_fd)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, their_fd, 0);
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_RDWR);
        (void)close(fd);
    }
    if (pidfd >= 0) {
        (void)close(pidfd);
    }
}

static void look_into(const char *pid, const struct found *found)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *folder = opendir(path);
    for (struct dirent *entry = NULL; folder != NULL && (entry = readdir(folder)) != NULL;) {
        char link[64];
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);
        link[length < 0 ? 0 : length] = '\0';
        if (strncmp(link, "socket:[", 8) == 0 && is_found(found, strtoul(&link[8], NULL, 10))) {
            shut_down((pid_t)strtol(pid, NULL, 10), (int)strtol(entry->d_name, NULL, 10));
        }
    }
    if (folder != NULL) {
        (void)closedir(folder);
    }
}

static void shut_listeners(const struct mark *mark)
{
    static struct found found;
    list_listeners(mark, &found);
    DIR *proc = found.count > 0 ? opendir("/proc") : NULL;
    for (struct dirent *entry = NULL; proc != NULL && (entry = readdir(proc)) != NULL;) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
            look_into(entry->d_name, &found);
        }
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
}

/* ---- the process ---------------------------------------------------------------------------- */

static void keep_little(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (syscall(SYS_capget, &head, data) == 0) {
        uint32_t kept = data[0].permitted & (1U << CAP_SYS_PTRACE | 1U << CAP_DAC_READ_SEARCH);
        data[0] = (struct __user_cap_data_struct){.effective = kept, .permitted = kept};
        data[1] = (struct __user_cap_data_struct){.effective = 0};
        (void)syscall(SYS_capset, &head, data);
    }
}

_Noreturn static void guard(int wait_fd, const struct mark *mark)
{
    char byte;
    for (int number = 1; number < SIGRTMIN; number++) {
        (void)signal(number, SIG_IGN);
    }
    (void)setsid();
    (void)dup2(wait_fd, 3);
    (void)syscall(SYS_close_range, 4U, ~0U, 0U);
    (void)syscall(SYS_close_range, 0U, 2U, 0U);
    keep_little();
    while (read(3, &byte, 1) < 0 && errno == EINTR) {
    }
    struct timespec pause = {.tv_nsec = PAUSE_NS};
    shut_listeners(mark);
    (void)nanosleep(&pause, NULL);
    shut_listeners(mark);
    _exit(0);
}

void slt_guardian_start(struct slt_guardian *guardian, const struct slt_supervisor *supervisor)
{
    int ends[2];
    struct stat facts;
    struct mark mark = {.device = 0};
    *guardian = (struct slt_guardian){.pid = -1, .fd = -1};
    if (supervisor->names_dir >= 0 && fstat(supervisor->names_dir, &facts) == 0) {
        mark.device = major(facts.st_dev) << KERNEL_DEV_SHIFT | minor(facts.st_dev);
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    /* No signal at its end: who waits for the program's processes does not meet it. */
    struct clone_args args = {.exit_signal = 0};
    guardian->pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
    if (guardian->pid == 0) {
        guard(ends[0], &mark);
    }
    (void)close(ends[0]);
    guardian->fd = ends[1];
}

void slt_guardian_stop(struct slt_guardian *guardian)
{
    if (guardian->pid > 0) {
        (void)kill(guardian->pid, SIGKILL);
        while (waitpid(guardian->pid, NULL, __WALL) < 0 && errno == EINTR) {
        }
        (void)close(guardian->fd);
    }
    guardian->pid = -1;
}
