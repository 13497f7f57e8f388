/* Scenarios as text: what a word becomes, what a range is, and what a mistake is told. The long
 * list of messages is in tests/cli/sim.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lab/scenario.h"

static struct slt_scn scn;
static char why[SLT_SCN_SENTENCE_MAX];

static void parse(const char *text)
{
    slt_scn_init(&scn);
    if (!slt_scn_parse(&scn, "t", text, why)) {
        fail_msg("%s", why);
    }
}

static void refuse(const char *text, const char *message)
{
    slt_scn_init(&scn);
    assert_false(slt_scn_parse(&scn, "t", text, why));
    if (strstr(why, message) == NULL) {
        fail_msg("'%s' does not say '%s'", why, message);
    }
}

#define TWO "host a; host b\nlink a b\napp bulk a -> b bytes 1MB\n"

static void test_the_example(void **state)
{
    (void)state;
    parse("host client; host server\n"
          "link client server rate 100Mb/s delay 20ms queue 1bdp loss 1%\n"
          "app bulk client -> server start 0s bytes 50MB cc cubic  # all of it\n"
          "run 30s\n");
    assert_int_equal(scn.node_count, 2);
    assert_string_equal(scn.node[1].name, "server");
    assert_int_equal(scn.link_count, 1);
    for (int i = 0; i < 2; i++) {
        const struct slt_scn_way *way = &scn.link[0].way[i];
        assert_int_equal(way->rate_bps, 100000000);
        assert_int_equal(way->delay_ns, 20 * SLT_NS_PER_MS);
        assert_int_equal(way->queue.unit, SLT_SCN_ROOM_BDP);
        assert_int_equal(way->queue.amount, 1000);
        assert_int_equal(way->loss_ppm, 10000);
    }
    assert_int_equal(scn.app[0].kind, SLT_SCN_BULK);
    assert_int_equal(scn.app[0].bytes.mean, 50000000);
    assert_string_equal(scn.app[0].cc, "cubic");
    assert_int_equal(scn.run_ns, 30 * SLT_NS_PER_S);
}

static void test_units(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        int64_t rate;
    } rates[] = {{"1b/s", 0},
                 {"64kb/s", 64000},
                 {"1.5Mb/s", 1500000},
                 {"2Gb/s", 2000000000},
                 {"100Mbit", 100000000},
                 {"0.25Mb/s", 250000},
                 {"1000b/s", 1000},
                 {"1.000000001Gb/s", 1000000001}};
    for (size_t i = 1; i < SLT_ARRAY_COUNT(rates); i++) {
        char text[200];
        (void)snprintf(text, sizeof(text), TWO "at 1s link a b rate %s\n", rates[i].value);
        parse(text);
        assert_int_equal(scn.change[0].way[0].rate_bps, rates[i].rate);
    }
    parse("host a send-buffer 64KB recv-buffer 1MiB initial-window 4 sack off bbr-loss 5; host "
          "b\nlink a b\n"
          "app bulk a -> b bytes ~1.5KB start 1.5s every ~20us count 3\n");
    assert_int_equal(scn.node[0].config.send_buffer_bytes, 64000);
    assert_int_equal(scn.node[0].config.recv_buffer_bytes, 1048576);
    assert_int_equal(scn.node[0].config.initial_window_segments, 4);
    assert_int_equal(scn.node[0].config.sack, 0);
    assert_int_equal(scn.node[0].config.bbr_loss_percent, 5);
    assert_int_equal(scn.node[1].config.bbr_loss_percent, 2);
    assert_int_equal(scn.node[1].config.sack, 1);
    assert_true(scn.app[0].bytes.random);
    assert_int_equal(scn.app[0].bytes.mean, 1500);
    assert_int_equal(scn.app[0].start.mean, 1500 * SLT_NS_PER_MS);
    assert_int_equal(scn.app[0].every.mean, 20000);
}

static void test_directions(void **state)
{
    (void)state;
    parse("host a; host b\n"
          "link a b rate 10Mb/s delay 5ms reorder 5%,10ms burst-loss 1%,8 back rate 1Mb/s loss 2%\n"
          "app bulk a -> b bytes 1MB\n"
          "at 2s link b -> a delay 9ms\n"
          "at 3s link b a down\n"
          "at 4s link a b up\n");
    const struct slt_scn_way *way = scn.link[0].way;
    assert_int_equal(way[0].rate_bps, 10000000);
    assert_int_equal(way[1].rate_bps, 1000000);
    assert_int_equal(way[0].loss_ppm, 0);
    assert_int_equal(way[1].loss_ppm, 20000);
    for (int i = 0; i < 2; i++) { /* pairs reach both ways */
        assert_int_equal(way[i].reorder_ppm, 50000);
        assert_int_equal(way[i].reorder_ns, 10 * SLT_NS_PER_MS);
        assert_int_equal(way[i].burst_ppm, 10000);
        assert_int_equal(way[i].burst_count, 8);
    }
    assert_int_equal(scn.change[0].way[0].delay_ns, 5 * SLT_NS_PER_MS);
    assert_int_equal(scn.change[0].way[1].delay_ns, 9 * SLT_NS_PER_MS);
    assert_true(scn.change[1].way[0].down && scn.change[1].way[1].down);
    assert_false(scn.change[2].way[0].down || scn.change[2].way[1].down);
    /* A change keeps what changes before it have made. */
    assert_int_equal(scn.change[2].way[1].delay_ns, 9 * SLT_NS_PER_MS);
    assert_int_equal(scn.change[2].way[1].rate_bps, 1000000);
}

static void test_ranges(void **state)
{
    (void)state;
    parse("host w1..40 rto-min 5ms\nhost m; router s\nlink w1..40 s rate 1Gb/s\nlink m s\n"
          "app request m -> w1..40 reply 64KB rounds 1 label part\n");
    assert_int_equal(scn.node_count, 42);
    assert_string_equal(scn.node[39].name, "w40");
    assert_int_equal(scn.node[17].config.rto_min_ns, 5 * SLT_NS_PER_MS);
    assert_int_equal(scn.link_count, 41);
    assert_int_equal(scn.app_count, 40);
    assert_int_equal(scn.app[39].to, 39);
    refuse("host w3..1", "is no name");
    refuse("host w1..2000", "is no name");
    refuse("host w1..999", "more than 200 hosts");
}

static void test_variables(void **state)
{
    (void)state;
    const char *text = "let share 5%; let by 10ms\nhost a; host b\nlink a b reorder $share,$by\n"
                       "app bulk a -> b bytes 1MB\n";
    parse(text);
    assert_int_equal(scn.link[0].way[0].reorder_ppm, 50000);
    slt_scn_init(&scn);
    assert_true(slt_scn_set(&scn, "share=7%"));
    assert_true(slt_scn_parse(&scn, "t", text, why));
    assert_int_equal(scn.link[0].way[1].reorder_ppm, 70000);
    assert_int_equal(scn.link[0].way[1].reorder_ns, 10 * SLT_NS_PER_MS);
    slt_scn_init(&scn);
    assert_true(slt_scn_set(&scn, "shore=7%"));
    assert_false(slt_scn_parse(&scn, "t", text, why));
    assert_non_null(strstr(why, "nothing here is called shore"));
    assert_false(slt_scn_set(&scn, "share"));
    assert_false(slt_scn_set(&scn, "=7%"));
    assert_false(slt_scn_set(&scn, "share="));
    refuse("host a; host b\nlink a b rate $x\n", "t:2: there is no variable $x");
}

static void test_titles(void **state)
{
    (void)state;
    parse("title one; two # three $four\n" TWO);
    assert_string_equal(scn.title, "one; two # three $four");
}

static void test_lines_are_named(void **state)
{
    (void)state;
    refuse("host a\n\n# nothing\nhost b; lonk a b\n", "t:4: there is no 'lonk'");
    refuse(TWO "run\n", "t:4: run wants a time");
    refuse(TWO "run 3s 4s\n", "what is '4s' for?");
    refuse(TWO "run 1us\n", "at least 1ms");
    refuse("", "there is no app");
    refuse("host ->", "is no name");
    refuse("host a\nlink a a", "a link joins two");
    refuse("host a rto-min 1h", "rto-min wants a time");
    refuse("host a rto-min 2m", "too large");
    refuse("host a timestamps maybe", "timestamps wants on or off");
    refuse("host a profile bsd", "profile wants linux or rfc");
    refuse("router r rate 1Mb/s", "a router has no settings");
    refuse("host a; host b\nlink a b rate 99999999999999999999b/s", "rate wants a rate");
}

/* Nothing that is read may end in anything but a message: every prefix of a long scenario, and each
 * of its bytes changed in turn. */
static void test_damaged_text(void **state)
{
    (void)state;
    static const char text[] =
        "title t\nlet r 1Mb/s\nhost a1..3 cc x sack off\nrouter m\nhost b profile rfc\n"
        "link a1..3 m rate $r delay 1ms queue 3packets ecn 2KB back down\n"
        "link m b reorder 5%,1ms police 1Mb/s,3KB mtu 1400 icmp off\n"
        "app web a1..3 -> b start ~1s objects 3\nat 3s link m -> b clean\nrun 3s;sample 5ms\n";
    char copy[sizeof(text)];
    uint32_t right = 0;
    for (size_t i = 0; i < sizeof(text); i++) {
        memcpy(copy, text, sizeof(text));
        copy[i] = '\0';
        slt_scn_init(&scn);
        right += slt_scn_parse(&scn, "t", copy, why);
        assert_true(strlen(why) < sizeof(why));
    }
    assert_in_range(right, 3, 60);
    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        for (int to = 1; to < 256; to += 7) {
            memcpy(copy, text, sizeof(text));
            copy[i] = (char)to;
            slt_scn_init(&scn);
            if (!slt_scn_parse(&scn, "t", copy, why)) {
                assert_int_equal(memcmp(why, "t:", 2), 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_example),     cmocka_unit_test(test_units),
        cmocka_unit_test(test_directions),      cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_variables),       cmocka_unit_test(test_titles),
        cmocka_unit_test(test_lines_are_named), cmocka_unit_test(test_damaged_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
