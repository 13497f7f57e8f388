/* Sockets that end without a word.
 *
 * A socket that is not connected to an end of ours (fresh, bound, listening, or with its end
 * closed) tells nobody when the program closes it. While there are such, the kernel's list of UNIX
 * sockets is read ten times a second, and whatever it does not show any more is closed. Connected
 * ones are here for two reasons: both directions are shut, so that a close changes nothing one
 * could be woken by; or a reset waits until S can be found.
 */
#include "run/sockets.h"

#include <netinet/tcp.h>
#include <unistd.h>

#define STATES (1U << TCP_LISTEN | 1U << TCP_CLOSE | 1U << TCP_ESTABLISHED)

static void mark_alive(void *ctx, const struct slt_run_seen *seen)
{
    struct slt_run_sock *sock = slt_run_sock_of_inode(ctx, seen->inode);
    if (sock != NULL) {
        sock->seen_alive = true;
    }
}

/* A connected one: the other end's inode is there as long as S is somebody's. */
static void look_after_end(struct slt_run_sock *sock)
{
    struct slt_run_seen seen;
    if (sock->reset_waits) {
        slt_run_show_reset(sock);
    } else if (slt_run_diag_one(sock->sup, slt_run_inode_of(sock->end.fd), &seen) == 1 &&
               seen.peer == 0) {
        slt_run_closed(sock);
    }
}

void slt_run_watch_sweep(struct slt_supervisor *sup)
{
    bool wanted = false;
    for (struct slt_run_sock *sock = sup->watched; sock != NULL; sock = sock->next_watched) {
        sock->seen_alive = false;
        wanted = wanted || sock->end.fd < 0;
    }
    if (wanted && !slt_run_diag_walk(sup, STATES, mark_alive, sup)) {
        return;
    }
    struct slt_run_sock *next;
    for (struct slt_run_sock *sock = sup->watched; sock != NULL; sock = next) {
        next = sock->next_watched;
        if (sock->phase == SLT_RUN_DEFERRED) {
            if (sock->offer_at_ns <= salut_runner_now(sup->runner)) {
                slt_run_queue_deferred(sock);
            }
        } else if (sock->end.fd >= 0) {
            look_after_end(sock);
        } else if (!sock->seen_alive) {
            slt_run_closed(sock);
        }
    }
}
