/* TAP and TUN devices of Linux, with the virtio-net header.
 *
 * Super-frames of up to 64 KB pass both ways in one system call, partial checksums too. Received
 * frames are read one behind the other into one arena of a few hundred KB, so that a batch of
 * small frames touches little memory and a batch of large ones stays in the second-level cache.
 *
 * The kernel's end of the device is an interface of the current network namespace; it is set up
 * with rtnl_linux.h (address, MTU, up). The stack's end has a MAC of its own.
 */
#ifndef SLT_LINK_TAP_LINUX_H
#define SLT_LINK_TAP_LINUX_H

#include "link/link.h"

struct slt_tap_params {
    const char *name;          /* an interface name or a pattern like "salut%d"; NULL: "salut%d" */
    enum salut_link_kind kind; /* ETHERNET: TAP; IP: TUN */
    uint32_t mtu;              /* set on the interface; 0: leave it and take what it has */
    uint32_t queue_frames; /* the kernel keeps for us, where the device is made; 0: as it likes */
    uint8_t mac[6];        /* the stack's own; all zero: derived from the interface's */
    bool persistent;       /* the device stays when the link is closed */
    bool multi_queue;      /* one of several queues of the device */
    bool no_offload;       /* plain wire frames both ways, checksums complete */
    bool exclusive;        /* fail when the device exists already */
};

/* Open a device, making it when it does not exist. On failure *error says what is missing and what
 * helps.
 *
 * Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_tap_open(const struct slt_tap_params *params, struct slt_link **link,
                                   struct slt_link_error *error);

/* Remove a persistent device that nobody has open. Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_tap_remove(const char *name, enum salut_link_kind kind,
                                     struct slt_link_error *error);

#endif
