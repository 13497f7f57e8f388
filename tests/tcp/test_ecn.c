/* ECN's leaves by themselves: the arithmetic of AccECN (RFC 9768), cookies of fast open (RFC 7413).
 * What they do in a connection stands in tests/conform/ecn_fastopen.tsv.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/tcp_pair.h"
#include "wire/ipv4.h"

#include <string.h>

static struct slt_tcp_segment acking(uint32_t ace)
{
    return (struct slt_tcp_segment){.flags = (uint16_t)(SLT_TCP_ACK | slt_accecn_to_flags(ace))};
}

static void t_r9768_06_the_field_and_the_flags_are_one(void **ctx)
{
    (void)ctx;
    for (uint32_t ace = 0; ace < 8; ace++) {
        assert_int_equal(slt_accecn_of_flags(slt_accecn_to_flags(ace)), ace);
    }
    assert_int_equal(slt_accecn_to_flags(5), SLT_TCP_AE | SLT_TCP_ECE);
    assert_int_equal(slt_accecn_to_flags(8 + 2), SLT_TCP_CWR);
    assert_int_equal(slt_accecn_tell(SLT_ECN_NONE), 2);
    assert_int_equal(slt_accecn_tell(SLT_ECN_ECT1), 3);
    assert_int_equal(slt_accecn_tell(SLT_ECN_ECT0), 4);
    assert_int_equal(slt_accecn_tell(SLT_ECN_CE), 6);
}

/* Every true number of marks is found as long as fewer than eight came between two ACKs. */
static void t_r9768_06_differences_are_taken_around_the_wrap(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    uint32_t true_cep = 5;
    slt_accecn_start(&a);
    for (uint32_t step = 0; step < 1000; step++) {
        uint32_t marks = step * 7 % 8;
        uint32_t ce_bytes;
        true_cep += marks;
        struct slt_tcp_segment seg = acking(true_cep);
        assert_int_equal(slt_accecn_told(&a, &seg, 7 * 1000, 1000, &ce_bytes), marks);
        assert_int_equal(ce_bytes, marks * 1000);
        assert_int_equal(a.s_cep, true_cep);
    }
}

/* 3.2.2.5.2: with more packets than the field can count, as many marks as there can be. */
static void t_r9768_09_a_large_ack_is_taken_for_the_worst(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    uint32_t ce_bytes;
    slt_accecn_start(&a);
    struct slt_tcp_segment seg = acking(6);
    assert_int_equal(slt_accecn_told(&a, &seg, 20 * 1000, 1000, &ce_bytes), 17);
    assert_int_equal(ce_bytes, 17000);
    assert_int_equal(a.s_cep & 7U, 6);
    /* no mark is likelier than eight */
    assert_int_equal(slt_accecn_told(&a, &seg, 20 * 1000, 1000, &ce_bytes), 0);
}

/* With the option the octets decide. */
static void t_r9768_08_the_option_tells_octets(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    uint32_t ce_bytes;
    slt_accecn_start(&a);
    struct slt_tcp_segment seg = acking(6);
    seg.opt.present = SLT_TCP_OPT_ACCECN;
    seg.opt.accecn =
        (struct slt_tcp_accecn_option){.e0b = 19001, .ceb = 1000, .e1b = 1, .count = 3};
    assert_int_equal(slt_accecn_told(&a, &seg, 20 * 1000, 1000, &ce_bytes), 1);
    assert_int_equal(ce_bytes, 1000);
    /* the counter turns around after 2^24 */
    a.s_ceb = 0xffffff;
    seg = acking(7);
    seg.opt.present = SLT_TCP_OPT_ACCECN;
    seg.opt.accecn = (struct slt_tcp_accecn_option){.e0b = 19001, .ceb = 999, .count = 2};
    assert_int_equal(slt_accecn_told(&a, &seg, 20 * 1000, 1000, &ce_bytes), 1);
    assert_int_equal(ce_bytes, 1000);
}

static void t_r9768_09_a_zeroed_option_is_never_believed_again(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    uint32_t ce_bytes;
    slt_accecn_start(&a);
    struct slt_tcp_options opt = {.present = SLT_TCP_OPT_ACCECN, .accecn = {.count = 3}};
    slt_accecn_heard(&a, &opt);
    assert_true(a.flags & SLT_ACCECN_DEAF);
    struct slt_tcp_segment seg = acking(6);
    seg.opt.present = SLT_TCP_OPT_ACCECN;
    seg.opt.accecn = (struct slt_tcp_accecn_option){.e0b = 5001, .count = 3};
    assert_int_equal(slt_accecn_told(&a, &seg, 1000, 1000, &ce_bytes), 1);
    assert_int_equal(ce_bytes, 1000);
}

/* 3.2.3.2.4: either of the two that start at 1. */
static void t_r9768_09_either_counter_may_be_the_zeroed_one(void **ctx)
{
    (void)ctx;
    for (uint8_t order = 0; order < 2; order++) {
        for (uint8_t which = 0; which < 2; which++) {
            struct slt_tcp_accecn a;
            struct slt_tcp_options opt = {.present = SLT_TCP_OPT_ACCECN};
            slt_accecn_start(&a);
            opt.accecn = (struct slt_tcp_accecn_option){
                .e0b = which, .e1b = 1U - which, .count = 3, .order = order};
            slt_accecn_heard(&a, &opt);
            assert_true(a.flags & SLT_ACCECN_DEAF);
        }
    }
}

static struct slt_tcp_segment telling(uint32_t ace, uint32_t ceb)
{
    struct slt_tcp_segment seg = acking(ace);

    seg.opt.present = SLT_TCP_OPT_ACCECN;
    seg.opt.accecn = (struct slt_tcp_accecn_option){.e0b = 1, .ceb = ceb, .e1b = 1, .count = 3};
    return seg;
}

/* 3.2.3.2.5: octets without packets are old news, or a field that has come round. */
static void t_r9768_09_field_and_option_are_reconciled(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    uint32_t ce_bytes;
    slt_accecn_start(&a);
    struct slt_tcp_segment seg = acking(6);
    assert_int_equal(slt_accecn_told(&a, &seg, 1000, 1000, &ce_bytes), 1);
    seg = telling(6, 1000); /* the octets of that mark */
    assert_int_equal(slt_accecn_told(&a, &seg, 1000, 1000, &ce_bytes), 0);
    assert_int_equal(ce_bytes, 0);
    seg = telling(6, 9000);
    assert_int_equal(slt_accecn_told(&a, &seg, 8000, 1000, &ce_bytes), 8);
    assert_int_equal(ce_bytes, 8000);
    seg = telling(7, 9000); /* a control packet */
    assert_int_equal(slt_accecn_told(&a, &seg, 1000, 1000, &ce_bytes), 0);
}

/* 3.2.3.3: an option that leaves out what has moved is none. */
static void t_r9768_08_no_option_without_what_has_moved(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    struct slt_tcp_options opt;
    slt_accecn_start(&a);
    a.flags |= SLT_ACCECN_CHANGED;
    for (uint32_t moved = 0; moved < 3; moved++) {
        a.r_ceb = moved > 0 ? 100 : 0;
        a.r_e1b = moved > 1 ? 101 : 1;
        for (uint8_t blocks = 0; blocks < 4; blocks++) {
            memset(&opt, 0, sizeof(opt));
            opt.present = SLT_TCP_OPT_TIMESTAMPS;
            if (blocks > 0) {
                opt.present |= SLT_TCP_OPT_SACK;
            }
            opt.sack_count = blocks;
            slt_accecn_option(&a, &opt);
            bool there = (opt.present & SLT_TCP_OPT_ACCECN) != 0;
            assert_int_equal(there, blocks < 2 || (blocks == 2 && moved < 2));
            assert_true(!there || opt.accecn.count > moved);
            assert_true(slt_tcp_options_bytes(&opt) <= SLT_TCP_OPTIONS_MAX);
        }
    }
}

/* 3.2.2.3: three whole rounds of nothing but marks, from the first acknowledgement on. */
static void t_r9768_06_a_path_that_marks_everything_is_found_out(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    slt_accecn_start(&a);
    for (uint32_t n = 0; n < 9; n++) {
        assert_false(slt_accecn_drowned(&a, true, n % 3 == 0));
    }
    assert_true(slt_accecn_drowned(&a, true, true));
    assert_true(a.flags & SLT_ACCECN_VOID);
    slt_accecn_start(&a);
    assert_false(slt_accecn_drowned(&a, true, true));
    assert_false(slt_accecn_drowned(&a, false, false));
    for (uint32_t n = 0; n < 600; n++) {
        assert_false(slt_accecn_drowned(&a, true, true));
    }
    assert_false(a.flags & SLT_ACCECN_VOID);
}

/* Received marks: counted by packets and octets, told when they begin, end, or gather. */
static void t_r9768_07_marks_are_told_in_time(void **ctx)
{
    (void)ctx;
    struct slt_tcp_accecn a;
    struct slt_tcp_segment seg = {.flags = SLT_TCP_ACK, .payload_bytes = 100, .ecn = SLT_ECN_ECT0};
    slt_accecn_start(&a);
    assert_false(slt_accecn_received(&a, &seg, 1));
    assert_int_equal(a.r_e0b, 101);
    seg.ecn = SLT_ECN_CE;
    assert_true(slt_accecn_received(&a, &seg, 1));
    a.told_cep = (uint8_t)a.r_cep;
    assert_false(slt_accecn_received(&a, &seg, 1));
    assert_true(slt_accecn_received(&a, &seg, 1));
    assert_int_equal(a.r_cep, SLT_ACCECN_START + 3);
    assert_int_equal(a.r_ceb, 300);
    a.told_cep = (uint8_t)a.r_cep;
    assert_true(slt_accecn_received(&a, &seg, 5)); /* one super-frame of five */
    seg.ecn = SLT_ECN_ECT1;
    assert_true(slt_accecn_received(&a, &seg, 1));
    assert_int_equal(a.r_e1b, 101);
}

static struct slt_tcp server(struct salut_config *config)
{
    struct slt_tcp tcp = {.config = config, .fast_open_key = {.k0 = 1, .k1 = 2}};

    config->fast_open_key_ns = 10 * SLT_NS_PER_S;
    return tcp;
}

/* RFC 7413 4.1.2: good for its client, in its period and the next. */
static void t_r7413_03_a_cookie_is_good_for_two_periods(void **ctx)
{
    (void)ctx;
    struct salut_config config = {.profile = 0};
    struct slt_tcp tcp = server(&config);
    struct slt_tcp_id id = {.local = {1}, .remote = {2}, .local_port = 80, .remote_port = 1000};
    struct slt_tcp_options opt = {.present = 0};
    int64_t now_ns = 25 * SLT_NS_PER_S;

    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, now_ns), SLT_FAST_OPEN_NONE);
    slt_tcp_fast_open_cookie(&tcp, &id, now_ns, &opt);
    assert_int_equal(opt.cookie_bytes, 8);
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, now_ns), SLT_FAST_OPEN_FRESH);
    id.remote_port = 2000; /* a cookie is the host's, not the connection's */
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, 29 * SLT_NS_PER_S),
                     SLT_FAST_OPEN_FRESH);
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, 39 * SLT_NS_PER_S),
                     SLT_FAST_OPEN_OLD);
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, 40 * SLT_NS_PER_S),
                     SLT_FAST_OPEN_BAD);
    struct slt_tcp_id other = id;
    other.remote[15] ^= 1U;
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &other, &opt, now_ns), SLT_FAST_OPEN_BAD);
    other = id;
    other.local[15] ^= 1U;
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &other, &opt, now_ns), SLT_FAST_OPEN_BAD);
    for (unsigned bit = 0; bit < 64; bit++) {
        opt.cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, now_ns), SLT_FAST_OPEN_BAD);
        opt.cookie[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    opt.cookie_bytes = 4;
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, now_ns), SLT_FAST_OPEN_BAD);
    opt.cookie_bytes = 0;
    assert_int_equal(slt_tcp_fast_open_judge(&tcp, &id, &opt, now_ns), SLT_FAST_OPEN_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r9768_06_the_field_and_the_flags_are_one),
        cmocka_unit_test(t_r9768_06_differences_are_taken_around_the_wrap),
        cmocka_unit_test(t_r9768_09_a_large_ack_is_taken_for_the_worst),
        cmocka_unit_test(t_r9768_08_the_option_tells_octets),
        cmocka_unit_test(t_r9768_09_a_zeroed_option_is_never_believed_again),
        cmocka_unit_test(t_r9768_09_either_counter_may_be_the_zeroed_one),
        cmocka_unit_test(t_r9768_09_field_and_option_are_reconciled),
        cmocka_unit_test(t_r9768_08_no_option_without_what_has_moved),
        cmocka_unit_test(t_r9768_06_a_path_that_marks_everything_is_found_out),
        cmocka_unit_test(t_r9768_07_marks_are_told_in_time),
        cmocka_unit_test(t_r7413_03_a_cookie_is_good_for_two_periods),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
