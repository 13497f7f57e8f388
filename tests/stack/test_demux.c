/* The flow table under tuples an attacker chose, and ports that are chosen for us. */
#include "world.h"

#define TUPLES 100000U

static void make_id(struct slt_tcp_id *id, uint32_t n)
{
    /* What an attacker can vary: his address and port, in arithmetic progressions. */
    const uint8_t local[4] = {10, 0, 0, 1};
    const uint8_t remote[4] = {(uint8_t)(n >> 16), 1, (uint8_t)(n >> 8), 7};
    memset(id, 0, sizeof(*id));
    slt_address_set_v4(id->local, local);
    slt_address_set_v4(id->remote, remote);
    id->local_port = 80;
    id->remote_port = (uint16_t)(1024 + (n & 0xff) * 256);
}

static void a_hundred_thousand_tuples_stay_within_sixteen_probes(void **state)
{
    (void)state;
    struct salut_config config;
    world_config(&config, SALUT_PROFILE_LINUX, 0);
    config.conns_max = TUPLES;
    config.half_open_max = 0;
    config.time_wait_max = 0;
    config.event_ring = 0;
    struct salut_stack *stack = world_create(&config);
    for (uint32_t i = 0; i < TUPLES; i++) {
        struct slt_tcp_id id;
        make_id(&id, i);
        uint32_t index = slt_conns_new(stack, &id, &stack->defaults, SALUT_STATE_CLOSED);
        assert_int_not_equal(index, SLT_NIL);
        slt_conns_find_by_tuple(stack, index, slt_demux_hash(stack, &id));
    }
    uint32_t worst = 0;
    uint64_t all = 0;
    for (uint32_t i = 0; i < TUPLES; i++) {
        struct slt_tcp_id id;
        uint32_t probes = 0;
        make_id(&id, i);
        slt_flow_ref ref = slt_demux_find(stack, slt_demux_hash(stack, &id), &id, &probes);
        assert_int_equal(ref, slt_flow_ref_make(SLT_FLOW_CONN, i));
        worst = slt_max32(worst, probes);
        all += probes;
        id.remote_port++;
        probes = 0;
        assert_int_equal(slt_demux_find(stack, slt_demux_hash(stack, &id), &id, &probes),
                         SLT_FLOW_NONE);
        worst = slt_max32(worst, probes);
    }
    assert_true(worst <= 16); /* H07 */
    assert_true(all < TUPLES * 2);
    salut_destroy(stack);
}

static uint32_t real_hash(const struct salut_stack *stack, const struct slt_tcp_id *id)
{
    return (uint32_t)slt_tcp_id_hash13(&stack->flow_key, id);
}

/* A remembered hash is its tuple's own, whoever else was met at its place since. */
static void what_is_remembered_of_tuples_is_theirs(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *stack = world->end[0];
    const uint8_t none[4] = {0};
    struct slt_tcp_id zeros = {.local_port = 0};
    slt_address_set_v4(zeros.local, none);
    slt_address_set_v4(zeros.remote, none);
    assert_int_equal(slt_demux_hash(stack, &zeros), real_hash(stack, &zeros));
    assert_int_equal(slt_demux_meet(stack, &zeros), real_hash(stack, &zeros));
    for (uint32_t i = 0; i < 2000; i++) {
        struct slt_tcp_id id;
        struct slt_tcp_id other;
        make_id(&id, i);
        other = id;
        other.local_port++; /* the same place: the sum of the ports names it */
        other.remote_port--;
        assert_int_equal(slt_demux_meet(stack, &id), real_hash(stack, &id));
        assert_int_equal(slt_demux_meet(stack, &id), real_hash(stack, &id));
        assert_int_equal(slt_demux_hash(stack, &other), real_hash(stack, &other));
        assert_int_equal(slt_demux_meet(stack, &other), real_hash(stack, &other));
        assert_int_equal(slt_demux_hash(stack, &id), real_hash(stack, &id));
        id.remote[15] ^= 1; /* the same ports */
        assert_int_equal(slt_demux_meet(stack, &id), real_hash(stack, &id));
        id.remote[0] = 0x20; /* IPv6, which is not remembered */
        assert_int_equal(slt_demux_meet(stack, &id), real_hash(stack, &id));
    }
    world_delete(world);
}

static void ports_differ_until_they_run_out(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *stack = world->end[0];
    bool seen[65536] = {false};
    stack->config.port_low = 40000;
    stack->config.port_high = 40099;
    world->cut = true;
    struct salut_listen_params listen_params = {.port = 40050};
    salut_listener listener;
    assert_int_equal(salut_listen(stack, &listen_params, &listener), SALUT_OK);
    struct salut_connect_params params = {.remote = world->addr4[1], .remote_port = 80};
    salut_conn conn;
    for (int i = 0; i < 99; i++) {
        struct salut_info info;
        assert_int_equal(salut_connect(stack, &params, &conn), SALUT_OK);
        assert_int_equal(salut_get_info(stack, conn, &info), SALUT_OK);
        assert_in_range(info.local_port, 40000, 40099);
        assert_int_not_equal(info.local_port, 40050); /* R6056-02 */
        assert_false(seen[info.local_port]);
        seen[info.local_port] = true;
    }
    /* R6056-04: an answer, not a loop; and the tuple is what must be unique. */
    assert_int_equal(salut_connect(stack, &params, &conn), SALUT_ADDRESS_NOT_AVAILABLE);
    params.remote_port = 81;
    assert_int_equal(salut_connect(stack, &params, &conn), SALUT_OK);
    world_delete(world);
}

static void explicit_ports_and_addresses_are_checked(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct salut_stack *stack = world->end[0];
    struct salut_connect_params good = {
        .remote = world->addr4[1], .remote_port = 80, .local_port = 1234};
    struct salut_connect_params p = good;
    salut_conn conn;
    assert_int_equal(salut_connect(stack, &good, &conn), SALUT_OK);
    assert_int_equal(salut_connect(stack, &good, &conn), SALUT_ADDRESS_IN_USE);
    p.remote_port = 0;
    assert_int_equal(salut_connect(stack, &p, &conn), SALUT_INVALID);
    p = good;
    const char *const bad[] = {"0.0.0.0", "255.255.255.255", "10.0.0.255", "224.0.0.1",
                               "::",      "ff02::1"};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(bad); i++) { /* MUST-46 */
        p.remote = world_addr(bad[i]);
        assert_int_equal(salut_connect(stack, &p, &conn), SALUT_ADDRESS_INVALID);
    }
    p.remote = world_addr("192.0.2.1");
    assert_int_equal(salut_connect(stack, &p, &conn), SALUT_NET_UNREACHABLE);
    p = good;
    p.local = world_addr("10.0.0.9");
    assert_int_equal(salut_connect(stack, &p, &conn), SALUT_ADDRESS_NOT_AVAILABLE);
    p.local = world->addr6[0];
    assert_int_equal(salut_connect(stack, &p, &conn), SALUT_INVALID);
    p = good;
    p.remote = world->addr4[0]; /* ourselves: this link brings nothing back */
    assert_int_equal(salut_connect(stack, &p, &conn), SALUT_NET_UNREACHABLE);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hundred_thousand_tuples_stay_within_sixteen_probes),
        cmocka_unit_test(what_is_remembered_of_tuples_is_theirs),
        cmocka_unit_test(ports_differ_until_they_run_out),
        cmocka_unit_test(explicit_ports_and_addresses_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
