/* See app.h: the part of a server that knows no protocol.
 *
 * The user value of a connection is its struct slt_app_conn, that of a listener its server; which
 * of the two an event means stands in the event.
 */
#include "cli/app.h"

#include "base/time.h"

#include <stdlib.h>
#include <string.h>

#define BACKLOG 4096

/* ---- order of activity ---------------------------------------------------------------------- */

static void unlink_conn(struct slt_app_conn *c)
{
    struct slt_app_server *s = c->server;
    if (c->older != NULL) {
        c->older->newer = c->newer;
    } else {
        s->oldest = c->newer;
    }
    if (c->newer != NULL) {
        c->newer->older = c->older;
    } else {
        s->newest = c->older;
    }
}

static void link_newest(struct slt_app_conn *c)
{
    struct slt_app_server *s = c->server;
    c->older = s->newest;
    c->newer = NULL;
    if (s->newest != NULL) {
        s->newest->newer = c;
    } else {
        s->oldest = c;
    }
    s->newest = c;
}

static void touch(struct slt_app_conn *c)
{
    c->active_at_ns = salut_runner_now(c->server->runner);
    if (c->newer != NULL) {
        unlink_conn(c);
        link_newest(c);
    }
}

/* The timer stands at the oldest connection's limit, or earlier. */
static void watch_idle(struct slt_app_server *s)
{
    if (s->idle_ns != 0 && s->oldest != NULL && !s->timer.armed) {
        salut_runner_set_timer(s->runner, &s->timer, s->oldest->active_at_ns + s->idle_ns);
    }
}

/* ---- connections ---------------------------------------------------------------------------- */

static void finish(struct slt_app_conn *c)
{
    if (c->server->protocol->end != NULL) {
        c->server->protocol->end(c);
    }
    unlink_conn(c);
    c->server->open--;
    free(c);
}

static bool has_failed(const struct slt_app_conn *c)
{
    struct salut_info info;
    return salut_get_info(c->server->stack, c->conn, &info) == SALUT_OK && info.status != SALUT_OK;
}

/* Give the protocol a turn and do as it says. */
static void move(struct slt_app_conn *c)
{
    static const uint32_t interest[] = {
        [SLT_APP_WAIT_READ] = SALUT_READABLE | SALUT_ENDED,
        [SLT_APP_WAIT_WRITE] = SALUT_WRITABLE | SALUT_ENDED,
        [SLT_APP_WAIT_BOTH] = SALUT_READABLE | SALUT_WRITABLE | SALUT_ENDED,
    };
    struct slt_app_server *s = c->server;
    enum slt_app_next next = s->protocol->move(c);
    if (next == SLT_APP_CLOSE || next == SLT_APP_ABORT) {
        s->failed += has_failed(c);
        (void)(next == SLT_APP_CLOSE ? salut_close(s->stack, c->conn)
                                     : salut_abort(s->stack, c->conn));
        finish(c);
        return;
    }
    (void)salut_set_interest(s->stack, c->conn, interest[next]);
}

static void accept_one(struct slt_app_server *s, salut_conn conn)
{
    struct slt_app_conn *c = calloc(1, s->protocol->conn_bytes);
    if (c == NULL) {
        (void)salut_abort(s->stack, conn);
        return;
    }
    c->server = s;
    c->conn = conn;
    c->active_at_ns = salut_runner_now(s->runner);
    link_newest(c);
    s->open++;
    s->accepted++;
    (void)salut_set_user(s->stack, conn, (uint64_t)(uintptr_t)c);
    watch_idle(s);
    move(c);
}

static void accept_all(struct slt_app_server *s)
{
    salut_conn conn;
    while (salut_accept(s->stack, s->listener, 0, &conn) == SALUT_OK) {
        accept_one(s, conn);
    }
}

void slt_app_on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    (void)ctx;
    (void)stack;
    if (event->conn.index == SALUT_NO_INDEX) {
        accept_all((struct slt_app_server *)(uintptr_t)event->user);
        return;
    }
    struct slt_app_conn *c = (struct slt_app_conn *)(uintptr_t)event->user;
    if (c != NULL) {
        move(c);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

/* Clients that have been silent for too long are reset: they would not read a farewell. */
static void on_idle(void *ctx, int64_t now_ns)
{
    struct slt_app_server *s = ctx;
    while (s->oldest != NULL && s->oldest->active_at_ns + s->idle_ns <= now_ns) {
        struct slt_app_conn *c = s->oldest;
        (void)salut_abort(s->stack, c->conn);
        s->cut++;
        finish(c);
    }
    watch_idle(s);
}

enum salut_status slt_app_listen(struct slt_app_server *server)
{
    struct salut_listen_params params = {
        .port = server->port, .backlog = BACKLOG, .user = (uint64_t)(uintptr_t)server};
    server->timer = (struct salut_runner_timer){.on_due = on_idle, .ctx = server};
    return salut_listen(server->stack, &params, &server->listener);
}

void slt_app_stop(struct slt_app_server *server)
{
    if (server->stack == NULL) {
        return;
    }
    (void)salut_close_listener(server->stack, server->listener);
    while (server->oldest != NULL) {
        (void)salut_close(server->stack, server->oldest->conn);
        finish(server->oldest);
    }
    salut_runner_set_timer(server->runner, &server->timer, SLT_NEVER);
}

void slt_app_count(struct slt_app_conn *c, uint64_t in, uint64_t out)
{
    c->bytes_in += in;
    c->bytes_out += out;
    c->server->bytes_in += in;
    c->server->bytes_out += out;
    if (in + out > 0) {
        touch(c);
    }
}

bool slt_app_send(struct slt_app_conn *c, const void *data, size_t bytes, size_t *sent)
{
    *sent = 0;
    enum salut_status status = salut_send(c->server->stack, c->conn, data, bytes, 0, sent);
    slt_app_count(c, 0, *sent);
    return status == SALUT_OK || status == SALUT_WOULD_BLOCK || status == SALUT_NO_MEMORY;
}

enum slt_app_heard slt_app_discard(struct slt_app_conn *c)
{
    for (;;) {
        struct salut_iovec pieces[16];
        size_t count = 0;
        size_t bytes = 0;
        enum salut_status status =
            salut_peek(c->server->stack, c->conn, pieces, SLT_ARRAY_COUNT(pieces), &count, &bytes);
        if (status != SALUT_OK || bytes == 0) {
            return status == SALUT_END           ? SLT_APP_HEARD_END
                   : status == SALUT_OK          ? SLT_APP_HEARD_NOTHING
                   : status == SALUT_WOULD_BLOCK ? SLT_APP_HEARD_NOTHING
                                                 : SLT_APP_HEARD_ERROR;
        }
        (void)salut_consume(c->server->stack, c->conn, bytes);
        slt_app_count(c, bytes, 0);
    }
}
