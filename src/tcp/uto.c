/* The user timeout option (RFC 5482): telling the peer how long we wait for acknowledgements, and
 * waiting as long as he asks.
 *
 * Switched on for the whole stack (config user_timeout_option is ENABLED). What we advertise is
 * the connection's user timeout, or the configuration's; without one there is nothing to say. It
 * stands on SYN and SYN,ACK and on what leaves before anything but SYNs was exchanged, which is
 * what the RFC asks of a peer that kept nothing of our SYN (SYN cookies, our own half-open
 * entries). What the peer says moves our timeout within two limits, unless the user has set his
 * own (CHANGEABLE is then false, SLT_CONN_UTO_SET). The adopted value lies where the user's would.
 */
#include "tcp/engine.h"

#define MINUTES_BIT UINT16_C(0x8000)
#define VALUE_MAX   INT64_C(0x7fff)

/* A timeout as the option says it: seconds, or minutes where those do not reach; 0: not said. */
uint16_t slt_tcp_uto_value(int64_t timeout_ns)
{
    int64_t seconds = (timeout_ns + SLT_NS_PER_S - 1) / SLT_NS_PER_S;

    if (seconds <= VALUE_MAX) { /* 0 is never sent (R5482-01) */
        return (uint16_t)slt_max64(seconds, 0);
    }
    return (uint16_t)(MINUTES_BIT | slt_min64((seconds + 59) / 60, VALUE_MAX));
}

static int64_t value_ns(uint16_t value)
{
    int64_t number = value & VALUE_MAX;

    return number * ((value & MINUTES_BIT) ? 60 * SLT_NS_PER_S : SLT_NS_PER_S);
}

/* Last of all, and only where the others leave room (RFC 5482 3). */
static void put(struct slt_tcp_options *opt, uint16_t value)
{
    if (value != 0 && slt_tcp_options_bytes(opt) + SLT_TCP_UTO_BYTES <= SLT_TCP_OPTIONS_MAX) {
        opt->user_timeout = value;
        opt->present |= SLT_TCP_OPT_USER_TIMEOUT;
    }
}

/* On a SYN, or on a SYN,ACK of a half-open entry, whose user has `own_ms`. */
void slt_tcp_uto_on_syn(const struct slt_tcp *tcp, uint32_t own_ms, struct slt_tcp_options *opt)
{
    int64_t timeout_ns = own_ms != 0 ? own_ms * SLT_NS_PER_MS : tcp->config->user_timeout_ns;

    if (tcp->config->user_timeout_option) {
        put(opt, slt_tcp_uto_value(timeout_ns)); /* R5482-04 */
    }
}

/* True while a segment that is no SYN carries the option. */
bool slt_tcp_uto_due(const struct slt_tcp *tcp, const struct slt_tcp_conn *c)
{
    return tcp->config->user_timeout_option && c->snd.nxt <= 1 && c->rcv.nxt <= 1 &&
           c->state == SALUT_STATE_ESTABLISHED && slt_tcp_user_timeout_ns(tcp, c) != 0;
}

void slt_tcp_uto_on_segment(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct slt_tcp_options *opt)
{
    if (slt_tcp_uto_due(tcp, c)) {
        put(opt, slt_tcp_uto_value(slt_tcp_user_timeout_ns(tcp, c)));
    }
}

/* Take what the peer says (R5482-02, R5482-03). */
void slt_tcp_uto_note(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in)
{
    const struct salut_config *config = tcp->config;
    const struct slt_tcp_options *opt = &in->seg->opt;

    if (!(opt->present & SLT_TCP_OPT_USER_TIMEOUT) || !config->user_timeout_option ||
        slt_tcp_has(c, SLT_CONN_UTO_SET) || value_ns(opt->user_timeout) == 0) {
        return;
    }
    int64_t low_ns = slt_max64(config->user_timeout_low_ns, slt_tcp_rto_ns(tcp, c));
    int64_t timeout_ns = slt_max64(value_ns(opt->user_timeout), config->user_timeout_ns);
    timeout_ns = slt_max64(timeout_ns, low_ns);
    timeout_ns = slt_min64(timeout_ns, config->user_timeout_high_ns);
    c->opts.user_timeout_ms = (uint32_t)slt_min64(timeout_ns / SLT_NS_PER_MS, INT32_MAX);
    if (c->cold != NULL && (c->snd.queue.bytes > 0 || c->snd.una != c->snd.nxt)) {
        slt_tcp_timers_on_waiting(tcp, c, in->now_ns);
    }
}
