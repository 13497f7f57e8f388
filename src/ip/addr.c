/* Kinds, prefixes and scopes of addresses, and reading them from text.
 *
 * The IPv6 reader keeps the groups before "::" and after it in one array with a mark between them,
 * and moves the second part to the end when all is read; a dotted quad counts as two groups and
 * must be the last thing. Zone suffixes are not read: a zone belongs to whoever names interfaces.
 */
#include "ip/addr.h"

#include "base/span.h"

bool slt_ip_addr_is_loopback(const uint8_t addr[16])
{
    static const uint8_t one[16] = {[15] = 1};
    if (slt_address_is_v4(addr)) {
        return addr[12] == 127;
    }
    return slt_ip_addr_equal(addr, one);
}

bool slt_ip_addr_is_broadcast(const uint8_t addr[16])
{
    static const uint8_t all[4] = {255, 255, 255, 255};
    return slt_address_is_v4(addr) && memcmp(addr + 12, all, sizeof(all)) == 0;
}

bool slt_ip_addr_is_unfit_source(const uint8_t addr[16])
{
    if (slt_address_is_v4(addr)) {
        /* RFC 1122 3.2.1.3 (R1122-03): 0/8, 127/8, 224/4; 240/4 holds the limited broadcast. */
        return addr[12] == 0 || addr[12] == 127 || addr[12] >= 224;
    }
    return slt_address_is_unspecified(addr) || addr[0] == 0xff || slt_ip_addr_is_loopback(addr);
}

uint32_t slt_ip_addr_common_bits(const uint8_t a[16], const uint8_t b[16])
{
    for (uint32_t i = 0; i < SLT_ADDRESS_BYTES; i += 4) {
        uint32_t differ = slt_get_u32(a + i) ^ slt_get_u32(b + i);
        if (differ != 0) {
            return 8 * i + (uint32_t)__builtin_clz(differ);
        }
    }
    return 128;
}

bool slt_ip_addr_in_prefix(const uint8_t addr[16], const uint8_t prefix[16], uint32_t bits)
{
    return slt_ip_addr_common_bits(addr, prefix) >= bits;
}

void slt_ip_addr_fill_host(uint8_t addr[16], uint32_t bits, bool ones)
{
    for (uint32_t i = 0; i < SLT_ADDRESS_BYTES; i++) {
        uint32_t kept = bits > 8 * i ? slt_min32(bits - 8 * i, 8) : 0;
        uint8_t host = (uint8_t)(0xffU >> kept);
        addr[i] = (uint8_t)(ones ? addr[i] | host : addr[i] & (uint8_t)~host);
    }
}

enum slt_ip_scope slt_ip_addr_scope(const uint8_t addr[16])
{
    if (slt_address_is_v4(addr)) {
        /* RFC 6724 3.2: autoconfigured and loopback IPv4 addresses have link scope, others,
         * private ones too, global scope. */
        bool link = slt_address_is_link_local(addr) || addr[12] == 127;
        return link ? SLT_IP_SCOPE_LINK : SLT_IP_SCOPE_GLOBAL;
    }
    if (addr[0] == 0xff) {
        uint32_t scope = addr[1] & 0x0fU;
        if (scope <= SLT_IP_SCOPE_INTERFACE) {
            return SLT_IP_SCOPE_INTERFACE;
        }
        if (scope <= SLT_IP_SCOPE_LINK) {
            return SLT_IP_SCOPE_LINK;
        }
        return scope <= SLT_IP_SCOPE_SITE ? SLT_IP_SCOPE_SITE : SLT_IP_SCOPE_GLOBAL;
    }
    if (slt_address_is_link_local(addr) || slt_ip_addr_is_loopback(addr)) {
        return SLT_IP_SCOPE_LINK;
    }
    /* The deprecated site-local prefix fec0::/10 keeps its scope (RFC 6724 3.1). */
    bool site = addr[0] == 0xfe && (addr[1] & 0xc0U) == 0xc0U;
    return site ? SLT_IP_SCOPE_SITE : SLT_IP_SCOPE_GLOBAL;
}

uint32_t slt_ip_addr_label(const uint8_t addr[16])
{
    /* RFC 6724 2.1, longest prefix first. */
    static const struct {
        uint8_t prefix[16];
        uint8_t bits;
        uint8_t label;
    } rows[] = {
        {{[15] = 1}, 128, 0},   {{[10] = 0xff, [11] = 0xff}, 96, 4},
        {{0}, 96, 3},           {{0x20, 0x01}, 32, 5},
        {{0x20, 0x02}, 16, 2},  {{0x3f, 0xfe}, 16, 12},
        {{0xfe, 0xc0}, 10, 11}, {{0xfc}, 7, 13},
    };
    for (uint32_t i = 0; i < SLT_ARRAY_COUNT(rows); i++) {
        if (slt_ip_addr_in_prefix(addr, rows[i].prefix, rows[i].bits)) {
            return rows[i].label;
        }
    }
    return 1;
}

/* Read a dotted quad at `*at`, moving it behind the last digit; four parts, 0..255, no leading
 * zeros, which some readers take for octal. */
static bool read_quad(const char **at, uint8_t out[4])
{
    const char *p = *at;
    for (uint32_t part = 0; part < 4; part++) {
        if (part > 0 && *p++ != '.') {
            return false;
        }
        uint32_t value = 0;
        uint32_t digits = 0;
        while (*p >= '0' && *p <= '9' && digits < 3) {
            value = value * 10 + (uint32_t)(*p++ - '0');
            digits++;
        }
        uint32_t least = digits == 3 ? 100 : (digits == 2 ? 10 : 0);
        if (digits == 0 || value > 255 || value < least) {
            return false;
        }
        out[part] = (uint8_t)value;
    }
    *at = p;
    return true;
}

static int32_t hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One group of one to four hexadecimal digits. */
static bool read_group(const char **at, uint8_t out[2])
{
    uint32_t value = 0;
    uint32_t digits = 0;
    while (digits < 4 && hex_value(**at) >= 0) {
        value = value << 4 | (uint32_t)hex_value(**at);
        (*at)++;
        digits++;
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return digits > 0 && hex_value(**at) < 0;
}

struct groups {
    uint8_t bytes[16];
    uint32_t count; /* bytes read */
    uint32_t gap;   /* where "::" stood; UINT32_MAX: nowhere */
};

/* One group, or the dotted quad in the place of the last two. */
static bool read_piece(const char **at, struct groups *g)
{
    const char *quad = *at;
    if (g->count <= 12 && read_quad(&quad, g->bytes + g->count)) {
        *at = quad;
        g->count += 4;
        return *quad != ':';
    }
    if (g->count > 14 || !read_group(at, g->bytes + g->count)) {
        return false;
    }
    g->count += 2;
    return true;
}

static bool read_groups(const char **at, struct groups *g)
{
    const char *p = *at;
    bool want = true; /* a piece must follow */
    if (p[0] == ':' && p[1] == ':') {
        g->gap = 0;
        p += 2;
        want = false;
    }
    while (want || hex_value(*p) >= 0) {
        if (!read_piece(&p, g)) {
            return false;
        }
        want = *p == ':';
        if (!want) {
            break;
        }
        p++;
        if (*p == ':') {
            if (g->gap != UINT32_MAX) {
                return false;
            }
            g->gap = g->count;
            p++;
            want = false;
        }
    }
    *at = p;
    return true;
}

static bool read_v6(const char **at, uint8_t out[16])
{
    struct groups g = {.gap = UINT32_MAX};
    if (!read_groups(at, &g)) {
        return false;
    }
    if (g.gap == UINT32_MAX) {
        if (g.count != 16) {
            return false;
        }
        memcpy(out, g.bytes, 16);
        return true;
    }
    /* "::" stands for at least one group (RFC 4291 2.2). */
    if (g.count > 14) {
        return false;
    }
    memset(out, 0, 16);
    memcpy(out, g.bytes, g.gap);
    memcpy(out + 16 - (g.count - g.gap), g.bytes + g.gap, g.count - g.gap);
    return true;
}

static bool read_address(const char **at, uint8_t out[16])
{
    uint8_t quad[4];
    const char *p = *at;
    if (read_quad(&p, quad)) {
        slt_address_set_v4(out, quad);
        *at = p;
        return true;
    }
    return read_v6(at, out);
}

bool slt_ip_addr_parse(const char *text, uint8_t addr[16])
{
    uint8_t out[16];
    if (!read_address(&text, out) || *text != '\0') {
        return false;
    }
    memcpy(addr, out, sizeof(out));
    return true;
}

bool slt_ip_prefix_parse(const char *text, uint8_t addr[16], uint8_t *bits)
{
    uint8_t out[16];
    if (!read_address(&text, out)) {
        return false;
    }
    uint32_t most = slt_address_is_v4(out) ? 32 : 128;
    uint32_t written = most;
    if (*text == '/') {
        text++;
        uint32_t digits = 0;
        written = 0;
        while (*text >= '0' && *text <= '9' && digits < 3) {
            written = written * 10 + (uint32_t)(*text++ - '0');
            digits++;
        }
        if (digits == 0 || written > most) {
            return false;
        }
    }
    if (*text != '\0') {
        return false;
    }
    memcpy(addr, out, sizeof(out));
    *bits = slt_ip_prefix_bits(out, (uint8_t)written);
    return true;
}

size_t slt_ip_addr_print(const uint8_t addr[16], char *out, size_t size)
{
    struct slt_text text;
    slt_text_init(&text, out, size);
    slt_address_text(&text, addr);
    return text.used;
}
