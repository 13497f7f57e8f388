/* Delivery rate: how fast the path carries what we send
 * (draft-cheng-iccrg-delivery-rate-estimation).
 *
 * Every record of sent octets carries a stamp taken when it left: what was delivered by then, and
 * when. When the record is delivered (acknowledged or SACKed for the first time) the difference
 * between now and the stamp is a sample: octets delivered over the longer of the time it took to
 * send them and the time it took their acknowledgements to come back. A sample taken while the
 * sender had nothing to send says only that the path is at least that fast.
 *
 * recovery.c calls, for one acknowledgement: slt_rate_on_delivered once per record it delivers,
 * then slt_rate_sample once, or slt_rate_note where nobody reads the sample.
 */
#ifndef SLT_TCP_RATE_H
#define SLT_TCP_RATE_H

#include "base/time.h"

#include <stdbool.h>
#include <stdint.h>

/* What a record of sent octets keeps. Durations are in ticks of 64 ns, so that 32 bits reach over
 * four minutes; longer ones count as that. */
struct slt_rate_stamp {
    int64_t sent_at_ns;       /* when this transmission left */
    uint32_t first_ago_ticks; /* from the start of its sending interval to its sending */
    uint32_t acked_ago_ticks; /* from the last delivery before it to its sending */
    uint32_t delivered_low;   /* rate.delivered_bytes, low 32 bits, when it left */
    uint32_t lost_low;        /* rate.lost_bytes, low 32 bits, when it left */
    uint32_t flight_bytes;    /* in flight, this transmission included */
    bool app_limited;         /* the sender had nothing more to send */
};

/* Octets and the time they took; 0 in 0: none. Few are ever asked for as a rate, and the division
 * costs more than all the rest of a sample. */
struct slt_rate_pace {
    int64_t interval_ns;
    uint32_t bytes;
};

/* What one acknowledgement says about the path. */
struct slt_rate_sample {
    struct slt_rate_pace pace;
    uint64_t delivered_total_bytes; /* rate.delivered_bytes after this acknowledgement */
    uint64_t prior_delivered_bytes; /* ... when the newest octets it delivers had been sent */
    uint32_t delivered_bytes;       /* between the two */
    uint32_t lost_bytes;            /* marked lost between the two */
    uint32_t interval_us;
    uint32_t flight_bytes; /* in flight when the newest octets it delivers had been sent */
    bool app_limited;
    bool any; /* something was delivered; the counts above are valid, even without a rate */
};

/* rate.c's group, in the cold block. */
struct slt_tcp_rate {
    uint64_t delivered_bytes;     /* cumulatively or by SACK, each octet once */
    uint64_t lost_bytes;          /* marked lost, each time it was */
    uint64_t app_limited_until;   /* samples up to this delivery are app-limited; 0: none */
    int64_t delivered_at_ns;      /* of the last delivery */
    int64_t first_sent_at_ns;     /* start of the sending interval */
    struct slt_rate_pace pace;    /* of the last sample, for info */
    struct slt_rate_stamp newest; /* of the records this acknowledgement delivered */
    bool newest_valid;
    bool last_app_limited;
};

void slt_rate_init(struct slt_tcp_rate *rate, int64_t now_ns);

/* Octets leave; `flight_bytes` are in flight with them. Fills the record's stamp. */
void slt_rate_on_sent(struct slt_tcp_rate *rate, struct slt_rate_stamp *stamp, int64_t flight_bytes,
                      uint32_t bytes, int64_t now_ns);

/* `bytes` of the record with this stamp are delivered for the first time. */
void slt_rate_on_delivered(struct slt_tcp_rate *rate, const struct slt_rate_stamp *stamp,
                           uint32_t bytes, int64_t now_ns);

/* Octets are taken as lost. */
void slt_rate_on_lost(struct slt_tcp_rate *rate, uint32_t bytes);

/* The acknowledgement's deliveries are all in. */
void slt_rate_sample(struct slt_tcp_rate *rate, uint32_t min_rtt_us,
                     struct slt_rate_sample *sample);
/* The same for info alone. */
void slt_rate_note(struct slt_tcp_rate *rate, uint32_t min_rtt_us);

/* In octets per second; 0: no sample. */
uint64_t slt_rate_per_s(const struct slt_rate_pace *pace);

/* Nothing more to send while the window would let something go: what is sent from here until
 * `flight_bytes` more are delivered measures the application. */
void slt_rate_app_limited(struct slt_tcp_rate *rate, int64_t flight_bytes);

#endif
