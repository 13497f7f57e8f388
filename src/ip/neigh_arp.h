/* ARP: what a received packet does to the neighbour cache, and the packets we send.
 *
 * RFC 826, RFC 1122 2.3.2, RFC 5227 2.4.
 */
#ifndef SLT_IP_NEIGH_ARP_H
#define SLT_IP_NEIGH_ARP_H

#include "ip/neigh.h"
#include "wire/arp.h"

/* Take an ARP packet. SLT_PASS, SLT_DROP_ARP_MALFORMED (an opcode that means nothing),
 * SLT_DROP_ARP_NOT_FOR_US, SLT_DROP_ARP_BAD_SENDER, SLT_NOTE_ARP_CONFLICT (somebody claims an
 * address of ours; *reply may hold a defence), SLT_DROP_NEIGHBOUR_FULL (answered but not learned).
 */
enum slt_reason slt_neigh_input_arp(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                    const struct slt_arp *arp, int64_t now_ns,
                                    struct slt_neigh_reply *reply);

/* Write a whole frame: a question about an IPv4 neighbour (or a probe for an address of our own
 * under test), a reply, an announcement. Bytes written, 0 if no room. */
uint32_t slt_neigh_emit_arp_request(const struct slt_ip_iface *iface,
                                    const struct slt_neigh_solicit *ask, struct slt_writer *w);
uint32_t slt_neigh_emit_arp_reply(const struct slt_ip_iface *iface,
                                  const struct slt_neigh_reply *reply, struct slt_writer *w);

#endif
