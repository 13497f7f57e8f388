/* Driving stacks by turns; see host.h. */
#include "bench/host.h"

#include "bench/machine.h"
#include "link/memory.h"
#include "sock/heap.h"

#include <stdlib.h>
#include <string.h>

void slt_bench_config(struct salut_config *config, const struct slt_link *link, uint8_t seed)
{
    salut_config_init(config, SALUT_PROFILE_LINUX);
    config->alloc = slt_heap_take;
    config->free = slt_heap_give;
    memset(config->seed, seed, sizeof(config->seed));
    config->start_at_ns = slt_bench_now_ns();
    config->link_kind = (uint32_t)link->caps.kind;
    memcpy(config->mac, link->caps.mac, sizeof(config->mac));
    config->mtu = (uint16_t)link->caps.mtu;
    config->gso_max_bytes = link->caps.gso_max_bytes;
    config->tx_checksum = link->caps.tx_checksum;
}

struct slt_bench_host *slt_bench_host_open(struct slt_bench_run *run, struct slt_link *link,
                                           const struct salut_config *config, const char *address)
{
    struct slt_bench_host *host = calloc(1, sizeof(*host));
    if (!host) {
        slt_link_close(link);
        slt_bench_fail(run, "no memory for a host");
        return NULL;
    }
    host->link = link;
    enum salut_status status = salut_create(config, &host->stack);
    if (status == SALUT_OK) {
        status = salut_addr_parse(address, &host->addr);
    }
    if (status == SALUT_OK) {
        status = salut_add_address(host->stack, &host->addr, 16);
    }
    if (status != SALUT_OK) {
        slt_bench_fail(run, "a stack cannot be made: %s", salut_status_text(status));
        slt_bench_host_close(host);
        return NULL;
    }
    return host;
}

void slt_bench_host_close(struct slt_bench_host *host)
{
    if (!host) {
        return;
    }
    salut_destroy(host->stack);
    slt_link_close(host->link);
    free(host);
}

static void transmit(struct slt_bench_host *host)
{
    size_t offered;
    size_t taken;
    do {
        offered = salut_output(host->stack, host->tx, SLT_BENCH_BATCH);
        taken = slt_link_send(host->link, host->tx, offered, host->now_ns);
        salut_output_taken(host->stack, taken);
    } while (offered > 0 && taken == offered && salut_wants_output(host->stack));
}

void slt_bench_host_turn(struct slt_bench_host *host, int64_t now_ns)
{
    struct salut_event event;
    host->now_ns = now_ns;
    size_t count = slt_link_receive(host->link, host->rx, SLT_BENCH_BATCH, now_ns);
    if (count > 0) {
        salut_input(host->stack, host->rx, count, now_ns);
    }
    slt_link_release(host->link);
    (void)salut_poll(host->stack, now_ns);
    while (salut_next_event(host->stack, &event)) {
        host->on_event(host, &event);
    }
    if (salut_wants_output(host->stack)) {
        transmit(host);
    }
}

bool slt_bench_pair_open(struct slt_bench_run *run, struct slt_bench_pair *pair,
                         const struct slt_bench_pair_params *params)
{
    struct slt_memory_params memory = {.kind = SALUT_LINK_ETHERNET,
                                       .mtu = 1500,
                                       .slots = params->link_slots,
                                       .offload = params->offload};
    struct slt_link *links[2];
    *pair = (struct slt_bench_pair){{NULL, NULL}};
    if (slt_memory_pair(&memory, &links[0], &links[1]) != SALUT_OK) {
        return slt_bench_fail(run, "no memory pair");
    }
    for (unsigned i = 0; i < 2; i++) {
        struct salut_config config;
        slt_bench_config(&config, links[i], (uint8_t)(i + 1));
        if (params->tune) {
            params->tune(&config, i == 1);
        }
        pair->hosts[i] =
            slt_bench_host_open(run, links[i], &config, i == 0 ? "10.73.0.1" : "10.73.0.2");
    }
    if (!pair->hosts[0] || !pair->hosts[1]) {
        slt_bench_pair_close(pair);
        return false;
    }
    return true;
}

void slt_bench_pair_close(struct slt_bench_pair *pair)
{
    slt_bench_host_close(pair->hosts[0]);
    slt_bench_host_close(pair->hosts[1]);
    *pair = (struct slt_bench_pair){{NULL, NULL}};
}

int64_t slt_bench_pair_turn(struct slt_bench_pair *pair)
{
    int64_t now_ns = slt_bench_now_ns();
    slt_bench_host_turn(pair->hosts[0], now_ns);
    slt_bench_host_turn(pair->hosts[1], now_ns);
    return now_ns;
}

bool slt_bench_listen(struct slt_bench_run *run, struct slt_bench_host *host, uint16_t port,
                      uint64_t user)
{
    salut_listener listener;
    struct salut_listen_params params = {.port = port, .backlog = 4096, .user = user};
    enum salut_status status = salut_listen(host->stack, &params, &listener);
    return status == SALUT_OK ||
           slt_bench_fail(run, "cannot listen: %s", salut_status_text(status));
}

bool slt_bench_dial(struct slt_bench_run *run, struct slt_bench_host *host, const salut_addr *to,
                    uint16_t port, uint64_t user, salut_conn *conn)
{
    struct salut_connect_params params = {.remote = *to, .remote_port = port, .user = user};
    enum salut_status status = salut_connect(host->stack, &params, conn);
    return status == SALUT_OK ||
           slt_bench_fail(run, "cannot connect: %s", salut_status_text(status));
}

enum salut_status slt_bench_put(struct slt_bench_host *host,
                                const struct slt_bench_pattern *pattern, salut_conn conn,
                                uint32_t number, bool answer)
{
    uint8_t message[SLT_BENCH_MESSAGE_BYTES];
    size_t accepted;
    slt_bench_message_make(pattern, number, answer, message);
    enum salut_status status =
        salut_send(host->stack, conn, message, sizeof(message), 0, &accepted);
    return status == SALUT_OK && accepted != sizeof(message) ? SALUT_WOULD_BLOCK : status;
}

enum salut_status slt_bench_get(struct slt_bench_host *host,
                                const struct slt_bench_pattern *pattern, salut_conn conn,
                                uint32_t *number, bool answer)
{
    uint8_t message[SLT_BENCH_MESSAGE_BYTES];
    size_t received;
    enum salut_status status = salut_recv(host->stack, conn, message, sizeof(message), &received);
    if (status != SALUT_OK) {
        return status;
    }
    return received == sizeof(message) && slt_bench_message_read(pattern, answer, message, number)
               ? SALUT_OK
               : SALUT_INVALID;
}
