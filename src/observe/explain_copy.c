/* See explain_copy.h. */
#include "observe/explain_copy.h"

#define COPY_WITHIN_NS 1000000
#define AGAIN_SOON_NS  100000

static bool is_same(const struct slt_explain_copy *copy, const struct slt_explain_packet *p)
{
    const struct slt_tcp_segment *seg = &p->seg;
    return copy->seq == seg->seq && copy->ack == seg->ack && copy->bytes == p->bytes &&
           copy->flags == seg->flags && copy->checksum == seg->checksum && copy->ip_id == p->ip_id;
}

/* The same packet at another place, or the same segment sent once more? Without identifications
 * data tells by its time: no stack sends it again so soon. Acknowledgements it may. */
static bool is_elsewhere(const struct slt_explain_copy *copy, const struct slt_explain_packet *p)
{
    bool soon = p->bytes > 0 && p->at_ns - copy->at_ns < AGAIN_SOON_NS;
    return soon || copy->interface_index != p->interface_index || copy->ttl != p->ttl ||
           copy->direction != p->direction;
}

bool slt_explain_is_copy(struct slt_explain_end *end, const struct slt_explain_packet *p)
{
    for (uint32_t i = 0; i < SLT_EXPLAIN_COPIES; i++) {
        const struct slt_explain_copy *copy = &end->copies[i];
        bool near = copy->at_ns != 0 && p->at_ns - copy->at_ns < COPY_WITHIN_NS;
        if (near && is_same(copy, p) && (p->ip_id != 0 || is_elsewhere(copy, p))) {
            return true;
        }
    }
    end->copies[end->copy_at] = (struct slt_explain_copy){.at_ns = p->at_ns,
                                                          .seq = p->seg.seq,
                                                          .ack = p->seg.ack,
                                                          .bytes = p->bytes,
                                                          .flags = p->seg.flags,
                                                          .checksum = p->seg.checksum,
                                                          .ip_id = p->ip_id,
                                                          .ttl = p->ttl,
                                                          .direction = p->direction,
                                                          .interface_index = p->interface_index};
    end->copy_at = (end->copy_at + 1) % SLT_EXPLAIN_COPIES;
    return false;
}
