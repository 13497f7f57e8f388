/* The engine of one instance: pools, keys, and the making and unmaking of connection objects.
 *
 * Secrets are derived from the instance's seed, one SipHash key per purpose, so that no use of one
 * tells anything about another (RFC 6528 3; RFC 4987).
 */
#include "tcp/engine.h"

/* A key of its own for each purpose, from the seed. */
static struct slt_sipkey derive_key(const uint8_t seed[32], uint8_t purpose)
{
    struct slt_sipkey master;
    struct slt_sipkey key;
    uint8_t message[18] = {0};

    memcpy(&master, seed, sizeof(master));
    memcpy(message, seed + sizeof(master), 16);
    message[16] = purpose;
    message[17] = 0;
    key.k0 = slt_siphash24(&master, message, sizeof(message));
    message[17] = 1;
    key.k1 = slt_siphash24(&master, message, sizeof(message));
    return key;
}

enum purpose {
    PURPOSE_ISN = 1, /* and the timestamps' offset */
    PURPOSE_COOKIE = 3,
    PURPOSE_RANGES,
    PURPOSE_RECORDS,
    PURPOSE_FAST_OPEN
};

bool slt_tcp_init(struct slt_tcp *tcp, const struct salut_config *config, struct slt_mem *mem,
                  struct slt_telemetry *telemetry)
{
    memset(tcp, 0, sizeof(*tcp));
    tcp->config = config;
    tcp->telemetry = telemetry;
    slt_tcp_rests_init(&tcp->rests);
    tcp->isn_key = derive_key(config->seed, PURPOSE_ISN);
    tcp->cookie_key = derive_key(config->seed, PURPOSE_COOKIE);
    tcp->fast_open_key = derive_key(config->seed, PURPOSE_FAST_OPEN);
    bool ok = slt_pool_init(&tcp->conns, mem, SLT_OWNER_CONN, sizeof(struct slt_tcp_conn),
                            config->conns_max) &&
              slt_pool_init(&tcp->colds, mem, SLT_OWNER_COLD, sizeof(struct slt_tcp_cold),
                            config->conns_max) &&
              slt_pool_init(&tcp->bufs, mem, SLT_OWNER_BUFFER,
                            (uint32_t)sizeof(struct slt_buf) + config->buffer_bytes,
                            config->buffers_max) &&
              slt_pool_init(&tcp->ranges, mem, SLT_OWNER_RANGE, sizeof(struct slt_range),
                            config->ranges_max) &&
              slt_pool_init(&tcp->records, mem, SLT_OWNER_RECORD, sizeof(struct slt_record),
                            config->conns_max + config->records_max) &&
              slt_loans_init(&tcp->loans, &tcp->bufs, config->loans_max);
    if (ok) {
        slt_pool_set_secret(&tcp->records, derive_key(config->seed, PURPOSE_RECORDS).k0);
        slt_pool_set_secret(&tcp->ranges, (uint32_t)derive_key(config->seed, PURPOSE_RANGES).k0);
    }
    return ok;
}

void slt_tcp_deinit(struct slt_tcp *tcp)
{
    slt_pool_deinit(&tcp->conns);
    slt_pool_deinit(&tcp->colds);
    slt_loans_deinit(&tcp->loans, &tcp->bufs);
    slt_pool_deinit(&tcp->bufs);
    slt_pool_deinit(&tcp->ranges);
    slt_pool_deinit(&tcp->records);
}

uint32_t slt_tcp_conn_take(struct slt_tcp *tcp, const struct slt_tcp_id *id,
                           const struct slt_tcp_defaults *defaults, uint16_t pmtu,
                           enum salut_state from)
{
    uint32_t index = slt_pool_take_typed(&tcp->conns, (uint32_t)sizeof(struct slt_tcp_conn));

    if (index == SLT_NIL) {
        slt_count(tcp->telemetry, SLT_DROP_TCP_NO_CONN_SLOT);
        return SLT_NIL;
    }
    struct slt_tcp_conn *c = slt_tcp_conn_at(tcp, index);
    uint32_t generation = c->place.generation;
    *c = (struct slt_tcp_conn){.state = (uint8_t)from, .index = index};
    c->place.generation =
        (generation + 1) | 1U; /* odd while in use, and never the last one again */
    c->id = *id;
    c->ip_bytes = slt_tcp_id_is_v4(id) ? 20 : 40;
    c->opts = defaults->opts;
    c->flags = defaults->flags;
    c->snd.buffer_max = defaults->send_buffer_max;
    c->rcv.buffer_max = defaults->recv_buffer_max;
    c->snd.pmtu = pmtu;
    c->snd.peer_mss = c->ip_bytes == 20 ? 536 : 1220; /* MUST-15, until the peer says otherwise */
    slt_chain_init(&c->snd.queue);
    slt_chain_init(&c->rcv.queue);
    c->snd.cursor = slt_cursor_first();
    slt_wheel_entry_init(&c->place.wheel);
    slt_tcp_timers_init(c);
    slt_rtt_init(&c->rtt, tcp->config);
    slt_tcp_acks_init(&c->acks, tcp->config);
    return index;
}

void slt_tcp_conn_give(struct slt_tcp *tcp, uint32_t index)
{
    struct slt_tcp_conn *c = slt_tcp_conn_at(tcp, index);

    slt_tcp_cold_give(tcp, c);
    slt_tcp_snd_clear(tcp, c);
    slt_tcp_rcv_clear(tcp, c);
    c->place.generation++; /* even: not in use; handles are stale */
    slt_pool_give_typed(&tcp->conns, index, (uint32_t)sizeof(struct slt_tcp_conn));
}

/* CLOSED, nothing due, and nobody holds the handle. */
bool slt_tcp_is_done(const struct slt_tcp_conn *c)
{
    return c->state == SALUT_STATE_CLOSED && c->due == 0 && slt_tcp_has(c, SLT_CONN_ORPHAN);
}
