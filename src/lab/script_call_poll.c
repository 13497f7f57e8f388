/* Calls that ask for readiness: poll and epoll. */
#include "lab/script_call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>

#define WATCHED_MAX 64

/* With a timeout other than 0 the call waits, when the script gave it an end time. */
static void note_waiting(struct slt_call *run, int timeout_ms)
{
    if (run->result != 0 || timeout_ms == 0 || !run->may_block) {
        return;
    }
    run->would_block = true;
    if (run->give_up_ns == SLT_NEVER && timeout_ms > 0) {
        run->give_up_ns = run->world->host->now_ns + timeout_ms * SLT_NS_PER_MS;
    }
}

static bool read_pollfd(struct slt_call *run, const struct slt_expr *expr, struct pollfd *out,
                        int64_t *want)
{
    int64_t fd;
    int64_t events;
    const struct slt_expr *revents = slt_expr_member(expr, "revents", 2);

    if (!slt_call_number(run, slt_expr_member(expr, "fd", 0), &fd) ||
        !slt_call_number(run, slt_expr_member(expr, "events", 1), &events)) {
        return false;
    }
    *want = 0;
    if (revents && !slt_call_number(run, revents, want)) {
        return false;
    }
    out->fd = slt_call_fd_of(run->world, fd);
    out->events = (short)events;
    out->revents = 0;
    return true;
}

static bool call_poll(struct slt_call *run)
{
    struct pollfd fds[WATCHED_MAX];
    int64_t want[WATCHED_MAX];
    const struct slt_expr *list = slt_call_arg(run, 0);
    size_t count = 0;
    int timeout_ms;

    if (list->kind != SLT_EXPR_LIST || !slt_call_int(run, 2, &timeout_ms)) {
        return slt_call_fail(run, "poll takes a list of {fd=, events=, revents=}");
    }
    for (const struct slt_expr *one = list->first; one; one = one->next) {
        if (count == WATCHED_MAX || !read_pollfd(run, one, &fds[count], &want[count])) {
            return slt_call_fail(run, "at most %d descriptors", WATCHED_MAX);
        }
        count++;
    }
    run->result = salut_sock_poll(run->world->host->socks, fds, count);
    note_waiting(run, timeout_ms);
    for (size_t i = 0; run->result >= 0 && i < count; i++) {
        if ((uint16_t)want[i] != (uint16_t)fds[i].revents) {
            slt_call_fail(run, "revents of entry %zu: expected 0x%x, got 0x%x", i,
                          (unsigned)want[i], (unsigned)(uint16_t)fds[i].revents);
        }
    }
    return true;
}

static bool call_epoll_create(struct slt_call *run)
{
    run->result = salut_sock_epoll_create(run->world->host->socks, 0);
    return true;
}

/* {events=EPOLLIN, fd=4}; the second member may be ptr, fd, u32 or u64. */
static bool read_event(struct slt_call *run, const struct slt_expr *expr, struct epoll_event *out)
{
    static const char *const members[] = {"fd", "ptr", "u32", "u64"};
    const struct slt_expr *data = NULL;
    int64_t events;
    int64_t number = 0;

    memset(out, 0, sizeof(*out));
    if (!slt_call_number(run, slt_expr_member(expr, "events", 0), &events)) {
        return false;
    }
    for (size_t i = 0; !data && i < SLT_ARRAY_COUNT(members); i++) {
        data = slt_expr_member(expr, members[i], 1);
    }
    if (data && data->kind != SLT_EXPR_ELLIPSIS && !slt_call_number(run, data, &number)) {
        return false;
    }
    out->events = (uint32_t)events;
    out->data.u64 = (uint64_t)number;
    return true;
}

static bool call_epoll_ctl(struct slt_call *run)
{
    struct epoll_event event;
    const struct slt_expr *arg = slt_call_arg(run, 3);
    int epoll_fd;
    int op;
    int fd;

    memset(&event, 0, sizeof(event));
    if (!slt_call_fd(run, 0, &epoll_fd) || !slt_call_int(run, 1, &op) ||
        !slt_call_fd(run, 2, &fd)) {
        return false;
    }
    if (arg->kind == SLT_EXPR_STRUCT && !read_event(run, arg, &event)) {
        return false;
    }
    run->result = salut_sock_epoll_ctl(run->world->host->socks, epoll_fd, op, fd, &event);
    return true;
}

static bool check_event(struct slt_call *run, const struct slt_expr *expr,
                        const struct epoll_event *got)
{
    struct epoll_event want;

    if (!read_event(run, expr, &want)) {
        return false;
    }
    if (want.events != got->events) {
        slt_call_fail(run, "events: expected 0x%x, got 0x%x", want.events, got->events);
    }
    if (want.data.u64 != got->data.u64) {
        slt_call_fail(run, "event data: expected %llu, got %llu", (unsigned long long)want.data.u64,
                      (unsigned long long)got->data.u64);
    }
    return true;
}

static bool call_epoll_wait(struct slt_call *run)
{
    struct epoll_event events[WATCHED_MAX];
    const struct slt_expr *arg = slt_call_arg(run, 1);
    const struct slt_expr *one = arg->kind == SLT_EXPR_LIST ? arg->first : arg;
    int epoll_fd;
    int max;
    int timeout_ms;

    if (!slt_call_fd(run, 0, &epoll_fd) || !slt_call_int(run, 2, &max) ||
        !slt_call_int(run, 3, &timeout_ms)) {
        return false;
    }
    max = max > WATCHED_MAX ? WATCHED_MAX : max;
    run->result = salut_sock_epoll_wait(run->world->host->socks, epoll_fd, events, max);
    note_waiting(run, timeout_ms);
    for (int64_t i = 0; i < run->result && one; i++, one = one->next) {
        if (one->kind == SLT_EXPR_STRUCT && !check_event(run, one, &events[i])) {
            return false;
        }
    }
    return true;
}

static const struct slt_call_row ROWS[] = {
    {"poll", 3, 3, false, call_poll},
    {"epoll_create", 1, 1, true, call_epoll_create},
    {"epoll_create1", 1, 1, true, call_epoll_create},
    {"epoll_ctl", 4, 4, false, call_epoll_ctl},
    {"epoll_wait", 4, 4, false, call_epoll_wait},
};

const struct slt_call_row *slt_call_poll_row(const char *name)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(ROWS); i++) {
        if (strcmp(ROWS[i].name, name) == 0) {
            return &ROWS[i];
        }
    }
    return NULL;
}
