/* The kernel's half: its sockets, and networks of its own for them. */
#ifndef SLT_BENCH_SOCKETS_H
#define SLT_BENCH_SOCKETS_H

#include "bench/measure.h"
#include "bench/pattern.h"

#include <netinet/in.h>

/* 127.0.0.1:port, and so on. */
struct sockaddr_in slt_bench_address(const char *address, uint16_t port);

/* A listening socket with the cubic congestion control, which what it accepts inherits; -1 with
 * the reason in run. */
int slt_bench_socket_listen(struct slt_bench_run *run, const char *address, uint16_t port);

/* A connected socket, blocking; -1. */
int slt_bench_socket_dial(struct slt_bench_run *run, const char *address, uint16_t port);
int slt_bench_socket_accept(struct slt_bench_run *run, int listener);
bool slt_bench_socket_nonblocking(struct slt_bench_run *run, int fd);

/* A network of virtual Ethernet: 10.74.0.1 in the present namespace, 10.74.0.2 in another.
 * slt_bench_veth_switch enters the other one (true) or comes back. */
struct slt_bench_veth {
    int here_fd;
    int there_fd;
};
bool slt_bench_veth_open(struct slt_bench_run *run, struct slt_bench_veth *veth, bool offload);
bool slt_bench_veth_switch(struct slt_bench_run *run, const struct slt_bench_veth *veth,
                           bool there);
void slt_bench_veth_close(struct slt_bench_veth *veth);

/* Send the stream, or receive and verify it, until the other end closes or a byte is wrong
 * (false). `*bytes` counts along, for others to read. */
bool slt_bench_socket_source(int fd, volatile uint64_t *bytes);
bool slt_bench_socket_sink(int fd, volatile uint64_t *bytes);

#endif
