/* The runner on Linux: one epoll set, one turn at a time.
 *
 * A turn, in this order: sleep until something is due or ready; read the clock, once; receive a
 * batch from every link that may have something; timers of the stacks; events to their handlers;
 * descriptors and timers of the caller; output, until the links take no more or ROUNDS_MAX batches
 * have gone; what was lent and is needed no more goes back. So an answer leaves in the turn in
 * which the question came, and carries its acknowledgement. A link whose batch was full, a stack
 * with more timers due, or more to send than one turn sends, make the next sleep zero: no link
 * waits for more than one batch of another.
 *
 * Whatever a handler removes is only marked, and freed at the end of the turn: pointers that the
 * turn or the kernel's list of events still holds stay valid.
 *
 * The only things other threads touch are the wake descriptor (an eventfd) and the stop flag.
 */
#include "sock/link_open.h"

#include "base/time.h"
#include "salut/runner.h"
#include "sock/heap.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define BATCH      SLT_LINK_BATCH_MAX
#define ROUNDS_MAX 16 /* batches one stack sends in one turn */
#define READY_MAX  64 /* descriptors looked at in one turn */

enum watch_kind { WATCH_LINK, WATCH_FD, WATCH_WAKE };

/* What an epoll entry points to: the head of a unit or of a foreign descriptor. */
struct watch {
    enum watch_kind kind;
};

/* A stack on its link. */
struct unit {
    struct watch watch;
    struct salut_runner_stack member;
    struct slt_link *link;
    struct unit *next;
    uint32_t watched; /* events the descriptor is watched for */
    bool readable;    /* the descriptor has, or may have, frames */
    bool stuck;       /* the link, or the stack, had nothing more to move when last asked */
    bool dead;        /* removed in this turn */
};

struct foreign {
    struct watch watch;
    struct salut_runner_fd fd;
    struct foreign *next;
    bool dead;
};

struct salut_runner {
    int epoll_fd;
    int wake_fd;
    atomic_bool stopping;
    int64_t now_ns;
    bool again; /* the next turn does not sleep */
    bool any_dead;
    struct watch wake;
    struct unit *units;
    struct foreign *foreigns;
    struct salut_runner_timer *timers; /* the earliest first */
    struct epoll_event ready[READY_MAX];
    int ready_count;
    struct salut_rx_frame rx[BATCH];
    struct salut_tx_frame tx[BATCH];
};

/* ---- life ----------------------------------------------------------------------------------- */

static bool open_descriptors(struct salut_runner *r)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &r->wake};
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return r->epoll_fd >= 0 && r->wake_fd >= 0 &&
           epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->wake_fd, &event) == 0;
}

enum salut_status salut_runner_create(struct salut_runner **runner)
{
    if (runner == NULL) {
        return SALUT_INVALID;
    }
    struct salut_runner *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return SALUT_NO_MEMORY;
    }
    r->wake.kind = WATCH_WAKE;
    atomic_init(&r->stopping, false);
    r->now_ns = slt_runner_clock();
    if (!open_descriptors(r)) {
        salut_runner_destroy(r);
        return SALUT_NO_MEMORY;
    }
    *runner = r;
    return SALUT_OK;
}

static void unwatch(const struct salut_runner *r, int fd)
{
    if (fd >= 0) {
        (void)epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    }
}

/* Free what was removed. */
static void bury(struct salut_runner *r)
{
    for (struct unit **at = &r->units; *at != NULL;) {
        struct unit *u = *at;
        if (u->dead) {
            *at = u->next;
            free(u);
        } else {
            at = &u->next;
        }
    }
    for (struct foreign **at = &r->foreigns; *at != NULL;) {
        struct foreign *f = *at;
        if (f->dead) {
            *at = f->next;
            free(f);
        } else {
            at = &f->next;
        }
    }
    r->any_dead = false;
}

void salut_runner_destroy(struct salut_runner *runner)
{
    if (runner == NULL) {
        return;
    }
    for (struct unit *u = runner->units; u != NULL; u = u->next) {
        u->dead = true;
    }
    for (struct foreign *f = runner->foreigns; f != NULL; f = f->next) {
        f->dead = true;
    }
    bury(runner);
    if (runner->epoll_fd >= 0) {
        (void)close(runner->epoll_fd);
    }
    if (runner->wake_fd >= 0) {
        (void)close(runner->wake_fd);
    }
    free(runner);
}

int64_t salut_runner_now(const struct salut_runner *runner)
{
    return runner->now_ns;
}

enum salut_status salut_runner_prepare(struct salut_runner *runner, const struct salut_link *link,
                                       struct salut_config *config)
{
    config->start_at_ns = runner->now_ns;
    if (config->memory == NULL && config->alloc == NULL) {
        config->alloc = slt_heap_take;
        config->free = slt_heap_give;
    }
    if (link != NULL) {
        slt_link_configure(slt_link_of_const(link), config);
    }
    ssize_t got = getrandom(config->seed, sizeof(config->seed), 0);
    return got == (ssize_t)sizeof(config->seed) ? SALUT_OK : SALUT_NOT_SUPPORTED;
}

/* ---- members -------------------------------------------------------------------------------- */

static struct unit *find_unit(const struct salut_runner *r, const struct salut_stack *stack)
{
    for (struct unit *u = r->units; u != NULL; u = u->next) {
        if (u->member.stack == stack && !u->dead) {
            return u;
        }
    }
    return NULL;
}

enum salut_status salut_runner_add_stack(struct salut_runner *runner,
                                         const struct salut_runner_stack *member)
{
    if (member->stack == NULL || member->link == NULL || find_unit(runner, member->stack)) {
        return SALUT_INVALID;
    }
    struct unit *u = calloc(1, sizeof(*u));
    if (u == NULL) {
        return SALUT_NO_MEMORY;
    }
    u->watch.kind = WATCH_LINK;
    u->member = *member;
    u->link = slt_link_of(member->link);
    u->readable = true;
    u->watched = EPOLLIN;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &u->watch};
    int fd = slt_link_fd(u->link);
    if (fd >= 0 && epoll_ctl(runner->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        free(u);
        return SALUT_INVALID;
    }
    u->next = runner->units;
    runner->units = u;
    runner->again = true;
    return SALUT_OK;
}

enum salut_status salut_runner_remove_stack(struct salut_runner *runner, struct salut_stack *stack)
{
    struct unit *u = find_unit(runner, stack);
    if (u == NULL) {
        return SALUT_STALE;
    }
    unwatch(runner, slt_link_fd(u->link));
    u->dead = true;
    runner->any_dead = true;
    return SALUT_OK;
}

static struct foreign *find_foreign(const struct salut_runner *r, int fd)
{
    for (struct foreign *f = r->foreigns; f != NULL; f = f->next) {
        if (f->fd.fd == fd && !f->dead) {
            return f;
        }
    }
    return NULL;
}

static enum salut_status add_foreign(struct salut_runner *r, const struct salut_runner_fd *watch)
{
    struct foreign *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return SALUT_NO_MEMORY;
    }
    f->watch.kind = WATCH_FD;
    f->fd = *watch;
    struct epoll_event event = {.events = watch->events, .data.ptr = &f->watch};
    if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0) {
        free(f);
        return SALUT_INVALID;
    }
    f->next = r->foreigns;
    r->foreigns = f;
    return SALUT_OK;
}

enum salut_status salut_runner_set_fd(struct salut_runner *runner,
                                      const struct salut_runner_fd *watch)
{
    struct foreign *f = find_foreign(runner, watch->fd);
    if (f == NULL) {
        return add_foreign(runner, watch);
    }
    struct epoll_event event = {.events = watch->events, .data.ptr = &f->watch};
    if (watch->events != f->fd.events &&
        epoll_ctl(runner->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) != 0) {
        return SALUT_INVALID;
    }
    f->fd = *watch;
    return SALUT_OK;
}

enum salut_status salut_runner_remove_fd(struct salut_runner *runner, int fd)
{
    struct foreign *f = find_foreign(runner, fd);
    if (f == NULL) {
        return SALUT_STALE;
    }
    unwatch(runner, fd);
    f->dead = true;
    runner->any_dead = true;
    return SALUT_OK;
}

void salut_runner_set_timer(struct salut_runner *runner, struct salut_runner_timer *timer,
                            int64_t at_ns)
{
    struct salut_runner_timer **at = &runner->timers;
    while (timer->armed && *at != timer) {
        at = &(*at)->next;
    }
    if (timer->armed) {
        *at = timer->next;
    }
    timer->armed = at_ns != SLT_NEVER;
    timer->at_ns = at_ns;
    if (!timer->armed) {
        return;
    }
    for (at = &runner->timers; *at != NULL && (*at)->at_ns <= at_ns;) {
        at = &(*at)->next;
    }
    timer->next = *at;
    *at = timer;
}

void salut_runner_again(struct salut_runner *runner)
{
    runner->again = true;
}

/* ---- sleeping ------------------------------------------------------------------------------- */

/* Calls made between two turns leave something to send behind. */
static bool has_output(const struct salut_runner *r)
{
    for (const struct unit *u = r->units; u != NULL; u = u->next) {
        if (!u->stuck && salut_wants_output(u->member.stack)) {
            return true;
        }
    }
    return false;
}

static int64_t next_deadline(const struct salut_runner *r)
{
    int64_t at_ns = r->timers == NULL ? SLT_NEVER : r->timers->at_ns;
    for (const struct unit *u = r->units; u != NULL; u = u->next) {
        at_ns = slt_min64(at_ns, salut_next_deadline(u->member.stack));
        at_ns = slt_min64(at_ns, slt_link_next_deadline(u->link));
    }
    return at_ns;
}

/* How long this turn may sleep; SLT_NEVER for as long as nothing happens. */
static int64_t find_sleep(struct salut_runner *r, int64_t most_ns)
{
    if (r->again || most_ns == 0 || has_output(r)) {
        return 0;
    }
    int64_t at_ns = next_deadline(r);
    int64_t sleep_ns = at_ns == SLT_NEVER ? SLT_NEVER : at_ns <= r->now_ns ? 0 : at_ns - r->now_ns;
    return most_ns < 0 ? sleep_ns : slt_min64(sleep_ns, most_ns);
}

/* Kernels before 5.11 know milliseconds only: round up, so that the turn is never too early. */
static int wait_ms(struct salut_runner *r, int64_t sleep_ns)
{
    int64_t ms = sleep_ns == SLT_NEVER
                     ? -1
                     : slt_min64((sleep_ns + SLT_NS_PER_MS - 1) / SLT_NS_PER_MS, INT32_MAX);
    return epoll_wait(r->epoll_fd, r->ready, READY_MAX, (int)ms);
}

static void sleep_until_ready(struct salut_runner *r, int64_t sleep_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(sleep_ns / SLT_NS_PER_S),
                          .tv_nsec = (long)(sleep_ns % SLT_NS_PER_S)};
    const struct timespec *timeout = sleep_ns == SLT_NEVER ? NULL : &ts;
    int n = epoll_pwait2(r->epoll_fd, r->ready, READY_MAX, timeout, NULL);
    if (n < 0 && errno == ENOSYS) {
        n = wait_ms(r, sleep_ns);
    }
    r->ready_count = n > 0 ? n : 0;
}

static void drain_wake(const struct salut_runner *r)
{
    uint64_t count;
    ssize_t got = read(r->wake_fd, &count, sizeof(count));
    (void)got; /* nothing to read: somebody else's wake was drained with ours */
}

/* Note what is ready; foreign handlers run later in the turn. */
static void note_ready(struct salut_runner *r)
{
    for (int i = 0; i < r->ready_count; i++) {
        struct watch *watch = r->ready[i].data.ptr;
        if (watch->kind == WATCH_WAKE) {
            drain_wake(r);
        } else if (watch->kind == WATCH_LINK) {
            struct unit *u = (struct unit *)watch;
            u->readable = u->readable || (r->ready[i].events & ~(uint32_t)EPOLLOUT) != 0;
        }
    }
}

/* ---- one turn ------------------------------------------------------------------------------- */

static void receive(struct salut_runner *r, struct unit *u)
{
    slt_link_poll(u->link, r->now_ns);
    if (!u->readable && slt_link_fd(u->link) >= 0 && slt_link_next_deadline(u->link) > r->now_ns) {
        return;
    }
    size_t n = slt_link_receive(u->link, r->rx, BATCH, r->now_ns);
    if (n > 0 && u->member.on_input != NULL) {
        u->member.on_input(u->member.ctx, u->member.stack);
    }
    if (n > 0) {
        salut_input(u->member.stack, r->rx, n, r->now_ns);
    }
    slt_link_release(u->link);
    u->readable = n == BATCH;
    r->again = r->again || n == BATCH;
}

static void hand_out_events(struct unit *u)
{
    struct salut_event event;
    while (!u->dead && salut_next_event(u->member.stack, &event)) {
        if (u->member.on_event != NULL) {
            u->member.on_event(u->member.ctx, u->member.stack, &event);
        }
    }
}

static void watch_for_room(struct salut_runner *r, struct unit *u)
{
    int fd = slt_link_fd(u->link);
    bool wants = slt_link_wants_write(u->link);
    uint32_t events = EPOLLIN | (wants ? (uint32_t)EPOLLOUT : 0U);
    if (fd >= 0 && events != u->watched) {
        struct epoll_event event = {.events = events, .data.ptr = &u->watch};
        (void)epoll_ctl(r->epoll_fd, EPOLL_CTL_MOD, fd, &event);
        u->watched = events;
    }
}

static void send_out(struct salut_runner *r, struct unit *u)
{
    int rounds = 0;
    bool open = true;
    while (open && rounds < ROUNDS_MAX && salut_wants_output(u->member.stack)) {
        size_t n = salut_output(u->member.stack, r->tx, BATCH);
        size_t taken = n == 0 ? 0 : slt_link_send(u->link, r->tx, n, r->now_ns);
        salut_output_taken(u->member.stack, taken);
        open = n > 0 && taken == n;
        rounds++;
    }
    u->stuck = !open;
    r->again = r->again || (open && rounds == ROUNDS_MAX);
    watch_for_room(r, u);
}

/* Last of all: also what a handler of this turn lent, and was copied at once. */
static void hand_back(struct unit *u)
{
    struct salut_loan loan;
    while (!u->dead && u->member.on_return != NULL && salut_take_back(u->member.stack, &loan)) {
        u->member.on_return(u->member.ctx, u->member.stack, &loan);
    }
}

static void serve_foreigns(struct salut_runner *r)
{
    for (int i = 0; i < r->ready_count; i++) {
        struct watch *watch = r->ready[i].data.ptr;
        if (watch->kind == WATCH_FD) {
            struct foreign *f = (struct foreign *)watch;
            if (!f->dead) {
                f->fd.on_ready(f->fd.ctx, f->fd.fd, r->ready[i].events);
            }
        }
    }
}

static void fire_timers(struct salut_runner *r)
{
    while (r->timers != NULL && r->timers->at_ns <= r->now_ns) {
        struct salut_runner_timer *timer = r->timers;
        r->timers = timer->next;
        timer->armed = false;
        timer->on_due(timer->ctx, r->now_ns);
    }
}

static void work(struct salut_runner *r)
{
    for (struct unit *u = r->units; u != NULL; u = u->next) {
        receive(r, u);
    }
    for (struct unit *u = r->units; u != NULL; u = u->next) {
        r->again = salut_poll(u->member.stack, r->now_ns) || r->again;
    }
    for (struct unit *u = r->units; u != NULL; u = u->next) {
        hand_out_events(u);
    }
    serve_foreigns(r);
    fire_timers(r);
    for (struct unit *u = r->units; u != NULL; u = u->next) {
        if (!u->dead) {
            send_out(r, u);
        }
    }
    for (struct unit *u = r->units; u != NULL; u = u->next) {
        hand_back(u);
    }
}

enum salut_status salut_runner_turn(struct salut_runner *runner, int64_t sleep_ns)
{
    sleep_until_ready(runner, find_sleep(runner, sleep_ns));
    runner->again = false;
    runner->now_ns = slt_runner_clock();
    note_ready(runner);
    work(runner);
    if (runner->any_dead) {
        bury(runner);
    }
    return atomic_load(&runner->stopping) ? SALUT_END : SALUT_OK;
}

void salut_runner_run(struct salut_runner *runner)
{
    while (!atomic_load(&runner->stopping)) {
        (void)salut_runner_turn(runner, -1);
    }
    atomic_store(&runner->stopping, false);
}

void salut_runner_stop(struct salut_runner *runner)
{
    atomic_store(&runner->stopping, true);
    salut_runner_wake(runner);
}

void salut_runner_wake(struct salut_runner *runner)
{
    int saved = errno; /* the caller may be a signal handler */
    const uint64_t one = 1;
    ssize_t put = write(runner->wake_fd, &one, sizeof(one));
    (void)put; /* full: it is awake already */
    errno = saved;
}
