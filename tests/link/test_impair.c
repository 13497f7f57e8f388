/* Impair: fates depend on seed and frame number alone, books balance, corruption is caught. */
#include "link_test.h"

#include "link/impair.h"
#include "link/memory.h"

#include <stdio.h>

#define MS SLT_NS_PER_MS

struct arrival {
    uint64_t digest;
    uint32_t frames;
    uint32_t bad_checksum;
    uint32_t bad_other;
    uint32_t overtaken; /* arrivals with a sequence number below one seen before */
};

struct world {
    struct slt_link *stack; /* impaired */
    struct slt_link *wire;  /* the other end */
    int64_t now_ns;
};

static void open_world(struct world *w, const struct slt_impair_params *params, bool offload)
{
    struct slt_memory_params memory = {
        .kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 1024, .offload = offload};
    struct slt_link *inner;
    *w = (struct world){.now_ns = 1000};
    assert_int_equal(slt_memory_pair(&memory, &inner, &w->wire), SALUT_OK);
    assert_int_equal(slt_impair_open(inner, params, &w->stack), SALUT_OK);
}

static void close_world(struct world *w)
{
    slt_link_close(w->stack);
    slt_link_close(w->wire);
}

static void collect(struct slt_link *link, int64_t now_ns, struct arrival *a)
{
    struct salut_rx_frame rx[64];
    static uint32_t highest;
    highest = a->frames == 0 ? 0 : highest;
    for (size_t n = slt_link_receive(link, rx, 64, now_ns); n > 0;
         n = slt_link_receive(link, rx, 64, now_ns)) {
        for (size_t i = 0; i < n; i++) {
            const uint8_t *tcp = NULL;
            uint32_t payload = 0;
            assert_false(rx[i].gso_bytes);
            enum test_verdict v = test_judge(rx[i].data, rx[i].bytes, true, &tcp, &payload);
            a->bad_checksum += v == TEST_BAD_CHECKSUM;
            a->bad_other += v == TEST_BAD_OTHER;
            for (uint32_t k = 0; k < rx[i].bytes; k++) {
                a->digest = (a->digest ^ rx[i].data[k]) * UINT64_C(1099511628211);
            }
            a->frames++;
            uint32_t seq = v == TEST_GOOD ? test_get32(tcp + 4) : highest;
            a->overtaken += seq < highest;
            highest = seq > highest ? seq : highest;
        }
        slt_link_release(link);
    }
}

/* Send `frames` segments in batches of `batch`, then let time pass until nothing is held. */
static struct arrival run_out(struct world *w, uint32_t frames, uint32_t batch, int64_t step_ns)
{
    struct salut_tx_frame tx[32];
    struct arrival a = {0};
    for (uint32_t sent = 0; sent < frames; w->now_ns += step_ns) {
        uint32_t n = frames - sent < batch ? frames - sent : batch;
        for (uint32_t i = 0; i < n; i++) {
            struct test_tcp t = {.family = sent % 2 ? 4 : 6,
                                 .ethernet = true,
                                 .seq = sent,
                                 .flags = 0x18,
                                 .payload_bytes = 100 + sent % 900};
            test_tcp_frame(&t, &tx[i]);
            sent++;
        }
        assert_int_equal(slt_link_send(w->stack, tx, n, w->now_ns), n);
        collect(w->wire, w->now_ns, &a);
    }
    for (unsigned i = 0; i < 100000 && slt_impair_held(w->stack) > 0; i++) {
        int64_t due_ns = slt_link_next_deadline(w->stack);
        w->now_ns = due_ns > w->now_ns ? due_ns : w->now_ns;
        slt_link_poll(w->stack, w->now_ns);
        collect(w->wire, w->now_ns, &a);
    }
    assert_int_equal(slt_impair_held(w->stack), 0);
    return a;
}

static void check_books(const struct slt_link *link)
{
    const struct slt_path_counters *c = slt_impair_counters_out(link);
    assert_int_equal(c->seen + c->duplicated,
                     c->lost + c->overflowed + c->passed + slt_impair_held(link));
}

static const struct slt_impair_params mixed = {.seed = 42,
                                               .out = {.loss_ppm = 10000,
                                                       .duplicate_ppm = 10000,
                                                       .reorder_ppm = 10000,
                                                       .reorder_for_ns = 0,
                                                       .corrupt_ppm = 20000}};

static void the_same_for_any_batching(void **state)
{
    (void)state;
    static const uint32_t batches[] = {1, 7, 32};
    struct arrival first = {0};
    for (unsigned i = 0; i < 3; i++) {
        struct world w;
        open_world(&w, &mixed, false);
        struct arrival a = run_out(&w, 20000, batches[i], (int64_t)i * 1000);
        check_books(w.stack);
        if (i == 0) {
            first = a;
        }
        assert_true(a.digest == first.digest);
        const struct slt_path_counters *c = slt_impair_counters_out(w.stack);
        assert_int_equal(c->seen, 20000);
        assert_int_equal(a.frames, c->passed);
        assert_in_range(c->lost, 140, 260);
        assert_in_range(c->duplicated, 140, 260);
        assert_in_range(c->reordered, 140, 260);
        assert_in_range(c->corrupted, 310, 490);
        close_world(&w);
    }
}

static void another_seed_another_fate(void **state)
{
    (void)state;
    struct slt_impair_params params = mixed;
    struct world w;
    uint64_t digests[2];
    for (unsigned i = 0; i < 2; i++) {
        params.seed = i;
        open_world(&w, &params, false);
        digests[i] = run_out(&w, 2000, 8, 0).digest;
        close_world(&w);
    }
    assert_true(digests[0] != digests[1]);
}

static void every_corrupted_frame_fails_a_checksum(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 7, .out = {.corrupt_ppm = SLT_PATH_ALWAYS}};
    struct world w;
    open_world(&w, &params, false);
    struct arrival a = run_out(&w, 20000, 16, 0);
    assert_int_equal(slt_impair_counters_out(w.stack)->corrupted, 20000);
    assert_int_equal(a.bad_checksum, 20000);
    assert_int_equal(a.bad_other, 0);
    close_world(&w);
}

static void any_corruption_is_wider(void **state)
{
    (void)state;
    struct slt_impair_params params = {
        .seed = 7, .out = {.corrupt_ppm = SLT_PATH_ALWAYS, .corrupt_where = SLT_PATH_CORRUPT_ANY}};
    struct world w;
    open_world(&w, &params, false);
    struct arrival a = run_out(&w, 5000, 16, 0);
    assert_int_equal(slt_impair_counters_out(w.stack)->corrupted, 5000);
    assert_true(a.bad_checksum < 5000);
    close_world(&w);
}

/* ARP has no checksum: nothing in it may be flipped where "covered" was asked for. */
static void frames_without_checksum_stay_intact(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 7, .out = {.corrupt_ppm = SLT_PATH_ALWAYS}};
    struct salut_tx_frame tx = {.header_bytes = 42, .header = {[12] = 8, [13] = 6}};
    struct salut_rx_frame rx[2];
    struct world w;
    open_world(&w, &params, false);
    assert_int_equal(slt_link_send(w.stack, &tx, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.wire, rx, 2, 0), 1);
    assert_memory_equal(rx[0].data, tx.header, 42);
    assert_int_equal(slt_impair_counters_out(w.stack)->corrupted, 0);
    close_world(&w);
}

/* Super-frames and partial checksums reach the faults as wire frames, both ways. */
static void super_frames_are_cut_first(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 3,
                                       .out = {.corrupt_ppm = SLT_PATH_ALWAYS / 2},
                                       .in = {.corrupt_ppm = SLT_PATH_ALWAYS / 2}};
    struct test_tcp t = {.family = 4,
                         .ethernet = true,
                         .flags = 0x10,
                         .payload_bytes = 1448 * 40,
                         .gso_bytes = 1448,
                         .partial = true};
    struct salut_tx_frame tx;
    struct world w;
    test_tcp_frame(&t, &tx);
    open_world(&w, &params, true);
    for (unsigned i = 0; i < 20; i++) {
        struct arrival out = {0};
        struct arrival in = {0};
        uint64_t corrupted_out = slt_impair_counters_out(w.stack)->corrupted;
        uint64_t corrupted_in = slt_impair_counters_in(w.stack)->corrupted;
        assert_int_equal(slt_link_send(w.stack, &tx, 1, 0), 1);
        collect(w.wire, 0, &out);
        assert_int_equal(slt_link_send(w.wire, &tx, 1, 0), 1);
        collect(w.stack, 0, &in);
        assert_int_equal(out.frames, 40);
        assert_int_equal(in.frames, 40);
        corrupted_out = slt_impair_counters_out(w.stack)->corrupted - corrupted_out;
        corrupted_in = slt_impair_counters_in(w.stack)->corrupted - corrupted_in;
        assert_int_equal(out.bad_checksum, corrupted_out);
        assert_int_equal(in.bad_checksum, corrupted_in);
        assert_in_range(corrupted_out, 5, 35);
    }
    close_world(&w);
}

static void inbound_frames_are_not_vouched_for(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 3, .in = {.corrupt_ppm = 1}};
    struct test_tcp t = {
        .family = 4, .ethernet = true, .flags = 0x10, .payload_bytes = 100, .partial = true};
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[2];
    struct world w;
    test_tcp_frame(&t, &tx);
    open_world(&w, &params, true);
    assert_int_equal(slt_link_send(w.wire, &tx, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.stack, rx, 2, 0), 1);
    assert_int_equal(rx[0].checksum_valid, 0);
    slt_link_release(w.stack);
    params.in.corrupt_ppm = 0; /* without faults frames go straight through */
    assert_int_equal(slt_impair_set(w.stack, &params), SALUT_OK);
    assert_int_equal(slt_link_send(w.wire, &tx, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.stack, rx, 2, 0), 1);
    assert_int_equal(rx[0].checksum_valid, 1);
    slt_link_release(w.stack);
    close_world(&w);
}

static void bursts_are_bursts(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 9,
                                       .out = {.burst_enter_ppm = 10000,
                                               .burst_leave_ppm = 250000,
                                               .burst_loss_ppm = SLT_PATH_ALWAYS}};
    struct world w;
    open_world(&w, &params, false);
    run_out(&w, 50000, 16, 0);
    /* The share of time in the bad state is enter / (enter + leave): 1 in 26. */
    assert_in_range(slt_impair_counters_out(w.stack)->lost, 1600, 2300);
    check_books(w.stack);
    close_world(&w);
}

static void reordering_is_overtaking(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 5,
                                       .out = {.reorder_ppm = 50000, .reorder_for_ns = 5 * MS}};
    struct world w;
    open_world(&w, &params, false);
    struct arrival a = run_out(&w, 10000, 4, MS);
    const struct slt_path_counters *c = slt_impair_counters_out(w.stack);
    assert_int_equal(a.frames, 10000);
    assert_true(c->reordered > 300);
    assert_in_range(a.overtaken, c->reordered - 5, c->reordered);
    close_world(&w);
}

static void delay_and_jitter_keep_order(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 5,
                                       .out = {.delay_ns = 10 * MS, .jitter_ns = 8 * MS}};
    struct world w;
    open_world(&w, &params, false);
    struct arrival a = run_out(&w, 2000, 1, MS);
    assert_int_equal(a.frames, 2000);
    assert_int_equal(a.overtaken, 0);
    close_world(&w);
    params.out.jitter_ns = 0;
    open_world(&w, &params, false);
    struct test_tcp t = {.family = 4, .ethernet = true, .payload_bytes = 10};
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[2];
    test_tcp_frame(&t, &tx);
    slt_link_send(w.stack, &tx, 1, 0);
    assert_true(slt_link_next_deadline(w.stack) == 10 * MS);
    slt_link_poll(w.stack, 10 * MS - 1);
    assert_int_equal(slt_link_receive(w.wire, rx, 2, 0), 0);
    slt_link_poll(w.stack, 10 * MS);
    assert_int_equal(slt_link_receive(w.wire, rx, 2, 0), 1);
    close_world(&w);
}

static void rate_and_queue(void **state)
{
    (void)state;
    struct slt_impair_params params = {.seed = 5,
                                       .out = {.rate_bits_per_s = 8000000, .queue_frames_max = 10}};
    struct test_tcp t = {.family = 4, .ethernet = true, .flags = 0x10, .payload_bytes = 934};
    struct salut_tx_frame tx[16];
    struct arrival a = {0};
    struct world w;
    for (unsigned i = 0; i < 16; i++) {
        test_tcp_frame(&t, &tx[i]); /* 1,000 bytes: 1 ms each */
    }
    open_world(&w, &params, false);
    assert_int_equal(slt_link_send(w.stack, tx, 16, 0), 16);
    assert_int_equal(slt_impair_counters_out(w.stack)->overflowed, 6);
    for (uint32_t ms = 1; ms <= 10; ms++) {
        slt_link_poll(w.stack, ms * MS - 1);
        collect(w.wire, 0, &a);
        assert_int_equal(a.frames, ms - 1);
        assert_true(slt_link_next_deadline(w.stack) == ms * MS);
        slt_link_poll(w.stack, ms * MS);
        collect(w.wire, 0, &a);
        assert_int_equal(a.frames, ms);
    }
    check_books(w.stack);
    params.out.queue_frames_max = 0;
    params.out.queue_bytes_max = 3500;
    assert_int_equal(slt_impair_set(w.stack, &params), SALUT_OK);
    assert_int_equal(slt_link_send(w.stack, tx, 16, 100 * MS), 16);
    assert_int_equal(slt_impair_held(w.stack), 3);
    close_world(&w);
}

/* A wrapped link that is full loses nothing: impair holds on to it, in order. */
static void a_full_link_below_is_waited_for(void **state)
{
    (void)state;
    struct slt_memory_params memory = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 4};
    struct slt_impair_params params = {.seed = 1, .out = {.corrupt_ppm = 1}};
    struct slt_link *inner;
    struct world w = {.now_ns = 0};
    assert_int_equal(slt_memory_pair(&memory, &inner, &w.wire), SALUT_OK);
    assert_int_equal(slt_impair_open(inner, &params, &w.stack), SALUT_OK);
    struct salut_tx_frame tx[20];
    for (uint32_t i = 0; i < 20; i++) {
        struct test_tcp t = {.family = 4, .ethernet = true, .seq = i + 1, .payload_bytes = 10};
        test_tcp_frame(&t, &tx[i]);
    }
    struct arrival a = {0};
    assert_int_equal(slt_link_send(w.stack, tx, 20, 0), 20);
    assert_int_equal(slt_impair_held(w.stack), 16);
    for (unsigned i = 0; i < 5; i++) {
        collect(w.wire, 0, &a);
        slt_link_poll(w.stack, 0);
    }
    assert_int_equal(a.frames, 20);
    assert_int_equal(a.overtaken, 0);
    check_books(w.stack);
    close_world(&w);
}

static void parameters_are_checked(void **state)
{
    (void)state;
    struct slt_memory_params memory = {.kind = SALUT_LINK_IP, .mtu = 1500};
    static const struct slt_impair_params bad[] = {
        {.out = {.loss_ppm = SLT_PATH_ALWAYS + 1}},
        {.in = {.delay_ns = -1}},
        {.in = {.delay_ns = 5, .jitter_ns = 6}},
    };
    for (unsigned i = 0; i < 3; i++) {
        struct slt_link *a;
        struct slt_link *b;
        struct slt_link *link;
        assert_int_equal(slt_memory_pair(&memory, &a, &b), SALUT_OK);
        assert_int_equal(slt_impair_open(a, &bad[i], &link), SALUT_INVALID);
        slt_link_close(b);
    }
}

static void it_prints_its_counts(void **state)
{
    (void)state;
    struct world w;
    char text[400] = {0};
    open_world(&w, &mixed, false);
    run_out(&w, 1000, 8, 0);
    int length = slt_impair_print(w.stack, text, sizeof(text));
    assert_int_equal(length, strlen(text));
    char cut[30];
    assert_int_equal(slt_impair_print(w.stack, cut, sizeof(cut)), length);
    assert_memory_equal(cut, text, sizeof(cut) - 1);
    assert_int_equal(cut[sizeof(cut) - 1], 0);
    const struct slt_path_counters *c = slt_impair_counters_out(w.stack);
    char expected[120];
    snprintf(expected, sizeof(expected), "impair out frames 1000 lost %u duplicated %u",
             (unsigned)c->lost, (unsigned)c->duplicated);
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, "impair in  frames 0 lost 0"));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_for_any_batching),
        cmocka_unit_test(another_seed_another_fate),
        cmocka_unit_test(every_corrupted_frame_fails_a_checksum),
        cmocka_unit_test(any_corruption_is_wider),
        cmocka_unit_test(frames_without_checksum_stay_intact),
        cmocka_unit_test(super_frames_are_cut_first),
        cmocka_unit_test(inbound_frames_are_not_vouched_for),
        cmocka_unit_test(bursts_are_bursts),
        cmocka_unit_test(reordering_is_overtaking),
        cmocka_unit_test(delay_and_jitter_keep_order),
        cmocka_unit_test(rate_and_queue),
        cmocka_unit_test(a_full_link_below_is_waited_for),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(it_prints_its_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
