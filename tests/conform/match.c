/* Comparing what was emitted with what a row expects: a list of items between ", ".
 *
 * A TCP item is `FLAGS[*COUNT] [key=value ...]`; flags, seq, ack and len are always compared: seq
 * is nxt, ack is rnxt (with the ACK bit), len is 0 unless the item says otherwise. Further keys:
 * win urg mss ws uto ttl tos tsval tsecr (numbers), sack=L:R/L:R or sack=none, opts=mss/sackok/...,
 * fo acc (how many octets of cookie, how many counters of AccECN) e0b ceb e1b (those), ts nots
 * sackok nosackok nomss nows nofo noacc df (facts), src dst sport dport (addresses), to=PEER, and
 * @TIME: when it left, since the step began. A number may be `>N`, `<N` or `*`. COUNT packets
 * follow one another in sequence space, or are the same one over again when the item says `same`.
 *
 * Other items: `icmp|icmp6 type= code= [len=] [rest=HEX] [mtu=] [pattern] [quote]`,
 * `arp op= sip= tip= smac= tmac=`, `ns|na target= flags= sll=|tll=`, `rs`, `mld`, `udp`, each with
 * src= dst= edst= ttl=.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct item {
    struct world *world;
    struct words words;
    const struct packet *packet;
    uint32_t ahead; /* sequence space of the packets before it, in a counted item */
    char problem[160];
};

void packet_print(const struct packet *p, char *out, size_t size)
{
    char flags[12];
    flags_print(p->flags, flags);
    if (p->kind == PACKET_TCP) {
        snprintf(out, size, "%s seq=%u ack=%u len=%u win=%u urg=%u opts=%s ports %u>%u", flags,
                 p->seq, p->ack, p->payload_bytes, p->window, p->urgent, p->option_order,
                 p->src_port, p->dst_port);
        return;
    }
    static const char *const names[] = {"tcp", "udp", "icmp", "icmp6", "arp", "packet"};
    snprintf(out, size, "%s type=%u code=%u len=%u", names[p->kind], p->type, p->code,
             p->body_bytes);
}

static bool wrong(struct item *item, const char *what)
{
    if (item->problem[0] == '\0') {
        snprintf(item->problem, sizeof(item->problem), "%s", what);
    }
    return false;
}

static bool number_holds(struct item *item, const char *text, uint32_t is)
{
    char sign = '=';
    uint32_t wanted;
    if (strcmp(text, "*") == 0) {
        return true;
    }
    if (*text == '>' || *text == '<') {
        sign = *text++;
    }
    if (!eval_number(item->world, text, &wanted)) {
        return false;
    }
    int32_t difference = (int32_t)(is - wanted);
    return sign == '=' ? difference == 0 : sign == '>' ? difference > 0 : difference < 0;
}

/* Compare a number that is always looked at. */
static bool number_is(struct item *item, const char *key, const char *missing, uint32_t is)
{
    const char *text = words_value(&item->words, 1, key);
    return number_holds(item, text == NULL ? missing : text, is) || wrong(item, key);
}

/* Compare a number that is looked at when the item names it. */
static bool number_if(struct item *item, const char *key, uint32_t is)
{
    const char *text = words_value(&item->words, 1, key);
    return text == NULL || number_holds(item, text, is) || wrong(item, key);
}

static bool fact_if(struct item *item, const char *key, bool is)
{
    return !words_has(&item->words, 1, key) || is || wrong(item, key);
}

static bool address_is(struct item *item, const char *key, const char *missing, const uint8_t *is)
{
    const char *text = words_value(&item->words, 1, key);
    salut_addr addr;
    text = text == NULL ? missing : text;
    if (text == NULL || strcmp(text, "*") == 0) {
        return true;
    }
    if (!eval_address(item->world, text, &addr)) {
        return fail(item->world, "bad address \"%s\"", text);
    }
    return memcmp(addr.b, is, 16) == 0 || wrong(item, key);
}

static bool mac_is(struct item *item, const char *key, const uint8_t *is)
{
    const char *text = words_value(&item->words, 1, key);
    uint8_t mac[6];
    if (text == NULL) {
        return true;
    }
    if (!eval_mac(text, mac)) {
        return fail(item->world, "bad station \"%s\"", text);
    }
    return (is != NULL && memcmp(mac, is, 6) == 0) || wrong(item, key);
}

static bool time_is(struct item *item)
{
    for (int i = 1; i < item->words.count; i++) {
        int64_t wanted;
        if (item->words.word[i][0] != '@') {
            continue;
        }
        if (!eval_duration(item->world, item->words.word[i] + 1, &wanted)) {
            return fail(item->world, "\"%s\" is no time", item->words.word[i]);
        }
        int64_t is = item->packet->at_ns - item->world->step_at_ns;
        if (is < wanted || is > wanted + 1000000) {
            snprintf(item->problem, sizeof(item->problem), "time: it left at %.6f s",
                     (double)is / 1e9);
            return false;
        }
    }
    return true;
}

static bool sack_is(struct item *item)
{
    const char *text = words_value(&item->words, 1, "sack");
    const struct packet *p = item->packet;
    if (text == NULL) {
        return true;
    }
    if (strcmp(text, "none") == 0) {
        return p->sack_count == 0 || wrong(item, "sack");
    }
    for (int i = 0; i < p->sack_count; i++) {
        for (int side = 0; side < 2; side++) {
            char part[64];
            size_t bytes = strcspn(text, ":/");
            snprintf(part, sizeof(part), "%.*s", (int)bytes, text);
            if (bytes == 0 || !number_holds(item, part, p->sack[i][side])) {
                return wrong(item, "sack");
            }
            text += bytes + (text[bytes] == '\0' ? 0 : 1);
        }
    }
    return *text == '\0' || wrong(item, "sack");
}

static bool ports_are(struct item *item)
{
    const struct packet *p = item->packet;
    const char *to = words_value(&item->words, 1, "to");
    const struct peer *peer = peer_of(item->world);
    if (to != NULL) {
        peer = &item->world->peers[strtoul(to, NULL, 10) % PEERS_MAX];
    }
    bool same = p->src_port == peer->local_port && p->dst_port == peer->port;
    return same || words_value(&item->words, 1, "dport") != NULL || wrong(item, "ports");
}

static bool tcp_options_are(struct item *item)
{
    const struct packet *p = item->packet;
    const char *order = words_value(&item->words, 1, "opts");
    if (order != NULL && strcmp(order, p->option_order) != 0) {
        return wrong(item, "opts");
    }
    return number_if(item, "mss", (uint32_t)p->mss) && number_if(item, "ws", (uint32_t)p->wscale) &&
           number_if(item, "tsval", p->ts_val) && number_if(item, "tsecr", p->ts_ecr) &&
           fact_if(item, "ts", p->ts) && fact_if(item, "nots", !p->ts) &&
           fact_if(item, "sackok", p->sack_ok) && fact_if(item, "nosackok", !p->sack_ok) &&
           number_if(item, "fo", (uint32_t)p->cookie_bytes) &&
           fact_if(item, "nofo", p->cookie_bytes < 0) &&
           number_if(item, "acc", (uint32_t)p->accecn_count) &&
           fact_if(item, "noacc", p->accecn_count < 0) && number_if(item, "e0b", p->accecn[0]) &&
           number_if(item, "ceb", p->accecn[1]) && number_if(item, "e1b", p->accecn[2]) &&
           number_if(item, "uto", (uint32_t)p->uto) && fact_if(item, "nouto", p->uto < 0) &&
           fact_if(item, "nomss", p->mss < 0) && fact_if(item, "nows", p->wscale < 0) &&
           sack_is(item);
}

static bool tcp_is(struct item *item, uint16_t flags)
{
    const struct packet *p = item->packet;
    if (p->kind != PACKET_TCP || p->flags != flags) {
        return wrong(item, "flags");
    }
    return number_is(item, "seq", "nxt", p->seq - item->ahead) &&
           number_is(item, "ack", (flags & 0x10) ? "rnxt" : "0", p->ack) &&
           number_is(item, "len", "0", p->payload_bytes) && number_if(item, "win", p->window) &&
           number_if(item, "urg", p->urgent) && number_if(item, "ttl", p->ttl) &&
           number_if(item, "tos", p->tos) && number_if(item, "sport", p->src_port) &&
           number_if(item, "dport", p->dst_port) && address_is(item, "src", "us", p->src) &&
           address_is(item, "dst", "peer", p->dst) && ports_are(item) &&
           fact_if(item, "df", p->df) && tcp_options_are(item);
}

static bool icmp_is(struct item *item, enum packet_kind kind)
{
    const struct packet *p = item->packet;
    const char *rest = words_value(&item->words, 1, "rest");
    uint8_t bytes[4] = {0};
    if (p->kind != kind) {
        return wrong(item, "kind");
    }
    if (rest != NULL && (eval_hex(rest, bytes, 4) != 4 || memcmp(bytes, p->body + 4, 4) != 0)) {
        return wrong(item, "rest");
    }
    for (uint32_t i = 8; i < p->body_bytes && words_has(&item->words, 1, "pattern"); i++) {
        if (p->body[i] != pattern_byte(i - 8)) {
            return wrong(item, "pattern");
        }
    }
    if (words_has(&item->words, 1, "quote") && p->body_bytes < (p->family == 4 ? 36U : 48U)) {
        return wrong(item, "quote");
    }
    return number_is(item, "type", "*", p->type) && number_is(item, "code", "0", p->code) &&
           number_if(item, "len", p->body_bytes - 8) && number_if(item, "ttl", p->ttl) &&
           address_is(item, "src", "us", p->src) && address_is(item, "dst", "peer", p->dst);
}

static bool arp_is(struct item *item)
{
    const struct packet *p = item->packet;
    if (p->kind != PACKET_ARP) {
        return wrong(item, "kind");
    }
    return number_is(item, "op", "1", p->type) && address_is(item, "sip", "us", p->src) &&
           address_is(item, "tip", "peer", p->dst) && mac_is(item, "smac", p->body + 8) &&
           mac_is(item, "tmac", p->body + 18);
}

static const uint8_t *station_option(const struct packet *p, uint32_t from, uint8_t kind)
{
    for (uint32_t at = from; at + 8 <= p->body_bytes && p->body[at + 1] > 0;
         at += 8U * p->body[at + 1]) {
        if (p->body[at] == kind) {
            return p->body + at + 2;
        }
    }
    return NULL;
}

static bool neighbour_is(struct item *item, uint8_t type)
{
    const struct packet *p = item->packet;
    const char *flags = words_value(&item->words, 1, "flags");
    if (p->kind != PACKET_ICMP6 || p->type != type || p->body_bytes < 24) {
        return wrong(item, "kind");
    }
    for (const char *each = "RSO"; flags != NULL && *each != '\0'; each++) {
        bool is = (p->body[4] & (0x80 >> (each - "RSO"))) != 0;
        if (is != (strchr(flags, *each) != NULL)) {
            return wrong(item, "flags");
        }
    }
    if (p->ttl != 255) {
        return wrong(item, "hop limit 255");
    }
    return address_is(item, "target", type == 135 ? "peer" : "us", p->body + 8) &&
           address_is(item, "src", NULL, p->src) && address_is(item, "dst", NULL, p->dst) &&
           mac_is(item, "sll", station_option(p, 24, 1)) &&
           mac_is(item, "tll", station_option(p, 24, 2));
}

static bool packet_is(struct item *item, const char *name)
{
    const struct packet *p = item->packet;
    if (!mac_is(item, "edst", p->eth_dst)) {
        return false;
    }
    if (strcmp(name, "icmp") == 0 || strcmp(name, "icmp6") == 0) {
        return icmp_is(item, name[4] == '6' ? PACKET_ICMP6 : PACKET_ICMP4);
    }
    if (strcmp(name, "arp") == 0) {
        return arp_is(item);
    }
    if (strcmp(name, "ns") == 0 || strcmp(name, "na") == 0) {
        return neighbour_is(item, name[1] == 's' ? 135 : 136);
    }
    if (strcmp(name, "rs") == 0 || strcmp(name, "mld") == 0) {
        uint8_t type = name[0] == 'r' ? 133 : 143;
        return (p->kind == PACKET_ICMP6 && p->type == type) || wrong(item, "kind");
    }
    uint16_t flags = flags_parse(name);
    if (flags == UINT16_MAX) {
        return fail(item->world, "\"%s\" is neither flags nor a kind of packet", name);
    }
    return tcp_is(item, flags);
}

static bool complain(struct world *world, const struct item *item, const char *text, size_t bytes)
{
    char printed[256];
    if (world->error[0] != '\0') {
        return false;
    }
    packet_print(item->packet, printed, sizeof(printed));
    const struct peer *b = &world->before;
    return fail(world,
                "emitted: %s\n    expected: %.*s (differs in %s)\n"
                "    iss=%u irs=%u una=%u nxt=%u rnxt=%u redge=%u",
                printed, (int)bytes, text, item->problem, world->peers[world->at].iss,
                world->peers[world->at].irs, b->una, b->nxt, b->rnxt, b->redge);
}

/* One item of the list, which stands for one packet or a counted run. */
static bool match_item(struct world *world, const char *text, size_t bytes, size_t *at)
{
    static struct item item;
    item.world = world;
    item.ahead = 0;
    words_cut(&item.words, text, bytes);
    if (item.words.count == 0) {
        return fail(world, "an empty item in the expectation");
    }
    char *star = strchr(item.words.word[0], '*');
    unsigned long count = star == NULL ? 1 : strtoul(star + 1, NULL, 10);
    if (star != NULL) {
        *star = '\0';
    }
    bool again = words_has(&item.words, 1, "same");
    for (unsigned long i = 0; i < count; i++) {
        if (*at >= world->packet_count) {
            return fail(world, "nothing more was emitted, expected: %.*s (number %lu)", (int)bytes,
                        text, i + 1);
        }
        item.packet = &world->packets[*at];
        item.problem[0] = '\0';
        if (!packet_is(&item, item.words.word[0]) || !time_is(&item)) {
            return complain(world, &item, text, bytes);
        }
        item.ahead += again ? 0 : item.packet->payload_bytes;
        (*at)++;
    }
    return true;
}

bool match_segments(struct world *world, const char *expected)
{
    size_t at = 0;
    const char *text = strcmp(expected, "-") == 0 ? "" : expected;
    while (*text != '\0') {
        const char *end = strstr(text, ", ");
        size_t bytes = end == NULL ? strlen(text) : (size_t)(end - text);
        if (!match_item(world, text, bytes, &at)) {
            return false;
        }
        text += bytes + (end == NULL ? 0 : 2);
    }
    if (at < world->packet_count) {
        char printed[256];
        packet_print(&world->packets[at], printed, sizeof(printed));
        return fail(world, "emitted, but not expected (%zu): %s", world->packet_count - at,
                    printed);
    }
    world->packet_count = 0;
    return true;
}
