/* See seen.h. */
#include "observe/seen.h"

#include "base/compiler.h"
#include "tcp/conn.h"
#include "wire/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define UNBOUNDED (1U << 30) /* what a threshold says that no loss has set yet */

static const char *const rfc_names[SALUT_STATE_COUNT] = {
    "CLOSED",     "LISTEN",     "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1",
    "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING",  "LAST-ACK",     "TIME-WAIT",
};

/* Nothing is known. */
static const struct slt_seen nothing = {
    .version = SLT_SEEN_VERSION,
    .bytes = sizeof(struct slt_seen),
    .pid = SLT_UNKNOWN,
    .fd = SLT_UNKNOWN,
    .uid = SLT_UNKNOWN,
    .owner = SLT_OWNER_KERNEL,
    .accepted = SLT_DONT_KNOW,
    .orphan = SLT_DONT_KNOW,
    .passive = SLT_DONT_KNOW,
    .fin_unread = SLT_DONT_KNOW,
    .sack = SLT_DONT_KNOW,
    .timestamps = SLT_DONT_KNOW,
    .window_scale = SLT_DONT_KNOW,
    .ecn = SLT_DONT_KNOW,
    .app_limited = SLT_DONT_KNOW,
    .keepalive = SLT_DONT_KNOW,
    .nodelay = SLT_DONT_KNOW,
    .cause_certain = SLT_DONT_KNOW,
    .timer = SLT_SEEN_TIMER_UNKNOWN,
    .unread = SLT_UNKNOWN,
    .unacked = SLT_UNKNOWN,
    .unsent = SLT_UNKNOWN,
    .queue = SLT_UNKNOWN,
    .queue_limit = SLT_UNKNOWN,
    .half_open = SLT_UNKNOWN,
    .drops = SLT_UNKNOWN,
    .rtt_us = SLT_UNKNOWN,
    .rtt_var_us = SLT_UNKNOWN,
    .rtt_min_us = SLT_UNKNOWN,
    .rto_us = SLT_UNKNOWN,
    .send_mss = SLT_UNKNOWN,
    .recv_mss = SLT_UNKNOWN,
    .pmtu = SLT_UNKNOWN,
    .cwnd_bytes = SLT_UNKNOWN,
    .ssthresh_bytes = SLT_UNKNOWN,
    .send_window = SLT_UNKNOWN,
    .recv_window = SLT_UNKNOWN,
    .send_buffer = SLT_UNKNOWN,
    .recv_buffer = SLT_UNKNOWN,
    .bytes_sent = SLT_UNKNOWN,
    .bytes_acked = SLT_UNKNOWN,
    .bytes_received = SLT_UNKNOWN,
    .bytes_retransmitted = SLT_UNKNOWN,
    .segs_in = SLT_UNKNOWN,
    .segs_out = SLT_UNKNOWN,
    .retransmits = SLT_UNKNOWN,
    .lost = SLT_UNKNOWN,
    .reordering = SLT_UNKNOWN,
    .dsacks = SLT_UNKNOWN,
    .delivery_rate = SLT_UNKNOWN,
    .pacing_rate = SLT_UNKNOWN,
    .busy_us = SLT_UNKNOWN,
    .window_limited_us = SLT_UNKNOWN,
    .buffer_limited_us = SLT_UNKNOWN,
    .sacked = SLT_UNKNOWN,
    .holes_in = SLT_UNKNOWN,
    .marked = SLT_UNKNOWN,
    .app_limited_us = SLT_UNKNOWN,
    .cwnd_limited_us = SLT_UNKNOWN,
    .pacing_limited_us = SLT_UNKNOWN,
    .rtt_p50_us = SLT_UNKNOWN,
    .rtt_p90_us = SLT_UNKNOWN,
    .rtt_p99_us = SLT_UNKNOWN,
    .recoveries = SLT_UNKNOWN,
    .timeouts = SLT_UNKNOWN,
    .undone = SLT_UNKNOWN,
    .late = SLT_UNKNOWN,
    .limited_by = SALUT_LIMIT_COUNT,
};

void slt_seen_init(struct slt_seen *seen, enum slt_source source)
{
    *seen = nothing;
    seen->source = (uint8_t)source;
}

/* ---- names of states ------------------------------------------------------------------------ */

const char *slt_seen_rfc_name(enum salut_state state)
{
    return (unsigned)state < SALUT_STATE_COUNT ? rfc_names[state] : "?";
}

struct state_word {
    const char *word;
    enum salut_state state;
};

/* What ss and netstat say where it is neither the RFC's name nor that with other joints. */
static const struct state_word state_words[] = {
    {"estab", SALUT_STATE_ESTABLISHED},     {"listening", SALUT_STATE_LISTEN},
    {"syn-recv", SALUT_STATE_SYN_RECEIVED}, {"close", SALUT_STATE_CLOSED},
    {"unconn", SALUT_STATE_CLOSED},         {"fin-wait1", SALUT_STATE_FIN_WAIT_1},
    {"fin-wait2", SALUT_STATE_FIN_WAIT_2},  {"syn-rcvd", SALUT_STATE_SYN_RECEIVED},
    {"timewait", SALUT_STATE_TIME_WAIT},    {"closewait", SALUT_STATE_CLOSE_WAIT},
};

/* Equal, whatever the case, and with '_' for '-'. */
static bool same_word(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char x = *a == '_' ? '-' : *a;
        char y = *b == '_' ? '-' : *b;
        if (strncasecmp(&x, &y, 1) != 0) {
            return false;
        }
    }
    return *a == *b;
}

bool slt_seen_parse_state(const char *word, enum salut_state *state)
{
    for (unsigned i = 0; i < SALUT_STATE_COUNT; i++) {
        if (same_word(word, rfc_names[i])) {
            *state = (enum salut_state)i;
            return true;
        }
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(state_words); i++) {
        if (same_word(word, state_words[i].word)) {
            *state = state_words[i].state;
            return true;
        }
    }
    return false;
}

/* ---- from an instance ----------------------------------------------------------------------- */

static uint8_t kind_of(const struct salut_info *info)
{
    switch ((enum salut_object_kind)info->object) {
    case SALUT_IS_HALF_OPEN:
        return SLT_SEEN_HALF_OPEN;
    case SALUT_IS_TIME_WAIT:
        return SLT_SEEN_TIME_WAIT;
    case SALUT_IS_LISTENER:
        return SLT_SEEN_LISTENER;
    case SALUT_IS_CONN:
    case SALUT_IS_UDP: /* who walks leaves these out: records are of TCP */
        break;
    }
    return SLT_SEEN_CONN;
}

static uint8_t timer_of(uint8_t timer)
{
    if (timer == 0) {
        return SLT_SEEN_TIMER_NONE;
    }
    switch ((enum slt_tcp_timer)(timer - 1)) {
    case SLT_TIMER_TAIL_PROBE:
    case SLT_TIMER_RETRANSMIT:
    case SLT_TIMER_REORDER:
        return SLT_SEEN_TIMER_RETRANSMIT;
    case SLT_TIMER_PERSIST:
        return SLT_SEEN_TIMER_PERSIST;
    case SLT_TIMER_KEEPALIVE:
        return SLT_SEEN_TIMER_KEEPALIVE;
    case SLT_TIMER_FIN_WAIT_2:
        return SLT_SEEN_TIMER_FIN_WAIT_2;
    case SLT_TIMER_TIME_WAIT:
        return SLT_SEEN_TIMER_TIME_WAIT;
    case SLT_TIMER_DELAYED_ACK:
        return SLT_SEEN_TIMER_DELAYED_ACK;
    case SLT_TIMER_USER_TIMEOUT:
    case SLT_TIMER_TUNE:
    case SLT_TIMER_PACING:
    case SLT_TIMER_CORK:
    case SLT_TIMER_COUNT:
        break;
    }
    return SLT_SEEN_TIMER_OTHER;
}

static void fill_path(struct slt_seen *seen, const struct salut_info *info)
{
    bool measured = info->srtt_us > 0;
    seen->rtt_us = measured ? (int64_t)info->srtt_us : SLT_UNKNOWN;
    seen->rtt_var_us = measured ? (int64_t)info->rttvar_us : SLT_UNKNOWN;
    seen->rtt_min_us = measured ? (int64_t)info->rtt_min_us : SLT_UNKNOWN;
    seen->rto_us = info->rto_us;
    if (info->rtt_p50_us > 0) {
        seen->rtt_p50_us = info->rtt_p50_us;
        seen->rtt_p90_us = info->rtt_p90_us;
        seen->rtt_p99_us = info->rtt_p99_us;
    }
    seen->send_mss = info->send_mss;
    seen->recv_mss = info->recv_mss;
    seen->pmtu = info->pmtu;
    seen->cwnd_bytes = info->cwnd_bytes;
    seen->ssthresh_bytes =
        info->ssthresh_bytes < UNBOUNDED ? (int64_t)info->ssthresh_bytes : SLT_UNKNOWN;
    seen->send_window = info->send_window;
    seen->recv_window = info->recv_window;
    seen->send_buffer = info->send_buffer;
    seen->recv_buffer = info->recv_buffer;
    seen->reordering = info->reordering;
    seen->lost = info->lost_segments;
    seen->sacked = info->sacked_segments;
    seen->delivery_rate = (int64_t)info->delivery_rate;
    seen->pacing_rate = (int64_t)info->pacing_rate;
    seen->app_limited = info->delivery_app_limited ? SLT_YES : SLT_NO;
    (void)snprintf(seen->congestion, sizeof(seen->congestion), "%s", slt_cc_name(info->congestion));
}

static void fill_limits(struct slt_seen *seen, const struct salut_info *info)
{
    seen->limited_by = info->limited_by;
    seen->busy_us = info->busy_ns / 1000;
    seen->app_limited_us = info->limited_ns[SALUT_LIMIT_APPLICATION] / 1000;
    seen->cwnd_limited_us = info->limited_ns[SALUT_LIMIT_CWND] / 1000;
    seen->window_limited_us = info->limited_ns[SALUT_LIMIT_PEER_WINDOW] / 1000;
    seen->buffer_limited_us = info->limited_ns[SALUT_LIMIT_SEND_BUFFER] / 1000;
    seen->pacing_limited_us = info->limited_ns[SALUT_LIMIT_PACING] / 1000;
}

static void fill_totals(struct slt_seen *seen, const struct salut_info *info)
{
    seen->bytes_sent = (int64_t)info->bytes_sent;
    seen->bytes_acked = (int64_t)info->bytes_acked;
    seen->bytes_received = (int64_t)info->bytes_received;
    seen->bytes_retransmitted = (int64_t)info->bytes_retransmitted;
    seen->segs_in = info->segs_in;
    seen->segs_out = info->segs_out;
    seen->retransmits = info->retransmits;
    seen->dsacks = info->dsack_dups;
    seen->holes_in = info->recv_ooo_segs;
    seen->late = info->reord_seen;
    seen->recoveries = info->recoveries;
    seen->timeouts = info->timeouts;
    seen->undone = info->undone;
    /* The echo of RFC 3168 tells that there were marks, not how many. */
    seen->marked = info->ecn_accurate ? info->ce_told : info->ecn_reductions;
}

static void fill_conn(struct slt_seen *seen, const struct salut_info *info)
{
    bool at_rest = info->state == SALUT_STATE_ESTABLISHED || info->state == SALUT_STATE_CLOSE_WAIT;
    seen->accepted = info->waiting ? SLT_NO : SLT_YES;
    if (at_rest && seen->timer == SLT_SEEN_TIMER_KEEPALIVE) {
        seen->keepalive = SLT_YES;
    }
    seen->unread = info->recv_queued;
    seen->unsent = info->send_unsent;
    seen->unacked = (int64_t)info->send_queued - info->send_unsent;
    seen->fin_unread = info->fin_received && info->recv_queued > 0 ? SLT_YES : SLT_NO;
    seen->shut = info->fin_queued ? 2 : 0;
    seen->sack = info->sack_ok ? SLT_YES : SLT_NO;
    seen->timestamps = info->timestamps_ok ? SLT_YES : SLT_NO;
    seen->window_scale = info->wscale_ok ? SLT_YES : SLT_NO;
    seen->ecn = info->ecn_ok ? SLT_YES : SLT_NO;
    seen->send_scale = info->send_wscale;
    seen->recv_scale = info->recv_wscale;
    fill_path(seen, info);
    fill_limits(seen, info);
    fill_totals(seen, info);
}

/* Instants of the stack become ages: the last change of state was `age_ns` ago. */
static void fill_history(struct slt_seen *seen, const struct salut_info *info)
{
    uint32_t count =
        info->history_count < SALUT_HISTORY_MAX ? info->history_count : (uint32_t)SALUT_HISTORY_MAX;
    seen->history_count = (uint8_t)count;
    seen->cause = count > 0 ? info->history[count - 1].reason : info->end_reason;
    seen->cause_certain = SLT_YES;
    for (uint32_t i = 0; i < count; i++) {
        seen->history[i] = info->history[i];
        seen->history[i].at_ns =
            info->age_ns + info->history[count - 1].at_ns - info->history[i].at_ns;
    }
    if (count > 0 && seen->kind == SLT_SEEN_CONN) {
        bool first = seen->history[0].from == SALUT_STATE_CLOSED ||
                     seen->history[0].from == SALUT_STATE_LISTEN;
        seen->lifetime.ns = seen->history[0].at_ns;
        seen->lifetime.how = first ? SLT_SPAN_EXACT : SLT_SPAN_AT_LEAST;
    }
}

/* One number for the life of a connection, through all the objects it is kept in. */
static uint64_t key_of(const struct slt_seen *seen)
{
    uint64_t key = UINT64_C(0xcbf29ce484222325);
    uint8_t bytes[36];
    memcpy(bytes, seen->local.b, 16);
    memcpy(bytes + 16, seen->remote.b, 16);
    memcpy(bytes + 32, &seen->local_port, 2);
    memcpy(bytes + 34, &seen->remote_port, 2);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        key = (key ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return key != 0 ? key : 1;
}

void slt_seen_from_info(struct slt_seen *seen, const struct salut_info *info, uint64_t instance)
{
    slt_seen_init(seen, SLT_SOURCE_STACK);
    seen->kind = kind_of(info);
    seen->state = info->state;
    seen->instance = instance;
    seen->local = info->local;
    seen->remote = info->remote;
    seen->local_port = info->local_port;
    seen->remote_port = info->remote_port;
    seen->family = slt_address_is_v4(info->local.b) && slt_address_is_v4(info->remote.b) ? 4 : 6;
    seen->passive = info->passive ? SLT_YES : SLT_NO;
    seen->orphan = info->orphan ? SLT_YES : SLT_NO;
    seen->key = key_of(seen);
    seen->age = (struct slt_seen_span){info->age_ns, SLT_SPAN_EXACT};
    seen->timer = timer_of(info->timer);
    if (seen->timer != SLT_SEEN_TIMER_NONE) {
        seen->timer_in = (struct slt_seen_span){info->timer_in_ns, SLT_SPAN_EXACT};
    }
    seen->backoff = info->backoff;
    seen->retries = info->probes > 0 ? info->probes : info->backoff;
    if (seen->kind == SLT_SEEN_LISTENER) {
        seen->age.how = SLT_SPAN_UNKNOWN; /* nobody notes when it began */
        seen->queue = info->recv_queued;
        seen->queue_limit = info->send_queued;
    } else if (seen->kind == SLT_SEEN_CONN) {
        fill_conn(seen, info);
    }
    fill_history(seen, info);
}

/* ---- from somebody who may lie -----------------------------------------------------------------
 */

static bool are_truths(const struct slt_seen *s)
{
    const uint8_t truths[] = {s->accepted,    s->orphan,     s->passive, s->fin_unread,
                              s->sack,        s->timestamps, s->ecn,     s->window_scale,
                              s->app_limited, s->keepalive,  s->nodelay, s->cause_certain};
    bool fine = true;
    for (size_t i = 0; i < sizeof(truths); i++) {
        fine = fine && truths[i] <= SLT_DONT_KNOW;
    }
    return fine;
}

static bool are_spans(const struct slt_seen *s)
{
    const struct slt_seen_span spans[] = {s->age,    s->lifetime, s->idle,
                                          s->silent, s->timer_in, s->given};
    bool fine = true;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(spans); i++) {
        fine = fine && spans[i].how <= SLT_SPAN_AT_MOST && spans[i].ns >= 0;
    }
    return fine;
}

/* What ends up on a terminal. */
static void make_printable(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (char *c = text; *c != '\0'; c++) {
        if (*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
}

bool slt_seen_take(struct slt_seen *seen, enum slt_source source, const void *bytes, size_t count)
{
    slt_seen_init(seen, source);
    memcpy(seen, bytes, count < sizeof(*seen) ? count : sizeof(*seen));
    memset(seen->findings, 0, sizeof(seen->findings)); /* the reader's own */
    bool fine = count >= offsetof(struct slt_seen, soft_errno) && seen->version >= 1 &&
                seen->source == source && seen->kind < SLT_SEEN_KIND_COUNT &&
                seen->state < SALUT_STATE_COUNT && seen->timer < SLT_SEEN_TIMER_COUNT &&
                seen->owner < SLT_OWNER_HOW_COUNT && seen->history_count <= SALUT_HISTORY_MAX &&
                seen->limited_by <= SALUT_LIMIT_COUNT && are_truths(seen) && are_spans(seen);
    make_printable(seen->program, sizeof(seen->program));
    make_printable(seen->congestion, sizeof(seen->congestion));
    for (size_t i = 0; i < SALUT_HISTORY_MAX; i++) {
        fine = fine && seen->history[i].from < SALUT_STATE_COUNT &&
               seen->history[i].to < SALUT_STATE_COUNT;
    }
    return fine;
}

/* ---- lists ---------------------------------------------------------------------------------- */

struct slt_seen *slt_seen_list_room(struct slt_seen_list *list)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 256 : list->room * 2;
        struct slt_seen *items = realloc(list->items, room * sizeof(*items));
        if (items == NULL) {
            return NULL;
        }
        list->items = items;
        list->room = room;
    }
    return &list->items[list->count];
}

bool slt_seen_list_add(struct slt_seen_list *list, const struct slt_seen *seen)
{
    struct slt_seen *place = slt_seen_list_room(list);
    if (place != NULL) {
        *place = *seen;
        list->count++;
    }
    return place != NULL;
}

void slt_seen_list_free(struct slt_seen_list *list)
{
    free(list->items);
    *list = (struct slt_seen_list){.items = NULL};
}
