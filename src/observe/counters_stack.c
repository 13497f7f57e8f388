/* See counters_stack.h. */
#include "observe/counters_stack.h"

#include "base/compiler.h"
#include "observe/control_read_linux.h"
#include "sock/runner_clock.h"

#include <string.h>

/* A token that ends in '*' means all that begin so. */
struct translation {
    const char *token;
    enum slt_counter counter;
};

static const struct translation translations[] = {
    {"active-open", SLT_COUNTER_active_opens},
    {"passive-open", SLT_COUNTER_passive_opens},
    {"refused", SLT_COUNTER_attempt_fails},
    {"syn-retransmit-limit", SLT_COUNTER_attempt_fails},
    {"synack-retransmit-limit", SLT_COUNTER_attempt_fails},
    {"icmp-hard", SLT_COUNTER_attempt_fails},
    {"no-route", SLT_COUNTER_attempt_fails},
    {"reset-received", SLT_COUNTER_established_resets},
    {"tcp-accepted", SLT_COUNTER_segments_in},
    {"tcp-short", SLT_COUNTER_segments_bad},
    {"tcp-data-offset", SLT_COUNTER_segments_bad},
    {"tcp-option-length", SLT_COUNTER_segments_bad},
    {"tcp-checksum", SLT_COUNTER_segments_bad},
    {"tcp-checksum", SLT_COUNTER_checksum_errors},
    {"send-*", SLT_COUNTER_segments_out},
    {"send-retransmit-*", SLT_COUNTER_segments_retransmitted},
    {"send-syn-retransmit", SLT_COUNTER_segments_retransmitted},
    {"send-syn-retransmit", SLT_COUNTER_syn_retransmits},
    {"send-rst-*", SLT_COUNTER_resets_out},
    {"send-retransmit-rto", SLT_COUNTER_timeouts},
    {"send-syn-retransmit", SLT_COUNTER_timeouts},
    {"send-tail-probe", SLT_COUNTER_loss_probes},
    {"send-retransmit-fast", SLT_COUNTER_fast_retransmits},
    {"send-window-probe", SLT_COUNTER_window_probes},
    {"send-keepalive", SLT_COUNTER_keepalives},
    {"send-ack-delayed", SLT_COUNTER_delayed_acks},
    {"send-challenge", SLT_COUNTER_challenge_acks},
    {"tcp-syn-challenged", SLT_COUNTER_syn_challenges},
    {"tcp-backlog-full", SLT_COUNTER_listen_overflows},
    {"tcp-backlog-full", SLT_COUNTER_listen_drops},
    {"tcp-half-open-full", SLT_COUNTER_listen_drops},
    {"tcp-half-open-full", SLT_COUNTER_request_queue_drops},
    {"tcp-cookie-sent", SLT_COUNTER_cookies_sent},
    {"tcp-cookie-taken", SLT_COUNTER_cookies_received},
    {"tcp-cookie-bad", SLT_COUNTER_cookies_failed},
    {"tcp-tw-full", SLT_COUNTER_time_wait_overflows},
    {"linger-abort", SLT_COUNTER_abort_on_data},
    {"close-unread", SLT_COUNTER_abort_on_close},
    {"no-memory", SLT_COUNTER_abort_on_memory},
    {"retransmit-limit", SLT_COUNTER_abort_on_timeout},
    {"user-timeout", SLT_COUNTER_abort_on_timeout},
    {"keepalive-timeout", SLT_COUNTER_abort_on_timeout},
    {"tcp-undone", SLT_COUNTER_spurious_timeouts},
    {"tcp-dsack", SLT_COUNTER_dsacks_received},
    {"tcp-reneged", SLT_COUNTER_sack_reneging},
    {"tcp-no-buffer", SLT_COUNTER_receive_queue_drops},
    {"tcp-reassembly-limit", SLT_COUNTER_out_of_order_pruned},
    {"tcp-paws", SLT_COUNTER_paws_established},
    {"tcp-mtu-probe-lost", SLT_COUNTER_mtu_probe_failures},
    {"tcp-fast-open-refused", SLT_COUNTER_fast_open_failures},
};

static bool fits(const char *pattern, const char *token)
{
    size_t length = strlen(pattern);
    bool open_end = pattern[length - 1] == '*';
    return open_end ? strncmp(pattern, token, length - 1) == 0 : strcmp(pattern, token) == 0;
}

void slt_counters_add_reason(struct slt_counters *counters,
                             const struct slt_control_counter *reason)
{
    int64_t value = (int64_t)(reason->value & INT64_MAX);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(translations); i++) {
        int64_t *sum = &counters->value[translations[i].counter];
        if (fits(translations[i].token, reason->token)) {
            *sum = *sum == SLT_UNKNOWN        ? value
                   : *sum > INT64_MAX - value ? INT64_MAX
                                              : *sum + value;
        }
    }
}

/* ---- all instances ----------------------------------------------------------------------------
 */

struct sums {
    struct slt_counters *counters;
    struct slt_reason_sums *sums;
};

static bool on_counter(void *ctx, const struct slt_control_counter *counter)
{
    struct sums *s = ctx;
    uint32_t i = 0;
    slt_counters_add_reason(s->counters, counter);
    if (s->sums == NULL) {
        return true;
    }
    while (i < s->sums->count && strcmp(s->sums->items[i].token, counter->token) != 0) {
        i++;
    }
    if (i == SLT_REASON_SUMS_MAX) {
        return false;
    }
    if (i == s->sums->count) {
        s->sums->items[s->sums->count++] = *counter;
    } else {
        s->sums->items[i].value += counter->value;
    }
    return true;
}

bool slt_counters_read_stacks(struct slt_counters *counters, struct slt_reason_sums *sums)
{
    struct slt_control_round round;
    struct sums ctx = {.counters = counters, .sums = sums};
    struct slt_control_taker taker = {.ctx = &ctx, .on_counter = on_counter};
    counters->at_ns = slt_runner_clock();
    for (unsigned i = 0; i < SLT_COUNTER_COUNT; i++) {
        counters->value[i] = SLT_UNKNOWN;
    }
    if (sums != NULL) {
        *sums = (struct slt_reason_sums){.count = 0};
    }
    slt_control_ask(&taker, 0, &round);
    if (sums != NULL) {
        sums->instances = round.instances;
        sums->mute = round.mute;
    }
    return round.instances > 0;
}
