/* The path MTU table: hash for finding, one list in the order of use for ageing and eviction.
 *
 * Age is looked at when an entry is met; nobody needs a timer for an entry that nobody asks for,
 * and the table is bounded.
 */
#include "ip/pmtu.h"

bool slt_pmtu_init(struct slt_pmtu *pmtu, struct slt_mem *mem, uint32_t entries_max,
                   const struct slt_sipkey *key)
{
    SLT_ASSERT(entries_max > 0);
    *pmtu = (struct slt_pmtu){
        .key = *key, .oldest = SLT_NIL, .newest = SLT_NIL, .floor4 = SLT_PMTU_FLOOR4};
    if (!slt_pool_init(&pmtu->pool, mem, SLT_OWNER_STACK, sizeof(struct slt_pmtu_entry),
                       entries_max)) {
        return false;
    }
    if (!slt_flow_init(&pmtu->flow, mem, entries_max)) {
        slt_pool_deinit(&pmtu->pool);
        return false;
    }
    pmtu->flow.kinds[0] = (struct slt_flow_kind){
        .pool = &pmtu->pool, .link_offset = offsetof(struct slt_pmtu_entry, hash_link)};
    return true;
}

void slt_pmtu_deinit(struct slt_pmtu *pmtu)
{
    slt_flow_deinit(&pmtu->flow, pmtu->pool.mem);
    slt_pool_deinit(&pmtu->pool);
}

static struct slt_pmtu_entry *entry_at(const struct slt_pmtu *pmtu, uint32_t index)
{
    return slt_pool_at(&pmtu->pool, index);
}

static void unlist(struct slt_pmtu *pmtu, const struct slt_pmtu_entry *e)
{
    if (e->older == SLT_NIL) {
        pmtu->oldest = e->newer;
    } else {
        entry_at(pmtu, e->older)->newer = e->newer;
    }
    if (e->newer == SLT_NIL) {
        pmtu->newest = e->older;
    } else {
        entry_at(pmtu, e->newer)->older = e->older;
    }
}

static void enlist(struct slt_pmtu *pmtu, uint32_t index)
{
    struct slt_pmtu_entry *e = entry_at(pmtu, index);
    e->older = pmtu->newest;
    e->newer = SLT_NIL;
    if (pmtu->newest == SLT_NIL) {
        pmtu->oldest = index;
    } else {
        entry_at(pmtu, pmtu->newest)->newer = index;
    }
    pmtu->newest = index;
}

static void forget(struct slt_pmtu *pmtu, uint32_t index)
{
    const struct slt_pmtu_entry *e = entry_at(pmtu, index);
    unlist(pmtu, e);
    slt_flow_remove(&pmtu->flow, e->hash, slt_flow_ref_make(0, index));
    slt_pool_give(&pmtu->pool, index);
}

static uint32_t hash_of(const struct slt_pmtu *pmtu, const uint8_t dst[16])
{
    return (uint32_t)slt_siphash13(&pmtu->key, dst, SLT_ADDRESS_BYTES);
}

/* The entry of `dst` that is not too old, moved to the young end; SLT_NIL when there is none. */
static uint32_t find(struct slt_pmtu *pmtu, const uint8_t dst[16], int64_t now_ns)
{
    slt_flow_ref ref = slt_flow_first(&pmtu->flow, hash_of(pmtu, dst));
    while (ref != SLT_FLOW_NONE &&
           !slt_ip_addr_equal(entry_at(pmtu, slt_flow_index(ref))->dst, dst)) {
        pmtu->steps++;
        ref = entry_at(pmtu, slt_flow_index(ref))->hash_link;
    }
    if (ref == SLT_FLOW_NONE) {
        return SLT_NIL;
    }
    uint32_t index = slt_flow_index(ref);
    const struct slt_pmtu_entry *e = entry_at(pmtu, index);
    pmtu->steps++;
    /* RFC 1191 6.3, RFC 8201 5.3 (R1191-03, R8201-04). */
    if (now_ns >= slt_time_add(e->lowered_at_ns, SLT_PMTU_AGED_NS)) {
        forget(pmtu, index);
        return SLT_NIL;
    }
    unlist(pmtu, e);
    enlist(pmtu, index);
    return index;
}

uint32_t slt_pmtu_get(struct slt_pmtu *pmtu, const uint8_t dst[16], uint32_t link_mtu,
                      int64_t now_ns)
{
    if (pmtu->pool.used_objects == 0) {
        return link_mtu;
    }
    uint32_t index = find(pmtu, dst, now_ns);
    return index == SLT_NIL ? link_mtu : slt_min32(link_mtu, entry_at(pmtu, index)->mtu);
}

uint32_t slt_pmtu_peek(const struct slt_pmtu *pmtu, const uint8_t dst[16], uint32_t link_mtu,
                       int64_t now_ns)
{
    slt_flow_ref ref = slt_flow_first(&pmtu->flow, hash_of(pmtu, dst));
    while (ref != SLT_FLOW_NONE) {
        const struct slt_pmtu_entry *e = entry_at(pmtu, slt_flow_index(ref));
        if (slt_ip_addr_equal(e->dst, dst)) {
            bool aged = now_ns >= slt_time_add(e->lowered_at_ns, SLT_PMTU_AGED_NS);
            return aged ? link_mtu : slt_min32(link_mtu, e->mtu);
        }
        ref = e->hash_link;
    }
    return link_mtu;
}

uint32_t slt_pmtu_plateau_below(uint32_t bytes)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68};
    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(plateaus); i++) {
        if (plateaus[i] < bytes) {
            return plateaus[i];
        }
    }
    return 68;
}

/* The value a message asks for, held to the floor; 0: it asks for nothing acceptable. */
static uint32_t wanted_mtu(const struct slt_pmtu *pmtu, const struct slt_pmtu_news *news,
                           uint32_t current)
{
    if (!slt_address_is_v4(news->dst)) {
        /* RFC 8201 4 (R8201-01): a value below the minimum is no news at all. */
        return news->mtu < SLT_PMTU_FLOOR6 ? 0 : news->mtu;
    }
    uint32_t mtu = news->mtu;
    if (mtu == 0) {
        /* RFC 1191 5 (R1191-02): guess from the size that was too big. What is larger than what
         * we send was not sent by us as it is quoted. */
        uint32_t sent = news->quoted_bytes == 0 ? current : slt_min32(news->quoted_bytes, current);
        mtu = slt_pmtu_plateau_below(sent);
    }
    return slt_max32(mtu, pmtu->floor4);
}

static uint32_t create(struct slt_pmtu *pmtu, const uint8_t dst[16])
{
    uint32_t index = slt_pool_take(&pmtu->pool);
    if (index == SLT_NIL && pmtu->oldest != SLT_NIL) {
        forget(pmtu, pmtu->oldest);
        index = slt_pool_take(&pmtu->pool);
    }
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    struct slt_pmtu_entry *e = entry_at(pmtu, index);
    *e = (struct slt_pmtu_entry){.hash_link = SLT_FLOW_NONE, .hash = hash_of(pmtu, dst)};
    slt_ip_addr_copy(e->dst, dst);
    slt_flow_add(&pmtu->flow, e->hash, slt_flow_ref_make(0, index));
    enlist(pmtu, index);
    return index;
}

enum slt_reason slt_pmtu_lower(struct slt_pmtu *pmtu, const struct slt_pmtu_news *news,
                               int64_t now_ns)
{
    uint32_t index = find(pmtu, news->dst, now_ns);
    uint32_t current = news->link_mtu;
    if (index != SLT_NIL) {
        current = slt_min32(current, entry_at(pmtu, index)->mtu);
    }
    uint32_t mtu = wanted_mtu(pmtu, news, current);
    /* RFC 1191 3 (R1191-01): never raised. */
    if (mtu == 0 || mtu >= current) {
        return SLT_DROP_ICMP_PMTU_IGNORED;
    }
    if (index == SLT_NIL) {
        index = create(pmtu, news->dst);
    }
    if (index == SLT_NIL) {
        return SLT_DROP_ICMP_PMTU_IGNORED;
    }
    struct slt_pmtu_entry *e = entry_at(pmtu, index);
    e->mtu = mtu;
    e->lowered_at_ns = now_ns;
    return SLT_NOTE_ICMP_PMTU;
}
