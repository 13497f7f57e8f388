/* Configuration fields by name, for "cfg.name=value" in a constructor. */
#include "tests/conform/conform.h"

#include <string.h>

struct field {
    const char *name;
    size_t offset;
    size_t bytes;
};

#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct salut_config, name), sizeof(((struct salut_config *)0)->name)       \
    }

static const struct field fields[] = {
    FIELD(conns_max),
    FIELD(half_open_max),
    FIELD(time_wait_max),
    FIELD(buffers_max),
    FIELD(ranges_per_conn_max),
    FIELD(records_max),
    FIELD(tail_probe),
    FIELD(frto),
    FIELD(congestion),
    FIELD(pacing),
    FIELD(bbr_loss_percent),
    FIELD(neighbours_max),
    FIELD(fragments_max),
    FIELD(fragment_bytes_max),
    FIELD(mtu),
    FIELD(gso_max_bytes),
    FIELD(mtu_varies),
    FIELD(ttl),
    FIELD(ping),
    FIELD(duplicate_address_detection),
    FIELD(slaac),
    FIELD(fragment_timeout4_ns),
    FIELD(fragment_timeout6_ns),
    FIELD(icmp_rate_per_s),
    FIELD(icmp_burst),
    FIELD(port_low),
    FIELD(port_high),
    FIELD(send_buffer_bytes),
    FIELD(recv_buffer_bytes),
    FIELD(window_scaling),
    FIELD(window_scale),
    FIELD(recv_buffer_max_bytes),
    FIELD(send_buffer_max_bytes),
    FIELD(tune_send_buffer),
    FIELD(tune_recv_buffer),
    FIELD(mtu_probing),
    FIELD(mtu_black_hole_bytes),
    FIELD(mtu_probe_interval_ns),
    FIELD(ack_on_read),
    FIELD(paws_slack_ticks),
    FIELD(nagle_slack_ns),
    FIELD(user_timeout_option),
    FIELD(user_timeout_low_ns),
    FIELD(user_timeout_high_ns),
    FIELD(ecn),
    FIELD(ecn_fallback),
    FIELD(fast_open),
    FIELD(fast_open_servers_max),
    FIELD(fast_open_pending_max),
    FIELD(fast_open_key_ns),
    FIELD(fast_open_retry_ns),
    FIELD(timestamps),
    FIELD(sack),
    FIELD(dsack),
    FIELD(nagle),
    FIELD(mss_min),
    FIELD(initial_window_segments),
    FIELD(msl_ns),
    FIELD(rto_initial_ns),
    FIELD(rto_min_ns),
    FIELD(rto_max_ns),
    FIELD(delayed_ack_ns),
    FIELD(quick_acks),
    FIELD(syn_retries),
    FIELD(syn_ack_retries),
    FIELD(retries1),
    FIELD(retries2),
    FIELD(orphan_retries),
    FIELD(reset_on_timeout),
    FIELD(reset_on_half_open_timeout),
    FIELD(user_timeout_ns),
    FIELD(fin_wait_2_ns),
    FIELD(keepalive_idle_ns),
    FIELD(keepalive_interval_ns),
    FIELD(keepalive_probes),
    FIELD(probe_with_data),
    FIELD(quiet_time_ns),
    FIELD(time_wait_rst_kills),
    FIELD(syn_fin_processed),
    FIELD(soft_icmp_aborts_syn),
    FIELD(old_syn_time_wait_dropped),
    FIELD(shutdown_twice_fails),
    FIELD(ack_unsent_silent),
    FIELD(syn_cookies),
    FIELD(overflow),
    FIELD(challenge_interval_ms),
};

/* A seed differs from the usual one in its first octet. */
static bool override_seed(struct salut_config *config, const char *name, int64_t value)
{
    if (strcmp(name, "seed") != 0) {
        return false;
    }
    config->seed[0] = (uint8_t)value;
    return true;
}

bool config_override(struct salut_config *config, const char *name, int64_t value)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].name, name) != 0) {
            continue;
        }
        uint8_t *at = (uint8_t *)config + fields[i].offset;
        uint16_t two = (uint16_t)value;
        uint32_t four = (uint32_t)value;
        if (fields[i].bytes == 1) {
            *at = (uint8_t)value;
        } else if (fields[i].bytes == 2) {
            memcpy(at, &two, 2);
        } else if (fields[i].bytes == 4) {
            memcpy(at, &four, 4);
        } else {
            memcpy(at, &value, 8);
        }
        return true;
    }
    return override_seed(config, name, value);
}
