/* Fuzz target: IPv4 packets and quotes of them, as they come and with their checksum made right. */
#include "wire/checksum.h"
#include "wire/ipv4.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_ipv4_print(value, out, size);
}

static void try_packet(struct slt_span input)
{
    struct slt_ipv4 value;
    struct slt_ipv4 back;
    if (slt_ipv4_parse_quoted(input, &value) == SLT_PASS) {
        fuzz_try_print(print, &value, input.bytes);
    }
    if (slt_ipv4_parse(input, &value) != SLT_PASS) {
        return;
    }
    struct slt_writer w = fuzz_writer(input.bytes);
    fuzz_check(slt_ipv4_emit(&value, &w) == SLT_IPV4_HEADER_BYTES + (uint32_t)value.options_bytes);
    slt_write_bytes(&w, value.payload, value.payload_bytes);
    fuzz_check(slt_ipv4_parse((struct slt_span){w.data, w.at}, &back) == SLT_PASS);
    fuzz_check(fuzz_same(value.payload, back.payload, value.payload_bytes));
    fuzz_check(fuzz_same(value.options, back.options, value.options_bytes));
    back.payload = value.payload;
    back.options = value.options;
    fuzz_check(memcmp(&value, &back, sizeof(value)) == 0);
    free(w.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    try_packet(input);
    const uint32_t header = input.bytes > 0 ? (data[0] & 15U) * 4U : 0;
    if (header >= SLT_IPV4_HEADER_BYTES && header <= input.bytes) {
        uint8_t *bytes = (uint8_t *)(uintptr_t)input.data;
        bytes[10] = 0;
        bytes[11] = 0;
        const uint16_t checksum = slt_checksum_finish(slt_checksum_add(0, bytes, header));
        bytes[10] = (uint8_t)(checksum >> 8);
        bytes[11] = (uint8_t)checksum;
        try_packet(input);
    }
    fuzz_free(input);
    return 0;
}
