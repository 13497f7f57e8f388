/* See app_http.h.
 *
 * A connection goes round: HEAD (a whole request head is looked at where it lies in the receive
 * queue, and taken only then), BODY (of an upload, hashed piece by piece), ANSWER (head and small
 * texts from the connection, the rest from a file or the pattern). Nothing of a request is kept
 * but what the answer needs. After a refusal comes DRAIN: closing with bytes unread would reset the
 * connection and could take the answer away from the client that is still sending (RFC 9112 9.6).
 */
#include "cli/app_http.h"

#include "cli/http_files.h"
#include "cli/http_request.h"
#include "cli/sha256.h"

#include <string.h>
#include <unistd.h>

#define HEAD_MAX   8192U
#define ANSWER_MAX 1024U
#define CHUNK      65536U
#define PIECES     16U

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_ANSWER, PHASE_DRAIN };

struct http_conn {
    struct slt_app_conn base; /* must be first */
    enum phase phase;
    bool keep;
    bool refused;
    uint64_t body_left; /* of the upload */
    uint64_t body_bytes;
    struct slt_sha256 sha;
    struct slt_http_body body;
    uint64_t body_sent;
    size_t answer_bytes;
    size_t answer_sent;
    char answer[ANSWER_MAX];
};

static const char *phrase_of(int status)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {{200, "OK"},
                   {301, "Moved Permanently"},
                   {400, "Bad Request"},
                   {403, "Forbidden"},
                   {404, "Not Found"},
                   {405, "Method Not Allowed"},
                   {411, "Length Required"},
                   {431, "Request Header Fields Too Large"},
                   {505, "HTTP Version Not Supported"}};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(phrases); i++) {
        if (phrases[i].status == status) {
            return phrases[i].phrase;
        }
    }
    return "?";
}

/* ---- answers -------------------------------------------------------------------------------- */

static void begin_answer(struct http_conn *c, int status, const char *type, uint64_t bytes)
{
    c->phase = PHASE_ANSWER;
    c->body_sent = 0;
    c->answer_sent = 0;
    c->answer_bytes = (size_t)snprintf(c->answer, ANSWER_MAX,
                                       "HTTP/1.1 %d %s\r\nServer: salut\r\n"
                                       "Content-Type: %s\r\nContent-Length: %llu\r\n%s",
                                       status, phrase_of(status), type, (unsigned long long)bytes,
                                       c->keep ? "" : "Connection: close\r\n");
}

/* End the head, and put a short text behind it. */
static void end_head(struct http_conn *c, const char *extra, const char *text)
{
    c->answer_bytes += (size_t)snprintf(&c->answer[c->answer_bytes], ANSWER_MAX - c->answer_bytes,
                                        "%s\r\n%s", extra, text);
    SLT_ASSERT(c->answer_bytes < ANSWER_MAX);
}

static void answer_text(struct http_conn *c, int status, const char *extra, const char *text)
{
    begin_answer(c, status, "text/plain; charset=utf-8", strlen(text));
    end_head(c, extra, text);
}

static void answer_status(struct http_conn *c, int status, bool with_body)
{
    char text[64];
    c->refused = true;
    int n = snprintf(text, sizeof(text), "%d %s\n", status, phrase_of(status));
    begin_answer(c, status, "text/plain; charset=utf-8", (uint64_t)n);
    end_head(c, status == 405 ? "Allow: GET, HEAD, PUT, POST\r\n" : "", with_body ? text : "");
}

static void answer_upload(struct http_conn *c)
{
    char hex[SLT_SHA256_HEX];
    char text[160];
    slt_sha256_hex(&c->sha, hex);
    (void)snprintf(text, sizeof(text), "%llu bytes\nsha256 %s\n", (unsigned long long)c->body_bytes,
                   hex);
    answer_text(c, 200, "", text);
}

static void answer_get(struct http_conn *c, const struct slt_http_request *request)
{
    const struct slt_http_options *options = c->base.server->options;
    char path[1024];
    char location[600];
    bool with_body = request->method == SLT_HTTP_GET;
    int status = 400;
    if (slt_http_decode(request->target, path, sizeof(path))) {
        bool made = options->find != NULL && options->find(options->ctx, path, &c->body);
        status = made ? 200 : slt_http_open(options->dir_fd, path, &c->body);
    }
    if (status == 301 && strlen(request->target) < 500) {
        (void)snprintf(location, sizeof(location), "Location: %s/\r\n", request->target);
        answer_text(c, status, location, "");
        return;
    }
    if (status != 200) {
        answer_status(c, status, with_body);
        return;
    }
    c->keep = c->keep && !c->body.last;
    begin_answer(c, 200, c->body.type, c->body.bytes);
    end_head(c, "", "");
    if (!with_body) {
        c->body_sent = c->body.bytes;
    }
}

static void log_request(const struct http_conn *c, const struct slt_http_request *request)
{
    const struct slt_http_options *options = c->base.server->options;
    struct salut_info info;
    char peer[48] = "?";
    if (options->log == NULL) {
        return;
    }
    if (salut_get_info(c->base.server->stack, c->base.conn, &info) == SALUT_OK) {
        (void)salut_addr_print(&info.remote, peer, sizeof(peer));
    }
    (void)fprintf(options->log, "%s %s %s\n", peer, request->method_name, request->target);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void begin_upload(struct http_conn *c, const struct slt_http_request *request)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t sent;
    slt_sha256_init(&c->sha);
    c->phase = PHASE_BODY;
    c->body_left = request->length;
    c->body_bytes = request->length;
    if (request->expects_continue && request->length > 0) {
        /* The send buffer is empty: the client waits for this. */
        (void)slt_app_send(&c->base, go_on, sizeof(go_on) - 1, &sent);
    }
}

static void take_request(struct http_conn *c, char *head, size_t bytes)
{
    struct slt_http_request request;
    int status = slt_http_parse(head, bytes, &request);
    c->keep = status == 0 && request.keep;
    if (status != 0) {
        answer_status(c, status, true);
        return;
    }
    log_request(c, &request);
    c->refused = false;
    bool upload = request.method == SLT_HTTP_PUT || request.method == SLT_HTTP_POST;
    if (request.coded || (upload && !request.has_length)) {
        c->keep = false; /* where the body ends is not known */
        answer_status(c, 411, true);
    } else if (upload) {
        begin_upload(c, &request);
    } else if (request.method == SLT_HTTP_OTHER || request.length > 0) {
        c->keep = c->keep && request.length == 0;
        answer_status(c, request.method == SLT_HTTP_OTHER ? 405 : 400, true);
    } else {
        answer_get(c, &request);
    }
}

static bool peer_has_closed(const struct http_conn *c)
{
    uint32_t ready = SALUT_ENDED;
    (void)salut_ready(c->base.server->stack, c->base.conn, &ready);
    return (ready & (SALUT_PEER_CLOSED | SALUT_ENDED)) != 0;
}

/* What a turn of a phase came to. */
enum step { STEP_GO_ON, STEP_WAIT_READ, STEP_WAIT_WRITE, STEP_CLOSE };

static size_t gather(char *to, size_t size, const struct salut_iovec *pieces, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count && bytes < size; i++) {
        size_t part = pieces[i].bytes < size - bytes ? pieces[i].bytes : size - bytes;
        memcpy(&to[bytes], pieces[i].base, part);
        bytes += part;
    }
    return bytes;
}

static enum step read_head(struct http_conn *c)
{
    static _Thread_local char head[HEAD_MAX]; /* too much for the stack of a handler */
    struct salut_iovec pieces[PIECES];
    size_t count = 0;
    size_t bytes = 0;
    struct salut_stack *stack = c->base.server->stack;
    enum salut_status status = salut_peek(stack, c->base.conn, pieces, PIECES, &count, &bytes);
    if (status != SALUT_OK || bytes == 0) {
        return status == SALUT_WOULD_BLOCK || status == SALUT_OK ? STEP_WAIT_READ : STEP_CLOSE;
    }
    size_t held = gather(head, sizeof(head), pieces, count);
    size_t head_bytes = slt_http_head_bytes(head, held);
    if (head_bytes == 0 && held < sizeof(head)) {
        return peer_has_closed(c) ? STEP_CLOSE : STEP_WAIT_READ;
    }
    if (head_bytes == 0) {
        c->keep = false;
        answer_status(c, 431, true);
        return STEP_GO_ON;
    }
    (void)salut_consume(stack, c->base.conn, head_bytes);
    slt_app_count(&c->base, head_bytes, 0);
    take_request(c, head, head_bytes);
    return STEP_GO_ON;
}

static enum step read_body(struct http_conn *c)
{
    struct salut_stack *stack = c->base.server->stack;
    while (c->body_left > 0) {
        struct salut_iovec pieces[PIECES];
        size_t count = 0;
        size_t bytes = 0;
        size_t taken = 0;
        enum salut_status status = salut_peek(stack, c->base.conn, pieces, PIECES, &count, &bytes);
        if (status != SALUT_OK || bytes == 0) {
            return status == SALUT_WOULD_BLOCK || status == SALUT_OK ? STEP_WAIT_READ : STEP_CLOSE;
        }
        for (size_t i = 0; i < count && c->body_left > 0; i++) {
            size_t part = pieces[i].bytes < c->body_left ? pieces[i].bytes : (size_t)c->body_left;
            slt_sha256_add(&c->sha, pieces[i].base, part);
            c->body_left -= part;
            taken += part;
        }
        (void)salut_consume(stack, c->base.conn, taken);
        slt_app_count(&c->base, taken, 0);
    }
    answer_upload(c);
    return STEP_GO_ON;
}

/* The next bytes of the body, at most CHUNK; NULL when the file has become shorter. */
static const uint8_t *next_chunk(const struct http_conn *c, size_t *bytes)
{
    static _Thread_local uint8_t chunk[CHUNK];
    uint64_t left = c->body.bytes - c->body_sent;
    *bytes = left < CHUNK ? (size_t)left : CHUNK;
    if (c->body.kind == SLT_HTTP_TEXT) {
        return (const uint8_t *)c->body.text + c->body_sent;
    }
    if (c->body.kind == SLT_HTTP_PATTERN) {
        slt_app_pattern(c->body_sent, chunk, *bytes);
        return chunk;
    }
    ssize_t got = pread(c->body.fd, chunk, *bytes, (off_t)c->body_sent);
    if (got <= 0) {
        return NULL;
    }
    *bytes = (size_t)got;
    return chunk;
}

static void end_body(struct http_conn *c)
{
    if (c->body.kind == SLT_HTTP_FILE) {
        (void)close(c->body.fd);
    }
    c->body = (struct slt_http_body){.kind = SLT_HTTP_NOTHING};
}

static enum step send_answer(struct http_conn *c)
{
    size_t sent;
    while (c->answer_sent < c->answer_bytes) {
        if (!slt_app_send(&c->base, &c->answer[c->answer_sent], c->answer_bytes - c->answer_sent,
                          &sent)) {
            return STEP_CLOSE;
        }
        c->answer_sent += sent;
        if (sent == 0) {
            return STEP_WAIT_WRITE;
        }
    }
    while (c->body.kind != SLT_HTTP_NOTHING && c->body_sent < c->body.bytes) {
        size_t bytes;
        const uint8_t *chunk = next_chunk(c, &bytes);
        if (chunk == NULL || !slt_app_send(&c->base, chunk, bytes, &sent)) {
            return STEP_CLOSE;
        }
        c->body_sent += sent;
        if (sent < bytes) {
            return STEP_WAIT_WRITE;
        }
    }
    end_body(c);
    if (!c->keep && !c->refused) {
        return STEP_CLOSE;
    }
    if (!c->keep) {
        (void)salut_shutdown(c->base.server->stack, c->base.conn, SALUT_SHUT_WRITE);
    }
    c->phase = c->keep ? PHASE_HEAD : PHASE_DRAIN;
    return STEP_GO_ON;
}

static enum step drain(struct http_conn *c)
{
    return slt_app_discard(&c->base) == SLT_APP_HEARD_NOTHING ? STEP_WAIT_READ : STEP_CLOSE;
}

static enum slt_app_next move_http(struct slt_app_conn *conn)
{
    static enum step (*const steps[])(struct http_conn *) = {
        [PHASE_HEAD] = read_head,
        [PHASE_BODY] = read_body,
        [PHASE_ANSWER] = send_answer,
        [PHASE_DRAIN] = drain,
    };
    static const enum slt_app_next answers[] = {[STEP_WAIT_READ] = SLT_APP_WAIT_READ,
                                                [STEP_WAIT_WRITE] = SLT_APP_WAIT_WRITE,
                                                [STEP_CLOSE] = SLT_APP_CLOSE};
    struct http_conn *c = (struct http_conn *)(void *)conn;
    enum step step = STEP_GO_ON;
    while (step == STEP_GO_ON) {
        step = steps[c->phase](c);
    }
    return answers[step];
}

static void end_http(struct slt_app_conn *conn)
{
    end_body((struct http_conn *)(void *)conn);
}

const struct slt_app_protocol slt_app_http = {.name = "http",
                                              .port = 80,
                                              .conn_bytes = sizeof(struct http_conn),
                                              .move = move_http,
                                              .end = end_http};
