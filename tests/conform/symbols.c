/* Numbers, durations, addresses and flags of the line language.
 *
 * A number is a sum of decimal or 0x constants and symbols: iss and irs (the initial sequence
 * numbers), una, nxt (SND.UNA, SND.NXT as the wire showed them), rnxt (RCV.NXT), redge (the right
 * edge last advertised), mss (the effective send MSS by RFC 9293 3.7.1, worked out here), lport,
 * and names made by `let`. A constant may multiply a symbol (3*mss). Symbols have the values from
 * before the step, in the stimulus and in what is expected of it. Arithmetic is modulo 2^32.
 *
 * A duration is a sum of numbers with a unit (ns us ms s min h d), 2msl and msl.
 */
#include "tests/conform/conform.h"

#include <stdlib.h>
#include <string.h>

static bool symbol_value(struct world *world, const char *name, size_t bytes, uint32_t *value)
{
    const struct peer *before = &world->before;
    const struct {
        const char *name;
        uint32_t value;
    } table[] = {
        {"iss", peer_of(world)->iss},
        {"irs", peer_of(world)->irs},
        {"una", before->una},
        {"nxt", before->nxt},
        {"rnxt", before->rnxt},
        {"redge", before->redge},
        {"tslast", before->ts_last},
        {"mss", world_effective_mss(world)},
        {"lport", peer_of(world)->local_port},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strlen(table[i].name) == bytes && strncmp(table[i].name, name, bytes) == 0) {
            *value = table[i].value;
            return true;
        }
    }
    for (int i = 0; i < world->saved_count; i++) {
        if (strlen(world->saved[i].name) == bytes &&
            strncmp(world->saved[i].name, name, bytes) == 0) {
            *value = world->saved[i].value;
            return true;
        }
    }
    return false;
}

bool eval_number(struct world *world, const char *text, uint32_t *value)
{
    uint32_t sum = 0;
    uint32_t sign = 1;
    const char *at = text;
    if (*at == '\0') {
        return fail(world, "an empty number");
    }
    while (*at != '\0') {
        if (*at == '+' || *at == '-') {
            sign = *at == '+' ? 1U : UINT32_MAX;
            at++;
            continue;
        }
        uint32_t term = 0;
        size_t bytes = strcspn(at, "+-");
        if (*at >= '0' && *at <= '9') {
            char *end;
            uint32_t factor = 1;
            term = (uint32_t)strtoull(at, &end, 0);
            size_t used = (size_t)(end - at);
            bool times = used < bytes && *end == '*';
            if (times && !symbol_value(world, end + 1, bytes - used - 1, &factor)) {
                return fail(world, "\"%s\" is no product", text);
            }
            if (!times && used != bytes) {
                return fail(world, "\"%s\" is no number", text);
            }
            term *= factor;
        } else if (!symbol_value(world, at, bytes, &term)) {
            return fail(world, "\"%.*s\" is no symbol", (int)bytes, at);
        }
        sum += sign * term;
        sign = 1;
        at += bytes;
    }
    *value = sum;
    return true;
}

static bool unit_ns(const char *unit, size_t bytes, int64_t *ns)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", 1000000000},
        {"min", 60000000000},
        {"h", 3600000000000},
        {"d", 86400000000000},
    };
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strlen(units[i].name) == bytes && strncmp(units[i].name, unit, bytes) == 0) {
            *ns = units[i].ns;
            return true;
        }
    }
    return false;
}

bool eval_duration(const struct world *world, const char *text, int64_t *ns)
{
    int64_t sum = 0;
    int64_t sign = 1;
    const char *at = text;
    while (*at != '\0') {
        if (*at == '+' || *at == '-') {
            sign = *at == '+' ? 1 : -1;
            at++;
            continue;
        }
        size_t bytes = strcspn(at, "+-");
        if (strncmp(at, "2msl", bytes) == 0 && bytes == 4) {
            sum += sign * 2 * world->config.msl_ns;
        } else if (strncmp(at, "msl", bytes) == 0 && bytes == 3) {
            sum += sign * world->config.msl_ns;
        } else {
            char *end;
            double number = strtod(at, &end);
            int64_t unit;
            if (end == at || !unit_ns(end, bytes - (size_t)(end - at), &unit)) {
                return false;
            }
            sum += sign * (int64_t)(number * (double)unit + 0.5);
        }
        sign = 1;
        at += bytes;
    }
    *ns = sum;
    return true;
}

bool eval_address(const struct world *world, const char *text, salut_addr *addr)
{
    static const struct {
        const char *name;
        const char *ip4;
        const char *ip6;
    } names[] = {
        {"us", "192.0.2.1", "2001:db8::1"},
        {"us2", "192.0.2.3", "2001:db8::3"},
        {"peer", "192.0.2.2", "2001:db8::2"},
        {"far", "198.51.100.7", "2001:db8:ffff::7"},
        {"gw", "192.0.2.254", "2001:db8::fe"},
        {"other", "192.0.2.77", "2001:db8::77"},
        {"any", "0.0.0.0", "::"},
        {"lo", "127.0.0.1", "::1"},
        {"bcast", "255.255.255.255", "ff02::1"},
        {"subnet", "192.0.2.255", "ff02::1"},
        {"mcast", "224.0.0.1", "ff02::1"},
        {"sol", "224.0.0.1", "ff02::1:ff00:1"},
        {"llus", "169.254.0.1", "fe80::1"},
        {"llpeer", "169.254.0.2", "fe80::2"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, text) == 0) {
            const char *plain = world->settings.ip6 ? names[i].ip6 : names[i].ip4;
            return salut_addr_parse(plain, addr) == SALUT_OK;
        }
    }
    return salut_addr_parse(text, addr) == SALUT_OK;
}

bool eval_mac(const char *text, uint8_t mac[6])
{
    static const struct {
        const char *name;
        uint8_t mac[6];
    } names[] = {
        {"us", {2, 0, 0, 0, 0, 1}},           {"peer", {2, 0, 0, 0, 0, 2}},
        {"peer2", {2, 0, 0, 0, 0, 3}},        {"gw", {2, 0, 0, 0, 0, 0xfe}},
        {"other", {2, 0, 0, 0, 0, 0x77}},     {"bcast", {255, 255, 255, 255, 255, 255}},
        {"mcast", {1, 0, 0x5e, 0, 0, 1}},     {"mcast6", {0x33, 0x33, 0, 0, 0, 1}},
        {"sol", {0x33, 0x33, 0xff, 0, 0, 1}}, {"solpeer", {0x33, 0x33, 0xff, 0, 0, 2}},
        {"zero", {0, 0, 0, 0, 0, 0}},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, text) == 0) {
            memcpy(mac, names[i].mac, 6);
            return true;
        }
    }
    return eval_hex(text, mac, 6) == 6;
}

size_t eval_hex(const char *text, uint8_t *out, size_t max)
{
    size_t bytes = 0;
    while (bytes < max && text[0] != '\0' && text[1] != '\0') {
        char pair[3] = {text[0], text[1], '\0'};
        char *end;
        out[bytes] = (uint8_t)strtoul(pair, &end, 16);
        if (*end != '\0') {
            return bytes;
        }
        bytes++;
        text += 2;
    }
    return bytes;
}

static const char flag_letters[] = "FSRPAUECN";

uint16_t flags_parse(const char *text)
{
    uint16_t flags = 0;
    for (; *text != '\0'; text++) {
        const char *found = strchr(flag_letters, *text);
        if (*text == '0') {
            continue;
        }
        if (found == NULL) {
            return UINT16_MAX;
        }
        flags = (uint16_t)(flags | 1U << (found - flag_letters));
    }
    return flags;
}

void flags_print(uint16_t flags, char out[12])
{
    static const char order[] = "SFRPAUECN";
    size_t bytes = 0;
    for (const char *at = order; *at != '\0'; at++) {
        if (flags & (1U << (strchr(flag_letters, *at) - flag_letters))) {
            out[bytes++] = *at;
        }
    }
    if (bytes == 0) {
        out[bytes++] = '0';
    }
    out[bytes] = '\0';
}
