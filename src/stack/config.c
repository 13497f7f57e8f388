/* Profiles and limits: what salut_config_init fills in, and what salut_create accepts.
 *
 * The "linux" profile has Linux's numbers and wire image, the "rfc" profile those of the RFCs to
 * the letter; where the two differ the field's line says which decision it is (D-01 .. D-26 of the
 * conformance page, L-xx for what Linux alone does). Everything that is the same in both is set
 * once. Validation is a list of ranges: a configuration that passes cannot make any computation
 * below overflow or any pool impossible.
 */
#include "stack/stack.h"

#include "base/time.h"

static void set_limits(struct salut_config *config)
{
    config->conns_max = 65536;
    config->half_open_max = 4096;
    config->time_wait_max = 65536;
    config->listeners_max = 256;
    config->udp_max = 64;
    config->buffers_max = 65536;
    config->buffer_bytes = 4096;
    config->ranges_max = 65536;
    config->ranges_per_conn_max = 512;
    config->records_max = 65536;
    config->loans_max = 65536;
    config->neighbours_max = 1024;
    config->fragments_max = 64;
    config->fragment_bytes_max = 4U * 1024 * 1024;
    config->addresses_max = 16;
    config->routes_max = 32;
    config->event_ring = 4096;
    config->timers_per_turn = 1024;
}

static void set_network(struct salut_config *config)
{
    config->link_kind = SALUT_LINK_ETHERNET;
    config->mtu = 1500;
    config->gso_max_bytes = 0;
    config->tx_checksum = 0;
    config->mtu_varies = 0;
    config->ttl = 64;
    config->ping = 1;
    config->duplicate_address_detection = 0;
    config->slaac = 0;
    config->fragment_timeout6_ns = 60 * SLT_NS_PER_S;
    config->icmp_rate_per_s = 1000;
    config->icmp_burst = 50;
    config->udp_send_buffer_bytes = 212992;
    config->udp_recv_buffer_bytes = 212992;
}

static void set_tcp(struct salut_config *config)
{
    config->send_buffer_bytes = 262144;
    config->recv_buffer_bytes = 131072;
    config->recv_buffer_min_bytes = 4096;
    config->send_buffer_max_bytes = 4194304;
    config->tune_send_buffer = 1;
    config->tune_recv_buffer = 1;
    config->window_scaling = 1;
    config->window_scale = 255;
    config->recv_buffer_max_bytes = 6291456;
    config->timestamps = 1;
    config->sack = 1;
    config->dsack = 1;
    config->nagle = 1;
    config->nagle_slack_ns = SLT_NS_PER_MS;
    config->mss_min = 48;
    config->initial_window_segments = 10; /* D-25 */
    config->congestion = SALUT_CC_CUBIC;
    config->pacing = 0;           /* as Linux without fq; BBR is paced in any case */
    config->bbr_loss_percent = 2; /* BBR-05 */
    config->mtu_probing = 1;
    config->mtu_black_hole_bytes = 1280;
    config->mtu_probe_interval_ns = 600 * SLT_NS_PER_S; /* RFC 1191 6.3, RFC 4821 7.7 */
    config->user_timeout_option = 0;
    config->user_timeout_low_ns = 100 * SLT_NS_PER_S; /* RFC 5482 3.1 (R5482-03) */
    config->user_timeout_high_ns = 12 * 3600 * SLT_NS_PER_S;
    config->ecn = SALUT_ECN_ACCEPT; /* L-30 */
    config->ecn_fallback = 1;
    config->fast_open_servers_max = 64;
    config->fast_open_pending_max = 1024;
    config->fast_open_key_ns = 3600 * SLT_NS_PER_S;
    config->fast_open_retry_ns = 3600 * SLT_NS_PER_S;
    config->rto_initial_ns = SLT_NS_PER_S;
    config->rto_max_ns = 120 * SLT_NS_PER_S;
    config->tail_probe = 1;
    config->frto = 1;
    config->delayed_ack_ns = 40 * SLT_NS_PER_MS;
    config->syn_ack_retries = 5;
    config->retries1 = 3;
    config->orphan_retries = 8;
    config->reset_on_half_open_timeout = 0;          /* D-22 */
    config->keepalive_idle_ns = 7200 * SLT_NS_PER_S; /* MUST-28 */
    config->keepalive_interval_ns = 75 * SLT_NS_PER_S;
    config->keepalive_probes = 9;
    config->quiet_time_ns = 0;
    config->time_wait_rst_kills = 0; /* D-02 */
    config->syn_cookies = SALUT_COOKIES_WHEN_FULL;
    config->overflow = SALUT_OVERFLOW_DROP;
    config->challenge_interval_ms = 500; /* D-23 */
}

static void set_linux(struct salut_config *config)
{
    config->fragment_timeout4_ns = 30 * SLT_NS_PER_S; /* L-57 */
    config->port_low = 32768;                         /* L-43 */
    config->port_high = 60999;
    config->msl_ns = 30 * SLT_NS_PER_S;       /* D-01 */
    config->rto_min_ns = 200 * SLT_NS_PER_MS; /* D-12 */
    config->rto_var_floor = 1;                /* L-10 */
    config->paws_slack_ticks = 1;
    config->ack_on_read = 1;                    /* L-19 */
    config->fast_open = SALUT_FAST_OPEN_CLIENT; /* L-62 */
    config->quick_acks = 16;                    /* L-19 */
    config->syn_retries = 6;                    /* D-11 */
    config->retries2 = 15;                      /* D-10, SHLD-11 */
    config->reset_on_timeout = 0;               /* D-07 */
    config->user_timeout_ns = 0;                /* D-10 */
    config->fin_wait_2_ns = 60 * SLT_NS_PER_S;  /* D-08 */
    config->probe_with_data = 0;                /* D-24 */
    config->syn_fin_processed = 0;              /* D-14 */
    config->soft_icmp_aborts_syn = 1;           /* D-26 */
    config->time_wait_any_restarts = 1;         /* conformance note n16 */
    config->old_syn_time_wait_dropped = 0;      /* D-21 */
    config->shutdown_twice_fails = 0;           /* D-17 */
    config->ack_unsent_silent = 1;              /* L-08 */
}

static void set_rfc(struct salut_config *config)
{
    config->fragment_timeout4_ns = 60 * SLT_NS_PER_S; /* RFC 1122 3.3.2 */
    config->port_low = 1024;                          /* RFC 6056 3.2 */
    config->port_high = 65535;
    config->msl_ns = 120 * SLT_NS_PER_S; /* D-01 */
    config->rto_min_ns = SLT_NS_PER_S;   /* D-12 */
    config->congestion = SALUT_CC_NEWRENO;
    config->paws_slack_ticks = 0;
    config->ack_on_read = 0;
    config->nagle_slack_ns = 0;
    config->fast_open = 0; /* RFC 7413 2: off until asked for (R7413-01) */
    config->quick_acks = 0;
    config->syn_retries = 7;                      /* D-11 (MUST-23) */
    config->retries2 = 0;                         /* D-10: the user timeout decides */
    config->reset_on_timeout = 1;                 /* D-07 */
    config->user_timeout_ns = 300 * SLT_NS_PER_S; /* D-10 */
    config->fin_wait_2_ns = 0;                    /* D-08 */
    config->probe_with_data = 1;                  /* D-24 */
    config->syn_fin_processed = 1;                /* D-14 */
    config->soft_icmp_aborts_syn = 0;             /* D-26 */
    config->time_wait_any_restarts = 0;
    config->old_syn_time_wait_dropped = 1; /* D-21 */
    config->shutdown_twice_fails = 1;      /* D-17 */
    config->ack_unsent_silent = 0;
}

void salut_config_init(struct salut_config *config, enum salut_profile profile)
{
    *config = (struct salut_config){.struct_bytes = (uint32_t)sizeof(*config),
                                    .profile = (uint32_t)profile};
    set_limits(config);
    set_network(config);
    set_tcp(config);
    if (profile == SALUT_PROFILE_RFC) {
        set_rfc(config);
    } else {
        set_linux(config);
    }
}

/* No limit may need more than 30 bits of index (base/flow.h), and those that share tables are
 * bounded so that their sums stay far from overflow. */
#define LIMIT_OBJECTS_MAX (SLT_POOL_OBJECTS_MAX / 4U)

static bool limits_ok(const struct salut_config *c)
{
    const uint32_t objects[] = {
        c->conns_max,
        c->half_open_max,
        c->time_wait_max,
        c->listeners_max,
        c->udp_max,
        c->buffers_max,
        c->ranges_max,
        c->records_max,
        c->loans_max,
        c->fragments_max,
        c->addresses_max,
        c->routes_max,
        c->event_ring,
        c->neighbours_max,
        c->fast_open_servers_max,
        c->fast_open_pending_max,
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(objects); i++) {
        if (objects[i] > LIMIT_OBJECTS_MAX) {
            return false;
        }
    }
    /* A connection keeps its neighbour in 16 bits, one value of which says "none yet". */
    if (c->neighbours_max > UINT16_MAX - 1 || c->addresses_max > UINT16_MAX ||
        c->routes_max > UINT16_MAX || c->listeners_max > UINT16_MAX) {
        return false;
    }
    if (c->conns_max == 0 || c->buffers_max == 0 || c->addresses_max == 0) {
        return false;
    }
    if (c->buffer_bytes < 64 || c->buffer_bytes > 65536 || c->buffer_bytes % 4 != 0) {
        return false;
    }
    return (c->event_ring & (c->event_ring - 1)) == 0 && c->timers_per_turn > 0;
}

static bool network_ok(const struct salut_config *c)
{
    if (c->link_kind != SALUT_LINK_ETHERNET && c->link_kind != SALUT_LINK_IP) {
        return false;
    }
    /* RFC 791 3.2: every link carries 68 octets; IPv6 asks for 1280 (RFC 8200 5), which is checked
     * when an IPv6 address is added. */
    if (c->mtu < 68 || c->gso_max_bytes > 65535) {
        return false;
    }
    if (c->link_kind == SALUT_LINK_ETHERNET && slt_mac_is_group(c->mac)) {
        return false;
    }
    /* A frame refers to its bytes in so many pieces; the first may be cut anywhere, the last lie
     * before a loan that is not reached. */
    if ((SALUT_FRAME_PIECES_MAX - 2) * c->buffer_bytes < c->mtu) {
        return false;
    }
    return c->ttl > 0 && c->port_low > 0 && c->port_low <= c->port_high &&
           c->fragment_timeout4_ns > 0 && c->fragment_timeout6_ns > 0;
}

static bool between(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

#define YEAR_NS (INT64_C(366) * 86400 * SLT_NS_PER_S)

static bool timers_ok(const struct salut_config *c)
{
    /* RFC 9293 3.8.6.3 (MUST-40): an acknowledgement is never held half a second. */
    if (!between(c->delayed_ack_ns, 0, 500 * SLT_NS_PER_MS - 1)) {
        return false;
    }
    if (!between(c->rto_min_ns, SLT_NS_PER_MS, c->rto_max_ns) ||
        !between(c->rto_initial_ns, SLT_NS_PER_MS, c->rto_max_ns) ||
        !between(c->rto_max_ns, SLT_NS_PER_MS, 3600 * SLT_NS_PER_S)) {
        return false;
    }
    if (!between(c->nagle_slack_ns, 0, SLT_NS_PER_S)) {
        return false;
    }
    /* A TIME-WAIT entry keeps its deadline in 22 bits of milliseconds, read as nearest to now. */
    if (!between(c->msl_ns, SLT_NS_PER_MS, 1000 * SLT_NS_PER_S)) {
        return false;
    }
    /* RFC 5482 3.1 (R5482-03): the peer cannot bring the user timeout below 100 s. */
    if (!between(c->user_timeout_low_ns, 100 * SLT_NS_PER_S, YEAR_NS) ||
        !between(c->user_timeout_high_ns, c->user_timeout_low_ns, YEAR_NS) ||
        !between(c->mtu_probe_interval_ns, SLT_NS_PER_S, YEAR_NS)) {
        return false;
    }
    return between(c->user_timeout_ns, 0, YEAR_NS) && between(c->fin_wait_2_ns, 0, YEAR_NS) &&
           between(c->keepalive_idle_ns, SLT_NS_PER_MS, YEAR_NS) &&
           between(c->keepalive_interval_ns, SLT_NS_PER_MS, YEAR_NS) &&
           between(c->quiet_time_ns, 0, YEAR_NS) &&
           between(c->start_at_ns, INT64_MIN / 4, INT64_MAX / 4);
}

static bool tcp_ok(const struct salut_config *c)
{
    const uint32_t buffers_max = UINT32_C(1) << 30; /* RFC 7323 2.3: no window reaches 2^30 */
    if (c->send_buffer_bytes == 0 || c->send_buffer_bytes > buffers_max ||
        c->recv_buffer_bytes == 0 || c->recv_buffer_bytes > buffers_max) {
        return false;
    }
    if (c->send_buffer_max_bytes > buffers_max || c->recv_buffer_max_bytes > buffers_max) {
        return false;
    }
    if (c->window_scale > 14 && c->window_scale != 255) {
        return false;
    }
    /* RFC 791 3.2: what swallows 68 octets is no path. */
    if (c->mtu_black_hole_bytes < 68) {
        return false;
    }
    if (c->ecn > SALUT_ECN_ACCURATE ||
        c->fast_open > (SALUT_FAST_OPEN_CLIENT | SALUT_FAST_OPEN_SERVER) ||
        !between(c->fast_open_key_ns, SLT_NS_PER_S, YEAR_NS) ||
        !between(c->fast_open_retry_ns, SLT_NS_PER_S, YEAR_NS)) {
        return false;
    }
    if (c->bbr_loss_percent < 1 || c->bbr_loss_percent > 20) {
        return false;
    }
    return c->mss_min > 0 && c->initial_window_segments > 0 && c->congestion < SALUT_CC_COUNT &&
           c->syn_ack_retries <= SLT_HALF_OPEN_RETRIES_MAX &&
           c->syn_cookies <= SALUT_COOKIES_ALWAYS && c->overflow <= SALUT_OVERFLOW_RESET;
}

static bool udp_ok(const struct salut_config *c)
{
    const uint32_t most = UINT32_C(1) << 30;
    return c->udp_send_buffer_bytes > 0 && c->udp_send_buffer_bytes <= most &&
           c->udp_recv_buffer_bytes > 0 && c->udp_recv_buffer_bytes <= most;
}

static bool memory_ok(const struct salut_config *c)
{
    if (c->memory) {
        return c->memory_bytes > 0;
    }
    return c->alloc != NULL && c->free != NULL;
}

bool slt_config_limits_ok(const struct salut_config *config)
{
    return config->struct_bytes == sizeof(*config) && config->profile <= SALUT_PROFILE_RFC &&
           limits_ok(config) && network_ok(config) && timers_ok(config) && tcp_ok(config) &&
           udp_ok(config);
}

bool slt_config_ok(const struct salut_config *config)
{
    return slt_config_limits_ok(config) && memory_ok(config);
}
