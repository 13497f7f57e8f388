/* See app_client.h. The user value of a client's connection is its address plus one: addresses of
 * structures are even, so it cannot be taken for a server's (app_server.c).
 */
#include "cli/app_client.h"

#include <string.h>

static void end(struct slt_app_client *c, enum salut_status status)
{
    (void)salut_close(c->stack, c->conn);
    c->status = status;
    c->over = true;
}

enum salut_status slt_app_client_start(struct slt_app_client *client, const salut_addr *remote,
                                       uint16_t port)
{
    struct salut_connect_params params = {
        .remote = *remote, .remote_port = port, .user = (uint64_t)(uintptr_t)client + 1};
    slt_sha256_init(&client->sha);
    enum salut_status status = salut_connect(client->stack, &params, &client->conn);
    if (status == SALUT_OK) {
        status = salut_set_interest(client->stack, client->conn,
                                    SALUT_READABLE | SALUT_WRITABLE | SALUT_ENDED);
    }
    return status;
}

/* The end of the head in what is kept of the answer; 0 when it is not there yet. */
static size_t find_body(const struct slt_app_client *c)
{
    for (size_t i = 0; i + 4 <= c->text_bytes; i++) {
        if (memcmp(&c->text[i], "\r\n\r\n", 4) == 0) {
            return i + 4;
        }
    }
    return 0;
}

static void keep_text(struct slt_app_client *c, const uint8_t *data, size_t bytes)
{
    size_t room = sizeof(c->text) - 1 - c->text_bytes;
    size_t part = bytes < room ? bytes : room;
    memcpy(&c->text[c->text_bytes], data, part);
    c->text_bytes += part;
    c->text[c->text_bytes] = '\0';
}

static void take_bytes(struct slt_app_client *c, const uint8_t *data, size_t bytes)
{
    size_t before = c->text_bytes;
    keep_text(c, data, bytes);
    size_t skip = 0;
    if (c->http && !c->in_body) {
        size_t head = find_body(c);
        c->in_body = head > 0;
        skip = head > 0 ? head - before : bytes;
    }
    slt_sha256_add(&c->sha, data + skip, bytes - skip);
    c->bytes += bytes - skip;
}

static void send_request(struct slt_app_client *c)
{
    size_t sent = 0;
    if (c->sent == c->request_bytes) {
        return;
    }
    if (salut_send(c->stack, c->conn, c->request + c->sent, c->request_bytes - c->sent, 0, &sent) ==
        SALUT_OK) {
        c->sent += sent;
    }
    if (c->sent == c->request_bytes) {
        (void)salut_set_interest(c->stack, c->conn, SALUT_READABLE | SALUT_ENDED);
        if (c->half_close) {
            (void)salut_shutdown(c->stack, c->conn, SALUT_SHUT_WRITE);
        }
    }
}

static void read_answer(struct slt_app_client *c)
{
    for (;;) {
        struct salut_iovec pieces[16];
        size_t count = 0;
        size_t bytes = 0;
        enum salut_status status = salut_peek(c->stack, c->conn, pieces, 16, &count, &bytes);
        if (status == SALUT_WOULD_BLOCK || status == SALUT_IN_PROGRESS) {
            return;
        }
        if (status != SALUT_OK) {
            end(c, status == SALUT_END ? SALUT_OK : status);
            return;
        }
        for (size_t i = 0; i < count; i++) {
            take_bytes(c, pieces[i].base, pieces[i].bytes);
        }
        (void)salut_consume(c->stack, c->conn, bytes);
    }
}

bool slt_app_client_event(const struct salut_event *event)
{
    if (event->conn.index == SALUT_NO_INDEX || event->user % 2 == 0) {
        return false;
    }
    struct slt_app_client *c = (struct slt_app_client *)(uintptr_t)(event->user - 1);
    if ((event->ready & SALUT_WRITABLE) != 0) {
        send_request(c);
    }
    if ((event->ready & (SALUT_READABLE | SALUT_ENDED)) != 0) {
        read_answer(c);
    }
    return true;
}
