/* Applications that lend memory instead of having it copied (salut_send_lend), and what they check
 * when it comes back: that it was out, is as it was, and comes once. Memory that is back is
 * overwritten and freed at once, so that a segment which still refers to it shows.
 *
 * Which connections lend follows from the seed and the connection's number, not from a draw, and
 * they lend no more than a send call would take: a run is what it would be without them.
 */
#include "lab/sim_world.h"

#include <stdlib.h>
#include <string.h>

#define LENDS_ONE_OF 8U

bool slt_sim_lends(const struct sim_world *w, const struct sim_end *e)
{
    uint64_t x = w->seed * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)(e - w->end) + 1;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (x >> 33) % LENDS_ONE_OF == 0 && w->host[e->host].config.loans_max > 0;
}

static uint32_t free_place(const struct sim_host *h)
{
    uint32_t i = 0;
    while (i < SIM_LOANS_MAX && h->loan[i].memory != NULL) {
        i++;
    }
    return i;
}

/* What a send call would take of `bytes` bytes; at least one. */
static uint32_t lendable(const struct sim_host *h, const struct sim_end *e, uint32_t bytes)
{
    struct salut_info info;
    if (salut_get_info(h->stack, e->conn, &info) != SALUT_OK ||
        info.send_queued >= info.send_buffer) {
        return 1;
    }
    return slt_min32(bytes, info.send_buffer - info.send_queued);
}

/* Lend the next *wanted bytes of what the end writes, or as many as there is room for, which
 * replaces *wanted; those are taken whole or not at all. */
enum salut_status slt_sim_lend(struct sim_world *w, struct sim_end *e, uint32_t *wanted,
                               unsigned flags)
{
    struct sim_host *h = &w->host[e->host];
    uint32_t place = free_place(h);
    uint32_t bytes = lendable(h, e, *wanted);
    if (place == SIM_LOANS_MAX) {
        return SALUT_NO_MEMORY;
    }
    flags &= ~(bytes < *wanted ? (unsigned)SALUT_SEND_URGENT : 0U);
    *wanted = bytes;
    struct sim_loan lent = {.memory = malloc(bytes), .bytes = bytes, .key = e->key};
    SLT_ASSERT(lent.memory != NULL);
    lent.at = e->written;
    slt_sim_pattern(lent.key, lent.at, lent.memory, bytes);
    const struct salut_loan loan = {.base = lent.memory, .bytes = bytes, .user = place};
    enum salut_status status = salut_send_lend(h->stack, e->conn, &loan, flags);
    if (status == SALUT_OK) {
        h->loan[place] = lent;
        slt_sim_fault(w, SLT_SIM_LEND);
    } else {
        memset(lent.memory, 0xdd, bytes);
        free(lent.memory);
    }
    return status;
}

static void give_up(struct sim_loan *loan)
{
    memset(loan->memory, 0xee, loan->bytes);
    free(loan->memory);
    loan->memory = NULL;
}

void slt_sim_take_back(struct sim_world *w, struct sim_host *h)
{
    struct salut_loan back;
    while (!slt_sim_failed(w) && salut_take_back(h->stack, &back)) {
        struct sim_loan *loan = back.user < SIM_LOANS_MAX ? &h->loan[back.user] : NULL;
        slt_sim_checked(w, 5);
        if (!loan || !loan->memory || back.base != loan->memory || back.bytes != loan->bytes) {
            slt_sim_fail(w, 49, "memory came back that was not lent, or twice");
            return;
        }
        if (!slt_sim_pattern_matches(loan->key, loan->at, loan->memory, loan->bytes)) {
            slt_sim_fail(w, 5, "memory that was lent was changed");
        }
        give_up(loan);
    }
}

/* The stack is about to be destroyed: all of it comes back, once it is told to. */
void slt_sim_lend_stop(struct sim_world *w, struct sim_host *h)
{
    if (!slt_sim_failed(w)) {
        salut_abort_all(h->stack);
        slt_sim_take_back(w, h);
    }
    for (uint32_t i = 0; i < SIM_LOANS_MAX; i++) {
        if (h->loan[i].memory != NULL) {
            give_up(&h->loan[i]);
            slt_sim_fail(w, 49, "memory that was lent did not come back with the last connection");
        }
    }
}
