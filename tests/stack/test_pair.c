/* Two instances talk: handshake, transfer, close, in both families, with nothing left behind. */
#include "world.h"

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 131 + (at >> 8) * 17);
}

/* Send `total` bytes from end 0 to end 1 and compare every one. */
static void transfer(struct world *world, const struct world_ends *ends, uint64_t total)
{
    static uint8_t out[30000];
    static uint8_t in[30000];
    uint64_t sent = 0;
    uint64_t got = 0;
    for (int rounds = 0; got < total; rounds++) {
        assert_true(rounds < 200000);
        size_t accepted = 0;
        size_t want = total - sent < sizeof(out) ? (size_t)(total - sent) : sizeof(out);
        for (size_t i = 0; i < want; i++) {
            out[i] = pattern(sent + i);
        }
        enum salut_status status =
            want ? salut_send(world->end[0], ends->client, out, want, 0, &accepted) : SALUT_OK;
        assert_true(status == SALUT_OK || status == SALUT_WOULD_BLOCK);
        sent += accepted;
        world_run(world, accepted ? 0 : 50 * SLT_NS_PER_MS);
        size_t received = 0;
        while (salut_recv(world->end[1], ends->server, in, sizeof(in), &received) == SALUT_OK) {
            for (size_t i = 0; i < received; i++) {
                if (in[i] != pattern(got + i)) {
                    fail_msg("byte %llu is wrong", (unsigned long long)(got + i));
                }
            }
            got += received;
        }
        world_settle(world);
    }
    assert_int_equal(got, total);
}

static void expect_empty(struct world *world)
{
    for (int end = 0; end < 2; end++) {
        uint64_t bytes;
        uint32_t objects;
        salut_ledger(world->end[end], SLT_OWNER_CONN, &bytes, &objects);
        assert_int_equal(objects, 0);
        salut_ledger(world->end[end], SLT_OWNER_COLD, &bytes, &objects);
        assert_int_equal(objects, 0);
        salut_ledger(world->end[end], SLT_OWNER_BUFFER, &bytes, &objects);
        assert_int_equal(objects, 0);
        salut_ledger(world->end[end], SLT_OWNER_HALF_OPEN, &bytes, &objects);
        assert_int_equal(objects, 0);
        salut_ledger(world->end[end], SLT_OWNER_TIME_WAIT, &bytes, &objects);
        assert_int_equal(objects, 0);
    }
}

static void close_both(struct world *world, const struct world_ends *ends)
{
    size_t received;
    uint8_t byte;
    assert_int_equal(salut_close(world->end[0], ends->client), SALUT_OK);
    world_settle(world);
    assert_int_equal(salut_recv(world->end[1], ends->server, &byte, 1, &received), SALUT_END);
    assert_int_equal(world_state(world, 1, ends->server), SALUT_STATE_CLOSE_WAIT);
    assert_int_equal(salut_close(world->end[1], ends->server), SALUT_OK);
    world_settle(world);
    assert_int_equal(world_objects(world, 0, SALUT_IS_TIME_WAIT), 1);
    assert_int_equal(world_objects(world, 0, SALUT_IS_CONN), 0);
    assert_int_equal(world_objects(world, 1, SALUT_IS_CONN), 0);
    assert_int_equal(salut_close_listener(world->end[1], ends->listener), SALUT_OK);
    world_run(world, 59 * SLT_NS_PER_S);
    assert_int_equal(world_objects(world, 0, SALUT_IS_TIME_WAIT), 1);
    world_run(world, 2 * SLT_NS_PER_S);
    expect_empty(world);
}

static void opens_transfers_and_closes_over_ipv4(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    transfer(world, &ends, 1000000);
    close_both(world, &ends);
    world_delete(world);
}

static void opens_transfers_and_closes_over_ipv6(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr6[1]);
    transfer(world, &ends, 1000000);
    close_both(world, &ends);
    world_delete(world);
}

static void transfers_when_the_link_takes_little(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    world->take_at_most = 1;
    transfer(world, &ends, 200000);
    world->take_at_most = 3;
    transfer(world, &ends, 200000);
    world->take_at_most = 0;
    close_both(world, &ends);
    world_delete(world);
}

static enum world_filter_answer lose_some(struct world *world, int from, const uint8_t *frame,
                                          uint32_t bytes)
{
    (void)from;
    (void)frame;
    (void)bytes;
    static uint32_t seed = 12345;
    (void)world;
    seed = seed * 1664525U + 1013904223U;
    return (seed >> 16) % 20 == 0 ? WORLD_LOSE : WORLD_PASS;
}

static void transfers_over_a_lossy_wire(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr6[1]);
    world->filter = lose_some;
    transfer(world, &ends, 300000);
    world->filter = NULL;
    world_run(world, 10 * SLT_NS_PER_S);
    close_both(world, &ends);
    world_delete(world);
}

static void super_frames_carry_a_bulk_transfer(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        struct salut_config config;
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.gso_max_bytes = 65535;
        config.tx_checksum = 1;
        world_join(world, end, world_create(&config));
    }
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    transfer(world, &ends, 4000000);
    assert_true(world->frames[0] < 4000000 / 1448);
    close_both(world, &ends);
    world_delete(world);
}

static void abort_resets_the_peer(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct salut_event event;
    size_t received;
    uint8_t byte;
    assert_int_equal(salut_abort(world->end[0], ends.client), SALUT_OK);
    assert_int_equal(salut_abort(world->end[0], ends.client), SALUT_STALE);
    world_settle(world);
    assert_int_equal(salut_recv(world->end[1], ends.server, &byte, 1, &received), SALUT_RESET);
    while (salut_next_event(world->end[1], &event)) {
        assert_int_equal(event.user, 7);
        assert_true(event.ready & SALUT_ENDED);
    }
    assert_int_equal(salut_close(world->end[1], ends.server), SALUT_OK);
    assert_int_equal(salut_close_listener(world->end[1], ends.listener), SALUT_OK);
    world_settle(world);
    expect_empty(world);
    world_delete(world);
}

static void events_are_told_once_a_turn_while_they_last(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct salut_event event;
    uint8_t buffer[16];
    size_t n;
    while (salut_next_event(world->end[1], &event)) {
    }
    assert_int_equal(salut_send(world->end[0], ends.client, "hello", 5, 0, &n), SALUT_OK);
    world_settle(world);
    for (int turn = 0; turn < 3; turn++) {
        salut_poll(world->end[1], world->now_ns);
        assert_true(salut_next_event(world->end[1], &event));
        assert_int_equal(event.conn.index, ends.server.index);
        assert_int_equal(event.user, 7);
        assert_int_equal(event.ready, SALUT_READABLE);
        assert_false(salut_next_event(world->end[1], &event));
    }
    assert_int_equal(salut_recv(world->end[1], ends.server, buffer, sizeof(buffer), &n), SALUT_OK);
    assert_int_equal(n, 5);
    salut_poll(world->end[1], world->now_ns);
    assert_false(salut_next_event(world->end[1], &event));
    world_delete(world);
}

static void calls_are_refused_while_output_is_unanswered(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    static struct salut_tx_frame frames[4];
    size_t n;
    assert_int_equal(salut_send(world->end[0], ends.client, "hello", 5, 0, &n), SALUT_OK);
    assert_int_equal(salut_output(world->end[0], frames, 4), 1);
    assert_int_equal(salut_send(world->end[0], ends.client, "hello", 5, 0, &n),
                     SALUT_PENDING_OUTPUT);
    assert_int_equal(salut_close(world->end[0], ends.client), SALUT_PENDING_OUTPUT);
    /* Not taken: offered again, the same bytes. */
    salut_output_taken(world->end[0], 0);
    assert_true(salut_wants_output(world->end[0]));
    assert_int_equal(salut_output(world->end[0], frames, 4), 1);
    assert_int_equal(frames[0].payload_bytes, 5);
    /* A batch that nobody answers counts as not taken. */
    salut_poll(world->end[0], world->now_ns);
    assert_int_equal(salut_output(world->end[0], frames, 4), 1);
    assert_int_equal(frames[0].payload_bytes, 5);
    salut_output_taken(world->end[0], 1);
    assert_int_equal(salut_output(world->end[0], frames, 4), 0);
    world_delete(world);
}

static void a_snapshot_brings_the_instance_back(void **state)
{
    (void)state;
    struct world *world = calloc(1, sizeof(*world));
    void *block[2];
    void *copy[2];
    uint64_t digest[2];
    world->now_ns = SLT_NS_PER_S;
    for (int end = 0; end < 2; end++) {
        struct salut_config config;
        world_config(&config, SALUT_PROFILE_LINUX, end);
        config.memory_bytes = salut_block_bytes(&config);
        config.memory = block[end] = malloc(config.memory_bytes);
        world_join(world, end, world_create(&config));
    }
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    transfer(world, &ends, 10000);
    int64_t then_ns = world->now_ns;
    for (int end = 0; end < 2; end++) {
        copy[end] = malloc(salut_snapshot_bytes(world->end[end]));
        salut_save(world->end[end], copy[end]);
        digest[end] = salut_digest(world->end[end]);
    }
    for (int round = 0; round < 3; round++) {
        transfer(world, &ends, 50000);
        assert_int_equal(salut_close(world->end[0], ends.client), SALUT_OK);
        world_settle(world);
        assert_int_not_equal(salut_digest(world->end[0]), digest[0]);
        for (int end = 0; end < 2; end++) {
            salut_restore(world->end[end], copy[end]);
            assert_int_equal(salut_digest(world->end[end]), digest[end]);
        }
        world->now_ns = then_ns;
        world_check(world);
    }
    close_both(world, &ends);
    world_delete(world);
    for (int end = 0; end < 2; end++) {
        free(copy[end]);
        free(block[end]);
    }
}

static void many_connections_come_and_go(void **state)
{
    (void)state;
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    salut_listener listener = world_listen(world, 1, 80, 16, 0);
    for (int i = 0; i < 500; i++) {
        salut_conn client = world_connect(world, 0, &world->addr4[1], 80);
        salut_conn server;
        size_t n;
        uint8_t buffer[64];
        world_settle(world);
        assert_int_equal(salut_accept(world->end[1], listener, 1, &server), SALUT_OK);
        assert_int_equal(salut_send(world->end[0], client, "ping", 4, 0, &n), SALUT_OK);
        world_settle(world);
        assert_int_equal(salut_recv(world->end[1], server, buffer, 64, &n), SALUT_OK);
        assert_int_equal(salut_close(world->end[1], server), SALUT_OK);
        world_settle(world);
        assert_int_equal(salut_close(world->end[0], client), SALUT_OK);
        world_settle(world);
        /* Nobody asks for events here: objects must come back all the same. */
    }
    assert_int_equal(world_objects(world, 0, SALUT_IS_CONN), 0);
    assert_int_equal(world_objects(world, 1, SALUT_IS_CONN), 0);
    assert_int_equal(world_objects(world, 1, SALUT_IS_TIME_WAIT), 64);
    assert_int_equal(world_count(world, 1, SLT_NOTE_TCP_TW_FULL), 500 - 64);
    world_delete(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_transfers_and_closes_over_ipv4),
        cmocka_unit_test(opens_transfers_and_closes_over_ipv6),
        cmocka_unit_test(transfers_when_the_link_takes_little),
        cmocka_unit_test(transfers_over_a_lossy_wire),
        cmocka_unit_test(super_frames_carry_a_bulk_transfer),
        cmocka_unit_test(abort_resets_the_peer),
        cmocka_unit_test(events_are_told_once_a_turn_while_they_last),
        cmocka_unit_test(calls_are_refused_while_output_is_unanswered),
        cmocka_unit_test(a_snapshot_brings_the_instance_back),
        cmocka_unit_test(many_connections_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
