/* TCP options (RFC 9293 3.1, 3.2; RFC 7323, 2018, 7413, 5482, 9768): parse, emit, print.
 *
 * Parsing is total: any bytes give either a value or SLT_DROP_TCP_OPTION_LENGTH. A kind other
 * than EOL and NOP whose length is 0, 1 or beyond the header ends the segment (MUST-7); a known
 * kind with a length that is not its own is ignored as if unknown; unknown kinds are stepped over
 * (MUST-6). Where an option stands twice the first counts. Nothing depends on alignment (MUST-64).
 */
#ifndef SLT_WIRE_TCP_OPTIONS_H
#define SLT_WIRE_TCP_OPTIONS_H

#include "base/reason.h"
#include "base/span.h"

#define SLT_TCP_OPTIONS_MAX 40
#define SLT_TCP_SACK_MAX    4
#define SLT_TCP_COOKIE_MAX  16

enum slt_tcp_option_bit {
    SLT_TCP_OPT_MSS = 1,
    SLT_TCP_OPT_WSCALE = 2,
    SLT_TCP_OPT_SACK_OK = 4,
    SLT_TCP_OPT_SACK = 8,
    SLT_TCP_OPT_TIMESTAMPS = 16,
    SLT_TCP_OPT_FAST_OPEN = 32, /* kind 34; cookie_bytes may be 0: a request */
    SLT_TCP_OPT_USER_TIMEOUT = 64,
    SLT_TCP_OPT_ACCECN = 128 /* kinds 172 and 174 */
};

struct slt_tcp_sack_block {
    uint32_t left;  /* first sequence number of the block */
    uint32_t right; /* the one after its last */
};

/* Accurate ECN's octet counters (RFC 9768 3.2.3), 24 bits each. The option holds the first `count`
 * of them: ECT(0), CE, ECT(1), or, in the other order (kind 174), ECT(1), CE, ECT(0). Those that
 * it does not hold are 0. */
struct slt_tcp_accecn_option {
    uint32_t e0b;
    uint32_t ceb;
    uint32_t e1b;
    uint8_t count; /* 0..3 */
    uint8_t order; /* 0: kind 172, 1: kind 174 */
};

struct slt_tcp_options {
    uint8_t present; /* of enum slt_tcp_option_bit */
    uint8_t wscale;  /* as received, not clamped: 0..255 */
    uint16_t mss;
    uint32_t ts_val;
    uint32_t ts_ecr;
    uint8_t sack_count;    /* 1..4 when SLT_TCP_OPT_SACK is present */
    uint8_t cookie_bytes;  /* 0, or 4..16 and even */
    uint16_t user_timeout; /* bit 15: minutes, else seconds; 15 bits of value */
    struct slt_tcp_sack_block sack[SLT_TCP_SACK_MAX];
    uint8_t cookie[SLT_TCP_COOKIE_MAX];
    struct slt_tcp_accecn_option accecn;
};

/* SLT_PASS, or SLT_DROP_TCP_OPTION_LENGTH. *out is fully written either way. */
SLT_MUST_USE enum slt_reason slt_tcp_options_parse(struct slt_span bytes,
                                                   struct slt_tcp_options *out);

/* Write the options in Linux's order: mss; sackOK and TS sharing four bytes, or each with its
 * NOPs; nop wscale; nop nop sack; fast open, whose NOPs stand behind it; user timeout; accurate
 * ECN; padded with NOPs before and zeros after (EOL) to a multiple of four (MUST-69). Returns bytes
 * written, 0 when they do not fit. */
uint32_t slt_tcp_options_emit(const struct slt_tcp_options *opt, struct slt_writer *w);

/* Bytes that slt_tcp_options_emit would write. */
uint32_t slt_tcp_options_bytes(const struct slt_tcp_options *opt);

/* Print like tcpdump ("mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7"); returns snprintf's count. */
int slt_tcp_options_print(const struct slt_tcp_options *opt, char *out, size_t size);

#endif
