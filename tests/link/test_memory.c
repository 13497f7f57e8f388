/* The memory pair: order, limits, offload and plain, backpressure, closing. */
#include "link_test.h"

#include "link/memory.h"

static void open_pair(bool offload, uint32_t slots, struct slt_link **a, struct slt_link **b)
{
    struct slt_memory_params params = {
        .kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = slots, .offload = offload};
    assert_int_equal(slt_memory_pair(&params, a, b), SALUT_OK);
}

static struct test_tcp small_segment(uint32_t seq)
{
    return (struct test_tcp){
        .family = 4, .ethernet = true, .seq = seq, .flags = 0x18, .payload_bytes = 64};
}

static void frames_arrive_in_order_both_ways(void **state)
{
    (void)state;
    struct slt_link *ends[2];
    struct salut_rx_frame rx[64];
    open_pair(false, 64, &ends[0], &ends[1]);
    uint32_t sent = 0;
    uint32_t got = 0;
    for (unsigned round = 0; round < 500; round++) {
        struct slt_link *from = ends[round % 2];
        struct slt_link *to = ends[1 - round % 2];
        struct salut_tx_frame tx[7];
        for (unsigned i = 0; i < 7; i++) {
            struct test_tcp t = small_segment(sent++);
            test_tcp_frame(&t, &tx[i]);
        }
        assert_int_equal(slt_link_send(from, tx, 7, 0), 7);
        assert_true(slt_link_next_deadline(to) == SLT_LINK_AT_ONCE);
        for (size_t n = slt_link_receive(to, rx, 3, 0); n > 0; n = slt_link_receive(to, rx, 3, 0)) {
            for (size_t i = 0; i < n; i++) {
                const uint8_t *tcp = NULL;
                uint32_t payload = 0;
                assert_int_equal(test_judge(rx[i].data, rx[i].bytes, true, &tcp, &payload), 0);
                assert_int_equal(test_get32(tcp + 4), got++);
                assert_false(rx[i].checksum_valid);
            }
            slt_link_release(to);
        }
        assert_true(slt_link_next_deadline(to) == SLT_NEVER);
    }
    assert_int_equal(got, 3500);
    assert_int_equal(ends[0]->counters.frames_out + ends[1]->counters.frames_out, 3500);
    assert_int_equal(ends[0]->counters.bytes_in + ends[1]->counters.bytes_in,
                     ends[0]->counters.bytes_out + ends[1]->counters.bytes_out);
    slt_link_close(ends[0]);
    slt_link_close(ends[1]);
}

static void a_full_channel_takes_no_more(void **state)
{
    (void)state;
    struct slt_link *a;
    struct slt_link *b;
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[64];
    struct test_tcp t = small_segment(1);
    open_pair(false, 16, &a, &b);
    test_tcp_frame(&t, &tx);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    }
    assert_false(slt_link_wants_write(a));
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 0);
    assert_true(slt_link_wants_write(a));
    assert_int_equal(slt_link_receive(b, rx, 4, 0), 4);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 0); /* lent is not free */
    slt_link_release(b);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    assert_int_equal(a->counters.frames_out, 17);
    slt_link_close(a);
    slt_link_close(b);
}

static void offload_passes_super_frames_whole(void **state)
{
    (void)state;
    struct slt_link *a;
    struct slt_link *b;
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[64];
    struct test_tcp t = {.family = 6,
                         .ethernet = true,
                         .flags = 0x10,
                         .payload_bytes = SLT_LINK_GSO_MAX_BYTES,
                         .piece_bytes = 4096,
                         .gso_bytes = 1428,
                         .partial = true};
    open_pair(true, 16, &a, &b);
    assert_int_equal(a->caps.gso_max_bytes, SLT_LINK_GSO_MAX_BYTES);
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    assert_int_equal(slt_link_receive(b, rx, 64, 0), 1);
    assert_int_equal(rx[0].bytes, tx.header_bytes + SLT_LINK_GSO_MAX_BYTES);
    assert_int_equal(rx[0].gso_bytes, 1428);
    assert_int_equal(rx[0].checksum_valid, 1);
    assert_memory_equal(rx[0].data + tx.header_bytes, test_payload(), SLT_LINK_GSO_MAX_BYTES);
    slt_link_close(a); /* b keeps what it was lent */
    assert_int_equal(rx[0].data[0], 2);
    slt_link_close(b);
}

/* However small the segments are, the longest super-frame fits the channel; and the pieces' odd
 * borders do not show in the checksums, which are made while copying. */
static void plain_super_frames_fit_the_channel(void **state)
{
    (void)state;
    for (unsigned partial = 0; partial < 2; partial++) {
        struct slt_link *a;
        struct slt_link *b;
        struct salut_tx_frame tx;
        struct salut_rx_frame rx[64];
        open_pair(false, 16, &a, &b);
        assert_true(a->caps.tx_checksum);
        assert_false(a->caps.rx_checksum);
        struct test_tcp t = {.family = partial ? 6 : 4,
                             .ethernet = true,
                             .flags = 0x18,
                             .payload_bytes = a->caps.gso_max_bytes,
                             .piece_bytes = 101,
                             .gso_bytes = partial ? 0 : 48,
                             .partial = true};
        test_tcp_frame(&t, &tx);
        assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
        size_t count = slt_link_receive(b, rx, 64, 0);
        assert_int_equal(count, partial ? 1 : 16);
        uint32_t bytes = 0;
        for (size_t i = 0; i < count; i++) {
            const uint8_t *tcp = NULL;
            uint32_t payload = 0;
            assert_int_equal(test_judge(rx[i].data, rx[i].bytes, true, &tcp, &payload), TEST_GOOD);
            assert_false(rx[i].checksum_valid);
            assert_memory_equal(rx[i].data + rx[i].bytes - payload, test_payload() + bytes,
                                payload);
            bytes += payload;
        }
        assert_int_equal(bytes, t.payload_bytes);
        assert_int_equal(a->counters.dropped[SLT_LINK_DROP_TOO_BIG], 0);
        slt_link_close(a);
        slt_link_close(b);
    }
}

static void plain_cuts_super_frames(void **state)
{
    (void)state;
    struct slt_link *a;
    struct slt_link *b;
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[64];
    struct test_tcp t = {.family = 4,
                         .ethernet = true,
                         .flags = 0x10,
                         .payload_bytes = 20000,
                         .gso_bytes = 1448,
                         .partial = true};
    open_pair(false, 16, &a, &b);
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 0); /* 14 of 16 slots are taken: all or none */
    assert_int_equal(slt_link_receive(b, rx, 64, 0), 14);
    uint32_t bytes = 0;
    for (unsigned i = 0; i < 14; i++) {
        const uint8_t *tcp = NULL;
        uint32_t payload = 0;
        assert_int_equal(test_judge(rx[i].data, rx[i].bytes, true, &tcp, &payload), TEST_GOOD);
        bytes += payload;
    }
    assert_int_equal(bytes, 20000);
    slt_link_release(b);
    t.payload_bytes = 60000; /* 42 segments never fit in 16 slots */
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    assert_int_equal(a->counters.dropped[SLT_LINK_DROP_TOO_BIG], 1);
    slt_link_close(a);
    slt_link_close(b);
}

static void too_long_frames_and_a_closed_end(void **state)
{
    (void)state;
    struct slt_link *a;
    struct slt_link *b;
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[4];
    struct test_tcp t = small_segment(1);
    open_pair(false, 16, &a, &b);
    t.payload_bytes = 1453; /* 1505 bytes of IP */
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    assert_int_equal(a->counters.dropped[SLT_LINK_DROP_TOO_BIG], 1);
    assert_int_equal(slt_link_receive(b, rx, 4, 0), 0);
    slt_link_close(b);
    assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
    assert_int_equal(a->counters.dropped[SLT_LINK_DROP_DEVICE_DOWN], 1);
    slt_link_close(a);
}

static void parameters_are_checked(void **state)
{
    (void)state;
    struct slt_link *a;
    struct slt_link *b;
    struct slt_memory_params params = {.kind = SALUT_LINK_IP, .mtu = 67};
    assert_int_equal(slt_memory_pair(&params, &a, &b), SALUT_INVALID);
    params.mtu = 65536;
    assert_int_equal(slt_memory_pair(&params, &a, &b), SALUT_INVALID);
    params.mtu = 1500;
    params.slots = 100;
    assert_int_equal(slt_memory_pair(&params, &a, &b), SALUT_INVALID);
}

/* Frames of 64 KB as MTU, both ways at once: the large buffers must suffice for every slot. */
static void jumbo_links_fill_every_slot(void **state)
{
    (void)state;
    struct slt_link *a;
    struct slt_link *b;
    struct salut_tx_frame tx;
    struct slt_memory_params params = {.kind = SALUT_LINK_IP, .mtu = 65535, .slots = 128};
    struct test_tcp t = {.family = 4, .flags = 0x10, .payload_bytes = 65483};
    assert_int_equal(slt_memory_pair(&params, &a, &b), SALUT_OK);
    test_tcp_frame(&t, &tx);
    for (unsigned i = 0; i < 128; i++) {
        assert_int_equal(slt_link_send(a, &tx, 1, 0), 1);
        assert_int_equal(slt_link_send(b, &tx, 1, 0), 1);
    }
    assert_int_equal(slt_link_send(b, &tx, 1, 0), 0);
    slt_link_close(a);
    slt_link_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_in_order_both_ways),
        cmocka_unit_test(a_full_channel_takes_no_more),
        cmocka_unit_test(offload_passes_super_frames_whole),
        cmocka_unit_test(plain_super_frames_fit_the_channel),
        cmocka_unit_test(plain_cuts_super_frames),
        cmocka_unit_test(too_long_frames_and_a_closed_end),
        cmocka_unit_test(parameters_are_checked),
        cmocka_unit_test(jumbo_links_fill_every_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
