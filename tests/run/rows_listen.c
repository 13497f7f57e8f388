/* SOCK-50 to SOCK-56: listeners and what waits at them (sockets.h). */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLERS 6
#define IN_TURN 10

/* Connect one after the other; how many are through, and which is the first that is not. */
static int call_all(struct world *w, int port, int *pending)
{
    int through = 0;
    *pending = -1;
    for (int i = 0; i < CALLERS; i++) {
        int far = ask_number(w, "start %d", port);
        bool connected = strcmp(ask(w, "state %d 250", far), "connected") == 0;
        through += connected ? 1 : 0;
        if (!connected && *pending < 0) {
            *pending = far;
        }
    }
    return through;
}

/* A queue of one that is emptied each time keeps nobody waiting: a SYN that is dropped comes again
 * after a second. */
static void one_by_one(struct world *w)
{
    int port = 0;
    int in_time = 0;
    int listener = new_listener(w, 0, &port);
    for (int i = 0; i < IN_TURN; i++) {
        long began = now_ms();
        int far = ask_number(w, "connect %d", port);
        in_time += now_ms() - began < 800 ? 1 : 0;
        (void)close(accept(listener, NULL, NULL));
        (void)ask(w, "close %d", far);
    }
    say(w, "backlog 0: of %d one after the other %d are in time", IN_TURN, in_time);
    (void)close(listener);
}

static void row_50(struct world *w)
{
    for (int backlog = 0; backlog <= 3; backlog++) {
        int port = 0;
        int pending = -1;
        int listener = new_listener(w, backlog, &port);
        say(w, "backlog %d: of %d connections %d are through", backlog, CALLERS,
            call_all(w, port, &pending));
        (void)close(listener);
    }
    int port = 0;
    int pending = -1;
    int listener = new_listener(w, -1, &port);
    say(w, "backlog -1: of %d connections %d are through", CALLERS, call_all(w, port, &pending));
    (void)close(listener);
    one_by_one(w);
}

static void row_51(struct world *w)
{
    int port = 0;
    int listener = new_listener(w, 1, &port);
    (void)ask_number(w, "connect %d", port);
    (void)ask_number(w, "connect %d", port);
    int third = ask_number(w, "start %d", port);
    say(w, "the third is %s", ask(w, "state %d 250", third));
    for (int i = 0; i < 2; i++) {
        (void)close(accept(listener, NULL, NULL));
    }
    say(w, "after two were taken the third is %s", ask(w, "state %d 9000", third));
    say(w, "bits %s", bits_text(bits_when(listener, POLLIN, 4000)));
}

/* A full table of descriptors: the connection stays. */
static void accept_when_full(struct world *w, int listener, bool with_address)
{
    struct rlimit old;
    union address a;
    socklen_t bytes = sizeof(a);
    (void)getrlimit(RLIMIT_NOFILE, &old);
    int top = dup(listener);
    (void)close(top);
    struct rlimit tight = {.rlim_cur = (rlim_t)top, .rlim_max = old.rlim_max};
    (void)setrlimit(RLIMIT_NOFILE, &tight);
    for (int i = 0; i < 3; i++) {
        say(w, "table full: accept%s %s", with_address ? " with an address" : "",
            result(accept(listener, with_address ? &a.any : NULL, with_address ? &bytes : NULL)));
    }
    say(w, "still there: %s", bits_text(bits_now(listener)));
    (void)setrlimit(RLIMIT_NOFILE, &old);
    int fd = accept(listener, with_address ? &a.any : NULL, with_address ? &bytes : NULL);
    say(w, "room again: accept %s", fd >= 0 ? "works" : result(fd));
    say(w, "send %s", result(send_all(fd, 3)));
    (void)close(fd);
}

static void row_53(struct world *w)
{
    int port = 0;
    union address a;
    socklen_t bytes = sizeof(a);
    int listener = new_listener(w, 8, &port);
    set_nonblock(listener, true);
    say(w, "nobody: %s", result(accept(listener, NULL, NULL)));
    say(w, "nobody, with an address: %s", result(accept(listener, &a.any, &bytes)));
    int fresh = new_socket(w, 0);
    bytes = sizeof(a);
    say(w, "does not listen: %s %s", result(accept(fresh, NULL, NULL)),
        result(accept(fresh, &a.any, &bytes)));
    say(w, "unknown flags: %s", result(accept4(listener, &a.any, &bytes, 1)));
    for (int with_address = 0; with_address <= 1; with_address++) {
        (void)ask(w, "connect %d", port);
        (void)bits_when(listener, POLLIN, 4000);
        accept_when_full(w, listener, with_address != 0);
    }
    int far = ask_number(w, "connect %d", port);
    (void)bits_when(listener, POLLIN, 4000);
    (void)ask(w, "reset %d", far);
    pause_ms(100);
    bytes = sizeof(a);
    int fd = accept(listener, &a.any, &bytes);
    char byte;
    say(w, "reset before: accept %s", fd >= 0 ? "works" : result(fd));
    say(w, "read %s", result(read(fd, &byte, 1)));
}

static void row_54(struct world *w)
{
    int port = 0;
    union address a;
    socklen_t bytes = sizeof(a);
    int listener = new_listener(w, 8, &port);
    (void)set_int(listener, IPPROTO_TCP, TCP_NODELAY, 1);
    (void)set_int(listener, SOL_SOCKET, SO_KEEPALIVE, 1);
    (void)set_int(listener, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    set_linger(listener, 1, 5);
    set_nonblock(listener, true);
    for (int way = 0; way < 4; way++) {
        (void)ask(w, "connect %d", port);
        (void)bits_when(listener, POLLIN, 4000);
        bytes = sizeof(a);
        int fd = accept4(listener, way < 2 ? NULL : &a.any, way < 2 ? NULL : &bytes,
                         way % 2 != 0 ? SOCK_NONBLOCK | SOCK_CLOEXEC : 0);
        say(w, "O_NONBLOCK %s, FD_CLOEXEC %s", yes((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0),
            yes((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0));
        say(w, "TCP_NODELAY %d, SO_KEEPALIVE %d, TCP_KEEPIDLE %d",
            get_int(fd, IPPROTO_TCP, TCP_NODELAY), get_int(fd, SOL_SOCKET, SO_KEEPALIVE),
            get_int(fd, IPPROTO_TCP, TCP_KEEPIDLE));
        say(w, "SO_LINGER %d, SO_ACCEPTCONN %d", get_int(fd, SOL_SOCKET, SO_LINGER),
            get_int(fd, SOL_SOCKET, SO_ACCEPTCONN));
        if (way >= 2) {
            char text[INET6_ADDRSTRLEN] = "";
            bool v4 = a.any.sa_family == AF_INET;
            (void)inet_ntop(a.any.sa_family, v4 ? (void *)&a.v4.sin_addr : (void *)&a.v6.sin6_addr,
                            text, sizeof(text));
            say(w, "from %s, %u bytes", text, bytes);
        }
        union address own;
        bytes = sizeof(own);
        say(w, "getsockname %s, the listener's port: %s", result(getsockname(fd, &own.any, &bytes)),
            yes(port_of(fd) == port));
        (void)close(fd);
    }
}

static void row_55(struct world *w)
{
    int fd = new_socket(w, 0);
    const char *listened = result(listen(fd, 8));
    say(w, "unbound: listen %s, a port: %s", listened, yes(port_of(fd) > 0));
    say(w, "peer: connects %s", yes(ask_number(w, "connect %d", port_of(fd)) >= 0));
    int port = 0;
    int pending = -1;
    int listener = new_listener(w, 1, &port);
    say(w, "listen again %s", result(listen(listener, 4)));
    say(w, "of %d connections %d are through", CALLERS, call_all(w, port, &pending));
    struct pair p;
    open_pair(w, &p, false);
    say(w, "connected: listen %s", result(listen(p.fd, 8)));
    fd = new_socket(w, SOCK_NONBLOCK);
    (void)start_connect(fd, w->lost, 9);
    say(w, "connecting: listen %s", result(listen(fd, 8)));
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        int taken = accept(listener, NULL, NULL);
        _exit(send_all(taken, 6) == 6 ? 0 : 1);
    }
    (void)waitpid(pid, &status, 0);
    say(w, "a child accepts: %d", WEXITSTATUS(status));
}

static void row_56(struct world *w)
{
    int port = 0;
    int listener = new_listener(w, 8, &port);
    say(w, "TCP_DEFER_ACCEPT %s", result(set_int(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5)));
    int far = ask_number(w, "connect %d", port);
    say(w, "without data: %s", bits_text(bits_when(listener, POLLIN, 300)));
    (void)ask(w, "send %d 5", far);
    say(w, "with data: %s", bits_text(bits_when(listener, POLLIN, 4000)));
    int fd = accept(listener, NULL, NULL);
    say(w, "and it is there: %s", result(recv(fd, &port, sizeof(port), MSG_DONTWAIT)));
}

const struct row listen_rows[] = {{50, row_50}, {51, row_51}, {53, row_53}, {54, row_54},
                                  {55, row_55}, {56, row_56}, {0, NULL}};
