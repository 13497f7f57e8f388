/* Telemetry: counters, the ring, and what a reader learns when it was lapped. */
#include "base_test.h"

#include "base/event.h"

static void emit_numbered(struct slt_telemetry *t, uint32_t number)
{
    struct slt_event event = {.kind = SLT_EVENT_DROPPED,
                              .reason = SLT_DROP_FRAME_SHORT,
                              .number = number,
                              .sequence = 999};
    slt_emit(t, &event);
}

static void test_counting(void **state)
{
    (void)state;
    struct slt_telemetry t = {.ring_count = 0};
    slt_count(&t, SLT_DROP_IP_CHECKSUM);
    slt_count(&t, SLT_DROP_IP_CHECKSUM);
    emit_numbered(&t, 1);
    assert_int_equal(t.counters[SLT_DROP_IP_CHECKSUM], 2);
    assert_int_equal(t.counters[SLT_DROP_FRAME_SHORT], 1);
    assert_int_equal(t.written, 1);
}

static void test_without_a_ring_everything_is_lost(void **state)
{
    (void)state;
    struct slt_telemetry t = {.ring_count = 0};
    struct slt_event out;
    assert_int_equal(slt_event_read(&t, 1, &out), -1);
    for (uint32_t i = 1; i <= 5; i++) {
        emit_numbered(&t, i);
    }
    assert_int_equal(slt_event_read(&t, 1, &out), 5);
    assert_int_equal(slt_event_read(&t, 6, &out), -1);
}

static void test_the_ring_laps(void **state)
{
    (void)state;
    struct slt_event ring[8];
    struct slt_telemetry t = {.ring = ring, .ring_count = 8};
    struct slt_event out;
    for (uint32_t written = 0; written < 40; written++) {
        assert_int_equal(slt_event_read(&t, written + 1, &out), -1);
        uint32_t oldest = written > 8 ? written - 8 + 1 : 1;
        for (uint32_t n = 0; n < oldest; n++) {
            assert_int_equal(slt_event_read(&t, n, &out), oldest - n);
        }
        for (uint32_t n = oldest; n <= written; n++) {
            assert_int_equal(slt_event_read(&t, n, &out), 0);
            assert_int_equal(out.number, n * 10);
            assert_int_equal(out.sequence, n);
        }
        emit_numbered(&t, (written + 1) * 10);
    }
}

/* A reader that does what the header says sees every event once or knows that it is lost. */
static void test_a_slow_reader_knows_its_losses(void **state)
{
    (void)state;
    struct slt_event ring[4];
    struct slt_telemetry t = {.ring = ring, .ring_count = 4};
    uint64_t next = 1;
    uint64_t read = 0;
    uint64_t lost = 0;
    for (uint32_t burst = 0; burst < 20; burst++) {
        for (uint32_t i = 0; i < burst % 9; i++) {
            emit_numbered(&t, (uint32_t)t.written);
        }
        struct slt_event out;
        int64_t answer;
        while ((answer = slt_event_read(&t, next, &out)) >= 0) {
            if (answer > 0) {
                lost += (uint64_t)answer;
                next += (uint64_t)answer;
                continue;
            }
            assert_int_equal(out.sequence, next);
            read++;
            next++;
        }
    }
    assert_int_equal(read + lost, t.written);
    assert_true(lost > 0);
    assert_true(read > 0);
}

static void test_a_reason_outside_the_table_is_a_fault(void **state)
{
    (void)state;
    struct slt_telemetry t = {.ring_count = 0};
    struct slt_event event = {.reason = 255};
    expect_assert_failure(slt_emit(&t, &event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counting),
        cmocka_unit_test(test_without_a_ring_everything_is_lost),
        cmocka_unit_test(test_the_ring_laps),
        cmocka_unit_test(test_a_slow_reader_knows_its_losses),
        cmocka_unit_test(test_a_reason_outside_the_table_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
