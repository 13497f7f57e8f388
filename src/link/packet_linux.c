/* The packet socket link; packet_linux.h tells how it behaves.
 *
 * Receive: recvmmsg into BATCH slots of 64 KB, which are touched only when used. Send: sendmmsg
 * of up to BATCH frames, each gathered from its header and pieces. The kernel counts what it had
 * to drop for want of room in the socket; poll collects that count once a second.
 */
#define _GNU_SOURCE 1
#include "link/packet_linux.h"

#include "link/rtnl_linux.h"
#include "link/vnet_linux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BATCH 16U
/* An odd multiple of 64: neighbouring slots start in different cache sets. */
#define SLOT_BYTES           (1029U * 64U)
#define RECEIVE_BUFFER_BYTES (16 * 1024 * 1024)
#define STATISTICS_EVERY_NS  SLT_NS_PER_S

struct packet {
    struct slt_link link; /* first: a link is a packet socket */
    int fd;
    bool blocked; /* the last send stopped for want of room */
    int64_t statistics_at_ns;
    uint8_t *slots;
    struct virtio_net_hdr in_headers[BATCH];
    struct sockaddr_ll in_from[BATCH];
    struct iovec in_iov[BATCH][2];
    struct mmsghdr in_messages[BATCH];
    struct virtio_net_hdr out_headers[BATCH];
    struct iovec out_iov[BATCH][SLT_VNET_IOV_MAX];
    struct mmsghdr out_messages[BATCH];
};

static struct packet *packet_of(struct slt_link *link)
{
    return (struct packet *)(void *)link;
}

static const struct packet *packet_of_const(const struct slt_link *link)
{
    return (const struct packet *)(const void *)link;
}

static bool take_frame(struct packet *p, uint32_t i, struct salut_rx_frame *frame)
{
    uint32_t bytes = p->in_messages[i].msg_len;
    uint32_t flags = (uint32_t)p->in_messages[i].msg_hdr.msg_flags;
    if (p->in_from[i].sll_pkttype == PACKET_OUTGOING) {
        return false; /* a kernel without PACKET_IGNORE_OUTGOING shows what others send */
    }
    *frame =
        (struct salut_rx_frame){.data = p->slots + i * SLOT_BYTES, .bytes = bytes - SLT_VNET_BYTES};
    if ((flags & MSG_TRUNC) || bytes < SLT_VNET_BYTES ||
        !slt_vnet_parse(&p->in_headers[i], frame)) {
        slt_link_count_drop(&p->link, SLT_LINK_DROP_MALFORMED);
        return false;
    }
    return true;
}

static size_t packet_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                             int64_t now_ns)
{
    struct packet *p = packet_of(link);
    unsigned want = max < BATCH ? (unsigned)max : BATCH;
    (void)now_ns;
    for (unsigned i = 0; i < want; i++) {
        p->in_messages[i].msg_hdr.msg_namelen = sizeof(p->in_from[i]);
    }
    int got;
    do {
        got = recvmmsg(p->fd, p->in_messages, want, MSG_DONTWAIT, NULL);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno != EAGAIN) {
        slt_link_count_drop(link, SLT_LINK_DROP_DEVICE_DOWN);
    }
    size_t count = 0;
    for (int i = 0; i < got; i++) {
        count += take_frame(p, (uint32_t)i, &frames[count]);
    }
    return count;
}

static void packet_release(struct slt_link *link)
{
    (void)link; /* the slots are used afresh by the next receive */
}

/* Send up to BATCH frames; how many are done with, sent or dropped. */
static size_t send_some(struct packet *p, const struct salut_tx_frame *frames, size_t count)
{
    unsigned want = count < BATCH ? (unsigned)count : BATCH;
    for (unsigned i = 0; i < want; i++) {
        p->out_messages[i].msg_hdr = (struct msghdr){
            .msg_iov = p->out_iov[i],
            .msg_iovlen = slt_vnet_gather(&frames[i], &p->out_headers[i], p->out_iov[i]),
        };
    }
    int put;
    do {
        put = sendmmsg(p->fd, p->out_messages, want, MSG_DONTWAIT);
    } while (put < 0 && errno == EINTR);
    if (put > 0) {
        return (size_t)put;
    }
    if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
        return 0;
    }
    /* sendmmsg reports an error only for the first message: that one is lost, the rest goes on. */
    bool down = errno == ENETDOWN || errno == ENXIO || errno == ENODEV;
    enum slt_link_drop why = errno == EMSGSIZE ? SLT_LINK_DROP_TOO_BIG : SLT_LINK_DROP_DEVICE;
    slt_link_count_drop(&p->link, down ? SLT_LINK_DROP_DEVICE_DOWN : why);
    return 1;
}

static size_t packet_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                          int64_t now_ns)
{
    struct packet *p = packet_of(link);
    size_t taken = 0;
    (void)now_ns;
    while (taken < count) {
        size_t done = send_some(p, frames + taken, count - taken);
        if (done == 0) {
            break;
        }
        taken += done;
    }
    p->blocked = taken < count;
    return taken;
}

static int64_t packet_next_deadline(const struct slt_link *link)
{
    (void)link;
    return SLT_NEVER;
}

static void packet_poll(struct slt_link *link, int64_t now_ns)
{
    struct packet *p = packet_of(link);
    struct tpacket_stats statistics;
    socklen_t bytes = sizeof(statistics);
    if (now_ns < p->statistics_at_ns) {
        return;
    }
    p->statistics_at_ns = slt_time_add(now_ns, STATISTICS_EVERY_NS);
    /* Reading the counters resets them. */
    if (getsockopt(p->fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &bytes) == 0) {
        link->counters.dropped[SLT_LINK_DROP_KERNEL_FULL] += statistics.tp_drops;
    }
}

static int packet_fd(const struct slt_link *link)
{
    return packet_of_const(link)->fd;
}

static bool packet_wants_write(const struct slt_link *link)
{
    return packet_of_const(link)->blocked;
}

static void packet_close(struct slt_link *link)
{
    struct packet *p = packet_of(link);
    if (p->fd >= 0) {
        close(p->fd);
    }
    free(p->slots);
    free(p);
}

static const struct slt_link_ops packet_ops = {
    .receive = packet_receive,
    .release = packet_release,
    .send = packet_send,
    .next_deadline = packet_next_deadline,
    .poll = packet_poll,
    .fd = packet_fd,
    .wants_write = packet_wants_write,
    .close = packet_close,
};

static int set_number(int fd, int option, int value)
{
    return setsockopt(fd, SOL_PACKET, option, &value, sizeof(value));
}

/* True when the interface takes super-frames as they are. The way past the queueing discipline is
 * only for those: there the kernel drops what it would have to cut (__dev_direct_xmit). */
static bool cuts_super_frames(const struct packet *p)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GTSO};
    struct ifreq request = {.ifr_data = (void *)&value};
    memcpy(request.ifr_name, p->link.name, sizeof(p->link.name));
    return ioctl(p->fd, SIOCETHTOOL, &request) == 0 && value.data != 0;
}

/* Everything is set before the socket is bound: it has no protocol until then, so that no frame
 * comes in a form we did not ask for. */
static enum slt_link_trouble set_options(struct packet *p, struct slt_link_error *error)
{
    int buffer_bytes = RECEIVE_BUFFER_BYTES;
    if (set_number(p->fd, PACKET_VNET_HDR, 1) < 0) {
        return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, errno,
                                  "packet sockets have no virtio-net header here", NULL);
    }
    /* The rest makes it faster or quieter and may be missing. */
    (void)set_number(p->fd, PACKET_IGNORE_OUTGOING, 1);
    if (cuts_super_frames(p)) {
        (void)set_number(p->fd, PACKET_QDISC_BYPASS, 1);
    }
    if (setsockopt(p->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof(buffer_bytes)) < 0) {
        (void)setsockopt(p->fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof(buffer_bytes));
    }
    return SLT_LINK_FINE;
}

/* A filter in the kernel (packet(7), bpf of old): the MAC in two pieces, or the group bit. */
static bool refuse_others(const struct packet *p)
{
    const uint8_t *mac = p->link.caps.mac;
    uint32_t high =
        (uint32_t)mac[0] << 24 | (uint32_t)mac[1] << 16 | (uint32_t)mac[2] << 8 | (uint32_t)mac[3];
    uint32_t low = (uint32_t)mac[4] << 8 | (uint32_t)mac[5];
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 2),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 2, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = sizeof(code) / sizeof(code[0]), .filter = code};
    return setsockopt(p->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
}

static enum slt_link_trouble join(struct packet *p, const struct slt_rtnl_facts *facts,
                                  struct slt_link_error *error)
{
    struct sockaddr_ll where = {.sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)facts->index};
    if (memcmp(p->link.caps.mac, facts->mac, 6) != 0) {
        /* Frames for a MAC that is not the interface's come only to a promiscuous one; the kernel
         * takes the setting back when the socket is closed. */
        struct packet_mreq request = {.mr_ifindex = (int)facts->index,
                                      .mr_type = PACKET_MR_PROMISC};
        if (setsockopt(p->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) < 0) {
            return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                      "the interface cannot be made promiscuous", NULL);
        }
    }
    if (bind(p->fd, (struct sockaddr *)(void *)&where, sizeof(where)) < 0) {
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                  "the packet socket cannot be bound to the interface", NULL);
    }
    return SLT_LINK_FINE;
}

static enum slt_link_trouble take_facts(struct packet *p, const struct slt_packet_params *params,
                                        struct slt_rtnl_facts *facts, struct slt_link_error *error)
{
    static const uint8_t none[6] = {0};
    if (slt_rtnl_facts(params->name, facts, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    if (!facts->ethernet) {
        return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, 0,
                                  "the interface is not an Ethernet interface",
                                  "choose one that is: ip link shows link/ether for those");
    }
    p->link.caps = (struct slt_link_caps){
        .kind = SALUT_LINK_ETHERNET,
        .mtu = facts->mtu,
        .gso_max_bytes = params->no_offload ? 0 : SLT_LINK_GSO_MAX_BYTES,
        .tx_checksum = !params->no_offload,
        .rx_checksum = true,
    };
    memcpy(p->link.caps.mac, facts->mac, 6);
    if (memcmp(params->mac, none, 6) != 0) {
        memcpy(p->link.caps.mac, params->mac, 6);
    } else if (params->derive_mac) {
        slt_rtnl_derive_mac(facts->mac, p->link.caps.mac);
    }
    snprintf(p->link.name, sizeof(p->link.name), "%s", params->name);
    return SLT_LINK_FINE;
}

static enum slt_link_trouble set_up(struct packet *p, const struct slt_packet_params *params,
                                    struct slt_link_error *error)
{
    struct slt_rtnl_facts facts;
    p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (p->fd < 0 && (errno == EPERM || errno == EACCES)) {
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, errno,
                                  "a packet socket needs CAP_NET_RAW",
                                  "run as root, or in a private network namespace");
    }
    if (p->fd < 0) {
        return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, errno,
                                  "a packet socket cannot be made", NULL);
    }
    enum slt_link_trouble trouble = take_facts(p, params, &facts, error);
    if (trouble == SLT_LINK_FINE) {
        trouble = set_options(p, error);
    }
    if (trouble == SLT_LINK_FINE && params->own_only && !refuse_others(p)) {
        trouble = slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, errno,
                                     "packet sockets have no filter here", NULL);
    }
    return trouble == SLT_LINK_FINE ? join(p, &facts, error) : trouble;
}

static void set_up_messages(struct packet *p)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        p->in_iov[i][0] = (struct iovec){&p->in_headers[i], sizeof(p->in_headers[i])};
        p->in_iov[i][1] = (struct iovec){p->slots + i * SLOT_BYTES, SLOT_BYTES};
        p->in_messages[i].msg_hdr = (struct msghdr){.msg_name = &p->in_from[i],
                                                    .msg_namelen = sizeof(p->in_from[i]),
                                                    .msg_iov = p->in_iov[i],
                                                    .msg_iovlen = 2};
    }
}

enum slt_link_trouble slt_packet_open(const struct slt_packet_params *params,
                                      struct slt_link **link, struct slt_link_error *error)
{
    struct packet *p = calloc(1, sizeof(*p));
    uint8_t *slots = aligned_alloc(64, (size_t)BATCH * SLOT_BYTES);
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    if (!p || !slots) {
        free(p);
        free(slots);
        return slt_link_error_set(error, SLT_LINK_NO_MEMORY, ENOMEM, "no memory for a link", NULL);
    }
    p->link.ops = &packet_ops;
    p->slots = slots;
    p->fd = -1;
    p->statistics_at_ns = INT64_MIN;
    set_up_messages(p);
    enum slt_link_trouble trouble = set_up(p, params, error);
    if (trouble != SLT_LINK_FINE) {
        packet_close(&p->link);
        return trouble;
    }
    *link = &p->link;
    return SLT_LINK_FINE;
}
