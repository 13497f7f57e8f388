/* Loss recovery over a path with delay, loss and reordering, in virtual time: two engines, one of
 * which sends, and a wire that decides by packet number what becomes of each (RFC 8985, 6675, 5682,
 * 3522, 3708, 6582, 9937). Every byte is checked, and so is how the sender got there: how many
 * timeouts, how many episodes, how many of them undone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/prng.h"
#include "support/tcp_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ONE_WAY_NS (25 * SLT_NS_PER_MS)
#define FLIGHT_MAX 4096
#define GIVE_UP_NS (600 * SLT_NS_PER_S)
#define SEGMENT    1448

struct travelling {
    int64_t at_ns;
    uint64_t order;
    struct pair_packet packet;
};

struct path {
    struct pair pair;
    struct travelling flight[FLIGHT_MAX];
    unsigned count;
    uint64_t order;
    /* What becomes of the n-th data segment of side 0: how late it is; SLT_NEVER: lost. */
    int64_t (*fate)(struct path *path, unsigned n, const struct slt_tcp_segment *seg);
    int64_t (*ack_fate)(struct path *path, unsigned n);
    unsigned data_count;
    unsigned ack_count;
    struct slt_prng chance;
    int64_t param;
    int64_t free_at_ns; /* when the bottleneck has sent what waits there */
    size_t lump_bytes;  /* the user writes when half of so much is acknowledged; 0: at once */
    size_t sent;
    size_t received;
    size_t total;
    unsigned episodes;
    unsigned timeouts;
    unsigned forgotten; /* episodes whose evidence was given up because the next one began */
    struct slt_undo undo;
    struct slt_tcp_tally tally; /* what the connection counts itself */
    uint32_t rtt_top_us;
    uint8_t ca_state;
    uint8_t timeouts_before;
    bool finished;
};

static uint8_t pattern(size_t i)
{
    return (uint8_t)(i * 131 + (i >> 8) * 7 + (i >> 16) * 3 + 1);
}

static void carry(struct pair *pair, const struct pair_packet *packet)
{
    struct path *path = pair->ctx;
    int64_t late_ns = 0;

    if (packet->to == 1 && packet->seg.payload_bytes > 0) {
        path->data_count++;
        late_ns = path->fate ? path->fate(path, path->data_count, &packet->seg) : 0;
    } else if (packet->to == 0) {
        path->ack_count++;
        late_ns = path->ack_fate ? path->ack_fate(path, path->ack_count) : 0;
    }
    if (late_ns == SLT_NEVER) {
        free(packet->payload);
        return;
    }
    assert_true(path->count < FLIGHT_MAX);
    path->flight[path->count++] =
        (struct travelling){pair->now_ns + ONE_WAY_NS + late_ns, path->order++, *packet};
}

static void path_init(struct path *path, size_t total)
{
    memset(path, 0, sizeof(*path));
    pair_init(&path->pair);
    path->total = total;
    path->pair.ctx = path;
    path->pair.config.tail_probe = 1;
    path->pair.config.frto = 1;
    path->pair.config.rto_var_floor = 1;
    path->pair.config.quick_acks = 16;
}

/* The handshake takes a round trip, like everything after it. */
static void open_path(struct path *path)
{
    path->pair.delay_ns = ONE_WAY_NS;
    pair_connect(&path->pair);
    path->pair.carry = carry;
}

/* Notice what the sender went through. */
static void watch(struct path *path)
{
    const struct slt_tcp_conn *c = pair_conn(&path->pair, 0);

    if (c->cold == NULL) {
        path->ca_state = SALUT_CA_OPEN;
        path->undo.open = false;
        return;
    }
    path->rtt_top_us = slt_max32(path->rtt_top_us, c->rtt.srtt8_us >> 3);
    const struct slt_tcp_recovery *r = &c->cold->recovery;
    if (r->ca_state >= SALUT_CA_RECOVERY && path->ca_state < SALUT_CA_RECOVERY) {
        path->episodes++;
    }
    if (path->undo.open && r->undo.open && path->undo.from != r->undo.from) {
        path->forgotten++;
    }
    path->undo = r->undo;
    path->tally = c->cold->tally;
    if (r->timeouts > path->timeouts_before) {
        path->timeouts++;
    }
    path->timeouts_before = r->timeouts;
    path->ca_state = r->ca_state;
}

static void say(struct path *path)
{
    bool moved = true;

    for (int i = 0; i < 1000 && moved; i++) {
        moved = pair_transmit(&path->pair, 0);
        moved = pair_transmit(&path->pair, 1) || moved;
    }
    watch(path);
}

/* How far the user writes now. */
static size_t written_end(struct path *path)
{
    size_t acked = (size_t)(pair_conn(&path->pair, 0)->snd.una - 1);

    if (path->lump_bytes == 0) {
        return path->total;
    }
    if (path->sent - acked > path->lump_bytes / 2) {
        return path->sent;
    }
    size_t end = acked + path->lump_bytes;
    return end < path->total ? end : path->total;
}

static void use(struct path *path)
{
    uint8_t bytes[4096];
    size_t written = written_end(path);

    while (path->sent < written) {
        size_t n = written - path->sent < sizeof(bytes) ? written - path->sent : sizeof(bytes);
        for (size_t i = 0; i < n; i++) {
            bytes[i] = pattern(path->sent + i);
        }
        size_t took = pair_send(&path->pair, 0, bytes, n);
        path->sent += took;
        if (took < n) {
            break;
        }
    }
    if (path->sent == path->total && !path->finished) {
        path->finished = true;
        (void)slt_tcp_shutdown(&path->pair.side[0].tcp, pair_conn(&path->pair, 0), SALUT_SHUT_WRITE,
                               path->pair.now_ns);
    }
    size_t got;
    while ((got = pair_recv(&path->pair, 1, bytes, sizeof(bytes))) > 0) {
        for (size_t i = 0; i < got; i++) {
            assert_int_equal(bytes[i], pattern(path->received + i));
        }
        path->received += got;
    }
}

/* Deliver what arrives next, or let the next timer fire. */
static void turn(struct path *path)
{
    int64_t next_ns = pair_next_timer(&path->pair);
    unsigned first = path->count;

    for (unsigned i = 0; i < path->count; i++) {
        const struct travelling *t = &path->flight[i];
        if (first == path->count || t->at_ns < path->flight[first].at_ns ||
            (t->at_ns == path->flight[first].at_ns && t->order < path->flight[first].order)) {
            first = i;
        }
    }
    if (first < path->count && path->flight[first].at_ns <= next_ns) {
        struct travelling t = path->flight[first];
        path->flight[first] = path->flight[--path->count];
        path->pair.now_ns = slt_max64(path->pair.now_ns, t.at_ns);
        pair_deliver(&path->pair, &t.packet);
        free(t.packet.payload);
    } else {
        assert_true(next_ns != SLT_NEVER);
        path->pair.now_ns = slt_max64(path->pair.now_ns, next_ns);
        pair_fire(&path->pair);
    }
    watch(path);
}

/* Connect, send everything, shut down; returns how long it took. */
static int64_t path_run(struct path *path)
{
    open_path(path);
    int64_t start_ns = path->pair.now_ns;
    while (path->received < path->total ||
           pair_conn(&path->pair, 0)->state != SALUT_STATE_FIN_WAIT_2) {
        use(path);
        say(path);
        if (path->received < path->total ||
            pair_conn(&path->pair, 0)->state != SALUT_STATE_FIN_WAIT_2) {
            turn(path);
        }
        assert_true(path->pair.now_ns - start_ns < GIVE_UP_NS);
    }
    return path->pair.now_ns - start_ns;
}

static unsigned counted(const struct path *path, enum slt_reason reason)
{
    return (unsigned)path->pair.side[0].telemetry.counters[reason];
}

static unsigned retransmits(struct path *path)
{
    return pair_conn(&path->pair, 0)->retransmits;
}

static void path_deinit(struct path *path)
{
    for (unsigned i = 0; i < path->count; i++) {
        free(path->flight[i].packet.payload);
    }
    path->pair.carry = NULL;
    pair_deinit(&path->pair);
}

/* ---- losses ---------------------------------------------------------------------------------- */

static int64_t lose_param(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)seg;
    return (int64_t)n == path->param ? SLT_NEVER : 0;
}

static void t_one_loss_is_one_retransmission(void **ctx)
{
    (void)ctx;
    for (int64_t n = 1; n <= 300; n += 23) {
        struct path *path = malloc(sizeof(*path));
        path_init(path, 600000);
        path->fate = lose_param;
        path->param = n;
        path_run(path);
        assert_int_equal(path->timeouts, 0); /* one episode, SACKed segments above: no timeout */
        assert_int_equal(retransmits(path), 1);
        assert_int_equal(path->episodes, 1);
        assert_int_equal(counted(path, SLT_NOTE_TCP_UNDONE), 0);
        path_deinit(path);
        free(path);
    }
}

static int64_t lose_burst(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)seg;
    return n >= 100 && (int64_t)n < 100 + path->param ? SLT_NEVER : 0;
}

static void t_a_burst_is_one_episode(void **ctx)
{
    (void)ctx;
    for (int64_t burst = 2; burst <= 40; burst += 7) {
        struct path *path = malloc(sizeof(*path));
        path_init(path, 1000000);
        path->fate = lose_burst;
        path->param = burst;
        path_run(path);
        assert_int_equal(path->timeouts, 0);
        assert_int_equal(retransmits(path), burst);
        path_deinit(path);
        free(path);
    }
}

/* R8985-14: the retransmission is lost as well, twice. */
static int64_t lose_thrice(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    static const uint32_t pos = 60 * SEGMENT + 1;
    uint32_t seq = seg->seq - path->pair.side[0].tcp.isn_next;

    (void)n;
    if (seq <= pos && pos < seq + seg->payload_bytes && path->param > 0) {
        path->param--;
        return SLT_NEVER;
    }
    return 0;
}

static void t_r8985_14_lost_retransmissions_need_no_timeout(void **ctx)
{
    (void)ctx;
    struct path *path = malloc(sizeof(*path));
    path_init(path, 2000000);
    path->fate = lose_thrice;
    path->param = 3;
    path_run(path);
    assert_int_equal(path->param, 0);
    assert_int_equal(path->timeouts, 0);
    assert_int_equal(retransmits(path), 3);
    path_deinit(path);
    free(path);
}

/* R8985-10: the tail is lost; the probe finds it out. */
static int64_t lose_tail(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)seg;
    unsigned last = (unsigned)((path->total + SEGMENT - 1) / SEGMENT);
    return n > last - (unsigned)path->param && n <= last ? SLT_NEVER : 0;
}

static void t_r8985_10_tail_loss_is_probed(void **ctx)
{
    (void)ctx;
    for (int64_t lost = 1; lost <= 6; lost++) {
        struct path *path = malloc(sizeof(*path));
        path_init(path, 50 * SEGMENT);
        path->fate = lose_tail;
        path->param = lost;
        path_run(path);
        assert_int_equal(path->timeouts, 0);
        assert_int_equal(counted(path, SLT_SEND_TAIL_PROBE), 1);
        path_deinit(path);
        free(path);
    }
}

static int64_t lose_some(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)seg;
    (void)n;
    return slt_prng_u64(&path->chance) % 1000 < (uint64_t)path->param ? SLT_NEVER : 0;
}

static int64_t lose_some_acks(struct path *path, unsigned n)
{
    (void)n;
    return slt_prng_u64(&path->chance) % 100 < 3 ? SLT_NEVER : 0;
}

/* Whatever the memory for records and whatever the options, everything arrives. */
static void t_random_loss_always_completes(void **ctx)
{
    static const uint32_t records[] = {0, 1, 3, 20, 4096};

    (void)ctx;
    for (unsigned seed = 0; seed < 60; seed++) {
        struct path *path = malloc(sizeof(*path));
        path_init(path, 300000);
        slt_prng_seed(&path->chance, seed);
        path->pair.config.records_max = records[seed % 5];
        path->pair.config.sack = seed % 3 != 0;
        path->pair.config.timestamps = seed % 2;
        path->pair.config.gso_max_bytes = seed % 4 == 0 ? 20000 : 0;
        path->pair.config.congestion = (uint8_t)(seed / 5 % 2);
        path->fate = lose_some;
        path->ack_fate = lose_some_acks;
        path->param = 5 + seed % 7 * 20;
        path_run(path);
        assert_true(records[seed % 5] >= 20 || counted(path, SLT_NOTE_TCP_NO_RECORD) > 0);
        path_deinit(path);
        free(path);
    }
}

/* Three per cent, large enough that the window matters: timeouts stay rare with SACK. */
static void t_loss_of_three_per_cent_is_repaired_in_time(void **ctx)
{
    (void)ctx;
    unsigned timeouts = 0;
    for (unsigned seed = 100; seed < 120; seed++) {
        struct path *path = malloc(sizeof(*path));
        path_init(path, 300000);
        slt_prng_seed(&path->chance, seed);
        path->fate = lose_some;
        path->param = 30;
        path_run(path);
        timeouts += path->timeouts;
        path_deinit(path);
        free(path);
    }
    assert_true(timeouts <= 6);
}

/* ---- reordering and other reasons for being wrong ---------------------------------------------
 */

static int64_t reorder_some(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)n;
    (void)seg;
    if (slt_prng_u64(&path->chance) % 100 >= 5) {
        return 0;
    }
    return (int64_t)(slt_prng_u64(&path->chance) % (uint64_t)path->param);
}

/* Episodes of one transfer over a path that only reorders. */
struct reordered {
    unsigned episodes;
    unsigned undone;
    unsigned forgotten;
};

static void run_reordering(unsigned seed, bool sack, bool timestamps, struct reordered *count)
{
    struct path *path = malloc(sizeof(*path));

    path_init(path, 300000);
    slt_prng_seed(&path->chance, seed);
    path->pair.config.sack = sack;
    path->pair.config.timestamps = timestamps;
    path->fate = reorder_some;
    path->param = (5 + seed % 20) * SLT_NS_PER_MS;
    path_run(path);
    count->episodes += path->episodes;
    count->undone += counted(path, SLT_NOTE_TCP_UNDONE);
    count->forgotten += path->forgotten;
    assert_int_equal(path->timeouts, 0);
    assert_int_equal(path->tally.timeouts, 0);
    assert_int_equal(path->tally.recoveries, path->episodes);
    assert_int_equal(path->tally.undone, counted(path, SLT_NOTE_TCP_UNDONE));
    assert_false(path->tally.path_copies); /* nothing comes twice but what was sent twice */
    path_deinit(path);
    free(path);
}

static void t_r3522_reordering_is_undone_by_timestamps(void **ctx)
{
    struct reordered count = {.episodes = 0};

    (void)ctx;
    for (unsigned seed = 0; seed < 150; seed++) {
        run_reordering(seed, true, true, &count);
        assert_int_equal(count.episodes, count.undone);
    }
    for (unsigned seed = 0; seed < 50; seed++) {
        run_reordering(seed, false, true, &count);
        assert_int_equal(count.episodes, count.undone);
    }
    assert_true(count.episodes > 100);
}

static int64_t reorder_far(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)seg;
    return n >= 20 && n % 20 == 0 ? path->param : 0;
}

/* R8985-05: every late segment has been sent again before it comes, so that none is ever seen to
 * arrive late; that the first recovery was spurious says it, and there is no second. */
static void t_r8985_05_one_spurious_recovery_is_enough(void **ctx)
{
    struct path *path = malloc(sizeof(*path));

    (void)ctx;
    path_init(path, 3000000);
    path->fate = reorder_far;
    path->param = 10 * SLT_NS_PER_MS; /* less than a quarter of the round trip */
    path_run(path);
    assert_int_equal(path->episodes, 1);
    assert_int_equal(counted(path, SLT_NOTE_TCP_UNDONE), 1);
    path_deinit(path);
    free(path);
}

/* A bottleneck of a segment each half millisecond; behind it one in ten takes longer. */
static int64_t queue_and_reorder(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    int64_t now_ns = path->pair.now_ns;

    (void)seg;
    path->free_at_ns = slt_max64(path->free_at_ns, now_ns) + SLT_NS_PER_MS / 2;
    return path->free_at_ns - now_ns + (n >= 20 && n % 10 == 0 ? path->param : 0);
}

/* R8985-07: the user writes in lumps, so that the round trip falls where one ends and the next
 * begins: the first segments of the next do not make those lost that were overtaken in the last. */
static void t_r8985_07_a_round_trip_that_falls_loses_nothing(void **ctx)
{
    struct path *path = malloc(sizeof(*path));

    (void)ctx;
    path_init(path, 3000000);
    path->pair.config.send_buffer_bytes = 400000;
    path->pair.config.recv_buffer_bytes = 800000;
    path->lump_bytes = 400000;
    path->fate = queue_and_reorder;
    path->param = 10 * SLT_NS_PER_MS; /* less than a quarter of the smallest round trip */
    path_run(path);
    assert_true(path->rtt_top_us > 75000); /* the lumps did wait */
    assert_int_equal(path->timeouts, 0);
    assert_true(path->episodes <= 1); /* before reordering was known */
    assert_true(retransmits(path) <= 2);
    path_deinit(path);
    free(path);
}

/* The duplicates are reported a round trip after the fact. Where the next episode has begun by then
 * both are judged together, and nothing that was sent again in the first is forgotten. */
static void t_r3708_reordering_is_undone_by_dsack(void **ctx)
{
    struct reordered count = {.episodes = 0};

    (void)ctx;
    for (unsigned seed = 0; seed < 100; seed++) {
        run_reordering(seed, true, false, &count);
    }
    assert_true(count.episodes > 150);
    assert_true(count.undone * 10 >= count.episodes * 6);
    assert_int_equal(count.forgotten, 0);
}

/* Everything stands still for a while, and nothing is lost. */
static int64_t stall(struct path *path, unsigned n, const struct slt_tcp_segment *seg)
{
    (void)n;
    (void)seg;
    int64_t at_ns = path->pair.now_ns - 1000 * SLT_NS_PER_S;
    int64_t until_ns = 1200 * SLT_NS_PER_MS;

    return at_ns > 200 * SLT_NS_PER_MS && at_ns < until_ns ? until_ns - at_ns : 0;
}

static void run_stall(bool sack, bool timestamps)
{
    struct path *path = malloc(sizeof(*path));

    path_init(path, 1500000);
    path->pair.config.sack = sack;
    path->pair.config.dsack = 0;
    path->pair.config.timestamps = timestamps;
    path->pair.config.tail_probe = 0;
    path->fate = stall;
    path_run(path);
    assert_true(path->timeouts >= 1);
    assert_int_equal(path->tally.timeouts, path->timeouts);
    assert_int_equal(path->tally.recoveries, 0);
    assert_int_equal(path->tally.undone, 1);
    assert_int_equal(counted(path, SLT_NOTE_TCP_UNDONE), 1);
    assert_true(retransmits(path) <= 4); /* the earliest segment, once a timeout */
    path_deinit(path);
    free(path);
}

static void t_r5682_spurious_timeout_by_timestamps(void **ctx)
{
    (void)ctx;
    run_stall(true, true);
    run_stall(false, true);
}

static void t_r5682_03_spurious_timeout_by_frto(void **ctx)
{
    (void)ctx;
    run_stall(false, false);
    run_stall(true, false);
}

/* R2018-08: the receiver throws away what it had SACKed. */
static void t_r2018_08_reneging_is_survived(void **ctx)
{
    (void)ctx;
    struct path *path = malloc(sizeof(*path));
    path_init(path, 400000);
    path->fate = lose_param;
    path->param = 40;
    open_path(path);
    bool reneged = false;
    while (path->received < path->total) {
        use(path);
        say(path);
        turn(path);
        const struct slt_tcp_conn *c = pair_conn(&path->pair, 1);
        if (!reneged && c->cold != NULL && c->cold->held.bytes > 10 * SEGMENT) {
            slt_tcp_held_clear(&path->pair.side[1].tcp, pair_conn(&path->pair, 1));
            reneged = true;
        }
    }
    assert_true(reneged);
    assert_true(counted(path, SLT_NOTE_TCP_RENEGED) >= 1);
    path_deinit(path);
    free(path);
}

static bool drop_all(struct pair *p, const struct pair_packet *packet)
{
    (void)p;
    (void)packet;
    return true;
}

static void hear_ack(struct pair *p, int64_t ack_pos)
{
    const struct slt_tcp_conn *c = pair_conn(p, 0);
    struct pair_packet packet = {.to = 0};

    packet.seg.src_port = c->id.remote_port;
    packet.seg.dst_port = c->id.local_port;
    packet.seg.seq = slt_tcp_wrap(c->rcv.nxt, c->rcv.isn);
    packet.seg.ack = slt_tcp_wrap(ack_pos, c->snd.isn);
    packet.seg.flags = SLT_TCP_ACK;
    packet.seg.window = (uint16_t)(c->snd.wnd >> c->snd.wscale);
    pair_deliver(p, &packet);
}

/* Karn's rule when the memory for records is used up: the head of a super-segment goes again, and
 * no record is left to say so. */
static void t_r6298_06_what_has_no_record_measures_nothing(void **ctx)
{
    static const uint8_t text[4380];
    struct pair p;

    (void)ctx;
    pair_init(&p);
    p.config.sack = 0;
    p.config.timestamps = 0;
    p.config.records_max = 1;
    p.config.gso_max_bytes = 8000;
    pair_connect(&p);
    p.drop = drop_all;
    uint32_t before_us = pair_conn(&p, 0)->rtt.srtt8_us;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pair_send(&p, 0, text, 4380), 4380);
        assert_true(pair_transmit(&p, 0));
    }
    for (int i = 0; i < 4; i++) { /* the first of them rounds the window */
        hear_ack(&p, 1);
        pair_transmit(&p, 0);
    }
    assert_int_equal(pair_conn(&p, 0)->retransmits, 1);
    p.now_ns += 150 * SLT_NS_PER_MS;
    hear_ack(&p, 1 + 2 * 4380);
    assert_int_equal(pair_conn(&p, 0)->snd.una, 1 + 2 * 4380);
    assert_int_equal(pair_conn(&p, 0)->rtt.srtt8_us, before_us);
    pair_deinit(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_one_loss_is_one_retransmission),
        cmocka_unit_test(t_a_burst_is_one_episode),
        cmocka_unit_test(t_r8985_14_lost_retransmissions_need_no_timeout),
        cmocka_unit_test(t_r8985_10_tail_loss_is_probed),
        cmocka_unit_test(t_random_loss_always_completes),
        cmocka_unit_test(t_loss_of_three_per_cent_is_repaired_in_time),
        cmocka_unit_test(t_r3522_reordering_is_undone_by_timestamps),
        cmocka_unit_test(t_r8985_05_one_spurious_recovery_is_enough),
        cmocka_unit_test(t_r8985_07_a_round_trip_that_falls_loses_nothing),
        cmocka_unit_test(t_r3708_reordering_is_undone_by_dsack),
        cmocka_unit_test(t_r5682_spurious_timeout_by_timestamps),
        cmocka_unit_test(t_r5682_03_spurious_timeout_by_frto),
        cmocka_unit_test(t_r2018_08_reneging_is_survived),
        cmocka_unit_test(t_r6298_06_what_has_no_record_measures_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
