/* See http_request.h. */
#include "cli/http_request.h"

#include "base/compiler.h"

#include <string.h>
#include <strings.h>

size_t slt_http_head_bytes(const char *text, size_t bytes)
{
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (text[i] != '\n') {
            continue;
        }
        if (text[i + 1] == '\n') {
            return i + 2;
        }
        if (i + 2 < bytes && text[i + 1] == '\r' && text[i + 2] == '\n') {
            return i + 3;
        }
    }
    return 0;
}

/* Cut the next line off *at; NULL at the empty line. */
static char *next_line(char **at, const char *end)
{
    char *line = *at;
    char *stop = memchr(line, '\n', (size_t)(end - line));
    if (stop == NULL) {
        return NULL;
    }
    *at = stop + 1;
    if (stop > line && stop[-1] == '\r') {
        stop--;
    }
    *stop = '\0';
    return *line == '\0' ? NULL : line;
}

static enum slt_http_method find_method(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "PUT", "POST"};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return (enum slt_http_method)i;
        }
    }
    return SLT_HTTP_OTHER;
}

static int parse_first_line(char *line, struct slt_http_request *request)
{
    char *target = strchr(line, ' ');
    char *version = target == NULL ? NULL : strchr(target + 1, ' ');
    if (version == NULL || target == line) {
        return 400;
    }
    *target = '\0';
    *version = '\0';
    request->method_name = line;
    request->method = find_method(line);
    request->target = target + 1;
    if (strncmp(version + 1, "HTTP/1.", 7) != 0) {
        return strncmp(version + 1, "HTTP/", 5) == 0 ? 505 : 400;
    }
    request->keep = version[8] != '0';
    return 0;
}

static bool parse_length(const char *value, uint64_t *length)
{
    *length = 0;
    for (; *value >= '0' && *value <= '9'; value++) {
        if (*length > UINT64_MAX / 16) {
            return false;
        }
        *length = *length * 10 + (uint64_t)(*value - '0');
    }
    return *value == '\0';
}

static bool has_token(const char *value, const char *token)
{
    size_t bytes = strlen(token);
    for (; *value != '\0'; value++) {
        if (strncasecmp(value, token, bytes) == 0) {
            return true;
        }
    }
    return false;
}

static int take_field(const char *name, const char *value, struct slt_http_request *request)
{
    if (strcasecmp(name, "content-length") == 0) {
        /* RFC 9112 6.3: two lengths that differ are an attack, not a request. */
        uint64_t length;
        bool fine = *value != '\0' && parse_length(value, &length) &&
                    (!request->has_length || length == request->length);
        if (!fine) {
            return 400;
        }
        request->has_length = true;
        request->length = length;
    } else if (strcasecmp(name, "transfer-encoding") == 0) {
        request->coded = true;
    } else if (strcasecmp(name, "connection") == 0) {
        request->keep = has_token(value, "close")        ? false
                        : has_token(value, "keep-alive") ? true
                                                         : request->keep;
    } else if (strcasecmp(name, "expect") == 0) {
        request->expects_continue = has_token(value, "100-continue");
    }
    return 0;
}

int slt_http_parse(char *head, size_t bytes, struct slt_http_request *request)
{
    const char *end = head + bytes;
    *request = (struct slt_http_request){.method = SLT_HTTP_OTHER};
    if (memchr(head, '\0', bytes) != NULL) {
        return 400;
    }
    char *line = next_line(&head, end);
    int status = line == NULL ? 400 : parse_first_line(line, request);
    while (status == 0 && (line = next_line(&head, end)) != NULL) {
        char *colon = strchr(line, ':');
        if (colon == NULL || colon == line || *line == ' ' || *line == '\t') {
            return 400;
        }
        *colon = '\0';
        const char *value = colon + 1 + strspn(colon + 1, " \t");
        char *last = line + (value - line) + strlen(value);
        while (last > value && (last[-1] == ' ' || last[-1] == '\t')) {
            last--;
        }
        *last = '\0';
        status = take_field(line, value, request);
    }
    return status;
}
