/* Packets as scripts write them.
 *
 *   packet  = ("<" | ">") [info] (tcp | icmp | udp)
 *   info    = "[" word [number] {"," word [number]} "]"     ect0 ect1 ce noecn tos ttl badsum
 *   tcp     = [port ">" port] flags seq ":" end "(" bytes ")" ["ack" n] ["win" n] ["urg" n]
 *             ["<" options ">"]
 *   icmp    = ["[" seq ":" end "(" bytes ")" "]"] "icmp" type [code] ["mtu" n]
 *   udp     = "udp" "(" bytes ")"
 *
 * Sequence numbers are offsets from each side's initial one. `badsum` is ours: an inbound packet
 * whose checksum is wrong; `kind N hex` is ours too: any option by its number.
 */
#include "lab/script_parse.h"
#include "wire/icmp4.h"
#include "wire/icmp6.h"
#include "wire/tcp.h"

#include <stdio.h>
#include <string.h>

struct packet_parser {
    struct slt_script *script;
    struct slt_lexer *lex;
    struct slt_script_packet *packet;
};

bool slt_parse_number(struct slt_lexer *lex, int64_t max, const char *what, int64_t *number)
{
    if (lex->token.kind != SLT_TOKEN_NUMBER || lex->token.fraction) {
        return slt_lex_expected(lex, what);
    }
    if (lex->token.number > max) {
        char words[120];
        snprintf(words, sizeof(words), "%s can be at most %lld", what, (long long)max);
        return slt_lex_fail(lex, lex->token.line, lex->token.column, words);
    }
    *number = lex->token.number;
    slt_lex_next(lex);
    return true;
}

static bool skip_word(struct slt_lexer *lex, const char *word)
{
    if (!slt_lex_is_word(lex, word)) {
        return false;
    }
    slt_lex_next(lex);
    return true;
}

static bool expect_mark(struct slt_lexer *lex, char mark)
{
    char what[] = "'x'";
    what[1] = mark;
    return slt_lex_skip(lex, mark) || slt_lex_expected(lex, what);
}

static bool parse_u16(struct slt_lexer *lex, const char *what, uint16_t *out)
{
    int64_t number;
    if (!slt_parse_number(lex, UINT16_MAX, what, &number)) {
        return false;
    }
    *out = (uint16_t)number;
    return true;
}

static bool parse_u32(struct slt_lexer *lex, const char *what, uint32_t *out)
{
    int64_t number = 0;
    if (!slt_parse_number(lex, UINT32_MAX, what, &number)) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

/* seq:end(bytes) */
static bool parse_range(struct slt_lexer *lex, uint32_t *seq, uint32_t *bytes)
{
    uint32_t end;
    uint32_t line = lex->token.line;
    uint32_t column = lex->token.column;

    if (!parse_u32(lex, "a sequence number", seq) || !expect_mark(lex, ':') ||
        !parse_u32(lex, "an end of the sequence range", &end) || !expect_mark(lex, '(') ||
        !parse_u32(lex, "a payload length", bytes) || !expect_mark(lex, ')')) {
        return false;
    }
    if (end - *seq != *bytes) {
        return slt_lex_fail(lex, line, column,
                            "the sequence range is not as long as the payload length says");
    }
    return true;
}

/* ---- IP facts ------------------------------------------------------------------------------ */

static bool parse_info_item(struct packet_parser *p)
{
    static const struct {
        const char *word;
        int ecn;
    } ecns[] = {{"noecn", 0}, {"ect1", 1}, {"ect0", 2}, {"ce", 3}};
    struct slt_lexer *lex = p->lex;
    int64_t number;

    for (size_t i = 0; i < SLT_ARRAY_COUNT(ecns); i++) {
        if (skip_word(lex, ecns[i].word)) {
            p->packet->ecn = ecns[i].ecn;
            return true;
        }
    }
    if (skip_word(lex, "badsum")) {
        p->packet->bad_checksum = true;
        return true;
    }
    if (skip_word(lex, "tos")) {
        if (!slt_parse_number(lex, 255, "a tos byte", &number)) {
            return false;
        }
        p->packet->tos = (int)number;
        return true;
    }
    if (skip_word(lex, "ttl")) {
        if (!slt_parse_number(lex, 255, "a ttl", &number)) {
            return false;
        }
        p->packet->ttl = (int)number;
        return true;
    }
    return slt_lex_expected(lex, "ect0, ect1, ce, noecn, tos, ttl or badsum");
}

/* Brackets before the protocol: facts about the IP header, or what an ICMP error quotes. */
static bool parse_brackets(struct packet_parser *p)
{
    struct slt_lexer *lex = p->lex;

    while (slt_lex_skip(lex, '[')) {
        if (lex->token.kind == SLT_TOKEN_NUMBER) {
            p->packet->has_echo = true;
            if (!parse_range(lex, &p->packet->echo_seq, &p->packet->echo_bytes) ||
                !expect_mark(lex, ']')) {
                return false;
            }
            continue;
        }
        do {
            if (!parse_info_item(p)) {
                return false;
            }
        } while (slt_lex_skip(lex, ','));
        if (!expect_mark(lex, ']')) {
            return false;
        }
    }
    return true;
}

/* ---- TCP options --------------------------------------------------------------------------- */

static bool parse_hex(struct packet_parser *p, struct slt_script_option *option)
{
    const char *text;
    uint32_t digits;
    uint32_t line = p->lex->token.line;
    uint32_t column = p->lex->token.column;

    slt_lex_hex(p->lex, &text, &digits);
    if (digits % 2 != 0 || digits / 2 > SLT_SCRIPT_RAW_MAX - 4U) {
        return slt_lex_fail(p->lex, line, column, "expected an even number of hex digits that fit");
    }
    for (uint32_t i = 0; i < digits / 2; i++) {
        unsigned value = 0;
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        sscanf(pair, "%2x", &value);
        option->raw[option->count++] = (uint8_t)value;
    }
    return true;
}

static bool parse_sack(struct slt_lexer *lex, struct slt_script_option *option)
{
    option->kind = SLT_OPTION_SACK;
    while (lex->token.kind == SLT_TOKEN_NUMBER) {
        if (option->count == 4) {
            return slt_lex_expected(lex, "at most 4 sack blocks");
        }
        uint32_t *block = &option->number[2 * option->count];
        if (!parse_u32(lex, "a sack block", &block[0]) || !expect_mark(lex, ':') ||
            !parse_u32(lex, "the end of a sack block", &block[1])) {
            return false;
        }
        option->count++;
        /* A comma separates blocks in old scripts, and options in all. */
        if (slt_lex_is(lex, ',')) {
            struct slt_lexer saved = *lex;
            slt_lex_next(lex);
            if (lex->token.kind != SLT_TOKEN_NUMBER) {
                *lex = saved;
            }
        }
    }
    return option->count > 0 || slt_lex_expected(lex, "a sack block");
}

static bool parse_timestamps(struct slt_lexer *lex, struct slt_script_option *option)
{
    option->kind = SLT_OPTION_TIMESTAMPS;
    if (!skip_word(lex, "val")) {
        return slt_lex_expected(lex, "'val'");
    }
    if (!parse_u32(lex, "a timestamp", &option->number[0])) {
        return false;
    }
    if (!skip_word(lex, "ecr")) {
        return slt_lex_expected(lex, "'ecr'");
    }
    return parse_u32(lex, "a timestamp", &option->number[1]);
}

/* kind N hex: any option; a length byte is put in unless the kind is 0 or 1. */
static bool parse_raw_option(struct packet_parser *p, struct slt_script_option *option)
{
    int64_t kind;
    if (!slt_parse_number(p->lex, 255, "an option kind", &kind)) {
        return false;
    }
    option->kind = SLT_OPTION_RAW;
    option->raw[0] = (uint8_t)kind;
    option->count = 2;
    if (slt_lex_is_word(p->lex, "len")) {
        slt_lex_next(p->lex);
        int64_t length;
        if (!slt_parse_number(p->lex, 255, "an option length", &length)) {
            return false;
        }
        option->raw[1] = (uint8_t)length;
        return parse_hex(p, option);
    }
    if (!parse_hex(p, option)) {
        return false;
    }
    option->raw[1] = option->count;
    return true;
}

static bool parse_cookie(struct packet_parser *p, struct slt_script_option *option, uint16_t kind)
{
    option->kind = kind;
    return parse_hex(p, option);
}

static bool parse_option(struct packet_parser *p, struct slt_script_option *option)
{
    struct slt_lexer *lex = p->lex;

    if (skip_word(lex, "nop")) {
        option->kind = SLT_OPTION_NOP;
        return true;
    }
    if (skip_word(lex, "eol")) {
        option->kind = SLT_OPTION_EOL;
        return true;
    }
    if (skip_word(lex, "sackOK")) {
        option->kind = SLT_OPTION_SACK_OK;
        return true;
    }
    if (skip_word(lex, "mss")) {
        option->kind = SLT_OPTION_MSS;
        return parse_u32(lex, "an mss", &option->number[0]);
    }
    if (skip_word(lex, "wscale")) {
        option->kind = SLT_OPTION_WSCALE;
        return parse_u32(lex, "a window scale", &option->number[0]);
    }
    if (skip_word(lex, "uto")) {
        option->kind = SLT_OPTION_USER_TIMEOUT;
        return parse_u32(lex, "a user timeout", &option->number[0]);
    }
    if (skip_word(lex, "sack")) {
        return parse_sack(lex, option);
    }
    if (skip_word(lex, "TS")) {
        return parse_timestamps(lex, option);
    }
    if (skip_word(lex, "kind")) {
        return parse_raw_option(p, option);
    }
    /* The cookie's first character may be a letter; read behind the name, not the next token. */
    if (skip_word(lex, "FO")) {
        return parse_cookie(p, option, SLT_OPTION_FAST_OPEN);
    }
    if (skip_word(lex, "FOEXP")) {
        return parse_cookie(p, option, SLT_OPTION_EXPERIMENT);
    }
    if (skip_word(lex, "md5")) {
        return parse_cookie(p, option, SLT_OPTION_MD5);
    }
    return slt_lex_expected(lex, "a TCP option (mss nop sackOK wscale TS sack eol FO FOEXP md5 "
                                 "uto kind)");
}

static bool parse_options(struct packet_parser *p)
{
    struct slt_lexer *lex = p->lex;

    if (lex->token.kind == SLT_TOKEN_ELLIPSIS) {
        slt_lex_next(lex);
        p->packet->any_options = true;
        if (!p->packet->outbound) {
            return slt_lex_expected(lex, "options that can be built, for an inbound packet");
        }
        return expect_mark(lex, '>');
    }
    if (slt_lex_skip(lex, '>')) {
        return true;
    }
    do {
        if (p->packet->option_count == SLT_SCRIPT_OPTIONS_MAX) {
            return slt_lex_expected(lex, "fewer options");
        }
        if (!parse_option(p, &p->packet->options[p->packet->option_count])) {
            return false;
        }
        p->packet->option_count++;
    } while (slt_lex_skip(lex, ','));
    return slt_lex_skip(lex, '>') || slt_lex_expected(lex, "',' or '>'");
}

/* ---- TCP ----------------------------------------------------------------------------------- */

static bool flag_of(char letter, uint16_t *flags)
{
    static const struct {
        char letter;
        uint16_t flag;
    } table[] = {{'F', SLT_TCP_FIN}, {'S', SLT_TCP_SYN}, {'R', SLT_TCP_RST},
                 {'P', SLT_TCP_PSH}, {'.', SLT_TCP_ACK}, {'U', SLT_TCP_URG},
                 {'E', SLT_TCP_ECE}, {'W', SLT_TCP_CWR}, {'A', SLT_TCP_AE}};

    for (size_t i = 0; i < SLT_ARRAY_COUNT(table); i++) {
        if (table[i].letter == letter) {
            *flags |= table[i].flag;
            return true;
        }
    }
    if (letter >= '0' && letter <= '7') {
        unsigned ace = (unsigned)(letter - '0');
        *flags |= (uint16_t)((ace & 4U ? SLT_TCP_AE : 0) | (ace & 2U ? SLT_TCP_CWR : 0) |
                             (ace & 1U ? SLT_TCP_ECE : 0));
        return true;
    }
    return letter == '-';
}

static bool parse_flags(struct packet_parser *p)
{
    const char *text;
    uint32_t bytes;
    uint32_t line = p->lex->token.line;
    uint32_t column = p->lex->token.column;

    slt_lex_flags(p->lex, &text, &bytes);
    for (uint32_t i = 0; i < bytes; i++) {
        if (!flag_of(text[i], &p->packet->flags)) {
            bytes = 0;
        }
    }
    return bytes > 0 || slt_lex_fail(p->lex, line, column,
                                     "expected TCP flags (F S R P . E W A U, an ACE digit, or -)");
}

/* Numbers before the flags are ports when '>' follows the first. */
static bool parse_ports(struct packet_parser *p)
{
    struct slt_lexer saved = *p->lex;

    if (p->lex->token.kind != SLT_TOKEN_NUMBER || p->lex->token.fraction) {
        return true;
    }
    slt_lex_next(p->lex);
    bool ports = slt_lex_is(p->lex, '>');
    *p->lex = saved;
    if (!ports) {
        return true;
    }
    p->packet->has_ports = true;
    return parse_u16(p->lex, "a port", &p->packet->src_port) && expect_mark(p->lex, '>') &&
           parse_u16(p->lex, "a port", &p->packet->dst_port);
}

static bool parse_tcp(struct packet_parser *p)
{
    struct slt_lexer *lex = p->lex;
    struct slt_script_packet *packet = p->packet;

    if (!parse_ports(p) || !parse_flags(p) ||
        !parse_range(lex, &packet->seq, &packet->payload_bytes)) {
        return false;
    }
    if (skip_word(lex, "ack")) {
        packet->has_ack = true;
        if (!parse_u32(lex, "an acknowledgement number", &packet->ack)) {
            return false;
        }
    }
    if (skip_word(lex, "win")) {
        packet->has_window = true;
        if (!parse_u16(lex, "a window", &packet->window)) {
            return false;
        }
    }
    if (skip_word(lex, "urg")) {
        packet->has_urgent = true;
        if (!parse_u16(lex, "an urgent pointer", &packet->urgent)) {
            return false;
        }
    }
    if (packet->payload_bytes > 65495) {
        return slt_lex_fail(lex, lex->token.line, lex->token.column,
                            "no packet can carry that many bytes");
    }
    return !slt_lex_skip(lex, '<') || parse_options(p);
}

/* ---- ICMP ---------------------------------------------------------------------------------- */

struct icmp_name {
    const char *word;
    uint8_t type;
    uint8_t code;
};

static const struct icmp_name TYPES4[] = {
    {"unreachable", SLT_ICMP4_UNREACHABLE, 0},
    {"time_exceeded", SLT_ICMP4_TIME_EXCEEDED, 0},
    {"source_quench", SLT_ICMP4_SOURCE_QUENCH, 0},
    {"parameter_problem", SLT_ICMP4_PARAMETER_PROBLEM, 0},
};

static const struct icmp_name CODES4[] = {
    {"net_unreachable", SLT_ICMP4_UNREACHABLE, 0},
    {"host_unreachable", SLT_ICMP4_UNREACHABLE, 1},
    {"protocol_unreachable", SLT_ICMP4_UNREACHABLE, 2},
    {"port_unreachable", SLT_ICMP4_UNREACHABLE, 3},
    {"frag_needed", SLT_ICMP4_UNREACHABLE, 4},
    {"source_route_failed", SLT_ICMP4_UNREACHABLE, 5},
    {"net_unknown", SLT_ICMP4_UNREACHABLE, 6},
    {"host_unknown", SLT_ICMP4_UNREACHABLE, 7},
    {"source_host_isolated", SLT_ICMP4_UNREACHABLE, 8},
    {"net_prohibited", SLT_ICMP4_UNREACHABLE, 9},
    {"host_prohibited", SLT_ICMP4_UNREACHABLE, 10},
    {"net_unreachable_for_tos", SLT_ICMP4_UNREACHABLE, 11},
    {"host_unreachable_for_tos", SLT_ICMP4_UNREACHABLE, 12},
    {"packet_filtered", SLT_ICMP4_UNREACHABLE, 13},
    {"precedence_violation", SLT_ICMP4_UNREACHABLE, 14},
    {"precedence_cutoff", SLT_ICMP4_UNREACHABLE, 15},
    {"ttl_exceeded", SLT_ICMP4_TIME_EXCEEDED, 0},
    {"reassembly_exceeded", SLT_ICMP4_TIME_EXCEEDED, 1},
};

static const struct icmp_name TYPES6[] = {
    {"unreachable", SLT_ICMP6_UNREACHABLE, 0},
    {"packet_too_big", SLT_ICMP6_PACKET_TOO_BIG, 0},
    {"time_exceeded", SLT_ICMP6_TIME_EXCEEDED, 0},
    {"parameter_problem", SLT_ICMP6_PARAMETER_PROBLEM, 0},
};

static const struct icmp_name CODES6[] = {
    {"no_route", SLT_ICMP6_UNREACHABLE, 0},
    {"net_unreachable", SLT_ICMP6_UNREACHABLE, 0},
    {"admin_prohibited", SLT_ICMP6_UNREACHABLE, 1},
    {"net_prohibited", SLT_ICMP6_UNREACHABLE, 1},
    {"not_neighbour", SLT_ICMP6_UNREACHABLE, 2},
    {"address_unreachable", SLT_ICMP6_UNREACHABLE, 3},
    {"host_unreachable", SLT_ICMP6_UNREACHABLE, 3},
    {"port_unreachable", SLT_ICMP6_UNREACHABLE, 4},
    {"hop_limit_exceeded", SLT_ICMP6_TIME_EXCEEDED, 0},
    {"reassembly_exceeded", SLT_ICMP6_TIME_EXCEEDED, 1},
    {"erroneous_header", SLT_ICMP6_PARAMETER_PROBLEM, 0},
    {"unknown_next_header", SLT_ICMP6_PARAMETER_PROBLEM, 1},
    {"unknown_option", SLT_ICMP6_PARAMETER_PROBLEM, 2},
};

static const struct icmp_name *find_name(const struct slt_lexer *lex, const struct icmp_name *table,
                                         size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (slt_lex_is_word(lex, table[i].word)) {
            return &table[i];
        }
    }
    return NULL;
}

static bool parse_icmp_type(struct packet_parser *p, bool v6)
{
    struct slt_lexer *lex = p->lex;
    int64_t number;

    if (lex->token.kind == SLT_TOKEN_NUMBER) {
        if (!slt_parse_number(lex, 255, "an ICMP type", &number)) {
            return false;
        }
        p->packet->icmp_type = (uint8_t)number;
        return true;
    }
    const struct icmp_name *type = v6 ? find_name(lex, TYPES6, SLT_ARRAY_COUNT(TYPES6))
                                      : find_name(lex, TYPES4, SLT_ARRAY_COUNT(TYPES4));
    if (!type) {
        return slt_lex_expected(lex, v6 ? "an ICMPv6 type" : "an ICMP type");
    }
    p->packet->icmp_type = type->type;
    slt_lex_next(lex);
    return true;
}

static bool parse_icmp_code(struct packet_parser *p, bool v6)
{
    struct slt_lexer *lex = p->lex;
    int64_t number;

    if (skip_word(lex, "code")) {
        if (!slt_parse_number(lex, 255, "an ICMP code", &number)) {
            return false;
        }
        p->packet->icmp_code = (uint8_t)number;
        return true;
    }
    if (lex->token.kind != SLT_TOKEN_WORD || slt_lex_is_word(lex, "mtu")) {
        return true;
    }
    const struct icmp_name *code = v6 ? find_name(lex, CODES6, SLT_ARRAY_COUNT(CODES6))
                                      : find_name(lex, CODES4, SLT_ARRAY_COUNT(CODES4));
    if (!code || code->type != p->packet->icmp_type) {
        return slt_lex_expected(lex, "a code of this ICMP type");
    }
    p->packet->icmp_code = code->code;
    slt_lex_next(lex);
    return true;
}

static bool parse_icmp(struct packet_parser *p)
{
    bool v6 = p->script->ipv6;

    p->packet->protocol = SLT_SCRIPT_ICMP;
    if (!parse_icmp_type(p, v6) || !parse_icmp_code(p, v6)) {
        return false;
    }
    if (skip_word(p->lex, "mtu") && !parse_u32(p->lex, "an mtu", &p->packet->icmp_mtu)) {
        return false;
    }
    return parse_brackets(p);
}

static bool parse_udp(struct packet_parser *p)
{
    p->packet->protocol = SLT_SCRIPT_UDP;
    if (!expect_mark(p->lex, '(') ||
        !parse_u32(p->lex, "a payload length", &p->packet->payload_bytes) ||
        !expect_mark(p->lex, ')')) {
        return false;
    }
    return p->packet->payload_bytes <= 65000 ||
           slt_lex_fail(p->lex, p->lex->token.line, p->lex->token.column,
                        "no packet can carry that many bytes");
}

struct slt_script_packet *slt_parse_packet(struct slt_script *script, struct slt_lexer *lex)
{
    struct slt_script_packet *packet = slt_script_take(script, sizeof(*packet));
    struct packet_parser p = {script, lex, packet};
    bool good;

    if (!packet) {
        slt_lex_expected(lex, "more memory");
        return NULL;
    }
    packet->ecn = SLT_SCRIPT_UNSAID;
    packet->tos = SLT_SCRIPT_UNSAID;
    packet->ttl = SLT_SCRIPT_UNSAID;
    packet->outbound = slt_lex_is(lex, '>');
    slt_lex_next(lex);
    if (!parse_brackets(&p)) {
        return NULL;
    }
    if (skip_word(lex, "icmp") || skip_word(lex, "icmpv6") || skip_word(lex, "icmp6")) {
        good = parse_icmp(&p);
    } else if (skip_word(lex, "udp")) {
        good = parse_udp(&p);
    } else {
        good = parse_tcp(&p);
    }
    return good ? packet : NULL;
}
