/* The supervisor's door, and what wakes it; supervisor.h and sockets.h say how it works. */
#include "run/supervisor.h"

#include "link/detour.h"
#include "run/sockets.h"
#include "run/target_linux.h"
#include "sock/link_open.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define SOCKETS_MAX 65536U

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    struct slt_supervisor *sup = ctx;
    struct slt_run_sock *sock = slt_run_sock_at(sup, event->user);
    (void)stack;
    if (sock == NULL) {
        return;
    }
    switch ((enum slt_run_phase)sock->phase) {
    case SLT_RUN_LISTENING:
        slt_run_queue_serve(sock);
        break;
    case SLT_RUN_CONNECTING:
        slt_run_connect_event(sock, event->ready);
        break;
    case SLT_RUN_DEFERRED:
        slt_run_queue_deferred(sock);
        break;
    case SLT_RUN_OPEN:
        slt_run_bridge_event(sock, event->ready);
        break;
    case SLT_RUN_FRESH:
    case SLT_RUN_DEAD:
    case SLT_RUN_KERNEL:
        break;
    }
}

static void on_input(void *ctx, struct salut_stack *stack)
{
    (void)stack;
    slt_run_queue_input(ctx);
}

static void on_return(void *ctx, struct salut_stack *stack, const struct salut_loan *loan)
{
    struct slt_supervisor *sup = ctx;
    (void)stack;
    slt_run_blocks_return(&sup->blocks, loan);
}

static void on_again(void *ctx, int64_t now_ns)
{
    (void)now_ns;
    slt_run_calls_retry(ctx);
}

static void on_tick(void *ctx, int64_t now_ns)
{
    struct slt_supervisor *sup = ctx;
    slt_run_watch_sweep(sup);
    slt_run_calls_tick(sup, now_ns);
    if (sup->watched != NULL) {
        slt_run_tick_soon(sup, now_ns + SLT_RUN_TICK_NS);
    }
}

static bool attach(struct slt_supervisor *sup, const struct slt_supervisor_params *params)
{
    struct salut_socks_params socks = {
        .stack = params->stack, .config = params->config, .sockets_max = sup->socks_max};
    struct salut_runner_stack member = {.stack = params->stack,
                                        .link = params->link,
                                        .on_event = on_event,
                                        .on_return = on_return,
                                        .on_input = on_input,
                                        .ctx = sup};
    if (params->config != NULL && params->config->own_traffic) {
        if (slt_detour_open(slt_link_of(params->link), &sup->detour) != SALUT_OK) {
            return false;
        }
        member.link = slt_link_public(sup->detour);
    }
    struct salut_runner_fd door = {
        .fd = params->notify_fd, .events = EPOLLIN, .on_ready = slt_run_calls_ready, .ctx = sup};
    return slt_poller_open(&sup->poller, sup->runner) && slt_run_names_open(sup) &&
           salut_socks_create(&socks, &sup->socks) == SALUT_OK &&
           salut_runner_add_stack(sup->runner, &member) == SALUT_OK &&
           salut_runner_set_fd(sup->runner, &door) == SALUT_OK;
}

enum salut_status slt_supervisor_create(const struct slt_supervisor_params *params,
                                        struct slt_supervisor **supervisor)
{
    if (params->runner == NULL || params->stack == NULL || params->link == NULL ||
        params->notify_fd < 0) {
        return SALUT_INVALID;
    }
    struct slt_supervisor *sup = calloc(1, sizeof(*sup));
    if (sup == NULL) {
        return SALUT_NO_MEMORY;
    }
    sup->runner = params->runner;
    sup->stack = params->stack;
    sup->notify_fd = params->notify_fd;
    sup->root = params->root;
    sup->self = getpid();
    sup->mss = params->mss;
    sup->loopback_off = params->loopback_off;
    sup->note = params->note;
    sup->note_ctx = params->ctx;
    sup->socks_max = params->sockets_max == 0 ? SOCKETS_MAX : params->sockets_max;
    sup->poller.epoll_fd = -1;
    sup->names_dir = -1;
    sup->private_fd = -1;
    sup->diag_fd = -1;
    sup->tick = (struct salut_runner_timer){.on_due = on_tick, .ctx = sup};
    sup->again = (struct salut_runner_timer){.on_due = on_again, .ctx = sup};
    sup->retry = (struct salut_runner_timer){.on_due = slt_run_queue_retry, .ctx = sup};
    if (!attach(sup, params)) {
        slt_supervisor_destroy(sup);
        return SALUT_NO_MEMORY;
    }
    *supervisor = sup;
    return SALUT_OK;
}

void slt_supervisor_program_ended(struct slt_supervisor *supervisor)
{
    slt_run_watch_sweep(supervisor);
}

bool slt_supervisor_is_quiet(const struct slt_supervisor *supervisor)
{
    uint64_t cursor = 0;
    struct salut_info info;
    while (salut_next_info(supervisor->stack, &cursor, &info)) {
        bool silent = info.object != SALUT_IS_CONN || info.state == SALUT_STATE_TIME_WAIT ||
                      info.state == SALUT_STATE_FIN_WAIT_2 || info.state == SALUT_STATE_CLOSED;
        if (!silent) {
            return false;
        }
    }
    return true;
}

void slt_supervisor_destroy(struct slt_supervisor *supervisor)
{
    if (supervisor == NULL) {
        return;
    }
    (void)salut_runner_remove_fd(supervisor->runner, supervisor->notify_fd);
    (void)salut_runner_remove_stack(supervisor->runner, supervisor->stack);
    slt_run_calls_drop(supervisor);
    for (uint32_t i = 0; i < supervisor->sock_slots; i++) {
        if (supervisor->sock[i] != NULL) {
            slt_run_joint_cut(supervisor->sock[i]);
            slt_run_sock_free(supervisor->sock[i]);
        }
    }
    salut_runner_set_timer(supervisor->runner, &supervisor->tick, SLT_NEVER);
    salut_runner_set_timer(supervisor->runner, &supervisor->again, SLT_NEVER);
    salut_runner_set_timer(supervisor->runner, &supervisor->retry, SLT_NEVER);
    salut_socks_destroy(supervisor->socks);
    slt_run_names_close(supervisor);
    slt_link_close(supervisor->detour);
    slt_poller_close(&supervisor->poller);
    slt_run_blocks_deinit(&supervisor->blocks);
    if (supervisor->diag_fd >= 0) {
        (void)close(supervisor->diag_fd);
    }
    free(supervisor->by_inode);
    free(supervisor->sock);
    free(supervisor);
}

bool slt_supervisor_owner(const struct slt_supervisor *supervisor, salut_conn conn,
                          struct slt_run_owner *owner)
{
    struct salut_info info;
    if (salut_get_info(supervisor->stack, conn, &info) != SALUT_OK) {
        return false;
    }
    const struct slt_run_sock *sock = slt_run_sock_at(supervisor, info.user);
    if (sock == NULL || sock->seen_tid == 0) {
        return false;
    }
    *owner = (struct slt_run_owner){.fd = sock->seen_fd, .inode = sock->inode};
    owner->pid = slt_target_pid(sock->seen_tid);
    slt_target_name(sock->seen_tid, owner->name, sizeof(owner->name));
    return true;
}
