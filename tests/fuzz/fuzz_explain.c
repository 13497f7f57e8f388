/* Fuzz target: a capture explained from its first byte to its verdicts. The first byte chooses how
 * it is read: as the file it is, or as packets of a link type, so that the fuzzer need not find the
 * file format first. Whatever comes, the time budget adds up and changes stay within the steps. */
#include "observe/explain.h"
#include "observe/explain_ladder.h"
#include "observe/explain_report.h"
#include "observe/explain_track.h"
#include "observe/explain_verdict.h"
#include "wire/pcap.h"
#include "wire/pcapng.h"

#include "fuzz_wire.h"

static void read_pcapng(struct slt_explain *explain, struct slt_span input)
{
    struct slt_pcapng_section section;
    struct slt_pcapng_block block;
    uint32_t at = 0;
    memset(&section, 0, sizeof(section));
    while (slt_pcapng_parse(&section, (struct slt_span){input.data + at, input.bytes - at},
                            &block) == SLT_CAPTURE_OK) {
        if (block.kind == SLT_PCAPNG_PACKET) {
            slt_explain_take(explain, &block.packet,
                             section.interfaces[block.packet.interface_index].linktype);
        }
        at += block.bytes;
    }
}

static void read_pcap(struct slt_explain *explain, struct slt_span input)
{
    struct slt_pcap_file file;
    struct slt_capture_packet packet;
    uint32_t used = 0;
    if (slt_pcap_header_parse(input, &file) != SLT_CAPTURE_OK) {
        return;
    }
    uint32_t at = SLT_PCAP_HEADER_BYTES;
    while (slt_pcap_record_parse(&file, (struct slt_span){input.data + at, input.bytes - at},
                                 &packet, &used) == SLT_CAPTURE_OK) {
        slt_explain_take(explain, &packet, file.linktype);
        at += used;
    }
}

/* Segments between two ends, eight bytes each: time, from, flags, numbers, length, window. */
static void read_segments(struct slt_explain *explain, struct slt_span input)
{
    int64_t now_ns = 1;
    for (uint32_t at = 0; at + 8 <= input.bytes; at += 8) {
        const uint8_t *b = input.data + at;
        uint8_t ip[40] = {0x45, 0, 0, 0, 0, b[0], 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2};
        uint8_t from = b[1] & 1U;
        uint32_t bytes = (uint32_t)b[5] * 8U;
        now_ns += (int64_t)b[0] * b[0] * 100000;
        ip[15] = (uint8_t)(1 + from);
        ip[19] = (uint8_t)(2 - from);
        slt_put_u16(ip + 2, (uint16_t)(40 + bytes));
        slt_put_u16(ip + 20, from == 0 ? 40000 : 80);
        slt_put_u16(ip + 22, from == 0 ? 80 : 40000);
        slt_put_u32(ip + 24, 0xffffff80U + b[3]);
        slt_put_u32(ip + 28, 0xffffff80U + b[4]);
        ip[32] = 0x50;
        ip[33] = b[2];
        slt_put_u16(ip + 34, (uint16_t)(b[6] << 2));
        struct slt_capture_packet packet = {
            .at_ns = now_ns, .original_bytes = 40 + bytes, .data = ip, .bytes = sizeof(ip)};
        packet.direction = b[7] & 3U;
        slt_explain_take(explain, &packet, SLT_LINKTYPE_RAW);
    }
}

/* Sentences are whole: every place of the template was filled. */
static void check_hits(const struct slt_verdict *verdict)
{
    fuzz_check(verdict->hit_count <= SLT_VERDICT_HITS_MAX);
    for (uint32_t i = 0; i < verdict->hit_count; i++) {
        const struct slt_explain_hit *hit = &verdict->hits[i];
        fuzz_check(hit->id < SLT_FIND_COUNT && hit->end < 2);
        fuzz_check(memchr(hit->evidence, '\0', sizeof(hit->evidence)) != NULL);
        fuzz_check(hit->evidence[0] != '\0' && strpbrk(hit->evidence, "{}?") == NULL);
    }
}

static void check_flow(const struct slt_explain_flow *flow, struct slt_explain_report *report)
{
    struct slt_explain_states states;
    struct slt_verdict verdict;
    char text[160];
    int64_t sum_ns = 0;
    slt_explain_states_of(flow, &states);
    slt_explain_verdict_of(flow, &states, &verdict);
    for (uint32_t i = 0; i < SLT_BUCKET_COUNT; i++) {
        fuzz_check(flow->bucket_ns[i] >= 0);
        sum_ns += flow->bucket_ns[i];
    }
    fuzz_check(sum_ns == flow->last_at_ns - flow->first_at_ns);
    fuzz_check(flow->step_count <= flow->step_room);
    for (uint32_t i = 0; i < states.count; i++) {
        const struct slt_explain_change *c = &states.changes[i];
        fuzz_check(c->step < flow->step_count && c->shown < flow->step_count);
        fuzz_check(c->proof == SLT_NO_STEP || c->proof < flow->step_count);
    }
    for (uint32_t i = 0; i < flow->step_count; i++) {
        (void)slt_explain_step_text(flow, &flow->steps[i], text, sizeof(text));
        (void)slt_explain_remark(&flow->steps[i], text, sizeof(text));
    }
    fuzz_check(strlen(verdict.text) < sizeof(verdict.text));
    check_hits(&verdict);
    slt_explain_report_add(report, flow, &verdict);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct slt_explain_limits limits = {
        .flows_max = 16, .steps_max = 40, .all_steps_max = 400};
    struct slt_explain explain;
    static struct slt_explain_report report;
    memset(&report, 0, sizeof(report));
    if (size == 0) {
        return 0;
    }
    const struct slt_span input = fuzz_copy(data + 1, size - 1);
    fuzz_check(slt_explain_init(&explain, &limits));
    if (data[0] % 3 == 0) {
        read_pcapng(&explain, input);
        read_pcap(&explain, input);
    } else if (data[0] % 3 == 1) {
        read_segments(&explain, input);
    } else {
        struct slt_capture_packet packet = {
            .at_ns = 1, .original_bytes = input.bytes, .data = input.data, .bytes = input.bytes};
        slt_explain_take(&explain, &packet, data[0] >> 2);
    }
    slt_explain_finish(&explain);
    for (const struct slt_explain_flow *f = explain.flows.oldest; f != NULL; f = f->younger) {
        check_flow(f, &report);
    }
    fuzz_check(slt_explain_report_finish(&report, &explain.flows));
    slt_explain_deinit(&explain);
    fuzz_free(input);
    return 0;
}
