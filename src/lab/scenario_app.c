/* What applications do: the four kinds, each as what happens when its connection opens, when bytes
 * arrived, and when it is woken.
 *
 *   bulk      the client writes so many bytes (or without end) and closes; the server reads
 *   request   the client sends a request, the server its reply, the client thinks, and again
 *   onoff     the client writes at a rate while on, and nothing while off
 *   web       a user opens a page: first the document on one connection, then its objects over
 *             several; when all have come, the connections close, and the user reads for a while
 *
 * slt_scn_app_advance is called whenever something happened to a flow; it looks at how far both
 * ends are and does the next thing, if it is time for one. Both ends live here, so a server knows
 * how long a request is without parsing it: it has it when it has read all its client wrote.
 */
#include "lab/scenario_world.h"

#include <stdlib.h>
#include <string.h>

#define ENDLESS (UINT64_C(1) << 60)
#define TICK_NS (10 * SLT_NS_PER_MS) /* how often onoff writes */
#define WEB_TOP UINT32_MAX

static const struct slt_scn_app *say_of(const struct scn_world *w, uint32_t flow)
{
    return &w->scn->app[w->flow[flow].app];
}

static int64_t stop_of(const struct scn_world *w, const struct slt_scn_app *say)
{
    return slt_min64(say->stop_ns, w->end_ns);
}

/* ---- ending --------------------------------------------------------------------------------- */

/* The client has nothing more to say. */
static void finish_client(struct scn_world *w, uint32_t index)
{
    struct scn_end *client = &w->flow[index].end[0];
    client->goal = client->written;
    slt_scn_flow_finish(w, index, 0);
}

/* A server that read to the end finishes too; then the flow has done what it was there for. */
static void follow_end(struct scn_world *w, uint32_t index)
{
    struct scn_flow *flow = &w->flow[index];
    struct slt_scn_flow_row *row = slt_scn_row(w, index);
    if (flow->end[1].eof && flow->end[1].held && !flow->end[1].fin_wanted) {
        slt_scn_flow_finish(w, index, 1);
    }
    if (!row->finished && !row->failed && flow->end[0].eof && flow->end[1].eof) {
        row->finished = true;
    }
}

/* ---- bulk ----------------------------------------------------------------------------------- */

static void open_bulk(struct scn_world *w, uint32_t index)
{
    const struct slt_scn_app *say = say_of(w, index);
    struct scn_end *client = &w->flow[index].end[0];
    if (say->bytes.mean > 0) {
        client->goal = (uint64_t)slt_scn_drawn(w, &say->bytes, 1);
        client->fin_wanted = true;
    } else {
        client->goal = ENDLESS;
    }
    if (say->stop_ns != SLT_NEVER) {
        slt_scn_flow_wake(w, index, say->stop_ns);
    }
    slt_scn_flow_push(w, index, 0);
}

static void advance_bulk(struct scn_world *w, uint32_t index, bool woken)
{
    struct scn_end *client = &w->flow[index].end[0];
    if (!client->connected) {
        return;
    }
    if (client->goal == 0) {
        open_bulk(w, index);
    } else if (woken && !client->fin_sent) {
        finish_client(w, index);
    }
}

/* ---- on and off ----------------------------------------------------------------------------- */

static void advance_onoff(struct scn_world *w, uint32_t index, bool woken)
{
    const struct slt_scn_app *say = say_of(w, index);
    struct scn_flow *flow = &w->flow[index];
    if (!flow->end[0].connected || flow->end[0].fin_wanted || (!woken && flow->on)) {
        return;
    }
    if (flow->phase_ns != 0 && !woken) {
        return;
    }
    if (w->now_ns >= say->stop_ns) {
        finish_client(w, index);
        return;
    }
    if (flow->on) {
        int64_t on_ns = slt_min64(w->now_ns, flow->phase_ns) - flow->on_since_ns;
        int64_t bytes = slt_scn_bytes_in(say->rate_bps, on_ns);
        flow->end[0].goal += (uint64_t)(bytes - flow->on_bytes);
        flow->on_bytes = bytes;
        slt_scn_flow_push(w, index, 0);
    }
    if (w->now_ns >= flow->phase_ns) {
        flow->on = !flow->on;
        flow->on_since_ns = w->now_ns;
        flow->on_bytes = 0;
        flow->phase_ns =
            w->now_ns + slt_scn_drawn(w, flow->on ? &say->on : &say->off, SLT_NS_PER_MS);
    }
    int64_t next_ns = flow->on ? slt_min64(flow->phase_ns, w->now_ns + TICK_NS) : flow->phase_ns;
    slt_scn_flow_wake(w, index, slt_min64(next_ns, say->stop_ns));
}

/* ---- requests ------------------------------------------------------------------------------- */

static void ask(struct scn_world *w, uint32_t index)
{
    const struct slt_scn_app *say = say_of(w, index);
    struct scn_flow *flow = &w->flow[index];
    flow->asked = true;
    flow->answered = false;
    flow->asked_ns = w->now_ns;
    flow->end[0].goal += (uint64_t)slt_scn_drawn(w, &say->request, 1);
    slt_scn_flow_push(w, index, 0);
}

/* The server has the whole request: it replies. */
static void answer(struct scn_world *w, uint32_t index)
{
    const struct slt_scn_app *say = say_of(w, index);
    struct scn_flow *flow = &w->flow[index];
    bool whole = flow->asked && flow->end[1].held && flow->end[1].read == flow->end[0].goal;
    if (whole && !flow->answered) {
        const struct slt_scn_draw *size = say->kind == SLT_SCN_WEB ? &say->bytes : &say->reply;
        flow->answered = true;
        flow->end[1].goal += (uint64_t)slt_scn_drawn(w, size, 1);
        slt_scn_flow_push(w, index, 1);
    }
}

/* True when the reply has come, once. */
static bool replied(struct scn_world *w, uint32_t index)
{
    struct scn_flow *flow = &w->flow[index];
    if (!flow->answered || !flow->asked || flow->end[0].read != flow->end[1].goal) {
        return false;
    }
    flow->asked = false;
    return true;
}

/* When to ask again: after a while, or all who have the same period together. */
static int64_t next_round(struct scn_world *w, uint32_t app)
{
    const struct slt_scn_app *say = &w->scn->app[app];
    int64_t start_ns = w->app[app].start_ns;
    if (say->period_ns > 0) {
        return start_ns + ((w->now_ns - start_ns) / say->period_ns + 1) * say->period_ns;
    }
    return w->now_ns + slt_scn_drawn(w, &say->think, 0);
}

static void advance_request(struct scn_world *w, uint32_t index, bool woken)
{
    const struct slt_scn_app *say = say_of(w, index);
    struct scn_flow *flow = &w->flow[index];
    struct slt_scn_flow_row *row = slt_scn_row(w, index);
    if (!flow->end[0].connected || flow->end[0].fin_wanted) {
        return;
    }
    bool first = flow->end[0].goal == 0;
    answer(w, index);
    if (replied(w, index)) {
        row->rounds++;
        slt_scn_times_add(&row->answer, w->now_ns - flow->asked_ns);
        bool last = (say->rounds > 0 && (int64_t)row->rounds >= say->rounds) ||
                    w->now_ns >= stop_of(w, say);
        if (last) {
            finish_client(w, index);
            return;
        }
        slt_scn_flow_wake(w, index, next_round(w, flow->app));
    } else if (first || (woken && !flow->asked)) {
        ask(w, index);
    }
}

/* ---- web ------------------------------------------------------------------------------------ */

static void open_connection(struct scn_world *w, uint32_t session)
{
    struct scn_session *user = &w->session[session];
    uint32_t index = slt_scn_flow_open(w, user->app, 1);
    w->flow[index].session = session;
    user->flow[user->flow_count++] = index;
}

void slt_scn_app_page(struct scn_world *w, uint32_t session)
{
    struct scn_session *user = &w->session[session];
    const struct slt_scn_app *say = &w->scn->app[user->app];
    if (w->now_ns >= stop_of(w, say) || user->pages_left == 0) {
        w->pending--;
        return;
    }
    user->pages_left -= user->pages_left != WEB_TOP;
    user->document = true;
    user->objects_left = (uint32_t)say->objects;
    user->waiting = 0;
    user->page_ns = w->now_ns;
    user->flow_count = 0;
    open_connection(w, session);
}

/* The document is there: more connections for its objects. */
static void open_more(struct scn_world *w, uint32_t session)
{
    struct scn_session *user = &w->session[session];
    const struct slt_scn_app *say = &w->scn->app[user->app];
    uint32_t wanted = slt_min32((uint32_t)say->conns, user->objects_left);
    user->document = false;
    while (user->flow_count < wanted) {
        open_connection(w, session);
    }
}

static void page_done(struct scn_world *w, uint32_t session, uint32_t index)
{
    struct scn_session *user = &w->session[session];
    const struct slt_scn_app *say = &w->scn->app[user->app];
    struct slt_scn_flow_row *row = slt_scn_row(w, index);
    row->rounds++;
    slt_scn_times_add(&row->answer, w->now_ns - user->page_ns);
    for (uint32_t i = 0; i < user->flow_count; i++) {
        w->flow[user->flow[i]].session = SCN_NONE;
        finish_client(w, user->flow[i]);
    }
    user->flow_count = 0;
    slt_scn_at(w, w->now_ns + slt_scn_drawn(w, &say->think, SLT_NS_PER_MS), SCN_SESSION, session);
}

/* A connection of a user who waits is free: it asks for what nobody has asked for yet. */
static void use_connection(struct scn_world *w, uint32_t index)
{
    struct scn_session *user = &w->session[w->flow[index].session];
    bool wanted = user->document || user->objects_left > 0;
    if (wanted) {
        user->objects_left -= !user->document;
        user->waiting++;
        ask(w, index);
    }
}

static void advance_web(struct scn_world *w, uint32_t index)
{
    struct scn_flow *flow = &w->flow[index];
    uint32_t session = flow->session;
    if (session == SCN_NONE || !flow->end[0].connected) {
        /* The page is there and the connection is not needed any more, or not open yet. */
        if (session == SCN_NONE && flow->end[0].connected && !flow->end[0].fin_wanted) {
            finish_client(w, index);
        }
        return;
    }
    answer(w, index);
    struct scn_session *user = &w->session[session];
    if (flow->end[0].goal == 0) {
        use_connection(w, index);
    } else if (replied(w, index)) {
        user->waiting--;
        if (user->document) {
            open_more(w, session);
        }
        use_connection(w, index);
        if (w->session[session].waiting == 0 && w->session[session].objects_left == 0) {
            page_done(w, session, index);
        }
    }
}

/* A connection that failed takes its page with it: the user tries another one later. */
static void web_failed(struct scn_world *w, uint32_t index)
{
    uint32_t session = w->flow[index].session;
    if (session == SCN_NONE) {
        return;
    }
    struct scn_session *user = &w->session[session];
    const struct slt_scn_app *say = &w->scn->app[user->app];
    for (uint32_t i = 0; i < user->flow_count; i++) {
        uint32_t other = user->flow[i];
        w->flow[other].session = SCN_NONE;
        if (w->flow[other].end[0].held && w->flow[other].end[0].connected) {
            finish_client(w, other);
        }
    }
    user->flow_count = 0;
    slt_scn_at(w, w->now_ns + slt_scn_drawn(w, &say->think, SLT_NS_PER_MS), SCN_SESSION, session);
}

/* ---- doors ---------------------------------------------------------------------------------- */

void slt_scn_app_begin(struct scn_world *w, uint32_t app)
{
    const struct slt_scn_app *say = &w->scn->app[app];
    w->app[app].start_ns = slt_scn_drawn(w, &say->start, 0);
    if (w->app[app].start_ns < w->end_ns) {
        w->pending++; /* the spawning itself */
        slt_scn_at(w, w->app[app].start_ns, SCN_SPAWN, app);
    }
}

static void spawn_user(struct scn_world *w, uint32_t app)
{
    const struct slt_scn_app *say = &w->scn->app[app];
    if (w->session_count == w->session_room) {
        w->session_room = w->session_room == 0 ? 16 : w->session_room * 2;
        w->session = realloc(w->session, w->session_room * sizeof(*w->session));
        SLT_ASSERT(w->session != NULL);
    }
    uint32_t index = w->session_count++;
    struct scn_session *user = &w->session[index];
    memset(user, 0, sizeof(*user));
    user->app = app;
    user->pages_left = say->rounds > 0 ? (uint64_t)say->rounds : WEB_TOP;
    w->pending++;
    slt_scn_app_page(w, index);
}

void slt_scn_app_spawn(struct scn_world *w, uint32_t app)
{
    const struct slt_scn_app *say = &w->scn->app[app];
    struct scn_app *state = &w->app[app];
    w->pending--;
    if (w->now_ns >= stop_of(w, say)) {
        return;
    }
    uint32_t begun = state->opened;
    if (say->kind == SLT_SCN_WEB) {
        spawn_user(w, app);
        begun = 0;
        for (uint32_t i = 0; i < w->session_count; i++) {
            begun += w->session[i].app == app;
        }
    } else {
        slt_scn_flow_open(w, app, say->kind == SLT_SCN_REQUEST ? 1 : 0);
        begun++;
    }
    if (begun < say->count) {
        w->pending++;
        slt_scn_at(w, w->now_ns + slt_scn_drawn(w, &say->every, 0), SCN_SPAWN, app);
    }
}

void slt_scn_app_advance(struct scn_world *w, uint32_t index)
{
    struct scn_flow *flow = &w->flow[index];
    bool woken = flow->wake_at_ns <= w->now_ns;
    if (flow->over) {
        return;
    }
    flow->wake_at_ns = woken ? SLT_NEVER : flow->wake_at_ns;
    if (slt_scn_row(w, index)->failed) {
        web_failed(w, index);
        slt_scn_flow_part(w, index);
        return;
    }
    switch ((enum slt_scn_kind)say_of(w, index)->kind) {
    case SLT_SCN_BULK:
        advance_bulk(w, index, woken);
        break;
    case SLT_SCN_ONOFF:
        advance_onoff(w, index, woken);
        break;
    case SLT_SCN_REQUEST:
        advance_request(w, index, woken);
        break;
    case SLT_SCN_WEB:
    case SLT_SCN_KINDS:
        advance_web(w, index);
        break;
    }
    follow_end(w, index);
    slt_scn_flow_part(w, index);
}
