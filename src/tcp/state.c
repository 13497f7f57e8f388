/* The state of a connection: the one function that changes it, and its history.
 *
 * RFC 9293 3.3.2, figure 5, plus the edges that aborts and timeouts add (3.10.5, 3.10.8). Every
 * change has a cause, is checked against the table of legal edges, is kept in the connection's
 * short history and emitted as an event; then the timers act on it.
 *
 * A history entry is packed in 64 bits: 48 of microseconds (8.9 years, unwrapped against now), 4
 * of the old state, 4 of the new, 8 of the reason.
 */
#include "tcp/engine.h"

#define BIT(state)      (1U << SALUT_STATE_##state)
#define HISTORY_US_BITS 48
#define HISTORY_US_MASK ((UINT64_C(1) << HISTORY_US_BITS) - 1)

/* Where each state may go. Read with figure 5 of RFC 9293 beside it. */
static const uint16_t legal_edges[SALUT_STATE_COUNT] = {
    [SALUT_STATE_CLOSED] = BIT(LISTEN) | BIT(SYN_SENT),
    /* a SYN; an active open or a SEND from a listener; CLOSE */
    [SALUT_STATE_LISTEN] = BIT(SYN_RECEIVED) | BIT(SYN_SENT) | BIT(CLOSED),
    /* crossing SYN; SYN,ACK; close, reset, timeout */
    [SALUT_STATE_SYN_SENT] = BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(CLOSED),
    /* ACK of SYN; CLOSE with nothing queued; RST of a passive one; abort, reset, timeout */
    [SALUT_STATE_SYN_RECEIVED] = BIT(ESTABLISHED) | BIT(FIN_WAIT_1) | BIT(LISTEN) | BIT(CLOSED),
    [SALUT_STATE_ESTABLISHED] = BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(CLOSED),
    /* ACK of FIN; FIN; FIN and ACK of FIN together (note 2) */
    [SALUT_STATE_FIN_WAIT_1] = BIT(FIN_WAIT_2) | BIT(CLOSING) | BIT(TIME_WAIT) | BIT(CLOSED),
    [SALUT_STATE_FIN_WAIT_2] = BIT(TIME_WAIT) | BIT(CLOSED),
    [SALUT_STATE_CLOSE_WAIT] = BIT(LAST_ACK) | BIT(CLOSED),
    [SALUT_STATE_CLOSING] = BIT(TIME_WAIT) | BIT(CLOSED),
    [SALUT_STATE_LAST_ACK] = BIT(CLOSED),
    [SALUT_STATE_TIME_WAIT] = BIT(CLOSED),
};

bool slt_tcp_edge_legal(enum salut_state from, enum salut_state to)
{
    SLT_ASSERT(from < SALUT_STATE_COUNT && to < SALUT_STATE_COUNT);
    return (legal_edges[from] >> to & 1U) != 0;
}

static void remember(struct slt_tcp_conn *c, enum salut_state from, enum salut_state to,
                     enum slt_reason why, int64_t at_ns)
{
    uint64_t at_us = (uint64_t)(at_ns / SLT_NS_PER_US) & HISTORY_US_MASK;

    c->history[c->history_at] =
        at_us << 16 | (uint64_t)from << 12 | (uint64_t)to << 8 | (uint64_t)why;
    c->history_at = (uint8_t)((c->history_at + 1) % SALUT_HISTORY_MAX);
}

/* Entries there are: no change leads from CLOSED to CLOSED, so an entry is never 0. */
static unsigned history_count(const struct slt_tcp_conn *c)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SALUT_HISTORY_MAX; i++) {
        count += c->history[i] != 0 ? 1U : 0U;
    }
    return count;
}

static enum salut_state change_state(struct slt_tcp_conn *c, enum salut_state to,
                                     enum slt_reason why, int64_t at_ns)
{
    enum salut_state from = (enum salut_state)c->state;

    SLT_ASSERT(slt_reason_category(why) == SLT_CATEGORY_CAUSE);
    SLT_ASSERT(slt_tcp_edge_legal(from, to));
    c->state = (uint8_t)to;
    remember(c, from, to, why, at_ns);
    return from;
}

void slt_tcp_set_state(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_state to,
                       enum slt_reason why, int64_t now_ns)
{
    enum salut_state from = change_state(c, to, why, now_ns);

    slt_tcp_emit_state(tcp, c, from, why, now_ns);
    slt_tcp_timers_on_state(tcp, c, now_ns);
}

/* Take over a change that a half-open entry made (and emitted) before the connection was. */
void slt_tcp_inherit_state(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_state to,
                           enum slt_reason why, int64_t at_ns)
{
    change_state(c, to, why, at_ns);
    slt_tcp_timers_on_state(tcp, c, at_ns);
}

/* The instant a packed history entry speaks of: the latest one not after now with those bits. */
static int64_t unpack_at_ns(uint64_t packed, int64_t now_ns)
{
    int64_t now_us = now_ns / SLT_NS_PER_US;
    uint64_t back_us = ((uint64_t)now_us - (packed >> 16)) & HISTORY_US_MASK;

    return (now_us - (int64_t)back_us) * SLT_NS_PER_US;
}

/* The newest entry; 0 when there is none. */
static uint64_t newest_entry(const struct slt_tcp_conn *c)
{
    return c->history[(c->history_at + SALUT_HISTORY_MAX - 1U) % SALUT_HISTORY_MAX];
}

static enum slt_reason reason_of(uint64_t packed)
{
    return (enum slt_reason)(packed & 255U);
}

enum slt_reason slt_tcp_state_reason(const struct slt_tcp_conn *c)
{
    return reason_of(newest_entry(c));
}

int64_t slt_tcp_state_since_ns(const struct slt_tcp_conn *c, int64_t now_ns)
{
    uint64_t newest = newest_entry(c);

    return newest == 0 ? now_ns : unpack_at_ns(newest, now_ns);
}

uint32_t slt_tcp_history_read(const struct slt_tcp_conn *c, int64_t now_ns,
                              struct salut_history *out)
{
    unsigned count = history_count(c);
    unsigned first = (c->history_at + SALUT_HISTORY_MAX - count) % SALUT_HISTORY_MAX;

    for (unsigned i = 0; i < count; i++) {
        uint64_t packed = c->history[(first + i) % SALUT_HISTORY_MAX];
        out[i] = (struct salut_history){.at_ns = unpack_at_ns(packed, now_ns),
                                        .from = (uint8_t)(packed >> 12 & 15U),
                                        .to = (uint8_t)(packed >> 8 & 15U),
                                        .reason = (uint8_t)reason_of(packed)};
    }
    return count;
}
