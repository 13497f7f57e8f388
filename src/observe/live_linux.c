/* See live_linux.h; packet(7) and the kernel's packet_mmap describe the rings.
 *
 * The filter is attached before the socket is bound, so that nothing passes unfiltered. Blocks are
 * handed over when they are full, or after a moment.
 */
#include "observe/live_linux.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/packet_filter.h"
#include "wire/capture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES     (1U << 20)
#define BLOCKS_FEW      16U /* for a socket, when there are few */
#define BLOCKS_MANY     4U
#define FEW             3U
#define RETIRE_MS       20U
#define TAG_BYTES       4U
#define ADDRESSES_BYTES 12U
/* Behind a packet's header lies where it came from, aligned as TPACKET_ALIGN says. */
#define ADDRESS_AT  ((sizeof(struct tpacket3_hdr) + 15U) & ~(size_t)15U)
#define FRAME_BYTES 2048U /* nominal: V3 packs frames of any size */

struct tap {
    int fd;
    struct slt_live_interface interface;
    bool loopback;
    uint8_t *ring;
    uint32_t block_count;
    uint32_t block; /* the next to be read */
    uint64_t dropped;
};

struct slt_live {
    size_t count;
    struct tap taps[SLT_LIVE_INTERFACES_MAX];
    struct slt_live_interface interfaces[SLT_LIVE_INTERFACES_MAX];
    uint8_t tagged[SLT_LIVE_SNAP_BYTES + TAG_BYTES];
};

/* ---- opening -------------------------------------------------------------------------------- */

static bool ask_device(const char *name, unsigned long request, struct ifreq *answer)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memset(answer, 0, sizeof(*answer));
    (void)snprintf(answer->ifr_name, sizeof(answer->ifr_name), "%s", name);
    bool fine = fd >= 0 && ioctl(fd, request, answer) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return fine;
}

static void find_kind(struct tap *tap)
{
    struct ifreq answer;
    tap->interface.linktype = SLT_LINKTYPE_RAW;
    if (ask_device(tap->interface.name, SIOCGIFHWADDR, &answer)) {
        int kind = answer.ifr_hwaddr.sa_family;
        tap->loopback = kind == ARPHRD_LOOPBACK;
        if (kind == ARPHRD_ETHER || kind == ARPHRD_LOOPBACK) {
            tap->interface.linktype = SLT_LINKTYPE_ETHERNET;
        }
    }
}

static int attach_filter(const struct tap *tap, const struct slt_live_ask *ask, char *why,
                         size_t size)
{
    struct slt_packet_filter filter;
    _Static_assert(sizeof(struct slt_packet_instruction) == sizeof(struct sock_filter),
                   "both are an instruction of the kernel's filter machine");
    if (ask->filter == NULL) {
        return 0;
    }
    enum slt_packet_filter_result compiled = slt_packet_filter_compile(
        ask->filter, tap->interface.linktype, ask->snap_bytes, &filter, why, size);
    if (compiled != SLT_FILTER_FINE) {
        slt_packet_filter_free(&filter);
        return compiled == SLT_FILTER_WRONG ? -EINVAL : -ENOSYS;
    }
    struct sock_fprog program = {.len = filter.count,
                                 .filter = (struct sock_filter *)(void *)filter.items};
    int result = 0;
    if (setsockopt(tap->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0) {
        result = -errno;
        (void)snprintf(why, size, "the kernel does not take the filter: %s", strerror(errno));
    }
    slt_packet_filter_free(&filter);
    return result;
}

static int map_ring(struct tap *tap, uint32_t blocks)
{
    int version = TPACKET_V3;
    struct tpacket_req3 request = {.tp_block_size = BLOCK_BYTES,
                                   .tp_block_nr = blocks,
                                   .tp_frame_size = FRAME_BYTES,
                                   .tp_frame_nr = BLOCK_BYTES / FRAME_BYTES * blocks,
                                   .tp_retire_blk_tov = RETIRE_MS};
    if (setsockopt(tap->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
        setsockopt(tap->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0) {
        return -errno;
    }
    void *at =
        mmap(NULL, (size_t)BLOCK_BYTES * blocks, PROT_READ | PROT_WRITE, MAP_SHARED, tap->fd, 0);
    if (at == MAP_FAILED) {
        return -errno;
    }
    tap->ring = at;
    tap->block_count = blocks;
    return 0;
}

static int bind_tap(const struct tap *tap)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(tap->interface.name)};
    if (to.sll_ifindex == 0) {
        return -ENODEV;
    }
    return bind(tap->fd, (const struct sockaddr *)(const void *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static int open_tap(struct tap *tap, const struct slt_live_ask *ask, uint32_t blocks, char *why,
                    size_t size)
{
    if (if_nametoindex(tap->interface.name) == 0) {
        (void)snprintf(why, size, "there is no interface %s (ip link shows them)",
                       tap->interface.name);
        return -ENODEV;
    }
    find_kind(tap);
    tap->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    if (tap->fd < 0) {
        int result = -errno;
        (void)snprintf(why, size,
                       "a packet socket needs CAP_NET_RAW: run as root, or give the "
                       "program that capability");
        return result;
    }
    int result = attach_filter(tap, ask, why, size);
    if (result < 0) {
        return result;
    }
    result = map_ring(tap, blocks);
    result = result == 0 ? bind_tap(tap) : result;
    if (result < 0) {
        (void)snprintf(why, size, "interface %s: %s", tap->interface.name, strerror(-result));
    }
    return result;
}

static size_t name_all(struct slt_live *live)
{
    size_t count = 0;
    struct ifreq answer;
    struct if_nameindex *list = if_nameindex();
    for (size_t i = 0; list != NULL && list[i].if_index != 0; i++) {
        bool up =
            ask_device(list[i].if_name, SIOCGIFFLAGS, &answer) && (answer.ifr_flags & IFF_UP) != 0;
        if (up && count < SLT_LIVE_INTERFACES_MAX) {
            (void)snprintf(live->taps[count++].interface.name, sizeof(live->interfaces[0].name),
                           "%.15s", list[i].if_name);
        }
    }
    if (list != NULL) {
        if_freenameindex(list);
    }
    return count;
}

static size_t name_some(struct slt_live *live, const struct slt_live_ask *ask)
{
    size_t count = 0;
    while (count < ask->name_count && count < SLT_LIVE_INTERFACES_MAX) {
        (void)snprintf(live->taps[count].interface.name, sizeof(live->interfaces[0].name), "%.15s",
                       ask->names[count]);
        count++;
    }
    return count;
}

int slt_live_open(const struct slt_live_ask *ask, struct slt_live **out, char *why, size_t size)
{
    struct slt_live *live = calloc(1, sizeof(*live));
    if (live == NULL) {
        (void)snprintf(why, size, "out of memory");
        return -ENOMEM;
    }
    size_t count = ask->name_count == 0 ? name_all(live) : name_some(live, ask);
    uint32_t blocks = count <= FEW ? BLOCKS_FEW : BLOCKS_MANY;
    int result = count == 0 ? -ENODEV : 0;
    (void)snprintf(why, size, "no interface is up");
    while (result == 0 && live->count < count) {
        live->taps[live->count].fd = -1;
        result = open_tap(&live->taps[live->count], ask, blocks, why, size);
        live->interfaces[live->count] = live->taps[live->count].interface;
        live->count++;
    }
    if (result < 0) {
        slt_live_close(live);
        return result;
    }
    *out = live;
    return 0;
}

void slt_live_close(struct slt_live *live)
{
    for (size_t i = 0; i < live->count; i++) {
        struct tap *tap = &live->taps[i];
        if (tap->ring != NULL) {
            (void)munmap(tap->ring, (size_t)BLOCK_BYTES * tap->block_count);
        }
        if (tap->fd >= 0) {
            (void)close(tap->fd);
        }
    }
    free(live);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Under delivery. */
struct delivery {
    struct slt_live *live;
    void (*on_packet)(void *ctx, const struct slt_capture_packet *packet);
    void *ctx;
};

/* Put back the tag that the card took off. */
static void put_tag(struct slt_live *live, const struct tpacket3_hdr *h,
                    struct slt_capture_packet *packet)
{
    bool known = (h->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
    uint16_t kind = known ? h->hv1.tp_vlan_tpid : ETH_P_8021Q;
    uint16_t tag = (uint16_t)h->hv1.tp_vlan_tci;
    uint8_t bytes[TAG_BYTES] = {(uint8_t)(kind >> 8), (uint8_t)kind, (uint8_t)(tag >> 8),
                                (uint8_t)tag};
    if (packet->bytes < ADDRESSES_BYTES || packet->bytes > SLT_LIVE_SNAP_BYTES) {
        return;
    }
    memcpy(live->tagged, packet->data, ADDRESSES_BYTES);
    memcpy(live->tagged + ADDRESSES_BYTES, bytes, TAG_BYTES);
    memcpy(live->tagged + ADDRESSES_BYTES + TAG_BYTES, packet->data + ADDRESSES_BYTES,
           packet->bytes - ADDRESSES_BYTES);
    packet->data = live->tagged;
    packet->bytes += TAG_BYTES;
    packet->original_bytes += TAG_BYTES;
}

static void deliver(const struct delivery *d, const struct tap *tap, const struct tpacket3_hdr *h)
{
    struct sockaddr_ll from;
    memcpy(&from, (const uint8_t *)h + ADDRESS_AT, sizeof(from));
    bool sent = from.sll_pkttype == PACKET_OUTGOING;
    if (sent && tap->loopback) {
        return;
    }
    uint8_t direction = sent ? SLT_CAPTURE_OUTBOUND : SLT_CAPTURE_INBOUND;
    struct slt_capture_packet packet = {
        .at_ns = (int64_t)h->tp_sec * SLT_NS_PER_S + h->tp_nsec,
        .interface_index = (uint32_t)(tap - d->live->taps),
        .original_bytes = h->tp_len,
        .direction = tap->loopback ? (uint8_t)SLT_CAPTURE_UNKNOWN : direction,
        .data = (const uint8_t *)h + h->tp_mac,
        .bytes = h->tp_snaplen,
    };
    if ((h->tp_status & TP_STATUS_VLAN_VALID) != 0 &&
        tap->interface.linktype == SLT_LINKTYPE_ETHERNET) {
        put_tag(d->live, h, &packet);
    }
    d->on_packet(d->ctx, &packet);
}

static void read_block(const struct delivery *d, const struct tap *tap, const uint8_t *block)
{
    const struct tpacket_block_desc *head = (const struct tpacket_block_desc *)(const void *)block;
    uint32_t offset = head->hdr.bh1.offset_to_first_pkt;
    for (uint32_t i = 0; i < head->hdr.bh1.num_pkts; i++) {
        const struct tpacket3_hdr *h = (const struct tpacket3_hdr *)(const void *)(block + offset);
        deliver(d, tap, h);
        offset += h->tp_next_offset;
    }
}

static void read_tap(const struct delivery *d, struct tap *tap)
{
    for (uint32_t i = 0; i < tap->block_count; i++) {
        uint8_t *block = tap->ring + (size_t)tap->block * BLOCK_BYTES;
        struct tpacket_block_desc *head = (struct tpacket_block_desc *)(void *)block;
        uint32_t status = __atomic_load_n(&head->hdr.bh1.block_status, __ATOMIC_ACQUIRE);
        if ((status & TP_STATUS_USER) == 0) {
            break;
        }
        read_block(d, tap, block);
        __atomic_store_n(&head->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        tap->block = (tap->block + 1) % tap->block_count;
    }
}

void slt_live_read(struct slt_live *live,
                   void (*on_packet)(void *ctx, const struct slt_capture_packet *packet), void *ctx)
{
    const struct delivery d = {live, on_packet, ctx};
    for (size_t i = 0; i < live->count; i++) {
        read_tap(&d, &live->taps[i]);
    }
}

/* ---- facts ---------------------------------------------------------------------------------- */

size_t slt_live_interfaces(const struct slt_live *live, const struct slt_live_interface **list)
{
    *list = live->interfaces;
    return live->count;
}

size_t slt_live_fds(const struct slt_live *live, struct pollfd *fds, size_t max)
{
    size_t count = live->count < max ? live->count : max;
    for (size_t i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = live->taps[i].fd, .events = POLLIN};
    }
    return count;
}

uint64_t slt_live_dropped(struct slt_live *live)
{
    uint64_t dropped = 0;
    for (size_t i = 0; i < live->count; i++) {
        struct tpacket_stats_v3 stats = {.tp_drops = 0};
        socklen_t bytes = sizeof(stats);
        if (getsockopt(live->taps[i].fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0) {
            live->taps[i].dropped += stats.tp_drops; /* reading sets the kernel's count to 0 */
        }
        dropped += live->taps[i].dropped;
    }
    return dropped;
}
