/* See kernel_destroy_linux.h. */
#include "observe/kernel_destroy_linux.h"

#include "observe/diag_format_linux.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define DESTROY 21 /* SOCK_DESTROY, which old headers lack */

int slt_kernel_destroy_open(void)
{
    struct timeval patience = {.tv_sec = 2};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0) {
        return -errno;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return fd;
}

static int receive_answer(int fd)
{
    union {
        struct nlmsghdr header;
        uint8_t bytes[4096];
    } answer;
    ssize_t got;
    do {
        got = recv(fd, &answer, sizeof(answer), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return -errno;
    }
    if (!NLMSG_OK(&answer.header, (uint32_t)got) || answer.header.nlmsg_type != NLMSG_ERROR ||
        answer.header.nlmsg_len < NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
        return -EPROTO;
    }
    const struct nlmsgerr *error = NLMSG_DATA(&answer.header);
    return error->error;
}

int slt_kernel_destroy(int fd, const struct slt_seen *seen)
{
    struct {
        struct nlmsghdr header;
        struct diag_request request;
    } message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .request = {.family = slt_diag_family(seen),
                    .protocol = IPPROTO_TCP,
                    .states = UINT32_MAX,
                    .id = slt_diag_id(seen)},
    };
    if (seen->source != SLT_SOURCE_KERNEL || seen->key == 0) {
        return -EINVAL;
    }
    if (send(fd, &message, sizeof(message), 0) != (ssize_t)sizeof(message)) {
        return -errno;
    }
    return receive_answer(fd);
}
