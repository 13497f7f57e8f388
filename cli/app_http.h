/* An HTTP/1.1 server (RFC 9110, 9112) over app.h: files of a directory, pages made by the program,
 * and uploads whose SHA-256 is the answer. GET, HEAD, PUT, POST; keep-alive and pipelining; no
 * ranges, no transfer codings.
 */
#ifndef SLT_CLI_APP_HTTP_H
#define SLT_CLI_APP_HTTP_H

#include "cli/app.h"

enum slt_http_kind { SLT_HTTP_NOTHING, SLT_HTTP_TEXT, SLT_HTTP_FILE, SLT_HTTP_PATTERN };

/* What answers a GET. */
struct slt_http_body {
    enum slt_http_kind kind;
    const char *type; /* media type */
    const char *text; /* TEXT: lives as long as the server */
    int fd;           /* FILE: closed when sent */
    uint64_t bytes;
    bool last; /* say "Connection: close" */
};

struct slt_http_options {
    int dir_fd; /* files below it; -1: none */
    /* Pages the program makes: asked first. NULL: none. */
    bool (*find)(void *ctx, const char *path, struct slt_http_body *body);
    void *ctx;
    FILE *log; /* one line for every request; NULL: none */
};

extern const struct slt_app_protocol slt_app_http;

#endif
