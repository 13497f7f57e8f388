/* SOCK-20 to SOCK-29: errors and when they are said (sockets.h). Those that ICMP brings are in
 * rows_icmp.c. */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

static volatile sig_atomic_t pipes;

static void count_pipe(int number)
{
    (void)number;
    pipes++;
}

static void broken_pipe(struct world *w, struct pair *p)
{
    struct sigaction action = {.sa_handler = count_pipe};
    (void)sigaction(SIGPIPE, &action, NULL);
    pipes = 0;
    (void)shutdown(p->fd, SHUT_WR);
    ssize_t sent = write(p->fd, "x", 1);
    say(w, "write %s, signals %d", result(sent), (int)pipes);
    sent = send(p->fd, "x", 1, MSG_NOSIGNAL);
    say(w, "MSG_NOSIGNAL %s, signals %d", result(sent), (int)pipes);
}

static void broken_by_reset(struct world *w, struct pair *p)
{
    pipes = 0;
    (void)ask(w, "reset %d", p->far);
    (void)bits_when(p->fd, 0, 4000);
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
    ssize_t sent = write(p->fd, "x", 1);
    say(w, "after a reset was told: write %s, signals %d", result(sent), (int)pipes);
}

static void row_20(struct world *w)
{
    on_both(w, broken_pipe);
    on_both(w, broken_by_reset);
}

static void reset_read_first(struct world *w, struct pair *p)
{
    char byte;
    (void)ask(w, "reset %d", p->far);
    say(w, "reset: %s", bits_text(bits_when(p->fd, 0, 4000)));
    say(w, "read %s", result(read(p->fd, &byte, 1)));
    say(w, "read %s", result(read(p->fd, &byte, 1)));
    say(w, "bits %s", bits_text(bits_now(p->fd)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
}

static void reset_write_first(struct world *w, struct pair *p)
{
    char byte;
    (void)ask(w, "reset %d", p->far);
    (void)bits_when(p->fd, 0, 4000);
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "read %s", result(read(p->fd, &byte, 1)));
}

static void reset_error_first(struct world *w, struct pair *p)
{
    char byte;
    (void)ask(w, "reset %d", p->far);
    (void)bits_when(p->fd, 0, 4000);
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
    say(w, "bits %s", bits_text(bits_now(p->fd)));
    say(w, "read %s", result(read(p->fd, &byte, 1)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
}

/* A reader that is already blocked hears of it. */
static void reset_blocked(struct world *w, struct pair *p)
{
    char byte;
    pid_t pid = fork();
    if (pid == 0) {
        pause_ms(100);
        (void)ask(w, "reset %d", p->far);
        _exit(0);
    }
    ssize_t got = read(p->fd, &byte, 1);
    say(w, "blocked read %s", result(got));
    pause_ms(100);
}

static void reset_full(struct world *w, struct pair *p)
{
    set_nonblock(p->fd, true);
    while (send_all(p->fd, 65536) == 65536) {
    }
    (void)ask(w, "reset %d", p->far);
    say(w, "reset with much unsent: %s", bits_text(bits_when(p->fd, 0, 4000)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
}

static void row_21(struct world *w)
{
    on_both(w, reset_read_first);
    on_both(w, reset_write_first);
    on_both(w, reset_error_first);
    on_both(w, reset_blocked);
    on_both(w, reset_full);
}

static void reset_behind_data(struct world *w, struct pair *p)
{
    (void)ask(w, "send %d 10", p->far);
    say(w, "unread %d", wait_bytes(p->fd, 10));
    (void)ask(w, "reset %d", p->far);
    say(w, "reset: %s", bits_text(bits_when(p->fd, 0, 4000)));
    char data[4];
    say(w, "read %s", result(read(p->fd, data, sizeof(data))));
    say(w, "read %s", result(read(p->fd, data, sizeof(data))));
    say(w, "read %s", result(read(p->fd, data, sizeof(data))));
    say(w, "read %s", result(read(p->fd, data, sizeof(data))));
    say(w, "read %s", result(read(p->fd, data, sizeof(data))));
}

static void reset_behind_fin(struct world *w, struct pair *p)
{
    char byte;
    (void)ask(w, "half %d", p->far);
    (void)bits_when(p->fd, POLLRDHUP, 4000);
    (void)ask(w, "reset %d", p->far);
    say(w, "FIN, then reset: %s", bits_text(bits_when(p->fd, 0, 4000)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "read %s", result(read(p->fd, &byte, 1)));
}

static void row_22(struct world *w)
{
    on_both(w, reset_behind_data);
    on_both(w, reset_behind_fin);
}

/* A port of the peer where nobody listens. */
static int closed_port(struct world *w)
{
    int handle = ask_number(w, "listen 1");
    int port = ask_number(w, "port %d", handle);
    (void)ask(w, "close %d", handle);
    return port;
}

static void row_23(struct world *w)
{
    int port = closed_port(w);
    int fd = new_socket(w, 0);
    say(w, "blocking %s", result(start_connect(fd, w->peer, port)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
    say(w, "bits %s", bits_text(bits_now(fd)));
    (void)close(fd);
    fd = new_socket(w, SOCK_NONBLOCK);
    say(w, "non-blocking %s", result(start_connect(fd, w->peer, port)));
    say(w, "bits %s", bits_text(bits_when(fd, POLLOUT, 4000)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
    say(w, "bits %s", bits_text(bits_now(fd)));
    (void)close(fd);
    fd = new_socket(w, SOCK_NONBLOCK);
    (void)start_connect(fd, w->peer, port);
    (void)bits_when(fd, POLLOUT, 4000);
    say(w, "write %s", result(send(fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "SO_ERROR then %s", error_name(take_error(fd)));
}

static void user_timeout(struct world *w, struct pair *p)
{
    char byte;
    say(w, "TCP_USER_TIMEOUT %s", result(set_int(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 700)));
    (void)ask(w, "mute 1");
    (void)send_all(p->fd, 10);
    say(w, "silence: %s", bits_text(bits_when(p->fd, 0, 10000)));
    (void)ask(w, "mute 0");
    if (w->kind[0] == 'c') {
        say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
    }
    say(w, "read %s", result(read(p->fd, &byte, 1)));
    say(w, "read %s", result(read(p->fd, &byte, 1)));
    say(w, "write %s", result(send(p->fd, "x", 1, MSG_NOSIGNAL)));
}

static void keepalive(struct world *w, struct pair *p)
{
    (void)set_int(p->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)set_int(p->fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    (void)set_int(p->fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    (void)set_int(p->fd, IPPROTO_TCP, TCP_KEEPCNT, 1);
    pause_ms(1500);
    say(w, "kept alive: %s", bits_text(bits_now(p->fd)));
    (void)ask(w, "mute 1");
    say(w, "silence: %s", bits_text(bits_when(p->fd, 0, 10000)));
    (void)ask(w, "mute 0");
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
}

static void row_24(struct world *w)
{
    on_both(w, user_timeout);
    on_both(w, keepalive);
    int fd = new_socket(w, 0);
    say(w, "TCP_SYNCNT %s", result(set_int(fd, IPPROTO_TCP, TCP_SYNCNT, 1)));
    say(w, "connect to nowhere %s", result(start_connect(fd, w->lost, 9)));
    say(w, "bits %s", bits_text(bits_now(fd)));
}

static void row_25(struct world *w)
{
    int fd = new_socket(w, 0);
    say(w, "nobody has the address: %s", result(start_connect(fd, w->empty, 9)));
    (void)close(fd);
    fd = new_socket(w, SOCK_NONBLOCK);
    say(w, "non-blocking %s", result(start_connect(fd, w->empty, 9)));
    say(w, "bits %s", bits_text(bits_when(fd, 0, 10000)));
    say(w, "SO_ERROR %s", error_name(take_error(fd)));
}

static void row_27(struct world *w)
{
    union address a;
    socklen_t bytes = sizeof(a);
    char byte;
    int fd = new_socket(w, 0);
    say(w, "getpeername %s", result(getpeername(fd, &a.any, &bytes)));
    say(w, "read %s", result(read(fd, &byte, 1)));
    say(w, "recv %s", result(recv(fd, &byte, 1, 0)));
    say(w, "send %s", result(send(fd, "x", 1, MSG_NOSIGNAL)));
    say(w, "bits %s", bits_text(bits_now(fd)));
    int port = 0;
    int listener = new_listener(w, 1, &port);
    bytes = sizeof(a);
    say(w, "listener: getpeername %s", result(getpeername(listener, &a.any, &bytes)));
    say(w, "listener: recv %s", result(recv(listener, &byte, 1, 0)));
    say(w, "listener: send %s", result(send(listener, "x", 1, MSG_NOSIGNAL)));
}

static void wrong_arguments(struct world *w)
{
    void *nowhere = (void *)8;
    union address a;
    socklen_t bytes = fill_address(&a, w->peer, 9);
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
    int fd = new_socket(w, 0);
    int ends[2];
    if (pipe(ends) != 0) {
        die("pipe");
    }
    say(w, "connect: EFAULT is %s", result(connect(fd, nowhere, bytes)));
    say(w, "connect: too short %s", result(connect(fd, &a.any, 4)));
    say(w, "connect: another family %s",
        result(connect(fd, (struct sockaddr *)(void *)&un, sizeof(un))));
    say(w, "bind: EFAULT is %s", result(bind(fd, nowhere, bytes)));
    say(w, "bind: too short %s", result(bind(fd, &a.any, 4)));
    say(w, "bind: another family %s", result(bind(fd, (struct sockaddr *)(void *)&un, sizeof(un))));
    say(w, "getsockname: EFAULT is %s", result(getsockname(fd, nowhere, &bytes)));
    say(w, "getsockname: length %s", result(getsockname(fd, &a.any, nowhere)));
    bytes = (socklen_t)-1;
    say(w, "getsockname: negative %s", result(getsockname(fd, &a.any, &bytes)));
    say(w, "setsockopt: EFAULT is %s",
        result(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, nowhere, sizeof(int))));
    say(w, "setsockopt: too short %s", result(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &fd, 1)));
    say(w, "setsockopt: unknown %s", result(set_int(fd, IPPROTO_TCP, 9999, 1)));
    bytes = sizeof(int);
    say(w, "getsockopt: EFAULT is %s",
        result(getsockopt(fd, SOL_SOCKET, SO_TYPE, nowhere, &bytes)));
    say(w, "getsockopt: unknown %s", result(get_int(fd, IPPROTO_TCP, 9999)));
    say(w, "accept: address %s", result(accept(fd, nowhere, &bytes)));
    bytes = sizeof(a);
    say(w, "EBADF: %s %s %s", result(connect(-1, &a.any, bytes)), result(listen(9999, 1)),
        result(shutdown(9999, SHUT_WR)));
    say(w, "ENOTSOCK: %s %s %s", result(connect(ends[0], &a.any, bytes)),
        result(listen(ends[0], 1)), result(getsockname(ends[0], &a.any, &bytes)));
    say(w, "ENOTSOCK: %s %s", result(accept(ends[0], &a.any, &bytes)), result(take_error(ends[0])));
}

static void wrong_buffers(struct world *w, struct pair *p)
{
    void *nowhere = (void *)8;
    say(w, "send: EFAULT is %s", result(send(p->fd, nowhere, 10, MSG_NOSIGNAL)));
    (void)ask(w, "send %d 10", p->far);
    (void)wait_bytes(p->fd, 10);
    say(w, "recv: EFAULT is %s", result(recv(p->fd, nowhere, 10, 0)));
    say(w, "and nothing is lost: %s", result(read_all(p->fd, 10)));
}

static void interrupted(struct world *w, struct pair *p)
{
    char byte;
    interrupt_after(150);
    say(w, "read %s", result(read(p->fd, &byte, 1)));
    struct pollfd ready = {.fd = p->fd, .events = POLLIN};
    interrupt_after(150);
    say(w, "poll %s", result(poll(&ready, 1, 3000)));
    char *much = calloc(1, 64 << 20);
    interrupt_after(500);
    say(w, "a large send counts what moved: %s", yes(send(p->fd, much, 64 << 20, 0) > 0));
    free(much);
}

static void row_28(struct world *w)
{
    wrong_arguments(w);
    on_both(w, wrong_buffers);
    on_both(w, interrupted);
    int port = 0;
    union address a;
    socklen_t bytes = sizeof(a);
    int listener = new_listener(w, 1, &port);
    interrupt_after(150);
    say(w, "accept %s", result(accept(listener, NULL, NULL)));
    interrupt_after(150);
    say(w, "accept with an address %s", result(accept(listener, &a.any, &bytes)));
    say(w, "types: raw %s, packets %s, protocol %s", result(socket(w->family, SOCK_SEQPACKET, 0)),
        result(socket(w->family, 77, 0)), result(socket(w->family, SOCK_STREAM, IPPROTO_UDP)));
}

static void error_once(struct world *w, struct pair *p)
{
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
    (void)ask(w, "reset %d", p->far);
    (void)bits_when(p->fd, 0, 4000);
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
}

static void row_29(struct world *w)
{
    on_both(w, error_once);
}

const struct row error_rows[] = {{20, row_20}, {21, row_21}, {22, row_22}, {23, row_23},
                                 {24, row_24}, {25, row_25}, {27, row_27}, {28, row_28},
                                 {29, row_29}, {0, NULL}};
