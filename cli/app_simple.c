/* The small services of old: echo (RFC 862), discard (863), and a source of bytes in the manner of
 * character generator (864).
 */
#include "cli/app.h"

#include <string.h>

#define PIECES 16
#define CHUNK  65536U

/* ---- echo ----------------------------------------------------------------------------------- */

/* What lies in the receive queue goes to the send queue as far as there is room, with no buffer in
 * between: when the client does not read, its own sending comes to a halt. */
static enum slt_app_next move_echo(struct slt_app_conn *c)
{
    struct salut_stack *stack = c->server->stack;
    for (;;) {
        struct salut_iovec pieces[PIECES];
        size_t count = 0;
        size_t bytes = 0;
        size_t sent = 0;
        enum salut_status status = salut_peek(stack, c->conn, pieces, PIECES, &count, &bytes);
        if (status != SALUT_OK || bytes == 0) {
            bool more = status == SALUT_WOULD_BLOCK || status == SALUT_OK;
            return more ? SLT_APP_WAIT_READ : SLT_APP_CLOSE;
        }
        status = salut_sendv(stack, c->conn, pieces, count, 0, &sent);
        if (status == SALUT_WOULD_BLOCK || status == SALUT_NO_MEMORY) {
            return SLT_APP_WAIT_WRITE;
        }
        if (status != SALUT_OK) {
            return SLT_APP_CLOSE;
        }
        (void)salut_consume(stack, c->conn, sent);
        slt_app_count(c, sent, sent);
    }
}

const struct slt_app_protocol slt_app_echo = {
    .name = "echo", .port = 7, .conn_bytes = sizeof(struct slt_app_conn), .move = move_echo};

/* ---- sink ----------------------------------------------------------------------------------- */

static enum slt_app_next move_sink(struct slt_app_conn *c)
{
    return slt_app_discard(c) == SLT_APP_HEARD_NOTHING ? SLT_APP_WAIT_READ : SLT_APP_CLOSE;
}

const struct slt_app_protocol slt_app_sink = {
    .name = "sink", .port = 9, .conn_bytes = sizeof(struct slt_app_conn), .move = move_sink};

/* ---- source --------------------------------------------------------------------------------- */

/* Each line of 32 bytes is its number and letters. */
void slt_app_pattern(uint64_t at, uint8_t *out, size_t bytes)
{
    static const char letters[] = " the quick brown fox\n";
    enum { LINE = 32, DIGITS = 11 };
    char line[LINE + 1];
    uint64_t number = UINT64_MAX;
    for (size_t i = 0; i < bytes;) {
        uint64_t wanted = (at + i) / LINE;
        size_t offset = (size_t)((at + i) % LINE);
        if (wanted != number) {
            number = wanted;
            uint64_t rest = number;
            for (int d = DIGITS - 1; d >= 0; d--, rest /= 10) {
                line[d] = (char)('0' + rest % 10);
            }
            memcpy(&line[DIGITS], letters, sizeof(letters) - 1);
        }
        size_t part = LINE - offset < bytes - i ? LINE - offset : bytes - i;
        memcpy(&out[i], &line[offset], part);
        i += part;
    }
}
_Static_assert(sizeof(" the quick brown fox\n") - 1 + 11 == 32, "a line of the pattern");

static enum slt_app_next move_source(struct slt_app_conn *c)
{
    static _Thread_local uint8_t chunk[CHUNK];
    const struct slt_app_source_options *options = c->server->options;
    uint64_t limit = options->bytes < 0 ? UINT64_MAX : (uint64_t)options->bytes;
    if (slt_app_discard(c) == SLT_APP_HEARD_ERROR) {
        return SLT_APP_CLOSE;
    }
    while (c->bytes_out < limit) {
        uint64_t left = limit - c->bytes_out;
        size_t wanted = left < CHUNK ? (size_t)left : CHUNK;
        size_t sent = 0;
        slt_app_pattern(c->bytes_out, chunk, wanted);
        if (!slt_app_send(c, chunk, wanted, &sent)) {
            return SLT_APP_CLOSE;
        }
        if (sent < wanted) {
            return SLT_APP_WAIT_BOTH;
        }
    }
    return SLT_APP_CLOSE;
}

const struct slt_app_protocol slt_app_source = {
    .name = "source", .port = 19, .conn_bytes = sizeof(struct slt_app_conn), .move = move_source};
