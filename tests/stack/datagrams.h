/* Sending and receiving lines of text as datagrams. */
#ifndef TESTS_STACK_DATAGRAMS_H
#define TESTS_STACK_DATAGRAMS_H

#include "craft.h"
#include "wire/udp.h"

static inline salut_udp open_at(struct world *world, int end, const salut_addr *local,
                                uint16_t port, uint32_t flags)
{
    struct salut_udp_params params = {.port = port, .flags = flags, .user = port};
    salut_udp udp;
    if (local) {
        params.local = *local;
    }
    assert_int_equal(salut_udp_open(world->end[end], &params, &udp), SALUT_OK);
    return udp;
}

static inline salut_udp open_any(struct world *world, int end, uint16_t port)
{
    return open_at(world, end, NULL, port, 0);
}

static inline void send_text(struct world *world, int end, salut_udp udp, const salut_addr *to,
                             uint16_t port, const char *text)
{
    struct salut_udp_to where = {.port = port};
    if (to) {
        where.remote = *to;
    }
    assert_int_equal(salut_udp_send(world->end[end], udp, text, strlen(text), to ? &where : NULL),
                     SALUT_OK);
    world_settle(world);
}

static inline struct salut_udp_message expect_text(struct world *world, int end, salut_udp udp,
                                                   const char *text)
{
    struct salut_udp_message message;
    char got[256];
    assert_int_equal(salut_udp_recv(world->end[end], udp, got, sizeof(got), &message), SALUT_OK);
    assert_int_equal(message.bytes, strlen(text));
    assert_memory_equal(got, text, message.bytes);
    return message;
}

static inline void expect_nothing(struct world *world, int end, salut_udp udp)
{
    char got[8];
    assert_int_equal(salut_udp_recv(world->end[end], udp, got, sizeof(got), NULL),
                     SALUT_WOULD_BLOCK);
}

static inline void assert_addr(const salut_addr *a, const salut_addr *b)
{
    assert_memory_equal(a->b, b->b, sizeof(a->b));
}

#endif
