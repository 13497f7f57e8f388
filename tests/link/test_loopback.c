/* Loopback: what is sent comes back on the same link, and only when asked for. */
#include "link_test.h"

#include "link/loopback.h"

static void frames_come_back(void **state)
{
    (void)state;
    struct slt_loopback_params params = {.kind = SALUT_LINK_IP, .mtu = 65535, .slots = 8};
    struct slt_link *lo;
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[8];
    assert_int_equal(slt_loopback_open(&params, &lo), SALUT_OK);
    assert_true(slt_link_next_deadline(lo) == SLT_NEVER);
    for (uint32_t i = 0; i < 100; i++) {
        struct test_tcp t = {.family = 6, .seq = i, .flags = 0x18, .payload_bytes = i * 650};
        const uint8_t *tcp = NULL;
        uint32_t payload = 0;
        test_tcp_frame(&t, &tx);
        assert_int_equal(slt_link_send(lo, &tx, 1, 0), 1);
        assert_int_equal(slt_link_receive(lo, rx, 8, 0), 1);
        assert_int_equal(test_judge(rx[0].data, rx[0].bytes, false, &tcp, &payload), TEST_GOOD);
        assert_int_equal(test_get32(tcp + 4), i);
        assert_memory_equal(tcp + 32, test_payload(), payload);
        slt_link_release(lo);
    }
    assert_int_equal(lo->counters.frames_in, 100);
    assert_int_equal(slt_link_fd(lo), -1);
    slt_link_close(lo);
}

static void it_is_bounded(void **state)
{
    (void)state;
    struct slt_loopback_params params = {
        .kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 8, .offload = true};
    struct slt_link *lo;
    struct salut_tx_frame tx[10];
    struct test_tcp t = {.family = 4, .ethernet = true, .payload_bytes = 10};
    assert_int_equal(slt_loopback_open(&params, &lo), SALUT_OK);
    for (unsigned i = 0; i < 10; i++) {
        test_tcp_frame(&t, &tx[i]);
    }
    assert_int_equal(slt_link_send(lo, tx, 10, 0), 8);
    assert_true(slt_link_wants_write(lo));
    slt_link_close(lo);
    params.slots = 9;
    assert_int_equal(slt_loopback_open(&params, &lo), SALUT_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_back),
        cmocka_unit_test(it_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
