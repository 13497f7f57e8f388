/* The TCP header: twenty fixed bytes and the options (RFC 9293 3.1).
 *
 * Reserved bits are not looked at and not sent (RFC 9293 3.1, U-01), except the one that RFC 9768
 * gave back a meaning (AE). A segment whose header contradicts itself is dropped by reason; all
 * else, including combinations of flags that make no sense, is a value for the engine to judge.
 */
#include "wire/tcp.h"

#include "base/print.h"

enum slt_reason slt_tcp_parse(struct slt_span packet, struct slt_tcp_segment *out)
{
    struct slt_reader r = slt_reader_of(packet);
    const uint8_t *header = slt_read_bytes(&r, SLT_TCP_HEADER_BYTES);
    if (!header) {
        memset(out, 0, sizeof(*out));
        return SLT_DROP_TCP_SHORT;
    }
    const uint16_t offset_and_flags = slt_get_u16(header + 12);
    out->src_port = slt_get_u16(header);
    out->dst_port = slt_get_u16(header + 2);
    out->seq = slt_get_u32(header + 4);
    out->ack = slt_get_u32(header + 8);
    out->flags = offset_and_flags & 0x1ffU;
    out->window = slt_get_u16(header + 14);
    out->checksum = slt_get_u16(header + 16);
    out->urgent = slt_get_u16(header + 18);
    out->payload = NULL;
    out->payload_bytes = 0;
    out->ecn = 0;
    const uint32_t header_bytes = (uint32_t)(offset_and_flags >> 12) * 4;
    if (header_bytes < SLT_TCP_HEADER_BYTES || header_bytes > packet.bytes) {
        return SLT_DROP_TCP_DATA_OFFSET;
    }
    out->payload_bytes = packet.bytes - header_bytes;
    out->payload = header + header_bytes;
    /* RFC 9293 3.1 (MUST-5): options are read from any segment, whatever its flags. */
    return slt_tcp_options_parse(
        (struct slt_span){header + SLT_TCP_HEADER_BYTES, header_bytes - SLT_TCP_HEADER_BYTES},
        &out->opt);
}

uint32_t slt_tcp_emit(const struct slt_tcp_segment *seg, struct slt_writer *w)
{
    const uint32_t start = w->at;
    uint8_t *header = slt_write_room(w, SLT_TCP_HEADER_BYTES);
    const uint32_t header_bytes = SLT_TCP_HEADER_BYTES + slt_tcp_options_emit(&seg->opt, w);
    if (w->failed) {
        w->at = start;
        return 0;
    }
    slt_put_u32(header, (uint32_t)seg->src_port << 16 | seg->dst_port);
    slt_put_u32(header + 4, seg->seq);
    slt_put_u32(header + 8, seg->ack);
    slt_put_u32(header + 12,
                header_bytes / 4 << 28 | (seg->flags & 0x1ffU) << 16 | (uint32_t)seg->window);
    slt_put_u32(header + 16, seg->urgent); /* behind a checksum of 0 */
    return header_bytes;
}

void slt_tcp_flags_print(uint16_t flags, char out[12])
{
    static const struct {
        uint16_t flag;
        char letter;
    } letters[] = {{SLT_TCP_FIN, 'F'}, {SLT_TCP_SYN, 'S'}, {SLT_TCP_RST, 'R'},
                   {SLT_TCP_PSH, 'P'}, {SLT_TCP_ACK, '.'}, {SLT_TCP_URG, 'U'},
                   {SLT_TCP_ECE, 'E'}, {SLT_TCP_CWR, 'W'}, {SLT_TCP_AE, 'A'}};
    struct slt_text t;
    slt_text_init(&t, out, 12);
    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(letters); i++) {
        if (flags & letters[i].flag) {
            slt_text_char(&t, letters[i].letter);
        }
    }
    if (t.used == 0) {
        slt_text_str(&t, "none");
    }
}

static void print_number(struct slt_text *t, const char *label, uint64_t value)
{
    slt_text_str(t, label);
    slt_text_u64(t, value);
}

int slt_tcp_print(const struct slt_tcp_segment *seg, char *out, size_t size)
{
    /* The longest list is four SACK blocks: 16 + 4 * 24 characters. */
    char scratch[256];
    struct slt_text t;
    slt_text_init(&t, out, size);
    print_number(&t, "", seg->src_port);
    print_number(&t, " > ", seg->dst_port);
    slt_text_str(&t, " Flags [");
    slt_tcp_flags_print(seg->flags, scratch);
    slt_text_str(&t, scratch);
    slt_text_char(&t, ']');
    const bool numbered = (seg->flags & (SLT_TCP_SYN | SLT_TCP_FIN | SLT_TCP_RST)) != 0;
    if (numbered || seg->payload_bytes > 0) {
        print_number(&t, ", seq ", seg->seq);
    }
    if (seg->payload_bytes > 0) {
        print_number(&t, ":", (uint32_t)(seg->seq + seg->payload_bytes));
    }
    if (seg->flags & SLT_TCP_ACK) {
        print_number(&t, ", ack ", seg->ack);
    }
    print_number(&t, ", win ", seg->window);
    if (seg->flags & SLT_TCP_URG) {
        print_number(&t, ", urg ", seg->urgent);
    }
    if (seg->opt.present) {
        (void)slt_tcp_options_print(&seg->opt, scratch, sizeof(scratch));
        slt_text_str(&t, ", options [");
        slt_text_str(&t, scratch);
        slt_text_char(&t, ']');
    }
    print_number(&t, ", length ", seg->payload_bytes);
    return (int)t.used;
}
