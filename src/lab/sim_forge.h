/* What the three files of forgeries share: sim_forge calls sim_forge_ip, both call
 * sim_forge_build. */
#ifndef SLT_LAB_SIM_FORGE_H
#define SLT_LAB_SIM_FORGE_H

#include "lab/sim_world.h"

/* A packet to be made up. */
struct sim_forged {
    uint8_t to;
    bool ip6;
    uint8_t protocol;
    uint16_t id;
    salut_addr src, dst;
    uint16_t src_port, dst_port;
    uint32_t seq, ack;
    uint16_t flags;
    uint16_t window;
    uint8_t options[40];
    uint32_t option_bytes;
    uint32_t payload_bytes;
};

/* sim_forge_build */
void slt_sim_forge_init(struct sim_world *w, struct sim_forged *f);
uint32_t slt_sim_forge_ip(const struct sim_world *w, const struct sim_forged *f, uint32_t payload,
                          uint8_t *frame);
uint32_t slt_sim_forge_segment(struct sim_world *w, const struct sim_forged *f, uint8_t *frame);
void slt_sim_forge_send(struct sim_world *w, const struct sim_forged *f);

/* sim_forge_ip: `f` pretends to be from the peer of `flow` to its host; the message quotes a
 * segment of the flow. */
void slt_sim_forge_icmp(struct sim_world *w, const struct sim_forged *f,
                        const struct sim_flow *flow);
void slt_sim_forge_malformed(struct sim_world *w);

#endif
