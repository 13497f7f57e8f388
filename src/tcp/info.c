/* The mirror: what a connection, a half-open entry and a TIME-WAIT entry say about themselves
 * (RFC 9293 3.10.6 STATUS, 3.9.1.5). Reading changes nothing.
 */
#include "tcp/engine.h"

static void fill_addresses(const struct slt_tcp_id *id, struct salut_info *info)
{
    memcpy(info->local.b, id->local, sizeof(id->local));
    memcpy(info->remote.b, id->remote, sizeof(id->remote));
    info->local_port = id->local_port;
    info->remote_port = id->remote_port;
}

static void fill_timer(const struct slt_tcp_conn *c, int64_t now_ns, struct salut_info *info)
{
    int64_t next_ns = SLT_NEVER;

    for (unsigned t = 0; t < SLT_TIMER_COUNT; t++) {
        int64_t due_ns = slt_tcp_timer_due(c, (enum slt_tcp_timer)t);
        if (t != SLT_TIMER_TUNE && due_ns < next_ns) { /* tuning is our own housekeeping */
            next_ns = due_ns;
            info->timer = (uint8_t)(t + 1);
            info->timer_in_ns = slt_max64(due_ns - now_ns, 0);
        }
    }
}

static void fill_negotiated(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct salut_info *info)
{
    info->wscale_ok = slt_tcp_has(c, SLT_CONN_WSCALE_OK);
    info->sack_ok = slt_tcp_has(c, SLT_CONN_SACK_OK);
    info->timestamps_ok = slt_tcp_has(c, SLT_CONN_TS_OK);
    info->ecn_ok = (c->ecn & (SLT_ECN_OK | SLT_ECN_ACCURATE)) != 0;
    info->ecn_accurate = (c->ecn & SLT_ECN_ACCURATE) != 0;
    info->fast_open = slt_tcp_has(c, SLT_CONN_FAST_OPEN);
    info->send_wscale = c->snd.wscale;
    info->recv_wscale = c->rcv.wscale;
    info->peer_mss = c->snd.peer_mss;
    info->pmtu = c->snd.pmtu;
    info->recv_mss = c->rcv.mss_seen;
    info->send_mss = (uint16_t)slt_tcp_full_mss(tcp, c);
    info->advertised_mss = slt_tcp_advertised_mss(tcp->config, c->ip_bytes, c->opts.max_segment);
}

static void fill_sending(const struct slt_tcp_conn *c, struct salut_info *info)
{
    int64_t unsent = slt_tcp_unsent_bytes(c, c->snd.nxt);

    info->send_isn = c->snd.isn;
    info->send_una = c->snd.una;
    info->send_nxt = c->snd.nxt;
    info->send_window = c->snd.wnd;
    info->send_window_max = c->snd.wnd_max;
    info->send_queued = c->snd.queue.bytes;
    info->send_unsent = (uint32_t)slt_max64(unsent, 0);
    info->send_buffer = c->snd.buffer_max;
    info->fin_queued = slt_tcp_has(c, SLT_CONN_FIN_QUEUED);
    info->fin_sent = slt_tcp_has(c, SLT_CONN_FIN_SENT);
    info->fin_acked = info->fin_sent && c->snd.una == c->snd.nxt;
    info->bytes_acked = (uint64_t)slt_max64(c->snd.una - 1 - info->fin_acked, 0);
    info->bytes_sent = (uint64_t)slt_max64(c->snd.nxt - 1 - info->fin_sent, 0);
}

static void fill_receiving(const struct slt_tcp_conn *c, struct salut_info *info)
{
    bool fin = slt_tcp_has(c, SLT_CONN_FIN_TAKEN);

    info->recv_isn = c->rcv.isn;
    info->recv_nxt = c->rcv.nxt;
    info->recv_edge = c->rcv.edge;
    info->recv_window = (uint32_t)slt_max64(c->rcv.edge - c->rcv.nxt, 0);
    info->recv_queued = c->rcv.queue.bytes;
    info->recv_buffer = c->rcv.buffer_max;
    info->fin_received = fin;
    info->bytes_received = (uint64_t)slt_max64(c->rcv.nxt - 1 - (fin ? 1 : 0), 0);
    if (c->cold != NULL) {
        const struct slt_tcp_held *held = &c->cold->held;
        info->recv_out_of_order = held->bytes;
        info->recv_runs = held->runs.count;
    }
}

/* What a connection knows of its past while it has a cold block, in use or at rest. */
static void fill_past(const struct slt_tcp_conn *c, int64_t now_ns, struct salut_info *info)
{
    const struct slt_tcp_cold *cold = c->cold;

    slt_tcp_limits_info(&cold->limits, now_ns, info);
    info->bytes_retransmitted = cold->retransmitted_bytes;
    info->delivered = cold->delivered;
    info->data_segs_out = cold->data_segs_out;
    info->dsack_dups = cold->tally.dup_segs;
    info->recoveries = cold->tally.recoveries;
    info->timeouts = cold->tally.timeouts;
    info->ecn_reductions = cold->tally.marked;
    info->undone = cold->tally.undone;
    info->reord_seen = cold->recovery.rack.late_segs;
    info->recv_ooo_segs = cold->held_segs;
    if (c->ecn & SLT_ECN_ACCURATE) {
        info->ce_received = cold->accecn.r_cep - SLT_ACCECN_START;
        info->ce_told = cold->accecn.s_cep - SLT_ACCECN_START;
    }
}

/* What is in flight, and how it fares. */
static void fill_flight(const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold, uint32_t mss,
                        struct salut_info *info)
{
    const struct slt_records *rs = &cold->recovery.records;
    int64_t flight = slt_tcp_flight(c, &cold->recovery);

    info->probes = (uint8_t)slt_max32(info->probes, cold->recovery.probes);
    info->recv_rtt_us = cold->tune.rtt_us;
    info->ca_state = cold->recovery.ca_state;
    info->cwnd_bytes = cold->cc.cwnd_bytes;
    info->ssthresh_bytes = cold->cc.ssthresh_bytes;
    info->paced = cold->pacing.bytes_per_s != 0;
    info->pacing_rate = info->paced ? cold->pacing.bytes_per_s
                                    : slt_cc_pacing_bytes_per_s(&cold->cc, info->srtt_us, mss);
    info->delivery_rate = slt_rate_per_s(&cold->rate.pace);
    info->delivery_app_limited = cold->rate.last_app_limited;
    info->flight_bytes = (uint32_t)slt_max64(flight, 0);
    info->lost_segments = rs->lost_segs;
    info->sacked_segments = rs->sacked_segs;
    info->retrans_segments = (rs->rtx_bytes + mss - 1) / mss;
}

static void fill_time_and_congestion(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                     int64_t now_ns, struct salut_info *info)
{
    info->srtt_us = c->rtt.srtt8_us >> 3;
    info->rttvar_us = c->rtt.rttvar4_us >> 2;
    info->rtt_min_us = c->rtt.min_us == UINT32_MAX ? 0 : c->rtt.min_us;
    info->rto_us = (uint32_t)(slt_tcp_rto_ns(tcp, c) / SLT_NS_PER_US);
    info->probes = c->acks.probes;
    info->backoff = c->backoff;
    info->congestion = slt_tcp_cc_of(c);
    info->pacing_max = c->opts.pace_max;
    info->cwnd_bytes = c->cc_fold.cwnd_bytes;
    info->ssthresh_bytes = c->cc_fold.ssthresh_bytes;
    if (slt_tcp_awake(c) != NULL) {
        fill_flight(c, c->cold, slt_tcp_full_mss(tcp, c), info);
    }
    if (c->cold != NULL) {
        fill_past(c, now_ns, info);
    }
}

void slt_tcp_info(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t now_ns,
                  struct salut_info *info)
{
    memset(info, 0, sizeof(*info));
    info->object = SALUT_IS_CONN;
    info->state = c->state;
    info->passive = slt_tcp_has(c, SLT_CONN_PASSIVE);
    info->orphan = slt_tcp_has(c, SLT_CONN_ORPHAN);
    info->status = c->status;
    info->soft_status = c->soft_status;
    info->end_reason = c->end_reason;
    info->age_ns = now_ns / SLT_NS_PER_US * SLT_NS_PER_US - slt_tcp_state_since_ns(c, now_ns);
    info->reordering = 3;
    info->segs_in = c->segs_in;
    info->segs_out = c->segs_out;
    info->retransmits = c->retransmits;
    info->history_count = slt_tcp_history_read(c, now_ns, info->history);
    fill_addresses(&c->id, info);
    fill_timer(c, now_ns, info);
    fill_negotiated(tcp, c, info);
    fill_sending(c, info);
    fill_receiving(c, info);
    fill_time_and_congestion(tcp, c, now_ns, info);
}

void slt_tcp_half_open_info(const struct slt_tcp *tcp, const struct slt_tcp_half_open *h,
                            int64_t now_ns, struct salut_info *info)
{
    (void)tcp;
    memset(info, 0, sizeof(*info));
    info->object = SALUT_IS_HALF_OPEN;
    info->state = SALUT_STATE_SYN_RECEIVED;
    info->passive = 1;
    info->age_ns = (int64_t)(slt_tcp_ts_clock(now_ns) - h->made_at_ms) * SLT_NS_PER_MS;
    info->timer = SLT_TIMER_RETRANSMIT + 1;
    info->timer_in_ns = slt_max64(h->due_at_ns - now_ns, 0);
    info->backoff = h->retries;
    info->peer_mss = h->mss;
    info->wscale_ok = (h->flags & SLT_HALF_WSCALE_OK) != 0;
    info->sack_ok = (h->flags & SLT_HALF_SACK_OK) != 0;
    info->timestamps_ok = (h->flags & SLT_HALF_TS_OK) != 0;
    info->ecn_ok = (h->flags & (SLT_HALF_ECN | SLT_HALF_ACCECN)) != 0;
    info->ecn_accurate = (h->flags & SLT_HALF_ACCECN) != 0;
    info->send_isn = h->isn;
    info->send_nxt = 1;
    info->send_window = h->window;
    info->recv_isn = h->irs;
    info->recv_nxt = 1;
    info->history_count = 1;
    info->history[0] = (struct salut_history){.at_ns = now_ns - info->age_ns,
                                              .from = SALUT_STATE_LISTEN,
                                              .to = SALUT_STATE_SYN_RECEIVED,
                                              .reason = SLT_CAUSE_PASSIVE_OPEN};
    fill_addresses(&h->id, info);
}

void slt_tcp_time_wait_info(const struct slt_tcp *tcp, const struct slt_tcp_time_wait *tw,
                            int64_t now_ns, struct salut_info *info)
{
    int64_t due_at_ns = slt_tcp_time_wait_due_at_ns(tw, now_ns);

    memset(info, 0, sizeof(*info));
    info->object = SALUT_IS_TIME_WAIT;
    info->state = SALUT_STATE_TIME_WAIT;
    info->orphan = 1;
    info->end_reason = (uint8_t)slt_tcp_time_wait_reason(tw);
    info->timer = SLT_TIMER_TIME_WAIT + 1;
    info->timer_in_ns = slt_max64(due_at_ns - now_ns, 0);
    /* Since the last FIN: a restart of 2MSL is not told apart from the entry. */
    info->age_ns = slt_max64(2 * tcp->config->msl_ns - info->timer_in_ns, 0);
    fill_addresses(&tw->id, info);
}
