/* Fuzzes ip/input, ip/icmp and ip/neigh with whole frames' payloads: what passes must lie inside
 * the input, errors must fit their bounds, and the neighbour cache must stay consistent.
 *
 * The first byte chooses the way and whether the rest is ARP; the instance lives as long as the
 * process, so that entries meet later inputs.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "ip/icmp.h"
#include "ip/neigh_arp.h"
#include "ip/neigh_nd.h"
#include "wire/checksum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct world {
    struct slt_mem mem;
    struct slt_ip_iface iface;
    struct slt_neigh neigh;
    int64_t now_ns;
};

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

static void add(struct world *w, const char *text)
{
    uint8_t addr[16];
    uint8_t bits;
    SLT_ASSERT(slt_ip_prefix_parse(text, addr, &bits));
    SLT_ASSERT(slt_ip_iface_add(&w->iface, addr, bits, SLT_IP_OWN_PREFERRED) == SALUT_OK);
}

static struct world *the_world(void)
{
    static struct world w;
    static bool ready;
    if (!ready) {
        const struct salut_config config = {
            .addresses_max = 4, .routes_max = 4, .mtu = 1500, .ttl = 64, .mac = {2}};
        const struct slt_neigh_setup table = {.entries_max = 8, .seed = 1};
        slt_mem_init_growing(&w.mem, take, give, NULL);
        SLT_ASSERT(slt_ip_iface_init(&w.iface, &w.mem, &config));
        SLT_ASSERT(slt_neigh_init(&w.neigh, &w.mem, &table));
        add(&w, "10.0.0.1/8");
        add(&w, "fe80::1/64");
        ready = true;
    }
    return &w;
}

static void check_inside(struct slt_span inner, struct slt_span outer)
{
    SLT_ASSERT(inner.bytes <= outer.bytes);
    SLT_ASSERT(inner.bytes == 0 ||
               (inner.data >= outer.data && inner.data + inner.bytes <= outer.data + outer.bytes));
}

static void try_error(struct world *w, const struct slt_ip_packet *p)
{
    static uint8_t out[SLT_ICMP_ANSWER_MAX];
    struct slt_icmp_answer answer;
    struct slt_writer writer = slt_writer_of(out, sizeof(out));
    if (p->error.due && slt_icmp_answer(&w->iface, p, &p->error, &answer)) {
        SLT_ASSERT(slt_icmp_emit_answer(&answer, &writer) > 0);
        SLT_ASSERT(slt_ip_is_local(&w->iface, answer.src) || slt_ip_addr_is_loopback(answer.src));
    }
}

static void try_neighbours(struct world *w, const struct slt_ip_packet *p,
                           const struct slt_icmp6 *icmp)
{
    static uint8_t out[128];
    static const uint8_t station[6] = {2, 9};
    struct slt_ndp ndp;
    struct slt_neigh_nd_result result;
    struct slt_writer writer = slt_writer_of(out, sizeof(out));
    if (slt_neigh_read_nd(icmp, p, &ndp) != SLT_PASS ||
        (ndp.type != SLT_ICMP6_NEIGHBOUR_SOLICIT && ndp.type != SLT_ICMP6_NEIGHBOUR_ADVERT)) {
        return;
    }
    const struct slt_neigh_nd in = {
        .ndp = &ndp, .packet = p, .link_src = station, .now_ns = w->now_ns};
    (void)slt_neigh_input_nd(&w->neigh, &w->iface, &in, &result);
    if (result.reply.kind == SLT_NEIGH_REPLY_NA) {
        SLT_ASSERT(slt_neigh_emit_advertisement(&w->iface, &result.reply, &writer) > 0);
    }
}

static void try_transport(struct world *w, const struct slt_ip_packet *p)
{
    struct slt_icmp_notice notice;
    if (p->protocol == SLT_IP_PROTOCOL_ICMP4 && p->family == 4) {
        struct slt_icmp4 icmp;
        if (slt_icmp4_parse(p->payload, &icmp) == SLT_PASS && slt_icmp4_is_error(&icmp)) {
            (void)!slt_icmp4_notice(p, &icmp, &notice);
        }
    }
    if (p->protocol == SLT_IP_PROTOCOL_ICMP6 && p->family == 6) {
        struct slt_icmp6 icmp;
        if (slt_icmp6_parse(p->payload, p->src, p->dst, &icmp) == SLT_PASS) {
            if (slt_icmp6_is_error(&icmp)) {
                (void)!slt_icmp6_notice(p, &icmp, &notice);
            } else {
                try_neighbours(w, p, &icmp);
            }
        }
    }
}

/* Checksums hide everything behind them from random bytes: put the right ones in. */
static void seal(uint8_t *bytes, size_t size)
{
    struct slt_ip_packet p;
    struct world *w = the_world();
    if (size >= 20 && bytes[0] >> 4 == 4) {
        uint32_t header = (bytes[0] & 15U) * 4U;
        if (header >= 20 && header <= size) {
            bytes[10] = bytes[11] = 0;
            uint16_t sum = slt_checksum_finish(slt_checksum_add(0, bytes, header));
            bytes[10] = (uint8_t)(sum >> 8);
            bytes[11] = (uint8_t)sum;
        }
    }
    if (slt_ip_parse(&w->iface, (struct slt_span){bytes, (uint32_t)size}, 0, &p) != SLT_PASS ||
        p.payload.bytes < 8 || p.fragment) {
        return;
    }
    uint8_t *message = bytes + (p.payload.data - bytes);
    if (p.protocol == SLT_IP_PROTOCOL_ICMP4) {
        message[2] = message[3] = 0;
        uint16_t sum = slt_checksum_finish(slt_checksum_add(0, message, p.payload.bytes));
        message[2] = (uint8_t)(sum >> 8);
        message[3] = (uint8_t)sum;
    } else if (p.protocol == SLT_IP_PROTOCOL_ICMP6) {
        message[2] = message[3] = 0;
        slt_icmp6_seal(message, p.payload.bytes, p.src, p.dst);
    }
}

static void try_arp(struct world *w, struct slt_span span)
{
    struct slt_arp arp;
    struct slt_neigh_reply reply;
    if (slt_arp_parse(span, &arp) == SLT_PASS) {
        (void)slt_neigh_input_arp(&w->neigh, &w->iface, &arp, w->now_ns, &reply);
    }
}

static void pass_time(struct world *w)
{
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    w->now_ns += SLT_NS_PER_S / 10;
    (void)slt_neigh_expire(&w->neigh, w->now_ns, 8);
    while (slt_neigh_next_due(&w->neigh, &w->iface, w->now_ns, &ask)) {
        SLT_ASSERT(slt_ip_is_local(&w->iface, ask.src));
    }
    while (slt_neigh_take_wake(&w->neigh, &wake)) {
        SLT_ASSERT(wake.ref.generation != 0);
    }
    SLT_ASSERT(slt_neigh_check(&w->neigh));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *w = the_world();
    if (size < 1 || size > 65536) {
        return 0;
    }
    uint8_t way = data[0];
    size--;
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    SLT_ASSERT(bytes != NULL);
    memcpy(bytes, data + 1, size);
    struct slt_span span = {bytes, (uint32_t)size};
    struct slt_ip_packet p;
    if ((way & 0x80U) != 0) {
        try_arp(w, span);
    }
    if ((way & 0x40U) != 0) {
        seal(bytes, size);
    }
    enum slt_reason reason = slt_ip_parse(&w->iface, span, way & 0x0fU, &p);
    check_inside(p.packet, span);
    if (reason == SLT_PASS) {
        check_inside(p.payload, span);
        SLT_ASSERT(p.header_bytes + p.payload.bytes == p.packet.bytes);
        if (!p.fragment) {
            try_transport(w, &p);
        }
        struct slt_neigh_found found;
        slt_neigh_resolve(&w->neigh, p.src, w->now_ns, &found);
    } else {
        try_error(w, &p);
    }
    pass_time(w);
    free(bytes);
    return 0;
}
