/* TAP and TUN; tap_linux.h tells how. The kernel's side is Documentation/networking/tuntap.rst.
 *
 * The arena: each frame is read with room for the longest one behind it; the next one goes right
 * after what came. A batch ends when ARENA_BATCH_BYTES are used, so the arena is that plus one
 * frame, whatever the traffic.
 */
#define _GNU_SOURCE 1
#include "link/tap_linux.h"

#include "link/frame_pool.h"
#include "link/rtnl_linux.h"
#include "link/segment.h"
#include "link/vnet_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define ARENA_BATCH_BYTES (256U * 1024U)
/* Linux's longest super-frame is 65,536 bytes of IPv6 payload and headers, and the link header. */
#define ROOM_BYTES  (SLT_VNET_BYTES + 65536U + 256U)
#define SMALL_BYTES 512U
#define ARENA_BYTES (ARENA_BATCH_BYTES + 2U * ROOM_BYTES)

struct tap {
    struct slt_link link; /* first: a link is a tap */
    int fd;
    bool blocked; /* the last send stopped for want of room */
    uint8_t *arena;
};

static struct tap *tap_of(struct slt_link *link)
{
    return (struct tap *)(void *)link;
}

static const struct tap *tap_of_const(const struct slt_link *link)
{
    return (const struct tap *)(const void *)link;
}

/* Read one frame to `at`; returns bytes used there, 0 when there is none. */
static uint32_t read_frame(struct tap *tap, uint8_t *at, struct salut_rx_frame *frame, bool *fit)
{
    ssize_t got;
    do {
        got = read(tap->fd, at, ROOM_BYTES);
    } while (got < 0 && errno == EINTR);
    *fit = false;
    if (got <= 0) {
        return 0;
    }
    if (got < (ssize_t)SLT_VNET_BYTES) {
        slt_link_count_drop(&tap->link, SLT_LINK_DROP_MALFORMED);
        return 1;
    }
    struct virtio_net_hdr header;
    memcpy(&header, at, sizeof(header));
    *frame = (struct salut_rx_frame){.data = at + SLT_VNET_BYTES,
                                     .bytes = (uint32_t)got - SLT_VNET_BYTES};
    *fit = slt_vnet_parse(&header, frame);
    if (!*fit) {
        slt_link_count_drop(&tap->link, SLT_LINK_DROP_MALFORMED);
    }
    return (uint32_t)got;
}

static size_t tap_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                          int64_t now_ns)
{
    struct tap *tap = tap_of(link);
    uint32_t used = 0;
    size_t count = 0;
    (void)now_ns;
    while (count < max && used < ARENA_BATCH_BYTES) {
        bool fit;
        uint32_t bytes = read_frame(tap, tap->arena + used, &frames[count], &fit);
        if (bytes == 0) {
            break;
        }
        if (fit) {
            used += (bytes + 63U) & ~63U;
            count++;
        }
    }
    return count;
}

static void tap_release(struct slt_link *link)
{
    (void)link; /* the arena is used afresh by the next receive */
}

/* To gather a few bytes here is cheaper than to have the kernel take a list of pieces. */
static ssize_t write_small(const struct tap *tap, const struct salut_tx_frame *frame)
{
    uint8_t bytes[SLT_VNET_BYTES + SMALL_BYTES];
    struct virtio_net_hdr header;
    slt_vnet_emit(frame, &header);
    memcpy(bytes, &header, sizeof(header));
    slt_tx_frame_copy(frame, bytes + sizeof(header));
    return write(tap->fd, bytes, sizeof(header) + slt_tx_frame_bytes(frame));
}

static ssize_t write_pieces(const struct tap *tap, const struct salut_tx_frame *frame)
{
    struct virtio_net_hdr header;
    struct iovec iov[SLT_VNET_IOV_MAX];
    size_t count = slt_vnet_gather(frame, &header, iov);
    return writev(tap->fd, iov, (int)count);
}

/* True when the frame is done with, sent or dropped. */
static bool write_frame(struct tap *tap, const struct salut_tx_frame *frame)
{
    bool small = slt_tx_frame_bytes(frame) <= SMALL_BYTES;
    ssize_t put;
    do {
        put = small ? write_small(tap, frame) : write_pieces(tap, frame);
    } while (put < 0 && errno == EINTR);
    if (put >= 0) {
        return true;
    }
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
        return false;
    }
    bool down = errno == EIO || errno == EBADFD || errno == ENODEV || errno == ENETDOWN;
    slt_link_count_drop(&tap->link, down ? SLT_LINK_DROP_DEVICE_DOWN : SLT_LINK_DROP_DEVICE);
    return true;
}

static size_t tap_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                       int64_t now_ns)
{
    struct tap *tap = tap_of(link);
    size_t taken = 0;
    (void)now_ns;
    while (taken < count && write_frame(tap, &frames[taken])) {
        taken++;
    }
    tap->blocked = taken < count;
    return taken;
}

static int64_t tap_next_deadline(const struct slt_link *link)
{
    (void)link;
    return SLT_NEVER;
}

static void tap_poll(struct slt_link *link, int64_t now_ns)
{
    (void)link;
    (void)now_ns;
}

static int tap_fd(const struct slt_link *link)
{
    return tap_of_const(link)->fd;
}

static bool tap_wants_write(const struct slt_link *link)
{
    return tap_of_const(link)->blocked;
}

static void tap_close(struct slt_link *link)
{
    struct tap *tap = tap_of(link);
    if (tap->fd >= 0) {
        close(tap->fd);
    }
    free(tap->arena);
    free(tap);
}

static const struct slt_link_ops tap_ops = {
    .receive = tap_receive,
    .release = tap_release,
    .send = tap_send,
    .next_deadline = tap_next_deadline,
    .poll = tap_poll,
    .fd = tap_fd,
    .wants_write = tap_wants_write,
    .close = tap_close,
};

static enum slt_link_trouble explain_open(int os_error, struct slt_link_error *error)
{
    switch (os_error) {
    case ENOENT:
        return slt_link_error_set(error, SLT_LINK_NO_DEVICE, 0, "there is no /dev/net/tun",
                                  "modprobe tun; or: mkdir -p /dev/net && mknod /dev/net/tun c 10 "
                                  "200");
    case ENODEV:
    case ENXIO:
        return slt_link_error_set(error, SLT_LINK_NO_DEVICE, os_error,
                                  "the kernel has no driver behind /dev/net/tun", "modprobe tun");
    case EACCES:
    case EPERM:
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, os_error,
                                  "/dev/net/tun may not be opened by this user",
                                  "run as root, or: chmod 666 /dev/net/tun");
    default:
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, os_error,
                                  "/dev/net/tun cannot be opened", NULL);
    }
}

static enum slt_link_trouble explain_create(int os_error, struct slt_link_error *error)
{
    switch (os_error) {
    case EPERM:
    case EACCES:
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, os_error,
                                  "a TAP or TUN device needs CAP_NET_ADMIN",
                                  "run as root, or let root make one for you: ip tuntap add "
                                  "salut0 mode tap vnet_hdr user $USER");
    case EBUSY:
        return slt_link_error_set(error, SLT_LINK_BUSY, os_error,
                                  "the device is in use by another program",
                                  "choose another name, or a pattern like salut%d");
    case EINVAL:
        return slt_link_error_set(error, SLT_LINK_BAD_NAME, os_error,
                                  "an interface of that name exists and is of another kind, or the "
                                  "name is none",
                                  "choose another name, or a pattern like salut%d");
    default:
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, os_error,
                                  "the TAP or TUN device cannot be made", NULL);
    }
}

static const char *name_of(const struct slt_tap_params *params)
{
    return params->name ? params->name : "salut%d";
}

/* The name fits: slt_tap_open has looked. */
static enum slt_link_trouble attach(struct tap *tap, const struct slt_tap_params *params,
                                    struct slt_link_error *error)
{
    const char *name = name_of(params);
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, strlen(name) + 1);
    int flags = IFF_NO_PI | IFF_VNET_HDR;
    flags |= params->kind == SALUT_LINK_IP ? IFF_TUN : IFF_TAP;
    flags |= params->multi_queue ? IFF_MULTI_QUEUE : 0;
    flags |= params->exclusive ? IFF_TUN_EXCL : 0;
    request.ifr_flags = (short)flags;
    if (ioctl(tap->fd, TUNSETIFF, &request) < 0) {
        return explain_create(errno, error);
    }
    memcpy(tap->link.name, request.ifr_name, IFNAMSIZ);
    tap->link.name[IFNAMSIZ - 1] = '\0';
    return SLT_LINK_FINE;
}

/* Tell the kernel what it may hand us. A persistent device remembers what its last user asked for,
 * so no offload is a request as well. */
static enum slt_link_trouble set_offload(struct tap *tap, bool offload,
                                         struct slt_link_error *error)
{
    int header_bytes = (int)SLT_VNET_BYTES;
    unsigned long all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    unsigned long wanted = offload ? all | TUN_F_TSO_ECN : 0;
    if (ioctl(tap->fd, TUNSETVNETHDRSZ, &header_bytes) < 0) {
        return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, errno,
                                  "the device has no virtio-net header", NULL);
    }
    if (ioctl(tap->fd, TUNSETOFFLOAD, wanted) == 0 ||
        (offload && ioctl(tap->fd, TUNSETOFFLOAD, all) == 0)) {
        return SLT_LINK_FINE;
    }
    return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, errno,
                              "the device has no segmentation offload", NULL);
}

static enum slt_link_trouble take_facts(struct tap *tap, const struct slt_tap_params *params,
                                        struct slt_link_error *error)
{
    static const uint8_t none[6] = {0};
    struct slt_rtnl_facts facts;
    if (slt_rtnl_facts(tap->link.name, &facts, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    if (params->mtu != 0 && params->mtu != facts.mtu) {
        if (slt_rtnl_set_mtu(tap->link.name, params->mtu, error) != SLT_LINK_FINE) {
            return error->trouble;
        }
        facts.mtu = params->mtu;
    }
    tap->link.caps = (struct slt_link_caps){
        .kind = params->kind,
        .mtu = facts.mtu,
        .gso_max_bytes = params->no_offload ? 0 : SLT_LINK_GSO_MAX_BYTES,
        .tx_checksum = !params->no_offload,
        .rx_checksum = !params->no_offload,
    };
    if (params->kind == SALUT_LINK_ETHERNET && memcmp(params->mac, none, 6) != 0) {
        memcpy(tap->link.caps.mac, params->mac, 6);
    } else if (params->kind == SALUT_LINK_ETHERNET) {
        slt_rtnl_derive_mac(facts.mac, tap->link.caps.mac);
    }
    return SLT_LINK_FINE;
}

static enum slt_link_trouble set_up(struct tap *tap, const struct slt_tap_params *params,
                                    struct slt_link_error *error)
{
    tap->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap->fd < 0) {
        return explain_open(errno, error);
    }
    struct slt_rtnl_facts before;
    bool fresh = slt_rtnl_facts(name_of(params), &before, error) != SLT_LINK_FINE;
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    enum slt_link_trouble trouble = attach(tap, params, error);
    if (trouble == SLT_LINK_FINE && fresh && params->queue_frames != 0) {
        trouble = slt_rtnl_set_queue(tap->link.name, params->queue_frames, error);
    }
    if (trouble == SLT_LINK_FINE) {
        trouble = set_offload(tap, !params->no_offload, error);
    }
    if (trouble == SLT_LINK_FINE) {
        trouble = take_facts(tap, params, error);
    }
    /* A device that an administrator made to stay is never made to go by merely using it. */
    if (trouble == SLT_LINK_FINE && params->persistent && ioctl(tap->fd, TUNSETPERSIST, 1UL) < 0) {
        trouble = slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                     "the device cannot be made to stay", NULL);
    }
    return trouble;
}

enum slt_link_trouble slt_tap_open(const struct slt_tap_params *params, struct slt_link **link,
                                   struct slt_link_error *error)
{
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    /* What is wrong whoever asks is said before what this user may not. */
    if (strlen(name_of(params)) >= IFNAMSIZ) {
        return slt_link_error_set(error, SLT_LINK_BAD_NAME, 0,
                                  "an interface name has at most 15 characters", NULL);
    }
    struct tap *tap = calloc(1, sizeof(*tap));
    uint8_t *arena = aligned_alloc(64, (ARENA_BYTES + 63U) & ~63U);
    if (!tap || !arena) {
        free(tap);
        free(arena);
        return slt_link_error_set(error, SLT_LINK_NO_MEMORY, ENOMEM, "no memory for a link", NULL);
    }
    tap->link.ops = &tap_ops;
    tap->arena = arena;
    tap->fd = -1;
    enum slt_link_trouble trouble = set_up(tap, params, error);
    if (trouble != SLT_LINK_FINE) {
        tap_close(&tap->link);
        return trouble;
    }
    *link = &tap->link;
    return SLT_LINK_FINE;
}

enum slt_link_trouble slt_tap_remove(const char *name, enum salut_link_kind kind,
                                     struct slt_link_error *error)
{
    struct slt_tap_params params = {.name = name, .kind = kind};
    struct slt_link *link;
    enum slt_link_trouble trouble = slt_tap_open(&params, &link, error);
    if (trouble != SLT_LINK_FINE) {
        return trouble;
    }
    /* A device without persistence goes when it is closed. */
    if (ioctl(tap_of(link)->fd, TUNSETPERSIST, 0UL) < 0) {
        trouble = slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                     "the device cannot be removed", NULL);
    }
    slt_link_close(link);
    return trouble;
}
