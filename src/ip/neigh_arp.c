/* RFC 826's "Packet Reception", in its order, with what forty years have added.
 *
 *   1. Is the sender possible? Group and zero stations, group addresses: no (ARP-12, K11).
 *   2. Is the sender's address ours? A conflict: never learned, defended (RFC 5227 2.4 (b)).
 *   3. Do we know the sender? Then merge, before the opcode is looked at (ARP-01).
 *   4. Is the target ours? Then, and only for a request, make an entry if there is none, and
 *      reply. Gratuitous packets and replies nobody asked for make no entries (ARP-12).
 *
 * A reply proves that the neighbour hears us only when a question of ours is open; any other packet
 * is news that has yet to prove itself (RFC 4861's STALE).
 *
 * Not here: probing for an address before using it (RFC 5227 2.1), which dad.c does.
 */
#include "ip/neigh_arp.h"

#include "wire/ethernet.h"

static bool is_zero_mac(const uint8_t mac[6])
{
    static const uint8_t zero[6];
    return memcmp(mac, zero, sizeof(zero)) == 0;
}

static bool is_possible_sender(const struct slt_ip_iface *iface, const struct slt_arp *arp)
{
    if (slt_mac_is_group(arp->sender_mac) || is_zero_mac(arp->sender_mac)) {
        return false;
    }
    /* RFC 5227 2.1.1: 0.0.0.0 is a probe's sender. */
    if (slt_address_is_unspecified(arp->sender_ip)) {
        return arp->op == SLT_ARP_REQUEST;
    }
    return !slt_ip_addr_is_unfit_source(arp->sender_ip) &&
           !slt_ip_is_subnet_broadcast(iface, arp->sender_ip);
}

/* RFC 5227 2.4 (b) (ARP-09): defend once in ten seconds; a second claim within them is left alone,
 * so that two hosts that both defend do not shout at each other for ever. */
static enum slt_reason meet_conflict(struct slt_neigh *neigh, const struct slt_arp *arp,
                                     int64_t now_ns, struct slt_neigh_reply *reply)
{
    bool first = neigh->defended_at_ns == INT64_MIN;
    if (first || now_ns >= slt_time_add(neigh->defended_at_ns, SLT_NEIGH_DEFEND_NS)) {
        neigh->defended_at_ns = now_ns;
        reply->kind = SLT_NEIGH_REPLY_ANNOUNCE;
        memset(reply->dst_mac, 0xff, sizeof(reply->dst_mac));
        slt_ip_addr_copy(reply->target, arp->sender_ip);
        slt_ip_addr_copy(reply->dst, arp->sender_ip);
    }
    return SLT_NOTE_ARP_CONFLICT;
}

/* The sender is in the cache: take over what it says about itself. */
static void merge(struct slt_neigh *neigh, uint32_t index, const struct slt_arp *arp,
                  int64_t now_ns)
{
    const struct slt_neigh_entry *e = slt_neigh_at(neigh, index);
    bool answer = arp->op == SLT_ARP_REPLY;
    bool asked = e->state == SLT_NEIGH_INCOMPLETE ||
                 (e->state == SLT_NEIGH_PROBE && memcmp(e->mac, arp->sender_mac, 6) == 0);
    const struct slt_neigh_claim claim = {
        .mac = arp->sender_mac, .now_ns = now_ns, .proves = answer && asked};
    slt_neigh_learn(neigh, index, &claim);
}

static void fill_reply(const struct slt_arp *arp, struct slt_neigh_reply *reply)
{
    reply->kind = SLT_NEIGH_REPLY_ARP;
    memcpy(reply->dst_mac, arp->sender_mac, sizeof(reply->dst_mac));
    slt_ip_addr_copy(reply->dst, arp->sender_ip);
    slt_ip_addr_copy(reply->target, arp->target_ip);
}

/* Step 4: the request asks for an address of ours. */
static enum slt_reason answer_request(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                      const struct slt_arp *arp, int64_t now_ns, bool known)
{
    /* A probe's sender has no address yet, and one outside our link none that we would use. */
    if (known || slt_address_is_unspecified(arp->sender_ip) ||
        !slt_ip_is_on_link(iface, arp->sender_ip)) {
        return SLT_PASS;
    }
    const struct slt_neigh_claim claim = {.mac = arp->sender_mac, .now_ns = now_ns};
    slt_neigh_learn_asker(neigh, arp->sender_ip, &claim);
    bool learned = slt_neigh_find(neigh, arp->sender_ip) != SLT_NIL;
    return learned ? SLT_PASS : SLT_DROP_NEIGHBOUR_FULL;
}

enum slt_reason slt_neigh_input_arp(struct slt_neigh *neigh, const struct slt_ip_iface *iface,
                                    const struct slt_arp *arp, int64_t now_ns,
                                    struct slt_neigh_reply *reply)
{
    *reply = (struct slt_neigh_reply){.kind = SLT_NEIGH_REPLY_NONE};
    if (!is_possible_sender(iface, arp)) {
        return SLT_DROP_ARP_BAD_SENDER;
    }
    if (memcmp(arp->sender_mac, iface->mac, sizeof(iface->mac)) == 0) {
        /* Our own packet, come back. */
        return SLT_DROP_ARP_NOT_FOR_US;
    }
    if (slt_ip_is_local(iface, arp->sender_ip)) {
        return meet_conflict(neigh, arp, now_ns, reply);
    }
    bool probe = slt_address_is_unspecified(arp->sender_ip);
    uint32_t index = probe ? SLT_NIL : slt_neigh_find(neigh, arp->sender_ip);
    if (index != SLT_NIL) {
        merge(neigh, index, arp, now_ns);
    }
    if (arp->op != SLT_ARP_REQUEST && arp->op != SLT_ARP_REPLY) {
        return SLT_DROP_ARP_MALFORMED;
    }
    if (!slt_ip_is_local(iface, arp->target_ip)) {
        return index != SLT_NIL ? SLT_PASS : SLT_DROP_ARP_NOT_FOR_US;
    }
    if (arp->op == SLT_ARP_REPLY) {
        return index != SLT_NIL ? SLT_PASS : SLT_DROP_ARP_NOT_FOR_US;
    }
    fill_reply(arp, reply);
    return answer_request(neigh, iface, arp, now_ns, index != SLT_NIL);
}

static uint32_t emit_frame(const struct slt_ip_iface *iface, const uint8_t dst_mac[6],
                           const struct slt_arp *arp, struct slt_writer *w)
{
    struct slt_ethernet eth = {.type = SLT_ETHERTYPE_ARP};
    memcpy(eth.dst, dst_mac, sizeof(eth.dst));
    memcpy(eth.src, iface->mac, sizeof(eth.src));
    uint32_t header = slt_ethernet_emit(&eth, w);
    uint32_t body = slt_arp_emit(arp, w);
    return w->failed ? 0 : header + body;
}

uint32_t slt_neigh_emit_arp_request(const struct slt_ip_iface *iface,
                                    const struct slt_neigh_solicit *ask, struct slt_writer *w)
{
    struct slt_arp arp = {.op = SLT_ARP_REQUEST};
    memcpy(arp.sender_mac, iface->mac, sizeof(arp.sender_mac));
    slt_ip_addr_copy(arp.sender_ip, ask->src);
    slt_ip_addr_copy(arp.target_ip, ask->target);
    if (ask->probe) {
        /* RFC 5227 2.1.1 (ARP-07): nobody may learn an address that is not ours yet. */
        static const uint8_t none[4];
        slt_address_set_v4(arp.sender_ip, none);
    }
    return emit_frame(iface, ask->dst_mac, &arp, w);
}

uint32_t slt_neigh_emit_arp_reply(const struct slt_ip_iface *iface,
                                  const struct slt_neigh_reply *reply, struct slt_writer *w)
{
    SLT_ASSERT(reply->kind == SLT_NEIGH_REPLY_ARP || reply->kind == SLT_NEIGH_REPLY_ANNOUNCE);
    bool announce = reply->kind == SLT_NEIGH_REPLY_ANNOUNCE;
    /* RFC 5227 2.3: an announcement is a request for the address it announces. */
    struct slt_arp arp = {.op = announce ? SLT_ARP_REQUEST : SLT_ARP_REPLY};
    memcpy(arp.sender_mac, iface->mac, sizeof(arp.sender_mac));
    slt_ip_addr_copy(arp.sender_ip, reply->target);
    slt_ip_addr_copy(arp.target_ip, reply->dst);
    if (!announce) {
        memcpy(arp.target_mac, reply->dst_mac, sizeof(arp.target_mac));
    }
    return emit_frame(iface, reply->dst_mac, &arp, w);
}
