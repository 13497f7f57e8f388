/* Was that really sent? The last datagrams that were large enough to be too large for some path.
 *
 * A message that a packet was too big lowers the path MTU of everything that goes to the host it
 * names, TCP included, and UDP has no sequence numbers by which to tell a true one from a forged
 * one. So who sends a packet above the smallest MTU that is ever believed leaves a note: the hash
 * of its tuple, under a key that nobody outside knows, and its length. A message is believed when
 * such a note is there and the packet was larger than what is asked for. The table is small, and a
 * note may be written over by another: then the message that the next packet brings about is
 * believed.
 *
 * RFC 8201 4 and 6, RFC 5927 7.2, RFC 8085 3.2 and 5.2.
 */
#include "udp/udp.h"

void slt_udp_note_large(struct slt_udp *udp, const struct slt_udp_id *id, uint32_t bytes)
{
    uint32_t hash = slt_udp_hash(udp, id);
    struct slt_udp_large *note = &udp->large[hash % SLT_UDP_LARGE_COUNT];
    bool same = note->hash == hash && note->bytes > bytes;
    *note = (struct slt_udp_large){.hash = hash, .bytes = same ? note->bytes : bytes};
}

bool slt_udp_sent_large(const struct slt_udp *udp, const struct slt_udp_id *id, uint32_t bytes)
{
    uint32_t hash = slt_udp_hash(udp, id);
    const struct slt_udp_large *note = &udp->large[hash % SLT_UDP_LARGE_COUNT];
    return note->hash == hash && note->bytes > bytes;
}
