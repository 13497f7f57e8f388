/* The extension header chain: a loop over headers that hands each to the function of its kind.
 *
 * Every function gets a reader on exactly the header's own bytes, so that a length inside it
 * cannot reach beyond it. Offsets are kept as ICMPv6 wants them, counted from the first octet of
 * the fixed header.
 *
 * AH, ESP, Mobility and whatever else may follow end the walk like a transport: floor 3 finds that
 * nobody handles them. RFC 8200 does not say what a malformed option or a length beyond the packet
 * earns the sender; it earns nothing.
 */
#include "wire/ipv6_ext.h"

#include "base/print.h"

enum { OPTION_PAD1 = 0, OPTION_PADN = 1, OPTION_ROUTER_ALERT = 5 };

enum { PROBLEM_FIELD = 0, PROBLEM_NEXT_HEADER = 1, PROBLEM_OPTION = 2, PROBLEM_FIRST_FRAGMENT = 3 };

#define PAYLOAD_LENGTH_AT 4U
#define NEXT_HEADER_AT    6U

struct walk {
    struct slt_reader r; /* over the fixed header's payload */
    struct slt_ipv6_chain *out;
    uint32_t header_count;
    uint32_t header_at; /* where the header being looked at starts, in the reader */
    bool reassembled;
    bool fragment_seen;
};

static enum slt_reason refuse(struct walk *w, enum slt_reason reason, uint8_t code,
                              uint32_t pointer)
{
    w->out->problem = SLT_IPV6_PROBLEM_UNICAST;
    w->out->problem_code = code;
    w->out->problem_pointer = pointer;
    return reason;
}

/* RFC 8200 4.2: the two highest bits of an option nobody knows say what becomes of the packet. */
static enum slt_reason refuse_option(struct walk *w, uint8_t kind, uint32_t pointer)
{
    switch (kind >> 6) {
    case 0:
        return SLT_PASS;
    case 1:
        return SLT_DROP_IP6_OPTION;
    case 2:
        (void)refuse(w, SLT_DROP_IP6_OPTION, PROBLEM_OPTION, pointer);
        w->out->problem = SLT_IPV6_PROBLEM_ALWAYS;
        return SLT_DROP_IP6_OPTION;
    default:
        return refuse(w, SLT_DROP_IP6_OPTION, PROBLEM_OPTION, pointer);
    }
}

/* `body` holds the header without its first two bytes and starts at octet `body_at`. */
static enum slt_reason walk_options(struct walk *w, struct slt_span body, uint32_t body_at)
{
    struct slt_reader r = slt_reader_of(body);
    while (slt_reader_left(&r) > 0) {
        const uint32_t option_at = body_at + r.at;
        const uint8_t kind = slt_read_u8(&r);
        if (kind == OPTION_PAD1) {
            continue;
        }
        const uint32_t length = slt_read_u8(&r);
        (void)slt_read_bytes(&r, length);
        if (r.failed) {
            return SLT_DROP_IP6_CHAIN;
        }
        if (kind == OPTION_PADN) {
            continue;
        }
        if (kind == OPTION_ROUTER_ALERT) {
            w->out->router_alert = true;
            continue;
        }
        const enum slt_reason reason = refuse_option(w, kind, option_at);
        if (reason != SLT_PASS) {
            return reason;
        }
    }
    return SLT_PASS;
}

/* RFC 8200 4.4: a routing header of a type nobody knows is ignored when no segments are left; the
 * types there are have been retired (RFC 5095) or are for routers, so none is known here. */
static enum slt_reason check_routing(struct walk *w, struct slt_span body, uint32_t body_at)
{
    struct slt_reader r = slt_reader_of(body);
    (void)slt_read_u8(&r);
    const uint8_t segments_left = slt_read_u8(&r);
    if (segments_left == 0) {
        return SLT_PASS;
    }
    return refuse(w, SLT_DROP_IP6_ROUTING, PROBLEM_FIELD, body_at);
}

/* The shortest transport header that a first fragment must hold (RFC 8200 4.5, RFC 7112 5). */
static uint32_t transport_bytes(uint8_t next_header)
{
    switch (next_header) {
    case 6: /* TCP */
        return 20;
    case 17: /* UDP */
    case 58: /* ICMPv6 */
        return 8;
    default:
        return 0;
    }
}

static bool has_options(uint8_t next_header)
{
    return next_header == SLT_IPV6_HOP_BY_HOP || next_header == SLT_IPV6_DESTINATION;
}

/* Only lengths are looked at here: what the headers behind a fragment header say is judged when
 * the packet is whole. */
static bool first_fragment_is_tiny(struct slt_reader r, uint8_t next_header)
{
    for (uint32_t i = 0; i < SLT_IPV6_EXT_HEADERS_MAX; i++) {
        if (!has_options(next_header) && next_header != SLT_IPV6_ROUTING) {
            return slt_reader_left(&r) < transport_bytes(next_header);
        }
        next_header = slt_read_u8(&r);
        const uint32_t body_bytes = slt_read_u8(&r) * 8U + 6U;
        (void)slt_read_bytes(&r, body_bytes);
        if (r.failed) {
            return true;
        }
    }
    return false;
}

static enum slt_reason check_fragment(struct walk *w)
{
    const struct slt_ipv6_fragment *f = &w->out->fragment;
    const uint32_t bytes = slt_reader_left(&w->r);
    /* RFC 8200 4.5: all fragments but the last are multiples of 8 octets long ... */
    if (f->more && bytes % 8 != 0) {
        return refuse(w, SLT_DROP_FRAG_LENGTH, PROBLEM_FIELD, PAYLOAD_LENGTH_AT);
    }
    /* ... and the whole may not become longer than a payload length can say. */
    if (w->out->unfragmentable_bytes + f->offset + bytes > 65535U) {
        return refuse(w, SLT_DROP_FRAG_LENGTH, PROBLEM_FIELD,
                      SLT_IPV6_HEADER_BYTES + w->header_at + 2);
    }
    if (bytes == 0) {
        return SLT_DROP_FRAG_LENGTH;
    }
    /* RFC 8200 4.5: a first fragment without the whole header chain is discarded. */
    if (f->offset == 0 && first_fragment_is_tiny(w->r, f->next_header)) {
        return refuse(w, SLT_DROP_FRAG_TINY, PROBLEM_FIRST_FRAGMENT, 0);
    }
    return SLT_PASS;
}

static enum slt_reason walk_fragment(struct walk *w)
{
    struct slt_ipv6_chain *out = w->out;
    if (w->fragment_seen) {
        return SLT_DROP_IP6_CHAIN;
    }
    w->fragment_seen = true;
    out->unfragmentable_bytes = w->r.at;
    out->unfragmentable_next_at = out->next_header_at;
    out->next_header_at = SLT_IPV6_HEADER_BYTES + w->r.at;
    out->fragment.next_header = slt_read_u8(&w->r);
    (void)slt_read_u8(&w->r);
    const uint16_t offset_and_more = slt_read_u16(&w->r);
    out->fragment.id = slt_read_u32(&w->r);
    out->fragment.offset = offset_and_more & 0xfff8U;
    out->fragment.more = (offset_and_more & 1U) != 0;
    if (w->r.failed) {
        return SLT_DROP_IP6_CHAIN;
    }
    out->next_header = out->fragment.next_header;
    if (out->fragment.offset == 0 && !out->fragment.more) {
        return SLT_PASS;
    }
    if (w->reassembled) {
        /* A fragment inside a datagram that was put together from fragments has no honest sender.
         */
        return SLT_DROP_IP6_CHAIN;
    }
    out->fragmented = true;
    return check_fragment(w);
}

/* One header with a length of its own: hop-by-hop, destination options, routing. */
static enum slt_reason walk_header(struct walk *w)
{
    const uint8_t kind = w->out->next_header;
    if (kind == SLT_IPV6_HOP_BY_HOP && w->header_at != 0) {
        /* RFC 8200 4.1: it may only follow the fixed header. */
        return refuse(w, SLT_DROP_IP6_CHAIN, PROBLEM_NEXT_HEADER, w->out->next_header_at);
    }
    w->out->next_header_at = SLT_IPV6_HEADER_BYTES + w->r.at;
    w->out->next_header = slt_read_u8(&w->r);
    const uint32_t body_bytes = slt_read_u8(&w->r) * 8U + 6U;
    const uint32_t body_at = SLT_IPV6_HEADER_BYTES + w->r.at;
    const uint8_t *body = slt_read_bytes(&w->r, body_bytes);
    if (w->r.failed || w->r.at > SLT_IPV6_EXT_BYTES_MAX) {
        return SLT_DROP_IP6_CHAIN;
    }
    const struct slt_span span = {body, body_bytes};
    if (kind == SLT_IPV6_ROUTING) {
        return check_routing(w, span, body_at);
    }
    return walk_options(w, span, body_at);
}

static enum slt_reason walk_chain(struct walk *w)
{
    struct slt_ipv6_chain *out = w->out;
    while (!out->fragmented) {
        const uint8_t kind = out->next_header;
        if (kind == SLT_IPV6_NO_NEXT) {
            return SLT_DROP_IP6_NO_NEXT;
        }
        if (!has_options(kind) && kind != SLT_IPV6_ROUTING && kind != SLT_IPV6_FRAGMENT) {
            break;
        }
        if (w->header_count == SLT_IPV6_EXT_HEADERS_MAX) {
            return SLT_DROP_IP6_CHAIN;
        }
        w->header_count++;
        w->header_at = w->r.at;
        const enum slt_reason reason =
            kind == SLT_IPV6_FRAGMENT ? walk_fragment(w) : walk_header(w);
        if (reason != SLT_PASS) {
            return reason;
        }
    }
    out->payload_bytes = slt_reader_left(&w->r);
    out->payload = slt_read_bytes(&w->r, out->payload_bytes);
    return SLT_PASS;
}

enum slt_reason slt_ipv6_ext_walk(const struct slt_ipv6 *ip, bool reassembled,
                                  struct slt_ipv6_chain *out)
{
    memset(out, 0, sizeof(*out));
    out->next_header = ip->next_header;
    out->next_header_at = NEXT_HEADER_AT;
    struct walk w = {.r = slt_reader_of((struct slt_span){ip->payload, ip->payload_bytes}),
                     .out = out,
                     .reassembled = reassembled};
    return walk_chain(&w);
}

uint32_t slt_ipv6_fragment_emit(const struct slt_ipv6_fragment *fragment, struct slt_writer *w)
{
    SLT_ASSERT(fragment->offset % 8 == 0);
    slt_write_u8(w, fragment->next_header);
    slt_write_u8(w, 0);
    slt_write_u16(w, (uint16_t)(fragment->offset | (fragment->more ? 1U : 0U)));
    slt_write_u32(w, fragment->id);
    return w->failed ? 0 : SLT_IPV6_FRAGMENT_BYTES;
}

int slt_ipv6_chain_print(const struct slt_ipv6_chain *chain, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_text_str(&t, "next ");
    slt_text_u64(&t, chain->next_header);
    if (chain->fragmented) {
        slt_text_str(&t, ", frag ");
        slt_text_u64(&t, chain->fragment.offset);
        slt_text_str(&t, chain->fragment.more ? "+" : "");
        slt_text_str(&t, " id 0x");
        slt_text_hex(&t, chain->fragment.id, 1);
    }
    if (chain->router_alert) {
        slt_text_str(&t, ", router alert");
    }
    slt_text_str(&t, ", length ");
    slt_text_u64(&t, chain->payload_bytes);
    return (int)t.used;
}
