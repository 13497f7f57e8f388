/* See shard_link.h. */
#include "sock/shard_link.h"

#include "sock/inside.h"
#include "sock/shard_sort.h"

#include <stdlib.h>
#include <string.h>

struct shard_link {
    struct slt_link link; /* first: a link is a shard link */
    struct slt_link *inner;
    struct slt_shard_group *group;
    uint32_t index;
    const struct salut_stack *stack;
    struct slt_shard_letter *waiting; /* taken out of the box, oldest first */
    struct slt_shard_letter *lent;    /* with the stack */
    struct salut_shard_counters counters;
};

static struct shard_link *of(struct slt_link *link)
{
    return (struct shard_link *)(void *)link;
}

static const struct shard_link *of_const(const struct slt_link *link)
{
    return (const struct shard_link *)(const void *)link;
}

/* ---- to others ------------------------------------------------------------------------------ */

/* The letter is the other's, or lost. */
static void send_letter(struct shard_link *s, uint32_t to, struct slt_shard_letter *letter)
{
    struct slt_shard_peer *peer = &s->group->peers[to];
    bool first = false;
    if (letter == NULL || !slt_shard_box_put(&peer->box, letter, &first)) {
        s->counters.lost++;
        slt_shard_letter_free(letter);
    } else if (first) {
        salut_runner_wake(peer->runner);
    }
}

static uint32_t next_of(const struct shard_link *s)
{
    return (s->index + 1) % s->group->count;
}

static void tell_others(struct shard_link *s, const struct salut_rx_frame *frame)
{
    s->counters.copied++;
    for (uint32_t i = 0; i < s->group->count; i++) {
        if (i != s->index) {
            send_letter(s, i, slt_shard_letter_make(frame, s->index, false));
        }
    }
}

/* True when the frame is to be received here. */
static bool keep_frame(struct shard_link *s, const struct salut_rx_frame *frame)
{
    struct slt_tcp_id id;
    switch (slt_shard_sort(s->link.caps.kind, frame, &id)) {
    case SLT_SHARD_HERE:
        return true;
    case SLT_SHARD_ALL:
        tell_others(s, frame);
        return true;
    case SLT_SHARD_FLOW:
        if (slt_inside_owns(s->stack, &id)) {
            return true;
        }
        s->counters.strays++;
        send_letter(s, next_of(s), slt_shard_letter_make(frame, s->index, true));
        return false;
    case SLT_SHARD_NONE:
        s->counters.fragments++;
        return false;
    }
    SLT_UNREACHABLE("a frame is sorted one of four ways");
}

/* ---- from others ---------------------------------------------------------------------------- */

/* A letter of somebody's: true when it is to be received here, else it goes on. */
static bool keep_letter(struct shard_link *s, const struct slt_shard_letter *letter)
{
    struct slt_tcp_id id;
    if (!letter->stray) {
        return true;
    }
    if (letter->home == s->index) {
        s->counters.returned++;
        return true;
    }
    bool known = slt_shard_sort(s->link.caps.kind, &letter->frame, &id) == SLT_SHARD_FLOW &&
                 slt_inside_owns(s->stack, &id);
    s->counters.adopted += known;
    return known;
}

static size_t receive_letters(struct shard_link *s, struct salut_rx_frame *frames, size_t max)
{
    size_t count = 0;
    while (count < max) {
        if (s->waiting == NULL) {
            s->waiting = slt_shard_box_take(&s->group->peers[s->index].box);
        }
        struct slt_shard_letter *letter = s->waiting;
        if (letter == NULL) {
            break;
        }
        s->waiting = letter->next;
        if (!keep_letter(s, letter)) {
            send_letter(s, next_of(s), letter);
            continue;
        }
        frames[count++] = letter->frame;
        letter->next = s->lent;
        s->lent = letter;
    }
    return count;
}

/* ---- the link ------------------------------------------------------------------------------- */

static size_t shard_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                            int64_t now_ns)
{
    struct shard_link *s = of(link);
    size_t count = slt_link_receive(s->inner, frames, max, now_ns);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (keep_frame(s, &frames[i])) {
            frames[kept++] = frames[i];
        }
    }
    if (kept == 0) {
        slt_link_release(s->inner);
    }
    return kept + receive_letters(s, frames + kept, max - kept);
}

static void free_letters(struct slt_shard_letter *letter)
{
    while (letter != NULL) {
        struct slt_shard_letter *next = letter->next;
        slt_shard_letter_free(letter);
        letter = next;
    }
}

static void shard_release(struct slt_link *link)
{
    struct shard_link *s = of(link);
    slt_link_release(s->inner);
    free_letters(s->lent);
    s->lent = NULL;
}

static size_t shard_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                         int64_t now_ns)
{
    return slt_link_send(of(link)->inner, frames, count, now_ns);
}

static int64_t shard_next_deadline(const struct slt_link *link)
{
    const struct shard_link *s = of_const(link);
    bool waits = s->waiting != NULL || !slt_shard_box_is_empty(&s->group->peers[s->index].box);
    return waits ? SLT_LINK_AT_ONCE : slt_link_next_deadline(s->inner);
}

static void shard_poll(struct slt_link *link, int64_t now_ns)
{
    slt_link_poll(of(link)->inner, now_ns);
}

static int shard_fd(const struct slt_link *link)
{
    return slt_link_fd(of_const(link)->inner);
}

static bool shard_wants_write(const struct slt_link *link)
{
    return slt_link_wants_write(of_const(link)->inner);
}

static void shard_close(struct slt_link *link)
{
    struct shard_link *s = of(link);
    slt_link_close(s->inner);
    free_letters(s->waiting);
    free_letters(s->lent);
    free(s);
}

static const struct slt_link_ops shard_ops = {
    .receive = shard_receive,
    .release = shard_release,
    .send = shard_send,
    .next_deadline = shard_next_deadline,
    .poll = shard_poll,
    .fd = shard_fd,
    .wants_write = shard_wants_write,
    .close = shard_close,
};

enum salut_status slt_shard_link_open(struct slt_link *inner, struct slt_shard_group *group,
                                      uint32_t index, struct slt_link **link)
{
    struct shard_link *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        slt_link_close(inner);
        return SALUT_NO_MEMORY;
    }
    s->link.ops = &shard_ops;
    s->link.caps = inner->caps;
    memcpy(s->link.name, inner->name, sizeof(s->link.name));
    s->inner = inner;
    s->group = group;
    s->index = index;
    *link = &s->link;
    return SALUT_OK;
}

void slt_shard_link_set_stack(struct slt_link *link, const struct salut_stack *stack)
{
    of(link)->stack = stack;
}

const struct salut_shard_counters *slt_shard_link_counters(const struct slt_link *link)
{
    return &of_const(link)->counters;
}
