/* Frames for the tests of links, and a judge of wire frames that shares no code with the library:
 * it reads byte by byte and sums word by word.
 */
#ifndef LINK_TEST_H
#define LINK_TEST_H

#include "link/link.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEST_PAYLOAD_MAX 70000U

struct test_tcp {
    int family;
    bool ethernet;
    uint32_t seq;
    uint32_t ack; /* 0: 77 */
    uint8_t flags;
    uint16_t urgent;
    uint32_t payload_bytes;
    uint32_t piece_bytes; /* the payload is given in pieces of this size; 0: one */
    uint16_t gso_bytes;
    bool partial;
    bool extension; /* IPv6: a hop-by-hop header first */
};

static inline uint8_t test_byte(uint32_t pos)
{
    return (uint8_t)(pos * 7 + (pos >> 8) * 13 + 3);
}

static inline const uint8_t *test_payload(void)
{
    static uint8_t bytes[TEST_PAYLOAD_MAX];
    if (bytes[1] == 0) {
        for (uint32_t i = 0; i < TEST_PAYLOAD_MAX; i++) {
            bytes[i] = test_byte(i);
        }
    }
    return bytes;
}

static inline uint32_t test_get16(const uint8_t *p)
{
    return (uint32_t)p[0] * 256U + p[1];
}

static inline uint32_t test_get32(const uint8_t *p)
{
    return test_get16(p) * 65536U + test_get16(p + 2);
}

static inline void test_put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v / 256U);
    p[1] = (uint8_t)(v % 256U);
}

static inline void test_put32(uint8_t *p, uint32_t v)
{
    test_put16(p, v / 65536U);
    test_put16(p + 2, v % 65536U);
}

/* One's complement sum of words, carries folded at once. */
static inline uint32_t test_sum(uint32_t sum, const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        sum += (i % 2 == 0) ? (uint32_t)p[i] * 256U : p[i];
        sum = sum % 65536U + sum / 65536U;
    }
    return sum;
}

static inline uint32_t test_pseudo(int family, const uint8_t *ip, uint32_t protocol,
                                   uint32_t length)
{
    uint32_t sum = family == 4 ? test_sum(0, ip + 12, 8) : test_sum(0, ip + 8, 32);
    sum += protocol + length % 65536U + length / 65536U;
    sum = sum % 65536U + sum / 65536U;
    return sum % 65536U + sum / 65536U;
}

static inline uint32_t test_put_ip(const struct test_tcp *t, uint8_t *ip, uint32_t after_bytes)
{
    if (t->family == 4) {
        memset(ip, 0, 20);
        ip[0] = 0x45;
        test_put16(ip + 2, 20 + after_bytes);
        test_put16(ip + 4, 0xfffe); /* identification: wraps in a long super-frame */
        ip[6] = 0x40;
        ip[8] = 64;
        ip[9] = 6;
        memcpy(ip + 12, (uint8_t[]){192, 0, 2, 1, 192, 0, 2, 2}, 8);
        test_put16(ip + 10, 0xffffU - test_sum(0, ip, 20));
        return 20;
    }
    uint32_t extension = t->extension ? 8 : 0;
    memset(ip, 0, 48);
    ip[0] = 0x60;
    test_put16(ip + 4, after_bytes + extension);
    ip[6] = t->extension ? 0 : 6;
    ip[7] = 64;
    memcpy(ip + 8, (uint8_t[]){0x20, 1, 0xd, 0xb8}, 4);
    ip[23] = 1;
    memcpy(ip + 24, (uint8_t[]){0x20, 1, 0xd, 0xb8}, 4);
    ip[39] = 2;
    if (t->extension) {
        memcpy(ip + 40, (uint8_t[]){6, 0, 1, 4, 0, 0, 0, 0}, 8); /* PadN */
    }
    return 40 + extension;
}

static inline void test_put_pieces(const struct test_tcp *t, struct salut_tx_frame *f)
{
    uint32_t step = t->piece_bytes ? t->piece_bytes : t->payload_bytes;
    for (uint32_t at = 0; at < t->payload_bytes; at += step) {
        uint32_t n = t->payload_bytes - at < step ? t->payload_bytes - at : step;
        assert_true(f->piece_count < SALUT_FRAME_PIECES_MAX);
        f->pieces[f->piece_count].base = test_payload() + at;
        f->pieces[f->piece_count].bytes = n;
        f->piece_count++;
    }
}

/* A TCP segment with 12 bytes of timestamp option, complete or with a partial checksum. */
static inline void test_tcp_frame(const struct test_tcp *t, struct salut_tx_frame *f)
{
    memset(f, 0, sizeof(*f));
    uint32_t at = 0;
    if (t->ethernet) {
        memcpy(f->header, (uint8_t[]){2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, 12);
        test_put16(f->header + 12, t->family == 4 ? 0x0800 : 0x86dd);
        at = 14;
    }
    f->network_offset = (uint8_t)at;
    uint32_t tcp_bytes = 32 + t->payload_bytes;
    uint8_t *ip = f->header + at;
    at += test_put_ip(t, ip, tcp_bytes);
    uint8_t *tcp = f->header + at;
    test_put16(tcp, 40000);
    test_put16(tcp + 2, 80);
    test_put32(tcp + 4, t->seq);
    test_put32(tcp + 8, t->ack ? t->ack : 77);
    tcp[12] = 0x80;
    tcp[13] = t->flags;
    test_put16(tcp + 14, 65535);
    test_put16(tcp + 18, t->urgent);
    memcpy(tcp + 20, (uint8_t[]){1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0}, 12);
    uint32_t sum = test_pseudo(t->family, ip, 6, tcp_bytes);
    if (!t->partial) {
        sum = test_sum(sum, tcp, 32);
        sum = 0xffffU - test_sum(sum, test_payload(), t->payload_bytes);
    }
    test_put16(tcp + 16, sum);
    f->family = (uint8_t)t->family;
    f->transport_offset = (uint8_t)at;
    f->header_bytes = (uint16_t)(at + 32);
    f->payload_bytes = t->payload_bytes;
    f->gso_bytes = t->gso_bytes;
    f->checksum_start = t->partial ? (uint16_t)at : 0;
    f->checksum_offset = t->partial ? 16 : 0;
    test_put_pieces(t, f);
}

enum test_verdict { TEST_GOOD, TEST_BAD_CHECKSUM, TEST_BAD_OTHER };

/* What a receiver thinks of a frame: lengths first, then checksums. *tcp and *payload are set when
 * it is a TCP segment. */
static inline enum test_verdict test_judge(const uint8_t *frame, uint32_t bytes, bool ethernet,
                                           const uint8_t **tcp, uint32_t *payload_bytes)
{
    uint32_t at = ethernet ? 14 : 0;
    const uint8_t *ip = frame + at;
    int family = ip[0] / 16;
    uint32_t header = family == 4 ? (ip[0] % 16U) * 4U : 40;
    uint32_t protocol = family == 4 ? ip[9] : ip[6];
    if ((family != 4 && family != 6) || header < 20 || bytes < at + header) {
        return TEST_BAD_OTHER;
    }
    uint32_t total = family == 4 ? test_get16(ip + 2) : 40 + test_get16(ip + 4);
    if (total > bytes - at || total < header) {
        return TEST_BAD_OTHER;
    }
    if (family == 4 && test_sum(0, ip, header) != 0xffff) {
        return TEST_BAD_CHECKSUM;
    }
    if (family == 6 && protocol == 0) {
        protocol = ip[40];
        header += 8U + ip[41] * 8U;
    }
    if (protocol != 6) {
        return TEST_BAD_OTHER;
    }
    uint32_t length = total - header;
    if (length < 20 || ip[header + 12] / 16 * 4U > length || ip[header + 12] / 16 < 5) {
        return TEST_BAD_OTHER;
    }
    *tcp = ip + header;
    *payload_bytes = length - ip[header + 12] / 16 * 4U;
    return test_sum(test_pseudo(family, ip, 6, length), *tcp, length) == 0xffff ? TEST_GOOD
                                                                                : TEST_BAD_CHECKSUM;
}

#endif
