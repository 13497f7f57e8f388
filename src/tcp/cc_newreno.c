/* NewReno: slow start and congestion avoidance as RFC 5681 has them, counting octets (RFC 3465).
 *
 * Slow start opens the window by what is acknowledged, at most burst_segments segments per
 * acknowledgement (one by the letter of RFC 5681, two by RFC 3465; one after a timeout).
 * Congestion avoidance opens it by one segment per window. A loss halves it.
 */
#include "tcp/cc_ops.h"

static void init(struct slt_tcp_cc *cc, const struct salut_config *config, int64_t now_ns)
{
    (void)cc;
    (void)config;
    (void)now_ns;
}

static uint32_t fold(const struct slt_tcp_cc *cc)
{
    (void)cc;
    return 0;
}

static void unfold(struct slt_tcp_cc *cc, uint32_t word)
{
    (void)cc;
    (void)word;
}

static void on_ack(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    uint32_t bytes = slt_cc_growth(ack);

    if (!ack->cwnd_limited) {
        return; /* RFC 7661 1: a window nobody used says nothing about the path */
    }
    if (cc->cwnd_bytes < cc->ssthresh_bytes) { /* RFC 5681 3.1 (R5681-05) */
        bytes = slt_cc_slow_start(cc, slt_min32(bytes, cc->burst_segments * ack->mss));
        cc->acked_bytes = 0; /* what an earlier, larger window had counted is no credit here */
    }
    if (cc->cwnd_bytes < cc->ssthresh_bytes || bytes == 0) {
        return;
    }
    /* RFC 5681 3.1 (R5681-06): one segment per window. After a timeout one acknowledgement may
     * cover many windows, but it is one round trip's. */
    cc->acked_bytes += slt_min32(bytes, cc->cwnd_bytes);
    if (cc->acked_bytes >= cc->cwnd_bytes) {
        cc->acked_bytes -= cc->cwnd_bytes;
        slt_cc_grow(cc, ack->mss);
    }
}

/* RFC 5681 equation 4 */
static void halve(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    cc->ssthresh_bytes = slt_max32(slt_cc_flight_size(cc, loss) / 2, 2 * loss->mss);
    cc->acked_bytes = 0;
}

static void on_congestion(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss,
                          enum slt_cc_why why)
{
    (void)why; /* RFC 3168 6.1.2: a mark is answered like a loss */
    halve(cc, loss);
}

static void on_timeout(struct slt_tcp_cc *cc, const struct slt_cc_loss *loss)
{
    if (loss->first) { /* R5681-07: a repeated timeout of the same data keeps ssthresh */
        halve(cc, loss);
    }
    cc->acked_bytes = 0;
    cc->burst_segments = 1; /* RFC 3465 2.3: in what follows a timeout */
}

static void on_recovered(struct slt_tcp_cc *cc, const struct slt_cc_ack *ack)
{
    (void)ack;
    cc->acked_bytes = 0;
}

static void undo(struct slt_tcp_cc *cc, uint32_t mss)
{
    (void)mss;
    cc->acked_bytes = 0;
}

const struct slt_cc_ops slt_cc_newreno = {.name = "reno",
                                          .init = init,
                                          .fold = fold,
                                          .unfold = unfold,
                                          .on_ack = on_ack,
                                          .on_congestion = on_congestion,
                                          .on_timeout = on_timeout,
                                          .on_recovered = on_recovered,
                                          .undo = undo};
