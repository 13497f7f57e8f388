/* The receive turn: what a frame comes to does not depend on the frames it came together with.
 *
 * Two instances with the same seed get the same frames at the same instant, one of them singly,
 * the other in batches: every counter, every reply and every byte read must agree.
 */
#include "craft.h"

#include "base/prng.h"

#define BATCH_MAX 64

struct twins {
    struct world *world[2]; /* fed singly, in batches */
    struct craft peer[2];   /* IPv4, IPv6 */
    struct slt_prng prng;
    uint8_t frame[BATCH_MAX][2048];
    struct salut_rx_frame rx[BATCH_MAX];
    struct slt_tcp_segment next[2]; /* the next segment in order of the peer's connection */
    salut_conn conn[2][2];          /* world, family */
};

static uint32_t draw(struct twins *twins, uint32_t below)
{
    return (uint32_t)(slt_prng_below(&twins->prng, below));
}

static void feed(struct twins *twins, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        salut_input(twins->world[0]->end[1], &twins->rx[i], 1, twins->world[0]->now_ns);
    }
    salut_input(twins->world[1]->end[1], twins->rx, count, twins->world[1]->now_ns);
    for (int w = 0; w < 2; w++) {
        world_check(twins->world[w]);
    }
    for (unsigned reason = 0; reason < SLT_REASON_COUNT; reason++) {
        uint64_t singly = world_count(twins->world[0], 1, (enum slt_reason)reason);
        uint64_t together = world_count(twins->world[1], 1, (enum slt_reason)reason);
        if (singly != together) {
            fail_msg("%s: %llu singly, %llu in batches", slt_reason_token((enum slt_reason)reason),
                     (unsigned long long)singly, (unsigned long long)together);
        }
    }
}

static void write_frame(struct twins *twins, uint32_t at, const struct craft *peer,
                        const struct slt_tcp_segment *seg)
{
    uint8_t tcp[1024];
    struct slt_writer w = slt_writer_of(tcp, sizeof(tcp));
    slt_tcp_emit(seg, &w);
    slt_write_bytes(&w, seg->payload, seg->payload_bytes);
    static uint8_t wide[WORLD_FRAME_MAX];
    uint32_t bytes = craft_packet(peer, SLT_IP_PROTOCOL_TCP, tcp, w.at, 16, wide);
    assert_true(bytes <= 1024);
    memset(twins->frame[at], 0, sizeof(twins->frame[at]));
    memcpy(twins->frame[at], wide, bytes);
    twins->rx[at] = (struct salut_rx_frame){.data = twins->frame[at], .bytes = bytes};
}

/* What all replies of an end add up to, in whatever order: those that a frame earns by itself come
 * before those of the segments that were in its group. *first is the first of them. */
static uint64_t take_all(struct world *world, struct salut_tx_frame *first)
{
    static struct salut_tx_frame frame;
    uint64_t sum = 0;
    for (uint32_t count = 0; craft_take(world, 1, &frame); count++) {
        uint64_t hash = frame.payload_bytes;
        for (uint32_t i = 0; i < frame.header_bytes; i++) {
            hash = (hash ^ frame.header[i]) * 0x100000001b3U;
        }
        sum += hash;
        if (count == 0) {
            *first = frame;
        }
    }
    return sum;
}

static void take_both(struct twins *twins, struct salut_tx_frame *first)
{
    uint64_t singly = take_all(twins->world[0], first);
    assert_true(singly == take_all(twins->world[1], first));
}

static void connect_peer(struct twins *twins, int family)
{
    static struct salut_tx_frame out;
    struct slt_tcp_segment *next = &twins->next[family];
    *next = (struct slt_tcp_segment){
        .src_port = 4000, .dst_port = 80, .seq = 1000, .flags = SLT_TCP_SYN, .window = 60000};
    write_frame(twins, 0, &twins->peer[family], next);
    feed(twins, 1);
    take_both(twins, &out);
    struct slt_tcp_segment answer = craft_read(&out);
    next->seq++;
    next->ack = answer.seq + 1;
    next->flags = SLT_TCP_ACK;
    write_frame(twins, 0, &twins->peer[family], next);
    feed(twins, 1);
    for (int w = 0; w < 2; w++) {
        struct salut_event event;
        do {
            assert_true(salut_next_event(twins->world[w]->end[1], &event));
        } while (event.conn.index != SALUT_NO_INDEX);
        assert_int_equal(
            salut_accept(twins->world[w]->end[1], event.listener, 0, &twins->conn[w][family]),
            SALUT_OK);
    }
}

static void open_twins(struct twins *twins, uint64_t seed)
{
    memset(twins, 0, sizeof(*twins));
    slt_prng_seed(&twins->prng, seed);
    for (int w = 0; w < 2; w++) {
        twins->world[w] = world_new(SALUT_PROFILE_LINUX);
        (void)world_listen(twins->world[w], 1, 80, 8, 0);
        twins->peer[0] = craft_peer(twins->world[w], 1, "10.0.0.77");
        twins->peer[1] = craft_peer(twins->world[w], 1, "2001:db8::77");
    }
    connect_peer(twins, 0);
    connect_peer(twins, 1);
}

/* Now and then a frame is damaged, cut, padded, or for somebody else. */
static void damage(struct twins *twins, uint32_t at, uint32_t kind)
{
    struct salut_rx_frame *rx = &twins->rx[at];
    uint8_t *frame = twins->frame[at];
    if (kind == 0) {
        frame[draw(twins, 80)] ^= (uint8_t)(1U << draw(twins, 8));
    } else if (kind == 1) {
        rx->bytes = draw(twins, rx->bytes + 1);
    } else if (kind == 2) {
        rx->bytes += draw(twins, 40);
    } else if (kind == 3 || kind == 4) { /* another length, or another flag, and a right checksum */
        uint8_t *ip = frame + 14;
        if (kind == 3) {
            slt_put_u16(ip + 2, (uint16_t)(slt_get_u16(ip + 2) + draw(twins, 60)));
        } else {
            ip[draw(twins, 10)] ^= (uint8_t)(1U << draw(twins, 8));
        }
        slt_put_u16(ip + 10, 0);
        slt_put_u16(ip + 10, slt_checksum_ipv4(ip));
    }
}

static void draw_frame(struct twins *twins, uint32_t at)
{
    static const uint8_t text[64] = "what was sent";
    int family = draw(twins, 5) == 0;
    struct craft peer = twins->peer[family];
    struct slt_tcp_segment seg = twins->next[family];
    bool whole = draw(twins, 6) != 0;
    uint32_t kind = draw(twins, 14);
    seg.payload = text;
    seg.payload_bytes = draw(twins, 64);
    if (kind == 5) { /* other ports: nobody's, or a half-open connection's */
        seg.src_port = (uint16_t)(5000 + draw(twins, 3));
        seg.dst_port = (uint16_t)(80 + draw(twins, 2));
        seg.flags = draw(twins, 2) == 0 ? SLT_TCP_SYN : SLT_TCP_ACK;
        whole = false;
    } else if (kind == 6) {
        peer.dst.b[15] = (uint8_t)(peer.dst.b[15] + draw(twins, 4));
        whole = false;
    } else if (kind < 5) {
        whole = false;
    }
    if (whole) {
        twins->next[family].seq += seg.payload_bytes;
    }
    write_frame(twins, at, &peer, &seg);
    if (!whole) {
        damage(twins, at, kind);
    }
}

static void read_both(struct twins *twins)
{
    uint8_t got[2][8192];
    for (int family = 0; family < 2; family++) {
        size_t bytes[2] = {0, 0};
        enum salut_status status[2];
        for (int w = 0; w < 2; w++) {
            status[w] = salut_recv(twins->world[w]->end[1], twins->conn[w][family], got[w],
                                   sizeof(got[w]), &bytes[w]);
        }
        assert_int_equal(status[0], status[1]);
        assert_int_equal(bytes[0], bytes[1]);
        assert_memory_equal(got[0], got[1], bytes[0]);
    }
}

static void batches_come_to_what_their_frames_come_to(void **state)
{
    (void)state;
    static struct twins twins;
    static struct salut_tx_frame out;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        open_twins(&twins, seed);
        for (int round = 0; round < 40; round++) {
            uint32_t count = 1 + draw(&twins, BATCH_MAX);
            for (uint32_t i = 0; i < count; i++) {
                draw_frame(&twins, i);
            }
            feed(&twins, count);
            read_both(&twins);
            take_both(&twins, &out);
        }
        assert_true(world_count(twins.world[1], 1, SLT_NOTE_TCP_ACCEPTED) > 100);
        assert_true(world_count(twins.world[1], 1, SLT_DROP_IP_CHECKSUM) > 0);
        assert_true(world_count(twins.world[1], 1, SLT_DROP_TCP_CHECKSUM) > 0);
        world_delete(twins.world[0]);
        world_delete(twins.world[1]);
    }
}

/* What is remembered of a batch is forgotten with it. */
static void a_removed_address_takes_no_more(void **state)
{
    (void)state;
    static struct twins twins;
    open_twins(&twins, 7);
    struct slt_tcp_segment syn = {
        .src_port = 9, .dst_port = 80, .seq = 1, .flags = SLT_TCP_SYN, .window = 1000};
    for (uint32_t i = 0; i < 8; i++) {
        write_frame(&twins, i, &twins.peer[0], &syn);
    }
    feed(&twins, 8);
    uint64_t before = world_count(twins.world[1], 1, SLT_DROP_IP_NOT_OURS);
    for (int w = 0; w < 2; w++) {
        assert_int_equal(salut_remove_address(twins.world[w]->end[1], &twins.world[w]->addr4[1]),
                         SALUT_OK);
    }
    syn.src_port = 10;
    for (uint32_t i = 0; i < 8; i++) {
        write_frame(&twins, i, &twins.peer[0], &syn);
    }
    feed(&twins, 8);
    assert_int_equal(world_count(twins.world[1], 1, SLT_DROP_IP_NOT_OURS), before + 8);
    world_delete(twins.world[0]);
    world_delete(twins.world[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_come_to_what_their_frames_come_to),
        cmocka_unit_test(a_removed_address_takes_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
