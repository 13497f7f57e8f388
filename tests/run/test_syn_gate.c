/* The gate for openings: what is shown, kept, dropped, handed on and refused; and that nothing else
 * is touched. Frames are made and judged by the helpers of the links' tests. */
#include "../link/link_test.h"

#include "link/memory.h"
#include "run/syn_gate.h"

#define KEEP_MAX 4
#define SYN      0x02U
#define RST      0x04U
#define ACK      0x10U

struct world {
    struct slt_link *gate;
    struct slt_link *wire;
    enum slt_syn_verdict verdict;
    struct slt_syn_ends asked;
    unsigned asked_count;
    struct slt_syn *kept[KEEP_MAX];
    unsigned kept_count;
};

static enum slt_syn_verdict on_syn(void *ctx, const struct slt_syn_ends *ends)
{
    struct world *w = ctx;
    w->asked = *ends;
    w->asked_count++;
    return w->verdict;
}

static void on_kept(void *ctx, struct slt_syn *syn)
{
    struct world *w = ctx;
    assert_in_range(w->kept_count, 0, KEEP_MAX - 1);
    w->kept[w->kept_count++] = syn;
}

static void open_world(struct world *w)
{
    struct slt_memory_params memory = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500, .offload = true};
    struct slt_syn_gate_params params = {.on_syn = on_syn, .on_kept = on_kept, .ctx = w};
    struct slt_link *inner;
    *w = (struct world){.verdict = SLT_SYN_PASS};
    memcpy(params.mac, (uint8_t[]){2, 0, 0, 0, 0, 2}, 6);
    memcpy(params.v4.b + 10, (uint8_t[]){0xff, 0xff, 192, 0, 2, 9}, 6);
    params.v6.b[0] = 0xfd;
    params.v6.b[15] = 9;
    assert_int_equal(slt_memory_pair(&memory, &inner, &w->wire), SALUT_OK);
    assert_int_equal(slt_syn_gate_open(inner, &params, &w->gate), SALUT_OK);
}

static void close_world(struct world *w)
{
    slt_link_close(w->gate);
    slt_link_close(w->wire);
}

static void send_flags(struct world *w, int family, uint32_t flags)
{
    struct salut_tx_frame frame;
    struct test_tcp tcp = {
        .family = family, .ethernet = true, .flags = (uint8_t)flags, .seq = 4000000000U};
    test_tcp_frame(&tcp, &frame);
    assert_int_equal(slt_link_send(w->wire, &frame, 1, 0), 1);
}

/* How many frames the stack gets, as the runner would ask; *flags are the last one's. */
static size_t receive(struct world *w, uint32_t *flags)
{
    struct salut_rx_frame frames[SLT_LINK_BATCH_MAX];
    const uint8_t *tcp = NULL;
    uint32_t payload_bytes;
    slt_link_poll(w->gate, 0);
    size_t count = slt_link_receive(w->gate, frames, SLT_LINK_BATCH_MAX, 0);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(test_judge(frames[i].data, frames[i].bytes, true, &tcp, &payload_bytes),
                         TEST_GOOD);
        *flags = tcp[13];
    }
    slt_link_release(w->gate);
    return count;
}

static void what_opens_nothing_passes(void **state)
{
    static const uint32_t others[] = {ACK, SYN | ACK, RST, ACK | 1, SYN | RST, SYN | 1};
    struct world w;
    uint32_t flags = 0;
    (void)state;
    open_world(&w);
    w.verdict = SLT_SYN_KEEP;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(others); i++) {
        send_flags(&w, i % 2 == 0 ? 4 : 6, others[i]);
        assert_int_equal(receive(&w, &flags), 1);
        assert_int_equal(flags, others[i]);
    }
    assert_int_equal(w.asked_count, 0);
    close_world(&w);
}

static void verdicts(void **state)
{
    struct world w;
    uint32_t flags = 0;
    (void)state;
    open_world(&w);
    send_flags(&w, 4, SYN);
    assert_int_equal(receive(&w, &flags), 1);
    assert_int_equal(w.asked_count, 1);
    assert_int_equal(w.asked.local_port, 80);
    assert_int_equal(w.asked.remote_port, 40000);
    assert_memory_equal(w.asked.local.b + 12, ((uint8_t[]){192, 0, 2, 2}), 4);
    assert_memory_equal(w.asked.remote.b + 10, ((uint8_t[]){0xff, 0xff, 192, 0, 2, 1}), 6);
    w.verdict = SLT_SYN_DROP;
    send_flags(&w, 6, SYN);
    assert_int_equal(receive(&w, &flags), 0);
    assert_int_equal(w.asked_count, 2);
    assert_int_equal(w.asked.local.b[15], 2);
    assert_int_equal(w.kept_count, 0);
    close_world(&w);
}

static void kept_openings_are_handed_on_in_order(void **state)
{
    struct world w;
    uint32_t flags = 0;
    (void)state;
    open_world(&w);
    w.verdict = SLT_SYN_KEEP;
    send_flags(&w, 4, SYN);
    send_flags(&w, 4, ACK);
    send_flags(&w, 6, SYN);
    assert_int_equal(receive(&w, &flags), 1);
    assert_int_equal(flags, ACK);
    assert_int_equal(w.kept_count, 2);
    assert_true(slt_link_next_deadline(w.gate) > 0);
    slt_syn_gate_admit(w.gate, w.kept[0]);
    assert_true(slt_link_next_deadline(w.gate) == SLT_LINK_AT_ONCE);
    send_flags(&w, 4, ACK);
    slt_syn_gate_admit(w.gate, w.kept[1]);
    assert_int_equal(receive(&w, &flags), 3);
    assert_int_equal(flags, ACK);
    assert_int_equal(w.asked_count, 2); /* they are not asked about again */
    assert_int_equal(receive(&w, &flags), 0);
    /* One that nobody came back for goes with the gate. */
    send_flags(&w, 4, SYN);
    assert_int_equal(receive(&w, &flags), 0);
    slt_syn_gate_admit(w.gate, w.kept[2]);
    close_world(&w);
}

/* RFC 9293 3.10.7.1: sequence 0, acknowledging the SYN. */
static void refused_openings_are_reset(void **state)
{
    static const int families[] = {4, 6};
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(families); i++) {
        struct world w;
        struct salut_rx_frame frame;
        const uint8_t *tcp = NULL;
        uint32_t payload_bytes = 1;
        uint32_t flags = 0;
        open_world(&w);
        w.verdict = SLT_SYN_KEEP;
        send_flags(&w, families[i], SYN);
        assert_int_equal(receive(&w, &flags), 0);
        slt_syn_gate_refuse(w.gate, w.kept[0], SLT_SYN_RESET, 0);
        assert_int_equal(slt_link_receive(w.wire, &frame, 1, 0), 1);
        assert_int_equal(test_judge(frame.data, frame.bytes, true, &tcp, &payload_bytes),
                         TEST_GOOD);
        assert_memory_equal(frame.data, ((uint8_t[]){2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}), 12);
        assert_int_equal(tcp[13], RST | ACK);
        assert_int_equal(test_get16(tcp), 80);
        assert_int_equal(test_get16(tcp + 2), 40000);
        assert_int_equal(test_get32(tcp + 4), 0);
        assert_int_equal(test_get32(tcp + 8), 4000000001U);
        assert_int_equal(payload_bytes, 0);
        slt_link_release(w.wire);
        close_world(&w);
    }
}

/* RFC 792, RFC 4443 3.1: the code, who says so, and the opening as it came. */
static void unreachable_openings_are_told(void **state)
{
    static const struct {
        int family;
        enum slt_syn_answer answer;
        uint8_t type;
        uint8_t code;
    } rows[] = {{4, SLT_SYN_NET_UNREACHABLE, 3, 0},
                {4, SLT_SYN_HOST_UNREACHABLE, 3, 1},
                {6, SLT_SYN_NET_UNREACHABLE, 1, 0},
                {6, SLT_SYN_HOST_UNREACHABLE, 1, 3}};
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        struct world w;
        struct salut_rx_frame frame;
        struct salut_tx_frame sent;
        uint32_t flags = 0;
        uint32_t header = rows[i].family == 4 ? 20 : 40;
        struct test_tcp tcp = {
            .family = rows[i].family, .ethernet = true, .flags = SYN, .seq = 4000000000U};
        test_tcp_frame(&tcp, &sent);
        open_world(&w);
        w.verdict = SLT_SYN_KEEP;
        send_flags(&w, rows[i].family, SYN);
        assert_int_equal(receive(&w, &flags), 0);
        slt_syn_gate_refuse(w.gate, w.kept[0], rows[i].answer, 0);
        assert_int_equal(slt_link_receive(w.wire, &frame, 1, 0), 1);
        const uint8_t *ip = frame.data + 14;
        const uint8_t *icmp = ip + header;
        uint32_t bytes = frame.bytes - 14 - header;
        uint32_t sum = rows[i].family == 4 ? 0 : test_pseudo(6, ip, 58, bytes);
        assert_int_equal(icmp[0], rows[i].type);
        assert_int_equal(icmp[1], rows[i].code);
        assert_int_equal(test_sum(sum, icmp, bytes), 0xffff);
        assert_int_equal(ip[rows[i].family == 4 ? 15 : 23], 9);
        assert_memory_equal(icmp + 8, sent.header + 14, bytes - 8);
        assert_true(bytes >= 8 + header + 8);
        slt_link_release(w.wire);
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_opens_nothing_passes),
        cmocka_unit_test(verdicts),
        cmocka_unit_test(kept_openings_are_handed_on_in_order),
        cmocka_unit_test(refused_openings_are_reset),
        cmocka_unit_test(unreachable_openings_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
