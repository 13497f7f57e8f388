/* Fuzz target: TCP options. What parses and fits is emitted and parsed again to the same value. */
#include "wire/tcp_options.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_tcp_options_print(value, out, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size < 64 ? size : 64);
    struct slt_tcp_options value;
    if (slt_tcp_options_parse(input, &value) == SLT_PASS) {
        struct slt_tcp_options back;
        uint8_t out[SLT_TCP_OPTIONS_MAX];
        struct slt_writer w = slt_writer_of(out, sizeof(out));
        const uint32_t bytes = slt_tcp_options_bytes(&value);
        const bool fits = bytes <= SLT_TCP_OPTIONS_MAX;
        fuzz_check(bytes % 4 == 0);
        fuzz_check(slt_tcp_options_emit(&value, &w) == (fits ? bytes : 0));
        if (fits) {
            const struct slt_span written = fuzz_copy(out, bytes);
            fuzz_check(slt_tcp_options_parse(written, &back) == SLT_PASS);
            fuzz_check(memcmp(&value, &back, sizeof(value)) == 0);
            fuzz_free(written);
        }
        fuzz_try_print(print, &value, input.bytes);
    }
    fuzz_free(input);
    return 0;
}
