/* Initial sequence numbers (RFC 6528; RFC 9293 3.4.1, MUST-8, MUST-9, SHLD-1) and timestamp
 * offsets: a clock plus a keyed hash of the tuple.
 *
 * ISN = M + F(tuple, key), M ticking every 4.096 us (the RFC's 4 us clock: one turn of the 32 bits
 * takes 4.9 hours), F being SipHash-2-4 under a key drawn from the instance's seed. Nobody outside
 * can compute F; two numbers of one tuple tell how much time lies between them and nothing else.
 */
#include "tcp/engine.h"

#define ISN_CLOCK_SHIFT 12 /* 4096 ns per tick */

static uint32_t keyed(const struct slt_sipkey *key, const struct slt_tcp_id *id)
{
    uint8_t message[SLT_TCP_ID_MESSAGE_MAX];
    size_t bytes = slt_tcp_id_message(id, message);

    return (uint32_t)slt_siphash24(key, message, bytes);
}

uint32_t slt_tcp_isn(struct slt_tcp *tcp, const struct slt_tcp_id *id, int64_t now_ns)
{
    if (tcp->isn_fixed) {
        return tcp->isn_next;
    }
    return keyed(&tcp->isn_key, id) + (uint32_t)((uint64_t)now_ns >> ISN_CLOCK_SHIFT);
}

uint32_t slt_tcp_ts_offset(const struct slt_tcp *tcp, const struct slt_tcp_id *id)
{
    return keyed(&tcp->ts_key, id);
}
