/* Initial sequence numbers (RFC 6528; RFC 9293 3.4.1, MUST-8, MUST-9, SHLD-1) and timestamp
 * offsets: a clock plus a keyed hash of the tuple.
 *
 * ISN = M + F(tuple, key), M ticking every 4.096 us (the RFC's 4 us clock: one turn of the 32 bits
 * takes 4.9 hours), F being half of SipHash-2-4 under a key drawn from the instance's seed; the
 * other half is the timestamps' offset, and says nothing about the first. Nobody outside can
 * compute F; two numbers of one tuple tell how much time lies between them and nothing else.
 *
 * A handshake asks for both, now and again a batch of segments later, so the hashes of the last
 * tuples are remembered, at a place that the ports name. The key never changes, and with it what
 * was remembered never becomes wrong.
 */
#include "tcp/engine.h"

#define ISN_CLOCK_SHIFT 12 /* 4096 ns per tick */

static uint32_t place_of(const struct slt_tcp_id *id)
{
    return ((uint32_t)id->local_port + id->remote_port) % SLT_TCP_KEYED_COUNT;
}

static bool is_remembered(const struct slt_tcp_keyed *keyed, const struct slt_tcp_id *id)
{
    return keyed->known && memcmp(&keyed->id, id, sizeof(*id)) == 0;
}

void slt_tcp_isn_foresee(struct slt_tcp *tcp, const struct slt_tcp_id *id)
{
    uint64_t hash = slt_tcp_id_hash24(&tcp->isn_key, id);

    tcp->keyed[place_of(id)] = (struct slt_tcp_keyed){.id = *id, .hash = hash, .known = true};
}

uint32_t slt_tcp_isn(struct slt_tcp *tcp, const struct slt_tcp_id *id, int64_t now_ns)
{
    const struct slt_tcp_keyed *keyed = &tcp->keyed[place_of(id)];

    if (tcp->isn_fixed) {
        return tcp->isn_next;
    }
    if (!is_remembered(keyed, id)) {
        slt_tcp_isn_foresee(tcp, id);
    }
    return (uint32_t)keyed->hash + (uint32_t)((uint64_t)now_ns >> ISN_CLOCK_SHIFT);
}

uint32_t slt_tcp_ts_offset(const struct slt_tcp *tcp, const struct slt_tcp_id *id)
{
    const struct slt_tcp_keyed *keyed = &tcp->keyed[place_of(id)];
    uint64_t hash = is_remembered(keyed, id) ? keyed->hash : slt_tcp_id_hash24(&tcp->isn_key, id);

    return (uint32_t)(hash >> 32);
}
