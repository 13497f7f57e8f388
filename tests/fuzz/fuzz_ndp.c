/* Fuzz target: neighbour discovery. The first byte of the input chooses the addresses; the rest is
 * the ICMPv6 message, given a checksum that is right. */
#include "wire/ndp.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_ndp_print(value, out, size);
}

static struct slt_ipv6 header_of(uint8_t choice)
{
    static const uint8_t addresses[4][16] = {
        {0xfe, 0x80, [15] = 1},
        {[0] = 0},
        {0xff, 2, [11] = 1, [12] = 0xff, [15] = 7},
        {0xff, 2, [15] = 1},
    };
    struct slt_ipv6 ip = {.hop_limit = 255};
    memcpy(ip.src, addresses[choice & 3], 16);
    memcpy(ip.dst, addresses[choice >> 2 & 3], 16);
    return ip;
}

static bool parse(struct slt_span message, const struct slt_ipv6 *ip, struct slt_ndp *out)
{
    struct slt_icmp6 icmp;
    return slt_icmp6_parse(message, ip->src, ip->dst, &icmp) == SLT_PASS &&
           slt_ndp_parse(&icmp, ip, out) == SLT_PASS;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5) {
        return 0;
    }
    const struct slt_ipv6 ip = header_of(data[0]);
    const struct slt_span input = fuzz_copy(data + 1, size - 1);
    uint8_t *bytes = (uint8_t *)(uintptr_t)input.data;
    bytes[2] = 0;
    bytes[3] = 0;
    slt_icmp6_seal(bytes, input.bytes, ip.src, ip.dst);
    struct slt_ndp value;
    if (parse(input, &ip, &value)) {
        struct slt_ndp back;
        struct slt_writer w = fuzz_writer(input.bytes);
        fuzz_check(slt_ndp_emit(&value, ip.src, ip.dst, &w) == w.at && w.at > 0);
        fuzz_check(parse((struct slt_span){w.data, w.at}, &ip, &back));
        fuzz_check(memcmp(&value, &back, sizeof(value)) == 0);
        fuzz_try_print(print, &value, input.bytes);
        free(w.data);
    }
    fuzz_free(input);
    return 0;
}
