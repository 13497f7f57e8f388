/* Packet sockets of Linux (packet(7)) on one Ethernet interface, with the virtio-net header.
 *
 * For private networks where /dev/net/tun may not be opened: one end of a virtual Ethernet pair
 * is the kernel's, the stack speaks on the other through this link. Super-frames and partial
 * checksums pass both ways. Frames are received in batches of one system call and sent likewise,
 * past the queueing discipline where the interface does segmentation; what the socket itself sends
 * does not come back.
 *
 * The kernel sees the interface's frames as well. With a MAC of its own (slt_rtnl_derive_mac) the
 * stack's unicast frames are another station's to the kernel, which then drops them unseen.
 */
#ifndef SLT_LINK_PACKET_LINUX_H
#define SLT_LINK_PACKET_LINUX_H

#include "link/link.h"

struct slt_packet_params {
    const char *name; /* an Ethernet interface that exists and is up */
    uint8_t mac[6];   /* the stack's own; all zero: the interface's */
    bool derive_mac;  /* with mac all zero: one derived from the interface's */
    bool own_only;    /* only frames for the stack's own MAC and for groups: where others share the
                         interface, theirs are not copied to us */
    bool no_offload;  /* say that frames are to be complete wire frames. What the interface
                         hands us is its own business (its checksum and TSO features) */
};

/* Open a link on an interface. On failure *error says what is missing and what helps.
 *
 * Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_packet_open(const struct slt_packet_params *params,
                                      struct slt_link **link, struct slt_link_error *error);

#endif
