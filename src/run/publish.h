/* Published ports: the reverse of the gateway.
 *
 * A listener in the host's network, whose connections are carried to a port of the program's
 * address: a second kernel socket, in the network the supervisor lives in, connects there, and a
 * splice joins the two. The program sees the kernel's address of that network as its peer.
 */
#ifndef SLT_RUN_PUBLISH_H
#define SLT_RUN_PUBLISH_H

#include "run/porter_linux.h"
#include "salut/types.h"

#define SLT_PUBLISH_MAX 16U

/* "[ADDRESS:]PORT:PORT". Without an address: 127.0.0.1. */
struct slt_publish_spec {
    struct sockaddr_storage outside;
    uint16_t inside_port;
};

/* False: it is no such specification. An IPv6 address stands in brackets. */
bool slt_publish_parse(const char *text, struct slt_publish_spec *spec);

struct slt_published;

struct slt_publish {
    struct slt_poller *poller;
    salut_addr inside; /* the program's address */
    struct slt_published *all;
    uint32_t count;
    struct salut_runner_timer retry; /* descriptors were out: the listeners are not watched */
    struct slt_publish_port {
        struct slt_publish *publish;
        struct slt_polled polled;
        uint16_t inside_port;
    } ports[SLT_PUBLISH_MAX];
};

/* Make a listener in the network of the caller, or, where there is a porter, in the porter's.
 * Returns the descriptor or a negative errno value. */
int slt_publish_listen(const struct slt_publish_spec *spec, struct slt_porter *porter);

/* Carry what comes to the listener `fd`, which belongs to *publish from now on. */
bool slt_publish_add(struct slt_publish *publish, int fd, uint16_t inside_port);

/* True when everything that the program sent has gone out, as far as it has ended sending. */
bool slt_publish_is_quiet(const struct slt_publish *publish);

/* Reset what is left, and close the listeners. */
void slt_publish_close(struct slt_publish *publish);

#endif
