/* One direction of impair: from a wire frame to when, whether and how it goes on.
 *
 * The path owns a seeded chain of fates, the model of the bottleneck (rate and queue) and a heap of
 * frames ordered by when they are due. It knows no link; impair.c feeds it and drains it.
 */
#ifndef SLT_LINK_IMPAIR_PATH_H
#define SLT_LINK_IMPAIR_PATH_H

#include "link/frame_pool.h"
#include "link/impair.h"

struct slt_impair_path {
    struct slt_impair_faults faults;
    struct slt_impair_counters counters;
    enum salut_link_kind kind;
    uint64_t seed;                       /* of this direction */
    uint64_t number;                     /* of the next frame; never depends on time */
    uint64_t order;                      /* of the next entry of the heap */
    bool burst;                          /* the Gilbert-Elliott chain is in its bad state */
    int64_t free_at_ns;                  /* when the bottleneck has sent all it has taken */
    int64_t last_due_ns;                 /* jitter does not let a frame overtake another */
    struct slt_frame_buf *waiting_first; /* frames whose last bit has not left the bottleneck */
    struct slt_frame_buf *waiting_last;
    uint32_t waiting_frames;
    uint64_t waiting_bytes;
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

/* The frame that is due first, or NULL when none is due at `now_ns`. */
struct slt_frame_buf *slt_impair_path_peek(const struct slt_impair_path *path, int64_t now_ns);

/* Take the frame slt_impair_path_peek tells of out of the path; the caller gives it to the pool. */
struct slt_frame_buf *slt_impair_path_take(struct slt_impair_path *path, int64_t now_ns);

/* Put a frame back that was taken but could not go on; it is the next one again. */
void slt_impair_path_return(struct slt_impair_path *path, struct slt_frame_buf *frame);

/* When the first frame is due; SLT_NEVER when none is held. */
int64_t slt_impair_path_due(const struct slt_impair_path *path);

/* Flip one bit, chosen by `random`, of a place where corruption is wanted. False when the frame
 * has no such place. */
bool slt_impair_corrupt_frame(uint8_t *frame, uint32_t bytes, const struct slt_impair_path *path,
                              uint64_t random);

#endif
