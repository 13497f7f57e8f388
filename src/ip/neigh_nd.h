/* Neighbour solicitations and advertisements: what they do to the cache, and those we send.
 *
 * RFC 4861 7.2; validity was checked by wire/ndp.h.
 */
#ifndef SLT_IP_NEIGH_ND_H
#define SLT_IP_NEIGH_ND_H

#include "ip/input.h"
#include "ip/neigh.h"
#include "wire/ndp.h"

/* A message as it came. */
struct slt_neigh_nd {
    const struct slt_ndp *ndp;
    const struct slt_ip_packet *packet;
    const uint8_t *link_src; /* the station the frame came from */
    int64_t now_ns;
};

/* Read neighbour discovery out of an ICMPv6 message that passed slt_icmp6_parse. */
SLT_MUST_USE enum slt_reason slt_neigh_read_nd(const struct slt_icmp6 *icmp,
                                               const struct slt_ip_packet *packet,
                                               struct slt_ndp *out);

struct slt_neigh_nd_result {
    struct slt_neigh_reply reply;
    bool duplicate;   /* `target`, under test here, is another's (R4862-02): ip/dad.h decides */
    bool router_gone; /* the sender is a router no more (R4861-04): drop its default routes */
    uint8_t target[16];
};

/* Take a neighbour solicitation or advertisement. SLT_PASS, SLT_DROP_ND_INVALID,
 * SLT_DROP_ND_NOT_FOR_US, SLT_NOTE_ARP_CONFLICT (somebody advertises an address of ours). */
enum slt_reason slt_neigh_input_nd(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                   const struct slt_neigh_nd *in, struct slt_neigh_nd_result *out);

/* Write a whole frame. Bytes written, 0 if no room. */
uint32_t slt_neigh_emit_solicitation(const struct slt_ip_iface *iface,
                                     const struct slt_neigh_solicit *ask, struct slt_writer *w);
uint32_t slt_neigh_emit_advertisement(const struct slt_ip_iface *iface,
                                      const struct slt_neigh_reply *reply, struct slt_writer *w);

#endif
