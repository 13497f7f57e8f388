/* observe/filter: ss's grammar and ours, over records built by hand. */
#include "observe/filter.h"

#include "base/time.h"
#include "observe/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct slt_seen record(void)
{
    struct slt_seen seen;
    slt_seen_init(&seen, SLT_SOURCE_KERNEL);
    seen.kind = SLT_SEEN_CONN;
    seen.state = SALUT_STATE_CLOSE_WAIT;
    seen.family = 4;
    seen.local_port = 8080;
    seen.remote_port = 40000;
    seen.pid = 1234;
    seen.unread = 0;
    seen.unacked = 10;
    seen.unsent = 5;
    seen.retransmits = 3;
    seen.rtt_us = 2500;
    seen.orphan = SLT_NO;
    seen.age = (struct slt_seen_span){90 * SLT_NS_PER_S, SLT_SPAN_AT_LEAST};
    seen.idle = (struct slt_seen_span){5 * SLT_NS_PER_S, SLT_SPAN_EXACT};
    strcpy(seen.program, "nginx");
    assert_int_equal(salut_addr_parse("10.1.2.3", &seen.local), SALUT_OK);
    assert_int_equal(salut_addr_parse("192.0.2.7", &seen.remote), SALUT_OK);
    return seen;
}

static bool passes(const char *text)
{
    char why[160] = "";
    struct slt_seen seen = record();
    struct slt_filter *filter = slt_filter_compile(&text, 1, why, sizeof(why));
    if (filter == NULL) {
        fail_msg("'%s' is refused: %s", text, why);
    }
    bool result = slt_filter_passes(filter, &seen);
    slt_filter_free(filter);
    return result;
}

static void refused(const char *text, const char *says)
{
    char why[160] = "";
    struct slt_filter *filter = slt_filter_compile(&text, 1, why, sizeof(why));
    if (filter != NULL) {
        fail_msg("'%s' is taken", text);
    }
    if (strstr(why, says) == NULL) {
        fail_msg("'%s' is refused with: %s", text, why);
    }
}

static void test_states(void **state)
{
    (void)state;
    assert_true(passes(""));
    assert_true(passes("state close-wait"));
    assert_true(passes("state CLOSE_WAIT"));
    assert_true(passes("state connected"));
    assert_true(passes("state synchronized"));
    assert_true(passes("state big"));
    assert_false(passes("state bucket"));
    assert_false(passes("state established"));
    assert_false(passes("exclude close-wait"));
    assert_true(passes("exclude time-wait"));
}

static void test_addresses(void **state)
{
    (void)state;
    assert_true(passes("src 10.1.2.3"));
    assert_true(passes("src 10.1.2.3:8080"));
    assert_false(passes("src 10.1.2.3:81"));
    assert_true(passes("src 10/8"));
    assert_true(passes("src = 10.1/16"));
    assert_false(passes("src != 10.1/16"));
    assert_false(passes("dst 10/8"));
    assert_true(passes("dst 192.0.2.0/29"));
    assert_false(passes("dst 192.0.2.8/29"));
    assert_true(passes("dst :40000"));
    assert_false(passes("src [::1]:8080"));
    assert_true(passes("dst 0.0.0.0/0"));
    assert_false(passes("dst fd00::/8"));
}

static void test_ports(void **state)
{
    (void)state;
    assert_true(passes("sport = :8080"));
    assert_true(passes("sport=8080"));
    assert_true(passes("sport eq http-alt"));
    assert_true(passes("dport > 1024"));
    assert_false(passes("dport <= 1024"));
    assert_true(passes(":40000"));
    assert_true(passes("8080"));
    assert_false(passes("port = 80"));
    assert_true(passes("port != 80"));
    assert_false(passes("port != 8080"));
}

static void test_facts(void **state)
{
    (void)state;
    assert_true(passes("age > 60s"));
    assert_true(passes("age >= 1.5m"));
    assert_false(passes("age < 1h")); /* at least 90 s: nobody knows */
    assert_false(passes("age = 90s"));
    assert_true(passes("idle < 6s"));
    assert_true(passes("idle = 5"));
    assert_false(passes("silent > 0")); /* not known */
    assert_true(passes("rtt > 2ms"));
    assert_true(passes("recvq = 0"));
    assert_true(passes("sendq = 15"));
    assert_true(passes("retrans ge 3"));
    assert_true(passes("pid = 1234"));
    assert_false(passes("uid = 0"));
    assert_false(passes("uid != 0")); /* not known either */
    assert_true(passes("comm = nginx"));
    assert_true(passes("comm = ng*"));
    assert_true(passes("comm = *inx"));
    assert_true(passes("comm = *gin*"));
    assert_false(passes("comm = gin*"));
    assert_true(passes("comm != redis"));
    assert_true(passes("orphan = no"));
    assert_false(passes("orphan = yes"));
    assert_false(passes("accepted = yes"));
    assert_false(passes("accepted = no"));
}

static void test_joints(void **state)
{
    (void)state;
    assert_true(passes("sport = 1 or dport = 40000"));
    assert_true(passes("sport = 8080 dport = 40000"));
    assert_false(passes("sport = 8080 dport = 1"));
    assert_true(passes("dport = 1 and sport = 1 or sport = 8080")); /* or is the weakest */
    assert_false(passes("dport = 1 and ( sport = 1 or sport = 8080 )"));
    assert_true(passes("not dport = 1"));
    assert_true(passes("! ( dport = 1 || sport = 1 )"));
    assert_true(passes("not not sport = 8080"));
    assert_false(passes("not sport = 8080 or dport = 1"));
    assert_true(passes("state close-wait and age > 60s and comm = nginx"));
    assert_true(passes("state close-wait ( dport = :443 or sport = :8080 ) src 10/8"));
}

static void test_words_of_a_shell(void **state)
{
    (void)state;
    static const char *const words[] = {"state", "close-wait", "(", "sport", "=", ":8080", ")"};
    char why[160];
    struct slt_seen seen = record();
    struct slt_filter *filter = slt_filter_compile(words, 7, why, sizeof(why));
    assert_non_null(filter);
    assert_true(slt_filter_passes(filter, &seen));
    slt_filter_free(filter);
}

static void test_refusals(void **state)
{
    (void)state;
    refused("state closed-wait", "no state is called so");
    refused("state = established", "follows at once");
    refused("sport", "comparison must follow");
    refused("sport = ", "something must follow");
    refused("sport = 70000", "a port is wanted");
    refused("dst 10.0.0.0/33", "bits");
    refused("dst nowhere", "an address is wanted");
    refused("age > soon", "a time is wanted");
    refused("recvq > much", "a number is wanted");
    refused("src > 10/8", "only = and !=");
    refused("accepted = maybe", "yes or no");
    refused("finding = CW-99", "no such finding");
    refused("finding > CW-1", "only = and !=");
    refused("finding =", "something must follow");
    refused("colour = blue", "no such word");
    refused("( sport = 1", "'(' without ')'");
    refused("sport = 1 )", "')' without '('");
    refused("( )", "missing before ')'");
    refused("and sport = 1", "missing before");
    refused("sport = 1 or", "ends too early");
    refused("comm = a-name-that-is-longer-than-any", "that long");
    refused("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "too long");
}

static bool passes_marked(const char *text, enum slt_finding_id id)
{
    char why[160] = "";
    struct slt_seen seen = record();
    struct slt_filter *filter = slt_filter_compile(&text, 1, why, sizeof(why));
    assert_non_null(filter);
    assert_true(slt_filter_asks_findings(filter));
    seen.findings[id / 64] |= UINT64_C(1) << id % 64;
    bool result = slt_filter_passes(filter, &seen);
    slt_filter_free(filter);
    return result;
}

static void test_findings(void **state)
{
    (void)state;
    assert_true(passes_marked("finding = CW-1", SLT_FIND_CW_1));
    assert_true(passes_marked("finding = cw-1", SLT_FIND_CW_1));
    assert_false(passes_marked("finding = CW-1", SLT_FIND_APP_3));
    assert_true(passes_marked("finding = APP-3", SLT_FIND_APP_3));
    assert_true(passes_marked("finding != CW-1", SLT_FIND_APP_3));
    assert_true(passes_marked("finding", SLT_FIND_APP_3));
    assert_true(passes_marked("finding and state close-wait", SLT_FIND_CW_1));
    assert_true(passes_marked("finding sport = 8080", SLT_FIND_CW_1));
    assert_false(passes_marked("not finding", SLT_FIND_CW_1));
    assert_false(passes("finding")); /* not marked: part of none */
}

static void test_bounds(void **state)
{
    (void)state;
    static char deep[400];
    static char wide[8192];
    memset(deep, '(', sizeof(deep) - 1);
    refused(deep, "nested too deeply");
    for (size_t i = 0; i < 1000; i++) {
        memcpy(wide + i * 8, "port=1  ", 8);
    }
    wide[8000] = '\0';
    refused(wide, "too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),   cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_ports),    cmocka_unit_test(test_facts),
        cmocka_unit_test(test_joints),   cmocka_unit_test(test_words_of_a_shell),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_findings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
