/* See publish.h. */
#include "run/publish.h"

#include "base/time.h"
#include "run/relay.h"
#include "run/socket_address.h"
#include "run/splice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG    1024
#define RETRY_NS   (200 * SLT_NS_PER_MS)
#define ACCEPT_MAX 64 /* connections taken in one turn */

struct slt_published {
    struct slt_publish *publish;
    struct slt_published *next;
    struct slt_published *previous;
    struct slt_splice splice;
};

static bool parse_port(const char *text, size_t bytes, uint16_t *port)
{
    unsigned long value = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9' || value > UINT16_MAX) {
            return false;
        }
        value = value * 10 + (unsigned long)(text[i] - '0');
    }
    *port = (uint16_t)value;
    return bytes > 0 && value >= 1 && value <= UINT16_MAX;
}

bool slt_publish_parse(const char *text, struct slt_publish_spec *spec)
{
    char address[64] = "127.0.0.1";
    const char *ports = text;
    const char *last = strrchr(text, ':');
    uint16_t outside_port;
    if (last == NULL || !parse_port(last + 1, strlen(last + 1), &spec->inside_port)) {
        return false;
    }
    for (const char *at = text; at < last; at++) {
        ports = *at == ':' ? at + 1 : ports;
    }
    if (!parse_port(ports, (size_t)(last - ports), &outside_port)) {
        return false;
    }
    if (ports > text) {
        size_t bytes = (size_t)(ports - text) - 1;
        bool bracketed = bytes >= 2 && text[0] == '[' && text[bytes - 1] == ']';
        const char *from = bracketed ? text + 1 : text;
        bytes -= bracketed ? 2 : 0;
        if (bytes == 0 || bytes >= sizeof(address) ||
            (!bracketed && memchr(from, ':', bytes) != NULL)) {
            return false;
        }
        (void)snprintf(address, sizeof(address), "%.*s", (int)bytes, from);
    }
    return slt_socket_address_parse(address, outside_port, &spec->outside);
}

int slt_publish_listen(const struct slt_publish_spec *spec, struct slt_porter *porter)
{
    if (porter != NULL) {
        return slt_porter_ask_now(porter, SLT_PORTER_LISTEN, &spec->outside);
    }
    int one = 1;
    int fd = socket(spec->outside.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (fd < 0 ||
        bind(fd, (const struct sockaddr *)&spec->outside,
             slt_socket_address_bytes(&spec->outside)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    return fd;
}

/* ---- connections ---------------------------------------------------------------------------- */

static void on_over(void *ctx)
{
    struct slt_published *p = ctx;
    if (p->next != NULL) {
        p->next->previous = p->previous;
    }
    if (p->previous != NULL) {
        p->previous->next = p->next;
    } else {
        p->publish->all = p->next;
    }
    p->publish->count--;
    free(p);
}

/* The way in; a negative errno value when there is none. */
static int connect_inside(const struct slt_publish *publish, uint16_t port)
{
    struct sockaddr_storage address;
    slt_socket_address_make(&publish->inside, port, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        (connect(fd, (const struct sockaddr *)&address, slt_socket_address_bytes(&address)) != 0 &&
         errno != EINPROGRESS)) {
        int error = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return -error;
    }
    return fd;
}

static void carry(struct slt_publish *publish, int outside, uint16_t port)
{
    struct slt_published *p = calloc(1, sizeof(*p));
    int inside = p == NULL ? -ENOMEM : connect_inside(publish, port);
    if (inside < 0) {
        struct slt_polled refused = {.fd = outside};
        slt_relay_reset_socket(publish->poller, &refused);
        free(p);
        return;
    }
    p->publish = publish;
    p->next = publish->all;
    if (p->next != NULL) {
        p->next->previous = p;
    }
    publish->all = p;
    publish->count++;
    p->splice.on_over = on_over;
    p->splice.ctx = p;
    slt_splice_begin(&p->splice, publish->poller, (const int[2]){outside, inside}, true);
}

static void listen_again(void *ctx, int64_t now_ns)
{
    struct slt_publish *publish = ctx;
    (void)now_ns;
    for (size_t i = 0; i < SLT_PUBLISH_MAX; i++) {
        if (publish->ports[i].publish != NULL) {
            (void)slt_poller_watch(publish->poller, &publish->ports[i].polled, EPOLLIN);
        }
    }
}

/* What waits at a listener is reported for ever; without descriptors it must wait on. */
static void pause_listening(struct slt_publish *publish)
{
    struct salut_runner *runner = publish->poller->runner;
    for (size_t i = 0; i < SLT_PUBLISH_MAX; i++) {
        if (publish->ports[i].publish != NULL) {
            (void)slt_poller_watch(publish->poller, &publish->ports[i].polled, 0);
        }
    }
    publish->retry.on_due = listen_again;
    publish->retry.ctx = publish;
    salut_runner_set_timer(runner, &publish->retry, salut_runner_now(runner) + RETRY_NS);
}

static void on_ready(void *ctx, uint32_t events)
{
    struct slt_publish_port *port = ctx;
    (void)events;
    for (int i = 0; i < ACCEPT_MAX; i++) {
        int fd = accept4(port->polled.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
            pause_listening(port->publish);
        }
        if (fd < 0) {
            return;
        }
        carry(port->publish, fd, port->inside_port);
    }
}

bool slt_publish_add(struct slt_publish *publish, int fd, uint16_t inside_port)
{
    for (size_t i = 0; i < SLT_PUBLISH_MAX; i++) {
        struct slt_publish_port *port = &publish->ports[i];
        if (port->publish == NULL) {
            *port =
                (struct slt_publish_port){.publish = publish,
                                          .polled = {.fd = fd, .on_ready = on_ready, .ctx = port},
                                          .inside_port = inside_port};
            return slt_poller_watch(publish->poller, &port->polled, EPOLLIN);
        }
    }
    return false;
}

bool slt_publish_is_quiet(const struct slt_publish *publish)
{
    for (const struct slt_published *p = publish->all; p != NULL; p = p->next) {
        if (!p->splice.side[1].ended || p->splice.side[0].held != NULL) {
            return false;
        }
    }
    return true;
}

void slt_publish_close(struct slt_publish *publish)
{
    while (publish->all != NULL) {
        struct slt_published *p = publish->all;
        slt_splice_cut(&p->splice);
        on_over(p);
    }
    if (publish->retry.armed) {
        salut_runner_set_timer(publish->poller->runner, &publish->retry, SLT_NEVER);
    }
    for (size_t i = 0; i < SLT_PUBLISH_MAX; i++) {
        if (publish->ports[i].publish != NULL) {
            slt_poller_drop(publish->poller, &publish->ports[i].polled);
            publish->ports[i].publish = NULL;
        }
    }
}
