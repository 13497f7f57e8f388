/* Reassembly: find or begin the datagram, judge the piece, keep it, and see whether it was the
 * last.
 *
 * Since pieces never overlap, the datagram is whole when its end is known and the bytes held are
 * as many as the end says: no holes need to be listed, which is what RFC 815's descriptors are
 * for. The judgement of a piece is three questions to the set: the range at or before its start,
 * the range after its start, and the last one.
 *
 * Two lists, one per family, keep the order in which datagrams were begun. Within a family the
 * timeout is the same for all, so a list's head is both the next to expire and the oldest.
 * RFC 1122 3.3.2 (R1122-09): the time runs from the first-come fragment and is not extended.
 */
#include "ip/frag.h"

#include "wire/checksum.h"

#define BUF_HEADER_BYTES ((uint32_t)offsetof(struct slt_buf, data))
#define TOTAL_UNKNOWN    UINT32_MAX

/* The largest packet: IPv6's header and 65,535 bytes behind it. */
#define WHOLE_MAX (SLT_IPV6_HEADER_BYTES + 65535U)

static bool init_pools(struct slt_frag *frag, const struct slt_frag_setup *setup)
{
    uint32_t bufs_max = setup->bytes_max / SLT_FRAG_BUFFER_BYTES;
    return slt_pool_init(&frag->datagrams, frag->mem, SLT_OWNER_FRAGMENT,
                         sizeof(struct slt_frag_datagram), setup->datagrams_max) &&
           slt_pool_init(&frag->ranges, frag->mem, SLT_OWNER_FRAGMENT, sizeof(struct slt_range),
                         bufs_max) &&
           slt_pool_init(&frag->bufs, frag->mem, SLT_OWNER_FRAGMENT, SLT_FRAG_BUFFER_BYTES,
                         bufs_max) &&
           slt_flow_init(&frag->flow, frag->mem, setup->datagrams_max);
}

bool slt_frag_init(struct slt_frag *frag, struct slt_mem *mem, const struct slt_frag_setup *setup)
{
    *frag = (struct slt_frag){.mem = mem,
                              .key = setup->key,
                              .timeout_ns = {setup->timeout4_ns, setup->timeout6_ns},
                              .oldest = {SLT_NIL, SLT_NIL},
                              .newest = {SLT_NIL, SLT_NIL}};
    if (setup->datagrams_max == 0) {
        return true;
    }
    /* A small host need not hold a packet larger than the fragments it may keep. */
    frag->whole_max = slt_min32(setup->bytes_max, WHOLE_MAX);
    bool fits = init_pools(frag, setup);
    if (fits && frag->whole_max > 0) {
        frag->whole = slt_mem_take(mem, SLT_OWNER_FRAGMENT, frag->whole_max);
    }
    if (!fits || (frag->whole_max > 0 && !frag->whole)) {
        slt_frag_deinit(frag);
        return false;
    }
    frag->flow.kinds[0] = (struct slt_flow_kind){
        .pool = &frag->datagrams, .link_offset = offsetof(struct slt_frag_datagram, hash_link)};
    return true;
}

void slt_frag_deinit(struct slt_frag *frag)
{
    if (frag->whole) {
        slt_mem_give(frag->mem, SLT_OWNER_FRAGMENT, frag->whole, frag->whole_max);
        frag->whole = NULL;
    }
    if (frag->flow.buckets) {
        slt_flow_deinit(&frag->flow, frag->mem);
    }
    slt_pool_deinit(&frag->bufs);
    slt_pool_deinit(&frag->ranges);
    slt_pool_deinit(&frag->datagrams);
}

static struct slt_frag_datagram *datagram_at(const struct slt_frag *frag, uint32_t index)
{
    return slt_pool_at(&frag->datagrams, index);
}

static uint32_t list_of(uint8_t family)
{
    return family == 4 ? 0 : 1;
}

/* RFC 791 3.2 (R791-01): source, destination, protocol, identification; IPv6 has no protocol in
 * its key (RFC 8200 4.5), since only the first fragment's next header counts. */
static uint32_t hash_of(const struct slt_frag *frag, const struct slt_ip_packet *packet)
{
    uint8_t key[38];
    memcpy(key, packet->src, 16);
    memcpy(key + 16, packet->dst, 16);
    for (uint32_t i = 0; i < 4; i++) {
        key[32 + i] = (uint8_t)(packet->id >> 8 * i);
    }
    key[36] = packet->family;
    key[37] = packet->family == 4 ? packet->protocol : 0;
    return (uint32_t)slt_siphash13(&frag->key, key, sizeof(key));
}

static bool is_of(const struct slt_frag_datagram *d, const struct slt_ip_packet *packet)
{
    return d->id == packet->id && d->family == packet->family &&
           (d->family == 6 || d->protocol == packet->protocol) &&
           slt_ip_addr_equal(d->src, packet->src) && slt_ip_addr_equal(d->dst, packet->dst);
}

static uint32_t find(struct slt_frag *frag, const struct slt_ip_packet *packet, uint32_t hash)
{
    slt_flow_ref ref = slt_flow_first(&frag->flow, hash);
    while (ref != SLT_FLOW_NONE) {
        const struct slt_frag_datagram *d = datagram_at(frag, slt_flow_index(ref));
        frag->steps++;
        if (is_of(d, packet)) {
            return slt_flow_index(ref);
        }
        ref = d->hash_link;
    }
    return SLT_NIL;
}

static void drop_bytes(struct slt_frag *frag, struct slt_frag_datagram *d)
{
    slt_ranges_clear(&d->pieces, &frag->ranges, &frag->bufs);
    slt_chain_clear(&d->header, &frag->bufs);
    d->held_bytes = 0;
}

/* Take a datagram out of everything. */
static void forget(struct slt_frag *frag, uint32_t index)
{
    struct slt_frag_datagram *d = datagram_at(frag, index);
    uint32_t list = list_of(d->family);
    drop_bytes(frag, d);
    slt_flow_remove(&frag->flow, d->hash, slt_flow_ref_make(0, index));
    if (d->older == SLT_NIL) {
        frag->oldest[list] = d->newer;
    } else {
        datagram_at(frag, d->older)->newer = d->newer;
    }
    if (d->newer == SLT_NIL) {
        frag->newest[list] = d->older;
    } else {
        datagram_at(frag, d->newer)->older = d->older;
    }
    slt_pool_give(&frag->datagrams, index);
}

/* The oldest datagram but `except`; SLT_NIL when there is no other. */
static uint32_t oldest_but(const struct slt_frag *frag, uint32_t except)
{
    uint32_t best = SLT_NIL;
    for (uint32_t list = 0; list < 2; list++) {
        uint32_t index = frag->oldest[list];
        if (index != SLT_NIL && index == except) {
            index = datagram_at(frag, index)->newer;
        }
        if (index != SLT_NIL && (best == SLT_NIL || datagram_at(frag, index)->since_ns <
                                                        datagram_at(frag, best)->since_ns)) {
            best = index;
        }
    }
    return best;
}

/* H03, R791-08: the oldest makes room for the newest. */
static bool evict_but(struct slt_frag *frag, uint32_t except)
{
    uint32_t index = oldest_but(frag, except);
    frag->steps++;
    if (index == SLT_NIL) {
        return false;
    }
    forget(frag, index);
    frag->evicted++;
    return true;
}

static uint32_t begin(struct slt_frag *frag, const struct slt_ip_packet *packet, uint32_t hash,
                      int64_t now_ns)
{
    uint32_t index = slt_pool_take(&frag->datagrams);
    if (index == SLT_NIL && evict_but(frag, SLT_NIL)) {
        index = slt_pool_take(&frag->datagrams);
    }
    if (index == SLT_NIL) {
        return SLT_NIL;
    }
    uint32_t list = list_of(packet->family);
    struct slt_frag_datagram *d = datagram_at(frag, index);
    *d = (struct slt_frag_datagram){.hash = hash,
                                    .hash_link = SLT_FLOW_NONE,
                                    .older = frag->newest[list],
                                    .newer = SLT_NIL,
                                    .id = packet->id,
                                    .total_bytes = TOTAL_UNKNOWN,
                                    .since_ns = now_ns,
                                    .protocol = packet->protocol,
                                    .family = packet->family};
    slt_ip_addr_copy(d->src, packet->src);
    slt_ip_addr_copy(d->dst, packet->dst);
    slt_ranges_init(&d->pieces);
    slt_chain_init(&d->header);
    if (d->older == SLT_NIL) {
        frag->oldest[list] = index;
    } else {
        datagram_at(frag, d->older)->newer = index;
    }
    frag->newest[list] = index;
    slt_flow_add(&frag->flow, hash, slt_flow_ref_make(0, index));
    return index;
}

/* Drop what there is and remember only that nothing more is wanted (RFC 8200 4.5, R8200-04). */
static enum slt_reason poison(struct slt_frag *frag, struct slt_frag_datagram *d,
                              enum slt_reason reason)
{
    drop_bytes(frag, d);
    d->poisoned = true;
    return reason;
}

/* The transport header the first fragment must hold whole (RFC 1858 3, R791-07; K04). */
static uint32_t transport_header_bytes(const struct slt_ip_packet *packet)
{
    bool has_offset = packet->payload.bytes > 12;
    switch (packet->protocol) {
    case SLT_IP_PROTOCOL_TCP:
        return has_offset ? slt_max32(packet->payload.data[12] >> 4, 5) * 4U : 20;
    case SLT_IP_PROTOCOL_UDP:
    case SLT_IP_PROTOCOL_ICMP4:
    case SLT_IP_PROTOCOL_ICMP6:
        return 8;
    default:
        return 0;
    }
}

/* What can be said of a piece by itself. IPv6's lengths were judged on the walk through its
 * headers, which knows where to point; asking again costs nothing. */
static enum slt_reason check_piece(const struct slt_ip_packet *packet)
{
    uint32_t bytes = packet->payload.bytes;
    /* RFC 791 3.2 (R791-02). */
    if (bytes == 0 || (packet->more && bytes % 8 != 0)) {
        return SLT_DROP_FRAG_LENGTH;
    }
    /* R791-05: the ping of death. */
    uint32_t fixed = packet->family == 4
                         ? packet->header_bytes
                         : packet->header_bytes - SLT_IPV6_HEADER_BYTES - SLT_IPV6_FRAGMENT_BYTES;
    if (fixed + packet->offset + bytes > 65535U) {
        return SLT_DROP_FRAG_LENGTH;
    }
    if (packet->offset == 0 && bytes < transport_header_bytes(packet)) {
        return SLT_DROP_FRAG_TINY;
    }
    return SLT_PASS;
}

/* Hold the piece against those that are there. */
static enum slt_reason check_fit(const struct slt_frag *frag, const struct slt_frag_datagram *d,
                                 const struct slt_ip_packet *packet)
{
    int64_t start = packet->offset;
    int64_t end = start + packet->payload.bytes;
    bool end_known = d->total_bytes != TOTAL_UNKNOWN;
    uint32_t last = slt_ranges_last(&d->pieces, &frag->ranges);
    if (packet->more) {
        if (end_known && end >= d->total_bytes) {
            return SLT_DROP_FRAG_OVERLAP;
        }
    } else {
        bool beyond =
            last != SLT_NIL && ((struct slt_range *)slt_pool_at(&frag->ranges, last))->end > end;
        if (beyond || (end_known && end != d->total_bytes)) {
            return SLT_DROP_FRAG_OVERLAP;
        }
    }
    uint32_t below = slt_ranges_floor(&d->pieces, &frag->ranges, start);
    if (below != SLT_NIL) {
        const struct slt_range *r = slt_pool_at(&frag->ranges, below);
        /* Without a known end, a last piece that equals one with more to follow contradicts it. */
        if (r->start == start && r->end == end && (packet->more || end_known)) {
            return SLT_DROP_FRAG_DUPLICATE;
        }
        if (r->end > start) {
            return SLT_DROP_FRAG_OVERLAP;
        }
    }
    uint32_t above = slt_ranges_above(&d->pieces, &frag->ranges, start);
    if (above != SLT_NIL && ((struct slt_range *)slt_pool_at(&frag->ranges, above))->start < end) {
        return SLT_DROP_FRAG_OVERLAP;
    }
    return SLT_PASS;
}

/* Append all of `span`, evicting others when buffers run out. */
static bool append(struct slt_frag *frag, uint32_t index, struct slt_chain *chain,
                   struct slt_span span)
{
    uint32_t done = slt_chain_append(chain, &frag->bufs, span.data, span.bytes);
    while (done < span.bytes && evict_but(frag, index)) {
        done += slt_chain_append(chain, &frag->bufs, span.data + done, span.bytes - done);
    }
    return done == span.bytes;
}

static bool keep_piece(struct slt_frag *frag, uint32_t index, const struct slt_ip_packet *packet)
{
    struct slt_frag_datagram *d = datagram_at(frag, index);
    int64_t start = packet->offset;
    int64_t end = start + packet->payload.bytes;
    if (d->pieces.count >= SLT_FRAG_PIECES_MAX) {
        return false;
    }
    uint32_t range = slt_ranges_insert(&d->pieces, &frag->ranges, start, end);
    if (range == SLT_NIL && evict_but(frag, index)) {
        range = slt_ranges_insert(&d->pieces, &frag->ranges, start, end);
    }
    if (range == SLT_NIL) {
        return false;
    }
    struct slt_range *r = slt_pool_at(&frag->ranges, range);
    if (!append(frag, index, &r->chain, packet->payload)) {
        return false;
    }
    d->held_bytes += packet->payload.bytes;
    if (!packet->more) {
        d->total_bytes = (uint32_t)end;
    }
    if (packet->offset != 0) {
        return true;
    }
    d->protocol = packet->protocol;
    d->next_header_at = packet->next_header_at;
    d->way = packet->way;
    return append(frag, index, &d->header,
                  (struct slt_span){packet->packet.data, packet->header_bytes});
}

/* RFC 3168 5.3 (R3168-07): congestion seen by one fragment was seen by the packet, and a mixture
 * that no sender makes is not delivered. Equal code points stay; ECT(0) with ECT(1) gives ECT(0).
 * Returns false for the mixture. */
static bool join_ecn(uint8_t seen, uint8_t *ecn)
{
    bool none = (seen & 1U << SLT_ECN_NONE) != 0;
    if (none) {
        *ecn = SLT_ECN_NONE;
        return seen == 1U << SLT_ECN_NONE;
    }
    if ((seen & 1U << SLT_ECN_CE) != 0) {
        *ecn = SLT_ECN_CE;
    } else {
        *ecn = (seen & 1U << SLT_ECN_ECT0) != 0 ? SLT_ECN_ECT0 : SLT_ECN_ECT1;
    }
    return true;
}

static void put_u16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void correct_header_v4(uint8_t *header, uint32_t header_bytes, uint32_t total, uint8_t ecn)
{
    header[1] = (uint8_t)((header[1] & 0xfcU) | ecn);
    put_u16(header + 2, header_bytes + total);
    put_u16(header + 6, 0); /* neither more to follow nor an offset */
    put_u16(header + 10, 0);
    put_u16(header + 10, slt_checksum_finish(slt_checksum_add(0, header, header_bytes)));
}

static void correct_header_v6(const struct slt_frag_datagram *d, uint8_t *header,
                              uint32_t header_bytes, uint8_t ecn)
{
    put_u16(header + 4, header_bytes - SLT_IPV6_HEADER_BYTES + d->total_bytes);
    header[1] = (uint8_t)((header[1] & 0xcfU) | (uint32_t)ecn << 4);
    /* The header that led to the fragment header now leads past it. */
    SLT_ASSERT(d->next_header_at < header_bytes);
    header[d->next_header_at] = d->protocol;
}

static uint32_t copy_pieces(const struct slt_frag *frag, const struct slt_frag_datagram *d,
                            uint8_t *out)
{
    uint32_t done = 0;
    uint32_t range = slt_ranges_first(&d->pieces, &frag->ranges);
    while (range != SLT_NIL) {
        const struct slt_range *r = slt_pool_at(&frag->ranges, range);
        SLT_ASSERT(r->start == (int64_t)done);
        done += slt_chain_peek(&r->chain, &frag->bufs, 0, out + done, r->chain.bytes);
        range = slt_ranges_above(&d->pieces, &frag->ranges, r->start);
    }
    return done;
}

/* All pieces are there: make the packet and forget the datagram. */
static enum slt_reason finish(struct slt_frag *frag, uint32_t index, struct slt_span *whole)
{
    struct slt_frag_datagram *d = datagram_at(frag, index);
    uint32_t header_bytes = d->header.bytes;
    if (d->family == 6) {
        header_bytes -= SLT_IPV6_FRAGMENT_BYTES;
    }
    uint32_t fixed = d->family == 4 ? header_bytes : header_bytes - SLT_IPV6_HEADER_BYTES;
    uint8_t ecn;
    /* The first fragment's header may be longer than those the pieces were judged with. */
    if (fixed + d->total_bytes > 65535U) {
        return poison(frag, d, SLT_DROP_FRAG_LENGTH);
    }
    if (header_bytes + d->total_bytes > frag->whole_max) {
        return poison(frag, d, SLT_DROP_FRAG_MEMORY);
    }
    if (!join_ecn(d->ecn_seen, &ecn)) {
        return poison(frag, d, SLT_DROP_FRAG_POISONED);
    }
    (void)slt_chain_peek(&d->header, &frag->bufs, 0, frag->whole, header_bytes);
    if (d->family == 4) {
        correct_header_v4(frag->whole, header_bytes, d->total_bytes, ecn);
    } else {
        correct_header_v6(d, frag->whole, header_bytes, ecn);
    }
    uint32_t copied = copy_pieces(frag, d, frag->whole + header_bytes);
    SLT_ASSERT(copied == d->total_bytes);
    *whole = (struct slt_span){frag->whole, header_bytes + copied};
    frag->lent = true;
    forget(frag, index);
    return SLT_NOTE_FRAG_DONE;
}

enum slt_reason slt_frag_input(struct slt_frag *frag, const struct slt_ip_packet *packet,
                               int64_t now_ns, struct slt_span *whole)
{
    SLT_ASSERT(packet->fragment);
    SLT_ASSERT(!frag->lent);
    enum slt_reason reason = check_piece(packet);
    if (reason != SLT_PASS) {
        return reason;
    }
    if (frag->datagrams.max_objects == 0) {
        return SLT_DROP_FRAG_MEMORY;
    }
    uint32_t hash = hash_of(frag, packet);
    uint32_t index = find(frag, packet, hash);
    if (index == SLT_NIL) {
        index = begin(frag, packet, hash, now_ns);
    }
    if (index == SLT_NIL) {
        return SLT_DROP_FRAG_MEMORY;
    }
    struct slt_frag_datagram *d = datagram_at(frag, index);
    if (d->poisoned) {
        return SLT_DROP_FRAG_POISONED;
    }
    reason = check_fit(frag, d, packet);
    if (reason == SLT_DROP_FRAG_DUPLICATE) {
        return reason;
    }
    if (reason != SLT_PASS) {
        return poison(frag, d, reason);
    }
    if (!keep_piece(frag, index, packet)) {
        return poison(frag, d, SLT_DROP_FRAG_MEMORY);
    }
    d->ecn_seen = (uint8_t)(d->ecn_seen | 1U << packet->ecn);
    if (d->held_bytes != d->total_bytes) {
        return SLT_NOTE_FRAG_HELD;
    }
    return finish(frag, index, whole);
}

void slt_frag_release(struct slt_frag *frag)
{
    SLT_ASSERT(frag->lent);
    frag->lent = false;
}

void slt_frag_flush(struct slt_frag *frag, const struct slt_ip_packet *packet)
{
    if (frag->datagrams.used_objects == 0 || packet->family != 4) {
        return;
    }
    uint32_t index = find(frag, packet, hash_of(frag, packet));
    if (index != SLT_NIL) {
        forget(frag, index);
    }
}

static int64_t deadline_of(const struct slt_frag *frag, uint32_t list)
{
    uint32_t index = frag->oldest[list];
    if (index == SLT_NIL) {
        return SLT_NEVER;
    }
    return slt_time_add(datagram_at(frag, index)->since_ns, frag->timeout_ns[list]);
}

/* The first fragment as it came, for the quote of "time exceeded". */
static struct slt_span rebuild_first(struct slt_frag *frag, const struct slt_frag_datagram *d)
{
    uint32_t range = slt_ranges_first(&d->pieces, &frag->ranges);
    if (d->header.bytes == 0 || range == SLT_NIL) {
        return (struct slt_span){NULL, 0};
    }
    const struct slt_range *r = slt_pool_at(&frag->ranges, range);
    SLT_ASSERT(r->start == 0);
    if (d->header.bytes + r->chain.bytes > frag->whole_max) {
        return (struct slt_span){NULL, 0};
    }
    uint32_t done = slt_chain_peek(&d->header, &frag->bufs, 0, frag->whole, d->header.bytes);
    done += slt_chain_peek(&r->chain, &frag->bufs, 0, frag->whole + done, r->chain.bytes);
    frag->lent = true;
    return (struct slt_span){frag->whole, done};
}

bool slt_frag_expire(struct slt_frag *frag, int64_t now_ns, struct slt_frag_expired *out)
{
    SLT_ASSERT(!frag->lent);
    uint32_t list = deadline_of(frag, 0) <= deadline_of(frag, 1) ? 0 : 1;
    int64_t due_ns = deadline_of(frag, list);
    if (due_ns == SLT_NEVER || due_ns > now_ns) {
        return false;
    }
    uint32_t index = frag->oldest[list];
    const struct slt_frag_datagram *d = datagram_at(frag, index);
    *out = (struct slt_frag_expired){.poisoned = d->poisoned, .way = d->way};
    out->first = rebuild_first(frag, d);
    forget(frag, index);
    return true;
}

int64_t slt_frag_next_deadline(const struct slt_frag *frag)
{
    return slt_min64(deadline_of(frag, 0), deadline_of(frag, 1));
}

static bool check_datagram(const struct slt_frag *frag, const struct slt_frag_datagram *d)
{
    int64_t total = slt_ranges_total(&d->pieces, &frag->ranges);
    bool good = total == (int64_t)d->held_bytes;
    good = good && (!d->poisoned || (d->held_bytes == 0 && d->header.bytes == 0));
    return good && (d->poisoned || d->held_bytes > 0) && d->held_bytes < d->total_bytes;
}

bool slt_frag_check(const struct slt_frag *frag)
{
    uint32_t count = 0;
    bool good = true;
    for (uint32_t list = 0; list < 2; list++) {
        uint32_t before = SLT_NIL;
        uint32_t index = frag->oldest[list];
        while (index != SLT_NIL && count <= frag->datagrams.used_objects) {
            const struct slt_frag_datagram *d = datagram_at(frag, index);
            good = good && d->older == before && list_of(d->family) == list;
            good = good && check_datagram(frag, d);
            before = index;
            index = d->newer;
            count++;
        }
        good = good && frag->newest[list] == before;
    }
    good = good && count == frag->datagrams.used_objects;
    return good && (count > 0 || (frag->bufs.used_objects == 0 && frag->ranges.used_objects == 0));
}
