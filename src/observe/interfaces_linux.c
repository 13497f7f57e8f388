/* See interfaces_linux.h.
 *
 * /proc/net/dev adds what was missed to what was dropped for good reasons (frames of unknown
 * protocols), so it cannot tell a full ring from a quiet neighbour; the statistics of RTM_GETLINK
 * keep them apart.
 */
#include "observe/interfaces_linux.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES (64U * 1024U)

void slt_interface_losses_add(struct slt_interface_losses *losses, const uint8_t *message,
                              size_t bytes)
{
    struct rtnl_link_stats64 stats;
    struct rtattr attribute;
    size_t at = NLMSG_ALIGN(sizeof(struct ifinfomsg));
    while (at + sizeof(attribute) <= bytes) {
        memcpy(&attribute, message + at, sizeof(attribute));
        if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > bytes - at) {
            return;
        }
        if (attribute.rta_type == IFLA_STATS64) {
            size_t room = attribute.rta_len - sizeof(attribute);
            memset(&stats, 0, sizeof(stats));
            memcpy(&stats, message + at + sizeof(attribute),
                   room < sizeof(stats) ? room : sizeof(stats));
            losses->missed += (int64_t)stats.rx_missed_errors;
            losses->overruns += (int64_t)stats.rx_fifo_errors + (int64_t)stats.rx_over_errors;
        }
        at += RTA_ALIGN(attribute.rta_len);
    }
}

static int send_request(int fd)
{
    struct {
        struct nlmsghdr header;
        struct ifinfomsg request;
    } message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = RTM_GETLINK,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.ifi_family = AF_UNSPEC},
    };
    return send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message) ? 0 : -errno;
}

/* One datagram of answers: 1 when the dump is over, 0 when there is more, or a negative errno. */
static int take_answer(int fd, uint8_t *answer, struct slt_interface_losses *losses)
{
    ssize_t got = recv(fd, answer, ANSWER_BYTES, 0);
    if (got < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    uint32_t left = (uint32_t)got;
    for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
         NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
        if (h->nlmsg_type == NLMSG_DONE) {
            return 1;
        }
        if (h->nlmsg_type == NLMSG_ERROR) {
            return -EPROTO;
        }
        if (h->nlmsg_type == RTM_NEWLINK) {
            slt_interface_losses_add(losses, NLMSG_DATA(h), NLMSG_PAYLOAD(h, 0));
        }
    }
    return 0;
}

int slt_interface_losses_read(struct slt_interface_losses *losses)
{
    struct slt_interface_losses sum = {.missed = 0};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return -errno;
    }
    uint8_t *answer = malloc(ANSWER_BYTES);
    int result = answer == NULL ? -ENOMEM : send_request(fd);
    while (result == 0) {
        result = take_answer(fd, answer, &sum);
    }
    free(answer);
    (void)close(fd);
    if (result < 0) {
        return result;
    }
    *losses = sum;
    return 0;
}
