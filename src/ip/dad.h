/* Testing an address before it is used: duplicate address detection (RFC 4862 5.4) and IPv4
 * address conflict detection (RFC 5227 2.1, 2.3).
 *
 * The address stands in the interface's table, tentative, with the instant of its next step. Steps
 * are pulled: send a probe, announce, or "it is ours now". A conflict takes the address out of
 * the table; what its connections learn (ARP-11) is the stack's business.
 *
 *     IPv6   0..1 s, one solicitation, 1 s, usable
 *     IPv4   0..1 s, three probes 1..2 s apart, 2 s, usable, two announcements 2 s apart
 */
#ifndef SLT_IP_DAD_H
#define SLT_IP_DAD_H

#include "ip/neigh.h"
#include "wire/arp.h"

#define SLT_DAD_PROBES4          3 /* RFC 5227 1.1: PROBE_NUM */
#define SLT_DAD_ANNOUNCEMENTS4   2
#define SLT_DAD_ANNOUNCE_WAIT_NS (2 * SLT_NS_PER_S)
#define SLT_DAD_CONFLICTS_MAX    10                  /* then slowly (ARP-10): */
#define SLT_DAD_RATE_LIMIT_NS    (60 * SLT_NS_PER_S) /* RATE_LIMIT_INTERVAL */

struct slt_dad {
    struct slt_prng prng;
    uint32_t conflict_count;
    int64_t started_at_ns; /* the last start of a test */
};

void slt_dad_init(struct slt_dad *dad, uint64_t seed);

/* Begin to test an address that was just added as tentative. */
void slt_dad_start(struct slt_dad *dad, struct slt_ip_own *own, int64_t now_ns);

enum slt_dad_step_kind {
    SLT_DAD_PROBE,   /* send `ask`: an ARP probe or a neighbour solicitation from nobody */
    SLT_DAD_USABLE,  /* the address has become ours */
    SLT_DAD_ANNOUNCE /* send `announce`: an ARP announcement */
};

struct slt_dad_step {
    uint8_t kind; /* enum slt_dad_step_kind */
    uint8_t addr[16];
    struct slt_neigh_solicit ask;
    struct slt_neigh_reply announce;
};

/* Take the next step that is due; false when none is. */
SLT_MUST_USE bool slt_dad_next(struct slt_dad *dad, struct slt_ip_iface *iface, int64_t now_ns,
                               struct slt_dad_step *out);

/* When the next step is due; SLT_NEVER: no address is being tested. */
int64_t slt_dad_next_deadline(const struct slt_ip_iface *iface);

/* Does this ARP packet say that an address under test is another's (ARP-07)? */
bool slt_dad_hears_arp(const struct slt_ip_iface *iface, const struct slt_arp *arp,
                       uint8_t addr[16]);

/* A conflict: the address leaves the table; when it was a link-local address made of our hardware
 * address, IPv6 is off on the interface (R4862-02). */
void slt_dad_conflict(struct slt_dad *dad, struct slt_ip_iface *iface, const uint8_t addr[16]);

/* The interface identifier of RFC 4291 appendix A, from the hardware address. */
void slt_dad_eui64(const uint8_t mac[6], uint8_t id[8]);

#endif
