/* See story.h. */
#include "observe/story.h"

#include "base/event.h"
#include "observe/glimpse.h"
#include "observe/peer.h"
#include "sock/inside.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 256U

/* One end of the connection as its segments show it. */
struct end {
    salut_addr addr;
    uint16_t port;
    uint32_t isn;
    bool syn_seen;
    struct slt_tcp_options options; /* of its SYN */
};

struct slt_story {
    struct slt_tee_sink sink; /* must be first */
    struct slt_story_filter filter;
    const struct salut_stack *stack;
    uint64_t next_event; /* sequence number of the next event to look at */
    bool begun;
    struct end ours;
    struct end theirs;
    uint8_t our_first;
    uint8_t our_state;
    struct slt_peer peer;
    uint8_t their_first;
    uint8_t first_closer; /* enum slt_ladder_side + 1; 0: nobody yet */
    bool waited;          /* our end was in TIME-WAIT */
    int64_t wait_from_ns;
    int64_t wait_to_ns;
    struct slt_event pending[PENDING_MAX]; /* events of this connection not shown yet */
    size_t pending_count;
    size_t left_out; /* steps for which there was no room */
    size_t unsaid;   /* index of the first step out whose reason is not known yet */
    size_t count;
    size_t steps_max;
    struct slt_ladder_step steps[];
};

static void take(struct slt_tee_sink *sink, const struct slt_tee_frame *frame);

struct slt_story *slt_story_create(const struct slt_story_filter *filter, size_t steps_max)
{
    struct slt_story *s = calloc(1, sizeof(*s) + steps_max * sizeof(struct slt_ladder_step));
    if (s != NULL) {
        s->sink.take = take;
        s->filter = *filter;
        s->steps_max = steps_max;
        s->next_event = 1;
    }
    return s;
}

void slt_story_destroy(struct slt_story *story)
{
    free(story);
}

struct slt_tee_sink *slt_story_sink(struct slt_story *story)
{
    return &story->sink;
}

void slt_story_attach(struct slt_story *story, const struct salut_stack *stack)
{
    story->stack = stack;
    story->next_event = 1;
}

/* ---- frames --------------------------------------------------------------------------------- */

static bool same_addr(const salut_addr *a, const salut_addr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

static bool is_v4(const salut_addr *addr)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(addr->b, prefix, sizeof(prefix)) == 0;
}

static bool matches_filter(const struct slt_story *s, const struct slt_glimpse *g)
{
    bool opens = (g->seg.flags & (SLT_TCP_SYN | SLT_TCP_ACK | SLT_TCP_RST)) == SLT_TCP_SYN;
    uint8_t family = is_v4(&g->src) ? 4 : 6;
    return opens && g->seg.dst_port == s->filter.port &&
           (s->filter.family == 0 || s->filter.family == family);
}

static void begin(struct slt_story *s, const struct slt_glimpse *g, bool outbound)
{
    struct end from = {.addr = g->src, .port = g->seg.src_port};
    struct end to = {.addr = g->dst, .port = g->seg.dst_port};
    s->begun = true;
    s->ours = outbound ? from : to;
    s->theirs = outbound ? to : from;
    s->our_first = outbound ? SALUT_STATE_CLOSED : SALUT_STATE_LISTEN;
    s->our_state = s->our_first;
    s->their_first = outbound ? SALUT_STATE_LISTEN : SALUT_STATE_CLOSED;
    s->peer.state = s->their_first;
}

static bool belongs(const struct slt_story *s, const struct slt_glimpse *g, bool outbound)
{
    const struct end *from = outbound ? &s->ours : &s->theirs;
    const struct end *to = outbound ? &s->theirs : &s->ours;
    return g->seg.src_port == from->port && g->seg.dst_port == to->port &&
           same_addr(&g->src, &from->addr) && same_addr(&g->dst, &to->addr);
}

/* ---- steps ---------------------------------------------------------------------------------- */

static struct slt_ladder_step *add_step(struct slt_story *s, int64_t at_ns)
{
    if (s->count == s->steps_max) {
        s->left_out++;
        return NULL;
    }
    struct slt_ladder_step *step = &s->steps[s->count];
    *step = (struct slt_ladder_step){.at_ns = at_ns};
    s->count++;
    return step;
}

static void add_change(struct slt_story *s, const struct slt_ladder_step *change)
{
    bool closes = change->to == SALUT_STATE_FIN_WAIT_1;
    if (closes && s->first_closer == 0) {
        s->first_closer = (uint8_t)(change->side + 1);
    }
    struct slt_ladder_step *step = add_step(s, change->at_ns);
    if (step != NULL) {
        *step = *change;
    }
}

static void add_our_change(struct slt_story *s, const struct slt_event *e)
{
    if (e->to == s->our_state) {
        return;
    }
    if (e->to == SALUT_STATE_TIME_WAIT) {
        s->waited = true;
        s->wait_from_ns = e->at_ns;
    } else if (e->from == SALUT_STATE_TIME_WAIT) {
        s->wait_to_ns = e->at_ns;
    }
    s->our_state = e->to;
    struct slt_ladder_step change = {.at_ns = e->at_ns,
                                     .kind = SLT_LADDER_STATE,
                                     .side = SLT_LADDER_LEFT,
                                     .from = e->from,
                                     .to = e->to,
                                     .why = slt_reason_sentence((enum slt_reason)e->reason)};
    add_change(s, &change);
}

/* The wire's numbers relative to the SYNs, as the engine counts. */
static int64_t relative(uint32_t number, const struct end *end)
{
    return end->syn_seen ? (int64_t)(uint32_t)(number - end->isn) : (int64_t)number;
}

static void write_label(const struct slt_story *s, const struct slt_glimpse *g, bool outbound,
                        struct slt_ladder_step *step)
{
    static const struct {
        uint16_t flag;
        const char *name;
    } names[] = {{SLT_TCP_SYN, "SYN"}, {SLT_TCP_FIN, "FIN"}, {SLT_TCP_RST, "RST"},
                 {SLT_TCP_PSH, "PSH"}, {SLT_TCP_URG, "URG"}, {SLT_TCP_ACK, "ACK"}};
    const struct end *from = outbound ? &s->ours : &s->theirs;
    const struct end *to = outbound ? &s->theirs : &s->ours;
    char flags[32] = "";
    size_t used = 0;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(names); i++) {
        if ((g->seg.flags & names[i].flag) != 0) {
            used += (size_t)snprintf(&flags[used], sizeof(flags) - used, "%s%s",
                                     used == 0 ? "" : ",", names[i].name);
        }
    }
    int n = snprintf(step->label, sizeof(step->label), "%s seq %lld", flags,
                     (long long)relative(g->seg.seq, from));
    size_t at = n > 0 ? (size_t)n : 0;
    if ((g->seg.flags & SLT_TCP_ACK) != 0) {
        at += (size_t)snprintf(&step->label[at], sizeof(step->label) - at, " ack %lld",
                               (long long)relative(g->seg.ack, to));
    }
    if (g->bytes > 0) {
        (void)snprintf(&step->label[at], sizeof(step->label) - at, " len %lu",
                       (unsigned long)g->bytes);
    }
}

/* What a SYN offers. */
static void write_detail(const struct slt_glimpse *g, struct slt_ladder_step *step)
{
    const struct slt_tcp_options *o = &g->seg.opt;
    char mss[16] = "";
    char wscale[16] = "";
    if ((g->seg.flags & SLT_TCP_SYN) == 0) {
        return;
    }
    if ((o->present & SLT_TCP_OPT_MSS) != 0) {
        (void)snprintf(mss, sizeof(mss), ", MSS %u", o->mss);
    }
    if ((o->present & SLT_TCP_OPT_WSCALE) != 0) {
        (void)snprintf(wscale, sizeof(wscale), ", scale %u", o->wscale);
    }
    (void)snprintf(step->detail, sizeof(step->detail), "window %u%s%s%s%s", g->seg.window, mss,
                   wscale, (o->present & SLT_TCP_OPT_SACK_OK) != 0 ? ", SACK" : "",
                   (o->present & SLT_TCP_OPT_TIMESTAMPS) != 0 ? ", timestamps" : "");
}

static void note_syn(struct slt_story *s, const struct slt_glimpse *g, bool outbound)
{
    struct end *from = outbound ? &s->ours : &s->theirs;
    if ((g->seg.flags & SLT_TCP_SYN) != 0) {
        from->syn_seen = true;
        from->isn = g->seg.seq;
        from->options = g->seg.opt;
    }
}

static struct slt_ladder_step *add_segment(struct slt_story *s, const struct slt_glimpse *g,
                                           const struct slt_tee_frame *frame)
{
    struct slt_ladder_step *step = add_step(s, frame->at_ns);
    if (step != NULL) {
        step->kind = SLT_LADDER_SEGMENT;
        step->side = frame->outbound ? SLT_LADDER_LEFT : SLT_LADDER_RIGHT;
        step->bytes = g->bytes;
        step->plain = (g->seg.flags & (SLT_TCP_SYN | SLT_TCP_FIN | SLT_TCP_RST)) == 0;
        write_label(s, g, frame->outbound, step);
        write_detail(g, step);
    }
    return step;
}

/* What the segment says about the peer: a segment it sent shows its new state, so the change
 * stands before the segment; one sent to it changes it on arrival. */
static bool infer(struct slt_story *s, const struct slt_glimpse *g,
                  const struct slt_tee_frame *frame, struct slt_ladder_step *change)
{
    const struct end *from = frame->outbound ? &s->ours : &s->theirs;
    const struct end *to = frame->outbound ? &s->theirs : &s->ours;
    struct slt_peer_segment seg = {.from_peer = !frame->outbound,
                                   .flags = g->seg.flags,
                                   .seq = relative(g->seg.seq, from),
                                   .ack = relative(g->seg.ack, to),
                                   .bytes = g->bytes};
    *change = (struct slt_ladder_step){.at_ns = frame->at_ns,
                                       .kind = SLT_LADDER_STATE,
                                       .side = SLT_LADDER_RIGHT,
                                       .from = s->peer.state,
                                       .inferred = true};
    if (!slt_peer_take(&s->peer, &seg, &change->why)) {
        return false;
    }
    change->to = s->peer.state;
    return true;
}

/* ---- events --------------------------------------------------------------------------------- */

/* A segment of ours was committed: its reason belongs to the oldest such frame without one. */
static void say_why(struct slt_story *s, const struct slt_event *e)
{
    for (size_t i = s->unsaid; i < s->count; i++) {
        struct slt_ladder_step *step = &s->steps[i];
        bool ours = step->kind == SLT_LADDER_SEGMENT && step->side == SLT_LADDER_LEFT;
        if (ours && step->why == NULL && step->bytes == e->bytes) {
            step->why = slt_reason_sentence((enum slt_reason)e->reason);
            s->unsaid = i + 1;
            return;
        }
    }
}

static void keep_event(struct slt_story *s, const struct slt_event *e)
{
    if (e->local_port != s->ours.port || e->remote_port != s->theirs.port) {
        return;
    }
    if (e->kind == SLT_EVENT_SENT) {
        say_why(s, e);
    } else if (e->kind != SLT_EVENT_NOTE && s->pending_count < PENDING_MAX) {
        s->pending[s->pending_count] = *e;
        s->pending_count++;
    }
}

/* Read what the instance has written since the last look. */
static void read_events(struct slt_story *s)
{
    struct slt_event e;
    if (s->stack == NULL) {
        return;
    }
    const struct slt_telemetry *telemetry = slt_inside_telemetry(s->stack);
    for (;;) {
        int64_t lost = slt_event_read(telemetry, s->next_event, &e);
        if (lost < 0) {
            return;
        }
        s->next_event += lost > 0 ? (uint64_t)lost : 1;
        if (lost == 0 && s->begun) {
            keep_event(s, &e);
        }
    }
}

static void drop_pending(struct slt_story *s, size_t count)
{
    memmove(s->pending, &s->pending[count], (s->pending_count - count) * sizeof(s->pending[0]));
    s->pending_count -= count;
}

/* How many pending events belong to a frame that came in: up to and with the one that says what
 * became of it. Half-open entries have no such event; there the changes alone belong to it. */
static size_t events_of_frame(const struct slt_story *s, const struct slt_glimpse *g)
{
    size_t changes = 0;
    for (size_t i = 0; i < s->pending_count; i++) {
        const struct slt_event *e = &s->pending[i];
        if (e->kind == SLT_EVENT_STATE) {
            changes += changes == i && e->object_kind == SLT_OBJECT_HALF_OPEN;
        } else if (e->flags == (uint8_t)g->seg.flags && e->bytes == g->bytes) {
            return i + 1;
        }
    }
    return changes;
}

static void show_changes(struct slt_story *s, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (s->pending[i].kind == SLT_EVENT_STATE) {
            add_our_change(s, &s->pending[i]);
        }
    }
    drop_pending(s, count);
}

static const char *drop_reason(const struct slt_story *s, size_t count)
{
    if (count == 0 || s->pending[count - 1].kind != SLT_EVENT_DROPPED) {
        return NULL;
    }
    return slt_reason_sentence((enum slt_reason)s->pending[count - 1].reason);
}

/* ---- the sink ------------------------------------------------------------------------------- */

static void take_inbound(struct slt_story *s, const struct slt_glimpse *g,
                         const struct slt_tee_frame *frame)
{
    struct slt_ladder_step change;
    size_t events = events_of_frame(s, g);
    const char *dropped = drop_reason(s, events);
    if (infer(s, g, frame, &change)) {
        add_change(s, &change);
    }
    struct slt_ladder_step *step = add_segment(s, g, frame);
    if (step != NULL) {
        step->dropped = dropped != NULL;
        step->why = dropped;
    }
    show_changes(s, events);
}

static void take_outbound(struct slt_story *s, const struct slt_glimpse *g,
                          const struct slt_tee_frame *frame)
{
    struct slt_ladder_step change;
    show_changes(s, s->pending_count);
    (void)add_segment(s, g, frame);
    if (infer(s, g, frame, &change)) {
        add_change(s, &change);
    }
}

static void take(struct slt_tee_sink *sink, const struct slt_tee_frame *frame)
{
    struct slt_story *s = (struct slt_story *)(void *)sink;
    struct slt_glimpse g;
    if (!slt_glimpse_take(&frame->view, &g)) {
        return;
    }
    if (!s->begun && matches_filter(s, &g)) {
        begin(s, &g, frame->outbound);
    }
    read_events(s);
    if (!s->begun || !belongs(s, &g, frame->outbound)) {
        return;
    }
    note_syn(s, &g, frame->outbound);
    if (frame->outbound) {
        take_outbound(s, &g, frame);
    } else {
        take_inbound(s, &g, frame);
    }
}

void slt_story_finish(struct slt_story *story)
{
    read_events(story);
    show_changes(story, story->pending_count);
}

bool slt_story_has_begun(const struct slt_story *story)
{
    return story->begun;
}

bool slt_story_is_over(const struct slt_story *story, bool gone)
{
    bool ours = story->our_state == SALUT_STATE_CLOSED ||
                (story->our_state == SALUT_STATE_TIME_WAIT && !gone);
    bool theirs =
        story->peer.state == SALUT_STATE_CLOSED || story->peer.state == SALUT_STATE_TIME_WAIT;
    return story->begun && story->count > 2 && ours && theirs;
}

/* ---- drawing -------------------------------------------------------------------------------- */

static void name_end(const char *name, const struct end *end, char *out, size_t size)
{
    char addr[48];
    (void)salut_addr_print(&end->addr, addr, sizeof(addr));
    (void)snprintf(out, size, is_v4(&end->addr) ? "%s %s:%u" : "%s [%s]:%u", name, addr, end->port);
}

static bool both_have(const struct slt_story *s, uint8_t option)
{
    return (s->ours.options.present & s->theirs.options.present & option) != 0;
}

static void print_options(const struct slt_story *s, FILE *to)
{
    (void)fprintf(to, "options:       MSS %u of ours, %u of theirs; ", s->ours.options.mss,
                  s->theirs.options.mss);
    if (both_have(s, SLT_TCP_OPT_WSCALE)) {
        (void)fprintf(to, "window scale %u and %u; ", s->ours.options.wscale,
                      s->theirs.options.wscale);
    } else {
        (void)fputs("no window scaling; ", to);
    }
    (void)fprintf(to, "SACK %s; timestamps %s\n", both_have(s, SLT_TCP_OPT_SACK_OK) ? "on" : "off",
                  both_have(s, SLT_TCP_OPT_TIMESTAMPS) ? "on" : "off");
}

static void print_summary(const struct slt_story *s, const struct slt_story_look *look, FILE *to)
{
    print_options(s, to);
    (void)fprintf(to, "closed first:  %s\n",
                  s->first_closer == 0                     ? "nobody yet"
                  : s->first_closer == SLT_LADDER_LEFT + 1 ? look->ours
                                                           : look->theirs);
    if (s->waited && s->wait_to_ns != 0) {
        (void)fprintf(to, "TIME-WAIT:     %s, for %.3f s (2 MSL)\n", look->ours,
                      (double)(s->wait_to_ns - s->wait_from_ns) / 1e9);
    } else if (s->waited) {
        (void)fprintf(to, "TIME-WAIT:     %s, still\n", look->ours);
    } else if (s->peer.state == SALUT_STATE_TIME_WAIT) {
        (void)fprintf(to, "TIME-WAIT:     %s\n", look->theirs);
    }
    if (s->left_out > 0) {
        (void)fprintf(to, "left out:      %zu later steps\n", s->left_out);
    }
}

void slt_story_print(const struct slt_story *story, const struct slt_story_look *look, FILE *to)
{
    char ours[80];
    char theirs[80];
    name_end(look->ours, &story->ours, ours, sizeof(ours));
    name_end(look->theirs, &story->theirs, theirs, sizeof(theirs));
    struct slt_ladder ladder = {.names = {ours, theirs},
                                .first = {story->our_first, story->their_first},
                                .steps = story->steps,
                                .count = story->count,
                                .width = look->width,
                                .utf8 = look->utf8,
                                .colour = look->colour};
    slt_ladder_print(&ladder, to);
    print_summary(story, look, to);
}
