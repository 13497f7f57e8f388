/* Datagrams that arrive.
 *
 * RFC 768, RFC 1122 4.1.3, RFC 8200 8.1. A datagram is for the socket that its tuple finds, and to
 * a group or broadcast address for every socket of its port; one that nobody waits for earns a port
 * unreachable, whose rate and silences are ip/icmp.h's.
 */
#include "stack/stack.h"

#include "ip/addr.h"

static void drop(struct salut_stack *stack, const struct slt_udp_id *id,
                 const struct slt_udp_head *head, enum slt_reason why)
{
    struct slt_event event = {.at_ns = stack->now_ns,
                              .object = SLT_NIL,
                              .kind = SLT_EVENT_DROPPED,
                              .reason = (uint8_t)why,
                              .local_port = id->local_port,
                              .remote_port = id->remote_port,
                              .bytes = head->bytes};
    slt_emit(stack->telemetry, &event);
}

static void deliver(struct salut_stack *stack, struct slt_udp_sock *s,
                    const struct slt_udp_head *head, const uint8_t *payload)
{
    enum slt_reason why = slt_udp_deliver(&stack->udp, s, head, payload);
    if (why == SLT_NOTE_UDP_TAKEN) {
        slt_stack_note(stack, why);
    } else {
        drop(stack, &s->id, head, why);
    }
}

/* RFC 1122 4.1.4, RFC 1112: everybody who waits at the port gets a copy. */
static bool deliver_to_all(struct salut_stack *stack, const struct slt_udp_id *id,
                           const struct slt_udp_head *head, const uint8_t *payload)
{
    bool any = false;
    struct slt_udp_sock *s = NULL;
    while ((s = slt_udp_next_member(&stack->udp, id, s)) != NULL) {
        deliver(stack, s, head, payload);
        any = true;
    }
    return any;
}

void slt_rx_udp(struct salut_stack *stack, const struct slt_ip_packet *packet,
                const struct slt_udp_datagram *udp)
{
    struct slt_udp_id id = {.local_port = udp->dst_port, .remote_port = udp->src_port};
    struct slt_udp_head head = {.bytes = udp->payload_bytes,
                                .remote_port = udp->src_port,
                                .ttl = packet->ttl,
                                .class = (uint8_t)(packet->dscp << 2 | packet->ecn)};
    slt_ip_addr_copy(id.local, packet->dst);
    slt_ip_addr_copy(id.remote, packet->src);
    slt_ip_addr_copy(head.local, packet->dst);
    slt_ip_addr_copy(head.remote, packet->src);
    if (packet->target != SLT_IP_TARGET_OURS) {
        if (!deliver_to_all(stack, &id, &head, udp->payload)) {
            drop(stack, &id, &head, SLT_DROP_UDP_NO_PORT);
        }
        return;
    }
    struct slt_udp_sock *s = slt_udp_find(&stack->udp, &id);
    if (s != NULL) {
        deliver(stack, s, &head, udp->payload);
        return;
    }
    struct slt_ip_error error = slt_icmp_port_unreachable(packet->family);
    drop(stack, &id, &head, SLT_DROP_UDP_NO_PORT);
    slt_icmp_send_error(stack, packet, &error); /* RFC 1122 4.1.3.1, RFC 4443 3.1 */
}
