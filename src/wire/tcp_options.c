/* TCP options: one loop that always consumes at least one byte, and one layout for emit, size and
 * print.
 *
 * Emission plans first: every option that is present becomes an item {option, NOPs in front}, in
 * Linux's order, such that after each item the length is a multiple of four. Options that fill
 * each other's gap (SACK permitted before timestamps) need no NOPs. Because every group ends
 * aligned, the end-of-list padding of RFC 9293 3.1 (MUST-69) is never longer than nothing.
 * RFC 9293 3.1, 3.2; RFC 7323 2.2, 3.2, App. A; RFC 2018 2, 3; RFC 7413 4.1.1; RFC 5482 3;
 * RFC 9768 3.2.3.
 */
#include "wire/tcp_options.h"

#include "base/print.h"

/* MUST-4: EOL, NOP and MSS; the others are the standard's later ones. */
enum {
    KIND_EOL = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_OK = 4,
    KIND_SACK = 5,
    KIND_TIMESTAMPS = 8,
    KIND_USER_TIMEOUT = 28,
    KIND_FAST_OPEN = 34,
    KIND_ACCECN0 = 172,
    KIND_ACCECN1 = 174
};

#define ITEMS_MAX 8

/* What nearly every segment carries: NOP, NOP, timestamps (RFC 7323 App. A); and nearly every SYN:
 * MSS, SACK permitted, timestamps, NOP, window scale, each in its word. */
#define USUAL_BYTES     12U
#define USUAL_WORD      0x0101080aU
#define USUAL_SYN_BYTES 20U
#define USUAL_SYN_MSS   0x0204U
#define USUAL_SYN_WORD  0x0402080aU
#define USUAL_SYN_SCALE 0x010303U
#define USUAL_SYN_HAS                                                                              \
    (SLT_TCP_OPT_MSS | SLT_TCP_OPT_SACK_OK | SLT_TCP_OPT_TIMESTAMPS | SLT_TCP_OPT_WSCALE)

struct item {
    enum slt_tcp_option_bit option;
    uint8_t nops;
    uint8_t bytes; /* without the NOPs */
    uint8_t after; /* NOPs behind: fast open alone, as Linux has it */
};

struct layout {
    struct item items[ITEMS_MAX];
    uint32_t count;
    uint32_t bytes;
};

static void parse_sack(struct slt_reader *body, struct slt_tcp_options *out)
{
    const uint32_t blocks = slt_reader_left(body) / 8;
    if (slt_reader_left(body) % 8 != 0 || blocks == 0 || blocks > SLT_TCP_SACK_MAX) {
        return;
    }
    for (uint32_t i = 0; i < blocks; i++) {
        out->sack[i].left = slt_read_u32(body);
        out->sack[i].right = slt_read_u32(body);
    }
    out->sack_count = (uint8_t)blocks;
    out->present |= SLT_TCP_OPT_SACK;
}

/* RFC 7413 4.1.1: empty is a request; a cookie has 4 to 16 bytes, an even number. */
static void parse_fast_open(struct slt_reader *body, struct slt_tcp_options *out)
{
    const uint32_t bytes = slt_reader_left(body);
    if (bytes % 2 != 0 || bytes == 2 || bytes > SLT_TCP_COOKIE_MAX) {
        return;
    }
    const uint8_t *cookie = slt_read_bytes(body, bytes);
    if (bytes > 0) {
        memcpy(out->cookie, cookie, bytes);
    }
    out->cookie_bytes = (uint8_t)bytes;
    out->present |= SLT_TCP_OPT_FAST_OPEN;
}

/* RFC 9768 3.2.3: up to three counters of 24 bits, those at the end may be missing. The other
 * kind has them the other way round. Of any other length, what is whole counts, and the rest is
 * padding. */
static void parse_accecn(uint8_t kind, struct slt_reader *body, struct slt_tcp_options *out)
{
    const uint32_t whole = slt_reader_left(body) / 3;
    const uint32_t count = whole < 3 ? whole : 3;
    struct slt_tcp_accecn_option *a = &out->accecn;
    a->order = kind == KIND_ACCECN1;
    a->count = (uint8_t)count;
    uint32_t *const field[3] = {a->order ? &a->e1b : &a->e0b, &a->ceb,
                                a->order ? &a->e0b : &a->e1b};
    for (uint32_t i = 0; i < count; i++) {
        *field[i] = (uint32_t)slt_read_u8(body) << 16;
        *field[i] |= slt_read_u16(body);
    }
    out->present |= SLT_TCP_OPT_ACCECN;
}

struct known {
    uint8_t option;     /* of enum slt_tcp_option_bit; 0: not a kind we know */
    uint8_t body_bytes; /* 0xff: varies */
};

static struct known known_kind(uint8_t kind)
{
    switch (kind) {
    case KIND_MSS:
        return (struct known){SLT_TCP_OPT_MSS, 2};
    case KIND_WSCALE:
        return (struct known){SLT_TCP_OPT_WSCALE, 1};
    case KIND_SACK_OK:
        return (struct known){SLT_TCP_OPT_SACK_OK, 0};
    case KIND_SACK:
        return (struct known){SLT_TCP_OPT_SACK, 0xff};
    case KIND_TIMESTAMPS:
        return (struct known){SLT_TCP_OPT_TIMESTAMPS, 8};
    case KIND_USER_TIMEOUT:
        return (struct known){SLT_TCP_OPT_USER_TIMEOUT, 2};
    case KIND_FAST_OPEN:
        return (struct known){SLT_TCP_OPT_FAST_OPEN, 0xff};
    case KIND_ACCECN0:
    case KIND_ACCECN1:
        return (struct known){SLT_TCP_OPT_ACCECN, 0xff};
    default:
        return (struct known){0, 0};
    }
}

static void parse_fixed(enum slt_tcp_option_bit option, struct slt_reader *body,
                        struct slt_tcp_options *out)
{
    switch (option) {
    case SLT_TCP_OPT_MSS:
        out->mss = slt_read_u16(body);
        break;
    case SLT_TCP_OPT_WSCALE:
        out->wscale = slt_read_u8(body);
        break;
    case SLT_TCP_OPT_TIMESTAMPS:
        out->ts_val = slt_read_u32(body);
        out->ts_ecr = slt_read_u32(body);
        break;
    case SLT_TCP_OPT_USER_TIMEOUT:
        out->user_timeout = slt_read_u16(body);
        break;
    case SLT_TCP_OPT_SACK_OK:
        break;
    case SLT_TCP_OPT_SACK:
    case SLT_TCP_OPT_FAST_OPEN:
    case SLT_TCP_OPT_ACCECN:
        SLT_UNREACHABLE("an option of varying length has a parser of its own");
    }
    out->present |= (uint8_t)option;
}

/* RFC 9293 3.2 (MUST-6): a kind we do not know, or one in a shape we do not know, is ignored. */
static void parse_option(uint8_t kind, struct slt_reader *body, struct slt_tcp_options *out)
{
    const struct known known = known_kind(kind);
    if (known.option == 0 || (out->present & known.option)) {
        return;
    }
    if (kind == KIND_SACK) {
        parse_sack(body, out);
    } else if (kind == KIND_FAST_OPEN) {
        parse_fast_open(body, out);
    } else if (known.option == SLT_TCP_OPT_ACCECN) {
        parse_accecn(kind, body, out);
    } else if (slt_reader_left(body) == known.body_bytes) {
        parse_fixed((enum slt_tcp_option_bit)known.option, body, out);
    }
}

static bool parse_usual(struct slt_span bytes, struct slt_tcp_options *out)
{
    if (bytes.bytes != USUAL_BYTES || slt_get_u32(bytes.data) != USUAL_WORD) {
        return false;
    }
    out->present = SLT_TCP_OPT_TIMESTAMPS;
    out->ts_val = slt_get_u32(bytes.data + 4);
    out->ts_ecr = slt_get_u32(bytes.data + 8);
    return true;
}

static bool parse_usual_syn(struct slt_span bytes, struct slt_tcp_options *out)
{
    if (bytes.bytes != USUAL_SYN_BYTES || slt_get_u16(bytes.data) != USUAL_SYN_MSS ||
        slt_get_u32(bytes.data + 4) != USUAL_SYN_WORD ||
        slt_get_u32(bytes.data + 16) >> 8 != USUAL_SYN_SCALE) {
        return false;
    }
    out->present = USUAL_SYN_HAS;
    out->mss = slt_get_u16(bytes.data + 2);
    out->ts_val = slt_get_u32(bytes.data + 8);
    out->ts_ecr = slt_get_u32(bytes.data + 12);
    out->wscale = bytes.data[19];
    return true;
}

static SLT_APART enum slt_reason parse_list(struct slt_span bytes, struct slt_tcp_options *out)
{
    struct slt_reader r = slt_reader_of(bytes);
    while (slt_reader_left(&r) > 0) {
        const uint8_t kind = slt_read_u8(&r);
        if (kind == KIND_EOL) {
            break;
        }
        if (kind == KIND_NOP) {
            continue;
        }
        /* RFC 9293 3.2 (MUST-68): every other kind has a length, which counts both bytes. */
        const uint32_t length = slt_read_u8(&r);
        if (r.failed || length < 2 || length - 2 > slt_reader_left(&r)) {
            /* RFC 9293 3.1 (MUST-7): an illegal length ends the segment. */
            return SLT_DROP_TCP_OPTION_LENGTH;
        }
        const uint8_t *data = slt_read_bytes(&r, length - 2);
        struct slt_reader body = slt_reader_of((struct slt_span){data, length - 2});
        parse_option(kind, &body, out);
    }
    return SLT_PASS;
}

enum slt_reason slt_tcp_options_parse(struct slt_span bytes, struct slt_tcp_options *out)
{
    memset(out, 0, sizeof(*out));
    bool usual = parse_usual(bytes, out) || parse_usual_syn(bytes, out);
    return usual ? SLT_PASS : parse_list(bytes, out);
}

static void plan_item(struct layout *l, enum slt_tcp_option_bit option, uint32_t bytes)
{
    /* The NOPs stand in front, so that what follows the first four bytes is aligned. */
    const uint32_t nops = (4 - (l->bytes + bytes) % 4) % 4;
    SLT_ASSERT(l->count < ITEMS_MAX);
    const bool behind = option == SLT_TCP_OPT_FAST_OPEN;
    l->items[l->count] = (struct item){.option = option,
                                       .nops = behind ? 0 : (uint8_t)nops,
                                       .bytes = (uint8_t)bytes,
                                       .after = behind ? (uint8_t)nops : 0};
    l->count++;
    l->bytes += nops + bytes;
}

static struct layout plan_layout(const struct slt_tcp_options *opt)
{
    struct layout l = {.count = 0};
    const uint32_t present = opt->present;
    if (present & SLT_TCP_OPT_MSS) {
        plan_item(&l, SLT_TCP_OPT_MSS, 4);
    }
    if ((present & SLT_TCP_OPT_SACK_OK) && (present & SLT_TCP_OPT_TIMESTAMPS)) {
        /* The two bytes of SACK permitted take the place of the timestamps' NOPs. */
        l.items[l.count] = (struct item){.option = SLT_TCP_OPT_SACK_OK, .bytes = 2};
        l.items[l.count + 1] = (struct item){.option = SLT_TCP_OPT_TIMESTAMPS, .bytes = 10};
        l.count += 2;
        l.bytes += 12;
    } else if (present & SLT_TCP_OPT_SACK_OK) {
        plan_item(&l, SLT_TCP_OPT_SACK_OK, 2);
    } else if (present & SLT_TCP_OPT_TIMESTAMPS) {
        plan_item(&l, SLT_TCP_OPT_TIMESTAMPS, 10);
    }
    if (present & SLT_TCP_OPT_WSCALE) {
        plan_item(&l, SLT_TCP_OPT_WSCALE, 3);
    }
    if (present & SLT_TCP_OPT_SACK) {
        SLT_ASSERT(opt->sack_count >= 1 && opt->sack_count <= SLT_TCP_SACK_MAX);
        plan_item(&l, SLT_TCP_OPT_SACK, 2U + 8U * opt->sack_count);
    }
    if (present & SLT_TCP_OPT_FAST_OPEN) {
        SLT_ASSERT(opt->cookie_bytes <= SLT_TCP_COOKIE_MAX && opt->cookie_bytes % 2 == 0);
        plan_item(&l, SLT_TCP_OPT_FAST_OPEN, 2U + opt->cookie_bytes);
    }
    if (present & SLT_TCP_OPT_USER_TIMEOUT) {
        plan_item(&l, SLT_TCP_OPT_USER_TIMEOUT, 4);
    }
    if (present & SLT_TCP_OPT_ACCECN) {
        SLT_ASSERT(opt->accecn.count <= 3);
        plan_item(&l, SLT_TCP_OPT_ACCECN, 2U + 3U * opt->accecn.count);
    }
    return l;
}

static uint8_t kind_of(const struct slt_tcp_options *opt, enum slt_tcp_option_bit option)
{
    switch (option) {
    case SLT_TCP_OPT_MSS:
        return KIND_MSS;
    case SLT_TCP_OPT_WSCALE:
        return KIND_WSCALE;
    case SLT_TCP_OPT_SACK_OK:
        return KIND_SACK_OK;
    case SLT_TCP_OPT_SACK:
        return KIND_SACK;
    case SLT_TCP_OPT_TIMESTAMPS:
        return KIND_TIMESTAMPS;
    case SLT_TCP_OPT_FAST_OPEN:
        return KIND_FAST_OPEN;
    case SLT_TCP_OPT_USER_TIMEOUT:
        return KIND_USER_TIMEOUT;
    case SLT_TCP_OPT_ACCECN:
        return opt->accecn.order ? KIND_ACCECN1 : KIND_ACCECN0;
    }
    return KIND_NOP;
}

static uint8_t *put_u8(uint8_t *to, uint32_t v)
{
    *to = (uint8_t)v;
    return to + 1;
}

static uint8_t *put_u16(uint8_t *to, uint16_t v)
{
    slt_put_u16(to, v);
    return to + 2;
}

static uint8_t *put_u32(uint8_t *to, uint32_t v)
{
    slt_put_u32(to, v);
    return to + 4;
}

static uint8_t *put_nops(uint8_t *to, uint32_t count)
{
    for (; count > 0; count--) {
        to = put_u8(to, KIND_NOP);
    }
    return to;
}

static uint8_t *put_accecn(uint8_t *to, const struct slt_tcp_accecn_option *a)
{
    const uint32_t field[3] = {a->order ? a->e1b : a->e0b, a->ceb, a->order ? a->e0b : a->e1b};
    for (uint32_t i = 0; i < a->count; i++) {
        to = put_u16(put_u8(to, field[i] >> 16), (uint16_t)field[i]);
    }
    return to;
}

/* Write what stands behind kind and length; returns where the next option goes. */
static uint8_t *put_body(uint8_t *to, const struct slt_tcp_options *opt,
                         enum slt_tcp_option_bit option)
{
    switch (option) {
    case SLT_TCP_OPT_MSS:
        return put_u16(to, opt->mss);
    case SLT_TCP_OPT_WSCALE:
        return put_u8(to, opt->wscale);
    case SLT_TCP_OPT_SACK_OK:
        return to;
    case SLT_TCP_OPT_SACK:
        for (uint32_t i = 0; i < opt->sack_count; i++) {
            to = put_u32(put_u32(to, opt->sack[i].left), opt->sack[i].right);
        }
        return to;
    case SLT_TCP_OPT_TIMESTAMPS:
        return put_u32(put_u32(to, opt->ts_val), opt->ts_ecr);
    case SLT_TCP_OPT_FAST_OPEN:
        memcpy(to, opt->cookie, opt->cookie_bytes);
        return to + opt->cookie_bytes;
    case SLT_TCP_OPT_USER_TIMEOUT:
        return put_u16(to, opt->user_timeout);
    case SLT_TCP_OPT_ACCECN:
        return put_accecn(to, &opt->accecn);
    }
    SLT_UNREACHABLE("an option that was not planned");
}

/* Write the usual sets without a plan. */
static uint32_t emit_usual(const struct slt_tcp_options *opt, struct slt_writer *w)
{
    uint8_t *to = slt_write_room(w, USUAL_BYTES);
    if (!to) {
        return 0;
    }
    slt_put_u32(to, USUAL_WORD);
    slt_put_u32(to + 4, opt->ts_val);
    slt_put_u32(to + 8, opt->ts_ecr);
    return USUAL_BYTES;
}

static uint32_t emit_usual_syn(const struct slt_tcp_options *opt, struct slt_writer *w)
{
    uint8_t *to = slt_write_room(w, USUAL_SYN_BYTES);
    if (!to) {
        return 0;
    }
    slt_put_u32(to, USUAL_SYN_MSS << 16 | opt->mss);
    slt_put_u32(to + 4, USUAL_SYN_WORD);
    slt_put_u32(to + 8, opt->ts_val);
    slt_put_u32(to + 12, opt->ts_ecr);
    slt_put_u32(to + 16, USUAL_SYN_SCALE << 8 | opt->wscale);
    return USUAL_SYN_BYTES;
}

uint32_t slt_tcp_options_bytes(const struct slt_tcp_options *opt)
{
    return plan_layout(opt).bytes;
}

static SLT_APART uint32_t emit_planned(const struct slt_tcp_options *opt, struct slt_writer *w)
{
    const struct layout l = plan_layout(opt);
    uint8_t *to = l.bytes <= SLT_TCP_OPTIONS_MAX ? slt_write_room(w, l.bytes) : NULL;
    if (!to) {
        w->failed = true;
        return 0;
    }
    const uint8_t *end = to + l.bytes;
    for (uint32_t i = 0; i < l.count; i++) {
        const struct item *item = &l.items[i];
        to = put_nops(to, item->nops);
        to = put_u8(put_u8(to, kind_of(opt, item->option)), item->bytes);
        to = put_nops(put_body(to, opt, item->option), item->after);
    }
    SLT_ASSERT(to == end);
    return l.bytes;
}

uint32_t slt_tcp_options_emit(const struct slt_tcp_options *opt, struct slt_writer *w)
{
    if (opt->present == SLT_TCP_OPT_TIMESTAMPS) {
        return emit_usual(opt, w);
    }
    return opt->present == USUAL_SYN_HAS ? emit_usual_syn(opt, w) : emit_planned(opt, w);
}

static void print_sack(struct slt_text *t, const struct slt_tcp_options *opt)
{
    slt_text_str(t, "sack ");
    slt_text_u64(t, opt->sack_count);
    for (uint32_t i = 0; i < opt->sack_count; i++) {
        slt_text_str(t, " {");
        slt_text_u64(t, opt->sack[i].left);
        slt_text_char(t, ':');
        slt_text_u64(t, opt->sack[i].right);
        slt_text_char(t, '}');
    }
}

static void print_fast_open(struct slt_text *t, const struct slt_tcp_options *opt)
{
    slt_text_str(t, "tfo");
    if (opt->cookie_bytes == 0) {
        slt_text_str(t, " cookiereq");
        return;
    }
    slt_text_str(t, " cookie ");
    for (uint32_t i = 0; i < opt->cookie_bytes; i++) {
        slt_text_hex(t, opt->cookie[i], 2);
    }
}

static void print_accecn(struct slt_text *t, const struct slt_tcp_accecn_option *a)
{
    static const char *const name[2][3] = {{" e0b ", " ceb ", " e1b "},
                                           {" e1b ", " ceb ", " e0b "}};
    const uint32_t field[3] = {a->order ? a->e1b : a->e0b, a->ceb, a->order ? a->e0b : a->e1b};
    slt_text_str(t, "accecn");
    slt_text_u64(t, a->order);
    for (uint32_t i = 0; i < a->count; i++) {
        slt_text_str(t, name[a->order != 0][i]);
        slt_text_u64(t, field[i]);
    }
}

static void print_item(struct slt_text *t, const struct slt_tcp_options *opt,
                       enum slt_tcp_option_bit option)
{
    switch (option) {
    case SLT_TCP_OPT_MSS:
        slt_text_str(t, "mss ");
        slt_text_u64(t, opt->mss);
        break;
    case SLT_TCP_OPT_WSCALE:
        slt_text_str(t, "wscale ");
        slt_text_u64(t, opt->wscale);
        break;
    case SLT_TCP_OPT_SACK_OK:
        slt_text_str(t, "sackOK");
        break;
    case SLT_TCP_OPT_SACK:
        print_sack(t, opt);
        break;
    case SLT_TCP_OPT_TIMESTAMPS:
        slt_text_str(t, "TS val ");
        slt_text_u64(t, opt->ts_val);
        slt_text_str(t, " ecr ");
        slt_text_u64(t, opt->ts_ecr);
        break;
    case SLT_TCP_OPT_FAST_OPEN:
        print_fast_open(t, opt);
        break;
    case SLT_TCP_OPT_USER_TIMEOUT:
        slt_text_str(t, "uto ");
        slt_text_u64(t, opt->user_timeout & 0x7fffU);
        slt_text_char(t, (opt->user_timeout & 0x8000U) ? 'm' : 's');
        break;
    case SLT_TCP_OPT_ACCECN:
        print_accecn(t, &opt->accecn);
        break;
    }
}

int slt_tcp_options_print(const struct slt_tcp_options *opt, char *out, size_t size)
{
    struct slt_text t;
    slt_text_init(&t, out, size);
    const struct layout l = plan_layout(opt);
    for (uint32_t i = 0; i < l.count; i++) {
        if (i > 0) {
            slt_text_char(&t, ',');
        }
        for (uint32_t n = 0; n < l.items[i].nops; n++) {
            slt_text_str(&t, "nop,");
        }
        print_item(&t, opt, l.items[i].option);
        for (uint32_t n = 0; n < l.items[i].after; n++) {
            slt_text_str(&t, ",nop");
        }
    }
    return (int)t.used;
}
