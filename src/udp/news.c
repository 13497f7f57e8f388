/* Lists of sockets, readiness, and what the network says.
 *
 * The lists are doubly linked, so that a socket leaves whichever it stands in when it is closed and
 * nothing dead is ever met. Pushing one that stands in the list already changes nothing.
 */
#include "udp/udp.h"

static struct slt_udp_link *link_of(struct slt_udp_sock *s, enum slt_udp_list_id list)
{
    return &s->links[list == SLT_UDP_LIST_REPORTED ? SLT_UDP_LIST_READY : list];
}

bool slt_udp_is_listed(const struct slt_udp_sock *s, enum slt_udp_list_id list)
{
    uint32_t link = list == SLT_UDP_LIST_REPORTED ? SLT_UDP_LIST_READY : (uint32_t)list;
    return s->links[link].list == (uint32_t)list;
}

void slt_udp_push(struct slt_udp *udp, enum slt_udp_list_id list, struct slt_udp_sock *s)
{
    struct slt_udp_link *link = link_of(s, list);
    struct slt_udp_list *l = &udp->lists[list];
    if (link->list == (uint32_t)list) {
        return;
    }
    SLT_ASSERT(link->list == SLT_UDP_LIST_COUNT);
    *link = (struct slt_udp_link){.before = l->tail, .after = SLT_NIL, .list = list};
    if (l->tail == SLT_NIL) {
        l->head = s->index;
    } else {
        link_of(slt_udp_at(udp, l->tail), list)->after = s->index;
    }
    l->tail = s->index;
    l->count++;
}

void slt_udp_unlist(struct slt_udp *udp, struct slt_udp_sock *s, enum slt_udp_list_id list)
{
    struct slt_udp_link *link = link_of(s, list);
    struct slt_udp_list *l = &udp->lists[list];
    if (link->list != (uint32_t)list) {
        return;
    }
    if (link->before == SLT_NIL) {
        l->head = link->after;
    } else {
        link_of(slt_udp_at(udp, link->before), list)->after = link->after;
    }
    if (link->after == SLT_NIL) {
        l->tail = link->before;
    } else {
        link_of(slt_udp_at(udp, link->after), list)->before = link->before;
    }
    link->list = SLT_UDP_LIST_COUNT;
    l->count--;
}

struct slt_udp_sock *slt_udp_pop(struct slt_udp *udp, enum slt_udp_list_id list)
{
    if (udp->lists[list].head == SLT_NIL) {
        return NULL;
    }
    struct slt_udp_sock *s = slt_udp_at(udp, udp->lists[list].head);
    slt_udp_unlist(udp, s, list);
    return s;
}

/* ---- readiness ------------------------------------------------------------------------------ */

uint32_t slt_udp_ready(const struct slt_udp_sock *s)
{
    uint32_t ready = 0;
    bool complains = s->error != SALUT_OK;
    if (s->in.count > 0 || complains) {
        ready |= SALUT_READABLE;
    }
    if (s->out.chain.bytes + s->held.chain.bytes < s->send_max || complains) {
        ready |= SALUT_WRITABLE;
    }
    return ready | (s->advice != SALUT_OK ? (uint32_t)SALUT_ADVICE : 0U);
}

void slt_udp_news(struct slt_udp *udp, struct slt_udp_sock *s)
{
    if (slt_udp_has(s, SLT_UDP_ORPHAN) || slt_udp_is_listed(s, SLT_UDP_LIST_REPORTED)) {
        return;
    }
    if ((slt_udp_ready(s) & s->interest) != 0) {
        slt_udp_push(udp, SLT_UDP_LIST_READY, s);
    }
}

void slt_udp_turn(struct slt_udp *udp)
{
    struct slt_udp_sock *s;
    while ((s = slt_udp_pop(udp, SLT_UDP_LIST_REPORTED)) != NULL) {
        slt_udp_push(udp, SLT_UDP_LIST_READY, s);
    }
}

/* ---- errors --------------------------------------------------------------------------------- */

/* RFC 1122 4.1.3.3: what the network says is passed on. An error that a call reports must be about
 * what this user sent to this peer, or one strayed packet would fail somebody else's call: without
 * a peer there is advice only. */
void slt_udp_complain(struct slt_udp *udp, struct slt_udp_sock *s, enum salut_status status,
                      bool hard)
{
    SLT_ASSERT(status != SALUT_OK);
    s->advice = (uint8_t)status;
    if (hard && slt_udp_has(s, SLT_UDP_CONNECTED)) {
        s->error = (uint8_t)status;
    }
    slt_udp_news(udp, s);
}

enum salut_status slt_udp_take_error(struct slt_udp_sock *s)
{
    enum salut_status error = (enum salut_status)s->error;
    if (error != SALUT_OK && s->advice == s->error) {
        s->advice = SALUT_OK;
    }
    s->error = SALUT_OK;
    return error;
}
