/* salut: a TCP/IP stack that lives in your program.
 *
 * You feed it frames, time and calls; it gives you frames and events. It has no thread, no clock,
 * no globals and allocates only from memory you give it. One turn of an instance is
 *
 *     salut_input(stack, frames, n, now);      // what the link received
 *     salut_poll(stack, now);                  // timers
 *     while (salut_next_event(stack, &ev))     // act: accept, recv, send, close ...
 *         ...
 *     n = salut_output(stack, frames, max);    // what is to be sent
 *     salut_output_taken(stack, how_many_the_link_took);
 *
 * and then to sleep until a frame comes, a call is made, or salut_next_deadline. Time is int64_t
 * nanoseconds, monotonic, of any origin. Calls between two turns happen at the time last told.
 * An instance belongs to one thread. No call runs code of yours: there are no callbacks.
 *
 * Every call that can fail answers an enum salut_status, with its results by pointer, last.
 */
#ifndef SALUT_SALUT_H
#define SALUT_SALUT_H

#include "salut/config.h"
#include "salut/info.h"
#include "salut/types.h"
#include "salut/udp.h"
#include "salut/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- instances ---------------------------------------------------------------------------- */

/* Fill `config` with the defaults of a profile. The caller still gives memory or an allocator, a
 * seed, and what the link is. */
SALUT_API void salut_config_init(struct salut_config *config, enum salut_profile profile);

/* Tell how many bytes a block for this configuration must have (fixed mode). 0: the configuration
 * is outside its limits. */
SALUT_API size_t salut_block_bytes(const struct salut_config *config);

/* Make an instance. The configuration is copied. In fixed mode the instance lies in
 * config->memory, which the caller keeps until salut_destroy.
 *
 * Returns SALUT_OK; SALUT_INVALID for a configuration outside its limits; SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status salut_create(const struct salut_config *config,
                                                        struct salut_stack **stack);

/* Take an instance down: every connection is forgotten without a segment. NULL is allowed. To
 * part politely, close or abort connections first and run turns until they are gone. Memory that
 * is still lent is the caller's again when this returns; to be told which that is, call
 * salut_abort_all and then salut_take_back before. */
SALUT_API void salut_destroy(struct salut_stack *stack);

/* ---- one turn ----------------------------------------------------------------------------- */

/* Take in a batch of frames. Each is parsed, checked and delivered or dropped with a counted
 * reason; nothing is sent and nothing of the frames is kept. `now_ns` must not go back; a smaller
 * value is taken as the last one told. */
SALUT_API void salut_input(struct salut_stack *stack, const struct salut_rx_frame *frames,
                           size_t count, int64_t now_ns);

/* Tell the time and let timers fire, at most config->timers_per_turn of them. Returns true when
 * more are due (call again, after output). */
SALUT_API bool salut_poll(struct salut_stack *stack, int64_t now_ns);

/* Fill at most `max` frames with what is to be sent now. They refer to memory of the stack and
 * are valid until salut_output_taken, which must follow before any other call. Returns how many
 * were filled. */
SALUT_API SALUT_MUST_USE size_t salut_output(struct salut_stack *stack,
                                             struct salut_tx_frame *frames, size_t max);

/* Say how many of the last batch the link took, from the first on. Those count as sent, the rest
 * will be offered again (built afresh). */
SALUT_API void salut_output_taken(struct salut_stack *stack, size_t count);

/* True when salut_output has, or may have, something to give. */
SALUT_API bool salut_wants_output(const struct salut_stack *stack);

/* The instant by which salut_poll must be called; INT64_MAX when no timer runs. */
SALUT_API int64_t salut_next_deadline(const struct salut_stack *stack);

/* Take the next event. Level-triggered: an object is reported while (ready & interest) is not
 * zero, at most once between two calls of salut_input or salut_poll. False when there is none. */
SALUT_API bool salut_next_event(struct salut_stack *stack, struct salut_event *event);

/* ---- addresses and routes ----------------------------------------------------------------- */

/* Give the interface an address with its prefix length. IPv6 addresses are tentative first when
 * the configuration asks for duplicate address detection.
 *
 * Returns SALUT_OK, SALUT_INVALID, SALUT_ADDRESS_IN_USE (it has it already), SALUT_NO_MEMORY. */
SALUT_API enum salut_status salut_add_address(struct salut_stack *stack, const salut_addr *addr,
                                              unsigned prefix_bits);

/* Take an address away. Connections that use it go on until they end (RFC 9293 MUST-45).
 *
 * Returns SALUT_OK, SALUT_ADDRESS_NOT_AVAILABLE. */
SALUT_API enum salut_status salut_remove_address(struct salut_stack *stack, const salut_addr *addr);

/* Add a route to `dest`/`prefix_bits` through `gateway` (all zero: on the link). A prefix of 0
 * bits is the default route.
 *
 * Returns SALUT_OK, SALUT_INVALID, SALUT_NO_MEMORY. */
SALUT_API enum salut_status salut_add_route(struct salut_stack *stack, const salut_addr *dest,
                                            unsigned prefix_bits, const salut_addr *gateway);

/* Parse "192.0.2.1", "fe80::1" (no zone) into *addr. Returns SALUT_OK or SALUT_INVALID. */
SALUT_API enum salut_status salut_addr_parse(const char *text, salut_addr *addr);

/* Print an address; returns the length, as snprintf would. */
SALUT_API int salut_addr_print(const salut_addr *addr, char *out, size_t size);

/* ---- opening ------------------------------------------------------------------------------ */

enum salut_listen_flag {
    SALUT_LISTEN_V6_ONLY = 1,      /* a wildcard listener does not take IPv4 */
    SALUT_LISTEN_ANY_PORT = 2,     /* every port that has no listener of its own */
    SALUT_LISTEN_TRANSPARENT = 4,  /* every destination address, ours or not (interception) */
    SALUT_LISTEN_EARLY_ACCEPT = 8, /* make the connection at the SYN (RFC user calls in
                                      SYN-RECEIVED); it can be accepted in that state */
    SALUT_LISTEN_REUSE = 16        /* share address and port with other listeners of this flag */
};

struct salut_listen_params {
    salut_addr local; /* all zero: every address of ours */
    uint16_t port;    /* 0: choose one (or every one, with ANY_PORT) */
    uint32_t flags;   /* of enum salut_listen_flag */
    uint32_t backlog; /* connections that may wait to be accepted; 0 means 1 */
    uint64_t user;    /* the listener's user value */
};

/* Open passively: LISTEN.
 *
 * Returns SALUT_OK; SALUT_INVALID; SALUT_ADDRESS_IN_USE; SALUT_ADDRESS_NOT_AVAILABLE (not our
 * address, or no port free); SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status salut_listen(struct salut_stack *stack,
                                                        const struct salut_listen_params *params,
                                                        salut_listener *listener);

/* Change the backlog of a listener. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_set_backlog(struct salut_stack *stack, salut_listener listener,
                                              uint32_t backlog);

/* So many connections that were taken still wait to be accepted, in a queue of the caller's: they
 * count towards the backlog like those that wait here. At first there are none.
 * Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_set_offered(struct salut_stack *stack, salut_listener listener,
                                              uint32_t count);

/* The address and port a listener has. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_listener_local(const struct salut_stack *stack,
                                                 salut_listener listener, salut_addr *local,
                                                 uint16_t *port);

/* Take the oldest connection that waits. Its interest is READABLE | ENDED.
 *
 * Returns SALUT_OK, SALUT_WOULD_BLOCK, SALUT_STALE. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_accept(struct salut_stack *stack, salut_listener listener, uint64_t user, salut_conn *conn);

/* Close a listener: half-open and unaccepted connections are reset (SOCK-08).
 *
 * Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_close_listener(struct salut_stack *stack,
                                                 salut_listener listener);

enum salut_connect_flag {
    SALUT_CONNECT_FAST_OPEN = 1, /* RFC 7413: ask the server for a cookie, or show the one it gave
                               and send what salut_send queues before the next salut_output
                               on the SYN. The peer may be given those bytes more than once.
                               Without meaning unless config.fast_open has CLIENT. */
    SALUT_CONNECT_FAST_OPEN_WAIT = 2 /* ... and when data would go with it, the SYN waits for it */
};

struct salut_connect_params {
    salut_addr remote;
    uint16_t remote_port;
    salut_addr local;    /* all zero: chosen by the route (MUST-44) */
    uint16_t local_port; /* 0: chosen (RFC 6056) */
    uint64_t user;
    uint32_t flags; /* of enum salut_connect_flag */
};

/* Open actively: SYN-SENT. The interest is CONNECTED | ENDED at first.
 *
 * Returns SALUT_OK (the attempt runs; an event says how it ended); SALUT_ADDRESS_INVALID for a
 * broadcast, multicast or unspecified peer (MUST-46); SALUT_INVALID; SALUT_NET_UNREACHABLE (no
 * route); SALUT_ADDRESS_NOT_AVAILABLE (not our address, or no port left);
 * SALUT_ADDRESS_IN_USE (this very connection exists); SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status salut_connect(struct salut_stack *stack,
                                                         const struct salut_connect_params *params,
                                                         salut_conn *conn);

/* True when a fast open of this peer would carry data now: its cookie is known, and nothing bad
 * was heard about the path. */
SALUT_API bool salut_fast_open_ready(const struct salut_stack *stack,
                                     const struct salut_connect_params *params);

/* Turn a listener into an active open to a peer (RFC 9293 3.10.1: LISTEN to SYN-SENT). The
 * listener ends; its address and port become the connection's.
 *
 * Returns as salut_connect; SALUT_STALE. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_listener_connect(struct salut_stack *stack, salut_listener listener,
                       const struct salut_connect_params *params, salut_conn *conn);

/* ---- moving bytes ------------------------------------------------------------------------- */

/* Queue bytes for sending.
 *
 * Copies up to `bytes` bytes into the send buffer and returns at once; *accepted says how many
 * were taken. Nothing of `data` is kept. Legal in every state that can still send; in SYN-SENT
 * and SYN-RECEIVED the bytes wait (RFC 9293 3.10.2).
 *
 * Returns SALUT_OK; SALUT_WOULD_BLOCK (none taken: full); SALUT_CLOSED after shutdown;
 * SALUT_NO_MEMORY (no buffer); SALUT_STALE; or what ended the connection. */
SALUT_API SALUT_MUST_USE enum salut_status salut_send(struct salut_stack *stack, salut_conn conn,
                                                      const void *data, size_t bytes,
                                                      unsigned flags, size_t *accepted);

/* The same from several pieces. */
SALUT_API SALUT_MUST_USE enum salut_status salut_sendv(struct salut_stack *stack, salut_conn conn,
                                                       const struct salut_iovec *pieces,
                                                       size_t count, unsigned flags,
                                                       size_t *accepted);

/* How many bytes salut_send would take now, as the send buffer's limit goes; they may be too many
 * for the memory that is left. *bytes is at least 1 with SALUT_OK, else 0. Return as salut_send. */
SALUT_API enum salut_status salut_send_room(const struct salut_stack *stack, salut_conn conn,
                                            size_t *bytes);

/* Write without a copy: lend room at the end of the send buffer, to be written in place.
 *
 * *room is at least one byte, and at most one buffer (config buffer_bytes). Nothing is queued
 * before salut_send_commit makes the first `bytes` of it text (with 0 it is given back). The room
 * is valid until the next call that changes the connection; a segment refers to what is written
 * where it lies, so it must not be written again after the commit.
 *
 * Return as salut_send; commit SALUT_INVALID when more is committed than was lent. */
SALUT_API SALUT_MUST_USE enum salut_status
salut_send_reserve(struct salut_stack *stack, salut_conn conn, struct salut_iovec_mut *room);
SALUT_API enum salut_status salut_send_commit(struct salut_stack *stack, salut_conn conn,
                                              size_t bytes, unsigned flags);

/* Send without a copy: lend memory that stays yours (a cached file, a mapped one, a body that a
 * thousand connections share), to be sent, and sent again, from where it lies.
 *
 * All of it is queued, or nothing. The stack only reads it. Until salut_take_back returns the loan
 * it must neither change nor go away; that happens once for every call that returned SALUT_OK, and
 * only there: when the last byte was acknowledged, or when the connection can send no more (it was
 * reset, aborted or timed out; closing alone does not bring it back, for what is queued is still
 * delivered). The same memory may be lent any number of times, and parts of it may overlap: each
 * call is a loan of its own.
 *
 * A loan counts in full against the send buffer (SALUT_OPT_SEND_BUFFER), as copied bytes do, but
 * may go beyond its limit: whenever the buffer has room for one byte a whole loan is taken, and the
 * next call waits until the queue has shrunk below the limit. It takes a note of 40 bytes of the
 * instance (config loans_max), no buffer. Less than two buffers (config buffer_bytes) is copied
 * after all, that being cheaper, and may be taken back at once. 0 bytes are no error.
 *
 * Flags as salut_send. Returns SALUT_OK; SALUT_WOULD_BLOCK (the send buffer is full; WRITABLE says
 * when it is not); SALUT_INVALID (no base, more than SALUT_LOAN_BYTES_MAX, or an unknown flag);
 * SALUT_NO_MEMORY (loans_max are out or wait to be taken back, or no buffer); SALUT_CLOSED after
 * shutdown; SALUT_PENDING_OUTPUT; SALUT_STALE; or what ended the connection. Unless it is SALUT_OK
 * nothing of the memory is kept. */
SALUT_API SALUT_MUST_USE enum salut_status salut_send_lend(struct salut_stack *stack,
                                                           salut_conn conn,
                                                           const struct salut_loan *loan,
                                                           unsigned flags);

/* Take back the next loan that the stack needs no more; false when there is none. Callable at any
 * time, before and after the connection is gone; once a turn, after the events, is a good habit.
 * Loans of one connection come back in the order in which they were lent, but for those copied. */
SALUT_API bool salut_take_back(struct salut_stack *stack, struct salut_loan *loan);

/* Take received bytes, in order.
 *
 * Returns SALUT_OK (*received > 0, or 0 when bytes is 0); SALUT_WOULD_BLOCK; SALUT_END once the
 * peer's FIN is reached; SALUT_IN_PROGRESS before ESTABLISHED; SALUT_STALE; or what ended the
 * connection, after every byte that came before was read (D-18). */
SALUT_API SALUT_MUST_USE enum salut_status salut_recv(struct salut_stack *stack, salut_conn conn,
                                                      void *data, size_t bytes, size_t *received);

/* The same into several pieces. */
SALUT_API SALUT_MUST_USE enum salut_status salut_recvv(struct salut_stack *stack, salut_conn conn,
                                                       const struct salut_iovec_mut *pieces,
                                                       size_t count, size_t *received);

/* Look at received bytes where they lie, without taking them: up to `max` pieces, valid until the
 * next call that changes the connection. salut_consume then takes `bytes` of them. Returns as
 * salut_recv. */
SALUT_API SALUT_MUST_USE enum salut_status salut_peek(struct salut_stack *stack, salut_conn conn,
                                                      struct salut_iovec *pieces, size_t max,
                                                      size_t *count, size_t *bytes);
SALUT_API enum salut_status salut_consume(struct salut_stack *stack, salut_conn conn, size_t bytes);

/* Urgent data (RFC 9293 3.8.5): *ahead is how many bytes remain to be read up to and including
 * the last urgent one; 0 when none is announced. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_urgent(const struct salut_stack *stack, salut_conn conn,
                                         uint32_t *ahead);

/* ---- closing ------------------------------------------------------------------------------ */

/* Shut a direction. WRITE is the RFC's CLOSE: FIN after everything queued; reading goes on for as
 * long as the peer sends. READ makes reading end once what has arrived is read; nothing is sent.
 *
 * Returns SALUT_OK; SALUT_INVALID; SALUT_NOT_CONNECTED; SALUT_STALE. */
SALUT_API enum salut_status salut_shutdown(struct salut_stack *stack, salut_conn conn,
                                           enum salut_how how);

/* Close both directions and let go of the handle (which is stale from now on). With bytes unread
 * the connection is reset (SHLD-3), else what is queued is still delivered and FIN sent.
 *
 * Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_close(struct salut_stack *stack, salut_conn conn);

/* Reset the connection and let go of the handle (RFC 9293 3.10.5). Returns SALUT_OK, SALUT_STALE.
 */
SALUT_API enum salut_status salut_abort(struct salut_stack *stack, salut_conn conn);

/* Abort every connection, those closed before and still sending included, so that all memory lent
 * can be taken back. Resets leave with the next salut_output, if there is one. Handles stay, and
 * answer SALUT_ABORTED; listeners, and what they have not handed out, are not touched. A batch of
 * output that was not answered counts as not taken. */
SALUT_API void salut_abort_all(struct salut_stack *stack);

/* ---- options and facts -------------------------------------------------------------------- */

/* Set or read an option. Options set on a listener are inherited by what it accepts.
 *
 * Returns SALUT_OK, SALUT_INVALID (unknown option or value outside its domain), SALUT_STALE. */
SALUT_API enum salut_status salut_set_option(struct salut_stack *stack, salut_conn conn,
                                             enum salut_option option, int64_t value);
SALUT_API enum salut_status salut_get_option(const struct salut_stack *stack, salut_conn conn,
                                             enum salut_option option, int64_t *value);
SALUT_API enum salut_status salut_set_listener_option(struct salut_stack *stack,
                                                      salut_listener listener,
                                                      enum salut_option option, int64_t value);

/* Say which ready bits are to be reported. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_set_interest(struct salut_stack *stack, salut_conn conn,
                                               uint32_t interest);

/* The ready bits as they are now, interest or not. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_ready(const struct salut_stack *stack, salut_conn conn,
                                        uint32_t *ready);

/* Replace the user value. Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_set_user(struct salut_stack *stack, salut_conn conn,
                                           uint64_t user);

/* Everything a connection can tell (RFC 9293 3.10.6 STATUS); changes nothing.
 *
 * Returns SALUT_OK, SALUT_STALE. */
SALUT_API enum salut_status salut_get_info(const struct salut_stack *stack, salut_conn conn,
                                           struct salut_info *info);

/* Walk over everything there is: half-open and TIME-WAIT entries, listeners and UDP sockets too.
 * Start with *cursor = 0; returns false at the end. Objects that come or go meanwhile may be
 * missed. */
SALUT_API bool salut_next_info(const struct salut_stack *stack, uint64_t *cursor,
                               struct salut_info *info);

/* How often a reason has occurred; reasons are numbered from 1 to salut_reason_count() - 1. */
SALUT_API uint64_t salut_counter(const struct salut_stack *stack, unsigned reason);
SALUT_API unsigned salut_reason_count(void);
SALUT_API const char *salut_reason_token(unsigned reason);
SALUT_API const char *salut_reason_sentence(unsigned reason);

/* Names: "FIN_WAIT_1" as netstat writes it; a sentence for a status. */
SALUT_API const char *salut_state_name(enum salut_state state);
SALUT_API const char *salut_status_text(enum salut_status status);

/* The bytes and objects the instance holds, by owner (0 .. salut_owner_count() - 1). */
SALUT_API unsigned salut_owner_count(void);
SALUT_API const char *salut_owner_text(unsigned owner);
SALUT_API void salut_ledger(const struct salut_stack *stack, unsigned owner, uint64_t *bytes,
                            uint32_t *objects);

/* Check every invariant of the instance. NULL when all hold, else a sentence about the first that
 * does not. Costs time in proportion to the instance: for tests. */
SALUT_API const char *salut_check(const struct salut_stack *stack);

/* A digest of the instance's state that does not depend on absolute positions or times. */
SALUT_API uint64_t salut_digest(const struct salut_stack *stack);

/* Save and restore an instance in fixed mode: `copy` has salut_snapshot_bytes() bytes. Counters
 * and the event ring are not part of it. Restoring puts the copy back in the same block. Memory
 * lent is not copied: what was lent when a copy was made must stay while it may be restored, and is
 * then lent again. */
SALUT_API size_t salut_snapshot_bytes(const struct salut_stack *stack);
SALUT_API void salut_save(const struct salut_stack *stack, void *copy);
SALUT_API void salut_restore(struct salut_stack *stack, const void *copy);

/* "0.1.0" */
SALUT_API const char *salut_version(void);

#ifdef __cplusplus
}
#endif

#endif
