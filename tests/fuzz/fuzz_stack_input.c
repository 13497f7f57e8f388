/* Frames, time and link answers of any kind into an instance with a listener and an established
 * connection: no input may break an invariant, whatever it makes of the connection.
 *
 * The input is a row of records: two bytes of length and kind, then a frame, or a change laid over
 * a good segment of the connection (so that the fuzzer need not guess addresses, numbers and
 * checksums), or time that passes.
 */
#include "fuzz_stack.h"
#include "ip/output.h"
#include "wire/checksum.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bench {
    struct salut_stack *stack;
    salut_listener listener;
    salut_conn conn;
    int64_t now_ns;
    uint32_t peer_seq;
};

static void input(struct bench *bench, const uint8_t *frame, uint32_t bytes)
{
    struct salut_rx_frame rx = {.data = frame, .bytes = bytes};
    salut_input(bench->stack, &rx, 1, bench->now_ns);
    fuzz_check(bench->stack);
}

/* Send a segment from the peer's address, the checksum right. */
static void input_segment(struct bench *bench, const struct slt_tcp_segment *seg)
{
    uint8_t frame[2048];
    uint8_t tcp[1536];
    struct slt_ip_iface iface = {.link_kind = SALUT_LINK_ETHERNET, .ttl = 64, .hop_limit = 64};
    struct slt_ip_send send = {.protocol = SLT_IP_PROTOCOL_TCP};
    const uint8_t src[4] = {10, 0, 0, 2};
    const uint8_t dst[4] = {10, 0, 0, 1};
    memcpy(iface.mac, peer_mac, 6);
    memcpy(send.dst_mac, own_mac, 6);
    slt_address_set_v4(send.src, src);
    slt_address_set_v4(send.dst, dst);
    struct slt_writer w = slt_writer_of(tcp, sizeof(tcp));
    if (slt_tcp_emit(seg, &w) == 0) {
        return;
    }
    slt_write_bytes(&w, seg->payload, seg->payload_bytes);
    uint32_t sum = slt_checksum_pseudo(send.src, send.dst, SLT_IP_PROTOCOL_TCP, w.at);
    uint16_t field = slt_checksum_finish(slt_checksum_add(sum, tcp, w.at));
    tcp[16] = (uint8_t)(field >> 8);
    tcp[17] = (uint8_t)field;
    send.payload_bytes = w.at;
    send.ecn = seg->ecn;
    struct slt_writer out = slt_writer_of(frame, sizeof(frame));
    slt_ip_emit(&iface, &send, &out);
    slt_write_bytes(&out, tcp, w.at);
    input(bench, frame, out.at);
}

static void output(struct bench *bench, size_t take_count)
{
    static struct salut_tx_frame frames[8];
    size_t count = salut_output(bench->stack, frames, 8);
    salut_output_taken(bench->stack, take_count < count ? take_count : count);
    fuzz_check(bench->stack);
}

/* The peer's end of the connection, for building segments that fit. */
static struct slt_tcp_segment fitting(const struct bench *bench)
{
    struct salut_info info;
    struct slt_tcp_segment seg = {.src_port = 5000, .dst_port = 80, .flags = SLT_TCP_ACK};
    seg.seq = bench->peer_seq;
    seg.window = 10000;
    if (salut_get_info(bench->stack, bench->conn, &info) == SALUT_OK) {
        seg.seq = info.recv_isn + (uint32_t)info.recv_nxt;
        seg.ack = info.send_isn + (uint32_t)info.send_nxt;
    }
    return seg;
}

static bool set_up(struct bench *bench)
{
    struct salut_config config;
    salut_addr own;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.alloc = fuzz_take;
    config.free = fuzz_give;
    config.conns_max = 8;
    config.half_open_max = 4;
    config.time_wait_max = 4;
    config.listeners_max = 4;
    config.buffers_max = 64;
    config.ranges_max = 16;
    config.loans_max = 0;
    config.neighbours_max = 4;
    config.fragments_max = 2;
    config.fragment_bytes_max = 16384;
    config.event_ring = 16;
    config.ecn = SALUT_ECN_ACCURATE;
    config.fast_open = SALUT_FAST_OPEN_CLIENT | SALUT_FAST_OPEN_SERVER;
    config.fast_open_pending_max = 2;
    memcpy(config.mac, own_mac, 6);
    *bench = (struct bench){.now_ns = SLT_NS_PER_S};
    if (salut_create(&config, &bench->stack) != SALUT_OK ||
        salut_addr_parse("10.0.0.1", &own) != SALUT_OK ||
        salut_add_address(bench->stack, &own, 24) != SALUT_OK) {
        return false;
    }
    struct salut_listen_params params = {.port = 80, .backlog = 4};
    if (salut_listen(bench->stack, &params, &bench->listener) != SALUT_OK) {
        return false;
    }
    (void)salut_set_listener_option(bench->stack, bench->listener, SALUT_OPT_FAST_OPEN, 2);
    struct slt_tcp_segment syn = {.src_port = 5000,
                                  .dst_port = 80,
                                  .seq = 999,
                                  .flags = SLT_TCP_SYN | SLT_TCP_AE | SLT_TCP_CWR | SLT_TCP_ECE,
                                  .window = 65535};
    input_segment(bench, &syn);
    struct salut_info info;
    uint64_t cursor = 0;
    while (salut_next_info(bench->stack, &cursor, &info)) {
        if (info.object == SALUT_IS_HALF_OPEN) {
            struct slt_tcp_segment ack = {.src_port = 5000,
                                          .dst_port = 80,
                                          .seq = 1000,
                                          .ack = info.send_isn + 1,
                                          .flags = SLT_TCP_ACK,
                                          .window = 65535};
            input_segment(bench, &ack);
            break;
        }
    }
    bench->peer_seq = 1000;
    return salut_accept(bench->stack, bench->listener, 0, &bench->conn) == SALUT_OK;
}

/* Lay the record's bytes over a fitting segment. */
static void input_changed(struct bench *bench, struct slt_reader *r)
{
    struct slt_tcp_segment seg = fitting(bench);
    seg.flags = (uint16_t)(slt_read_u8(r) & 0x3f);
    seg.seq += slt_read_u16(r) - 32768U;
    seg.ack += slt_read_u16(r) - 32768U;
    seg.window = slt_read_u16(r);
    uint32_t bits = slt_read_u8(r); /* two of the port, three of ECN in TCP, two in IP */
    seg.src_port = (uint16_t)(5000 + (bits & 3));
    seg.flags |= (uint16_t)((bits >> 2 & 7U) << 6);
    seg.ecn = (uint8_t)(bits >> 5 & 3U);
    seg.payload_bytes = r->failed ? 0 : slt_min32(slt_reader_left(r), 1400);
    seg.payload = slt_read_bytes(r, seg.payload_bytes);
    input_segment(bench, &seg);
}

static void user_call(struct bench *bench, uint8_t which)
{
    uint8_t bytes[600] = {1, 2, 3};
    size_t n;
    salut_conn conn;
    struct salut_event event;
    switch (which % 8) {
    case 0:
        n = salut_send(bench->stack, bench->conn, bytes, sizeof(bytes), 0, &n) == SALUT_OK;
        break;
    case 1:
        n = salut_recv(bench->stack, bench->conn, bytes, sizeof(bytes), &n) == SALUT_OK;
        break;
    case 2:
        salut_shutdown(bench->stack, bench->conn, SALUT_SHUT_WRITE);
        break;
    case 3:
        salut_close(bench->stack, bench->conn);
        break;
    case 4:
        if (salut_accept(bench->stack, bench->listener, 0, &conn) == SALUT_OK) {
            bench->conn = conn;
        }
        break;
    case 5:
        while (salut_next_event(bench->stack, &event)) {
        }
        break;
    case 6:
        salut_set_option(bench->stack, bench->conn, SALUT_OPT_KEEPALIVE, 1);
        break;
    default:
        salut_abort(bench->stack, bench->conn);
        break;
    }
    fuzz_check(bench->stack);
}

static void act(struct bench *bench, uint8_t kind, struct slt_reader *r)
{
    switch (kind % 5) {
    case 0:
        input(bench, r->data, r->bytes);
        break;
    case 1:
        input_changed(bench, r);
        break;
    case 2:
        bench->now_ns += (int64_t)slt_read_u16(r) * SLT_NS_PER_MS * (1 + slt_read_u8(r));
        salut_poll(bench->stack, bench->now_ns);
        fuzz_check(bench->stack);
        break;
    case 3:
        output(bench, slt_read_u8(r) & 7U);
        break;
    default:
        user_call(bench, slt_read_u8(r));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bench bench;
    if (size > 16384) {
        return 0;
    }
    if (!set_up(&bench)) {
        salut_fault(__FILE__, __LINE__, "the bench could not be set up");
    }
    struct slt_reader r = slt_reader_of((struct slt_span){data, (uint32_t)size});
    while (slt_reader_left(&r) > 2) {
        uint8_t kind = slt_read_u8(&r);
        uint32_t wanted = slt_read_u8(&r) * (kind >= 128 ? 8U : 1U);
        uint32_t bytes = slt_min32(wanted, slt_reader_left(&r));
        struct slt_reader record = {.data = slt_read_bytes(&r, bytes), .bytes = bytes};
        act(&bench, kind, &record);
    }
    salut_destroy(bench.stack);
    return 0;
}
