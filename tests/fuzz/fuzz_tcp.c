/* Fuzz target: TCP segments. What parses is emitted and parsed again to the same value. */
#include "wire/tcp.h"

#include "fuzz_wire.h"

static int print(const void *value, char *out, size_t size)
{
    return slt_tcp_print(value, out, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_span input = fuzz_copy(data, size);
    struct slt_tcp_segment value;
    memset(&value, 0, sizeof(value)); /* parsing writes fields, comparing looks at padding too */
    if (slt_tcp_parse(input, &value) == SLT_PASS) {
        struct slt_tcp_segment back;
        memset(&back, 0, sizeof(back));
        struct slt_writer w = fuzz_writer(input.bytes);
        /* Unaligned options may be longer once they are aligned, and then need not fit. */
        if (slt_tcp_options_bytes(&value.opt) > SLT_TCP_OPTIONS_MAX) {
            fuzz_check(slt_tcp_emit(&value, &w) == 0);
            value.opt.present = 0;
            memset(&value.opt, 0, sizeof(value.opt));
            w = (struct slt_writer){.data = w.data, .capacity = w.capacity};
        }
        const uint32_t header = slt_tcp_emit(&value, &w);
        fuzz_check(header > 0 && header == w.at);
        slt_write_bytes(&w, value.payload, value.payload_bytes);
        fuzz_check(slt_tcp_parse((struct slt_span){w.data, w.at}, &back) == SLT_PASS);
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
