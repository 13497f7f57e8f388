/* The wire in virtual time, between two pairs of memory links. */
#include "link/link_test.h"

#include "lab/wire.h"
#include "link/memory.h"

#define MS SLT_NS_PER_MS

struct bench {
    struct slt_wire wire;
    struct slt_link *host[2];
    int64_t now_ns;
};

static void set_up(struct bench *b, const struct slt_wire_params *params, bool offload)
{
    struct slt_memory_params memory = {
        .kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 256, .offload = offload};
    struct slt_link *end[2];
    *b = (struct bench){.now_ns = 1000 * MS};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(slt_memory_pair(&memory, &b->host[i], &end[i]), SALUT_OK);
    }
    assert_true(slt_wire_init(&b->wire, end[0], end[1], params));
}

static void tear_down(struct bench *b)
{
    slt_wire_deinit(&b->wire);
    slt_link_close(b->host[0]);
    slt_link_close(b->host[1]);
}

static void turn(struct bench *b)
{
    while (slt_wire_turn(&b->wire, b->now_ns)) {
    }
}

static void send_tcp(struct bench *b, int from, uint32_t payload_bytes, uint16_t gso_bytes)
{
    struct test_tcp t = {.family = 4,
                         .ethernet = true,
                         .flags = 0x10,
                         .payload_bytes = payload_bytes,
                         .gso_bytes = gso_bytes,
                         .partial = gso_bytes > 0};
    struct salut_tx_frame tx;
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(b->host[from], &tx, 1, b->now_ns), 1);
}

/* Frames that have arrived at a host; each must be a wire frame with right checksums. */
static uint32_t arrived(struct bench *b, int at)
{
    struct salut_rx_frame rx[64];
    uint32_t frames = 0;
    for (size_t n = slt_link_receive(b->host[at], rx, 64, b->now_ns); n > 0;
         n = slt_link_receive(b->host[at], rx, 64, b->now_ns)) {
        for (size_t i = 0; i < n; i++) {
            const uint8_t *tcp;
            uint32_t payload_bytes;
            assert_int_equal(rx[i].gso_bytes, 0);
            assert_true(rx[i].bytes <= 1514);
            assert_int_equal(test_judge(rx[i].data, rx[i].bytes, true, &tcp, &payload_bytes),
                             TEST_GOOD);
        }
        frames += (uint32_t)n;
        slt_link_release(b->host[at]);
    }
    slt_link_release(b->host[at]);
    return frames;
}

static void check_books(const struct slt_wire *wire)
{
    for (int i = 0; i < SLT_WIRE_WAYS; i++) {
        const struct slt_path_counters *c = &wire->way[i].path.model.counters;
        assert_int_equal(c->seen + c->duplicated, c->lost + c->policed + c->overflowed + c->passed +
                                                      wire->way[i].path.heap_count);
        assert_int_equal(wire->way[i].refused, 0);
    }
}

static void each_way_has_its_delay(void **state)
{
    (void)state;
    struct slt_wire_params params = {.way = {{.delay_ns = 10 * MS}, {.delay_ns = 3 * MS}}};
    struct bench b;
    set_up(&b, &params, false);
    send_tcp(&b, 0, 100, 0);
    send_tcp(&b, 1, 100, 0);
    turn(&b);
    assert_int_equal(slt_wire_due(&b.wire), 1003 * MS);
    b.now_ns = 1003 * MS - 1;
    turn(&b);
    assert_int_equal(arrived(&b, 0), 0);
    b.now_ns = 1003 * MS;
    turn(&b);
    assert_int_equal(arrived(&b, 0), 1);
    assert_int_equal(slt_wire_due(&b.wire), 1010 * MS);
    b.now_ns = 1010 * MS;
    turn(&b);
    assert_int_equal(arrived(&b, 1), 1);
    assert_int_equal(slt_wire_due(&b.wire), SLT_NEVER);
    check_books(&b.wire);
    tear_down(&b);
}

/* A super-frame of 30 segments pays for each: 1,514 bytes at 12.112 Mb/s are a millisecond. */
static void super_frames_pay_by_the_segment(void **state)
{
    (void)state;
    struct slt_wire_params params = {
        .way = {{.rate_bits_per_s = 12112000, .queue_frames_max = 20}}};
    struct bench b;
    set_up(&b, &params, true);
    send_tcp(&b, 0, 1448 * 30, 1448);
    turn(&b);
    assert_int_equal(b.wire.way[0].path.model.counters.overflowed, 10);
    for (uint32_t ms = 1; ms <= 20; ms++) {
        assert_int_equal(slt_wire_due(&b.wire), b.now_ns + MS);
        b.now_ns += MS;
        turn(&b);
        assert_int_equal(arrived(&b, 1), 1);
    }
    assert_int_equal(b.wire.way[0].path.model.counters.queue_frames_top, 20);
    check_books(&b.wire);
    tear_down(&b);
}

static void faults_are_counted_each_way(void **state)
{
    (void)state;
    struct slt_wire_params params = {
        .seed = 4, .way = {{.loss_ppm = 100000, .duplicate_ppm = 50000}, {.loss_ppm = 0}}};
    struct bench b;
    uint32_t there = 0;
    uint32_t back = 0;
    set_up(&b, &params, false);
    for (unsigned i = 0; i < 2000; i++) {
        send_tcp(&b, 0, 500, 0);
        send_tcp(&b, 1, 500, 0);
        turn(&b);
        there += arrived(&b, 1);
        back += arrived(&b, 0);
        b.now_ns += MS;
    }
    const struct slt_path_counters *c = &b.wire.way[0].path.model.counters;
    assert_int_equal(back, 2000);
    assert_int_equal(there, c->passed);
    assert_in_range(c->lost, 150, 250);
    assert_in_range(c->duplicated, 60, 120);
    check_books(&b.wire);
    tear_down(&b);
}

static void a_full_device_is_waited_for(void **state)
{
    (void)state;
    struct slt_wire_params params = {.seed = 4};
    struct slt_memory_params small = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 8};
    struct slt_memory_params large = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 64};
    struct slt_link *end[2];
    struct bench b = {.now_ns = MS};
    assert_int_equal(slt_memory_pair(&large, &b.host[0], &end[0]), SALUT_OK);
    assert_int_equal(slt_memory_pair(&small, &b.host[1], &end[1]), SALUT_OK);
    assert_true(slt_wire_init(&b.wire, end[0], end[1], &params));
    for (unsigned i = 0; i < 40; i++) {
        send_tcp(&b, 0, 500, 0);
    }
    uint32_t frames = 0;
    for (unsigned i = 0; i < 10; i++) {
        turn(&b);
        frames += arrived(&b, 1);
        check_books(&b.wire);
    }
    assert_int_equal(frames, 40);
    tear_down(&b);
}

static void lateness_is_told(void **state)
{
    (void)state;
    struct slt_wire_params params = {.way = {{.delay_ns = MS}}};
    struct bench b;
    set_up(&b, &params, false);
    for (unsigned i = 0; i < 200; i++) {
        send_tcp(&b, 0, 100, 0);
        turn(&b);
        /* One in a hundred frames is written 3 ms too late, the others 25 us. */
        b.now_ns += MS + (i % 100 == 0 ? 3 * MS : 25000);
        turn(&b);
        assert_int_equal(arrived(&b, 1), 1);
    }
    const struct slt_wire_late *late = &b.wire.way[0].late;
    assert_int_equal(late->count, 200);
    assert_int_equal(late->most_ns, 3 * MS);
    assert_int_equal(slt_wire_late_quantile(late, 500), 30000);
    assert_int_equal(slt_wire_late_quantile(late, 990), 30000);
    assert_int_equal(slt_wire_late_quantile(late, 995), 3 * MS);
    assert_int_equal(slt_wire_late_quantile(late, 1000), 3 * MS);
    tear_down(&b);
}

static void impossible_wires(void **state)
{
    (void)state;
    struct slt_memory_params memory = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500};
    struct slt_wire_params params = {.way = {{.loss_ppm = SLT_PATH_ALWAYS + 1}}};
    struct slt_wire wire;
    struct slt_link *link[4];
    assert_int_equal(slt_memory_pair(&memory, &link[0], &link[1]), SALUT_OK);
    assert_int_equal(slt_memory_pair(&memory, &link[2], &link[3]), SALUT_OK);
    assert_false(slt_wire_init(&wire, link[1], link[2], &params));
    slt_link_close(link[0]);
    slt_link_close(link[3]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_way_has_its_delay),
        cmocka_unit_test(super_frames_pay_by_the_segment),
        cmocka_unit_test(faults_are_counted_each_way),
        cmocka_unit_test(a_full_device_is_waited_for),
        cmocka_unit_test(lateness_is_told),
        cmocka_unit_test(impossible_wires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
