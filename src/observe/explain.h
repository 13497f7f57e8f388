/* Explain: from packets of a capture to connections with a story.
 *
 *     file --> decode --> flow --> copy? --> mark --> budget --> track     (a packet at a time)
 *     flow --> states of both ends --> verdict --> text, ladder, JSON, HTML, comments   (at the
 * end)
 *
 * The first line is a stream: memory is bounded by limits, nothing is allocated for a packet. The
 * second looks at one flow at a time.
 */
#ifndef SLT_OBSERVE_EXPLAIN_H
#define SLT_OBSERVE_EXPLAIN_H

#include "observe/explain_ends.h"

/* What is counted of a file. */
struct slt_explain_counts {
    uint64_t packets;
    uint64_t bytes; /* on the link */
    uint64_t tcp;
    uint64_t other;
    uint64_t fragments;
    uint64_t broken;
    uint64_t copies;
    uint64_t filtered; /* TCP, and not asked for */
};

/* Conditions that all must hold; as pcap-filter(7) writes them. */
#define SLT_EXPLAIN_TERMS_MAX 8U
enum slt_explain_term_kind { SLT_TERM_PORT, SLT_TERM_HOST };
struct slt_explain_filter {
    uint32_t count;
    struct slt_explain_term {
        uint8_t kind; /* enum slt_explain_term_kind */
        bool negated;
        bool src; /* the sender's; neither: either */
        bool dst;
        uint16_t port;
        uint8_t addr[16];
    } terms[SLT_EXPLAIN_TERMS_MAX];
};

struct slt_explain {
    struct slt_explain_flows flows;
    struct slt_explain_filter filter;
    struct slt_explain_counts counts;
    int64_t first_at_ns;
    int64_t last_at_ns;
};

/* The usual limits: 100,000 flows, 16,384 steps each, 2 million together. */
void slt_explain_limits_default(struct slt_explain_limits *limits);

/* False: no memory. */
bool slt_explain_init(struct slt_explain *explain, const struct slt_explain_limits *limits);
void slt_explain_deinit(struct slt_explain *explain);

/* The next packet of the file. */
void slt_explain_take(struct slt_explain *explain, const struct slt_capture_packet *packet,
                      uint16_t linktype);

/* No more are to come: put every flow's steps in order. */
void slt_explain_finish(struct slt_explain *explain);

/* "tcp port 80", "host 10.0.0.1 and not port 22". NULL: fine; else the word that is wrong. */
const char *slt_explain_filter_parse(struct slt_explain_filter *filter, const char *const *words,
                                     size_t count);

#endif
