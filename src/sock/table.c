/* The descriptor table: numbers to objects, the lowest free number first, as POSIX wants it.
 *
 * The table grows by doubling up to its limit; objects are allocated one by one, so that pointers
 * to them stay valid while it grows.
 */
#include "sock/sock.h"

#include "sock/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_AT_FIRST  64U
#define SOCKETS_DEFAULT 65536U

enum salut_status salut_socks_create(const struct salut_socks_params *params,
                                     struct salut_socks **socks)
{
    if (params == NULL || socks == NULL || params->stack == NULL || params->first_fd < 0 ||
        (params->alloc == NULL) != (params->free == NULL)) {
        return SALUT_INVALID;
    }
    struct salut_socks made = {
        .stack = params->stack,
        .sockets_max = params->sockets_max == 0 ? SOCKETS_DEFAULT : params->sockets_max,
        .first_fd = params->first_fd,
        .alloc = params->alloc == NULL ? slt_heap_take : params->alloc,
        .free = params->free == NULL ? slt_heap_give : params->free,
        .alloc_ctx = params->alloc_ctx,
    };
    if (made.sockets_max > (uint32_t)(INT32_MAX - params->first_fd)) {
        return SALUT_INVALID;
    }
    if (params->config != NULL) {
        made.defaults = *params->config;
    } else {
        salut_config_init(&made.defaults, SALUT_PROFILE_LINUX);
    }
    struct salut_socks *s = made.alloc(made.alloc_ctx, sizeof(*s));
    if (s == NULL) {
        return SALUT_NO_MEMORY;
    }
    *s = made;
    *socks = s;
    return SALUT_OK;
}

struct slt_sock *slt_sock_at(const struct salut_socks *socks, int fd)
{
    if (fd < socks->first_fd || (uint32_t)(fd - socks->first_fd) >= socks->slot_count) {
        return NULL;
    }
    return socks->slots[fd - socks->first_fd];
}

int slt_sock_find(const struct salut_socks *socks, int fd, struct slt_sock **sock)
{
    *sock = slt_sock_at(socks, fd);
    if (*sock == NULL) {
        return -EBADF;
    }
    return (*sock)->kind == SLT_SOCK_EPOLL ? -ENOTSOCK : 0;
}

static int grow(struct salut_socks *socks)
{
    uint32_t count = socks->slot_count == 0 ? SLOTS_AT_FIRST : socks->slot_count * 2;
    count = slt_min32(count, socks->sockets_max);
    if (count <= socks->slot_count) {
        return -EMFILE;
    }
    struct slt_sock **slots = socks->alloc(socks->alloc_ctx, count * sizeof(struct slt_sock *));
    if (slots == NULL) {
        return -ENOMEM;
    }
    memset(slots, 0, count * sizeof(struct slt_sock *));
    if (socks->slots != NULL) {
        size_t bytes = socks->slot_count * sizeof(struct slt_sock *);
        memcpy(slots, socks->slots, bytes);
        socks->free(socks->alloc_ctx, socks->slots, bytes);
    }
    socks->slots = slots;
    socks->slot_count = count;
    return 0;
}

int slt_sock_new(struct salut_socks *socks, enum slt_sock_kind kind, struct slt_sock **sock)
{
    uint32_t at = socks->lowest_free;
    while (at < socks->slot_count && socks->slots[at] != NULL) {
        at++;
    }
    socks->lowest_free = at;
    int grown = at < socks->slot_count ? 0 : grow(socks);
    if (grown < 0) {
        return grown;
    }
    struct slt_sock *s = socks->alloc(socks->alloc_ctx, sizeof(*s));
    if (s == NULL) {
        return -ENOMEM;
    }
    memset(s, 0, sizeof(*s));
    s->kind = (uint8_t)kind;
    s->serial = ++socks->serial;
    s->oob_read_pos = SLT_SOCK_NO_POS;
    socks->slots[at] = s;
    socks->lowest_free = at + 1;
    *sock = s;
    return socks->first_fd + (int)at;
}

void slt_sock_drop(struct salut_socks *socks, int fd)
{
    uint32_t at = (uint32_t)(fd - socks->first_fd);
    SLT_ASSERT(at < socks->slot_count && socks->slots[at] != NULL);
    socks->free(socks->alloc_ctx, socks->slots[at], sizeof(struct slt_sock));
    socks->slots[at] = NULL;
    socks->lowest_free = slt_min32(socks->lowest_free, at);
}
