/* Fuzz target: capture files, pcapng and classic, block by block to the end. Packets that parse are
 * written as pcapng and read back. */
#include "wire/pcap.h"
#include "wire/pcapng.h"

#include "fuzz_wire.h"

static int print_block(const void *value, char *out, size_t size)
{
    return slt_pcapng_print(value, out, size);
}

static int print_file(const void *value, char *out, size_t size)
{
    return slt_pcap_print(value, out, size);
}

/* On an interface with nanoseconds, in a section of our own. */
static void try_emit(struct slt_capture_packet packet)
{
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    if (packet.at_ns < 0) {
        return;
    }
    memset(&section, 0, sizeof(section));
    section.open = true;
    section.little_endian = true;
    section.interface_count = 1;
    section.interfaces[0].resolution = 9;
    packet.interface_index = 0;
    struct slt_writer w = fuzz_writer(packet.bytes + packet.comment_bytes);
    fuzz_check(slt_pcapng_packet_emit(&packet, &w) == slt_pcapng_packet_bytes(&packet));
    const struct slt_span written = {w.data, w.at};
    fuzz_check(slt_pcapng_parse(&section, written, &block) == SLT_CAPTURE_OK);
    fuzz_check(block.kind == SLT_PCAPNG_PACKET && block.bytes == w.at);
    const struct slt_capture_packet *back = &block.packet;
    fuzz_check(back->at_ns == packet.at_ns && back->direction == packet.direction);
    fuzz_check(back->bytes == packet.bytes && back->original_bytes == packet.original_bytes);
    fuzz_check(back->comment_bytes == packet.comment_bytes);
    fuzz_check(fuzz_same(back->data, packet.data, packet.bytes));
    fuzz_check(packet.comment_bytes == 0 ||
               memcmp(back->comment, packet.comment, packet.comment_bytes) == 0);
    free(w.data);
}

static void read_pcapng(struct slt_span input)
{
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    uint32_t at = 0;
    memset(&section, 0, sizeof(section));
    while (slt_pcapng_parse(&section, (struct slt_span){input.data + at, input.bytes - at},
                            &block) == SLT_CAPTURE_OK) {
        fuzz_check(block.bytes >= 12 && block.bytes <= input.bytes - at);
        fuzz_try_print(print_block, &block, at);
        if (block.kind == SLT_PCAPNG_PACKET) {
            try_emit(block.packet);
        }
        at += block.bytes;
    }
}

static void read_pcap(struct slt_span input)
{
    struct slt_pcap_file file;
    struct slt_capture_packet packet;
    uint32_t used = 0;
    if (slt_pcap_header_parse(input, &file) != SLT_CAPTURE_OK) {
        return;
    }
    fuzz_try_print(print_file, &file, input.bytes);
    uint32_t at = SLT_PCAP_HEADER_BYTES;
    while (slt_pcap_record_parse(&file, (struct slt_span){input.data + at, input.bytes - at},
                                 &packet, &used) == SLT_CAPTURE_OK) {
        fuzz_check(used >= SLT_PCAP_RECORD_BYTES && used <= input.bytes - at);
        try_emit(packet);
        at += used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    if (input.bytes > 0) {
        read_pcapng(input);
        read_pcap(input);
    }
    fuzz_free(input);
    return 0;
}
