/* Which socket a datagram finds, held against a plain search over all sockets; what may be bound;
 * and that lookups look at few sockets however many there are.
 */
#include "engine.h"

#include "base/prng.h"

#define SOCKS 24

struct model {
    struct slt_udp_sock *s[SOCKS];
};

static bool is_any(const uint8_t a[16])
{
    return slt_address_is_unspecified(a);
}

/* How well a socket fits: 0 not at all. */
static int fit(const struct slt_udp_sock *s, const struct slt_udp_id *id)
{
    bool v4 = slt_address_is_v4(id->local);
    if (s->id.local_port != id->local_port) {
        return 0;
    }
    if (s->id.remote_port != 0) {
        return memcmp(&s->id, id, sizeof(*id)) == 0 ? 4 : 0;
    }
    if (!is_any(s->id.local)) {
        return memcmp(s->id.local, id->local, 16) == 0 ? 3 : 0;
    }
    if (slt_address_is_v4(s->id.local)) {
        return v4 ? 2 : 0;
    }
    return v4 && slt_udp_has(s, SLT_UDP_V6_ONLY) ? 0 : 1;
}

static int best_fit(const struct model *m, const struct slt_udp_id *id)
{
    int best = 0;
    for (int i = 0; i < SOCKS; i++) {
        int f = m->s[i] ? fit(m->s[i], id) : 0;
        best = f > best ? f : best;
    }
    return best;
}

static struct slt_udp_id draw_id(struct slt_prng *prng, bool any)
{
    bool v4 = slt_prng_below(prng, 2) == 0;
    uint8_t host = (uint8_t)(slt_prng_below(prng, 3) + (any ? 0 : 1));
    return engine_id(v4, host, (uint16_t)(1 + slt_prng_below(prng, 3)));
}

static void draw_peer(struct slt_prng *prng, struct slt_udp_id *id)
{
    engine_address(id->remote, slt_address_is_v4(id->local),
                   (uint8_t)(10 + slt_prng_below(prng, 2)));
    id->remote_port = (uint16_t)(100 + slt_prng_below(prng, 2));
}

static void change(struct engine *e, struct model *m, struct slt_prng *prng)
{
    struct slt_udp_sock **at = &m->s[slt_prng_below(prng, SOCKS)];
    if (*at == NULL) {
        struct slt_udp_id id = draw_id(prng, true);
        uint32_t marks = slt_prng_below(prng, 3) == 0 ? SLT_UDP_V6_ONLY : 0U;
        marks |= slt_prng_below(prng, 2) == 0 ? SLT_UDP_REUSE : 0U;
        bool taken = false;
        for (int i = 0; i < SOCKS; i++) {
            const struct slt_udp_sock *s = m->s[i];
            taken = taken ||
                    (s && s->id.local_port == id.local_port &&
                     memcmp(s->bound, id.local, 16) == 0 && !(s->marks & marks & SLT_UDP_REUSE));
        }
        assert_int_equal(slt_udp_is_free(&e->udp, &id, marks), !taken);
        *at = taken ? NULL : engine_open(e, &id, marks);
        return;
    }
    if (slt_prng_below(prng, 3) == 0) {
        slt_udp_close(&e->udp, *at);
        *at = NULL;
        return;
    }
    struct slt_udp_id id = {.local_port = (*at)->id.local_port};
    memcpy(id.local, (*at)->bound, 16);
    if (slt_prng_below(prng, 2) == 0) {
        if (is_any(id.local)) {
            engine_address(id.local, slt_address_is_v4(id.local), 1);
        }
        draw_peer(prng, &id);
        if (!slt_udp_is_free(&e->udp, &id, (*at)->marks)) {
            return;
        }
    }
    slt_udp_set_id(&e->udp, *at, &id);
}

static void every_tuple_finds_the_best_socket(void **state)
{
    (void)state;
    struct slt_prng prng;
    struct engine *e = engine_new(16, 2048);
    struct model m = {{NULL}};
    slt_prng_seed(&prng, 1);
    for (int step = 0; step < 20000; step++) {
        change(e, &m, &prng);
        struct slt_udp_id id = draw_id(&prng, false);
        draw_peer(&prng, &id);
        const struct slt_udp_sock *found = slt_udp_find(&e->udp, &id);
        assert_int_equal(found ? fit(found, &id) : 0, best_fit(&m, &id));
        assert_ptr_equal(slt_udp_find(&e->udp, &id), found); /* always the same */
        if (step % 100 == 0) {
            assert_null(slt_udp_check(&e->udp, false));
        }
    }
    for (int i = 0; i < SOCKS; i++) {
        if (m.s[i]) {
            slt_udp_close(&e->udp, m.s[i]);
        }
    }
    assert_int_equal(e->udp.pool.used_objects, 0);
    engine_delete(e);
}

static void a_group_has_every_member_once(void **state)
{
    (void)state;
    struct engine *e = engine_new(16, 2048);
    struct slt_udp_id any4 = engine_id(true, 0, 5);
    struct slt_udp_id any = engine_id(false, 0, 5);
    struct slt_udp_id own = engine_id(true, 1, 5);
    struct slt_udp_id other = engine_id(true, 0, 6);
    struct slt_udp_sock *a = engine_open(e, &any4, SLT_UDP_REUSE);
    struct slt_udp_sock *b = engine_open(e, &any4, SLT_UDP_REUSE);
    struct slt_udp_sock *c = engine_open(e, &any, 0);
    (void)engine_open(e, &own, 0);
    (void)engine_open(e, &other, 0);
    struct slt_udp_id id = engine_id(true, 255, 5);
    unsigned seen = 0;
    struct slt_udp_sock *s = NULL;
    for (unsigned count = 0; (s = slt_udp_next_member(&e->udp, &id, s)) != NULL; count++) {
        assert_true(count < 3);
        seen |= s == a ? 1U : s == b ? 2U : s == c ? 4U : 8U;
    }
    assert_int_equal(seen, 7);
    for (uint32_t i = 0; i < e->udp.pool.fresh; i++) {
        slt_udp_close(&e->udp, slt_udp_at(&e->udp, i));
    }
    engine_delete(e);
}

/* A handle's generation changes with its object, and a place is used again. */
static void generations_tell_old_from_new(void **state)
{
    (void)state;
    struct engine *e = engine_new(16, 2048);
    struct slt_udp_id id = engine_id(true, 0, 5);
    struct slt_udp_sock *s = engine_open(e, &id, 0);
    uint32_t generation = s->generation;
    slt_udp_close(&e->udp, s);
    assert_true(slt_udp_port_is_free(&e->udp, 5));
    struct slt_udp_sock *again = engine_open(e, &id, 0);
    assert_ptr_equal(again, s);
    assert_int_equal(again->generation, generation + 2);
    assert_false(slt_udp_port_is_free(&e->udp, 5));
    slt_udp_close(&e->udp, again);
    engine_delete(e);
}

static void lookups_look_at_few(void **state)
{
    (void)state;
    struct engine *e = engine_new(16, 2048);
    for (uint16_t i = 0; i < 63; i++) {
        struct slt_udp_id id = engine_id(true, 0, (uint16_t)(1000 + i));
        struct slt_udp_sock *s = engine_open(e, &id, 0);
        engine_address(id.local, true, 1);
        engine_address(id.remote, true, (uint8_t)(2 + i));
        id.remote_port = 53;
        slt_udp_set_id(&e->udp, s, &id);
    }
    uint64_t before = e->udp.work;
    for (uint32_t i = 0; i < 63; i++) {
        struct slt_udp_sock *s = slt_udp_at(&e->udp, i);
        struct slt_udp_id id = s->id;
        assert_ptr_equal(slt_udp_find(&e->udp, &id), s);
    }
    assert_true(e->udp.work - before < 63 * 4);
    for (uint32_t i = 0; i < 63; i++) {
        slt_udp_close(&e->udp, slt_udp_at(&e->udp, i));
    }
    engine_delete(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tuple_finds_the_best_socket),
        cmocka_unit_test(a_group_has_every_member_once),
        cmocka_unit_test(generations_tell_old_from_new),
        cmocka_unit_test(lookups_look_at_few),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
