/* Findings of captures: each beside the neighbour it is told from, and thresholds at their edges.
 * What real stacks send is in lab_capture.py; here packets are built by hand, so that each story
 * differs from the next in what tells them apart and in nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/span.h"
#include "observe/explain.h"
#include "observe/explain_report.h"
#include "wire/address.h"
#include "wire/checksum.h"
#include "wire/ipv4.h"

#include <stdio.h>
#include <string.h>

#define S  SLT_TCP_SYN
#define A  SLT_TCP_ACK
#define F  SLT_TCP_FIN
#define R  SLT_TCP_RST
#define MS 1000000LL

/* The last two are for what is not translated: from the client to whoever answers behind the
 * server's address, and from there. They have the numbers of the client and of the server. */
enum { CLIENT, SERVER, TO_BACKEND, BACKEND };

/* A packet: numbers count from each side's SYN at 0. */
struct row {
    int64_t at_ms;
    int from;
    uint16_t flags;
    uint32_t seq;
    uint32_t ack;
    uint32_t bytes;
    uint16_t window;
    uint8_t ttl;        /* 0: 64 */
    uint8_t direction;  /* enum slt_capture_direction */
    uint32_t timestamp; /* 0: none */
};

static struct slt_explain explain;
static uint16_t client_port;

/* The SYNs offer an MSS, and nothing else. */
static uint32_t put_options(const struct row *row, uint8_t *tcp)
{
    if ((row->flags & S) != 0) {
        memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
        return 4;
    }
    if (row->timestamp != 0) {
        memcpy(tcp + 20, "\x01\x01\x08\x0a", 4);
        slt_put_u32(tcp + 24, row->timestamp);
        slt_put_u32(tcp + 28, 1);
        return 12;
    }
    return 0;
}

static void put_checksum(uint8_t *ip, uint32_t bytes)
{
    uint8_t addrs[2][16];
    slt_address_set_v4(addrs[0], ip + 12);
    slt_address_set_v4(addrs[1], ip + 16);
    uint32_t sum = slt_checksum_pseudo(addrs[0], addrs[1], SLT_IP_PROTOCOL_TCP, bytes);
    slt_put_u16(ip + 36, slt_checksum_finish(slt_checksum_add(sum, ip + 20, bytes)));
}

static void take(const struct row *row)
{
    static const uint32_t isns[2] = {0xfffffff0U, 0x7ffffff0U};
    static uint16_t ip_id;
    uint8_t ip[2048] = {0x45};
    uint32_t options = put_options(row, ip + 20);
    uint32_t total = 40 + options + row->bytes;
    ip_id++;
    slt_put_u16(ip + 2, (uint16_t)total);
    slt_put_u16(ip + 4, ip_id);
    ip[8] = row->ttl == 0 ? 64 : row->ttl;
    ip[9] = 6;
    bool from_client = (row->from & 1) == CLIENT;
    memcpy(ip + 12, from_client ? "\x0a\0\0\x01\x0a\0\0\x02" : "\x0a\0\0\x02\x0a\0\0\x01", 8);
    if (row->from >= TO_BACKEND) {
        ip[from_client ? 19 : 15] = 3;
    }
    slt_put_u16(ip + 20, from_client ? client_port : 80);
    slt_put_u16(ip + 22, from_client ? 80 : client_port);
    slt_put_u32(ip + 24, isns[row->from & 1] + row->seq);
    slt_put_u32(ip + 28, (row->flags & A) != 0 ? isns[1 - (row->from & 1)] + row->ack : 0);
    ip[32] = (uint8_t)((20 + options) / 4 << 4);
    ip[33] = (uint8_t)row->flags;
    slt_put_u16(ip + 34, row->window);
    put_checksum(ip, total - 20);
    struct slt_capture_packet packet = {.at_ns = row->at_ms * MS + 1,
                                        .original_bytes = total,
                                        .data = ip,
                                        .bytes = total,
                                        .direction = row->direction};
    slt_explain_take(&explain, &packet, SLT_LINKTYPE_RAW);
}

static void begin(void)
{
    static const struct slt_explain_limits limits = {
        .flows_max = 64, .steps_max = 64, .all_steps_max = 4096};
    client_port = 40000;
    assert_true(slt_explain_init(&explain, &limits));
}

/* The findings of the youngest flow as words, in the order of the rules. */
static const char *verdict_of(struct slt_verdict *verdict)
{
    static char text[200];
    struct slt_explain_states states;
    size_t used = 0;
    slt_explain_states_of(explain.flows.youngest, &states);
    slt_explain_verdict_of(explain.flows.youngest, &states, verdict);
    text[0] = '\0';
    for (uint32_t i = 0; i < verdict->hit_count; i++) {
        const char *id = slt_finding_row((enum slt_finding_id)verdict->hits[i].id)->id;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", id);
    }
    return text;
}

static const char *play(const struct row *rows, size_t count, char *evidence)
{
    struct slt_verdict verdict;
    begin();
    for (size_t i = 0; i < count; i++) {
        take(&rows[i]);
    }
    slt_explain_finish(&explain);
    const char *text = verdict_of(&verdict);
    evidence[0] = '\0';
    if (verdict.hit_count > 0) {
        memcpy(evidence, verdict.hits[0].evidence, SLT_HIT_EVIDENCE_MAX);
    }
    slt_explain_deinit(&explain);
    return text;
}

static char evidence[SLT_HIT_EVIDENCE_MAX];

/* Play the rows; the findings must be these. */
#define SHOWS(findings, ...)                                                                       \
    do {                                                                                           \
        static const struct row rows[] = {__VA_ARGS__};                                            \
        assert_string_equal(play(rows, sizeof(rows) / sizeof(rows[0]), evidence), findings);       \
    } while (0)

#define C(at, flags, seq, ack, bytes)                                                              \
    {                                                                                              \
        at, CLIENT, flags, seq, ack, bytes, 1000, 0, 0, 0                                          \
    }
#define SV(at, flags, seq, ack, bytes)                                                             \
    {                                                                                              \
        at, SERVER, flags, seq, ack, bytes, 1000, 0, 0, 0                                          \
    }
#define HANDSHAKE C(0, S, 0, 0, 0), SV(10, S | A, 0, 1, 0), C(20, A, 1, 1, 0)

/* A question and its answer. */
#define TALK C(30, A, 1, 1, 100), SV(40, A, 1, 101, 50), C(50, A, 101, 51, 0)

static void opening(void **state)
{
    (void)state;
    SHOWS("", C(0, S, 0, 0, 0));
    SHOWS("SYN-1", C(0, S, 0, 0, 0), C(1000, S, 0, 0, 0), C(3000, S, 0, 0, 0));
    assert_string_equal(evidence, "3 SYNs in 3.0 s (packets 1 to 3) and no answer");
    SHOWS("SYN-3 RST-8", C(0, S, 0, 0, 0), SV(1, R | A, 0, 1, 0));
    SHOWS("SYN-4", C(0, S, 0, 0, 0), C(1000, S, 0, 0, 0), SV(1010, S | A, 0, 1, 0),
          C(1020, A, 1, 1, 0));
    /* A copy made by the network is not late. */
    SHOWS("", C(0, S, 0, 0, 0), C(5, S, 0, 0, 0), SV(10, S | A, 0, 1, 0), C(20, A, 1, 1, 0));
    SHOWS("SYN-5", C(0, S, 0, 0, 0), SV(10, A, 500, 999, 0), C(1000, S, 0, 0, 0),
          SV(1010, A, 500, 999, 0), C(3000, S, 0, 0, 0));
    SHOWS("HS-3", C(0, S, 0, 0, 0), SV(1, S, 0, 0, 0), C(2, S | A, 0, 1, 0), SV(3, S | A, 0, 1, 0),
          C(4, A, 1, 1, 0));
}

/* Repeated SYN,ACKs: nobody answers, or the answer is not taken. */
static void half_open(void **state)
{
    (void)state;
    SHOWS("", C(0, S, 0, 0, 0), SV(10, S | A, 0, 1, 0), SV(1010, S | A, 0, 1, 0));
    SHOWS("SR-2", C(0, S, 0, 0, 0), SV(10, S | A, 0, 1, 0), SV(1010, S | A, 0, 1, 0),
          SV(3010, S | A, 0, 1, 0));
    SHOWS("LIS-1", HANDSHAKE, C(30, A, 1, 1, 100), SV(1010, S | A, 0, 1, 0), C(1020, A, 1, 1, 0),
          SV(3010, S | A, 0, 1, 0), C(3020, A, 1, 1, 0));
    /* The data is taken in the end: it was the third segment that was lost. */
    SHOWS("", HANDSHAKE, C(30, A, 1, 1, 100), SV(1010, S | A, 0, 1, 0), C(1020, A, 1, 1, 0),
          SV(3010, S | A, 0, 1, 0), C(3020, A, 1, 1, 100), SV(3030, A, 1, 101, 0),
          SV(3040, A, 1, 101, 10), C(3041, A, 101, 11, 0));
}

/* A request that is acknowledged, and then nothing. */
static void unanswered(void **state)
{
    (void)state;
    SHOWS("HS-1 SRV-1", HANDSHAKE, C(30, A, 1, 1, 100), SV(40, A, 1, 101, 0),
          C(6000, F | A, 101, 1, 0), SV(6010, A, 1, 102, 0));
    assert_string_equal(
        evidence, "100 bytes (packets 4 to 4) were acknowledged, and no answer came for 6.0 s");
    /* It waits less, it is answered, or it never stops talking. */
    SHOWS("SRV-1", HANDSHAKE, C(30, A, 1, 1, 100), SV(40, A, 1, 101, 0), C(3000, F | A, 101, 1, 0),
          SV(3010, A, 1, 102, 0));
    SHOWS("CLI-1 APP-2", HANDSHAKE, TALK, C(6000, F | A, 101, 51, 0), SV(6010, F | A, 51, 102, 0));
    SHOWS("SRV-1", HANDSHAKE, C(30, A, 1, 1, 100), SV(40, A, 1, 101, 0), C(4000, A, 101, 1, 100),
          SV(4010, A, 1, 201, 0), C(9500, F | A, 201, 1, 0), SV(9510, A, 1, 202, 0));
}

/* Repetition into silence: what is repeated names it. */
static void silence(void **state)
{
    (void)state;
    SHOWS("RTO-1", HANDSHAKE, TALK, C(100, A, 101, 51, 100), C(400, A, 101, 51, 100),
          C(1000, A, 101, 51, 100), C(2200, A, 101, 51, 100));
    assert_string_equal(evidence,
                        "100 bytes of the client (packet 7) were sent again 3 times, the last in "
                        "packet 10; nothing was heard of the server for 2.2 s");
    SHOWS("NAT-1 CLI-1", HANDSHAKE, TALK, C(350100, A, 101, 51, 100), C(350400, A, 101, 51, 100),
          C(351000, A, 101, 51, 100), C(352200, A, 101, 51, 100));
    /* Twice is little; an answer ends it. */
    SHOWS("", HANDSHAKE, TALK, C(100, A, 101, 51, 100), C(400, A, 101, 51, 100),
          C(1000, A, 101, 51, 100));
    SHOWS("", HANDSHAKE, TALK, C(100, A, 101, 51, 100), C(400, A, 101, 51, 100),
          C(1000, A, 101, 51, 100), C(2200, A, 101, 51, 100), SV(2210, A, 51, 201, 0));
    SHOWS("GH-4 CLI-1", HANDSHAKE, TALK, C(9000, A, 100, 51, 0), C(10000, A, 100, 51, 0));
    SHOWS("CLI-1", HANDSHAKE, TALK, C(9000, A, 100, 51, 0), SV(9010, A, 51, 101, 0),
          C(18000, A, 100, 51, 0), SV(18010, A, 51, 101, 0));
    SHOWS("FW1-1", HANDSHAKE, TALK, C(100, F | A, 101, 51, 0), C(400, F | A, 101, 51, 0),
          C(1000, F | A, 101, 51, 0), C(2200, F | A, 101, 51, 0));
    SHOWS("LA-1", HANDSHAKE, TALK, SV(100, F | A, 51, 101, 0), C(110, A, 101, 52, 0),
          C(120, F | A, 101, 52, 0), C(400, F | A, 101, 52, 0), C(1000, F | A, 101, 52, 0),
          C(2200, F | A, 101, 52, 0));
}

#define CLOSED_WINDOW(direction)                                                                   \
    HANDSHAKE, C(30, A, 1, 1, 1000),                                                               \
    {                                                                                              \
        40, SERVER, A, 1, 1001, 0, 0, 0, direction, 0                                              \
    }
#define PROBE(at) C(at, A, 1000, 1, 0)
#define STILL_CLOSED(at)                                                                           \
    {                                                                                              \
        at, SERVER, A, 1, 1001, 0, 0, 0, 0, 0                                                      \
    }

static void windows(void **state)
{
    (void)state;
    SHOWS("ZW-1", CLOSED_WINDOW(0), PROBE(240), STILL_CLOSED(250), PROBE(650), STILL_CLOSED(660));
    SHOWS("ZW-1", CLOSED_WINDOW(SLT_CAPTURE_INBOUND), PROBE(240), STILL_CLOSED(250), PROBE(650),
          STILL_CLOSED(660));
    SHOWS("ZW-2", CLOSED_WINDOW(SLT_CAPTURE_OUTBOUND), PROBE(240), STILL_CLOSED(250), PROBE(650),
          STILL_CLOSED(660));
    SHOWS("ZW-3", CLOSED_WINDOW(0), PROBE(240), PROBE(650), PROBE(1450));
    /* A busy program reads a little late. */
    SHOWS("", CLOSED_WINDOW(0), PROBE(240), STILL_CLOSED(250), SV(300, A, 1, 1001, 0));
    /* Closed for an instant, and nobody asked. */
    SHOWS("", CLOSED_WINDOW(0), SV(50, A, 1, 1001, 0), C(60, A, 1001, 1, 100),
          SV(70, A, 1, 1101, 0));
}

/* Three times the acknowledgement is waited for, and what follows leaves at once. */
static void nagle(void **state)
{
    (void)state;
    SHOWS("NAG-1", HANDSHAKE, C(100, A, 1, 1, 10), SV(150, A, 1, 11, 0), C(160, A, 11, 1, 20),
          SV(170, A, 1, 31, 5), C(200, A, 31, 6, 10), SV(250, A, 6, 41, 0), C(260, A, 41, 6, 20),
          SV(270, A, 6, 61, 5), C(300, A, 61, 11, 10), SV(350, A, 11, 71, 0), C(360, A, 71, 11, 20),
          SV(370, A, 11, 91, 5));
    assert_string_equal(evidence,
                        "3 small segments of the client waited for the delayed "
                        "acknowledgement of the one before, 180.0 ms in all (packets 4 to 14)");
    /* A program that thinks speaks later than the acknowledgement. */
    SHOWS("", HANDSHAKE, C(100, A, 1, 1, 10), SV(150, A, 1, 11, 0), C(190, A, 11, 1, 20),
          SV(200, A, 1, 31, 5), C(230, A, 31, 6, 10), SV(280, A, 6, 41, 0), C(320, A, 41, 6, 20),
          SV(330, A, 6, 61, 5), C(360, A, 61, 11, 10), SV(410, A, 11, 71, 0), C(450, A, 71, 11, 20),
          SV(460, A, 11, 91, 5));
}

static void closing(void **state)
{
    (void)state;
    SHOWS("APP-2", HANDSHAKE, TALK, C(60, F | A, 101, 51, 0), SV(70, F | A, 51, 102, 0),
          C(80, A, 102, 52, 0));
    SHOWS("", HANDSHAKE, TALK, C(60, F | A, 101, 51, 0), SV(70, A, 51, 102, 0),
          SV(75, F | A, 51, 102, 0), C(85, A, 102, 52, 0));
    SHOWS("CLI-1 APP-1 APP-2", HANDSHAKE, TALK, SV(15050, F | A, 51, 101, 0),
          C(15060, F | A, 101, 52, 0), SV(15070, A, 52, 102, 0));
    SHOWS("CW-1", HANDSHAKE, TALK, C(60, F | A, 101, 51, 0), SV(70, A, 51, 102, 0),
          SV(61000, F | A, 51, 102, 0), C(61010, A, 102, 52, 0));
    /* The half that is open is used. */
    SHOWS("", HANDSHAKE, TALK, C(60, F | A, 101, 51, 0), SV(70, A, 51, 102, 0),
          SV(40000, A, 51, 102, 100), C(40010, A, 102, 151, 0), SV(80000, F | A, 151, 102, 0),
          C(80010, A, 102, 152, 0));
    SHOWS("HC-1", HANDSHAKE, TALK, C(60, F | A, 101, 51, 0), SV(70, A, 51, 102, 0),
          SV(80, A, 51, 102, 100), C(90, R, 102, 0, 0));
    /* Old copies that the network delayed, and the RST of an end that is gone already. */
    SHOWS("APP-2", HANDSHAKE, TALK, C(60, F | A, 101, 51, 0), SV(70, F | A, 51, 102, 0),
          C(80, A, 102, 52, 0), SV(90, A, 1, 101, 50), C(91, A, 102, 52, 0), SV(92, R, 52, 0, 0),
          SV(95, A, 1, 101, 50), C(96, R, 101, 0, 0));
}

static void resets(void **state)
{
    (void)state;
    SHOWS("RST-1", HANDSHAKE, TALK, C(60, A, 101, 51, 100), SV(70, A, 51, 201, 0),
          SV(80, R | A, 51, 201, 0));
    SHOWS("RST-2", HANDSHAKE, TALK, SV(80, R | A, 51, 101, 0));
    SHOWS("RST-3", HANDSHAKE, TALK, C(90, A, 101, 51, 100), SV(95, R, 51, 0, 0));
    /* The handshake alone is answered so by a server that is full. */
    SHOWS("", HANDSHAKE, SV(30, R, 1, 0, 0));
    SHOWS("RST-5", HANDSHAKE, TALK, SV(60, A, 51, 101, 10), C(70, A, 101, 61, 0),
          SV(80, A, 61, 101, 10), C(90, A, 101, 71, 0),
          {95, SERVER, R | A, 71, 101, 0, 1000, 47, 0, 0});
    SHOWS("RST-5", HANDSHAKE, TALK, SV(60, R | A, 51, 101, 0), SV(70, A, 51, 101, 10),
          SV(80, A, 61, 101, 10), SV(90, A, 71, 101, 10));
    SHOWS("RST-9", HANDSHAKE, TALK, C(600, R, 150, 0, 0), SV(601, A, 51, 101, 0),
          C(1200, R, 160, 0, 0), SV(1201, A, 51, 101, 0), C(1800, R, 170, 0, 0),
          SV(1801, A, 51, 101, 0));
    SHOWS("RST-2 RST-10", HANDSHAKE, TALK, SV(80, R | A, 51, 101, 7));
}

#define BE(at, flags, seq, ack, bytes)                                                             \
    {                                                                                              \
        at, BACKEND, flags, seq, ack, bytes, 1000, 0, 0, 0                                         \
    }
#define TO_BE(at, flags, seq)                                                                      \
    {                                                                                              \
        at, TO_BACKEND, flags, seq, 0, 0, 1000, 0, 0, 0                                            \
    }

/* A segment of the connection that comes under another address. */
static void not_translated(void **state)
{
    (void)state;
    SHOWS("RST-6", HANDSHAKE, TALK, BE(60, A, 51, 101, 10), TO_BE(61, R, 101));
    assert_string_equal(evidence,
                        "the client answered packet 7 with a bare RST (packet 8), though that has "
                        "the numbers of connection #1: its source address was not translated on "
                        "the way");
    /* Numbers of nobody's: beyond what was sent, far from what the server is at, or before. */
    SHOWS("RST-3", HANDSHAKE, TALK, BE(60, A, 51, 5000, 10), TO_BE(61, R, 5000));
    SHOWS("RST-3", HANDSHAKE, TALK, BE(60, A, 1U << 25, 101, 10), TO_BE(61, R, 101));
    /* It is a connection of its own. */
    SHOWS("", HANDSHAKE, TALK, TO_BE(55, S, 0), BE(60, A | S, 0, 1, 0), TO_BE(61, R, 1));
}

static void options(void **state)
{
    (void)state;
    /* The old timestamps are not taken, twice; a retransmission's is new. */
    SHOWS("TS-1", HANDSHAKE, {30, CLIENT, A, 1, 1, 10, 1000, 0, 0, 90000}, SV(40, A, 1, 11, 0),
          {50, CLIENT, A, 11, 1, 10, 1000, 0, 0, 500}, SV(60, A, 1, 11, 0),
          {350, CLIENT, A, 11, 1, 10, 1000, 0, 0, 800}, SV(360, A, 1, 11, 0));
    SHOWS("CLI-1", HANDSHAKE, {30, CLIENT, A, 1, 1, 10, 1000, 0, 0, 90000}, SV(40, A, 1, 11, 0),
          {50, CLIENT, A, 11, 1, 10, 1000, 0, 0, 500}, SV(60, A, 1, 21, 0),
          {350, CLIENT, A, 21, 1, 10, 1000, 0, 0, 800}, SV(360, A, 1, 31, 0));
}

/* What was overtaken bears an older timestamp, however late it comes. */
static void overtaken(void **state)
{
    (void)state;
    static const struct row rows[] = {
        HANDSHAKE,
        {30, CLIENT, A, 11, 1, 10, 1000, 0, 0, 2000},
        {50, CLIENT, A, 1, 1, 10, 1000, 0, 0, 1990},
        {70, CLIENT, A, 31, 1, 10, 1000, 0, 0, 2040},
        {90, CLIENT, A, 21, 1, 10, 1000, 0, 0, 2060},
    };
    begin();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        take(&rows[i]);
    }
    slt_explain_finish(&explain);
    const struct slt_explain_flow *f = explain.flows.oldest;
    assert_int_equal(f->steps[4].mark, SLT_MARK_OUT_OF_ORDER);
    assert_int_not_equal(f->steps[6].mark, SLT_MARK_OUT_OF_ORDER);
    slt_explain_deinit(&explain);
}

/* Larger than the path takes: said when the other end is heard while nothing so large arrives. */
static void too_large(void **state)
{
    (void)state;
    SHOWS("MTU-1", HANDSHAKE, TALK, C(100, A, 101, 51, 1400), C(400, A, 101, 51, 1400),
          SV(700, A, 51, 101, 0), C(1000, A, 101, 51, 1400), C(2200, A, 101, 51, 1400));
    SHOWS("RTO-1", HANDSHAKE, TALK, C(100, A, 101, 51, 1400), C(400, A, 101, 51, 1400),
          C(1000, A, 101, 51, 1400), C(2200, A, 101, 51, 1400));
    /* One so large arrives in the end. */
    SHOWS("", HANDSHAKE, TALK, C(100, A, 101, 51, 1400), C(400, A, 101, 51, 1400),
          SV(700, A, 51, 101, 0), C(1000, A, 101, 51, 1400), SV(1010, A, 51, 1501, 0));
}

static void the_capture(void **state)
{
    (void)state;
    SHOWS("CAP-2", HANDSHAKE, TALK, C(60, A, 201, 51, 100), SV(70, A, 51, 301, 0));
    SHOWS("ASYM-1", C(0, S, 0, 0, 0), C(20, A, 1, 1, 0), C(30, A, 1, 1, 100));
}

/* Many short connections of one client are a finding of all of them. */
static void short_ones(void **state)
{
    (void)state;
    static const struct row rows[] = {HANDSHAKE, TALK, C(60, F | A, 101, 51, 0),
                                      SV(70, F | A, 51, 102, 0), C(80, A, 102, 52, 0)};
    for (unsigned count = 19; count <= 20; count++) {
        struct slt_explain_report report;
        memset(&report, 0, sizeof(report));
        begin();
        for (unsigned i = 0; i < count; i++) {
            client_port = (uint16_t)(40000 + i);
            for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
                struct row row = rows[k];
                row.at_ms += 100 * (int64_t)i;
                take(&row);
            }
        }
        slt_explain_finish(&explain);
        for (const struct slt_explain_flow *f = explain.flows.oldest; f != NULL; f = f->younger) {
            struct slt_explain_states states;
            struct slt_verdict verdict;
            slt_explain_states_of(f, &states);
            slt_explain_verdict_of(f, &states, &verdict);
            slt_explain_report_add(&report, f, &verdict);
        }
        assert_true(slt_explain_report_finish(&report, &explain.flows));
        assert_int_equal(report.found[SLT_FIND_APP_3].count, count < 20 ? 0 : 20);
        assert_int_equal(report.found[SLT_FIND_APP_2].count, count);
        assert_ptr_equal(report.found[SLT_FIND_APP_2].worst, explain.flows.oldest);
        slt_explain_deinit(&explain);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening),        cmocka_unit_test(half_open),
        cmocka_unit_test(unanswered),     cmocka_unit_test(silence),
        cmocka_unit_test(windows),        cmocka_unit_test(nagle),
        cmocka_unit_test(closing),        cmocka_unit_test(resets),
        cmocka_unit_test(not_translated), cmocka_unit_test(options),
        cmocka_unit_test(overtaken),      cmocka_unit_test(too_large),
        cmocka_unit_test(the_capture),    cmocka_unit_test(short_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
