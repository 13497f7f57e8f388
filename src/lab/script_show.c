/* A packet of the stack's as a script would write it, so that a person can paste it into one. */
#include "lab/script_flow.h"

#include "base/print.h"
#include "wire/tcp_options.h"

static void show_flags(struct slt_text *text, uint16_t flags)
{
    static const struct {
        uint16_t flag;
        char letter;
    } letters[] = {{SLT_TCP_FIN, 'F'}, {SLT_TCP_SYN, 'S'}, {SLT_TCP_RST, 'R'},
                   {SLT_TCP_PSH, 'P'}, {SLT_TCP_URG, 'U'}, {SLT_TCP_ECE, 'E'},
                   {SLT_TCP_CWR, 'W'}, {SLT_TCP_AE, 'A'},  {SLT_TCP_ACK, '.'}};
    bool any = false;

    for (size_t i = 0; i < SLT_ARRAY_COUNT(letters); i++) {
        if (flags & letters[i].flag) {
            slt_text_char(text, letters[i].letter);
            any = true;
        }
    }
    if (!any) {
        slt_text_char(text, '-');
    }
}

static uint32_t get_u16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get_u32(const uint8_t *at)
{
    return get_u16(at) << 16 | get_u16(at + 2);
}

static void show_sack(struct slt_text *text, const uint8_t *option)
{
    slt_text_str(text, "sack");
    for (uint32_t at = 2; at + 8 <= option[1]; at += 8) {
        slt_text_char(text, ' ');
        slt_text_u64(text, get_u32(option + at));
        slt_text_char(text, ':');
        slt_text_u64(text, get_u32(option + at + 4));
    }
}

static void show_times(struct slt_text *text, const uint8_t *option,
                       const struct slt_script_flow *flow)
{
    uint32_t val = get_u32(option + 2);

    if (flow && flow->ts_known) {
        val = flow->ts_script + (val - flow->ts_wire);
    }
    slt_text_str(text, "TS val ");
    slt_text_u64(text, val);
    slt_text_str(text, " ecr ");
    slt_text_u64(text, get_u32(option + 6));
}

static void show_other(struct slt_text *text, const uint8_t *option)
{
    slt_text_str(text, "kind ");
    slt_text_u64(text, option[0]);
    slt_text_char(text, ' ');
    for (uint32_t i = 2; i < option[1]; i++) {
        slt_text_hex(text, option[i], 2);
    }
}

/* The option at `at`, whose length was proved by parsing. */
static void show_option(struct slt_text *text, const uint8_t *option,
                        const struct slt_script_flow *flow)
{
    if (option[0] == 2 && option[1] == 4) {
        slt_text_str(text, "mss ");
        slt_text_u64(text, get_u16(option + 2));
    } else if (option[0] == 3 && option[1] == 3) {
        slt_text_str(text, "wscale ");
        slt_text_u64(text, option[2]);
    } else if (option[0] == 4 && option[1] == 2) {
        slt_text_str(text, "sackOK");
    } else if (option[0] == 5) {
        show_sack(text, option);
    } else if (option[0] == 8 && option[1] == 10) {
        show_times(text, option, flow);
    } else {
        show_other(text, option);
    }
}

static void show_options(struct slt_text *text, const struct slt_live_packet *live,
                         const struct slt_script_flow *flow)
{
    const uint8_t *bytes = live->option_bytes;
    uint32_t at = 0;

    if (live->option_byte_count == 0) {
        return;
    }
    slt_text_str(text, " <");
    while (at < live->option_byte_count) {
        if (at > 0) {
            slt_text_char(text, ',');
        }
        if (bytes[at] == 0 || bytes[at] == 1) {
            slt_text_str(text, bytes[at] == 0 ? "eol" : "nop");
            at++;
            continue;
        }
        show_option(text, bytes + at, flow);
        at += bytes[at + 1];
    }
    slt_text_char(text, '>');
}

static void show_tcp(struct slt_text *text, const struct slt_live_packet *live,
                     const struct slt_script_flow *flow)
{
    const struct slt_tcp_segment *seg = &live->seg;
    uint32_t isn = flow && flow->isn_known ? flow->isn : 0;
    uint32_t seq = seg->seq - isn;

    if (!flow) {
        slt_text_u64(text, seg->src_port);
        slt_text_str(text, " > ");
        slt_text_u64(text, seg->dst_port);
        slt_text_char(text, ' ');
        seq = seg->flags & SLT_TCP_SYN ? 0 : seq;
    }
    show_flags(text, seg->flags);
    slt_text_char(text, ' ');
    slt_text_u64(text, seq);
    slt_text_char(text, ':');
    slt_text_u64(text, (uint32_t)(seq + seg->payload_bytes));
    slt_text_char(text, '(');
    slt_text_u64(text, seg->payload_bytes);
    slt_text_char(text, ')');
    if (seg->flags & SLT_TCP_ACK) {
        slt_text_str(text, " ack ");
        slt_text_u64(text, seg->ack);
    }
    slt_text_str(text, " win ");
    slt_text_u64(text, seg->window);
    if (seg->flags & SLT_TCP_URG) {
        slt_text_str(text, " urg ");
        slt_text_u64(text, seg->urgent);
    }
    show_options(text, live, flow);
}

void slt_live_show(const struct slt_live_packet *live, const struct slt_script_flow *flow,
                   char *out, uint32_t out_bytes)
{
    struct slt_text text;

    slt_text_init(&text, out, out_bytes);
    slt_text_str(&text, "> ");
    if (live->protocol == SLT_IP_PROTOCOL_TCP && live->option_bytes) {
        show_tcp(&text, live, flow);
    } else if (live->transport_bytes >= 2) {
        slt_text_str(&text, live->protocol == SLT_IP_PROTOCOL_UDP ? "udp" : "icmp");
        slt_text_str(&text, " type ");
        slt_text_u64(&text, live->transport[0]);
        slt_text_str(&text, " code ");
        slt_text_u64(&text, live->transport[1]);
    }
    if (live->fault) {
        slt_text_str(&text, "   [");
        slt_text_str(&text, live->fault);
        slt_text_char(&text, ']');
    }
    if (live->why != SLT_PASS) {
        slt_text_str(&text, "   // ");
        slt_text_str(&text, slt_reason_sentence(live->why));
    }
}
