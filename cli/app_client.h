/* A client on a stack: connect, send a request, read the answer to its end, close.
 */
#ifndef SLT_CLI_APP_CLIENT_H
#define SLT_CLI_APP_CLIENT_H

#include "cli/sha256.h"
#include "salut/salut.h"

#define SLT_CLIENT_TEXT_MAX 512

struct slt_app_client {
    struct salut_stack *stack;
    const char *request;
    size_t request_bytes;
    bool half_close; /* FIN behind the request */
    bool http;       /* the digest is of the body alone */
    /* What came of it. */
    salut_conn conn;
    size_t sent;
    bool in_body; /* the head's end was seen */
    bool over;
    enum salut_status status; /* SALUT_OK: the answer came to its end */
    uint64_t bytes;           /* of the answer, or its body */
    struct slt_sha256 sha;
    size_t text_bytes;
    char text[SLT_CLIENT_TEXT_MAX]; /* its first bytes, the head included */
};

/* Start. The client must stay where it is until it is over. */
enum salut_status slt_app_client_start(struct slt_app_client *client, const salut_addr *remote,
                                       uint16_t port);

/* True when the event is about a client: then it has been served. */
bool slt_app_client_event(const struct salut_event *event);

#endif
