/* Findings about local ports: SYN-6, all of them in use, and SYN-7, one of them held.
 *
 * Whether bind() fails is seen by its program alone. What makes it fail is seen by everybody: what
 * holds a port that nobody listens on, and a program that was let to bind a port while another one
 * listens on it, which is what is left when listen() fails.
 */
#include "observe/judge.h"

#include "base/time.h"
#include "observe/endpoint.h"
#include "observe/why.h"

#include <inttypes.h>
#include <string.h>

/* Ports that clients take come from above, whatever their system; below are services. */
#define CLIENT_PORT_LOW 10000U
#define EXAMINED_MAX    2000U

/* ---- ports used up -------------------------------------------------------------------------- */

static bool is_outgoing(const struct slt_case *about, const struct slt_seen *seen)
{
    bool opened = seen->kind == SLT_SEEN_CONN || seen->kind == SLT_SEEN_TIME_WAIT;
    return opened && seen->local_port >= about->host.port_low &&
           seen->local_port <= about->host.port_high && slt_judge_listener_of(about, seen) == NULL;
}

static int64_t count_to_same(const struct slt_case *about, size_t from)
{
    const struct slt_seen *items = about->look->list.items;
    int64_t count = 0;
    for (size_t i = from; i < about->look->list.count; i++) {
        count += slt_judge_same_host(&items[i], &items[from]) &&
                 items[i].remote_port == items[from].remote_port &&
                 memcmp(items[i].local.b, items[from].local.b, 16) == 0;
    }
    return count;
}

static void mark_to_same(const struct slt_case *about, size_t from, struct slt_hit *hit)
{
    const struct slt_seen *one = &about->look->list.items[from];
    for (size_t i = from; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (slt_judge_same_host(seen, one) && seen->remote_port == one->remote_port &&
            memcmp(seen->local.b, one->local.b, 16) == 0) {
            slt_hit_mark(about, hit, seen);
        }
    }
}

/* A place that uses four fifths of the ports is met within the first fifth of any listing, so not
 * every record needs to be compared with every other. */
static void judge_used_up(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_ENDPOINT_MAX];
    int64_t range = about->host.port_high - about->host.port_low + 1;
    if (about->host.port_low == SLT_UNKNOWN || range <= 0) {
        return;
    }
    for (size_t i = 0; i < about->look->list.count && hit->count == 0; i += 1 + i / 64) {
        const struct slt_seen *seen = &about->look->list.items[i];
        int64_t count = is_outgoing(about, seen) ? count_to_same(about, i) : 0;
        if (count * 10 >= range * 8) {
            mark_to_same(about, i, hit);
            hit->count = count;
            hit->worst = seen;
            slt_hit_say(hit, "%" PRId64 " of %" PRId64 " ports are in use toward %s", count, range,
                        slt_print_endpoint(&seen->remote, seen->remote_port, text));
        }
    }
}

/* ---- one is held ---------------------------------------------------------------------------- */

/* The far end of a connection that a program here served, whose program is gone: the port is none
 * that connect() gives away, and the peer's is one of a client. */
static bool is_left_of_server(const struct slt_case *about, const struct slt_seen *seen)
{
    bool given =
        seen->local_port >= about->host.port_low && seen->local_port <= about->host.port_high;
    return seen->kind == SLT_SEEN_TIME_WAIT && about->host.port_low != SLT_UNKNOWN && !given &&
           seen->remote_port >= CLIENT_PORT_LOW && slt_judge_listener_of(about, seen) == NULL;
}

static bool has_program(const struct slt_seen *seen)
{
    return seen->kind != SLT_SEEN_HALF_OPEN && seen->inode != 0;
}

/* What is left at the port of `one`; 0 when a program has the port as well: then nobody restarts.
 */
static int64_t count_left(const struct slt_case *about, const struct slt_seen *one,
                          int64_t *most_ns)
{
    int64_t count = 0;
    *most_ns = 0;
    for (size_t i = 0; i < slt_judge_total(about); i++) {
        const struct slt_seen *seen = slt_judge_record(about, i);
        if (seen->local_port != one->local_port) {
            continue;
        }
        if (has_program(seen)) {
            return 0;
        }
        if (is_left_of_server(about, seen)) {
            count++;
            *most_ns = slt_max64(*most_ns, seen->timer_in.ns);
        }
    }
    return count;
}

static void mark_left(const struct slt_case *about, uint16_t port, struct slt_hit *hit)
{
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (seen->local_port == port && is_left_of_server(about, seen)) {
            slt_hit_mark(about, hit, seen);
        }
    }
}

static bool judge_left(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_DURATION_MAX];
    size_t examined = slt_judge_examined(about, EXAMINED_MAX);
    for (size_t i = 0; i < examined; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        int64_t most_ns = 0;
        hit->count = is_left_of_server(about, seen) ? count_left(about, seen, &most_ns) : 0;
        if (hit->count > 0) {
            hit->worst = seen;
            mark_left(about, seen->local_port, hit);
            slt_hit_say(hit,
                        "nobody listens on port %u, and %" PRId64 " connection%s of the server "
                        "that did, in %s, hold%s it for another %s: until then bind() fails, "
                        "unless that server and the next one both set SO_REUSEADDR",
                        seen->local_port, hit->count, hit->count == 1 ? "" : "s",
                        slt_seen_rfc_name((enum salut_state)seen->state),
                        hit->count == 1 ? "s" : "", slt_print_duration(most_ns, text));
            return true;
        }
    }
    return false;
}

static bool is_kept_from_listening(const struct slt_case *about, const struct slt_seen *seen)
{
    const struct slt_seen *other =
        seen->kind == SLT_SEEN_BOUND ? slt_judge_listener_of(about, seen) : NULL;
    return other != NULL && other->pid != SLT_UNKNOWN && seen->pid != SLT_UNKNOWN &&
           other->pid != seen->pid;
}

static void judge_held(const struct slt_case *about, struct slt_hit *hit)
{
    char text[SLT_ENDPOINT_MAX];
    slt_hit_count(about, is_kept_from_listening, hit);
    if (hit->count == 0) {
        (void)judge_left(about, hit);
        return;
    }
    const struct slt_seen *other = slt_judge_listener_of(about, hit->worst);
    slt_hit_say(hit, "port %u is bound", hit->worst->local_port);
    slt_hit_say_owner(hit, hit->worst);
    slt_hit_say(hit, ", which does not listen: the listener at %s",
                slt_print_endpoint(&other->local, other->local_port, text));
    slt_hit_say_owner(hit, other);
    slt_hit_say(hit, " holds it, and listen() fails");
}

const struct slt_judgement slt_judge_ports[] = {
    {SLT_FIND_SYN_6, judge_used_up},
    {SLT_FIND_SYN_7, judge_held},
    {SLT_FIND_COUNT, NULL},
};
