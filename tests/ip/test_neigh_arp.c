/* Tests of ip/neigh_arp: what each ARP packet does in each state. ARP-01, ARP-09, ARP-12, K11. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ip/neigh_arp.h"
#include "wire/ethernet.h"

#define S SLT_NS_PER_S

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
    struct slt_neigh_reply reply;
};

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 7};

static int setup(void **state)
{
    static struct world w;
    const struct salut_config config = {
        .addresses_max = 4, .routes_max = 4, .mtu = 1500, .ttl = 64, .mac = {2, 0, 0, 0, 0, 1}};
    const struct slt_neigh_setup table = {.entries_max = 8, .key = {1, 2}, .seed = 9};
    uint8_t addr[16];
    slt_mem_init_growing(&w.mem, take, give, NULL);
    assert_true(slt_ip_iface_init(&w.iface, &w.mem, &config));
    assert_true(slt_ip_addr_parse("10.0.0.1", addr));
    assert_int_equal(slt_ip_iface_add(&w.iface, addr, 120, SLT_IP_OWN_PREFERRED), SALUT_OK);
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
    return 0;
}

static struct slt_arp arp_of(uint16_t op, const char *sender, const char *target)
{
    struct slt_arp arp = {.op = op};
    memcpy(arp.sender_mac, peer_mac, 6);
    assert_true(slt_ip_addr_parse(sender, arp.sender_ip));
    assert_true(slt_ip_addr_parse(target, arp.target_ip));
    return arp;
}

static enum slt_reason input(struct world *w, const struct slt_arp *arp, int64_t now_ns)
{
    return slt_neigh_input_arp(&w->neigh, &w->iface, arp, now_ns, &w->reply);
}

static const struct slt_neigh_entry *entry(struct world *w, const char *text)
{
    uint8_t addr[16];
    assert_true(slt_ip_addr_parse(text, addr));
    return slt_neigh_peek(&w->neigh, addr);
}

/* ARP-01: a request for us is answered and its sender learned. */
static void test_request_for_us(void **state)
{
    struct world *w = *state;
    struct slt_arp arp = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.1");
    assert_int_equal(input(w, &arp, 0), SLT_PASS);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_ARP);
    assert_int_equal(entry(w, "10.0.0.7")->state, SLT_NEIGH_STALE);
    assert_int_equal(input(w, &arp, 0), SLT_PASS);
    assert_int_equal(w->neigh.pool.used_objects, 1);
    uint8_t frame[64];
    struct slt_writer out = slt_writer_of(frame, sizeof(frame));
    struct slt_ethernet eth;
    struct slt_arp sent;
    assert_int_equal(slt_neigh_emit_arp_reply(&w->iface, &w->reply, &out), 42);
    assert_int_equal(slt_ethernet_parse((struct slt_span){frame, out.at}, &eth), SLT_PASS);
    assert_memory_equal(eth.dst, peer_mac, 6);
    assert_int_equal(slt_arp_parse((struct slt_span){eth.payload, eth.payload_bytes}, &sent),
                     SLT_PASS);
    assert_int_equal(sent.op, SLT_ARP_REPLY);
    assert_memory_equal(sent.sender_mac, w->iface.mac, 6);
    assert_memory_equal(sent.sender_ip, arp.target_ip, 16);
    assert_memory_equal(sent.target_mac, peer_mac, 6);
    assert_memory_equal(sent.target_ip, arp.sender_ip, 16);
}

static void test_not_for_us(void **state)
{
    struct world *w = *state;
    struct slt_arp arp = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.2");
    assert_int_equal(input(w, &arp, 0), SLT_DROP_ARP_NOT_FOR_US);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_NONE);
    assert_null(entry(w, "10.0.0.7"));
}

/* ARP-12: gratuitous packets and replies nobody asked for update, but make nothing. */
static void test_gratuitous(void **state)
{
    struct world *w = *state;
    struct slt_arp gratuitous = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.7");
    struct slt_arp unasked = arp_of(SLT_ARP_REPLY, "10.0.0.7", "10.0.0.1");
    struct slt_arp request = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.1");
    assert_int_equal(input(w, &gratuitous, 0), SLT_DROP_ARP_NOT_FOR_US);
    assert_int_equal(input(w, &unasked, 0), SLT_DROP_ARP_NOT_FOR_US);
    assert_null(entry(w, "10.0.0.7"));
    assert_int_equal(input(w, &request, 0), SLT_PASS);
    gratuitous.sender_mac[5] = 9;
    assert_int_equal(input(w, &gratuitous, 0), SLT_PASS);
    assert_int_equal(entry(w, "10.0.0.7")->mac[5], 9);
}

/* ARP-01: the merge comes before the opcode is looked at. */
static void test_merge_before_opcode(void **state)
{
    struct world *w = *state;
    struct slt_arp request = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.1");
    struct slt_arp odd = arp_of(9, "10.0.0.7", "10.0.0.1");
    assert_int_equal(input(w, &odd, 0), SLT_DROP_ARP_MALFORMED);
    assert_null(entry(w, "10.0.0.7"));
    assert_int_equal(input(w, &request, 0), SLT_PASS);
    odd.sender_mac[5] = 9;
    assert_int_equal(input(w, &odd, 0), SLT_DROP_ARP_MALFORMED);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_NONE);
    assert_int_equal(entry(w, "10.0.0.7")->mac[5], 9);
}

/* RFC 5227 2.1.1: a probe for an address of ours is answered, and teaches nothing. */
static void test_probe_for_ours(void **state)
{
    struct world *w = *state;
    struct slt_arp probe = arp_of(SLT_ARP_REQUEST, "0.0.0.0", "10.0.0.1");
    assert_int_equal(input(w, &probe, 0), SLT_PASS);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_ARP);
    assert_int_equal(w->neigh.pool.used_objects, 0);
    probe.op = SLT_ARP_REPLY;
    assert_int_equal(input(w, &probe, 0), SLT_DROP_ARP_BAD_SENDER);
}

/* ARP-09: defended at once, and then once in ten seconds. */
static void test_conflict(void **state)
{
    struct world *w = *state;
    struct slt_arp claim = arp_of(SLT_ARP_REQUEST, "10.0.0.1", "10.0.0.1");
    assert_int_equal(input(w, &claim, 0), SLT_NOTE_ARP_CONFLICT);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_ANNOUNCE);
    uint8_t frame[64];
    struct slt_writer out = slt_writer_of(frame, sizeof(frame));
    struct slt_arp sent;
    assert_int_equal(slt_neigh_emit_arp_reply(&w->iface, &w->reply, &out), 42);
    assert_int_equal(slt_arp_parse((struct slt_span){frame + 14, 28}, &sent), SLT_PASS);
    assert_int_equal(frame[0], 0xff);
    assert_int_equal(sent.op, SLT_ARP_REQUEST);
    assert_memory_equal(sent.sender_ip, sent.target_ip, 16);
    assert_int_equal(input(w, &claim, 10 * S - 1), SLT_NOTE_ARP_CONFLICT);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_NONE);
    assert_int_equal(input(w, &claim, 10 * S), SLT_NOTE_ARP_CONFLICT);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_ANNOUNCE);
    assert_int_equal(w->neigh.pool.used_objects, 0);
}

static void test_bad_senders(void **state)
{
    static const char *const senders[] = {"224.0.0.1", "255.255.255.255", "127.0.0.1", "10.0.0.255",
                                          "0.0.0.1"};
    struct world *w = *state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(senders); i++) {
        struct slt_arp arp = arp_of(SLT_ARP_REQUEST, senders[i], "10.0.0.1");
        assert_int_equal(input(w, &arp, 0), SLT_DROP_ARP_BAD_SENDER);
    }
    struct slt_arp arp = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.1");
    arp.sender_mac[0] = 3;
    assert_int_equal(input(w, &arp, 0), SLT_DROP_ARP_BAD_SENDER);
    memset(arp.sender_mac, 0xff, 6);
    assert_int_equal(input(w, &arp, 0), SLT_DROP_ARP_BAD_SENDER);
    memset(arp.sender_mac, 0, 6);
    assert_int_equal(input(w, &arp, 0), SLT_DROP_ARP_BAD_SENDER);
    memcpy(arp.sender_mac, w->iface.mac, 6);
    assert_int_equal(input(w, &arp, 0), SLT_DROP_ARP_NOT_FOR_US);
    assert_int_equal(w->neigh.pool.used_objects, 0);
}

static void test_off_link_sender_is_not_learned(void **state)
{
    struct world *w = *state;
    struct slt_arp arp = arp_of(SLT_ARP_REQUEST, "192.0.2.7", "10.0.0.1");
    assert_int_equal(input(w, &arp, 0), SLT_PASS);
    assert_int_equal(w->reply.kind, SLT_NEIGH_REPLY_ARP);
    assert_null(entry(w, "192.0.2.7"));
}

/* Put the entry of 10.0.0.7 into one of four states. */
static void prepare(struct world *w, uint32_t which)
{
    struct slt_neigh_found found;
    struct slt_neigh_solicit ask;
    struct slt_arp reply = arp_of(SLT_ARP_REPLY, "10.0.0.7", "10.0.0.1");
    if (which == 0) {
        return;
    }
    slt_neigh_resolve(&w->neigh, reply.sender_ip, 0, &found);
    assert_true(slt_neigh_next_due(&w->neigh, &w->iface, 0, &ask));
    if (which == 1) {
        return;
    }
    assert_int_equal(input(w, &reply, 0), SLT_PASS);
    if (which == 3) {
        slt_neigh_set_stale(&w->neigh, found.ref.index, 0);
    }
}

/* K11: 2^6 mutations in four states. An entry exists afterwards only if it did before or a request
 * for us made it; its link address is never a group's, ours or zero; replies go to real senders. */
static void test_mutations(void **state)
{
    struct world *w = *state;
    for (uint32_t n = 0; n < 64 * 4; n++) {
        uint32_t bits = n / 4;
        void *again = w;
        prepare(w, n % 4);
        struct slt_arp arp = arp_of((bits & 1) != 0 ? SLT_ARP_REPLY : SLT_ARP_REQUEST,
                                    (bits & 2) != 0 ? "10.0.0.1" : "10.0.0.7",
                                    (bits & 4) != 0 ? "10.0.0.2" : "10.0.0.1");
        arp.sender_mac[5] = (bits & 8) != 0 ? 0x99 : 7;
        arp.sender_mac[0] = (bits & 16) != 0 ? 3 : 2;
        if ((bits & 32) != 0) {
            memcpy(arp.sender_mac, w->iface.mac, 6);
        }
        bool existed = entry(w, "10.0.0.7") != NULL;
        enum slt_reason reason = input(w, &arp, 1);
        const struct slt_neigh_entry *e = entry(w, "10.0.0.7");
        bool good = (bits & 0x36) == 0 && (bits & 1) == 0;
        assert_true(e == NULL || existed || good);
        if (e != NULL && e->state != SLT_NEIGH_INCOMPLETE) {
            assert_int_equal(e->mac[0], 2);
            assert_true(e->mac[5] == 7 || e->mac[5] == 0x99);
        }
        if (w->reply.kind == SLT_NEIGH_REPLY_ARP) {
            assert_true(good);
            assert_int_equal(reason, SLT_PASS);
        }
        assert_true((bits & 0x12) != 2 || (bits & 32) != 0 || reason == SLT_NOTE_ARP_CONFLICT);
        assert_int_equal(teardown(&again), 0);
        assert_int_equal(setup(&again), 0);
    }
}

/* Only a question of ours turns a reply into proof. */
static void test_what_proves(void **state)
{
    struct world *w = *state;
    struct slt_arp reply = arp_of(SLT_ARP_REPLY, "10.0.0.7", "10.0.0.1");
    struct slt_arp request = arp_of(SLT_ARP_REQUEST, "10.0.0.7", "10.0.0.1");
    struct slt_neigh_wake wake;
    prepare(w, 1);
    assert_int_equal(input(w, &request, 0), SLT_PASS);
    assert_int_equal(entry(w, "10.0.0.7")->state, SLT_NEIGH_STALE);
    assert_true(slt_neigh_take_wake(&w->neigh, &wake));
    assert_int_equal(wake.kind, SLT_NEIGH_WAKE_RESOLVED);
    assert_int_equal(input(w, &reply, 0), SLT_PASS);
    assert_int_equal(entry(w, "10.0.0.7")->state, SLT_NEIGH_STALE);
}

static void test_request_frame(void **state)
{
    struct world *w = *state;
    struct slt_neigh_found found;
    struct slt_neigh_solicit ask;
    struct slt_arp reply = arp_of(SLT_ARP_REPLY, "10.0.0.7", "10.0.0.1");
    struct slt_arp sent;
    uint8_t frame[64];
    struct slt_writer out = slt_writer_of(frame, sizeof(frame));
    slt_neigh_resolve(&w->neigh, reply.sender_ip, 0, &found);
    assert_true(slt_neigh_next_due(&w->neigh, &w->iface, 0, &ask));
    assert_int_equal(slt_neigh_emit_arp_request(&w->iface, &ask, &out), 42);
    assert_int_equal(slt_arp_parse((struct slt_span){frame + 14, 28}, &sent), SLT_PASS);
    assert_int_equal(sent.op, SLT_ARP_REQUEST);
    assert_memory_equal(sent.sender_ip, reply.target_ip, 16);
    assert_memory_equal(sent.target_ip, reply.sender_ip, 16);
    struct slt_writer small = slt_writer_of(frame, 41);
    assert_int_equal(slt_neigh_emit_arp_request(&w->iface, &ask, &small), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_request_for_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_not_for_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gratuitous, setup, teardown),
        cmocka_unit_test_setup_teardown(test_merge_before_opcode, setup, teardown),
        cmocka_unit_test_setup_teardown(test_probe_for_ours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conflict, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_senders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_off_link_sender_is_not_learned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_proves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_request_frame, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
