/* Queues of connections: dirty, parked, ready, reported, threaded through the objects themselves.
 *
 * A link that holds the object's own index says "in no queue"; SLT_NIL says "the last of one". So
 * membership is one comparison, and an object needs 4 bytes for each of the two kinds of queue it
 * may stand in. Leaving a queue is possible at its head only.
 */
#include "stack/stack.h"

static uint32_t *link_in(struct slt_tcp_conn *c, enum slt_queue_link link)
{
    return link == SLT_LINK_DIRTY ? &c->place.dirty_next : &c->place.ready_next;
}

static uint32_t *link_of(const struct salut_stack *stack, uint32_t index, enum slt_queue_link link)
{
    return link_in(slt_tcp_conn_at(&stack->tcp, index), link);
}

void slt_queue_init(struct slt_conn_queue *queue)
{
    *queue = (struct slt_conn_queue){.head = SLT_NIL, .tail = SLT_NIL};
}

void slt_queue_free_links(struct slt_tcp_place *place, uint32_t index)
{
    place->dirty_next = index;
    place->ready_next = index;
}

void slt_queue_push(struct salut_stack *stack, struct slt_conn_queue *queue, struct slt_tcp_conn *c,
                    enum slt_queue_link link)
{
    uint32_t *own = link_in(c, link);
    SLT_ASSERT(*own == c->index);
    *own = SLT_NIL;
    if (queue->head == SLT_NIL) {
        queue->head = c->index;
    } else {
        *link_of(stack, queue->tail, link) = c->index;
    }
    queue->tail = c->index;
    queue->count++;
}

struct slt_tcp_conn *slt_queue_pop(struct salut_stack *stack, struct slt_conn_queue *queue,
                                   enum slt_queue_link link)
{
    if (queue->head == SLT_NIL) {
        return NULL;
    }
    SLT_ASSERT(queue->count > 0);
    struct slt_tcp_conn *c = slt_tcp_conn_at(&stack->tcp, queue->head);
    uint32_t *own = link_in(c, link);
    queue->head = *own;
    *own = c->index;
    queue->count--;
    if (queue->head == SLT_NIL) {
        queue->tail = SLT_NIL;
        SLT_ASSERT(queue->count == 0);
    }
    return c;
}

void slt_queue_join(struct salut_stack *stack, struct slt_conn_queue *to,
                    struct slt_conn_queue *from, enum slt_queue_link link)
{
    if (from->head == SLT_NIL) {
        return;
    }
    if (to->head == SLT_NIL) {
        to->head = from->head;
    } else {
        *link_of(stack, to->tail, link) = from->head;
    }
    to->tail = from->tail;
    to->count += from->count;
    slt_queue_init(from);
}

uint32_t slt_queue_next(const struct salut_stack *stack, uint32_t index, enum slt_queue_link link)
{
    return *link_of(stack, index, link);
}
