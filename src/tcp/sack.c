/* SACK blocks: what the next acknowledgement says about what is held (RFC 2018 4; RFC 2883 4).
 *
 * A duplicate comes first, with the run it belongs to behind it; then the runs that grew last, in
 * that order, as far as they fit. receive.c keeps the runs and remembers which grew.
 *
 * A FIN above a gap has a number like any octet, and is told of like one: it lengthens the run that
 * ends before it, or is a block of its own. A sender that lost its last octets and not its FIN
 * learns of it at once, and not by a timeout.
 */
#include "tcp/engine.h"

#define RECENT_COUNT 4

static bool listed(const struct slt_tcp_sack_block *out, uint32_t from, uint32_t count,
                   uint32_t left)
{
    for (uint32_t i = from; i < count; i++) {
        if (out[i].left == left) {
            return true;
        }
    }
    return false;
}

/* The position of a FIN that is held above a gap; -1: none is. */
static int64_t held_fin(const struct slt_tcp_conn *c)
{
    return slt_tcp_holds_fin(c) ? slt_pos_expand(c->rcv.nxt, c->rcv.fin_low) : -1;
}

/* What is held around `pos`: a run, a run and the FIN, or the FIN. False: nothing is. */
static bool find_run(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t pos,
                     int64_t *start, int64_t *end)
{
    int64_t fin = held_fin(c);
    uint32_t index = SLT_NIL;

    if (c->cold != NULL && c->cold->held.runs.count > 0) {
        index = slt_ranges_floor(&c->cold->held.runs, &tcp->ranges, pos);
    }
    *start = fin;
    *end = fin;
    if (index != SLT_NIL) {
        const struct slt_range *run = slt_pool_at(&tcp->ranges, index);
        if (pos < run->end || run->end == fin) {
            *start = run->start;
            *end = run->end;
        }
    }
    if (fin >= 0 && *end == fin) {
        *end = fin + 1;
    }
    return *start <= pos && pos < *end;
}

/* Add what is held around `pos`, if something is and it is not listed yet. */
static uint32_t add_run(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t pos,
                        struct slt_tcp_sack_block *out, uint32_t from, uint32_t count)
{
    int64_t start;
    int64_t end;

    if (!find_run(tcp, c, pos, &start, &end)) {
        return count;
    }
    uint32_t left = slt_tcp_wrap(start, c->rcv.isn);
    if (listed(out, from, count, left)) {
        return count;
    }
    out[count] = (struct slt_tcp_sack_block){left, slt_tcp_wrap(end, c->rcv.isn)};
    return count + 1;
}

/* A position in each of the runs that grew last, newest first, and the FIN. */
static uint32_t list_places(const struct slt_tcp_conn *c, int64_t *places)
{
    uint32_t count = 0;

    for (int i = 0; i < RECENT_COUNT && c->cold != NULL; i++) {
        if (c->cold->held.recent[i] >= c->rcv.nxt) {
            places[count++] = c->cold->held.recent[i];
        }
    }
    if (slt_tcp_holds_fin(c)) {
        places[count++] = held_fin(c);
    }
    return count;
}

/* The SACK blocks of the next segment: a duplicate first (RFC 2883 4; with the run it belongs to
 * behind it, R2883-03), then the runs that grew last. */
uint32_t slt_tcp_sack_blocks(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             struct slt_tcp_sack_block *out, uint32_t max)
{
    const struct slt_tcp_held *held = c->cold != NULL ? &c->cold->held : NULL;
    int64_t places[RECENT_COUNT + 1];
    uint32_t place_count = list_places(c, places);
    uint32_t count = 0;
    uint32_t from = 0;

    if (held != NULL && held->dup_start != held->dup_end) {
        out[count++] = (struct slt_tcp_sack_block){slt_tcp_wrap(held->dup_start, c->rcv.isn),
                                                   slt_tcp_wrap(held->dup_end, c->rcv.isn)};
        from = 1;
        count = add_run(tcp, c, held->dup_start, out, from, count);
    }
    for (uint32_t i = 0; i < place_count && count < max; i++) {
        count = add_run(tcp, c, places[i], out, from, count);
    }
    return count;
}
