/* pcapng blocks.
 *
 * Every block is {type, length, body, length again}, in units of four bytes. The body is read
 * through a cursor of its own, so that no field can reach into the next block; options end with
 * the body at the latest. A length that is too small or not a multiple of four, or whose two copies
 * differ, makes the file malformed: there is no way to find the next block then.
 *
 * Times are ticks of the interface's resolution. They become nanoseconds here, once, saturating:
 * a tick count beyond the year 2262 is a broken file and stays a broken time, not an overflow.
 */
#include "wire/pcapng.h"

#include "base/print.h"
#include "wire/endian.h"

enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_INTERFACE = 1, BLOCK_SIMPLE_PACKET = 3, BLOCK_PACKET = 6 };

enum {
    OPTION_END = 0,
    OPTION_COMMENT = 1,
    OPTION_SECTION_APPLICATION = 4,
    OPTION_INTERFACE_NAME = 2,
    OPTION_INTERFACE_RESOLUTION = 9,
    OPTION_INTERFACE_OFFSET = 14,
    OPTION_PACKET_FLAGS = 2
};

#define BYTE_ORDER_MAGIC   0x1a2b3c4dU
#define BLOCK_OVERHEAD     12U
#define BLOCK_MAX          (SLT_CAPTURE_PACKET_MAX + (1U << 20))
#define RESOLUTION_DEFAULT 6U
#define RESOLUTION_NS      9U
#define NS_PER_S           1000000000U

/* One pass over a block: where it is read, under which order, into what. */
struct block_reader {
    struct slt_reader r;
    bool little_endian;
    struct slt_pcapng_block *out;
};

static uint32_t padded(uint32_t bytes)
{
    return (bytes + 3U) & ~3U;
}

static uint16_t take_u16(struct block_reader *b)
{
    return slt_read_u16_of(&b->r, b->little_endian);
}

static uint32_t take_u32(struct block_reader *b)
{
    return slt_read_u32_of(&b->r, b->little_endian);
}

static uint64_t scale_decimal(uint64_t ticks, uint32_t digits)
{
    while (digits > RESOLUTION_NS) {
        ticks /= 10;
        digits--;
    }
    while (digits < RESOLUTION_NS) {
        ticks = ticks > UINT64_MAX / 10 ? UINT64_MAX : ticks * 10;
        digits++;
    }
    return ticks;
}

static uint64_t scale_binary(uint64_t ticks, uint32_t bits)
{
    if (bits > 63) {
        return 0;
    }
    const uint64_t seconds = ticks >> bits;
    uint64_t fraction = ticks & ((1ULL << bits) - 1);
    /* A factor of 10^9 needs 30 bits of room; finer ticks than 2^-34 s are below a nanosecond. */
    if (bits > 34) {
        fraction >>= bits - 34;
        bits = 34;
    }
    if (seconds > UINT64_MAX / NS_PER_S - 1) {
        return UINT64_MAX;
    }
    return seconds * NS_PER_S + (fraction * NS_PER_S >> bits);
}

static int64_t ticks_to_ns(const struct slt_pcapng_interface *interface, uint64_t ticks)
{
    const uint32_t exponent = interface->resolution & 0x7fU;
    const uint64_t ns = (interface->resolution & 0x80U) ? scale_binary(ticks, exponent)
                                                        : scale_decimal(ticks, exponent);
    const int64_t limit_s = INT64_MAX / (int64_t)NS_PER_S;
    const int64_t base = ns > (uint64_t)INT64_MAX ? INT64_MAX : (int64_t)ns;
    if (interface->offset_s >= limit_s || interface->offset_s <= -limit_s) {
        return base;
    }
    const int64_t offset = interface->offset_s * (int64_t)NS_PER_S;
    if (offset > 0 && base > INT64_MAX - offset) {
        return INT64_MAX;
    }
    return base + offset;
}

/* The first comment and first name count, as everywhere where something stands twice. */
static void take_text(const char **text, uint32_t *text_bytes, struct slt_span value)
{
    if (*text == NULL && value.bytes > 0) {
        *text = (const char *)value.data;
        *text_bytes = value.bytes;
    }
}

static void take_interface_option(struct block_reader *b, uint16_t code, struct slt_span value)
{
    struct slt_pcapng_interface *interface = &b->out->interface;
    struct slt_reader r = slt_reader_of(value);
    if (code == OPTION_INTERFACE_NAME) {
        take_text(&b->out->name, &b->out->name_bytes, value);
    } else if (code == OPTION_INTERFACE_RESOLUTION && value.bytes == 1) {
        interface->resolution = slt_read_u8(&r);
    } else if (code == OPTION_INTERFACE_OFFSET && value.bytes == 8) {
        const uint64_t first = slt_read_u32_of(&r, b->little_endian);
        const uint64_t second = slt_read_u32_of(&r, b->little_endian);
        interface->offset_s =
            (int64_t)(b->little_endian ? second << 32 | first : first << 32 | second);
    }
}

static void take_option(struct block_reader *b, uint16_t code, struct slt_span value)
{
    if (code == OPTION_COMMENT) {
        take_text(&b->out->comment, &b->out->comment_bytes, value);
    } else if (b->out->kind == SLT_PCAPNG_INTERFACE) {
        take_interface_option(b, code, value);
    } else if (b->out->kind == SLT_PCAPNG_PACKET && code == OPTION_PACKET_FLAGS &&
               value.bytes == 4) {
        struct slt_reader r = slt_reader_of(value);
        const uint32_t direction = slt_read_u32_of(&r, b->little_endian) & 3U;
        b->out->packet.direction = direction == 3 ? SLT_CAPTURE_UNKNOWN : (uint8_t)direction;
    }
}

static enum slt_capture_status take_options(struct block_reader *b)
{
    while (slt_reader_left(&b->r) > 0) {
        const uint16_t code = take_u16(b);
        const uint16_t bytes = take_u16(b);
        if (code == OPTION_END && !b->r.failed) {
            break;
        }
        const uint8_t *data = slt_read_bytes(&b->r, bytes);
        (void)slt_read_bytes(&b->r, padded(bytes) - bytes);
        if (b->r.failed) {
            return SLT_CAPTURE_MALFORMED;
        }
        take_option(b, code, (struct slt_span){data, bytes});
    }
    return SLT_CAPTURE_OK;
}

static enum slt_capture_status take_section(struct block_reader *b,
                                            struct slt_pcapng_section *section)
{
    b->out->kind = SLT_PCAPNG_SECTION;
    (void)take_u32(b); /* the byte order, which is known by now */
    const uint16_t major = take_u16(b);
    (void)take_u16(b);
    (void)slt_read_bytes(&b->r, 8);
    if (b->r.failed || major != 1) {
        return SLT_CAPTURE_MALFORMED;
    }
    const enum slt_capture_status status = take_options(b);
    if (status == SLT_CAPTURE_OK) {
        memset(section, 0, sizeof(*section));
        section->little_endian = b->little_endian;
        section->open = true;
    }
    return status;
}

static enum slt_capture_status take_interface(struct block_reader *b,
                                              struct slt_pcapng_section *section)
{
    struct slt_pcapng_interface *interface = &b->out->interface;
    b->out->kind = SLT_PCAPNG_INTERFACE;
    interface->resolution = RESOLUTION_DEFAULT;
    interface->linktype = take_u16(b);
    (void)take_u16(b);
    interface->snap_bytes = take_u32(b);
    if (b->r.failed) {
        return SLT_CAPTURE_MALFORMED;
    }
    const enum slt_capture_status status = take_options(b);
    if (status != SLT_CAPTURE_OK) {
        return status;
    }
    if (section->interface_count < SLT_PCAPNG_INTERFACES_MAX) {
        section->interfaces[section->interface_count] = *interface;
    }
    section->interface_count++;
    return SLT_CAPTURE_OK;
}

static enum slt_capture_status take_packet(struct block_reader *b,
                                           const struct slt_pcapng_section *section)
{
    struct slt_capture_packet *packet = &b->out->packet;
    packet->interface_index = take_u32(b);
    const uint64_t high = take_u32(b);
    const uint64_t low = take_u32(b);
    packet->bytes = take_u32(b);
    packet->original_bytes = take_u32(b);
    if (b->r.failed || packet->bytes > SLT_CAPTURE_PACKET_MAX ||
        packet->interface_index >= section->interface_count) {
        return SLT_CAPTURE_MALFORMED;
    }
    packet->data = slt_read_bytes(&b->r, packet->bytes);
    (void)slt_read_bytes(&b->r, padded(packet->bytes) - packet->bytes);
    if (b->r.failed) {
        return SLT_CAPTURE_MALFORMED;
    }
    if (packet->interface_index >= SLT_PCAPNG_INTERFACES_MAX) {
        return SLT_CAPTURE_OK;
    }
    b->out->kind = SLT_PCAPNG_PACKET;
    packet->at_ns = ticks_to_ns(&section->interfaces[packet->interface_index], high << 32 | low);
    const enum slt_capture_status status = take_options(b);
    packet->comment = b->out->comment;
    packet->comment_bytes = b->out->comment_bytes;
    return status;
}

/* A packet without a time, on the first interface; its captured length has to be worked out. */
static enum slt_capture_status take_simple_packet(struct block_reader *b,
                                                  const struct slt_pcapng_section *section)
{
    struct slt_capture_packet *packet = &b->out->packet;
    packet->original_bytes = take_u32(b);
    if (b->r.failed || section->interface_count == 0) {
        return SLT_CAPTURE_MALFORMED;
    }
    const uint32_t snap = section->interfaces[0].snap_bytes;
    packet->bytes = packet->original_bytes;
    if (snap != 0 && packet->bytes > snap) {
        packet->bytes = snap;
    }
    packet->data = slt_read_bytes(&b->r, packet->bytes);
    b->out->kind = SLT_PCAPNG_PACKET;
    return b->r.failed ? SLT_CAPTURE_MALFORMED : SLT_CAPTURE_OK;
}

static enum slt_capture_status take_body(struct block_reader *b, struct slt_pcapng_section *section)
{
    switch (b->out->type) {
    case BLOCK_SECTION:
        return take_section(b, section);
    case BLOCK_INTERFACE:
        return take_interface(b, section);
    case BLOCK_PACKET:
        return take_packet(b, section);
    case BLOCK_SIMPLE_PACKET:
        return take_simple_packet(b, section);
    default:
        return SLT_CAPTURE_OK;
    }
}

/* A section header brings its own byte order, told by the magic behind its length. */
static enum slt_capture_status find_order(const struct slt_pcapng_section *section,
                                          struct slt_span bytes, bool *little_endian)
{
    struct slt_reader r = slt_reader_of(bytes);
    const uint32_t type = slt_read_u32(&r);
    (void)slt_read_u32(&r);
    if (r.failed) {
        return SLT_CAPTURE_CUT;
    }
    *little_endian = section->little_endian;
    if (type != BLOCK_SECTION) {
        return section->open ? SLT_CAPTURE_OK : SLT_CAPTURE_FOREIGN;
    }
    const uint32_t magic = slt_read_u32(&r);
    if (r.failed) {
        return SLT_CAPTURE_CUT;
    }
    *little_endian = magic != BYTE_ORDER_MAGIC;
    return magic == BYTE_ORDER_MAGIC || slt_swap_u32(magic) == BYTE_ORDER_MAGIC
               ? SLT_CAPTURE_OK
               : SLT_CAPTURE_MALFORMED;
}

enum slt_capture_status slt_pcapng_parse(struct slt_pcapng_section *section, struct slt_span bytes,
                                         struct slt_pcapng_block *out)
{
    struct block_reader b = {.r = slt_reader_of(bytes), .out = out};
    memset(out, 0, sizeof(*out));
    const enum slt_capture_status status = find_order(section, bytes, &b.little_endian);
    if (status != SLT_CAPTURE_OK) {
        return status;
    }
    out->type = take_u32(&b);
    const uint32_t block_bytes = take_u32(&b);
    if (block_bytes < BLOCK_OVERHEAD || block_bytes % 4 != 0 || block_bytes > BLOCK_MAX) {
        return SLT_CAPTURE_MALFORMED;
    }
    const uint8_t *body = slt_read_bytes(&b.r, block_bytes - BLOCK_OVERHEAD);
    const uint32_t again = take_u32(&b);
    if (b.r.failed) {
        return SLT_CAPTURE_CUT;
    }
    if (again != block_bytes) {
        return SLT_CAPTURE_MALFORMED;
    }
    out->bytes = block_bytes;
    b.r = slt_reader_of((struct slt_span){body, block_bytes - BLOCK_OVERHEAD});
    return take_body(&b, section);
}

static uint32_t text_bytes(const char *text)
{
    uint32_t n = 0;
    while (text != NULL && text[n] != '\0' && n < UINT16_MAX) {
        n++;
    }
    return n;
}

static uint32_t option_bytes(uint32_t value_bytes)
{
    return value_bytes == 0 ? 0 : 4 + padded(value_bytes);
}

/* A comment longer than an option can hold loses its end. */
static uint32_t comment_bytes_of(const struct slt_capture_packet *packet)
{
    return slt_min32(packet->comment_bytes, UINT16_MAX);
}

static void write_padded(struct slt_writer *w, const void *data, uint32_t bytes)
{
    static const uint8_t zeros[3] = {0, 0, 0};
    slt_write_bytes(w, data, bytes);
    slt_write_bytes(w, zeros, padded(bytes) - bytes);
}

static void write_option(struct slt_writer *w, uint16_t code, const void *value, uint32_t bytes)
{
    if (bytes == 0) {
        return;
    }
    slt_write_u16_little(w, code);
    slt_write_u16_little(w, (uint16_t)bytes);
    write_padded(w, value, bytes);
}

static void write_head(struct slt_writer *w, uint32_t type, uint32_t bytes)
{
    slt_write_u32_little(w, type);
    slt_write_u32_little(w, bytes);
}

/* Options, if there are any, end with an option of their own; the block ends with its length. */
static uint32_t write_tail(struct slt_writer *w, bool has_options, uint32_t bytes)
{
    if (has_options) {
        slt_write_u32_little(w, OPTION_END);
    }
    slt_write_u32_little(w, bytes);
    return w->failed ? 0 : bytes;
}

uint32_t slt_pcapng_section_emit(const char *application, const char *comment, struct slt_writer *w)
{
    const uint32_t options =
        option_bytes(text_bytes(application)) + option_bytes(text_bytes(comment));
    const uint32_t bytes = BLOCK_OVERHEAD + 16 + options + (options > 0 ? 4 : 0);
    write_head(w, BLOCK_SECTION, bytes);
    slt_write_u32_little(w, BYTE_ORDER_MAGIC);
    slt_write_u16_little(w, 1);
    slt_write_u16_little(w, 0);
    slt_write_u32_little(w, UINT32_MAX); /* the section's length is not known beforehand */
    slt_write_u32_little(w, UINT32_MAX);
    write_option(w, OPTION_COMMENT, comment, text_bytes(comment));
    write_option(w, OPTION_SECTION_APPLICATION, application, text_bytes(application));
    return write_tail(w, options > 0, bytes);
}

uint32_t slt_pcapng_interface_emit(const struct slt_pcapng_interface *interface, const char *name,
                                   struct slt_writer *w)
{
    const uint8_t resolution = RESOLUTION_NS;
    SLT_ASSERT(interface->resolution == RESOLUTION_NS);
    SLT_ASSERT(interface->offset_s == 0);
    const uint32_t bytes =
        BLOCK_OVERHEAD + 8 + option_bytes(text_bytes(name)) + option_bytes(1) + 4;
    write_head(w, BLOCK_INTERFACE, bytes);
    slt_write_u16_little(w, interface->linktype);
    slt_write_u16_little(w, 0);
    slt_write_u32_little(w, interface->snap_bytes);
    write_option(w, OPTION_INTERFACE_NAME, name, text_bytes(name));
    write_option(w, OPTION_INTERFACE_RESOLUTION, &resolution, 1);
    return write_tail(w, true, bytes);
}

uint32_t slt_pcapng_packet_bytes(const struct slt_capture_packet *packet)
{
    const uint32_t options = option_bytes(comment_bytes_of(packet)) +
                             (packet->direction != SLT_CAPTURE_UNKNOWN ? option_bytes(4) : 0);
    return BLOCK_OVERHEAD + 20 + padded(packet->bytes) + options + (options > 0 ? 4 : 0);
}

uint32_t slt_pcapng_packet_emit(const struct slt_capture_packet *packet, struct slt_writer *w)
{
    SLT_ASSERT(packet->bytes <= SLT_CAPTURE_PACKET_MAX);
    SLT_ASSERT(packet->at_ns >= 0);
    const uint32_t bytes = slt_pcapng_packet_bytes(packet);
    const uint64_t ticks = (uint64_t)packet->at_ns;
    const uint8_t flags[4] = {packet->direction, 0, 0, 0};
    const bool directed = packet->direction != SLT_CAPTURE_UNKNOWN;
    write_head(w, BLOCK_PACKET, bytes);
    slt_write_u32_little(w, packet->interface_index);
    slt_write_u32_little(w, (uint32_t)(ticks >> 32));
    slt_write_u32_little(w, (uint32_t)ticks);
    slt_write_u32_little(w, packet->bytes);
    slt_write_u32_little(w, packet->original_bytes);
    write_padded(w, packet->data, packet->bytes);
    write_option(w, OPTION_COMMENT, packet->comment, comment_bytes_of(packet));
    write_option(w, OPTION_PACKET_FLAGS, flags, directed ? 4 : 0);
    return write_tail(w, directed || packet->comment_bytes > 0, bytes);
}

/* Seconds with nine decimals. */
static void print_time(struct slt_text *t, int64_t at_ns)
{
    const uint64_t ns = at_ns < 0 ? 0 - (uint64_t)at_ns : (uint64_t)at_ns;
    slt_text_str(t, at_ns < 0 ? "-" : "");
    slt_text_u64(t, ns / NS_PER_S);
    slt_text_char(t, '.');
    for (uint32_t unit = NS_PER_S / 10; unit > 0; unit /= 10) {
        slt_text_u64(t, ns % NS_PER_S / unit % 10);
    }
}

static void print_packet(struct slt_text *t, const struct slt_capture_packet *packet)
{
    slt_text_str(t, "packet if ");
    slt_text_u64(t, packet->interface_index);
    slt_text_str(t, " at ");
    print_time(t, packet->at_ns);
    slt_text_str(t, packet->direction == SLT_CAPTURE_INBOUND ? " in" : "");
    slt_text_str(t, packet->direction == SLT_CAPTURE_OUTBOUND ? " out" : "");
    slt_text_str(t, ", length ");
    slt_text_u64(t, packet->bytes);
    slt_text_str(t, " of ");
    slt_text_u64(t, packet->original_bytes);
}

int slt_pcapng_print(const struct slt_pcapng_block *block, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    switch (block->kind) {
    case SLT_PCAPNG_SECTION:
        slt_text_str(&t, "section");
        break;
    case SLT_PCAPNG_INTERFACE:
        slt_text_str(&t, "interface linktype ");
        slt_text_u64(&t, block->interface.linktype);
        slt_text_str(&t, ", snap ");
        slt_text_u64(&t, block->interface.snap_bytes);
        break;
    case SLT_PCAPNG_PACKET:
        print_packet(&t, &block->packet);
        break;
    case SLT_PCAPNG_OTHER:
        slt_text_str(&t, "block type 0x");
        slt_text_hex(&t, block->type, 8);
        slt_text_str(&t, ", length ");
        slt_text_u64(&t, block->bytes);
        break;
    }
    if (block->comment_bytes > 0) {
        slt_text_str(&t, ", comment ");
        slt_text_u64(&t, block->comment_bytes);
        slt_text_str(&t, " bytes");
    }
    return (int)t.used;
}
