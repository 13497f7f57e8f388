/* Calls of the program: whose they are, what answers them, and those that wait.
 *
 * A handler answers at once, or says later; then the call is kept with what it has learnt, and the
 * handler is asked again whenever the socket was poked, until it has an answer, the call's time is
 * up, or the thread waits no more (a signal, or its end). The kernel does not tell of the latter;
 * it is asked ten times a second.
 *
 * An answer may come too late: a signal took the thread out of its call in that very moment. With
 * SA_RESTART the same call comes again and has to find what it would have found: so an answer that
 * nobody heard is kept, and given to the next call of that kind by that thread on that socket. (A
 * connect that is begun and says so must not become EALREADY because a timer ticked.)
 */
#include "run/sockets.h"
#include "run/target_linux.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

#define CALLS_MAX 64 /* answered in one turn */

static const slt_run_handler handlers[SLT_CALL_COUNT] = {
    [SLT_CALL_BIND] = slt_run_call_bind,
    [SLT_CALL_LISTEN] = slt_run_call_listen,
    [SLT_CALL_ACCEPT] = slt_run_call_accept,
    [SLT_CALL_ACCEPT4] = slt_run_call_accept,
    [SLT_CALL_CONNECT] = slt_run_call_connect,
    [SLT_CALL_GETSOCKNAME] = slt_run_call_getsockname,
    [SLT_CALL_GETPEERNAME] = slt_run_call_getpeername,
    [SLT_CALL_SETSOCKOPT] = slt_run_call_setsockopt,
    [SLT_CALL_GETSOCKOPT] = slt_run_call_getsockopt,
    [SLT_CALL_SHUTDOWN] = slt_run_call_shutdown,
    [SLT_CALL_SENDTO] = slt_run_call_sendto,
    [SLT_CALL_SENDMSG] = slt_run_call_sendmsg,
    [SLT_CALL_RECVFROM] = slt_run_call_recvfrom,
    [SLT_CALL_RECVMSG] = slt_run_call_recvmsg,
    [SLT_CALL_IOCTL] = slt_run_call_ioctl,
};

/* ---- answering ------------------------------------------------------------------------------ */

/* The record, if it is still the one. */
static struct slt_run_sock *still(const struct slt_supervisor *sup, int number, uint64_t serial)
{
    struct slt_run_sock *sock = slt_run_sock_at(sup, (uint64_t)number);
    return sock != NULL && sock->serial == serial ? sock : NULL;
}

static void answer(struct slt_supervisor *sup, const struct slt_call *call,
                   struct slt_run_sock *sock, int64_t result)
{
    /* -ESRCH: the thread was gone before anything was done. */
    if (slt_notify_answer(sup->notify_fd, call, result) || sock == NULL || result == -ESRCH) {
        return;
    }
    sock->unheard.valid = true;
    sock->unheard.kind = call->kind;
    sock->unheard.tid = call->tid;
    sock->unheard.result = result;
}

/* ---- calls that wait ------------------------------------------------------------------------ */

static void on_dup_ready(void *ctx, uint32_t events)
{
    struct slt_run_wait *wait = ctx;
    (void)events;
    if (wait->sock != NULL) {
        slt_run_poke(wait->sock);
    }
}

static void tick_for(struct slt_supervisor *sup, const struct slt_run_wait *wait)
{
    int64_t at_ns = salut_runner_now(sup->runner) + SLT_RUN_TICK_NS;
    slt_run_tick_soon(sup, slt_min64(at_ns, wait->due_at_ns));
}

/* False: no memory; the call fails. */
static bool keep(struct slt_supervisor *sup, const struct slt_run_wait *wait)
{
    struct slt_run_wait *kept = calloc(1, sizeof(*kept));
    if (kept == NULL) {
        return false;
    }
    *kept = *wait;
    kept->dup.on_ready = on_dup_ready;
    kept->dup.ctx = kept;
    kept->next = kept->sock->waits;
    kept->sock->waits = kept;
    kept->next_of_all = sup->waits;
    sup->waits = kept;
    if (kept->dup_events != 0) {
        (void)slt_poller_watch(&sup->poller, &kept->dup, kept->dup_events | EPOLLET);
    }
    tick_for(sup, kept);
    return true;
}

static void drop(struct slt_supervisor *sup, struct slt_run_wait *wait)
{
    struct slt_run_wait **at = &sup->waits;
    while (*at != wait) {
        at = &(*at)->next_of_all;
    }
    *at = wait->next_of_all;
    if (wait->sock != NULL) {
        at = &wait->sock->waits;
        while (*at != wait) {
            at = &(*at)->next;
        }
        *at = wait->next;
    }
    slt_poller_drop(&sup->poller, &wait->dup);
    free(wait);
}

/* The duplicate goes first: the program may close its own as soon as it is answered, and that has
 * to be the last of them. */
static void finish(struct slt_supervisor *sup, struct slt_run_wait *wait, int64_t result)
{
    struct slt_call call = wait->call;
    struct slt_run_sock *sock = wait->sock;
    drop(sup, wait);
    if (result != SLT_RUN_ANSWERED) {
        answer(sup, &call, sock, result);
    }
}

static void ask(struct slt_supervisor *sup, struct slt_run_wait *wait)
{
    if (!slt_notify_is_waiting(sup->notify_fd, &wait->call)) {
        drop(sup, wait);
        return;
    }
    int64_t result =
        wait->sock == NULL ? -ECONNABORTED : handlers[wait->call.kind](wait->sock, wait);
    if (result != SLT_RUN_LATER) {
        finish(sup, wait, result);
    }
}

void slt_run_calls_retry(struct slt_supervisor *sup)
{
    while (sup->poked != NULL) {
        struct slt_run_sock *sock = sup->poked;
        int number = sock->fd;
        uint64_t serial = sock->serial;
        sup->poked = sock->next_poked;
        sock->poked = false;
        struct slt_run_wait *next;
        for (struct slt_run_wait *wait = sock->waits; wait != NULL; wait = next) {
            next = wait->next;
            ask(sup, wait);
            if (still(sup, number, serial) == NULL) {
                break; /* the others are answered by the tick */
            }
        }
    }
}

void slt_run_calls_tick(struct slt_supervisor *sup, int64_t now_ns)
{
    struct slt_run_wait *next;
    for (struct slt_run_wait *wait = sup->waits; wait != NULL; wait = next) {
        next = wait->next_of_all;
        if (wait->due_at_ns <= now_ns) {
            finish(sup, wait, wait->done > 0 ? (int64_t)wait->done : wait->late);
        } else if (wait->sock == NULL || !slt_notify_is_waiting(sup->notify_fd, &wait->call)) {
            ask(sup, wait);
        }
    }
    for (struct slt_run_wait *wait = sup->waits; wait != NULL; wait = wait->next_of_all) {
        tick_for(sup, wait);
    }
}

void slt_run_calls_drop(struct slt_supervisor *sup)
{
    while (sup->waits != NULL) {
        finish(sup, sup->waits, -ENETDOWN);
    }
}

/* ---- new calls ------------------------------------------------------------------------------ */

/* A connection of the kernel's loopback that was accepted here. */
static int64_t serve_joint(struct slt_run_sock *sock, struct slt_run_wait *wait)
{
    switch ((int)wait->call.kind) {
    case SLT_CALL_GETSOCKNAME:
    case SLT_CALL_GETPEERNAME:
    case SLT_CALL_SETSOCKOPT:
    case SLT_CALL_GETSOCKOPT:
    case SLT_CALL_RECVFROM:
        return handlers[wait->call.kind](sock, wait);
    case SLT_CALL_CONNECT:
        return -EISCONN;
    case SLT_CALL_BIND:
    case SLT_CALL_LISTEN:
    case SLT_CALL_ACCEPT:
    case SLT_CALL_ACCEPT4:
        return -EINVAL;
    default:
        slt_notify_pass(sock->sup->notify_fd, &wait->call); /* the splice sees what comes of it */
        return SLT_RUN_ANSWERED;
    }
}

static void serve_sock(struct slt_supervisor *sup, const struct slt_call *call,
                       struct slt_run_sock *sock)
{
    struct slt_run_wait wait = {
        .call = *call, .sock = sock, .dup = {.fd = -1}, .due_at_ns = SLT_NEVER};
    int number = sock->fd;
    uint64_t serial = sock->serial;
    if (sock->unheard.valid && sock->unheard.kind == call->kind && sock->unheard.tid == call->tid) {
        sock->unheard.valid = false;
        answer(sup, call, sock, sock->unheard.result);
        return;
    }
    sock->unheard.valid = false;
    int64_t result = sock->phase == SLT_RUN_KERNEL ? serve_joint(sock, &wait)
                                                   : handlers[call->kind](sock, &wait);
    if (result == SLT_RUN_LATER && !keep(sup, &wait)) {
        result = -ENOMEM;
    }
    if (result != SLT_RUN_LATER) {
        if (wait.dup.fd >= 0) {
            slt_poller_drop(&sup->poller, &wait.dup);
        }
        if (result != SLT_RUN_ANSWERED) {
            answer(sup, call, still(sup, number, serial), result);
        }
    }
}

/* Every system call of such a program comes here; ENOSYS to all of them would have it fail at
 * random, or not at all. */
static void refuse_foreign(struct slt_supervisor *sup, const struct slt_call *call)
{
    char name[32];
    char line[160];
    slt_target_name(call->tid, name, sizeof(name));
    snprintf(line, sizeof(line),
             "%s (process %d) is a 32-bit program, whose system calls salut does not know: it was "
             "ended",
             name, (int)call->tid);
    slt_run_note(sup, line);
    slt_notify_kill(sup->notify_fd, call);
}

static void serve(struct slt_supervisor *sup, const struct slt_call *call)
{
    int64_t result = SLT_RUN_ANSWERED;
    if (call->kind == SLT_CALL_SOCKET) {
        result = slt_run_call_socket(sup, call);
    } else if (call->kind == SLT_CALL_FOREIGN) {
        refuse_foreign(sup, call);
    } else {
        struct slt_run_sock *sock = slt_run_locate(sup, call, &result);
        if (sock != NULL) {
            serve_sock(sup, call, sock);
        }
    }
    if (result != SLT_RUN_ANSWERED) {
        answer(sup, call, NULL, result);
    }
}

void slt_run_calls_ready(void *ctx, int fd, uint32_t events)
{
    struct slt_supervisor *sup = ctx;
    struct slt_call call;
    if ((events & EPOLLIN) == 0 && slt_notify_is_deserted(fd)) {
        (void)salut_runner_remove_fd(sup->runner, fd); /* nobody is left to call */
        return;
    }
    for (int i = 0; i < CALLS_MAX && slt_notify_take(fd, &call); i++) {
        serve(sup, &call);
    }
}
