/* Servers on a stack: accepting, handing readiness to a protocol, cutting silent clients.
 *
 * A protocol is three functions over a connection of its own size. The server keeps all of its
 * connections in the order of their last activity, so that one timer serves any number of them.
 */
#ifndef SLT_CLI_APP_H
#define SLT_CLI_APP_H

#include "base/compiler.h"
#include "salut/runner.h"

#include <stdio.h>

struct slt_app_server;

/* The head of every connection of a protocol. */
struct slt_app_conn {
    struct slt_app_server *server;
    salut_conn conn;
    struct slt_app_conn *older; /* by last activity */
    struct slt_app_conn *newer;
    int64_t active_at_ns;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* What a protocol answers when it was given a turn. */
enum slt_app_next {
    SLT_APP_WAIT_READ,  /* for bytes, or the end */
    SLT_APP_WAIT_WRITE, /* for room */
    SLT_APP_WAIT_BOTH,
    SLT_APP_CLOSE, /* done: close in good order */
    SLT_APP_ABORT  /* reset */
};

struct slt_app_protocol {
    const char *name;
    uint16_t port;     /* the usual one */
    size_t conn_bytes; /* of its connection, whose first member is a struct slt_app_conn */
    enum slt_app_next (*move)(struct slt_app_conn *c);
    void (*end)(struct slt_app_conn *c); /* NULL: nothing to give back */
};

struct slt_app_server {
    const struct slt_app_protocol *protocol;
    void *options; /* of the protocol */
    struct salut_stack *stack;
    struct salut_runner *runner;
    salut_listener listener;
    uint16_t port;
    int64_t idle_ns; /* 0: no limit */
    struct salut_runner_timer timer;
    struct slt_app_conn *oldest;
    struct slt_app_conn *newest;
    uint64_t accepted;
    uint64_t cut; /* for silence */
    uint64_t failed;
    uint32_t open;
    uint64_t bytes_in;
    uint64_t bytes_out;
};

/* Listen on every address, on `server->port`. The fields above `listener` and port and idle_ns are
 * the caller's. */
SLT_MUST_USE enum salut_status slt_app_listen(struct slt_app_server *server);

/* Events of the stack, for salut_runner_stack.on_event. Several servers may share a stack. */
void slt_app_on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event);

/* Stop listening and close every connection. */
void slt_app_stop(struct slt_app_server *server);

/* Bytes moved, for protocols. */
void slt_app_count(struct slt_app_conn *c, uint64_t in, uint64_t out);

/* Queue bytes; *sent says how many were taken. False when the connection is over. */
bool slt_app_send(struct slt_app_conn *c, const void *data, size_t bytes, size_t *sent);

/* Throw away what has arrived. */
enum slt_app_heard { SLT_APP_HEARD_NOTHING, SLT_APP_HEARD_END, SLT_APP_HEARD_ERROR };
enum slt_app_heard slt_app_discard(struct slt_app_conn *c);

/* The protocols. `options` of echo and sink is NULL. */
extern const struct slt_app_protocol slt_app_echo;
extern const struct slt_app_protocol slt_app_sink;

/* Bytes of the pattern at `at`: every position has its own, so that nothing can be moved unseen. */
void slt_app_pattern(uint64_t at, uint8_t *out, size_t bytes);

struct slt_app_source_options {
    int64_t bytes; /* then close; -1: without end */
};
extern const struct slt_app_protocol slt_app_source;

#endif
