/* Datagrams in and out of UDP sockets through the public calls.
 *
 * Sending judges the destination anew each time that it is named, looks up the address it comes
 * from, and copies the datagram into the socket's queue; salut_output does the rest. An error that
 * the network reported comes first, once, as everywhere (RFC 1122 4.1.3.3).
 */
#include "stack/stack.h"

#include "ip/addr.h"

#include <string.h>

/* ---- sending -------------------------------------------------------------------------------- */

static enum salut_status count_pieces(const struct salut_iovec *pieces, size_t count, bool v4,
                                      uint32_t *bytes)
{
    size_t max = v4 ? SLT_UDP_PAYLOAD_MAX4 : SLT_UDP_PAYLOAD_MAX6;
    size_t sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].base == NULL && pieces[i].bytes > 0) {
            return SALUT_INVALID;
        }
        if (pieces[i].bytes > max - sum) {
            return SALUT_TOO_BIG;
        }
        sum += pieces[i].bytes;
    }
    *bytes = (uint32_t)sum;
    return SALUT_OK;
}

/* The address that a datagram comes from when its sender names one. */
static enum salut_status check_named_source(const struct salut_stack *stack,
                                            const struct slt_udp_sock *s,
                                            const struct salut_udp_to *to)
{
    if (slt_address_is_v4(to->local.b) != slt_address_is_v4(to->remote.b)) {
        return SALUT_INVALID;
    }
    bool own = slt_address_is_unspecified(s->bound) || slt_ip_addr_equal(s->bound, to->local.b);
    return own && slt_net_is_ours(stack, to->local.b) ? SALUT_OK : SALUT_ADDRESS_NOT_AVAILABLE;
}

static enum salut_status aim_at(struct salut_stack *stack, const struct slt_udp_sock *s,
                                const struct salut_udp_to *to, struct slt_udp_head *head)
{
    if (to->port == 0) {
        return SALUT_INVALID;
    }
    enum salut_status status = slt_udp_judge(stack, s, to->remote.b);
    if (status != SALUT_OK) {
        return status;
    }
    slt_ip_addr_copy(head->remote, to->remote.b);
    head->remote_port = to->port;
    if (!slt_address_is_unspecified(to->local.b)) {
        slt_ip_addr_copy(head->local, to->local.b);
        return check_named_source(stack, s, to);
    }
    if (!slt_address_is_unspecified(s->bound)) {
        slt_ip_addr_copy(head->local, s->bound);
        return SALUT_OK;
    }
    return slt_udp_source(stack, head->remote, head->local) ? SALUT_OK : SALUT_NET_UNREACHABLE;
}

static enum salut_status aim(struct salut_stack *stack, const struct slt_udp_sock *s,
                             const struct salut_udp_to *to, struct slt_udp_head *head)
{
    if (to != NULL) {
        return aim_at(stack, s, to, head);
    }
    if (!slt_udp_has(s, SLT_UDP_CONNECTED)) {
        return SALUT_NOT_CONNECTED;
    }
    slt_ip_addr_copy(head->remote, s->id.remote);
    slt_ip_addr_copy(head->local, s->id.local);
    head->remote_port = s->id.remote_port;
    return SALUT_OK;
}

static bool fits_path(struct salut_stack *stack, const struct slt_udp_head *head)
{
    uint32_t headers =
        slt_address_is_v4(head->remote) ? SLT_IPV4_HEADER_BYTES : SLT_IPV6_HEADER_BYTES;
    return headers + SLT_UDP_HEADER_BYTES + head->bytes <= slt_net_pmtu(stack, head->remote);
}

enum salut_status salut_udp_sendv(struct salut_stack *stack, salut_udp udp,
                                  const struct salut_iovec *pieces, size_t count,
                                  const struct salut_udp_to *to)
{
    enum salut_status status;
    struct slt_udp_head head = {.bytes = 0};
    struct slt_udp_sock *s = slt_udp_enter(stack, udp, &status);
    if (!s) {
        return status;
    }
    status = slt_udp_take_error(s);
    if (status == SALUT_OK) {
        status = aim(stack, s, to, &head);
    }
    if (status == SALUT_OK) {
        status = count_pieces(pieces, count, slt_address_is_v4(head.remote), &head.bytes);
    }
    if (status == SALUT_OK && s->fragment == SALUT_FRAGMENT_NEVER && !fits_path(stack, &head)) {
        status = SALUT_TOO_BIG;
    }
    if (status != SALUT_OK) {
        return status;
    }
    bool group = s->ttl == 0 && slt_address_is_multicast(head.remote);
    head.ttl = group ? 1 : s->ttl; /* RFC 1112 6.1: a group is on this link unless told otherwise */
    head.class = (uint8_t)(s->dscp << 2);
    return slt_udp_send(&stack->udp, s, &head, pieces, count);
}

enum salut_status salut_udp_send(struct salut_stack *stack, salut_udp udp, const void *data,
                                 size_t bytes, const struct salut_udp_to *to)
{
    const struct salut_iovec piece = {data, bytes};
    return salut_udp_sendv(stack, udp, &piece, 1, to);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static void tell(const struct slt_udp_sock *s, const struct slt_udp_head *head,
                 struct salut_udp_message *message)
{
    if (message == NULL) {
        return;
    }
    *message = (struct salut_udp_message){.remote_port = head->remote_port,
                                          .local_port = s->id.local_port,
                                          .bytes = head->bytes,
                                          .ttl = head->ttl,
                                          .dscp = (uint8_t)(head->class >> 2),
                                          .ecn = head->class & 3U};
    slt_ip_addr_copy(message->remote.b, head->remote);
    slt_ip_addr_copy(message->local.b, head->local);
    message->remote.zone = s->zone;
    message->local.zone = s->zone;
}

/* The first datagram, and where it lies; else why there is none. */
static enum salut_status first_of(const struct salut_stack *stack, struct slt_udp_sock *s,
                                  struct slt_udp_place *place, struct slt_udp_head *head)
{
    enum salut_status status = slt_udp_take_error(s);
    *place = (struct slt_udp_place){.number = 0};
    if (status != SALUT_OK) {
        return status;
    }
    return slt_udp_step(&stack->udp, &s->in, place, head) ? SALUT_OK : SALUT_WOULD_BLOCK;
}

static void copy_out(const struct salut_stack *stack, const struct slt_udp_sock *s,
                     const struct slt_udp_place *place, const struct salut_iovec_mut *to,
                     size_t count)
{
    struct slt_cursor cursor = place->cursor;
    uint32_t left = place->bytes;
    for (size_t i = 0; i < count && left > 0; i++) {
        size_t room = to[i].bytes;
        for (size_t at = 0; at < room && left > 0;) {
            struct slt_piece piece;
            uint32_t wanted = room - at < left ? (uint32_t)(room - at) : left;
            uint32_t seen = 0;
            uint32_t found = slt_chain_view(&s->in.chain, stack->udp.bufs, cursor, wanted, &piece,
                                            1, &seen, &cursor);
            SLT_ASSERT(found == 1);
            memcpy((uint8_t *)to[i].base + at, piece.data, seen);
            at += seen;
            left -= seen;
        }
    }
}

static bool are_pieces(const struct salut_iovec_mut *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].base == NULL && pieces[i].bytes > 0) {
            return false;
        }
    }
    return true;
}

enum salut_status salut_udp_recvv(struct salut_stack *stack, salut_udp udp,
                                  const struct salut_iovec_mut *pieces, size_t count,
                                  struct salut_udp_message *message)
{
    enum salut_status status;
    struct slt_udp_place place;
    struct slt_udp_head head;
    struct slt_udp_sock *s = slt_udp_enter(stack, udp, &status);
    if (!s) {
        return status;
    }
    if (!are_pieces(pieces, count)) {
        return SALUT_INVALID;
    }
    status = first_of(stack, s, &place, &head);
    if (status == SALUT_OK) {
        copy_out(stack, s, &place, pieces, count);
        tell(s, &head, message);
        slt_udp_drop_known(&stack->udp, s, &s->in, &head);
    }
    return status;
}

enum salut_status salut_udp_recv(struct salut_stack *stack, salut_udp udp, void *data, size_t bytes,
                                 struct salut_udp_message *message)
{
    const struct salut_iovec_mut piece = {data, bytes};
    return salut_udp_recvv(stack, udp, &piece, 1, message);
}

enum salut_status salut_udp_peek(struct salut_stack *stack, salut_udp udp,
                                 struct salut_iovec *pieces, size_t max, size_t *count,
                                 struct salut_udp_message *message)
{
    enum salut_status status;
    struct slt_udp_place place;
    struct slt_udp_head head;
    struct slt_udp_sock *s = slt_udp_enter(stack, udp, &status);
    *count = 0;
    if (!s) {
        return status;
    }
    status = first_of(stack, s, &place, &head);
    if (status != SALUT_OK) {
        return status;
    }
    tell(s, &head, message);
    for (uint32_t left = head.bytes; left > 0 && *count < max; ++*count) {
        struct slt_piece piece;
        uint32_t seen = 0;
        uint32_t found = slt_chain_view(&s->in.chain, stack->udp.bufs, place.cursor, left, &piece,
                                        1, &seen, &place.cursor);
        SLT_ASSERT(found == 1);
        pieces[*count] = (struct salut_iovec){piece.data, piece.bytes};
        left -= seen;
    }
    return SALUT_OK;
}

enum salut_status salut_udp_consume(struct salut_stack *stack, salut_udp udp)
{
    enum salut_status status;
    struct slt_udp_sock *s = slt_udp_enter(stack, udp, &status);
    if (!s) {
        return status;
    }
    if (s->in.count == 0) {
        return SALUT_WOULD_BLOCK;
    }
    slt_udp_drop_first(&stack->udp, s, &s->in);
    return SALUT_OK;
}
