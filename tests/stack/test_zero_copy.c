/* Reading and writing in place: salut_peek and salut_consume, salut_send_reserve and
 * salut_send_commit, between two instances.
 */
#include "world.h"

static void close_all(struct world *world, const struct world_ends *ends)
{
    assert_int_equal(salut_abort(world->end[0], ends->client), SALUT_OK);
    assert_int_equal(salut_abort(world->end[1], ends->server), SALUT_OK);
    assert_int_equal(salut_close_listener(world->end[1], ends->listener), SALUT_OK);
    world_settle(world);
    for (int end = 0; end < 2; end++) {
        uint64_t bytes;
        uint32_t objects;
        salut_ledger(world->end[end], SLT_OWNER_BUFFER, &bytes, &objects);
        assert_int_equal(objects, 0);
    }
    world_delete(world);
}

static uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 131 + (at >> 8) * 17);
}

/* Write up to `limit` bytes in place, as the room comes; returns how many. */
static uint64_t write_in_place(struct world *world, const struct world_ends *ends, uint64_t from,
                               uint64_t limit)
{
    uint64_t wrote = 0;
    struct salut_iovec_mut room;

    while (wrote < limit && salut_send_reserve(world->end[0], ends->client, &room) == SALUT_OK) {
        uint64_t left = limit - wrote;
        size_t bytes = room.bytes < left ? room.bytes : (size_t)left;
        uint8_t *out = room.base;
        assert_true(room.bytes > 0);
        for (size_t i = 0; i < bytes; i++) {
            out[i] = pattern(from + wrote + i);
        }
        assert_int_equal(salut_send_commit(world->end[0], ends->client, bytes, 0), SALUT_OK);
        wrote += bytes;
    }
    return wrote;
}

/* Read all there is where it lies, in bites of odd sizes. */
static uint64_t read_in_place(struct world *world, const struct world_ends *ends, uint64_t from)
{
    uint64_t got = 0;
    struct salut_iovec pieces[4];
    size_t count;
    size_t bytes;

    while (salut_peek(world->end[1], ends->server, pieces, 4, &count, &bytes) == SALUT_OK) {
        size_t take = bytes > 777 ? bytes - 777 : bytes;
        size_t seen = 0;
        for (size_t i = 0; i < count; i++) {
            const uint8_t *in = pieces[i].base;
            for (size_t k = 0; k < pieces[i].bytes; k++, seen++) {
                if (in[k] != pattern(from + got + seen)) {
                    fail_msg("byte %llu is wrong", (unsigned long long)(from + got + seen));
                }
            }
        }
        assert_int_equal(seen, bytes);
        assert_int_equal(salut_consume(world->end[1], ends->server, take), SALUT_OK);
        got += take;
    }
    return got;
}

static void t_bytes_written_and_read_in_place(void **state)
{
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    const uint64_t total = 2000000;
    uint64_t wrote = 0;
    uint64_t got = 0;

    (void)state;
    for (int rounds = 0; got < total; rounds++) {
        assert_true(rounds < 20000);
        uint64_t burst = 1 + (uint64_t)rounds * 7919 % 20000;
        burst = burst < total - wrote ? burst : total - wrote;
        wrote += write_in_place(world, &ends, wrote, burst);
        world_run(world, rounds % 3 == 0 ? 5 * SLT_NS_PER_MS : 0);
        got += read_in_place(world, &ends, got);
    }
    close_all(world, &ends);
}

static void t_reading_in_place_opens_the_window(void **state)
{
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct salut_info info;
    uint64_t wrote = 0;

    (void)state;
    for (int rounds = 0; rounds < 100; rounds++) {
        wrote += write_in_place(world, &ends, wrote, 100000);
        world_run(world, 50 * SLT_NS_PER_MS);
    }
    assert_int_equal(salut_get_info(world->end[1], ends.server, &info), SALUT_OK);
    assert_true(info.recv_window < 2000); /* nobody reads: it closed */
    uint64_t got = read_in_place(world, &ends, 0);
    assert_true(got >= 100000);
    world_run(world, 0);
    assert_int_equal(salut_get_info(world->end[1], ends.server, &info), SALUT_OK);
    assert_true(info.recv_queued >= 60000); /* more came at once, no probe was needed */
    while (got < wrote) {
        world_run(world, 50 * SLT_NS_PER_MS);
        got += read_in_place(world, &ends, got);
    }
    close_all(world, &ends);
}

static void t_what_was_not_lent_cannot_be_committed(void **state)
{
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct salut_iovec_mut room;
    size_t accepted;

    (void)state;
    assert_int_equal(salut_send_reserve(world->end[0], ends.client, &room), SALUT_OK);
    assert_int_equal(salut_send_commit(world->end[0], ends.client, room.bytes + 1, 0),
                     SALUT_INVALID);
    assert_int_equal(salut_send_commit(world->end[0], ends.client, 0, 0), SALUT_OK);
    assert_int_equal(salut_send_commit(world->end[0], ends.client, 1, 0x1000), SALUT_INVALID);
    assert_int_equal(salut_set_option(world->end[0], ends.client, SALUT_OPT_SEND_BUFFER, 5000),
                     SALUT_OK);
    assert_int_equal(write_in_place(world, &ends, 0, 100000), 5000); /* the buffer's limit holds */
    assert_int_equal(salut_send_reserve(world->end[0], ends.client, &room), SALUT_WOULD_BLOCK);
    world_run(world, SLT_NS_PER_S);
    assert_int_equal(read_in_place(world, &ends, 0), 5000);
    assert_int_equal(salut_shutdown(world->end[0], ends.client, SALUT_SHUT_WRITE), SALUT_OK);
    assert_int_equal(salut_send_reserve(world->end[0], ends.client, &room), SALUT_CLOSED);
    assert_int_equal(salut_send_commit(world->end[0], ends.client, 1, 0), SALUT_CLOSED);
    assert_int_equal(salut_send(world->end[0], ends.client, "x", 1, 0, &accepted), SALUT_CLOSED);
    close_all(world, &ends);
}

/* salut_send_room follows the buffer's limit, and says what salut_send would. */
static void t_room_is_what_send_takes(void **state)
{
    static const uint8_t bytes[300000];
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    size_t room = 0;
    size_t taken = 0;
    (void)state;

    assert_int_equal(salut_send_room(world->end[0], ends.client, &room), SALUT_OK);
    assert_in_range(room, 1, sizeof(bytes));
    assert_int_equal(salut_send(world->end[0], ends.client, bytes, 1000, 0, &taken), SALUT_OK);
    size_t left = 0;
    assert_int_equal(salut_send_room(world->end[0], ends.client, &left), SALUT_OK);
    assert_int_equal(left, room - 1000);
    assert_int_equal(salut_send(world->end[0], ends.client, bytes, sizeof(bytes), 0, &taken),
                     SALUT_OK);
    assert_int_equal(taken, left);
    assert_int_equal(salut_send_room(world->end[0], ends.client, &left), SALUT_WOULD_BLOCK);
    assert_int_equal(left, 0);
    assert_int_equal(salut_shutdown(world->end[0], ends.client, SALUT_SHUT_WRITE), SALUT_OK);
    assert_int_equal(salut_send_room(world->end[0], ends.client, &left), SALUT_CLOSED);
    assert_int_equal(left, 0);
    salut_conn stale = {.index = ends.client.index, .generation = ends.client.generation + 2};
    assert_int_equal(salut_send_room(world->end[0], stale, &left), SALUT_STALE);
    close_all(world, &ends);
}

static void t_consume_takes_no_more_than_there_is(void **state)
{
    struct world *world = world_new(SALUT_PROFILE_LINUX);
    struct world_ends ends = world_open_pair(world, &world->addr4[1]);
    struct salut_iovec piece;
    size_t count;
    size_t bytes;

    (void)state;
    assert_int_equal(salut_peek(world->end[1], ends.server, &piece, 1, &count, &bytes),
                     SALUT_WOULD_BLOCK);
    assert_int_equal(write_in_place(world, &ends, 0, 100), 100);
    world_run(world, 0);
    assert_int_equal(salut_peek(world->end[1], ends.server, &piece, 1, &count, &bytes), SALUT_OK);
    assert_int_equal(bytes, 100);
    assert_int_equal(salut_consume(world->end[1], ends.server, 101), SALUT_INVALID);
    assert_int_equal(salut_consume(world->end[1], ends.server, 40), SALUT_OK);
    assert_int_equal(salut_peek(world->end[1], ends.server, &piece, 1, &count, &bytes), SALUT_OK);
    assert_int_equal(bytes, 60);
    assert_int_equal(((const uint8_t *)piece.base)[0], pattern(40));
    close_all(world, &ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_bytes_written_and_read_in_place),
        cmocka_unit_test(t_reading_in_place_opens_the_window),
        cmocka_unit_test(t_what_was_not_lent_cannot_be_committed),
        cmocka_unit_test(t_room_is_what_send_takes),
        cmocka_unit_test(t_consume_takes_no_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
