/* The other kind of world: no attackers, crashes or exhausted pools, but paths as networks have
 * them, and transfers of every size. Rates from 64 kb/s to 1 Gb/s with queues in front, delays up
 * to 400 ms, jitter, loss alone and in bursts, reordering, duplicates, damage, marks and policers:
 * the model is link/path.h, drawn anew for each direction.
 *
 * The ordinary draw has been made when this one begins; it replaces what it must. Sizes follow the
 * slower of the two directions, so that a transfer takes seconds, not hours, and a queue holds at
 * most two seconds of its rate, so that no packet outlives the MSL (RFC 9293 3.4.2).
 */
#include "lab/sim_world.h"

#define RATE_LOW 64000
#define RATE_TOP INT64_C(1000000000)
#define SIZE_TOP 1000000
#define BUFFERS  (16U * 1024 * 1024)

static uint32_t chance(struct sim_world *w, uint32_t how_often, int64_t low_ppm, int64_t top_ppm)
{
    return slt_sim_chance(w, how_often) ? (uint32_t)slt_sim_log_between(w, low_ppm, top_ppm) : 0;
}

static void draw_bottleneck(struct sim_world *w, struct slt_path_params *p, uint32_t mtu)
{
    if (!slt_sim_chance(w, 8000)) {
        return;
    }
    int64_t rate = slt_sim_log_between(w, RATE_LOW, RATE_TOP);
    int64_t most = slt_max64(rate / 8 * 2, 4 * (int64_t)mtu);
    p->rate_bits_per_s = (uint64_t)rate;
    p->queue_bytes_max =
        (uint32_t)slt_sim_log_between(w, 2 * (int64_t)mtu, slt_min64(most, 4000000));
    p->queue_frames_max = slt_sim_chance(w, 2000) ? 2 + (uint32_t)slt_sim_below(w, 200) : 0;
    p->mark_bytes = slt_sim_chance(w, 3000) ? p->queue_bytes_max / 3 + 1 : 0;
    if (slt_sim_chance(w, 1000)) {
        p->police_bits_per_s = p->rate_bits_per_s / (1 + slt_sim_below(w, 8));
        p->police_burst_bytes = (uint32_t)slt_sim_log_between(w, 3 * (int64_t)mtu, 200000);
    }
}

static void draw_model(struct sim_world *w, struct sim_path *path, uint32_t number)
{
    struct slt_path_params p = {0};
    uint32_t mtu = w->host[0].config.mtu + 64U;
    draw_bottleneck(w, &p, mtu);
    p.delay_ns = slt_sim_log_between(w, SIM_MS(1) / 100, SIM_MS(400));
    p.jitter_ns = slt_sim_chance(w, 5000) ? slt_sim_log_between(w, 1000, p.delay_ns) : 0;
    p.loss_ppm = chance(w, 5000, 100, 100000);
    p.duplicate_ppm = chance(w, 2500, 100, 100000);
    p.reorder_ppm = chance(w, 3500, 1000, 300000);
    p.reorder_for_ns = slt_sim_log_between(w, SIM_MS(1), SIM_MS(60));
    p.corrupt_ppm = chance(w, 2000, 100, 30000);
    if (slt_sim_chance(w, 2500)) {
        (void)slt_path_set_bursts(&p, chance(w, 10000, 100, 50000),
                                  (double)(1 + slt_sim_below(w, 20)));
    }
    SLT_ASSERT(slt_path_valid(&p));
    *path = (struct sim_path){.up = true,
                              .mtu = 65535,
                              .mtu_icmp = 1,
                              .reorder_depth = 1,
                              .delay_ns = p.delay_ns,
                              .delay_max_ns = p.delay_ns};
    slt_path_init(&path->model, &p, w->seed, number);
}

static void calm_host(struct sim_world *w, struct sim_host *h)
{
    struct salut_config *c = &h->config;
    c->conns_max = 96;
    c->half_open_max = 64;
    c->time_wait_max = 96;
    c->buffers_max = BUFFERS / c->buffer_bytes;
    c->ranges_max = 8192;
    c->loans_max = SIM_LOANS_MAX;
    c->ranges_per_conn_max = 512;
    c->neighbours_max = 16;
    c->fragments_max = 8;
    c->fragment_bytes_max = 65536;
    c->timers_per_turn = 1024;
    c->msl_ns = SIM_S(30);
    c->rto_max_ns = SIM_S(120);
    c->retries2 = 15;
    c->orphan_retries = 15;
    c->syn_cookies = SALUT_COOKIES_WHEN_FULL; /* a cookie does not stand reordered first bytes */
    c->syn_retries = 6;
    c->syn_ack_retries = 5;
    c->user_timeout_ns = 0;
    c->fin_wait_2_ns = SIM_S(60);
    c->keepalive_idle_ns = SIM_S(7200);
    c->send_buffer_bytes = (uint32_t)slt_sim_log_between(w, 4096, 500000);
    c->recv_buffer_bytes = (uint32_t)slt_sim_log_between(w, 4096, 500000);
    c->recv_buffer_max_bytes =
        (uint32_t)slt_sim_log_between(w, (int64_t)c->recv_buffer_bytes, 1000000);
    h->peak_buffer = slt_max32(h->peak_buffer, c->recv_buffer_max_bytes);
    for (uint32_t i = 0; i < SIM_LISTENERS_MAX; i++) {
        h->listener[i].backlog = 64;
        h->listener[i].lazy_ns = 0;
        h->listener[i].close_at_ns = SLT_NEVER;
    }
}

void slt_sim_draw_paths(struct sim_world *w)
{
    bool wrap = w->is.wrap;
    bool ip6 = w->is.ip6;
    w->is = (struct sim_character){
        .ip6 = ip6, .wrap = wrap, .phase_ns = SIM_S(900), .turns_max = 2000000, .canary = 5};
    for (uint8_t i = 0; i < w->host_count; i++) {
        calm_host(w, &w->host[i]);
    }
    for (uint32_t i = 0; i < w->host_count; i++) {
        for (uint32_t k = 0; k < w->host_count; k++) {
            draw_model(w, &w->net.path[i][k], i * SIM_HOSTS_MAX + k);
        }
    }
    w->plan_count = SIM_PLANS_MAX;
    for (uint32_t i = 0; i < w->plan_count; i++) {
        struct sim_plan *plan = &w->plan[i];
        *plan = (struct sim_plan){.kind = SIM_PLAN_CONNECT,
                                  .port = (uint16_t)(80 + slt_sim_below(w, SIM_LISTENERS_MAX)),
                                  .other_at_ns = SLT_NEVER,
                                  .at_ns = (int64_t)slt_sim_below(w, SIM_S(20))};
        plan->from = (uint8_t)slt_sim_below(w, w->host_count);
        plan->to =
            (uint8_t)((plan->from + 1 + slt_sim_below(w, w->host_count - 1U)) % w->host_count);
    }
}

/* A transfer both ways: everything is written, read, and then closed. */
void slt_sim_shape_transfer(struct sim_world *w, struct sim_end *e)
{
    uint64_t forth = w->net.path[e->host][e->peer_host].model.params.rate_bits_per_s;
    uint64_t back = w->net.path[e->peer_host][e->host].model.params.rate_bits_per_s;
    uint64_t rate = forth == 0 || (back > 0 && back < forth) ? back : forth;
    int64_t top = rate > 0 ? slt_min64(SIZE_TOP, (int64_t)rate / 8 * 10) : SIZE_TOP;
    e->to_write = slt_sim_chance(w, 1000) ? 0 : (uint64_t)slt_sim_log_between(w, 1, top);
    e->chunk_max = (uint32_t)slt_sim_log_between(w, 500, 60000);
    e->chunk_max = slt_max32(e->chunk_max, (uint32_t)(e->to_write / 40));
    e->close_mode = SIM_SHUT_THEN_READ;
    e->read_mode = slt_sim_chance(w, 9000) ? SIM_READ_EAGER : SIM_READ_SLOW;
    e->think_ns = slt_sim_log_between(w, SIM_MS(1) / 10, SIM_MS(20));
    e->urgent_chance = 0;
}

/* What came of the transfers. A burst of losses is so many frames, and may swallow all that an idle
 * connection says for a quarter of an hour: then an end that its user has closed gives up, and its
 * event is all that tells of it. */
void slt_sim_count_transfers(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->end_count; i++) {
        const struct sim_end *e = &w->end[i];
        if (!e->active) {
            continue;
        }
        const struct sim_end *o = e->matched && e->peer != SLT_NIL ? &w->end[e->peer] : NULL;
        bool whole = o != NULL && e->written == e->to_write && o->written == o->to_write &&
                     e->read == o->written && o->read == e->written;
        w->tally->transfers++;
        w->tally->whole += whole;
        bool told = e->error != SALUT_OK || e->gave_up ||
                    (o != NULL && (o->error != SALUT_OK || o->gave_up));
        w->tally->told += !whole && told;
        if (!whole && !told) {
            slt_sim_fail(
                w, 40, "%c %u/%u: wrote %llu of %llu bytes, has read %llu, was told no error",
                'A' + e->host, e->local_port, e->remote_port, (unsigned long long)e->written,
                (unsigned long long)e->to_write, (unsigned long long)e->read);
        }
    }
}
