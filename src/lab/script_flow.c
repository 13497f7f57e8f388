/* The table of a script's connections. A script has one, rarely a handful: a list is enough. */
#include "lab/script_flow.h"

#include <string.h>

void slt_flows_init(struct slt_script_flows *flows, const struct slt_script_options *options,
                    const struct slt_script_setup *setup)
{
    memset(flows, 0, sizeof(*flows));
    flows->options = options;
    flows->local = setup->local;
    flows->remote = setup->remote;
    flows->ttl = setup->config.ttl;
    flows->zeros = true;
    flows->current = SLT_FLOWS_MAX;
}

struct slt_script_flow *slt_flow_find(struct slt_script_flows *flows, uint16_t local_port,
                                      uint16_t remote_port)
{
    for (uint32_t i = 0; i < flows->count; i++) {
        struct slt_script_flow *flow = &flows->flow[i];
        if (flow->local_port == local_port && flow->remote_port == remote_port) {
            return flow;
        }
    }
    if (flows->count == SLT_FLOWS_MAX) {
        return NULL;
    }
    struct slt_script_flow *flow = &flows->flow[flows->count++];
    *flow = (struct slt_script_flow){.local_port = local_port, .remote_port = remote_port};
    return flow;
}

struct slt_script_flow *slt_flow_current(struct slt_script_flows *flows)
{
    if (flows->current == SLT_FLOWS_MAX) {
        uint32_t used = 0;
        for (uint32_t i = 0; i < flows->count; i++) {
            used += flows->flow[i].local_port == flows->options->bind_port;
        }
        /* Every new peer of the listener comes from a port of its own. */
        struct slt_script_flow *flow = slt_flow_find(
            flows, flows->options->bind_port, (uint16_t)(flows->options->remote_port + used));
        if (!flow) {
            return NULL;
        }
        slt_flow_set_current(flows, flow);
    }
    return &flows->flow[flows->current];
}

void slt_flow_set_current(struct slt_script_flows *flows, const struct slt_script_flow *flow)
{
    flows->current = (uint32_t)(flow - flows->flow);
}

void slt_flow_set_none(struct slt_script_flows *flows)
{
    flows->current = SLT_FLOWS_MAX;
}
