/* Making frames from a line: layers between " / ", from the outermost to the innermost.
 *
 *   eth src= dst= type=            ip4 src= dst= ttl= id= tos= off= slice=a:b opts=HEX proto=
 *   ip6 src= dst= hop= tc= next=       [df] [mf] [sum=bad] ver= ihl= len= pad=
 *   ext kind= data=HEX             frag id= slice=a:b off= [m]     (IPv6 extension headers)
 *   tcp FLAGS seq= ack= len= ...   udp sport= dport=               icmp|icmp6 type= code= rest=HEX
 *   quote seq= total= src= ...       ns|na|redirect target= ...      ra life= ...
 *   arp op= sip= tip= smac= tmac=  raw len=|hex=
 *
 * What is left out is what a well-behaved peer would write; eth and ip come by themselves. Lengths
 * and checksums are right unless the line says otherwise. A `slice` cuts what lies inside into a
 * fragment. Frames are built from their end, each layer in front of the ones it carries. TCP and
 * the innermost layers stand in build_tcp.c.
 */
#include "tests/conform/build.h"

#include <stdlib.h>
#include <string.h>

uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i + 1 < count; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
    }
    if (count & 1) {
        sum += (uint32_t)bytes[count - 1] << 8;
    }
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

uint8_t *frame_push(struct frame *f, size_t bytes)
{
    f->start -= bytes;
    memset(f->bytes + f->start, 0, bytes);
    return f->bytes + f->start;
}

void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value & 0xffff);
}

uint32_t key_number(struct frame *f, const struct words *layer, const char *key, uint32_t missing)
{
    const char *text = words_value(layer, 1, key);
    uint32_t value = missing;
    if (text != NULL && !eval_number(f->world, text, &value)) {
        f->broken = true;
    }
    return value;
}

void key_address(struct frame *f, const struct words *layer, const char *key, const char *missing,
                 salut_addr *addr)
{
    const char *text = words_value(layer, 1, key);
    if (!eval_address(f->world, text == NULL ? missing : text, addr)) {
        f->broken = true;
        fail(f->world, "bad address for %s", key);
    }
}

static void key_mac(struct frame *f, const struct words *layer, const char *key,
                    const char *missing, uint8_t mac[6])
{
    const char *text = words_value(layer, 1, key);
    if (!eval_mac(text == NULL ? missing : text, mac)) {
        f->broken = true;
        fail(f->world, "bad station for %s", key);
    }
}

static bool is_ip(const struct words *layer)
{
    return strcmp(layer->word[0], "ip4") == 0 || strcmp(layer->word[0], "ip6") == 0;
}

void finish_checksum(struct frame *f, int at, struct checksum_place place)
{
    const struct words *outer = NULL;
    for (int i = at - 1; i >= 0 && outer == NULL; i--) {
        outer = is_ip(&f->layers[i]) ? &f->layers[i] : NULL;
    }
    const uint8_t *bytes = f->bytes + f->start;
    size_t count = f->end - f->start;
    uint32_t sum = 0;
    if (place.pseudo && outer != NULL) {
        salut_addr src;
        salut_addr dst;
        uint8_t tail[4] = {0, place.protocol, 0, 0};
        key_address(f, outer, "src", "peer", &src);
        key_address(f, outer, "dst", "us", &dst);
        size_t skip = strcmp(outer->word[0], "ip4") == 0 ? 12 : 0;
        sum = sum_add(sum, src.b + skip, 16 - skip);
        sum = sum_add(sum, dst.b + skip, 16 - skip);
        put16(tail + 2, (uint32_t)count);
        sum = sum_add(sum, tail, 4);
    }
    sum = ~sum_add(sum, bytes, count) & 0xffff;
    const char *wanted = words_value(&f->layers[at], 1, "sum");
    if (wanted != NULL && strcmp(wanted, "bad") == 0) {
        sum ^= 0x0100;
    } else if (wanted != NULL) {
        sum = (uint32_t)strtoul(wanted, NULL, 0);
    }
    put16(f->bytes + f->start + place.offset, sum);
}

static void cut_slice(struct frame *f, const struct words *layer, uint32_t *from)
{
    const char *slice = words_value(layer, 1, "slice");
    *from = 0;
    if (slice == NULL) {
        return;
    }
    char *end;
    size_t low = strtoul(slice, &end, 10);
    size_t high = *end == ':' && end[1] != '\0' ? strtoul(end + 1, NULL, 10) : f->end - f->start;
    if (low > high || f->start + high > f->end) {
        f->broken = true;
        fail(f->world, "the slice %s lies outside its %zu bytes", slice, f->end - f->start);
        return;
    }
    f->end = f->start + high;
    f->start += low;
    *from = (uint32_t)low;
}

static uint8_t protocol_of(const struct frame *f, int at)
{
    static const struct {
        const char *name;
        uint8_t number;
    } table[] = {{"tcp", 6}, {"udp", 17},      {"icmp", 1},  {"icmp6", 58}, {"ns", 58}, {"na", 58},
                 {"ra", 58}, {"redirect", 58}, {"frag", 44}, {"ip4", 4},    {"ip6", 41}};
    if (at >= f->count) {
        return 59;
    }
    const char *name = f->layers[at].word[0];
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, name) == 0) {
            return table[i].number;
        }
    }
    const char *kind = words_value(&f->layers[at], 1, "kind");
    return strcmp(name, "ext") == 0 && kind != NULL ? (uint8_t)strtoul(kind, NULL, 0) : 253;
}

/* The ECN bits that the TCP layer inside asks for. */
static uint32_t ecn_inside(struct frame *f, int at)
{
    bool tcp = at + 1 < f->count && strcmp(f->layers[at + 1].word[0], "tcp") == 0;
    return tcp ? key_number(f, &f->layers[at + 1], "ecn", 0) : 0;
}

static void push_ip4(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    uint8_t options[40];
    uint32_t from;
    const char *text = words_value(layer, 1, "opts");
    size_t option_bytes = text == NULL ? 0 : eval_hex(text, options, sizeof(options));
    salut_addr addr;
    cut_slice(f, layer, &from);
    size_t total = f->end - f->start + 20 + option_bytes;
    uint8_t *h = frame_push(f, 20 + option_bytes);
    uint32_t ihl = key_number(f, layer, "ihl", (uint32_t)(5 + option_bytes / 4));
    h[0] = (uint8_t)(key_number(f, layer, "ver", 4) << 4 | (ihl & 15));
    h[1] = (uint8_t)key_number(f, layer, "tos", ecn_inside(f, at));
    put16(h + 2, key_number(f, layer, "len", (uint32_t)total));
    put16(h + 4, key_number(f, layer, "id", 1));
    put16(h + 6, (words_has(layer, 1, "df") ? 0x4000U : 0U) |
                     (words_has(layer, 1, "mf") ? 0x2000U : 0U) |
                     (key_number(f, layer, "off", from) / 8 & 0x1fff));
    h[8] = (uint8_t)key_number(f, layer, "ttl", 64);
    h[9] = (uint8_t)key_number(f, layer, "proto", protocol_of(f, at + 1));
    key_address(f, layer, "src", "peer", &addr);
    memcpy(h + 12, addr.b + 12, 4);
    key_address(f, layer, "dst", "us", &addr);
    memcpy(h + 16, addr.b + 12, 4);
    memcpy(h + 20, options, option_bytes);
    uint32_t sum = ~sum_add(0, h, 20 + option_bytes) & 0xffff;
    put16(h + 10, words_value(layer, 1, "sum") != NULL ? sum ^ 0x0100 : sum);
    uint32_t pad = key_number(f, layer, "pad", 0);
    memset(f->bytes + f->end, 0xee, pad);
    f->end += pad;
}

static void push_ip6(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    salut_addr addr;
    uint32_t bytes = (uint32_t)(f->end - f->start);
    bool discovery = at + 1 < f->count && strchr("nr", f->layers[at + 1].word[0][0]) != NULL &&
                     protocol_of(f, at + 1) == 58;
    uint8_t *h = frame_push(f, 40);
    put32(h, key_number(f, layer, "ver", 6) << 28 |
                 key_number(f, layer, "tc", ecn_inside(f, at)) << 20 |
                 key_number(f, layer, "label", 0));
    put16(h + 4, key_number(f, layer, "len", bytes));
    h[6] = (uint8_t)key_number(f, layer, "next", protocol_of(f, at + 1));
    h[7] = (uint8_t)key_number(f, layer, "hop", discovery ? 255 : 64);
    key_address(f, layer, "src", "peer", &addr);
    memcpy(h + 8, addr.b, 16);
    key_address(f, layer, "dst", "us", &addr);
    memcpy(h + 24, addr.b, 16);
    uint32_t pad = key_number(f, layer, "pad", 0);
    memset(f->bytes + f->end, 0xee, pad);
    f->end += pad;
}

static void push_ext(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    uint8_t data[256];
    const char *text = words_value(layer, 1, "data");
    size_t bytes = text == NULL ? 0 : eval_hex(text, data, sizeof(data));
    size_t whole = (bytes + 2 + 7) / 8 * 8;
    uint8_t *h = frame_push(f, whole);
    h[0] = (uint8_t)key_number(f, layer, "next", protocol_of(f, at + 1));
    h[1] = (uint8_t)key_number(f, layer, "hlen", (uint32_t)(whole / 8 - 1));
    memcpy(h + 2, data, bytes);
    if (whole > bytes + 2 + 1) {
        h[bytes + 2] = 1; /* PadN */
        h[bytes + 3] = (uint8_t)(whole - bytes - 4);
    }
}

static void push_frag(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    uint32_t from;
    cut_slice(f, layer, &from);
    uint8_t *h = frame_push(f, 8);
    h[0] = (uint8_t)key_number(f, layer, "next", protocol_of(f, at + 1));
    put16(h + 2,
          (key_number(f, layer, "off", from) & 0xfff8) | (words_has(layer, 1, "m") ? 1U : 0U));
    put32(h + 4, key_number(f, layer, "id", 1));
}

static void push_eth(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    const char *inner = at + 1 < f->count ? f->layers[at + 1].word[0] : "";
    uint32_t type = strcmp(inner, "ip6") == 0 ? 0x86dd : strcmp(inner, "arp") == 0 ? 0x806 : 0x800;
    uint8_t *h = frame_push(f, 14);
    key_mac(f, layer, "dst", "us", h);
    key_mac(f, layer, "src", "peer", h + 6);
    put16(h + 12, key_number(f, layer, "type", type));
}

static void push_arp(struct frame *f, int at)
{
    const struct words *layer = &f->layers[at];
    salut_addr addr;
    uint8_t *h = frame_push(f, 28);
    put16(h, key_number(f, layer, "hw", 1));
    put16(h + 2, key_number(f, layer, "proto", 0x800));
    h[4] = (uint8_t)key_number(f, layer, "hlen", 6);
    h[5] = (uint8_t)key_number(f, layer, "plen", 4);
    put16(h + 6, key_number(f, layer, "op", 1));
    key_mac(f, layer, "smac", "peer", h + 8);
    key_address(f, layer, "sip", "peer", &addr);
    memcpy(h + 14, addr.b + 12, 4);
    key_mac(f, layer, "tmac", "zero", h + 18);
    key_address(f, layer, "tip", "us", &addr);
    memcpy(h + 24, addr.b + 12, 4);
    f->end -= key_number(f, layer, "cut", 0);
}

static bool push_layer(struct frame *f, int at)
{
    static const struct {
        const char *name;
        void (*push)(struct frame *, int);
    } table[] = {{"ip4", push_ip4},   {"ip6", push_ip6}, {"ext", push_ext},
                 {"frag", push_frag}, {"eth", push_eth}, {"arp", push_arp}};
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, f->layers[at].word[0]) == 0) {
            table[i].push(f, at);
            return !f->broken;
        }
    }
    return build_inner(f, at) && !f->broken;
}

static void insert_layer(struct frame *f, const char *text)
{
    for (int i = f->count; i > 0; i--) {
        words_cut(&f->layers[i], "", 0);
        f->layers[i].count = f->layers[i - 1].count;
        memcpy(f->layers[i].text, f->layers[i - 1].text, sizeof(f->layers[i].text));
        for (int n = 0; n < f->layers[i].count; n++) {
            f->layers[i].word[n] =
                f->layers[i].text + (f->layers[i - 1].word[n] - f->layers[i - 1].text);
        }
    }
    words_cut(&f->layers[0], text, strlen(text));
    f->count++;
}

static bool cut_layers(struct frame *f, const char *spec)
{
    const char *at = spec;
    while (f->count < LAYERS_MAX - 2) {
        const char *end = strstr(at, " / ");
        words_cut(&f->layers[f->count], at, end == NULL ? strlen(at) : (size_t)(end - at));
        if (f->layers[f->count].count == 0) {
            return fail(f->world, "an empty layer in \"%s\"", spec);
        }
        f->count++;
        if (end == NULL) {
            return true;
        }
        at = end + 3;
    }
    return fail(f->world, "too many layers in \"%s\"", spec);
}

bool build_frame(struct world *world, const char *spec, uint8_t *frame, uint32_t *bytes)
{
    static struct frame f;
    f.world = world;
    f.count = 0;
    f.broken = false;
    f.end = FRAME_BYTES - 4096;
    f.start = f.end;
    if (!cut_layers(&f, spec)) {
        return false;
    }
    bool linked = strcmp(f.layers[0].word[0], "eth") == 0;
    bool plain = strcmp(f.layers[0].word[0], "arp") == 0 || is_ip(&f.layers[0]);
    if (!linked && !plain) {
        insert_layer(&f, world->settings.ip6 ? "ip6" : "ip4");
    }
    if (!linked && world->settings.ethernet) {
        insert_layer(&f, "eth");
    }
    for (int i = f.count - 1; i >= 0; i--) {
        if (!push_layer(&f, i)) {
            return false;
        }
    }
    *bytes = (uint32_t)(f.end - f.start);
    memcpy(frame, f.bytes + f.start, *bytes);
    return true;
}
