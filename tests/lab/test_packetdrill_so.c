/* libsalut-packetdrill.so, driven through its table the way packetdrill drives it: loaded with
 * dlopen, packets through netdev_send and netdev_receive, a blocking call on a second thread that
 * is first seen asleep, the time asked for right after it returns.
 */
#include "lab/packetdrill_so.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

typedef void init_fn(const char *, struct packetdrill_interface *);

static init_fn *init;
static const uint8_t OURS[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, 168, 7, 7};
static const uint8_t PEER[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, 0, 2, 1};

static int load_library(void **state)
{
    char path[4096];
    const char *wanted = getenv("SALUT_PACKETDRILL_SO");
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof(path) - 64);

    (void)state;
    for (int up = 0; up < 3 && bytes > 0; up++) {
        while (bytes > 0 && path[bytes - 1] != '/') {
            bytes--;
        }
        bytes--;
    }
    snprintf(path + (bytes > 0 ? bytes : 0), 64, "/libsalut-packetdrill.so");
    void *library = dlopen(wanted ? wanted : path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        printf("%s\n", dlerror());
        return -1;
    }
    void *symbol = dlsym(library, "packetdrill_interface_init");
    memcpy(&init, &symbol, sizeof(init));
    return init ? 0 : -1;
}

static struct packetdrill_interface begin(const char *flags)
{
    struct packetdrill_interface ifc;
    init(flags, &ifc);
    void *const *pointers = (void *const *)&ifc;
    for (size_t i = 0; i < 33; i++) {
        assert_non_null(pointers[i]);
    }
    return ifc;
}

static int64_t now_us(struct packetdrill_interface *ifc)
{
    struct timeval tv;
    assert_int_equal(ifc->gettimeofday(ifc->userdata, &tv, NULL), 0);
    return (int64_t)tv.tv_sec * 1000000 + tv.tv_usec;
}

static void send_in(struct packetdrill_interface *ifc, struct slt_tcp_segment seg, uint32_t payload)
{
    uint8_t packet[2000] = {0};
    uint8_t *tcp = packet + SLT_IPV4_HEADER_BYTES;
    struct slt_writer w = slt_writer_of(tcp, 60);
    uint32_t bytes = slt_tcp_emit(&seg, &w) + payload;
    uint32_t sum = slt_checksum_pseudo(PEER, OURS, SLT_IP_PROTOCOL_TCP, bytes);
    uint16_t checksum = slt_checksum_finish(slt_checksum_add(sum, tcp, bytes));
    struct slt_ipv4 ip = {.ttl = 64, .protocol = SLT_IP_PROTOCOL_TCP, .payload_bytes = bytes};

    tcp[16] = (uint8_t)(checksum >> 8);
    tcp[17] = (uint8_t)checksum;
    memcpy(ip.src, PEER, 16);
    memcpy(ip.dst, OURS, 16);
    w = slt_writer_of(packet, SLT_IPV4_HEADER_BYTES);
    slt_ipv4_emit(&ip, &w);
    assert_int_equal(ifc->netdev_send(ifc->userdata, packet, SLT_IPV4_HEADER_BYTES + bytes), 0);
}

/* The next packet out; bytes 0 when none comes any more. */
static struct slt_tcp_segment take_out(struct packetdrill_interface *ifc, int64_t *at_us)
{
    static uint8_t packet[65536];
    struct slt_tcp_segment seg = {0};
    struct slt_ipv4 ip;
    size_t bytes = sizeof(packet);
    long long at;

    assert_int_equal(ifc->netdev_receive(ifc->userdata, packet, &bytes, &at), 0);
    *at_us = at;
    if (bytes == 0) {
        return seg;
    }
    assert_int_equal(slt_ipv4_parse((struct slt_span){packet, (uint32_t)bytes}, &ip), SLT_PASS);
    assert_int_equal(slt_tcp_parse((struct slt_span){ip.payload, ip.payload_bytes}, &seg),
                     SLT_PASS);
    return seg;
}

static struct sockaddr_in address_of(const uint8_t address[16], uint16_t port)
{
    struct sockaddr_in in4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&in4.sin_addr, address + 12, 4);
    return in4;
}

static struct slt_tcp_segment from_peer(uint16_t flags, uint32_t seq, uint32_t ack)
{
    return (struct slt_tcp_segment){.src_port = 40000,
                                    .dst_port = 8080,
                                    .seq = seq,
                                    .ack = ack,
                                    .flags = flags,
                                    .window = 30000};
}

static int listen_on_8080(struct packetdrill_interface *ifc)
{
    struct sockaddr_in ours = address_of(OURS, 8080);
    int fd = ifc->socket(ifc->userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);

    assert_true(fd >= 0);
    assert_int_equal(ifc->bind(ifc->userdata, fd, (struct sockaddr *)&ours, sizeof(ours)), 0);
    assert_int_equal(ifc->listen(ifc->userdata, fd, 1), 0);
    return fd;
}

/* Open passively; returns the accepted descriptor and our initial sequence number. */
static int open_passively(struct packetdrill_interface *ifc, int listener, uint32_t *isn)
{
    struct sockaddr_in peer;
    socklen_t bytes = sizeof(peer);
    int64_t at;

    send_in(ifc, from_peer(SLT_TCP_SYN, 100, 0), 0);
    struct slt_tcp_segment seg = take_out(ifc, &at);
    assert_int_equal(seg.flags, SLT_TCP_SYN | SLT_TCP_ACK);
    assert_int_equal(seg.ack, 101);
    *isn = seg.seq;
    send_in(ifc, from_peer(SLT_TCP_ACK, 101, seg.seq + 1), 0);
    int fd = ifc->accept(ifc->userdata, listener, (struct sockaddr *)&peer, &bytes);
    assert_true(fd >= 0);
    assert_int_equal(bytes, sizeof(peer));
    assert_int_equal(ntohs(peer.sin_port), 40000);
    assert_memory_equal(&peer.sin_addr, PEER + 12, 4);
    return fd;
}

static void test_passive(void **state)
{
    struct packetdrill_interface ifc = begin(NULL);
    char data[1000] = {0};
    uint32_t isn;
    int64_t at;
    int listener = listen_on_8080(&ifc);
    int fd = open_passively(&ifc, listener, &isn);

    (void)state;
    errno = 0;
    assert_int_equal(ifc.read(ifc.userdata, fd, data, sizeof(data)), -1); /* main never blocks */
    assert_int_equal(errno, EAGAIN);
    send_in(&ifc, from_peer(SLT_TCP_ACK | SLT_TCP_PSH, 101, isn + 1), 500);
    struct slt_tcp_segment seg = take_out(&ifc, &at);
    assert_int_equal(seg.ack, 601);
    assert_int_equal(ifc.read(ifc.userdata, fd, data, sizeof(data)), 500);
    assert_int_equal(ifc.write(ifc.userdata, fd, data, 300), 300);
    seg = take_out(&ifc, &at);
    assert_int_equal(seg.payload_bytes, 300);
    assert_true(seg.flags & SLT_TCP_PSH);
    send_in(&ifc, from_peer(SLT_TCP_ACK, 601, isn + 301), 0);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
    seg = take_out(&ifc, &at);
    assert_true(seg.flags & SLT_TCP_FIN);
    send_in(&ifc, from_peer(SLT_TCP_ACK | SLT_TCP_FIN, 601, isn + 302), 0);
    seg = take_out(&ifc, &at);
    assert_int_equal(seg.ack, 602);
    /* The final reset that packetdrill injects, and then nothing more comes, ever. */
    send_in(&ifc, from_peer(SLT_TCP_RST, 602, 0), 0);
    seg = take_out(&ifc, &at);
    assert_int_equal(seg.flags, 0);
    ifc.free(ifc.userdata);
    assert_int_equal(close(listener), 0); /* a descriptor left open is a real one */
}

static void test_time(void **state)
{
    struct packetdrill_interface ifc = begin("local_ip=192.168.7.7,tcp_syn_retries=2");
    struct sockaddr_in peer = address_of(PEER, 8080);
    int64_t begun = now_us(&ifc);
    int64_t at[3];

    (void)state;
    assert_true(now_us(&ifc) > begun);
    assert_int_equal(ifc.usleep(ifc.userdata, 5000000), 0);
    assert_in_range(now_us(&ifc) - begun, 5000000, 5000100);
    int fd = ifc.socket(ifc.userdata, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(ifc.fcntl(ifc.userdata, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    assert_int_equal(ifc.connect(ifc.userdata, fd, (struct sockaddr *)&peer, sizeof(peer)), -1);
    assert_int_equal(errno, EINPROGRESS);
    for (int i = 0; i < 3; i++) {
        struct slt_tcp_segment seg = take_out(&ifc, &at[i]);
        assert_int_equal(seg.flags, SLT_TCP_SYN);
        assert_int_equal(seg.dst_port, 8080);
    }
    assert_in_range(at[1] - at[0], 999000, 1001000);
    assert_in_range(at[2] - at[1], 1999000, 2001000);
    int error = 0;
    socklen_t bytes = sizeof(error);
    assert_int_equal(take_out(&ifc, &at[0]).flags, 0);
    assert_int_equal(ifc.getsockopt(ifc.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
    assert_int_equal(bytes, sizeof(error));
    assert_int_equal(error, ETIMEDOUT);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
    ifc.free(ifc.userdata);
}

/* ---- the second thread ----------------------------------------------------------------------- */

struct blocked_call {
    struct packetdrill_interface *ifc;
    int fd;
    int timeout_ms; /* 0: connect, else poll */
    _Atomic pid_t tid;
    int result;
    int error;
    int64_t returned_us;
};

static void *run_blocked(void *arg)
{
    struct blocked_call *call = arg;
    struct sockaddr_in peer = address_of(PEER, 8080);
    struct pollfd poll_fd = {.fd = call->fd, .events = POLLIN};

    call->tid = (pid_t)syscall(SYS_gettid);
    if (call->timeout_ms > 0) {
        call->result = call->ifc->poll(call->ifc->userdata, &poll_fd, 1, call->timeout_ms);
    } else {
        call->result = call->ifc->connect(call->ifc->userdata, call->fd, (struct sockaddr *)&peer,
                                          sizeof(peer));
    }
    call->error = errno;
    call->returned_us = now_us(call->ifc);
    return NULL;
}

/* packetdrill spins until the kernel says that the thread sleeps. */
static void wait_asleep(const struct blocked_call *call)
{
    char path[64];
    char text[256];

    for (int i = 0; i < 5000; i++) {
        usleep(1000);
        pid_t tid = call->tid;
        if (tid == 0) {
            continue;
        }
        snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)tid);
        FILE *in = fopen(path, "r");
        char *mark = in && fgets(text, sizeof(text), in) ? strrchr(text, ')') : NULL;
        bool asleep = mark && mark[2] == 'S';
        if (in) {
            fclose(in);
        }
        if (asleep) {
            return;
        }
    }
    fail_msg("the blocked call does not sleep");
}

static void test_blocking_connect(void **state)
{
    struct packetdrill_interface ifc = begin("local_ip=192.168.7.7");
    struct blocked_call call = {.ifc = &ifc};
    pthread_t thread;
    int64_t at;

    (void)state;
    call.fd = ifc.socket(ifc.userdata, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(pthread_create(&thread, NULL, run_blocked, &call), 0);
    wait_asleep(&call);
    struct slt_tcp_segment syn = take_out(&ifc, &at);
    assert_int_equal(syn.flags, SLT_TCP_SYN);
    ifc.usleep(ifc.userdata, 100000);
    struct slt_tcp_segment answer = from_peer(SLT_TCP_SYN | SLT_TCP_ACK, 500, syn.seq + 1);
    answer.src_port = 8080;
    answer.dst_port = syn.src_port;
    int64_t before = now_us(&ifc);
    send_in(&ifc, answer, 0);
    /* The call has returned, and its thread has asked for the time, before this went on. */
    int64_t after = now_us(&ifc);
    ifc.usleep(ifc.userdata, 1000000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(call.result, 0);
    assert_in_range(call.returned_us, before, after);
    assert_int_equal(take_out(&ifc, &at).flags, SLT_TCP_ACK);
    ifc.free(ifc.userdata);
    close(call.fd);
}

static void test_blocking_alone(void **state)
{
    struct packetdrill_interface ifc = begin(NULL);
    struct blocked_call call = {.ifc = &ifc, .timeout_ms = 40};
    pthread_t thread;

    (void)state;
    call.fd = listen_on_8080(&ifc);
    int64_t before = now_us(&ifc);
    assert_int_equal(pthread_create(&thread, NULL, run_blocked, &call), 0);
    wait_asleep(&call);
    /* Nobody moves the clock: the blocked call does, after a while of real time. */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(call.result, 0);
    assert_in_range(call.returned_us - before, 40000, 40100);
    ifc.free(ifc.userdata);
    close(call.fd);
}

static void test_blocking_passed(void **state)
{
    struct packetdrill_interface ifc = begin(NULL);
    struct blocked_call call = {.ifc = &ifc, .timeout_ms = 40};
    pthread_t thread;

    (void)state;
    call.fd = listen_on_8080(&ifc);
    int64_t before = now_us(&ifc);
    assert_int_equal(pthread_create(&thread, NULL, run_blocked, &call), 0);
    wait_asleep(&call);
    ifc.usleep(ifc.userdata, 500000); /* goes past the timeout, which happens in its time */
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(call.returned_us - before, 40000, 40100);
    ifc.free(ifc.userdata);
    close(call.fd);
}

/* ---- settings -------------------------------------------------------------------------------- */

static void append(const char *path, const char *line)
{
    FILE *out = fopen(path, "a");
    assert_non_null(out);
    fputs(line, out);
    fclose(out);
}

static void test_settings_file(void **state)
{
    char path[] = "/tmp/salut-settings-XXXXXX";
    char flags[128];
    int file = mkstemp(path);
    uint32_t isn;
    int64_t at;

    (void)state;
    assert_true(file >= 0);
    close(file);
    snprintf(flags, sizeof(flags), "mtu=1000,settings_file=%s", path);
    struct packetdrill_interface ifc = begin(flags);
    append(path, "net.ipv4.tcp_window_scaling=0\n");
    int listener = listen_on_8080(&ifc);
    struct slt_tcp_segment syn = from_peer(SLT_TCP_SYN, 100, 0);
    syn.opt.present = SLT_TCP_OPT_MSS | SLT_TCP_OPT_WSCALE;
    syn.opt.mss = 900;
    send_in(&ifc, syn, 0);
    struct slt_tcp_segment seg = take_out(&ifc, &at);
    assert_int_equal(seg.opt.present, SLT_TCP_OPT_MSS);
    assert_int_equal(seg.opt.mss, 960);
    send_in(&ifc, from_peer(SLT_TCP_RST, 101, 0), 0);
    /* ... and again, while the instance runs. */
    append(path, "net.ipv4.tcp_synack_retries=0\n");
    syn.src_port = 40001;
    send_in(&ifc, syn, 0);
    assert_int_equal(take_out(&ifc, &at).flags, SLT_TCP_SYN | SLT_TCP_ACK);
    assert_int_equal(take_out(&ifc, &at).flags, 0);
    int fd = open_passively(&ifc, listener, &isn);
    assert_int_equal(ifc.close(ifc.userdata, fd), 0);
    ifc.free(ifc.userdata);
    close(listener);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passive),          cmocka_unit_test(test_time),
        cmocka_unit_test(test_blocking_connect), cmocka_unit_test(test_blocking_alone),
        cmocka_unit_test(test_blocking_passed),  cmocka_unit_test(test_settings_file),
    };
    return cmocka_run_group_tests(tests, load_library, NULL);
}
