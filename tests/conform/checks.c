/* What the stack says about itself: state, timer, counters, and the fields of salut_info.
 *
 *   check NAME=NUMBER            a field; also < and > (NAME>NUMBER) and ! (not)
 *   check status=TOKEN soft=TOKEN object=conn|half|entry
 *   check ready=+READABLE-ENDED  bits that must be set and must not
 *   check event=+URGENT-READABLE the same of the events reported
 *   check history=A/B/C          the states walked through, as far as they are kept
 *   check count.TOKEN=N          how often a reason occurred since the constructor
 *   check timer=NAME[=DURATION]  check listed=N  check listed.STATE=N  check heard=N
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[SALUT_STATE_COUNT] = {
    [SALUT_STATE_CLOSED] = "CLOSED",     [SALUT_STATE_LISTEN] = "LISTEN",
    [SALUT_STATE_SYN_SENT] = "SYNSENT",  [SALUT_STATE_SYN_RECEIVED] = "SYNRCVD",
    [SALUT_STATE_ESTABLISHED] = "ESTAB", [SALUT_STATE_FIN_WAIT_1] = "FW1",
    [SALUT_STATE_FIN_WAIT_2] = "FW2",    [SALUT_STATE_CLOSE_WAIT] = "CW",
    [SALUT_STATE_CLOSING] = "CLOSING",   [SALUT_STATE_LAST_ACK] = "LA",
    [SALUT_STATE_TIME_WAIT] = "TW",
};

static const char *const timer_names[] = {"none", "tlp",  "rtx",  "reo",  "persist",
                                          "user", "tune", "pace", "cork", "delack",
                                          "keep", "fw2",  "tw"};

const char *state_token(unsigned state)
{
    return state < SALUT_STATE_COUNT ? state_names[state] : "?";
}

const char *timer_token(unsigned timer)
{
    return timer < sizeof(timer_names) / sizeof(timer_names[0]) ? timer_names[timer] : "?";
}

static const char *object_token(unsigned object)
{
    static const char *const names[] = {"conn", "half", "entry", "listener"};
    return object < 4 ? names[object] : "?";
}

/* CLOSED and LISTEN are what is left when there is no connection: the table lists no CLOSED. */
bool check_state(struct world *world, const char *expected)
{
    struct salut_info info;
    const char *colon = strchr(expected, ':');
    size_t bytes = colon == NULL ? strlen(expected) : (size_t)(colon - expected);
    bool found = world_info(world, &info) && info.state != SALUT_STATE_CLOSED;
    bool listening = world_listening(world, peer_of(world)->local_port);
    const char *is = found ? state_token(info.state) : listening ? "LISTEN" : "CLOSED";
    bool closed = strncmp(expected, "CLOSED", bytes) == 0 && bytes == 6;
    if (closed && !found && (peer_of(world)->held || !listening)) {
        return true;
    }
    if (strlen(is) != bytes || strncmp(is, expected, bytes) != 0) {
        return fail(world, "the state is %s, expected %s", is, expected);
    }
    if (colon != NULL && (!found || strcmp(object_token(info.object), colon + 1) != 0)) {
        return fail(world, "the object is a %s, expected %s",
                    found ? object_token(info.object) : "nothing", expected);
    }
    return true;
}

static unsigned reason_named(const char *token, size_t bytes)
{
    for (unsigned i = 1; i < salut_reason_count(); i++) {
        const char *name = salut_reason_token(i);
        if (strlen(name) == bytes && strncmp(name, token, bytes) == 0) {
            return i;
        }
    }
    return 0;
}

static uint64_t moved(const struct world *world, unsigned reason)
{
    return salut_counter(world->stack, reason) - world->counters[reason];
}

bool check_reasons(struct world *world, const char *expected)
{
    struct words words;
    words_cut(&words, expected, strlen(expected));
    for (int i = 0; i < words.count; i++) {
        const char *word = words.word[i];
        if (strcmp(word, "-") == 0) {
            continue;
        }
        bool negated = *word == '!';
        word += negated ? 1 : 0;
        size_t bytes = strcspn(word, "=");
        unsigned reason = reason_named(word, bytes);
        if (reason == 0) {
            return fail(world, "there is no reason \"%.*s\"", (int)bytes, word);
        }
        uint64_t count = moved(world, reason);
        if (word[bytes] == '=' && count != strtoull(word + bytes + 1, NULL, 10)) {
            return fail(world, "reason %.*s occurred %llu times, expected %s", (int)bytes, word,
                        (unsigned long long)count, word + bytes + 1);
        }
        if (word[bytes] != '=' && (count == 0) != negated) {
            return fail(world, negated ? "reason %s occurred" : "reason %s did not occur", word);
        }
    }
    return true;
}

bool check_timers(struct world *world, const char *expected)
{
    struct salut_info info;
    if (strcmp(expected, "-") == 0) {
        return true;
    }
    bool found = world_info(world, &info);
    const char *is = found ? timer_token(info.timer) : "none";
    size_t bytes = strcspn(expected, "=");
    if (strlen(is) != bytes || strncmp(is, expected, bytes) != 0) {
        return fail(world, "the next timer is %s, expected %s", is, expected);
    }
    if (expected[bytes] != '=') {
        return true;
    }
    int64_t wanted;
    int64_t slack = info.object == SALUT_IS_CONN ? 0 : 1000000;
    if (!eval_duration(world, expected + bytes + 1, &wanted)) {
        return fail(world, "\"%s\" is no duration", expected + bytes + 1);
    }
    if (info.timer_in_ns < wanted || info.timer_in_ns > wanted + slack) {
        return fail(world, "the %s timer fires in %.6f s, expected %s", is,
                    (double)info.timer_in_ns / 1e9, expected + bytes + 1);
    }
    return true;
}

struct info_field {
    const char *name;
    size_t offset;
    size_t bytes;
};

#define FIELD(name)                                                                                \
    {                                                                                              \
#name, offsetof(struct salut_info, name), sizeof(((struct salut_info *)0)->name)           \
    }

static const struct info_field info_fields[] = {
    FIELD(passive),
    FIELD(orphan),
    FIELD(local_port),
    FIELD(remote_port),
    FIELD(user),
    FIELD(age_ns),
    FIELD(wscale_ok),
    FIELD(send_wscale),
    FIELD(recv_wscale),
    FIELD(sack_ok),
    FIELD(timestamps_ok),
    FIELD(ecn_ok),
    FIELD(send_mss),
    FIELD(peer_mss),
    FIELD(advertised_mss),
    FIELD(recv_mss),
    FIELD(pmtu),
    FIELD(send_una),
    FIELD(send_nxt),
    FIELD(send_window),
    FIELD(send_window_max),
    FIELD(send_queued),
    FIELD(send_unsent),
    FIELD(send_buffer),
    FIELD(fin_queued),
    FIELD(fin_sent),
    FIELD(fin_acked),
    FIELD(recv_nxt),
    FIELD(recv_edge),
    FIELD(recv_window),
    FIELD(recv_queued),
    FIELD(recv_out_of_order),
    FIELD(recv_runs),
    FIELD(recv_buffer),
    FIELD(fin_received),
    FIELD(srtt_us),
    FIELD(rttvar_us),
    FIELD(rtt_min_us),
    FIELD(rto_us),
    FIELD(backoff),
    FIELD(probes),
    FIELD(ca_state),
    FIELD(ecn_ok),
    FIELD(ecn_accurate),
    FIELD(fast_open),
    FIELD(ce_received),
    FIELD(ce_told),
    FIELD(cwnd_bytes),
    FIELD(ssthresh_bytes),
    FIELD(congestion),
    FIELD(paced),
    FIELD(pacing_rate),
    FIELD(limited_by),
    FIELD(flight_bytes),
    FIELD(sacked_segments),
    FIELD(lost_segments),
    FIELD(retrans_segments),
    FIELD(bytes_sent),
    FIELD(bytes_acked),
    FIELD(bytes_received),
    FIELD(bytes_retransmitted),
    FIELD(segs_in),
    FIELD(segs_out),
    FIELD(data_segs_in),
    FIELD(data_segs_out),
    FIELD(retransmits),
    FIELD(recoveries),
    FIELD(timeouts),
    FIELD(ecn_reductions),
    FIELD(undone),
    FIELD(dsack_dups),
    FIELD(reord_seen),
    FIELD(recv_ooo_segs),
    FIELD(delivered),
    FIELD(history_count),
};

static bool info_number(const struct salut_info *info, const char *name, uint64_t *value)
{
    for (size_t i = 0; i < sizeof(info_fields) / sizeof(info_fields[0]); i++) {
        const struct info_field *field = &info_fields[i];
        if (strcmp(field->name, name) != 0) {
            continue;
        }
        const uint8_t *at = (const uint8_t *)info + field->offset;
        uint16_t two;
        uint32_t four;
        memcpy(&two, at, 2);
        memcpy(&four, at, 4);
        if (field->bytes == 8) {
            memcpy(value, at, 8);
        } else {
            *value = field->bytes == 1 ? *at : field->bytes == 2 ? two : four;
        }
        return true;
    }
    return false;
}

static bool check_history(struct world *world, const struct salut_info *info, const char *wanted)
{
    char walked[128] = "";
    for (uint32_t i = 0; i < info->history_count && i < SALUT_HISTORY_MAX; i++) {
        if (i == 0) {
            strcat(walked, state_token(info->history[i].from));
        }
        strcat(walked, "/");
        strcat(walked, state_token(info->history[i].to));
    }
    return strcmp(walked, wanted) == 0 ||
           fail(world, "the history is %s, expected %s", walked, wanted);
}

/* Bits that must be set (+NAME) and must not (-NAME). */
static bool bits_hold(struct world *world, uint32_t ready, const char *wanted)
{
    static const char *const names[] = {"READABLE",    "WRITABLE", "ACCEPTABLE", "CONNECTED",
                                        "PEER_CLOSED", "ENDED",    "URGENT",     "ADVICE"};
    while (*wanted == '+' || *wanted == '-') {
        bool set = *wanted++ == '+';
        size_t bytes = strcspn(wanted, "+-");
        uint32_t bit = 0;
        for (unsigned i = 0; i < 8; i++) {
            bit |= strlen(names[i]) == bytes && strncmp(names[i], wanted, bytes) == 0 ? 1U << i : 0;
        }
        if (bit == 0 || ((ready & bit) != 0) != set) {
            return fail(world, "ready is 0x%x; expected %c%.*s", ready, set ? '+' : '-', (int)bytes,
                        wanted);
        }
        wanted += bytes;
    }
    return true;
}

static bool check_ready(struct world *world, const char *wanted)
{
    uint32_t ready = 0;
    (void)salut_ready(world->stack, peer_of(world)->conn, &ready);
    return bits_hold(world, ready, wanted);
}

/* The events of the connection since the last input or poll, together. */
static bool check_event(struct world *world, const char *wanted)
{
    struct salut_event event;
    uint32_t ready = 0;
    while (salut_next_event(world->stack, &event)) {
        bool ours = event.conn.index == peer_of(world)->conn.index;
        ready |= ours ? event.ready : 0;
    }
    return bits_hold(world, ready, wanted);
}

static uint64_t count_listed(struct world *world, const char *state)
{
    struct salut_info info;
    uint64_t cursor = 0;
    uint64_t count = 0;
    while (salut_next_info(world->stack, &cursor, &info)) {
        count += *state == '\0' || strcmp(state_token(info.state), state) == 0;
    }
    return count;
}

/* Numbers that no field of salut_info holds. */
static bool other_number(struct world *world, const char *name, uint64_t *value)
{
    const struct peer *peer = peer_of(world);
    if (strncmp(name, "count.", 6) == 0) {
        unsigned reason = reason_named(name + 6, strlen(name + 6));
        *value = moved(world, reason);
        return reason != 0;
    }
    if (strncmp(name, "listed", 6) == 0) {
        *value = count_listed(world, name[6] == '.' ? name + 7 : "");
        return true;
    }
    if (strcmp(name, "heard") == 0) {
        *value = peer->heard - peer->iss - 1;
    } else if (strcmp(name, "answered") == 0) {
        *value = world->answered;
    } else if (strcmp(name, "iss") == 0) {
        *value = peer->iss;
    } else if (strcmp(name, "lport") == 0) {
        *value = peer->local_port;
    } else if (strcmp(name, "tslast") == 0) {
        *value = peer->ts_last;
    } else if (strcmp(name, "window") == 0) {
        *value = peer->redge - peer->rnxt;
    } else {
        return false;
    }
    return true;
}

static bool check_number(struct world *world, const char *name, char sign, const char *text)
{
    struct salut_info info;
    uint64_t is = 0;
    int64_t wanted;
    uint32_t number = 0;
    bool known = other_number(world, name, &is);
    if (!known && salut_get_info(world->stack, peer_of(world)->conn, &info) != SALUT_OK &&
        !world_info(world, &info)) {
        return fail(world, "check %s: there is no connection", name);
    }
    if (!known && !info_number(&info, name, &is)) {
        return fail(world, "nothing is named \"%s\"", name);
    }
    if (!eval_duration(world, text, &wanted)) {
        if (!eval_number(world, text, &number)) {
            return false;
        }
        wanted = number;
    }
    bool holds = sign == '='   ? (int64_t)is == wanted
                 : sign == '<' ? (int64_t)is < wanted
                 : sign == '!' ? (int64_t)is != wanted
                               : (int64_t)is > wanted;
    return holds ||
           fail(world, "%s is %llu, expected %c%s", name, (unsigned long long)is, sign, text);
}

static bool check_token(struct world *world, const char *name, const char *is, const char *wanted)
{
    return strcmp(is, wanted) == 0 || fail(world, "%s is %s, expected %s", name, is, wanted);
}

bool check_run(struct world *world, const char *line)
{
    char name[64];
    size_t bytes = strcspn(line, "=<>!");
    if (bytes >= sizeof(name) || line[bytes] == '\0') {
        return fail(world, "check NAME=VALUE, not \"%s\"", line);
    }
    memcpy(name, line, bytes);
    name[bytes] = '\0';
    const char *wanted = line + bytes + 1;
    if (strcmp(name, "state") == 0) {
        return check_state(world, wanted);
    }
    if (strcmp(name, "timer") == 0) {
        return check_timers(world, wanted);
    }
    if (strcmp(name, "ready") == 0) {
        return check_ready(world, wanted);
    }
    if (strcmp(name, "event") == 0) {
        return check_event(world, wanted);
    }
    struct salut_info info = {0};
    bool held = salut_get_info(world->stack, peer_of(world)->conn, &info) == SALUT_OK;
    bool found = held || world_info(world, &info);
    if (strcmp(name, "status") == 0) {
        return check_token(world, name, found ? status_token(info.status) : "gone", wanted);
    }
    if (strcmp(name, "soft") == 0) {
        return check_token(world, name, found ? status_token(info.soft_status) : "gone", wanted);
    }
    if (strcmp(name, "object") == 0) {
        return check_token(world, name, found ? object_token(info.object) : "gone", wanted);
    }
    if (strcmp(name, "history") == 0) {
        return check_history(world, &info, wanted);
    }
    return check_number(world, name, line[bytes], wanted);
}
