/* The treap: a binary search tree by key that is a heap by priority.
 *
 * Priorities that an outsider cannot foresee give the tree the shape it would have if its nodes
 * had come in random order, whose expected depth is below 2 ln n, with no rebalancing rules. Each
 * operation is a walk down with a pointer to the link it may rewrite, so nothing needs a stack or
 * a parent pointer:
 *   insert: go down past nodes of higher priority; cut the subtree found there at the key into two,
 *           which become the new node's children;
 *   remove: put the merge of the node's two subtrees in its place.
 */
#include "base/treap.h"

static struct slt_treap_links *links_in(const struct slt_treap_kind *kind, uint8_t *object)
{
    return (struct slt_treap_links *)(void *)(object + kind->links_offset);
}

static int64_t key_in(const struct slt_treap_kind *kind, const uint8_t *object)
{
    return *(const int64_t *)(const void *)(object + kind->key_offset);
}

static struct slt_treap_links *links_at(const struct slt_treap_kind *kind,
                                        const struct slt_pool *pool, uint32_t index)
{
    return links_in(kind, slt_pool_at(pool, index));
}

static int64_t key_at(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                      uint32_t index)
{
    return key_in(kind, slt_pool_at(pool, index));
}

/* Cut the tree `root` into what lies below pos and the rest: the subtrees of `into`. */
static void cut_tree(const struct slt_treap_kind *kind, const struct slt_pool *pool, uint32_t root,
                     int64_t pos, struct slt_treap_links *into)
{
    uint32_t *low = &into->left;
    uint32_t *high = &into->right;
    while (root != SLT_NIL) {
        struct slt_treap_links *links = links_at(kind, pool, root);
        if (key_at(kind, pool, root) < pos) {
            *low = root;
            low = &links->right;
            root = links->right;
        } else {
            *high = root;
            high = &links->left;
            root = links->left;
        }
    }
    *low = SLT_NIL;
    *high = SLT_NIL;
}

/* Write the merge of the two subtrees, everything left before everything right, to *link. */
static void merge_trees(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                        const struct slt_treap_links *of, uint32_t *link)
{
    uint32_t low = of->left;
    uint32_t high = of->right;
    while (low != SLT_NIL && high != SLT_NIL) {
        struct slt_treap_links *l = links_at(kind, pool, low);
        struct slt_treap_links *h = links_at(kind, pool, high);
        if (l->priority >= h->priority) {
            *link = low;
            link = &l->right;
            low = l->right;
        } else {
            *link = high;
            link = &h->left;
            high = h->left;
        }
    }
    *link = low != SLT_NIL ? low : high;
}

uint32_t slt_treap_floor(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                         uint32_t root, int64_t pos)
{
    uint32_t best = SLT_NIL;
    while (root != SLT_NIL) {
        const struct slt_treap_links *links = links_at(kind, pool, root);
        bool below = key_at(kind, pool, root) <= pos;
        best = below ? root : best;
        root = below ? links->right : links->left;
    }
    return best;
}

uint32_t slt_treap_above(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                         uint32_t root, int64_t pos)
{
    uint32_t best = SLT_NIL;
    while (root != SLT_NIL) {
        const struct slt_treap_links *links = links_at(kind, pool, root);
        bool above = key_at(kind, pool, root) > pos;
        best = above ? root : best;
        root = above ? links->left : links->right;
    }
    return best;
}

void slt_treap_insert(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                      uint32_t *root, uint32_t index)
{
    uint8_t *object = slt_pool_at(pool, index);
    struct slt_treap_links *fresh = links_in(kind, object);
    int64_t key = key_in(kind, object);
    uint32_t *link = root;
    while (*link != SLT_NIL && links_at(kind, pool, *link)->priority >= fresh->priority) {
        struct slt_treap_links *links = links_at(kind, pool, *link);
        link = key < key_at(kind, pool, *link) ? &links->left : &links->right;
    }
    cut_tree(kind, pool, *link, key, fresh);
    *link = index;
}

void slt_treap_remove(const struct slt_treap_kind *kind, const struct slt_pool *pool,
                      uint32_t *root, uint32_t index)
{
    uint8_t *object = slt_pool_at(pool, index);
    int64_t key = key_in(kind, object);
    uint32_t *link = root;
    while (*link != index) {
        SLT_ASSERT(*link != SLT_NIL);
        struct slt_treap_links *links = links_at(kind, pool, *link);
        link = key < key_at(kind, pool, *link) ? &links->left : &links->right;
    }
    merge_trees(kind, pool, links_in(kind, object), link);
}
