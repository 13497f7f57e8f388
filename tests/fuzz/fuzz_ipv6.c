/* Fuzz target: IPv6 packets with their chain of extension headers. */
#include "wire/ipv6_ext.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_ipv6_print(value, out, size);
}

static int print_chain(const void *value, char *out, size_t size)
{
    return slt_ipv6_chain_print(value, out, size);
}

static void try_emit(const struct slt_ipv6 *value)
{
    struct slt_ipv6 back;
    struct slt_writer w = fuzz_writer(value->payload_bytes);
    fuzz_check(slt_ipv6_emit(value, &w) == SLT_IPV6_HEADER_BYTES);
    slt_write_bytes(&w, value->payload, value->payload_bytes);
    fuzz_check(slt_ipv6_parse((struct slt_span){w.data, w.at}, &back) == SLT_PASS);
    fuzz_check(fuzz_same(value->payload, back.payload, value->payload_bytes));
    back.payload = value->payload;
    fuzz_check(memcmp(value, &back, sizeof(back)) == 0);
    free(w.data);
}

static void try_fragment_header(const struct slt_ipv6_fragment *f, const uint8_t *header)
{
    uint8_t out[SLT_IPV6_FRAGMENT_BYTES];
    struct slt_writer w = slt_writer_of(out, sizeof(out));
    fuzz_check(slt_ipv6_fragment_emit(f, &w) == sizeof(out));
    fuzz_check(out[0] == header[0] && out[2] == header[2]);
    fuzz_check((out[3] & 0xf9) == (header[3] & 0xf9) && memcmp(out + 4, header + 4, 4) == 0);
}

static void try_walk(const struct slt_ipv6 *ip, bool reassembled)
{
    struct slt_ipv6_chain chain;
    const enum slt_reason reason = slt_ipv6_ext_walk(ip, reassembled, &chain);
    if (reason != SLT_PASS) {
        fuzz_check(chain.problem_pointer < SLT_IPV6_HEADER_BYTES + ip->payload_bytes);
        return;
    }
    fuzz_check(chain.problem == SLT_IPV6_PROBLEM_NONE);
    fuzz_check(chain.payload >= ip->payload);
    fuzz_check(chain.payload + chain.payload_bytes == ip->payload + ip->payload_bytes);
    fuzz_check(chain.payload_bytes + SLT_IPV6_EXT_BYTES_MAX + 8 >= ip->payload_bytes);
    fuzz_check(chain.next_header_at < SLT_IPV6_HEADER_BYTES + ip->payload_bytes);
    if (chain.fragmented) {
        fuzz_check(!reassembled);
        try_fragment_header(&chain.fragment, ip->payload + chain.unfragmentable_bytes);
    }
    fuzz_try_print(print_chain, &chain, ip->payload_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    struct slt_ipv6 value;
    if (slt_ipv6_parse(input, &value) == SLT_PASS) {
        try_emit(&value);
    }
    if (slt_ipv6_parse_quoted(input, &value) == SLT_PASS) {
        fuzz_try_print(print, &value, input.bytes);
        try_walk(&value, false);
        try_walk(&value, true);
    }
    fuzz_free(input);
    return 0;
}
