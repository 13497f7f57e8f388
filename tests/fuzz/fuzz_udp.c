/* Fuzz target: UDP datagrams. What parses is emitted and parsed again to the same value. */
#include "wire/udp.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_udp_print(value, out, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    struct slt_udp_datagram value;
    if (slt_udp_parse(input, &value) == SLT_PASS) {
        struct slt_udp_datagram back;
        struct slt_writer w = fuzz_writer(input.bytes);
        const uint32_t header = slt_udp_emit(&value, &w);
        fuzz_check(header > 0 && header == w.at);
        slt_write_bytes(&w, value.payload, value.payload_bytes);
        fuzz_check(slt_udp_parse((struct slt_span){w.data, w.at}, &back) == SLT_PASS);
        fuzz_check(fuzz_same(value.payload, back.payload, value.payload_bytes));
        back.payload = value.payload;
        back.checksum = value.checksum; /* emit leaves it to the caller */
        fuzz_check(memcmp(&value, &back, sizeof(value)) == 0);
        fuzz_try_print(print, &value, input.bytes);
        free(w.data);
    }
    fuzz_free(input);
    return 0;
}
