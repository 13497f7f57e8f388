/* How forged packets are built: an IP header, a TCP segment, both sealed with right checksums. */
#include "lab/sim_forge.h"

#include <string.h>

/* An IP header for `payload` octets; returns its length. The frame's addresses are filled in by the
 * net. */
uint32_t slt_sim_forge_ip(const struct sim_world *w, const struct sim_forged *f, uint32_t payload,
                          uint8_t *frame)
{
    uint8_t *ip = frame + slt_sim_kind_offset(w);
    memset(frame, 0, 14 + 60);
    if (!f->ip6) {
        ip[0] = 0x45;
        slt_sim_put16(ip + 2, 20 + payload);
        slt_sim_put16(ip + 4, f->id);
        ip[8] = 64;
        ip[9] = f->protocol;
        memcpy(ip + 12, f->src.b + 12, 4);
        memcpy(ip + 16, f->dst.b + 12, 4);
        return 20;
    }
    ip[0] = 0x60;
    slt_sim_put16(ip + 4, payload);
    ip[6] = f->protocol;
    ip[7] = f->protocol == 58 ? 255 : 64;
    memcpy(ip + 8, f->src.b, 16);
    memcpy(ip + 24, f->dst.b, 16);
    return 40;
}

/* Fill in who it is for and who it pretends to be from. */
void slt_sim_forge_init(struct sim_world *w, struct sim_forged *f)
{
    memset(f, 0, sizeof(*f));
    f->to = (uint8_t)slt_sim_below(w, w->host_count);
    f->ip6 = w->is.ip6;
    f->dst = w->host[f->to].addr[f->ip6];
    slt_sim_station(w, f->ip6, SIM_ATTACKER, &f->src);
    f->src_port = (uint16_t)(1024 + slt_sim_below(w, 60000));
    f->dst_port = (uint16_t)(80 + slt_sim_below(w, SIM_LISTENERS_MAX));
    f->seq = (uint32_t)slt_prng_u64(&w->prng);
    f->ack = (uint32_t)slt_prng_u64(&w->prng);
    f->window = (uint16_t)slt_sim_below(w, 65536);
    f->id = (uint16_t)slt_sim_below(w, 65536);
    f->protocol = 6;
}

uint32_t slt_sim_forge_segment(struct sim_world *w, const struct sim_forged *f, uint8_t *frame)
{
    uint32_t at = slt_sim_kind_offset(w);
    uint32_t header = 20 + f->option_bytes;
    uint32_t ip = slt_sim_forge_ip(w, f, header + f->payload_bytes, frame);
    uint8_t *tcp = frame + at + ip;
    memset(tcp, 0, header + f->payload_bytes);
    slt_sim_put16(tcp, f->src_port);
    slt_sim_put16(tcp + 2, f->dst_port);
    slt_sim_put32(tcp + 4, f->seq);
    slt_sim_put32(tcp + 8, f->ack);
    slt_sim_put16(tcp + 12, header / 4 << 12 | f->flags);
    slt_sim_put16(tcp + 14, f->window);
    memcpy(tcp + 20, f->options, f->option_bytes);
    memset(tcp + header, 0xee, f->payload_bytes);
    slt_sim_seal(frame + at, ip + header + f->payload_bytes);
    return at + ip + header + f->payload_bytes;
}

void slt_sim_forge_send(struct sim_world *w, const struct sim_forged *f)
{
    uint8_t *frame = w->scratch;
    uint32_t bytes = slt_sim_forge_segment(w, f, frame);
    slt_sim_net_inject(w, f->to, frame, bytes, SIM_MS(1));
}
