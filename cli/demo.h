/* The parts of salut demo: the private network it runs in, and the kernel's side of it.
 */
#ifndef SLT_CLI_DEMO_H
#define SLT_CLI_DEMO_H

#include "cli/app_client.h"
#include "cli/app_http.h"
#include "cli/cli.h"
#include "link/link.h"
#include "observe/comment.h"
#include "observe/story.h"

#include <sys/types.h>

#define SLT_DEMO_PORT 7777

enum slt_demo_device { SLT_DEMO_ANY, SLT_DEMO_TAP, SLT_DEMO_VETH, SLT_DEMO_MEMORY };

/* Addresses of the private network. */
extern const char slt_demo_ours4[];
extern const char slt_demo_ours6[];
extern const char slt_demo_peer4[];
extern const char slt_demo_peer6[];

struct slt_demo {
    enum slt_demo_device wanted;
    enum slt_demo_device device; /* what it became */
    uint64_t large_bytes;
    struct slt_term term;
    struct salut_runner *runner;
    struct slt_link *link;
    struct salut_stack *stack;
    struct slt_link *peer_link; /* memory only: the other stack */
    struct salut_stack *peer_stack;
    struct slt_story *story;
    const char *capture; /* --capture; NULL: none */
    struct slt_commenter commenter;
    struct slt_app_server http;
    struct slt_http_options http_options;
    struct slt_app_server peer_echo; /* memory only */
    char page_sha[SLT_SHA256_HEX];
    char large_sha[SLT_SHA256_HEX];
};

/* ---- demo_net.c ---- */

/* In the private network's namespace: open the best device there is around the story's sink, and
 * say which. False with the sentence printed when none can be had. */
bool slt_demo_open_device(struct slt_demo *demo);

/* Two links in memory instead. */
bool slt_demo_open_memory(struct slt_demo *demo);

/* ---- demo_kernel.c ---- */

/* A program of the kernel's side: its output is hashed as it comes. */
struct slt_demo_curl {
    struct salut_runner *runner;
    pid_t pid;
    int fd; /* its standard output; -1 once it has ended */
    uint64_t bytes;
    struct slt_sha256 sha;
};

/* True when curl is on the PATH. */
bool slt_demo_has_curl(void);

/* Start curl on a URL. */
bool slt_demo_curl_start(struct slt_demo_curl *curl, const char *url);

/* Its exit status, once fd is -1. */
int slt_demo_curl_status(struct slt_demo_curl *curl);
void slt_demo_curl_kill(struct slt_demo_curl *curl);

/* A server on the kernel's TCP, in a process of its own, for one connection: it greets, sends back
 * what it gets, and closes after the client. Returns its pid, -1 when it cannot be started. */
pid_t slt_demo_kernel_server(const char *address, uint16_t port);

#endif
