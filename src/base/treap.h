/* A treap over pool objects: found by position, whatever order a peer chooses for them.
 *
 * Search, insertion and removal take O(log n) expected steps as long as priorities are drawn such
 * that nobody outside can foresee them; who owns the objects draws them. Nothing recurses, and a
 * node needs no parent pointer. The objects' kind says where in an object the links and the key
 * lie, so one tree serves everybody (as base/wheel.h and base/flow.h do).
 */
#ifndef SLT_BASE_TREAP_H
#define SLT_BASE_TREAP_H

#include "base/pool.h"

/* Embedded in the object. */
struct slt_treap_links {
    uint32_t left; /* pool indices of the subtrees, SLT_NIL: none */
    uint32_t right;
    uint32_t priority;
};

struct slt_treap_kind {
    uint32_t links_offset; /* offsetof(object, its slt_treap_links) */
    uint32_t key_offset;   /* offsetof(object, its int64_t key) */
};

/* The object with the largest key <= pos; SLT_NIL when there is none. */
uint32_t slt_treap_floor(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                         uint32_t root, int64_t pos);

/* The object with the smallest key > pos; SLT_NIL when there is none. */
uint32_t slt_treap_above(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                         uint32_t root, int64_t pos);

/* The two below for a tree of one, which needs no search: most trees never have more. */
static inline void slt_treap_insert_first(struct slt_treap_links *links, uint32_t *root,
                                          uint32_t index)
{
    SLT_DCHECK(*root == SLT_NIL);
    links->left = SLT_NIL;
    links->right = SLT_NIL;
    *root = index;
}

static inline bool slt_treap_is_alone(const struct slt_treap_links *links, uint32_t root,
                                      uint32_t index)
{
    return root == index && links->left == SLT_NIL && links->right == SLT_NIL;
}

/* Put object `index`, whose key and priority are set, into the tree; no key may stand in it twice.
 * A key may change later as long as it stays between its neighbours'. */
void slt_treap_insert(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                      uint32_t *root, uint32_t index);

/* Take object `index`, which is in the tree, out of it. */
void slt_treap_remove(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                      uint32_t *root, uint32_t index);

#endif
