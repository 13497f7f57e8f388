/* The path of tcp_path.h: a heap of arrivals, and a clock that jumps to whatever comes next. */
#include "support/tcp_path.h"

#include <assert.h>
#include <stdlib.h>

static uint32_t packet_bytes(const struct pair_packet *packet)
{
    bool stamped = (packet->seg.opt.present & SLT_TCP_OPT_TIMESTAMPS) != 0;
    uint32_t sack = packet->seg.opt.sack_count > 0 ? 4 + 8U * packet->seg.opt.sack_count : 0;

    return 40 + (stamped ? 12U : 0U) + sack + packet->seg.payload_bytes;
}

static bool earlier(const struct path_event *a, const struct path_event *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->order < b->order);
}

static void swap(struct path_event *a, struct path_event *b)
{
    struct path_event c = *a;

    *a = *b;
    *b = c;
}

static void push(struct path *path, const struct path_event *event)
{
    if (path->event_count == path->event_max) {
        path->event_max = path->event_max == 0 ? 1024 : path->event_max * 2;
        path->events = realloc(path->events, path->event_max * sizeof(*path->events));
        assert(path->events);
    }
    size_t at = path->event_count++;
    path->events[at] = *event;
    while (at > 0 && earlier(&path->events[at], &path->events[(at - 1) / 2])) {
        swap(&path->events[at], &path->events[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static struct path_event pop(struct path *path)
{
    struct path_event first = path->events[0];
    size_t at = 0;

    path->events[0] = path->events[--path->event_count];
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < path->event_count && earlier(&path->events[child], &path->events[least])) {
                least = child;
            }
        }
        if (least == at) {
            return first;
        }
        swap(&path->events[at], &path->events[least]);
        at = least;
    }
}

/* What the packet does to its way's counters. */
static void note(struct path *path, struct path_way *way, const struct pair_packet *packet)
{
    const struct slt_tcp_conn *from = path->pair.side[1 - packet->to].conn == SLT_NIL
                                          ? NULL
                                          : pair_conn(&path->pair, 1 - packet->to);

    way->sent++;
    way->bare += packet->seg.payload_bytes == 0;
    way->bytes += packet->seg.payload_bytes;
    way->pause_ns = slt_max64(way->pause_ns, path->pair.now_ns - way->last_at_ns);
    way->last_at_ns = path->pair.now_ns;
    if (from && !(packet->seg.flags & SLT_TCP_SYN)) {
        uint32_t window = (uint32_t)packet->seg.window << from->rcv.wscale;
        way->window_least = slt_min32(way->window_least, window);
    }
}

static bool to_be_lost(struct path_way *way, const struct slt_tcp_segment *seg)
{
    if (way->lose_times == 0 || seg->payload_bytes == 0) {
        return false;
    }
    if (!way->losing) {
        way->losing = true;
        way->lose_seq = seg->seq;
    }
    bool carries = way->lose_seq - seg->seq < seg->payload_bytes;
    way->lose_times -= carries;
    way->losing = way->lose_times > 0;
    return carries;
}

static void carry(struct pair *pair, const struct pair_packet *packet)
{
    struct path *path = (struct path *)pair;
    struct path_way *way = &path->way[1 - packet->to];
    uint32_t bytes = packet_bytes(packet);
    int64_t now_ns = pair->now_ns;
    int64_t waiting_ns = slt_max64(way->free_at_ns - now_ns, 0);

    note(path, way, packet);
    bool too_big = way->mtu != 0 && bytes > way->mtu;
    bool full = way->bits_per_s != 0 &&
                waiting_ns * way->bits_per_s / 8 / SLT_NS_PER_S + bytes > way->queue_bytes;
    if (too_big || full || to_be_lost(way, &packet->seg)) {
        way->lost++;
        way->too_big += too_big;
        free(packet->payload);
        return;
    }
    way->largest = slt_max32(way->largest, bytes);
    int64_t at_ns = now_ns + way->delay_ns;
    if (way->bits_per_s != 0) {
        way->free_at_ns = now_ns + waiting_ns + bytes * 8 * SLT_NS_PER_S / way->bits_per_s;
        at_ns = way->free_at_ns + way->delay_ns;
    }
    push(path, &(struct path_event){.at_ns = at_ns, .order = path->order++, .packet = *packet});
}

/* What the product's "linux" profile has. */
static void configure(struct pair *pair)
{
    struct salut_config *c = &pair->config;

    c->send_buffer_bytes = 262144;
    c->recv_buffer_bytes = 131072;
    c->send_buffer_max_bytes = 4194304;
    c->recv_buffer_max_bytes = 6291456;
    c->tune_send_buffer = 1;
    c->tune_recv_buffer = 1;
    c->ack_on_read = 1;
    c->quick_acks = 16;
    c->mtu_probing = 1;
    for (int i = 0; i < 2; i++) {
        slt_tcp_defaults_init(&pair->side[i].defaults, c);
    }
}

void path_init(struct path *path, int64_t bits_per_s, int64_t rtt_ns, int64_t queue_bytes)
{
    pair_init_buffers(&path->pair, 4096);
    configure(&path->pair);
    path->pair.carry = carry;
    for (int i = 0; i < 2; i++) {
        path->way[i] = (struct path_way){.bits_per_s = bits_per_s,
                                         .delay_ns = rtt_ns / 2,
                                         .queue_bytes = queue_bytes,
                                         .window_least = UINT32_MAX};
    }
    path->events = NULL;
    path->event_count = 0;
    path->event_max = 0;
    path->order = 0;
    path->app = NULL;
    path->app_at_ns = SLT_NEVER;
}

void path_deinit(struct path *path)
{
    while (path->event_count > 0) {
        free(pop(path).packet.payload);
    }
    free(path->events);
    pair_deinit(&path->pair);
}

static void turn(struct path *path)
{
    if (path->app) {
        path->app(path, path->app_ctx);
    }
    bool any = true;
    for (int i = 0; i < 8 && any; i++) {
        any = pair_transmit(&path->pair, 0);
        any = pair_transmit(&path->pair, 1) || any;
    }
}

void path_run(struct path *path, int64_t for_ns)
{
    struct pair *pair = &path->pair;
    int64_t end = pair->now_ns + for_ns;

    turn(path);
    while (pair->now_ns < end) {
        int64_t next = slt_min64(pair_next_timer(pair), path->app_at_ns);
        if (path->event_count > 0) {
            next = slt_min64(next, path->events[0].at_ns);
        }
        if (next > end) {
            pair->now_ns = end;
            return;
        }
        pair->now_ns = slt_max64(pair->now_ns, next);
        while (path->event_count > 0 && path->events[0].at_ns <= pair->now_ns) {
            struct path_event event = pop(path);
            pair_deliver(pair, &event.packet);
            free(event.packet.payload);
        }
        pair_fire(pair);
        turn(path);
    }
}

void path_connect(struct path *path)
{
    struct pair_side *s = &path->pair.side[0];

    path->pair.side[1].listening = true;
    s->conn =
        slt_tcp_conn_take(&s->tcp, &s->id, &s->defaults, path->pair.config.mtu, SALUT_STATE_CLOSED);
    assert(slt_tcp_open(&s->tcp, pair_conn(&path->pair, 0), path->pair.now_ns) == SALUT_OK);
    path_run(path, 10 * path->way[0].delay_ns + SLT_NS_PER_MS);
    assert(pair_conn(&path->pair, 0)->state == SALUT_STATE_ESTABLISHED);
    assert(pair_conn(&path->pair, 1)->state == SALUT_STATE_ESTABLISHED);
}
