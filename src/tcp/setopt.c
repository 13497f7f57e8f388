/* Options of a connection and of what a listener hands down (RFC 9293 3.9.1; tcp(7)).
 *
 * Keep-alive (MUST-24, MUST-25: off until asked for; MUST-27), the DS field (MUST-48, SHLD-21) and
 * the TTL (MUST-49) can be changed at any time. One table says each option's domain; where a flag
 * or a field of struct slt_tcp_opts holds the value, connection and listener share the code.
 */
#include "tcp/engine.h"

#define BUFFER_MIN    2048
#define BUFFER_MAX    (INT64_C(1) << 30) /* REC-1: a scaled window reaches this far */
#define LINGER2_MAX_S 120                /* L-02 */

struct domain {
    int64_t least;
    int64_t most;
};

static const struct domain domains[SALUT_OPT_COUNT] = {
    [SALUT_OPT_NODELAY] = {0, 1},
    [SALUT_OPT_CORK] = {0, 1},
    [SALUT_OPT_KEEPALIVE] = {0, 1},
    [SALUT_OPT_KEEPALIVE_IDLE_S] = {1, 32767},
    [SALUT_OPT_KEEPALIVE_INTERVAL_S] = {1, 32767},
    [SALUT_OPT_KEEPALIVE_PROBES] = {1, 127},
    [SALUT_OPT_USER_TIMEOUT_MS] = {0, INT32_MAX},
    [SALUT_OPT_SEND_BUFFER] = {BUFFER_MIN, BUFFER_MAX},
    [SALUT_OPT_RECV_BUFFER] = {BUFFER_MIN, BUFFER_MAX},
    [SALUT_OPT_LINGER_ABORT] = {0, 1},
    [SALUT_OPT_TTL] = {1, 255},
    [SALUT_OPT_DSCP] = {0, 63},
    [SALUT_OPT_MAX_SEGMENT] = {0, 65535},
    [SALUT_OPT_QUICK_ACK] = {0, 1},
    [SALUT_OPT_SYN_RETRIES] = {1, 127},
    [SALUT_OPT_LINGER2_S] = {-1, LINGER2_MAX_S},
    [SALUT_OPT_RCVLOWAT] = {1, INT32_MAX},
    [SALUT_OPT_FAST_OPEN] = {0, 65535},
    [SALUT_OPT_CONGESTION] = {0, SALUT_CC_COUNT - 1},
    [SALUT_OPT_PACING] = {0, 1},
    [SALUT_OPT_PACING_MAX] = {0, UINT32_MAX},
    [SALUT_OPT_DEFER_ACCEPT] = {0, 255},
    [SALUT_OPT_BROADCAST] = {1, 0}, /* no options of TCP */
    [SALUT_OPT_FRAGMENT] = {1, 0},
};

static bool in_domain(enum salut_option option, int64_t value)
{
    return (unsigned)option < SALUT_OPT_COUNT && value >= domains[option].least &&
           value <= domains[option].most;
}

/* The flag an option is, or 0. */
static uint32_t flag_of(enum salut_option option)
{
    switch (option) {
    case SALUT_OPT_NODELAY:
        return SLT_CONN_NODELAY;
    case SALUT_OPT_CORK:
        return SLT_CONN_CORK;
    case SALUT_OPT_KEEPALIVE:
        return SLT_CONN_KEEPALIVE;
    case SALUT_OPT_LINGER_ABORT:
        return SLT_CONN_LINGER_ABORT;
    case SALUT_OPT_QUICK_ACK:
        return SLT_CONN_QUICK;
    case SALUT_OPT_KEEPALIVE_IDLE_S:
    case SALUT_OPT_KEEPALIVE_INTERVAL_S:
    case SALUT_OPT_KEEPALIVE_PROBES:
    case SALUT_OPT_USER_TIMEOUT_MS:
    case SALUT_OPT_SEND_BUFFER:
    case SALUT_OPT_RECV_BUFFER:
    case SALUT_OPT_TTL:
    case SALUT_OPT_DSCP:
    case SALUT_OPT_MAX_SEGMENT:
    case SALUT_OPT_SYN_RETRIES:
    case SALUT_OPT_LINGER2_S:
    case SALUT_OPT_RCVLOWAT:
    case SALUT_OPT_FAST_OPEN:
    case SALUT_OPT_CONGESTION:
    case SALUT_OPT_PACING:
    case SALUT_OPT_PACING_MAX:
    case SALUT_OPT_DEFER_ACCEPT:
    case SALUT_OPT_BROADCAST:
    case SALUT_OPT_FRAGMENT:
    case SALUT_OPT_COUNT:
        break;
    }
    return 0;
}

/* Write a number of struct slt_tcp_opts; false when the option is not kept there. */
static bool write_field(struct slt_tcp_opts *opts, enum salut_option option, int64_t value)
{
    if (option == SALUT_OPT_KEEPALIVE_IDLE_S) {
        opts->keep_idle_s = (uint16_t)value;
    } else if (option == SALUT_OPT_KEEPALIVE_INTERVAL_S) {
        opts->keep_interval_s = (uint16_t)value;
    } else if (option == SALUT_OPT_KEEPALIVE_PROBES) {
        opts->keep_probes = (uint8_t)value;
    } else if (option == SALUT_OPT_USER_TIMEOUT_MS) {
        opts->user_timeout_ms = (uint32_t)value;
    } else if (option == SALUT_OPT_TTL) {
        opts->ttl = (uint8_t)value;
    } else if (option == SALUT_OPT_DSCP) {
        opts->dscp = (uint8_t)(value << 2);
    } else if (option == SALUT_OPT_MAX_SEGMENT) {
        opts->max_segment = (uint16_t)value;
    } else if (option == SALUT_OPT_SYN_RETRIES) {
        opts->syn_retries = (uint8_t)value;
    } else if (option == SALUT_OPT_LINGER2_S) {
        opts->linger2_s = (int8_t)value;
    } else if (option == SALUT_OPT_RCVLOWAT) {
        opts->lowat_bytes = (uint32_t)value;
    } else if (option == SALUT_OPT_CONGESTION) {
        opts->cc = (uint8_t)((opts->cc & SLT_OPTS_PACED) | (unsigned)value);
    } else if (option == SALUT_OPT_PACING) {
        opts->cc = (uint8_t)((opts->cc & ~SLT_OPTS_PACED) | (value ? SLT_OPTS_PACED : 0));
    } else if (option == SALUT_OPT_PACING_MAX) {
        opts->pace_max = (uint32_t)value;
    } else {
        return false;
    }
    return true;
}

static int64_t read_field(const struct slt_tcp_opts *opts, enum salut_option option)
{
    if (option == SALUT_OPT_KEEPALIVE_IDLE_S) {
        return opts->keep_idle_s;
    }
    if (option == SALUT_OPT_KEEPALIVE_INTERVAL_S) {
        return opts->keep_interval_s;
    }
    if (option == SALUT_OPT_KEEPALIVE_PROBES) {
        return opts->keep_probes;
    }
    if (option == SALUT_OPT_USER_TIMEOUT_MS) {
        return opts->user_timeout_ms;
    }
    if (option == SALUT_OPT_TTL) {
        return opts->ttl; /* 0: what the interface uses */
    }
    if (option == SALUT_OPT_DSCP) {
        return opts->dscp >> 2;
    }
    if (option == SALUT_OPT_MAX_SEGMENT) {
        return opts->max_segment;
    }
    if (option == SALUT_OPT_SYN_RETRIES) {
        return opts->syn_retries;
    }
    if (option == SALUT_OPT_LINGER2_S) {
        return opts->linger2_s;
    }
    if (option == SALUT_OPT_CONGESTION) {
        return opts->cc & ~SLT_OPTS_PACED;
    }
    if (option == SALUT_OPT_FAST_OPEN || option == SALUT_OPT_DEFER_ACCEPT) {
        return 0; /* a listener's */
    }
    if (option == SALUT_OPT_PACING) {
        return (opts->cc & SLT_OPTS_PACED) != 0;
    }
    if (option == SALUT_OPT_PACING_MAX) {
        return opts->pace_max;
    }
    return opts->lowat_bytes;
}

/* What a change of option means for a running connection. */
static void apply(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_option option,
                  int64_t value, int64_t now_ns)
{
    if (option == SALUT_OPT_KEEPALIVE || option == SALUT_OPT_KEEPALIVE_IDLE_S) {
        slt_tcp_timers_on_keepalive(tcp, c, false, now_ns);
    } else if (option == SALUT_OPT_NODELAY && value != 0) {
        c->flags &= ~(uint32_t)SLT_CONN_MORE; /* SOCK-75: NODELAY flushes */
    } else if (option == SALUT_OPT_QUICK_ACK && value != 0 &&
               slt_tcp_has(c, SLT_CONN_ACK_PENDING)) {
        slt_tcp_ack_now(c, SLT_SEND_ACK_NOW);
    } else if (option == SALUT_OPT_USER_TIMEOUT_MS && c->cold != NULL &&
               (c->snd.queue.bytes > 0 || c->snd.una != c->snd.nxt)) {
        slt_tcp_timers_on_waiting(tcp, c, now_ns);
    } else if (option == SALUT_OPT_CONGESTION && slt_tcp_awake(c) == NULL) {
        slt_cc_forget(&c->cc_fold);
    } else if (option == SALUT_OPT_CONGESTION) {
        slt_cc_switch(&c->cold->cc, tcp->config, (uint8_t)value, slt_tcp_full_mss(tcp, c), now_ns);
    }
    slt_tcp_pacing_update(tcp, c);
}

enum salut_status slt_tcp_set_option(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                     enum salut_option option, int64_t value, int64_t now_ns)
{
    if (!in_domain(option, value)) {
        return SALUT_INVALID;
    }
    if (option == SALUT_OPT_FAST_OPEN || option == SALUT_OPT_DEFER_ACCEPT) {
        return SALUT_NOT_SUPPORTED;
    }
    uint32_t flag = flag_of(option);
    if (flag != 0) {
        c->flags = value ? c->flags | flag : c->flags & ~flag;
    } else if (option == SALUT_OPT_SEND_BUFFER) {
        slt_tcp_snd_buffer(c, (uint32_t)value);
        c->flags |= SLT_CONN_SNDBUF_SET; /* the user knows better: no tuning on this side */
    } else if (option == SALUT_OPT_RECV_BUFFER) {
        slt_tcp_rcv_buffer(c, (uint32_t)value);
        slt_tcp_open_rescale(tcp, c); /* SOCK-81 */
        c->flags |= SLT_CONN_RCVBUF_SET;
    } else {
        write_field(&c->opts, option, value);
        c->flags |= option == SALUT_OPT_USER_TIMEOUT_MS ? (uint32_t)SLT_CONN_UTO_SET : 0;
    }
    apply(tcp, c, option, value, now_ns);
    return SALUT_OK;
}

enum salut_status slt_tcp_get_option(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                     enum salut_option option, int64_t *value)
{
    if ((unsigned)option >= SALUT_OPT_COUNT || domains[option].least > domains[option].most) {
        return SALUT_INVALID;
    }
    uint32_t flag = flag_of(option);
    if (flag != 0) {
        *value = slt_tcp_has(c, flag) ? 1 : 0;
    } else if (option == SALUT_OPT_SEND_BUFFER) {
        *value = c->snd.buffer_max;
    } else if (option == SALUT_OPT_RECV_BUFFER) {
        *value = c->rcv.buffer_max;
    } else if (option == SALUT_OPT_TTL && c->opts.ttl == 0) {
        *value = tcp->config->ttl;
    } else {
        *value = read_field(&c->opts, option);
    }
    return SALUT_OK;
}

enum salut_status slt_tcp_set_default(struct slt_tcp_defaults *d, enum salut_option option,
                                      int64_t value)
{
    if (!in_domain(option, value)) {
        return SALUT_INVALID;
    }
    uint32_t flag = flag_of(option);
    if (flag != 0) {
        d->flags = value ? d->flags | flag : d->flags & ~flag;
    } else if (option == SALUT_OPT_SEND_BUFFER) {
        d->send_buffer_max = (uint32_t)value;
        d->flags |= SLT_CONN_SNDBUF_SET;
    } else if (option == SALUT_OPT_RECV_BUFFER) {
        d->recv_buffer_max = (uint32_t)value;
        d->flags |= SLT_CONN_RCVBUF_SET;
    } else if (option == SALUT_OPT_FAST_OPEN) {
        d->fast_open_max = (uint32_t)value;
    } else if (option == SALUT_OPT_DEFER_ACCEPT) {
        d->defer_retries = (uint8_t)value;
    } else {
        write_field(&d->opts, option, value);
        d->flags |= option == SALUT_OPT_USER_TIMEOUT_MS ? (uint32_t)SLT_CONN_UTO_SET : 0;
    }
    return SALUT_OK;
}

void slt_tcp_defaults_init(struct slt_tcp_defaults *d, const struct salut_config *config)
{
    memset(d, 0, sizeof(*d));
    d->send_buffer_max = config->send_buffer_bytes;
    d->recv_buffer_max = config->recv_buffer_bytes;
    d->flags = config->nagle ? 0 : (uint32_t)SLT_CONN_NODELAY;
    d->opts.lowat_bytes = 1;
    d->opts.cc = (uint8_t)(config->congestion | (config->pacing ? SLT_OPTS_PACED : 0));
    d->opts.keep_idle_s = (uint16_t)slt_min64(config->keepalive_idle_ns / SLT_NS_PER_S, 32767);
    d->opts.keep_interval_s =
        (uint16_t)slt_min64(config->keepalive_interval_ns / SLT_NS_PER_S, 32767);
    d->opts.keep_probes = config->keepalive_probes;
    d->opts.syn_retries = config->syn_retries;
}
