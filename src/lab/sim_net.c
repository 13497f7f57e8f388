/* Packets on their way: a heap ordered by time of arrival, and what befalls a packet before it is
 * put there.
 *
 * A path is one direction between two hosts. Three things on it are its nature and stay for the
 * whole run: its delay, a middlebox that shifts sequence numbers (both directions of a connection
 * agree, SACK blocks included, so data integrity is expected), and one that takes options out of
 * SYNs (both ways alike, or the ends would disagree about what was negotiated, which no TCP
 * survives). Everything else is a fault and ends with the first phase.
 *
 * Flipped bits lie behind the link header (a frame check sequence would catch them there) and in
 * at most 15 neighbouring bits, which the Internet checksum never misses; ARP has no checksum and
 * is spared.
 */
#include "lab/sim_world.h"

#include <stdlib.h>
#include <string.h>

#include "wire/tcp.h"

/* ---- the heap
 * ------------------------------------------------------------------------------------ */

static bool before(const struct sim_packet *a, const struct sim_packet *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void push(struct sim_net *net, struct sim_packet *p)
{
    if (net->heap_count == net->heap_room) {
        net->heap_room = net->heap_room ? net->heap_room * 2 : 256;
        net->heap = realloc(net->heap, net->heap_room * sizeof(struct sim_packet *));
        SLT_ASSERT(net->heap != NULL);
    }
    uint32_t at = net->heap_count++;
    while (at > 0 && before(p, net->heap[(at - 1) / 2])) {
        net->heap[at] = net->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    net->heap[at] = p;
}

static struct sim_packet *pop(struct sim_net *net)
{
    struct sim_packet *top = net->heap[0];
    struct sim_packet *last = net->heap[--net->heap_count];
    uint32_t at = 0;
    while (2 * at + 1 < net->heap_count) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < net->heap_count && before(net->heap[child + 1], net->heap[child])) {
            child++;
        }
        if (!before(net->heap[child], last)) {
            break;
        }
        net->heap[at] = net->heap[child];
        at = child;
    }
    net->heap[at] = last;
    return top;
}

static struct sim_packet *new_packet(struct sim_world *w, uint8_t from, uint8_t to,
                                     const uint8_t *data, uint32_t bytes)
{
    struct sim_packet *p = malloc(sizeof(*p) + bytes);
    SLT_ASSERT(p != NULL);
    *p = (struct sim_packet){.at_ns = w->now_ns,
                             .order = w->net.order++,
                             .bytes = bytes,
                             .from = from,
                             .to = to,
                             .origin = SIM_GENUINE};
    memcpy(p->data, data, bytes);
    return p;
}

/* ---- reordering: held until others have passed
 * --------------------------------------------------- */

static void release_held(struct sim_world *w, struct sim_path *path, uint32_t i)
{
    struct sim_packet *p = path->held[i];
    path->held_count--;
    path->held[i] = path->held[path->held_count];
    path->held_until_ns[i] = path->held_until_ns[path->held_count];
    path->held_passes[i] = path->held_passes[path->held_count];
    p->at_ns = w->now_ns + path->delay_ns;
    p->order = w->net.order++;
    push(&w->net, p);
}

static void pass_held(struct sim_world *w, struct sim_path *path)
{
    for (uint32_t i = path->held_count; i-- > 0;) {
        if (--path->held_passes[i] == 0) {
            release_held(w, path, i);
        }
    }
}

static void release_due(struct sim_world *w)
{
    for (uint32_t i = 0; i < w->host_count * SIM_HOSTS_MAX; i++) {
        struct sim_path *path = &w->net.path[i / SIM_HOSTS_MAX][i % SIM_HOSTS_MAX];
        for (uint32_t k = path->held_count; k-- > 0;) {
            if (path->held_until_ns[k] <= w->now_ns) {
                release_held(w, path, k);
            }
        }
    }
}

static void put_on_way(struct sim_world *w, struct sim_path *path, struct sim_packet *p)
{
    bool faults = w->net.faults;
    if (faults && slt_sim_chance(w, path->reorder) && path->held_count < SIM_HELD_MAX) {
        uint32_t at = path->held_count++;
        path->held[at] = p;
        path->held_passes[at] = (uint8_t)(1 + slt_sim_below(w, path->reorder_depth));
        path->held_until_ns[at] = w->now_ns + slt_sim_log_between(w, SIM_MS(1), SIM_S(3));
        slt_sim_fault(w, SLT_SIM_REORDER);
        return;
    }
    p->at_ns = w->now_ns + path->delay_ns;
    if (faults && slt_sim_chance(w, path->long_delay)) {
        p->at_ns += slt_sim_log_between(w, SIM_MS(1), path->delay_max_ns);
        slt_sim_fault(w, SLT_SIM_DELAY);
    } else {
        p->at_ns += faults ? (int64_t)slt_sim_below(w, (uint64_t)path->jitter_ns + 1) : 0;
        p->at_ns = slt_max64(p->at_ns, path->last_at_ns);
        path->last_at_ns = p->at_ns;
    }
    push(&w->net, p);
    pass_held(w, path);
}

/* ---- middleboxes
 * --------------------------------------------------------------------------------- */

static bool option_goes(const struct sim_world *w, const struct sim_path *path, uint8_t kind,
                        bool syn, bool ts, bool sack)
{
    (void)w;
    if (syn) {
        return (kind == 2 && (path->strip_syn & SIM_STRIP_MSS)) ||
               (kind == 3 && (path->strip_syn & SIM_STRIP_WSCALE)) ||
               (kind == 4 && (path->strip_syn & SIM_STRIP_SACK)) ||
               (kind == 8 && (path->strip_syn & SIM_STRIP_TS));
    }
    return (kind == 8 && ts) || (kind == 5 && sack);
}

static void shift_sack(uint8_t *option, uint32_t back)
{
    for (uint32_t i = 2; i + 4 <= option[1]; i += 4) {
        slt_sim_put32(option + i, slt_sim_get32(option + i) - back);
    }
}

/* A queue on the way is congested: what may be marked is marked (RFC 3168 5). */
static bool mark_congestion(struct sim_world *w, const struct sim_path *path,
                            const struct sim_decoded *d, uint8_t *data)
{
    uint8_t *tos = data + d->ip_at + 1; /* in IPv6 its upper half */
    uint32_t shift = d->family == 4 ? 0 : 4;
    uint32_t codepoint = (uint32_t)*tos >> shift & 3U;
    if (!w->net.faults || codepoint == 0 || !slt_sim_chance(w, path->mark)) {
        return false;
    }
    *tos = (uint8_t)(*tos | 3U << shift);
    slt_sim_fault(w, SLT_SIM_MARK);
    return true;
}

/* A middlebox from before RFC 3168 clears what it takes for reserved. */
static bool bleach(struct sim_world *w, const struct sim_path *path, const struct sim_decoded *d,
                   uint8_t *data)
{
    uint8_t *flags = data + d->tcp_at + 12;
    if (!path->bleach || (d->flags & SLT_TCP_SYN) ||
        !(d->flags & (SLT_TCP_AE | SLT_TCP_CWR | SLT_TCP_ECE))) {
        return false;
    }
    flags[0] &= 0xf0;
    flags[1] &= 0x3f;
    slt_sim_fault(w, SLT_SIM_BLEACH);
    return true;
}

/* Change numbers and take options out, in place; true when something changed. */
static bool change_segment(struct sim_world *w, struct sim_path *path, uint32_t back,
                           const struct sim_decoded *d, uint8_t *data)
{
    bool syn = (d->flags & SLT_TCP_SYN) != 0;
    bool ts = !syn && w->net.faults && slt_sim_chance(w, path->strip_ts);
    bool sack = !syn && w->net.faults && slt_sim_chance(w, path->strip_sack);
    bool changed = path->shift != 0 || back != 0;
    changed = mark_congestion(w, path, d, data) || changed;
    changed = bleach(w, path, d, data) || changed;
    uint8_t *tcp = data + d->tcp_at;
    slt_sim_put32(tcp + 4, d->seq + path->shift);
    if (d->flags & SLT_TCP_ACK) {
        slt_sim_put32(tcp + 8, d->ack - back);
    }
    for (uint32_t at = d->tcp_at + 20; at < d->payload_at && data[at] != 0;) {
        uint32_t bytes = data[at] == 1 ? 1 : data[at + 1];
        if (data[at] == 5) {
            shift_sack(data + at, back);
        }
        if (option_goes(w, path, data[at], syn, ts, sack)) {
            slt_sim_fault(w, syn             ? SLT_SIM_STRIP_SYN
                             : data[at] == 8 ? SLT_SIM_STRIP_TS
                                             : SLT_SIM_STRIP_SACK);
            memset(data + at, 1, bytes);
            changed = true;
        }
        at += bytes;
    }
    return changed;
}

/* ---- MTU
 * ----------------------------------------------------------------------------------------- */

/* The router says that a packet was too big (RFC 1191, RFC 8201). */
static void tell_too_big(struct sim_world *w, uint8_t from, const struct sim_decoded *d,
                         const uint8_t *data, uint32_t mtu)
{
    uint8_t frame[160];
    uint32_t quote = d->family == 4 ? 28 : 48;
    uint32_t at = d->ip_at;
    uint32_t header = d->family == 4 ? 20 : 40;
    salut_addr router;
    memset(frame, 0, sizeof(frame));
    slt_sim_station(w, d->family == 6, SIM_ROUTER, &router);
    uint8_t *ip = frame + at;
    if (d->family == 4) {
        ip[0] = 0x45;
        slt_sim_put16(ip + 2, header + 8 + quote);
        ip[8] = 64;
        ip[9] = 1;
        memcpy(ip + 12, router.b + 12, 4);
        memcpy(ip + 16, d->src + 12, 4);
        ip[header] = 3;
        ip[header + 1] = 4;
        slt_sim_put16(ip + header + 6, mtu);
    } else {
        ip[0] = 0x60;
        slt_sim_put16(ip + 4, 8 + quote);
        ip[6] = 58;
        ip[7] = 64;
        memcpy(ip + 8, router.b, 16);
        memcpy(ip + 24, d->src, 16);
        ip[header] = 2;
        slt_sim_put32(ip + header + 4, mtu);
    }
    memcpy(ip + header + 8, data + at, quote);
    slt_sim_seal(ip, header + 8 + quote);
    slt_sim_fault(w, SLT_SIM_MTU_ICMP);
    slt_sim_net_inject(w, from, frame, at + header + 8 + quote, SIM_MS(1));
}

/* ---- fragments
 * ----------------------------------------------------------------------------------- */

static uint32_t write_fragment(struct sim_world *w, const struct sim_decoded *d,
                               const uint8_t *data, uint32_t offset, uint32_t bytes)
{
    uint8_t *out = w->scratch2;
    uint32_t header = d->family == 4 ? (uint32_t)(data[d->ip_at] & 15) * 4 : 40;
    uint32_t total = d->ip_bytes - header;
    bool more = offset + bytes < total;
    memcpy(out, data, d->ip_at + header);
    uint8_t *ip = out + d->ip_at;
    if (d->family == 4) {
        slt_sim_put16(ip + 2, header + bytes);
        slt_sim_put16(ip + 6, offset / 8 | (more ? 0x2000U : 0));
        memcpy(ip + header, data + d->ip_at + header + offset, bytes);
        slt_sim_seal(ip, header + bytes);
        return d->ip_at + header + bytes;
    }
    ip[40] = ip[6];
    ip[6] = 44;
    ip[41] = 0;
    slt_sim_put16(ip + 42, offset | (more ? 1U : 0));
    slt_sim_put32(ip + 44, (uint32_t)w->net.order);
    slt_sim_put16(ip + 4, 8 + bytes);
    memcpy(ip + 48, data + d->ip_at + 40 + offset, bytes);
    return d->ip_at + 48 + bytes;
}

/* A router that fragments. All pieces bear the number of the first. */
static void send_fragments(struct sim_world *w, uint8_t from, uint8_t to,
                           const struct sim_decoded *d, const uint8_t *data)
{
    struct sim_path *path = &w->net.path[from][to];
    uint32_t header = d->family == 4 ? (uint32_t)(data[d->ip_at] & 15) * 4 : 40;
    uint32_t total = d->ip_bytes - header;
    uint32_t piece = (uint32_t)(24 + slt_sim_below(w, total)) & ~7U;
    uint64_t number = w->net.order;
    slt_sim_fault(w, SLT_SIM_FRAGMENT);
    /* The checkers of the wire do not put fragments together: they hear the whole now. */
    struct sim_decoded again;
    slt_sim_decode(w, data, d->ip_at + d->ip_bytes, &again);
    slt_sim_learn_heard(w, &w->host[to], &again);
    for (uint32_t offset = 0; offset < total; offset += piece) {
        uint32_t bytes = slt_min32(piece, total - offset);
        uint32_t frame = write_fragment(w, d, data, offset, bytes);
        if (d->family == 6) {
            slt_sim_put32(w->scratch2 + d->ip_at + 44, (uint32_t)number);
        }
        if (!slt_sim_chance(w, path->drop)) {
            put_on_way(w, path, new_packet(w, from, to, w->scratch2, frame));
        }
    }
}

/* ---- one packet on one path
 * ---------------------------------------------------------------------- */

static void damage(struct sim_world *w, const struct sim_path *path, const struct sim_decoded *d,
                   struct sim_packet *p)
{
    if (d->kind == SIM_ARP || p->bytes <= d->ip_at + 1) {
        return;
    }
    if (slt_sim_chance(w, path->flip)) {
        uint64_t bit = slt_sim_below(w, (uint64_t)(p->bytes - d->ip_at) * 8);
        uint64_t run = 1 + (slt_sim_chance(w, 2000) ? slt_sim_below(w, 15) : 0);
        for (uint64_t i = bit; i < bit + run && i < (uint64_t)(p->bytes - d->ip_at) * 8; i++) {
            if (i == bit || slt_sim_chance(w, 5000)) {
                p->data[d->ip_at + i / 8] ^= (uint8_t)(0x80U >> (i % 8));
            }
        }
        p->origin = SIM_TAMPERED;
        slt_sim_fault(w, SLT_SIM_FLIP);
    }
    if (slt_sim_chance(w, path->truncate)) {
        p->bytes = (uint32_t)(1 + slt_sim_below(w, p->bytes - 1));
        p->origin = SIM_TAMPERED;
        slt_sim_fault(w, SLT_SIM_TRUNCATE);
    }
}

static void send_copies(struct sim_world *w, uint8_t from, uint8_t to, const struct sim_decoded *d,
                        const uint8_t *data, uint32_t bytes)
{
    struct sim_path *path = &w->net.path[from][to];
    uint32_t copies = 1;
    if (w->net.faults && slt_sim_chance(w, path->duplicate)) {
        copies += 1 + (uint32_t)slt_sim_below(w, 2);
        slt_sim_fault(w, SLT_SIM_DUPLICATE);
    }
    for (; copies > 0; copies--) {
        struct sim_packet *p = new_packet(w, from, to, data, bytes);
        if (w->net.faults) {
            damage(w, path, d, p);
        }
        put_on_way(w, path, p);
    }
}

/* A world of paths: the model decides. Neighbour discovery goes the same way. */
static void cross_model(struct sim_world *w, uint8_t from, uint8_t to, const struct sim_decoded *d,
                        const uint8_t *data, uint32_t bytes)
{
    struct sim_path *path = &w->net.path[from][to];
    struct slt_path_verdict verdict;
    uint32_t tos = d->family == 4 ? data[d->ip_at + 1] : (uint32_t)data[d->ip_at + 1] >> 4;
    bool ip = d->kind != SIM_ARP && bytes > d->ip_at + 1;
    struct slt_path_packet offered = {.bytes = bytes, .ecn_capable = ip && (tos & 3U) != 0};
    slt_path_offer(&path->model, w->now_ns, &offered, &verdict);
    if (verdict.fate != SLT_PATH_PASSES) {
        slt_sim_fault(w, SLT_SIM_DROP);
        return;
    }
    if (verdict.reordered) {
        slt_sim_fault(w, SLT_SIM_REORDER);
    }
    for (uint32_t copy = 0; copy <= verdict.duplicated; copy++) {
        struct sim_packet *p = new_packet(w, from, to, data, bytes);
        /* Behind the IP header, where a checksum covers everything. */
        uint32_t covered = d->ip_at + (d->family == 4 ? 20 : 40);
        if (copy == 0 && verdict.corrupted && ip && bytes > covered) {
            uint64_t bit = verdict.corrupt_random % ((uint64_t)(bytes - covered) * 8);
            p->data[covered + bit / 8] ^= (uint8_t)(0x80U >> (bit % 8));
            p->origin = SIM_TAMPERED;
            slt_sim_fault(w, SLT_SIM_FLIP);
        }
        p->at_ns = verdict.due_at_ns;
        push(&w->net, p);
    }
    if (verdict.duplicated) {
        slt_sim_fault(w, SLT_SIM_DUPLICATE);
    }
}

static void cross(struct sim_world *w, uint8_t from, uint8_t to, const struct sim_decoded *d,
                  const uint8_t *data, uint32_t bytes)
{
    struct sim_path *path = &w->net.path[from][to];
    if (!path->up) {
        return;
    }
    if (w->paths && w->net.faults) {
        cross_model(w, from, to, d, data, bytes);
        return;
    }
    if (w->net.faults && slt_sim_chance(w, path->drop)) {
        slt_sim_fault(w, SLT_SIM_DROP);
        return;
    }
    if (d->ip_bytes > path->mtu && d->kind != SIM_ARP) {
        if (path->mtu_icmp) {
            tell_too_big(w, from, d, data, path->mtu);
        } else {
            slt_sim_fault(w, SLT_SIM_MTU_SILENT);
        }
        return;
    }
    if (d->kind == SIM_TCP && d->bad == NULL) {
        memcpy(w->scratch2, data, bytes);
        if (change_segment(w, path, w->net.path[to][from].shift, d, w->scratch2)) {
            slt_sim_seal(w->scratch2 + d->ip_at, d->ip_bytes);
            memcpy(w->scratch, w->scratch2, bytes);
            data = w->scratch;
        }
    }
    if (w->net.faults && d->kind != SIM_ARP && d->kind != SIM_ND && d->ip_bytes > 80 &&
        slt_sim_chance(w, path->fragment)) {
        send_fragments(w, from, to, d, data);
        return;
    }
    send_copies(w, from, to, d, data, bytes);
}

/* ---- doors
 * --------------------------------------------------------------------------------------- */

/* The host that a frame goes to; SIM_NOBODY: all others, or none. */
static uint8_t receiver(const struct sim_world *w, const struct sim_decoded *d, const uint8_t *data)
{
    if (d->ip_at == 0) {
        return d->dst_host;
    }
    for (uint8_t i = 0; i < w->host_count; i++) {
        if (memcmp(data, w->host[i].mac, 6) == 0) {
            return i;
        }
    }
    return SIM_NOBODY;
}

/* A frame leaves a host. `data` may lie in w->scratch. */
void slt_sim_net_send(struct sim_world *w, uint8_t from, const uint8_t *data, uint32_t bytes)
{
    struct sim_decoded d;
    slt_sim_decode(w, data, bytes, &d);
    uint8_t to = receiver(w, &d, data);
    bool group = d.ip_at > 0 ? (data[0] & 1) != 0 : d.dst_group != 0;
    for (uint8_t i = 0; i < w->host_count; i++) {
        if (i != from && (i == to || group)) {
            cross(w, from, i, &d, data, bytes);
        }
    }
}

/* A frame that no host sent. On Ethernet its addresses are filled in unless they stand there. */
void slt_sim_net_inject(struct sim_world *w, uint8_t to, const uint8_t *data, uint32_t bytes,
                        int64_t after_ns)
{
    static const uint8_t nobody[6] = {0};
    struct sim_packet *p = new_packet(w, SIM_NOBODY, to, data, bytes);
    p->origin = SIM_FORGED;
    p->at_ns = w->now_ns + after_ns;
    if (slt_sim_kind_offset(w) > 0 && bytes >= 15 && memcmp(p->data, nobody, 6) == 0) {
        memcpy(p->data, w->host[to].mac, 6);
        memcpy(p->data + 6, "\2\0\0\0\0\xf0", 6);
        if (slt_sim_get16(p->data + 12) == 0) {
            slt_sim_put16(p->data + 12, p->data[14] >> 4 == 6 ? 0x86dd : 0x800);
        }
    }
    push(&w->net, p);
}

int64_t slt_sim_net_next(const struct sim_world *w)
{
    int64_t next = w->net.heap_count ? w->net.heap[0]->at_ns : SLT_NEVER;
    for (uint32_t i = 0; i < w->host_count * SIM_HOSTS_MAX; i++) {
        const struct sim_path *path = &w->net.path[i / SIM_HOSTS_MAX][i % SIM_HOSTS_MAX];
        for (uint32_t k = 0; k < path->held_count; k++) {
            next = slt_min64(next, path->held_until_ns[k]);
        }
    }
    return next;
}

/* The next packet that has arrived by now; the caller frees it. */
struct sim_packet *slt_sim_net_take(struct sim_world *w)
{
    release_due(w);
    if (w->net.heap_count == 0 || w->net.heap[0]->at_ns > w->now_ns) {
        return NULL;
    }
    return pop(&w->net);
}

static void set_all_up(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_HOSTS_MAX * SIM_HOSTS_MAX; i++) {
        w->net.path[i / SIM_HOSTS_MAX][i % SIM_HOSTS_MAX].up = true;
    }
}

static struct sim_path *random_path(struct sim_world *w)
{
    uint32_t from = (uint32_t)slt_sim_below(w, w->host_count);
    uint32_t to = (from + 1 + (uint32_t)slt_sim_below(w, w->host_count - 1U)) % w->host_count;
    return &w->net.path[from][to];
}

void slt_sim_path_narrow(struct sim_world *w, struct sim_path *path)
{
    uint32_t low = w->is.ip6 ? 1280 : 576;
    uint32_t top = w->host[0].config.mtu;
    path->mtu = slt_sim_chance(w, 3000) || low >= top
                    ? top
                    : low + (uint32_t)slt_sim_below(w, top - low + 1);
    path->mtu_icmp = slt_sim_chance(w, 8000);
    slt_sim_fault(w, SLT_SIM_MTU);
}

/* Something happens to the network as a whole: see 3.3 of the fault model. Swizzle-clog takes
 * paths down one by one and brings them back in another order. */
void slt_sim_net_path_event(struct sim_world *w)
{
    struct sim_path *path = random_path(w);
    switch (slt_sim_below(w, 6)) {
    case 0:
        w->net.path[0][1].up = w->net.path[1][0].up = false;
        slt_sim_fault(w, SLT_SIM_FLAP);
        break;
    case 1:
        path->up = false;
        slt_sim_fault(w, SLT_SIM_PARTITION);
        break;
    case 2:
        path->up = !path->up;
        slt_sim_fault(w, SLT_SIM_CLOG);
        break;
    case 3:
        slt_sim_path_narrow(w, path);
        break;
    default:
        set_all_up(w);
        break;
    }
}

/* The faults end; what is on its way still arrives. */
void slt_sim_net_heal(struct sim_world *w)
{
    set_all_up(w);
    w->net.faults = false;
    for (uint32_t i = 0; i < SIM_HOSTS_MAX * SIM_HOSTS_MAX; i++) {
        w->net.path[i / SIM_HOSTS_MAX][i % SIM_HOSTS_MAX].mtu = 65535;
    }
}

void slt_sim_net_free(struct sim_world *w)
{
    for (uint32_t i = 0; i < SIM_HOSTS_MAX * SIM_HOSTS_MAX; i++) {
        struct sim_path *path = &w->net.path[i / SIM_HOSTS_MAX][i % SIM_HOSTS_MAX];
        while (path->held_count > 0) {
            free(path->held[--path->held_count]);
        }
        slt_path_deinit(&path->model);
    }
    while (w->net.heap_count > 0) {
        free(w->net.heap[--w->net.heap_count]);
    }
    free(w->net.heap);
    w->net.heap = NULL;
}
