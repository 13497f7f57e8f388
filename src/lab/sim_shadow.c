/* Who wrote which bytes: every end writes a pattern of its own, in which each byte depends on its
 * position and on the end, so that a byte tells where it comes from (I-01, I-05, I-06, I-29).
 */
#include "lab/sim_world.h"

#include <string.h>

static uint64_t pattern_word(uint64_t key, uint64_t word)
{
    uint64_t x = (key ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 29;
}

void slt_sim_pattern(uint64_t key, uint64_t at, uint8_t *out, uint32_t bytes)
{
    uint64_t word = pattern_word(key, at >> 3);
    for (uint32_t i = 0; i < bytes; i++, at++) {
        if ((at & 7U) == 0) {
            word = pattern_word(key, at >> 3);
        }
        out[i] = (uint8_t)(word >> (8U * (at & 7U)));
    }
}

bool slt_sim_pattern_matches(uint64_t key, uint64_t at, const uint8_t *data, uint32_t bytes)
{
    uint64_t word = pattern_word(key, at >> 3);
    for (uint32_t i = 0; i < bytes; i++, at++) {
        if ((at & 7U) == 0) {
            word = pattern_word(key, at >> 3);
        }
        if (data[i] != (uint8_t)(word >> (8U * (at & 7U)))) {
            return false;
        }
    }
    return true;
}

struct sim_end *slt_sim_end_new(struct sim_world *w, uint8_t host, salut_conn conn)
{
    struct salut_info info;
    if (w->end_count == SIM_ENDS_MAX ||
        salut_get_info(w->host[host].stack, conn, &info) != SALUT_OK) {
        return NULL;
    }
    struct sim_end *e = &w->end[w->end_count++];
    memset(e, 0, sizeof(*e));
    e->held = true;
    e->host = host;
    e->peer_host = SIM_NOBODY;
    for (uint8_t i = 0; i < w->host_count; i++) {
        for (int family = 0; family < 2; family++) {
            if (memcmp(info.remote.b, w->host[i].addr[family].b, 16) == 0) {
                e->peer_host = i;
            }
        }
    }
    e->plan = SIM_NOBODY;
    e->peer = SLT_NIL;
    e->conn = conn;
    e->local_port = info.local_port;
    e->remote_port = info.remote_port;
    e->isn = info.send_isn;
    e->connected = info.state >= SALUT_STATE_ESTABLISHED;
    e->key = slt_prng_u64(&w->prng);
    e->made_at_ns = w->now_ns;
    e->wake_at_ns = w->now_ns;
    w->tally->conns++;
    slt_sim_note(w, "end %u on %c: %u/%u isn %u", w->end_count - 1, 'A' + host, e->local_port,
                 e->remote_port, e->isn);
    return e;
}

static bool fits(const struct sim_world *w, const struct sim_end *e, const struct sim_end *o,
                 uint32_t irs)
{
    return o->host == e->peer_host && o->peer_host == e->host && o->local_port == e->remote_port &&
           o->remote_port == e->local_port && o != e &&
           o->isn + w->net.path[o->host][e->host].shift == irs;
}

/* The other end of a connection: the one whose initial sequence number ours was told. */
struct sim_end *slt_sim_match(struct sim_world *w, struct sim_end *e)
{
    struct salut_info info;
    if (e->matched) {
        return &w->end[e->peer];
    }
    if (e->peer_host == SIM_NOBODY || !e->held ||
        salut_get_info(w->host[e->host].stack, e->conn, &info) != SALUT_OK ||
        info.state == SALUT_STATE_SYN_SENT) {
        return NULL;
    }
    for (uint32_t i = 0; i < w->end_count; i++) {
        struct sim_end *o = &w->end[i];
        if (fits(w, e, o, info.recv_isn)) {
            e->matched = true;
            e->peer = i;
            return o;
        }
    }
    return NULL;
}

uint32_t slt_sim_end_by_isn(const struct sim_world *w, const struct sim_flow *f)
{
    for (uint32_t i = w->end_count; i-- > 0;) {
        const struct sim_end *e = &w->end[i];
        if (e->host == f->host && e->isn == f->isn && e->local_port == f->local_port &&
            e->remote_port == f->remote_port) {
            return i;
        }
    }
    return SLT_NIL;
}
