/* UDP's engine alone: sockets and queues, with memory from malloc and no network.
 */
#ifndef TESTS_UDP_ENGINE_H
#define TESTS_UDP_ENGINE_H

#include "udp/udp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct engine {
    struct slt_mem mem;
    struct slt_pool bufs;
    struct slt_udp udp;
};

static inline void *engine_alloc(void *ctx, size_t bytes)
{
    (void)ctx;
    return malloc(bytes);
}

static inline void engine_free(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

static inline struct engine *engine_new(uint32_t buffers, uint32_t buffer_bytes)
{
    struct engine *e = calloc(1, sizeof(*e));
    struct salut_config config = {.udp_max = 64,
                                  .buffers_max = 2 * buffers,
                                  .buffer_bytes = buffer_bytes,
                                  .udp_send_buffer_bytes = 20000,
                                  .udp_recv_buffer_bytes = 20000};
    slt_mem_init_growing(&e->mem, engine_alloc, engine_free, NULL);
    assert_true(slt_pool_init(&e->bufs, &e->mem, SLT_OWNER_BUFFER,
                              (uint32_t)sizeof(struct slt_buf) + buffer_bytes, buffers));
    assert_true(slt_udp_init(&e->udp, &e->mem, &e->bufs, &config, (struct slt_sipkey){1, 2}));
    return e;
}

static inline void engine_delete(struct engine *e)
{
    assert_null(slt_udp_check(&e->udp, false));
    slt_udp_deinit(&e->udp);
    slt_pool_deinit(&e->bufs);
    for (uint32_t owner = 0; owner < SLT_OWNER_COUNT; owner++) {
        assert_int_equal(e->mem.ledger.bytes[owner], 0);
        assert_int_equal(e->mem.ledger.objects[owner], 0);
    }
    free(e);
}

/* 10.0.0.host, or fd00::host; host 0: any. */
static inline void engine_address(uint8_t out[16], bool v4, uint8_t host)
{
    memset(out, 0, 16);
    if (v4) {
        const uint8_t bytes[4] = {host ? 10 : 0, 0, 0, host};
        slt_address_set_v4(out, bytes);
    } else if (host) {
        out[0] = 0xfd;
        out[15] = host;
    }
}

static inline struct slt_udp_id engine_id(bool v4, uint8_t host, uint16_t port)
{
    struct slt_udp_id id = {.local_port = port};
    engine_address(id.local, v4, host);
    return id;
}

static inline struct slt_udp_sock *engine_open(struct engine *e, const struct slt_udp_id *id,
                                               uint32_t marks)
{
    assert_true(slt_udp_is_free(&e->udp, id, marks));
    uint32_t index = slt_udp_new(&e->udp, id, marks);
    assert_true(index != SLT_NIL);
    return slt_udp_at(&e->udp, index);
}

#endif
