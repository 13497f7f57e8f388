/* Tests of ip/frag: all layouts, random orders as RFC 815's oracle, limits, time.
 * R1122-09, R791-01..08, R815-01, R3168-07, R8200-04..09, H03, K01..K05. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "ip/frag.h"
#include "wire/checksum.h"

enum { DATAGRAMS = 8, BYTES = 256 * 1024 };

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

struct world {
    struct slt_mem mem;
    struct slt_frag frag;
    struct slt_ip_iface iface;
};

static int setup(void **state)
{
    static struct world w;
    const struct slt_frag_setup config = {.datagrams_max = DATAGRAMS,
                                          .bytes_max = BYTES,
                                          .timeout4_ns = 30 * SLT_NS_PER_S,
                                          .timeout6_ns = 60 * SLT_NS_PER_S,
                                          .key = {3, 4}};
    const struct salut_config link = {.addresses_max = 4, .mtu = 1500, .ttl = 64};
    uint8_t addr[16];
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_frag_init(&w.frag, &w.mem, &config));
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &link));
    assert_true(slt_ip_addr_parse("10.0.0.1", addr));
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 120, SLT_IP_OWN_PREFERRED), SALUT_OK);
    assert_true(slt_ip_addr_parse("2001:db8::1", addr));
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 64, SLT_IP_OWN_PREFERRED), SALUT_OK);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    assert_true(slt_frag_check(&w->frag));
    slt_frag_deinit(&w->frag);
    slt_ip_iface_deinit(&w->iface);
    for (uint32_t i = 0; i < SLT_OWNER_COUNT; i++) {
        assert_int_equal(w->mem.ledger.bytes[i], 0);
        assert_int_equal(w->mem.ledger.objects[i], 0);
    }
    return 0;
}

struct piece {
    uint8_t family;
    uint8_t protocol;
    uint8_t ecn;
    bool more;
    uint32_t id;
    uint32_t offset;
    const uint8_t *data;
    uint32_t bytes;
};

/* Write the packet of a piece; returns its bytes. */
static uint32_t emit(const struct piece *p, uint8_t *out, uint32_t room)
{
    struct slt_writer w = slt_writer_of(out, room);
    if (p->family == 4) {
        struct slt_ipv4 ip = {.ecn = p->ecn,
                              .ttl = 64,
                              .protocol = p->protocol,
                              .id = (uint16_t)p->id,
                              .more_fragments = p->more,
                              .fragment_offset = (uint16_t)p->offset,
                              .payload_bytes = p->bytes};
        assert_true(slt_ip_addr_parse("10.0.0.2", ip.src));
        assert_true(slt_ip_addr_parse("10.0.0.1", ip.dst));
        (void)slt_ipv4_emit(&ip, &w);
    } else {
        struct slt_ipv6 ip = {.ecn = p->ecn,
                              .next_header = SLT_IPV6_FRAGMENT,
                              .hop_limit = 64,
                              .payload_bytes = p->bytes + SLT_IPV6_FRAGMENT_BYTES};
        const struct slt_ipv6_fragment f = {.id = p->id,
                                            .offset = (uint16_t)p->offset,
                                            .more = p->more,
                                            .next_header = p->protocol};
        assert_true(slt_ip_addr_parse("2001:db8::2", ip.src));
        assert_true(slt_ip_addr_parse("2001:db8::1", ip.dst));
        (void)slt_ipv6_emit(&ip, &w);
        (void)slt_ipv6_fragment_emit(&f, &w);
    }
    slt_write_bytes(&w, p->data, p->bytes);
    assert_false(w.failed);
    return w.at;
}

/* Send a piece through the parser into the table, from memory that ends where it ends. */
static enum slt_reason input(struct world *w, const struct piece *p, int64_t now_ns,
                             struct slt_span *whole)
{
    uint32_t room = p->bytes + 60;
    uint8_t *scratch = malloc(room);
    struct slt_ip_packet packet;
    uint32_t bytes = emit(p, scratch, room);
    uint8_t *exact = malloc(bytes);
    memcpy(exact, scratch, bytes);
    free(scratch);
    enum slt_reason reason = slt_ip_parse(&w->iface, (struct slt_span){exact, bytes}, 0, &packet);
    if (reason == SLT_PASS) {
        assert_true(packet.fragment);
        reason = slt_frag_input(&w->frag, &packet, now_ns, whole);
    }
    free(exact);
    return reason;
}

/* The whole packet reads as if it had never been cut. */
static void expect_whole(struct world *w, struct slt_span whole, const struct piece *like,
                         uint32_t bytes)
{
    struct slt_ip_packet packet;
    assert_int_equal(slt_ip_parse(&w->iface, whole, SLT_IP_WAY_REASSEMBLED, &packet), SLT_PASS);
    assert_false(packet.fragment);
    assert_int_equal(packet.protocol, like->protocol);
    assert_int_equal(packet.payload.bytes, bytes);
    assert_memory_equal(packet.payload.data, like->data, bytes);
    assert_int_equal(packet.header_bytes, like->family == 4 ? 20 : 40);
}

static void fill(uint8_t *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        data[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + 5);
    }
}

/* Which of the three intervals [start, end) of 8 blocks may stand together, in order. */
struct oracle {
    uint32_t start[3];
    uint32_t end[3];
    uint32_t count;
    bool poisoned;
};

enum { BLOCKS = 8 };

static enum slt_reason oracle_take(struct oracle *o, uint32_t start, uint32_t end)
{
    uint32_t covered = 0;
    if (o->poisoned) {
        return SLT_DROP_FRAG_POISONED;
    }
    for (uint32_t i = 0; i < o->count; i++) {
        if (o->start[i] == start && o->end[i] == end) {
            return SLT_DROP_FRAG_DUPLICATE;
        }
        if (start < o->end[i] && o->start[i] < end) {
            o->poisoned = true;
            return SLT_DROP_FRAG_OVERLAP;
        }
        covered += o->end[i] - o->start[i];
    }
    o->start[o->count] = start;
    o->end[o->count] = end;
    o->count++;
    covered += end - start;
    if (covered == BLOCKS) {
        *o = (struct oracle){.count = 0};
        return SLT_NOTE_FRAG_DONE;
    }
    return SLT_NOTE_FRAG_HELD;
}

static uint32_t intervals(uint8_t table[36][2])
{
    uint32_t count = 0;
    for (uint8_t start = 0; start < BLOCKS; start++) {
        for (uint8_t end = (uint8_t)(start + 1); end <= BLOCKS; end++) {
            table[count][0] = start;
            table[count][1] = end;
            count++;
        }
    }
    return count;
}

static void run_layout(struct world *w, uint8_t family, const uint8_t *const rows[3],
                       uint32_t number)
{
    static uint8_t data[8 * BLOCKS];
    struct oracle oracle = {.count = 0};
    fill(data, sizeof(data));
    for (uint32_t i = 0; i < 3; i++) {
        struct slt_span whole;
        uint32_t start = rows[i][0];
        uint32_t end = rows[i][1];
        const struct piece p = {.family = family,
                                .protocol = SLT_IP_PROTOCOL_UDP,
                                .more = end < BLOCKS,
                                .id = number & 0xffff,
                                .offset = 8 * start,
                                .data = data + 8 * start,
                                .bytes = 8 * (end - start)};
        enum slt_reason expected = start == 0 && end == BLOCKS ? SLT_PASS : SLT_NOTE_FRAG_HELD;
        if (expected == SLT_PASS) {
            continue; /* an atomic datagram is no fragment: K05 tries it */
        }
        expected = oracle_take(&oracle, start, end);
        assert_int_equal(input(w, &p, 0, &whole), expected);
        if (expected == SLT_NOTE_FRAG_DONE) {
            struct piece like = p;
            like.data = data;
            expect_whole(w, whole, &like, sizeof(data));
            slt_frag_release(&w->frag);
        }
    }
}

/* K01, K02: 36^3 layouts. */
static void all_layouts(struct world *w, uint8_t family)
{
    uint8_t table[36][2];
    assert_int_equal(intervals(table), 36);
    for (uint32_t n = 0; n < 46656; n++) {
        const uint8_t *const rows[3] = {table[n % 36], table[n / 36 % 36], table[n / 1296]};
        run_layout(w, family, rows, n);
        if (n % 1000 == 0) {
            assert_true(slt_frag_check(&w->frag));
        }
        struct slt_frag_expired gone;
        while (slt_frag_expire(&w->frag, 100 * SLT_NS_PER_S, &gone)) {
            if (gone.first.bytes > 0) {
                slt_frag_release(&w->frag);
            }
        }
    }
    assert_int_equal(w->mem.ledger.objects[SLT_OWNER_FRAGMENT], 0);
}

static void test_all_layouts_v4(void **state)
{
    all_layouts(*state, 4);
}

static void test_all_layouts_v6(void **state)
{
    all_layouts(*state, 6);
}

/* R815-01, R791-03: any order, with duplicates, gives the datagram. */
static void random_orders(struct world *w, uint8_t family, uint64_t seed)
{
    static uint8_t data[65000];
    struct slt_prng prng;
    slt_prng_seed(&prng, seed);
    fill(data, sizeof(data));
    for (uint32_t round = 0; round < 60; round++) {
        uint32_t total = 1 + (uint32_t)slt_prng_below(&prng, sizeof(data));
        uint32_t cut = 8 * (1 + (uint32_t)slt_prng_below(&prng, 180));
        uint32_t count = (total + cut - 1) / cut;
        if (count > 300 || count < 2) {
            continue;
        }
        uint32_t order[300];
        for (uint32_t i = 0; i < count; i++) {
            uint32_t j = (uint32_t)slt_prng_below(&prng, i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        for (uint32_t i = 0; i < count; i++) {
            struct slt_span whole;
            uint32_t offset = order[i] * cut;
            bool last = order[i] + 1 == count;
            const struct piece p = {.family = family,
                                    .protocol = SLT_IP_PROTOCOL_UDP,
                                    .more = !last,
                                    .id = round,
                                    .offset = offset,
                                    .data = data + offset,
                                    .bytes = last ? total - offset : cut};
            bool tiny = order[i] == 0 && cut < 8;
            assert_false(tiny);
            enum slt_reason reason = input(w, &p, 0, &whole);
            if (i + 1 < count) {
                assert_int_equal(reason, SLT_NOTE_FRAG_HELD);
                assert_int_equal(input(w, &p, 0, &whole), SLT_DROP_FRAG_DUPLICATE);
                continue;
            }
            assert_int_equal(reason, SLT_NOTE_FRAG_DONE);
            struct piece like = p;
            like.data = data;
            expect_whole(w, whole, &like, total);
            slt_frag_release(&w->frag);
        }
        assert_int_equal(w->frag.datagrams.used_objects, 0);
        assert_int_equal(w->frag.bufs.used_objects, 0);
    }
}

static void test_random_orders(void **state)
{
    random_orders(*state, 4, 1);
    random_orders(*state, 6, 2);
}

static const uint8_t zeros[65536];

static struct piece piece_of(uint8_t family, uint32_t offset, uint32_t bytes, bool more)
{
    return (struct piece){.family = family,
                          .protocol = SLT_IP_PROTOCOL_UDP,
                          .more = more,
                          .id = 7,
                          .offset = offset,
                          .data = zeros,
                          .bytes = bytes};
}

/* K03, R791-05, R8200-06. */
static void test_ping_of_death(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    for (uint32_t block = 8100; block <= 8191; block++) {
        for (uint32_t bytes = 1; bytes <= 1600; bytes += 7) {
            struct piece p = piece_of(4, 8 * block, bytes, false);
            p.id = block;
            bool fits = 20 + 8 * block + bytes <= 65535;
            enum slt_reason reason = input(w, &p, 0, &whole);
            assert_true(fits ? reason != SLT_DROP_FRAG_LENGTH : reason == SLT_DROP_FRAG_LENGTH);
            p.family = 6;
            fits = 8 * block + bytes <= 65535;
            reason = input(w, &p, 0, &whole);
            assert_true(fits ? reason != SLT_DROP_FRAG_LENGTH : reason == SLT_DROP_FRAG_LENGTH);
        }
    }
}

/* The longest datagram there can be. */
static void test_largest(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
        uint32_t total = family == 4 ? 65515 : 65535;
        uint32_t offset = 0;
        while (total - offset > 1480) {
            struct piece p = piece_of(family, offset, 1480, true);
            assert_int_equal(input(w, &p, 0, &whole), SLT_NOTE_FRAG_HELD);
            offset += 1480;
        }
        struct piece p = piece_of(family, offset, total - offset, false);
        assert_int_equal(input(w, &p, 0, &whole), SLT_NOTE_FRAG_DONE);
        expect_whole(
            w, whole,
            &(struct piece){.family = family, .protocol = SLT_IP_PROTOCOL_UDP, .data = zeros},
            total);
        slt_frag_release(&w->frag);
    }
}

/* K04, R791-07, R8200-07: cut at every byte. */
static void test_tiny_first(void **state)
{
    struct world *w = *state;
    uint8_t tcp[64] = {[12] = 8 << 4}; /* a header of 32 bytes */
    struct slt_span whole;
    for (uint32_t bytes = 8; bytes <= 64; bytes += 8) {
        struct piece p = {.family = 4,
                          .protocol = SLT_IP_PROTOCOL_TCP,
                          .more = true,
                          .id = bytes,
                          .data = tcp,
                          .bytes = bytes};
        enum slt_reason expected = bytes < 32 ? SLT_DROP_FRAG_TINY : SLT_NOTE_FRAG_HELD;
        assert_int_equal(input(w, &p, 0, &whole), expected);
        p.family = 6;
        assert_int_equal(input(w, &p, 0, &whole), expected);
    }
}

/* K05, R791-02: lengths; R8200-08: an atomic fragment is no fragment. */
static void test_lengths(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    for (uint32_t bytes = 0; bytes < 64; bytes++) {
        struct piece p = piece_of(4, 64, bytes, true);
        p.id = bytes;
        enum slt_reason expected =
            bytes == 0 || bytes % 8 != 0 ? SLT_DROP_FRAG_LENGTH : SLT_NOTE_FRAG_HELD;
        assert_int_equal(input(w, &p, 0, &whole), expected);
        p.family = 6;
        assert_int_equal(input(w, &p, 0, &whole), expected);
    }
    uint8_t out[128];
    struct slt_ip_packet packet;
    const struct piece atomic = piece_of(6, 0, 16, false);
    uint32_t bytes = emit(&atomic, out, sizeof(out));
    assert_int_equal(slt_ip_parse(&w->iface, (struct slt_span){out, bytes}, 0, &packet), SLT_PASS);
    assert_false(packet.fragment);
    assert_int_equal(packet.payload.bytes, 16);
}

/* R8200-04: whatever comes after an overlap is dropped until the time is up. */
static void test_poisoned_until_timeout(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    struct slt_frag_expired gone;
    struct piece first = piece_of(6, 0, 16, true);
    struct piece overlap = piece_of(6, 8, 16, true);
    struct piece last = piece_of(6, 16, 16, false);
    assert_int_equal(input(w, &first, 0, &whole), SLT_NOTE_FRAG_HELD);
    assert_int_equal(input(w, &overlap, 1, &whole), SLT_DROP_FRAG_OVERLAP);
    assert_int_equal(w->frag.bufs.used_objects, 0);
    assert_int_equal(input(w, &last, 2, &whole), SLT_DROP_FRAG_POISONED);
    assert_int_equal(input(w, &first, 59 * SLT_NS_PER_S, &whole), SLT_DROP_FRAG_POISONED);
    assert_false(slt_frag_expire(&w->frag, 60 * SLT_NS_PER_S - 1, &gone));
    assert_int_equal(slt_frag_next_deadline(&w->frag), 60 * SLT_NS_PER_S);
    assert_true(slt_frag_expire(&w->frag, 60 * SLT_NS_PER_S, &gone));
    assert_true(gone.poisoned);
    assert_int_equal(gone.first.bytes, 0);
    assert_int_equal(input(w, &first, 61 * SLT_NS_PER_S, &whole), SLT_NOTE_FRAG_HELD);
    assert_int_equal(input(w, &last, 61 * SLT_NS_PER_S, &whole), SLT_NOTE_FRAG_DONE);
    slt_frag_release(&w->frag);
}

/* Two ends, an end before what is there, more to follow at the end. */
static void test_contradictory_ends(void **state)
{
    static const struct {
        uint32_t offset[2];
        uint32_t bytes[2];
        bool more[2];
    } rows[] = {
        {{16, 24}, {8, 8}, {false, false}}, {{16, 8}, {8, 8}, {true, false}},
        {{16, 16}, {8, 8}, {false, true}},  {{16, 16}, {8, 8}, {true, false}},
        {{16, 24}, {8, 8}, {false, true}},
    };
    struct world *w = *state;
    struct slt_span whole;
    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct piece a = piece_of(4, rows[i].offset[0], rows[i].bytes[0], rows[i].more[0]);
        struct piece b = piece_of(4, rows[i].offset[1], rows[i].bytes[1], rows[i].more[1]);
        a.id = b.id = i;
        assert_int_equal(input(w, &a, 0, &whole), SLT_NOTE_FRAG_HELD);
        assert_int_equal(input(w, &b, 0, &whole), SLT_DROP_FRAG_OVERLAP);
    }
}

/* R1122-09, R8200-05: the quote is the first fragment as it came, or nothing. */
static void test_timeout(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    struct slt_frag_expired gone;
    struct piece first = piece_of(4, 0, 16, true);
    struct piece second = piece_of(6, 16, 16, true);
    uint8_t expected[128];
    uint32_t bytes = emit(&first, expected, sizeof(expected));
    assert_int_equal(slt_frag_next_deadline(&w->frag), SLT_NEVER);
    assert_int_equal(input(w, &second, 0, &whole), SLT_NOTE_FRAG_HELD);
    assert_int_equal(input(w, &first, 5, &whole), SLT_NOTE_FRAG_HELD);
    assert_int_equal(slt_frag_next_deadline(&w->frag), 30 * SLT_NS_PER_S + 5);
    assert_true(slt_frag_expire(&w->frag, 30 * SLT_NS_PER_S + 5, &gone));
    assert_false(gone.poisoned);
    assert_int_equal(gone.first.bytes, bytes);
    assert_memory_equal(gone.first.data, expected, bytes);
    slt_frag_release(&w->frag);
    assert_false(slt_frag_expire(&w->frag, 60 * SLT_NS_PER_S - 1, &gone));
    assert_true(slt_frag_expire(&w->frag, 60 * SLT_NS_PER_S, &gone));
    assert_int_equal(gone.first.bytes, 0);
    assert_int_equal(w->mem.ledger.objects[SLT_OWNER_FRAGMENT], 0);
}

/* R791-01: each part of the key tells datagrams apart; R791-04: a whole one flushes. */
static void test_keys(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    struct piece a = piece_of(4, 0, 16, true);
    struct piece b = piece_of(4, 16, 8, false);
    assert_int_equal(input(w, &a, 0, &whole), SLT_NOTE_FRAG_HELD);
    b.id = 8;
    assert_int_equal(input(w, &b, 0, &whole), SLT_NOTE_FRAG_HELD);
    b.id = 7;
    b.protocol = SLT_IP_PROTOCOL_TCP;
    assert_int_equal(input(w, &b, 0, &whole), SLT_NOTE_FRAG_HELD);
    b.protocol = SLT_IP_PROTOCOL_UDP;
    b.family = 6;
    assert_int_equal(input(w, &b, 0, &whole), SLT_NOTE_FRAG_HELD);
    assert_int_equal(w->frag.datagrams.used_objects, 4);
    struct slt_ip_packet same = {.family = 4, .protocol = SLT_IP_PROTOCOL_UDP, .id = 7};
    assert_true(slt_ip_addr_parse("10.0.0.2", same.src));
    assert_true(slt_ip_addr_parse("10.0.0.1", same.dst));
    slt_frag_flush(&w->frag, &same);
    assert_int_equal(w->frag.datagrams.used_objects, 3);
    b.family = 4;
    assert_int_equal(input(w, &b, 0, &whole), SLT_NOTE_FRAG_HELD);
}

/* R3168-07: all sixteen sets of code points, as pairs of fragments. */
static void test_ecn(void **state)
{
    static const int8_t joined[4][4] = {
        {0, -1, -1, -1}, {-1, 1, 2, 3}, {-1, 2, 2, 3}, {-1, 3, 3, 3}};
    struct world *w = *state;
    for (uint8_t family = 4; family <= 6; family = (uint8_t)(family + 2)) {
        for (uint8_t n = 0; n < 16; n++) {
            struct slt_span whole;
            struct slt_ip_packet packet;
            struct piece a = piece_of(family, 0, 16, true);
            struct piece b = piece_of(family, 16, 8, false);
            a.ecn = n % 4;
            b.ecn = n / 4;
            a.id = b.id = n;
            assert_int_equal(input(w, &a, 0, &whole), SLT_NOTE_FRAG_HELD);
            int8_t expected = joined[a.ecn][b.ecn];
            if (expected < 0) {
                assert_int_equal(input(w, &b, 0, &whole), SLT_DROP_FRAG_POISONED);
                continue;
            }
            assert_int_equal(input(w, &b, 0, &whole), SLT_NOTE_FRAG_DONE);
            assert_int_equal(slt_ip_parse(&w->iface, whole, SLT_IP_WAY_REASSEMBLED, &packet),
                             SLT_PASS);
            assert_int_equal(packet.ecn, expected);
            slt_frag_release(&w->frag);
        }
    }
}

/* H03: a million fragments of a hundred thousand datagrams; bytes and steps are bounded, the
 * oldest goes first, and a datagram that comes in one go is put together in the middle of it. */
static void test_flood(void **state)
{
    struct world *w = *state;
    struct slt_prng prng;
    struct slt_span whole;
    uint64_t bytes_most = 0;
    slt_prng_seed(&prng, 5);
    for (uint32_t i = 0; i < 1000000; i++) {
        struct slt_ip_packet p = {.family = i % 2 == 0 ? 4 : 6,
                                  .protocol = SLT_IP_PROTOCOL_UDP,
                                  .packet = {zeros, 48},
                                  .header_bytes = i % 2 == 0 ? 20 : 48,
                                  .payload = {zeros, 8},
                                  .fragment = true,
                                  .more = true};
        p.id = (uint32_t)slt_prng_below(&prng, 100000);
        p.offset = 8 * (uint32_t)slt_prng_below(&prng, 8000);
        enum slt_reason reason = slt_frag_input(&w->frag, &p, i, &whole);
        assert_int_not_equal(reason, SLT_NOTE_FRAG_DONE);
        if (i % 4096 == 0) {
            struct piece a = piece_of(4, 0, 1480, true);
            struct piece b = piece_of(4, 1480, 1480, false);
            assert_int_equal(input(w, &b, i, &whole), SLT_NOTE_FRAG_HELD);
            assert_int_equal(input(w, &a, i, &whole), SLT_NOTE_FRAG_DONE);
            slt_frag_release(&w->frag);
            assert_true(slt_frag_check(&w->frag));
        }
        uint64_t held = w->mem.ledger.bytes[SLT_OWNER_FRAGMENT];
        bytes_most = held > bytes_most ? held : bytes_most;
    }
    assert_true(w->frag.datagrams.used_objects <= DATAGRAMS);
    assert_true(bytes_most < BYTES + BYTES / 4 + 70000);
    assert_true(w->frag.steps < 4 * 1000000);
}

/* R791-08: memory runs out before the table does: others give way, the newest is kept. */
static void test_memory_evicts_oldest(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    for (uint32_t id = 0; id < 7; id++) {
        for (uint32_t i = 0; i < 40; i++) {
            struct piece p = piece_of(4, i * 1480, 1480, true);
            p.id = id;
            assert_int_equal(input(w, &p, id, &whole), SLT_NOTE_FRAG_HELD);
        }
    }
    assert_true(w->frag.datagrams.used_objects < 7);
    for (uint32_t i = 40; i < 44; i++) {
        struct piece p = piece_of(4, i * 1480, 1480, i < 43);
        p.id = 6;
        assert_int_equal(input(w, &p, 7, &whole), i < 43 ? SLT_NOTE_FRAG_HELD : SLT_NOTE_FRAG_DONE);
    }
    slt_frag_release(&w->frag);
}

/* One datagram alone may not take more pieces than an honest link makes. */
static void test_one_datagram_is_bounded(void **state)
{
    struct world *w = *state;
    struct slt_span whole;
    enum slt_reason reason = SLT_NOTE_FRAG_HELD;
    uint32_t count = 0;
    for (uint32_t i = 2; i < 8000 && reason == SLT_NOTE_FRAG_HELD; i++) {
        struct piece p = piece_of(4, 8 * i, 8, true);
        reason = input(w, &p, 0, &whole);
        count++;
    }
    assert_int_equal(reason, SLT_DROP_FRAG_MEMORY);
    assert_true(count <= SLT_FRAG_PIECES_MAX + 1);
    assert_int_equal(w->frag.bufs.used_objects, 0);
}

static void test_disabled(void **state)
{
    struct world *w = *state;
    struct slt_frag none;
    struct slt_span whole;
    const struct slt_frag_setup config = {.datagrams_max = 0};
    struct slt_frag kept = w->frag;
    assert_true(slt_frag_init(&none, &w->mem, &config));
    w->frag = none;
    struct piece p = piece_of(4, 0, 16, true);
    assert_int_equal(input(w, &p, 0, &whole), SLT_DROP_FRAG_MEMORY);
    assert_int_equal(slt_frag_next_deadline(&w->frag), SLT_NEVER);
    slt_frag_deinit(&w->frag);
    w->frag = kept;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_layouts_v4, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_layouts_v6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_orders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ping_of_death, setup, teardown),
        cmocka_unit_test_setup_teardown(test_largest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tiny_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_poisoned_until_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contradictory_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ecn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_evicts_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_datagram_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_disabled, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
