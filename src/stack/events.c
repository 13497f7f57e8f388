/* Events: which connections, listeners and UDP sockets have something for the user.
 *
 * Level-triggered. An object stands in the queue of news from the moment (ready & interest) is not
 * zero; when it comes to the head it is asked again, told if that still holds, and moved to the
 * queue of the reported, which becomes news again when the next turn begins. So an object that
 * stays ready is told once per turn, and one that is not costs nothing.
 */
#include "stack/stack.h"

static bool next_listener(struct salut_stack *stack, struct salut_event *event)
{
    uint32_t index = slt_listen_next_news(stack);
    if (index == SLT_NIL) {
        return false;
    }
    const struct slt_listener *l = slt_listener_at(stack, index);
    *event = (struct salut_event){.conn = {SALUT_NO_INDEX, 0},
                                  .listener = {index, l->generation},
                                  .user = l->user,
                                  .ready = SALUT_ACCEPTABLE,
                                  .udp = {SALUT_NO_INDEX, 0}};
    return true;
}

static bool next_conn(struct salut_stack *stack, struct salut_event *event)
{
    struct slt_tcp_conn *c;
    while ((c = slt_queue_pop(stack, &stack->ready, SLT_LINK_READY)) != NULL) {
        if (slt_conns_let_go(stack, c)) {
            continue;
        }
        uint32_t ready = slt_tcp_ready(c, c->place.interest);
        if (ready == 0 || slt_tcp_has(c, SLT_CONN_ORPHAN)) {
            continue;
        }
        slt_queue_push(stack, &stack->reported, c, SLT_LINK_READY);
        slt_tcp_seen(c, ready);
        *event = (struct salut_event){.conn = {c->index, c->place.generation},
                                      .listener = {SALUT_NO_INDEX, 0},
                                      .user = c->place.of.user,
                                      .ready = ready,
                                      .udp = {SALUT_NO_INDEX, 0}};
        return true;
    }
    return false;
}

static bool next_udp(struct salut_stack *stack, struct salut_event *event)
{
    struct slt_udp_sock *s;
    while ((s = slt_udp_pop(&stack->udp, SLT_UDP_LIST_READY)) != NULL) {
        uint32_t ready = slt_udp_ready(s) & s->interest;
        if (ready == 0) {
            continue;
        }
        slt_udp_push(&stack->udp, SLT_UDP_LIST_REPORTED, s);
        *event = (struct salut_event){.conn = {SALUT_NO_INDEX, 0},
                                      .listener = {SALUT_NO_INDEX, 0},
                                      .user = s->user,
                                      .ready = ready,
                                      .udp = {s->index, s->generation}};
        return true;
    }
    return false;
}

bool salut_next_event(struct salut_stack *stack, struct salut_event *event)
{
    return next_listener(stack, event) || next_conn(stack, event) || next_udp(stack, event);
}
