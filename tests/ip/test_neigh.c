/* Tests of ip/neigh: the state machine on virtual time, bounds, floods.
 * ARP-02..05, R4861-02, R4861-05, H10, K12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/neigh.h"
#include "ip/neigh_arp.h"

#define S SLT_NS_PER_S

enum { ENTRIES = 16 };

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

struct world {
    struct slt_mem mem;
    struct slt_ip_iface iface;
    struct slt_neigh neigh;
};

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[6] = {2, 0, 0, 0, 0, 0xb};

static void addr_of(const char *text, uint8_t addr[16])
{
    assert_true(slt_ip_addr_parse(text, addr));
}

static int setup(void **state)
{
    static struct world w;
    const struct salut_config config = {
        .addresses_max = 4, .routes_max = 4, .mtu = 1500, .ttl = 64, .mac = {2, 0, 0, 0, 0, 1}};
    const struct slt_neigh_setup table = {.entries_max = ENTRIES, .key = {1, 2}, .seed = 9};
    uint8_t addr[16];
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    addr_of("10.0.0.1", addr);
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 104, SLT_IP_OWN_PREFERRED), SALUT_OK);
    addr_of("fe80::1", addr);
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 64, SLT_IP_OWN_PREFERRED), SALUT_OK);
    assert_true(slt_neigh_init(&w.neigh, &w.mem, &table));
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    assert_true(slt_neigh_check(&w->neigh));
    slt_neigh_deinit(&w->neigh);
    slt_ip_iface_deinit(&w->iface);
    for (uint32_t i = 0; i < SLT_OWNER_COUNT; i++) {
        assert_int_equal(w->mem.ledger.bytes[i], 0);
        assert_int_equal(w->mem.ledger.objects[i], 0);
    }
    return 0;
}

static struct slt_neigh_found resolve(struct world *w, const char *text, int64_t now_ns)
{
    struct slt_neigh_found found;
    uint8_t addr[16];
    addr_of(text, addr);
    slt_neigh_resolve(&w->neigh, addr, now_ns, &found);
    return found;
}

static enum slt_neigh_state state_of(struct world *w, const char *text)
{
    uint8_t addr[16];
    addr_of(text, addr);
    const struct slt_neigh_entry *e = slt_neigh_peek(&w->neigh, addr);
    return e == NULL ? SLT_NEIGH_NONE : (enum slt_neigh_state)e->state;
}

static void arp(struct world *w, uint16_t op, const char *sender, const uint8_t mac[6],
                int64_t now_ns)
{
    struct slt_neigh_reply reply;
    struct slt_arp in = {.op = op};
    memcpy(in.sender_mac, mac, 6);
    addr_of(sender, in.sender_ip);
    addr_of("10.0.0.1", in.target_ip);
    (void)slt_neigh_input_arp(&w->neigh, &w->iface, &in, now_ns, &reply);
}

static bool due(struct world *w, int64_t now_ns, struct slt_neigh_solicit *ask)
{
    return slt_neigh_next_due(&w->neigh, &w->iface, now_ns, ask);
}

static void expire(struct world *w, int64_t now_ns)
{
    (void)slt_neigh_expire(&w->neigh, now_ns, UINT32_MAX);
    assert_true(slt_neigh_check(&w->neigh));
}

/* Let time pass in steps of the cache's own deadlines, answering nothing. Returns questions. */
static uint32_t run_until(struct world *w, int64_t from_ns, int64_t to_ns)
{
    uint32_t asked = 0;
    int64_t now_ns = from_ns;
    struct slt_neigh_solicit ask;
    while (now_ns <= to_ns) {
        expire(w, now_ns);
        while (due(w, now_ns, &ask)) {
            asked++;
        }
        int64_t next_ns = slt_neigh_next_deadline(&w->neigh);
        now_ns = next_ns > now_ns ? next_ns : now_ns + S / 100;
    }
    expire(w, to_ns);
    return asked;
}

/* Three questions a second apart, then failure, told once (R4861-02, ARP-03, ARP-05). */
static void test_incomplete_to_failed(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    struct slt_neigh_found found = resolve(w, "10.0.0.7", 0);
    assert_int_equal(found.answer, SLT_NEIGH_UNRESOLVED);
    for (int64_t i = 0; i < SLT_NEIGH_PROBES_MAX; i++) {
        assert_true(slt_neigh_next_deadline(&w->neigh) <= i * S);
        expire(w, i * S);
        assert_true(due(w, i * S, &ask));
        assert_int_equal(ask.dst_mac[0], 0xff);
        assert_false(due(w, i * S, &ask));
        expire(w, i * S + S - 1);
        assert_false(due(w, i * S + S - 1, &ask));
        assert_false(slt_neigh_take_wake(&w->neigh, &wake));
        assert_int_equal(resolve(w, "10.0.0.7", i * S).answer, SLT_NEIGH_UNRESOLVED);
    }
    expire(w, 3 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_FAILED);
    assert_true(slt_neigh_take_wake(&w->neigh, &wake));
    assert_int_equal(wake.kind, SLT_NEIGH_WAKE_FAILED);
    assert_int_equal(wake.ref.index, found.ref.index);
    assert_int_equal(wake.ref.generation, found.ref.generation);
    assert_false(slt_neigh_take_wake(&w->neigh, &wake));
    /* The negative cache, and the next attempt. */
    assert_int_equal(resolve(w, "10.0.0.7", 3 * S + 1).answer, SLT_NEIGH_UNREACHABLE);
    assert_int_equal(resolve(w, "10.0.0.7", 4 * S).answer, SLT_NEIGH_UNRESOLVED);
    assert_true(due(w, 4 * S, &ask));
}

/* A question nobody takes is not counted as sent. */
static void test_full_device_uses_no_attempts(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    (void)resolve(w, "10.0.0.7", 0);
    expire(w, 100 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_INCOMPLETE);
    assert_true(due(w, 100 * S, &ask));
    assert_int_equal(run_until(w, 100 * S, 110 * S), 2);
}

static void test_resolution(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    uint8_t mac[6];
    struct slt_neigh_found found = resolve(w, "10.0.0.7", 0);
    assert_false(slt_neigh_use(&w->neigh, found.ref, 0, mac));
    assert_true(due(w, 0, &ask));
    arp(w, SLT_ARP_REPLY, "10.0.0.7", mac_a, 1000);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
    assert_true(slt_neigh_take_wake(&w->neigh, &wake));
    assert_int_equal(wake.kind, SLT_NEIGH_WAKE_RESOLVED);
    assert_false(slt_neigh_take_wake(&w->neigh, &wake));
    assert_true(slt_neigh_use(&w->neigh, found.ref, 2000, mac));
    assert_memory_equal(mac, mac_a, 6);
    assert_int_equal(resolve(w, "10.0.0.7", 2000).answer, SLT_NEIGH_RESOLVED);
    assert_int_equal(run_until(w, 2000, 14 * S), 0);
}

/* Make 10.0.0.7 reachable at `now_ns`. */
static struct slt_neigh_ref make_reachable(struct world *w, int64_t now_ns)
{
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    struct slt_neigh_found found = resolve(w, "10.0.0.7", now_ns);
    (void)due(w, now_ns, &ask);
    arp(w, SLT_ARP_REPLY, "10.0.0.7", mac_a, now_ns);
    assert_true(slt_neigh_take_wake(&w->neigh, &wake));
    return found.ref;
}

/* R4861-05: REACHABLE for 15..45 s, STALE without questions, DELAY 5 s, three unicast probes. */
static void test_unreachability_detection(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    expire(w, 15 * S - 1);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
    expire(w, 45 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_STALE);
    assert_false(due(w, 45 * S, &ask));
    assert_true(slt_neigh_use(&w->neigh, ref, 46 * S, mac));
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_DELAY);
    expire(w, 51 * S - 1);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_DELAY);
    for (int64_t i = 0; i < 3; i++) {
        expire(w, (51 + i) * S);
        assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_PROBE);
        assert_true(due(w, (51 + i) * S, &ask));
        assert_memory_equal(ask.dst_mac, mac_a, 6); /* ARP-02: a unicast poll */
        assert_true(slt_neigh_use(&w->neigh, ref, (51 + i) * S, mac));
    }
    expire(w, 54 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_FAILED);
    assert_true(slt_neigh_take_wake(&w->neigh, &wake));
    assert_int_equal(wake.kind, SLT_NEIGH_WAKE_FAILED);
    /* It may have changed its link address: everybody is asked, at once. */
    assert_int_equal(resolve(w, "10.0.0.7", 54 * S).answer, SLT_NEIGH_UNRESOLVED);
    assert_true(due(w, 54 * S, &ask));
    assert_int_equal(ask.dst_mac[0], 0xff);
}

static void test_probe_answered(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    expire(w, 45 * S);
    assert_true(slt_neigh_use(&w->neigh, ref, 46 * S, mac));
    expire(w, 51 * S);
    assert_true(due(w, 51 * S, &ask));
    arp(w, SLT_ARP_REPLY, "10.0.0.7", mac_a, 51 * S + 5);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
    assert_int_equal(run_until(w, 51 * S + 5, 60 * S), 0);
}

/* R4861-05: TCP's progress keeps the entry reachable without any question. */
static void test_confirmed_by_tcp(void **state)
{
    struct world *w = *state;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    for (int64_t t = 0; t < 600; t += 5) {
        expire(w, t * S);
        assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
        slt_neigh_confirm(&w->neigh, ref, t * S);
    }
    expire(w, 641 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_STALE);
    assert_true(slt_neigh_use(&w->neigh, ref, 641 * S, mac));
    slt_neigh_confirm(&w->neigh, ref, 642 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
    slt_neigh_hold(&w->neigh, ref);
    expire(w, 683 * S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_STALE);
    slt_neigh_confirm_held(&w->neigh, ref.index, 684 * S); /* the same from a holder */
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
    assert_true(slt_neigh_use_held(&w->neigh, ref.index, 684 * S, mac));
}

/* ARP-02: what nobody uses is forgotten, and its references with it. */
static void test_forgotten(void **state)
{
    struct world *w = *state;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    slt_neigh_hold(&w->neigh, ref);
    assert_true(slt_neigh_use_held(&w->neigh, ref.index, 0, mac));
    assert_int_equal(run_until(w, 0, 300 * S), 0);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_STALE);
    slt_neigh_release(&w->neigh, ref);
    assert_int_equal(run_until(w, 300 * S, 400 * S), 0);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_NONE);
    assert_false(slt_neigh_use(&w->neigh, ref, 400 * S, mac));
    slt_neigh_confirm(&w->neigh, ref, 400 * S);
    slt_neigh_release(&w->neigh, ref);
    struct slt_neigh_ref fresh = make_reachable(w, 401 * S);
    assert_int_equal(fresh.index, ref.index);
    assert_int_not_equal(fresh.generation, ref.generation);
    assert_false(slt_neigh_use(&w->neigh, ref, 401 * S, mac));
    assert_false(slt_neigh_use(&w->neigh, (struct slt_neigh_ref){0, 0}, 401 * S, mac));
}

/* K11: another link address is taken as news that must prove itself. */
static void test_changed_mac(void **state)
{
    struct world *w = *state;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    arp(w, SLT_ARP_REPLY, "10.0.0.7", mac_a, S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_REACHABLE);
    arp(w, SLT_ARP_REPLY, "10.0.0.7", mac_b, S);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_STALE);
    assert_true(slt_neigh_use(&w->neigh, ref, 2 * S, mac));
    assert_memory_equal(mac, mac_b, 6);
    assert_int_equal(run_until(w, 2 * S, 20 * S), 3);
    assert_int_equal(state_of(w, "10.0.0.7"), SLT_NEIGH_FAILED);
}

/* H10: a million senders ask for us; the neighbour we use stays, and is always at hand. */
static void test_spoofed_senders(void **state)
{
    struct world *w = *state;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    struct slt_arp in = {.op = SLT_ARP_REQUEST, .sender_mac = {2, 1, 1, 1, 1, 1}};
    struct slt_neigh_reply reply;
    addr_of("10.0.0.0", in.sender_ip);
    addr_of("10.0.0.1", in.target_ip);
    w->neigh.steps = 0;
    for (uint32_t i = 256; i < 1000256; i++) {
        int64_t now_ns = (int64_t)i * 200000;
        in.sender_ip[13] = (uint8_t)(i >> 16);
        in.sender_ip[14] = (uint8_t)(i >> 8);
        in.sender_ip[15] = (uint8_t)i;
        enum slt_reason reason = slt_neigh_input_arp(&w->neigh, &w->iface, &in, now_ns, &reply);
        assert_int_equal(reason, SLT_PASS);
        assert_int_equal(reply.kind, SLT_NEIGH_REPLY_ARP);
        (void)slt_neigh_expire(&w->neigh, now_ns, 4);
        if (i % 50000 == 0) {
            assert_true(slt_neigh_use(&w->neigh, ref, now_ns, mac));
            slt_neigh_confirm(&w->neigh, ref, now_ns);
            assert_memory_equal(mac, mac_a, 6);
        }
    }
    assert_true(slt_neigh_use(&w->neigh, ref, 201 * S, mac));
    assert_int_equal(w->mem.ledger.objects[SLT_OWNER_NEIGHBOUR], ENTRIES);
    assert_true(w->neigh.steps < 8 * 1000000);
}

/* H10: our own questions about a million dead addresses leave the neighbour in use alone. */
static void test_own_flood(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    uint8_t mac[6];
    struct slt_neigh_ref ref = make_reachable(w, 0);
    uint8_t addr[16];
    uint32_t full = 0;
    addr_of("10.0.0.0", addr);
    for (uint32_t i = 256; i < 1000256; i++) {
        int64_t now_ns = (int64_t)i * 20000;
        struct slt_neigh_found found;
        struct slt_neigh_wake wake;
        addr[13] = (uint8_t)(i >> 16);
        addr[14] = (uint8_t)(i >> 8);
        addr[15] = (uint8_t)i;
        slt_neigh_resolve(&w->neigh, addr, now_ns, &found);
        full += found.answer == SLT_NEIGH_TABLE_FULL;
        (void)slt_neigh_expire(&w->neigh, now_ns, 4);
        while (due(w, now_ns, &ask)) {
        }
        while (slt_neigh_take_wake(&w->neigh, &wake)) {
        }
        if (i % 50000 == 0) {
            assert_true(slt_neigh_use(&w->neigh, ref, now_ns, mac));
            slt_neigh_confirm(&w->neigh, ref, now_ns);
        }
    }
    assert_true(slt_neigh_use(&w->neigh, ref, 21 * S, mac));
    assert_true(full > 900000);
    assert_true(w->mem.ledger.objects[SLT_OWNER_NEIGHBOUR] <= ENTRIES);
}

/* Held entries never give way; ours, stale and not held, do, to questions of our own only. */
static void test_who_gives_way(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    struct slt_neigh_found found;
    uint8_t addr[16];
    addr_of("10.0.0.100", addr);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        struct slt_arp in = {.op = SLT_ARP_REPLY};
        struct slt_neigh_reply reply;
        addr[15] = (uint8_t)(100 + i);
        slt_neigh_resolve(&w->neigh, addr, 0, &found);
        assert_int_equal(found.answer, SLT_NEIGH_UNRESOLVED);
        assert_true(due(w, 0, &ask));
        memcpy(in.sender_mac, mac_a, 6);
        memcpy(in.sender_ip, addr, 16);
        addr_of("10.0.0.1", in.target_ip);
        (void)slt_neigh_input_arp(&w->neigh, &w->iface, &in, 0, &reply);
        assert_true(slt_neigh_take_wake(&w->neigh, &wake));
        if (i == 0) {
            slt_neigh_hold(&w->neigh, found.ref);
        }
    }
    assert_int_equal(resolve(w, "10.0.0.7", 1).answer, SLT_NEIGH_TABLE_FULL);
    expire(w, 46 * S); /* all are stale now */
    arp(w, SLT_ARP_REQUEST, "10.0.0.8", mac_b, 46 * S);
    assert_int_equal(state_of(w, "10.0.0.8"), SLT_NEIGH_NONE);
    assert_int_equal(resolve(w, "10.0.0.7", 46 * S).answer, SLT_NEIGH_UNRESOLVED);
    assert_int_equal(state_of(w, "10.0.0.100"), SLT_NEIGH_STALE);
    assert_int_equal(w->neigh.pool.used_objects, ENTRIES);
}

static void test_permanent(void **state)
{
    struct world *w = *state;
    uint8_t addr[16];
    addr_of("10.0.0.7", addr);
    assert_true(slt_neigh_set_permanent(&w->neigh, addr, mac_a));
    struct slt_neigh_found found = resolve(w, "10.0.0.7", 0);
    assert_int_equal(found.answer, SLT_NEIGH_RESOLVED);
    arp(w, SLT_ARP_REPLY, "10.0.0.7", mac_b, 0);
    assert_int_equal(run_until(w, 0, 1000 * S), 0);
    found = resolve(w, "10.0.0.7", 1000 * S);
    assert_int_equal(found.answer, SLT_NEIGH_RESOLVED);
    assert_memory_equal(found.mac, mac_a, 6);
}

/* Without an address of the family nobody can be asked, and the asker learns it. */
static void test_no_source(void **state)
{
    struct world *w = *state;
    struct slt_neigh_solicit ask;
    struct slt_neigh_wake wake;
    uint8_t addr[16];
    addr_of("10.0.0.1", addr);
    (void)resolve(w, "10.0.0.7", 0);
    assert_int_equal(slt_ip_iface_remove(&w->iface, addr), SALUT_OK);
    assert_false(due(w, 0, &ask));
    assert_true(slt_neigh_take_wake(&w->neigh, &wake));
    assert_int_equal(wake.kind, SLT_NEIGH_WAKE_FAILED);
    addr_of("10.0.0.1", addr);
    assert_int_equal(slt_ip_iface_add(&w->iface, addr, 104, SLT_IP_OWN_PREFERRED), SALUT_OK);
}

/* Random use: the invariants hold after every step. */
static void test_random_walk(void **state)
{
    struct world *w = *state;
    struct slt_prng prng;
    struct slt_neigh_ref refs[4] = {{0, 0}};
    bool held[4] = {false};
    int64_t now_ns = 0;
    uint32_t wakes = 0;
    slt_prng_seed(&prng, 77);
    for (uint32_t i = 0; i < 200000; i++) {
        char text[32];
        struct slt_neigh_solicit ask;
        struct slt_neigh_wake wake;
        uint32_t host = 2 + (uint32_t)slt_prng_below(&prng, 40);
        uint32_t slot = host % 4;
        struct slt_text t;
        slt_text_init(&t, text, sizeof(text));
        slt_text_str(&t, "10.0.0.");
        slt_text_u64(&t, host);
        switch (slt_prng_below(&prng, 9)) {
        case 0:
            if (!held[slot]) {
                refs[slot] = resolve(w, text, now_ns).ref;
            }
            break;
        case 1:
            arp(w, SLT_ARP_REQUEST, text, mac_a, now_ns);
            break;
        case 2:
            arp(w, SLT_ARP_REPLY, text, mac_b, now_ns);
            break;
        case 3:
            slt_neigh_confirm(&w->neigh, refs[slot], now_ns);
            break;
        case 4:
            (void)due(w, now_ns, &ask);
            break;
        case 5:
            wakes += slt_neigh_take_wake(&w->neigh, &wake);
            break;
        case 6:
            if (held[slot]) {
                slt_neigh_release(&w->neigh, refs[slot]);
            } else {
                slt_neigh_hold(&w->neigh, refs[slot]);
            }
            held[slot] = !held[slot];
            break;
        default:
            now_ns += (int64_t)slt_prng_below(&prng, 2 * (uint64_t)S);
            (void)slt_neigh_expire(&w->neigh, now_ns, 3);
            break;
        }
        if (i % 16 == 0) {
            assert_true(slt_neigh_check(&w->neigh));
        }
    }
    assert_true(wakes > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_incomplete_to_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_device_uses_no_attempts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_resolution, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreachability_detection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(test_confirmed_by_tcp, setup, teardown),
        cmocka_unit_test_setup_teardown(test_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changed_mac, setup, teardown),
        cmocka_unit_test_setup_teardown(test_spoofed_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_own_flood, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_gives_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_permanent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_source, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_walk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
