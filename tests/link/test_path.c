/* The path model in virtual time: exact rates, exact queues, honest chances. */
#include "link_test.h"

#include "link/impair_path.h"
#include "link/path.h"

#define MS     SLT_NS_PER_MS
#define FRAME  1000U
#define OFFERS 200000U

static struct slt_path_verdict offer(struct slt_path *path, int64_t now_ns, uint32_t bytes)
{
    struct slt_path_packet packet = {.bytes = bytes, .ecn_capable = true};
    struct slt_path_verdict v;
    slt_path_offer(path, now_ns, &packet, &v);
    return v;
}

static void nothing_is_nothing(void **state)
{
    (void)state;
    struct slt_path_params none = {0};
    struct slt_path path;
    slt_path_init(&path, &none, 1, 0);
    assert_false(slt_path_active(&none));
    for (int64_t now_ns = 0; now_ns < 100; now_ns++) {
        struct slt_path_verdict v = offer(&path, now_ns, FRAME);
        assert_int_equal(v.fate, SLT_PATH_PASSES);
        assert_int_equal(v.due_at_ns, now_ns);
        assert_false(v.reordered || v.duplicated || v.marked || v.corrupted);
    }
    slt_path_deinit(&path);
}

/* 1,000 bytes at 20 Mb/s are 400 us; a busy bottleneck never pauses and never hurries. */
static void the_rate_is_exact(void **state)
{
    (void)state;
    struct slt_path_params params = {.rate_bits_per_s = 20000000, .delay_ns = 5 * MS};
    struct slt_path path;
    slt_path_init(&path, &params, 1, 0);
    for (int64_t i = 0; i < 5000; i++) {
        struct slt_path_verdict v = offer(&path, i * 300000, FRAME);
        assert_int_equal(v.depart_at_ns, (i + 1) * 400000);
        assert_int_equal(v.due_at_ns, (i + 1) * 400000 + 5 * MS);
    }
    /* 5,000 packets in 1.5 s, of which 3,750 have left. */
    assert_int_equal(slt_path_queue_frames(&path, 1500 * MS), 1250);
    assert_int_equal(slt_path_queue_bytes(&path, 1500 * MS), 1250 * FRAME);
    assert_int_equal(slt_path_queue_frames(&path, 2000 * MS), 0);
    struct slt_path_verdict v = offer(&path, 3000 * MS, FRAME);
    assert_int_equal(v.depart_at_ns, 3000 * MS + 400000);
    slt_path_deinit(&path);
}

static void queues_overflow(void **state)
{
    (void)state;
    struct slt_path_params params = {.rate_bits_per_s = 8000000, .queue_frames_max = 10};
    struct slt_path path;
    slt_path_init(&path, &params, 1, 0);
    for (uint32_t i = 0; i < 15; i++) {
        assert_int_equal(offer(&path, 0, FRAME).fate,
                         i < 10 ? SLT_PATH_PASSES : SLT_PATH_OVERFLOWED);
    }
    assert_int_equal(path.counters.overflowed, 5);
    assert_int_equal(path.counters.queue_frames_top, 10);
    assert_int_equal(offer(&path, MS - 1, FRAME).fate, SLT_PATH_OVERFLOWED);
    assert_int_equal(offer(&path, MS, FRAME).fate, SLT_PATH_PASSES);
    slt_path_deinit(&path);
    params.queue_frames_max = 0;
    params.queue_bytes_max = 3500;
    slt_path_init(&path, &params, 1, 0);
    assert_int_equal(offer(&path, 0, 2000).fate, SLT_PATH_PASSES);
    assert_int_equal(offer(&path, 0, 1501).fate, SLT_PATH_OVERFLOWED);
    assert_int_equal(offer(&path, 0, 1500).fate, SLT_PATH_PASSES);
    assert_int_equal(offer(&path, 0, 1).fate, SLT_PATH_OVERFLOWED);
    assert_int_equal(path.counters.queue_bytes_top, 3500);
    slt_path_deinit(&path);
}

static void congestion_is_marked(void **state)
{
    (void)state;
    struct slt_path_params params = {.rate_bits_per_s = 8000000, .mark_bytes = 3 * FRAME};
    struct slt_path path;
    slt_path_init(&path, &params, 1, 0);
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(offer(&path, 0, FRAME).marked, i >= 3);
    }
    struct slt_path_packet deaf = {.bytes = FRAME, .ecn_capable = false};
    struct slt_path_verdict v;
    slt_path_offer(&path, 0, &deaf, &v);
    assert_int_equal(v.fate, SLT_PATH_PASSES);
    assert_false(v.marked);
    assert_int_equal(path.counters.marked, 3);
    path.params.mark_bytes = 0;
    path.params.mark_frames = 2;
    assert_false(offer(&path, 6 * MS, FRAME).marked); /* one is left: this is the second */
    assert_true(offer(&path, 6 * MS, FRAME).marked);
    slt_path_deinit(&path);
}

static void jitter_keeps_the_order(void **state)
{
    (void)state;
    struct slt_path_params params = {.delay_ns = 10 * MS, .jitter_ns = 10 * MS};
    struct slt_path path;
    int64_t last_ns = 0;
    int64_t low_ns = SLT_NEVER;
    int64_t high_ns = 0;
    slt_path_init(&path, &params, 3, 0);
    for (int64_t now_ns = 0; now_ns < 10000 * MS; now_ns += MS) {
        int64_t due_ns = offer(&path, now_ns, FRAME).due_at_ns;
        assert_true(due_ns >= last_ns && due_ns >= now_ns && due_ns <= now_ns + 20 * MS);
        last_ns = due_ns;
        low_ns = due_ns - now_ns < low_ns ? due_ns - now_ns : low_ns;
        high_ns = due_ns - now_ns > high_ns ? due_ns - now_ns : high_ns;
    }
    assert_true(low_ns < 8 * MS && high_ns > 19 * MS);
    slt_path_deinit(&path);
}

static void reordered_packets_are_held(void **state)
{
    (void)state;
    struct slt_path_params params = {
        .delay_ns = 5 * MS, .reorder_ppm = 50000, .reorder_for_ns = 10 * MS};
    struct slt_path path;
    uint32_t held = 0;
    slt_path_init(&path, &params, 3, 0);
    for (uint32_t i = 0; i < OFFERS; i++) {
        struct slt_path_verdict v = offer(&path, (int64_t)i * MS, FRAME);
        assert_int_equal(v.due_at_ns, (int64_t)i * MS + (v.reordered ? 15 : 5) * MS);
        held += v.reordered;
    }
    assert_int_equal(held, path.counters.reordered);
    assert_in_range(held, OFFERS / 20 - 500, OFFERS / 20 + 500); /* 5 % and five sigma */
    slt_path_deinit(&path);
}

static void chances_are_honest(void **state)
{
    (void)state;
    struct slt_path_params params = {
        .loss_ppm = 10000, .duplicate_ppm = 20000, .corrupt_ppm = 30000};
    struct slt_path path;
    uint32_t corrupted = 0;
    slt_path_init(&path, &params, 5, 0);
    for (uint32_t i = 0; i < OFFERS; i++) {
        corrupted += offer(&path, i, FRAME).corrupted;
    }
    assert_in_range(path.counters.lost, 2000 - 230, 2000 + 230);
    assert_in_range(path.counters.duplicated, 3960 - 320, 3960 + 320);
    assert_in_range(corrupted, 5940 - 380, 5940 + 380);
    slt_path_deinit(&path);
}

/* Losses of 1 % in bursts of 8: as many losses, an eighth as many gaps. */
static void bursts_have_their_length(void **state)
{
    (void)state;
    struct slt_path_params params = {0};
    struct slt_path path;
    uint32_t bursts = 0;
    bool was_lost = false;
    assert_true(slt_path_set_bursts(&params, 10000, 8));
    assert_true(slt_path_valid(&params));
    slt_path_init(&path, &params, 5, 0);
    for (uint32_t i = 0; i < 5 * OFFERS; i++) {
        bool lost = offer(&path, i, FRAME).fate == SLT_PATH_LOST;
        bursts += lost && !was_lost;
        was_lost = lost;
    }
    assert_in_range(path.counters.lost, 8500, 11500);
    assert_in_range(path.counters.lost * 10 / bursts, 73, 87);
    slt_path_deinit(&path);
    assert_false(slt_path_set_bursts(&params, 10000, 0.5));
    assert_false(slt_path_set_bursts(&params, 600000, 2));
}

/* 8 Mb/s are a byte in a microsecond. */
static void a_policer_drops_what_exceeds(void **state)
{
    (void)state;
    struct slt_path_params params = {.police_bits_per_s = 8000000, .police_burst_bytes = 5000};
    struct slt_path path;
    slt_path_init(&path, &params, 1, 0);
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(offer(&path, 0, FRAME).fate, i < 5 ? SLT_PATH_PASSES : SLT_PATH_POLICED);
    }
    assert_int_equal(offer(&path, MS - 1, FRAME).fate, SLT_PATH_POLICED);
    assert_int_equal(offer(&path, MS, FRAME).fate, SLT_PATH_PASSES);
    assert_int_equal(offer(&path, MS, FRAME).fate, SLT_PATH_POLICED);
    for (uint32_t i = 0; i < 8; i++) { /* an hour fills it once, not more */
        enum slt_path_fate fate = offer(&path, 3600 * SLT_NS_PER_S, FRAME).fate;
        assert_int_equal(fate, i < 5 ? SLT_PATH_PASSES : SLT_PATH_POLICED);
    }
    slt_path_deinit(&path);
}

static uint64_t fates_digest(uint64_t seed, uint32_t number, int64_t step_ns, uint32_t loss_ppm)
{
    struct slt_path_params params = {.loss_ppm = loss_ppm,
                                     .duplicate_ppm = 100000,
                                     .reorder_ppm = 100000,
                                     .corrupt_ppm = 100000,
                                     .delay_ns = MS,
                                     .jitter_ns = MS};
    struct slt_path path;
    uint64_t digest = 0;
    slt_path_init(&path, &params, seed, number);
    for (int64_t i = 0; i < 1000; i++) {
        struct slt_path_verdict v = offer(&path, i * step_ns, FRAME);
        uint64_t word =
            v.fate == SLT_PATH_PASSES ? v.duplicated * 2U + v.reordered * 4U + v.corrupted * 8U : 0;
        digest = digest * UINT64_C(1099511628211) + word;
    }
    slt_path_deinit(&path);
    return digest;
}

static void fates_are_the_seeds(void **state)
{
    (void)state;
    assert_true(fates_digest(1, 0, 5, 0) == fates_digest(1, 0, 100 * MS, 0));
    assert_true(fates_digest(1, 0, 5, 0) != fates_digest(1, 1, 5, 0));
    assert_true(fates_digest(1, 0, 5, 0) != fates_digest(2, 0, 5, 0));
    assert_true(fates_digest(1, 0, 5, 0) != fates_digest(1, 0, 5, 100000));
}

static void impossible_wishes(void **state)
{
    (void)state;
    static const struct slt_path_params bad[] = {
        {.loss_ppm = SLT_PATH_ALWAYS + 1},   {.delay_ns = -1},
        {.delay_ns = 5, .jitter_ns = 6},     {.reorder_for_ns = -1},
        {.police_bits_per_s = 1000000},      {.burst_leave_ppm = SLT_PATH_ALWAYS + 1},
        {.corrupt_ppm = SLT_PATH_ALWAYS + 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(slt_path_valid(&bad[i]));
    }
}

/* ---- marks on frames ---------------------------------------------------------------------- */

static uint8_t *ip_of(struct slt_frame_buf *buf)
{
    return buf->data + 14;
}

static struct slt_frame_buf *tcp_frame(struct slt_impair_path *path, int family, uint8_t ecn)
{
    struct test_tcp t = {.family = family, .ethernet = true, .flags = 0x10, .payload_bytes = FRAME};
    struct salut_tx_frame tx;
    test_tcp_frame(&t, &tx);
    struct slt_frame_buf *buf = slt_frame_pool_take(&path->pool, slt_tx_frame_bytes(&tx));
    assert_non_null(buf);
    slt_tx_frame_copy(&tx, buf->data);
    if (family == 6) {
        ip_of(buf)[1] = (uint8_t)(ecn << 4);
    } else {
        ip_of(buf)[1] = (uint8_t)(0xb8 | ecn);
        test_put16(ip_of(buf) + 10, 0);
        test_put16(ip_of(buf) + 10, 0xffffU - test_sum(0, ip_of(buf), 20));
    }
    return buf;
}

/* RFC 3168 5: CE on what is ECN-capable, nothing on what is not; every checksum still right. */
static void marks_are_written(void **state)
{
    (void)state;
    struct slt_impair_path path;
    slt_impair_path_init(&path, 1, 0, SALUT_LINK_ETHERNET);
    path.model.params = (struct slt_path_params){.rate_bits_per_s = 8000000, .mark_frames = 1};
    for (unsigned i = 0; i < 9; i++) {
        slt_impair_path_put(&path, tcp_frame(&path, i < 5 ? 4 : 6, i == 0 ? 0 : (i - 1) % 4), 0);
    }
    for (unsigned i = 0; i < 9; i++) {
        struct slt_frame_buf *buf = slt_impair_path_take(&path, SLT_NS_PER_S);
        const uint8_t *tcp;
        uint32_t payload_bytes;
        assert_non_null(buf);
        unsigned ecn = i < 5 ? ip_of(buf)[1] & 3U : ip_of(buf)[1] >> 4 & 3U;
        assert_int_equal(ecn, i == 0 || (i - 1) % 4 == 0 ? 0 : 3);
        assert_int_equal(test_judge(buf->data, buf->bytes, true, &tcp, &payload_bytes), TEST_GOOD);
        slt_frame_pool_give(&path.pool, buf);
    }
    assert_int_equal(path.model.counters.marked, 6);
    slt_impair_path_deinit(&path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(the_rate_is_exact),
        cmocka_unit_test(queues_overflow),
        cmocka_unit_test(congestion_is_marked),
        cmocka_unit_test(jitter_keeps_the_order),
        cmocka_unit_test(reordered_packets_are_held),
        cmocka_unit_test(chances_are_honest),
        cmocka_unit_test(bursts_have_their_length),
        cmocka_unit_test(a_policer_drops_what_exceeds),
        cmocka_unit_test(fates_are_the_seeds),
        cmocka_unit_test(impossible_wishes),
        cmocka_unit_test(marks_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
