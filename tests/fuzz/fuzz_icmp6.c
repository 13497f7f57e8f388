/* Fuzz target: ICMPv6 messages, as they come and with their checksum made right. */
#include "wire/icmp6.h"

#include "fuzz_wire.h"

static const uint8_t src[16] = {0xfe, 0x80, [15] = 1};
static const uint8_t dst[16] = {0xfe, 0x80, [15] = 2};

static int print(const void *value, char *out, size_t size)
{
    return slt_icmp6_print(value, out, size);
}

static void try_message(struct slt_span input)
{
    struct slt_icmp6 value;
    struct slt_icmp6 back;
    if (slt_icmp6_parse(input, src, dst, &value) != SLT_PASS) {
        return;
    }
    struct slt_writer w = fuzz_writer(input.bytes);
    fuzz_check(slt_icmp6_emit(&value, src, dst, &w) == w.at);
    fuzz_check(w.at <= input.bytes);
    fuzz_check(slt_icmp6_parse((struct slt_span){w.data, w.at}, src, dst, &back) == SLT_PASS);
    fuzz_check(fuzz_same(value.data, back.data, value.data_bytes));
    back.data = value.data;
    fuzz_check(memcmp(&value, &back, sizeof(value)) == 0);
    fuzz_try_print(print, &value, input.bytes);
    free(w.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    try_message(input);
    if (input.bytes >= 4) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)input.data;
        bytes[2] = 0;
        bytes[3] = 0;
        slt_icmp6_seal(bytes, input.bytes, src, dst);
        try_message(input);
    }
    fuzz_free(input);
    return 0;
}
