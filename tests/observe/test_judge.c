/* observe/judge: findings over cases built by hand: where a judge must say no, and what
 * tests/observe/lab.py cannot provoke.
 *
 * The lab makes faults for real, one at a time. Here are their neighbours, which must not be taken
 * for them, and as replay_...: facts as a kernel tells them where the fault itself would need more
 * than a network namespace has; each says why.
 */
#include "observe/concern.h"
#include "observe/findings.h"
#include "observe/interfaces_linux.h"
#include "observe/settings_linux.h"

#include "base/compiler.h"
#include "base/time.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    left->timer_in = (struct slt_seen_span){42 * SLT_NS_PER_S, SLT_SPAN_EXACT};
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

/* ---- a program that gives slowly ------------------------------------------------------------- */

static struct slt_seen_span exactly(int64_t ns)
{
    return (struct slt_seen_span){ns, SLT_SPAN_EXACT};
}

/* Ten megabytes in ten seconds, which the network would have taken in one. */
static struct slt_seen *begin_slow_program(struct world *w)
{
    begin(w);
    struct slt_seen *seen = add(w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 8080);
    seen->unread = seen->unacked = seen->unsent = 0;
    seen->app_limited = SLT_YES;
    seen->lifetime = exactly(10 * SLT_NS_PER_S);
    seen->idle = exactly(SLT_NS_PER_S / 10);
    seen->given = exactly(10 * SLT_NS_PER_S);
    seen->busy_us = 1000000;
    seen->bytes_acked = 10 * 1024 * 1024;
    return seen;
}

static void test_slow_program(void **state)
{
    (void)state;
    struct world w;
    (void)begin_slow_program(&w);
    holds(&w, SLT_FIND_BUF_3, "nothing to send for 90 % of 10 s, 1024 KB a second");
    begin_slow_program(&w)->lifetime.how = SLT_SPAN_UNKNOWN; /* no recorder */
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->busy_us = 5000000; /* half of the time */
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->given = exactly(SLT_NS_PER_S); /* the peer asks for it */
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->idle = exactly(2 * SLT_NS_PER_S); /* it is over */
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->unsent = 1; /* the network is behind */
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->app_limited = SLT_NO;
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->lifetime.ns = 1000 * SLT_NS_PER_S; /* a heartbeat, a log: no transfer */
    does_not_hold(&w, SLT_FIND_BUF_3);
    begin_slow_program(&w)->state = SALUT_STATE_FIN_WAIT_1;
    does_not_hold(&w, SLT_FIND_BUF_3);
}

/* ---- replayed -------------------------------------------------------------------------------- */

/* tcp_mem is the machine's alone: filling a sixteenth of its memory is no test's business. */
static void replay_BUF_5(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.about.host.memory_pressure_pages = 250000;
    w.about.after.value[SLT_COUNTER_memory_pages] = 249999;
    does_not_hold(&w, SLT_FIND_BUF_5);
    w.about.after.value[SLT_COUNTER_memory_pages] = 251200;
    set_rise(&w, SLT_COUNTER_memory_pressures, 1);
    set_rise(&w, SLT_COUNTER_abort_on_memory, 3);
    holds(&w, SLT_FIND_BUF_5, "TCP holds 251200 pages, pressure begins at 250000; 3 connections");
}

/* tcp_max_orphans is the machine's alone, too: a network namespace does not even see it. */
static void replay_OR_1(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.about.after.value[SLT_COUNTER_sockets_orphan] = 40000;
    does_not_hold(&w, SLT_FIND_OR_1);
    w.about.host.orphans_max = 131072;
    does_not_hold(&w, SLT_FIND_OR_1);
    w.about.after.value[SLT_COUNTER_sockets_orphan] = 65536;
    holds(&w, SLT_FIND_OR_1, "65536 connections have no program, tcp_max_orphans is 131072");
}

/* It takes a processor that is saturated by packets for a second: it would be everybody's. */
static void replay_CPU_1(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (uint16_t i = 0; i < 3; i++) {
        struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 8080);
        seen->unread = 0;
        seen->rtt_min_us = 300;
        seen->rtt_us = 45000;
    }
    does_not_hold(&w, SLT_FIND_CPU_1); /* far, or its path is slow */
    w.about.host.softnet_squeezed = 900;
    holds(&w, SLT_FIND_CPU_1, "it takes 45 ms, once 300 us");
    w.records[0].unread = 5000; /* its program is slow */
    does_not_hold(&w, SLT_FIND_CPU_1);
    w.records[0].unread = 0;
    w.about.host.softnet_dropped = 30; /* LOSS-6 */
    does_not_hold(&w, SLT_FIND_CPU_1);
}

static const char *make_settings(char *root, const char *text)
{
    char path[200];
    assert_non_null(mkdtemp(root));
    (void)snprintf(path, sizeof(path), "%s/etc", root);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/etc/sysctl.d", root);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(path, sizeof(path), "%s/etc/sysctl.d/9.conf", root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
    return root;
}

static void remove_settings(const char *root)
{
    static const char *const parts[] = {"/etc/sysctl.d/9.conf", "/etc/sysctl.d", "/etc", ""};
    char path[200];
    for (size_t i = 0; i < SLT_ARRAY_COUNT(parts); i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, parts[i]);
        assert_int_equal(remove(path), 0);
    }
}

static void test_settings(void **state)
{
    (void)state;
    char root[] = "/tmp/salut-settings-XXXXXX";
    struct slt_setting_place place;
    const char *made = make_settings(root, "# net.ipv4.a = 1\n;net.ipv4.a = 2\n net.ipv4.ab = 3\n"
                                           "net.ipv4.a\n -net/ipv4/a =4\nnet.ipv4.b = x\n");
    assert_true(slt_setting_find(made, "net.ipv4.a", &place));
    assert_int_equal(place.line, 5);
    assert_int_equal(place.value, 4);
    assert_false(slt_setting_find(made, "net.ipv4.b", &place));
    assert_false(slt_setting_find(made, "net.ipv4.c", &place));
    remove_settings(made);
    assert_false(slt_setting_find(made, "net.ipv4.a", &place));
}

/* ---- open connections and their neighbours -------------------------------------------------- */

static struct slt_seen *add_sent_in_vain(struct world *w)
{
    struct slt_seen *seen = add(w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 40001);
    seen->timer = SLT_SEEN_TIMER_RETRANSMIT;
    seen->timer_in = (struct slt_seen_span){SLT_NS_PER_S, SLT_SPAN_EXACT};
    seen->retries = 4;
    seen->backoff = 4;
    seen->rto_us = 3200000;
    seen->unacked = 4380;
    seen->unsent = 0;
    seen->send_mss = 1460;
    seen->lost = 3;
    seen->sacked = 0;
    seen->pmtu = 1500;
    seen->silent = (struct slt_seen_span){6 * SLT_NS_PER_S, SLT_SPAN_EXACT};
    return seen;
}

static void test_sent_in_vain(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    w.about.host.retries2 = 15;
    struct slt_seen *seen = add_sent_in_vain(&w);
    holds(&w, SLT_FIND_RTO_1, "4 timeouts in a row");
    /* 924.6 s, less the 3.0 s of four timeouts and 2.2 s of the fifth */
    holds(&w, SLT_FIND_RTO_2, "in about 15 min");
    does_not_hold(&w, SLT_FIND_MTU_1);
    does_not_hold(&w, SLT_FIND_NAT_1);
    seen->sacked = 1; /* a small one behind them arrived */
    holds(&w, SLT_FIND_MTU_1, "and 1 behind them arrived");
    does_not_hold(&w, SLT_FIND_RTO_1);
    does_not_hold(&w, SLT_FIND_RTO_2);
    seen->sacked = 9; /* most arrive: losses */
    does_not_hold(&w, SLT_FIND_MTU_1);
    seen->sacked = 1;
    seen->send_mss = 536; /* no path is narrower */
    does_not_hold(&w, SLT_FIND_MTU_1);
}

static void test_rested(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct slt_seen *mute = add_sent_in_vain(&w);
    struct slt_seen *other = add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 40002);
    mute->silent.ns = 400 * SLT_NS_PER_S;
    other->silent = (struct slt_seen_span){SLT_NS_PER_S, SLT_SPAN_EXACT};
    holds(&w, SLT_FIND_NAT_1, "it had rested for 6.6 min");
    other->silent.ns = 30 * SLT_NS_PER_S; /* not heard since either: the host is gone */
    does_not_hold(&w, SLT_FIND_NAT_1);
    other->silent.ns = SLT_NS_PER_S;
    mute->silent.ns = 40 * SLT_NS_PER_S; /* it had not rested for long */
    does_not_hold(&w, SLT_FIND_NAT_1);
    mute->silent.ns = 400 * SLT_NS_PER_S;
    other->remote.b[15] = 77; /* another host */
    does_not_hold(&w, SLT_FIND_NAT_1);
}

static void test_held_back(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 40001);
    seen->timer = SLT_SEEN_TIMER_PERSIST;
    seen->timer_in = (struct slt_seen_span){100 * SLT_NS_PER_MS, SLT_SPAN_EXACT};
    seen->rto_us = 201000;
    seen->unacked = 0;
    seen->unsent = 90;
    seen->send_mss = 1460;
    seen->send_window = 65535;
    holds(&w, SLT_FIND_NAG_2, "90 bytes wait");
    does_not_hold(&w, SLT_FIND_ZW_1);
    seen->timer_in.ns =
        195 * SLT_NS_PER_MS; /* for 6 ms: the rest may be on its way to the kernel */
    does_not_hold(&w, SLT_FIND_NAG_2);
    seen->timer_in.ns = 100 * SLT_NS_PER_MS;
    seen->send_window = 0;
    does_not_hold(&w, SLT_FIND_NAG_2);
    holds(&w, SLT_FIND_ZW_1, "90 bytes wait");
}

static void test_way_in(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 40001);
    seen->retransmits = 10;
    seen->dsacks = 9;
    seen->holes_in = 20;
    holds(&w, SLT_FIND_LOSS_4, "of 10 segments sent again, the peer had 9");
    seen->holes_in = 0; /* late, not lost: LOSS-3 */
    does_not_hold(&w, SLT_FIND_LOSS_4);
    seen->holes_in = 20;
    seen->dsacks = 5; /* half were needed: it loses both ways */
    does_not_hold(&w, SLT_FIND_LOSS_4);
}

static void test_late_open(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (uint16_t i = 0; i < 3; i++) {
        struct slt_seen *seen =
            add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, (uint16_t)(40000 + i));
        seen->retransmits = 1 + i;
        seen->bytes_retransmitted = 0;
    }
    holds(&w, SLT_FIND_SYN_4, "sent again 3 times, so connect() took at least 3 s");
    w.records[0].bytes_retransmitted = 100; /* that was data */
    does_not_hold(&w, SLT_FIND_SYN_4);
    w.records[0].bytes_retransmitted = 0;
    w.records[0].passive = SLT_YES;
    does_not_hold(&w, SLT_FIND_SYN_4);
}

static void test_ended_for_silence(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    set_rise(&w, SLT_COUNTER_abort_on_timeout, 9);
    set_rise(&w, SLT_COUNTER_keepalives, 20);
    does_not_hold(&w, SLT_FIND_RST_7); /* none was open: orphans */
    set_rise(&w, SLT_COUNTER_established_resets, 9);
    holds(&w, SLT_FIND_RST_7, "9 open connections");
    set_rise(&w, SLT_COUNTER_attempt_fails, 9);
    does_not_hold(&w, SLT_FIND_RST_7); /* none was open yet */
}

static void test_short_connections(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    set_rise(&w, SLT_COUNTER_passive_opens, 500);
    set_rise(&w, SLT_COUNTER_segments_in, 2500);
    holds(&w, SLT_FIND_APP_3, "500 connections were opened within 1000 ms, and each got 5");
    set_rise(&w, SLT_COUNTER_segments_in, 25000);
    does_not_hold(&w, SLT_FIND_APP_3); /* they are put to use */
    set_rise(&w, SLT_COUNTER_segments_in, 2500);
    w.about.after.at_ns = 20 * SLT_NS_PER_S;
    does_not_hold(&w, SLT_FIND_APP_3); /* few in so long a time */
}

static void test_starts_over(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_ESTABLISHED, 40001);
    seen->bytes_sent = 2 * 1024 * 1024;
    seen->segs_out = 1500;
    seen->retransmits = 0;
    seen->cwnd_bytes = 14600;
    seen->delivery_rate = 1000000;
    seen->rtt_min_us = 100000;
    strcpy(seen->congestion, "cubic");
    does_not_hold(&w, SLT_FIND_CC_2); /* the setting is not known */
    w.about.host.slow_start_after_idle = 1;
    holds(&w, SLT_FIND_CC_2, "it may have 14 KB on its way, carried 976 KB/s before");
    seen->retransmits = 2; /* a loss took the window back */
    does_not_hold(&w, SLT_FIND_CC_2);
    seen->retransmits = 0;
    seen->marked = 1; /* or a mark */
    does_not_hold(&w, SLT_FIND_CC_2);
    seen->marked = 0;
    strcpy(seen->congestion, "bbr");
    does_not_hold(&w, SLT_FIND_CC_2);
    strcpy(seen->congestion, "reno");
    seen->rtt_min_us = 20000; /* it never had more on its way */
    does_not_hold(&w, SLT_FIND_CC_2);
}

static void test_closed_with_closed_window(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_FIN_WAIT_1, 8080);
    seen->timer = SLT_SEEN_TIMER_PERSIST;
    seen->orphan = SLT_YES;
    holds(&w, SLT_FIND_ZW_4, "the FIN cannot be sent");
    does_not_hold(&w, SLT_FIND_FW1_2);
    seen->orphan = SLT_NO;
    seen->unsent = 700;
    seen->unacked = 0;
    holds(&w, SLT_FIND_FW1_2, "700 bytes are before it");
    does_not_hold(&w, SLT_FIND_ZW_4);
}

static bool is_part(const struct world *w, size_t index, enum slt_finding_id id)
{
    return slt_concern_has(&w->records[index], (unsigned)id);
}

static void test_concern(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (uint16_t i = 0; i < 4; i++) {
        struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_CLOSE_WAIT, 8080);
        seen->accepted = SLT_YES;
        seen->unacked = seen->unsent = 0;
        seen->age = (struct slt_seen_span){(i < 2 ? 90 : 5) * SLT_NS_PER_S, SLT_SPAN_AT_LEAST};
    }
    for (uint16_t i = 0; i < 3; i++) { /* to one place, which does not answer */
        struct slt_seen *seen = add(&w, SLT_SEEN_CONN, SALUT_STATE_SYN_SENT, 40001);
        seen->retries = 2;
    }
    w.records[3].source = SLT_SOURCE_STACK; /* is judged by itself */
    assert_true(slt_concern_mark(&w.look.list));
    for (size_t i = 0; i < w.look.list.count; i++) {
        assert_int_equal(is_part(&w, i, SLT_FIND_CW_1), i < 2);
        assert_int_equal(is_part(&w, i, SLT_FIND_SYN_1), i >= 4);
        assert_int_equal(is_part(&w, i, SLT_FIND_COUNT), i < 2 || i >= 4);
    }
    w.look.list.count = 6; /* two are no pattern */
    assert_true(slt_concern_mark(&w.look.list));
    assert_false(is_part(&w, 4, SLT_FIND_SYN_1));
}

/* A judge may only hold where something is seen. */
static void test_nothing(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
        does_not_hold(&w, (enum slt_finding_id)i);
    }
    struct slt_seen unknown;
    slt_seen_init(&unknown, SLT_SOURCE_KERNEL);
    unknown.kind = SLT_SEEN_CONN;
    for (unsigned state_of = 0; state_of < SALUT_STATE_COUNT; state_of++) {
        unknown.state = (uint8_t)state_of;
        w.records[0] = unknown;
        w.look.list.count = 1;
        for (unsigned i = 0; i < SLT_FIND_COUNT; i++) {
            does_not_hold(&w, (enum slt_finding_id)i);
        }
    }
}

/* With a name as argument that one alone is run. */
int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_left),
        cmocka_unit_test(test_port_left_out),
        cmocka_unit_test(test_port_bound),
        cmocka_unit_test(test_host_drops),
        cmocka_unit_test(replay_LOSS_6_interface),
        cmocka_unit_test(test_interfaces_are_read),
        cmocka_unit_test(test_since),
        cmocka_unit_test(test_slow_program),
        cmocka_unit_test(replay_BUF_5),
        cmocka_unit_test(replay_OR_1),
        cmocka_unit_test(replay_CPU_1),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_sent_in_vain),
        cmocka_unit_test(test_rested),
        cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_way_in),
        cmocka_unit_test(test_late_open),
        cmocka_unit_test(test_ended_for_silence),
        cmocka_unit_test(test_short_connections),
        cmocka_unit_test(test_starts_over),
        cmocka_unit_test(test_closed_with_closed_window),
        cmocka_unit_test(test_concern),
        cmocka_unit_test(test_nothing),
    };
    cmocka_set_test_filter(argc > 1 ? argv[1] : NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
