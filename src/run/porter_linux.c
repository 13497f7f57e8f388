/* See porter_linux.h. */
#include "run/porter_linux.h"

#include "run/socket_address.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKLOG    1024
#define NAMES_PORT 53

struct question {
    uint32_t kind;   /* enum slt_porter_kind */
    uint32_t server; /* NAMES: which */
    struct sockaddr_storage address;
};

struct answer {
    int32_t error; /* 0: a descriptor comes with it; else an errno value */
};

/* ---- the porter's own side ------------------------------------------------------------------ */

static int open_listener(int fd, const struct sockaddr_storage *address)
{
    int one = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (address->ss_family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    }
    return bind(fd, (const struct sockaddr *)address, slt_socket_address_bytes(address)) == 0 &&
                   listen(fd, BACKLOG) == 0
               ? 0
               : errno;
}

static int open_connection(int fd, const struct sockaddr_storage *address)
{
    int result = connect(fd, (const struct sockaddr *)address, slt_socket_address_bytes(address));
    return result == 0 || errno == EINPROGRESS ? 0 : errno;
}

/* A name server of the host's; without any, the one that resolv.conf(5) has then. */
static bool find_server(uint32_t number, struct sockaddr_storage *address)
{
    char line[512];
    char name[128];
    bool found = false;
    uint32_t i = 0;
    FILE *file = fopen("/etc/resolv.conf", "re");
    while (file != NULL && !found && fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "nameserver %127s", name) == 1 &&
            slt_socket_address_parse(name, NAMES_PORT, address)) {
            found = i == number;
            i++;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found ||
           (i == 0 && number == 0 && slt_socket_address_parse("127.0.0.1", NAMES_PORT, address));
}

/* Make what is asked for. Returns 0 and the socket, or an errno value. */
static int carry(struct question *question, int *fd)
{
    int type = question->kind == SLT_PORTER_NAMES_UDP ? SOCK_DGRAM : SOCK_STREAM;
    bool names = question->kind == SLT_PORTER_NAMES_UDP || question->kind == SLT_PORTER_NAMES_TCP;
    if (names && !find_server(question->server, &question->address)) {
        return ENOENT;
    }
    *fd = socket(question->address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (*fd < 0) {
        return errno;
    }
    int error = question->kind == SLT_PORTER_LISTEN ? open_listener(*fd, &question->address)
                                                    : open_connection(*fd, &question->address);
    if (error != 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return error;
}

union control {
    struct cmsghdr head;
    char room[CMSG_SPACE(sizeof(int))];
};

static bool reply(int peer, int error, int fd)
{
    struct answer answer = {.error = error};
    struct iovec piece = {.iov_base = &answer, .iov_len = sizeof(answer)};
    union control control;
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    memset(&control, 0, sizeof(control));
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    }
    return sendmsg(peer, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(answer);
}

/* Binding published ports below 1024 is all the privilege there is a use for. */
static void keep_little(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (syscall(SYS_capget, &head, data) == 0) {
        uint32_t kept = data[0].permitted & (1U << CAP_NET_BIND_SERVICE);
        data[0] = (struct __user_cap_data_struct){.effective = kept, .permitted = kept};
        data[1] = (struct __user_cap_data_struct){.effective = 0};
        (void)syscall(SYS_capset, &head, data);
    }
}

/* Out of the terminal's process group, with none of the caller's descriptors but the pair. */
static void become_porter(int peer)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)setsid();
    for (int fd = 0; nothing >= 0 && fd <= 2; fd++) {
        (void)dup2(nothing, fd);
    }
    for (int number = 1; number < SIGRTMIN; number++) {
        (void)signal(number, number == SIGPIPE ? SIG_IGN : SIG_DFL);
    }
    if (peer != 3) {
        (void)dup2(peer, 3);
    }
    (void)syscall(SYS_close_range, 4U, ~0U, 0U);
    keep_little();
}

_Noreturn static void serve(int peer)
{
    struct question question;
    become_porter(peer);
    for (;;) {
        ssize_t got = recv(3, &question, sizeof(question), 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != (ssize_t)sizeof(question)) {
            _exit(0);
        }
        int fd = -1;
        int error = carry(&question, &fd);
        bool told = reply(3, error, fd);
        if (fd >= 0) {
            (void)close(fd);
        }
        if (!told) {
            _exit(0);
        }
    }
}

/* ---- the other side ------------------------------------------------------------------------- */

/* A child without an exit signal: who waits for any child (the program's, whose orphans come to
 * us) does not meet it, and waits for it by __WALL alone (clone(2)). */
static pid_t fork_aside(void)
{
    struct clone_args args = {.exit_signal = 0};
    return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

bool slt_porter_start(struct slt_porter *porter)
{
    int pair[2];
    *porter = (struct slt_porter){.pid = -1, .fd = -1, .polled = {.fd = -1}};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    porter->pid = fork_aside();
    if (porter->pid == 0) {
        serve(pair[1]);
    }
    (void)close(pair[1]);
    porter->fd = pair[0];
    return porter->pid > 0;
}

static bool put_question(const struct slt_porter *porter, const struct question *question,
                         int flags)
{
    return porter->fd >= 0 && send(porter->fd, question, sizeof(*question), MSG_NOSIGNAL | flags) ==
                                  (ssize_t)sizeof(*question);
}

/* One answer: a descriptor, a negative errno value; -EAGAIN when there is none, -EPIPE when there
 * will be none any more. */
static int take_answer(const struct slt_porter *porter, int flags)
{
    struct answer answer;
    struct iovec piece = {.iov_base = &answer, .iov_len = sizeof(answer)};
    union control control;
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    ssize_t got;
    do {
        got = recvmsg(porter->fd, &message, MSG_CMSG_CLOEXEC | flags);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) {
        return -EAGAIN;
    }
    if (got != (ssize_t)sizeof(answer)) {
        return -EPIPE;
    }
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int fd = -EMFILE; /* what the kernel makes of it when our own table is full: no control data */
    if (head != NULL && head->cmsg_type == SCM_RIGHTS) {
        memcpy(&fd, CMSG_DATA(head), sizeof(fd));
    }
    return answer.error != 0 ? -answer.error : fd;
}

int slt_porter_ask_now(struct slt_porter *porter, enum slt_porter_kind kind,
                       const struct sockaddr_storage *address)
{
    struct question question = {.kind = kind, .address = *address};
    return put_question(porter, &question, 0) ? take_answer(porter, 0) : -EPIPE;
}

/* It has ended (killed by somebody): whoever waits is told, and nobody will be served. */
static void fail_all(struct slt_porter *porter)
{
    slt_poller_drop(porter->poller, &porter->polled);
    porter->fd = -1;
    while (porter->count > 0) {
        uint32_t at = porter->first % SLT_PORTER_WAITING_MAX;
        porter->first++;
        porter->count--;
        if (porter->waiting[at].done != NULL) {
            porter->waiting[at].done(porter->waiting[at].ctx, -EPIPE);
        }
    }
}

static void on_answer(void *ctx, uint32_t events)
{
    struct slt_porter *porter = ctx;
    (void)events;
    while (porter->count > 0) {
        int fd = take_answer(porter, MSG_DONTWAIT);
        if (fd == -EAGAIN) {
            return;
        }
        if (fd == -EPIPE) {
            break;
        }
        uint32_t at = porter->first % SLT_PORTER_WAITING_MAX;
        porter->first++;
        porter->count--;
        if (porter->waiting[at].done != NULL) {
            porter->waiting[at].done(porter->waiting[at].ctx, fd);
        } else if (fd >= 0) {
            (void)close(fd);
        }
    }
    if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
        fail_all(porter);
    }
}

bool slt_porter_attach(struct slt_porter *porter, struct slt_poller *poller)
{
    porter->poller = poller;
    porter->polled = (struct slt_polled){.fd = porter->fd, .on_ready = on_answer, .ctx = porter};
    return slt_poller_watch(poller, &porter->polled, EPOLLIN);
}

static bool ask(struct slt_porter *porter, const struct question *question, slt_porter_done *done,
                void *ctx)
{
    if (porter->count == SLT_PORTER_WAITING_MAX || !put_question(porter, question, MSG_DONTWAIT)) {
        return false;
    }
    uint32_t at = (porter->first + porter->count) % SLT_PORTER_WAITING_MAX;
    porter->waiting[at].done = done;
    porter->waiting[at].ctx = ctx;
    porter->count++;
    return true;
}

bool slt_porter_ask(struct slt_porter *porter, enum slt_porter_kind kind,
                    const struct sockaddr_storage *address, slt_porter_done *done, void *ctx)
{
    struct question question = {.kind = kind, .address = *address};
    return ask(porter, &question, done, ctx);
}

bool slt_porter_ask_names(struct slt_porter *porter, enum slt_porter_kind kind, uint32_t server,
                          slt_porter_done *done, void *ctx)
{
    struct question question = {.kind = kind, .server = server};
    return ask(porter, &question, done, ctx);
}

void slt_porter_forget(struct slt_porter *porter, const void *ctx)
{
    for (uint32_t i = 0; i < porter->count; i++) {
        uint32_t at = (porter->first + i) % SLT_PORTER_WAITING_MAX;
        if (porter->waiting[at].ctx == ctx) {
            porter->waiting[at].done = NULL;
        }
    }
}

void slt_porter_stop(struct slt_porter *porter)
{
    if (porter->polled.fd >= 0) {
        slt_poller_drop(porter->poller, &porter->polled);
        porter->fd = -1;
    }
    if (porter->fd >= 0) {
        (void)close(porter->fd);
        porter->fd = -1;
    }
    if (porter->pid > 0) {
        (void)waitpid(porter->pid, NULL, __WALL);
        porter->pid = -1;
    }
}
