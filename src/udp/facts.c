/* What is set and told of a socket: options, info, invariants, digest.
 */
#include "udp/udp.h"

#define BUFFER_MIN 2048
#define BUFFER_MAX (INT64_C(1) << 30)

/* ---- options -------------------------------------------------------------------------------- */

struct domain {
    int64_t least;
    int64_t most; /* 0: not an option of UDP */
};

static const struct domain domains[SALUT_OPT_COUNT] = {
    [SALUT_OPT_TTL] = {1, 255},
    [SALUT_OPT_DSCP] = {0, 63}, /* RFC 1122 4.1.4 */
    [SALUT_OPT_SEND_BUFFER] = {BUFFER_MIN, BUFFER_MAX},
    [SALUT_OPT_RECV_BUFFER] = {BUFFER_MIN, BUFFER_MAX},
    [SALUT_OPT_BROADCAST] = {0, 1},
    [SALUT_OPT_FRAGMENT] = {0, SALUT_FRAGMENT_COUNT - 1},
};

static bool is_known(enum salut_option option)
{
    return (unsigned)option < SALUT_OPT_COUNT && domains[option].most > 0;
}

enum salut_status slt_udp_set_option(struct slt_udp *udp, struct slt_udp_sock *s,
                                     enum salut_option option, int64_t value)
{
    if (!is_known(option) || value < domains[option].least || value > domains[option].most) {
        return SALUT_INVALID;
    }
    if (option == SALUT_OPT_TTL) {
        s->ttl = (uint8_t)value;
    } else if (option == SALUT_OPT_DSCP) {
        s->dscp = (uint8_t)value;
    } else if (option == SALUT_OPT_SEND_BUFFER) {
        s->send_max = (uint32_t)value;
        slt_udp_news(udp, s);
    } else if (option == SALUT_OPT_RECV_BUFFER) {
        s->recv_max = (uint32_t)value;
    } else if (option == SALUT_OPT_FRAGMENT) {
        s->fragment = (uint8_t)value;
    } else {
        s->marks &= (uint8_t) ~(unsigned)SLT_UDP_BROADCAST;
        s->marks |= value != 0 ? SLT_UDP_BROADCAST : 0;
    }
    return SALUT_OK;
}

enum salut_status slt_udp_get_option(const struct slt_udp_sock *s, enum salut_option option,
                                     int64_t *value)
{
    *value = 0;
    if (!is_known(option)) {
        return SALUT_INVALID;
    }
    if (option == SALUT_OPT_TTL) {
        *value = s->ttl;
    } else if (option == SALUT_OPT_DSCP) {
        *value = s->dscp;
    } else if (option == SALUT_OPT_SEND_BUFFER) {
        *value = s->send_max;
    } else if (option == SALUT_OPT_RECV_BUFFER) {
        *value = s->recv_max;
    } else if (option == SALUT_OPT_FRAGMENT) {
        *value = s->fragment;
    } else {
        *value = slt_udp_has(s, SLT_UDP_BROADCAST);
    }
    return SALUT_OK;
}

/* ---- info ----------------------------------------------------------------------------------- */

void slt_udp_info(const struct slt_udp_sock *s, struct salut_info *info)
{
    memset(info, 0, sizeof(*info));
    info->object = SALUT_IS_UDP;
    info->state = slt_udp_has(s, SLT_UDP_CONNECTED) ? SALUT_STATE_ESTABLISHED : SALUT_STATE_CLOSED;
    info->orphan = slt_udp_has(s, SLT_UDP_ORPHAN);
    memcpy(info->local.b, s->id.local, sizeof(info->local.b));
    memcpy(info->remote.b, s->id.remote, sizeof(info->remote.b));
    info->local.zone = s->zone;
    info->local_port = s->id.local_port;
    info->remote_port = s->id.remote_port;
    info->user = s->user;
    info->status = s->error;
    info->soft_status = s->advice;
    info->send_queued = s->out.chain.bytes + s->held.chain.bytes;
    info->send_unsent = info->send_queued;
    info->send_buffer = s->send_max;
    info->recv_queued = s->in.chain.bytes;
    info->recv_buffer = s->recv_max;
    info->bytes_sent = s->bytes_out;
    info->bytes_received = s->bytes_in;
    info->segs_in = s->datagrams_in;
    info->segs_out = s->datagrams_out;
    info->data_segs_in = s->datagrams_in;
    info->data_segs_out = s->datagrams_out;
    info->recv_datagrams = s->in.count;
    info->send_datagrams = s->out.count + s->held.count;
    info->drops = s->drops;
}

/* ---- invariants ----------------------------------------------------------------------------- */

static const char *check_queue(const struct slt_udp *udp, const struct slt_udp_queue *queue,
                               uint64_t *bytes)
{
    struct slt_udp_place place = {.number = 0};
    struct slt_udp_head head;
    uint64_t sum = 0;
    while (sum < queue->chain.bytes && slt_udp_step(udp, queue, &place, &head)) {
        sum += sizeof(head) + head.bytes;
    }
    *bytes += sum;
    return sum == queue->chain.bytes && place.number == queue->count
               ? NULL
               : "I-80: a queue of datagrams holds other bytes than its heads say";
}

static bool is_found(const struct slt_udp *udp, const struct slt_udp_sock *s)
{
    slt_flow_ref ref = slt_flow_first(&udp->by_tuple, slt_udp_hash(udp, &s->id));
    while (ref != SLT_FLOW_NONE && slt_flow_index(ref) != s->index) {
        ref = slt_udp_at(udp, slt_flow_index(ref))->tuple_next;
    }
    return ref != SLT_FLOW_NONE;
}

static const char *check_lists(struct slt_udp_sock *s, bool pending)
{
    bool silent = slt_udp_has(s, SLT_UDP_ORPHAN);
    bool told =
        slt_udp_is_listed(s, SLT_UDP_LIST_READY) || slt_udp_is_listed(s, SLT_UDP_LIST_REPORTED);
    if (!silent && !told && (slt_udp_ready(s) & s->interest) != 0) {
        return "I-34: a UDP socket has news and nobody will be told";
    }
    if (silent && told) {
        return "I-34: a closed UDP socket has news";
    }
    if (pending) {
        return NULL; /* a batch is out: its sockets stand in no list */
    }
    if (slt_udp_sendable(s) != NULL && !slt_udp_is_listed(s, SLT_UDP_LIST_DIRTY)) {
        return "I-34: a UDP socket has something to send and stands in no list";
    }
    if (s->held.count > s->held_left && !slt_udp_is_listed(s, SLT_UDP_LIST_WAITING)) {
        return "I-34: a datagram waits for its neighbour and nobody will wake it";
    }
    return silent && s->out.count + s->held.count == 0 ? "I-45: a UDP socket is over and still held"
                                                       : NULL;
}

static const char *check_sock(const struct slt_udp *udp, struct slt_udp_sock *s, bool pending,
                              uint64_t *bytes)
{
    const struct slt_udp_queue *queues[] = {&s->in, &s->out, &s->held};
    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(queues); i++) {
        const char *broken = check_queue(udp, queues[i], bytes);
        if (broken) {
            return broken;
        }
    }
    if (is_found(udp, s) == slt_udp_has(s, SLT_UDP_ORPHAN)) {
        return "I-30: a UDP socket is not found by its tuple, or a closed one is";
    }
    if (slt_udp_has(s, SLT_UDP_CONNECTED) != (s->id.remote_port != 0) || s->id.local_port == 0) {
        return "I-81: a UDP socket's tuple and its marks differ";
    }
    if (s->held_left > s->held.count ||
        (s->cut.at > 0 && (s->cut.held ? s->held.count : s->out.count) == 0)) {
        return "I-81: a UDP socket sends what it does not have";
    }
    return check_lists(s, pending);
}

const char *slt_udp_check(const struct slt_udp *udp, bool pending)
{
    uint64_t bytes = 0;
    uint32_t used = 0;
    for (uint32_t i = 0; i < udp->pool.fresh; i++) {
        struct slt_udp_sock *s = slt_udp_at(udp, i);
        if (s->generation % 2 == 0) {
            continue;
        }
        used++;
        const char *broken = check_sock(udp, s, pending, &bytes);
        if (broken) {
            return broken;
        }
    }
    return used == udp->pool.used_objects && bytes == udp->queued_bytes
               ? NULL
               : "I-49: UDP sockets, or the bytes in their queues, are miscounted";
}

void slt_udp_digest(const struct slt_udp *udp, struct slt_digest *digest)
{
    for (uint32_t i = 0; i < udp->pool.fresh; i++) {
        const struct slt_udp_sock *s = slt_udp_at(udp, i);
        if (s->generation % 2 == 0) {
            continue;
        }
        slt_digest_bytes(digest, s->id.local, sizeof(s->id.local));
        slt_digest_bytes(digest, s->id.remote, sizeof(s->id.remote));
        slt_digest_u64(digest, (uint64_t)s->id.local_port << 16 | s->id.remote_port);
        slt_digest_u64(digest, (uint64_t)s->marks << 24 | (uint64_t)s->error << 16 |
                                   (uint64_t)s->advice << 8 | s->interest);
        slt_digest_u64(digest, (uint64_t)s->in.chain.bytes << 32 | s->in.count);
        slt_digest_u64(digest, (uint64_t)s->out.chain.bytes << 32 | s->out.count);
        slt_digest_u64(digest, (uint64_t)s->held.chain.bytes << 32 | s->held.count);
        slt_digest_u64(digest, (uint64_t)s->cut.at << 32 | s->held_left);
    }
}
