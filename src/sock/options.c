/* What the rows of the option table share: taking and handing out values, and the engine's options
 * wherever they live at the moment: in the socket before there is a connection, in the listener,
 * or in the connection.
 */
#include "sock/sock.h"

#include "base/time.h"

#include <errno.h>
#include <string.h>

int slt_opt_put(struct slt_sock_optcall *call, const void *value, uint32_t bytes)
{
    call->bytes = slt_min32(call->bytes, bytes);
    if (call->bytes > 0) {
        memcpy(call->value, value, call->bytes);
    }
    return 0;
}

int slt_opt_put_int(struct slt_sock_optcall *call, int value)
{
    return slt_opt_put(call, &value, sizeof(value));
}

int slt_opt_take_int(const struct slt_sock_optcall *call, int *value)
{
    if (call->bytes < sizeof(*value) || call->value == NULL) {
        return -EINVAL;
    }
    memcpy(value, call->value, sizeof(*value));
    return *value < call->row->low || *value > call->row->high ? -EINVAL : 0;
}

static int64_t seconds_of(int64_t ns)
{
    return ns / SLT_NS_PER_S;
}

/* What the instance's configuration says before anybody sets the option. */
static int64_t default_of(const struct salut_config *c, enum salut_option option)
{
    switch (option) {
    case SALUT_OPT_NODELAY:
        return !c->nagle;
    case SALUT_OPT_KEEPALIVE_IDLE_S:
        return seconds_of(c->keepalive_idle_ns);
    case SALUT_OPT_KEEPALIVE_INTERVAL_S:
        return seconds_of(c->keepalive_interval_ns);
    case SALUT_OPT_KEEPALIVE_PROBES:
        return c->keepalive_probes;
    case SALUT_OPT_USER_TIMEOUT_MS:
        return c->user_timeout_ns / SLT_NS_PER_MS;
    case SALUT_OPT_SEND_BUFFER:
        return c->send_buffer_bytes;
    case SALUT_OPT_RECV_BUFFER:
        return c->recv_buffer_bytes;
    case SALUT_OPT_TTL:
        return c->ttl;
    case SALUT_OPT_SYN_RETRIES:
        return c->syn_retries;
    case SALUT_OPT_LINGER2_S:
        return seconds_of(c->fin_wait_2_ns);
    case SALUT_OPT_RCVLOWAT:
    case SALUT_OPT_QUICK_ACK:
        return 1;
    case SALUT_OPT_CONGESTION:
        return c->congestion;
    case SALUT_OPT_PACING:
        return c->pacing;
    case SALUT_OPT_PACING_MAX:
    case SALUT_OPT_CORK:
    case SALUT_OPT_KEEPALIVE:
    case SALUT_OPT_LINGER_ABORT:
    case SALUT_OPT_DSCP:
    case SALUT_OPT_MAX_SEGMENT:
    case SALUT_OPT_FAST_OPEN:
    case SALUT_OPT_DEFER_ACCEPT:
    case SALUT_OPT_BROADCAST:
    case SALUT_OPT_FRAGMENT:
    case SALUT_OPT_COUNT:
        break;
    }
    return 0;
}

static int64_t dgram_default_of(const struct salut_config *c, enum salut_option option)
{
    if (option == SALUT_OPT_SEND_BUFFER) {
        return c->udp_send_buffer_bytes;
    }
    return option == SALUT_OPT_RECV_BUFFER ? c->udp_recv_buffer_bytes : default_of(c, option);
}

int64_t slt_opt_engine(const struct salut_socks *socks, const struct slt_sock *sock,
                       enum salut_option option)
{
    int64_t value = 0;
    if (sock->has_udp &&
        salut_udp_get_option(socks->stack, sock->udp, option, &value) == SALUT_OK) {
        return value;
    }
    if (sock->has_conn && salut_get_option(socks->stack, sock->conn, option, &value) == SALUT_OK) {
        return value;
    }
    if ((sock->set.options_given & 1U << option) != 0) {
        return sock->set.option[option];
    }
    return sock->kind == SLT_SOCK_DGRAM ? dgram_default_of(&socks->defaults, option)
                                        : default_of(&socks->defaults, option);
}

static enum salut_status tell_engine(struct salut_socks *socks, const struct slt_sock *sock,
                                     enum salut_option option, int64_t value)
{
    int64_t known;
    if (sock->has_conn) {
        return salut_set_option(socks->stack, sock->conn, option, value);
    }
    /* What UDP does not know is kept and told, without effect, as elsewhere. */
    if (sock->has_udp &&
        salut_udp_get_option(socks->stack, sock->udp, option, &known) == SALUT_OK) {
        return salut_udp_set_option(socks->stack, sock->udp, option, value);
    }
    if (sock->phase == SLT_SOCK_LISTENING) {
        return salut_set_listener_option(socks->stack, sock->listener, option, value);
    }
    return SALUT_OK;
}

int slt_opt_set_engine_value(struct slt_sock_optcall *call, enum salut_option option, int64_t value)
{
    enum salut_status status = tell_engine(call->socks, call->sock, option, value);
    if (status != SALUT_OK && status != SALUT_STALE) {
        return -salut_status_errno(status);
    }
    call->sock->set.option[option] = value;
    call->sock->set.options_given |= 1U << option;
    return 0;
}

void slt_opt_apply(struct salut_socks *socks, const struct slt_sock *sock)
{
    for (unsigned option = 0; option < SALUT_OPT_COUNT; option++) {
        if ((sock->set.options_given & 1U << option) != 0) {
            (void)tell_engine(socks, sock, (enum salut_option)option, sock->set.option[option]);
        }
    }
}

int slt_opt_get_engine(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(
        call, (int)slt_opt_engine(call->socks, call->sock, (enum salut_option)call->row->arg));
}

int slt_opt_set_engine(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    return result < 0 ? result
                      : slt_opt_set_engine_value(call, (enum salut_option)call->row->arg, value);
}

static bool *flag_of(const struct slt_sock_optcall *call)
{
    return (bool *)((char *)&call->sock->set + call->row->arg);
}

int slt_opt_get_flag(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, *flag_of(call));
}

int slt_opt_set_flag(struct slt_sock_optcall *call)
{
    int value;
    int result = slt_opt_take_int(call, &value);
    if (result == 0) {
        *flag_of(call) = value != 0;
    }
    return result;
}

int slt_opt_get_plain(struct slt_sock_optcall *call)
{
    return slt_opt_put_int(call, call->sock->set.plain[call->row->arg]);
}

int slt_opt_set_plain(struct slt_sock_optcall *call)
{
    return slt_opt_take_int(call, &call->sock->set.plain[call->row->arg]);
}
