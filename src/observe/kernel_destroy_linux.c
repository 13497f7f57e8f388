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

static void put_address(uint8_t out[16], const salut_addr *addr, uint8_t family)
{
    memset(out, 0, 16);
    if (family == AF_INET6) {
        memcpy(out, addr->b, 16);
    } else {
        memcpy(out, addr->b + 12, 4);
    }
}

static uint16_t network_order(uint16_t port)
{
    const uint8_t b[2] = {(uint8_t)(port >> 8), (uint8_t)port};
    uint16_t value;
    memcpy(&value, b, sizeof(value));
    return value;
}

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
    uint8_t family = seen->family == 6 ? AF_INET6 : AF_INET;
    struct {
        struct nlmsghdr header;
        struct diag_request request;
    } message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .request = {.family = family,
                    .protocol = IPPROTO_TCP,
                    .states = UINT32_MAX,
                    .id = {.local_port = network_order(seen->local_port),
                           .remote_port = network_order(seen->remote_port),
                           .interface = seen->interface,
                           .cookie = {(uint32_t)seen->key, (uint32_t)(seen->key >> 32)}}},
    };
    if (seen->source != SLT_SOURCE_KERNEL || seen->key == 0) {
        return -EINVAL;
    }
    put_address(message.request.id.local, &seen->local, family);
    put_address(message.request.id.remote, &seen->remote, family);
    if (send(fd, &message, sizeof(message), 0) != (ssize_t)sizeof(message)) {
        return -errno;
    }
    return receive_answer(fd);
}
