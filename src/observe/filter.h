/* Filters over records: the grammar of ss(8), with words of ours.
 *
 *     state established exclude time-wait ( dport = :443 or sport = :ssh ) and dst 10.0.0.0/8
 *     state close-wait age > 60s and comm = nginx
 *     finding = CW-1
 *
 * `or` binds weakest, then `and` (which may be left out), then `not`. A comparison with a fact that
 * is not known is false.
 *
 *     state S, exclude S      S: a state in any spelling, or all, connected, synchronized, bucket,
 * big src, dst [=, !=] A      A: address, address/bits, address:port, [v6]:port, :port sport,
 * dport, port OP P P: number, :number, or a service's name; `port` is either side's :P and P the
 * same as port = P age, idle, silent, rtt OP T        T: 60s, 5m, 1h, 20ms, 300us recvq, sendq,
 * queue, drops, retrans, pid, uid OP N    N: 1000, 64K, 1M comm = W                W may have * at
 * either end accepted, orphan, keepalive, passive = yes | no
 *
 * finding [=, !=] ID       ID: CW-1; alone: any
 *
 * OP: = == eq, != ne neq, > gt, < lt, >= ge geq, <= le leq.
 */
#ifndef SLT_OBSERVE_FILTER_H
#define SLT_OBSERVE_FILTER_H

#include "observe/seen.h"

struct slt_filter;

/* Compile a filter from words as a shell hands them over; none passes every record. On failure
 * NULL, and `why` says which word is wrong. */
struct slt_filter *slt_filter_compile(const char *const *words, size_t count, char *why,
                                      size_t size);
void slt_filter_free(struct slt_filter *filter);

/* Does a record pass? */
bool slt_filter_passes(const struct slt_filter *filter, const struct slt_seen *seen);

/* Does it ask for findings? Then records must be marked before (concern.h). */
bool slt_filter_asks_findings(const struct slt_filter *filter);

#endif
