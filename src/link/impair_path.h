/* One direction of impair: from a wire frame to when, whether and how it goes on.
 *
 * The model (path.h) decides; this carries it out on frames: it holds them in a heap ordered by
 * when they are due, copies, marks, and flips bits. It knows no link; impair.c and wire.c feed and
 * drain it.
 */
#ifndef SLT_LINK_IMPAIR_PATH_H
#define SLT_LINK_IMPAIR_PATH_H

#include "link/frame_pool.h"
#include "link/impair.h"
#include "link/segment.h"

struct slt_impair_path {
    struct slt_path model; /* params and counters are the caller's to set and to read */
    enum salut_link_kind kind;
    uint64_t order;              /* of the next entry of the heap */
    struct slt_frame_buf **heap; /* the frame due first on top */
    uint32_t heap_count;
    uint32_t heap_room;
    struct slt_frame_pool pool;
};

/* Set up a direction; `number` tells the two directions of a seed apart. */
void slt_impair_path_init(struct slt_impair_path *path, uint64_t seed, uint32_t number,
                          enum salut_link_kind kind);
void slt_impair_path_deinit(struct slt_impair_path *path);

/* True when frames have to go through the path: it has faults, or still holds frames. */
bool slt_impair_path_active(const struct slt_impair_path *path);

/* Decide the fate of a wire frame taken from path->pool; the path owns it from now on. */
void slt_impair_path_put(struct slt_impair_path *path, struct slt_frame_buf *frame, int64_t now_ns);

/* Cut a frame into wire frames and let fate have them. Returns SLT_LINK_DROP_COUNT, or why the
 * frame (or the rest of it: no memory for more) has to be dropped without having been seen. */
enum slt_link_drop slt_impair_path_put_frame(struct slt_impair_path *path,
                                             const struct slt_frame_view *view, int64_t now_ns);

/* The frame that is due first, or NULL when none is due at `now_ns`. */
struct slt_frame_buf *slt_impair_path_peek(const struct slt_impair_path *path, int64_t now_ns);

/* Take the frame slt_impair_path_peek tells of out of the path; the caller gives it to the pool. */
struct slt_frame_buf *slt_impair_path_take(struct slt_impair_path *path, int64_t now_ns);

/* Put a frame back that was taken but could not go on; it is the next one again. */
void slt_impair_path_return(struct slt_impair_path *path, struct slt_frame_buf *frame);

/* When the first frame is due; SLT_NEVER when none is held. */
int64_t slt_impair_path_due(const struct slt_impair_path *path);

/* Dress a wire frame up as a frame of the stack's; it refers to `buf`. The header holds all headers
 * (at most 160 bytes of them), as decorators and devices below expect. */
void slt_impair_dress(const struct slt_frame_buf *buf, enum salut_link_kind kind,
                      struct salut_tx_frame *frame);

/* Flip one bit, chosen by `random`, of a place where corruption is wanted. False when the frame
 * has no such place. */
bool slt_impair_corrupt_frame(uint8_t *frame, uint32_t bytes, const struct slt_impair_path *path,
                              uint64_t random);

#endif
