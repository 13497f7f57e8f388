/* TCP options: every (kind, length) pair, the exact bytes that are sent, the rules of choice. */
#include "wire/tcp_options.h"

#include "exact.h"

#include <unistd.h>

/* What the rules of the header file say, told again without cursors. */
static enum slt_reason model(const uint8_t *p, uint32_t n, uint32_t *steps)
{
    uint32_t at = 0;
    while (at < n) {
        (*steps)++;
        if (p[at] == 0) {
            return SLT_PASS;
        }
        if (p[at] == 1) {
            at++;
            continue;
        }
        if (at + 1 >= n || p[at + 1] < 2 || at + p[at + 1] > n) {
            return SLT_DROP_TCP_OPTION_LENGTH;
        }
        at += p[at + 1];
    }
    return SLT_PASS;
}

/* RFC 9293 3.1 (MUST-7), 3.2 (MUST-6, MUST-64, MUST-68): all pairs at four alignments in buffers of
 * every size that options can have, each ending where the heap block ends. */
static void test_must_7_every_kind_and_length(void **state)
{
    (void)state;
    struct slt_tcp_options opt;
    alarm(120); /* a parser that stands still fails here and not never */
    for (uint32_t bytes = 1; bytes <= SLT_TCP_OPTIONS_MAX; bytes++) {
        uint8_t *p = malloc(bytes);
        for (uint32_t pair = 0; pair < 65536; pair++) {
            const uint32_t at = pair % 4 < bytes ? pair % 4 : 0;
            memset(p, 1, bytes);
            p[at] = (uint8_t)(pair >> 8);
            if (at + 1 < bytes) {
                p[at + 1] = (uint8_t)pair;
            }
            uint32_t steps = 0;
            const enum slt_reason want = model(p, bytes, &steps);
            assert_true(steps <= bytes);
            const enum slt_reason got = slt_tcp_options_parse((struct slt_span){p, bytes}, &opt);
            if (got != want) {
                fail_msg("kind %u length %u of %u bytes", pair >> 8, pair & 255, bytes);
            }
        }
        free(p);
    }
    alarm(0);
}

/* Two options behind one another, the second taking what the first left. */
static void test_pairs_of_options(void **state)
{
    (void)state;
    static const uint8_t kinds[] = {0, 1, 2, 3, 4, 5, 8, 28, 34, 99};
    struct slt_tcp_options opt;
    for (uint32_t i = 0; i < sizeof(kinds) * sizeof(kinds); i++) {
        for (uint32_t lengths = 0; lengths < 41 * 41; lengths++) {
            const uint32_t first = lengths / 41;
            const uint32_t bytes = slt_min32(40, first + 12);
            uint8_t *p = malloc(bytes);
            memset(p, 1, bytes);
            p[0] = kinds[i / sizeof(kinds)];
            p[1] = (uint8_t)first;
            if (first + 1 < bytes) {
                p[first] = kinds[i % sizeof(kinds)];
                p[first + 1] = (uint8_t)(lengths % 41);
            }
            uint32_t steps = 0;
            const enum slt_reason want = model(p, bytes, &steps);
            assert_int_equal(slt_tcp_options_parse((struct slt_span){p, bytes}, &opt), want);
            free(p);
        }
    }
}

static void assert_emits(const struct slt_tcp_options *opt, const uint8_t *want, uint32_t bytes,
                         const char *text)
{
    uint8_t out[64];
    char line[256];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_tcp_options_bytes(opt), bytes);
    assert_int_equal(slt_tcp_options_emit(opt, &w), bytes);
    assert_int_equal(w.at, bytes);
    assert_memory_equal(out, want, bytes);
    assert_int_equal(slt_tcp_options_print(opt, line, sizeof(line)), strlen(text));
    assert_string_equal(line, text);
    const struct slt_span copy = exact_copy(out, bytes);
    struct slt_tcp_options back;
    assert_int_equal(slt_tcp_options_parse(copy, &back), SLT_PASS);
    assert_memory_equal(&back, opt, sizeof(back));
    exact_free(copy);
    for (uint32_t room = 0; room < bytes; room++) {
        struct slt_writer small = slt_writer_of(out, room);
        assert_int_equal(slt_tcp_options_emit(opt, &small), 0);
        assert_true(small.failed);
    }
}

static struct slt_tcp_options none(void)
{
    struct slt_tcp_options opt;
    memset(&opt, 0, sizeof(opt));
    return opt;
}

/* The order that Linux uses, which fingerprinting middleboxes are used to. */
static void test_syn_layout(void **state)
{
    (void)state;
    static const uint8_t with_ts[] = {0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a, 0x00, 0x00,
                                      0x03, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07};
    struct slt_tcp_options opt = none();
    opt.present =
        SLT_TCP_OPT_MSS | SLT_TCP_OPT_SACK_OK | SLT_TCP_OPT_TIMESTAMPS | SLT_TCP_OPT_WSCALE;
    opt.mss = 1460;
    opt.ts_val = 1000;
    opt.wscale = 7;
    assert_emits(&opt, with_ts, sizeof(with_ts), "mss 1460,sackOK,TS val 1000 ecr 0,nop,wscale 7");

    static const uint8_t without_ts[] = {0x02, 0x04, 0x05, 0xb4, 0x01, 0x01,
                                         0x04, 0x02, 0x01, 0x03, 0x03, 0x07};
    opt.present = SLT_TCP_OPT_MSS | SLT_TCP_OPT_SACK_OK | SLT_TCP_OPT_WSCALE;
    opt.ts_val = 0;
    assert_emits(&opt, without_ts, sizeof(without_ts), "mss 1460,nop,nop,sackOK,nop,wscale 7");

    static const uint8_t only_mss[] = {0x02, 0x04, 0x02, 0x18};
    opt = none();
    opt.present = SLT_TCP_OPT_MSS;
    opt.mss = 536;
    assert_emits(&opt, only_mss, sizeof(only_mss), "mss 536");
}

static void test_later_layout(void **state)
{
    (void)state;
    static const uint8_t ts[] = {0x01, 0x01, 0x08, 0x0a, 0x00, 0x00,
                                 0x00, 0x05, 0x00, 0x00, 0x00, 0x06};
    struct slt_tcp_options opt = none();
    opt.present = SLT_TCP_OPT_TIMESTAMPS;
    opt.ts_val = 5;
    opt.ts_ecr = 6;
    assert_emits(&opt, ts, sizeof(ts), "nop,nop,TS val 5 ecr 6");

    static const uint8_t sack[] = {0x01, 0x01, 0x08, 0x0a, 0,    0,    0,    5,    0,    0,   0,
                                   6,    0x01, 0x01, 0x05, 0x12, 0,    0,    0,    1,    0,   0,
                                   0,    2,    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x03};
    opt.present |= SLT_TCP_OPT_SACK;
    opt.sack_count = 2;
    opt.sack[0] = (struct slt_tcp_sack_block){1, 2};
    opt.sack[1] = (struct slt_tcp_sack_block){0xffffffffU, 3};
    assert_emits(&opt, sack, sizeof(sack),
                 "nop,nop,TS val 5 ecr 6,nop,nop,sack 2 {1:2} {4294967295:3}");

    /* RFC 2018 3: three blocks fit beside timestamps, a fourth does not. */
    opt.sack_count = 4;
    uint8_t out[64];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    assert_int_equal(slt_tcp_options_bytes(&opt), 48);
    assert_int_equal(slt_tcp_options_emit(&opt, &w), 0);
    assert_int_equal(w.at, 0);
}

static void test_fast_open_and_user_timeout(void **state)
{
    (void)state;
    static const uint8_t request[] = {0x22, 0x02, 0x01, 0x01};
    struct slt_tcp_options opt = none();
    opt.present = SLT_TCP_OPT_FAST_OPEN;
    assert_emits(&opt, request, sizeof(request), "tfo cookiereq,nop,nop");

    static const uint8_t both[] = {0x22, 0x0a, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 28, 4, 0x80, 0x05};
    opt.present |= SLT_TCP_OPT_USER_TIMEOUT;
    opt.cookie_bytes = 8;
    for (uint8_t i = 0; i < 8; i++) {
        opt.cookie[i] = (uint8_t)(i + 1);
    }
    opt.user_timeout = 0x8005;
    assert_emits(&opt, both, sizeof(both), "tfo cookie 0102030405060708,nop,nop,uto 5m");
}

/* RFC 9768 3.2.3: the order of the counters is the kind's, and the last ones may be missing. */
static void test_r9768_08_accurate_ecn(void **state)
{
    (void)state;
    static const uint8_t all[] = {1, 172, 11, 0x12, 0x34, 0x56, 0, 0, 7, 0xff, 0xff, 0xff};
    struct slt_tcp_options opt = none();
    opt.present = SLT_TCP_OPT_ACCECN;
    opt.accecn =
        (struct slt_tcp_accecn_option){.e0b = 0x123456, .ceb = 7, .e1b = 0xffffff, .count = 3};
    assert_emits(&opt, all, sizeof(all), "nop,accecn0 e0b 1193046 ceb 7 e1b 16777215");

    static const uint8_t turned[] = {174, 8, 0xff, 0xff, 0xff, 0, 0, 7};
    opt.accecn = (struct slt_tcp_accecn_option){.ceb = 7, .e1b = 0xffffff, .count = 2, .order = 1};
    assert_emits(&opt, turned, sizeof(turned), "accecn1 e1b 16777215 ceb 7");

    static const uint8_t shorter[] = {172, 6, 0, 0, 9, 1};
    assert_int_equal(slt_tcp_options_parse((struct slt_span){shorter, sizeof(shorter)}, &opt),
                     SLT_PASS);
    assert_int_equal(opt.present, SLT_TCP_OPT_ACCECN);
    assert_int_equal(opt.accecn.count, 1);
    assert_int_equal(opt.accecn.e0b, 9);
    static const uint8_t longer[] = {174, 14, 0, 0, 3, 0, 0, 2, 0, 0, 1, 7, 7, 7};
    assert_int_equal(slt_tcp_options_parse((struct slt_span){longer, sizeof(longer)}, &opt),
                     SLT_PASS);
    assert_int_equal(opt.accecn.count, 3);
    assert_int_equal(opt.accecn.order, 1);
    assert_int_equal(opt.accecn.e1b, 3);
    assert_int_equal(opt.accecn.ceb, 2);
    assert_int_equal(opt.accecn.e0b, 1);
    static const uint8_t empty[] = {172, 4, 1, 2};
    assert_int_equal(slt_tcp_options_parse((struct slt_span){empty, sizeof(empty)}, &opt),
                     SLT_PASS);
    assert_int_equal(opt.accecn.count, 0);
}

/* Every combination of options that fits comes back as it was. */
static void test_round_trip_of_all_combinations(void **state)
{
    (void)state;
    uint32_t fitting = 0;
    for (uint32_t present = 0; present < 256; present++) {
        for (uint32_t n = 0; n < 4 * 8; n++) {
            struct slt_tcp_options opt = none();
            opt.present = (uint8_t)present;
            opt.mss = (present & SLT_TCP_OPT_MSS) ? 65535 : 0;
            opt.wscale = (present & SLT_TCP_OPT_WSCALE) ? 255 : 0;
            opt.ts_val = (present & SLT_TCP_OPT_TIMESTAMPS) ? 0xfffffffeU : 0;
            opt.user_timeout = (present & SLT_TCP_OPT_USER_TIMEOUT) ? 0xffff : 0;
            if (present & SLT_TCP_OPT_SACK) {
                opt.sack_count = (uint8_t)(n % 4 + 1);
                memset(opt.sack, 0x77, sizeof(opt.sack[0]) * opt.sack_count);
            }
            if (present & SLT_TCP_OPT_FAST_OPEN) {
                opt.cookie_bytes = n / 4 == 0 ? 0 : (uint8_t)(2 * (n / 4) + 2);
                memset(opt.cookie, 0x33, opt.cookie_bytes);
            }
            if (present & SLT_TCP_OPT_ACCECN) {
                opt.accecn.count = (uint8_t)(n % 4);
                opt.accecn.order = (uint8_t)(n / 4 % 2);
                opt.accecn.ceb = n % 4 > 1 ? 0x800001 : 0;
            }
            uint8_t out[SLT_TCP_OPTIONS_MAX];
            struct slt_writer w = slt_writer_of(out, sizeof(out));
            const uint32_t bytes = slt_tcp_options_emit(&opt, &w);
            if (slt_tcp_options_bytes(&opt) > SLT_TCP_OPTIONS_MAX) {
                assert_int_equal(bytes, 0);
                continue;
            }
            fitting++;
            assert_int_equal(bytes % 4, 0);
            const struct slt_span copy = exact_copy(out, bytes);
            struct slt_tcp_options back;
            assert_int_equal(slt_tcp_options_parse(copy, &back), SLT_PASS);
            assert_memory_equal(&back, &opt, sizeof(back));
            exact_free(copy);
        }
    }
    assert_true(fitting > 1000);
}

/* A known kind with a length that is not its own is unknown; the first of two counts. */
static void test_rules_of_choice(void **state)
{
    (void)state;
    static const uint8_t wrong[] = {2, 3, 5, 3, 4,  7, 7, 4, 3,  0, 5, 6, 0, 0,
                                    0, 0, 8, 2, 34, 4, 1, 2, 28, 3, 1, 5, 2, 1};
    struct slt_tcp_options opt;
    assert_int_equal(slt_tcp_options_parse((struct slt_span){wrong, sizeof(wrong)}, &opt),
                     SLT_PASS);
    assert_int_equal(opt.present, 0);

    static const uint8_t twice[] = {2, 4, 0x05, 0xb4, 2, 4, 0, 1, 3, 3, 14, 3, 3, 2, 0, 2, 0};
    assert_int_equal(slt_tcp_options_parse((struct slt_span){twice, sizeof(twice)}, &opt),
                     SLT_PASS);
    assert_int_equal(opt.mss, 1460);
    assert_int_equal(opt.wscale, 14);

    /* RFC 9293 3.2 (MUST-64): timestamps at each alignment. */
    for (uint32_t shift = 0; shift < 4; shift++) {
        uint8_t bytes[16];
        memset(bytes, 1, sizeof(bytes));
        bytes[shift] = 8;
        bytes[shift + 1] = 10;
        memcpy(bytes + shift + 2, "\x00\x00\x00\x09\x00\x00\x00\x0a", 8);
        const struct slt_span copy = exact_copy(bytes, sizeof(bytes));
        assert_int_equal(slt_tcp_options_parse(copy, &opt), SLT_PASS);
        assert_int_equal(opt.present, SLT_TCP_OPT_TIMESTAMPS);
        assert_int_equal(opt.ts_val, 9);
        assert_int_equal(opt.ts_ecr, 10);
        exact_free(copy);
    }
}

static void test_print_never_overflows(void **state)
{
    (void)state;
    struct slt_tcp_options opt = none();
    opt.present = SLT_TCP_OPT_MSS | SLT_TCP_OPT_WSCALE | SLT_TCP_OPT_TIMESTAMPS;
    const int whole = slt_tcp_options_print(&opt, NULL, 0);
    assert_true(whole > 0);
    for (size_t size = 1; size <= (size_t)whole + 1; size++) {
        char *line = malloc(size);
        assert_int_equal(slt_tcp_options_print(&opt, line, size), whole);
        assert_int_equal(strlen(line), size - 1);
        free(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_must_7_every_kind_and_length),
        cmocka_unit_test(test_pairs_of_options),
        cmocka_unit_test(test_syn_layout),
        cmocka_unit_test(test_later_layout),
        cmocka_unit_test(test_fast_open_and_user_timeout),
        cmocka_unit_test(test_r9768_08_accurate_ecn),
        cmocka_unit_test(test_round_trip_of_all_combinations),
        cmocka_unit_test(test_rules_of_choice),
        cmocka_unit_test(test_print_never_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
