/* Replies: what is sent without a connection (resets, acknowledgements from TIME-WAIT, SYN,ACKs of
 * half-open entries, ICMP, ARP and neighbour discovery), kept until the next salut_output.
 *
 * A pool of fixed size and two queues: ready to leave, and waiting for a neighbour's link address.
 * Waiting ones go back to the end of the ready queue when any neighbour has answered or failed;
 * there are few of them. When the pool is empty a reply is not made: every one of them is
 * something its peer asks for again, or that a timer repeats, and the count says how often.
 */
#include "stack/stack.h"

#include "ip/addr.h"

#include <string.h>

#define REPLIES_MIN 16U
#define REPLIES_MAX 1024U

uint32_t slt_reply_max(const struct salut_config *config)
{
    return slt_min32(slt_max32(config->half_open_max / 4, REPLIES_MIN), REPLIES_MAX);
}

bool slt_reply_init(struct salut_stack *stack)
{
    slt_queue_init(&stack->replies.ready);
    slt_queue_init(&stack->replies.waiting);
    return slt_pool_init(&stack->replies.pool, &stack->mem, SLT_OWNER_STACK,
                         (uint32_t)sizeof(struct slt_reply), slt_reply_max(&stack->config));
}

static void push(struct salut_stack *stack, struct slt_conn_queue *queue, uint32_t index)
{
    slt_reply_at(stack, index)->next = SLT_NIL;
    if (queue->head == SLT_NIL) {
        queue->head = index;
    } else {
        slt_reply_at(stack, queue->tail)->next = index;
    }
    queue->tail = index;
    queue->count++;
}

static struct slt_reply *take(struct salut_stack *stack, enum slt_reply_kind kind)
{
    uint32_t index = slt_pool_take(&stack->replies.pool);
    if (index == SLT_NIL) {
        return NULL;
    }
    struct slt_reply *reply = slt_reply_at(stack, index);
    slt_chain_init(&reply->body);
    reply->byte_count = 0;
    reply->kind = (uint8_t)kind;
    reply->dscp = 0;
    reply->ttl = 0;
    push(stack, &stack->replies.ready, index);
    return reply;
}

void slt_reply_tcp(struct salut_stack *stack, const struct slt_tcp_reply *tcp,
                   const struct slt_tcp_opts *opts)
{
    struct slt_reply *reply = take(stack, SLT_REPLY_TCP);
    if (!reply) {
        slt_stack_note(stack, SLT_NOTE_REPLY_FULL);
        return;
    }
    reply->of.tcp = *tcp;
    if (opts) {
        reply->dscp = opts->dscp;
        reply->ttl = opts->ttl;
    }
}

/* What of `part` lies behind the reply's own first bytes goes to buffers. */
static bool append_rest(struct salut_stack *stack, struct slt_chain *body, struct slt_span rest)
{
    return rest.bytes == 0 ||
           slt_chain_append(body, &stack->tcp.bufs, rest.data, rest.bytes) == rest.bytes;
}

bool slt_reply_parts(struct salut_stack *stack, enum slt_reply_kind kind,
                     const struct slt_span parts[3], const uint8_t dst[16])
{
    SLT_ASSERT(kind != SLT_REPLY_TCP);
    struct slt_reply *reply = take(stack, kind);
    if (!reply) {
        slt_stack_note(stack, SLT_NOTE_ICMP_LIMITED);
        return false;
    }
    slt_ip_addr_copy(reply->hop, dst);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t room = SLT_REPLY_BYTES_MAX - reply->byte_count;
        uint32_t here = slt_min32(room, parts[i].bytes);
        if (here > 0) {
            memcpy(reply->of.bytes + reply->byte_count, parts[i].data, here);
            reply->byte_count = (uint16_t)(reply->byte_count + here);
        }
        struct slt_span rest = {parts[i].data ? parts[i].data + here : NULL, parts[i].bytes - here};
        if (!append_rest(stack, &reply->body, rest)) {
            /* Without its end it is nothing: it leaves as an empty reply, which is freed. */
            slt_chain_clear(&reply->body, &stack->tcp.bufs);
            reply->byte_count = 0;
            slt_stack_note(stack, SLT_NOTE_ICMP_LIMITED);
            return false;
        }
    }
    return true;
}

bool slt_reply_room(const struct salut_stack *stack)
{
    const struct slt_pool *pool = &stack->replies.pool;
    return pool->used_objects < pool->max_objects;
}

uint32_t slt_reply_pop(struct salut_stack *stack)
{
    struct slt_conn_queue *ready = &stack->replies.ready;
    uint32_t index = ready->head;
    if (index != SLT_NIL) {
        ready->head = slt_reply_at(stack, index)->next;
        ready->tail = ready->head == SLT_NIL ? SLT_NIL : ready->tail;
        ready->count--;
    }
    return index;
}

void slt_reply_unpop(struct salut_stack *stack, uint32_t index)
{
    struct slt_conn_queue *ready = &stack->replies.ready;
    slt_reply_at(stack, index)->next = ready->head;
    ready->tail = ready->head == SLT_NIL ? index : ready->tail;
    ready->head = index;
    ready->count++;
}

/* At most half of the pool waits, so that the question that would release it finds room; the oldest
 * makes way. */
void slt_reply_wait(struct salut_stack *stack, uint32_t index)
{
    struct slt_conn_queue *waiting = &stack->replies.waiting;
    uint32_t oldest = waiting->head;
    if (waiting->count >= stack->replies.pool.max_objects / 2 && oldest != SLT_NIL) {
        waiting->head = slt_reply_at(stack, oldest)->next;
        waiting->tail = waiting->head == SLT_NIL ? SLT_NIL : waiting->tail;
        waiting->count--;
        slt_stack_note(stack, SLT_NOTE_REPLY_FULL);
        slt_reply_free(stack, oldest);
    }
    push(stack, &stack->replies.waiting, index);
}

void slt_reply_wake(struct salut_stack *stack)
{
    struct slt_conn_queue *waiting = &stack->replies.waiting;
    uint32_t index = waiting->head;
    slt_queue_init(waiting);
    while (index != SLT_NIL) {
        uint32_t next = slt_reply_at(stack, index)->next;
        push(stack, &stack->replies.ready, index);
        index = next;
    }
}

void slt_reply_free(struct salut_stack *stack, uint32_t index)
{
    struct slt_reply *reply = slt_reply_at(stack, index);
    slt_chain_clear(&reply->body, &stack->tcp.bufs);
    slt_pool_give(&stack->replies.pool, index);
}
