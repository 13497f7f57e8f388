/* Fuzz target: ICMPv4 messages, as they come and with their checksum made right. */
#include "wire/checksum.h"
#include "wire/icmp4.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_icmp4_print(value, out, size);
}

static void try_message(struct slt_span input)
{
    struct slt_icmp4 value;
    struct slt_icmp4 back;
    if (slt_icmp4_parse(input, &value) != SLT_PASS) {
        return;
    }
    struct slt_writer w = fuzz_writer(input.bytes);
    fuzz_check(slt_icmp4_emit(&value, &w) == w.at);
    fuzz_check(w.at <= input.bytes);
    fuzz_check(slt_icmp4_parse((struct slt_span){w.data, w.at}, &back) == SLT_PASS);
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
        const uint16_t checksum = slt_checksum_finish(slt_checksum_add(0, bytes, input.bytes));
        bytes[2] = (uint8_t)(checksum >> 8);
        bytes[3] = (uint8_t)checksum;
        try_message(input);
    }
    fuzz_free(input);
    return 0;
}
