/* observe/judge: findings over cases built by hand: where a judge must say no, and what
 * tests/observe/lab.py cannot provoke.
 *
 * The lab makes faults for real, one at a time. Here are their neighbours, which must not be taken
 * for them, and as replay_...: facts as a kernel tells them where the fault itself would need more
 * than a network namespace has; each says why.
 */
#include "observe/findings.h"
#include "observe/interfaces_linux.h"

#include "base/compiler.h"
#include "base/time.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RECORDS 8U

struct world {
    struct slt_seen records[RECORDS];
    struct slt_look look;
    struct slt_case about;
    struct slt_hit hit;
};

/* No connections; counters at 0; nothing known of the host but its ports. */
static void begin(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->look.list.items = w->records;
    w->about.look = &w->look;
    w->about.before.at_ns = SLT_NS_PER_S;
    w->about.after.at_ns = 2 * SLT_NS_PER_S;
    slt_host_facts_forget(&w->about.host);
    w->about.host.port_low = 32768;
    w->about.host.port_high = 60999;
    slt_case_defaults(&w->about.limits);
}

static struct slt_seen *add(struct world *w, enum slt_seen_kind kind, enum salut_state state,
                            uint16_t local_port)
{
    struct slt_seen *seen = &w->records[w->look.list.count++];
    assert_true(w->look.list.count <= RECORDS);
    slt_seen_init(seen, SLT_SOURCE_KERNEL);
    seen->kind = (uint8_t)kind;
    seen->state = (uint8_t)state;
    seen->family = 4;
    assert_int_equal(salut_addr_parse("10.0.0.1", &seen->local), SALUT_OK);
    assert_int_equal(salut_addr_parse("10.0.0.2", &seen->remote), SALUT_OK);
    seen->local_port = local_port;
    seen->remote_port = 40000;
    return seen;
}

static void set_rise(struct world *w, enum slt_counter counter, int64_t rise)
{
    w->about.after.value[counter] = rise;
}

static void holds(struct world *w, enum slt_finding_id id, const char *evidence)
{
    if (!slt_finding_judge(&w->about, id, &w->hit)) {
        fail_msg("%s does not hold", slt_finding_row(id)->id);
    }
    if (strstr(w->hit.evidence, evidence) == NULL) {
        fail_msg("%s: '%s' is not in: %s", slt_finding_row(id)->id, evidence, w->hit.evidence);
    }
}

static void does_not_hold(struct world *w, enum slt_finding_id id)
{
    if (slt_finding_judge(&w->about, id, &w->hit)) {
        fail_msg("%s holds: %s", slt_finding_row(id)->id, w->hit.evidence);
    }
}

/* ---- ports ---------------------------------------------------------------------------------- */

static struct slt_seen *add_left(struct world *w, uint16_t port)
{
    struct slt_seen *left = add(w, SLT_SEEN_TIME_WAIT, SALUT_STATE_TIME_WAIT, port);
    left->timer_in = (struct slt_span){42 * SLT_NS_PER_S, SLT_SPAN_EXACT};
    return left;
}

static void test_port_left(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    add_left(&w, 8080);
    add_left(&w, 8080)->timer_in.ns = 50 * SLT_NS_PER_S;
    holds(&w, SLT_FIND_SYN_7, "port 8080, and 2 connections");
    assert_non_null(strstr(w.hit.evidence, "another 50 s"));

    begin(&w); /* a port that connect() took */
    add_left(&w, 40001);
    does_not_hold(&w, SLT_FIND_SYN_7);

    begin(&w); /* a client that chose its port: the far one is a service */
    add_left(&w, 867)->remote_port = 2049;
    does_not_hold(&w, SLT_FIND_SYN_7);

    begin(&w); /* still served */
    add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 8080)->inode = 7;
    add_left(&w, 8080);
    does_not_hold(&w, SLT_FIND_SYN_7);

    begin(&w); /* of another kind of source the range of ports is not known */
    w.about.host.port_low = SLT_UNKNOWN;
    add_left(&w, 8080);
    does_not_hold(&w, SLT_FIND_SYN_7);
}

/* The listener was not asked for, and is there all the same. */
static void test_port_left_out(void **state)
{
    (void)state;
    struct world w;
    struct slt_seen listener;
    begin(&w);
    add_left(&w, 8080);
    slt_seen_init(&listener, SLT_SOURCE_KERNEL);
    listener.kind = SLT_SEEN_LISTENER;
    listener.local = w.records[0].local;
    listener.local_port = 8080;
    listener.inode = 7;
    w.look.left_out = (struct slt_seen_list){.items = &listener, .count = 1};
    does_not_hold(&w, SLT_FIND_SYN_7);
    listener.local_port = 8081;
    holds(&w, SLT_FIND_SYN_7, "port 8080");
}

static void test_port_bound(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct slt_seen *listener = add(&w, SLT_SEEN_LISTENER, SALUT_STATE_LISTEN, 8080);
    struct slt_seen *bound = add(&w, SLT_SEEN_BOUND, SALUT_STATE_CLOSED, 8080);
    listener->pid = 100;
    bound->pid = 200;
    strcpy(listener->program, "old");
    strcpy(bound->program, "new");
    holds(&w, SLT_FIND_SYN_7, "port 8080 is bound in new(200)");
    assert_non_null(strstr(w.hit.evidence, "the listener at 10.0.0.1:8080 in old(100)"));
    bound->pid = 100; /* a program's own business */
    does_not_hold(&w, SLT_FIND_SYN_7);
    bound->pid = SLT_UNKNOWN;
    does_not_hold(&w, SLT_FIND_SYN_7);
}

/* ---- the host ------------------------------------------------------------------------------- */

static void test_host_drops(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    set_rise(&w, SLT_COUNTER_segments_retransmitted, 100);
    does_not_hold(&w, SLT_FIND_LOSS_6); /* lost elsewhere */
    w.about.host.softnet_dropped = 100;
    holds(&w, SLT_FIND_LOSS_6, "lost 100 packets");
    set_rise(&w, SLT_COUNTER_segments_retransmitted, 0);
    does_not_hold(&w, SLT_FIND_LOSS_6); /* not TCP's, or not of this network namespace */
}

/* A ring is a network card's: no virtual device has one that can be full. */
static void replay_LOSS_6_interface(void **state)
{
    (void)state;
    struct world w;
    struct rtnl_link_stats64 stats = {.rx_missed_errors = 400, .rx_fifo_errors = 30};
    struct rtattr attribute = {.rta_len = (unsigned short)(sizeof(attribute) + sizeof(stats)),
                               .rta_type = IFLA_STATS64};
    uint8_t message[sizeof(struct ifinfomsg) + sizeof(attribute) + sizeof(stats)] = {0};
    struct slt_interface_losses losses = {.missed = 0};
    memcpy(message + sizeof(struct ifinfomsg), &attribute, sizeof(attribute));
    memcpy(message + sizeof(struct ifinfomsg) + sizeof(attribute), &stats, sizeof(stats));
    for (size_t bytes = 0; bytes < sizeof(message); bytes++) {
        slt_interface_losses_add(&losses, message, bytes); /* cut short: nothing is taken */
        assert_int_equal(losses.missed, 0);
    }
    slt_interface_losses_add(&losses, message, sizeof(message));
    assert_int_equal(losses.missed, 400);
    assert_int_equal(losses.overruns, 30);
    begin(&w);
    w.about.host.interface_missed = losses.missed;
    w.about.host.interface_overruns = losses.overruns;
    set_rise(&w, SLT_COUNTER_out_of_order, 25);
    holds(&w, SLT_FIND_LOSS_6, "got no room for 400 and overran for 30");
}

static void test_interfaces_are_read(void **state)
{
    (void)state;
    struct slt_interface_losses losses = {.missed = SLT_UNKNOWN, .overruns = SLT_UNKNOWN};
    assert_int_equal(slt_interface_losses_read(&losses), 0);
    assert_true(losses.missed >= 0);
    assert_true(losses.overruns >= 0);
}

static void test_since(void **state)
{
    (void)state;
    struct slt_host_facts before;
    struct slt_host_facts now;
    slt_host_facts_forget(&before);
    slt_host_facts_forget(&now);
    before.softnet_dropped = 5;
    now.softnet_dropped = 12;
    now.interface_missed = 3;
    slt_host_facts_since(&now, &before);
    assert_int_equal(now.softnet_dropped, 7);
    assert_int_equal(now.interface_missed, SLT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_left),
        cmocka_unit_test(test_port_left_out),
        cmocka_unit_test(test_port_bound),
        cmocka_unit_test(test_host_drops),
        cmocka_unit_test(replay_LOSS_6_interface),
        cmocka_unit_test(test_interfaces_are_read),
        cmocka_unit_test(test_since),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
