/* The faults of `salut wire` as a person writes them; mistakes are in usage.py. */
#include "cli/wire_words.h"

#include "base/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MS SLT_NS_PER_MS

static const struct slt_cli_verb verb = {.name = "wire"};

static void everything_at_once(void **state)
{
    (void)state;
    struct slt_wire_words words[2] = {{.rate = "20mbit",
                                       .delay = "25ms",
                                       .jitter = "5ms",
                                       .loss = "0.1%",
                                       .burst_loss = "1%,4",
                                       .reorder = "5%,10ms",
                                       .dup = "200ppm",
                                       .corrupt = "3%",
                                       .queue = "0.25bdp",
                                       .ecn = "30p"}};
    struct slt_path_params way[2];
    assert_int_equal(slt_wire_words_parse(&verb, words, way), SLT_EXIT_FINE);
    assert_int_equal(way[0].rate_bits_per_s, 20000000);
    assert_int_equal(way[0].delay_ns, 25 * MS);
    assert_int_equal(way[0].jitter_ns, 5 * MS);
    assert_int_equal(way[0].loss_ppm, 1000);
    assert_int_equal(way[0].burst_loss_ppm, SLT_PATH_ALWAYS);
    assert_int_equal(way[0].burst_leave_ppm, 250000);
    assert_int_equal(way[0].burst_enter_ppm, 2525); /* 1 in 99 of the leaving */
    assert_int_equal(way[0].reorder_ppm, 50000);
    assert_int_equal(way[0].reorder_for_ns, 10 * MS);
    assert_int_equal(way[0].duplicate_ppm, 200);
    assert_int_equal(way[0].corrupt_ppm, 30000);
    assert_int_equal(way[0].queue_bytes_max, 31250); /* a quarter of 20 Mb/s for 50 ms */
    assert_int_equal(way[0].queue_frames_max, 0);
    assert_int_equal(way[0].mark_frames, 30);
    /* Both ways alike, up to the structure's padding. */
    size_t members = offsetof(struct slt_path_params, police_burst_bytes) + sizeof(uint32_t);
    assert_memory_equal(&way[0], &way[1], members);
}

static void the_way_back_may_differ(void **state)
{
    (void)state;
    struct slt_wire_words words[2] = {
        {.rate = "20mbit", .delay = "30ms", .loss = "1%", .queue = "1bdp"},
        {.rate = "2mbit", .delay = "10ms", .loss = "0%", .queue = "64K"}};
    struct slt_path_params way[2];
    assert_int_equal(slt_wire_words_parse(&verb, words, way), SLT_EXIT_FINE);
    assert_int_equal(way[0].queue_bytes_max, 100000); /* both delays: 40 ms */
    assert_int_equal(way[0].loss_ppm, 10000);
    assert_int_equal(way[1].rate_bits_per_s, 2000000);
    assert_int_equal(way[1].delay_ns, 10 * MS);
    assert_int_equal(way[1].loss_ppm, 0);
    assert_int_equal(way[1].queue_bytes_max, 65536);
}

static void nothing_said_is_no_fault(void **state)
{
    (void)state;
    struct slt_wire_words words[2] = {{0}};
    struct slt_path_params way[2];
    assert_int_equal(slt_wire_words_parse(&verb, words, way), SLT_EXIT_FINE);
    assert_false(slt_path_active(&way[0]) || slt_path_active(&way[1]));
    words[0].reorder = "1%"; /* 5 ms, as everywhere */
    assert_int_equal(slt_wire_words_parse(&verb, words, way), SLT_EXIT_FINE);
    assert_int_equal(way[1].reorder_for_ns, 5 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(the_way_back_may_differ),
        cmocka_unit_test(nothing_said_is_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
