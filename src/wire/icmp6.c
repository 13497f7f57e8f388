/* ICMPv6 messages (RFC 4443 2.1): as ICMPv4's, with a pseudo header under the checksum and with
 * neighbour discovery, whose bodies pass through untouched.
 *
 * RFC 4443 2.4 (a) would hand an unknown error to the transport it quotes; no transport here could
 * make anything of it, so it ends with the same reason as an unknown informational message (b).
 */
#include "wire/icmp6.h"

#include "base/print.h"
#include "wire/checksum.h"

#define PROTOCOL_ICMP6 58U

/* RFC 4884 4.1: shorter quotes than this are never followed by extensions. */
#define QUOTE_MIN 128U

enum shape {
    SHAPE_UNKNOWN,
    SHAPE_ECHO,  /* id, seq, data */
    SHAPE_ERROR, /* a word, the quoted packet */
    SHAPE_RAW    /* data at once */
};

static enum shape shape_of(uint8_t type)
{
    if (type >= SLT_ICMP6_UNREACHABLE && type <= SLT_ICMP6_PARAMETER_PROBLEM) {
        return SHAPE_ERROR;
    }
    if (type == SLT_ICMP6_ECHO_REQUEST || type == SLT_ICMP6_ECHO_REPLY) {
        return SHAPE_ECHO;
    }
    if (type >= SLT_ICMP6_ROUTER_SOLICIT && type <= SLT_ICMP6_REDIRECT) {
        return SHAPE_RAW;
    }
    return SHAPE_UNKNOWN;
}

/* RFC 4884 4: the length counts 64-bit words here. */
static uint32_t quote_bytes(const struct slt_icmp6 *icmp, uint8_t length_words, uint32_t left)
{
    const uint32_t bytes = (uint32_t)length_words * 8;
    const bool may_extend =
        icmp->type == SLT_ICMP6_UNREACHABLE || icmp->type == SLT_ICMP6_TIME_EXCEEDED;
    if (!may_extend || bytes < QUOTE_MIN || bytes > left) {
        return left;
    }
    return bytes;
}

static void read_body(struct slt_icmp6 *out, enum shape shape, struct slt_reader *r)
{
    uint8_t length_words = 0;
    if (shape == SHAPE_ECHO) {
        out->id = slt_read_u16(r);
        out->seq = slt_read_u16(r);
    } else if (shape == SHAPE_ERROR) {
        const uint32_t word = slt_read_u32(r);
        out->mtu = out->type == SLT_ICMP6_PACKET_TOO_BIG ? word : 0;
        out->pointer = out->type == SLT_ICMP6_PARAMETER_PROBLEM ? word : 0;
        length_words = (uint8_t)(word >> 24);
    }
    out->data_bytes = quote_bytes(out, length_words, slt_reader_left(r));
    out->data = slt_read_bytes(r, out->data_bytes);
}

enum slt_reason slt_icmp6_parse(struct slt_span message, const uint8_t src[16],
                                const uint8_t dst[16], struct slt_icmp6 *out)
{
    struct slt_reader r = slt_reader_of(message);
    memset(out, 0, sizeof(*out));
    if (message.bytes < SLT_ICMP6_HEADER_BYTES) {
        return SLT_DROP_ICMP_MALFORMED;
    }
    const uint32_t sum = slt_checksum_pseudo(src, dst, PROTOCOL_ICMP6, message.bytes);
    if (slt_checksum_finish(slt_checksum_add(sum, message.data, message.bytes)) != 0) {
        return SLT_DROP_ICMP_CHECKSUM;
    }
    out->type = slt_read_u8(&r);
    out->code = slt_read_u8(&r);
    (void)slt_read_u16(&r);
    const enum shape shape = shape_of(out->type);
    if (shape == SHAPE_UNKNOWN) {
        return SLT_DROP_ICMP_TYPE;
    }
    read_body(out, shape, &r);
    return SLT_PASS;
}

void slt_icmp6_seal(uint8_t *message, uint32_t bytes, const uint8_t src[16], const uint8_t dst[16])
{
    const uint32_t sum = slt_checksum_pseudo(src, dst, PROTOCOL_ICMP6, bytes);
    const uint16_t checksum = slt_checksum_finish(slt_checksum_add(sum, message, bytes));
    message[2] = (uint8_t)(checksum >> 8);
    message[3] = (uint8_t)checksum;
}

uint32_t slt_icmp6_emit(const struct slt_icmp6 *icmp, const uint8_t src[16], const uint8_t dst[16],
                        struct slt_writer *w)
{
    const uint32_t start = w->at;
    const enum shape shape = shape_of(icmp->type);
    SLT_ASSERT(shape != SHAPE_UNKNOWN);
    slt_write_u8(w, icmp->type);
    slt_write_u8(w, icmp->code);
    slt_write_u16(w, 0);
    if (shape == SHAPE_ECHO) {
        slt_write_u16(w, icmp->id);
        slt_write_u16(w, icmp->seq);
    } else if (shape == SHAPE_ERROR) {
        const uint32_t mtu = icmp->type == SLT_ICMP6_PACKET_TOO_BIG ? icmp->mtu : 0;
        slt_write_u32(w, icmp->type == SLT_ICMP6_PARAMETER_PROBLEM ? icmp->pointer : mtu);
    }
    slt_write_bytes(w, icmp->data, icmp->data_bytes);
    if (w->failed) {
        return 0;
    }
    slt_icmp6_seal(w->data + start, w->at - start, src, dst);
    return w->at - start;
}

static const char *type_name(enum slt_icmp6_type type)
{
    switch (type) {
    case SLT_ICMP6_UNREACHABLE:
        return "unreachable";
    case SLT_ICMP6_PACKET_TOO_BIG:
        return "packet too big";
    case SLT_ICMP6_TIME_EXCEEDED:
        return "time exceeded";
    case SLT_ICMP6_PARAMETER_PROBLEM:
        return "parameter problem";
    case SLT_ICMP6_ECHO_REQUEST:
        return "echo request";
    case SLT_ICMP6_ECHO_REPLY:
        return "echo reply";
    case SLT_ICMP6_ROUTER_SOLICIT:
        return "router solicitation";
    case SLT_ICMP6_ROUTER_ADVERT:
        return "router advertisement";
    case SLT_ICMP6_NEIGHBOUR_SOLICIT:
        return "neighbour solicitation";
    case SLT_ICMP6_NEIGHBOUR_ADVERT:
        return "neighbour advertisement";
    case SLT_ICMP6_REDIRECT:
        return "redirect";
    }
    return "unknown";
}

static void print_labelled(struct slt_text *t, const char *label, uint64_t value)
{
    slt_text_str(t, label);
    slt_text_u64(t, value);
}

int slt_icmp6_print(const struct slt_icmp6 *icmp, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_text_str(&t, "icmp6 ");
    slt_text_str(&t, type_name((enum slt_icmp6_type)icmp->type));
    if (shape_of(icmp->type) == SHAPE_ECHO) {
        print_labelled(&t, " id ", icmp->id);
        print_labelled(&t, " seq ", icmp->seq);
    } else if (slt_icmp6_is_error(icmp)) {
        print_labelled(&t, " code ", icmp->code);
    }
    if (icmp->type == SLT_ICMP6_PACKET_TOO_BIG) {
        print_labelled(&t, " mtu ", icmp->mtu);
    }
    if (icmp->type == SLT_ICMP6_PARAMETER_PROBLEM) {
        print_labelled(&t, " pointer ", icmp->pointer);
    }
    print_labelled(&t, ", length ", icmp->data_bytes);
    return (int)t.used;
}
