/* What the network says about a connection's segments (RFC 9293 3.9.2.2; RFC 5927).
 *
 * A notice counts only if the quoted sequence number is in flight (R5927-01). In synchronized
 * states every error is soft (D-09): it is remembered, told as advice to who is interested in it
 * (SHLD-20: off until asked for), and becomes the status if
 * the connection later times out (SHLD-25). In SYN-SENT a hard error ends the attempt, a soft one
 * only where the profile does as Linux does (D-26). What a path MTU message means is pmtud.c's.
 */
#include "tcp/engine.h"

static bool is_hard(enum slt_tcp_notice_kind kind)
{
    return kind == SLT_NOTICE_PROTO_UNREACHABLE || kind == SLT_NOTICE_PORT_UNREACHABLE ||
           kind == SLT_NOTICE_NEXT_HEADER;
}

/* SOCK-23..26: as the kernel's icmp_err_convert and its ICMPv6 sibling have it. */
static enum salut_status status_of(enum slt_tcp_notice_kind kind)
{
    switch (kind) {
    case SLT_NOTICE_NET_UNREACHABLE:
        return SALUT_NET_UNREACHABLE;
    case SLT_NOTICE_PROTO_UNREACHABLE:
        return SALUT_PROTO_UNREACHABLE;
    case SLT_NOTICE_PORT_UNREACHABLE:
        return SALUT_REFUSED;
    case SLT_NOTICE_DENIED:
        return SALUT_DENIED;
    case SLT_NOTICE_SOURCE_ROUTE:
        return SALUT_NOT_SUPPORTED;
    case SLT_NOTICE_PARAM_PROBLEM:
    case SLT_NOTICE_NEXT_HEADER:
        return SALUT_PROTOCOL_ERROR;
    case SLT_NOTICE_HOST_UNREACHABLE:
    case SLT_NOTICE_ADMIN:
    case SLT_NOTICE_TIME_EXCEEDED:
        return SALUT_HOST_UNREACHABLE;
    case SLT_NOTICE_TOO_BIG: /* SOCK-26 */
        return SALUT_TOO_BIG;
    }
    SLT_UNREACHABLE("not a notice");
}

static bool in_flight(const struct slt_tcp_conn *c, uint32_t seq)
{
    int64_t pos = slt_tcp_unwrap(c->snd.una, c->snd.isn, seq);

    return pos >= c->snd.una && pos < c->snd.nxt;
}

static enum slt_reason in_handshake(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    const struct slt_tcp_notice *notice, int64_t now_ns)
{
    bool ends = is_hard(notice->kind) || notice->local || tcp->config->soft_icmp_aborts_syn;

    if (!ends || slt_tcp_has(c, SLT_CONN_PASSIVE)) {
        return SLT_NOTE_ICMP_SOFT; /* MUST-56 */
    }
    enum slt_reason why = notice->local ? SLT_CAUSE_NO_ROUTE : SLT_CAUSE_ICMP_HARD;
    slt_tcp_end(tcp, c, status_of(notice->kind), why, now_ns);
    return why;
}

enum slt_reason slt_tcp_icmp(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                             const struct slt_tcp_notice *notice, int64_t now_ns)
{
    if (c->state == SALUT_STATE_CLOSED || c->state == SALUT_STATE_TIME_WAIT) {
        return SLT_DROP_ICMP_NO_MATCH;
    }
    if (!notice->local && !in_flight(c, notice->seq)) {
        return SLT_DROP_ICMP_OUT_OF_WINDOW;
    }
    if (notice->kind == SLT_NOTICE_TOO_BIG) {
        enum slt_reason why = slt_tcp_pmtud_on_icmp(tcp, c, notice->mtu, now_ns);
        if (why == SLT_NOTE_ICMP_PMTU) { /* SOCK-26: the cause, should it never recover */
            c->soft_status = SALUT_TOO_BIG;
        }
        return why;
    }
    c->soft_status = (uint8_t)status_of(notice->kind); /* MUST-47 */
    c->flags |= SLT_CONN_ADVISED;
    if (c->state == SALUT_STATE_SYN_SENT || c->state == SALUT_STATE_SYN_RECEIVED) {
        return in_handshake(tcp, c, notice, now_ns);
    }
    return SLT_NOTE_ICMP_SOFT;
}
