/* Stations that are no hosts: the router, which never forwards, and the attacker. They answer ARP
 * and neighbour solicitations, so that hosts can send them what they have to say, and swallow it.
 */
#include "lab/sim_world.h"

#include <string.h>

static const uint8_t ghost_mac[6] = {2, 0, 0, 0, 0, 0xf0};

static bool is_ghost(uint8_t number)
{
    return number == SIM_ROUTER || number == SIM_ATTACKER;
}

static void answer_arp(struct sim_world *w, const struct sim_host *h, const uint8_t *arp)
{
    uint8_t frame[42];
    if (slt_sim_get16(arp + 6) != 1 || !is_ghost(arp[27])) {
        return;
    }
    memcpy(frame, h->mac, 6);
    memcpy(frame + 6, ghost_mac, 6);
    slt_sim_put16(frame + 12, 0x806);
    memcpy(frame + 14, arp, 8);
    slt_sim_put16(frame + 20, 2);
    memcpy(frame + 22, ghost_mac, 6);
    memcpy(frame + 28, arp + 24, 4);
    memcpy(frame + 32, arp + 8, 10);
    slt_sim_net_inject(w, h->number, frame, sizeof(frame), SIM_MS(1));
}

static void answer_solicit(struct sim_world *w, const struct sim_host *h, const uint8_t *ip)
{
    uint8_t frame[14 + 40 + 32];
    const uint8_t *nd = ip + 40;
    if (nd[0] != 135 || !is_ghost(nd[23])) {
        return;
    }
    memset(frame, 0, sizeof(frame));
    memcpy(frame, h->mac, 6);
    memcpy(frame + 6, ghost_mac, 6);
    slt_sim_put16(frame + 12, 0x86dd);
    uint8_t *out = frame + 14;
    out[0] = 0x60;
    slt_sim_put16(out + 4, 32);
    out[6] = 58;
    out[7] = 255;
    memcpy(out + 8, nd + 8, 16);
    memcpy(out + 24, ip + 8, 16);
    out[40] = 136;
    out[44] = 0x60; /* solicited, override */
    memcpy(out + 48, nd + 8, 16);
    out[64] = 2;
    out[65] = 1;
    memcpy(out + 66, ghost_mac, 6);
    slt_sim_seal(out, 72);
    slt_sim_net_inject(w, h->number, frame, sizeof(frame), SIM_MS(1));
}

void slt_sim_ghost(struct sim_world *w, const struct sim_host *h, const uint8_t *data,
                   uint32_t bytes)
{
    if (slt_sim_kind_offset(w) == 0) {
        return;
    }
    uint32_t type = slt_sim_get16(data + 12);
    if (type == 0x806 && bytes >= 42) {
        answer_arp(w, h, data + 14);
    } else if (type == 0x86dd && bytes >= 14 + 40 + 24 && data[20] == 58) {
        answer_solicit(w, h, data + 14);
    }
}
