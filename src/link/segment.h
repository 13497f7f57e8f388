/* Software segmentation and checksum completion: what a network card does for a super-frame.
 *
 * A frame comes as a view: all headers contiguous in front, the payload in pieces behind. The
 * segmenter copies it out as wire frames, one call each. For TCP over IPv4 or IPv6 (RFC 9293
 * 3.7.1, 3.1):
 *
 *   - sequence number: the first one's plus the payload that went before;
 *   - FIN and PSH stand on the last segment only, CWR on the first only (RFC 3168 6.1.2: one CWR
 *     answers one ECE); an urgent pointer counts from the first byte of its own segment, and
 *     segments wholly after the urgent byte lose the flag;
 *   - IPv4: total length, identification counting up (RFC 6864 asks for nothing more of atomic
 *     datagrams, and counting is what hardware does), header checksum; IPv6: payload length;
 *   - the transport checksum is always computed, whatever stood in the field.
 *
 * A frame that needs no cutting is copied as it is and its checksum completed: from a partial one
 * (the pseudo-header's sum stands in the field) or, where a link vouched for a frame instead of
 * checking it, afresh.
 *
 * IPv6 extension headers before the TCP header are repeated on each segment. Fragments are never
 * cut.
 */
#ifndef SLT_LINK_SEGMENT_H
#define SLT_LINK_SEGMENT_H

#include "link/link.h"

/* Where the headers of a frame are. All offsets count from the frame's first byte. */
struct slt_frame_layout {
    uint8_t family;            /* 4 or 6 */
    uint8_t protocol;          /* the transport's number */
    bool fragment;             /* any fragment: there is no whole transport packet here */
    uint16_t network_offset;   /* the IP header */
    uint16_t transport_offset; /* the transport header */
    uint16_t payload_offset;   /* TCP: behind its options; UDP: behind its header; else as
                                  transport_offset */
    uint32_t end_offset;       /* where the IP packet ends (link padding may follow) */
};

/* Find the headers in the first `bytes` bytes of a frame of `frame_bytes`. False when it is no IP
 * packet or its headers are cut or impossible. */
bool slt_frame_layout_find(const uint8_t *head, uint32_t bytes, uint32_t frame_bytes,
                           enum salut_link_kind kind, struct slt_frame_layout *out);

enum slt_segment_checksum {
    SLT_SEGMENT_COMPLETE, /* stands already */
    SLT_SEGMENT_PARTIAL,  /* checksum_start and checksum_offset say what to sum and where it goes */
    SLT_SEGMENT_AFRESH    /* to be computed from the headers */
};

struct slt_frame_view {
    const uint8_t *head; /* the first piece; all headers lie in it */
    uint32_t head_bytes;
    const struct salut_iovec *pieces; /* the others */
    uint32_t piece_count;
    uint32_t bytes;     /* head and pieces */
    uint16_t gso_bytes; /* payload per segment; 0: not to be cut */
    enum slt_segment_checksum checksum;
    uint16_t checksum_start;
    uint16_t checksum_offset;
    enum salut_link_kind kind;
};

/* Views of frames on their way out and in. They borrow the frame. */
struct slt_frame_view slt_frame_view_of_tx(const struct salut_tx_frame *frame,
                                           enum salut_link_kind kind);
struct slt_frame_view slt_frame_view_of_rx(const struct salut_rx_frame *frame,
                                           enum salut_link_kind kind);

struct slt_segmenter {
    struct slt_frame_view view; /* borrowed */
    struct slt_frame_layout layout;
    bool cut;               /* more than one segment comes out */
    uint32_t segment_count; /* in all */
    uint32_t index;         /* the next one */
    uint32_t payload_bytes; /* in all, when cut */
    uint32_t addresses_sum; /* of the pseudo header without the length, when cut */
    uint32_t piece_index;   /* the cursor: 0 is the head, i the piece i - 1 */
    uint32_t piece_at;      /* bytes of that piece already copied */
};

/* Start on a frame. False when it cannot be cut or completed: a super-frame that is not TCP, or
 * offsets outside the headers. */
bool slt_segmenter_init(struct slt_segmenter *s, const struct slt_frame_view *view);

/* The bytes of the next segment, 0 when all are done. */
uint32_t slt_segmenter_next_bytes(const struct slt_segmenter *s);

/* Write the next segment to `out`, which has room for slt_segmenter_next_bytes. */
void slt_segmenter_next(struct slt_segmenter *s, uint8_t *out);

/* Write the checksum that completes `sum`, the sum of everything it covers and the pseudo header's
 * that stood in the field, to the field. */
void slt_segment_store_checksum(uint8_t *field, uint32_t sum);

/* Compute the transport checksum of a whole frame afresh (TCP, UDP, ICMP, ICMPv6). Does nothing to
 * fragments, other protocols and UDP over IPv4 without a checksum. */
void slt_segment_fill_checksum(uint8_t *frame, const struct slt_frame_layout *layout);

#endif
