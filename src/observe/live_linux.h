/* Packets as they pass this machine's interfaces: AF_PACKET sockets with rings shared with the
 * kernel (TPACKET_V3), one for each interface, so that every packet keeps the link it was on.
 *
 * Over loopback each packet is seen once, as it arrives. A VLAN tag that the card took off is put
 * back. What did not fit into a ring is counted by the kernel, and told.
 */
#ifndef SLT_OBSERVE_LIVE_LINUX_H
#define SLT_OBSERVE_LIVE_LINUX_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

struct slt_capture_packet;

#define SLT_LIVE_INTERFACES_MAX 60U
#define SLT_LIVE_SNAP_BYTES     262144U

struct slt_live_ask {
    const char *const *names; /* of interfaces */
    size_t name_count;        /* 0: all that are up */
    const char *filter;       /* pcap-filter(7); NULL: everything */
    uint32_t snap_bytes;      /* of a packet that are kept */
};

struct slt_live_interface {
    char name[16];
    uint16_t linktype; /* ETHERNET or RAW */
};

struct slt_live;

/* Returns 0 or a negative errno value (-EINVAL: the filter; -ENOSYS: no filters in this build;
 * -EPERM: privilege; -ENODEV: an interface) and a sentence in `why`. */
int slt_live_open(const struct slt_live_ask *ask, struct slt_live **live, char *why, size_t size);
void slt_live_close(struct slt_live *live);

size_t slt_live_interfaces(const struct slt_live *live, const struct slt_live_interface **list);
size_t slt_live_fds(const struct slt_live *live, struct pollfd *fds, size_t max);

/* Hand on what has come; a packet's data is valid during its call. */
void slt_live_read(struct slt_live *live,
                   void (*on_packet)(void *ctx, const struct slt_capture_packet *packet),
                   void *ctx);

/* Packets the kernel had no room for, so far. */
uint64_t slt_live_dropped(struct slt_live *live);

#endif
