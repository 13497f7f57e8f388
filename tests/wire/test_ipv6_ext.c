/* The extension header chain: what passes, what is refused, whom it is told and where it points. */
#include "wire/ipv6_ext.h"

#include "exact.h"

#include <unistd.h>

struct chain {
    uint8_t bytes[1024];
    uint32_t n;
};

/* The walk over an exact-size copy; the payload pointer is turned into an offset. */
static enum slt_reason walk(const struct chain *c, uint8_t first, bool reassembled,
                            struct slt_ipv6_chain *out)
{
    const struct slt_span copy = exact_copy(c->bytes, c->n);
    const struct slt_ipv6 ip = {
        .next_header = first, .payload = copy.data, .payload_bytes = copy.bytes};
    const enum slt_reason reason = slt_ipv6_ext_walk(&ip, reassembled, out);
    if (reason == SLT_PASS) {
        assert_ptr_equal(out->payload + out->payload_bytes, copy.data + copy.bytes);
    }
    out->payload = NULL;
    exact_free(copy);
    return reason;
}

/* A header of 8 * (1 + extra) bytes whose options are Pad1. */
static void add_header(struct chain *c, uint8_t next, uint8_t extra)
{
    memset(c->bytes + c->n, 0, 8 + 8U * extra);
    c->bytes[c->n] = next;
    c->bytes[c->n + 1] = extra;
    c->n += 8 + 8U * extra;
}

static void add_fragment(struct chain *c, uint8_t next, uint16_t offset, bool more)
{
    const struct slt_ipv6_fragment f = {
        .id = 0x01020304, .offset = offset, .more = more, .next_header = next};
    struct slt_writer w = slt_writer_of(c->bytes + c->n, SLT_IPV6_FRAGMENT_BYTES);
    assert_int_equal(slt_ipv6_fragment_emit(&f, &w), SLT_IPV6_FRAGMENT_BYTES);
    c->n += SLT_IPV6_FRAGMENT_BYTES;
}

static void assert_problem(const struct slt_ipv6_chain *out, uint8_t whom, uint8_t code,
                           uint32_t pointer)
{
    assert_int_equal(out->problem, whom);
    assert_int_equal(out->problem_code, code);
    assert_int_equal(out->problem_pointer, pointer);
}

static void test_no_chain(void **state)
{
    (void)state;
    struct chain c = {.n = 20};
    struct slt_ipv6_chain out;
    assert_int_equal(walk(&c, 6, false, &out), SLT_PASS);
    assert_int_equal(out.next_header, 6);
    assert_int_equal(out.next_header_at, 6);
    assert_int_equal(out.payload_bytes, 20);
}

static void test_all_kinds_in_order(void **state)
{
    (void)state;
    struct chain c = {.n = 0};
    add_header(&c, SLT_IPV6_DESTINATION, 0);
    add_header(&c, SLT_IPV6_ROUTING, 1);
    add_header(&c, SLT_IPV6_FRAGMENT, 0); /* a routing header with no segments left */
    add_fragment(&c, SLT_IPV6_DESTINATION, 0, false);
    add_header(&c, 17, 0);
    c.n += 8;
    struct slt_ipv6_chain out;
    assert_int_equal(walk(&c, SLT_IPV6_HOP_BY_HOP, false, &out), SLT_PASS);
    assert_int_equal(out.next_header, 17);
    assert_int_equal(out.next_header_at, 40 + 8 + 16 + 8 + 8);
    assert_int_equal(out.payload_bytes, 8);
    assert_false(out.fragmented); /* RFC 6946: an atomic fragment is none */
}

/* RFC 8200 4.1: hop-by-hop options anywhere but first. */
static void test_hop_by_hop_only_first(void **state)
{
    (void)state;
    struct chain c = {.n = 0};
    add_header(&c, SLT_IPV6_HOP_BY_HOP, 0);
    add_header(&c, 6, 0);
    struct slt_ipv6_chain out;
    assert_int_equal(walk(&c, SLT_IPV6_HOP_BY_HOP, false, &out), SLT_DROP_IP6_CHAIN);
    assert_problem(&out, SLT_IPV6_PROBLEM_UNICAST, 1, 40);
}

static void test_no_next_header(void **state)
{
    (void)state;
    struct chain c = {.n = 0};
    struct slt_ipv6_chain out;
    assert_int_equal(walk(&c, SLT_IPV6_NO_NEXT, false, &out), SLT_DROP_IP6_NO_NEXT);
    assert_int_equal(out.problem, SLT_IPV6_PROBLEM_NONE);
}

/* RFC 8200 4.4: segments left. */
static void test_routing(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 256; type++) {
        for (uint32_t left = 0; left < 256; left++) {
            struct chain c = {.n = 0};
            add_header(&c, 6, 0);
            c.bytes[2] = (uint8_t)type;
            c.bytes[3] = (uint8_t)left;
            struct slt_ipv6_chain out;
            const enum slt_reason reason = walk(&c, SLT_IPV6_ROUTING, false, &out);
            assert_int_equal(reason, left == 0 ? SLT_PASS : SLT_DROP_IP6_ROUTING);
            if (left > 0) {
                assert_problem(&out, SLT_IPV6_PROBLEM_UNICAST, 0, 42);
            }
        }
    }
}

/* RFC 8200 4.2 (R8200-02): every option type and length in headers of one to five units; the two
 * high bits of an unknown type decide. */
static void test_every_option(void **state)
{
    (void)state;
    alarm(60);
    for (uint32_t extra = 0; extra < 5; extra++) {
        for (uint32_t pair = 0; pair < 65536; pair++) {
            const uint32_t kind = pair >> 8;
            const uint32_t length = pair & 255;
            struct chain c = {.n = 0};
            add_header(&c, 6, (uint8_t)extra);
            c.bytes[2] = (uint8_t)kind;
            c.bytes[3] = (uint8_t)length;
            struct slt_ipv6_chain out;
            const enum slt_reason got = walk(&c, SLT_IPV6_DESTINATION, false, &out);
            if (kind == 0) {
                continue;
            }
            enum slt_reason want = SLT_PASS;
            uint8_t whom = SLT_IPV6_PROBLEM_NONE;
            if (length > 8 * extra + 4) {
                want = SLT_DROP_IP6_CHAIN;
            } else if (kind >> 6 != 0) {
                want = SLT_DROP_IP6_OPTION;
                whom = kind >> 6 == 2 ? SLT_IPV6_PROBLEM_ALWAYS : SLT_IPV6_PROBLEM_NONE;
                whom = kind >> 6 == 3 ? SLT_IPV6_PROBLEM_UNICAST : whom;
            }
            assert_int_equal(got, want);
            assert_int_equal(out.problem, whom);
            if (whom != SLT_IPV6_PROBLEM_NONE) {
                assert_problem(&out, whom, 2, 42);
            }
            if (got == SLT_PASS) {
                assert_int_equal(out.router_alert, kind == 5);
            }
        }
    }
    alarm(0);
}

static void test_limits(void **state)
{
    (void)state;
    struct slt_ipv6_chain out;
    for (uint32_t headers = 0; headers <= 32; headers++) {
        struct chain c = {.n = 0};
        for (uint32_t i = 0; i < headers; i++) {
            add_header(&c, i + 1 == headers ? 6 : SLT_IPV6_DESTINATION, 0);
        }
        const uint8_t first = headers == 0 ? 6 : SLT_IPV6_DESTINATION;
        assert_int_equal(walk(&c, first, false, &out),
                         headers <= SLT_IPV6_EXT_HEADERS_MAX ? SLT_PASS : SLT_DROP_IP6_CHAIN);
    }
    for (uint32_t extra = 0; extra < 64; extra++) {
        struct chain c = {.n = 0};
        add_header(&c, 6, (uint8_t)extra);
        assert_int_equal(walk(&c, SLT_IPV6_DESTINATION, false, &out),
                         8 + 8 * extra <= SLT_IPV6_EXT_BYTES_MAX ? SLT_PASS : SLT_DROP_IP6_CHAIN);
    }
}

static void test_truncation(void **state)
{
    (void)state;
    struct chain c = {.n = 0};
    add_header(&c, SLT_IPV6_DESTINATION, 1);
    add_header(&c, SLT_IPV6_FRAGMENT, 2);
    add_fragment(&c, 6, 0, false);
    const uint32_t whole = c.n;
    for (uint32_t n = 0; n <= whole; n++) {
        c.n = n;
        struct slt_ipv6_chain out;
        assert_int_equal(walk(&c, SLT_IPV6_HOP_BY_HOP, false, &out),
                         n < whole ? SLT_DROP_IP6_CHAIN : SLT_PASS);
    }
}

static void test_fragment_fields(void **state)
{
    (void)state;
    struct chain c = {.n = 0};
    add_header(&c, SLT_IPV6_FRAGMENT, 0);
    add_fragment(&c, 6, 1480, true);
    c.n += 16;
    struct slt_ipv6_chain out;
    assert_int_equal(walk(&c, SLT_IPV6_DESTINATION, false, &out), SLT_PASS);
    assert_true(out.fragmented);
    assert_int_equal(out.fragment.id, 0x01020304);
    assert_int_equal(out.fragment.offset, 1480);
    assert_true(out.fragment.more);
    assert_int_equal(out.next_header, 6);
    assert_int_equal(out.payload_bytes, 16);
    assert_int_equal(out.unfragmentable_bytes, 8);
    assert_int_equal(out.unfragmentable_next_at, 40);
    char line[64];
    (void)slt_ipv6_chain_print(&out, line, sizeof(line));
    assert_string_equal(line, "next 6, frag 1480+ id 0x1020304, length 16");
    /* Inside a datagram put together from fragments there is no honest fragment. */
    assert_int_equal(walk(&c, SLT_IPV6_DESTINATION, true, &out), SLT_DROP_IP6_CHAIN);
}

/* RFC 8200 4.5: lengths of fragments, the whole header chain in the first one (R8200-07). */
static void test_fragment_rules(void **state)
{
    (void)state;
    struct slt_ipv6_chain out;
    struct chain odd = {.n = 0};
    add_fragment(&odd, 6, 8, true);
    odd.n += 17;
    assert_int_equal(walk(&odd, SLT_IPV6_FRAGMENT, false, &out), SLT_DROP_FRAG_LENGTH);
    assert_problem(&out, SLT_IPV6_PROBLEM_UNICAST, 0, 4);

    struct chain far = {.n = 0};
    add_fragment(&far, 6, 65528, false);
    far.n += 8;
    assert_int_equal(walk(&far, SLT_IPV6_FRAGMENT, false, &out), SLT_DROP_FRAG_LENGTH);
    assert_problem(&out, SLT_IPV6_PROBLEM_UNICAST, 0, 42);
    far.n -= 1;
    assert_int_equal(walk(&far, SLT_IPV6_FRAGMENT, false, &out), SLT_PASS);

    struct chain empty = {.n = 0};
    add_fragment(&empty, 6, 0, true);
    assert_int_equal(walk(&empty, SLT_IPV6_FRAGMENT, false, &out), SLT_DROP_FRAG_LENGTH);

    for (uint32_t n = 8; n <= 48; n += 8) {
        struct chain tiny = {.n = 0};
        add_fragment(&tiny, SLT_IPV6_DESTINATION, 0, true);
        add_header(&tiny, 6, 1);
        tiny.n = SLT_IPV6_FRAGMENT_BYTES + n;
        const bool whole = n >= 16 + 20;
        assert_int_equal(walk(&tiny, SLT_IPV6_FRAGMENT, false, &out),
                         whole ? SLT_PASS : SLT_DROP_FRAG_TINY);
        if (!whole) {
            assert_problem(&out, SLT_IPV6_PROBLEM_UNICAST, 3, 0);
        }
    }

    struct chain nested = {.n = 0};
    add_fragment(&nested, SLT_IPV6_FRAGMENT, 0, false);
    add_fragment(&nested, 6, 0, false);
    assert_int_equal(walk(&nested, SLT_IPV6_FRAGMENT, false, &out), SLT_DROP_IP6_CHAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_chain),
        cmocka_unit_test(test_all_kinds_in_order),
        cmocka_unit_test(test_hop_by_hop_only_first),
        cmocka_unit_test(test_no_next_header),
        cmocka_unit_test(test_routing),
        cmocka_unit_test(test_every_option),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_fragment_fields),
        cmocka_unit_test(test_fragment_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
