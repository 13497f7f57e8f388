/* The table of the program's sockets: by number, which is that of the salut descriptor, and by the
 * inode of S. A record lives from socket() or the accept queue until the program's last close is
 * known.
 */
#include "run/sockets.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct slt_run_sock **bucket_of(const struct slt_supervisor *sup, uint64_t inode)
{
    return &sup->by_inode[(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & sup->inode_mask];
}

static bool grow_slots(struct slt_supervisor *sup, uint32_t wanted)
{
    uint32_t count = sup->sock_slots == 0 ? 64 : sup->sock_slots;
    while (count <= wanted) {
        count *= 2;
    }
    struct slt_run_sock **slots = realloc(sup->sock, count * sizeof(struct slt_run_sock *));
    if (slots == NULL) {
        return false;
    }
    memset(&slots[sup->sock_slots], 0, (count - sup->sock_slots) * sizeof(struct slt_run_sock *));
    sup->sock = slots;
    sup->sock_slots = count;
    return true;
}

/* Twice as many buckets once there is a record for each. Without memory the chains grow. */
static void grow_buckets(struct slt_supervisor *sup)
{
    uint32_t count = sup->by_inode == NULL ? 256 : (sup->inode_mask + 1) * 2;
    struct slt_run_sock **buckets = calloc(count, sizeof(struct slt_run_sock *));
    if (buckets == NULL) {
        return;
    }
    free(sup->by_inode);
    sup->by_inode = buckets;
    sup->inode_mask = count - 1;
    for (uint32_t i = 0; i < sup->sock_slots; i++) {
        struct slt_run_sock *sock = sup->sock[i];
        if (sock != NULL && sock->inode != 0) {
            struct slt_run_sock **bucket = bucket_of(sup, sock->inode);
            sock->next_of_inode = *bucket;
            *bucket = sock;
        }
    }
}

struct slt_run_sock *slt_run_sock_new(struct slt_supervisor *sup, int fd, uint8_t family)
{
    uint32_t number = (uint32_t)fd;
    if (number >= sup->sock_slots && !grow_slots(sup, number)) {
        return NULL;
    }
    if (sup->by_inode == NULL || sup->sock_count > sup->inode_mask) {
        grow_buckets(sup);
    }
    struct slt_run_sock *sock = calloc(1, sizeof(*sock));
    if (sock == NULL || sup->by_inode == NULL) {
        free(sock);
        return NULL;
    }
    SLT_ASSERT(sup->sock[number] == NULL);
    *sock = (struct slt_run_sock){.sup = sup,
                                  .end = {.fd = -1},
                                  .serial = ++sup->serial,
                                  .fd = fd,
                                  .phase = SLT_RUN_FRESH,
                                  .family = family,
                                  .seen_fd = -1};
    sup->sock[number] = sock;
    sup->sock_count++;
    return sock;
}

static void leave_inode(struct slt_run_sock *sock)
{
    struct slt_run_sock **at = bucket_of(sock->sup, sock->inode);
    while (*at != sock) {
        SLT_ASSERT(*at != NULL);
        at = &(*at)->next_of_inode;
    }
    *at = sock->next_of_inode;
}

void slt_run_sock_set_inode(struct slt_run_sock *sock, uint64_t inode)
{
    if (sock->inode != 0) {
        leave_inode(sock);
    }
    sock->inode = inode;
    if (inode != 0) {
        struct slt_run_sock **bucket = bucket_of(sock->sup, inode);
        sock->next_of_inode = *bucket;
        *bucket = sock;
    }
}

static void leave_poked(struct slt_run_sock *sock)
{
    struct slt_run_sock **at = &sock->sup->poked;
    while (*at != NULL && *at != sock) {
        at = &(*at)->next_poked;
    }
    if (*at == sock) {
        *at = sock->next_poked;
    }
}

void slt_run_watch(struct slt_run_sock *sock)
{
    struct slt_supervisor *sup = sock->sup;
    if (sock->watched_at == NULL) {
        sock->next_watched = sup->watched;
        if (sup->watched != NULL) {
            sup->watched->watched_at = &sock->next_watched;
        }
        sup->watched = sock;
        sock->watched_at = &sup->watched;
        slt_run_tick_soon(sup, salut_runner_now(sup->runner) + SLT_RUN_TICK_NS);
    }
}

void slt_run_unwatch(struct slt_run_sock *sock)
{
    if (sock->watched_at != NULL) {
        *sock->watched_at = sock->next_watched;
        if (sock->next_watched != NULL) {
            sock->next_watched->watched_at = sock->watched_at;
        }
        sock->watched_at = NULL;
    }
}

void slt_run_tick_soon(struct slt_supervisor *sup, int64_t at_ns)
{
    if (!sup->tick.armed || sup->tick.at_ns > at_ns) {
        salut_runner_set_timer(sup->runner, &sup->tick, at_ns);
    }
}

void slt_run_forget_name(struct slt_run_sock *sock)
{
    if (sock->name != NULL) {
        slt_run_name_drop(sock->name);
        free(sock->name);
        sock->name = NULL;
    }
}

void slt_run_close_doors(struct slt_run_sock *sock)
{
    while (sock->doors != NULL) {
        struct slt_run_door *door = sock->doors;
        sock->doors = door->next;
        slt_poller_drop(&sock->sup->poller, &door->polled);
        salut_runner_set_timer(sock->sup->runner, &door->retry, SLT_NEVER);
        if (door->held >= 0) {
            (void)close(door->held);
        }
        free(door);
    }
}

void slt_run_drop_held(struct slt_run_sock *sock)
{
    if (sock->held.bytes > 0) {
        slt_run_blocks_return(&sock->sup->blocks, &sock->held);
        sock->held.bytes = 0;
    }
}

void slt_run_sock_free(struct slt_run_sock *sock)
{
    struct slt_supervisor *sup = sock->sup;
    slt_run_sock_set_inode(sock, 0);
    if (sock->poked) {
        leave_poked(sock);
    }
    slt_run_unwatch(sock);
    for (struct slt_run_wait *wait = sock->waits; wait != NULL; wait = wait->next) {
        wait->sock = NULL; /* calls.c answers it when it looks next */
    }
    slt_run_drop_held(sock);
    slt_poller_drop(&sup->poller, &sock->end);
    slt_run_close_doors(sock);
    slt_run_forget_name(sock);
    sup->sock[sock->fd] = NULL;
    sup->sock_count--;
    free(sock);
}

struct slt_run_sock *slt_run_sock_at(const struct slt_supervisor *sup, uint64_t number)
{
    return number < sup->sock_slots ? sup->sock[number] : NULL;
}

struct slt_run_sock *slt_run_sock_of_inode(const struct slt_supervisor *sup, uint64_t inode)
{
    if (sup->by_inode == NULL) {
        return NULL;
    }
    struct slt_run_sock *sock = *bucket_of(sup, inode);
    while (sock != NULL && sock->inode != inode) {
        sock = sock->next_of_inode;
    }
    return sock;
}

void slt_run_poke(struct slt_run_sock *sock)
{
    if (!sock->poked && sock->waits != NULL) {
        sock->poked = true;
        sock->next_poked = sock->sup->poked;
        sock->sup->poked = sock;
        salut_runner_set_timer(sock->sup->runner, &sock->sup->again, 0);
    }
}

void slt_run_note(struct slt_supervisor *sup, const char *line)
{
    if (sup->note != NULL) {
        sup->note(sup->note_ctx, line);
    }
}

uint64_t slt_run_inode_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}
