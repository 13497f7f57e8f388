/* SOCK-01 to SOCK-14: how connections and listeners end (sockets.h). */
#include "sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void close_empty(struct world *w, struct pair *p)
{
    say(w, "send %s", result(send_all(p->fd, 100000)));
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void row_01(struct world *w)
{
    on_both(w, close_empty);
}

static void close_unread(struct world *w, struct pair *p)
{
    (void)ask(w, "send %d 1000", p->far);
    say(w, "unread %d", wait_bytes(p->fd, 1000));
    say(w, "send %s", result(send_all(p->fd, 10)));
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: ends with %s", ask(w, "end %d", p->far));
}

static void close_unread_fin(struct world *w, struct pair *p)
{
    (void)ask(w, "half %d", p->far);
    say(w, "only a FIN unread: %s", bits_text(bits_when(p->fd, POLLRDHUP, 4000)));
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void close_half_read(struct world *w, struct pair *p)
{
    (void)ask(w, "send %d 1000", p->far);
    (void)ask(w, "half %d", p->far);
    (void)bits_when(p->fd, POLLRDHUP, 4000);
    say(w, "read half of it %s", result(read_all(p->fd, 500)));
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: ends with %s", ask(w, "end %d", p->far));
}

static void row_02(struct world *w)
{
    on_both(w, close_unread);
    on_both(w, close_unread_fin);
    on_both(w, close_half_read);
}

static void data_after_close(struct world *w, struct pair *p)
{
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: sees %s", ask(w, "wait %d 4000", p->far));
    say(w, "peer: sends %s", ask(w, "send %d 10", p->far));
    say(w, "peer: gets %s", ask(w, "error %d", p->far));
}

static void row_03(struct world *w)
{
    on_both(w, data_after_close);
}

static void linger_zero(struct world *w, struct pair *p)
{
    set_linger(p->fd, 1, 0);
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: ends with %s", ask(w, "end %d", p->far));
}

static void row_04(struct world *w)
{
    on_both(w, linger_zero);
    (void)ask(w, "watch");
    int fd = new_socket(w, SOCK_NONBLOCK);
    set_linger(fd, 1, 0);
    say(w, "connect %s", result(start_connect(fd, w->lost, 9)));
    pause_ms(50);
    say(w, "close %s", result(close(fd)));
    pause_ms(300);
    say(w, "peer: saw %s", ask(w, "seen"));
}

static void linger_answered(struct world *w, struct pair *p)
{
    set_linger(p->fd, 1, 3);
    (void)send_all(p->fd, 1000);
    long began = now_ms();
    say(w, "the peer is there: close %s", result(close(p->fd)));
    say(w, "within its time: %s", yes(now_ms() - began < 2500));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void linger_silent(struct world *w, struct pair *p)
{
    set_linger(p->fd, 1, 1);
    (void)ask(w, "mute 1");
    (void)send_all(p->fd, 1000);
    long began = now_ms();
    ssize_t closed = close(p->fd);
    say(w, "the peer is silent: close %s, waited its time: %s", result(closed),
        yes(now_ms() - began >= 900));
    (void)ask(w, "mute 0");
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void row_05(struct world *w)
{
    on_both(w, linger_answered);
    on_both(w, linger_silent);
}

static void linger_off(struct world *w, struct pair *p)
{
    set_linger(p->fd, 0, 5);
    (void)send_all(p->fd, 10);
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void row_06(struct world *w)
{
    on_both(w, linger_off);
}

/* A child holds the connection alone, and ends in one of three ways. */
static void end_child(struct world *w, struct pair *p, int signal_number, bool unread)
{
    if (unread) {
        (void)ask(w, "send %d 100", p->far);
        (void)wait_bytes(p->fd, 100);
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)send_all(p->fd, 5);
        (void)pause_ms(50);
        if (signal_number != 0) {
            (void)raise(signal_number);
        }
        _exit(0);
    }
    (void)close(p->fd);
    (void)waitpid(pid, NULL, 0);
    say(w, "a process %s%s; peer: ends with %s", signal_number == 0 ? "exits" : "is killed",
        unread ? " with data unread" : "", ask(w, "end %d", p->far));
}

static void child_exits(struct world *w, struct pair *p)
{
    end_child(w, p, 0, false);
}

static void child_killed(struct world *w, struct pair *p)
{
    end_child(w, p, SIGKILL, false);
}

static void child_unread(struct world *w, struct pair *p)
{
    end_child(w, p, SIGKILL, true);
}

static void row_07(struct world *w)
{
    on_both(w, child_exits);
    on_both(w, child_killed);
    on_both(w, child_unread);
}

static void row_08(struct world *w)
{
    int port = 0;
    int listener = new_listener(w, 8, &port);
    int first = ask_number(w, "connect %d", port);
    int second = ask_number(w, "connect %d", port);
    say(w, "two wait: %s", bits_text(bits_when(listener, POLLIN, 4000)));
    say(w, "close %s", result(close(listener)));
    say(w, "peer: %s", ask(w, "error %d", first));
    say(w, "peer: %s", ask(w, "error %d", second));
    say(w, "peer: connects again: %s", ask(w, "connect %d", port));
}

static void row_09(struct world *w)
{
    (void)ask(w, "watch");
    int fd = new_socket(w, SOCK_NONBLOCK);
    say(w, "connect %s", result(start_connect(fd, w->lost, 9)));
    pause_ms(50);
    say(w, "close %s", result(close(fd)));
    pause_ms(300);
    say(w, "peer: saw %s", ask(w, "seen"));
    (void)ask(w, "synack");
    pause_ms(200);
    say(w, "peer: after a late SYN,ACK saw %s", ask(w, "seen"));
}

static void close_duplicate(struct world *w, struct pair *p)
{
    int copy = dup(p->fd);
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: %s", ask(w, "wait %d 200", p->far));
    say(w, "send through the copy %s", result(send_all(copy, 5)));
    say(w, "close the copy %s", result(close(copy)));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void close_forked(struct world *w, struct pair *p)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause_ms(5000);
        _exit(0);
    }
    say(w, "close in the parent %s", result(close(p->fd)));
    say(w, "peer: %s", ask(w, "wait %d 200", p->far));
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    say(w, "the child is gone; peer: %s", ask(w, "wait %d 4000", p->far));
}

static void shutdown_forked(struct world *w, struct pair *p)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(shutdown(p->fd, SHUT_WR) == 0 ? 0 : errno);
    }
    (void)waitpid(pid, &status, 0);
    say(w, "shutdown in a child %s", error_name(WEXITSTATUS(status)));
    say(w, "peer: %s", ask(w, "wait %d 4000", p->far));
    say(w, "send in the parent %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
}

/* Over a UNIX socket to another process, which alone has it then. */
static void pass_on(int to, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    char byte = 'x';
    struct iovec piece = {&byte, 1};
    struct msghdr message = {.msg_iov = &piece,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(fd));
    if (sendmsg(to, &message, 0) != 1) {
        die("the descriptor cannot be passed");
    }
}

static int take_passed(int from)
{
    char room[CMSG_SPACE(sizeof(int))];
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room)};
    int fd = -1;
    if (recvmsg(from, &message, 0) != 1 || CMSG_FIRSTHDR(&message) == NULL) {
        die("no descriptor was passed");
    }
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
    return fd;
}

/* What a process of another user sees of a socket that it was given. */
static void use_passed(struct world *w, struct pair *p, int from)
{
    union address a;
    socklen_t bytes = sizeof(a);
    int fd = take_passed(from);
    if (setgid(65534) != 0 || setuid(65534) != 0) {
        die("another user");
    }
    say(w, "passed to another user: getpeername %s", result(getpeername(fd, &a.any, &bytes)));
    say(w, "TCP_NODELAY %s", result(set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1)));
    say(w, "send %s", result(send_all(fd, 5)));
    say(w, "peer: %s", ask(w, "read %d 5", p->far));
    (void)ask(w, "reset %d", p->far);
    say(w, "reset: %s", bits_text(bits_when(fd, 0, 4000)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
}

static void pass_descriptor(struct world *w, struct pair *p)
{
    int ends[2];
    int status = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        die("socketpair");
    }
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(p->fd);
        use_passed(w, p, ends[1]);
        _exit(0);
    }
    pass_on(ends[0], p->fd);
    (void)close(p->fd);
    (void)waitpid(pid, &status, 0);
    say(w, "that process: %d", WEXITSTATUS(status));
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void row_10(struct world *w)
{
    on_both(w, pass_descriptor);
    on_both(w, close_duplicate);
    on_both(w, close_forked);
    on_both(w, shutdown_forked);
}

static void shut_write(struct world *w, struct pair *p)
{
    (void)send_all(p->fd, 70000);
    say(w, "shutdown %s", result(shutdown(p->fd, SHUT_WR)));
    say(w, "send %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "bits %s", bits_text(bits_now(p->fd)));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
    say(w, "peer: sends %s", ask(w, "send %d 5", p->far));
    say(w, "read %s", result(read_all(p->fd, 5)));
    (void)ask(w, "close %d", p->far);
    say(w, "bits %s", bits_text(bits_when(p->fd, POLLRDHUP, 4000)));
    say(w, "read %s", result(read_all(p->fd, 5)));
}

static void row_11(struct world *w)
{
    on_both(w, shut_write);
}

static void shut_read(struct world *w, struct pair *p)
{
    (void)ask(w, "send %d 7", p->far);
    say(w, "unread %d", wait_bytes(p->fd, 7));
    say(w, "shutdown %s", result(shutdown(p->fd, SHUT_RD)));
    say(w, "bits %s", bits_text(bits_now(p->fd)));
    say(w, "read %s", result(read_all(p->fd, 7)));
    say(w, "read %s", result(read_all(p->fd, 7)));
    say(w, "peer: sends %s", ask(w, "send %d 5", p->far));
    pause_ms(100);
    say(w, "read %s", result(read_all(p->fd, 5)));
    say(w, "peer: %s", ask(w, "wait %d 100", p->far));
    say(w, "send %s", result(send_all(p->fd, 9)));
    say(w, "close %s", result(close(p->fd)));
    say(w, "peer: %s", ask(w, "drain %d", p->far));
}

static void row_12(struct world *w)
{
    on_both(w, shut_read);
}

static void shut_both(struct world *w, struct pair *p)
{
    say(w, "how 7: %s", result(shutdown(p->fd, 7)));
    say(w, "shutdown %s", result(shutdown(p->fd, SHUT_RDWR)));
    say(w, "peer: %s", ask(w, "wait %d 4000", p->far));
    say(w, "read %s", result(read_all(p->fd, 1)));
    say(w, "send %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "again %s", result(shutdown(p->fd, SHUT_WR)));
    (void)ask(w, "close %d", p->far);
    pause_ms(200);
    say(w, "bits %s", bits_text(bits_now(p->fd)));
    say(w, "after both ends %s", result(shutdown(p->fd, SHUT_WR)));
}

static void *shut_later(void *arg)
{
    pause_ms(200);
    (void)shutdown(*(int *)arg, SHUT_RDWR);
    return NULL;
}

/* A thread that waits in a call is woken by another's shutdown. */
static void wake_reader(struct world *w, struct pair *p)
{
    pthread_t thread;
    char byte;
    (void)pthread_create(&thread, NULL, shut_later, &p->fd);
    say(w, "a blocked read is woken with %s", result(read(p->fd, &byte, 1)));
    (void)pthread_join(thread, NULL);
}

static void row_13(struct world *w)
{
    on_both(w, shut_both);
    on_both(w, wake_reader);
    int fd = new_socket(w, 0);
    say(w, "unconnected: %s %s", result(shutdown(fd, SHUT_WR)), result(shutdown(fd, SHUT_RDWR)));
    say(w, "unconnected, how -1: %s", result(shutdown(fd, -1)));
    int port = 0;
    int listener = new_listener(w, 8, &port);
    pthread_t thread;
    (void)pthread_create(&thread, NULL, shut_later, &listener);
    say(w, "a blocked accept is woken with %s", result(accept(listener, NULL, NULL)));
    (void)pthread_join(thread, NULL);
    say(w, "accept %s", result(accept(listener, NULL, NULL)));
    say(w, "peer: connects %s", ask(w, "connect %d", port));
    say(w, "listen again %s", result(listen(listener, 8)));
    say(w, "peer: connects %s", atoi(ask(w, "connect %d", port)) > 0 ? "again" : w->reply);
}

static void close_is_silent(struct world *w, struct pair *p)
{
    (void)send_all(p->fd, 10);
    (void)ask(w, "reset %d", p->far);
    (void)bits_when(p->fd, 0, 4000);
    say(w, "close of what was reset %s", result(close(p->fd)));
}

static void row_14(struct world *w)
{
    on_both(w, close_is_silent);
}

const struct row close_rows[] = {{1, row_01},  {2, row_02},  {3, row_03},  {4, row_04},
                                 {5, row_05},  {6, row_06},  {7, row_07},  {8, row_08},
                                 {9, row_09},  {10, row_10}, {11, row_11}, {12, row_12},
                                 {13, row_13}, {14, row_14}, {0, NULL}};
