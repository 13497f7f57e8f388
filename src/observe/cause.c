/* See cause.h.
 *
 * The rows were written from chains seen on Linux 6.18, each provoked on purpose; older names and
 * what inlining leaves of a chain are further rows or further names for the same thing.
 */
#include "observe/cause.h"

#include "base/compiler.h"
#include "observe/seen.h"

#include <string.h>

/* ---- names to sets -------------------------------------------------------------------------- */

struct frame_name {
    const char *name;
    uint8_t frame;
};

static const struct frame_name frame_names[] = {
    {"tcp_close", SLT_FRAME_CLOSE},
    {"__tcp_close", SLT_FRAME_CLOSE},
    {"tcp_shutdown", SLT_FRAME_SHUTDOWN},
    {"inet_shutdown", SLT_FRAME_SHUTDOWN},
    {"__sys_shutdown", SLT_FRAME_SHUTDOWN},
    {"sys_shutdown", SLT_FRAME_SHUTDOWN},
    {"do_exit", SLT_FRAME_EXIT},
    {"do_group_exit", SLT_FRAME_EXIT},
    {"get_signal", SLT_FRAME_SIGNAL},
    {"tcp_disconnect", SLT_FRAME_DISCONNECT},
    {"tcp_v4_connect", SLT_FRAME_CONNECT},
    {"tcp_v6_connect", SLT_FRAME_CONNECT},
    {"__inet_stream_connect", SLT_FRAME_CONNECT},
    {"inet_stream_connect", SLT_FRAME_CONNECT},
    {"tcp_reset", SLT_FRAME_RESET_IN},
    {"tcp_validate_incoming", SLT_FRAME_RESET_IN},
    {"tcp_done", SLT_FRAME_DONE},
    {"tcp_retransmit_timer", SLT_FRAME_RETRANSMIT},
    {"tcp_write_timer", SLT_FRAME_WRITE_TIMER},
    {"tcp_write_timer_handler", SLT_FRAME_WRITE_TIMER},
    {"tcp_probe_timer", SLT_FRAME_WRITE_TIMER},
    {"tcp_keepalive_timer", SLT_FRAME_KEEPALIVE},
    {"tcp_abort", SLT_FRAME_ABORT},
    {"tcp_diag_destroy", SLT_FRAME_ABORT},
    {"tcp_nuke_addr", SLT_FRAME_ABORT},
    {"tcp_rcv_state_process", SLT_FRAME_SEGMENT},
    {"tcp_rcv_established", SLT_FRAME_SEGMENT},
    {"tcp_data_queue", SLT_FRAME_SEGMENT},
    {"tcp_fin", SLT_FRAME_FIN},
    {"tcp_time_wait", SLT_FRAME_TIME_WAIT},
    {"inet_csk_listen_stop", SLT_FRAME_LISTEN_STOP},
    {"inet_child_forget", SLT_FRAME_LISTEN_STOP},
    {"tcp_v4_err", SLT_FRAME_ICMP},
    {"tcp_v6_err", SLT_FRAME_ICMP},
    {"tcp_out_of_resources", SLT_FRAME_NO_MEMORY},
    {"tcp_v4_do_rcv", SLT_FRAME_BEYOND},
    {"tcp_v6_do_rcv", SLT_FRAME_BEYOND},
    {"tcp_v4_rcv", SLT_FRAME_BEYOND},
    {"tcp_v6_rcv", SLT_FRAME_BEYOND},
    {"tcp_release_cb", SLT_FRAME_BEYOND},
    {"__release_sock", SLT_FRAME_BEYOND},
    {"call_timer_fn", SLT_FRAME_BEYOND},
    {"handle_softirqs", SLT_FRAME_BEYOND},
    {"__do_softirq", SLT_FRAME_BEYOND},
    {"do_softirq", SLT_FRAME_BEYOND},
};

/* "__x64_sys_close" is sys_close on one architecture. */
static size_t prefix_bytes(const char *name, size_t bytes)
{
    static const char *const prefixes[] = {"__x64_", "__ia32_", "__arm64_", "__riscv_", "__se_"};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(prefixes); i++) {
        size_t n = strlen(prefixes[i]);
        if (bytes > n && memcmp(name, prefixes[i], n) == 0) {
            return n;
        }
    }
    return 0;
}

int slt_frame_of(const char *name, size_t bytes)
{
    size_t skip = prefix_bytes(name, bytes);
    name += skip;
    bytes -= skip;
    const char *dot = memchr(name, '.', bytes);
    bytes = dot == NULL ? bytes : (size_t)(dot - name);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(frame_names); i++) {
        const char *known = frame_names[i].name;
        if (strlen(known) == bytes && memcmp(known, name, bytes) == 0) {
            return frame_names[i].frame;
        }
    }
    return -1;
}

uint32_t slt_frames_of(const char *const *names, size_t count)
{
    uint32_t set = 0;
    for (size_t i = 0; i < count && (set & 1U << SLT_FRAME_BEYOND) == 0; i++) {
        int frame = slt_frame_of(names[i], strlen(names[i]));
        set |= frame < 0 ? 0 : 1U << frame;
    }
    return set;
}

/* ---- sets to causes ------------------------------------------------------------------------- */

#define S(name)   (1U << SALUT_STATE_##name)
#define F(name)   (1U << SLT_FRAME_##name)
#define ANY_STATE ((1U << SALUT_STATE_COUNT) - 1)
#define OPEN                                                                                       \
    (S(SYN_RECEIVED) | S(ESTABLISHED) | S(FIN_WAIT_1) | S(FIN_WAIT_2) | S(CLOSE_WAIT) |            \
     S(CLOSING) | S(LAST_ACK))

enum { NOT_RESET, WAS_RESET, EITHER }; /* a row wants a RST in, or out, or does not care */

struct row {
    uint32_t from, to; /* sets of states */
    uint32_t all;      /* of the frames, all of these */
    uint32_t any;      /* and one of these, if there are some */
    uint8_t reset_in;
    uint8_t reset_out;
    uint8_t cause;
    uint8_t really; /* SALUT_STATE_COUNT: as the tracepoint says */
    bool certain;
};

#define SAME SALUT_STATE_COUNT

static const struct row rows[] = {
    /* Opening: the states say it all. */
    {ANY_STATE, S(LISTEN), 0, 0, EITHER, EITHER, SLT_BY_LISTEN, SAME, true},
    {ANY_STATE, S(SYN_SENT), 0, 0, EITHER, EITHER, SLT_BY_CONNECT, SAME, true},
    {S(LISTEN), S(SYN_RECEIVED), 0, 0, EITHER, EITHER, SLT_BY_PASSIVE_OPEN, SAME, true},
    {S(SYN_RECEIVED), S(ESTABLISHED), 0, 0, EITHER, EITHER, SLT_BY_PASSIVE_OPEN, SAME, true},
    {S(SYN_SENT), S(ESTABLISHED), 0, 0, EITHER, EITHER, SLT_BY_SYN_ANSWERED, SAME, true},
    {S(SYN_SENT), S(SYN_RECEIVED), 0, 0, EITHER, EITHER, SLT_BY_SIMULTANEOUS_OPEN, SAME, true},
    /* A FIN came, or ours was acknowledged. */
    {ANY_STATE, S(CLOSE_WAIT) | S(CLOSING), F(FIN), 0, EITHER, EITHER, SLT_BY_FIN_RECEIVED, SAME,
     true},
    {ANY_STATE, S(CLOSE_WAIT) | S(CLOSING), 0, 0, EITHER, EITHER, SLT_BY_FIN_RECEIVED, SAME, true},
    {ANY_STATE, S(FIN_WAIT_2), 0, 0, EITHER, EITHER, SLT_BY_FIN_ACKED, SAME, true},
    /* The program closes. */
    {ANY_STATE, S(FIN_WAIT_1) | S(LAST_ACK), F(SHUTDOWN), 0, EITHER, EITHER, SLT_BY_SHUTDOWN, SAME,
     true},
    {ANY_STATE, S(FIN_WAIT_1) | S(LAST_ACK), F(EXIT) | F(SIGNAL), 0, EITHER, EITHER, SLT_BY_KILLED,
     SAME, true},
    {ANY_STATE, S(FIN_WAIT_1) | S(LAST_ACK), F(EXIT), 0, EITHER, EITHER, SLT_BY_EXITED, SAME, true},
    {ANY_STATE, S(FIN_WAIT_1) | S(LAST_ACK), F(CLOSE), 0, EITHER, EITHER, SLT_BY_CLOSE, SAME, true},
    /* All is over, or seems so: first what names itself. */
    {S(LISTEN), S(CLOSED), 0, 0, EITHER, EITHER, SLT_BY_LISTENER_CLOSED, SAME, true},
    {ANY_STATE, S(CLOSED), F(ABORT), 0, EITHER, EITHER, SLT_BY_ADMINISTRATOR, SAME, true},
    {ANY_STATE, S(CLOSED), F(LISTEN_STOP), 0, EITHER, EITHER, SLT_BY_LISTENER_CLOSED, SAME, true},
    {ANY_STATE, S(CLOSED), F(NO_MEMORY), 0, EITHER, EITHER, SLT_BY_NO_MEMORY, SAME, true},
    {ANY_STATE, S(CLOSED), F(ICMP), 0, EITHER, EITHER, SLT_BY_ICMP_ERROR, SAME, true},
    {S(FIN_WAIT_2), S(CLOSED), F(KEEPALIVE) | F(TIME_WAIT), 0, EITHER, EITHER, SLT_BY_ORPHANED,
     SALUT_STATE_FIN_WAIT_2, true},
    {S(FIN_WAIT_2), S(CLOSED), F(KEEPALIVE), 0, EITHER, EITHER, SLT_BY_ORPHAN_TIMED_OUT, SAME,
     true},
    {ANY_STATE, S(CLOSED), F(KEEPALIVE), 0, EITHER, EITHER, SLT_BY_KEEPALIVE_TIMEOUT, SAME, true},
    {S(SYN_SENT) | S(SYN_RECEIVED), S(CLOSED), 0, F(RETRANSMIT) | F(WRITE_TIMER), EITHER, EITHER,
     SLT_BY_CONNECT_TIMEOUT, SAME, true},
    {ANY_STATE, S(CLOSED), F(RETRANSMIT), 0, EITHER, EITHER, SLT_BY_RETRANSMIT_TIMEOUT, SAME, true},
    {ANY_STATE, S(CLOSED), F(WRITE_TIMER), 0, EITHER, EITHER, SLT_BY_PROBE_TIMEOUT, SAME, false},
    /* The program again, without ceremony. */
    {ANY_STATE, S(CLOSED), F(DISCONNECT) | F(CLOSE), 0, EITHER, EITHER, SLT_BY_LINGER_ZERO, SAME,
     true},
    {ANY_STATE, S(CLOSED), F(DISCONNECT), 0, EITHER, EITHER, SLT_BY_DISCONNECTED, SAME, true},
    {ANY_STATE, S(CLOSED), F(CONNECT), 0, EITHER, EITHER, SLT_BY_CONNECT_FAILED, SAME, true},
    /* The peer: a RST, or the end of an orderly close. */
    {S(SYN_SENT), S(CLOSED), F(SEGMENT), 0, EITHER, EITHER, SLT_BY_REFUSED, SAME, true},
    {S(SYN_SENT), S(CLOSED), 0, F(RESET_IN), EITHER, EITHER, SLT_BY_REFUSED, SAME, true},
    {ANY_STATE, S(CLOSED), F(RESET_IN), 0, EITHER, EITHER, SLT_BY_RST_RECEIVED, SAME, true},
    {ANY_STATE, S(CLOSED), 0, 0, WAS_RESET, EITHER, SLT_BY_RST_RECEIVED, SAME, true},
    {S(FIN_WAIT_1) | S(FIN_WAIT_2), S(CLOSED), F(FIN), 0, EITHER, EITHER, SLT_BY_TIME_WAIT,
     SALUT_STATE_TIME_WAIT, true},
    {S(CLOSING), S(CLOSED), 0, F(SEGMENT) | F(TIME_WAIT), EITHER, EITHER, SLT_BY_TIME_WAIT,
     SALUT_STATE_TIME_WAIT, true},
    {S(LAST_ACK), S(CLOSED), F(SEGMENT), 0, EITHER, EITHER, SLT_BY_LAST_ACKED, SAME, true},
    {S(FIN_WAIT_1) | S(FIN_WAIT_2) | S(CLOSING), S(CLOSED), F(SEGMENT), 0, EITHER, WAS_RESET,
     SLT_BY_DATA_AFTER_CLOSE, SAME, true},
    {S(FIN_WAIT_2), S(CLOSED), F(SEGMENT), 0, EITHER, EITHER, SLT_BY_ORPHANED,
     SALUT_STATE_FIN_WAIT_2, true},
    {S(FIN_WAIT_2), S(CLOSED), F(CLOSE), F(DONE) | F(TIME_WAIT), EITHER, NOT_RESET, SLT_BY_ORPHANED,
     SALUT_STATE_FIN_WAIT_2, true},
    /* close() ends a connection at once only when there was something to read. */
    {OPEN, S(CLOSED), F(CLOSE) | F(EXIT) | F(SIGNAL), 0, EITHER, EITHER, SLT_BY_UNREAD_KILLED, SAME,
     true},
    {OPEN, S(CLOSED), F(CLOSE) | F(EXIT), 0, EITHER, EITHER, SLT_BY_UNREAD_EXITED, SAME, true},
    {OPEN, S(CLOSED), F(CLOSE), 0, EITHER, EITHER, SLT_BY_UNREAD, SAME, true},
    {S(SYN_SENT), S(CLOSED), F(EXIT) | F(SIGNAL), 0, EITHER, EITHER, SLT_BY_KILLED, SAME, true},
    {S(SYN_SENT), S(CLOSED), F(EXIT), 0, EITHER, EITHER, SLT_BY_EXITED, SAME, true},
    {S(SYN_SENT), S(CLOSED), F(CLOSE), 0, EITHER, EITHER, SLT_BY_CLOSE, SAME, true},
};

static bool wants(uint8_t wanted, bool fact)
{
    return wanted == EITHER || (wanted == WAS_RESET) == fact;
}

static bool fits(const struct row *row, const struct slt_cause_facts *facts)
{
    return (row->from & 1U << facts->from) != 0 && (row->to & 1U << facts->to) != 0 &&
           (facts->frames & row->all) == row->all &&
           (row->any == 0 || (facts->frames & row->any) != 0) &&
           wants(row->reset_in, facts->reset_received) && wants(row->reset_out, facts->reset_sent);
}

struct slt_cause_verdict slt_cause_judge(const struct slt_cause_facts *facts)
{
    struct slt_cause_verdict verdict = {SLT_BY_UNKNOWN, facts->to, false};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        if (fits(&rows[i], facts)) {
            verdict.cause = (enum slt_cause)rows[i].cause;
            verdict.to = rows[i].really == SAME ? facts->to : rows[i].really;
            verdict.certain = rows[i].certain;
            break;
        }
    }
    return verdict;
}

#define RTO_MIN_US 200000

/* The timeout has doubled since the round-trip time was last measured. */
static bool is_backed_off(const struct slt_seen *final)
{
    int64_t spread_us = final->rtt_var_us * 4 > RTO_MIN_US ? final->rtt_var_us * 4 : RTO_MIN_US;
    return final->retransmits > 0 && final->rto_us * 2 > (final->rtt_us + spread_us) * 3;
}

struct slt_cause_verdict slt_cause_guess(uint8_t stands, const struct slt_seen *final)
{
    struct slt_cause_verdict verdict = {SLT_BY_RST_RECEIVED, SALUT_STATE_CLOSED, false};
    if (stands == SALUT_STATE_SYN_SENT || stands == SALUT_STATE_SYN_RECEIVED) {
        verdict.cause = final->retransmits > 0 ? SLT_BY_CONNECT_TIMEOUT : SLT_BY_REFUSED;
    } else if (final->retries > 0) { /* probes: a retransmission is none */
        verdict.cause = final->send_window == 0 ? SLT_BY_PROBE_TIMEOUT : SLT_BY_KEEPALIVE_TIMEOUT;
    } else if (is_backed_off(final)) {
        verdict.cause = SLT_BY_RETRANSMIT_TIMEOUT;
    } else if (stands == SALUT_STATE_LAST_ACK) {
        verdict.cause = SLT_BY_LAST_ACKED;
    } else if (stands == SALUT_STATE_FIN_WAIT_1 || stands == SALUT_STATE_FIN_WAIT_2 ||
               stands == SALUT_STATE_CLOSING) {
        verdict.cause = SLT_BY_TIME_WAIT;
        verdict.to = SALUT_STATE_TIME_WAIT;
    }
    return verdict;
}

bool slt_cause_is_programs(enum slt_cause cause)
{
    return cause == SLT_BY_LISTEN || cause == SLT_BY_CONNECT || cause == SLT_BY_CONNECT_FAILED ||
           cause == SLT_BY_ADDRESS_IN_USE ||
           (cause >= SLT_BY_CLOSE && cause <= SLT_BY_LISTENER_CLOSED);
}

/* ---- words ---------------------------------------------------------------------------------- */

struct words {
    const char *token;
    const char *text;
};

static const struct words words[SLT_BY_COUNT] = {
    [SLT_BY_NONE] = {"none", "nothing was seen of it"},
    [SLT_BY_UNKNOWN] = {"unknown", "the cause is unknown"},
    [SLT_BY_LISTEN] = {"listen", "the program called listen()"},
    [SLT_BY_CONNECT] = {"connect", "the program called connect()"},
    [SLT_BY_CONNECT_FAILED] = {"connect-failed", "connect() failed in this host"},
    [SLT_BY_SYN_ANSWERED] = {"syn-answered", "the peer answered the SYN"},
    [SLT_BY_PASSIVE_OPEN] = {"passive-open", "a peer completed the handshake"},
    [SLT_BY_SIMULTANEOUS_OPEN] = {"simultaneous-open", "both ends sent a SYN"},
    [SLT_BY_CLOSE] = {"close", "the program called close()"},
    [SLT_BY_SHUTDOWN] = {"shutdown", "the program called shutdown(SHUT_WR)"},
    [SLT_BY_KILLED] = {"killed", "the process was killed by a signal"},
    [SLT_BY_EXITED] = {"exited", "the process exited without closing"},
    [SLT_BY_UNREAD] = {"unread-data", "close() with unread data: RST sent"},
    [SLT_BY_UNREAD_KILLED] = {"unread-data-killed",
                              "killed by a signal with unread data: RST sent"},
    [SLT_BY_UNREAD_EXITED] = {"unread-data-exited",
                              "the process exited with unread data: RST sent"},
    [SLT_BY_LINGER_ZERO] = {"linger-zero", "closed with SO_LINGER 0: RST sent"},
    [SLT_BY_DISCONNECTED] = {"disconnected", "the program dissolved it (AF_UNSPEC): RST sent"},
    [SLT_BY_LISTENER_CLOSED] = {"listener-closed", "the listener was closed"},
    [SLT_BY_FIN_RECEIVED] = {"fin-received", "the peer sent FIN"},
    [SLT_BY_FIN_ACKED] = {"fin-acked", "the peer acknowledged our FIN"},
    [SLT_BY_LAST_ACKED] = {"last-acked", "the peer acknowledged our FIN, the last"},
    [SLT_BY_TIME_WAIT] = {"time-wait", "both FINs are acknowledged: 60 s of waiting"},
    [SLT_BY_ORPHANED] = {"orphaned", "the program is done with it; the peer's FIN is missing"},
    [SLT_BY_TIME_WAIT_OVER] = {"time-wait-over", "60 s are over"},
    [SLT_BY_ORPHAN_TIMED_OUT] = {"orphan-timeout", "the peer's FIN did not come in time"},
    [SLT_BY_DATA_AFTER_CLOSE] = {"data-after-close", "data came after close(): RST sent"},
    [SLT_BY_RST_RECEIVED] = {"rst-received", "the peer sent RST"},
    [SLT_BY_REFUSED] = {"refused", "refused: the peer answered the SYN with RST"},
    [SLT_BY_RETRANSMIT_TIMEOUT] = {"retransmit-timeout", "the peer acknowledged nothing: given up"},
    [SLT_BY_CONNECT_TIMEOUT] = {"connect-timeout", "the SYN was never answered: given up"},
    [SLT_BY_PROBE_TIMEOUT] = {"probe-timeout", "probes of a closed window: given up"},
    [SLT_BY_KEEPALIVE_TIMEOUT] = {"keepalive-timeout", "keep-alive probes were not answered"},
    [SLT_BY_ICMP_ERROR] = {"icmp-error", "an ICMP error came"},
    [SLT_BY_ADMINISTRATOR] = {"administrator", "an administrator ended it (ss -K, salut kill)"},
    [SLT_BY_NO_MEMORY] = {"no-memory", "too little memory, or too many orphans"},
    [SLT_BY_ADDRESS_IN_USE] = {"address-in-use",
                               "bind() or listen() failed: the address is in use"},
};

const char *slt_cause_token(enum slt_cause cause)
{
    return (unsigned)cause < SLT_BY_COUNT ? words[cause].token : "?";
}

const char *slt_cause_text(enum slt_cause cause)
{
    return (unsigned)cause < SLT_BY_COUNT ? words[cause].text : "?";
}

enum slt_cause slt_cause_parse(const char *token, size_t bytes)
{
    unsigned cause = 0;
    while (cause < SLT_BY_COUNT &&
           (strlen(words[cause].token) != bytes || memcmp(words[cause].token, token, bytes) != 0)) {
        cause++;
    }
    return (enum slt_cause)cause;
}
