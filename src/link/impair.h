/* Impair: a decorator that makes any link a bad one, reproducibly.
 *
 * It works on wire frames: super-frames are cut and checksums completed first (segment.h), so that
 * rates are per wire frame, and a flipped bit is one that the receiver's checksum must catch. A
 * frame that has come through impair is never vouched for. A direction without faults passes
 * straight through.
 *
 * What can happen to a frame, and that it depends on seed, direction and frame number alone, is
 * path.h's to tell.
 *
 * The closing ledger of a direction is: seen + duplicated = lost + policed + overflowed + passed +
 * held (slt_impair_held), where a frame the wrapped link would not take yet is still held.
 */
#ifndef SLT_LINK_IMPAIR_H
#define SLT_LINK_IMPAIR_H

#include "link/link.h"
#include "link/path.h"

struct slt_impair_params {
    uint64_t seed;
    struct slt_path_params out; /* from the stack to the wire */
    struct slt_path_params in;  /* from the wire to the stack */
};

/* Wrap `inner`, which belongs to the decorator from now on, also when this fails: then it is
 * closed.
 *
 * Returns SALUT_OK, SALUT_INVALID (a chance above one, a negative time, jitter above delay),
 * SALUT_NO_MEMORY. */
enum salut_status slt_impair_open(struct slt_link *inner, const struct slt_impair_params *params,
                                  struct slt_link **link);

/* The faults can be changed while it runs, for example taken away; frames already held keep their
 * fate. Returns SALUT_OK, SALUT_INVALID. */
enum salut_status slt_impair_set(struct slt_link *link, const struct slt_impair_params *params);

const struct slt_path_counters *slt_impair_counters_out(const struct slt_link *link);
const struct slt_path_counters *slt_impair_counters_in(const struct slt_link *link);

/* Frames held at the moment, both directions. */
uint32_t slt_impair_held(const struct slt_link *link);

/* Print two lines, one a direction: frames seen, lost, duplicated, reordered, corrupted,
 * overflowed, passed. Returns the length as snprintf does; 512 bytes are enough. */
int slt_impair_print(const struct slt_link *link, char *out, size_t size);

#endif
