/* See judge.h. */
#include "observe/judge.h"

#include "observe/endpoint.h"
#include "observe/why.h"
#include "wire/address.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void slt_hit_say(struct slt_hit *hit, const char *format, ...)
{
    size_t used = strlen(hit->evidence);
    va_list list;
    va_start(list, format);
    (void)vsnprintf(hit->evidence + used, sizeof(hit->evidence) - used, format, list);
    va_end(list);
}

void slt_hit_say_owner(struct slt_hit *hit, const struct slt_seen *seen)
{
    if (seen->pid != SLT_UNKNOWN) {
        slt_hit_say(hit, " in %s(%d)", seen->program, seen->pid);
    } else if (seen->owner == SLT_OWNER_HIDDEN) {
        slt_hit_say(hit, " in a program that may not be seen");
    }
}

void slt_hit_mark(const struct slt_case *about, struct slt_hit *hit, const struct slt_seen *seen)
{
    const struct slt_seen_list *list = &about->look->list;
    bool judged = list->count > 0 && seen >= list->items && seen < list->items + list->count;
    if (hit->marks != NULL && judged) {
        hit->marks[seen - list->items] = 1;
    }
}

void slt_hit_count(const struct slt_case *about,
                   bool (*is)(const struct slt_case *about, const struct slt_seen *seen),
                   struct slt_hit *hit)
{
    for (size_t i = 0; i < about->look->list.count; i++) {
        const struct slt_seen *seen = &about->look->list.items[i];
        if (is(about, seen)) {
            hit->count++;
            slt_hit_mark(about, hit, seen);
            hit->worst =
                hit->worst == NULL || seen->age.ns > hit->worst->age.ns ? seen : hit->worst;
        }
    }
}

void slt_hit_tell(struct slt_hit *hit, const char *what)
{
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    char age[SLT_DURATION_MAX];
    const struct slt_seen *w = hit->worst;
    if (hit->count == 0 || w == NULL) {
        return;
    }
    slt_hit_say(hit, "%" PRId64 " connection%s %s; ", hit->count, hit->count == 1 ? "" : "s", what);
    slt_hit_say(hit, "%s%s to %s", hit->count == 1 ? "" : "the oldest: ",
                slt_print_endpoint(&w->local, w->local_port, local),
                slt_print_endpoint(&w->remote, w->remote_port, remote));
    slt_hit_say_owner(hit, w);
    if (w->age.how != SLT_SPAN_UNKNOWN) {
        slt_hit_say(hit, ", for %s", slt_print_span(&w->age, age));
    }
}

int64_t slt_judge_rise(const struct slt_case *about, enum slt_counter counter)
{
    int64_t delta = slt_counter_delta(&about->before, &about->after, counter);
    return delta > 0 ? delta : 0;
}

size_t slt_judge_examined(const struct slt_case *about, size_t most)
{
    return about->look->list.count < most ? about->look->list.count : most;
}

bool slt_judge_is_open(const struct slt_seen *seen)
{
    return seen->kind == SLT_SEEN_CONN &&
           (seen->state == SALUT_STATE_ESTABLISHED || seen->state == SALUT_STATE_CLOSE_WAIT);
}

bool slt_judge_same_host(const struct slt_seen *a, const struct slt_seen *b)
{
    return memcmp(a->remote.b, b->remote.b, sizeof(a->remote.b)) == 0;
}

bool slt_judge_is_local(const struct slt_seen *seen)
{
    static const uint8_t loopback6[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    if (slt_address_is_v4(seen->remote.b)) {
        return seen->remote.b[12] == 127;
    }
    return memcmp(seen->remote.b, loopback6, sizeof(loopback6)) == 0;
}

bool slt_judge_lasts(const struct slt_seen_span *span, int64_t ns)
{
    return (span->how == SLT_SPAN_EXACT || span->how == SLT_SPAN_AT_LEAST) && span->ns >= ns;
}

size_t slt_judge_total(const struct slt_case *about)
{
    return about->look->list.count + about->look->left_out.count;
}

const struct slt_seen *slt_judge_record(const struct slt_case *about, size_t index)
{
    const struct slt_seen_list *list = &about->look->list;
    return index < list->count ? &list->items[index]
                               : &about->look->left_out.items[index - list->count];
}

static const struct slt_seen *find_listener(const struct slt_seen_list *list,
                                            const struct slt_seen *seen)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct slt_seen *l = &list->items[i];
        if (l->kind != SLT_SEEN_LISTENER) {
            break; /* they stand first */
        }
        bool any = slt_address_is_unspecified(l->local.b);
        if (l->local_port == seen->local_port &&
            (any || memcmp(l->local.b, seen->local.b, 16) == 0)) {
            return l;
        }
    }
    return NULL;
}

const struct slt_seen *slt_judge_listener_of(const struct slt_case *about,
                                             const struct slt_seen *seen)
{
    const struct slt_seen *judged = find_listener(&about->look->list, seen);
    return judged != NULL ? judged : find_listener(&about->look->left_out, seen);
}
