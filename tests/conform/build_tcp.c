/* The layers inside IP. A TCP segment takes from the peer what the line leaves out: ports, SEQ =
 * RCV.NXT of the stack, ACK = everything the stack has sent, the window of the row's settings,
 * the options of the peer's SYN, and timestamps once they are negotiated. Its payload is the
 * pattern of its position in the stream. What the segment acknowledges becomes `una`. ecn=N are
 * the two bits of the IP header around it; `fo` is a request for a fast open cookie, fo=last shows
 * the last one that the stack gave to anybody, fo=bad one that it gave to nobody.
 */
#include "tests/conform/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t put_timestamps(struct frame *f, const struct words *layer, uint8_t *out)
{
    struct peer *peer = peer_of(f->world);
    const char *text = words_value(layer, 2, "ts");
    uint32_t val = (uint32_t)(f->world->now_ns / 1000000) + 1000000 + peer->ts_skew;
    uint32_t ecr = peer->ts_last;
    if (text != NULL) {
        char first[64];
        size_t bytes = strcspn(text, ":");
        snprintf(first, sizeof(first), "%.*s", (int)bytes, text);
        f->broken = !eval_number(f->world, first, &val) || f->broken;
        if (text[bytes] == ':') {
            f->broken = !eval_number(f->world, text + bytes + 1, &ecr) || f->broken;
        }
    }
    out[0] = 1;
    out[1] = 1;
    out[2] = 8;
    out[3] = 10;
    put32(out + 4, val);
    put32(out + 8, ecr);
    return 12;
}

static size_t put_sack(struct frame *f, const char *text, uint8_t *out)
{
    size_t bytes = 4;
    char part[64];
    out[0] = 1;
    out[1] = 1;
    out[2] = 5;
    while (*text != '\0' && bytes + 8 <= 40) {
        for (int side = 0; side < 2; side++) {
            size_t length = strcspn(text, ":/");
            uint32_t value = 0;
            snprintf(part, sizeof(part), "%.*s", (int)length, text);
            f->broken = !eval_number(f->world, part, &value) || f->broken;
            put32(out + bytes, value);
            bytes += 4;
            text += length + (text[length] == '\0' ? 0 : 1);
        }
    }
    out[3] = (uint8_t)(bytes - 2);
    return bytes;
}

static size_t put_syn_options(struct frame *f, const struct words *layer, uint8_t *out)
{
    const struct settings *s = &f->world->settings;
    size_t bytes = 0;
    uint32_t mss = key_number(f, layer, "mss", (uint32_t)s->mss);
    uint32_t scale = key_number(f, layer, "ws", (uint32_t)s->wscale);
    if (mss != UINT32_MAX) {
        out[bytes++] = 2;
        out[bytes++] = 4;
        put16(out + bytes, mss);
        bytes += 2;
    }
    if (s->sack || words_has(layer, 2, "sackok")) {
        memcpy(out + bytes, "\1\1\4\2", 4);
        bytes += 4;
    }
    if (scale != UINT32_MAX) {
        memcpy(out + bytes, "\1\3\3", 3);
        out[bytes + 3] = (uint8_t)scale;
        bytes += 4;
    }
    return bytes;
}

/* `fo` asks for a fast open cookie, fo=last shows the one given last, fo=bad another. */
static size_t put_cookie(struct frame *f, const char *text, uint8_t *out)
{
    size_t bytes = text == NULL ? 0 : f->world->cookie_bytes;
    memcpy(out + 4, f->world->cookie, bytes);
    if (text != NULL && strcmp(text, "bad") == 0 && bytes > 0) {
        out[4] ^= 1U;
    }
    out[0] = 1;
    out[1] = 1;
    out[2] = 34;
    out[3] = (uint8_t)(2 + bytes);
    return 4 + bytes;
}

static size_t put_options(struct frame *f, const struct words *layer, uint16_t flags, uint8_t *out)
{
    const char *raw = words_value(layer, 2, "opt");
    const char *sack = words_value(layer, 2, "sack");
    size_t bytes = 0;
    bool syn = (flags & 2) != 0;
    if (words_has(layer, 2, "noopt")) {
        return 0;
    }
    if (raw != NULL) {
        bytes = eval_hex(raw, out, 40);
    } else if (syn) {
        bytes = put_syn_options(f, layer, out);
    }
    bool wanted = syn ? f->world->settings.ts : peer_of(f->world)->ts_on && (flags & 4) == 0;
    if (words_value(layer, 2, "ts") != NULL || (wanted && !words_has(layer, 2, "nots"))) {
        bytes += put_timestamps(f, layer, out + bytes);
    }
    if (sack != NULL && bytes <= 28) {
        bytes += put_sack(f, sack, out + bytes);
    }
    if (words_has(layer, 2, "fo") || words_value(layer, 2, "fo") != NULL) {
        bytes += put_cookie(f, words_value(layer, 2, "fo"), out + bytes);
    }
    while (bytes & 3) {
        out[bytes++] = 0;
    }
    return bytes;
}

/* What the peer now knows because it sent this. */
static void note_sent(struct world *world, uint16_t flags, uint32_t ack)
{
    struct peer *peer = peer_of(world);
    if ((flags & 0x14) == 0x10 && (int32_t)(ack - peer->una) > 0 &&
        (int32_t)(peer->nxt - ack) >= 0) {
        peer->una = ack;
    }
}

static void push_tcp(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    struct peer *peer = peer_of(f->world);
    uint16_t flags = layer->count > 1 ? flags_parse(layer->word[1]) : UINT16_MAX;
    if (flags == UINT16_MAX) {
        f->broken = true;
        fail(f->world, "a TCP layer wants flags");
        return;
    }
    uint8_t options[80];
    size_t option_bytes = put_options(f, layer, flags, options);
    uint32_t seq = key_number(f, layer, "seq", f->world->before.rnxt);
    uint32_t len = key_number(f, layer, "len", 0);
    bool acking = (flags & 0x10) != 0;
    uint32_t ack = key_number(f, layer, "ack", acking ? f->world->before.nxt : 0);
    uint8_t *data = frame_push(f, len);
    uint32_t first = seq + ((flags & 2) ? 1U : 0U) - peer->irs;
    for (uint32_t i = 0; i < len; i++) {
        data[i] = words_has(layer, 2, "garbage") ? 0xff : pattern_byte(first + i);
    }
    uint8_t *h = frame_push(f, 20 + option_bytes);
    put16(h, key_number(f, layer, "sport", peer->port));
    put16(h + 2, key_number(f, layer, "dport", peer->local_port));
    put32(h + 4, seq);
    put32(h + 8, ack);
    h[12] = (uint8_t)(key_number(f, layer, "off", (uint32_t)(5 + option_bytes / 4)) << 4 |
                      key_number(f, layer, "res", 0) << 1 | (flags >> 8 & 1));
    h[13] = (uint8_t)flags;
    put16(h + 14, key_number(f, layer, "win", f->world->settings.window));
    put16(h + 18, key_number(f, layer, "urg", 0));
    memcpy(h + 20, options, option_bytes);
    f->end -= key_number(f, layer, "cut", 0);
    finish_checksum(f, at, (struct checksum_place){16, 6, true});
    if (words_value(layer, 2, "sum") == NULL) {
        note_sent(f->world, flags, ack);
    }
}

static void push_udp(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    uint8_t *h = frame_push(f, 8);
    put16(h, key_number(f, layer, "sport", 5000));
    put16(h + 2, key_number(f, layer, "dport", 7));
    put16(h + 4, key_number(f, layer, "len", (uint32_t)(f->end - f->start)));
    finish_checksum(f, at, (struct checksum_place){6, 17, true});
}

static void push_icmp(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    bool six = strcmp(layer->word[0], "icmp6") == 0;
    uint8_t *h = frame_push(f, 8);
    const char *rest = words_value(layer, 1, "rest");
    h[0] = (uint8_t)key_number(f, layer, "type", six ? 128 : 8);
    h[1] = (uint8_t)key_number(f, layer, "code", 0);
    if (rest != NULL) {
        eval_hex(rest, h + 4, 4);
    }
    if (words_value(layer, 1, "mtu") != NULL) {
        put32(h + 4, key_number(f, layer, "mtu", 0));
    }
    f->end -= key_number(f, layer, "cut", 0);
    finish_checksum(f, at, (struct checksum_place){2, 58, six});
}

/* The beginning of a packet of ours, as an ICMP error quotes it. */
static void push_quote(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    const struct peer *peer = peer_of(f->world);
    salut_addr src;
    salut_addr dst;
    uint32_t bytes = key_number(f, layer, "bytes", 8);
    uint8_t *t = frame_push(f, bytes < 8 ? 8 : bytes);
    f->end -= bytes < 8 ? 8 - bytes : 0;
    put16(t, key_number(f, layer, "sport", peer->local_port));
    put16(t + 2, key_number(f, layer, "dport", peer->port));
    put32(t + 4, key_number(f, layer, "seq", f->world->before.una));
    key_address(f, layer, "src", "us", &src);
    key_address(f, layer, "dst", "peer", &dst);
    uint32_t protocol = key_number(f, layer, "proto", 6);
    if (f->world->settings.ip6) {
        uint8_t *h = frame_push(f, 40);
        h[0] = 0x60;
        put16(h + 4, 120);
        h[6] = (uint8_t)protocol;
        h[7] = 60;
        memcpy(h + 8, src.b, 16);
        memcpy(h + 24, dst.b, 16);
        return;
    }
    uint8_t *h = frame_push(f, 20);
    h[0] = 0x45;
    put16(h + 2, key_number(f, layer, "total", 140));
    put16(h + 6, 0x4000);
    h[8] = 60;
    h[9] = (uint8_t)protocol;
    memcpy(h + 12, src.b + 12, 4);
    memcpy(h + 16, dst.b + 12, 4);
    put16(h + 10, ~sum_add(0, h, 20) & 0xffff);
}

/* A neighbour discovery option with a link-layer address. */
static void push_station(struct frame *f, const struct words *layer, const char *key, uint8_t kind)
{
    const char *text = words_value(layer, 1, key);
    if (text == NULL) {
        return;
    }
    uint8_t *o = frame_push(f, 8);
    o[0] = kind;
    o[1] = (uint8_t)key_number(f, layer, "olen", 1);
    f->broken = !eval_mac(text, o + 2) || f->broken;
}

static void push_neighbour(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    bool advert = strcmp(layer->word[0], "na") == 0;
    salut_addr target;
    const char *flags = words_value(layer, 1, "flags");
    push_station(f, layer, advert ? "tll" : "sll", advert ? 2 : 1);
    key_address(f, layer, "target", advert ? "peer" : "us", &target);
    uint8_t *h = frame_push(f, 24);
    h[0] = advert ? 136 : 135;
    h[1] = (uint8_t)key_number(f, layer, "code", 0);
    if (advert && flags != NULL) {
        h[4] = (uint8_t)((strchr(flags, 'R') != NULL ? 0x80U : 0U) |
                         (strchr(flags, 'S') != NULL ? 0x40U : 0U) |
                         (strchr(flags, 'O') != NULL ? 0x20U : 0U));
    }
    memcpy(h + 8, target.b, 16);
    f->end -= key_number(f, layer, "cut", 0);
    finish_checksum(f, at, (struct checksum_place){2, 58, true});
}

static void push_redirect(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    salut_addr target;
    salut_addr dest;
    key_address(f, layer, "target", "gw", &target);
    key_address(f, layer, "dest", "far", &dest);
    uint8_t *h = frame_push(f, 40);
    h[0] = 137;
    memcpy(h + 8, target.b, 16);
    memcpy(h + 24, dest.b, 16);
    finish_checksum(f, at, (struct checksum_place){2, 58, true});
}

static void push_advertisement(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    if (words_value(layer, 1, "prefix") != NULL) {
        salut_addr prefix;
        key_address(f, layer, "prefix", "us", &prefix);
        uint8_t *o = frame_push(f, 32);
        o[0] = 3;
        o[1] = 4;
        o[2] = (uint8_t)key_number(f, layer, "plen", 64);
        o[3] = (uint8_t)key_number(f, layer, "pflags", 0xc0);
        put32(o + 4, key_number(f, layer, "valid", 86400));
        put32(o + 8, key_number(f, layer, "preferred", 14400));
        memcpy(o + 16, prefix.b, 16);
    }
    if (words_value(layer, 1, "mtu") != NULL) {
        uint8_t *o = frame_push(f, 8);
        o[0] = 5;
        o[1] = 1;
        put32(o + 4, key_number(f, layer, "mtu", 1500));
    }
    push_station(f, layer, "sll", 1);
    uint8_t *h = frame_push(f, 16);
    h[0] = 134;
    h[1] = (uint8_t)key_number(f, layer, "code", 0);
    h[4] = (uint8_t)key_number(f, layer, "hops", 0);
    put16(h + 6, key_number(f, layer, "life", 1800));
    put32(h + 8, key_number(f, layer, "reachable", 0));
    put32(h + 12, key_number(f, layer, "retrans", 0));
    finish_checksum(f, at, (struct checksum_place){2, 58, true});
}

static void push_raw(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    uint8_t data[2048];
    const char *text = words_value(layer, 1, "hex");
    size_t bytes = text == NULL ? 0 : eval_hex(text, data, sizeof(data));
    uint32_t len = key_number(f, layer, "len", (uint32_t)bytes);
    uint8_t *out = frame_push(f, len);
    for (uint32_t i = 0; i < len; i++) {
        out[i] = i < bytes ? data[i] : pattern_byte(i);
    }
}

bool build_inner(struct frame *f, int at)
{
    static const struct {
        const char *name;
        void (*push)(struct frame *, int);
    } table[] = {{"tcp", push_tcp},      {"udp", push_udp},          {"icmp", push_icmp},
                 {"icmp6", push_icmp},   {"quote", push_quote},      {"ns", push_neighbour},
                 {"na", push_neighbour}, {"ra", push_advertisement}, {"redirect", push_redirect},
                 {"raw", push_raw}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, f->layers[at].word[0]) == 0) {
            table[i].push(f, at);
            return true;
        }
    }
    return fail(f->world, "\"%s\" is no layer", f->layers[at].word[0]);
}
