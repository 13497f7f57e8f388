/* Tee and capture: what passes is what is written, read back by the pcapng reader. */
#define _GNU_SOURCE 1
#include "link_test.h"

#include "link/capture.h"
#include "link/impair.h"
#include "link/memory.h"
#include "wire/pcapng.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define EPOCH_NS INT64_C(1700000000000000000)
#define FILE_MAX (4U * 1024U * 1024U)
#define FRAMES   500U

static const char *comment_for(void *ctx, const struct slt_tee_frame *frame)
{
    char *text = ctx;
    if (frame->number % 3 == 0) {
        return NULL;
    }
    sprintf(text, "frame %u %s", (unsigned)frame->number, frame->outbound ? "out" : "in");
    return text;
}

struct world {
    FILE *file;
    struct slt_link *stack; /* teed */
    struct slt_link *wire;
    struct slt_tee_sink *sink;
    char text[64];
};

static void open_world(struct world *w, bool offload, uint32_t snap_bytes)
{
    struct slt_memory_params memory = {
        .kind = SALUT_LINK_ETHERNET, .mtu = 1500, .slots = 64, .offload = offload};
    struct slt_link *inner;
    *w = (struct world){.file = tmpfile()};
    assert_non_null(w->file);
    struct slt_capture_params params = {.fd = dup(fileno(w->file)),
                                        .kind = SALUT_LINK_ETHERNET,
                                        .name = "test0",
                                        .comment = "a capture",
                                        .snap_bytes = snap_bytes,
                                        .epoch_ns = EPOCH_NS,
                                        .comment_of = comment_for,
                                        .comment_ctx = w->text};
    assert_int_equal(slt_memory_pair(&memory, &inner, &w->wire), SALUT_OK);
    assert_int_equal(slt_capture_open(&params, &w->sink), SALUT_OK);
    assert_int_equal(slt_tee_open(inner, w->sink, &w->stack), SALUT_OK);
}

struct reader {
    uint8_t *bytes;
    uint32_t count;
    uint32_t at;
    struct slt_pcapng_section section;
};

static bool next_block(struct reader *r, struct slt_pcapng_block *block)
{
    if (r->at == r->count) {
        return false;
    }
    struct slt_span rest = {r->bytes + r->at, r->count - r->at};
    assert_int_equal(slt_pcapng_parse(&r->section, rest, block), SLT_CAPTURE_OK);
    r->at += block->bytes;
    return true;
}

static void read_file(struct world *w, struct reader *r)
{
    struct slt_pcapng_block block;
    *r = (struct reader){.bytes = malloc(FILE_MAX)};
    assert_non_null(r->bytes);
    slt_link_close(w->stack);
    slt_link_close(w->wire);
    rewind(w->file);
    r->count = (uint32_t)fread(r->bytes, 1, FILE_MAX, w->file);
    assert_true(r->count < FILE_MAX);
    fclose(w->file);
    assert_true(next_block(r, &block));
    assert_int_equal(block.kind, SLT_PCAPNG_SECTION);
    assert_true(next_block(r, &block));
    assert_int_equal(block.kind, SLT_PCAPNG_INTERFACE);
    assert_int_equal(block.interface.linktype, SLT_LINKTYPE_ETHERNET);
    assert_int_equal(block.name_bytes, 5);
}

static struct test_tcp segment_of(uint32_t i)
{
    return (struct test_tcp){.family = i % 2 ? 4 : 6,
                             .ethernet = true,
                             .seq = i,
                             .flags = 0x18,
                             .payload_bytes = 1 + i * 2,
                             .piece_bytes = 100};
}

static void check_packet(const struct slt_pcapng_block *block, uint32_t i)
{
    const uint8_t *tcp = NULL;
    uint32_t payload = 0;
    char expected[64];
    assert_int_equal(block->kind, SLT_PCAPNG_PACKET);
    assert_true(block->packet.at_ns == EPOCH_NS + (int64_t)i * 1000);
    assert_int_equal(block->packet.direction,
                     i % 5 == 0 ? SLT_CAPTURE_INBOUND : SLT_CAPTURE_OUTBOUND);
    assert_int_equal(test_judge(block->packet.data, block->packet.bytes, true, &tcp, &payload),
                     TEST_GOOD);
    assert_int_equal(test_get32(tcp + 4), i);
    assert_int_equal(payload, 1 + i * 2);
    assert_memory_equal(tcp + 32, test_payload(), payload);
    int length = sprintf(expected, "frame %u %s", i, i % 5 == 0 ? "in" : "out");
    if (i % 3 == 0) {
        assert_int_equal(block->packet.comment_bytes, 0);
    } else {
        assert_int_equal(block->packet.comment_bytes, length);
        assert_memory_equal(block->packet.comment, expected, (size_t)length);
    }
}

static void frames_are_written_as_they_pass(void **state)
{
    (void)state;
    struct world w;
    struct reader r;
    struct slt_pcapng_block block;
    struct salut_rx_frame rx[4];
    open_world(&w, false, 0);
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct test_tcp t = segment_of(i);
        struct salut_tx_frame tx;
        int64_t now_ns = (int64_t)i * 1000;
        bool in = i % 5 == 0;
        test_tcp_frame(&t, &tx);
        assert_int_equal(slt_link_send(in ? w.wire : w.stack, &tx, 1, now_ns), 1);
        assert_int_equal(slt_link_receive(in ? w.stack : w.wire, rx, 4, now_ns), 1);
        assert_int_equal(slt_capture_count(w.sink), in ? i : i + 1); /* in: when given back */
        slt_link_release(in ? w.stack : w.wire);
        assert_int_equal(slt_capture_count(w.sink), i + 1);
    }
    assert_int_equal(slt_capture_failed(w.sink), 0);
    read_file(&w, &r);
    for (uint32_t i = 0; i < FRAMES; i++) {
        assert_true(next_block(&r, &block));
        check_packet(&block, i);
    }
    assert_false(next_block(&r, &block));
    free(r.bytes);
}

/* A super-frame is written whole, with the checksum it would have as one packet. */
static void super_frames_are_completed_in_the_copy(void **state)
{
    (void)state;
    struct world w;
    struct reader r;
    struct slt_pcapng_block block;
    struct salut_tx_frame tx;
    struct salut_rx_frame rx[4];
    const uint8_t *tcp = NULL;
    uint32_t payload = 0;
    struct test_tcp t = {.family = 4,
                         .ethernet = true,
                         .flags = 0x18,
                         .payload_bytes = 60000,
                         .piece_bytes = 4096,
                         .gso_bytes = 1448,
                         .partial = true};
    open_world(&w, true, 0);
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(w.stack, &tx, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.wire, rx, 4, 0), 1);
    assert_int_equal(rx[0].gso_bytes, 1448); /* the frame itself is untouched */
    assert_int_equal(slt_link_send(w.wire, &tx, 1, 0), 1);
    assert_int_equal(slt_link_receive(w.stack, rx, 4, 0), 1);
    slt_link_release(w.stack);
    read_file(&w, &r);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(next_block(&r, &block));
        assert_int_equal(test_judge(block.packet.data, block.packet.bytes, true, &tcp, &payload),
                         TEST_GOOD);
        assert_int_equal(payload, 60000);
        assert_memory_equal(tcp + 32, test_payload(), payload);
    }
    free(r.bytes);
}

static void snapping_keeps_the_length(void **state)
{
    (void)state;
    struct world w;
    struct reader r;
    struct slt_pcapng_block block;
    struct salut_tx_frame tx;
    struct test_tcp t = segment_of(101);
    open_world(&w, false, 64);
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(w.stack, &tx, 1, 0), 1);
    read_file(&w, &r);
    assert_true(next_block(&r, &block));
    assert_int_equal(block.packet.bytes, 64);
    assert_int_equal(block.packet.original_bytes, tx.header_bytes + t.payload_bytes);
    free(r.bytes);
}

/* Frames the link below did not take were not sent, and are not shown. */
static void only_taken_frames_are_shown(void **state)
{
    (void)state;
    struct world w;
    struct salut_tx_frame tx[80];
    open_world(&w, false, 0);
    for (uint32_t i = 0; i < 80; i++) {
        struct test_tcp t = segment_of(i);
        test_tcp_frame(&t, &tx[i]);
    }
    assert_int_equal(slt_link_send(w.stack, tx, 80, 0), 64);
    assert_int_equal(slt_capture_count(w.sink), 64);
    assert_true(slt_link_wants_write(w.stack));
    slt_link_close(w.stack);
    slt_link_close(w.wire);
    fclose(w.file);
}

static void a_failed_write_stops_the_capture_only(void **state)
{
    (void)state;
    struct slt_memory_params memory = {.kind = SALUT_LINK_IP, .mtu = 1500};
    struct slt_capture_params params = {.fd = open("/dev/full", O_WRONLY), .kind = SALUT_LINK_IP};
    struct slt_link *inner;
    struct slt_link *wire;
    struct slt_link *link;
    struct slt_tee_sink *sink;
    int pipes[2];
    assert_int_equal(slt_capture_open(&params, &sink), SALUT_INVALID); /* the disk is full */
    close(params.fd);
    assert_int_equal(pipe(pipes), 0);
    signal(SIGPIPE, SIG_IGN);
    params.fd = pipes[1];
    assert_int_equal(slt_capture_open(&params, &sink), SALUT_OK);
    close(pipes[0]); /* the viewer goes away */
    assert_int_equal(slt_memory_pair(&memory, &inner, &wire), SALUT_OK);
    assert_int_equal(slt_tee_open(inner, sink, &link), SALUT_OK);
    struct test_tcp t = {.family = 4, .payload_bytes = 100};
    struct salut_tx_frame tx;
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    assert_false(slt_capture_flush(sink));
    assert_int_not_equal(slt_capture_failed(sink), 0);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    assert_int_equal(slt_capture_count(sink), 1);
    slt_link_close(link);
    slt_link_close(wire);
}

/* Decorators stack: the tee outside an impaired link shows what the stack sent, not what is left.
 */
static void a_tee_around_impair(void **state)
{
    (void)state;
    struct slt_memory_params memory = {.kind = SALUT_LINK_ETHERNET, .mtu = 1500};
    struct slt_impair_params faults = {.out = {.loss_ppm = SLT_PATH_ALWAYS}};
    struct slt_capture_params params = {.kind = SALUT_LINK_ETHERNET};
    struct slt_link *inner;
    struct slt_link *wire;
    struct slt_link *impaired;
    struct slt_link *link;
    struct slt_tee_sink *sink;
    struct salut_rx_frame rx[2];
    params.fd = open("/dev/null", O_WRONLY);
    assert_int_equal(slt_memory_pair(&memory, &inner, &wire), SALUT_OK);
    assert_int_equal(slt_impair_open(inner, &faults, &impaired), SALUT_OK);
    assert_int_equal(slt_capture_open(&params, &sink), SALUT_OK);
    assert_int_equal(slt_tee_open(impaired, sink, &link), SALUT_OK);
    struct test_tcp t = segment_of(9);
    struct salut_tx_frame tx;
    test_tcp_frame(&t, &tx);
    assert_int_equal(slt_link_send(link, &tx, 1, 0), 1);
    assert_int_equal(slt_capture_count(sink), 1);
    assert_int_equal(slt_link_receive(wire, rx, 2, 0), 0);
    assert_int_equal(slt_impair_counters_out(impaired)->lost, 1);
    slt_link_close(link);
    slt_link_close(wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_written_as_they_pass),
        cmocka_unit_test(super_frames_are_completed_in_the_copy),
        cmocka_unit_test(snapping_keeps_the_length),
        cmocka_unit_test(only_taken_frames_are_shown),
        cmocka_unit_test(a_failed_write_stops_the_capture_only),
        cmocka_unit_test(a_tee_around_impair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
