/* SACK blocks: what the next acknowledgement says about what is held (RFC 2018 4; RFC 2883 4).
 *
 * A duplicate comes first, with the run it belongs to behind it; then the runs that grew last, in
 * that order, as far as they fit. receive.c keeps the runs and remembers which grew.
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

/* Add the run that holds `pos`, if there is one and it is not listed yet. */
static uint32_t add_run(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, int64_t pos,
                        struct slt_tcp_sack_block *out, uint32_t from, uint32_t count)
{
    const struct slt_tcp_held *held = &c->cold->held;
    uint32_t index = slt_ranges_floor(&held->runs, &tcp->ranges, pos);

    if (index == SLT_NIL) {
        return count;
    }
    const struct slt_range *run = slt_pool_at(&tcp->ranges, index);
    uint32_t left = slt_tcp_wrap(run->start, c->rcv.isn);
    if (pos >= run->end || listed(out, from, count, left)) {
        return count;
    }
    out[count] = (struct slt_tcp_sack_block){left, slt_tcp_wrap(run->end, c->rcv.isn)};
    return count + 1;
}

/* The SACK blocks of the next segment: a duplicate first (RFC 2883 4; with the run it belongs to
 * behind it, R2883-03), then the runs that grew last. */
uint32_t slt_tcp_sack_blocks(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             struct slt_tcp_sack_block *out, uint32_t max)
{
    const struct slt_tcp_held *held = &c->cold->held;
    uint32_t count = 0;

    if (held->dup_start != held->dup_end) {
        out[count++] = (struct slt_tcp_sack_block){slt_tcp_wrap(held->dup_start, c->rcv.isn),
                                                   slt_tcp_wrap(held->dup_end, c->rcv.isn)};
    }
    if (held->runs.count == 0) {
        return count;
    }
    uint32_t from = count;
    if (from > 0) {
        count = add_run(tcp, c, held->dup_start, out, from, count);
    }
    for (int i = 0; i < RECENT_COUNT && count < max; i++) {
        if (held->recent[i] >= c->rcv.nxt) {
            count = add_run(tcp, c, held->recent[i], out, from, count);
        }
    }
    return count;
}
