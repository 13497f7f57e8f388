/* See owner_again_linux.h. */
#include "observe/owner_again_linux.h"

#include "observe/diag_format_linux.h"
#include "observe/kernel_diag_linux.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ASKED_MAX 4096U /* some 5 microseconds each */
#define NO_COOKIE UINT32_MAX
#define INFO_BITS 0xcaU /* tcp_info, congestion control, memory, shutdown: as the listing asks */

static int send_question(int fd, const struct slt_seen *seen)
{
    struct {
        struct nlmsghdr header;
        struct diag_request request;
    } message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST},
        .request = {.family = slt_diag_family(seen),
                    .protocol = IPPROTO_TCP,
                    .extensions = INFO_BITS,
                    .states = UINT32_MAX,
                    .id = slt_diag_id(seen)},
    };
    /* What is left in TIME-WAIT has another cookie; of listeners that share a port any might
     * answer. */
    if (seen->kind != SLT_SEEN_LISTENER) {
        message.request.id.cookie[0] = message.request.id.cookie[1] = NO_COOKIE;
    }
    return send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message) ? 0 : -errno;
}

/* What is known of it now: 0, or a negative errno value: -ENOENT when there is nothing. */
static int ask(int fd, const struct slt_seen *seen, struct slt_seen *now)
{
    union {
        struct nlmsghdr header;
        uint8_t bytes[4096];
    } answer;
    int result = send_question(fd, seen);
    ssize_t got = result == 0 ? recv(fd, &answer, sizeof(answer), 0) : -1;
    if (got < 0) {
        return result < 0 ? result : -errno;
    }
    if (!NLMSG_OK(&answer.header, (uint32_t)got)) {
        return -EPROTO;
    }
    if (answer.header.nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(&answer.header);
        return answer.header.nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) ? error->error : -EPROTO;
    }
    bool fine =
        answer.header.nlmsg_type == SOCK_DIAG_BY_FAMILY &&
        slt_kernel_diag_parse(NLMSG_DATA(&answer.header), NLMSG_PAYLOAD(&answer.header, 0), now);
    return fine ? 0 : -EPROTO;
}

static void settle(struct slt_seen *seen, struct slt_seen *now, int result)
{
    bool same = result == 0 && now->key == seen->key;
    bool remains = result == 0 && now->kind == SLT_SEEN_TIME_WAIT;
    if ((same && now->inode != seen->inode) || (!same && remains)) {
        now->instance = seen->instance;
        *seen = *now;
    } else if (result == -ENOENT || (result == 0 && !same)) {
        seen->owner = SLT_OWNER_GONE;
    }
}

/* Sockets that are only bound are found by no question but the listing. */
static bool is_worth_asking(const struct slt_seen *seen, int64_t uid)
{
    return seen->owner == SLT_OWNER_HIDDEN && seen->source == SLT_SOURCE_KERNEL &&
           (seen->kind == SLT_SEEN_CONN || seen->kind == SLT_SEEN_LISTENER) &&
           (uid == 0 || seen->uid == uid);
}

void slt_owner_ask_again(struct slt_seen_list *list)
{
    struct timeval patience = {.tv_sec = 1};
    struct slt_seen now;
    int fd = -1;
    int result = 0;
    uint32_t asked = 0;
    int64_t uid = geteuid();
    for (size_t i = 0; i < list->count && asked < ASKED_MAX && result != -EAGAIN; i++) {
        if (!is_worth_asking(&list->items[i], uid)) {
            continue;
        }
        if (fd < 0) {
            fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        }
        if (fd < 0) {
            return;
        }
        if (asked++ == 0) {
            (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
        }
        result = ask(fd, &list->items[i], &now);
        settle(&list->items[i], &now, result);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
}
