/* pcapng: what is written is read back; foreign blocks in either order; everything cut. */
#include "wire/pcapng.h"

#include "exact.h"

struct file {
    uint8_t bytes[1024];
    uint32_t n;
    uint32_t starts[8];
    uint32_t block_count;
};

static const char comment[] = "SYN-SENT -> ESTABLISHED: syn-acked";

static struct slt_capture_packet packet_of(uint32_t bytes, const char *text)
{
    static const uint8_t data[64] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct slt_capture_packet p;
    memset(&p, 0, sizeof(p));
    p.at_ns = 1700000000123456789LL;
    p.original_bytes = bytes + 100;
    p.direction = SLT_CAPTURE_OUTBOUND;
    p.data = data;
    p.bytes = bytes;
    p.comment = text;
    p.comment_bytes = text == NULL ? 0 : (uint32_t)strlen(text);
    return p;
}

static void close_block(struct file *f, const struct slt_writer *w, uint32_t bytes)
{
    assert_int_equal(bytes, w->at);
    assert_int_equal(bytes % 4, 0);
    f->starts[f->block_count] = f->n;
    f->block_count++;
    f->n += bytes;
}

static struct file make_file(void)
{
    const struct slt_pcapng_interface eth = {
        .linktype = SLT_LINKTYPE_ETHERNET, .resolution = 9, .snap_bytes = 262144};
    struct file f;
    memset(&f, 0, sizeof(f));
    struct slt_writer w = slt_writer_of(f.bytes, 1024);
    close_block(&f, &w, slt_pcapng_section_emit("salut", "a test", &w));
    w = slt_writer_of(f.bytes + f.n, 1024 - f.n);
    close_block(&f, &w, slt_pcapng_interface_emit(&eth, "tap0", &w));
    for (uint32_t i = 0; i < 3; i++) {
        const struct slt_capture_packet p = packet_of(60 + i, i == 1 ? NULL : comment);
        w = slt_writer_of(f.bytes + f.n, 1024 - f.n);
        const uint32_t bytes = slt_pcapng_packet_emit(&p, &w);
        assert_int_equal(bytes, slt_pcapng_packet_bytes(&p));
        close_block(&f, &w, bytes);
    }
    return f;
}

static void assert_packet(const struct slt_pcapng_block *block, uint32_t bytes, const char *text)
{
    const struct slt_capture_packet want = packet_of(bytes, text);
    const struct slt_capture_packet *got = &block->packet;
    assert_int_equal(block->kind, SLT_PCAPNG_PACKET);
    assert_true(got->at_ns == want.at_ns);
    assert_int_equal(got->original_bytes, want.original_bytes);
    assert_int_equal(got->direction, want.direction);
    assert_int_equal(got->bytes, bytes);
    assert_memory_equal(got->data, want.data, bytes);
    assert_int_equal(got->comment_bytes, want.comment_bytes);
    if (text != NULL) {
        assert_memory_equal(got->comment, text, want.comment_bytes);
    }
}

static void test_written_is_read(void **state)
{
    (void)state;
    const struct file f = make_file();
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    memset(&section, 0, sizeof(section));
    uint32_t at = 0;
    for (uint32_t i = 0; at < f.n; i++) {
        const struct slt_span rest = {f.bytes + at, f.n - at};
        assert_int_equal(slt_pcapng_parse(&section, rest, &block), SLT_CAPTURE_OK);
        assert_int_equal(f.starts[i], at);
        if (i == 0) {
            assert_int_equal(block.kind, SLT_PCAPNG_SECTION);
            assert_int_equal(block.comment_bytes, 6);
            assert_memory_equal(block.comment, "a test", 6);
        } else if (i == 1) {
            assert_int_equal(block.kind, SLT_PCAPNG_INTERFACE);
            assert_int_equal(block.interface.resolution, 9);
            assert_int_equal(block.interface.snap_bytes, 262144);
            assert_int_equal(block.name_bytes, 4);
            assert_memory_equal(block.name, "tap0", 4);
        } else {
            assert_packet(&block, 60 + i - 2, i == 3 ? NULL : comment);
        }
        at += block.bytes;
    }
    char line[128];
    (void)slt_pcapng_print(&block, line, sizeof(line));
    assert_string_equal(line,
                        "packet if 0 at 1700000000.123456789 out, length 62 of 162, comment 34 "
                        "bytes");
}

static void test_no_room(void **state)
{
    (void)state;
    uint8_t out[256];
    const struct slt_capture_packet p = packet_of(7, comment);
    for (uint32_t room = 0; room < slt_pcapng_packet_bytes(&p); room++) {
        struct slt_writer w = slt_writer_of(out, room);
        assert_int_equal(slt_pcapng_packet_emit(&p, &w), 0);
    }
}

/* Every block cut at every byte asks for more and remembers nothing. */
static void test_truncation(void **state)
{
    (void)state;
    const struct file f = make_file();
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    memset(&section, 0, sizeof(section));
    for (uint32_t i = 0; i < f.block_count; i++) {
        const uint32_t end = i + 1 < f.block_count ? f.starts[i + 1] : f.n;
        for (uint32_t n = 0; n < end - f.starts[i]; n++) {
            const struct slt_pcapng_section before = section;
            const struct slt_span copy = exact_copy(f.bytes + f.starts[i], n);
            assert_int_equal(slt_pcapng_parse(&section, copy, &block), SLT_CAPTURE_CUT);
            assert_memory_equal(&before, &section, sizeof(section));
            exact_free(copy);
        }
        const struct slt_span whole = {f.bytes + f.starts[i], end - f.starts[i]};
        assert_int_equal(slt_pcapng_parse(&section, whole, &block), SLT_CAPTURE_OK);
    }
}

static void test_lengths_that_lie(void **state)
{
    (void)state;
    const struct file f = make_file();
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    for (uint32_t length = 0; length < 12; length++) {
        struct file bad = f;
        bad.bytes[4] = (uint8_t)length;
        memset(&section, 0, sizeof(section));
        assert_int_equal(slt_pcapng_parse(&section, (struct slt_span){bad.bytes, bad.n}, &block),
                         SLT_CAPTURE_MALFORMED);
    }
    struct file bad = f;
    bad.bytes[f.starts[1] - 4] ^= 4; /* the second copy of the first block's length */
    memset(&section, 0, sizeof(section));
    assert_int_equal(slt_pcapng_parse(&section, (struct slt_span){bad.bytes, bad.n}, &block),
                     SLT_CAPTURE_MALFORMED);
    memset(&section, 0, sizeof(section));
    const struct slt_span no_header = {f.bytes + f.starts[1], f.n - f.starts[1]};
    assert_int_equal(slt_pcapng_parse(&section, no_header, &block), SLT_CAPTURE_FOREIGN);
}

/* A big-endian section with microseconds, an offset, a simple packet and a block nobody knows. */
static void test_big_endian(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct slt_writer w = slt_writer_of(bytes, sizeof(bytes));
    static const uint32_t section_words[] = {0x0a0d0d0a, 28, 0x1a2b3c4d, 0x00010000, ~0U, ~0U, 28};
    static const uint32_t interface_words[] = {1, 36, 101 << 16, 2, 14 << 16 | 8, 0, 10, 0, 36};
    static const uint32_t packet_words[] = {6, 36, 0, 0, 1500000, 1, 9, 0xaa000000, 36};
    static const uint32_t simple_words[] = {3, 20, 9, 0xbbcc0000, 20};
    static const uint32_t other_words[] = {0x0bad, 16, 7, 16};
    const struct {
        const uint32_t *words;
        uint32_t count;
    } blocks[] = {{section_words, 7},
                  {interface_words, 9},
                  {packet_words, 9},
                  {simple_words, 5},
                  {other_words, 4}};
    for (uint32_t b = 0; b < 5; b++) {
        for (uint32_t i = 0; i < blocks[b].count; i++) {
            slt_write_u32(&w, blocks[b].words[i]);
        }
    }
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    memset(&section, 0, sizeof(section));
    uint32_t at = 0;
    for (uint32_t b = 0; b < 5; b++) {
        assert_int_equal(
            slt_pcapng_parse(&section, (struct slt_span){bytes + at, w.at - at}, &block),
            SLT_CAPTURE_OK);
        at += block.bytes;
        if (b == 1) {
            assert_int_equal(block.interface.linktype, 101);
            assert_true(block.interface.offset_s == 10);
        }
        if (b == 2) {
            assert_true(block.packet.at_ns == 11500000000LL);
            assert_int_equal(block.packet.data[0], 0xaa);
        }
        if (b == 3) {
            assert_int_equal(block.kind, SLT_PCAPNG_PACKET);
            assert_int_equal(block.packet.bytes, 2);
            assert_int_equal(block.packet.original_bytes, 9);
        }
    }
    assert_int_equal(at, w.at);
    assert_int_equal(block.kind, SLT_PCAPNG_OTHER);
    assert_int_equal(block.type, 0x0bad);
}

static int64_t time_of(uint8_t resolution, uint64_t ticks)
{
    uint8_t bytes[64];
    struct slt_writer w = slt_writer_of(bytes, sizeof(bytes));
    const struct slt_capture_packet p = {.at_ns = (int64_t)(ticks & INT64_MAX)};
    (void)slt_pcapng_packet_emit(&p, &w);
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    memset(&section, 0, sizeof(section));
    section.open = true;
    section.little_endian = true;
    section.interface_count = 1;
    section.interfaces[0].resolution = resolution;
    assert_int_equal(slt_pcapng_parse(&section, (struct slt_span){bytes, w.at}, &block),
                     SLT_CAPTURE_OK);
    return block.packet.at_ns;
}

static void test_resolutions(void **state)
{
    (void)state;
    assert_true(time_of(9, 1234567890123) == 1234567890123);
    assert_true(time_of(6, 1500000) == 1500000000);
    assert_true(time_of(0, 3) == 3000000000);
    assert_true(time_of(12, 5000) == 5);
    assert_true(time_of(0x80, 2) == 2000000000);
    assert_true(time_of(0x80 | 10, 1536) == 1500000000);
    assert_true(time_of(0x80 | 40, 3ULL << 39) == 1500000000);
    assert_true(time_of(0, INT64_MAX) == INT64_MAX);
    assert_true(time_of(0x80, INT64_MAX) == INT64_MAX);
    assert_true(time_of(127, INT64_MAX) == 0);
    assert_true(time_of(0xff, INT64_MAX) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_is_read), cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_truncation),      cmocka_unit_test(test_lengths_that_lie),
        cmocka_unit_test(test_big_endian),      cmocka_unit_test(test_resolutions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
