/* The neighbour cache: which station answers for an address, for ARP and ND alike.
 *
 * One table and one state machine (RFC 4861 7.3.2) serve both families; they differ in the form of
 * a question and in what an answer proves, which neigh_arp.c and neigh_nd.c know. IPv4 gets
 * unreachability detection that way too, which is RFC 1122 2.3.2.1's "unicast poll" (ARP-02).
 *
 *     NONE --ask--> INCOMPLETE --answer--> REACHABLE --30 s--> STALE --use--> DELAY --5 s--> PROBE
 *                       |  3 x 1 s              ^-- answer, or progress of TCP --'-----------'|
 *                       '-----> FAILED <-------------------------------- 3 x 1 s -------------'
 *
 * The cache holds no packets (ARP-04, R4861-02: whoever wants to send keeps what it wants to send,
 * and so the newest): a caller that meets an unresolved neighbour keeps the reference, and later
 * finds it, resolved or failed, in the list that slt_neigh_take_wake drains. Questions are pulled
 * with slt_neigh_next_due.
 *
 * The table is fixed. Entries made because others asked us ("theirs") never push out entries that
 * we use, so a million spoofed senders cost nothing but each other's places (H10, K11): room is
 * made from failed entries, then theirs, and, for questions of our own only, from stale entries
 * of ours that nobody holds. Entries being asked for may take half of the table.
 *
 * RFC 826, 1122 2.3.2, 4861 7, 5227.
 */
#ifndef SLT_IP_NEIGH_H
#define SLT_IP_NEIGH_H

#include "base/flow.h"
#include "base/prng.h"
#include "base/reason.h"
#include "base/wheel.h"
#include "ip/iface.h"

#define SLT_NEIGH_PROBES_MAX     3
#define SLT_NEIGH_RETRANS_NS     (1 * SLT_NS_PER_S)  /* RFC 4861 10: RETRANS_TIMER */
#define SLT_NEIGH_REACHABLE_NS   (30 * SLT_NS_PER_S) /* REACHABLE_TIME, before +-50 % */
#define SLT_NEIGH_DELAY_NS       (5 * SLT_NS_PER_S)  /* DELAY_FIRST_PROBE_TIME */
#define SLT_NEIGH_FAILED_HOLD_NS (1 * SLT_NS_PER_S)  /* no new question so soon */
#define SLT_NEIGH_FORGET_NS      (60 * SLT_NS_PER_S) /* stale or failed, unused */
#define SLT_NEIGH_DEFEND_NS      (10 * SLT_NS_PER_S) /* RFC 5227 1.1: DEFEND_INTERVAL */

enum slt_neigh_state {
    SLT_NEIGH_NONE,
    SLT_NEIGH_INCOMPLETE,
    SLT_NEIGH_REACHABLE,
    SLT_NEIGH_STALE,
    SLT_NEIGH_DELAY,
    SLT_NEIGH_PROBE,
    SLT_NEIGH_FAILED
};

/* Names an entry; stale after the entry was given up, which the cache notices. */
struct slt_neigh_ref {
    uint32_t index;
    uint32_t generation; /* never 0 for an entry that exists */
};

struct slt_neigh_entry {
    uint32_t free_link;     /* the pool's */
    slt_flow_ref hash_link; /* the table's chain */
    uint32_t hash;
    uint32_t generation;          /* changes when the entry is given up */
    struct slt_wheel_entry timer; /* meaning depends on the state */
    int64_t confirmed_at_ns;      /* last proof of reachability */
    int64_t reachable_for_ns;     /* how long one lasts: drawn per entry */
    int64_t asked_at_ns;          /* last solicitation handed out */
    int64_t retry_at_ns;          /* FAILED: no new question before this */
    uint32_t older;               /* neighbours in its eviction list */
    uint32_t newer;
    uint32_t due_next; /* in the list of solicitations to be sent */
    uint32_t wake_next;
    uint32_t holds; /* users who keep a reference: never evicted */
    uint8_t addr[16];
    uint8_t mac[6];
    uint8_t state; /* enum slt_neigh_state; written by set_state only */
    uint8_t probes;
    uint8_t list;   /* which eviction list it is in */
    uint8_t wake;   /* what the wake list will say: 0 nothing, else enum slt_neigh_wake_kind */
    bool due;       /* in the due list */
    bool wanted;    /* we have wanted to send to it, or hold it */
    bool router;    /* ND: its advertisements say so */
    bool permanent; /* configured: no state machine */
};

/* A list of entries from the oldest to the newest. */
struct slt_neigh_list {
    uint32_t oldest;
    uint32_t newest;
};

enum slt_neigh_list_id {
    SLT_NEIGH_LIST_KEPT, /* may not be evicted */
    SLT_NEIGH_LIST_FAILED,
    SLT_NEIGH_LIST_THEIRS,
    SLT_NEIGH_LIST_STALE,
    SLT_NEIGH_LIST_COUNT
};

struct slt_neigh {
    struct slt_pool pool; /* of struct slt_neigh_entry */
    struct slt_flow flow;
    struct slt_wheel wheel;
    struct slt_sipkey key;
    struct slt_prng prng;
    struct slt_neigh_list lists[SLT_NEIGH_LIST_COUNT];
    uint32_t due_head; /* FIFO */
    uint32_t due_tail;
    uint32_t wake_head; /* FIFO */
    uint32_t wake_tail;
    uint32_t incomplete_count;
    uint32_t incomplete_max;
    int64_t reachable_base_ns; /* SLT_NEIGH_REACHABLE_NS, or what a router says (R4861-06) */
    int64_t retrans_ns;
    int64_t defended_at_ns; /* last announcement sent in defence of an address */
    uint64_t steps;         /* entries looked at, for bound tests */
};

struct slt_neigh_setup {
    uint32_t entries_max;
    struct slt_sipkey key;
    uint64_t seed;
    int64_t now_ns;
};

SLT_MUST_USE bool slt_neigh_init(struct slt_neigh *neigh, struct slt_mem *mem,
                                 const struct slt_neigh_setup *setup);
void slt_neigh_deinit(struct slt_neigh *neigh);

enum slt_neigh_answer {
    SLT_NEIGH_RESOLVED,    /* `mac` is what to send to */
    SLT_NEIGH_UNRESOLVED,  /* being asked; a wake will come for `ref` */
    SLT_NEIGH_UNREACHABLE, /* it did not answer a moment ago */
    SLT_NEIGH_TABLE_FULL   /* no entry could be made: try again later */
};

struct slt_neigh_found {
    uint8_t answer; /* enum slt_neigh_answer */
    uint8_t mac[6];
    struct slt_neigh_ref ref; /* of the entry, unless the table is full */
};

/* We want to send to `addr`, a next hop. Starts resolution when it must. */
void slt_neigh_resolve(struct slt_neigh *neigh, const uint8_t addr[16], int64_t now_ns,
                       struct slt_neigh_found *out);

/* The same by reference, without a hash lookup. False when the reference is stale or the entry has
 * no usable link address: then resolve. */
SLT_MUST_USE bool slt_neigh_use(struct slt_neigh *neigh, struct slt_neigh_ref ref, int64_t now_ns,
                                uint8_t mac[6]);

/* TCP made progress through this neighbour (R4861-05). A stale reference is ignored. */
void slt_neigh_confirm(struct slt_neigh *neigh, struct slt_neigh_ref ref, int64_t now_ns);

/* The same two for whoever holds the entry: its index stays its own, and needs no proof. */
SLT_MUST_USE bool slt_neigh_use_held(struct slt_neigh *neigh, uint32_t index, int64_t now_ns,
                                     uint8_t mac[6]);
void slt_neigh_confirm_held(struct slt_neigh *neigh, uint32_t index, int64_t now_ns);

/* Keep the entry from being evicted, and let it go again. Stale references are ignored. */
void slt_neigh_hold(struct slt_neigh *neigh, struct slt_neigh_ref ref);
void slt_neigh_release(struct slt_neigh *neigh, struct slt_neigh_ref ref);

/* A configured entry, never asked for and never forgotten. False: the table is full. */
SLT_MUST_USE bool slt_neigh_set_permanent(struct slt_neigh *neigh, const uint8_t addr[16],
                                          const uint8_t mac[6]);

/* The entry of `addr`, or NULL. Changes nothing; for reports and tests. */
const struct slt_neigh_entry *slt_neigh_peek(const struct slt_neigh *neigh, const uint8_t addr[16]);

/* A question to be sent now. */
struct slt_neigh_solicit {
    uint8_t target[16]; /* whose link address is asked for */
    uint8_t src[16];    /* our address; unspecified only for duplicate address detection */
    uint8_t dst[16];    /* IPv6: where the solicitation goes; IPv4: as target */
    uint8_t dst_mac[6];
    bool probe; /* the address is our own and under test: no source link address (R4862-01) */
};

/* Take the next due question. Each taken is counted as sent, and the next one to the same target
 * comes a second later (ARP-03). */
SLT_MUST_USE bool slt_neigh_next_due(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                     int64_t now_ns, struct slt_neigh_solicit *out);

enum slt_neigh_wake_kind { SLT_NEIGH_WAKE_NONE, SLT_NEIGH_WAKE_RESOLVED, SLT_NEIGH_WAKE_FAILED };

struct slt_neigh_wake {
    struct slt_neigh_ref ref;
    uint8_t addr[16];
    uint8_t kind; /* enum slt_neigh_wake_kind */
    bool router;  /* IPv6: the entry was a router's */
};

/* Take the next neighbour whose resolution has ended; false when there is none. */
SLT_MUST_USE bool slt_neigh_take_wake(struct slt_neigh *neigh, struct slt_neigh_wake *out);

/* Let time pass: at most `budget` timers; returns how many ran. */
uint32_t slt_neigh_expire(struct slt_neigh *neigh, int64_t now_ns, uint32_t budget);

/* When to call expire, next_due or take_wake again: an instant already past when something waits
 * to be taken. */
int64_t slt_neigh_next_deadline(const struct slt_neigh *neigh);

/* What a message received makes us send, if anything. */
enum slt_neigh_reply_kind {
    SLT_NEIGH_REPLY_NONE,
    SLT_NEIGH_REPLY_ARP,      /* an ARP reply */
    SLT_NEIGH_REPLY_ANNOUNCE, /* an ARP announcement, in defence of our address (ARP-09) */
    SLT_NEIGH_REPLY_NA
};

struct slt_neigh_reply {
    uint8_t kind;       /* enum slt_neigh_reply_kind */
    bool solicited;     /* NA: the S flag */
    bool overrides;     /* NA: the O flag */
    uint8_t dst_mac[6]; /* the station */
    uint8_t dst[16];    /* its address, or all nodes */
    uint8_t target[16]; /* our address that was asked for */
};

/* Consistency of lists, counts and timers; for tests and debug builds. */
bool slt_neigh_check(const struct slt_neigh *neigh);

/* --- for neigh_arp.c and neigh_nd.c --- */

/* The index of the entry of `addr`; SLT_NIL when there is none. */
uint32_t slt_neigh_find(struct slt_neigh *neigh, const uint8_t addr[16]);

static inline struct slt_neigh_entry *slt_neigh_at(const struct slt_neigh *neigh, uint32_t index)
{
    return slt_pool_at_typed(&neigh->pool, index, (uint32_t)sizeof(struct slt_neigh_entry));
}

/* What a message claims about a neighbour. */
struct slt_neigh_claim {
    const uint8_t *mac;
    int64_t now_ns;
    bool proves; /* it answers a question of ours: the way there and back works */
};

/* Take over a link address: into an unresolved entry always; into a resolved one as news that
 * must still prove itself, unless `proves`. The same address without proof changes nothing. */
void slt_neigh_learn(struct slt_neigh *neigh, uint32_t index, const struct slt_neigh_claim *claim);

/* An entry for a station that asked us something; never at the cost of one of ours. */
void slt_neigh_learn_asker(struct slt_neigh *neigh, const uint8_t addr[16],
                           const struct slt_neigh_claim *claim);

/* The entry's answer is doubtful: back to STALE (RFC 4861 7.2.5). */
void slt_neigh_set_stale(struct slt_neigh *neigh, uint32_t index, int64_t now_ns);

/* A router says how long reachability lasts and how often to ask; 0 changes nothing (R4861-06). */
void slt_neigh_set_times(struct slt_neigh *neigh, int64_t reachable_ns, int64_t retrans_ns);

#endif
