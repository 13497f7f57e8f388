/* See resolver.h. */
#include "run/resolver.h"

#include "base/time.h"
#include "run/relay.h"
#include "run/socket_address.h"
#include "run/splice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORT             53
#define QUESTIONS_MAX    256U
#define DNS_HEADER_BYTES 12U
#define STREAMS_MAX      32U
#define QUESTION_MAX     1232U /* bytes; DNS flag day 2020's bound for what is not fragmented */
#define ANSWER_MAX       65535U
#define PATIENCE_NS      (2500 * SLT_NS_PER_MS) /* of one server */
#define SWEEP_NS         (500 * SLT_NS_PER_MS)
#define RECEIVE_MAX      32 /* questions taken in one turn */

enum slot_state { FREE, ASKED, SENT };

struct question {
    struct slt_resolver *resolver;
    enum slot_state state;
    int64_t since_ns;
    uint32_t server; /* which one is asked, in the order of resolv.conf */
    struct sockaddr_storage from;
    struct slt_polled polled;
    size_t bytes;
    uint8_t data[QUESTION_MAX];
};

struct stream {
    struct slt_resolver *resolver;
    bool used;
    uint32_t server;
    int inside; /* until the way out is there */
    struct slt_polled outside;
    struct slt_splice splice;
};

struct slt_resolver {
    struct slt_resolver_params params;
    struct slt_polled datagrams;
    struct slt_polled listener;
    struct salut_runner_timer sweep;
    uint32_t next; /* the slot looked at first */
    struct question questions[QUESTIONS_MAX];
    struct stream streams[STREAMS_MAX];
};

/* ---- datagrams ------------------------------------------------------------------------------ */

static void end_question(struct question *q)
{
    slt_porter_forget(q->resolver->params.porter, q);
    slt_poller_drop(q->resolver->params.poller, &q->polled);
    q->state = FREE;
}

/* RFC 1035 4.1.1: no server could be asked (SERVFAIL), so that nobody waits for an answer. */
static void give_up_question(struct question *q)
{
    if (q->bytes >= DNS_HEADER_BYTES) {
        q->data[2] |= 0x80;
        q->data[3] = (uint8_t)((q->data[3] & 0xf0) | 2);
        (void)sendto(q->resolver->datagrams.fd, q->data, q->bytes, MSG_DONTWAIT,
                     (const struct sockaddr *)&q->from, slt_socket_address_bytes(&q->from));
    }
    end_question(q);
}

static void ask(struct question *q);

static void ask_next(struct question *q)
{
    slt_poller_drop(q->resolver->params.poller, &q->polled);
    q->server++;
    ask(q);
}

static void on_answer(void *ctx, uint32_t events)
{
    static uint8_t answer[ANSWER_MAX];
    struct question *q = ctx;
    (void)events;
    ssize_t got = recv(q->polled.fd, answer, sizeof(answer), MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got < 0) {
        ask_next(q);
        return;
    }
    if (got < 2 || memcmp(answer, q->data, 2) != 0) {
        return; /* it answers another question */
    }
    (void)sendto(q->resolver->datagrams.fd, answer, (size_t)got, MSG_DONTWAIT,
                 (const struct sockaddr *)&q->from, slt_socket_address_bytes(&q->from));
    end_question(q);
}

static void on_socket(void *ctx, int fd)
{
    struct question *q = ctx;
    q->polled = (struct slt_polled){.fd = fd < 0 ? -1 : fd, .on_ready = on_answer, .ctx = q};
    q->state = SENT;
    if (fd == -ENOENT) {
        give_up_question(q); /* that was the last server */
    } else if (fd < 0 || send(fd, q->data, q->bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        ask_next(q);
    } else if (!slt_poller_watch(q->resolver->params.poller, &q->polled, EPOLLIN)) {
        end_question(q);
    }
}

static void ask(struct question *q)
{
    struct slt_resolver *r = q->resolver;
    q->state = ASKED;
    q->since_ns = salut_runner_now(r->params.runner);
    q->polled.fd = -1;
    if (!slt_porter_ask_names(r->params.porter, SLT_PORTER_NAMES_UDP, q->server, on_socket, q)) {
        q->state = FREE; /* its sender asks again */
    } else if (!r->sweep.armed) {
        salut_runner_set_timer(r->params.runner, &r->sweep, q->since_ns + SWEEP_NS);
    }
}

/* A free slot, or the one whose question is the oldest. */
static struct question *find_slot(struct slt_resolver *r)
{
    struct question *oldest = &r->questions[0];
    for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
        struct question *q = &r->questions[r->next++ % QUESTIONS_MAX];
        if (q->state == FREE) {
            return q;
        }
        oldest = q->since_ns < oldest->since_ns ? q : oldest;
    }
    end_question(oldest);
    return oldest;
}

static void on_datagram(void *ctx, uint32_t events)
{
    struct slt_resolver *r = ctx;
    (void)events;
    for (int i = 0; i < RECEIVE_MAX; i++) {
        uint8_t data[QUESTION_MAX];
        struct sockaddr_storage from;
        socklen_t bytes = sizeof(from);
        ssize_t got = recvfrom(r->datagrams.fd, data, sizeof(data), MSG_DONTWAIT,
                               (struct sockaddr *)&from, &bytes);
        if (got < 0) {
            return;
        }
        struct question *q = find_slot(r);
        q->resolver = r;
        q->from = from;
        q->bytes = (size_t)got;
        q->server = 0;
        memcpy(q->data, data, (size_t)got);
        ask(q);
    }
}

static void on_sweep(void *ctx, int64_t now_ns)
{
    struct slt_resolver *r = ctx;
    for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
        struct question *q = &r->questions[i];
        if (q->state == SENT && now_ns - q->since_ns > PATIENCE_NS) {
            ask_next(q);
        }
        if (q->state != FREE && !r->sweep.armed) {
            salut_runner_set_timer(r->params.runner, &r->sweep, now_ns + SWEEP_NS);
        }
    }
}

/* ---- streams -------------------------------------------------------------------------------- */

static void on_over(void *ctx)
{
    struct stream *s = ctx;
    s->used = false;
}

static void refuse(const struct slt_resolver *r, int fd)
{
    struct slt_polled polled = {.fd = fd};
    slt_relay_reset_socket(r->params.poller, &polled);
}

static void ask_stream(struct stream *s);

static void on_stream_connected(void *ctx, uint32_t events)
{
    struct stream *s = ctx;
    int error = 0;
    socklen_t bytes = sizeof(error);
    (void)events;
    (void)getsockopt(s->outside.fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    if (error != 0) {
        slt_poller_drop(s->resolver->params.poller, &s->outside);
        s->server++;
        ask_stream(s);
        return;
    }
    (void)slt_poller_watch(s->resolver->params.poller, &s->outside, 0);
    int fds[2] = {s->inside, s->outside.fd};
    s->outside.fd = -1;
    s->inside = -1;
    s->splice = (struct slt_splice){.on_over = on_over, .ctx = s};
    slt_splice_begin(&s->splice, s->resolver->params.poller, fds, false);
}

static void give_up_stream(struct stream *s)
{
    s->used = false;
    slt_poller_drop(s->resolver->params.poller, &s->outside);
    refuse(s->resolver, s->inside);
}

static void on_way_out(void *ctx, int fd)
{
    struct stream *s = ctx;
    s->outside =
        (struct slt_polled){.fd = fd < 0 ? -1 : fd, .on_ready = on_stream_connected, .ctx = s};
    if (fd == -ENOENT) {
        give_up_stream(s); /* that was the last server */
    } else if (fd < 0) {
        s->server++;
        ask_stream(s);
    } else if (!slt_poller_watch(s->resolver->params.poller, &s->outside, EPOLLOUT)) {
        give_up_stream(s);
    }
}

static void ask_stream(struct stream *s)
{
    if (!slt_porter_ask_names(s->resolver->params.porter, SLT_PORTER_NAMES_TCP, s->server,
                              on_way_out, s)) {
        give_up_stream(s);
    }
}

static void on_stream(void *ctx, uint32_t events)
{
    struct slt_resolver *r = ctx;
    struct stream *s = NULL;
    (void)events;
    for (uint32_t i = 0; i < STREAMS_MAX && s == NULL; i++) {
        s = r->streams[i].used ? NULL : &r->streams[i];
    }
    int fd = accept4(r->listener.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (s == NULL) {
        refuse(r, fd);
        return;
    }
    *s = (struct stream){.resolver = r, .used = true, .inside = fd, .outside = {.fd = -1}};
    ask_stream(s);
}

/* ---- life ----------------------------------------------------------------------------------- */

static int bind_socket(const struct slt_resolver *r, int type)
{
    struct sockaddr_storage address;
    slt_socket_address_make(&r->params.address, PORT, &address);
    int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (bind(fd, (const struct sockaddr *)&address, slt_socket_address_bytes(&address)) != 0 ||
        (type == SOCK_STREAM && listen(fd, (int)STREAMS_MAX) != 0)) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    return fd;
}

static int set_up(struct slt_resolver *r)
{
    int datagrams = bind_socket(r, SOCK_DGRAM);
    if (datagrams < 0) {
        return datagrams;
    }
    r->datagrams = (struct slt_polled){.fd = datagrams, .on_ready = on_datagram, .ctx = r};
    int listener = bind_socket(r, SOCK_STREAM);
    if (listener < 0) {
        return listener;
    }
    r->listener = (struct slt_polled){.fd = listener, .on_ready = on_stream, .ctx = r};
    return slt_poller_watch(r->params.poller, &r->datagrams, EPOLLIN) &&
                   slt_poller_watch(r->params.poller, &r->listener, EPOLLIN)
               ? 0
               : -ENOMEM;
}

int slt_resolver_open(const struct slt_resolver_params *params, struct slt_resolver **resolver)
{
    struct slt_resolver *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return -ENOMEM;
    }
    r->params = *params;
    r->datagrams.fd = -1;
    r->listener.fd = -1;
    r->sweep = (struct salut_runner_timer){.on_due = on_sweep, .ctx = r};
    int result = set_up(r);
    if (result < 0) {
        slt_resolver_close(r);
        return result;
    }
    *resolver = r;
    return 0;
}

void slt_resolver_close(struct slt_resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
        if (resolver->questions[i].state != FREE) {
            end_question(&resolver->questions[i]);
        }
    }
    for (uint32_t i = 0; i < STREAMS_MAX; i++) {
        struct stream *s = &resolver->streams[i];
        if (s->used && s->splice.poller != NULL) {
            slt_splice_cut(&s->splice);
        } else if (s->used) {
            slt_porter_forget(resolver->params.porter, s);
            give_up_stream(s);
        }
    }
    salut_runner_set_timer(resolver->params.runner, &resolver->sweep, SLT_NEVER);
    slt_poller_drop(resolver->params.poller, &resolver->datagrams);
    slt_poller_drop(resolver->params.poller, &resolver->listener);
    free(resolver);
}
