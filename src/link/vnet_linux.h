/* The virtio-net header (Linux's struct virtio_net_hdr, OASIS virtio 1.2 section 5.1.6) in front
 * of every frame of a TAP, TUN or packet socket: how frames tell about segmentation and checksums.
 *
 * It is in host byte order here (the "legacy" form), 10 bytes. Out: a partial checksum is
 * NEEDS_CSUM with its two offsets, a super-frame says its kind and the payload per segment. In:
 * NEEDS_CSUM means that the frame never left this machine, DATA_VALID that a device has checked
 * it; both vouch for the transport checksum.
 */
#ifndef SLT_LINK_VNET_LINUX_H
#define SLT_LINK_VNET_LINUX_H

#include "link/link.h"

#include <linux/virtio_net.h>

#define SLT_VNET_BYTES 10U
_Static_assert(sizeof(struct virtio_net_hdr) == SLT_VNET_BYTES, "the legacy header");

/* Describe a frame to be sent. */
void slt_vnet_emit(const struct salut_tx_frame *frame, struct virtio_net_hdr *out);

/* Say in `frame`, whose data and bytes are set, what the header tells. False when the header is of
 * a kind we did not ask for. */
bool slt_vnet_parse(const struct virtio_net_hdr *header, struct salut_rx_frame *frame);

struct iovec;

/* Room for the header of a frame, its own header and its pieces. */
#define SLT_VNET_IOV_MAX (2 + SALUT_FRAME_PIECES_MAX)

/* List header, frame header and pieces for one gathering write; returns how many entries. */
size_t slt_vnet_gather(const struct salut_tx_frame *frame, struct virtio_net_hdr *header,
                       struct iovec *iov);

#endif
