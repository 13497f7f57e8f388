/* The table of settings.
 *
 * A row names a field by its place and width in struct salut_config, the unit of a bare number,
 * and the range it must lie in; what lies outside is refused here rather than by salut_create, so
 * that the complaint names the key. Settings of Linux's that tune what this stack does not have
 * are listed too: scripts set them by habit, and refusing the script would help nobody.
 */
#include "lab/script_settings.h"

#include "base/compiler.h"
#include "base/time.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name)                                                                                \
    offsetof(struct salut_config, name), (uint8_t)sizeof(((struct salut_config *)0)->name)

struct row {
    const char *key;
    size_t offset;
    uint8_t width;
    bool live;       /* may change while the instance runs */
    int64_t unit_ns; /* 0: a plain number; else what a bare number counts */
    int64_t min;     /* in ns for times */
    int64_t max;
};

#define MS        SLT_NS_PER_MS
#define SECOND    SLT_NS_PER_S
#define LONG_NS   (INT64_C(1000000) * SLT_NS_PER_S)
#define BYTES_MAX 0x3fffffff

static const struct row ROWS[] = {
    {"mtu", FIELD(mtu), false, 0, 68, 65535},
    {"gso_max_bytes", FIELD(gso_max_bytes), false, 0, 0, 65535},
    {"mtu_varies", FIELD(mtu_varies), true, 0, 0, 1},
    {"ttl", FIELD(ttl), true, 0, 1, 255},
    {"ip_default_ttl", FIELD(ttl), true, 0, 1, 255},
    {"ping", FIELD(ping), true, 0, 0, 1},
    {"icmp_rate_per_s", FIELD(icmp_rate_per_s), true, 0, 0, 1000000},
    {"icmp_burst", FIELD(icmp_burst), true, 0, 0, 1000000},
    {"port_low", FIELD(port_low), true, 0, 1, 65535},
    {"port_high", FIELD(port_high), true, 0, 1, 65535},
    {"conns_max", FIELD(conns_max), false, 0, 1, 65536},
    {"half_open_max", FIELD(half_open_max), false, 0, 1, 65536},
    {"tcp_max_syn_backlog", FIELD(half_open_max), false, 0, 1, 65536},
    {"time_wait_max", FIELD(time_wait_max), false, 0, 0, 65536},
    {"tcp_max_tw_buckets", FIELD(time_wait_max), false, 0, 0, 65536},
    {"buffers_max", FIELD(buffers_max), false, 0, 1, 65536},
    {"ranges_per_conn_max", FIELD(ranges_per_conn_max), false, 0, 1, 65536},
    {"send_buffer_bytes", FIELD(send_buffer_bytes), true, 0, 1, BYTES_MAX},
    {"recv_buffer_bytes", FIELD(recv_buffer_bytes), true, 0, 1, BYTES_MAX},
    {"recv_buffer_max_bytes", FIELD(recv_buffer_max_bytes), true, 0, 1, BYTES_MAX},
    {"send_buffer_max_bytes", FIELD(send_buffer_max_bytes), true, 0, 1, BYTES_MAX},
    {"tune_recv_buffer", FIELD(tune_recv_buffer), true, 0, 0, 1},
    {"tcp_moderate_rcvbuf", FIELD(tune_recv_buffer), true, 0, 0, 1},
    {"tune_send_buffer", FIELD(tune_send_buffer), true, 0, 0, 1},
    {"mtu_probing", FIELD(mtu_probing), true, 0, 0, 1},
    {"mtu_black_hole_bytes", FIELD(mtu_black_hole_bytes), true, 0, 68, 65535},
    {"mtu_probe_interval", FIELD(mtu_probe_interval_ns), true, SECOND, SECOND, LONG_NS},
    {"tcp_probe_interval", FIELD(mtu_probe_interval_ns), true, SECOND, SECOND, LONG_NS},
    {"ack_on_read", FIELD(ack_on_read), true, 0, 0, 1},
    {"user_timeout_option", FIELD(user_timeout_option), true, 0, 0, 1},
    {"user_timeout_low", FIELD(user_timeout_low_ns), true, SECOND, 100 * SECOND, LONG_NS},
    {"user_timeout_high", FIELD(user_timeout_high_ns), true, SECOND, 100 * SECOND, LONG_NS},
    {"window_scaling", FIELD(window_scaling), true, 0, 0, 1},
    {"tcp_window_scaling", FIELD(window_scaling), true, 0, 0, 1},
    {"window_scale", FIELD(window_scale), true, 0, 0, 255},
    {"ecn", FIELD(ecn), true, 0, 0, 3},
    {"tcp_ecn", FIELD(ecn), true, 0, 0, 3},
    {"ecn_fallback", FIELD(ecn_fallback), true, 0, 0, 1},
    {"tcp_ecn_fallback", FIELD(ecn_fallback), true, 0, 0, 1},
    {"fast_open", FIELD(fast_open), false, 0, 0, 3},
    {"tcp_fastopen", FIELD(fast_open), false, 0, 0, 3},
    {"fast_open_key", FIELD(fast_open_key_ns), true, SECOND, SECOND, LONG_NS},
    {"fast_open_retry", FIELD(fast_open_retry_ns), true, SECOND, SECOND, LONG_NS},
    {"timestamps", FIELD(timestamps), true, 0, 0, 1},
    {"paws_slack_ticks", FIELD(paws_slack_ticks), true, 0, 0, 255},
    {"sack", FIELD(sack), true, 0, 0, 1},
    {"tcp_sack", FIELD(sack), true, 0, 0, 1},
    {"dsack", FIELD(dsack), true, 0, 0, 1},
    {"tcp_dsack", FIELD(dsack), true, 0, 0, 1},
    {"nagle", FIELD(nagle), true, 0, 0, 1},
    {"nagle_slack", FIELD(nagle_slack_ns), true, MS, 0, SECOND},
    {"mss_min", FIELD(mss_min), true, 0, 28, 65535},
    {"tcp_min_snd_mss", FIELD(mss_min), true, 0, 28, 65535},
    {"initial_window_segments", FIELD(initial_window_segments), true, 0, 1, 65535},
    {"initcwnd", FIELD(initial_window_segments), true, 0, 1, 65535},
    {"bbr_loss_percent", FIELD(bbr_loss_percent), true, 0, 1, 20},
    {"msl", FIELD(msl_ns), true, MS, 1, LONG_NS},
    {"rto_initial", FIELD(rto_initial_ns), true, MS, MS, LONG_NS},
    {"rto_min", FIELD(rto_min_ns), true, MS, MS, LONG_NS},
    {"tcp_rto_min_us", FIELD(rto_min_ns), true, 1000, MS, LONG_NS},
    {"rto_max", FIELD(rto_max_ns), true, MS, MS, LONG_NS},
    {"tcp_rto_max_ms", FIELD(rto_max_ns), true, MS, MS, LONG_NS},
    {"tail_probe", FIELD(tail_probe), true, 0, 0, 1},
    {"tcp_early_retrans", FIELD(tail_probe), true, 0, 0, 4},
    {"frto", FIELD(frto), true, 0, 0, 1},
    {"tcp_frto", FIELD(frto), true, 0, 0, 2},
    {"records_max", FIELD(records_max), false, 0, 0, 65536},
    {"loans_max", FIELD(loans_max), false, 0, 0, 65536},
    {"delayed_ack", FIELD(delayed_ack_ns), true, MS, 0, 499 * MS},
    {"quick_acks", FIELD(quick_acks), true, 0, 0, 255},
    {"syn_retries", FIELD(syn_retries), true, 0, 0, 255},
    {"tcp_syn_retries", FIELD(syn_retries), true, 0, 0, 255},
    {"syn_ack_retries", FIELD(syn_ack_retries), true, 0, 0, 15},
    {"tcp_synack_retries", FIELD(syn_ack_retries), true, 0, 0, 15},
    {"retries1", FIELD(retries1), true, 0, 0, 255},
    {"tcp_retries1", FIELD(retries1), true, 0, 0, 255},
    {"retries2", FIELD(retries2), true, 0, 0, 255},
    {"tcp_retries2", FIELD(retries2), true, 0, 0, 255},
    {"orphan_retries", FIELD(orphan_retries), true, 0, 0, 255},
    {"reset_on_timeout", FIELD(reset_on_timeout), true, 0, 0, 1},
    {"reset_on_half_open_timeout", FIELD(reset_on_half_open_timeout), true, 0, 0, 1},
    {"user_timeout", FIELD(user_timeout_ns), true, MS, 0, LONG_NS},
    {"fin_wait_2", FIELD(fin_wait_2_ns), true, MS, 0, LONG_NS},
    {"tcp_fin_timeout", FIELD(fin_wait_2_ns), true, SECOND, 0, LONG_NS},
    {"keepalive_idle", FIELD(keepalive_idle_ns), true, MS, SECOND, LONG_NS},
    {"tcp_keepalive_time", FIELD(keepalive_idle_ns), true, SECOND, SECOND, LONG_NS},
    {"keepalive_interval", FIELD(keepalive_interval_ns), true, MS, SECOND, LONG_NS},
    {"tcp_keepalive_intvl", FIELD(keepalive_interval_ns), true, SECOND, SECOND, LONG_NS},
    {"keepalive_probes", FIELD(keepalive_probes), true, 0, 1, 255},
    {"tcp_keepalive_probes", FIELD(keepalive_probes), true, 0, 1, 255},
    {"probe_with_data", FIELD(probe_with_data), true, 0, 0, 1},
    {"quiet_time", FIELD(quiet_time_ns), false, MS, 0, LONG_NS},
    {"time_wait_rst_kills", FIELD(time_wait_rst_kills), true, 0, 0, 1},
    {"syn_fin_processed", FIELD(syn_fin_processed), true, 0, 0, 1},
    {"soft_icmp_aborts_syn", FIELD(soft_icmp_aborts_syn), true, 0, 0, 1},
    {"old_syn_time_wait_dropped", FIELD(old_syn_time_wait_dropped), true, 0, 0, 1},
    {"shutdown_twice_fails", FIELD(shutdown_twice_fails), true, 0, 0, 1},
    {"ack_unsent_silent", FIELD(ack_unsent_silent), true, 0, 0, 1},
    {"syn_cookies", FIELD(syn_cookies), true, 0, 0, 2},
    {"tcp_syncookies", FIELD(syn_cookies), true, 0, 0, 2},
    {"overflow", FIELD(overflow), true, 0, 0, 1},
    {"tcp_abort_on_overflow", FIELD(overflow), true, 0, 0, 1},
    {"challenge_interval_ms", FIELD(challenge_interval_ms), true, 0, 0, 3600000},
    {"tcp_invalid_ratelimit", FIELD(challenge_interval_ms), true, 0, 0, 3600000},
};

/* Settings of Linux's without a counterpart here; a key that ends in '*' stands for many. */
static const char *const NO_EFFECT[] = {
    "tcp_allowed_congestion_control",
    "tcp_app_win",
    "tcp_adv_win_scale",
    "tcp_autocorking",
    "tcp_challenge_ack_limit",
    "tcp_comp_sack*",
    "tcp_congestion_control",
    "tcp_ecn*",
    "tcp_fack",
    "tcp_fastopen*",
    "tcp_fwmark_accept",
    "tcp_init_cwnd",
    "tcp_limit_output_bytes",
    "tcp_low_latency",
    "tcp_max_reordering",
    "tcp_mem",
    "tcp_migrate_req",
    "tcp_min_rtt_wlen",
    "tcp_min_tso_segs",
    "tcp_mtu_*",
    "tcp_mtu_probing",
    "tcp_no_metrics_save",
    "tcp_no_ssthresh_metrics_save",
    "tcp_notsent_lowat",
    "tcp_pacing_*",
    "tcp_plb_*",
    "tcp_probe_threshold",
    "tcp_recovery",
    "tcp_reflect_tos",
    "tcp_reordering",
    "tcp_retrans_collapse",
    "tcp_shrink_window",
    "tcp_slow_start_after_idle",
    "tcp_stdurg",
    "tcp_syn_linear_timeouts",
    "tcp_thin_*",
    "tcp_tso_*",
    "tcp_tw_reuse*",
    "tcp_backlog_ack_defer",
    "tcp_workaround_signed_windows",
    "ip_no_pmtu_disc",
    "ip_nonlocal_bind",
    "optmem_max",
    "somaxconn",
    "rmem_max",
    "wmem_max",
    "default_qdisc",
};

static const char *base_name(const char *key)
{
    const char *name = key;
    for (const char *p = key; *p; p++) {
        if (*p == '.' || *p == '/') {
            name = p + 1;
        }
    }
    return name;
}

static void store(struct salut_config *config, const struct row *row, int64_t number)
{
    unsigned char *field = (unsigned char *)config + row->offset;
    uint8_t u8 = (uint8_t)number;
    uint16_t u16 = (uint16_t)number;
    uint32_t u32 = (uint32_t)number;

    if (row->width == 1) {
        memcpy(field, &u8, sizeof(u8));
    } else if (row->width == 2) {
        memcpy(field, &u16, sizeof(u16));
    } else if (row->width == 4) {
        memcpy(field, &u32, sizeof(u32));
    } else {
        memcpy(field, &number, sizeof(number));
    }
}

/* A number and its unit; false when it is neither, or too large to be multiplied. */
static bool read_value(const char *text, int64_t unit_ns, int64_t *number)
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"ns", 1}, {"us", 1000}, {"ms", MS}, {"s", SECOND}, {"min", 60 * SECOND}};
    char *end;
    long long value = strtoll(text, &end, 0);
    int64_t unit = unit_ns == 0 ? 1 : unit_ns;
    bool bare = *end == '\0';

    for (size_t i = 0; !bare && unit_ns != 0 && i < SLT_ARRAY_COUNT(units); i++) {
        if (strcmp(end, units[i].unit) == 0) {
            unit = units[i].ns;
            bare = true;
        }
    }
    if (end == text || !bare || value < 0 || value > INT64_MAX / unit) {
        return false;
    }
    *number = value * unit;
    return true;
}

static enum slt_setting_result apply_row(struct salut_config *config, const struct row *row,
                                         const char *value)
{
    int64_t number;
    if (!read_value(value, row->unit_ns, &number) || number < row->min || number > row->max) {
        return SLT_SETTING_BAD_VALUE;
    }
    store(config, row, number);
    return SLT_SETTING_TAKEN;
}

/* tcp_rmem and tcp_wmem: smallest, default and largest buffer. Linux's window is about half of
 * its buffer (the rest is the books'), ours the whole. */
static enum slt_setting_result apply_buffers(struct salut_config *config, const char *value,
                                             bool receive)
{
    long smallest;
    long usual;
    long largest;

    if (sscanf(value, "%ld %ld %ld", &smallest, &usual, &largest) != 3 || usual < 1 ||
        largest < usual || largest > BYTES_MAX) {
        return SLT_SETTING_BAD_VALUE;
    }
    if (receive) {
        config->recv_buffer_bytes = (uint32_t)usual;
        config->recv_buffer_max_bytes = (uint32_t)largest;
    } else {
        config->send_buffer_bytes = (uint32_t)largest;
        config->send_buffer_max_bytes = (uint32_t)largest;
    }
    return SLT_SETTING_TAKEN;
}

static enum slt_setting_result apply_port_range(struct salut_config *config, const char *value)
{
    unsigned low;
    unsigned high;
    if (sscanf(value, "%u %u", &low, &high) != 2 || low < 1 || high < low || high > 65535) {
        return SLT_SETTING_BAD_VALUE;
    }
    config->port_low = (uint16_t)low;
    config->port_high = (uint16_t)high;
    return SLT_SETTING_TAKEN;
}

/* Settings that are not one field's value as it stands. */
static enum slt_setting_result apply_special(struct salut_config *config, const char *key,
                                             const char *value)
{
    int64_t number = 0;

    if (strcmp(key, "tcp_rmem") == 0 || strcmp(key, "tcp_wmem") == 0) {
        return apply_buffers(config, value, key[4] == 'r');
    }
    if (strcmp(key, "ip_local_port_range") == 0) {
        return apply_port_range(config, value);
    }
    bool known = strcmp(key, "tcp_rfc1337") == 0 || strcmp(key, "icmp_echo_ignore_all") == 0 ||
                 strcmp(key, "tcp_timestamps") == 0 || strcmp(key, "tcp_orphan_retries") == 0;
    if (!known) {
        return SLT_SETTING_UNKNOWN;
    }
    if (!read_value(value, 0, &number) || number > 255) {
        return SLT_SETTING_BAD_VALUE;
    }
    if (strcmp(key, "tcp_rfc1337") == 0) {
        config->time_wait_rst_kills = number == 0;
    } else if (strcmp(key, "icmp_echo_ignore_all") == 0) {
        config->ping = number == 0;
    } else if (strcmp(key, "tcp_timestamps") == 0) {
        config->timestamps = number != 0; /* 2 is "without a random offset" */
    } else {
        config->orphan_retries = number == 0 ? 8 : (uint8_t)number; /* Linux reads 0 as 8 */
    }
    return SLT_SETTING_TAKEN;
}

static bool has_no_effect(const char *key)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(NO_EFFECT); i++) {
        size_t bytes = strlen(NO_EFFECT[i]);
        bool prefix = NO_EFFECT[i][bytes - 1] == '*';
        if (prefix ? strncmp(key, NO_EFFECT[i], bytes - 1) == 0 : strcmp(key, NO_EFFECT[i]) == 0) {
            return true;
        }
    }
    return false;
}

enum slt_setting_result slt_setting_apply(struct salut_config *config, const char *key,
                                          const char *value)
{
    const char *name = base_name(key);

    for (size_t i = 0; i < SLT_ARRAY_COUNT(ROWS); i++) {
        if (strcmp(ROWS[i].key, name) == 0) {
            return apply_row(config, &ROWS[i], value);
        }
    }
    enum slt_setting_result result = apply_special(config, name, value);
    if (result == SLT_SETTING_UNKNOWN && has_no_effect(name)) {
        return SLT_SETTING_NO_EFFECT;
    }
    return result;
}

/* Words of a shell line that set nothing themselves. */
static bool is_shell_noise(const char *word)
{
    size_t bytes = strlen(word);
    bool script =
        bytes > 3 && (strcmp(word + bytes - 3, ".sh") == 0 || strcmp(word + bytes - 3, ".py") == 0);
    return script || word[0] == '-' || strcmp(word, "sysctl") == 0 || strcmp(word, "set") == 0 ||
           strcmp(word, "true") == 0 || strcmp(word, "&&") == 0;
}

/* Take the next word: up to white space, a comma or a semicolon, none of which counts within
 * quotes. False at the end. */
static bool next_word(const char **line, char *word, uint32_t word_bytes)
{
    const char *p = *line;
    uint32_t used = 0;
    char quote = '\0';

    while (*p && strchr(" \t\r\n;,", *p)) {
        p++;
    }
    const char *start = p;
    for (; *p && (quote || !strchr(" \t\r\n;,", *p)); p++) {
        bool opens = !quote && (*p == '"' || *p == '\'');
        if (opens || *p == quote) {
            quote = opens ? *p : '\0';
        } else if (used + 1 < word_bytes) {
            word[used++] = *p;
        }
    }
    word[used] = '\0';
    *line = p;
    return p != start;
}

const char *slt_settings_apply_line(struct salut_config *config, const char *line, char *buffer,
                                    uint32_t buffer_bytes)
{
    char word[256];

    while (next_word(&line, word, sizeof(word))) {
        char *equals = strchr(word, '=');
        if (!equals || equals == word) {
            if (is_shell_noise(word)) {
                continue;
            }
            snprintf(buffer, buffer_bytes, "'%s' sets nothing (commands are not run)", word);
            return buffer;
        }
        *equals = '\0';
        enum slt_setting_result result = slt_setting_apply(config, word, equals + 1);
        if (result == SLT_SETTING_UNKNOWN) {
            snprintf(buffer, buffer_bytes, "there is no setting '%s'", word);
            return buffer;
        }
        if (result == SLT_SETTING_BAD_VALUE) {
            snprintf(buffer, buffer_bytes, "'%s' is no value for the setting '%s'", equals + 1,
                     word);
            return buffer;
        }
    }
    return NULL;
}

void slt_settings_copy_live(struct salut_config *to, const struct salut_config *from)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(ROWS); i++) {
        if (ROWS[i].live) {
            memcpy((unsigned char *)to + ROWS[i].offset,
                   (const unsigned char *)from + ROWS[i].offset, ROWS[i].width);
        }
    }
}
