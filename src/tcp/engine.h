/* What the engine's files know of one another, grouped by file: this page is its map.
 *
 * Calls go down this list only (tools/tidy proves that there is no circle):
 *
 *   input output timeout user icmp halfopen timewait         the doors
 *   handshake validate ack ecn fastopen                      steps of input
 *   close                                                    how connections end
 *   ackpolicy window                                         what the steps act on
 *   autotune
 *   receive
 *   cold recovery resend
 *   scoreboard tlp prr undo
 *   rack
 *   pmtud
 *   lost send options timestamps uto
 *   newreno
 *   state                                                    the one writer of the state
 *   pacing                                                   asks cc and options
 *   timers cc rate limits rtt records sack isn emit          leaves
 */
#ifndef SLT_TCP_ENGINE_H
#define SLT_TCP_ENGINE_H

#include "tcp/tcp.h"

/* What one acknowledgement taught us; filled by ack.c, acted upon after all facts are in. */
struct slt_tcp_ack {
    int64_t flight_bytes; /* in flight before it came */
    uint32_t acked_bytes; /* newly acknowledged octets, SYN and FIN included */
    bool advanced;        /* SND.UNA moved */
    bool duplicate;       /* a duplicate ACK by RFC 5681's definition */
    bool window_changed;
    bool window_reopened; /* from nothing usable to something */
    int64_t old_right;    /* right edge of the peer's window before it */
    bool fin_acked;
    bool ece;          /* it tells of congestion marks (ecn.c) */
    uint32_t ce_bytes; /* ... on so many octets */
};

/* One segment on its way through the steps of RFC 9293 3.10.7.4: what it says, unwrapped, and what
 * the steps have learnt. */
struct slt_tcp_in {
    const struct slt_tcp_segment *seg;
    int64_t now_ns;
    int64_t pos;      /* SEG.SEQ */
    int64_t ack_pos;  /* SEG.ACK */
    int64_t end_pos;  /* SEG.SEQ + SEG.LEN */
    int64_t text_pos; /* after trimming to the window */
    const uint8_t *text;
    uint32_t text_bytes;
    int64_t fin_pos;     /* of the FIN, when fin */
    bool fin;            /* a FIN that lies in the window */
    bool only_ack;       /* zero window: text and FIN are ignored, the rest counts (U-08) */
    bool new_text;       /* RCV.NXT moved over text */
    bool out_of_order;   /* text was held above a gap */
    bool filled;         /* a gap was filled, in part or whole */
    bool duplicate_text; /* part of the text was there before */
    bool fin_taken;
    bool after_close; /* it brings data nobody will read: the connection is to be reset */
    enum slt_reason dropped_text; /* why text was not taken, SLT_PASS if it was */
    struct slt_tcp_ack ack;
};

/* emit.c: events. `begin` takes the next one, about this connection as it is now; the caller fills
 * in the rest where it lies. */
struct slt_event *slt_tcp_emit_begin(struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                     enum slt_event_kind kind, enum slt_reason why, int64_t now_ns);
void slt_tcp_emit_state(struct slt_tcp *tcp, const struct slt_tcp_conn *c, enum salut_state from,
                        enum slt_reason why, int64_t now_ns);
void slt_tcp_emit_note(struct slt_tcp *tcp, const struct slt_tcp_conn *c, enum slt_reason note,
                       int64_t now_ns);

/* cold.c: the block that comes and goes */
void slt_tcp_rests_init(struct slt_tcp_rests *rests);
bool slt_tcp_cold_make(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
static inline bool slt_tcp_cold_get(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns)
{
    bool there = c->cold != NULL && !c->cold->resting;

    return there || slt_tcp_cold_make(tcp, c, now_ns);
}
void slt_tcp_cold_restart(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_cold_give(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_cold_fold(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_held_clear(struct slt_tcp *tcp, struct slt_tcp_conn *c);

/* timers.c: the one file that arms timers; hooks named after what happened */
void slt_tcp_timers_init(struct slt_tcp_conn *c);
void slt_tcp_timers_cold_init(struct slt_tcp_cold *cold);
int64_t slt_tcp_timer_due(const struct slt_tcp_conn *c, enum slt_tcp_timer timer);
int64_t slt_tcp_rto_ns(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);
int64_t slt_tcp_user_timeout_ns(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);
void slt_tcp_timers_fired(struct slt_tcp_conn *c, enum slt_tcp_timer timer);
void slt_tcp_timers_on_state(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_sent(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_waiting(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, bool everything,
                             int64_t now_ns);
void slt_tcp_timers_on_partial_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_blocked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_unblocked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_probe_answered(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_received(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_keepalive(struct slt_tcp *tcp, struct slt_tcp_conn *c, bool probing,
                                 int64_t now_ns);
void slt_tcp_timers_on_head_resent(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_reordering(struct slt_tcp_conn *c, int64_t at_ns);
void slt_tcp_timers_on_tail(struct slt_tcp_conn *c, int64_t at_ns);
void slt_tcp_timers_on_ack_owed(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_ack_sent(struct slt_tcp_conn *c);
void slt_tcp_timers_on_tuning(struct slt_tcp_conn *c, int64_t heard_at_ns);
void slt_tcp_timers_on_paced(struct slt_tcp_conn *c, int64_t at_ns);
void slt_tcp_timers_on_unpaced(struct slt_tcp_conn *c);
void slt_tcp_timers_on_corked(struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_nagled(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_uncorked(struct slt_tcp_conn *c);
void slt_tcp_timers_on_orphaned(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_timers_on_time_wait_again(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

/* state.c: the one function that changes the state, its history, its readers */
void slt_tcp_set_state(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_state to,
                       enum slt_reason why, int64_t now_ns);
void slt_tcp_inherit_state(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_state to,
                           enum slt_reason why, int64_t at_ns);
bool slt_tcp_edge_legal(enum salut_state from, enum salut_state to);
int64_t slt_tcp_state_since_ns(const struct slt_tcp_conn *c, int64_t now_ns);
enum slt_reason slt_tcp_state_reason(const struct slt_tcp_conn *c); /* of the last change */
uint32_t slt_tcp_history_read(const struct slt_tcp_conn *c, int64_t now_ns,
                              struct salut_history *out);

/* ecn.c: RFC 3168, and the choice between it and accecn.c */
uint16_t slt_tcp_ecn_syn_flags(const struct slt_tcp_conn *c, bool ack);
void slt_tcp_ecn_open(const struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_ecn_on_syn_again(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_ecn_take_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in);
void slt_tcp_ecn_take_crossing(struct slt_tcp_conn *c, const struct slt_tcp_segment *seg);
void slt_tcp_ecn_take_syn_again(struct slt_tcp_conn *c, const struct slt_tcp_segment *seg);
void slt_tcp_ecn_take_syn_ack_again(struct slt_tcp_conn *c, const struct slt_tcp_in *in);
uint16_t slt_tcp_ecn_half_open(const struct salut_config *config,
                               const struct slt_tcp_segment *syn);
bool slt_tcp_ecn_half_open_again(const struct salut_config *config, struct slt_tcp_half_open *h,
                                 const struct slt_tcp_segment *syn);
bool slt_tcp_ecn_half_open_is_accurate(const struct salut_config *config,
                                       const struct slt_tcp_half_open *h);
uint16_t slt_tcp_ecn_half_open_flags(const struct salut_config *config,
                                     const struct slt_tcp_half_open *h);
uint16_t slt_tcp_ecn_cookie(const struct salut_config *config, const struct slt_tcp_segment *seg);
void slt_tcp_ecn_open_passive(const struct salut_config *config, struct slt_tcp_conn *c,
                              const struct slt_tcp_half_open *h);
void slt_tcp_ecn_on_segment(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in);
/* The congestion window was reduced, for whatever reason: the next new data says so (RFC 3168
 * 6.1.2, R3168-04). */
static inline void slt_tcp_ecn_on_reduced(struct slt_tcp_conn *c)
{
    if (c->ecn & SLT_ECN_OK) {
        c->ecn |= SLT_ECN_CWR_DUE;
    }
}
uint16_t slt_tcp_ecn_flags(const struct slt_tcp_conn *c, const struct slt_tcp_plan *plan);
uint8_t slt_tcp_ecn_codepoint(const struct slt_tcp_conn *c, const struct slt_tcp_plan *plan);
void slt_tcp_ecn_on_sent(struct slt_tcp_conn *c, const struct slt_tcp_plan *plan);

/* accecn.c: RFC 9768 */
#define SLT_ACCECN_START 5U /* r.cep and s.cep: never 0, so that a zeroed field is seen */
uint16_t slt_accecn_to_flags(uint32_t ace);
uint32_t slt_accecn_of_flags(uint16_t flags);
uint32_t slt_accecn_tell(uint8_t codepoint);
void slt_accecn_start(struct slt_tcp_accecn *a);
void slt_accecn_start_option(struct slt_tcp_options *opt);
void slt_accecn_heard(struct slt_tcp_accecn *a, const struct slt_tcp_options *opt);
bool slt_accecn_shaken(struct slt_tcp_accecn *a, uint32_t ace);
bool slt_accecn_drowned(struct slt_tcp_accecn *a, bool all_marked, bool round_begins);
bool slt_accecn_received(struct slt_tcp_accecn *a, const struct slt_tcp_segment *seg,
                         uint32_t packets);
uint32_t slt_accecn_told(struct slt_tcp_accecn *a, const struct slt_tcp_segment *seg,
                         uint32_t acked_bytes, uint32_t mss, uint32_t *ce_bytes);
void slt_accecn_option(const struct slt_tcp_accecn *a, struct slt_tcp_options *opt);

/* fastopen.c: RFC 7413; more of it in tcp.h */
uint32_t slt_tcp_fast_open_syn_bytes(const struct slt_tcp_conn *c,
                                     const struct slt_tcp_options *opt);
void slt_tcp_fast_open_on_sent(struct slt_tcp_cold *cold, uint32_t bytes);
void slt_tcp_fast_open_on_queued(struct slt_tcp_conn *c);
void slt_tcp_fast_open_answered(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);

/* rtt.c: RFC 6298 */
void slt_rtt_init(struct slt_tcp_rtt *rtt, const struct salut_config *config);
void slt_rtt_sample(struct slt_tcp_rtt *rtt, const struct salut_config *config, int64_t sample_us);
uint32_t slt_tcp_rtt_on_delivery(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                 const struct slt_tcp_in *in, int64_t sent_at_ns);
void slt_tcp_rtt_back_off(struct slt_tcp_conn *c);
void slt_tcp_rtt_syn_lost(struct slt_tcp_conn *c);

/* pacing.c: spacing out what a window allows at once (cc.h says at which rate) */
void slt_tcp_pacing_update(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_pacing_on_sent(struct slt_tcp_cold *cold, uint32_t bytes, int64_t now_ns);
int64_t slt_tcp_pacing_after(const struct slt_tcp_pacing *pacing, int64_t next_at_ns,
                             uint32_t bytes, int64_t now_ns);
int64_t slt_tcp_pacing_wake(const struct slt_tcp_pacing *pacing, int64_t now_ns);
bool slt_tcp_pacing_rests(const struct slt_tcp_pacing *pacing, int64_t now_ns);
int64_t slt_tcp_pacing_quantum(const struct slt_tcp_pacing *pacing, uint32_t mss);

/* limits.c: what limits the sender, and a sketch of its round trips */
void slt_tcp_limits_init(struct slt_tcp_limits *limits, int64_t now_ns);
void slt_tcp_limits_set(struct slt_tcp_limits *limits, enum salut_limit why, int64_t now_ns);
void slt_tcp_limits_rtt(struct slt_tcp_limits *limits, uint32_t rtt_us);
void slt_tcp_limits_info(const struct slt_tcp_limits *limits, int64_t now_ns,
                         struct salut_info *info);

/* sack.c: SACK and D-SACK blocks */
static inline bool slt_tcp_holds_fin(const struct slt_tcp_conn *c)
{
    return (c->flags & (SLT_CONN_FIN_KNOWN | SLT_CONN_FIN_TAKEN)) == SLT_CONN_FIN_KNOWN;
}
static inline bool slt_tcp_sack_waits(const struct slt_tcp_conn *c)
{
    const struct slt_tcp_cold *cold = c->cold;

    return slt_tcp_holds_fin(c) || (cold != NULL && (cold->held.runs.count > 0 ||
                                                     cold->held.dup_start != cold->held.dup_end));
}
uint32_t slt_tcp_sack_blocks(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             struct slt_tcp_sack_block *out, uint32_t max);

/* options.c: which options go on which segment, and what they leave for data */
uint16_t slt_tcp_advertised_mss(const struct salut_config *config, uint32_t ip_bytes,
                                uint16_t max_segment);
uint8_t slt_tcp_own_wscale(const struct salut_config *config, uint32_t buffer_max);
void slt_tcp_syn_options(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, bool ack,
                         int64_t now_ns, struct slt_tcp_options *opt);
void slt_tcp_segment_options(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             int64_t now_ns, struct slt_tcp_options *opt);
uint32_t slt_tcp_data_mss(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);
uint32_t slt_tcp_full_mss(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);

/* uto.c: the user timeout option */
#define SLT_TCP_UTO_BYTES 4
uint16_t slt_tcp_uto_value(int64_t timeout_ns);
void slt_tcp_uto_on_syn(const struct slt_tcp *tcp, uint32_t own_ms, struct slt_tcp_options *opt);
bool slt_tcp_uto_due(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);
void slt_tcp_uto_on_segment(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                            struct slt_tcp_options *opt);
void slt_tcp_uto_note(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in);

/* pmtud.c: the path MTU, downwards and upwards */
enum slt_reason slt_tcp_pmtud_on_icmp(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint16_t mtu,
                                      int64_t now_ns);
void slt_tcp_pmtud_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
uint32_t slt_tcp_pmtud_probe_bytes(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                                   uint32_t mss, int64_t ready, int64_t now_ns);
void slt_tcp_pmtud_on_sent(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t pos, uint32_t bytes,
                           uint32_t over);
void slt_tcp_pmtud_on_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
bool slt_tcp_pmtud_takes_loss(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start,
                              int64_t end, int64_t now_ns);

/* timestamps.c: RFC 7323 sections 3 to 5 */
uint32_t slt_tcp_ts_now(const struct slt_tcp_conn *c, int64_t now_ns);
bool slt_tcp_ts_older(uint32_t a, uint32_t b);
bool slt_tcp_paws_rejects(const struct slt_tcp *tcp, const struct slt_tcp_conn *c, uint32_t ts_val,
                          int64_t now_ns);
void slt_tcp_ts_note(struct slt_tcp_conn *c, const struct slt_tcp_in *in);
void slt_tcp_ts_start(struct slt_tcp_conn *c, uint32_t ts_val, int64_t now_ns);

/* send.c: the send queue and SND.* */
uint32_t slt_tcp_snd_room(const struct slt_tcp_conn *c);
uint32_t slt_tcp_snd_append(struct slt_tcp *tcp, struct slt_tcp_conn *c, const uint8_t *data,
                            uint32_t bytes);
uint8_t *slt_tcp_snd_reserve(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint32_t *bytes);
SLT_MUST_USE bool slt_tcp_snd_lend(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                   const struct slt_loan *loan);
bool slt_tcp_snd_grow(struct slt_tcp *tcp, struct slt_tcp_conn *c, size_t bytes);
void slt_tcp_snd_start(struct slt_tcp_conn *c, uint32_t isn);
void slt_tcp_snd_peer(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                      const struct slt_tcp_options *opt);
void slt_tcp_snd_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t ack_pos);
void slt_tcp_snd_sent(struct slt_tcp_conn *c, int64_t nxt, struct slt_cursor cursor);
void slt_tcp_snd_window(struct slt_tcp_conn *c, uint32_t wnd, int64_t seq_pos, int64_t ack_pos);
bool slt_tcp_snd_window_is_news(const struct slt_tcp_conn *c, int64_t seq_pos, int64_t ack_pos);
void slt_tcp_snd_urgent(struct slt_tcp_conn *c);
void slt_tcp_snd_unsent(struct slt_tcp_conn *c);
void slt_tcp_snd_pmtu(struct slt_tcp_conn *c, uint16_t pmtu, uint8_t at_min);
void slt_tcp_snd_size_acked(struct slt_tcp_conn *c, uint16_t size);
void slt_tcp_snd_clear(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_snd_buffer(struct slt_tcp_conn *c, uint32_t bytes);
int64_t slt_tcp_snd_usable(const struct slt_tcp_conn *c, int64_t nxt);

/* autotune.c: how large the buffers are */
#define SLT_TCP_TUNE_IDLE_NS SLT_NS_PER_S /* measuring ends so long after the last text */
bool slt_tcp_tune_pressed(const struct slt_tcp *tcp);
/* True while the cold block is needed to measure. */
static inline bool slt_tcp_tune_runs(const struct slt_tcp_conn *c, const struct slt_tcp_cold *cold)
{
    return cold->tune.round_pos != 0 && !slt_tcp_has(c, SLT_CONN_FIN_TAKEN);
}
void slt_tcp_tune_on_text(struct slt_tcp *tcp, struct slt_tcp_conn *c, const struct slt_tcp_in *in);
void slt_tcp_tune_on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_tune_on_timer(struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_tune_on_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c);

/* window.c: the window we advertise (RFC 9293 3.8.6.2.2) */
#define SLT_TCP_FIRST_MSS_SEEN 536 /* until larger segments come: what every peer may send */
int64_t slt_tcp_window_edge(const struct slt_tcp *tcp, const struct slt_tcp_conn *c);
uint16_t slt_tcp_window_field(const struct slt_tcp_conn *c, int64_t edge, bool syn);
void slt_tcp_window_advertised(struct slt_tcp_conn *c, int64_t edge);
void slt_tcp_window_on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_window_start(struct slt_tcp_conn *c, uint32_t irs, uint8_t wscale);

/* recovery.c: loss recovery's doors; recovery.h has what is behind them */
void slt_tcp_recovery_init(struct slt_tcp_recovery *r, int64_t una);
void slt_tcp_recovery_on_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in);
void slt_tcp_recovery_on_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_recovery_on_reorder_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                         int64_t now_ns);
void slt_tcp_recovery_on_tail_timeout(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_recovery_on_new(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start,
                             uint32_t segs, int64_t now_ns);
void slt_tcp_recovery_on_resent(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                const struct slt_tcp_plan *plan, int64_t end, int64_t now_ns);
void slt_tcp_recovery_on_left(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                              const struct slt_tcp_plan *plan, int64_t now_ns);
bool slt_tcp_recovery_room(const struct slt_tcp_conn *c, uint32_t *left_bytes);
void slt_tcp_recovery_none_out(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_recovery_reopened(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t old_right);
bool slt_tcp_recovery_count_timeout(struct slt_tcp_recovery *r, bool window_closed);
void slt_tcp_recovery_count_probe(struct slt_tcp_recovery *r);
void slt_tcp_recovery_count_syn(struct slt_tcp_recovery *r);

/* lost.c */
void slt_lost_resend(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why);

/* resend.c: plans for what was sent before; output.c's ladder calls them */
int64_t slt_tcp_super_bytes(const struct slt_tcp *tcp);
void slt_tcp_resend_begin(const struct slt_tcp_conn *c, struct slt_tcp_burst *b);
bool slt_tcp_resend_waits(const struct slt_tcp_conn *c);
bool slt_tcp_plan_lost(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                       struct slt_tcp_burst *b, struct slt_tcp_plan *plan);
bool slt_tcp_plan_tail_probe(const struct slt_tcp *tcp, const struct slt_tcp_conn *c,
                             struct slt_tcp_burst *b, struct slt_tcp_plan *plan);

/* ackpolicy.c: when to acknowledge (RFC 9293 3.8.6.3, RFC 5681 4.2, RFC 5961 7) */
void slt_tcp_acks_init(struct slt_tcp_acks *acks, const struct salut_config *config);
void slt_tcp_ack_now(struct slt_tcp_conn *c, enum slt_reason why);
bool slt_tcp_ack_limited(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                         int64_t now_ns);
void slt_tcp_acks_on_segment(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                             const struct slt_tcp_in *in);
void slt_tcp_acks_on_read(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_acks_on_delay_over(struct slt_tcp_conn *c);
void slt_tcp_acks_on_sent(struct slt_tcp_conn *c, const struct slt_tcp_plan *plan);
bool slt_tcp_limit_passes(uint32_t *limit_at_ms, uint32_t interval_ms, int64_t now_ns);
void slt_tcp_acks_probe_answered(struct slt_tcp_conn *c);
uint8_t slt_tcp_acks_count_probe(struct slt_tcp_conn *c);

/* close.c: how connections end */
void slt_tcp_end(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum salut_status status,
                 enum slt_reason why, int64_t now_ns);
void slt_tcp_reset_due(struct slt_tcp_conn *c, enum slt_reason send_why);
void slt_tcp_queue_fin(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                       int64_t now_ns);
void slt_tcp_fin_acked(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t now_ns);
void slt_tcp_take_fin(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in);
void slt_tcp_established(struct slt_tcp *tcp, struct slt_tcp_conn *c, enum slt_reason why,
                         int64_t now_ns);

/* validate.c: PAWS, sequence, RST, SYN (steps one to four) */
enum slt_reason slt_tcp_check_paws(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                   struct slt_tcp_in *in);
enum slt_reason slt_tcp_check_sequence(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct slt_tcp_in *in);
enum slt_reason slt_tcp_check_reset(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                    struct slt_tcp_in *in);
enum slt_reason slt_tcp_check_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                  struct slt_tcp_in *in);
bool slt_tcp_acceptable(int64_t pos, uint32_t seg_len, int64_t nxt, int64_t edge);

/* ack.c: step five */
enum slt_reason slt_tcp_take_ack(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                 struct slt_tcp_in *in);

/* receive.c: steps six and seven, reassembly, SACK blocks, reading */
void slt_tcp_note_urgent(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in);
void slt_tcp_take_text(struct slt_tcp *tcp, struct slt_tcp_conn *c, struct slt_tcp_in *in);
void slt_tcp_note_duplicate(struct slt_tcp *tcp, struct slt_tcp_conn *c, int64_t start, int64_t end,
                            int64_t now_ns);
void slt_tcp_rcv_passed_fin(struct slt_tcp_conn *c);
void slt_tcp_rcv_fin_at(struct slt_tcp_conn *c, int64_t fin_pos);
void slt_tcp_rcv_read(struct slt_tcp *tcp, struct slt_tcp_conn *c, uint32_t bytes);
void slt_tcp_rcv_clear(struct slt_tcp *tcp, struct slt_tcp_conn *c);
void slt_tcp_rcv_reported(struct slt_tcp_cold *cold);
void slt_tcp_rcv_buffer(struct slt_tcp_conn *c, uint32_t bytes);

/* cookie.c */
bool slt_tcp_cookie_check(struct slt_tcp *tcp, const struct slt_tcp_id *id,
                          const struct slt_tcp_segment *seg, int64_t now_ns,
                          struct slt_tcp_half_open *h);
uint32_t slt_tcp_cookie_timestamp(const struct slt_tcp_half_open *h, uint32_t ts_val);

/* handshake.c: SYN-SENT, SYN-RECEIVED */
/* The receive buffer was changed: so is the window scale of a SYN that has not left. */
void slt_tcp_open_rescale(const struct slt_tcp *tcp, struct slt_tcp_conn *c);
enum slt_reason slt_tcp_syn_sent_input(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                       struct slt_tcp_in *in);
enum slt_reason slt_tcp_syn_received_syn(struct slt_tcp *tcp, struct slt_tcp_conn *c,
                                         struct slt_tcp_in *in);

#endif
