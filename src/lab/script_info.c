/* tcp_info, asked for through the socket layer as a program would, and read by name. */
#include "lab/script_info.h"

#include "lab/script_symbols.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER(name)                                                                               \
    {                                                                                              \
#name, offsetof(struct tcp_info, name), (uint8_t)sizeof(((struct tcp_info *)0)->name)      \
    }

static const struct {
    const char *name;
    size_t offset;
    uint8_t width;
} MEMBERS[] = {
    MEMBER(tcpi_state),         MEMBER(tcpi_ca_state),
    MEMBER(tcpi_retransmits),   MEMBER(tcpi_probes),
    MEMBER(tcpi_backoff),       MEMBER(tcpi_options),
    MEMBER(tcpi_rto),           MEMBER(tcpi_ato),
    MEMBER(tcpi_snd_mss),       MEMBER(tcpi_rcv_mss),
    MEMBER(tcpi_unacked),       MEMBER(tcpi_sacked),
    MEMBER(tcpi_lost),          MEMBER(tcpi_retrans),
    MEMBER(tcpi_fackets),       MEMBER(tcpi_last_data_sent),
    MEMBER(tcpi_last_ack_sent), MEMBER(tcpi_last_data_recv),
    MEMBER(tcpi_last_ack_recv), MEMBER(tcpi_pmtu),
    MEMBER(tcpi_rcv_ssthresh),  MEMBER(tcpi_rtt),
    MEMBER(tcpi_rttvar),        MEMBER(tcpi_snd_ssthresh),
    MEMBER(tcpi_snd_cwnd),      MEMBER(tcpi_advmss),
    MEMBER(tcpi_reordering),    MEMBER(tcpi_rcv_rtt),
    MEMBER(tcpi_rcv_space),     MEMBER(tcpi_total_retrans),
    MEMBER(tcpi_pacing_rate),   MEMBER(tcpi_max_pacing_rate),
    MEMBER(tcpi_bytes_acked),   MEMBER(tcpi_bytes_received),
    MEMBER(tcpi_segs_out),      MEMBER(tcpi_segs_in),
    MEMBER(tcpi_notsent_bytes), MEMBER(tcpi_min_rtt),
    MEMBER(tcpi_data_segs_in),  MEMBER(tcpi_data_segs_out),
    MEMBER(tcpi_delivery_rate), MEMBER(tcpi_busy_time),
    MEMBER(tcpi_rwnd_limited),  MEMBER(tcpi_sndbuf_limited),
    MEMBER(tcpi_delivered),     MEMBER(tcpi_delivered_ce),
    MEMBER(tcpi_bytes_sent),    MEMBER(tcpi_bytes_retrans),
    MEMBER(tcpi_dsack_dups),    MEMBER(tcpi_reord_seen),
    MEMBER(tcpi_rcv_ooopack),   MEMBER(tcpi_snd_wnd),
};

static int64_t load(const struct tcp_info *info, size_t offset, uint8_t width)
{
    const unsigned char *at = (const unsigned char *)info + offset;
    uint8_t u8;
    uint32_t u32;
    uint64_t u64;

    if (width == 1) {
        memcpy(&u8, at, sizeof(u8));
        return u8;
    }
    if (width == 4) {
        memcpy(&u32, at, sizeof(u32));
        return u32;
    }
    SLT_ASSERT(width == 8);
    memcpy(&u64, at, sizeof(u64));
    return (int64_t)u64;
}

static bool find_member(const struct slt_call_world *world, const char *name, int64_t *number)
{
    struct tcp_info info;
    struct salut_sock_opt opt = {
        .level = IPPROTO_TCP, .name = TCP_INFO, .value = &info, .bytes = sizeof(info)};

    memset(&info, 0, sizeof(info));
    if (salut_sock_getsockopt(world->host->socks, world->fd_under_test, &opt) != 0) {
        return false;
    }
    if (strcmp(name, "tcpi_snd_wscale") == 0 || strcmp(name, "tcpi_rcv_wscale") == 0) {
        *number = name[5] == 's' ? info.tcpi_snd_wscale : info.tcpi_rcv_wscale;
        return true;
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(MEMBERS); i++) {
        if (strcmp(MEMBERS[i].name, name) == 0) {
            *number = load(&info, MEMBERS[i].offset, MEMBERS[i].width);
            return true;
        }
    }
    return false;
}

/* The state of the current connection: after close it has no descriptor, but still a state. */
static int64_t find_state(const struct slt_call_world *world)
{
    const struct slt_script_flows *flows = world->flows;
    struct salut_info info;
    uint64_t cursor = 0;

    if (flows->current >= flows->count) {
        return SALUT_STATE_CLOSED;
    }
    const struct slt_script_flow *flow = &flows->flow[flows->current];
    while (salut_next_info(world->host->stack, &cursor, &info)) {
        if (info.object != SALUT_IS_LISTENER && info.local_port == flow->local_port &&
            info.remote_port == flow->remote_port) {
            return info.state;
        }
    }
    return SALUT_STATE_CLOSED;
}

/* reason_<token>: how often a reason has occurred, dashes written as underscores. */
static bool find_counter(const struct slt_call_world *world, const char *name, int64_t *number)
{
    if (strncmp(name, "reason_", 7) != 0) {
        return false;
    }
    for (unsigned reason = 1; reason < salut_reason_count(); reason++) {
        const char *token = salut_reason_token(reason);
        const char *at = name + 7;
        while (*token && (*token == *at || (*token == '-' && *at == '_'))) {
            token++;
            at++;
        }
        if (*token == '\0' && *at == '\0') {
            *number = (int64_t)salut_counter(world->host->stack, reason);
            return true;
        }
    }
    return false;
}

bool slt_info_find(void *ctx, const char *name, int64_t *number)
{
    const struct slt_call_world *world = ctx;

    for (uint32_t i = 0; i < world->options->symbol_count; i++) {
        const struct slt_script_symbol *symbol = &world->options->symbols[i];
        size_t bytes = strlen(name);
        if (strncmp(symbol->name, name, bytes) == 0 && symbol->name[bytes] == '=') {
            *number = strtoll(symbol->value, NULL, 0);
            return true;
        }
    }
    if (strcmp(name, "state") == 0) {
        *number = find_state(world);
        return true;
    }
    return find_member(world, name, number) || find_counter(world, name, number) ||
           slt_symbol_find(name, number);
}
