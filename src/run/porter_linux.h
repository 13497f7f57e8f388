/* The porter: sockets of the host's network for one who lives in a private one.
 *
 * A small process, forked before the private namespaces are entered, stays in the host's network
 * and sees the host's files.
 * Asked over a UNIX socket pair, it makes a socket there, connects or binds it, and passes it on
 * (SCM_RIGHTS); a socket keeps the network it was made in. The porter never waits: a connect is
 * begun, and who gets the socket sees how it ends. It does nothing else, holds nothing, hears no
 * signal of the terminal, and ends when the other end of the pair is closed, also by kill -9.
 *
 * Only its own process has the other end: it is close-on-exec, and no program gets it.
 */
#ifndef SLT_RUN_PORTER_LINUX_H
#define SLT_RUN_PORTER_LINUX_H

#include "run/poller.h"

#include <sys/socket.h>
#include <sys/types.h>

enum slt_porter_kind {
    SLT_PORTER_CONNECT,   /* TCP, connect begun */
    SLT_PORTER_LISTEN,    /* TCP, bound and listening */
    SLT_PORTER_NAMES_UDP, /* UDP, connected to a name server of the host's */
    SLT_PORTER_NAMES_TCP  /* TCP, connect to one begun */
};

#define SLT_PORTER_WAITING_MAX 256U

/* fd: the socket, non-blocking and close-on-exec, the receiver's from now on; negative: an errno
 * value. */
typedef void slt_porter_done(void *ctx, int fd);

struct slt_porter {
    pid_t pid;
    int fd; /* -1: there is none */
    struct slt_poller *poller;
    struct slt_polled polled;
    struct {
        slt_porter_done *done; /* NULL: nobody wants it any more */
        void *ctx;
    } waiting[SLT_PORTER_WAITING_MAX]; /* a ring: answers come in the order of the questions */
    uint32_t first;
    uint32_t count;
};

/* Fork the porter, in the network namespace that is to be served. False: no process, no memory. */
bool slt_porter_start(struct slt_porter *porter);

/* Ask and wait. Only before slt_porter_attach. Returns the socket or a negative errno value. */
int slt_porter_ask_now(struct slt_porter *porter, enum slt_porter_kind kind,
                       const struct sockaddr_storage *address);

/* Take answers on a poller from now on. */
bool slt_porter_attach(struct slt_porter *porter, struct slt_poller *poller);

/* Ask; `done` is called in a later turn. False: too much is asked at once, or it has ended. */
bool slt_porter_ask(struct slt_porter *porter, enum slt_porter_kind kind,
                    const struct sockaddr_storage *address, slt_porter_done *done, void *ctx);

/* The same for the host's name server number `server`, from 0 in the order of /etc/resolv.conf as
 * the porter finds it then (machines move from network to network). -ENOENT: there are fewer. */
bool slt_porter_ask_names(struct slt_porter *porter, enum slt_porter_kind kind, uint32_t server,
                          slt_porter_done *done, void *ctx);

/* Whatever was asked with this context is wanted no more. */
void slt_porter_forget(struct slt_porter *porter, const void *ctx);

/* End it and wait for its end. */
void slt_porter_stop(struct slt_porter *porter);

#endif
