/* Send records against a model that keeps one entry per octet: random sends, SACKs, losses,
 * retransmissions and acknowledgements, the scoreboard's own invariants after each (records.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/tcp_pair.h"

#include <string.h>

#define OCTETS 4000

enum { NONE, FLIGHT = 1, LOST, SACKED };

struct model {
    struct pair pair;
    struct slt_tcp *tcp;
    struct slt_records rs;
    struct slt_prng chance;
    int64_t una;
    int64_t nxt;
    uint32_t order;
    uint8_t octet[OCTETS];
};

static void model_init(struct model *m, unsigned seed)
{
    memset(m, 0, sizeof(*m));
    pair_init(&m->pair);
    m->tcp = &m->pair.side[0].tcp;
    slt_records_init(&m->rs);
    slt_prng_seed(&m->chance, seed);
}

static void model_deinit(struct model *m)
{
    slt_records_clear(m->tcp, &m->rs);
    assert_int_equal(m->tcp->records.used_objects, 0);
    assert_int_equal(m->tcp->records_common, 0);
    pair_deinit(&m->pair);
}

static int64_t pick(struct model *m, int64_t from, int64_t to)
{
    return from + (int64_t)slt_prng_below(&m->chance, (uint64_t)(to - from));
}

static void left(struct model *m, uint32_t index)
{
    struct slt_record *record = slt_record_at(m->tcp, index);

    record->order = m->order;
    record->stamp.sent_at_ns = m->order;
}

static void compare(struct model *m)
{
    static const uint8_t kinds[] = {FLIGHT, LOST, SACKED};
    uint32_t lost = 0;
    uint32_t sacked = 0;
    int64_t pos = m->una;

    assert_null(slt_records_check(m->tcp, &m->rs, m->una, m->nxt));
    for (uint32_t i = m->rs.head; i != SLT_NIL; i = slt_record_at(m->tcp, i)->next) {
        const struct slt_record *record = slt_record_at(m->tcp, i);
        assert_int_equal(record->start, pos);
        for (; pos < slt_record_end(record); pos++) {
            assert_int_equal(m->octet[pos], kinds[record->fate]);
            assert_int_equal(slt_records_find(m->tcp, &m->rs, pos), i);
        }
    }
    assert_int_equal(pos, m->nxt);
    for (pos = m->una; pos < m->nxt; pos++) {
        lost += m->octet[pos] == LOST;
        sacked += m->octet[pos] == SACKED;
    }
    assert_int_equal(m->rs.lost_bytes, lost);
    assert_int_equal(m->rs.sacked_bytes, sacked);
}

static void send_new(struct model *m)
{
    int64_t end = m->nxt + 1 + (int64_t)slt_prng_below(&m->chance, 200);

    if (end > OCTETS) {
        return;
    }
    m->order++;
    assert_non_null(slt_records_add(m->tcp, &m->rs, m->nxt, end, 1 + (uint32_t)(end % 3)));
    left(m, m->rs.tail);
    memset(m->octet + m->nxt, FLIGHT, (size_t)(end - m->nxt));
    m->nxt = end;
}

/* What of [from, to) is in flight or lost becomes SACKED (`what`), LOST or sent again. */
static void change(struct model *m, int64_t from, int64_t to, uint8_t what)
{
    uint32_t index = slt_records_find(m->tcp, &m->rs, from);

    m->order++;
    while (index != SLT_NIL && slt_record_at(m->tcp, index)->start < to) {
        struct slt_record *record = slt_record_at(m->tcp, index);
        bool passes =
            record->fate == SLT_RECORD_SACKED || (what == LOST && record->fate == SLT_RECORD_LOST);
        if (passes) {
            index = record->next;
            continue;
        }
        if (record->start < from) {
            assert_true(slt_records_cut(m->tcp, &m->rs, index, from));
            index = slt_record_at(m->tcp, index)->next;
            continue;
        }
        if (slt_record_end(record) > to) {
            assert_true(slt_records_cut(m->tcp, &m->rs, index, to));
            record = slt_record_at(m->tcp, index);
        }
        memset(m->octet + record->start, what, record->bytes);
        if (what == SACKED) {
            index = slt_records_sack(m->tcp, &m->rs, index);
        } else if (what == LOST) {
            slt_records_lose(m->tcp, &m->rs, index);
        } else {
            slt_records_resend(m->tcp, &m->rs, index);
            left(m, index);
        }
        index = slt_record_at(m->tcp, index)->next;
    }
}

static void acknowledge(struct model *m, int64_t una)
{
    while (m->rs.head != SLT_NIL && slt_record_at(m->tcp, m->rs.head)->start < una) {
        const struct slt_record *record = slt_record_at(m->tcp, m->rs.head);
        int64_t end = slt_min64(slt_record_end(record), una);
        slt_records_drop(m->tcp, &m->rs, m->rs.head, (uint32_t)(end - record->start));
    }
    m->una = una;
}

static void replace(struct model *m, uint8_t from, uint8_t to)
{
    for (int64_t i = m->una; i < m->nxt; i++) {
        m->octet[i] = m->octet[i] == from ? to : m->octet[i];
    }
}

static void step(struct model *m)
{
    uint64_t what = slt_prng_below(&m->chance, 20);

    if (m->una == m->nxt || what < 5) {
        send_new(m);
        return;
    }
    int64_t from = pick(m, m->una, m->nxt);
    int64_t to = pick(m, from, m->nxt) + 1;
    if (what < 10) {
        change(m, from, to, SACKED);
    } else if (what < 14) {
        change(m, from, to, LOST);
    } else if (what < 17) {
        change(m, from, to, FLIGHT);
    } else if (what < 18) {
        slt_records_find_again(m->tcp, &m->rs);
        replace(m, LOST, FLIGHT);
    } else if (what < 19) {
        slt_records_renege(m->tcp, &m->rs);
        replace(m, SACKED, LOST);
    } else {
        acknowledge(m, to);
    }
}

static void t_r6675_01_records_agree_with_a_model(void **ctx)
{
    (void)ctx;
    for (unsigned seed = 0; seed < 40; seed++) {
        struct model m;
        model_init(&m, seed);
        for (int i = 0; i < 400; i++) {
            step(&m);
            compare(&m);
        }
        model_deinit(&m);
    }
}

/* A connection always has one record; the others come out of the limit, and go back to it. */
static void t_records_are_bounded(void **ctx)
{
    struct model m;

    (void)ctx;
    model_init(&m, 1);
    m.pair.config.records_max = 2;
    for (int64_t i = 0; i < 3; i++) {
        assert_non_null(slt_records_add(m.tcp, &m.rs, i * 10, i * 10 + 10, 1));
    }
    assert_null(slt_records_add(m.tcp, &m.rs, 30, 40, 1));
    assert_false(slt_records_cut(m.tcp, &m.rs, m.rs.head, 5));
    assert_int_equal(m.pair.side[0].telemetry.counters[SLT_NOTE_TCP_NO_RECORD], 2);
    slt_records_drop(m.tcp, &m.rs, m.rs.head, 10);
    assert_true(slt_records_cut(m.tcp, &m.rs, m.rs.head, 15));
    model_deinit(&m);
}

/* Neighbours that are SACKED are one record, however many blocks told of them. */
static void t_sacked_neighbours_are_one_record(void **ctx)
{
    struct model m;

    (void)ctx;
    model_init(&m, 2);
    for (int i = 0; i < 30; i++) {
        send_new(&m);
    }
    change(&m, 0, m.nxt, LOST);
    for (int64_t pos = m.nxt - 1; pos > 0; pos -= 7) {
        change(&m, slt_max64(pos - 7, 1), pos, SACKED);
    }
    compare(&m);
    assert_int_equal(m.rs.count, 3); /* the first octet, the run, the last octet */
    model_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_r6675_01_records_agree_with_a_model),
        cmocka_unit_test(t_records_are_bounded),
        cmocka_unit_test(t_sacked_neighbours_are_one_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
