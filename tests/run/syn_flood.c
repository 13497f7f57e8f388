/* A flood of SYNs on an Ethernet device, each from another address and port (packet(7)).
 *
 *     syn_flood DEVICE DESTINATION_MAC ADDRESS PORT RATE SECONDS
 *
 * The sources are in 10.98.0.0/16, where the test's kernel drops the answers. It prints how many
 * were sent, and how many the device would not take.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_BYTES 58 /* Ethernet, IPv4, TCP with an MSS option */
#define BATCH       64

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void put_16(unsigned char *at, uint32_t value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static uint32_t sum_of(const unsigned char *data, int bytes)
{
    uint32_t sum = 0;
    for (int i = 0; i < bytes; i += 2) {
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    }
    return sum;
}

static void put_checksum(unsigned char *at, uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    put_16(at, ~sum);
}

/* The parts that are the same in all of them. */
static bool make_frame(unsigned char *frame, const char *mac, const char *address, int port)
{
    unsigned char *ip = frame + ETH_HLEN;
    unsigned char *tcp = ip + 20;
    memset(frame, 0, FRAME_BYTES);
    if (sscanf(mac, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &frame[0], &frame[1], &frame[2],
               &frame[3], &frame[4], &frame[5]) != 6 ||
        inet_pton(AF_INET, address, ip + 16) != 1) {
        return false;
    }
    frame[6] = 2; /* a source of nobody's */
    frame[11] = 7;
    put_16(frame + 12, ETH_P_IP);
    ip[0] = 0x45;
    put_16(ip + 2, FRAME_BYTES - ETH_HLEN);
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    put_16(tcp + 2, (uint32_t)port);
    tcp[12] = 0x60;
    tcp[13] = 0x02;
    put_16(tcp + 14, 64240);
    put_16(tcp + 20, 0x0204);
    put_16(tcp + 22, 1460);
    return true;
}

/* Another source and sequence number, and the checksums. */
static void vary(unsigned char *frame, uint32_t number)
{
    unsigned char *ip = frame + ETH_HLEN;
    unsigned char *tcp = ip + 20;
    uint32_t mixed = number * 2654435761U;
    ip[12] = 10;
    ip[13] = 98;
    put_16(ip + 14, 1 + mixed % 65000);
    put_16(ip + 10, 0);
    put_checksum(ip + 10, sum_of(ip, 20));
    put_16(tcp, 1024 + (mixed >> 16) % 60000);
    put_16(tcp + 4, mixed >> 8);
    put_16(tcp + 6, number);
    put_16(tcp + 16, 0);
    put_checksum(tcp + 16, sum_of(ip + 12, 8) + sum_of(tcp, 24) + IPPROTO_TCP + 24);
}

/* Send at the rate until the time is over. */
static int flood(int fd, const unsigned char *first, double rate, double seconds)
{
    static unsigned char frames[BATCH][FRAME_BYTES];
    static struct iovec pieces[BATCH];
    static struct mmsghdr messages[BATCH];
    uint32_t sent = 0;
    uint32_t refused = 0;
    for (int i = 0; i < BATCH; i++) {
        memcpy(frames[i], first, FRAME_BYTES);
        pieces[i] = (struct iovec){frames[i], FRAME_BYTES};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    uint64_t began = now_ns();
    for (double passed = 0; passed < seconds; passed = (double)(now_ns() - began) / 1e9) {
        if ((double)(sent + refused) + BATCH > passed * rate) {
            struct timespec pause = {.tv_nsec = 200000};
            (void)nanosleep(&pause, NULL);
            continue;
        }
        for (int i = 0; i < BATCH; i++) {
            vary(frames[i], sent + refused + (uint32_t)i);
        }
        int done = sendmmsg(fd, messages, BATCH, 0);
        if (done < 0 && errno != ENOBUFS) {
            perror("sendmmsg");
            return 1;
        }
        sent += done < 0 ? 0 : (uint32_t)done;
        refused += done < 0 ? 1 : 0;
    }
    printf("sent %u refused %u seconds %.2f\n", sent, refused, (double)(now_ns() - began) / 1e9);
    return 0;
}

int main(int count, char **words)
{
    unsigned char frame[FRAME_BYTES];
    if (count != 7 || !make_frame(frame, words[2], words[3], atoi(words[4]))) {
        (void)fprintf(stderr, "usage: syn_flood DEVICE MAC ADDRESS PORT RATE SECONDS\n");
        return 2;
    }
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(words[1])};
    if (fd < 0 || bind(fd, (struct sockaddr *)(void *)&to, sizeof(to)) != 0) {
        perror("a packet socket");
        return 1;
    }
    return flood(fd, frame, atof(words[5]), atof(words[6]));
}
