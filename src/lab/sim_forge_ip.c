/* Forged ICMP, and packets that are malformed in every way that has a name. */
#include "lab/sim_forge.h"

#include <string.h>

#include "wire/tcp.h"

/* ---- ICMP about a flow
 * --------------------------------------------------------------------------- */

static uint32_t write_icmp_head(uint8_t *icmp, bool ip6, uint64_t kind, uint32_t number)
{
    static const uint8_t four[][2] = {{3, 0}, {3, 1}, {3, 2},  {3, 3},  {3, 4}, {3, 13},
                                      {4, 0}, {5, 1}, {11, 0}, {12, 0}, {3, 4}, {40, 0}};
    static const uint8_t six[][2] = {{1, 0}, {1, 3}, {1, 1}, {1, 4}, {2, 0}, {1, 1},
                                     {3, 0}, {4, 0}, {4, 1}, {4, 2}, {2, 0}, {100, 0}};
    const uint8_t *type = ip6 ? six[kind] : four[kind];
    memset(icmp, 0, 8);
    icmp[0] = type[0];
    icmp[1] = type[1];
    slt_sim_put32(icmp + 4, number);
    return 8;
}

void slt_sim_forge_icmp(struct sim_world *w, const struct sim_forged *f,
                        const struct sim_flow *flow)
{
    uint8_t *frame = w->scratch;
    uint64_t kind = slt_sim_below(w, 4) == 0 ? 3 : slt_sim_below(w, 12); /* 3: a hard error */
    uint32_t mtu = slt_sim_below(w, 4) == 0 ? (uint32_t)slt_sim_below(w, 70000) & 0xffff
                                            : 600 + (uint32_t)slt_sim_below(w, 900);
    uint32_t pos = (uint32_t)slt_max64(flow->nxt - 1, 0);
    struct sim_forged outer = *f;
    struct sim_forged inner = *f;
    outer.protocol = f->ip6 ? 58 : 1;
    slt_sim_station(w, f->ip6, SIM_ROUTER, &outer.src);
    inner.src = f->dst;
    inner.dst = f->src;
    inner.src_port = f->dst_port;
    inner.dst_port = f->src_port;
    inner.seq = slt_sim_below(w, 3) == 0 ? (uint32_t)slt_prng_u64(&w->prng) : flow->isn + pos;
    if (slt_sim_below(w, 8) == 0) {
        inner.dst_port ^= 0x5555;
    }
    uint32_t at = slt_sim_kind_offset(w);
    uint32_t quoted = slt_sim_forge_segment(w, &inner, w->scratch2) - at;
    quoted = slt_min32(quoted, (f->ip6 ? 40U : 20U) + 8U);
    if (slt_sim_below(w, 10) == 0) {
        quoted -= 4;
    }
    uint32_t ip = slt_sim_forge_ip(w, &outer, 8 + quoted, frame);
    write_icmp_head(frame + at + ip, f->ip6, kind, mtu);
    memcpy(frame + at + ip + 8, w->scratch2 + at, quoted);
    slt_sim_seal(frame + at, ip + 8 + quoted);
    if (slt_sim_below(w, 10) == 0) {
        frame[at + ip + 2] ^= 0x10;
    }
    slt_sim_fault(w, SLT_SIM_INJECT_ICMP);
    slt_sim_net_inject(w, f->to, frame, at + ip + 8 + quoted, SIM_MS(1));
}

/* ---- malformed TCP
 * ------------------------------------------------------------------------------- */

static uint32_t seal(const struct sim_world *w, uint8_t *frame, uint32_t bytes)
{
    slt_sim_seal(frame + slt_sim_kind_offset(w), bytes - slt_sim_kind_offset(w));
    return bytes;
}

static uint32_t bad_tcp(struct sim_world *w, struct sim_forged *f, uint8_t *frame)
{
    uint32_t at = slt_sim_kind_offset(w) + (f->ip6 ? 40U : 20U);
    uint64_t kind = slt_sim_below(w, 6);
    f->flags = SLT_TCP_SYN;
    f->ack = 0;
    if (kind == 0) { /* an option whose length is 0, 1 or too long */
        static const uint8_t lengths[] = {0, 1, 40};
        f->option_bytes = 4;
        f->options[0] = 77;
        f->options[1] = lengths[slt_sim_below(w, 3)];
    }
    uint32_t bytes = slt_sim_forge_segment(w, f, frame);
    switch (kind) {
    case 1: /* data offset below 5 */
        frame[at + 12] = 0x40;
        return seal(w, frame, bytes);
    case 2: /* ... or beyond the segment */
        frame[at + 12] = 0xf0;
        return seal(w, frame, bytes);
    case 3:
        frame[at + 16] ^= 1;
        return bytes;
    case 4: { /* shorter than a header */
        struct sim_forged cut = *f;
        slt_sim_forge_ip(w, &cut, 12, frame);
        return seal(w, frame, at + 12);
    }
    default:
        return bytes;
    }
}

/* Addresses that cannot have a connection. */
static uint32_t bad_address(struct sim_world *w, struct sim_forged *f, uint8_t *frame)
{
    uint64_t kind = slt_sim_below(w, 4);
    f->flags = SLT_TCP_SYN;
    f->ack = 0;
    salut_addr *which = kind < 2 ? &f->src : &f->dst;
    memset(which->b, f->ip6 ? 0 : 0xff, 16);
    if (f->ip6) {
        which->b[0] = 0xff;
        which->b[1] = 2;
        which->b[15] = 1; /* all nodes */
    } else {
        memset(which->b, 0, 10);
        if (kind % 2 == 0) {
            which->b[12] = 224;
            which->b[13] = which->b[14] = 0;
            which->b[15] = 1;
        }
    }
    return slt_sim_forge_segment(w, f, frame);
}

/* ---- malformed IP
 * -------------------------------------------------------------------------------- */

static uint32_t bad_ip4(struct sim_world *w, struct sim_forged *f, uint8_t *frame)
{
    uint32_t at = slt_sim_kind_offset(w);
    uint8_t *ip = frame + at;
    uint64_t kind = slt_sim_below(w, 9);
    f->flags = SLT_TCP_SYN;
    f->protocol = kind == 5 ? 99 : 6;
    uint32_t bytes = slt_sim_forge_segment(w, f, frame);
    if (kind == 0) {
        ip[0] = 0x55;
    } else if (kind == 1) {
        slt_sim_put16(ip + 2, 4000);
        return seal(w, frame, bytes);
    } else if (kind == 2) {
        ip[10] ^= 1;
    } else if (kind == 3 || kind == 4) { /* a source route; an option that is cut */
        memmove(ip + 28, ip + 20, bytes - at - 20);
        memset(ip + 20, 1, 8);
        ip[20] = kind == 3 ? 131 : 7;
        ip[21] = kind == 3 ? 7 : 200;
        ip[22] = 4;
        ip[0] = 0x47;
        slt_sim_put16(ip + 2, bytes - at + 8);
        return seal(w, frame, bytes + 8);
    } else if (kind == 6) { /* for somebody else */
        ip[19] = 77;
        return seal(w, frame, bytes);
    } else if (kind == 7) {
        ip[12] = 127;
        return seal(w, frame, bytes);
    } else if (kind == 8) {
        ip[6] = 0x80;
        return seal(w, frame, bytes);
    }
    return bytes;
}

static uint32_t bad_ip6(struct sim_world *w, struct sim_forged *f, uint8_t *frame)
{
    /* hop-by-hop, destination options and routing headers of 8 octets, one of them wrong */
    static const uint8_t headers[][9] = {
        {0, 6, 0, 0xc5, 4, 0, 0, 0, 0}, /* an unknown option: tell */
        {0, 6, 0, 0x45, 4, 0, 0, 0, 0}, /* ... silently */
        {60, 6, 9, 1, 4, 0, 0, 0, 0},   /* longer than the packet */
        {43, 6, 0, 0, 1, 0, 0, 0, 0},   /* routing with a segment left */
        {60, 59, 0, 1, 4, 0, 0, 0, 0},  /* nothing follows */
        {60, 0, 0, 1, 4, 0, 0, 0, 0},   /* hop-by-hop not first */
        {60, 99, 0, 1, 4, 0, 0, 0, 0},  /* a protocol nobody knows */
        {43, 6, 0, 0, 0, 0, 0, 0, 0},   /* routing, done */
    };
    uint32_t at = slt_sim_kind_offset(w);
    uint8_t *ip = frame + at;
    f->flags = SLT_TCP_SYN;
    f->ack = 0;
    uint32_t bytes = slt_sim_forge_segment(w, f, frame);
    uint64_t kind = slt_sim_below(w, SLT_ARRAY_COUNT(headers) + 3);
    if (kind >= SLT_ARRAY_COUNT(headers)) {
        if (kind % 3 == 0) {
            ip[39] = 0x77;
        } else if (kind % 3 == 1) {
            ip[0] = 0x50;
        } else {
            slt_sim_put16(ip + 4, 9000);
        }
        return bytes;
    }
    memmove(ip + 48, ip + 40, bytes - at - 40);
    memcpy(ip + 40, headers[kind] + 1, 8);
    ip[6] = headers[kind][0];
    slt_sim_put16(ip + 4, bytes - at - 40 + 8);
    return bytes + 8;
}

/* ---- fragments
 * ----------------------------------------------------------------------------------- */

static void inject_piece(struct sim_world *w, const struct sim_forged *f, uint32_t offset,
                         uint32_t bytes, bool more)
{
    uint8_t *frame = w->scratch;
    struct sim_forged piece = *f;
    uint32_t at = slt_sim_kind_offset(w);
    piece.protocol = f->ip6 ? 44 : 6;
    uint32_t ip = slt_sim_forge_ip(w, &piece, bytes + (f->ip6 ? 8U : 0U), frame);
    uint8_t *p = frame + at;
    if (f->ip6) {
        p[40] = 6;
        p[41] = 0;
        slt_sim_put16(p + 42, offset | (more ? 1U : 0));
        slt_sim_put32(p + 44, f->id);
        ip += 8;
    } else {
        slt_sim_put16(p + 6, offset / 8 | (more ? 0x2000U : 0));
    }
    memset(p + ip, 0, bytes);
    if (offset == 0 && bytes >= 20) {
        slt_sim_put16(p + ip, f->src_port);
        slt_sim_put16(p + ip + 2, f->dst_port);
        p[ip + 12] = 0x50;
        p[ip + 13] = SLT_TCP_SYN;
    }
    if (!f->ip6) {
        slt_sim_seal(p, ip + bytes);
    }
    slt_sim_net_inject(w, f->to, frame, at + ip + bytes, SIM_MS(1));
}

static void bad_fragments(struct sim_world *w, struct sim_forged *f)
{
    switch (slt_sim_below(w, 7)) {
    case 0: /* overlapping; then one more for the poisoned datagram */
        inject_piece(w, f, 0, 64, true);
        inject_piece(w, f, 32, 64, true);
        inject_piece(w, f, 128, 8, false);
        break;
    case 1: /* the same twice */
        inject_piece(w, f, 0, 64, true);
        inject_piece(w, f, 0, 64, true);
        break;
    case 2: /* not a multiple of eight */
        inject_piece(w, f, 0, 61, true);
        break;
    case 3: /* the first without the whole header */
        inject_piece(w, f, 0, 8, true);
        break;
    case 4: /* beyond 65,535 */
        inject_piece(w, f, 65528, 600, false);
        break;
    case 5: /* many */
        for (int i = 0; i < 12; i++) {
            f->id++;
            inject_piece(w, f, 0, 1200, true);
        }
        break;
    default: /* whole, but of zeros */
        inject_piece(w, f, 32, 32, false);
        inject_piece(w, f, 0, 32, true);
        break;
    }
}

/* ---- UDP and ICMP to the host
 * -------------------------------------------------------------------- */

static uint32_t bad_other(struct sim_world *w, struct sim_forged *f, uint8_t *frame)
{
    uint32_t at = slt_sim_kind_offset(w);
    uint64_t kind = slt_sim_below(w, 7);
    uint32_t payload = kind == 6 ? 4 : 32;
    f->protocol = kind < 3 ? 17 : f->ip6 ? 58 : 1;
    uint32_t ip = slt_sim_forge_ip(w, f, payload, frame);
    uint8_t *p = frame + at + ip;
    memset(p, 0, payload);
    if (kind < 3) {
        slt_sim_put16(p, f->src_port);
        slt_sim_put16(p + 2, 53);
        slt_sim_put16(p + 4, kind == 1 ? 3 : payload);
    } else if (kind == 3) { /* an echo request */
        p[0] = f->ip6 ? 128 : 8;
    } else if (kind == 4) { /* an error that quotes too little */
        p[0] = f->ip6 ? 1 : 3;
        payload = 12;
        ip = slt_sim_forge_ip(w, f, payload, frame);
    } else {
        p[0] = f->ip6 ? 200 : 30;
    }
    slt_sim_seal(frame + at, ip + payload);
    if (kind == 2) {
        p[6] ^= 1;
    }
    return at + ip + payload;
}

/* ---- Ethernet, ARP, neighbour discovery
 * ---------------------------------------------------------- */

static uint32_t write_arp(struct sim_world *w, const struct sim_forged *f, uint8_t *frame)
{
    uint8_t *arp = frame + 14;
    memset(frame, 0, 42);
    memset(frame, 0xff, 6);
    memcpy(frame + 6, "\2\0\0\0\0\xf0", 6);
    slt_sim_put16(frame + 12, 0x806);
    memcpy(arp, "\0\1\10\0\6\4\0\1", 8);
    memcpy(arp + 8, frame + 6, 6);
    memcpy(arp + 14, "\12\0\0\x42", 4);
    memcpy(arp + 24, w->host[f->to].addr[0].b + 12, 4);
    switch (slt_sim_below(w, 5)) {
    case 0:
        arp[4] = 7;
        break;
    case 1:
        arp[27] = 99; /* who has somebody else? */
        break;
    case 2:
        memset(arp + 14, 0xff, 4); /* a sender that cannot be */
        break;
    case 3:
        memcpy(arp + 14, arp + 24, 4); /* claims the host's own address */
        break;
    default:
        break;
    }
    return 42;
}

static uint32_t write_solicit(struct sim_world *w, const struct sim_forged *f, uint8_t *frame)
{
    struct sim_forged nd = *f;
    uint64_t kind = slt_sim_below(w, 4);
    nd.protocol = 58;
    nd.ip6 = true;
    slt_sim_station(w, true, SIM_ATTACKER, &nd.src);
    nd.dst = w->host[f->to].addr[1];
    uint32_t ip = slt_sim_forge_ip(w, &nd, 24, frame);
    uint8_t *p = frame + 14;
    memset(p + ip, 0, 24);
    p[ip] = 135;
    memcpy(p + ip + 8, nd.dst.b, 16);
    if (kind == 0) {
        p[7] = 64; /* not from this link */
    } else if (kind == 1) {
        p[ip + 23] = 0x99; /* about somebody else */
    } else if (kind == 2) {
        p[ip] = 136;
        p[ip + 8] = 0xff; /* an advertisement of a group */
    }
    slt_sim_seal(p, ip + 24);
    return 14 + ip + 24;
}

static uint32_t bad_ethernet(struct sim_world *w, struct sim_forged *f, uint8_t *frame)
{
    uint64_t kind = slt_sim_below(w, 8);
    if (kind < 2) {
        return write_arp(w, f, frame);
    }
    if (kind == 2) {
        return write_solicit(w, f, frame);
    }
    f->flags = SLT_TCP_SYN;
    uint32_t bytes = slt_sim_forge_segment(w, f, frame);
    memcpy(frame, w->host[f->to].mac, 6);
    memcpy(frame + 6, "\2\0\0\0\0\xf0", 6);
    slt_sim_put16(frame + 12, f->ip6 ? 0x86dd : 0x800);
    switch (kind) {
    case 3:
        return 9;
    case 4:
        frame[5] = 0x77;
        return bytes;
    case 5:
        slt_sim_put16(frame + 12, slt_sim_below(w, 2) ? 0x1234 : 0x100);
        return bytes;
    case 6:
        frame[6] |= 1;
        return bytes;
    default: /* unicast in a broadcast */
        memset(frame, 0xff, 6);
        return bytes;
    }
}

/* ---- the door
 * ------------------------------------------------------------------------------------ */

void slt_sim_forge_malformed(struct sim_world *w)
{
    struct sim_forged f;
    uint8_t *frame = w->scratch;
    uint32_t bytes = 0;
    slt_sim_forge_init(w, &f);
    slt_sim_fault(w, SLT_SIM_INJECT_NOISE);
    uint64_t kind = slt_sim_below(w, slt_sim_kind_offset(w) > 0 ? 7 : 5);
    switch (kind) {
    case 0:
        bytes = bad_tcp(w, &f, frame);
        break;
    case 1:
        bytes = bad_address(w, &f, frame);
        break;
    case 2:
        bytes = f.ip6 ? bad_ip6(w, &f, frame) : bad_ip4(w, &f, frame);
        break;
    case 3:
        bad_fragments(w, &f);
        return;
    case 4:
        bytes = bad_other(w, &f, frame);
        break;
    default:
        bytes = bad_ethernet(w, &f, frame);
        break;
    }
    slt_sim_net_inject(w, f.to, frame, bytes, SIM_MS(1));
}
