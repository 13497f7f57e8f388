/* The instance under test, virtual time, and the peers' memory of the wire.
 *
 * A step is: note what every symbol means now, act, run the turn until the stack has nothing more
 * to say, keep what it emitted. While `answering` is on, the peer in use acknowledges by itself
 * and its packets are not kept; they are still decoded, checked and compared with the pattern.
 */
#include "tests/conform/conform.h"

#include "sock/heap.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS  1000000000000
#define BATCH     32
#define TURNS_MAX 200000

bool fail(struct world *world, const char *format, ...)
{
    if (world->error[0] == '\0') {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(world->error, sizeof(world->error), format, arguments);
        va_end(arguments);
    }
    return false;
}

struct peer *peer_of(struct world *world)
{
    return &world->peers[world->at];
}

uint8_t pattern_byte(uint32_t position)
{
    uint32_t mixed = (position ^ position >> 7) * 2654435761U;
    return (uint8_t)(mixed >> 24);
}

static bool apply_overrides(struct world *world)
{
    struct words words;
    words_cut(&words, world->settings.overrides, strlen(world->settings.overrides));
    for (int i = 0; i < words.count; i++) {
        char *equals = strchr(words.word[i], '=');
        int64_t value;
        if (equals == NULL) {
            return fail(world, "cfg.%s has no value", words.word[i]);
        }
        *equals = '\0';
        if (!eval_duration(world, equals + 1, &value)) {
            value = strtoll(equals + 1, NULL, 0);
        }
        if (!config_override(&world->config, words.word[i], value)) {
            return fail(world, "the configuration has no field %s", words.word[i]);
        }
    }
    return true;
}

static void set_limits(struct salut_config *config)
{
    config->alloc = slt_heap_take;
    config->free = slt_heap_give;
    config->conns_max = 64;
    config->half_open_max = 64;
    config->time_wait_max = 64;
    config->listeners_max = 8;
    config->udp_max = 4;
    config->buffers_max = 4096;
    config->ranges_max = 256;
    config->loans_max = 64;
    config->neighbours_max = 32;
    config->fragments_max = 8;
    config->addresses_max = 8;
    config->routes_max = 8;
    config->event_ring = 64;
    config->start_at_ns = START_NS;
    config->mtu = 1500;
    config->gso_max_bytes = 0;
    config->tx_checksum = 0;
    config->duplicate_address_detection = 0;
    config->slaac = 0;
    for (int i = 0; i < 32; i++) {
        config->seed[i] = (uint8_t)(i * 7 + 1);
    }
    memcpy(config->mac, "\2\0\0\0\0\1", 6);
}

static bool add_addresses(struct world *world)
{
    salut_addr addr;
    salut_addr any = {0};
    salut_addr gateway;
    unsigned bits = world->settings.ip6 ? 64 : 24;
    if (!eval_address(world, "us", &addr) || !eval_address(world, "gw", &gateway)) {
        return fail(world, "our address cannot be parsed");
    }
    if (!world->settings.ip6) {
        any.b[10] = any.b[11] = 0xff;
    }
    enum salut_status status = salut_add_address(world->stack, &addr, bits);
    if (status == SALUT_OK && !world->settings.ethernet) {
        memset(&gateway, 0, sizeof(gateway));
    }
    if (status == SALUT_OK) {
        status = salut_add_route(world->stack, &any, 0, &gateway);
    }
    return status == SALUT_OK || fail(world, "address or route: %s", salut_status_text(status));
}

static void init_peers(struct world *world)
{
    for (int i = 0; i < PEERS_MAX; i++) {
        struct peer *peer = &world->peers[i];
        memset(peer, 0, sizeof(*peer));
        peer->port = (uint16_t)(50000 + i);
        peer->local_port = 80;
        peer->irs = world->settings.irs + (uint32_t)i * 1000000;
        peer->rnxt = peer->irs;
        peer->iss = peer->nxt = peer->una = 0x4000;
        peer->our_scale = -1;
    }
}

bool world_open(struct world *world)
{
    world->now_ns = START_NS;
    world->at = 0;
    world->listener_count = 0;
    world->saved_count = 0;
    world->packet_count = 0;
    world->answering = AUTO_OFF;
    world->answered = 0;
    world->error[0] = '\0';
    init_peers(world);
    world->before = world->peers[0];
    salut_config_init(&world->config, world->settings.profile);
    set_limits(&world->config);
    world->config.link_kind = world->settings.ethernet ? SALUT_LINK_ETHERNET : SALUT_LINK_IP;
    if (!apply_overrides(world)) {
        return false;
    }
    enum salut_status status = salut_create(&world->config, &world->stack);
    if (status != SALUT_OK) {
        world->stack = NULL;
        return fail(world, "salut_create: %s", salut_status_text(status));
    }
    return (world->settings.bare || add_addresses(world)) && world_turn(world);
}

void world_close(struct world *world)
{
    salut_destroy(world->stack);
    world->stack = NULL;
}

/* The peer a segment is for, or NULL. */
static struct peer *peer_for(struct world *world, const struct packet *p)
{
    for (int i = 0; i < PEERS_MAX; i++) {
        if (world->peers[i].port == p->dst_port && world->peers[i].local_port == p->src_port) {
            return &world->peers[i];
        }
    }
    return NULL;
}

static bool check_pattern(struct world *world, const struct peer *peer, const struct packet *p)
{
    for (uint32_t i = 0; i < p->payload_bytes && peer->iss_known; i++) {
        uint32_t position = p->seq + ((p->flags & 2) ? 1U : 0U) + i - peer->iss;
        if (p->payload[i] != pattern_byte(position)) {
            return fail(world, "the octet at position %u of our stream is not the user's",
                        position);
        }
    }
    return true;
}

static void note_window(struct peer *peer, const struct packet *p)
{
    int scale = (p->flags & 2) || peer->our_scale < 0 ? 0 : peer->our_scale;
    uint32_t edge = p->ack + ((uint32_t)p->window << scale);
    if (!peer->redge_known || (int32_t)(edge - peer->redge) > 0) {
        peer->redge = edge;
        peer->redge_known = true;
    }
    if ((int32_t)(p->ack - peer->rnxt) > 0) {
        peer->rnxt = p->ack;
    }
}

/* What the peer learns from a segment of the stack. */
static bool note_heard(struct world *world, struct peer *peer, const struct packet *p)
{
    uint32_t length = p->payload_bytes + ((p->flags & 2) ? 1U : 0U) + ((p->flags & 1) ? 1U : 0U);
    if (p->flags & 4) {
        return true;
    }
    if ((p->flags & 2) && (!peer->iss_known || p->seq != peer->iss)) {
        peer->iss = peer->una = peer->nxt = peer->heard = p->seq;
        peer->iss_known = true;
        peer->our_scale = world->settings.wscale >= 0 ? p->wscale : -1;
        peer->ts_on = p->ts && world->settings.ts;
        peer->redge_known = false;
    }
    if (p->ts) {
        peer->ts_last = p->ts_val;
    }
    if (p->cookie_bytes > 0) {
        world->cookie_bytes = (uint8_t)p->cookie_bytes;
        memcpy(world->cookie, p->cookie, sizeof(world->cookie));
    }
    if ((int32_t)(p->seq + length - peer->nxt) > 0) {
        peer->nxt = p->seq + length;
    }
    if ((int32_t)(p->seq - peer->heard) <= 0 && (int32_t)(p->seq + length - peer->heard) > 0) {
        peer->heard = p->seq + length;
    }
    if (p->flags & 0x10) {
        note_window(peer, p);
    }
    return check_pattern(world, peer, p);
}

static bool answer(struct world *world, const struct packet *p)
{
    static uint8_t frame[FRAME_BYTES];
    struct peer *peer = peer_of(world);
    bool consumes = p->payload_bytes > 0 || (p->flags & 3);
    char line[160];
    if (world->answering == AUTO_ACK && !consumes) {
        return true;
    }
    uint32_t acked = world->answering == AUTO_ACK ? peer->heard : peer->una;
    snprintf(line, sizeof(line), "tcp A seq=%u ack=%u%s", peer->rnxt, acked,
             world->answering == AUTO_ZERO_WINDOW ? " win=0" : "");
    struct salut_rx_frame rx = {.data = frame};
    if (!build_frame(world, line, frame, &rx.bytes)) {
        return false;
    }
    world->answered++;
    salut_input(world->stack, &rx, 1, world->now_ns);
    return true;
}

static bool keep_packet(struct world *world, const struct salut_tx_frame *frame)
{
    if (world->packet_count == PACKETS_MAX) {
        return fail(world, "more than %d packets and none of them expected", PACKETS_MAX);
    }
    struct packet *p = &world->packets[world->packet_count];
    memset(p, 0, sizeof(*p));
    uint32_t bytes = frame->header_bytes;
    if (bytes + frame->payload_bytes > sizeof(p->raw)) {
        return fail(world, "a frame of %u bytes", bytes + frame->payload_bytes);
    }
    memcpy(p->raw, frame->header, bytes);
    for (unsigned i = 0; i < frame->piece_count; i++) {
        memcpy(p->raw + bytes, frame->pieces[i].base, frame->pieces[i].bytes);
        bytes += (uint32_t)frame->pieces[i].bytes;
    }
    p->bytes = bytes;
    p->at_ns = world->now_ns;
    const char *problem = decode_packet(p, world->settings.ethernet);
    if (problem != NULL) {
        return fail(world, "an emitted frame is bad: %s", problem);
    }
    world->packet_count++;
    return true;
}

/* Take what the link would take; returns how many packets in *count. */
static bool take_output(struct world *world, size_t *count)
{
    static struct salut_tx_frame frames[BATCH];
    *count = salut_output(world->stack, frames, BATCH);
    size_t first = world->packet_count;
    for (size_t i = 0; i < *count; i++) {
        if (!keep_packet(world, &frames[i])) {
            return false;
        }
    }
    salut_output_taken(world->stack, *count);
    for (size_t i = first; i < world->packet_count; i++) {
        struct packet *p = &world->packets[i];
        struct peer *peer = p->kind == PACKET_TCP ? peer_for(world, p) : NULL;
        if (peer != NULL && !note_heard(world, peer, p)) {
            return false;
        }
    }
    if (world->answering == AUTO_OFF) {
        return true;
    }
    size_t end = world->packet_count;
    world->packet_count = first;
    for (size_t i = first; i < end; i++) {
        struct packet *p = &world->packets[i];
        if (p->kind == PACKET_TCP && peer_for(world, p) == peer_of(world)) {
            if (!answer(world, p)) {
                return false;
            }
            continue;
        }
        if (world->packet_count != i) {
            return fail(world, "answering by itself, the driver met another packet");
        }
        world->packet_count++;
    }
    return true;
}

bool world_turn(struct world *world)
{
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        bool more = salut_poll(world->stack, world->now_ns);
        size_t count;
        if (!take_output(world, &count)) {
            return false;
        }
        const char *broken = salut_check(world->stack);
        if (broken != NULL) {
            return fail(world, "an invariant is broken: %s", broken);
        }
        if (count == 0 && !more) {
            return true;
        }
    }
    return fail(world, "the turn does not end");
}

bool world_deliver(struct world *world, struct salut_rx_frame *frames, size_t count)
{
    salut_input(world->stack, frames, count, world->now_ns);
    return world_turn(world);
}

bool world_advance(struct world *world, int64_t by_ns)
{
    int64_t target = world->now_ns + by_ns;
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        int64_t due = salut_next_deadline(world->stack);
        if (due > target) {
            world->now_ns = target;
            return world_turn(world);
        }
        if (due > world->now_ns) {
            world->now_ns = due;
        }
        if (!world_turn(world)) {
            return false;
        }
    }
    return fail(world, "timers fire without end");
}

static bool same_object(struct world *world, const struct salut_info *info)
{
    const struct peer *peer = peer_of(world);
    return info->object != SALUT_IS_LISTENER && info->remote_port == peer->port &&
           info->local_port == peer->local_port;
}

/* A connection that ended goes behind a new one of the same tuple. */
bool world_info(struct world *world, struct salut_info *info)
{
    struct salut_info each;
    uint64_t cursor = 0;
    bool found = false;
    while (salut_next_info(world->stack, &cursor, &each)) {
        if (same_object(world, &each) && (!found || each.state != SALUT_STATE_CLOSED)) {
            *info = each;
            found = true;
        }
    }
    return found;
}

bool world_listening(const struct world *world, uint16_t port)
{
    struct salut_info info;
    uint64_t cursor = 0;
    while (salut_next_info(world->stack, &cursor, &info)) {
        if (info.object == SALUT_IS_LISTENER && info.local_port == port) {
            return true;
        }
    }
    return false;
}

/* RCV.NXT as the connection tells it, where it has one; else as the wire showed it. */
void world_begin_step(struct world *world)
{
    struct salut_info info;
    struct peer *peer = peer_of(world);
    if (world_info(world, &info) && info.object == SALUT_IS_CONN &&
        info.state >= SALUT_STATE_SYN_RECEIVED) {
        peer->rnxt = info.recv_isn + (uint32_t)info.recv_nxt;
    }
    world->before = *peer;
    world->step_at_ns = world->now_ns;
}

uint32_t world_effective_mss(const struct world *world)
{
    const struct settings *s = &world->settings;
    uint32_t ip = s->ip6 ? 40 : 20;
    uint32_t offered = s->mss >= 0 ? (uint32_t)s->mss : s->ip6 ? 1220 : 536;
    uint32_t room = world->config.mtu - ip - 20;
    return (offered < room ? offered : room) - (s->ts ? 12 : 0);
}
