/* Packets from node to node: the next way, what befalls a packet on it, and what a router says of
 * one that is too big (RFC 1191, RFC 792).
 *
 * Routers forward at once; queues stand in front of links. A packet without a way goes nowhere:
 * networks that lose a link say nothing either.
 */
#include "lab/scenario_world.h"

#include <stdlib.h>
#include <string.h>

/* Where routers' own addresses begin: 10.1.0.NODE. */
#define ROUTER_NET 1

struct scn_packet *slt_scn_packet(uint32_t bytes)
{
    struct scn_packet *packet = malloc(sizeof(*packet) + bytes);
    if (packet == NULL) {
        abort();
    }
    packet->bytes = bytes;
    packet->to = SCN_NONE;
    return packet;
}

static void put_arrival(struct scn_world *w, uint32_t way, struct scn_packet *packet, int64_t at_ns)
{
    struct scn_event event = {.at_ns = at_ns, .kind = SCN_ARRIVES, .index = way, .packet = packet};
    if (!slt_scn_queue_put(&w->queue, &event)) {
        abort();
    }
}

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static void put_checksum(uint8_t *data, uint32_t bytes, uint32_t at)
{
    uint32_t sum = 0;
    data[at] = data[at + 1] = 0;
    for (uint32_t i = 0; i < bytes; i += 2) {
        sum += (uint32_t)data[i] << 8 | data[i + 1];
    }
    sum = (sum & 0xffffU) + (sum >> 16);
    sum = (sum & 0xffffU) + (sum >> 16);
    data[at] = (uint8_t)(~sum >> 8);
    data[at + 1] = (uint8_t)~sum;
}

/* Type 3, code 4, with the next hop's MTU and the first 28 bytes of the packet. */
static struct scn_packet *too_big(uint32_t node, const struct scn_packet *packet, uint32_t mtu)
{
    struct scn_packet *answer = slt_scn_packet(20 + 8 + 28);
    uint8_t *ip = answer->data;
    memset(ip, 0, answer->bytes);
    ip[0] = 0x45;
    ip[3] = (uint8_t)answer->bytes;
    ip[8] = 64;
    ip[9] = 1;
    put32(ip + 12, 10U << 24 | ROUTER_NET << 16 | (node + 1));
    memcpy(ip + 16, packet->data + 12, 4);
    ip[20] = 3;
    ip[21] = 4;
    put32(ip + 24, mtu);
    memcpy(ip + 28, packet->data, 28);
    put_checksum(ip, 20, 10);
    put_checksum(ip + 20, 36, 2);
    answer->to = (uint32_t)packet->data[15] - 1;
    return answer;
}

/* What goes over a way, copies and damage included. */
static void cross(struct scn_world *w, uint32_t way, struct scn_packet *packet)
{
    struct slt_path_verdict verdict;
    if (!slt_scn_way_offer(w, way, packet, &verdict)) {
        free(packet);
        return;
    }
    struct scn_packet *copy = NULL;
    if (verdict.duplicated) {
        copy = slt_scn_packet(packet->bytes);
        memcpy(copy->data, packet->data, packet->bytes);
        copy->to = packet->to;
    }
    if (verdict.corrupted && packet->bytes > 40) {
        w->way[way].row->corrupted++;
        uint64_t bit = verdict.corrupt_random % ((uint64_t)(packet->bytes - 20) * 8);
        packet->data[20 + bit / 8] ^= (uint8_t)(0x80U >> (bit % 8));
    }
    put_arrival(w, way, packet, verdict.due_at_ns);
    if (copy != NULL) {
        put_arrival(w, way, copy, verdict.due_at_ns);
    }
}

/* There is no path: the drop is told where a link of the node is down. */
static void count_lost_way(struct scn_world *w, uint32_t node)
{
    for (uint32_t i = 0; i < w->way_count; i++) {
        if (w->way[i].from == node && w->way[i].say.down) {
            w->way[i].row->dropped[SLT_SCN_DROP_DOWN]++;
            return;
        }
    }
}

void slt_scn_net_send(struct scn_world *w, uint32_t node, struct scn_packet *packet)
{
    uint32_t way = packet->to < w->scn->node_count ? w->next_way[node][packet->to] : SCN_NONE;
    if (way == SCN_NONE) {
        count_lost_way(w, node);
        free(packet);
        return;
    }
    bool tells = !slt_scn_way_fits(w, way, packet) && !w->way[way].say.icmp_silent &&
                 !w->way[way].say.down && packet->data[9] == 6;
    struct scn_packet *answer = tells ? too_big(node, packet, (uint32_t)w->way[way].say.mtu) : NULL;
    cross(w, way, packet);
    if (answer == NULL) {
        return;
    }
    uint32_t back = w->next_way[node][answer->to];
    if (answer->to == node) { /* the sender's own link: it hears at once */
        put_arrival(w, way ^ 1U, answer, w->now_ns);
    } else if (back != SCN_NONE) {
        cross(w, back, answer);
    } else {
        free(answer);
    }
}
