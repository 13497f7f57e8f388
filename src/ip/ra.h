/* Routers and prefixes from router advertisements, and the addresses made of them
 * (RFC 4861 6.3, RFC 4862 5.5, RFC 7217).
 *
 * What an advertisement says goes into the interface's tables, marked `from_ra`; it never touches
 * or displaces what was configured, and it may fill only a few places of each table, whatever
 * is sent to us. New addresses are tentative: ip/dad.h tests them. Everything has a lifetime, and
 * slt_ra_expire ends it.
 */
#ifndef SLT_IP_RA_H
#define SLT_IP_RA_H

#include "ip/dad.h"
#include "ip/neigh_nd.h"

#define SLT_RA_ROUTERS_MAX   4
#define SLT_RA_PREFIXES_MAX  8
#define SLT_RA_ADDRESSES_MAX 8
#define SLT_RA_SOLICITS_MAX  3 /* RFC 4861 10: MAX_RTR_SOLICITATIONS */
#define SLT_RA_SOLICIT_NS    (4 * SLT_NS_PER_S)

struct slt_ra {
    struct slt_prng prng;
    struct slt_sipkey key; /* interface identifiers are made with it (RFC 7217 5) */
    int64_t due_at_ns;     /* the next solicitation; SLT_NEVER: none */
    uint8_t sent_count;
    bool slaac; /* make addresses of prefixes */
};

struct slt_ra_setup {
    uint64_t seed;
    struct slt_sipkey key;
    bool slaac;
};

void slt_ra_init(struct slt_ra *ra, const struct slt_ra_setup *setup);

/* Begin to look for routers: up to three solicitations, the first after 0..1 s (R4861-07). */
void slt_ra_start(struct slt_ra *ra, int64_t now_ns);

/* True when a solicitation is to be sent now; it is counted as sent. */
SLT_MUST_USE bool slt_ra_next_due(struct slt_ra *ra, int64_t now_ns);

/* Write the solicitation's whole frame. Bytes written, 0 if no room. */
uint32_t slt_ra_emit_solicitation(const struct slt_ip_iface *iface, struct slt_writer *w);

/* The parts of an instance that an advertisement changes. */
struct slt_ra_targets {
    struct slt_ip_iface *iface;
    struct slt_neigh *neigh;
    struct slt_dad *dad;
};

/* Take a router advertisement that passed wire/ndp.h. SLT_PASS or SLT_DROP_ND_INVALID. */
enum slt_reason slt_ra_input(struct slt_ra *ra, const struct slt_ra_targets *to,
                             const struct slt_neigh_nd *in);

/* A router is one no more: an advertisement without the router flag (R4861-04). */
void slt_ra_drop_router(struct slt_ip_iface *iface, const uint8_t router[16]);

/* End what has outlived its time. True when an address became invalid: it is in `addr` and no
 * longer in the table; call again until false (R4862-04). */
SLT_MUST_USE bool slt_ra_expire(struct slt_ip_iface *iface, int64_t now_ns, uint8_t addr[16]);

/* When to call slt_ra_next_due or slt_ra_expire. */
int64_t slt_ra_next_deadline(const struct slt_ra *ra, const struct slt_ip_iface *iface);

/* Put the stable, opaque interface identifier for a /64 prefix into addr[8..15]. */
void slt_ra_fill_id(const struct slt_ra *ra, const uint8_t mac[6], uint8_t addr[16]);

#endif
