/* What the kernel knows of UNIX sockets: sock_diag(7).
 *
 * A UNIX socket that is not connected tells nobody when it is closed. The kernel's list does: a
 * walk over all of them, or a question after one, by inode.
 */
#include "run/sockets.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <unistd.h>

/* An attribute starts with its length and type, and is filled up to four bytes. */
#define ATTR_HEAD 4U

struct ask {
    struct nlmsghdr head;
    struct unix_diag_req req;
};

static bool send_ask(struct slt_supervisor *sup, struct ask *ask)
{
    if (sup->diag_fd < 0) {
        sup->diag_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    }
    ask->head.nlmsg_len = sizeof(*ask);
    ask->head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    ask->head.nlmsg_flags |= NLM_F_REQUEST;
    ask->req.sdiag_family = AF_UNIX;
    ask->req.udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
    return sup->diag_fd >= 0 && send(sup->diag_fd, ask, sizeof(*ask), 0) == (ssize_t)sizeof(*ask);
}

static struct slt_run_seen read_seen(const uint8_t *message, size_t bytes)
{
    struct unix_diag_msg msg;
    struct nlattr attr;
    struct slt_run_seen seen = {.inode = 0};
    size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(msg));
    if (bytes < NLMSG_HDRLEN + sizeof(msg)) {
        return seen;
    }
    memcpy(&msg, &message[NLMSG_HDRLEN], sizeof(msg));
    seen.inode = msg.udiag_ino;
    seen.state = msg.udiag_state;
    while (at + sizeof(attr) <= bytes) {
        memcpy(&attr, &message[at], sizeof(attr));
        if (attr.nla_len < sizeof(attr) || attr.nla_len > bytes - at) {
            break;
        }
        if (attr.nla_type == UNIX_DIAG_PEER && attr.nla_len >= ATTR_HEAD + sizeof(uint32_t)) {
            uint32_t peer;
            memcpy(&peer, &message[at + ATTR_HEAD], sizeof(peer));
            seen.peer = peer;
        }
        if (attr.nla_type == UNIX_DIAG_RQLEN &&
            attr.nla_len >= ATTR_HEAD + sizeof(struct unix_diag_rqlen)) {
            struct unix_diag_rqlen lengths;
            memcpy(&lengths, &message[at + ATTR_HEAD], sizeof(lengths));
            seen.queued = lengths.udiag_rqueue;
        }
        at += ((size_t)attr.nla_len + 3U) & ~(size_t)3U;
    }
    return seen;
}

/* Read one answer's messages. True once the end, or an error, was among them. */
static bool read_messages(const uint8_t *data, size_t bytes, bool *fine,
                          void (*found)(void *ctx, const struct slt_run_seen *seen), void *ctx)
{
    struct nlmsghdr head;
    for (size_t at = 0; at + sizeof(head) <= bytes; at += NLMSG_ALIGN(head.nlmsg_len)) {
        memcpy(&head, &data[at], sizeof(head));
        if (head.nlmsg_type == NLMSG_DONE) {
            return true;
        }
        if (head.nlmsg_type == NLMSG_ERROR || head.nlmsg_len < sizeof(head) ||
            head.nlmsg_len > bytes - at) {
            *fine = false;
            return true;
        }
        struct slt_run_seen seen = read_seen(&data[at], head.nlmsg_len);
        found(ctx, &seen);
    }
    return false;
}

bool slt_run_diag_walk(struct slt_supervisor *sup, uint32_t states,
                       void (*seen)(void *ctx, const struct slt_run_seen *seen), void *ctx)
{
    _Alignas(8) uint8_t data[32768];
    struct ask ask = {.head = {.nlmsg_flags = NLM_F_DUMP}, .req = {.udiag_states = states}};
    bool fine = send_ask(sup, &ask);
    bool over = !fine;
    while (!over) {
        ssize_t got = recv(sup->diag_fd, data, sizeof(data), 0);
        if (got <= 0) {
            return false;
        }
        over = read_messages(data, (size_t)got, &fine, seen, ctx);
    }
    return fine;
}

static void keep_seen(void *ctx, const struct slt_run_seen *seen)
{
    *(struct slt_run_seen *)ctx = *seen;
}

int slt_run_diag_one(struct slt_supervisor *sup, uint64_t inode, struct slt_run_seen *seen)
{
    _Alignas(8) uint8_t data[1024];
    struct ask ask = {.req = {.udiag_ino = (uint32_t)inode,
                              .udiag_states = UINT32_MAX,
                              .udiag_cookie = {UINT32_MAX, UINT32_MAX}}};
    bool fine = true;
    *seen = (struct slt_run_seen){.inode = 0};
    if (!send_ask(sup, &ask)) {
        return -1;
    }
    ssize_t got = recv(sup->diag_fd, data, sizeof(data), 0);
    if (got <= 0) {
        return -1;
    }
    (void)read_messages(data, (size_t)got, &fine, keep_seen, seen);
    return seen->inode != 0 ? 1 : 0;
}
