/* Congestion control: the doors (cc.h), and what all algorithms have in common.
 *
 * Here are the initial window (RFC 6928), the restart after idling (RFC 5681 4.1), the validation
 * of a window that is not used (RFC 7661), what an undo needs, and the choice of the algorithm;
 * cc_newreno.c, cc_cubic.c and cc_bbr.c hold the algorithms. Pure arithmetic over struct
 * slt_tcp_cc; nothing here knows the connection.
 */
#include "tcp/cc_ops.h"

#define NON_VALIDATED_MS 300000 /* RFC 7661 4.4: five minutes */

static const struct slt_cc_ops *const algorithms[SALUT_CC_COUNT] = {
    [SALUT_CC_CUBIC] = &slt_cc_cubic,
    [SALUT_CC_NEWRENO] = &slt_cc_newreno,
    [SALUT_CC_BBR] = &slt_cc_bbr,
};

static const struct slt_cc_ops *ops_of(const struct slt_tcp_cc *cc)
{
    SLT_ASSERT(cc->which < SALUT_CC_COUNT);
    return algorithms[cc->which];
}

/* RFC 6928 2 (R6928-01): min(10 * MSS, max(2 * MSS, 14600)), for the configured number. */
static uint32_t initial_window(const struct salut_config *config, uint32_t mss)
{
    uint32_t segments = slt_max32(config->initial_window_segments, 1);

    return slt_min32(segments * mss, slt_max32(2 * mss, segments * 1460U));
}

void slt_cc_init(struct slt_tcp_cc *cc, const struct salut_config *config, uint8_t which,
                 uint32_t mss, int64_t now_ns)
{
    memset(cc, 0, sizeof(*cc));
    cc->which = which < SALUT_CC_COUNT ? which : SALUT_CC_CUBIC;
    cc->cwnd_bytes = initial_window(config, mss);
    cc->ssthresh_bytes = SLT_CC_WINDOW_MAX; /* arbitrarily high: RFC 5681 3.1 */
    /* RFC 3465 2.3 allows two; the letter of RFC 5681 3.1 is one (R5681-05) */
    cc->burst_segments = config->profile == SALUT_PROFILE_RFC ? 1 : 2;
    cc->validated_at_ms = (uint32_t)(now_ns / SLT_NS_PER_MS);
    ops_of(cc)->init(cc, config, now_ns);
}

void slt_cc_fold(const struct slt_tcp_cc *cc, struct slt_tcp_cc_fold *fold)
{
    fold->cwnd_bytes = cc->cwnd_bytes;
    fold->ssthresh_bytes = cc->ssthresh_bytes;
    fold->word = ops_of(cc)->fold(cc);
}

void slt_cc_forget(struct slt_tcp_cc_fold *fold)
{
    fold->word = 0;
}

void slt_cc_unfold(struct slt_tcp_cc *cc, const struct slt_tcp_cc_fold *fold)
{
    cc->cwnd_bytes = fold->cwnd_bytes;
    cc->ssthresh_bytes = fold->ssthresh_bytes;
    ops_of(cc)->unfold(cc, fold->word);
}

void slt_cc_switch(struct slt_tcp_cc *cc, const struct salut_config *config, uint8_t which,
                   uint32_t mss, int64_t now_ns)
{
    struct slt_tcp_cc old = *cc;

    if (old.which == which) {
        return;
    }
    slt_cc_init(cc, config, which, mss, now_ns);
    cc->cwnd_bytes = old.cwnd_bytes;
    cc->ssthresh_bytes = old.ssthresh_bytes;
    cc->used_bytes = old.used_bytes;
    cc->used_until = old.used_until;
    cc->limited = old.limited;
    cc->episode = old.episode; /* one that runs ends, and is undone, as it began */
    cc->undo_cwnd_bytes = old.undo_cwnd_bytes;
    cc->undo_ssthresh_bytes = old.undo_ssthresh_bytes;
}

/* RFC 5681 3.1, softened by RFC 6928 2: more than one SYN was lost. */
void slt_cc_on_syn_lost(struct slt_tcp_cc *cc, uint32_t mss)
{
    cc->cwnd_bytes = mss;
}

/* RFC 5681 4.1 (R5681-11, R6928-03): nothing was sent for longer than the RTO. */
void slt_cc_on_idle(struct slt_tcp_cc *cc, const struct salut_config *config, uint32_t mss)
{
    if (!slt_cc_owns_window(cc)) { /* BBR paces what it knows (draft 5.4.1) */
        cc->cwnd_bytes = slt_min32(cc->cwnd_bytes, initial_window(config, mss));
    }
}

/* The path MTU fell: the window keeps its segments, and never less than one (R5681-14). */
void slt_cc_on_mss(struct slt_tcp_cc *cc, uint32_t old_mss, uint32_t new_mss)
{
    if (new_mss < old_mss && old_mss > 0) {
        uint64_t scaled = (uint64_t)cc->cwnd_bytes * new_mss / old_mss;
        cc->cwnd_bytes = slt_max32((uint32_t)scaled, new_mss);
    }
    cc->cwnd_bytes = slt_max32(cc->cwnd_bytes, new_mss);
    cc->ssthresh_bytes = slt_max32(cc->ssthresh_bytes, 2 * new_mss);
}

bool slt_cc_owns_window(const struct slt_tcp_cc *cc)
{
    return ops_of(cc)->owns_window;
}

bool slt_cc_needs_pacing(const struct slt_tcp_cc *cc)
{
    return ops_of(cc)->needs_pacing;
}

/* RFC 7661 4.4.3: a window that was not used up for five minutes is half forgotten. */
static void validate(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    uint32_t now_ms = (uint32_t)(ack->now_ns / SLT_NS_PER_MS);

    if (ack->cwnd_limited || cc->used_bytes >= cc->cwnd_bytes / 2) {
        cc->validated_at_ms = now_ms;
    } else if (now_ms - cc->validated_at_ms > NON_VALIDATED_MS) {
        uint32_t three_quarters = cc->cwnd_bytes - cc->cwnd_bytes / 4;
        cc->ssthresh_bytes = slt_max32(cc->ssthresh_bytes, three_quarters);
        cc->cwnd_bytes = slt_max32(cc->cwnd_bytes / 2, slt_min32(cc->cwnd_bytes, 10 * ack->mss));
        cc->validated_at_ms = now_ms;
    }
}

void slt_cc_on_ack(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    SLT_ASSERT(ack->mss > 0);
    if (slt_cc_owns_window(cc)) {
        ops_of(cc)->on_ack(cc, ack);
        return;
    }
    if (ack->ca_state == SALUT_CA_RECOVERY || ack->ca_state == SALUT_CA_CWR) {
        return; /* proportional rate reduction sets the window */
    }
    validate(cc, ack);
    ops_of(cc)->on_ack(cc, ack);
}

/* What an undo goes back to: the window before the first reduction of this episode. */
static void remember(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                     enum slt_cc_episode episode)
{
    if (cc->episode == SLT_CC_NO_EPISODE && !loss->joins) {
        cc->undo_cwnd_bytes = cc->cwnd_bytes;
        cc->undo_ssthresh_bytes = cc->ssthresh_bytes;
    }
    cc->episode = (uint8_t)episode;
}

void slt_cc_on_congestion(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                          enum slt_cc_why why)
{
    SLT_ASSERT(loss->mss > 0);
    remember(cc, loss, SLT_CC_REDUCING);
    ops_of(cc)->on_congestion(cc, loss, why);
}

void slt_cc_on_timeout(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    SLT_ASSERT(loss->mss > 0);
    remember(cc, loss, SLT_CC_TIMED_OUT);
    ops_of(cc)->on_timeout(cc, loss);
    if (!slt_cc_owns_window(cc)) {
        cc->cwnd_bytes = loss->mss; /* RFC 5681 3.1 (R5681-07), RFC 9438 4.8: the loss window */
        cc->used_bytes = 0;
    }
}

void slt_cc_set_window(struct slt_tcp_cc *cc, int64_t bytes, uint32_t mss)
{
    if (!slt_cc_owns_window(cc)) {
        cc->cwnd_bytes = slt_cc_clamp((uint64_t)slt_max64(bytes, mss));
    }
}

void slt_cc_on_recovered(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    /* RFC 9937 6.4 (R9937-05), R6582-03: the window is ssthresh, but never more than it was; after
     * a timeout slow start is on its way there. */
    if (!slt_cc_owns_window(cc) && cc->episode == SLT_CC_REDUCING) {
        uint32_t window = slt_min32(cc->ssthresh_bytes, cc->undo_cwnd_bytes);
        cc->cwnd_bytes = slt_max32(window, ack->mss);
    }
    cc->episode = SLT_CC_NO_EPISODE; /* what it can be undone to stays: news may still come */
    ops_of(cc)->on_recovered(cc, ack);
}

void slt_cc_undo(struct slt_tcp_cc *cc, uint32_t mss)
{
    if (cc->undo_cwnd_bytes == 0) {
        return;
    }
    cc->cwnd_bytes = slt_max32(cc->cwnd_bytes, cc->undo_cwnd_bytes);
    cc->ssthresh_bytes = slt_max32(cc->undo_ssthresh_bytes, 2 * mss);
    cc->undo_cwnd_bytes = 0;
    cc->episode = SLT_CC_NO_EPISODE;
    ops_of(cc)->undo(cc, mss);
}

void slt_cc_on_flight(struct slt_tcp_cc *cc, int64_t flight_bytes, bool limited, int64_t una,
                      int64_t nxt)
{
    uint32_t flight = slt_cc_clamp((uint64_t)slt_max64(flight_bytes, 0));

    if (una >= cc->used_until || limited) { /* a new window of data, or the news itself */
        cc->used_bytes = flight;
        cc->limited = limited;
        cc->used_until = nxt;
    } else if (flight > cc->used_bytes) {
        cc->used_bytes = flight;
    }
}

bool slt_cc_is_limited(const struct slt_tcp_cc *cc)
{
    if (cc->cwnd_bytes < cc->ssthresh_bytes) { /* slow start may double what is used (RFC 7661) */
        return cc->limited || cc->cwnd_bytes < 2 * (uint64_t)cc->used_bytes;
    }
    return cc->limited;
}

uint64_t slt_cc_pacing_bytes_per_s(const struct slt_tcp_cc *cc, uint32_t srtt_us, uint32_t mss)
{
    const struct slt_cc_ops *ops = ops_of(cc);

    return ops->pacing ? ops->pacing(cc, srtt_us, mss) : slt_cc_window_rate(cc, srtt_us);
}

const char *slt_cc_name(uint8_t which)
{
    return which < SALUT_CC_COUNT ? algorithms[which]->name : "";
}

bool slt_cc_find(const char *name, uint32_t length, uint8_t *which)
{
    for (uint8_t i = 0; i < SALUT_CC_COUNT; i++) {
        const char *known = algorithms[i]->name;
        if (strlen(known) == length && memcmp(known, name, length) == 0) {
            *which = i;
            return true;
        }
    }
    return false;
}
