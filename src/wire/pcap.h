/* Classic capture files, read only: a file header, then records (draft-ietf-opsawg-pcap).
 * Written are pcapng files: wire/pcapng.h. */
#ifndef SLT_WIRE_PCAP_H
#define SLT_WIRE_PCAP_H

#include "wire/capture.h"

#define SLT_PCAP_HEADER_BYTES 24
#define SLT_PCAP_RECORD_BYTES 16

struct slt_pcap_file {
    bool little_endian;
    bool nanoseconds; /* the records' fractions count nanoseconds, else microseconds */
    uint16_t linktype;
    uint32_t snap_bytes;
};

/* SLT_CAPTURE_OK, _CUT, or _FOREIGN. The header is SLT_PCAP_HEADER_BYTES long. */
SLT_MUST_USE enum slt_capture_status slt_pcap_header_parse(struct slt_span bytes,
                                                           struct slt_pcap_file *out);

/* The record at the start of `bytes`; *used_bytes says where the next one starts. SLT_CAPTURE_OK,
 * _CUT or _MALFORMED. */
SLT_MUST_USE enum slt_capture_status slt_pcap_record_parse(const struct slt_pcap_file *file,
                                                           struct slt_span bytes,
                                                           struct slt_capture_packet *out,
                                                           uint32_t *used_bytes);

/* "pcap little-endian, linktype 1, snap 65535, us"; snprintf's count. */
int slt_pcap_print(const struct slt_pcap_file *file, char *out, size_t size);

#endif
