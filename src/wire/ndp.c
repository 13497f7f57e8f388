/* Neighbour discovery: a fixed part per type, then options of {type, length in 8 octets}.
 *
 * RFC 4861 4.6: an option of length 0 makes the whole packet invalid; it would also make this loop
 * endless. Unknown options are stepped over, in any order (9); a known one whose length is not its
 * own is taken for unknown. Where an option stands twice the first counts, except prefixes.
 */
#include "wire/ndp.h"

#include "wire/address.h"

enum { OPTION_SOURCE_MAC = 1, OPTION_TARGET_MAC = 2, OPTION_PREFIX = 3, OPTION_MTU = 5 };

#define NA_ROUTER         0x80000000U
#define NA_SOLICITED      0x40000000U
#define NA_OVERRIDE       0x20000000U
#define RA_MANAGED        0x80U
#define RA_OTHER          0x40U
#define PREFIX_ON_LINK    0x80U
#define PREFIX_AUTONOMOUS 0x40U

static void parse_mac(struct slt_ndp *out, enum slt_ndp_option_bit bit, uint8_t mac[6],
                      struct slt_reader *body)
{
    const uint8_t *bytes = slt_read_bytes(body, 6);
    if (slt_reader_left(body) != 0 || bytes == NULL || (out->present & bit)) {
        return;
    }
    memcpy(mac, bytes, 6);
    out->present |= (uint8_t)bit;
}

static void parse_mtu(struct slt_ndp *out, struct slt_reader *body)
{
    (void)slt_read_u16(body);
    const uint32_t mtu = slt_read_u32(body);
    if (body->failed || slt_reader_left(body) != 0 || (out->present & SLT_NDP_MTU)) {
        return;
    }
    out->mtu = mtu;
    out->present |= SLT_NDP_MTU;
}

static void parse_prefix(struct slt_ndp *out, struct slt_reader *body)
{
    if (slt_reader_left(body) != 30 || out->prefix_count == SLT_NDP_PREFIXES_MAX) {
        return;
    }
    struct slt_ndp_prefix *p = &out->prefixes[out->prefix_count];
    const uint8_t length = slt_read_u8(body);
    if (length > 128) {
        return;
    }
    p->length = length;
    const uint8_t flags = slt_read_u8(body);
    p->on_link = (flags & PREFIX_ON_LINK) != 0;
    p->autonomous = (flags & PREFIX_AUTONOMOUS) != 0;
    p->valid_s = slt_read_u32(body);
    p->preferred_s = slt_read_u32(body);
    (void)slt_read_u32(body);
    memcpy(p->prefix, slt_read_bytes(body, 16), 16);
    out->prefix_count++;
}

/* An option has a meaning only in the messages that may carry it (RFC 4861 4.1 to 4.4). */
static void parse_option(struct slt_ndp *out, uint8_t kind, struct slt_reader *body)
{
    const bool advert = out->type == SLT_ICMP6_ROUTER_ADVERT;
    if (kind == OPTION_SOURCE_MAC && out->type != SLT_ICMP6_NEIGHBOUR_ADVERT) {
        parse_mac(out, SLT_NDP_SOURCE_MAC, out->source_mac, body);
    } else if (kind == OPTION_TARGET_MAC && out->type == SLT_ICMP6_NEIGHBOUR_ADVERT) {
        parse_mac(out, SLT_NDP_TARGET_MAC, out->target_mac, body);
    } else if (kind == OPTION_PREFIX && advert) {
        parse_prefix(out, body);
    } else if (kind == OPTION_MTU && advert) {
        parse_mtu(out, body);
    }
}

static bool parse_options(struct slt_ndp *out, struct slt_reader *r)
{
    while (slt_reader_left(r) > 0) {
        const uint8_t kind = slt_read_u8(r);
        const uint32_t bytes = slt_read_u8(r) * 8U;
        if (r->failed || bytes == 0 || bytes - 2 > slt_reader_left(r)) {
            return false;
        }
        const uint8_t *data = slt_read_bytes(r, bytes - 2);
        struct slt_reader body = slt_reader_of((struct slt_span){data, bytes - 2});
        parse_option(out, kind, &body);
    }
    return true;
}

static void parse_target(struct slt_ndp *out, struct slt_reader *r)
{
    const uint8_t *target = slt_read_bytes(r, 16);
    if (target != NULL) {
        memcpy(out->target, target, 16);
    }
}

static void parse_fixed_part(struct slt_ndp *out, struct slt_reader *r)
{
    const uint32_t word = slt_read_u32(r);
    if (out->type == SLT_ICMP6_ROUTER_ADVERT) {
        out->hop_limit = (uint8_t)(word >> 24);
        out->managed = (word >> 16 & RA_MANAGED) != 0;
        out->other = (word >> 16 & RA_OTHER) != 0;
        out->lifetime_s = (uint16_t)word;
        out->reachable_ms = slt_read_u32(r);
        out->retransmit_ms = slt_read_u32(r);
    } else if (out->type == SLT_ICMP6_NEIGHBOUR_SOLICIT) {
        parse_target(out, r);
    } else if (out->type == SLT_ICMP6_NEIGHBOUR_ADVERT) {
        out->router = (word & NA_ROUTER) != 0;
        out->solicited = (word & NA_SOLICITED) != 0;
        out->override = (word & NA_OVERRIDE) != 0;
        parse_target(out, r);
    }
}

static bool is_solicited_node(const uint8_t address[16])
{
    static const uint8_t prefix[13] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff};
    return memcmp(address, prefix, sizeof(prefix)) == 0;
}

/* RFC 4861 7.1.1. */
static bool solicitation_is_valid(const struct slt_ndp *ndp, const struct slt_ipv6 *ip)
{
    if (slt_address_is_multicast(ndp->target)) {
        return false;
    }
    if (!slt_address_is_unspecified(ip->src)) {
        return true;
    }
    return is_solicited_node(ip->dst) && !(ndp->present & SLT_NDP_SOURCE_MAC);
}

/* RFC 4861 7.1.2. */
static bool advertisement_is_valid(const struct slt_ndp *ndp, const struct slt_ipv6 *ip)
{
    if (slt_address_is_multicast(ndp->target)) {
        return false;
    }
    return !(slt_address_is_multicast(ip->dst) && ndp->solicited);
}

static bool message_is_valid(const struct slt_ndp *ndp, const struct slt_ipv6 *ip)
{
    switch (ndp->type) {
    case SLT_ICMP6_ROUTER_SOLICIT:
        /* RFC 4861 6.1.1: who has no address yet has no station to be answered at either. */
        return !(slt_address_is_unspecified(ip->src) && (ndp->present & SLT_NDP_SOURCE_MAC));
    case SLT_ICMP6_ROUTER_ADVERT:
        /* RFC 4861 6.1.2: routers are known by their link-local address. */
        return slt_address_is_link_local(ip->src) && !slt_address_is_v4(ip->src);
    case SLT_ICMP6_NEIGHBOUR_SOLICIT:
        return solicitation_is_valid(ndp, ip);
    default:
        return advertisement_is_valid(ndp, ip);
    }
}

enum slt_reason slt_ndp_parse(const struct slt_icmp6 *icmp, const struct slt_ipv6 *ip,
                              struct slt_ndp *out)
{
    memset(out, 0, sizeof(*out));
    if (icmp->type == SLT_ICMP6_REDIRECT) {
        return SLT_DROP_ICMP_REDIRECT;
    }
    if (!slt_icmp6_is_ndp(icmp)) {
        return SLT_DROP_ICMP_TYPE;
    }
    /* RFC 4861 6.1, 7.1 (R4861-01): 255 proves that no router has forwarded the packet. */
    if (ip->hop_limit != 255 || icmp->code != 0) {
        return SLT_DROP_ND_INVALID;
    }
    struct slt_reader r = slt_reader_of((struct slt_span){icmp->data, icmp->data_bytes});
    out->type = icmp->type;
    parse_fixed_part(out, &r);
    if (r.failed || !parse_options(out, &r) || !message_is_valid(out, ip)) {
        return SLT_DROP_ND_INVALID;
    }
    return SLT_PASS;
}

static void emit_fixed_part(const struct slt_ndp *ndp, struct slt_writer *w)
{
    switch (ndp->type) {
    case SLT_ICMP6_ROUTER_ADVERT:
        slt_write_u8(w, ndp->hop_limit);
        slt_write_u8(w, (uint8_t)((ndp->managed ? RA_MANAGED : 0) | (ndp->other ? RA_OTHER : 0)));
        slt_write_u16(w, ndp->lifetime_s);
        slt_write_u32(w, ndp->reachable_ms);
        slt_write_u32(w, ndp->retransmit_ms);
        return;
    case SLT_ICMP6_NEIGHBOUR_ADVERT:
        slt_write_u32(w, (ndp->router ? NA_ROUTER : 0) | (ndp->solicited ? NA_SOLICITED : 0) |
                             (ndp->override ? NA_OVERRIDE : 0));
        slt_write_bytes(w, ndp->target, 16);
        return;
    case SLT_ICMP6_NEIGHBOUR_SOLICIT:
        slt_write_u32(w, 0);
        slt_write_bytes(w, ndp->target, 16);
        return;
    default:
        slt_write_u32(w, 0);
        return;
    }
}

static void emit_mac(uint8_t kind, const uint8_t mac[6], struct slt_writer *w)
{
    slt_write_u8(w, kind);
    slt_write_u8(w, 1);
    slt_write_bytes(w, mac, 6);
}

static void emit_prefix(const struct slt_ndp_prefix *p, struct slt_writer *w)
{
    slt_write_u8(w, OPTION_PREFIX);
    slt_write_u8(w, 4);
    slt_write_u8(w, p->length);
    slt_write_u8(
        w, (uint8_t)((p->on_link ? PREFIX_ON_LINK : 0) | (p->autonomous ? PREFIX_AUTONOMOUS : 0)));
    slt_write_u32(w, p->valid_s);
    slt_write_u32(w, p->preferred_s);
    slt_write_u32(w, 0);
    slt_write_bytes(w, p->prefix, 16);
}

static void emit_options(const struct slt_ndp *ndp, struct slt_writer *w)
{
    if (ndp->present & SLT_NDP_SOURCE_MAC) {
        emit_mac(OPTION_SOURCE_MAC, ndp->source_mac, w);
    }
    if (ndp->present & SLT_NDP_TARGET_MAC) {
        emit_mac(OPTION_TARGET_MAC, ndp->target_mac, w);
    }
    if (ndp->present & SLT_NDP_MTU) {
        slt_write_u8(w, OPTION_MTU);
        slt_write_u8(w, 1);
        slt_write_u16(w, 0);
        slt_write_u32(w, ndp->mtu);
    }
    for (uint32_t i = 0; i < ndp->prefix_count; i++) {
        emit_prefix(&ndp->prefixes[i], w);
    }
}

uint32_t slt_ndp_emit(const struct slt_ndp *ndp, const uint8_t src[16], const uint8_t dst[16],
                      struct slt_writer *w)
{
    const uint32_t start = w->at;
    SLT_ASSERT(ndp->type >= SLT_ICMP6_ROUTER_SOLICIT && ndp->type <= SLT_ICMP6_NEIGHBOUR_ADVERT);
    SLT_ASSERT(ndp->prefix_count <= SLT_NDP_PREFIXES_MAX);
    slt_write_u8(w, ndp->type);
    slt_write_u8(w, 0);
    slt_write_u16(w, 0);
    emit_fixed_part(ndp, w);
    emit_options(ndp, w);
    if (w->failed) {
        return 0;
    }
    slt_icmp6_seal(w->data + start, w->at - start, src, dst);
    return w->at - start;
}

static void print_advert(struct slt_text *t, const struct slt_ndp *ndp)
{
    slt_text_str(t, "nd router lifetime ");
    slt_text_u64(t, ndp->lifetime_s);
    if (ndp->present & SLT_NDP_MTU) {
        slt_text_str(t, " mtu ");
        slt_text_u64(t, ndp->mtu);
    }
    for (uint32_t i = 0; i < ndp->prefix_count; i++) {
        slt_text_str(t, " prefix ");
        slt_address_text(t, ndp->prefixes[i].prefix);
        slt_text_char(t, '/');
        slt_text_u64(t, ndp->prefixes[i].length);
    }
}

static void print_neighbour_advert(struct slt_text *t, const struct slt_ndp *ndp)
{
    slt_text_str(t, "nd ");
    slt_address_text(t, ndp->target);
    slt_text_str(t, " is-at ");
    if (ndp->present & SLT_NDP_TARGET_MAC) {
        slt_mac_text(t, ndp->target_mac);
    } else {
        slt_text_char(t, '?');
    }
    slt_text_str(t, ndp->router ? " router" : "");
    slt_text_str(t, ndp->solicited ? " solicited" : "");
    slt_text_str(t, ndp->override ? " override" : "");
}

int slt_ndp_print(const struct slt_ndp *ndp, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    if (ndp->type == SLT_ICMP6_ROUTER_ADVERT) {
        print_advert(&t, ndp);
    } else if (ndp->type == SLT_ICMP6_NEIGHBOUR_ADVERT) {
        print_neighbour_advert(&t, ndp);
        return (int)t.used;
    } else if (ndp->type == SLT_ICMP6_NEIGHBOUR_SOLICIT) {
        slt_text_str(&t, "nd who-has ");
        slt_address_text(&t, ndp->target);
    } else {
        slt_text_str(&t, "nd router solicitation");
    }
    if (ndp->present & SLT_NDP_SOURCE_MAC) {
        slt_text_str(&t, " from ");
        slt_mac_text(&t, ndp->source_mac);
    }
    return (int)t.used;
}
