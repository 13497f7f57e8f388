/* ICMPv4 messages: a type, a code, four bytes whose meaning hangs on both, and data.
 *
 * Types a host has no use for (timestamp, information, address mask, router discovery) end here
 * with a reason: RFC 1122 3.2.2 says to discard them silently. Source quench and redirect are
 * values all the same, so that floor 3 can count what it ignores.
 */
#include "wire/icmp4.h"

#include "wire/address.h"
#include "wire/checksum.h"

/* RFC 4884 4.1: shorter lengths than this in the length field are not taken for one. */
#define QUOTE_MIN 128U

static void read_variable_part(struct slt_icmp4 *out, struct slt_reader *r)
{
    switch ((enum slt_icmp4_type)out->type) {
    case SLT_ICMP4_ECHO_REPLY:
    case SLT_ICMP4_ECHO_REQUEST:
        out->id = slt_read_u16(r);
        out->seq = slt_read_u16(r);
        return;
    case SLT_ICMP4_REDIRECT:
        slt_address_set_v4(out->gateway, slt_read_bytes(r, 4));
        return;
    case SLT_ICMP4_PARAMETER_PROBLEM:
        out->pointer = slt_read_u8(r);
        (void)slt_read_bytes(r, 3);
        return;
    case SLT_ICMP4_UNREACHABLE:
        (void)slt_read_u16(r);
        /* RFC 1191 4: the low half of the word that was unused before. */
        out->mtu = slt_read_u16(r);
        out->mtu = out->code == SLT_ICMP4_FRAGMENTATION_NEEDED ? out->mtu : 0;
        return;
    case SLT_ICMP4_SOURCE_QUENCH:
    case SLT_ICMP4_TIME_EXCEEDED:
        (void)slt_read_u32(r);
        return;
    }
}

static bool type_is_known(uint8_t type)
{
    return type == SLT_ICMP4_ECHO_REPLY || type == SLT_ICMP4_ECHO_REQUEST ||
           type == SLT_ICMP4_UNREACHABLE || type == SLT_ICMP4_SOURCE_QUENCH ||
           type == SLT_ICMP4_REDIRECT || type == SLT_ICMP4_TIME_EXCEEDED ||
           type == SLT_ICMP4_PARAMETER_PROBLEM;
}

/* RFC 4884 4: three of the errors may say how long the quoted packet is, in 32-bit words, because
 * something else follows it. */
static uint32_t quote_bytes(const struct slt_icmp4 *icmp, uint8_t length_words, uint32_t left)
{
    const uint32_t bytes = (uint32_t)length_words * 4;
    const bool may_extend = icmp->type == SLT_ICMP4_UNREACHABLE ||
                            icmp->type == SLT_ICMP4_TIME_EXCEEDED ||
                            icmp->type == SLT_ICMP4_PARAMETER_PROBLEM;
    if (!may_extend || bytes < QUOTE_MIN || bytes > left) {
        return left;
    }
    return bytes;
}

enum slt_reason slt_icmp4_parse(struct slt_span message, struct slt_icmp4 *out)
{
    struct slt_reader r = slt_reader_of(message);
    memset(out, 0, sizeof(*out));
    if (message.bytes < SLT_ICMP4_HEADER_BYTES) {
        return SLT_DROP_ICMP_MALFORMED;
    }
    /* RFC 1122 3.2.2 (ICMP-01): nothing is believed before the checksum is. */
    if (slt_checksum_finish(slt_checksum_add(0, message.data, message.bytes)) != 0) {
        return SLT_DROP_ICMP_CHECKSUM;
    }
    out->type = slt_read_u8(&r);
    out->code = slt_read_u8(&r);
    (void)slt_read_u16(&r);
    if (!type_is_known(out->type)) {
        return SLT_DROP_ICMP_TYPE;
    }
    read_variable_part(out, &r);
    out->data_bytes = quote_bytes(out, message.data[5], slt_reader_left(&r));
    out->data = slt_read_bytes(&r, out->data_bytes);
    return SLT_PASS;
}

static void write_variable_part(const struct slt_icmp4 *icmp, struct slt_writer *w)
{
    switch ((enum slt_icmp4_type)icmp->type) {
    case SLT_ICMP4_ECHO_REPLY:
    case SLT_ICMP4_ECHO_REQUEST:
        slt_write_u16(w, icmp->id);
        slt_write_u16(w, icmp->seq);
        return;
    case SLT_ICMP4_REDIRECT:
        slt_write_bytes(w, icmp->gateway + 12, 4);
        return;
    case SLT_ICMP4_PARAMETER_PROBLEM:
        slt_write_u32(w, (uint32_t)icmp->pointer << 24);
        return;
    case SLT_ICMP4_UNREACHABLE:
        slt_write_u32(w, icmp->code == SLT_ICMP4_FRAGMENTATION_NEEDED ? icmp->mtu : 0U);
        return;
    case SLT_ICMP4_SOURCE_QUENCH:
    case SLT_ICMP4_TIME_EXCEEDED:
        slt_write_u32(w, 0);
        return;
    }
    SLT_UNREACHABLE("an ICMP type that has no value");
}

uint32_t slt_icmp4_emit(const struct slt_icmp4 *icmp, struct slt_writer *w)
{
    const uint32_t start = w->at;
    slt_write_u8(w, icmp->type);
    slt_write_u8(w, icmp->code);
    slt_write_u16(w, 0);
    write_variable_part(icmp, w);
    slt_write_bytes(w, icmp->data, icmp->data_bytes);
    if (w->failed) {
        return 0;
    }
    uint8_t *message = w->data + start;
    const uint32_t bytes = w->at - start;
    const uint16_t checksum = slt_checksum_finish(slt_checksum_add(0, message, bytes));
    message[2] = (uint8_t)(checksum >> 8);
    message[3] = (uint8_t)checksum;
    return bytes;
}

static const char *type_name(enum slt_icmp4_type type)
{
    switch (type) {
    case SLT_ICMP4_ECHO_REPLY:
        return "echo reply";
    case SLT_ICMP4_UNREACHABLE:
        return "unreachable";
    case SLT_ICMP4_SOURCE_QUENCH:
        return "source quench";
    case SLT_ICMP4_REDIRECT:
        return "redirect";
    case SLT_ICMP4_ECHO_REQUEST:
        return "echo request";
    case SLT_ICMP4_TIME_EXCEEDED:
        return "time exceeded";
    case SLT_ICMP4_PARAMETER_PROBLEM:
        return "parameter problem";
    }
    return "unknown";
}

static void print_labelled(struct slt_text *t, const char *label, uint64_t value)
{
    slt_text_str(t, label);
    slt_text_u64(t, value);
}

int slt_icmp4_print(const struct slt_icmp4 *icmp, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_text_str(&t, "icmp ");
    slt_text_str(&t, type_name((enum slt_icmp4_type)icmp->type));
    if (!slt_icmp4_is_error(icmp)) {
        print_labelled(&t, " id ", icmp->id);
        print_labelled(&t, " seq ", icmp->seq);
    } else {
        print_labelled(&t, " code ", icmp->code);
    }
    if (icmp->type == SLT_ICMP4_UNREACHABLE && icmp->code == SLT_ICMP4_FRAGMENTATION_NEEDED) {
        print_labelled(&t, " mtu ", icmp->mtu);
    }
    if (icmp->type == SLT_ICMP4_PARAMETER_PROBLEM) {
        print_labelled(&t, " pointer ", icmp->pointer);
    }
    if (icmp->type == SLT_ICMP4_REDIRECT) {
        slt_text_str(&t, " to ");
        slt_address_text(&t, icmp->gateway);
    }
    print_labelled(&t, ", length ", icmp->data_bytes);
    return (int)t.used;
}
