/* Shards: the box between threads, the sorting of frames, and two shards on the queues of a TAP
 * device with the kernel as peer, in a network namespace of this test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/time.h"
#include "link/netns_linux.h"
#include "link/rtnl_linux.h"
#include "salut/shard.h"
#include "sock/shard_box.h"
#include "sock/shard_sort.h"
#include "wire/checksum.h"
#include "wire/tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the box -------------------------------------------------------------------------------- */

enum { WRITERS = 3, LETTERS = 20000 };

struct writer {
    struct slt_shard_box *box;
    uint32_t number;
    uint32_t put;
};

static void *write_letters(void *ctx)
{
    struct writer *w = ctx;
    for (uint32_t i = 0; i < LETTERS; i++) {
        uint32_t words[2] = {w->number, i};
        struct salut_rx_frame frame = {.data = (const uint8_t *)words, .bytes = sizeof(words)};
        struct slt_shard_letter *letter = slt_shard_letter_make(&frame, w->number, false);
        bool first;
        if (letter == NULL || !slt_shard_box_put(w->box, letter, &first)) {
            slt_shard_letter_free(letter);
        } else {
            w->put++;
        }
    }
    return NULL;
}

/* Take what is there; letters of one writer come in the order in which they were put. */
static uint32_t take_letters(struct slt_shard_box *box, uint32_t next[WRITERS])
{
    uint32_t count = 0;
    struct slt_shard_letter *letter = slt_shard_box_take(box);
    while (letter != NULL) {
        struct slt_shard_letter *after = letter->next;
        uint32_t words[2];
        assert_int_equal(letter->frame.bytes, sizeof(words));
        memcpy(words, letter->frame.data, sizeof(words));
        assert_true(words[0] < WRITERS && words[0] == letter->home);
        assert_true(words[1] >= next[words[0]]);
        next[words[0]] = words[1] + 1;
        slt_shard_letter_free(letter);
        letter = after;
        count++;
    }
    return count;
}

static void many_write_one_reads(void **state)
{
    struct slt_shard_box box;
    struct writer writers[WRITERS];
    pthread_t threads[WRITERS];
    uint32_t next[WRITERS] = {0};
    uint32_t put = 0;
    uint32_t taken = 0;
    (void)state;
    slt_shard_box_init(&box);
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.box = &box, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_letters, &writers[i]), 0);
    }
    for (int i = 0; i < 1000; i++) {
        taken += take_letters(&box, next);
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        put += writers[i].put;
    }
    taken += take_letters(&box, next);
    assert_true(put > 0);
    assert_int_equal(taken, put);
    assert_true(slt_shard_box_is_empty(&box));
    assert_int_equal(atomic_load(&box.bytes), 0);
}

static void a_box_has_an_end(void **state)
{
    static uint8_t data[65536];
    struct slt_shard_box box;
    struct salut_rx_frame frame = {.data = data, .bytes = sizeof(data)};
    uint32_t count = 0;
    bool first = false;
    (void)state;
    slt_shard_box_init(&box);
    for (;;) {
        struct slt_shard_letter *letter = slt_shard_letter_make(&frame, 0, true);
        assert_non_null(letter);
        if (!slt_shard_box_put(&box, letter, &first)) {
            slt_shard_letter_free(letter);
            break;
        }
        assert_int_equal(first, count == 0);
        count++;
    }
    assert_true(count > 50 && count <= SLT_SHARD_BOX_BYTES_MAX / sizeof(data));
    slt_shard_box_deinit(&box);
    assert_true(slt_shard_box_is_empty(&box));
}

/* ---- sorting -------------------------------------------------------------------------------- */

/* An IPv4 packet from 192.0.2.2 to 192.0.2.1. */
static uint32_t make_ip4(uint8_t *ip, uint8_t protocol, const uint8_t *payload, uint32_t bytes)
{
    static const uint8_t addresses[8] = {192, 0, 2, 2, 192, 0, 2, 1};
    memset(ip, 0, 20);
    ip[0] = 0x45;
    ip[3] = (uint8_t)(20 + bytes);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, addresses, 8);
    uint16_t sum = slt_checksum_finish(slt_checksum_add(0, ip, 20));
    ip[10] = (uint8_t)(sum >> 8);
    ip[11] = (uint8_t)sum;
    memcpy(ip + 20, payload, bytes);
    return 20 + bytes;
}

static enum slt_shard_way sort_ip4(uint8_t protocol, const uint8_t *payload, uint32_t bytes,
                                   struct slt_tcp_id *id)
{
    uint8_t packet[80];
    struct salut_rx_frame frame = {.data = packet,
                                   .bytes = make_ip4(packet, protocol, payload, bytes)};
    return slt_shard_sort(SALUT_LINK_IP, &frame, id);
}

static void segments_are_sorted(void **state)
{
    struct slt_tcp_id id;
    uint8_t tcp[20] = {0x12, 0x34, 0, 80, [12] = 0x50};
    static const struct {
        uint8_t flags;
        enum slt_shard_way way;
    } rows[] = {{SLT_TCP_SYN, SLT_SHARD_HERE},
                {SLT_TCP_SYN | SLT_TCP_ACK, SLT_SHARD_FLOW},
                {SLT_TCP_ACK, SLT_SHARD_FLOW},
                {SLT_TCP_RST, SLT_SHARD_FLOW},
                {0, SLT_SHARD_FLOW}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        memset(&id, 0, sizeof(id));
        tcp[13] = rows[i].flags;
        assert_int_equal(sort_ip4(IPPROTO_TCP, tcp, 20, &id), rows[i].way);
        if (rows[i].way == SLT_SHARD_FLOW) {
            assert_int_equal(id.local_port, 80);
            assert_int_equal(id.remote_port, 0x1234);
            assert_int_equal(id.local[15], 1);
            assert_int_equal(id.remote[15], 2);
            assert_int_equal(id.local[10], 0xff); /* v4-mapped, as the instance has it */
        }
    }
    assert_int_equal(sort_ip4(IPPROTO_TCP, tcp, 12, &id), SLT_SHARD_HERE); /* cut: malformed */
    uint8_t packet[80];
    struct salut_rx_frame frame = {.data = packet, .bytes = make_ip4(packet, IPPROTO_TCP, tcp, 20)};
    packet[6] = 0x20; /* more fragments, and the checksum put right */
    packet[10] = 0;
    packet[11] = 0;
    uint16_t sum = slt_checksum_finish(slt_checksum_add(0, packet, 20));
    packet[10] = (uint8_t)(sum >> 8);
    packet[11] = (uint8_t)sum;
    assert_int_equal(slt_shard_sort(SALUT_LINK_IP, &frame, &id), SLT_SHARD_NONE);
    packet[11] ^= 1;
    assert_int_equal(slt_shard_sort(SALUT_LINK_IP, &frame, &id), SLT_SHARD_HERE);
}

static void news_for_all_are_sorted(void **state)
{
    static const struct {
        uint8_t type;
        enum slt_shard_way way;
    } four[] = {{0, SLT_SHARD_HERE}, {3, SLT_SHARD_ALL},  {5, SLT_SHARD_HERE},
                {8, SLT_SHARD_HERE}, {11, SLT_SHARD_ALL}, {12, SLT_SHARD_ALL}},
      six[] = {{1, SLT_SHARD_ALL},    {2, SLT_SHARD_ALL},    {3, SLT_SHARD_ALL},
               {4, SLT_SHARD_ALL},    {128, SLT_SHARD_HERE}, {134, SLT_SHARD_ALL},
               {135, SLT_SHARD_HERE}, {136, SLT_SHARD_ALL},  {137, SLT_SHARD_ALL}};
    uint8_t icmp[8] = {0};
    uint8_t packet[48] = {0x60, [5] = 8, [6] = IPPROTO_ICMPV6, [7] = 255};
    struct slt_tcp_id id;
    (void)state;
    for (size_t i = 0; i < sizeof(four) / sizeof(four[0]); i++) {
        icmp[0] = four[i].type;
        assert_int_equal(sort_ip4(IPPROTO_ICMP, icmp, sizeof(icmp), &id), four[i].way);
    }
    for (size_t i = 0; i < sizeof(six) / sizeof(six[0]); i++) {
        struct salut_rx_frame frame = {.data = packet, .bytes = sizeof(packet)};
        packet[40] = six[i].type;
        assert_int_equal(slt_shard_sort(SALUT_LINK_IP, &frame, &id), six[i].way);
    }
    assert_int_equal(sort_ip4(IPPROTO_UDP, icmp, sizeof(icmp), &id), SLT_SHARD_HERE);
}

static void arp_is_sorted(void **state)
{
    uint8_t frame[42] = {[12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1};
    struct salut_rx_frame rx = {.data = frame, .bytes = sizeof(frame)};
    struct slt_tcp_id id;
    (void)state;
    frame[31] = 2; /* from 0.0.0.2, about 0.0.0.1 */
    frame[41] = 1;
    assert_int_equal(slt_shard_sort(SALUT_LINK_ETHERNET, &rx, &id), SLT_SHARD_HERE);
    frame[21] = 2; /* a reply */
    assert_int_equal(slt_shard_sort(SALUT_LINK_ETHERNET, &rx, &id), SLT_SHARD_ALL);
    frame[21] = 1;
    frame[41] = 2; /* an announcement */
    assert_int_equal(slt_shard_sort(SALUT_LINK_ETHERNET, &rx, &id), SLT_SHARD_ALL);
    rx.bytes = 10;
    assert_int_equal(slt_shard_sort(SALUT_LINK_ETHERNET, &rx, &id), SLT_SHARD_HERE);
}

/* ---- the kernel as peer --------------------------------------------------------------------- */

enum { SHARDS = 2, PASSIVE = 200, ACTIVE = 20, BYTES = 30000 };

#define ECHO_PORT   7
#define KERNEL_PORT 5000
/* Longer than the kernel remembers where a connection belongs: 3 s, looked at every 3 s. */
#define SILENCE_S 7

struct shard_state {
    struct salut_shard *shard;
    salut_listener listener;
    uint32_t accepted;
    uint32_t failed;
};

struct net {
    struct salut_shards *shards;
    struct shard_state states[SHARDS];
    int listener;        /* the kernel's */
    const char *trouble; /* NULL: all went well */
};

static salut_addr v4(uint8_t last)
{
    return (salut_addr){.b = {[10] = 0xff, [11] = 0xff, 192, 0, 2, last}};
}

static salut_addr v6(uint8_t last)
{
    return (salut_addr){.b = {0x20, 1, 0xd, 0xb8, [15] = last}};
}

static void echo(struct shard_state *s, struct salut_stack *stack, salut_conn conn)
{
    struct salut_iovec pieces[16];
    size_t count = 0;
    size_t bytes = 0;
    size_t accepted = 0;
    enum salut_status status;
    while ((status = salut_peek(stack, conn, pieces, 16, &count, &bytes)) == SALUT_OK) {
        if (salut_sendv(stack, conn, pieces, count, 0, &accepted) != SALUT_OK) {
            (void)salut_set_interest(stack, conn, SALUT_WRITABLE | SALUT_ENDED);
            return;
        }
        (void)salut_consume(stack, conn, accepted);
    }
    if (status != SALUT_WOULD_BLOCK && status != SALUT_IN_PROGRESS) {
        s->failed += status != SALUT_END;
        (void)salut_close(stack, conn);
        return;
    }
    (void)salut_set_interest(stack, conn, SALUT_READABLE | SALUT_ENDED);
}

static void on_event(void *user, struct salut_stack *stack, const struct salut_event *event)
{
    struct shard_state *s = user;
    salut_conn conn;
    if (event->conn.index != SALUT_NO_INDEX) {
        echo(s, stack, event->conn);
        return;
    }
    while (salut_accept(stack, s->listener, 0, &conn) == SALUT_OK) {
        s->accepted++;
        echo(s, stack, conn);
    }
}

static enum salut_status set_up_shard(void *ctx, struct salut_shard *shard)
{
    struct net *net = ctx;
    struct shard_state *s = &net->states[shard->index];
    struct salut_listen_params listen = {.port = ECHO_PORT, .backlog = 256};
    struct salut_connect_params connect = {.remote = v4(2), .remote_port = KERNEL_PORT};
    salut_addr own4 = v4(1);
    salut_addr own6 = v6(1);
    s->shard = shard;
    shard->user = s;
    enum salut_status status = salut_add_address(shard->stack, &own4, 24);
    status = status == SALUT_OK ? salut_add_address(shard->stack, &own6, 64) : status;
    status = status == SALUT_OK ? salut_listen(shard->stack, &listen, &s->listener) : status;
    for (int i = 0; i < ACTIVE && status == SALUT_OK; i++) {
        salut_conn conn;
        status = salut_connect(shard->stack, &connect, &conn);
        if (status == SALUT_OK) {
            (void)salut_set_interest(shard->stack, conn, SALUT_READABLE | SALUT_ENDED);
        }
    }
    return status;
}

static bool move_all(int fd, char *data, size_t bytes, bool sends)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t n = sends ? send(fd, data + done, bytes - done, MSG_NOSIGNAL)
                          : recv(fd, data + done, bytes - done, 0);
        if (n <= 0) {
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

/* Send something of its own through a connection, and have it back. */
static bool exchange(int fd, int number, size_t bytes)
{
    static char sent[BYTES];
    static char back[BYTES];
    for (size_t i = 0; i < bytes; i++) {
        sent[i] = (char)(i * 7 + (i >> 8) + (size_t)number * 31);
    }
    memset(back, 0, bytes);
    return move_all(fd, sent, bytes, true) && move_all(fd, back, bytes, false) &&
           memcmp(sent, back, bytes) == 0;
}

static int connect_to_shards(bool six)
{
    struct timeval limit = {.tv_sec = 20};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(ECHO_PORT)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT)};
    salut_addr a6 = v6(1);
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
    (void)inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    memcpy(&in6.sin6_addr, a6.b, 16);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    int result = six ? connect(fd, (const struct sockaddr *)&in6, sizeof(in6))
                     : connect(fd, (const struct sockaddr *)&in, sizeof(in));
    if (result != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Connections of the kernel's, all open at once. */
static const char *kernel_connects(void)
{
    static int fds[PASSIVE];
    for (int i = 0; i < PASSIVE; i++) {
        fds[i] = connect_to_shards(i % 2 != 0);
        if (fds[i] < 0) {
            return "the kernel cannot connect";
        }
    }
    for (int i = 0; i < PASSIVE; i++) {
        if (!exchange(fds[i], i, BYTES)) {
            return "what comes back is not what was sent";
        }
    }
    for (int i = 0; i < PASSIVE; i++) {
        (void)close(fds[i]);
    }
    return NULL;
}

/* Connections of the shards', which the kernel leaves alone until it has forgotten whose they are.
 */
static const char *shards_connected(const struct net *net)
{
    static int fds[SHARDS * ACTIVE];
    struct timeval limit = {.tv_sec = 20};
    for (int i = 0; i < SHARDS * ACTIVE; i++) {
        struct pollfd wanted = {.fd = net->listener, .events = POLLIN};
        if (poll(&wanted, 1, 20000) != 1) {
            return "a shard does not connect";
        }
        fds[i] = accept(net->listener, NULL, NULL);
        (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    }
    (void)sleep(SILENCE_S);
    for (int i = 0; i < SHARDS * ACTIVE; i++) {
        if (!exchange(fds[i], i, 3000)) {
            return "a connection of a shard's does not live through silence";
        }
    }
    for (int i = 0; i < SHARDS * ACTIVE; i++) {
        (void)close(fds[i]);
    }
    return NULL;
}

/* An acknowledgement of nothing: who gets it asks the others, then answers with a reset. */
static const char *nobody_knows(void)
{
    uint8_t tcp[20] = {0x30, 0x39, 0, ECHO_PORT, [11] = 77, [12] = 0x50, SLT_TCP_ACK, 1, 0};
    salut_addr us = v4(2);
    salut_addr them = v4(1);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct timeval limit = {.tv_sec = 5};
    uint8_t packet[256];
    (void)inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
    uint32_t sum = slt_checksum_pseudo(us.b, them.b, IPPROTO_TCP, sizeof(tcp));
    uint16_t field = slt_checksum_finish(slt_checksum_add(sum, tcp, sizeof(tcp)));
    tcp[16] = (uint8_t)(field >> 8);
    tcp[17] = (uint8_t)field;
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_TCP);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if (sendto(fd, tcp, sizeof(tcp), 0, (const struct sockaddr *)&in, sizeof(in)) != sizeof(tcp)) {
        return "no raw socket";
    }
    ssize_t n;
    while ((n = recv(fd, packet, sizeof(packet), 0)) >= 40) {
        if (packet[22] == 0x30 && packet[23] == 0x39) {
            (void)close(fd);
            return (packet[33] & SLT_TCP_RST) != 0 && packet[27] == 77 ? NULL : "not a reset";
        }
    }
    (void)close(fd);
    return "nobody answers a segment of no connection";
}

static void *be_the_kernel(void *ctx)
{
    struct net *net = ctx;
    net->trouble = kernel_connects();
    net->trouble = net->trouble == NULL ? shards_connected(net) : net->trouble;
    net->trouble = net->trouble == NULL ? nobody_knows() : net->trouble;
    salut_shards_stop(net->shards);
    return NULL;
}

static bool set_up_kernel(struct net *net)
{
    struct slt_link_error error;
    const char *name = salut_shards_interface(net->shards);
    salut_addr kernel4 = v4(2);
    salut_addr kernel6 = v6(2);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(KERNEL_PORT)};
    net->listener = socket(AF_INET, SOCK_STREAM, 0);
    return slt_rtnl_add_address(name, &kernel4, 24, &error) == SLT_LINK_FINE &&
           slt_rtnl_add_address(name, &kernel6, 64, &error) == SLT_LINK_FINE &&
           slt_rtnl_set_up(name, true, &error) == SLT_LINK_FINE &&
           bind(net->listener, (const struct sockaddr *)&in, sizeof(in)) == 0 &&
           listen(net->listener, 256) == 0;
}

static const char *judge(const struct net *net)
{
    struct salut_shard_counters sum = {0};
    uint32_t accepted = 0;
    for (uint32_t i = 0; i < SHARDS; i++) {
        struct salut_shard_counters c;
        const struct shard_state *s = &net->states[i];
        salut_shards_counters(net->shards, i, &c);
        (void)fprintf(stderr,
                      "shard %u: %u accepted; %llu copied, %llu strays, %llu adopted, %llu "
                      "returned, %llu lost\n",
                      i, s->accepted, (unsigned long long)c.copied, (unsigned long long)c.strays,
                      (unsigned long long)c.adopted, (unsigned long long)c.returned,
                      (unsigned long long)c.lost);
        if (s->accepted == 0) {
            return "a shard got no connection";
        }
        if (s->failed != 0) {
            return "a connection failed";
        }
        if (salut_check(s->shard->stack) != NULL) {
            return salut_check(s->shard->stack);
        }
        accepted += s->accepted;
        sum.copied += c.copied;
        sum.adopted += c.adopted;
        sum.returned += c.returned;
        sum.lost += c.lost;
    }
    if (accepted != PASSIVE) {
        return "not every connection was accepted once";
    }
    if (sum.adopted == 0) {
        return "no stray was adopted: the kernel still knew them all";
    }
    return sum.copied == 0     ? "nothing was told to all"
           : sum.returned == 0 ? "no stray came home"
           : sum.lost != 0     ? "a box was full"
                               : NULL;
}

enum { WENT_WELL, WENT_WRONG, NOT_HERE };

static int run_in_namespace(void *ctx)
{
    struct net net = {.trouble = NULL};
    struct salut_shards_params params = {.count = SHARDS,
                                         .link = {.device = SALUT_DEVICE_TAP},
                                         .setup = set_up_shard,
                                         .on_event = on_event,
                                         .ctx = &net};
    char why[256];
    pthread_t thread;
    (void)ctx;
    enum salut_status status = salut_shards_create(&params, &net.shards, why, sizeof(why));
    if (status != SALUT_OK) {
        (void)fprintf(stderr, "skipped: %s\n", why);
        return NOT_HERE;
    }
    if (!set_up_kernel(&net) || pthread_create(&thread, NULL, be_the_kernel, &net) != 0) {
        return WENT_WRONG;
    }
    status = salut_shards_run(net.shards);
    (void)pthread_join(thread, NULL);
    net.trouble = net.trouble == NULL ? judge(&net) : net.trouble;
    if (status != SALUT_OK || net.trouble != NULL) {
        (void)fprintf(stderr, "%s; %s\n", salut_status_text(status),
                      net.trouble == NULL ? "" : net.trouble);
        return WENT_WRONG;
    }
    salut_shards_destroy(net.shards);
    (void)close(net.listener);
    return WENT_WELL;
}

static void the_kernel_as_peer(void **state)
{
    struct slt_link_error error;
    int result = -1;
    (void)state;
    enum slt_link_trouble trouble = slt_netns_run(run_in_namespace, NULL, &result, &error);
    if (trouble == SLT_LINK_NO_PRIVILEGE || (trouble == SLT_LINK_FINE && result == NOT_HERE)) {
        skip();
    }
    assert_int_equal(trouble, SLT_LINK_FINE);
    assert_int_equal(result, WENT_WELL);
}

/* ---- what is refused ------------------------------------------------------------------------ */

static enum salut_status refuse(void *ctx, struct salut_shard *shard)
{
    int *calls = ctx;
    (*calls)++;
    assert_int_equal(shard->count, 1);
    return SALUT_NOT_SUPPORTED;
}

static void what_cannot_be(void **state)
{
    struct salut_shards *shards = NULL;
    char why[256] = "";
    int calls = 0;
    struct salut_shards_params params = {
        .count = 2, .link = {.device = SALUT_DEVICE_LOOP}, .setup = refuse, .ctx = &calls};
    (void)state;
    assert_int_equal(salut_shards_create(&params, &shards, why, sizeof(why)), SALUT_INVALID);
    assert_non_null(strstr(why, "queues"));
    params.count = 0;
    assert_int_equal(salut_shards_create(&params, &shards, why, sizeof(why)), SALUT_INVALID);
    params = (struct salut_shards_params){
        .count = 2, .link = {.device = SALUT_DEVICE_TAP, .capture = "x"}, .setup = refuse};
    assert_int_equal(salut_shards_create(&params, &shards, why, sizeof(why)), SALUT_INVALID);
    /* One shard runs on anything; a setup that refuses ends it. */
    params = (struct salut_shards_params){
        .count = 1, .link = {.device = SALUT_DEVICE_LOOP}, .setup = refuse, .ctx = &calls};
    assert_int_equal(salut_shards_create(&params, &shards, why, sizeof(why)), SALUT_OK);
    assert_int_equal(salut_shards_run(shards), SALUT_NOT_SUPPORTED);
    assert_int_equal(calls, 1);
    salut_shards_destroy(shards);
    salut_shards_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_as_peer), /* first: it forks, and there are no threads yet */
        cmocka_unit_test(many_write_one_reads), cmocka_unit_test(a_box_has_an_end),
        cmocka_unit_test(segments_are_sorted),  cmocka_unit_test(news_for_all_are_sorted),
        cmocka_unit_test(arp_is_sorted),        cmocka_unit_test(what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
