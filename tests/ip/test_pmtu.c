/* Tests of ip/pmtu: floors, never raised, plateaus, age, bounds. R1191-01..03, R8201-01, J04. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/pmtu.h"

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

struct world {
    struct slt_mem mem;
    struct slt_pmtu pmtu;
};

static int setup(void **state)
{
    static struct world w;
    const struct slt_sipkey key = {1, 2};
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_pmtu_init(&w.pmtu, &w.mem, 16, &key));
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    slt_pmtu_deinit(&w->pmtu);
    assert_int_equal(w->mem.ledger.bytes[SLT_OWNER_STACK], 0);
    assert_int_equal(w->mem.ledger.objects[SLT_OWNER_STACK], 0);
    return 0;
}

static struct slt_pmtu_news news_of(const char *dst, uint32_t mtu, uint32_t quoted)
{
    struct slt_pmtu_news news = {.mtu = mtu, .quoted_bytes = quoted, .link_mtu = 1500};
    assert_true(slt_ip_addr_parse(dst, news.dst));
    return news;
}

static enum slt_reason lower(struct world *w, const char *dst, uint32_t mtu, int64_t now_ns)
{
    struct slt_pmtu_news news = news_of(dst, mtu, 0);
    return slt_pmtu_lower(&w->pmtu, &news, now_ns);
}

static uint32_t get(struct world *w, const char *dst, int64_t now_ns)
{
    uint8_t addr[16];
    assert_true(slt_ip_addr_parse(dst, addr));
    return slt_pmtu_get(&w->pmtu, addr, 1500, now_ns);
}

/* J04: every MTU there is, for both families. */
static void test_all_values(void **state)
{
    struct world *w = *state;
    for (uint32_t mtu = 1; mtu <= 65535; mtu++) {
        int64_t now_ns = (int64_t)mtu * SLT_PMTU_AGED_NS; /* the last one has aged */
        enum slt_reason v4 = lower(w, "192.0.2.1", mtu, now_ns);
        uint32_t path = get(w, "192.0.2.1", now_ns);
        uint32_t wanted = mtu < 552 ? 552 : mtu;
        assert_int_equal(v4, mtu < 1500 ? SLT_NOTE_ICMP_PMTU : SLT_DROP_ICMP_PMTU_IGNORED);
        assert_int_equal(path, wanted < 1500 ? wanted : 1500);
        enum slt_reason v6 = lower(w, "2001:db8::1", mtu, now_ns);
        bool good = mtu >= 1280 && mtu < 1500;
        assert_int_equal(v6, good ? SLT_NOTE_ICMP_PMTU : SLT_DROP_ICMP_PMTU_IGNORED);
        assert_int_equal(get(w, "2001:db8::1", now_ns), good ? mtu : 1500);
    }
    assert_int_equal(lower(w, "2001:db8::1", 0, 0), SLT_DROP_ICMP_PMTU_IGNORED);
}

static void test_never_raised(void **state)
{
    struct world *w = *state;
    assert_int_equal(lower(w, "192.0.2.1", 1000, 0), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(lower(w, "192.0.2.1", 1000, 1), SLT_DROP_ICMP_PMTU_IGNORED);
    assert_int_equal(lower(w, "192.0.2.1", 1400, 1), SLT_DROP_ICMP_PMTU_IGNORED);
    assert_int_equal(get(w, "192.0.2.1", 2), 1000);
    assert_int_equal(lower(w, "192.0.2.1", 900, 3), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(get(w, "192.0.2.1", 4), 900);
    assert_int_equal(get(w, "192.0.2.2", 4), 1500);
}

/* R1191-03: the age counts from the last lowering, not from use. */
static void test_age(void **state)
{
    struct world *w = *state;
    assert_int_equal(lower(w, "192.0.2.1", 1000, 0), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(get(w, "192.0.2.1", SLT_PMTU_AGED_NS - 1), 1000);
    assert_int_equal(get(w, "192.0.2.1", SLT_PMTU_AGED_NS), 1500);
    assert_int_equal(w->mem.ledger.objects[SLT_OWNER_STACK], 0);
}

/* R1191-02: an old router says 0. */
static void test_plateaus(void **state)
{
    struct world *w = *state;
    struct slt_pmtu_news news = news_of("192.0.2.1", 0, 1500);
    assert_int_equal(slt_pmtu_lower(&w->pmtu, &news, 0), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(get(w, "192.0.2.1", 0), 1492);
    news.quoted_bytes = 1492;
    assert_int_equal(slt_pmtu_lower(&w->pmtu, &news, 0), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(get(w, "192.0.2.1", 0), 1006);
    news.quoted_bytes = 60000; /* a lie: we never sent so much */
    assert_int_equal(slt_pmtu_lower(&w->pmtu, &news, 0), SLT_NOTE_ICMP_PMTU);
    assert_int_equal(get(w, "192.0.2.1", 0), 552);
    assert_int_equal(slt_pmtu_lower(&w->pmtu, &news, 0), SLT_DROP_ICMP_PMTU_IGNORED);
    for (uint32_t bytes = 69; bytes <= 65535; bytes++) {
        assert_true(slt_pmtu_plateau_below(bytes) < bytes);
    }
    assert_int_equal(slt_pmtu_plateau_below(65535), 32000);
    assert_int_equal(slt_pmtu_plateau_below(1), 68);
}

/* H10: a million destinations; the one in use stays. */
static void test_flood(void **state)
{
    struct world *w = *state;
    assert_int_equal(lower(w, "192.0.2.1", 1000, 0), SLT_NOTE_ICMP_PMTU);
    struct slt_pmtu_news news = news_of("10.0.0.0", 1200, 0);
    for (uint32_t i = 0; i < 1000000; i++) {
        news.dst[13] = (uint8_t)(i >> 16);
        news.dst[14] = (uint8_t)(i >> 8);
        news.dst[15] = (uint8_t)i;
        assert_int_equal(slt_pmtu_lower(&w->pmtu, &news, i), SLT_NOTE_ICMP_PMTU);
        if (i % 8 == 0) {
            assert_int_equal(get(w, "192.0.2.1", i), 1000);
        }
    }
    assert_int_equal(w->mem.ledger.objects[SLT_OWNER_STACK], 16);
    assert_true(w->pmtu.steps < 3 * 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_never_raised, setup, teardown),
        cmocka_unit_test_setup_teardown(test_age, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plateaus, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flood, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
