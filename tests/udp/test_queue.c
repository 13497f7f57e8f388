/* Queues against a plain list of datagrams: what goes in comes out, in order and whole, through
 * buffers of any size, while the pool runs dry.
 */
#include "engine.h"

#include "base/prng.h"

#define MODEL_MAX 4096

struct model {
    uint32_t bytes[MODEL_MAX]; /* and the first byte, by number */
    uint32_t first;
    uint32_t count;
};

static uint8_t data[2048];

static struct slt_udp_head head_of(uint32_t bytes)
{
    struct slt_udp_head head = {.bytes = bytes, .remote_port = 9, .ttl = (uint8_t)bytes};
    engine_address(head.local, true, 1);
    engine_address(head.remote, true, 2);
    return head;
}

static void fill(uint32_t number)
{
    for (uint32_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
    }
}

static void expect_first(const struct engine *e, const struct slt_udp_queue *queue, uint32_t number,
                         uint32_t bytes)
{
    struct slt_udp_place place = {.number = 0};
    struct slt_udp_head head;
    assert_true(slt_udp_step(&e->udp, queue, &place, &head));
    assert_int_equal(head.bytes, bytes);
    assert_int_equal(head.ttl, (uint8_t)bytes);
    assert_int_equal(head.remote_port, 9);
    fill(number);
    for (uint32_t at = 0; at < bytes;) {
        struct slt_piece piece;
        uint32_t seen;
        assert_int_equal(slt_chain_view(&queue->chain, &e->bufs, place.cursor, bytes - at, &piece,
                                        1, &seen, &place.cursor),
                         1);
        assert_memory_equal(piece.data, data + at, seen);
        at += seen;
    }
}

static void receive_random(uint32_t buffers, uint32_t buffer_bytes, uint64_t seed)
{
    struct engine *e = engine_new(buffers, buffer_bytes);
    struct slt_udp_id id = engine_id(true, 1, 5);
    struct slt_udp_sock *s = engine_open(e, &id, 0);
    struct model m = {.count = 0};
    struct slt_prng prng;
    slt_prng_seed(&prng, seed);
    for (uint32_t step = 0; step < 4000; step++) {
        if (slt_prng_below(&prng, 2) == 0) {
            uint32_t bytes = (uint32_t)slt_prng_below(&prng, slt_prng_below(&prng, 4) ? 100 : 1500);
            struct slt_udp_head head = head_of(bytes);
            fill(m.first + m.count);
            uint32_t drops = s->drops;
            enum slt_reason why = slt_udp_deliver(&e->udp, s, &head, data);
            bool fits = s->in.chain.bytes + 40 + bytes <= s->recv_max;
            assert_true(why != SLT_DROP_UDP_QUEUE_FULL || !fits);
            assert_int_equal(s->drops, drops + (why != SLT_NOTE_UDP_TAKEN));
            if (why == SLT_NOTE_UDP_TAKEN) {
                m.bytes[(m.first + m.count++) % MODEL_MAX] = bytes;
            }
        } else if (m.count > 0) {
            expect_first(e, &s->in, m.first, m.bytes[m.first % MODEL_MAX]);
            slt_udp_drop_first(&e->udp, s, &s->in);
            m.first++;
            m.count--;
        }
        assert_int_equal(s->in.count, m.count);
        if (step % 50 == 0) {
            assert_null(slt_udp_check(&e->udp, false));
        }
    }
    slt_udp_close(&e->udp, s);
    assert_int_equal(e->udp.queued_bytes, 0);
    assert_int_equal(e->bufs.used_objects, 0);
    engine_delete(e);
}

static void what_is_delivered_is_read(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        receive_random(400, 64, seed);
        receive_random(100, 2048, seed);
        receive_random(3, 4096, seed);
        receive_random(40, 64, seed); /* mostly dry */
    }
}

/* Datagrams set aside for their neighbours come back in order, once for every wake. */
static void what_is_held_comes_back(void **state)
{
    (void)state;
    struct engine *e = engine_new(100, 256);
    struct slt_udp_id id = engine_id(true, 1, 5);
    struct slt_udp_sock *s = engine_open(e, &id, 0);
    for (uint32_t i = 0; i < 6; i++) {
        struct slt_udp_head head = head_of(100 + i);
        struct salut_iovec piece = {data, 100 + i};
        fill(i);
        assert_int_equal(slt_udp_send(&e->udp, s, &head, &piece, 1), SALUT_OK);
    }
    assert_ptr_equal(slt_udp_pop(&e->udp, SLT_UDP_LIST_DIRTY), s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(slt_udp_hold(&e->udp, s), 0);
    }
    assert_ptr_equal(slt_udp_sendable(s), &s->out);
    expect_first(e, &s->out, 3, 103);
    expect_first(e, &s->held, 0, 100);
    slt_udp_wake(&e->udp);
    assert_ptr_equal(slt_udp_sendable(s), &s->held);
    /* The first is tried in vain again and goes to the end, the second leaves, the third waits. */
    assert_int_equal(slt_udp_hold(&e->udp, s), 0);
    expect_first(e, &s->held, 1, 101);
    slt_udp_drop_first(&e->udp, s, &s->held);
    assert_int_equal(slt_udp_hold(&e->udp, s), 0);
    assert_ptr_equal(slt_udp_sendable(s), &s->out);
    expect_first(e, &s->held, 0, 100);
    assert_null(slt_udp_check(&e->udp, false));
    assert_int_equal(s->held.count, 2);
    assert_int_equal(s->out.count, 3);
    slt_udp_close(&e->udp, s); /* still there: it has something to send */
    assert_int_equal(e->udp.pool.used_objects, 1);
    while (s->out.count > 0) {
        slt_udp_drop_first(&e->udp, s, &s->out);
    }
    while (s->held.count > 0) {
        slt_udp_drop_first(&e->udp, s, &s->held);
    }
    slt_udp_reap(&e->udp, s);
    assert_int_equal(e->udp.pool.used_objects, 0);
    assert_int_equal(e->bufs.used_objects, 0);
    engine_delete(e);
}

/* Without a buffer for the copy the datagram is given up, and nothing is left behind. */
static void holding_needs_a_buffer(void **state)
{
    (void)state;
    struct engine *e = engine_new(2, 1024);
    struct slt_udp_id id = engine_id(true, 1, 5);
    struct slt_udp_sock *s = engine_open(e, &id, 0);
    struct slt_udp_head head = head_of(1500);
    struct salut_iovec piece = {data, 1500};
    fill(0);
    assert_int_equal(slt_udp_send(&e->udp, s, &head, &piece, 1), SALUT_OK);
    struct slt_udp_head more = head_of(600);
    piece.bytes = 600;
    assert_int_equal(slt_udp_send(&e->udp, s, &more, &piece, 1), SALUT_NO_MEMORY);
    assert_int_equal(s->out.count, 1);
    assert_int_equal(slt_udp_hold(&e->udp, s), 1);
    assert_int_equal(s->out.count + s->held.count, 0);
    assert_int_equal(e->udp.queued_bytes, 0);
    slt_udp_close(&e->udp, s);
    assert_int_equal(e->bufs.used_objects, 0);
    engine_delete(e);
}

static void full_is_not_lost(void **state)
{
    (void)state;
    struct engine *e = engine_new(100, 256);
    struct slt_udp_id id = engine_id(true, 1, 5);
    struct slt_udp_sock *s = engine_open(e, &id, 0);
    struct slt_udp_head head = head_of(1960);
    struct salut_iovec piece = {data, 1960};
    assert_int_equal(slt_udp_set_option(&e->udp, s, SALUT_OPT_SEND_BUFFER, 4000), SALUT_OK);
    assert_int_equal(slt_udp_send(&e->udp, s, &head, &piece, 1), SALUT_OK);
    assert_int_equal(slt_udp_ready(s), SALUT_WRITABLE);
    assert_int_equal(slt_udp_send(&e->udp, s, &head, &piece, 1), SALUT_OK);
    assert_int_equal(slt_udp_ready(s), 0);
    assert_int_equal(slt_udp_send(&e->udp, s, &head, &piece, 1), SALUT_WOULD_BLOCK);
    /* A peer's hard error makes it ready, once; without a peer it is advice. */
    slt_udp_complain(&e->udp, s, SALUT_REFUSED, true);
    assert_int_equal(slt_udp_ready(s), SALUT_ADVICE);
    assert_int_equal(slt_udp_take_error(s), SALUT_OK);
    engine_address(id.remote, true, 2);
    id.remote_port = 53;
    slt_udp_set_id(&e->udp, s, &id);
    slt_udp_complain(&e->udp, s, SALUT_REFUSED, true);
    assert_int_equal(slt_udp_ready(s), SALUT_READABLE | SALUT_WRITABLE | SALUT_ADVICE);
    assert_int_equal(slt_udp_take_error(s), SALUT_REFUSED);
    assert_int_equal(slt_udp_take_error(s), SALUT_OK);
    assert_int_equal(slt_udp_ready(s), 0);
    slt_udp_drop_first(&e->udp, s, &s->out);
    slt_udp_drop_first(&e->udp, s, &s->out);
    (void)slt_udp_pop(&e->udp, SLT_UDP_LIST_DIRTY);
    slt_udp_close(&e->udp, s);
    engine_delete(e);
}

/* A packet too big is believed where one was sent, and not below or beside it. */
static void only_large_ones_that_were_sent_are_too_large(void **state)
{
    (void)state;
    struct engine *e = engine_new(4, 256);
    struct slt_udp_id id = engine_id(true, 1, 5);
    engine_address(id.remote, true, 2);
    id.remote_port = 53;
    struct slt_udp_id other = id;
    other.remote_port = 54;
    assert_false(slt_udp_sent_large(&e->udp, &id, 0));
    slt_udp_note_large(&e->udp, &id, 1400);
    slt_udp_note_large(&e->udp, &id, 900);
    assert_true(slt_udp_sent_large(&e->udp, &id, 1399));
    assert_false(slt_udp_sent_large(&e->udp, &id, 1400));
    assert_false(slt_udp_sent_large(&e->udp, &other, 600));
    engine_delete(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_delivered_is_read),
        cmocka_unit_test(what_is_held_comes_back),
        cmocka_unit_test(holding_needs_a_buffer),
        cmocka_unit_test(full_is_not_lost),
        cmocka_unit_test(only_large_ones_that_were_sent_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
