/* A relay: a connection of a stack and a kernel socket, joined into one.
 *
 * Bytes go both ways without a buffer of the relay's own: what the stack received is written to the
 * socket from where it lies, what the socket has is read into the stack's send buffer. So who reads
 * slowly on one side is felt by who writes on the other. A FIN is carried over once everything
 * before it was; a reset at once, as a reset. A failure of any other kind is a reset for the other
 * side: nobody is to take a broken stream for a complete one.
 */
#ifndef SLT_RUN_RELAY_H
#define SLT_RUN_RELAY_H

#include "run/poller.h"
#include "salut/salut.h"

struct slt_relay {
    struct slt_poller *poller;
    struct salut_stack *stack;
    salut_conn conn;
    struct slt_polled polled; /* the socket: its owner sets fd before begin */
    bool from_stack_ended;    /* the stack's FIN was carried over */
    bool from_socket_ended;   /* the socket's was */
    bool socket_full;
    bool stack_full;
    bool over; /* both sides are closed: the owner may take it down */
    /* Called once, last of all, when it is over; may free the relay. Not called by relay_cut. */
    void (*on_over)(void *ctx);
    void *ctx;
};

/* Join `conn`, which is connected, and polled.fd, a connected non-blocking socket. Both are the
 * relay's from now on. */
void slt_relay_begin(struct slt_relay *relay, struct slt_poller *poller, struct salut_stack *stack,
                     salut_conn conn);

/* An event of the connection. */
void slt_relay_event(struct slt_relay *relay, uint32_t ready);

/* Close both sides: with a reset, unless the stream that the side receives is complete. */
void slt_relay_cut(struct slt_relay *relay);

/* Close a socket so that its peer sees a reset. */
void slt_relay_reset_socket(struct slt_poller *poller, struct slt_polled *polled);

#endif
