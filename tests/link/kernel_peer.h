/* The kernel as the other end of a link, and a hand-made TCP that is just enough to exchange
 * super-frames with it: the kernel is 192.0.2.2 and 2001:db8::2, we are ...1, as link_test.h
 * builds frames.
 */
#ifndef KERNEL_PEER_H
#define KERNEL_PEER_H

#include "link_test.h"

#include "link/netns_linux.h"
#include "link/rtnl_linux.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t peer_our_mac[6] = {2, 0, 0, 0, 0, 1};

static inline salut_addr peer_v4(uint8_t last)
{
    return (salut_addr){.b = {[10] = 0xff, [11] = 0xff, 192, 0, 2, last}};
}

static inline salut_addr peer_v6(uint8_t last)
{
    return (salut_addr){.b = {0x20, 1, 0xd, 0xb8, [15] = last}};
}

static inline void peer_fine(enum slt_link_trouble trouble, const struct slt_link_error *error)
{
    if (trouble != SLT_LINK_FINE) {
        fail_msg("%s (%s)", error->sentence, error->remedy);
    }
}

/* Receive until `wanted` likes a frame; it is copied to `out`. False after two seconds. */
struct peer_frame {
    uint8_t bytes[70000];
    uint32_t count;
    struct salut_rx_frame rx;
};

#define PEER_TRIES 100 /* of 10 ms, or a batch of other frames */

static inline bool peer_wait(struct slt_link *link,
                             bool (*wanted)(const uint8_t *frame, uint32_t bytes),
                             struct peer_frame *out)
{
    for (unsigned tries = 0; tries < PEER_TRIES; tries++) {
        struct pollfd poll_fd = {.fd = slt_link_fd(link), .events = POLLIN};
        struct salut_rx_frame rx[64];
        poll(&poll_fd, 1, 10);
        size_t n = slt_link_receive(link, rx, 64, 0);
        bool found = false;
        for (size_t i = 0; i < n && !found; i++) {
            found = wanted(rx[i].data, rx[i].bytes);
            if (found) {
                memcpy(out->bytes, rx[i].data, rx[i].bytes);
                out->count = rx[i].bytes;
                out->rx = rx[i];
            }
        }
        slt_link_release(link);
        if (found) {
            return true;
        }
    }
    return false;
}

static inline bool peer_is_arp_reply(const uint8_t *f, uint32_t bytes)
{
    return bytes >= 42 && test_get16(f + 12) == 0x0806 && test_get16(f + 20) == 2;
}

static inline bool peer_is_echo_reply(const uint8_t *f, uint32_t bytes)
{
    return bytes >= 42 && test_get16(f + 12) == 0x0800 && f[23] == 1 && f[34] == 0;
}

static inline bool peer_is_tcp4(const uint8_t *f, uint32_t bytes)
{
    return bytes >= 54 && test_get16(f + 12) == 0x0800 && f[23] == 6;
}

static inline bool peer_is_tcp6(const uint8_t *f, uint32_t bytes)
{
    return bytes >= 60 && f[0] / 16 == 6 && f[6] == 6;
}

/* The kernel answers an ARP request for its address, and so learns ours. */
static inline void peer_arp(struct slt_link *link, uint8_t kernel_mac[6])
{
    static struct peer_frame got;
    struct salut_tx_frame tx = {.header_bytes = 42};
    memset(tx.header, 0xff, 6);
    memcpy(tx.header + 6, peer_our_mac, 6);
    memcpy(tx.header + 12, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, 1}, 10);
    memcpy(tx.header + 22, peer_our_mac, 6);
    memcpy(tx.header + 28, (uint8_t[]){192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2}, 14);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    assert_true(peer_wait(link, peer_is_arp_reply, &got));
    assert_memory_equal(got.bytes + 28, ((uint8_t[]){192, 0, 2, 2}), 4);
    assert_memory_equal(got.bytes, peer_our_mac, 6);
    memcpy(kernel_mac, got.bytes + 22, 6);
}

static inline void peer_ping(struct slt_link *link, const uint8_t kernel_mac[6])
{
    static struct peer_frame got;
    struct salut_tx_frame tx = {
        .header_bytes = 34, .payload_bytes = 64, .family = 4, .network_offset = 14};
    uint8_t icmp[64] = {8, 0, 0, 0, 0, 5, 0, 9};
    memcpy(icmp + 8, test_payload(), 56);
    test_put16(icmp + 2, 0xffffU - test_sum(0, icmp, 64));
    memcpy(tx.header, kernel_mac, 6);
    memcpy(tx.header + 6, peer_our_mac, 6);
    test_put16(tx.header + 12, 0x0800);
    struct test_tcp t = {.family = 4};
    test_put_ip(&t, tx.header + 14, 64);
    tx.header[14 + 9] = 1;
    test_put16(tx.header + 14 + 10, 0);
    test_put16(tx.header + 14 + 10, 0xffffU - test_sum(0, tx.header + 14, 20));
    /* Two pieces, for the gathering write. */
    tx.piece_count = 2;
    tx.pieces[0] = (struct salut_iovec){icmp, 20};
    tx.pieces[1] = (struct salut_iovec){icmp + 20, 44};
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    assert_true(peer_wait(link, peer_is_echo_reply, &got));
    assert_int_equal(got.count, 98);
    assert_memory_equal(got.bytes + 42, test_payload(), 56);
}

struct peer_tcp {
    struct slt_link *link;
    struct test_tcp segment; /* what is sent next, but for numbers and flags */
    uint8_t kernel_mac[6];
    uint32_t ack;
    struct peer_frame got;
};

static inline void peer_send(struct peer_tcp *p, uint8_t flags)
{
    struct salut_tx_frame tx;
    p->segment.flags = flags;
    p->segment.ack = p->ack;
    test_tcp_frame(&p->segment, &tx);
    if (p->segment.ethernet) {
        memcpy(tx.header, p->kernel_mac, 6);
    }
    assert_int_equal(slt_link_send(p->link, &tx, 1, 0), 1);
}

static inline const uint8_t *peer_expect(struct peer_tcp *p)
{
    bool v4 = p->segment.family == 4;
    assert_true(peer_wait(p->link, v4 ? peer_is_tcp4 : peer_is_tcp6, &p->got));
    return p->got.bytes + (p->segment.ethernet ? 14 : 0) + (v4 ? 20 : 40);
}

/* The first segment: a kernel that has not yet noticed that the device has a carrier drops it. */
static inline const uint8_t *peer_open(struct peer_tcp *p)
{
    bool v4 = p->segment.family == 4;
    for (unsigned tries = 0; tries < 5; tries++) {
        peer_send(p, 0x02);
        if (peer_wait(p->link, v4 ? peer_is_tcp4 : peer_is_tcp6, &p->got)) {
            break;
        }
    }
    return p->got.bytes + (p->segment.ethernet ? 14 : 0) + (v4 ? 20 : 40);
}

static inline int peer_listen(int family)
{
    int on = 1;
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    struct sockaddr *any = family == 4 ? (void *)&any4 : (void *)&any6;
    assert_int_equal(bind(fd, any, family == 4 ? sizeof(any4) : sizeof(any6)), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

/* Lay what one lent frame carries; returns the bytes that were new. */
static inline uint32_t peer_lay(struct peer_tcp *p, const struct salut_rx_frame *rx, uint32_t laid,
                                bool *super)
{
    bool v4 = p->segment.family == 4;
    if (v4 ? !peer_is_tcp4(rx->data, rx->bytes) : !peer_is_tcp6(rx->data, rx->bytes)) {
        return 0;
    }
    const uint8_t *tcp = rx->data + (p->segment.ethernet ? 14 : 0) + (v4 ? 20 : 40);
    uint32_t payload = (uint32_t)(rx->data + rx->bytes - tcp) - 32;
    uint32_t at = test_get32(tcp + 4) - p->ack;
    if (at != laid) {
        return 0; /* sent again */
    }
    assert_memory_equal(tcp + 32, test_payload() + at, payload);
    if (rx->gso_bytes > 0) {
        *super = true;
        assert_int_equal(rx->checksum_valid, 1);
        assert_true(payload > rx->gso_bytes);
    } else {
        assert_true(rx->bytes <= 1514);
    }
    return payload;
}

static inline void peer_collect(struct peer_tcp *p, uint32_t bytes, bool offload)
{
    uint32_t laid = 0;
    bool super = false;
    for (unsigned tries = 0; tries < 300 && laid < bytes; tries++) {
        struct pollfd poll_fd = {.fd = slt_link_fd(p->link), .events = POLLIN};
        struct salut_rx_frame rx[64];
        poll(&poll_fd, 1, 10);
        size_t n = slt_link_receive(p->link, rx, 64, 0);
        for (size_t i = 0; i < n; i++) {
            laid += peer_lay(p, &rx[i], laid, &super);
        }
        slt_link_release(p->link);
    }
    assert_int_equal(laid, bytes);
    assert_int_equal(super, offload);
}

/* Handshake, one super-frame to the kernel, a burst from it, and a reset. */
static inline void peer_exchange(struct peer_tcp *p, bool offload)
{
    static uint8_t read_back[65536];
    const uint32_t bytes = offload ? 40000 : 1000;
    int listener = peer_listen(p->segment.family);
    p->segment.seq = 0xfffffff0U;
    p->segment.partial = offload;
    const uint8_t *tcp = peer_open(p);
    assert_int_equal(tcp[13], 0x12);
    p->ack = test_get32(tcp + 4) + 1;
    p->segment.seq++;
    p->segment.payload_bytes = bytes;
    p->segment.piece_bytes = 4096;
    p->segment.gso_bytes = offload ? 1408 : 0;
    peer_send(p, 0x18);
    struct timeval patience = {.tv_sec = 3};
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    assert_int_equal(recv(fd, read_back, bytes, MSG_WAITALL), bytes);
    assert_memory_equal(read_back, test_payload(), bytes);
    p->segment.seq += bytes;
    assert_int_equal(send(fd, test_payload(), 5000, 0), 5000);
    peer_collect(p, 5000, offload);
    p->segment.payload_bytes = 0;
    p->segment.gso_bytes = 0;
    peer_send(p, 0x14);
    close(fd);
    close(listener);
}

#endif
