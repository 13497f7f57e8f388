/* Devices, namespaces and the loop of the wire; see wire_run.h.
 *
 * Precision is one sleep: ppoll with a timeout in nanoseconds and the process's timer slack at
 * one. A frame is then late by what the scheduler takes to wake us; where that is too much,
 * `realtime` goes before other processes and `spin_ns` does not sleep at all before an instant.
 */
#define _GNU_SOURCE 1
#include "lab/wire_run.h"

#include "link/netns_linux.h"
#include "link/rtnl_linux.h"
#include "link/tap_linux.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The kernel's queue towards us: a window of 64 MB fits, so that nothing is lost but what the
 * wire loses. */
#define DEVICE_QUEUE_FRAMES 50000U

#define REALTIME_PRIORITY 10

/* The longest sleep: a duration ends, and a frame due in an hour is not forgotten. */
#define SLEEP_MAX_NS SLT_NS_PER_S

/* Turns without a sleep after which a look at signals is due. */
#define RESTLESS_MAX 64U

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* ---- opening ------------------------------------------------------------------------------ */

static enum slt_link_trouble open_here(const struct slt_wire_device *device, uint32_t mtu,
                                       struct slt_link **link, struct slt_link_error *error)
{
    struct slt_tap_params params = {.name = device->name, .kind = SALUT_LINK_ETHERNET, .mtu = mtu};
    if (slt_tap_open(&params, link, error) != SLT_LINK_FINE) {
        *link = NULL;
        return error->trouble;
    }
    if (slt_rtnl_set_queue((*link)->name, DEVICE_QUEUE_FRAMES, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    return slt_rtnl_set_up((*link)->name, true, error);
}

static enum slt_link_trouble open_device(const struct slt_wire_device *device, uint32_t mtu,
                                         struct slt_link **link, struct slt_link_error *error)
{
    *link = NULL;
    if (device->netns == NULL) {
        return open_here(device, mtu, link, error);
    }
    int home = slt_netns_here();
    if (home < 0) {
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                  "there is no /proc to find the way back to this network", NULL);
    }
    if (slt_netns_join(device->netns, error) == SLT_LINK_FINE) {
        (void)open_here(device, mtu, link, error);
        bool back = slt_netns_return(home);
        SLT_ASSERT(back); /* who may leave may return */
    }
    close(home);
    return error->trouble;
}

static enum slt_link_trouble go_first(struct slt_link_error *error)
{
    struct sched_param priority = {.sched_priority = REALTIME_PRIORITY};
    if (sched_setscheduler(0, SCHED_FIFO, &priority) != 0) {
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, errno,
                                  "going before ordinary processes needs CAP_SYS_NICE",
                                  "run as root, or without --realtime");
    }
    return SLT_LINK_FINE;
}

enum slt_link_trouble slt_wire_open(struct slt_wire *wire, const struct slt_wire_run_params *params,
                                    struct slt_link_error *error)
{
    struct slt_link *link[2] = {NULL, NULL};
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    for (int i = 0; i < 2 && error->trouble == SLT_LINK_FINE; i++) {
        (void)open_device(&params->device[i], params->mtu, &link[i], error);
    }
    if (error->trouble == SLT_LINK_FINE && params->realtime) {
        (void)go_first(error);
    }
    if (error->trouble != SLT_LINK_FINE) {
        slt_link_close(link[0]);
        slt_link_close(link[1]);
        return error->trouble;
    }
    return slt_wire_init(wire, link[0], link[1], &params->wire)
               ? SLT_LINK_FINE
               : slt_link_error_set(error, SLT_LINK_BAD_NAME, 0,
                                    "the faults are impossible: a chance above 100 %, or a jitter "
                                    "above its delay",
                                    NULL);
}

/* ---- carrying ----------------------------------------------------------------------------- */

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t both;
    stopped = 0;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    /* Blocked outside of ppoll: a signal cannot slip in between looking and sleeping. */
    sigemptyset(&both);
    sigaddset(&both, SIGINT);
    sigaddset(&both, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &both, NULL);
}

/* Sleep until a device has something, a signal comes, or `for_ns` are over. True when stop_fd has
 * spoken. */
static bool wait_until(const struct slt_wire *wire, int stop_fd, int64_t for_ns)
{
    struct pollfd fds[3] = {[2] = {.fd = stop_fd, .events = POLLIN}};
    for (int i = 0; i < 2; i++) {
        bool full = slt_link_wants_write(wire->end[i]);
        fds[i].fd = slt_link_fd(wire->end[i]);
        fds[i].events = full ? POLLIN | POLLOUT : POLLIN;
    }
    struct timespec timeout = {.tv_sec = (time_t)(for_ns / SLT_NS_PER_S),
                               .tv_nsec = (long)(for_ns % SLT_NS_PER_S)};
    sigset_t none;
    sigemptyset(&none);
    int ready = ppoll(fds, 3, &timeout, &none);
    return ready > 0 && fds[2].revents != 0;
}

/* How long to sleep: not at all when there is more to do, except that a wire that never rests still
 * looks for signals. */
static int64_t find_rest(const struct slt_wire *wire, int64_t spin_ns, int64_t until_ns)
{
    int64_t due_ns = slt_min64(slt_wire_due(wire), until_ns);
    int64_t now_ns = slt_runner_clock();
    if (due_ns == SLT_NEVER || due_ns - now_ns - spin_ns > SLEEP_MAX_NS) {
        return SLEEP_MAX_NS;
    }
    return slt_max64(due_ns - now_ns - spin_ns, 0);
}

void slt_wire_carry(struct slt_wire *wire, const struct slt_wire_run_params *params)
{
    int64_t now_ns = slt_runner_clock();
    int64_t end_ns =
        params->duration_ns > 0 ? slt_time_add(now_ns, params->duration_ns) : SLT_NEVER;
    bool told = false;
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    if (params->stop_on_signals) {
        catch_signals();
    }
    if (params->ready_fd >= 0) {
        ssize_t put = write(params->ready_fd, "", 1);
        (void)put; /* who does not listen does not mind */
    }
    for (uint32_t restless = 0; !told && !stopped && now_ns < end_ns; restless++) {
        bool more = slt_wire_turn(wire, now_ns);
        int64_t rest_ns = more ? 0 : find_rest(wire, params->spin_ns, end_ns);
        if (rest_ns > 0 || restless == RESTLESS_MAX) {
            told = wait_until(wire, params->stop_fd, rest_ns);
            restless = 0;
        }
        now_ns = slt_runner_clock();
    }
}
