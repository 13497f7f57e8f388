/* See glimpse.h. */
#include "observe/glimpse.h"

#include <string.h>

#define PROTOCOL_TCP 6

static salut_addr read_address(const uint8_t *at, uint8_t family)
{
    salut_addr addr = {.zone = 0};
    if (family == 6) {
        memcpy(addr.b, at, 16);
    } else {
        addr.b[10] = 0xff;
        addr.b[11] = 0xff;
        memcpy(&addr.b[12], at, 4);
    }
    return addr;
}

bool slt_glimpse_take(const struct slt_frame_view *view, struct slt_glimpse *out)
{
    struct slt_frame_layout layout;
    if (!slt_frame_layout_find(view->head, view->head_bytes, view->bytes, view->kind, &layout) ||
        layout.protocol != PROTOCOL_TCP || layout.fragment ||
        layout.payload_offset > view->head_bytes) {
        return false;
    }
    struct slt_span header = {.data = view->head + layout.transport_offset,
                              .bytes = layout.payload_offset - layout.transport_offset};
    if (slt_tcp_parse(header, &out->seg) != SLT_PASS) {
        return false;
    }
    const uint8_t *ip = view->head + layout.network_offset;
    out->bytes = layout.end_offset - layout.payload_offset;
    out->src = read_address(ip + (layout.family == 6 ? 8 : 12), layout.family);
    out->dst = read_address(ip + (layout.family == 6 ? 24 : 16), layout.family);
    return true;
}
