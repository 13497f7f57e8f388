/* The virtio-net header, both ways; see vnet_linux.h. */
#define _GNU_SOURCE 1
#include "link/vnet_linux.h"

#include <string.h>
#include <sys/uio.h>

#define TCP_FLAGS_AT 13U
#define TCP_CWR      0x80U

void slt_vnet_emit(const struct salut_tx_frame *frame, struct virtio_net_hdr *out)
{
    *out = (struct virtio_net_hdr){.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (frame->checksum_start != 0 || frame->checksum_offset != 0) {
        out->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        out->csum_start = frame->checksum_start;
        out->csum_offset = frame->checksum_offset;
    }
    /* A frame of one segment is none to be cut, whatever the stack's plan was. */
    if (frame->gso_bytes == 0 || frame->payload_bytes <= frame->gso_bytes) {
        return;
    }
    out->gso_type = frame->family == 6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
    out->gso_size = frame->gso_bytes;
    out->hdr_len = frame->header_bytes;
    uint32_t flags_at = frame->transport_offset + TCP_FLAGS_AT;
    if (flags_at < frame->header_bytes && (frame->header[flags_at] & TCP_CWR)) {
        /* RFC 3168 6.1.2: CWR belongs on the first segment alone; the cutter must know. */
        out->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
    }
}

bool slt_vnet_parse(const struct virtio_net_hdr *header, struct salut_rx_frame *frame)
{
    unsigned type = header->gso_type & ~(unsigned)VIRTIO_NET_HDR_GSO_ECN;
    frame->checksum_valid =
        (header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
    frame->gso_bytes = type == VIRTIO_NET_HDR_GSO_NONE ? 0 : header->gso_size;
    frame->link_broadcast = 0;
    return type == VIRTIO_NET_HDR_GSO_NONE || type == VIRTIO_NET_HDR_GSO_TCPV4 ||
           type == VIRTIO_NET_HDR_GSO_TCPV6;
}

/* The interface of gathering writes takes pointers to mutable memory and changes nothing. */
static void *unconst(const void *p)
{
    void *out;
    memcpy(&out, &p, sizeof(out));
    return out;
}

size_t slt_vnet_gather(const struct salut_tx_frame *frame, struct virtio_net_hdr *header,
                       struct iovec *iov)
{
    slt_vnet_emit(frame, header);
    iov[0] = (struct iovec){.iov_base = header, .iov_len = sizeof(*header)};
    size_t count = 1;
    if (frame->header_bytes > 0) {
        iov[count++] =
            (struct iovec){.iov_base = unconst(frame->header), .iov_len = frame->header_bytes};
    }
    for (uint32_t i = 0; i < frame->piece_count; i++) {
        iov[count++] = (struct iovec){.iov_base = unconst(frame->pieces[i].base),
                                      .iov_len = frame->pieces[i].bytes};
    }
    return count;
}
