/* Kernel sockets; see sockets.h. */
#include "bench/sockets.h"

#include "bench/machine.h"
#include "link/netns_linux.h"
#include "link/rtnl_linux.h"
#include "salut/salut.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct sockaddr_in slt_bench_address(const char *address, uint16_t port)
{
    struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &out.sin_addr);
    return out;
}

/* Where cubic is not to be had, the heading says so (bench.c). */
static int open_socket(struct slt_bench_run *run)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        slt_bench_fail_os(run, "socket");
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5);
    return fd;
}

int slt_bench_socket_listen(struct slt_bench_run *run, const char *address, uint16_t port)
{
    const int on = 1;
    struct sockaddr_in at = slt_bench_address(address, port);
    int fd = open_socket(run);
    if (fd < 0) {
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 4096) < 0) {
        slt_bench_fail_os(run, "listen");
        close(fd);
        return -1;
    }
    return fd;
}

int slt_bench_socket_dial(struct slt_bench_run *run, const char *address, uint16_t port)
{
    struct sockaddr_in to = slt_bench_address(address, port);
    int fd = open_socket(run);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
        slt_bench_fail_os(run, "connect");
        close(fd);
        return -1;
    }
    return fd;
}

int slt_bench_socket_accept(struct slt_bench_run *run, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        slt_bench_fail_os(run, "accept");
    }
    return fd;
}

bool slt_bench_socket_nonblocking(struct slt_bench_run *run, int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0) ||
           slt_bench_fail_os(run, "fcntl");
}

/* ---- virtual Ethernet ----------------------------------------------------------------------- */

static bool set_up_end(const char *name, const char *address, bool offload, const char **what,
                       struct slt_link_error *error)
{
    salut_addr addr;
    *what = error->sentence;
    if (salut_addr_parse(address, &addr) != SALUT_OK ||
        slt_rtnl_add_address(name, &addr, 24, error) != SLT_LINK_FINE) {
        return false;
    }
    if (!offload && !slt_bench_offloads_off(name)) {
        *what = "the offloads of a virtual Ethernet device cannot be switched off";
        return false;
    }
    return slt_rtnl_set_up(name, true, error) == SLT_LINK_FINE;
}

bool slt_bench_veth_switch(struct slt_bench_run *run, const struct slt_bench_veth *veth, bool there)
{
    return slt_netns_return(there ? veth->there_fd : veth->here_fd) ||
           slt_bench_fail_os(run, "setns");
}

bool slt_bench_veth_open(struct slt_bench_run *run, struct slt_bench_veth *veth, bool offload)
{
    struct slt_link_error error = {.trouble = SLT_LINK_FINE};
    const char *what = error.sentence;
    *veth = (struct slt_bench_veth){.here_fd = slt_netns_here(), .there_fd = -1};
    /* The pair is made in the new namespace, and one end moved back. */
    bool made = veth->here_fd >= 0 && slt_netns_enter(&error) == SLT_LINK_FINE &&
                (veth->there_fd = slt_netns_here()) >= 0 &&
                slt_rtnl_make_veth("benchA", "benchB", &error) == SLT_LINK_FINE &&
                slt_rtnl_move("benchA", veth->here_fd, &error) == SLT_LINK_FINE &&
                set_up_end("benchB", "10.74.0.2", offload, &what, &error) &&
                slt_bench_veth_switch(run, veth, false) &&
                set_up_end("benchA", "10.74.0.1", offload, &what, &error);
    if (!made) {
        slt_bench_fail(run, "no virtual Ethernet pair: %s", what);
        slt_bench_veth_close(veth);
    }
    return made;
}

void slt_bench_veth_close(struct slt_bench_veth *veth)
{
    struct slt_link_error error;
    (void)slt_rtnl_remove("benchA", &error); /* and with it the other end */
    if (veth->here_fd >= 0) {
        close(veth->here_fd);
    }
    if (veth->there_fd >= 0) {
        close(veth->there_fd);
    }
}

/* ---- streams -------------------------------------------------------------------------------- */

bool slt_bench_socket_source(int fd, volatile uint64_t *bytes)
{
    struct slt_bench_pattern *pattern = malloc(sizeof(*pattern));
    uint64_t pos = 0;
    if (!pattern) {
        return false;
    }
    slt_bench_pattern_init(pattern);
    for (;;) {
        ssize_t put =
            send(fd, slt_bench_pattern_at(pattern, pos), SLT_BENCH_CHUNK_BYTES, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            break;
        }
        pos += (uint64_t)put;
        *bytes = pos;
    }
    free(pattern);
    return true;
}

bool slt_bench_socket_sink(int fd, volatile uint64_t *bytes)
{
    struct slt_bench_pattern *pattern = malloc(sizeof(*pattern));
    uint8_t *buffer = malloc(SLT_BENCH_CHUNK_BYTES);
    uint64_t pos = 0;
    bool right = pattern && buffer;
    if (right) {
        slt_bench_pattern_init(pattern);
    }
    while (right) {
        ssize_t got = recv(fd, buffer, SLT_BENCH_CHUNK_BYTES, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        right = slt_bench_pattern_holds(pattern, pos, buffer, (size_t)got);
        pos += (uint64_t)got;
        *bytes = pos;
    }
    free(pattern);
    free(buffer);
    return right;
}
