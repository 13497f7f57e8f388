/* What the two capture file formats have in common: how reading may end, and a packet.
 *
 * A file that is wrong is nobody's packet, so its errors are not rows of the reason table.
 */
#ifndef SLT_WIRE_CAPTURE_H
#define SLT_WIRE_CAPTURE_H

#include "base/span.h"

/* No honest capture has a larger packet; the limit keeps a broken length from being waited for. */
#define SLT_CAPTURE_PACKET_MAX (1U << 26)

enum slt_capture_status {
    SLT_CAPTURE_OK,
    SLT_CAPTURE_CUT,       /* the bytes end before the item does: read more, or the file is cut */
    SLT_CAPTURE_MALFORMED, /* lengths or fields contradict one another */
    SLT_CAPTURE_FOREIGN    /* not this format at all */
};

/* Link types, as the registry of the pcap formats numbers them. */
enum slt_linktype {
    SLT_LINKTYPE_NULL = 0,
    SLT_LINKTYPE_ETHERNET = 1,
    SLT_LINKTYPE_RAW = 101,
    SLT_LINKTYPE_LOOP = 108, /* as NULL, the family in network order */
    SLT_LINKTYPE_LINUX_SLL = 113,
    SLT_LINKTYPE_IPV4 = 228,
    SLT_LINKTYPE_IPV6 = 229,
    SLT_LINKTYPE_LINUX_SLL2 = 276
};

enum slt_capture_direction {
    SLT_CAPTURE_UNKNOWN = 0,
    SLT_CAPTURE_INBOUND = 1,
    SLT_CAPTURE_OUTBOUND = 2
};

struct slt_capture_packet {
    int64_t at_ns;            /* since 1970; 0 when the block has no time */
    uint32_t interface_index; /* 0 in classic files */
    uint32_t original_bytes;  /* as it was on the link; more than `bytes` when it was clipped */
    uint8_t direction;        /* of enum slt_capture_direction */
    const uint8_t *data;      /* borrowed */
    uint32_t bytes;           /* at most SLT_CAPTURE_PACKET_MAX */
    const char *comment;      /* borrowed, UTF-8, not NUL-terminated; the first, if several */
    uint32_t comment_bytes;   /* 0: none */
};

#endif
