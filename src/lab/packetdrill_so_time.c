/* The clock, the network device, and the one call that may block.
 *
 * Time moves in three ways: usleep moves it by so much; netdev_receive with nothing queued jumps
 * to the next timer; gettimeofday adds a microsecond, because packetdrill spins on it. When no
 * timer is left, netdev_receive answers a packet of 0 bytes, which ends a script that waits in
 * vain (an error would make packetdrill ask again for ever).
 *
 * A blocked call sleeps on a condition. Whatever the main thread does counts as a change: it
 * wakes the blocked thread and waits until that has looked; and if the call has returned, until
 * its thread has asked for the time, because packetdrill takes that as the instant of the return.
 * When the main thread does nothing for a while, it waits for the blocked call itself: then the
 * blocked thread moves the clock.
 */
#include "lab/packetdrill_so.h"

#include "sock/runner_clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define IDLE_MS        200
#define HANDSHAKE_MS   1000
#define SLEEP_EXTRA_NS (25 * SLT_NS_PER_US)
#define JUMPS_MAX      100000

bool slt_pd_on_main_thread(const struct slt_pd *pd)
{
    return pthread_equal(pthread_self(), pd->main_thread) != 0;
}

/* Wait for a change at most so long. False: the time is over. */
static bool wait_changed(struct slt_pd *pd, int ms)
{
    int64_t until_ns = slt_runner_clock() + ms * SLT_NS_PER_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ns / SLT_NS_PER_S),
                             .tv_nsec = (long)(until_ns % SLT_NS_PER_S)};

    return pthread_cond_timedwait(&pd->changed, &pd->lock, &until) == 0;
}

/* The main thread has done something: let the blocked call look at it. */
static void let_blocked_look(struct slt_pd *pd)
{
    pd->change++;
    if (!slt_pd_on_main_thread(pd)) {
        return;
    }
    pthread_cond_broadcast(&pd->changed);
    while ((pd->blocked && pd->seen != pd->change) || pd->unstamped) {
        if (!wait_changed(pd, HANDSHAKE_MS)) {
            return;
        }
    }
}

void slt_pd_enter(struct slt_pd *pd)
{
    pthread_mutex_lock(&pd->lock);
    slt_pd_read_settings(pd);
    if (!pd->open) {
        const char *complaint = slt_script_host_open(&pd->host, &pd->setup, 0);
        if (complaint) {
            fprintf(stderr, "libsalut-packetdrill: %s\n", complaint);
            exit(1);
        }
        pd->open = true;
        pd->host.now_ns = pd->early_ns;
    }
    /* gettimeofday moves the clock without looking at timers: catch up. */
    slt_script_host_advance(&pd->host, pd->host.now_ns);
}

void slt_pd_leave(struct slt_pd *pd)
{
    if (pd->open) {
        slt_script_host_pump(&pd->host);
    }
    let_blocked_look(pd);
    pthread_mutex_unlock(&pd->lock);
}

/* ---- the blocked thread ---------------------------------------------------------------------- */

void slt_pd_wait(struct slt_pd *pd)
{
    uint64_t before = pd->change;
    int64_t next = slt_min64(slt_script_host_deadline(&pd->host), pd->give_up_ns);

    pd->seen = pd->change;
    pthread_cond_broadcast(&pd->changed);
    bool woken = wait_changed(pd, IDLE_MS);
    /* Nobody else moves time: go to the next thing that can happen. */
    if (!woken && pd->change == before && next != SLT_NEVER) {
        slt_script_host_step(&pd->host, slt_max64(next, pd->host.now_ns));
    }
}

void slt_pd_set_blocked(struct slt_pd *pd, bool blocked)
{
    pd->blocked = blocked;
    if (!blocked) {
        pd->unstamped = true;
        pd->give_up_ns = SLT_NEVER;
        pthread_cond_broadcast(&pd->changed);
    }
}

/* ---- the network device ---------------------------------------------------------------------- */

/* What comes in is for us: the address it names becomes ours, if it is not yet. */
static void learn_address(struct slt_pd *pd, const uint8_t *packet, size_t bytes)
{
    salut_addr addr = {{0}, 0};

    if (bytes >= 20 && packet[0] >> 4 == 4) {
        addr.b[10] = 0xff;
        addr.b[11] = 0xff;
        memcpy(addr.b + 12, packet + 16, 4);
    } else if (bytes >= 40 && packet[0] >> 4 == 6) {
        memcpy(addr.b, packet + 24, 16);
    } else {
        return;
    }
    /* A second of a family that is refused leaves the packet to be dropped with its reason. */
    slt_script_host_add_address(&pd->host, &addr);
}

static int pd_netdev_send(void *userdata, const void *packet, size_t bytes)
{
    struct slt_pd *pd = userdata;
    uint16_t gso = 0;

    if (bytes > 65535) {
        errno = EMSGSIZE;
        return -1;
    }
    slt_pd_enter(pd);
    learn_address(pd, packet, bytes);
    if (bytes > pd->setup.config.mtu) {
        gso = pd->options.mss ? pd->options.mss : (uint16_t)(pd->setup.config.mtu - 40);
    }
    slt_script_host_inject(&pd->host, packet, (uint32_t)bytes, gso);
    slt_pd_leave(pd);
    return 0;
}

/* Jump from timer to timer until a packet is there. */
static void await_packet(struct slt_pd *pd)
{
    for (uint32_t i = 0; i < JUMPS_MAX && !slt_script_host_peek(&pd->host, 0); i++) {
        int64_t next = slt_script_host_deadline(&pd->host);
        if (pd->blocked) {
            next = slt_min64(next, pd->give_up_ns);
        }
        if (next == SLT_NEVER) {
            return;
        }
        slt_script_host_step(&pd->host, slt_max64(next, pd->host.now_ns));
        let_blocked_look(pd);
    }
}

static int pd_netdev_receive(void *userdata, void *packet, size_t *bytes, long long *time_usecs)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    await_packet(pd);
    const struct slt_script_host_packet *sent = slt_script_host_peek(&pd->host, 0);
    if (!sent) {
        *bytes = 0;
        *time_usecs = pd->host.now_ns / SLT_NS_PER_US;
    } else {
        size_t take = sent->bytes < *bytes ? sent->bytes : *bytes;
        memcpy(packet, slt_script_host_bytes(&pd->host, sent), take);
        *bytes = take;
        *time_usecs = sent->at_ns / SLT_NS_PER_US;
        slt_script_host_drop(&pd->host, 1);
    }
    slt_pd_leave(pd);
    return 0;
}

/* ---- the clock ------------------------------------------------------------------------------- */

static int pd_usleep(void *userdata, useconds_t usecs)
{
    struct slt_pd *pd = userdata;

    slt_pd_enter(pd);
    int64_t until = pd->host.now_ns + (int64_t)usecs * SLT_NS_PER_US + SLEEP_EXTRA_NS;
    while (pd->host.now_ns < until) {
        int64_t next = pd->blocked ? slt_min64(until, pd->give_up_ns) : until;
        slt_script_host_step(&pd->host, slt_max64(next, pd->host.now_ns));
        let_blocked_look(pd);
    }
    slt_pd_leave(pd);
    return 0;
}

static int pd_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
    struct slt_pd *pd = userdata;

    (void)tz;
    pthread_mutex_lock(&pd->lock);
    int64_t *clock_ns = pd->open ? &pd->host.now_ns : &pd->early_ns;
    if (slt_pd_on_main_thread(pd)) {
        *clock_ns += SLT_NS_PER_US;
        pd->change++;
    } else if (pd->unstamped) {
        pd->unstamped = false;
        pthread_cond_broadcast(&pd->changed);
    }
    int64_t now_us = *clock_ns / SLT_NS_PER_US;
    tv->tv_sec = (time_t)(now_us / 1000000);
    tv->tv_usec = (suseconds_t)(now_us % 1000000);
    pthread_mutex_unlock(&pd->lock);
    return 0;
}

void slt_pd_fill_time(struct packetdrill_interface *ifc)
{
    ifc->netdev_send = pd_netdev_send;
    ifc->netdev_receive = pd_netdev_receive;
    ifc->usleep = pd_usleep;
    ifc->gettimeofday = pd_gettimeofday;
}
