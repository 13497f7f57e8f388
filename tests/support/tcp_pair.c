/* The wire between two engines; see tcp_pair.h. */
#include "support/tcp_pair.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *alloc_bytes(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

static void free_bytes(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

static void config_init(struct salut_config *c)
{
    memset(c, 0, sizeof(*c));
    c->conns_max = 4;
    c->buffers_max = 4096;
    c->buffer_bytes = 2048;
    c->ranges_max = 1024;
    c->ranges_per_conn_max = 128;
    c->records_max = 4096;
    c->mtu = 1500;
    c->ttl = 64;
    c->send_buffer_bytes = 256 * 1024;
    c->recv_buffer_bytes = 256 * 1024;
    c->recv_buffer_max_bytes = 6 * 1024 * 1024;
    c->recv_buffer_min_bytes = 4096;
    c->mtu_black_hole_bytes = 1280;
    c->mtu_probe_interval_ns = 600 * SLT_NS_PER_S;
    c->user_timeout_low_ns = 100 * SLT_NS_PER_S;
    c->user_timeout_high_ns = 3600 * SLT_NS_PER_S;
    c->window_scaling = 1;
    c->window_scale = 255;
    c->timestamps = 1;
    c->sack = 1;
    c->dsack = 1;
    c->nagle = 1;
    c->mss_min = 48;
    c->initial_window_segments = 10;
    c->bbr_loss_percent = 2;
    c->msl_ns = 30 * SLT_NS_PER_S;
    c->rto_initial_ns = SLT_NS_PER_S;
    c->rto_min_ns = 200 * SLT_NS_PER_MS;
    c->rto_max_ns = 120 * SLT_NS_PER_S;
    c->delayed_ack_ns = 40 * SLT_NS_PER_MS;
    c->syn_retries = 6;
    c->syn_ack_retries = 5;
    c->retries1 = 3;
    c->retries2 = 15;
    c->orphan_retries = 8;
    c->fin_wait_2_ns = 60 * SLT_NS_PER_S;
    c->keepalive_idle_ns = 7200 * SLT_NS_PER_S;
    c->keepalive_interval_ns = 75 * SLT_NS_PER_S;
    c->keepalive_probes = 9;
    c->challenge_interval_ms = 500;
    for (unsigned i = 0; i < sizeof(c->seed); i++) {
        c->seed[i] = (uint8_t)i;
    }
}

void pair_init(struct pair *p)
{
    pair_init_buffers(p, 2048);
}

void pair_init_buffers(struct pair *p, uint32_t buffer_bytes)
{
    memset(p, 0, sizeof(*p));
    config_init(&p->config);
    p->config.buffer_bytes = buffer_bytes;
    p->now_ns = 1000 * SLT_NS_PER_S;
    for (int i = 0; i < 2; i++) {
        struct pair_side *s = &p->side[i];
        slt_mem_init_growing(&s->mem, alloc_bytes, free_bytes, NULL);
        assert(slt_tcp_init(&s->tcp, &p->config, &s->mem, &s->telemetry));
        slt_tcp_defaults_init(&s->defaults, &p->config);
        s->conn = SLT_NIL;
        s->tcp.isn_fixed = true;
        s->tcp.isn_next = 0xffffff00U + (uint32_t)i * 0x80U;
        s->id.local[10] = s->id.local[11] = s->id.remote[10] = s->id.remote[11] = 0xff;
        s->id.local[15] = (uint8_t)(1 + i);
        s->id.remote[15] = (uint8_t)(2 - i);
        s->id.local_port = i == 0 ? 40000 : 80;
        s->id.remote_port = i == 0 ? 80 : 40000;
    }
}

void pair_deinit(struct pair *p)
{
    for (unsigned i = 0; i < p->wire_count; i++) {
        free(p->wire[i].payload);
    }
    for (int i = 0; i < 2; i++) {
        if (p->side[i].conn != SLT_NIL) {
            slt_tcp_conn_give(&p->side[i].tcp, p->side[i].conn);
        }
        for (int o = 0; o < SLT_OWNER_COUNT; o++) {
            assert(p->side[i].mem.ledger.objects[o] == 0);
        }
        slt_tcp_deinit(&p->side[i].tcp);
    }
}

struct slt_tcp_conn *pair_conn(struct pair *p, int side)
{
    assert(p->side[side].conn != SLT_NIL);
    return slt_tcp_conn_at(&p->side[side].tcp, p->side[side].conn);
}

static void put(struct pair *p, int from, struct slt_tcp_segment *seg,
                const struct slt_piece *pieces, uint32_t count)
{
    struct pair_packet packet = {.seg = *seg, .to = 1 - from};
    uint32_t at = 0;

    packet.payload = malloc(seg->payload_bytes + 1);
    for (uint32_t i = 0; i < count; i++) {
        memcpy(packet.payload + at, pieces[i].data, pieces[i].bytes);
        at += pieces[i].bytes;
    }
    assert(at == seg->payload_bytes);
    packet.seg.payload = packet.payload;
    p->sent++;
    if (p->drop && p->drop(p, &packet)) {
        p->dropped++;
        free(packet.payload);
        return;
    }
    if (p->carry) {
        p->carry(p, &packet);
        return;
    }
    assert(p->wire_count < PAIR_WIRE_MAX);
    p->wire[p->wire_count++] = packet;
}

static void put_reply(struct pair *p, int from, const struct slt_tcp_reply *reply)
{
    struct slt_tcp_segment seg;

    slt_tcp_reply_segment(reply, &seg);
    put(p, from, &seg, NULL, 0);
}

static void check(struct pair *p, int side)
{
    if (p->unchecked) {
        return;
    }
    const char *broken = slt_tcp_check(&p->side[side].tcp, pair_conn(p, side), p->now_ns);
    if (broken) {
        fprintf(stderr, "side %d: %s\n", side, broken);
        abort();
    }
}

bool pair_transmit(struct pair *p, int side)
{
    struct pair_side *s = &p->side[side];
    struct slt_tcp_burst burst;
    struct slt_tcp_plan plan;
    struct slt_tcp_segment seg;
    struct slt_piece pieces[SALUT_FRAME_PIECES_MAX];
    bool any = false;

    if (s->conn == SLT_NIL) {
        return false;
    }
    struct slt_tcp_conn *c = pair_conn(p, side);
    for (int i = 0; i < 64; i++) {
        slt_tcp_burst_begin(c, &burst);
        if (!slt_tcp_plan(&s->tcp, c, &burst, p->now_ns, &plan)) {
            break;
        }
        uint32_t n =
            slt_tcp_build(&s->tcp, c, &plan, p->now_ns, &seg, pieces, SALUT_FRAME_PIECES_MAX);
        put(p, side, &seg, pieces, n);
        slt_tcp_commit(&s->tcp, c, &plan, p->now_ns);
        check(p, side);
        any = true;
    }
    slt_tcp_settle(&s->tcp, c, p->now_ns);
    return any;
}

static void deliver_to_listener(struct pair *p, int side, const struct slt_tcp_segment *seg)
{
    struct pair_side *s = &p->side[side];
    struct slt_tcp_half_open cookie;
    struct slt_tcp_verdict v;
    struct slt_tcp_reply reply;

    if (s->half_open) {
        slt_tcp_half_open_input(&s->tcp, &s->entry, seg, p->now_ns, &v);
        if (v.kind == SLT_VERDICT_COMPLETE) {
            s->conn =
                slt_tcp_conn_take(&s->tcp, &s->id, &s->defaults, p->config.mtu, SALUT_STATE_LISTEN);
            assert(slt_tcp_open_passive(&s->tcp, pair_conn(p, side), &s->entry, false, p->now_ns));
            s->half_open = false;
            slt_tcp_input(&s->tcp, pair_conn(p, side), seg, p->now_ns);
        } else if (v.kind == SLT_VERDICT_SYN_ACK) {
            slt_tcp_half_open_syn_ack(&s->tcp, &s->entry, &s->defaults, false, p->now_ns, &reply);
            put_reply(p, side, &reply);
        } else if (v.has_reply) {
            put_reply(p, side, &v.reply);
        }
        return;
    }
    slt_tcp_listen_input(&s->tcp, &s->id, seg, false, p->now_ns, &cookie, &v);
    if (v.kind == SLT_VERDICT_CREATE) {
        slt_tcp_half_open_init(&s->tcp, &s->entry, &s->id, seg, s->tcp.isn_next, p->now_ns);
        s->half_open = true;
        slt_tcp_half_open_syn_ack(&s->tcp, &s->entry, &s->defaults, false, p->now_ns, &reply);
        put_reply(p, side, &reply);
    } else if (v.has_reply) {
        put_reply(p, side, &v.reply);
    }
}

void pair_deliver(struct pair *p, const struct pair_packet *packet)
{
    struct pair_side *s = &p->side[packet->to];
    struct slt_tcp_reply reply;

    if (s->conn != SLT_NIL && pair_conn(p, packet->to)->state != SALUT_STATE_CLOSED) {
        enum slt_reason r =
            slt_tcp_input(&s->tcp, pair_conn(p, packet->to), &packet->seg, p->now_ns);
        check(p, packet->to);
        if (r == SLT_DROP_TCP_ACK_UNACCEPTABLE &&
            slt_tcp_closed_input(&s->id, &packet->seg, &reply)) {
            put_reply(p, packet->to, &reply);
        }
    } else if (s->listening) {
        deliver_to_listener(p, packet->to, &packet->seg);
    } else if (slt_tcp_closed_input(&s->id, &packet->seg, &reply)) {
        put_reply(p, packet->to, &reply);
    }
}

void pair_run(struct pair *p)
{
    for (int round = 0; round < 10000; round++) {
        bool moved = pair_transmit(p, 0);
        moved = pair_transmit(p, 1) || moved;
        unsigned count = p->wire_count;
        struct pair_packet batch[PAIR_WIRE_MAX];
        memcpy(batch, p->wire, count * sizeof(batch[0]));
        p->wire_count = 0;
        p->now_ns += p->delay_ns;
        for (unsigned i = 0; i < count; i++) {
            pair_deliver(p, &batch[i]);
            free(batch[i].payload);
        }
        if (!moved && count == 0) {
            return;
        }
    }
    fprintf(stderr, "the pair does not come to rest\n");
    abort();
}

int64_t pair_next_timer(const struct pair *p)
{
    int64_t next = SLT_NEVER;

    for (int i = 0; i < 2; i++) {
        const struct pair_side *s = &p->side[i];
        if (s->conn != SLT_NIL) {
            next = slt_min64(next, slt_tcp_next_deadline(slt_tcp_conn_at(&s->tcp, s->conn)));
        }
    }
    return next;
}

void pair_fire(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        if (p->side[i].conn != SLT_NIL) {
            slt_tcp_timeout(&p->side[i].tcp, pair_conn(p, i), p->now_ns);
            check(p, i);
        }
    }
}

bool pair_step(struct pair *p, int64_t limit_ns)
{
    int64_t next = pair_next_timer(p);

    if (next > p->now_ns + limit_ns) {
        p->now_ns += limit_ns;
        return false;
    }
    p->now_ns = slt_max64(p->now_ns, next);
    pair_fire(p);
    pair_run(p);
    return true;
}

void pair_advance(struct pair *p, int64_t for_ns)
{
    int64_t end = p->now_ns + for_ns;

    while (p->now_ns < end && pair_step(p, end - p->now_ns)) {
    }
}

void pair_connect(struct pair *p)
{
    struct pair_side *s = &p->side[0];

    p->side[1].listening = true;
    s->conn = slt_tcp_conn_take(&s->tcp, &s->id, &s->defaults, p->config.mtu, SALUT_STATE_CLOSED);
    assert(slt_tcp_open(&s->tcp, pair_conn(p, 0), p->now_ns) == SALUT_OK);
    pair_run(p);
}

size_t pair_send(struct pair *p, int side, const void *data, size_t bytes)
{
    struct salut_iovec piece = {.base = data, .bytes = bytes};
    size_t accepted = 0;

    (void)slt_tcp_send(&p->side[side].tcp, pair_conn(p, side), &piece, 1, 0, &accepted, p->now_ns);
    check(p, side);
    return accepted;
}

size_t pair_recv(struct pair *p, int side, void *data, size_t bytes)
{
    struct salut_iovec_mut piece = {.base = data, .bytes = bytes};
    size_t received = 0;

    (void)slt_tcp_recv(&p->side[side].tcp, pair_conn(p, side), &piece, 1, &received, p->now_ns);
    check(p, side);
    return received;
}
