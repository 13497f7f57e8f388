/* Classic capture files. The magic number, written in the writer's byte order, tells the order of
 * everything after it and the unit of the fractions of seconds. Minor versions and time zone fields
 * have been constant for decades and are not looked at. */
#include "wire/pcap.h"

#include "base/print.h"
#include "wire/endian.h"

#define MAGIC_MICROSECONDS 0xa1b2c3d4U
#define MAGIC_NANOSECONDS  0xa1b23c4dU
#define NS_PER_S           1000000000
#define NS_PER_US          1000

enum slt_capture_status slt_pcap_header_parse(struct slt_span bytes, struct slt_pcap_file *out)
{
    struct slt_reader r = slt_reader_of(bytes);
    memset(out, 0, sizeof(*out));
    uint32_t magic = slt_read_u32(&r);
    if (r.failed) {
        return SLT_CAPTURE_CUT;
    }
    if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS) {
        magic = slt_swap_u32(magic);
        out->little_endian = true;
    }
    if (magic != MAGIC_MICROSECONDS && magic != MAGIC_NANOSECONDS) {
        return SLT_CAPTURE_FOREIGN;
    }
    out->nanoseconds = magic == MAGIC_NANOSECONDS;
    (void)slt_read_bytes(&r, 12);
    out->snap_bytes = slt_read_u32_of(&r, out->little_endian);
    /* The upper half says whether frames end with a check sequence. */
    out->linktype = (uint16_t)slt_read_u32_of(&r, out->little_endian);
    return r.failed ? SLT_CAPTURE_CUT : SLT_CAPTURE_OK;
}

enum slt_capture_status slt_pcap_record_parse(const struct slt_pcap_file *file,
                                              struct slt_span bytes, struct slt_capture_packet *out,
                                              uint32_t *used_bytes)
{
    struct slt_reader r = slt_reader_of(bytes);
    memset(out, 0, sizeof(*out));
    *used_bytes = 0;
    const uint32_t seconds = slt_read_u32_of(&r, file->little_endian);
    const uint32_t fraction = slt_read_u32_of(&r, file->little_endian);
    const uint32_t captured = slt_read_u32_of(&r, file->little_endian);
    out->original_bytes = slt_read_u32_of(&r, file->little_endian);
    if (r.failed) {
        return SLT_CAPTURE_CUT;
    }
    if (captured > SLT_CAPTURE_PACKET_MAX) {
        return SLT_CAPTURE_MALFORMED;
    }
    out->at_ns = (int64_t)seconds * NS_PER_S +
                 (file->nanoseconds ? (int64_t)fraction : (int64_t)fraction * NS_PER_US);
    out->bytes = captured;
    out->data = slt_read_bytes(&r, captured);
    if (r.failed) {
        return SLT_CAPTURE_CUT;
    }
    *used_bytes = r.at;
    return SLT_CAPTURE_OK;
}

int slt_pcap_print(const struct slt_pcap_file *file, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    slt_text_str(&t, file->little_endian ? "pcap little-endian" : "pcap big-endian");
    slt_text_str(&t, ", linktype ");
    slt_text_u64(&t, file->linktype);
    slt_text_str(&t, ", snap ");
    slt_text_u64(&t, file->snap_bytes);
    slt_text_str(&t, file->nanoseconds ? ", ns" : ", us");
    return (int)t.used;
}
