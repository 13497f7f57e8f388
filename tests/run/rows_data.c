/* SOCK-70 to SOCK-79: moving bytes (sockets.h). */
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define LARGE (8 << 20)

static void send_large(struct world *w, struct pair *p)
{
    char *data = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) {
        data[i] = (char)(i % 251);
    }
    pid_t pid = fork();
    if (pid == 0) {
        pause_ms(100);
        ssize_t got = ask_number(w, "read %d %d", p->far, LARGE);
        _exit(got == LARGE && strchr(w->reply, ',') == NULL ? 0 : 1);
    }
    say(w, "a blocking send takes all of it: %s", yes(send(p->fd, data, LARGE, 0) == LARGE));
    int status = 1;
    (void)waitpid(pid, &status, 0);
    say(w, "peer: has all of it: %s", yes(status == 0));
    set_nonblock(p->fd, true);
    ssize_t part = send(p->fd, data, LARGE, 0);
    say(w, "non-blocking takes a part: %s", yes(part > 0 && part < LARGE));
    while (send(p->fd, data, LARGE, 0) > 0) {
    }
    say(w, "and then %s", result(send(p->fd, data, LARGE, 0)));
    free(data);
}

static void send_file(struct world *w, struct pair *p)
{
    int file = memfd_create("large", 0);
    char data[251];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)i;
    }
    for (int i = 0; i < 1000; i++) {
        (void)!write(file, data, sizeof(data));
    }
    off_t from = 0;
    say(w, "sendfile %s", result(sendfile(p->fd, file, &from, 251000)));
    say(w, "peer: %s", ask(w, "read %d 251000", p->far));
    int ends[2];
    (void)!pipe(ends);
    (void)ask(w, "send %d 500", p->far);
    (void)wait_bytes(p->fd, 500);
    say(w, "splice %s", result(splice(p->fd, NULL, ends[1], NULL, 500, 0)));
    struct iovec pieces[2] = {{data, 100}, {data + 100, 51}};
    say(w, "writev %s", result(writev(p->fd, pieces, 2)));
    say(w, "peer: %s", ask(w, "read %d 151", p->far));
    (void)close(file);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void row_70(struct world *w)
{
    on_both(w, send_large);
    on_both(w, send_file);
}

static void peek(struct world *w, struct pair *p)
{
    char data[32];
    (void)ask(w, "send %d 20", p->far);
    (void)wait_bytes(p->fd, 20);
    say(w, "MSG_PEEK %s", result(recv(p->fd, data, 10, MSG_PEEK)));
    say(w, "MSG_PEEK %s", result(recv(p->fd, data, 32, MSG_PEEK)));
    say(w, "unread %d", wait_bytes(p->fd, 20));
    ssize_t got = recv(p->fd, data, 32, 0);
    say(w, "recv %s, the first byte %d", result(got), data[0]);
    say(w, "MSG_PEEK when empty %s", result(recv(p->fd, data, 10, MSG_PEEK | MSG_DONTWAIT)));
}

static void row_71(struct world *w)
{
    on_both(w, peek);
}

static void wait_all(struct world *w, struct pair *p)
{
    char data[32];
    pid_t pid = fork();
    if (pid == 0) {
        for (int i = 0; i < 4; i++) {
            (void)ask(w, "send %d 5", p->far);
            pause_ms(50);
        }
        (void)ask(w, "send %d 5", p->far);
        (void)ask(w, "half %d", p->far);
        _exit(0);
    }
    say(w, "MSG_WAITALL %s", result(recv(p->fd, data, 20, MSG_WAITALL)));
    say(w, "to the end %s", result(recv(p->fd, data, 20, MSG_WAITALL)));
    say(w, "behind it %s", result(recv(p->fd, data, 20, MSG_WAITALL)));
    pause_ms(50);
}

static void row_72(struct world *w)
{
    on_both(w, wait_all);
}

static void dont_wait(struct world *w, struct pair *p)
{
    char data[8];
    say(w, "recv %s", result(recv(p->fd, data, 8, MSG_DONTWAIT)));
    say(w, "still blocking: %s", yes((fcntl(p->fd, F_GETFL) & O_NONBLOCK) == 0));
    ssize_t sent = 0;
    char *much = calloc(1, 1 << 20);
    while (sent >= 0) {
        sent = send(p->fd, much, 1 << 20, MSG_DONTWAIT);
    }
    say(w, "send %s", result(sent));
    free(much);
}

static void row_73(struct world *w)
{
    on_both(w, dont_wait);
}

static int at_mark(int fd)
{
    int mark = -1;
    return ioctl(fd, SIOCATMARK, &mark) != 0 ? -1 : mark;
}

static void out_of_band(struct world *w, struct pair *p)
{
    char data[32] = "";
    say(w, "none: %s", result(recv(p->fd, data, 1, MSG_OOB)));
    (void)ask(w, "send %d 5", p->far);
    (void)ask(w, "oob %d", p->far);
    (void)ask(w, "send %d 5", p->far);
    (void)bits_when(p->fd, POLLPRI, 2000);
    pause_ms(50);
    say(w, "at the mark: %d", at_mark(p->fd));
    say(w, "read stops before it: %s", result(read(p->fd, data, 32)));
    say(w, "at the mark: %d", at_mark(p->fd));
    say(w, "MSG_OOB|MSG_PEEK %s", result(recv(p->fd, data, 1, MSG_OOB | MSG_PEEK)));
    ssize_t got = recv(p->fd, data, 1, MSG_OOB);
    say(w, "MSG_OOB %s '%c'", result(got), data[0]);
    say(w, "once: %s", result(recv(p->fd, data, 1, MSG_OOB)));
    say(w, "read goes on behind it: %s", result(read(p->fd, data, 32)));
    say(w, "sent out of band: %s", result(send(p->fd, "ab", 2, MSG_OOB)));
    say(w, "peer reads %s", ask(w, "read %d 1", p->far));
}

static void out_of_band_inline(struct world *w, struct pair *p)
{
    char data[32] = "";
    say(w, "SO_OOBINLINE %s", result(set_int(p->fd, SOL_SOCKET, SO_OOBINLINE, 1)));
    (void)ask(w, "send %d 5", p->far);
    (void)ask(w, "oob %d", p->far);
    (void)bits_when(p->fd, POLLPRI, 2000);
    pause_ms(50);
    say(w, "MSG_OOB %s", result(recv(p->fd, data, 1, MSG_OOB)));
    say(w, "read %s", result(read(p->fd, data, 32)));
    say(w, "at the mark: %d", at_mark(p->fd));
    say(w, "read %s", result(read(p->fd, data, 32)));
}

static void row_74(struct world *w)
{
    on_both(w, out_of_band);
    on_both(w, out_of_band_inline);
}

static void cork(struct world *w, struct pair *p)
{
    say(w, "TCP_CORK %s", result(set_int(p->fd, IPPROTO_TCP, TCP_CORK, 1)));
    (void)send_all(p->fd, 10);
    pause_ms(60);
    (void)set_int(p->fd, IPPROTO_TCP, TCP_CORK, 0);
    say(w, "peer: %s", ask(w, "read %d 10", p->far));
    long began = now_ms();
    say(w, "MSG_MORE %s", result(send(p->fd, "x", 1, MSG_MORE)));
    (void)ask(w, "read %d 1", p->far);
    say(w, "held: %s, at most 200 ms: %s", yes(now_ms() - began > 100),
        yes(now_ms() - began < 400));
}

static void row_75(struct world *w)
{
    on_both(w, cork);
}

static void truncate_data(struct world *w, struct pair *p)
{
    char data[8] = "-";
    (void)ask(w, "send %d 20", p->far);
    (void)wait_bytes(p->fd, 20);
    ssize_t got = recv(p->fd, data, 8, MSG_TRUNC);
    say(w, "MSG_TRUNC %s, the buffer untouched: %s", result(got), yes(data[0] == '-'));
    say(w, "left %d", wait_bytes(p->fd, 12));
}

static void row_76(struct world *w)
{
    on_both(w, truncate_data);
}

static int set_time(int fd, int name, int ms)
{
    struct timeval time = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return setsockopt(fd, SOL_SOCKET, name, &time, sizeof(time));
}

static void timeouts(struct world *w, struct pair *p)
{
    char byte;
    struct timeval time = {0, 0};
    socklen_t bytes = sizeof(time);
    say(w, "SO_RCVTIMEO %s", result(set_time(p->fd, SO_RCVTIMEO, 200)));
    (void)getsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &time, &bytes);
    say(w, "it says %ld.%06ld", (long)time.tv_sec, (long)time.tv_usec);
    long began = now_ms();
    ssize_t got = read(p->fd, &byte, 1);
    say(w, "read %s, after its time: %s", result(got), yes(now_ms() - began >= 190));
    say(w, "SO_SNDTIMEO %s", result(set_time(p->fd, SO_SNDTIMEO, 200)));
    char *much = calloc(1, 1 << 20);
    ssize_t sent = 1 << 20;
    while (sent > 0) {
        sent = send(p->fd, much, 1 << 20, MSG_NOSIGNAL);
    }
    say(w, "a send without room %s", result(sent));
    free(much);
}

static void row_77(struct world *w)
{
    on_both(w, timeouts);
    int fd = new_socket(w, 0);
    (void)set_time(fd, SO_SNDTIMEO, 200);
    say(w, "connect %s", result(start_connect(fd, w->lost, 9)));
    say(w, "again %s", result(start_connect(fd, w->lost, 9)));
    int port = 0;
    union address a;
    socklen_t bytes = sizeof(a);
    int listener = new_listener(w, 1, &port);
    (void)set_time(listener, SO_RCVTIMEO, 200);
    say(w, "accept %s", result(accept(listener, NULL, NULL)));
    say(w, "with an address %s", result(accept(listener, &a.any, &bytes)));
}

static void nothing(struct world *w, struct pair *p)
{
    char byte;
    say(w, "send of nothing %s", result(send(p->fd, "", 0, 0)));
    say(w, "read of nothing %s", result(read(p->fd, &byte, 0)));
    say(w, "recv of nothing, at once %s", result(recv(p->fd, &byte, 0, MSG_DONTWAIT)));
    (void)ask(w, "send %d 5", p->far);
    (void)wait_bytes(p->fd, 5);
    say(w, "recv of nothing, with data %s", result(recv(p->fd, &byte, 0, MSG_DONTWAIT)));
    say(w, "left %d", wait_bytes(p->fd, 5));
}

static void row_78(struct world *w)
{
    on_both(w, nothing);
}

static int outq(int fd, unsigned long request)
{
    int bytes = -1;
    return ioctl(fd, request, &bytes) != 0 ? -1 : bytes;
}

static void counts(struct world *w, struct pair *p)
{
    say(w, "SIOCOUTQ %d", outq(p->fd, SIOCOUTQ));
    (void)ask(w, "send %d 100", p->far);
    say(w, "FIONREAD %d", wait_bytes(p->fd, 100));
    say(w, "SIOCATMARK %d", at_mark(p->fd));
    (void)ask(w, "mute 1");
    (void)send_all(p->fd, 100);
    pause_ms(50);
    say(w, "SIOCOUTQ %d", outq(p->fd, SIOCOUTQ));
    say(w, "SIOCOUTQNSD %d", outq(p->fd, SIOCOUTQNSD));
    (void)ask(w, "mute 0");
    say(w, "peer: %s", ask(w, "read %d 100", p->far));
    for (int i = 0; i < 100 && outq(p->fd, SIOCOUTQ) > 0; i++) {
        pause_ms(20);
    }
    say(w, "SIOCOUTQ %d", outq(p->fd, SIOCOUTQ));
}

static void row_79(struct world *w)
{
    on_both(w, counts);
    int port = 0;
    int listener = new_listener(w, 1, &port);
    int bytes = 0;
    say(w, "listener: FIONREAD %s", result(ioctl(listener, FIONREAD, &bytes)));
}

const struct row data_rows[] = {{70, row_70}, {71, row_71}, {72, row_72}, {73, row_73},
                                {74, row_74}, {75, row_75}, {76, row_76}, {77, row_77},
                                {78, row_78}, {79, row_79}, {0, NULL}};
