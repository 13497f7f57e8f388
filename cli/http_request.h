/* One HTTP request: its head, parsed (RFC 9112 2, 3).
 */
#ifndef SLT_CLI_HTTP_REQUEST_H
#define SLT_CLI_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum slt_http_method { SLT_HTTP_GET, SLT_HTTP_HEAD, SLT_HTTP_PUT, SLT_HTTP_POST, SLT_HTTP_OTHER };

struct slt_http_request {
    enum slt_http_method method;
    const char *method_name; /* in the text that was parsed */
    const char *target;      /* likewise */
    bool keep;               /* the connection is to stay open */
    bool expects_continue;
    bool coded;      /* has a transfer coding */
    bool has_length; /* has a Content-Length */
    uint64_t length;
};

/* The bytes of a head at the start of `text`, its empty line included; 0: it is not whole yet. */
size_t slt_http_head_bytes(const char *text, size_t bytes);

/* Parse a head, which is cut into strings in place. Returns 0 or the HTTP status that refuses it:
 * 400 or 505. */
int slt_http_parse(char *head, size_t bytes, struct slt_http_request *request);

#endif
