/* Path MTUs by destination: a small table of what ICMP has said, which only ever says less.
 *
 * An entry lowers the MTU towards one destination and is forgotten ten minutes after the last
 * lowering (RFC 1191 6.3, RFC 8201 5.3), so that a longer path is tried again. Nothing ICMP says
 * raises a value (R1191-01, R8201-01). When the table is full the entry used longest ago goes.
 * Whether a message may be believed at all (the quoted segment was in flight) is the transport's
 * judgement and must come first.
 */
#ifndef SLT_IP_PMTU_H
#define SLT_IP_PMTU_H

#include "base/flow.h"
#include "base/reason.h"
#include "base/siphash.h"
#include "base/time.h"
#include "ip/addr.h"

#define SLT_PMTU_FLOOR4  552U  /* as Linux's min_pmtu: below it lies an attack, not a link (J04) */
#define SLT_PMTU_FLOOR6  1280U /* RFC 8200 5 */
#define SLT_PMTU_AGED_NS (600 * SLT_NS_PER_S)

struct slt_pmtu_entry {
    uint32_t free_link; /* the pool's */
    slt_flow_ref hash_link;
    uint32_t hash;
    uint32_t older; /* in the order of use */
    uint32_t newer;
    uint32_t mtu;
    int64_t lowered_at_ns;
    uint8_t dst[16];
};

struct slt_pmtu {
    struct slt_pool pool;
    struct slt_flow flow;
    struct slt_sipkey key;
    uint32_t oldest;
    uint32_t newest;
    uint32_t floor4;
    uint64_t steps; /* entries looked at, for bound tests */
};

SLT_MUST_USE bool slt_pmtu_init(struct slt_pmtu *pmtu, struct slt_mem *mem, uint32_t entries_max,
                                const struct slt_sipkey *key);
void slt_pmtu_deinit(struct slt_pmtu *pmtu);

/* The MTU towards `dst` over a link of `link_mtu`. */
uint32_t slt_pmtu_get(struct slt_pmtu *pmtu, const uint8_t dst[16], uint32_t link_mtu,
                      int64_t now_ns);

/* The same without counting as a use; for reports. */
uint32_t slt_pmtu_peek(const struct slt_pmtu *pmtu, const uint8_t dst[16], uint32_t link_mtu,
                       int64_t now_ns);

/* What a "fragmentation needed" or "packet too big" said. */
struct slt_pmtu_news {
    uint8_t dst[16];
    uint32_t mtu;          /* the next hop's; 0: an old router that does not say */
    uint32_t quoted_bytes; /* IPv4 total length of the packet that was too big; 0: not known */
    uint32_t link_mtu;
};

/* SLT_NOTE_ICMP_PMTU when the path MTU is lower now, else SLT_DROP_ICMP_PMTU_IGNORED. */
enum slt_reason slt_pmtu_lower(struct slt_pmtu *pmtu, const struct slt_pmtu_news *news,
                               int64_t now_ns);

/* RFC 1191 7.1: the largest MTU of the plateau table below `bytes`. */
uint32_t slt_pmtu_plateau_below(uint32_t bytes);

#endif
