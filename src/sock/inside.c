/* See inside.h. */
#include "sock/inside.h"

#include "stack/stack.h"

const struct slt_telemetry *slt_inside_telemetry(const struct salut_stack *stack)
{
    return stack->telemetry;
}

int64_t slt_inside_now(const struct salut_stack *stack)
{
    return stack->now_ns;
}

enum salut_status slt_inside_waiting(const struct salut_stack *stack, salut_listener listener,
                                     uint32_t *waiting)
{
    const struct slt_pool *pool = &stack->listen.pool;
    if (listener.index >= pool->fresh) {
        return SALUT_STALE;
    }
    const struct slt_listener *l = slt_pool_at(pool, listener.index);
    if (l->generation != listener.generation || l->generation % 2 == 0) {
        return SALUT_STALE;
    }
    *waiting = l->queue_count;
    return SALUT_OK;
}

bool slt_inside_owns(const struct salut_stack *stack, const struct slt_tcp_id *id)
{
    return slt_demux_has(stack, slt_demux_hash(stack, id), id);
}
