/* What the seed decides before a run begins: hosts, configurations, paths, plans, and how much goes
 * wrong. One run in five is calm, so that what happens without faults is seen too.
 *
 * Two ranges are narrower than a network could make them, for TCP itself does not stand the rest:
 * a packet lives at most as long as the smaller of the hosts' MSL (all of RFC 9293 3.4.2 rests on
 * that), and an orphan in FIN-WAIT-2 has a limit in every configuration (with none, RFC 9293 keeps
 * it for ever when the peer is gone, and I-45 could not hold).
 */
#include "lab/sim_world.h"

#include <string.h>

static bool half(struct sim_world *w)
{
    return slt_sim_below(w, 2) != 0;
}

static uint32_t up_to(struct sim_world *w, uint32_t top)
{
    return (uint32_t)slt_sim_below(w, top + 1U);
}

/* ---- configurations
 * ------------------------------------------------------------------------------ */

static void draw_limits(struct sim_world *w, struct salut_config *c)
{
    bool small = slt_sim_chance(w, 1500);
    c->conns_max = small ? 4 + up_to(w, 8) : 48;
    c->half_open_max = small ? up_to(w, 4) : 16;
    c->time_wait_max = small ? 1 + up_to(w, 3) : 48;
    c->listeners_max = 8;
    c->udp_max = 2;
    c->buffer_bytes = 512U << up_to(w, 3);
    c->buffers_max = small ? 24 + up_to(w, 150) : 2048 * 1024 / c->buffer_bytes;
    c->ranges_max = small ? 2 + up_to(w, 10) : 256;
    c->ranges_per_conn_max = small || slt_sim_chance(w, 3000) ? 1 + up_to(w, 4) : 64;
    c->records_max = small || slt_sim_chance(w, 1000) ? up_to(w, 8) : 512;
    c->loans_max = small ? 0 : SIM_LOANS_MAX; /* who is short of buffers has them all used */
    c->neighbours_max = small ? 1 + up_to(w, 3) : 16;
    c->fragments_max = small ? 1 : 8;
    c->fragment_bytes_max = small ? 8192 : 65536;
    c->addresses_max = 4;
    c->routes_max = 4;
    c->event_ring = SIM_EVENT_RING;
    c->timers_per_turn = slt_sim_chance(w, 1000) ? 1 : 1024;
    if (small) {
        slt_sim_fault(w, SLT_SIM_SMALL_POOLS);
    }
}

static void draw_tcp(struct sim_world *w, struct salut_config *c)
{
    c->send_buffer_bytes = (uint32_t)slt_sim_log_between(w, 1024, 100000);
    c->recv_buffer_bytes = (uint32_t)slt_sim_log_between(w, 1024, 100000);
    c->recv_buffer_max_bytes = (uint32_t)slt_sim_log_between(w, 65536, 4000000);
    c->timestamps = !slt_sim_chance(w, 3000);
    c->sack = !slt_sim_chance(w, 3000);
    c->dsack = !slt_sim_chance(w, 2000);
    c->tail_probe = !slt_sim_chance(w, 2000);
    c->frto = !slt_sim_chance(w, 2000);
    c->rto_var_floor = !slt_sim_chance(w, 5000);
    c->window_scaling = !slt_sim_chance(w, 3000);
    c->nagle = !slt_sim_chance(w, 3000);
    c->initial_window_segments = (uint16_t)(1 + up_to(w, 15));
    c->ecn = (uint8_t)slt_sim_below(w, SALUT_ECN_ACCURATE + 1U);
    c->ecn_fallback = !slt_sim_chance(w, 2000);
    c->fast_open = w->is.fast_open ? 3 : 0;
    if (slt_sim_chance(w, 1000)) {
        c->fast_open = (uint8_t)(c->fast_open & slt_sim_below(w, 4));
    }
    c->fast_open_servers_max = 4;
    c->fast_open_pending_max = 1 + up_to(w, 3);
    c->fast_open_key_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(3600));
    c->fast_open_retry_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(3600));
    c->congestion = (uint8_t)slt_sim_below(w, SALUT_CC_COUNT);
    c->pacing = slt_sim_chance(w, 2000);
    c->bbr_loss_percent = c->pacing ? 5 : 2;
    c->rto_max_ns =
        slt_sim_chance(w, 5000) ? SIM_S(120) : slt_sim_log_between(w, SIM_S(4), SIM_S(120));
    c->retries2 = c->retries2 ? (uint8_t)(3 + up_to(w, 12)) : 0;
    c->orphan_retries = (uint8_t)(2 + up_to(w, 6));
    c->syn_retries = (uint8_t)(2 + up_to(w, 5));
    c->syn_ack_retries = (uint8_t)(1 + up_to(w, 4));
    c->fin_wait_2_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(60));
    c->reset_on_timeout = half(w);
    c->reset_on_half_open_timeout = half(w);
    c->probe_with_data = half(w);
    c->time_wait_rst_kills = slt_sim_chance(w, 4000);
    c->soft_icmp_aborts_syn = half(w);
    c->old_syn_time_wait_dropped = half(w);
    c->ack_unsent_silent = half(w);
    c->syn_fin_processed = half(w);
    c->syn_cookies = (uint8_t)slt_sim_below(w, 3);
    c->overflow = half(w) ? SALUT_OVERFLOW_RESET : SALUT_OVERFLOW_DROP;
    c->mtu_varies = slt_sim_chance(w, 1000);
    if (slt_sim_chance(w, 1000)) {
        c->icmp_rate_per_s = 1 + up_to(w, 5);
        c->icmp_burst = 1 + up_to(w, 2);
    }
    if (slt_sim_chance(w, 3000)) {
        c->msl_ns = slt_sim_log_between(w, SIM_MS(500), c->msl_ns);
    }
    c->keepalive_idle_ns = SIM_S(1 + up_to(w, 40));
    c->keepalive_interval_ns = SIM_S(1 + up_to(w, 8));
    c->keepalive_probes = (uint8_t)(1 + up_to(w, 3));
    if (slt_sim_chance(w, 2000)) {
        c->user_timeout_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(300));
    }
}

/* How buffers tune themselves, the path MTU is looked for, and the peer told of both ends' clocks.
 */
static void draw_windows(struct sim_world *w, struct salut_config *c)
{
    c->send_buffer_max_bytes = (uint32_t)slt_sim_log_between(w, 4096, 1000000);
    c->tune_send_buffer = !slt_sim_chance(w, 3000);
    c->tune_recv_buffer = !slt_sim_chance(w, 3000);
    c->ack_on_read = half(w);
    c->paws_slack_ticks = c->ack_on_read; /* habits of Linux go together */
    c->nagle_slack_ns = half(w) ? SLT_NS_PER_MS : 0;
    c->mtu_probing = !slt_sim_chance(w, 2000);
    c->mtu_black_hole_bytes = (uint16_t)slt_sim_log_between(w, 300, 1400);
    c->mtu_probe_interval_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(600));
    c->user_timeout_option = slt_sim_chance(w, 2000);
    if (w->is.narrow) { /* a probe of the path MTU wants a full buffer behind it */
        c->send_buffer_bytes = slt_max32(c->send_buffer_bytes, 50000);
        c->recv_buffer_bytes = slt_max32(c->recv_buffer_bytes, 50000);
        c->initial_window_segments = (uint16_t)(8 + up_to(w, 8));
        c->mtu_probing = 1;
        c->mtu_probe_interval_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(120));
    }
}

static void draw_host(struct sim_world *w, uint8_t number, uint32_t link_kind, uint16_t mtu)
{
    struct sim_host *h = &w->host[number];
    struct salut_config *c = &h->config;
    h->number = number;
    salut_config_init(c, half(w) ? SALUT_PROFILE_LINUX : SALUT_PROFILE_RFC);
    draw_limits(w, c);
    draw_tcp(w, c);
    draw_windows(w, c);
    c->link_kind = link_kind;
    c->mtu = mtu;
    memcpy(h->mac, "\2\0\0\0\0\0", 6);
    h->mac[5] = (uint8_t)(1 + number);
    memcpy(c->mac, h->mac, 6);
    if (slt_sim_chance(w, 2500)) {
        c->gso_max_bytes = 2000 + up_to(w, 30000);
        c->tx_checksum = half(w);
    }
    c->memory_bytes = slt_sim_chance(w, 4000); /* fixed mode; the size comes with the boot */
    slt_sim_station(w, false, (uint8_t)(1 + number), &h->addr[0]);
    slt_sim_station(w, true, (uint8_t)(1 + number), &h->addr[1]);
    h->alloc_fail_from = h->alloc_fail_to = UINT64_MAX;
    h->clock.local_ns = SIM_S(1000) + (int64_t)slt_sim_below(w, UINT64_C(1) << 50);
    h->clock.ppm = slt_sim_chance(w, 3000) ? (int64_t)slt_sim_below(w, 100001) - 50000 : 0;
    h->peak_buffer = c->recv_buffer_bytes > 200000 ? c->recv_buffer_bytes : 200000;
    if (c->tune_recv_buffer && c->recv_buffer_max_bytes > h->peak_buffer) {
        h->peak_buffer = c->recv_buffer_max_bytes;
    }
    h->boot_at_ns = SLT_NEVER;
    if (h->clock.ppm) {
        slt_sim_fault(w, SLT_SIM_SKEW);
    }
}

/* ---- paths
 * --------------------------------------------------------------------------------------- */

static int64_t shortest_msl(const struct sim_world *w)
{
    int64_t msl_ns = SIM_S(120);
    for (uint8_t i = 0; i < w->host_count; i++) {
        msl_ns = slt_min64(msl_ns, w->host[i].config.msl_ns);
    }
    return msl_ns;
}

static uint16_t rate(struct sim_world *w, uint32_t chance, int64_t top)
{
    return slt_sim_chance(w, chance) ? (uint16_t)slt_sim_log_between(w, 1, top) : 0;
}

static void draw_path(struct sim_world *w, struct sim_path *p, bool calm)
{
    memset(p, 0, sizeof(*p));
    p->up = true;
    p->mtu = 65535;
    p->mtu_icmp = 1;
    p->delay_ns = slt_sim_log_between(w, SIM_MS(1) / 100, SIM_MS(400));
    p->jitter_ns = half(w) ? 0 : slt_sim_log_between(w, 1000, SIM_MS(50));
    p->reorder_depth = 1;
    p->delay_max_ns = slt_max64(shortest_msl(w) - SIM_S(4) - p->delay_ns, SIM_MS(200));
    if (calm) {
        return;
    }
    p->drop = rate(w, 7000, 4000);
    p->duplicate = rate(w, 4000, 3000);
    p->reorder = rate(w, 4000, 4000);
    p->mark = rate(w, 3000, 4000);
    p->reorder_depth = (uint8_t)(1 + slt_sim_below(w, 64));
    p->flip = rate(w, 2500, 500);
    p->truncate = rate(w, 1500, 300);
    p->long_delay = rate(w, 2000, 1000);
    p->strip_ts = rate(w, 3000, 1000);
    p->strip_sack = rate(w, 700, 5000);
    p->fragment = rate(w, 1000, 3000);
    if (w->is.narrow) {
        p->drop /= 8;
        slt_sim_path_narrow(w, p);
        slt_sim_fault(w, SLT_SIM_NARROW);
    }
    if (w->is.fast_open) { /* RFC 7413 6.1: a late copy of a SYN would deliver its data again */
        p->duplicate = 0;
        p->reorder = 0;
        p->long_delay = 0;
    }
}

/* With cookies nothing but the handshake's last segment says that timestamps were agreed on; taken
 * out of that one, they leave the ends of two minds. */
static bool cookies_possible(const struct sim_world *w)
{
    for (uint8_t i = 0; i < w->host_count; i++) {
        if (w->host[i].config.syn_cookies != SALUT_COOKIES_NEVER) {
            return true;
        }
    }
    return false;
}

static void draw_paths(struct sim_world *w, bool calm)
{
    bool strip = slt_sim_chance(w, 1000);
    uint8_t stripped = strip ? (uint8_t)(1 + slt_sim_below(w, 15)) : 0;
    bool shift = slt_sim_chance(w, 700);
    bool bleach = slt_sim_chance(w, 700);
    for (uint8_t i = 0; i < w->host_count; i++) {
        for (uint8_t k = 0; k < w->host_count; k++) {
            struct sim_path *p = &w->net.path[i][k];
            draw_path(w, p, calm);
            p->strip_syn = stripped;
            p->bleach = bleach;
            p->strip_ts = cookies_possible(w) ? 0 : p->strip_ts;
            p->shift = shift ? (uint32_t)slt_prng_u64(&w->prng) : 0;
        }
    }
    if (shift) {
        slt_sim_fault(w, SLT_SIM_SHIFT);
    }
}

/* ---- plans
 * --------------------------------------------------------------------------------------- */

static void draw_listeners(struct sim_world *w, struct sim_host *h)
{
    for (int i = 0; i < SIM_LISTENERS_MAX; i++) {
        struct sim_listener *l = &h->listener[i];
        *l = (struct sim_listener){.port = (uint16_t)(80 + i),
                                   .backlog = 1 + up_to(w, i == 0 ? 8 : 3),
                                   .accept_at_ns = SLT_NEVER,
                                   .close_at_ns = SLT_NEVER,
                                   .open_at_ns = 0};
        l->lazy_ns = slt_sim_chance(w, 3000) ? slt_sim_log_between(w, SIM_MS(1), SIM_S(30)) : 0;
        if (i == 1 && half(w)) {
            l->flags |= SALUT_LISTEN_EARLY_ACCEPT;
            slt_sim_fault(w, SLT_SIM_EARLY_ACCEPT);
        }
        l->fast_open = w->is.fast_open && i != 3 ? 1 + up_to(w, 2) : 0;
        if (i > 0 && slt_sim_chance(w, 1500)) {
            l->close_at_ns = slt_sim_log_between(w, SIM_MS(10), SIM_S(30));
        }
    }
}

static void draw_plan(struct sim_world *w, struct sim_plan *plan, uint16_t number)
{
    uint64_t kind = slt_sim_below(w, 100);
    plan->from = (uint8_t)slt_sim_below(w, w->host_count);
    plan->to = (uint8_t)((plan->from + 1 + slt_sim_below(w, w->host_count - 1U)) % w->host_count);
    plan->at_ns = half(w) ? slt_sim_log_between(w, SIM_MS(1), SIM_S(20))
                          : (int64_t)slt_sim_below(w, SIM_MS(3));
    plan->other_at_ns = SLT_NEVER;
    plan->port = (uint16_t)(80 + slt_sim_below(w, SIM_LISTENERS_MAX));
    plan->kind = SIM_PLAN_CONNECT;
    if (slt_sim_chance(w, 3000)) {
        plan->local_port = (uint16_t)(7000 + number);
        plan->repeats = up_to(w, 3);
    }
    if (w->is.fast_open) { /* a cookie is good for the second connection */
        plan->port = (uint16_t)(80 + up_to(w, 1));
        plan->repeats = 1 + up_to(w, 3);
    }
    if (kind < 12) {
        plan->kind = SIM_PLAN_SIMULTANEOUS;
        plan->port = (uint16_t)(5000 + number);
        plan->local_port = (uint16_t)(6000 + number);
        plan->repeats = 0;
        plan->other_at_ns = plan->at_ns + (half(w) ? 0 : (int64_t)slt_sim_below(w, SIM_MS(400)));
    } else if (kind < 16) {
        plan->kind = SIM_PLAN_LISTEN_CONNECT;
        plan->local_port = (uint16_t)(8000 + number);
        plan->repeats = 0;
    } else if (kind < 20) {
        plan->kind = SIM_PLAN_NOBODY;
        plan->port = 9;
        slt_sim_fault(w, SLT_SIM_REFUSED);
    }
}

/* How an application behaves on one connection. */
void slt_sim_app_shape(struct sim_world *w, struct sim_end *e)
{
    uint64_t size = slt_sim_below(w, 10);
    if (w->paths && w->phase == SIM_SAFETY) {
        slt_sim_shape_transfer(w, e);
        return;
    }
    e->to_write = size == 0 ? 0
                  : size == 9 && e->local_port != 83
                      ? (uint64_t)slt_sim_log_between(w, 1000, 200000)
                      : (uint64_t)slt_sim_log_between(w, 1, 20000);
    e->chunk_max = (uint32_t)slt_sim_log_between(w, 1, 16000);
    e->chunk_max = slt_max32(e->chunk_max, (uint32_t)(e->to_write / 40));
    e->close_mode = (uint8_t)slt_sim_below(w, SIM_CLOSE_MODES);
    e->read_mode =
        slt_sim_chance(w, 6000) ? SIM_READ_EAGER : (uint8_t)slt_sim_below(w, SIM_READ_MODES);
    if (w->is.narrow) {
        e->to_write = (uint64_t)slt_sim_log_between(w, 10000, 200000);
        e->chunk_max = 16000 + up_to(w, 50000);
    }
    e->early_at = slt_sim_below(w, 2 * e->to_write + 1000);
    e->think_ns = slt_sim_log_between(w, SIM_MS(1) / 10, SIM_S(2));
    e->read_from_ns = w->now_ns;
    if (e->read_mode == SIM_READ_LATE) {
        e->read_from_ns += slt_sim_log_between(w, SIM_S(1), SIM_S(100));
        slt_sim_fault(w, SLT_SIM_ZERO_WINDOW);
    }
    e->urgent_chance = slt_sim_chance(w, 500) ? 2000 : 0;
    if (w->phase != SIM_SAFETY) {
        e->to_write = e->to_write % 3000;
        e->close_mode = SIM_HOLD;
        e->read_mode = SIM_READ_EAGER;
    }
}

static void draw_character(struct sim_world *w, bool calm)
{
    struct sim_character *is = &w->is;
    is->wrap = slt_sim_chance(w, 6000);
    is->phase_ns = slt_sim_log_between(w, SIM_S(1), SIM_S(400));
    is->turns_max = 300 + up_to(w, 700);
    is->canary = 200;
    is->fast_open = slt_sim_chance(w, 2500);
    is->snapshot = 300;
    if (is->wrap) {
        slt_sim_fault(w, SLT_SIM_WRAP);
    }
    if (calm) {
        return;
    }
    is->narrow = slt_sim_chance(w, 400);
    is->noise = is->fast_open ? 0 : rate(w, 6000, 1000);
    is->tx_full = rate(w, 3000, 3000);
    is->stall = rate(w, 3000, 1000);
    is->jump = rate(w, 1000, 100);
    is->crash = rate(w, 1200, 100);
    is->crash_quiet = half(w);
    is->path_event = rate(w, 4000, 300);
    is->alloc = rate(w, 1500, 200);
    is->rx_empty = rate(w, 1500, 500);
}

void slt_sim_draw(struct sim_world *w)
{
    bool calm = slt_sim_chance(w, 2000);
    uint32_t link_kind = slt_sim_chance(w, 4000) ? SALUT_LINK_ETHERNET : SALUT_LINK_IP;
    w->host_count = slt_sim_chance(w, 1200) ? 3 : 2;
    w->is.ip6 = half(w);
    uint16_t mtu = 1500;
    if (slt_sim_chance(w, 3000)) {
        mtu = (uint16_t)slt_sim_log_between(w, w->is.ip6 ? 1280 : 300, 9000);
    }
    draw_character(w, calm);
    for (uint8_t i = 0; i < w->host_count; i++) {
        draw_host(w, i, link_kind, mtu);
        draw_listeners(w, &w->host[i]);
    }
    draw_paths(w, calm);
    w->net.faults = true;
    w->plan_count = 1 + up_to(w, 5);
    for (uint32_t i = 0; i < w->plan_count; i++) {
        draw_plan(w, &w->plan[i], (uint16_t)i);
    }
    slt_sim_fault(w, w->is.ip6 ? SLT_SIM_IPV6 : SLT_SIM_IPV4);
    if (link_kind == SALUT_LINK_ETHERNET) {
        slt_sim_fault(w, SLT_SIM_ETHERNET);
    }
    if (w->host_count > 2) {
        slt_sim_fault(w, SLT_SIM_MORE_HOSTS);
    }
}
