/* Chains against flat arrays of bytes, with views held while the chains move on. */
#include "base_test.h"

#include "base/buf.h"
#include "base/prng.h"

enum { CAPACITY = 24, BUFFERS = 60, CHAINS = 3, FLAT_BYTES = 4096, VIEWS = 8, PIECES = 6 };
enum { LOANS = 10, LENT_BYTES = 50 };

struct flat {
    uint8_t bytes[FLAT_BYTES];
    uint32_t count;
};

/* A view somebody holds, and the bytes it showed when it was taken. */
struct held_view {
    struct slt_piece pieces[PIECES];
    uint32_t count;
    struct flat copy;
};

struct world {
    struct slt_mem mem;
    struct test_heap heap;
    struct slt_pool bufs;
    struct slt_loans loans;
    uint8_t lent[LOANS][LENT_BYTES];
    bool is_lent[LOANS];
    unsigned returned;
    struct slt_chain chains[CHAINS];
    struct flat flats[CHAINS];
    struct held_view views[VIEWS];
    uint8_t next_byte;
};

static void start(struct world *w)
{
    memset(w, 0, sizeof(*w));
    test_mem_init(&w->mem, &w->heap);
    assert_true(slt_pool_init(&w->bufs, &w->mem, SLT_OWNER_BUFFER,
                              (uint32_t)sizeof(struct slt_buf) + CAPACITY, BUFFERS));
    assert_true(slt_loans_init(&w->loans, &w->bufs, LOANS));
    for (unsigned i = 0; i < CHAINS; i++) {
        slt_chain_init(&w->chains[i]);
    }
}

/* What comes back was out, and nobody looks at it any more. */
static void take_back(struct world *w)
{
    struct slt_loan loan;
    while (slt_loans_next(&w->loans, &loan)) {
        assert_true(loan.user < LOANS);
        assert_true(w->is_lent[loan.user]);
        assert_ptr_equal(loan.data, w->lent[loan.user]);
        w->is_lent[loan.user] = false;
        memset(w->lent[loan.user], 0xee, LENT_BYTES);
        w->returned++;
    }
}

static unsigned count_lent(const struct world *w)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LOANS; i++) {
        count += w->is_lent[i] ? 1U : 0U;
    }
    return count;
}

static void stop(struct world *w)
{
    for (unsigned i = 0; i < VIEWS; i++) {
        slt_pieces_release(&w->bufs, w->views[i].pieces, w->views[i].count);
    }
    for (unsigned i = 0; i < CHAINS; i++) {
        slt_chain_clear(&w->chains[i], &w->bufs);
    }
    assert_int_equal(w->bufs.used_objects, 0);
    take_back(w);
    assert_int_equal(count_lent(w), 0);
    assert_int_equal(w->loans.pool.used_objects, 0);
    slt_loans_deinit(&w->loans, &w->bufs);
    slt_pool_deinit(&w->bufs);
    test_mem_check_empty(&w->mem, &w->heap);
}

static void flat_push(struct flat *flat, const uint8_t *data, uint32_t bytes)
{
    assert_true(flat->count + bytes <= FLAT_BYTES);
    if (bytes > 0) {
        memcpy(flat->bytes + flat->count, data, bytes);
    }
    flat->count += bytes;
}

static void flat_drop(struct flat *flat, uint32_t bytes)
{
    flat->count -= bytes;
    memmove(flat->bytes, flat->bytes + bytes, flat->count);
}

/* New bytes, each different from its neighbours. */
static void fill(struct world *w, uint8_t *out, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        out[i] = w->next_byte;
        w->next_byte++;
    }
}

static uint32_t append(struct world *w, unsigned c, uint32_t bytes)
{
    uint8_t data[512];
    assert_true(bytes <= sizeof(data));
    fill(w, data, bytes);
    uint32_t taken = slt_chain_append(&w->chains[c], &w->bufs, data, bytes);
    assert_true(taken <= bytes);
    assert_true(taken == bytes || w->bufs.used_objects == BUFFERS);
    flat_push(&w->flats[c], data, taken);
    return taken;
}

static void check_pieces(const struct slt_piece *pieces, uint32_t count, const uint8_t *expected,
                         uint32_t bytes)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(pieces[i].bytes > 0);
        assert_true(at + pieces[i].bytes <= bytes);
        assert_memory_equal(pieces[i].data, expected + at, pieces[i].bytes);
        at += pieces[i].bytes;
    }
    assert_int_equal(at, bytes);
}

static void check_chain(const struct world *w, unsigned c)
{
    const struct slt_chain *chain = &w->chains[c];
    const struct flat *flat = &w->flats[c];
    uint8_t out[FLAT_BYTES];
    assert_int_equal(chain->bytes, flat->count);
    assert_int_equal(slt_chain_peek(chain, &w->bufs, 0, out, FLAT_BYTES), flat->count);
    assert_memory_equal(out, flat->bytes, flat->count);
    assert_int_equal(chain->head == SLT_NIL, chain->tail == SLT_NIL);
}

static void check(const struct world *w)
{
    for (unsigned c = 0; c < CHAINS; c++) {
        check_chain(w, c);
    }
    for (unsigned i = 0; i < VIEWS; i++) {
        const struct held_view *view = &w->views[i];
        check_pieces(view->pieces, view->count, view->copy.bytes, view->copy.count);
    }
}

/* Look at a random stretch of a chain in several views, each going on where the last one ended;
 * then hold the last. */
static void look(struct world *w, struct slt_prng *prng, unsigned c)
{
    struct held_view *view = &w->views[slt_prng_below(prng, VIEWS)];
    slt_pieces_release(&w->bufs, view->pieces, view->count);
    const struct flat *flat = &w->flats[c];
    uint32_t offset = (uint32_t)slt_prng_below(prng, flat->count + 1U);
    struct slt_cursor cursor = slt_chain_seek(&w->chains[c], &w->bufs, offset);
    for (unsigned round = 0; round < 4; round++) {
        uint32_t wanted = (uint32_t)slt_prng_below(prng, 100);
        uint32_t max = (uint32_t)slt_prng_below(prng, PIECES + 1);
        uint32_t seen;
        struct slt_cursor after;
        view->count = slt_chain_view(&w->chains[c], &w->bufs, cursor, wanted, view->pieces, max,
                                     &seen, &after);
        assert_true(view->count <= max);
        uint32_t there = slt_min32(wanted, flat->count - offset);
        assert_true(seen <= there);
        assert_true(seen == there || view->count == max);
        check_pieces(view->pieces, view->count, flat->bytes + offset, seen);
        view->copy.count = 0;
        flat_push(&view->copy, flat->bytes + offset, seen);
        cursor = after;
        offset += seen;
    }
    slt_pieces_hold(&w->bufs, view->pieces, view->count);
}

static void write_in_place(struct world *w, struct slt_prng *prng, unsigned c)
{
    uint32_t room;
    uint8_t *to = slt_chain_reserve(&w->chains[c], &w->bufs, &room);
    if (!to) {
        assert_int_equal(w->bufs.used_objects, BUFFERS);
        return;
    }
    assert_in_range(room, 1, CAPACITY);
    uint32_t bytes = (uint32_t)slt_prng_below(prng, room + 1U);
    fill(w, to, room); /* what is not grown over must not appear */
    slt_chain_grow(&w->chains[c], &w->bufs, bytes);
    flat_push(&w->flats[c], to, bytes);
}

/* Lend the first memory that is free; false when the pool of loans is used up. */
static bool lend(struct world *w, unsigned c, uint32_t bytes)
{
    uint64_t user = 0;
    while (user < LOANS - 1 && w->is_lent[user]) {
        user++;
    }
    const struct slt_loan loan = {.data = w->lent[user], .user = user, .bytes = bytes};
    uint32_t index = slt_loan_take(&w->bufs, &loan);
    if (index == SLT_NIL) {
        assert_int_equal(w->loans.pool.used_objects, LOANS);
        return false;
    }
    fill(w, w->lent[user], bytes);
    w->is_lent[user] = true;
    slt_chain_lend(&w->chains[c], &w->bufs, index);
    flat_push(&w->flats[c], w->lent[user], bytes);
    return true;
}

static void step(struct world *w, struct slt_prng *prng)
{
    unsigned c = (unsigned)slt_prng_below(prng, CHAINS);
    struct slt_chain *chain = &w->chains[c];
    uint32_t some = (uint32_t)slt_prng_below(prng, chain->bytes + 1U);
    uint32_t few = slt_min32(some, (uint32_t)slt_prng_below(prng, 40));
    unsigned other = (c + 1) % CHAINS;
    uint8_t out[FLAT_BYTES];
    switch (slt_prng_below(prng, 12)) {
    case 0:
        slt_chain_drop(chain, &w->bufs, some);
        flat_drop(&w->flats[c], some);
        break;
    case 1:
        slt_chain_drop(chain, &w->bufs, few);
        flat_drop(&w->flats[c], few);
        break;
    case 2:
        slt_chain_trim(chain, &w->bufs, few);
        w->flats[c].count -= few;
        break;
    case 3:
        slt_chain_join(&w->chains[other], chain, &w->bufs);
        flat_push(&w->flats[other], w->flats[c].bytes, w->flats[c].count);
        w->flats[c].count = 0;
        break;
    case 4:
        write_in_place(w, prng, c);
        break;
    case 5:
    case 6:
        look(w, prng, c);
        break;
    case 7: {
        uint32_t got = slt_chain_peek(chain, &w->bufs, some, out, few);
        assert_int_equal(got, slt_min32(few, chain->bytes - some));
        assert_memory_equal(out, w->flats[c].bytes + some, got);
        break;
    }
    case 8:
        (void)lend(w, c, 1 + (uint32_t)slt_prng_below(prng, LENT_BYTES));
        break;
    default:
        (void)append(w, c, (uint32_t)slt_prng_below(prng, 70));
    }
    take_back(w);
}

static void test_against_flat_arrays(void **state)
{
    (void)state;
    static struct world w;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        start(&w);
        struct slt_prng prng;
        slt_prng_seed(&prng, seed);
        for (uint32_t i = 0; i < 8000; i++) {
            step(&w, &prng);
            check(&w);
        }
        assert_true(w.returned > 100);
        stop(&w);
    }
}

/* A loan comes back when its last byte has left the chain and the last view has let go, in that
 * order or the other; loans come back in the order in which they became free, each once. */
static void test_a_loan_comes_back_once(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    (void)append(&w, 0, 5);
    assert_true(lend(&w, 0, 40));
    assert_true(lend(&w, 0, 30));
    (void)append(&w, 0, 5); /* no room behind memory that is not ours */
    assert_int_equal(slt_chain_buffers(&w.chains[0], &w.bufs), 4);
    check(&w);
    struct held_view *view = &w.views[0];
    uint32_t seen;
    struct slt_cursor after;
    struct slt_cursor at = slt_chain_seek(&w.chains[0], &w.bufs, 20);
    view->count =
        slt_chain_view(&w.chains[0], &w.bufs, at, 10, view->pieces, PIECES, &seen, &after);
    slt_pieces_hold(&w.bufs, view->pieces, view->count);
    flat_push(&view->copy, w.flats[0].bytes + 20, seen);
    slt_chain_drop(&w.chains[0], &w.bufs, 44);
    flat_drop(&w.flats[0], 44);
    take_back(&w);
    assert_int_equal(w.returned, 0); /* one byte is left */
    slt_chain_drop(&w.chains[0], &w.bufs, 10);
    flat_drop(&w.flats[0], 10);
    take_back(&w);
    assert_int_equal(w.returned, 0); /* the view looks */
    check(&w);
    slt_pieces_release(&w.bufs, view->pieces, view->count);
    *view = (struct held_view){.count = 0};
    take_back(&w);
    assert_int_equal(w.returned, 1);
    slt_chain_clear(&w.chains[0], &w.bufs);
    w.flats[0].count = 0;
    take_back(&w);
    assert_int_equal(w.returned, 2);
    take_back(&w);
    assert_int_equal(w.returned, 2);
    stop(&w);
}

/* A loan keeps its place until it is taken back; one that came to nothing gives it up at once. */
static void test_loans_are_bounded(void **state)
{
    (void)state;
    static struct world w;
    struct slt_loan loan = {.data = w.lent[0], .bytes = 9};
    start(&w);
    for (unsigned i = 0; i < LOANS; i++) {
        assert_true(lend(&w, 1, 1 + i));
    }
    assert_false(lend(&w, 1, 1));
    slt_chain_clear(&w.chains[1], &w.bufs);
    w.flats[1].count = 0;
    assert_false(lend(&w, 1, 1));
    assert_true(slt_loans_next(&w.loans, &loan));
    assert_int_equal(loan.user, 0);
    assert_int_equal(loan.bytes, 1);
    w.is_lent[0] = false;
    uint32_t index = slt_loan_take(&w.bufs, &loan);
    assert_int_not_equal(index, SLT_NIL);
    assert_int_equal(slt_loan_take(&w.bufs, &loan), SLT_NIL);
    slt_loan_cancel(&w.bufs, index);
    assert_true(lend(&w, 1, 7));
    stop(&w);
}

static void test_an_empty_pool_takes_what_fits(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(append(&w, 0, 280), 280);
    }
    assert_int_equal(append(&w, 0, 280), BUFFERS * CAPACITY - 5 * 280);
    assert_int_equal(append(&w, 1, 1), 0);
    assert_int_equal(w.chains[1].head, SLT_NIL);
    uint32_t room;
    assert_null(slt_chain_reserve(&w.chains[1], &w.bufs, &room));
    check(&w);
    assert_int_equal(slt_chain_buffers(&w.chains[0], &w.bufs), BUFFERS);
    stop(&w);
}

/* A buffer goes back with its last byte, not with the first byte behind it. */
static void test_a_buffer_goes_back_with_its_last_byte(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    (void)append(&w, 0, 3 * CAPACITY);
    slt_chain_drop(&w.chains[0], &w.bufs, CAPACITY - 1);
    assert_int_equal(w.bufs.used_objects, 3);
    slt_chain_drop(&w.chains[0], &w.bufs, 1);
    assert_int_equal(w.bufs.used_objects, 2);
    slt_chain_trim(&w.chains[0], &w.bufs, CAPACITY);
    assert_int_equal(w.bufs.used_objects, 1);
    slt_chain_drop(&w.chains[0], &w.bufs, CAPACITY);
    assert_int_equal(w.bufs.used_objects, 0);
    w.flats[0].count = 0;
    stop(&w);
}

/* A drained chain owns no buffers, also when room was lent and never used. */
static void test_an_empty_chain_owns_nothing(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    (void)append(&w, 0, CAPACITY);
    uint32_t room;
    uint8_t *lent = slt_chain_reserve(&w.chains[0], &w.bufs, &room);
    assert_non_null(lent);
    assert_int_equal(room, CAPACITY);
    assert_ptr_equal(slt_chain_reserve(&w.chains[0], &w.bufs, &room), lent);
    assert_int_equal(slt_chain_buffers(&w.chains[0], &w.bufs), 2);
    slt_chain_drop(&w.chains[0], &w.bufs, CAPACITY);
    assert_int_equal(w.chains[0].head, SLT_NIL);
    assert_int_equal(w.bufs.used_objects, 0);

    assert_non_null(slt_chain_reserve(&w.chains[0], &w.bufs, &room));
    assert_int_equal(w.bufs.used_objects, 1);
    slt_chain_drop(&w.chains[0], &w.bufs, 0);
    assert_int_equal(w.bufs.used_objects, 0);
    w.flats[0].count = 0;
    stop(&w);
}

/* The hazard a trim makes: bytes appended afterwards would land where a view still looks. */
static void test_a_trim_does_not_let_append_change_a_view(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    (void)append(&w, 0, 20);
    struct held_view *view = &w.views[0];
    uint32_t seen;
    struct slt_cursor after;
    view->count = slt_chain_view(&w.chains[0], &w.bufs, slt_cursor_first(), 20, view->pieces,
                                 PIECES, &seen, &after);
    assert_int_equal(view->count, 1);
    slt_pieces_hold(&w.bufs, view->pieces, view->count);
    flat_push(&view->copy, w.flats[0].bytes, 20);
    slt_chain_trim(&w.chains[0], &w.bufs, 10);
    w.flats[0].count -= 10;
    (void)append(&w, 0, 4);
    check(&w);
    assert_int_equal(slt_chain_buffers(&w.chains[0], &w.bufs), 2);
    stop(&w);

    /* Without a view the room is used again. */
    start(&w);
    (void)append(&w, 0, 20);
    slt_chain_trim(&w.chains[0], &w.bufs, 10);
    w.flats[0].count -= 10;
    (void)append(&w, 0, 14);
    check(&w);
    assert_int_equal(slt_chain_buffers(&w.chains[0], &w.bufs), 1);
    stop(&w);
}

static void test_a_cursor_sees_what_is_appended_later(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    struct slt_piece pieces[PIECES];
    uint32_t seen;
    struct slt_cursor at = slt_cursor_first();
    assert_int_equal(slt_chain_view(&w.chains[0], &w.bufs, at, 99, pieces, PIECES, &seen, &at), 0);
    assert_int_equal(at.buf, SLT_NIL);
    uint32_t offset = 0;
    for (unsigned i = 0; i < 10; i++) {
        uint32_t taken = append(&w, 0, 7 + i);
        uint32_t count =
            slt_chain_view(&w.chains[0], &w.bufs, at, UINT32_MAX, pieces, PIECES, &seen, &at);
        assert_int_equal(seen, taken);
        check_pieces(pieces, count, w.flats[0].bytes + offset, seen);
        offset += seen;
        struct slt_cursor sought = slt_chain_seek(&w.chains[0], &w.bufs, offset);
        assert_int_equal(sought.buf, at.buf);
        assert_int_equal(sought.off, at.off);
    }
    stop(&w);
}

static void test_misuse_is_a_fault(void **state)
{
    (void)state;
    static struct world w;
    start(&w);
    (void)append(&w, 0, 10);
    expect_assert_failure(slt_chain_drop(&w.chains[0], &w.bufs, 11));
    expect_assert_failure(slt_chain_trim(&w.chains[0], &w.bufs, 11));
    expect_assert_failure((void)slt_chain_seek(&w.chains[0], &w.bufs, 11));
    expect_assert_failure(slt_chain_grow(&w.chains[0], &w.bufs, CAPACITY - 10 + 1));
    expect_assert_failure(slt_chain_grow(&w.chains[1], &w.bufs, 1));
    expect_assert_failure(slt_chain_join(&w.chains[0], &w.chains[0], &w.bufs));
    stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_flat_arrays),
        cmocka_unit_test(test_a_loan_comes_back_once),
        cmocka_unit_test(test_loans_are_bounded),
        cmocka_unit_test(test_an_empty_pool_takes_what_fits),
        cmocka_unit_test(test_a_buffer_goes_back_with_its_last_byte),
        cmocka_unit_test(test_an_empty_chain_owns_nothing),
        cmocka_unit_test(test_a_trim_does_not_let_append_change_a_view),
        cmocka_unit_test(test_a_cursor_sees_what_is_appended_later),
        cmocka_unit_test(test_misuse_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
