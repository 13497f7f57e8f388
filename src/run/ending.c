/* How a socket ends, in both directions.
 *
 * The program's close is the stack's close: what it had written is still sent, then FIN; the stack
 * resets where bytes were left unread (SOCK-01..03). Bytes that were handed over to S and not read
 * there are unread all the same: the kernel tells by ECONNRESET on E (SOCK-02).
 *
 * The other way a reset is to be seen in S. A UNIX socket says ECONNRESET, after all bytes that
 * came before, when its other end is closed with bytes unread; so E is closed while it holds some.
 * When it holds none, one is written through a duplicate of S that is dropped at once. Where S
 * cannot be found (nobody has accepted it yet) this is tried again later; where it must not be
 * looked into, the reset reads as the end of the stream, and the user is told so once.
 */
#include "run/sockets.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RESET_TRIES_MAX 50

void slt_run_drop_end(struct slt_run_sock *sock)
{
    slt_poller_drop(&sock->sup->poller, &sock->end);
    slt_run_drop_held(sock);
    sock->filler_bytes = 0;
    sock->bulk = false;
    sock->bulk_bytes = 0;
}

void slt_run_closed(struct slt_run_sock *sock)
{
    struct slt_supervisor *sup = sock->sup;
    int fd = sock->fd;
    slt_run_sock_free(sock);
    (void)salut_sock_close(sup->socks, fd);
}

void slt_run_aborted(struct slt_run_sock *sock)
{
    salut_conn conn;
    if (salut_sock_conn(sock->sup->socks, sock->fd, &conn) == SALUT_OK) {
        (void)salut_abort(sock->sup->stack, conn);
    }
    slt_run_closed(sock);
}

/* From now on S is on its own: only a look at the kernel's list tells when it is closed. */
static void become_dead(struct slt_run_sock *sock)
{
    slt_run_drop_end(sock);
    sock->phase = SLT_RUN_DEAD;
    sock->reset_waits = false;
    slt_run_watch(sock);
    slt_run_poke(sock);
}

static bool holds_bytes(const struct slt_run_sock *sock)
{
    int unread = 0;
    return sock->filler_bytes > 0 || (ioctl(sock->end.fd, SIOCINQ, &unread) == 0 && unread > 0);
}

static void note_blindness(struct slt_supervisor *sup)
{
    if (!sup->noted_blind) {
        sup->noted_blind = true;
        slt_run_note(sup, "a program of another user cannot be looked into (CAP_SYS_PTRACE is "
                          "missing): a reset by its peer will read as the end of the stream");
    }
}

/* Write a byte from the program's side. Returns 0, or why not. */
static int leave_byte(struct slt_run_sock *sock)
{
    int fd = slt_run_take_any(sock);
    if (fd < 0) {
        return fd;
    }
    (void)send(fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)close(fd);
    return 0;
}

void slt_run_show_reset(struct slt_run_sock *sock)
{
    if (sock->end.fd < 0) {
        return;
    }
    (void)salut_set_interest(sock->sup->stack, sock->conn, 0);
    sock->interest = 0;
    (void)slt_run_know_inode(sock);
    bool holds = holds_bytes(sock);
    if (sock->fin_given && !holds) {
        become_dead(sock); /* SOCK-22: after the peer's FIN a reset changes nothing for readers */
        return;
    }
    int trouble = holds ? 0 : leave_byte(sock);
    sock->told_reset = trouble == 0;
    if (trouble == -EPERM) {
        note_blindness(sock->sup);
    } else if (trouble < 0 && sock->reset_tries < RESET_TRIES_MAX) {
        sock->reset_tries++;
        sock->reset_waits = true;
        slt_run_watch(sock);
        return;
    }
    become_dead(sock);
}
