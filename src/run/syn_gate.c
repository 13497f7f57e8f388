/* See syn_gate.h. */
#include "run/syn_gate.h"

#include "ip/addr.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/tcp.h"

#include <stdlib.h>

#define TTL         64
#define CHECKSUM_AT 16U /* in the TCP header */
#define QUOTED_MAX  80U /* an IP header with options and 20 bytes of TCP */

struct gate {
    struct slt_link link;
    struct slt_link *inner;
    struct slt_syn_gate_params params;
    struct slt_syn *admitted; /* to be lent, the oldest first */
    struct slt_syn **last;
    struct slt_syn *lent;
};

static struct gate *gate_of(struct slt_link *link)
{
    return (struct gate *)(void *)link;
}

static const struct gate *gate_of_const(const struct slt_link *link)
{
    return (const struct gate *)(const void *)link;
}

/* ---- what is an opening --------------------------------------------------------------------- */

/* The TCP packet in an IP packet, and whose it is. False: there is none, or only a part of it. */
static bool find_tcp(struct slt_span packet, uint16_t type, struct slt_syn_ends *ends,
                     struct slt_span *tcp)
{
    if (type == SLT_ETHERTYPE_IPV4) {
        struct slt_ipv4 ip;
        bool whole = slt_ipv4_parse(packet, &ip) == SLT_PASS && !slt_ipv4_is_fragment(&ip);
        if (whole && ip.protocol == SLT_IP_PROTOCOL_TCP) {
            memcpy(ends->local.b, ip.dst, 16);
            memcpy(ends->remote.b, ip.src, 16);
            *tcp = (struct slt_span){ip.payload, ip.payload_bytes};
            return true;
        }
        return false;
    }
    struct slt_ipv6 ip;
    if (type == SLT_ETHERTYPE_IPV6 && slt_ipv6_parse(packet, &ip) == SLT_PASS &&
        ip.next_header == SLT_IP_PROTOCOL_TCP && !slt_ip_addr_is_mapped_on_wire(ip.dst)) {
        memcpy(ends->local.b, ip.dst, 16);
        memcpy(ends->remote.b, ip.src, 16);
        *tcp = (struct slt_span){ip.payload, ip.payload_bytes};
        return true;
    }
    return false;
}

/* The segment that a frame to us opens a connection with. */
static bool find_syn(const struct gate *gate, const struct salut_rx_frame *frame,
                     struct slt_syn_ends *ends, struct slt_tcp_segment *seg)
{
    struct slt_ethernet eth;
    struct slt_span tcp;
    *ends = (struct slt_syn_ends){.local_port = 0};
    if (slt_ethernet_parse((struct slt_span){frame->data, frame->bytes}, &eth) != SLT_PASS ||
        memcmp(eth.dst, gate->params.mac, sizeof(eth.dst)) != 0 ||
        !find_tcp((struct slt_span){eth.payload, eth.payload_bytes}, eth.type, ends, &tcp) ||
        slt_tcp_parse(tcp, seg) != SLT_PASS) {
        return false;
    }
    ends->local_port = seg->dst_port;
    ends->remote_port = seg->src_port;
    return (seg->flags & (SLT_TCP_SYN | SLT_TCP_ACK | SLT_TCP_RST | SLT_TCP_FIN)) == SLT_TCP_SYN;
}

static struct slt_syn *copy_frame(const struct salut_rx_frame *frame,
                                  const struct slt_syn_ends *ends)
{
    struct slt_syn *syn = malloc(sizeof(*syn) + frame->bytes);
    if (syn != NULL) {
        uint8_t *data = (uint8_t *)(syn + 1);
        memcpy(data, frame->data, frame->bytes);
        *syn = (struct slt_syn){.ends = *ends, .frame = *frame};
        syn->frame.data = data;
    }
    return syn;
}

void slt_syn_free(struct slt_syn *syn)
{
    free(syn);
}

/* True when the frame goes on to the stack. */
static bool passes(struct gate *gate, const struct salut_rx_frame *frame)
{
    struct slt_syn_ends ends;
    struct slt_tcp_segment seg;
    if (frame->gso_bytes != 0 || !find_syn(gate, frame, &ends, &seg)) {
        return true;
    }
    enum slt_syn_verdict verdict = gate->params.on_syn(gate->params.ctx, &ends);
    struct slt_syn *syn = verdict == SLT_SYN_KEEP ? copy_frame(frame, &ends) : NULL;
    if (syn != NULL) {
        gate->params.on_kept(gate->params.ctx, syn);
    }
    return verdict == SLT_SYN_PASS;
}

/* ---- the link ------------------------------------------------------------------------------- */

static void free_list(struct slt_syn *syn)
{
    while (syn != NULL) {
        struct slt_syn *next = syn->next;
        free(syn);
        syn = next;
    }
}

static size_t lend_admitted(struct gate *gate, struct salut_rx_frame *frames, size_t max)
{
    size_t count = 0;
    while (count < max && gate->admitted != NULL) {
        struct slt_syn *syn = gate->admitted;
        gate->admitted = syn->next;
        syn->next = gate->lent;
        gate->lent = syn;
        frames[count] = syn->frame;
        count++;
    }
    if (gate->admitted == NULL) {
        gate->last = &gate->admitted;
    }
    return count;
}

static size_t gate_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                           int64_t now_ns)
{
    struct gate *gate = gate_of(link);
    size_t count = lend_admitted(gate, frames, max);
    size_t room = max - count;
    size_t got = room == 0 ? 0 : slt_link_receive(gate->inner, &frames[count], room, now_ns);
    for (size_t i = count, end = count + got; i < end; i++) {
        if (passes(gate, &frames[i])) {
            frames[count] = frames[i];
            count++;
        }
    }
    return count;
}

static void gate_release(struct slt_link *link)
{
    struct gate *gate = gate_of(link);
    free_list(gate->lent);
    gate->lent = NULL;
    slt_link_release(gate->inner);
}

static size_t gate_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                        int64_t now_ns)
{
    return slt_link_send(gate_of(link)->inner, frames, count, now_ns);
}

static int64_t gate_next_deadline(const struct slt_link *link)
{
    const struct gate *gate = gate_of_const(link);
    return gate->admitted != NULL ? SLT_LINK_AT_ONCE : slt_link_next_deadline(gate->inner);
}

static void gate_poll(struct slt_link *link, int64_t now_ns)
{
    /* A batch of which nothing passed was not counted as lent, and is given back here. */
    slt_link_release(gate_of(link)->inner);
    slt_link_poll(gate_of(link)->inner, now_ns);
}

static int gate_fd(const struct slt_link *link)
{
    return slt_link_fd(gate_of_const(link)->inner);
}

static bool gate_wants_write(const struct slt_link *link)
{
    return slt_link_wants_write(gate_of_const(link)->inner);
}

static void gate_close(struct slt_link *link)
{
    struct gate *gate = gate_of(link);
    free_list(gate->lent);
    free_list(gate->admitted);
    slt_link_close(gate->inner);
    free(gate);
}

static const struct slt_link_ops gate_ops = {
    .receive = gate_receive,
    .release = gate_release,
    .send = gate_send,
    .next_deadline = gate_next_deadline,
    .poll = gate_poll,
    .fd = gate_fd,
    .wants_write = gate_wants_write,
    .close = gate_close,
};

enum salut_status slt_syn_gate_open(struct slt_link *inner,
                                    const struct slt_syn_gate_params *params,
                                    struct slt_link **link)
{
    struct gate *gate = calloc(1, sizeof(*gate));
    if (gate == NULL) {
        slt_link_close(inner);
        return SALUT_NO_MEMORY;
    }
    gate->link.ops = &gate_ops;
    gate->link.caps = inner->caps;
    memcpy(gate->link.name, inner->name, sizeof(gate->link.name));
    gate->inner = inner;
    gate->params = *params;
    gate->last = &gate->admitted;
    *link = &gate->link;
    return SALUT_OK;
}

/* ---- decisions ------------------------------------------------------------------------------ */

void slt_syn_gate_admit(struct slt_link *link, struct slt_syn *syn)
{
    struct gate *gate = gate_of(link);
    syn->next = NULL;
    *gate->last = syn;
    gate->last = &syn->next;
}

/* The head of a packet of `bytes` bytes to the opening's sender. */
static void write_ip(const struct slt_syn *syn, const salut_addr *from, uint8_t protocol,
                     uint32_t bytes, struct slt_writer *w)
{
    if (slt_address_is_v4(from->b)) {
        struct slt_ipv4 ip = {
            .ttl = TTL, .protocol = protocol, .dont_fragment = true, .payload_bytes = bytes};
        memcpy(ip.src, from->b, 16);
        memcpy(ip.dst, syn->ends.remote.b, 16);
        (void)slt_ipv4_emit(&ip, w);
        return;
    }
    struct slt_ipv6 ip = {.next_header = protocol, .hop_limit = TTL, .payload_bytes = bytes};
    memcpy(ip.src, from->b, 16);
    memcpy(ip.dst, syn->ends.remote.b, 16);
    (void)slt_ipv6_emit(&ip, w);
}

/* RFC 9293 3.10.7.1: a reset for a segment without ACK has sequence 0 and acknowledges it all. */
static void write_reset(const struct slt_syn *syn, const struct slt_tcp_segment *seg,
                        struct slt_writer *w)
{
    struct slt_tcp_segment reset = {.src_port = seg->dst_port,
                                    .dst_port = seg->src_port,
                                    .ack = seg->seq + slt_tcp_seg_len(seg),
                                    .flags = SLT_TCP_RST | SLT_TCP_ACK};
    write_ip(syn, &syn->ends.local, SLT_IP_PROTOCOL_TCP, SLT_TCP_HEADER_BYTES, w);
    uint32_t at = w->at;
    uint32_t sum = slt_checksum_pseudo(syn->ends.local.b, syn->ends.remote.b, SLT_IP_PROTOCOL_TCP,
                                       SLT_TCP_HEADER_BYTES);
    (void)slt_tcp_emit(&reset, w);
    sum = slt_checksum_add(sum, w->data + at, SLT_TCP_HEADER_BYTES);
    uint16_t checksum = slt_checksum_finish(sum);
    w->data[at + CHECKSUM_AT] = (uint8_t)(checksum >> 8);
    w->data[at + CHECKSUM_AT + 1] = (uint8_t)checksum;
}

/* The opening is quoted up to the end of its TCP header's fixed part. */
static void write_unreachable(const struct gate *gate, const struct slt_syn *syn, bool host,
                              const struct slt_ethernet *came, struct slt_writer *w)
{
    bool v4 = came->type == SLT_ETHERTYPE_IPV4;
    uint32_t quoted = slt_min32(came->payload_bytes, QUOTED_MAX);
    if (v4) {
        struct slt_icmp4 icmp = {.type = SLT_ICMP4_UNREACHABLE,
                                 .code =
                                     host ? SLT_ICMP4_UNREACHABLE_HOST : SLT_ICMP4_UNREACHABLE_NET,
                                 .data = came->payload,
                                 .data_bytes = quoted};
        write_ip(syn, &gate->params.v4, SLT_IP_PROTOCOL_ICMP4, SLT_ICMP4_HEADER_BYTES + quoted, w);
        (void)slt_icmp4_emit(&icmp, w);
        return;
    }
    struct slt_icmp6 icmp = {.type = SLT_ICMP6_UNREACHABLE,
                             .code =
                                 host ? SLT_ICMP6_UNREACHABLE_ADDRESS : SLT_ICMP6_UNREACHABLE_ROUTE,
                             .data = came->payload,
                             .data_bytes = quoted};
    write_ip(syn, &gate->params.v6, SLT_IP_PROTOCOL_ICMP6, SLT_ICMP6_HEADER_BYTES + quoted, w);
    (void)slt_icmp6_emit(&icmp, gate->params.v6.b, syn->ends.remote.b, w);
}

void slt_syn_gate_refuse(struct slt_link *link, struct slt_syn *syn, enum slt_syn_answer answer,
                         int64_t now_ns)
{
    struct gate *gate = gate_of(link);
    struct slt_syn_ends ends;
    struct slt_tcp_segment seg;
    struct slt_ethernet came;
    struct salut_tx_frame out = {.gso_bytes = 0};
    struct slt_writer w = slt_writer_of(out.header, sizeof(out.header));
    bool known = slt_ethernet_parse((struct slt_span){syn->frame.data, syn->frame.bytes}, &came) ==
                     SLT_PASS &&
                 find_syn(gate, &syn->frame, &ends, &seg);
    SLT_ASSERT(known);
    struct slt_ethernet back = {.type = came.type};
    memcpy(back.dst, came.src, sizeof(back.dst));
    memcpy(back.src, came.dst, sizeof(back.src));
    (void)slt_ethernet_emit(&back, &w);
    out.network_offset = (uint8_t)w.at;
    out.family = came.type == SLT_ETHERTYPE_IPV4 ? 4 : 6;
    out.transport_offset =
        (uint8_t)(w.at + (out.family == 4 ? SLT_IPV4_HEADER_BYTES : SLT_IPV6_HEADER_BYTES));
    if (answer == SLT_SYN_RESET) {
        write_reset(syn, &seg, &w);
    } else {
        write_unreachable(gate, syn, answer == SLT_SYN_HOST_UNREACHABLE, &came, &w);
    }
    SLT_ASSERT(!w.failed);
    out.header_bytes = (uint16_t)w.at;
    (void)slt_link_send(gate->inner, &out, 1, now_ns);
    slt_syn_free(syn);
}
