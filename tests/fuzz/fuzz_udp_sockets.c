/* Calls, datagrams, ICMP errors, time and link answers in any order on an instance with a few UDP
 * sockets: no input may break an invariant, and what is received is never longer than what was
 * sent.
 *
 * The input is a row of records of four bytes: what is done, to which socket, and two numbers. The
 * two neighbours answer address resolution or not, as the record says; frames go back in as they
 * went out, with the ends exchanged, or cut and damaged.
 */
#include "fuzz_stack.h"
#include "ip/output.h"
#include "wire/arp.h"
#include "wire/checksum.h"
#include "wire/ethernet.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SOCKS     4U
#define FRAME_MAX 70000U

struct bench {
    struct salut_stack *stack;
    salut_udp udp[SOCKS];
    int64_t now_ns;
    uint8_t last[FRAME_MAX]; /* the frame sent last */
    uint32_t last_bytes;
};

static salut_addr address(uint8_t which)
{
    static const char *const texts[] = {"10.0.0.2",    "10.0.0.3", "10.0.0.255", "192.0.2.1",
                                        "2001:db8::2", "ff02::1",  "10.0.0.1",   "::"};
    salut_addr addr;
    if (salut_addr_parse(texts[which % 8], &addr) != SALUT_OK) {
        salut_fault(__FILE__, __LINE__, texts[which % 8]);
    }
    return addr;
}

static bool set_up(struct bench *bench)
{
    struct salut_config config;
    salut_addr own;
    salut_addr own6;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.alloc = fuzz_take;
    config.free = fuzz_give;
    config.conns_max = 4;
    config.half_open_max = 4;
    config.time_wait_max = 4;
    config.listeners_max = 2;
    config.udp_max = 6;
    config.buffers_max = 64;
    config.buffer_bytes = 512;
    config.ranges_max = 16;
    config.loans_max = 0;
    config.neighbours_max = 2;
    config.fragments_max = 2;
    config.fragment_bytes_max = 32768;
    config.event_ring = 16;
    config.udp_send_buffer_bytes = 12000;
    config.udp_recv_buffer_bytes = 12000;
    memcpy(config.mac, own_mac, 6);
    bench->now_ns = SLT_NS_PER_S;
    bench->last_bytes = 0;
    memset(bench->udp, 0, sizeof(bench->udp));
    return salut_create(&config, &bench->stack) == SALUT_OK &&
           salut_addr_parse("10.0.0.1", &own) == SALUT_OK &&
           salut_addr_parse("2001:db8::1", &own6) == SALUT_OK &&
           salut_add_address(bench->stack, &own, 24) == SALUT_OK &&
           salut_add_address(bench->stack, &own6, 64) == SALUT_OK;
}

static void input(struct bench *bench, const uint8_t *frame, uint32_t bytes)
{
    struct salut_rx_frame rx = {.data = frame, .bytes = bytes};
    salut_input(bench->stack, &rx, 1, bench->now_ns);
}

/* A datagram from a peer to one of the sockets' ports, the checksum right. */
static void input_datagram(struct bench *bench, uint8_t from, uint16_t port, uint32_t bytes)
{
    static uint8_t frame[4096];
    struct slt_ip_iface iface = {.link_kind = SALUT_LINK_ETHERNET, .ttl = 64, .hop_limit = 64};
    struct slt_udp_datagram udp = {.src_port = 53, .dst_port = port, .payload_bytes = bytes};
    struct slt_ip_send send = {.protocol = SLT_IP_PROTOCOL_UDP, .payload_bytes = 8 + bytes};
    salut_addr src = address(from % 2 ? 4 : 0);
    salut_addr dst;
    (void)salut_addr_parse(from % 2 ? "2001:db8::1" : "10.0.0.1", &dst);
    memcpy(iface.mac, peer_mac, 6);
    memcpy(send.dst_mac, own_mac, 6);
    memcpy(send.src, src.b, 16);
    memcpy(send.dst, dst.b, 16);
    struct slt_writer w = slt_writer_of(frame, sizeof(frame));
    uint32_t at = slt_ip_emit(&iface, &send, &w);
    slt_udp_emit(&udp, &w);
    uint8_t *payload = slt_write_room(&w, bytes);
    memset(payload, from, bytes);
    uint32_t sum = slt_checksum_pseudo(send.src, send.dst, SLT_IP_PROTOCOL_UDP, 8 + bytes);
    uint16_t field = slt_checksum_finish(slt_checksum_add(sum, frame + at, 8 + bytes));
    slt_put_u16(frame + at + 6, field == 0 ? UINT16_MAX : field);
    input(bench, frame, w.at);
}

/* An ICMP error that quotes the packet sent last. */
static void input_error(struct bench *bench, uint8_t type, uint8_t code, uint16_t mtu)
{
    static uint8_t frame[256];
    uint8_t icmp[8 + 28] = {type, code, 0, 0, 0, 0, (uint8_t)(mtu >> 8), (uint8_t)mtu};
    struct slt_ip_iface iface = {.link_kind = SALUT_LINK_ETHERNET, .ttl = 64, .hop_limit = 64};
    struct slt_ip_send send = {.protocol = SLT_IP_PROTOCOL_ICMP4, .payload_bytes = sizeof(icmp)};
    salut_addr src = address(0);
    salut_addr dst = address(6);
    if (bench->last_bytes < 14 + 28 || bench->last[14] >> 4 != 4) {
        return;
    }
    memcpy(icmp + 8, bench->last + 14, 28);
    slt_put_u16(icmp + 2, slt_checksum_finish(slt_checksum_add(0, icmp, sizeof(icmp))));
    memcpy(iface.mac, peer_mac, 6);
    memcpy(send.dst_mac, own_mac, 6);
    memcpy(send.src, src.b, 16);
    memcpy(send.dst, dst.b, 16);
    struct slt_writer w = slt_writer_of(frame, sizeof(frame));
    slt_ip_emit(&iface, &send, &w);
    slt_write_bytes(&w, icmp, sizeof(icmp));
    input(bench, frame, w.at);
}

/* The frame sent last comes back from its receiver, changed in one byte or not. */
static void input_back(struct bench *bench, uint8_t at, uint8_t change)
{
    static uint8_t frame[FRAME_MAX];
    uint32_t bytes = bench->last_bytes;
    if (bytes < 14 + 40) {
        return;
    }
    memcpy(frame, bench->last, bytes);
    memcpy(frame, own_mac, 6);
    memcpy(frame + 6, peer_mac, 6);
    uint8_t *ip = frame + 14;
    uint32_t where = ip[0] >> 4 == 4 ? 12 : 8;
    uint32_t length = ip[0] >> 4 == 4 ? 4 : 16;
    uint8_t other[16];
    memcpy(other, ip + where, length);
    memcpy(ip + where, ip + where + length, length);
    memcpy(ip + where + length, other, length);
    frame[14 + at % 40] ^= change;
    input(bench, frame, bytes);
}

static void answer_arp(struct bench *bench, uint8_t which)
{
    static const uint8_t own[4] = {10, 0, 0, 1};
    uint8_t frame[64];
    struct slt_writer w = slt_writer_of(frame, sizeof(frame));
    struct slt_ethernet eth = {.type = SLT_ETHERTYPE_ARP};
    struct slt_arp arp = {.op = 2};
    salut_addr from = address(which & 1U);
    memcpy(eth.dst, own_mac, 6);
    memcpy(eth.src, peer_mac, 6);
    memcpy(arp.sender_mac, peer_mac, 6);
    memcpy(arp.sender_ip, from.b, 16);
    memcpy(arp.target_mac, own_mac, 6);
    slt_address_set_v4(arp.target_ip, own);
    slt_ethernet_emit(&eth, &w);
    slt_arp_emit(&arp, &w);
    input(bench, frame, w.at);
}

static void output(struct bench *bench, uint32_t max, uint32_t taken)
{
    static struct salut_tx_frame frames[16];
    size_t count = salut_output(bench->stack, frames, 1 + max % 16);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = frames[i].header_bytes;
        memcpy(bench->last, frames[i].header, at);
        for (uint32_t p = 0; p < frames[i].piece_count; p++) {
            memcpy(bench->last + at, frames[i].pieces[p].base, frames[i].pieces[p].bytes);
            at += (uint32_t)frames[i].pieces[p].bytes;
        }
        if (at > 14U + 1500U) {
            salut_fault(__FILE__, __LINE__, "a frame is longer than the link takes");
        }
        bench->last_bytes = at;
    }
    fuzz_check(bench->stack);
    salut_output_taken(bench->stack, taken % (count + 1));
}

static void send_one(struct bench *bench, salut_udp udp, uint8_t where, uint8_t size)
{
    static const uint8_t bytes[256 * 40];
    struct salut_udp_to to = {.remote = address(where), .port = (uint16_t)(53 + where / 128)};
    const struct salut_iovec pieces[2] = {{bytes, size}, {bytes, (size_t)(size / 8) * 300}};
    bool named = (where & 64U) != 0;
    enum salut_status status = salut_udp_sendv(bench->stack, udp, pieces, 2, named ? &to : NULL);
    if ((unsigned)status >= SALUT_STATUS_COUNT) {
        salut_fault(__FILE__, __LINE__, "a status of no kind");
    }
}

static void receive_one(struct bench *bench, salut_udp udp, uint8_t how)
{
    uint8_t bytes[300];
    struct salut_udp_message message = {.bytes = 0};
    struct salut_iovec pieces[3];
    size_t count = 0;
    enum salut_status status = how % 2
                                   ? salut_udp_recv(bench->stack, udp, bytes, how, &message)
                                   : salut_udp_peek(bench->stack, udp, pieces, 3, &count, &message);
    if (status == SALUT_OK && message.bytes > 2048) {
        salut_fault(__FILE__, __LINE__, "a datagram that nobody sent");
    }
}

static void call(struct bench *bench, uint8_t which, uint8_t a, uint8_t b)
{
    salut_udp *udp = &bench->udp[which % SOCKS];
    struct salut_udp_params params = {.port = (uint16_t)(a % 4 ? 5000 + a % 4 : 0),
                                      .flags = b & 3U};
    salut_addr peer = address(b);
    struct salut_event event;
    enum salut_status status;
    switch (which / SOCKS % 8) {
    case 0:
        status = salut_udp_open(bench->stack, &params, udp);
        break;
    case 1:
        status = salut_udp_connect(bench->stack, *udp, &peer, a % 4 ? 53 : 0);
        break;
    case 2:
        status = salut_udp_close(bench->stack, *udp);
        break;
    case 3:
        receive_one(bench, *udp, a);
        break;
    case 4:
        while (salut_next_event(bench->stack, &event)) {
        }
        break;
    case 5:
        (void)salut_udp_set_option(bench->stack, *udp, SALUT_OPT_FRAGMENT, a % 3);
        (void)salut_udp_set_option(bench->stack, *udp, SALUT_OPT_BROADCAST, b % 2);
        (void)salut_udp_set_option(bench->stack, *udp, SALUT_OPT_SEND_BUFFER, 2048 + 64 * b);
        break;
    case 6:
        (void)salut_udp_set_interest(bench->stack, *udp, a);
        break;
    default:
        send_one(bench, *udp, a, b);
        break;
    }
    (void)status;
}

static void act(struct bench *bench, const uint8_t record[4])
{
    uint8_t a = record[2];
    uint8_t b = record[3];
    switch (record[0] % 10) {
    case 0:
        input_datagram(bench, a, (uint16_t)(5000 + a / 2 % 4), b * 8U);
        break;
    case 1:
        input_error(bench, a % 2 ? 3 : 11, b % 16, (uint16_t)(b * 8U));
        break;
    case 2:
        input_back(bench, a, b);
        break;
    case 3:
        answer_arp(bench, a);
        break;
    case 4:
        bench->now_ns += (int64_t)a * (1 + b) * SLT_NS_PER_MS;
        salut_poll(bench->stack, bench->now_ns);
        break;
    case 5:
        output(bench, a, b);
        break;
    case 6:
    case 7:
        send_one(bench, bench->udp[record[1] % SOCKS], a, b);
        break;
    default:
        call(bench, record[1], a, b);
        break;
    }
    fuzz_check(bench->stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bench bench;
    if (size > 16384) {
        return 0;
    }
    if (!set_up(&bench)) {
        salut_fault(__FILE__, __LINE__, "the bench could not be set up");
    }
    for (uint32_t i = 0; i < SOCKS - 1; i++) {
        act(&bench, (const uint8_t[4]){8, (uint8_t)i, (uint8_t)i, 0});
    }
    for (size_t at = 0; at + 4 <= size; at += 4) {
        act(&bench, data + at);
    }
    salut_destroy(bench.stack);
    return 0;
}
