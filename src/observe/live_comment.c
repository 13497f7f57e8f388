/* See live_comment.h.
 *
 * Held packets are a ring in order of arrival. Packets come in blocks, somewhat later than the
 * changes they made, so changes are held back as well, for less long. A change looks back from its
 * own time for the packet that made it, or forward for the one it leads to; which of these, and
 * with which flags, is a table by cause.
 */
#include "observe/live_comment.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/explain_packet.h"
#include "sock/runner_clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_MAX    65536U
#define PENDING_MAX 256U
#define CHANGES_MAX 4096U
#define SETTLE_NS   (100 * SLT_NS_PER_MS) /* until the packets of a moment have come */
#define LOOK_MAX    8192U
#define WAIT_NS     (30 * SLT_NS_PER_S)
#define COMMENT_MAX 512U
/* Between two clocks' readings of one moment; and when nothing fits so closely. */
#define SLACK_NS      (2 * SLT_NS_PER_US)
#define SLACK_WIDE_NS (100 * SLT_NS_PER_US)

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { NO_PACKET, CAME_BEFORE, GOES_AFTER };

struct rule {
    uint8_t when;
    uint8_t flags;    /* that the packet has, one of these */
    uint8_t no_flags; /* none of these */
};

static const struct rule rules[SLT_BY_COUNT] = {
    [SLT_BY_CONNECT] = {GOES_AFTER, SYN, ACK},
    [SLT_BY_SYN_ANSWERED] = {CAME_BEFORE, SYN, 0},
    [SLT_BY_PASSIVE_OPEN] = {CAME_BEFORE, ACK, SYN},
    [SLT_BY_SIMULTANEOUS_OPEN] = {CAME_BEFORE, SYN, 0},
    [SLT_BY_CLOSE] = {GOES_AFTER, FIN, 0},
    [SLT_BY_SHUTDOWN] = {GOES_AFTER, FIN, 0},
    [SLT_BY_KILLED] = {GOES_AFTER, FIN, 0},
    [SLT_BY_EXITED] = {GOES_AFTER, FIN, 0},
    [SLT_BY_UNREAD] = {GOES_AFTER, RST, 0},
    [SLT_BY_UNREAD_KILLED] = {GOES_AFTER, RST, 0},
    [SLT_BY_UNREAD_EXITED] = {GOES_AFTER, RST, 0},
    [SLT_BY_LINGER_ZERO] = {GOES_AFTER, RST, 0},
    [SLT_BY_DISCONNECTED] = {GOES_AFTER, RST, 0},
    [SLT_BY_LISTENER_CLOSED] = {GOES_AFTER, RST, 0},
    [SLT_BY_FIN_RECEIVED] = {CAME_BEFORE, FIN, 0},
    [SLT_BY_FIN_ACKED] = {CAME_BEFORE, ACK, 0},
    [SLT_BY_LAST_ACKED] = {CAME_BEFORE, ACK, 0},
    [SLT_BY_TIME_WAIT] = {CAME_BEFORE, FIN | ACK, 0},
    [SLT_BY_DATA_AFTER_CLOSE] = {GOES_AFTER, RST, 0},
    [SLT_BY_RST_RECEIVED] = {CAME_BEFORE, RST, 0},
    [SLT_BY_REFUSED] = {CAME_BEFORE, RST, 0},
    [SLT_BY_KEEPALIVE_TIMEOUT] = {GOES_AFTER, RST, 0},
    [SLT_BY_ADMINISTRATOR] = {GOES_AFTER, RST, 0},
    [SLT_BY_NO_MEMORY] = {GOES_AFTER, RST, 0},
};

struct held {
    struct slt_capture_packet packet; /* its data and comment are ours */
    uint8_t *bytes;
    uint8_t src[16], dst[16];
    uint16_t src_port, dst_port;
    uint8_t flags; /* of TCP; 0: no TCP */
    uint16_t comment_bytes;
    char comment[COMMENT_MAX];
};

/* A change, and what its packet looks like. */
struct wanted {
    int64_t at_ns; /* since 1970; 0: none */
    struct rule rule;
    uint8_t src[16], dst[16];
    uint16_t src_port, dst_port; /* 0: not known yet */
    char text[SLT_LIVE_TEXT_MAX];
};

struct slt_live_comment {
    struct slt_live_comment_ask ask;
    int64_t epoch_ns;  /* calendar time at 0 of the changes' clock */
    struct held *held; /* HELD_MAX places, a ring */
    uint32_t first;
    uint32_t count;
    size_t bytes;
    struct slt_live_change *changes; /* CHANGES_MAX places, a ring: too young to be matched */
    uint32_t change_first;
    uint32_t change_count;
    struct wanted pending[PENDING_MAX];
    uint32_t pending_count; /* all there were: the oldest is overwritten */
    uint32_t waiting;       /* of them, not used up */
    uint64_t commented;
};

/* ---- matching ------------------------------------------------------------------------------- */

static bool is_it(const struct held *h, const struct wanted *w)
{
    return (h->flags & w->rule.flags) != 0 && (h->flags & w->rule.no_flags) == 0 &&
           (w->src_port == 0 || h->src_port == w->src_port) &&
           (w->dst_port == 0 || h->dst_port == w->dst_port) &&
           memcmp(h->src, w->src, sizeof(h->src)) == 0 &&
           memcmp(h->dst, w->dst, sizeof(h->dst)) == 0;
}

static void say(struct slt_live_comment *c, struct held *h, const char *text)
{
    size_t left = COMMENT_MAX - h->comment_bytes;
    int n = snprintf(h->comment + h->comment_bytes, left, "%s%s", h->comment_bytes > 0 ? "\n" : "",
                     text);
    c->commented += h->comment_bytes == 0;
    if (n > 0 && (size_t)n < left) {
        h->comment_bytes = (uint16_t)(h->comment_bytes + n);
    }
}

static struct held *held_at(const struct slt_live_comment *c, uint32_t index)
{
    return &c->held[(c->first + index) % HELD_MAX];
}

/* The last packet before the change. */
static bool find_before(struct slt_live_comment *c, const struct wanted *w, int64_t slack_ns)
{
    uint32_t least = c->count > LOOK_MAX ? c->count - LOOK_MAX : 0;
    for (uint32_t i = c->count; i > least; i--) {
        struct held *h = held_at(c, i - 1);
        if (h->packet.at_ns <= w->at_ns + slack_ns && is_it(h, w)) {
            say(c, h, w->text);
            return true;
        }
    }
    return false;
}

/* The first one after it. */
static bool find_after(struct slt_live_comment *c, const struct wanted *w)
{
    struct held *found = NULL;
    uint32_t least = c->count > LOOK_MAX ? c->count - LOOK_MAX : 0;
    for (uint32_t i = c->count; i > least; i--) {
        struct held *h = held_at(c, i - 1);
        if (h->packet.at_ns < w->at_ns - SLACK_NS) {
            break;
        }
        found = is_it(h, w) ? h : found;
    }
    if (found != NULL) {
        say(c, found, w->text);
    }
    return found != NULL;
}

/* A packet that came may be what a change has been waiting for. */
static void serve_pending(struct slt_live_comment *c, struct held *h)
{
    for (uint32_t i = 0; i < PENDING_MAX && c->waiting > 0; i++) {
        struct wanted *w = &c->pending[i];
        if (w->at_ns == 0) {
            continue;
        }
        bool late = h->packet.at_ns - w->at_ns > WAIT_NS;
        bool match = !late && h->packet.at_ns >= w->at_ns - SLACK_NS && is_it(h, w);
        if (match) {
            say(c, h, w->text);
        }
        if (match || late) {
            w->at_ns = 0;
            c->waiting--;
        }
    }
}

static void add_pending(struct slt_live_comment *c, const struct wanted *w)
{
    struct wanted *place = &c->pending[c->pending_count++ % PENDING_MAX];
    c->waiting += place->at_ns == 0;
    *place = *w;
}

/* ---- changes -------------------------------------------------------------------------------- */

static void match(struct slt_live_comment *c, const struct slt_live_change *change)
{
    struct wanted w = {.at_ns = c->epoch_ns + change->at_ns, .rule = rules[change->cause]};
    bool elsewhere = change->netns != 0 && c->ask.netns != 0 && change->netns != c->ask.netns;
    if (w.rule.when == NO_PACKET || elsewhere || change->listener) {
        return;
    }
    bool ours = w.rule.when == GOES_AFTER;
    memcpy(ours ? w.src : w.dst, change->local, sizeof(w.src));
    memcpy(ours ? w.dst : w.src, change->remote, sizeof(w.src));
    w.src_port = ours ? change->local_port : change->remote_port;
    w.dst_port = ours ? change->remote_port : change->local_port;
    memcpy(w.text, change->text, sizeof(w.text));
    if (!ours) {
        (void)(find_before(c, &w, SLACK_NS) || find_before(c, &w, SLACK_WIDE_NS));
    } else if (!find_after(c, &w)) {
        add_pending(c, &w);
    }
}

static void match_oldest(struct slt_live_comment *c)
{
    match(c, &c->changes[c->change_first]);
    c->change_first = (c->change_first + 1) % CHANGES_MAX;
    c->change_count--;
}

void slt_live_comment_change(struct slt_live_comment *c, const struct slt_live_change *change)
{
    if (c->changes == NULL) {
        return;
    }
    if (c->change_count == CHANGES_MAX) {
        match_oldest(c);
    }
    c->changes[(c->change_first + c->change_count) % CHANGES_MAX] = *change;
    c->change_count++;
}

/* ---- packets -------------------------------------------------------------------------------- */

static void let_go(struct slt_live_comment *c)
{
    struct held *h = held_at(c, 0);
    h->packet.comment = h->comment_bytes > 0 ? h->comment : NULL;
    h->packet.comment_bytes = h->comment_bytes;
    c->ask.emit(c->ask.ctx, &h->packet);
    c->bytes -= h->packet.bytes;
    free(h->bytes);
    h->bytes = NULL;
    c->first = (c->first + 1) % HELD_MAX;
    c->count--;
}

static void look_into(const struct slt_live_comment *c, struct held *h)
{
    struct slt_explain_packet p;
    memset(&p, 0, sizeof(p));
    uint16_t linktype = c->ask.linktypes[h->packet.interface_index];
    if (slt_explain_decode(&h->packet, linktype, &p) == SLT_DECODED_TCP) {
        memcpy(h->src, p.src, sizeof(h->src));
        memcpy(h->dst, p.dst, sizeof(h->dst));
        h->src_port = p.seg.src_port;
        h->dst_port = p.seg.dst_port;
        h->flags = p.tcp[13];
    }
}

void slt_live_comment_packet(struct slt_live_comment *c, const struct slt_capture_packet *packet)
{
    if (c->ask.hold_ns == 0) {
        c->ask.emit(c->ask.ctx, packet);
        return;
    }
    while (c->count == HELD_MAX || (c->count > 0 && c->bytes + packet->bytes > c->ask.bytes_max)) {
        let_go(c);
    }
    uint8_t *bytes = malloc(packet->bytes == 0 ? 1 : packet->bytes);
    if (bytes == NULL) {
        slt_live_comment_flush(c, 0, true);
        c->ask.emit(c->ask.ctx, packet);
        return;
    }
    struct held *h = held_at(c, c->count++);
    memcpy(bytes, packet->data, packet->bytes);
    h->packet = *packet;
    h->packet.data = h->bytes = bytes;
    h->flags = 0;
    h->comment_bytes = 0;
    c->bytes += packet->bytes;
    look_into(c, h);
    if (h->flags != 0) {
        serve_pending(c, h);
    }
}

void slt_live_comment_flush(struct slt_live_comment *c, int64_t now_ns, bool all)
{
    c->epoch_ns = slt_runner_epoch(); /* calendars are corrected */
    while (c->change_count > 0 &&
           (all || c->epoch_ns + c->changes[c->change_first].at_ns + SETTLE_NS < now_ns)) {
        match_oldest(c);
    }
    while (c->count > 0 && (all || held_at(c, 0)->packet.at_ns + c->ask.hold_ns < now_ns)) {
        let_go(c);
    }
}

/* ---- life ----------------------------------------------------------------------------------- */

struct slt_live_comment *slt_live_comment_new(const struct slt_live_comment_ask *ask)
{
    struct slt_live_comment *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return NULL;
    }
    c->ask = *ask;
    c->held = ask->hold_ns == 0 ? NULL : calloc(HELD_MAX, sizeof(*c->held));
    c->changes = ask->hold_ns == 0 ? NULL : calloc(CHANGES_MAX, sizeof(*c->changes));
    if ((c->held == NULL || c->changes == NULL) && ask->hold_ns != 0) {
        slt_live_comment_free(c);
        return NULL;
    }
    return c;
}

void slt_live_comment_free(struct slt_live_comment *c)
{
    while (c->count > 0) {
        free(held_at(c, 0)->bytes);
        c->first = (c->first + 1) % HELD_MAX;
        c->count--;
    }
    free(c->held);
    free(c->changes);
    free(c);
}

uint64_t slt_live_comment_count(const struct slt_live_comment *c)
{
    return c->commented;
}
