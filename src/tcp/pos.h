/* Stream positions: 64 bits inside, 32 on the wire.
 *
 * Offset 0 is the SYN, 1 the first byte. A wire number is unwrapped once, when a segment comes in,
 * to the position nearest to one we know (within 2^31), and wrapped once, when a segment is built
 * (RFC 9293 3.4, U-03). Everywhere else `<` means what it says. The same arithmetic stores a
 * position in 32 bits where a nearer one is always at hand.
 */
#ifndef SLT_TCP_POS_H
#define SLT_TCP_POS_H

#include <stdint.h>

/* The position nearest to `near_pos` whose low 32 bits are `low`. */
static inline int64_t slt_pos_expand(int64_t near_pos, uint32_t low)
{
    uint32_t ahead = low - (uint32_t)near_pos;
    return ahead < UINT32_C(0x80000000) ? near_pos + (int64_t)ahead
                                        : near_pos - (int64_t)(uint32_t)(0U - ahead);
}

/* Unwrap a sequence number of a stream that began at `isn`. */
static inline int64_t slt_tcp_unwrap(int64_t near_pos, uint32_t isn, uint32_t seq)
{
    return slt_pos_expand(near_pos, seq - isn);
}

/* Wrap a position into a sequence number. */
static inline uint32_t slt_tcp_wrap(int64_t pos, uint32_t isn)
{
    return isn + (uint32_t)pos;
}

#endif
