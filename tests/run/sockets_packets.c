/* The peer's forger: it watches the wire with a packet socket (packet(7)), and sends what no
 * ordinary socket sends: ICMP errors about a segment it saw, and a late SYN,ACK.
 *
 * RFC 792 and RFC 4443: an error quotes the IP header and the first bytes of what it is about.
 */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define FRAME_BYTES 2048
#define ETHER_BYTES 14
#define QUOTE_BYTES 64
#define PATIENCE_MS 4000
#define TCP_BYTES   20

/* The last TCP segment from the other side. */
struct seen {
    unsigned char frame[FRAME_BYTES];
    int device;
    int ip_bytes; /* of the IP header */
    int bytes;    /* of the IP packet, as far as it was read */
};

static struct seen last;

int open_packets(void)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));
    if (fd < 0) {
        die("a packet socket");
    }
    return fd;
}

static int header_bytes(const unsigned char *ip, int family)
{
    return family == AF_INET ? (ip[0] & 15) * 4 : 40;
}

/* True for TCP of this family that came in. */
static bool is_tcp(const unsigned char *frame, ssize_t bytes, int family, unsigned char kind)
{
    const unsigned char *ip = frame + ETHER_BYTES;
    if (bytes < ETHER_BYTES + 40 || kind == PACKET_OUTGOING) {
        return false;
    }
    int type = frame[12] << 8 | frame[13];
    if (family == AF_INET) {
        return type == ETH_P_IP && ip[9] == IPPROTO_TCP;
    }
    return type == ETH_P_IPV6 && ip[6] == IPPROTO_TCP;
}

/* Read what waits; true when there was a segment among it. */
static bool look(int packet, int family, int *syns, int *others)
{
    bool any = false;
    for (;;) {
        unsigned char frame[FRAME_BYTES];
        struct sockaddr_ll from;
        socklen_t from_bytes = sizeof(from);
        ssize_t bytes = recvfrom(packet, frame, sizeof(frame), 0, (struct sockaddr *)(void *)&from,
                                 &from_bytes);
        if (bytes < 0) {
            return any;
        }
        if (!is_tcp(frame, bytes, family, from.sll_pkttype)) {
            continue;
        }
        any = true;
        memcpy(last.frame, frame, sizeof(frame));
        last.device = from.sll_ifindex;
        last.ip_bytes = header_bytes(frame + ETHER_BYTES, family);
        last.bytes = (int)bytes - ETHER_BYTES;
        int flags = frame[ETHER_BYTES + last.ip_bytes + 13];
        if ((flags & 0x12) == 0x02) {
            *syns += 1;
        } else {
            *others += 1;
        }
    }
}

void count_packets(int packet, int family, const char *to, int *syns, int *others)
{
    (void)to;
    (void)look(packet, family, syns, others);
}

static bool wait_segment(int packet, int family)
{
    int ignored = 0;
    for (long end = now_ms() + PATIENCE_MS; now_ms() < end;) {
        struct pollfd p = {.fd = packet, .events = POLLIN};
        (void)poll(&p, 1, 100);
        if (look(packet, family, &ignored, &ignored)) {
            return true;
        }
    }
    return false;
}

static uint32_t add_words(uint32_t sum, const unsigned char *data, int bytes)
{
    for (int i = 0; i + 1 < bytes; i += 2) {
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    }
    return bytes % 2 != 0 ? sum + ((uint32_t)data[bytes - 1] << 8) : sum;
}

static void put_checksum(unsigned char *at, uint32_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    at[0] = (unsigned char)(~sum >> 8);
    at[1] = (unsigned char)~sum;
}

static void put_16(unsigned char *at, int value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

/* The frame's beginning: back to where the last segment came from, as if from where it went. */
static int put_headers(unsigned char *frame, int family, int protocol, int payload)
{
    unsigned char *ip = frame + ETHER_BYTES;
    const unsigned char *old = last.frame + ETHER_BYTES;
    memset(frame, 0, FRAME_BYTES);
    memcpy(frame, last.frame + 6, 6);
    memcpy(frame + 6, last.frame, 6);
    memcpy(frame + 12, last.frame + 12, 2);
    if (family == AF_INET) {
        ip[0] = 0x45;
        put_16(ip + 2, 20 + payload);
        ip[8] = 64;
        ip[9] = (unsigned char)protocol;
        memcpy(ip + 12, old + 16, 4);
        memcpy(ip + 16, old + 12, 4);
        put_checksum(ip + 10, add_words(0, ip, 20));
        return 20;
    }
    ip[0] = 0x60;
    put_16(ip + 4, payload);
    ip[6] = (unsigned char)protocol;
    ip[7] = 64;
    memcpy(ip + 8, old + 24, 16);
    memcpy(ip + 24, old + 8, 16);
    return 40;
}

/* The sum over the pseudo header of RFC 9293 3.1 and RFC 8200 8.1. */
static uint32_t pseudo_sum(const unsigned char *ip, int family, int protocol, int payload)
{
    uint32_t sum = (uint32_t)(protocol + payload);
    return family == AF_INET ? add_words(sum, ip + 12, 8) : add_words(sum, ip + 8, 32);
}

static bool transmit(int packet, const unsigned char *frame, int bytes)
{
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = last.device};
    return sendto(packet, frame, (size_t)bytes, 0, (struct sockaddr *)(void *)&to, sizeof(to)) ==
           bytes;
}

bool send_icmp(int packet, int family, int type, int code)
{
    unsigned char frame[FRAME_BYTES];
    if (!wait_segment(packet, family)) {
        errno = ENODATA;
        return false;
    }
    int quote = last.bytes < QUOTE_BYTES ? last.bytes : QUOTE_BYTES;
    int protocol = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    int head = put_headers(frame, family, protocol, 8 + quote);
    unsigned char *icmp = frame + ETHER_BYTES + head;
    icmp[0] = (unsigned char)type;
    icmp[1] = (unsigned char)code;
    memcpy(icmp + 8, last.frame + ETHER_BYTES, (size_t)quote);
    uint32_t sum = 0;
    if (family == AF_INET6) {
        sum = pseudo_sum(frame + ETHER_BYTES, family, protocol, 8 + quote);
    }
    put_checksum(icmp + 2, add_words(sum, icmp, 8 + quote));
    return transmit(packet, frame, ETHER_BYTES + head + 8 + quote);
}

int mute_syn_ack(int packet, int family)
{
    unsigned char frame[FRAME_BYTES];
    if (last.bytes == 0 && !wait_segment(packet, family)) {
        errno = ENODATA;
        return -1;
    }
    const unsigned char *syn = last.frame + ETHER_BYTES + last.ip_bytes;
    int head = put_headers(frame, family, IPPROTO_TCP, TCP_BYTES);
    unsigned char *tcp = frame + ETHER_BYTES + head;
    memcpy(tcp, syn + 2, 2);
    memcpy(tcp + 2, syn, 2);
    tcp[7] = 77; /* any sequence number */
    uint32_t ack = ((uint32_t)syn[4] << 24 | (uint32_t)syn[5] << 16 | (uint32_t)syn[6] << 8 |
                    (uint32_t)syn[7]) +
                   1;
    put_16(tcp + 8, (int)(ack >> 16));
    put_16(tcp + 10, (int)(ack & 0xffff));
    tcp[12] = 0x50;
    tcp[13] = 0x12;
    put_16(tcp + 14, 8192);
    uint32_t sum = pseudo_sum(frame + ETHER_BYTES, family, IPPROTO_TCP, TCP_BYTES);
    put_checksum(tcp + 16, add_words(sum, tcp, TCP_BYTES));
    return transmit(packet, frame, ETHER_BYTES + head + TCP_BYTES) ? 0 : -1;
}
