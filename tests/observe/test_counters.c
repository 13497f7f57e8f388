/* observe/counters: the kernel's files by name, and our stacks' reasons in the same terms. */
#include "observe/counters_stack.h"

#include "base/compiler.h"
#include "salut/salut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct slt_counters empty(void)
{
    struct slt_counters counters;
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        counters.value[i] = SLT_UNKNOWN;
    }
    return counters;
}

static void parse(struct slt_counters *counters, const char *file, const char *text)
{
    char copy[2000];
    assert_true(strlen(text) < sizeof(copy));
    strcpy(copy, text);
    slt_counters_parse(counters, file, copy);
}

static void test_files(void **state)
{
    (void)state;
    struct slt_counters c = empty();
    parse(&c, "sockstat",
          "sockets: used 290\nTCP: inuse 12 orphan 1 tw 7 alloc 15 mem 3\nUDP: inuse 4 mem 0\n");
    parse(&c, "sockstat", "TCP6: inuse 9\nUDP6: inuse 1\n");
    assert_int_equal(c.value[SLT_COUNTER_sockets_in_use], 12);
    assert_int_equal(c.value[SLT_COUNTER_sockets_orphan], 1);
    assert_int_equal(c.value[SLT_COUNTER_sockets_time_wait], 7);
    assert_int_equal(c.value[SLT_COUNTER_memory_pages], 3);
    assert_int_equal(c.value[SLT_COUNTER_sockets_in_use6], 9);
    parse(&c, "snmp",
          "Ip: Forwarding ActiveOpens\nIp: 1 99\n"
          "Tcp: RtoAlgorithm ActiveOpens PassiveOpens OutRsts\nTcp: 1 10 20 30\n");
    assert_int_equal(c.value[SLT_COUNTER_active_opens], 10);
    assert_int_equal(c.value[SLT_COUNTER_passive_opens], 20);
    assert_int_equal(c.value[SLT_COUNTER_resets_out], 30);
    assert_int_equal(c.value[SLT_COUNTER_segments_in], SLT_UNKNOWN); /* this kernel has none */
}

/* By name: kernels add counters anywhere. */
static void test_order(void **state)
{
    (void)state;
    struct slt_counters c = empty();
    parse(&c, "netstat",
          "TcpExt: New1 ListenDrops New2 ListenOverflows\nTcpExt: 1 222 3 111\n"
          "IpExt: ListenDrops\nIpExt: 5\n");
    assert_int_equal(c.value[SLT_COUNTER_listen_drops], 222);
    assert_int_equal(c.value[SLT_COUNTER_listen_overflows], 111);
}

static void test_nonsense(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "\n\n\n",
        "TcpExt:",
        "TcpExt: ListenDrops\n",
        "TcpExt: ListenDrops\nTcpExt:\n",
        "TcpExt: ListenDrops\nTcpExt: x\n",
        "TCP: inuse\n",
        "TCP inuse 5",
        "TcpExt: a b\nTcpExt: 1",
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(texts); i++) {
        struct slt_counters c = empty();
        parse(&c, "netstat", texts[i]);
        parse(&c, "sockstat", texts[i]);
        assert_true(c.value[SLT_COUNTER_listen_drops] <= 0);
    }
}

static void test_delta(void **state)
{
    (void)state;
    struct slt_counters before = empty();
    struct slt_counters after = empty();
    before.value[SLT_COUNTER_active_opens] = 10;
    after.value[SLT_COUNTER_active_opens] = 15;
    after.value[SLT_COUNTER_passive_opens] = 3;
    assert_int_equal(slt_counter_delta(&before, &after, SLT_COUNTER_active_opens), 5);
    assert_int_equal(slt_counter_delta(&before, &after, SLT_COUNTER_passive_opens), SLT_UNKNOWN);
}

static void test_names(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        const struct slt_counter_name *name = slt_counter_name((enum slt_counter)i);
        assert_true(strspn(name->field, "abcdefghijklmnopqrstuvwxyz_0123456789") ==
                    strlen(name->field));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(name->field, slt_counter_name((enum slt_counter)j)->field);
        }
    }
}

/* ---- reasons ----------------------------------------------------------------------------------
 */

static void add(struct slt_counters *c, const char *token, uint64_t value)
{
    struct slt_control_counter reason = {.value = value};
    (void)snprintf(reason.token, sizeof(reason.token), "%s", token);
    slt_counters_add_reason(c, &reason);
}

static void test_reasons(void **state)
{
    (void)state;
    struct slt_counters c = empty();
    add(&c, "send-data", 5);
    add(&c, "send-retransmit-rto", 2);
    add(&c, "send-rst-abort", 1);
    add(&c, "tcp-checksum", 4);
    add(&c, "tcp-short", 3);
    add(&c, "refused", 1);
    add(&c, "no-route", 1);
    add(&c, "nonsense", 99);
    assert_int_equal(c.value[SLT_COUNTER_segments_out], 8);
    assert_int_equal(c.value[SLT_COUNTER_segments_retransmitted], 2);
    assert_int_equal(c.value[SLT_COUNTER_timeouts], 2);
    assert_int_equal(c.value[SLT_COUNTER_resets_out], 1);
    assert_int_equal(c.value[SLT_COUNTER_checksum_errors], 4);
    assert_int_equal(c.value[SLT_COUNTER_segments_bad], 7);
    assert_int_equal(c.value[SLT_COUNTER_attempt_fails], 2);
    assert_int_equal(c.value[SLT_COUNTER_established], SLT_UNKNOWN);
    /* A liar's numbers stay numbers. */
    add(&c, "send-data", UINT64_MAX);
    add(&c, "send-data", UINT64_MAX);
    assert_true(c.value[SLT_COUNTER_segments_out] == INT64_MAX);
}

/* No token is told in the table that no instance has: all of them at once reach every counter that
 * the table is about. */
static void test_every_reason_is_real(void **state)
{
    (void)state;
    static const enum slt_counter about[] = {
        SLT_COUNTER_active_opens,        SLT_COUNTER_passive_opens,
        SLT_COUNTER_attempt_fails,       SLT_COUNTER_established_resets,
        SLT_COUNTER_segments_in,         SLT_COUNTER_segments_out,
        SLT_COUNTER_listen_overflows,    SLT_COUNTER_listen_drops,
        SLT_COUNTER_cookies_sent,        SLT_COUNTER_cookies_received,
        SLT_COUNTER_cookies_failed,      SLT_COUNTER_time_wait_overflows,
        SLT_COUNTER_abort_on_data,       SLT_COUNTER_abort_on_close,
        SLT_COUNTER_abort_on_memory,     SLT_COUNTER_abort_on_timeout,
        SLT_COUNTER_loss_probes,         SLT_COUNTER_fast_retransmits,
        SLT_COUNTER_spurious_timeouts,   SLT_COUNTER_syn_retransmits,
        SLT_COUNTER_sack_reneging,       SLT_COUNTER_window_probes,
        SLT_COUNTER_challenge_acks,      SLT_COUNTER_syn_challenges,
        SLT_COUNTER_paws_established,    SLT_COUNTER_keepalives,
        SLT_COUNTER_mtu_probe_failures,  SLT_COUNTER_fast_open_failures,
        SLT_COUNTER_delayed_acks,        SLT_COUNTER_receive_queue_drops,
        SLT_COUNTER_out_of_order_pruned, SLT_COUNTER_request_queue_drops,
    };
    struct slt_counters c = empty();
    for (unsigned i = 1; i < salut_reason_count(); i++) {
        add(&c, salut_reason_token(i), 1);
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(about); i++) {
        assert_true(c.value[about[i]] >= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_delta),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_every_reason_is_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
