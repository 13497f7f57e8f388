/* The looks of salut watch: what was taken becomes rows, lines and pages.
 */
#include "cli/watch.h"

#include "observe/counters_stack.h"

static void count_events(struct slt_watch_app *app)
{
    struct slt_counters now;
    if (app->sources.kernel && !slt_counters_read(&now)) {
        return;
    }
    if (!app->sources.kernel) {
        (void)slt_counters_read_stacks(&now, NULL); /* none running: nothing is counted */
    }
    app->before = app->after;
    app->counted = app->model.looked;
    app->after = now;
    struct slt_host_facts host;
    slt_host_facts_read(&host);
    app->host = host;
    slt_host_facts_since(&app->host, app->counted ? &app->host_totals : &host);
    app->host_totals = host;
}

int slt_watch_look(struct slt_watch_app *app)
{
    struct slt_look look;
    struct slt_look_ask ask = {.kernel = app->sources.kernel,
                               .stacks = app->sources.stacks,
                               .owners = true,
                               .findings =
                                   app->filter != NULL && slt_filter_asks_findings(app->filter)};
    int result = slt_look_take(&ask, &look);
    if (result < 0) {
        slt_look_free(&look);
        return result;
    }
    count_events(app);
    slt_look_free(&app->look);
    app->look = look;
    if (!slt_watch_take(&app->model, &app->look.list, look.at_ns)) {
        (void)snprintf(app->message, sizeof(app->message), "there is no memory for this look");
    }
    slt_watch_refresh(app);
    return 0;
}

void slt_watch_refresh(struct slt_watch_app *app)
{
    app->wish.filter = app->filter;
    if (!slt_watch_arrange(&app->view, &app->model, &app->wish)) {
        (void)snprintf(app->message, sizeof(app->message), "there is no memory for the table");
    }
    const struct slt_watch_row *row =
        app->shown == SLT_WATCH_DETAIL ? slt_watch_find(&app->model, &app->of) : NULL;
    if (row != NULL) {
        app->of = row->seen;
        slt_watch_write_detail(app, row);
    }
}
