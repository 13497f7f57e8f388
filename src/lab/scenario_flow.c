/* Connections of a scenario: opening and accepting, filling up to a goal, reading and comparing
 * every byte, finishing, letting go.
 *
 * Every stream is a piece of one pattern of random bytes with a prime period; where it begins
 * depends on the flow, so bytes of another connection or place do not pass for the right ones.
 * What an application wants of an end is its `goal`: bytes to be written so far. The application
 * moves it (scenario_app.c); this file fills.
 */
#include "lab/scenario_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN_BASE 1000U
#define CLIENT_BASE 10000U
#define CLIENT_TOP  65000U
#define BACKLOG     4096U

/* ---- opening -------------------------------------------------------------------------------- */

bool slt_scn_listen(struct scn_world *w, uint32_t app)
{
    const struct slt_scn_app *say = &w->scn->app[app];
    struct salut_listen_params params = {
        .port = (uint16_t)(LISTEN_BASE + app), .backlog = BACKLOG, .user = app};
    enum salut_status status = salut_listen(w->host[say->to].stack, &params, &w->app[app].listener);
    if (status == SALUT_OK && !say->nagle) {
        status = salut_set_listener_option(w->host[say->to].stack, w->app[app].listener,
                                           SALUT_OPT_NODELAY, 1);
    }
    if (status != SALUT_OK) {
        (void)snprintf(w->why, SLT_SCN_SENTENCE_MAX, "%s cannot listen: %s",
                       w->scn->node[say->to].name, salut_status_text(status));
    }
    return status == SALUT_OK;
}

/* A client port that no living flow of this host has. */
static uint16_t choose_port(struct scn_host *host)
{
    for (uint32_t i = 0; i < CLIENT_TOP - CLIENT_BASE; i++) {
        uint32_t port = CLIENT_BASE + host->next_port;
        host->next_port = (uint16_t)((host->next_port + 1U) % (CLIENT_TOP - CLIENT_BASE));
        if (host->flow_of_port[port] == SCN_NONE) {
            return (uint16_t)port;
        }
    }
    return 0;
}

static void *grown(void *list, uint32_t room, size_t bytes)
{
    void *more = realloc(list, room * bytes);
    if (more == NULL) {
        abort();
    }
    return more;
}

static uint32_t new_flow(struct scn_world *w, uint32_t app, uint8_t sender)
{
    const struct slt_scn_app *say = &w->scn->app[app];
    if (w->flow_count == w->flow_room) {
        w->flow_room = w->flow_room == 0 ? 64 : w->flow_room * 2;
        w->flow = grown(w->flow, w->flow_room, sizeof(*w->flow));
        w->result->flow = grown(w->result->flow, w->flow_room, sizeof(*w->result->flow));
    }
    uint32_t index = w->flow_count++;
    struct scn_flow *flow = &w->flow[index];
    struct slt_scn_flow_row *row = &w->result->flow[index];
    memset(flow, 0, sizeof(*flow));
    memset(row, 0, sizeof(*row));
    w->result->flow_count = w->flow_count;
    flow->app = app;
    flow->session = SCN_NONE;
    flow->sender = sender;
    flow->wake_at_ns = SLT_NEVER;
    flow->end[0].node = say->from;
    flow->end[1].node = say->to;
    flow->end[0].key = (uint32_t)slt_prng_below(&w->prng, SCN_PERIOD);
    flow->end[1].key = (uint32_t)slt_prng_below(&w->prng, SCN_PERIOD);
    row->app = app;
    row->number = ++w->app[app].opened;
    row->start_ns = w->now_ns;
    w->pending++;
    return index;
}

static void fail(struct scn_world *w, uint32_t flow, enum salut_status status)
{
    struct slt_scn_flow_row *row = slt_scn_row(w, flow);
    if (!row->failed && !row->finished) {
        row->failed = true;
        row->status = status;
        row->end_ns = w->now_ns;
    }
}

uint32_t slt_scn_flow_open(struct scn_world *w, uint32_t app, uint8_t sender)
{
    uint32_t index = new_flow(w, app, sender);
    const struct slt_scn_app *say = &w->scn->app[app];
    struct scn_flow *flow = &w->flow[index];
    struct scn_end *end = &flow->end[0];
    struct scn_host *host = &w->host[say->from];
    struct salut_connect_params params = {.remote_port = (uint16_t)(LISTEN_BASE + app),
                                          .user = index};
    slt_scn_address(say->to, &params.remote);
    flow->port = choose_port(host);
    SLT_ASSERT(flow->port != 0);
    params.local_port = flow->port;
    host->flow_of_port[flow->port] = index;
    enum salut_status status = salut_connect(host->stack, &params, &end->conn);
    if (status != SALUT_OK) {
        fail(w, index, status);
        slt_scn_flow_wake(w, index, w->now_ns); /* its application hears of it */
        return index;
    }
    end->held = true;
    slt_scn_cc_set(host->stack, end->conn,
                   say->cc[0] != '\0' ? say->cc : w->scn->node[say->from].cc);
    (void)salut_set_option(host->stack, end->conn, SALUT_OPT_NODELAY, !say->nagle);
    host->touched = true;
    return index;
}

/* ---- letting go ----------------------------------------------------------------------------- */

static void let_go(struct scn_world *w, struct scn_end *end)
{
    if (end->held) {
        (void)salut_close(w->host[end->node].stack, end->conn);
        w->host[end->node].touched = true;
        end->held = false;
    }
}

void slt_scn_flow_part(struct scn_world *w, uint32_t index)
{
    struct scn_flow *flow = &w->flow[index];
    bool failed = slt_scn_row(w, index)->failed;
    for (unsigned i = 0; i < 2; i++) {
        struct scn_end *end = &flow->end[i];
        if (failed || (end->eof && end->fin_sent)) {
            let_go(w, end);
        }
    }
    if (!flow->end[0].held && !flow->end[1].held && !flow->over) {
        flow->over = true;
        w->host[flow->end[0].node].flow_of_port[flow->port] = SCN_NONE;
        SLT_ASSERT(w->pending > 0);
        w->pending--;
    }
}

/* ---- writing -------------------------------------------------------------------------------- */

static void set_interest(struct scn_world *w, struct scn_end *end)
{
    uint32_t interest = SALUT_ENDED;
    interest |= end->connected ? 0U : (uint32_t)SALUT_CONNECTED;
    interest |= end->connected && !end->eof ? (uint32_t)SALUT_READABLE : 0U;
    interest |= end->blocked ? (uint32_t)SALUT_WRITABLE : 0U;
    (void)salut_set_interest(w->host[end->node].stack, end->conn, interest);
}

void slt_scn_flow_push(struct scn_world *w, uint32_t index, uint32_t side)
{
    struct scn_end *end = &w->flow[index].end[side];
    struct salut_stack *stack = w->host[end->node].stack;
    enum salut_status status = SALUT_OK;
    if (!end->held || !end->connected) {
        return;
    }
    while (status == SALUT_OK && end->written < end->goal) {
        size_t accepted = 0;
        uint64_t left = end->goal - end->written;
        size_t want = left < SCN_CHUNK ? (size_t)left : SCN_CHUNK;
        const uint8_t *from = w->pattern + (end->written + end->key) % SCN_PERIOD;
        status = salut_send(stack, end->conn, from, want, 0, &accepted);
        end->written += accepted;
    }
    end->blocked = end->written < end->goal;
    if (status != SALUT_OK && status != SALUT_WOULD_BLOCK && status != SALUT_NO_MEMORY) {
        fail(w, index, status);
    } else if (end->fin_wanted && !end->fin_sent && end->written == end->goal) {
        (void)salut_shutdown(stack, end->conn, SALUT_SHUT_WRITE);
        end->fin_sent = true;
    }
    set_interest(w, end);
    w->host[end->node].touched = true;
}

void slt_scn_flow_finish(struct scn_world *w, uint32_t index, uint32_t side)
{
    w->flow[index].end[side].fin_wanted = true;
    slt_scn_flow_push(w, index, side);
}

void slt_scn_flow_wake(struct scn_world *w, uint32_t index, int64_t at_ns)
{
    w->flow[index].wake_at_ns = slt_max64(at_ns, w->now_ns);
    slt_scn_at(w, w->flow[index].wake_at_ns, SCN_FLOW, index);
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Compare what came with what the other end wrote. */
static void compare(struct scn_world *w, uint32_t index, uint32_t side, size_t bytes)
{
    struct scn_flow *flow = &w->flow[index];
    struct scn_end *end = &flow->end[side];
    const struct scn_end *other = &flow->end[1 - side];
    struct slt_scn_flow_row *row = slt_scn_row(w, index);
    const uint8_t *right = w->pattern + (end->read + other->key) % SCN_PERIOD;
    if (end->read + bytes > other->written || memcmp(w->scratch, right, bytes) != 0) {
        row->corrupt = true;
        (void)snprintf(w->result->broken, sizeof(w->result->broken),
                       "%s received bytes that nobody sent there, at %.6f s, byte %llu",
                       w->scn->node[end->node].name, (double)w->now_ns / 1e9,
                       (unsigned long long)end->read);
    }
    end->read += bytes;
    if (side != flow->sender) {
        row->bytes = end->read;
        row->end_ns = w->now_ns;
    }
}

static void read_all(struct scn_world *w, uint32_t index, uint32_t side)
{
    struct scn_end *end = &w->flow[index].end[side];
    enum salut_status status = SALUT_OK;
    while (status == SALUT_OK && !end->eof) {
        size_t received = 0;
        status = salut_recv(w->host[end->node].stack, end->conn, w->scratch, SCN_CHUNK, &received);
        if (status == SALUT_OK) {
            compare(w, index, side, received);
        }
    }
    if (status == SALUT_END) {
        end->eof = true;
        set_interest(w, end);
    } else if (status != SALUT_OK && status != SALUT_WOULD_BLOCK && status != SALUT_IN_PROGRESS) {
        fail(w, index, status);
    }
    w->host[end->node].touched = true; /* a window may have opened */
}

/* ---- events --------------------------------------------------------------------------------- */

static uint32_t accept_one(struct scn_world *w, uint32_t node, const struct salut_event *event)
{
    struct salut_stack *stack = w->host[node].stack;
    struct salut_info info;
    salut_conn conn;
    if (salut_accept(stack, event->listener, 0, &conn) != SALUT_OK ||
        salut_get_info(stack, conn, &info) != SALUT_OK) {
        return SCN_NONE;
    }
    uint32_t client = ((uint32_t)info.remote.b[14] << 8 | info.remote.b[15]) - 1;
    SLT_ASSERT(client < w->scn->node_count && w->host[client].flow_of_port != NULL);
    uint32_t index = w->host[client].flow_of_port[info.remote_port];
    if (index == SCN_NONE || w->flow[index].end[1].held || w->flow[index].end[1].connected) {
        (void)salut_abort(stack, conn); /* its client has given up */
        return SCN_NONE;
    }
    struct scn_end *end = &w->flow[index].end[1];
    const char *cc = w->scn->app[w->flow[index].app].cc;
    end->conn = conn;
    end->held = true;
    end->connected = true;
    slt_scn_cc_set(stack, conn, cc[0] != '\0' ? cc : w->scn->node[node].cc);
    (void)salut_set_user(stack, conn, (uint64_t)index | UINT64_C(1) << 32);
    set_interest(w, end);
    return index;
}

uint32_t slt_scn_flow_event(struct scn_world *w, uint32_t node, const struct salut_event *event)
{
    if (event->listener.index != SALUT_NO_INDEX) {
        return accept_one(w, node, event);
    }
    uint32_t index = (uint32_t)event->user;
    uint32_t side = (uint32_t)(event->user >> 32);
    struct scn_end *end = &w->flow[index].end[side];
    if (!end->held || end->conn.index != event->conn.index ||
        end->conn.generation != event->conn.generation) {
        return SCN_NONE;
    }
    if (event->ready & SALUT_CONNECTED && !end->connected) {
        end->connected = true;
        slt_scn_row(w, index)->opened = true;
        slt_scn_row(w, index)->connected_ns = w->now_ns;
    }
    if (event->ready & (SALUT_READABLE | SALUT_ENDED)) {
        read_all(w, index, side);
    }
    slt_scn_flow_push(w, index, side);
    return index;
}
