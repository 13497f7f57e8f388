/* Software segmentation, against an independent judge and an independent re-assembly. */
#include "link_test.h"

#include "link/segment.h"

#define OUT_MAX 70000U

struct put_together {
    uint32_t count;
    uint32_t bytes;
    uint32_t last_flags;
    uint32_t first_flags;
    uint32_t middle_flags;
};

/* Take segments in whatever order they come, lay their payload by sequence number, and compare. */
static void lay(struct put_together *p, const struct test_tcp *t, const uint8_t *frame,
                uint32_t bytes)
{
    static uint8_t laid[TEST_PAYLOAD_MAX];
    const uint8_t *tcp = NULL;
    uint32_t payload = 0;
    assert_int_equal(test_judge(frame, bytes, t->ethernet, &tcp, &payload), TEST_GOOD);
    uint32_t at = test_get32(tcp + 4) - t->seq;
    assert_true(at + payload <= t->payload_bytes);
    memcpy(laid + at, tcp + 32, payload);
    assert_memory_equal(laid + at, test_payload() + at, payload);
    assert_int_equal(at, p->bytes);
    if (at == 0) {
        p->first_flags = tcp[13];
    }
    if (at + payload == t->payload_bytes) {
        p->last_flags = tcp[13];
    } else if (at > 0) {
        p->middle_flags |= tcp[13];
    }
    if (t->family == 4) {
        const uint8_t *ip = frame + (t->ethernet ? 14 : 0);
        assert_int_equal(test_get16(ip + 4), (0xfffe + p->count) % 65536U);
        assert_int_equal(ip[6], 0x40);
    }
    assert_memory_equal(tcp + 20, ((uint8_t[]){1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0}), 12);
    p->bytes += payload;
    p->count++;
}

static struct put_together cut(const struct test_tcp *t)
{
    static uint8_t out[OUT_MAX];
    struct salut_tx_frame frame;
    struct slt_segmenter s;
    struct put_together p = {0};
    test_tcp_frame(t, &frame);
    enum salut_link_kind kind = t->ethernet ? SALUT_LINK_ETHERNET : SALUT_LINK_IP;
    struct slt_frame_view view = slt_frame_view_of_tx(&frame, kind);
    assert_true(slt_segmenter_init(&s, &view));
    uint32_t count = s.segment_count;
    for (uint32_t n = slt_segmenter_next_bytes(&s); n > 0; n = slt_segmenter_next_bytes(&s)) {
        memset(out, 0xee, n + 8);
        slt_segmenter_next(&s, out);
        for (uint32_t i = 0; i < 8; i++) {
            assert_int_equal(out[n + i], 0xee);
        }
        lay(&p, t, out, n);
    }
    assert_int_equal(p.count, count);
    assert_int_equal(p.bytes, t->payload_bytes);
    return p;
}

static void sizes_and_families(void **state)
{
    (void)state;
    static const uint32_t payloads[] = {1, 1447, 1448, 1449, 2896, 2897, 30000, 65000};
    static const uint32_t pieces[] = {0, 1700, 4096, 16384};
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned k = 0; k < 8; k++) {
            struct test_tcp t = {.family = i % 2 ? 6 : 4,
                                 .ethernet = (i & 2) != 0,
                                 .seq = 0xfffffff0U,
                                 .flags = 0x10,
                                 .payload_bytes = payloads[k],
                                 .piece_bytes = pieces[(i >> 2) & 3],
                                 .gso_bytes = (i & 16) ? 1448 : 536,
                                 .partial = true,
                                 .extension = (i & 32) != 0};
            struct put_together p = cut(&t);
            assert_int_equal(p.count, (t.payload_bytes + t.gso_bytes - 1U) / t.gso_bytes);
        }
    }
}

static void flags_stand_where_they_belong(void **state)
{
    (void)state;
    struct test_tcp t = {.family = 4,
                         .ethernet = true,
                         .flags = 0x10 | 0x01 | 0x08 | 0x80 | 0x40,
                         .payload_bytes = 5000,
                         .gso_bytes = 1000,
                         .partial = true};
    struct put_together p = cut(&t);
    assert_int_equal(p.first_flags, 0x10 | 0x80 | 0x40);
    assert_int_equal(p.middle_flags, 0x10 | 0x40);
    assert_int_equal(p.last_flags, 0x10 | 0x40 | 0x01 | 0x08);
    t.flags = 0x10 | 0x20; /* the urgent byte lies in the second segment */
    t.urgent = 1500;
    p = cut(&t);
    assert_int_equal(p.first_flags, 0x30);
    assert_int_equal(p.last_flags, 0x10);
}

static void urgent_pointer_is_relative(void **state)
{
    (void)state;
    struct test_tcp t = {.family = 6,
                         .flags = 0x30,
                         .urgent = 1500,
                         .payload_bytes = 3000,
                         .gso_bytes = 1000,
                         .partial = true};
    static const uint32_t expected[] = {1500, 500, 0};
    uint8_t out[2000];
    struct salut_tx_frame frame;
    struct slt_segmenter s;
    test_tcp_frame(&t, &frame);
    struct slt_frame_view view = slt_frame_view_of_tx(&frame, SALUT_LINK_IP);
    assert_true(slt_segmenter_init(&s, &view));
    for (unsigned i = 0; i < 3; i++) {
        slt_segmenter_next(&s, out);
        assert_int_equal(test_get16(out + 40 + 18), expected[i]);
        assert_int_equal((out[40 + 13] & 0x20) != 0, expected[i] != 0);
    }
    assert_int_equal(slt_segmenter_next_bytes(&s), 0);
}

static void whole_frames_are_completed(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct test_tcp t = {.family = i & 1 ? 6 : 4,
                             .ethernet = (i & 2) != 0,
                             .flags = 0x18,
                             .payload_bytes = 999,
                             .piece_bytes = 333,
                             .partial = (i & 4) != 0};
        struct put_together p = cut(&t);
        assert_int_equal(p.count, 1);
        assert_int_equal(p.first_flags, 0x18);
    }
}

/* What the kernel hands us may hold a partial checksum and be vouched for. */
static void vouched_frames_get_real_checksums(void **state)
{
    (void)state;
    static uint8_t in[OUT_MAX];
    static uint8_t out[OUT_MAX];
    struct test_tcp t = {
        .family = 4, .ethernet = true, .flags = 0x18, .payload_bytes = 4000, .partial = true};
    for (unsigned i = 0; i < 2; i++) {
        struct salut_tx_frame frame;
        struct slt_segmenter s;
        struct put_together p = {0};
        test_tcp_frame(&t, &frame);
        memcpy(in, frame.header, frame.header_bytes);
        memcpy(in + frame.header_bytes, test_payload(), t.payload_bytes);
        struct salut_rx_frame rx = {.data = in,
                                    .bytes = frame.header_bytes + t.payload_bytes,
                                    .gso_bytes = i ? 1448 : 0,
                                    .checksum_valid = 1};
        struct slt_frame_view view = slt_frame_view_of_rx(&rx, SALUT_LINK_ETHERNET);
        assert_true(slt_segmenter_init(&s, &view));
        for (uint32_t n = slt_segmenter_next_bytes(&s); n > 0; n = slt_segmenter_next_bytes(&s)) {
            slt_segmenter_next(&s, out);
            lay(&p, &t, out, n);
        }
        assert_int_equal(p.count, i ? 3 : 1);
    }
}

/* A frame nobody vouched for keeps the checksum it came with, wrong or not. */
static void wrong_checksums_stay_wrong(void **state)
{
    (void)state;
    struct test_tcp t = {.family = 4, .flags = 0x18, .payload_bytes = 100};
    uint8_t in[200];
    uint8_t out[200];
    struct salut_tx_frame frame;
    struct slt_segmenter s;
    test_tcp_frame(&t, &frame);
    memcpy(in, frame.header, frame.header_bytes);
    memcpy(in + frame.header_bytes, test_payload(), 100);
    in[60] ^= 4;
    struct salut_rx_frame rx = {.data = in, .bytes = 152};
    struct slt_frame_view view = slt_frame_view_of_rx(&rx, SALUT_LINK_IP);
    assert_true(slt_segmenter_init(&s, &view));
    slt_segmenter_next(&s, out);
    assert_memory_equal(in, out, 152);
}

static void udp_keeps_its_rules(void **state)
{
    (void)state;
    uint8_t frame[32] = {0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10,
                         0,    0, 1, 10, 0, 0, 2, 0, 1,  0,  2, 0, 12};
    struct slt_frame_layout layout;
    assert_true(slt_frame_layout_find(frame, 32, 32, SALUT_LINK_IP, &layout));
    slt_segment_fill_checksum(frame, &layout);
    assert_int_equal(test_get16(frame + 26), 0); /* none was asked for (RFC 768) */
    test_put16(frame + 26, 1);
    /* Choose the payload so that the sum is all ones: the field must not become "none". */
    uint32_t sum = test_sum(test_pseudo(4, frame, 17, 12), frame + 20, 6);
    test_put16(frame + 28, 0xffffU - sum);
    slt_segment_fill_checksum(frame, &layout);
    assert_int_equal(test_get16(frame + 26), 0xffff);
}

static void refuses_what_it_cannot_cut(void **state)
{
    (void)state;
    struct salut_tx_frame frame;
    struct slt_segmenter s;
    struct test_tcp t = {
        .family = 4, .flags = 0x10, .payload_bytes = 3000, .gso_bytes = 1000, .partial = true};
    test_tcp_frame(&t, &frame);
    frame.header[9] = 17; /* UDP is not cut */
    struct slt_frame_view view = slt_frame_view_of_tx(&frame, SALUT_LINK_IP);
    assert_false(slt_segmenter_init(&s, &view));
    test_tcp_frame(&t, &frame);
    frame.header[6] = 0x20; /* nor are fragments */
    view = slt_frame_view_of_tx(&frame, SALUT_LINK_IP);
    assert_false(slt_segmenter_init(&s, &view));
    t.gso_bytes = 0;
    test_tcp_frame(&t, &frame);
    frame.checksum_start = 3051; /* its field would lie behind the frame */
    view = slt_frame_view_of_tx(&frame, SALUT_LINK_IP);
    assert_false(slt_segmenter_init(&s, &view));
}

/* Any bytes give a layout inside the frame, or none. Buffers are exact, for the sanitizers. */
static void layout_of_anything(void **state)
{
    (void)state;
    uint32_t x = 12345;
    for (uint32_t round = 0; round < 200000; round++) {
        uint32_t bytes = round % 90;
        uint8_t *frame = malloc(bytes + 1);
        assert_non_null(frame);
        for (uint32_t i = 0; i < bytes; i++) {
            x = x * 1664525U + 1013904223U;
            frame[i] = (uint8_t)(x >> 24);
        }
        if (bytes > 0 && round % 3) {
            frame[0] = round % 2 ? 0x45 : 0x60;
        }
        if (bytes > 6 && round % 5 == 0) {
            test_put16(frame + (frame[0] == 0x45 ? 2 : 4), x % (bytes + 1));
            frame[6] = (uint8_t)((x >> 8) % 64);
        }
        struct slt_frame_layout l;
        if (slt_frame_layout_find(frame, bytes, bytes, SALUT_LINK_IP, &l)) {
            assert_true(l.network_offset < l.transport_offset);
            assert_true(l.transport_offset <= l.payload_offset);
            assert_true(l.payload_offset <= l.end_offset && l.end_offset <= bytes);
            slt_segment_fill_checksum(frame, &l);
        }
        free(frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_families),
        cmocka_unit_test(flags_stand_where_they_belong),
        cmocka_unit_test(urgent_pointer_is_relative),
        cmocka_unit_test(whole_frames_are_completed),
        cmocka_unit_test(vouched_frames_get_real_checksums),
        cmocka_unit_test(wrong_checksums_stay_wrong),
        cmocka_unit_test(udp_keeps_its_rules),
        cmocka_unit_test(refuses_what_it_cannot_cut),
        cmocka_unit_test(layout_of_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
