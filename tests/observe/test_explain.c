/* Explain, part by part, with packets built by hand: links, lengths, copies, marks, incarnations,
 * the time budget, limits, filters. What a story of two instances shows is in test_explain_truth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"
#include "observe/explain.h"
#include "observe/explain_mark.h"
#include "observe/explain_track.h"
#include "observe/explain_verdict.h"
#include "salut/types.h"

#include <stdio.h>
#include <string.h>

#define S  SLT_TCP_SYN
#define A  SLT_TCP_ACK
#define F  SLT_TCP_FIN
#define R  SLT_TCP_RST
#define MS 1000000LL

enum { CLIENT, SERVER };

/* A packet: numbers count from each side's SYN at 0, which is near the wrap. */
struct row {
    int64_t at_ms;
    int from;
    uint16_t flags;
    uint32_t seq;
    uint32_t ack;
    uint32_t bytes;
    uint16_t window;
    uint16_t ip_id;
};

static const uint32_t isns[2] = {0xfffffff0U, 0x7ffffff0U};

static uint32_t build_ip(const struct row *row, uint8_t *out)
{
    uint32_t total = 40 + row->bytes;
    memset(out, 0, total);
    out[0] = 0x45;
    slt_put_u16(out + 2, (uint16_t)total);
    slt_put_u16(out + 4, row->ip_id);
    out[8] = 64;
    out[9] = 6;
    memcpy(out + 12, row->from == CLIENT ? "\x0a\0\0\x01\x0a\0\0\x02" : "\x0a\0\0\x02\x0a\0\0\x01",
           8);
    slt_put_u16(out + 20, row->from == CLIENT ? 40000 : 80);
    slt_put_u16(out + 22, row->from == CLIENT ? 80 : 40000);
    slt_put_u32(out + 24, isns[row->from] + row->seq);
    slt_put_u32(out + 28, (row->flags & A) != 0 ? isns[1 - row->from] + row->ack : 0);
    out[32] = 0x50;
    out[33] = (uint8_t)row->flags;
    slt_put_u16(out + 34, row->window);
    return total;
}

static void take_going(struct slt_explain *explain, const struct row *row, uint8_t direction)
{
    uint8_t bytes[2048];
    uint32_t total = build_ip(row, bytes);
    struct slt_capture_packet packet = {
        .at_ns = row->at_ms * MS + 1, .original_bytes = total, .data = bytes, .bytes = total};
    packet.direction = direction;
    slt_explain_take(explain, &packet, SLT_LINKTYPE_RAW);
}

static void take(struct slt_explain *explain, const struct row *row)
{
    take_going(explain, row, SLT_CAPTURE_UNKNOWN);
}

static const struct slt_explain_limits limits = {
    .flows_max = 8, .steps_max = 64, .all_steps_max = 512};

static void play(struct slt_explain *explain, const struct row *rows, size_t count)
{
    assert_true(slt_explain_init(explain, &limits));
    for (size_t i = 0; i < count; i++) {
        take(explain, &rows[i]);
    }
    slt_explain_finish(explain);
}

#define PLAY(explain, ...)                                                                         \
    do {                                                                                           \
        static const struct row rows[] = {__VA_ARGS__};                                            \
        play(explain, rows, sizeof(rows) / sizeof(rows[0]));                                       \
    } while (0)

#define HANDSHAKE                                                                                  \
    {0, CLIENT, S, 0, 0, 0, 1000, 1}, {10, SERVER, S | A, 0, 1, 0, 1000, 1},                       \
    {                                                                                              \
        20, CLIENT, A, 1, 1, 0, 1000, 2                                                            \
    }

static uint8_t mark_of(const struct slt_explain *explain, uint32_t step)
{
    assert_true(step < explain->flows.oldest->step_count);
    return explain->flows.oldest->steps[step].mark;
}

static uint16_t notes_of(const struct slt_explain *explain, uint32_t step)
{
    assert_true(step < explain->flows.oldest->step_count);
    return explain->flows.oldest->steps[step].notes;
}

static bool shows(const struct slt_verdict *verdict, enum slt_finding_id id)
{
    for (uint32_t i = 0; i < verdict->hit_count; i++) {
        if (verdict->hits[i].id == id) {
            return true;
        }
    }
    return false;
}

/* ---- links ---------------------------------------------------------------------------------- */

static void every_link_is_decoded(void **state)
{
    (void)state;
    static const struct {
        uint16_t linktype;
        const char *head;
        uint32_t bytes;
    } links[] = {
        {SLT_LINKTYPE_RAW, "", 0},
        {SLT_LINKTYPE_IPV4, "", 0},
        {SLT_LINKTYPE_ETHERNET, "\1\1\1\1\1\1\2\2\2\2\2\2\x08\0", 14},
        {SLT_LINKTYPE_ETHERNET, "\1\1\1\1\1\1\2\2\2\2\2\2\x81\0\0\5\x08\0", 18},
        {SLT_LINKTYPE_ETHERNET, "\1\1\1\1\1\1\2\2\2\2\2\2\x88\xa8\0\7\x81\0\0\5\x08\0", 22},
        {SLT_LINKTYPE_NULL, "\2\0\0\0", 4},
        {SLT_LINKTYPE_LOOP, "\0\0\0\2", 4},
        {SLT_LINKTYPE_LINUX_SLL, "\0\4\0\1\0\6\1\1\1\1\1\1\0\0\x08\0", 16},
        {SLT_LINKTYPE_LINUX_SLL2, "\x08\0\0\0\0\0\0\2\0\1\0\6\1\1\1\1\1\1\0\0", 20},
    };
    const struct row row = {0, CLIENT, A, 1, 1, 100, 1000, 9};
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
        uint8_t bytes[256];
        struct slt_explain_packet out;
        memcpy(bytes, links[i].head, links[i].bytes);
        uint32_t total = links[i].bytes + build_ip(&row, bytes + links[i].bytes);
        struct slt_capture_packet packet = {
            .data = bytes, .bytes = total + 6, .original_bytes = total + 6};
        assert_int_equal(slt_explain_decode(&packet, links[i].linktype, &out), SLT_DECODED_TCP);
        assert_int_equal(out.bytes, 100); /* padding is none of it */
        assert_int_equal(out.seg.src_port, 40000);
        assert_int_equal(out.ip_id, 9);
        assert_false(out.clipped);
        for (uint32_t cut = 0; cut < total; cut++) {
            packet.bytes = cut;
            enum slt_decoded decoded = slt_explain_decode(&packet, links[i].linktype, &out);
            assert_true(decoded != SLT_DECODED_TCP || (out.clipped && out.bytes == 100));
            assert_true((decoded == SLT_DECODED_TCP) == (cut >= links[i].bytes + 40));
        }
    }
}

static void other_packets_are_counted(void **state)
{
    (void)state;
    const struct row row = {0, CLIENT, A, 1, 1, 0, 1000, 9};
    struct slt_explain explain;
    uint8_t bytes[64];
    struct slt_capture_packet packet = {.data = bytes, .bytes = 40, .original_bytes = 40};
    assert_true(slt_explain_init(&explain, &limits));
    (void)build_ip(&row, bytes);
    bytes[9] = 17;
    slt_explain_take(&explain, &packet, SLT_LINKTYPE_RAW);
    bytes[9] = 6;
    bytes[6] = 0x20;
    slt_explain_take(&explain, &packet, SLT_LINKTYPE_RAW);
    bytes[6] = 0;
    bytes[32] = 0x20;
    slt_explain_take(&explain, &packet, SLT_LINKTYPE_RAW);
    slt_explain_take(&explain, &packet, 9999);
    assert_int_equal(explain.counts.other, 2);
    assert_int_equal(explain.counts.fragments, 1);
    assert_int_equal(explain.counts.broken, 1);
    assert_int_equal(explain.flows.count, 0);
    slt_explain_deinit(&explain);
}

/* ---- marks ---------------------------------------------------------------------------------- */

static void retransmissions_are_told_apart(void **state)
{
    (void)state;
    struct slt_explain e;
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 1, 1, 100, 1000, 3}, {300, CLIENT, A, 1, 1, 100, 1000, 4});
    assert_int_equal(mark_of(&e, 4), SLT_MARK_RTO);
    slt_explain_deinit(&e);
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 1, 1, 100, 1000, 3}, {30, CLIENT, A, 101, 1, 100, 1000, 4},
         {30, CLIENT, A, 201, 1, 100, 1000, 5}, {30, CLIENT, A, 301, 1, 100, 1000, 6},
         {40, SERVER, A, 1, 1, 0, 1000, 3}, {40, SERVER, A, 1, 1, 0, 1000, 4},
         {40, SERVER, A, 1, 1, 0, 1000, 5}, {50, CLIENT, A, 1, 1, 100, 1000, 7});
    assert_int_equal(mark_of(&e, 8), SLT_MARK_DUPLICATE_ACK);
    assert_int_equal(mark_of(&e, 10), SLT_MARK_FAST);
    slt_explain_deinit(&e);
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 1, 1, 100, 1000, 3}, {30, CLIENT, A, 101, 1, 100, 1000, 4},
         {70, CLIENT, A, 101, 1, 100, 1000, 5}, {80, SERVER, A, 1, 201, 0, 1000, 6},
         {85, CLIENT, A, 1, 1, 100, 1000, 7});
    assert_int_equal(mark_of(&e, 5), SLT_MARK_TAIL_PROBE);
    assert_int_equal(mark_of(&e, 7), SLT_MARK_SPURIOUS);
    slt_explain_deinit(&e);
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 101, 1, 100, 1000, 4}, {31, CLIENT, A, 1, 1, 100, 1000, 3});
    assert_int_equal(mark_of(&e, 4), SLT_MARK_OUT_OF_ORDER);
    assert_true(notes_of(&e, 3) & SLT_REMARK_HOLE);
    slt_explain_deinit(&e);
}

static void a_probe_is_no_keepalive(void **state)
{
    (void)state;
    struct slt_explain e;
    PLAY(&e, HANDSHAKE, {10000, CLIENT, A, 0, 1, 0, 1000, 3}, {10010, SERVER, A, 1, 1, 0, 1000, 3});
    assert_int_equal(mark_of(&e, 3), SLT_MARK_KEEPALIVE);
    slt_explain_deinit(&e);
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 1, 1, 1000, 1000, 3}, {40, SERVER, A, 1, 1001, 0, 0, 3},
         {240, CLIENT, A, 1000, 1, 0, 1000, 4}, {250, SERVER, A, 1, 1001, 0, 0, 4},
         {650, CLIENT, A, 1001, 1, 1, 1000, 5}, {660, SERVER, A, 1, 1001, 0, 500, 5});
    assert_true(notes_of(&e, 3) & SLT_REMARK_WINDOW_FULL);
    assert_true(notes_of(&e, 4) & SLT_REMARK_WINDOW_ZERO);
    assert_int_equal(mark_of(&e, 5), SLT_MARK_WINDOW_PROBE);
    assert_int_equal(mark_of(&e, 7), SLT_MARK_WINDOW_PROBE);
    assert_int_equal(mark_of(&e, 8), SLT_MARK_WINDOW_UPDATE);
    struct slt_explain_states states;
    struct slt_verdict verdict;
    slt_explain_states_of(e.flows.oldest, &states);
    slt_explain_verdict_of(e.flows.oldest, &states, &verdict);
    assert_true(shows(&verdict, SLT_FIND_ZW_1));
    assert_non_null(strstr(verdict.text, "did not read"));
    slt_explain_deinit(&e);
}

static void challenge_acks_are_seen(void **state)
{
    (void)state;
    struct slt_explain e;
    struct slt_explain_states states;
    PLAY(&e, HANDSHAKE, {30, CLIENT, R, 100, 0, 0, 0, 3}, {31, SERVER, A, 1, 1, 0, 1000, 3});
    assert_int_equal(mark_of(&e, 4), SLT_MARK_CHALLENGE_ACK);
    slt_explain_states_of(e.flows.oldest, &states);
    assert_int_equal(states.last[1], SALUT_STATE_ESTABLISHED);
    slt_explain_deinit(&e);
}

/* ---- the capture's faults ------------------------------------------------------------------- */

static void copies_are_no_retransmissions(void **state)
{
    (void)state;
    struct slt_explain e;
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 1, 1, 100, 1000, 3}, {30, CLIENT, A, 1, 1, 100, 1000, 3},
         {40, SERVER, A, 1, 101, 0, 1000, 3}, {40, SERVER, A, 1, 101, 0, 1000, 3});
    assert_int_equal(e.counts.copies, 2);
    assert_int_equal(slt_explain_again_count(e.flows.oldest), 0);
    assert_int_equal(notes_of(&e, 4), SLT_REMARK_COPY);
    slt_explain_deinit(&e);
    /* Another identification: the stack did send it again. */
    PLAY(&e, HANDSHAKE, {30, CLIENT, A, 1, 1, 100, 1000, 3}, {30, CLIENT, A, 1, 1, 100, 1000, 4});
    assert_int_equal(e.counts.copies, 0);
    assert_int_equal(slt_explain_again_count(e.flows.oldest), 1);
    slt_explain_deinit(&e);
}

/* Without identification: seen to come and to go, or data at one instant; an acknowledgement may be
 * repeated. */
static void copies_without_identification(void **state)
{
    (void)state;
    static const struct row data = {30, CLIENT, A, 1, 1, 100, 1000, 0};
    static const struct row ack = {40, SERVER, A, 1, 101, 0, 1000, 0};
    struct slt_explain e;
    assert_true(slt_explain_init(&e, &limits));
    take(&e, &data);
    take(&e, &data);
    take(&e, &ack);
    take(&e, &ack);
    assert_int_equal(e.counts.copies, 1);
    take_going(&e, &ack, SLT_CAPTURE_OUTBOUND);
    assert_int_equal(e.counts.copies, 2);
    assert_int_equal(notes_of(&e, 1), SLT_REMARK_COPY);
    assert_int_equal(notes_of(&e, 4), SLT_REMARK_COPY);
    slt_explain_deinit(&e);
}

static void what_the_capture_misses_is_said(void **state)
{
    (void)state;
    struct slt_explain e;
    PLAY(&e, HANDSHAKE, {30, SERVER, A, 1, 501, 0, 1000, 3}, {40, CLIENT, A, 501, 1, 10, 1000, 3});
    assert_true(notes_of(&e, 3) & SLT_REMARK_UNSEEN);
    assert_int_equal(mark_of(&e, 4), SLT_MARK_NONE);
    slt_explain_deinit(&e);
    PLAY(&e, {0, CLIENT, A, 1, 1, 100, 1000, 3}, {5, CLIENT, A, 101, 1, 100, 1000, 4});
    struct slt_explain_states states;
    struct slt_verdict verdict;
    slt_explain_states_of(e.flows.oldest, &states);
    slt_explain_verdict_of(e.flows.oldest, &states, &verdict);
    assert_non_null(strstr(verdict.text, "begins in the middle"));
    assert_true(shows(&verdict, SLT_FIND_ASYM_1));
    slt_explain_deinit(&e);
}

/* ---- flows ---------------------------------------------------------------------------------- */

static void a_port_used_again_is_one_story(void **state)
{
    (void)state;
    struct slt_explain e;
    PLAY(&e, HANDSHAKE, {30, CLIENT, F | A, 1, 1, 0, 1000, 3},
         {40, SERVER, F | A, 1, 2, 0, 1000, 3}, {50, CLIENT, A, 2, 2, 0, 1000, 4},
         {900, CLIENT, S, 70000, 0, 0, 1000, 5}, {910, SERVER, S | A, 90000, 70001, 0, 1000, 4},
         {920, CLIENT, A, 70001, 90001, 0, 1000, 6});
    const struct slt_explain_flow *second = e.flows.youngest;
    assert_int_equal(e.flows.count, 2);
    assert_ptr_equal(second->before, e.flows.oldest);
    assert_int_equal(second->incarnation, 2);
    struct slt_explain_states states;
    struct slt_verdict verdict;
    slt_explain_states_of(e.flows.oldest, &states);
    assert_int_equal(states.last[0], SALUT_STATE_TIME_WAIT);
    assert_int_equal(states.last[1], SALUT_STATE_CLOSED);
    slt_explain_verdict_of(e.flows.oldest, &states, &verdict);
    assert_true(shows(&verdict, SLT_FIND_APP_2));
    slt_explain_states_of(second, &states);
    slt_explain_verdict_of(second, &states, &verdict);
    assert_non_null(strstr(verdict.text, "over the ports of #1"));
    slt_explain_deinit(&e);
}

static void the_budget_adds_up(void **state)
{
    (void)state;
    struct slt_explain e;
    PLAY(&e, HANDSHAKE, {1020, CLIENT, A, 1, 1, 100, 1000, 3},
         {1030, SERVER, A, 1, 101, 0, 1000, 3}, {3030, SERVER, A, 1, 101, 400, 1000, 4},
         {3040, CLIENT, A, 101, 401, 0, 1000, 4}, {3140, CLIENT, F | A, 101, 401, 0, 1000, 5},
         {3150, SERVER, F | A, 401, 102, 0, 1000, 5}, {3160, CLIENT, A, 102, 402, 0, 1000, 6});
    const struct slt_explain_flow *f = e.flows.oldest;
    int64_t sum_ns = 0;
    for (uint32_t i = 0; i < SLT_BUCKET_COUNT; i++) {
        sum_ns += f->bucket_ns[i];
    }
    assert_int_equal(sum_ns, 3160 * MS);
    assert_int_equal(f->bucket_ns[SLT_BUCKET_CONNECT], 20 * MS);
    assert_int_equal(f->bucket_ns[SLT_BUCKET_SERVER], 2000 * MS);
    assert_true(f->bucket_ns[SLT_BUCKET_CLIENT] >= 1000 * MS);
    slt_explain_deinit(&e);
}

/* Of a flow that is too long the first and the last half are kept, in order. */
static void memory_is_bounded(void **state)
{
    (void)state;
    struct slt_explain e;
    assert_true(slt_explain_init(&e, &limits));
    for (uint32_t i = 0; i < 1000; i++) {
        take(&e, &(struct row){i, CLIENT, A, 1 + i, 1, 1, 1000, (uint16_t)(i + 1)});
    }
    slt_explain_finish(&e);
    const struct slt_explain_flow *f = e.flows.oldest;
    assert_int_equal(f->step_count, 64);
    assert_int_equal(f->left_out, 1000 - 64);
    assert_int_equal(f->packets, 1000);
    for (uint32_t i = 0; i < 64; i++) {
        assert_int_equal(f->steps[i].number, i < 32 ? i + 1 : 1000 - 64 + i + 1);
    }
    slt_explain_deinit(&e);
}

static void filters(void **state)
{
    (void)state;
    struct slt_explain_filter f = {0};
    static const char *const good[] = {"tcp",  "src",      "port", "80",   "and",    "not",
                                       "host", "10.0.0.9", "dst",  "host", "fe80::1"};
    assert_null(slt_explain_filter_parse(&f, good, 11));
    assert_int_equal(f.count, 3);
    assert_true(f.terms[0].src && f.terms[1].negated && f.terms[2].dst);
    static const char *const bad[][2] = {{"port", "x"}, {"port", "70000"}, {"host", "nobody"},
                                         {"net", "10"}, {"src", "src"},    {"not", "not"}};
    for (size_t i = 0; i < 5; i++) {
        assert_non_null(slt_explain_filter_parse(&f, bad[i], 2));
    }
    assert_non_null(slt_explain_filter_parse(&f, bad[0], 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_link_is_decoded),
        cmocka_unit_test(other_packets_are_counted),
        cmocka_unit_test(retransmissions_are_told_apart),
        cmocka_unit_test(a_probe_is_no_keepalive),
        cmocka_unit_test(challenge_acks_are_seen),
        cmocka_unit_test(copies_are_no_retransmissions),
        cmocka_unit_test(copies_without_identification),
        cmocka_unit_test(what_the_capture_misses_is_said),
        cmocka_unit_test(a_port_used_again_is_one_story),
        cmocka_unit_test(the_budget_adds_up),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
