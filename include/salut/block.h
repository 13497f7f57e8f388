/* Calls that wait, for a program whose thread owns the runner: connect, accept, recv, send, close
 * and poll as a blocking descriptor has them. A call that cannot be answered at once turns the
 * runner until it can; everything else the runner has goes on meanwhile, in the same thread.
 *
 *     salut_block_create(runner, socks, &block);
 *     fd = salut_sock_socket(socks, AF_INET, SOCK_STREAM, 0);
 *     if (salut_block_connect(block, fd, addr, bytes) == 0) {
 *         salut_block_send(block, fd, "GET / HTTP/1.0\r\n\r\n", 18, 0);
 *         while ((n = salut_block_recv(block, fd, page, sizeof(page), 0)) > 0) {
 *
 * A descriptor with O_NONBLOCK, or MSG_DONTWAIT, waits for nothing (SOCK-73): the answer is then
 * that of the salut_sock_ call of the same name. SO_RCVTIMEO and SO_SNDTIMEO bound each wait
 * (SOCK-77). salut_runner_stop and salut_block_interrupt end it with -EINTR, or with the bytes that
 * had moved (SOCK-28).
 *
 * Not for handlers of the runner: a turn inside a turn is not to be had (salut/runner.h).
 */
#ifndef SALUT_BLOCK_H
#define SALUT_BLOCK_H

#include "salut/runner.h"
#include "salut/sock.h"

#ifdef __cplusplus
extern "C" {
#endif

struct salut_block;

/* Wait with this runner for descriptors of this table, whose stack the runner has. Both must
 * outlive it.
 *
 * Returns SALUT_OK, SALUT_NO_MEMORY. */
SALUT_API SALUT_MUST_USE enum salut_status salut_block_create(struct salut_runner *runner,
                                                              struct salut_socks *socks,
                                                              struct salut_block **block);

/* NULL is allowed. */
SALUT_API void salut_block_destroy(struct salut_block *block);

/* End the wait that is under way with -EINTR; when there is none, the next one. May be called from
 * any thread, from signal handlers, and from handlers of the runner. */
SALUT_API void salut_block_interrupt(struct salut_block *block);

/* connect(2): waits for the handshake. After -EINTR, and -EINPROGRESS when SO_SNDTIMEO is over, it
 * goes on in the background; a further call waits for it again (SOCK-32). */
SALUT_API int salut_block_connect(struct salut_block *block, int fd, const struct sockaddr *addr,
                                  uint32_t bytes);

/* accept4(2). Returns a descriptor, -EAGAIN when SO_RCVTIMEO is over, -EINTR, or as
 * salut_sock_accept. */
SALUT_API int salut_block_accept(struct salut_block *block, int fd, struct sockaddr *addr,
                                 uint32_t *bytes, int flags);

/* recv(2): waits for SO_RCVLOWAT bytes, with MSG_WAITALL for all of them. Returns fewer at the end
 * of the stream, at the urgent mark, on an error (which the next call tells), a signal, or when
 * the time is over; -EAGAIN and -EINTR only when there are none (SOCK-72). */
SALUT_API ptrdiff_t salut_block_recv(struct salut_block *block, int fd, void *data, size_t bytes,
                                     int flags);

/* send(2): waits until all bytes are queued. Returns fewer as salut_block_recv does (SOCK-70). */
SALUT_API ptrdiff_t salut_block_send(struct salut_block *block, int fd, const void *data,
                                     size_t bytes, int flags);

/* read(2) and write(2). */
SALUT_API ptrdiff_t salut_block_read(struct salut_block *block, int fd, void *data, size_t bytes);
SALUT_API ptrdiff_t salut_block_write(struct salut_block *block, int fd, const void *data,
                                      size_t bytes);

/* close(2): with SO_LINGER and a time it waits until the peer has acknowledged everything, for at
 * most that time; what is not acknowledged by then goes on in the background (SOCK-05). Returns 0
 * either way, or -EBADF. */
SALUT_API int salut_block_close(struct salut_block *block, int fd);

/* poll(2): negative waits for as long as nothing happens. Returns how many entries have bits set in
 * revents, 0 when the time is over, -EINTR. */
SALUT_API int salut_block_poll(struct salut_block *block, struct pollfd *fds, size_t count,
                               int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
