/* Routes: for every pair of nodes the first way of the cheapest path over links that are up.
 *
 * Costs are added up from each destination backwards until nothing becomes cheaper (Bellman and
 * Ford); networks here have some hundred links, and routes change a few times in a run. Of equal
 * paths the one whose first link stands first in the scenario wins. Hosts do not forward.
 */
#include "lab/scenario_world.h"

static bool forwards(const struct scn_world *w, uint32_t node, uint32_t target)
{
    return node == target || w->scn->node[node].router;
}

/* One pass: true when something became cheaper. */
static bool relax(struct scn_world *w, uint32_t target, int64_t *cost)
{
    bool changed = false;
    for (uint32_t i = 0; i < w->way_count; i++) {
        const struct scn_way *way = &w->way[i];
        if (way->say.down || cost[way->to] == SLT_NEVER || !forwards(w, way->to, target)) {
            continue;
        }
        int64_t through = cost[way->to] + w->scn->link[i / 2].cost;
        if (through < cost[way->from]) {
            cost[way->from] = through;
            w->next_way[way->from][target] = i;
            changed = true;
        }
    }
    return changed;
}

void slt_scn_routes(struct scn_world *w)
{
    int64_t cost[SLT_SCN_NODES_MAX];
    uint32_t nodes = w->scn->node_count;
    for (uint32_t target = 0; target < nodes; target++) {
        for (uint32_t i = 0; i < nodes; i++) {
            cost[i] = SLT_NEVER;
            w->next_way[i][target] = SCN_NONE;
        }
        cost[target] = 0;
        while (relax(w, target, cost)) {
        }
    }
}

/* The delay from one node to another; SLT_NEVER when there is no path. */
static int64_t delay_between(const struct scn_world *w, uint32_t from, uint32_t to)
{
    int64_t delay_ns = 0;
    for (uint32_t hops = 0; from != to; hops++) {
        uint32_t way = w->next_way[from][to];
        if (way == SCN_NONE || hops > w->scn->node_count) {
            return SLT_NEVER;
        }
        delay_ns += w->way[way].say.delay_ns;
        from = w->way[way].to;
    }
    return delay_ns;
}

static void note_path(struct scn_world *w, uint32_t from, uint32_t to, int64_t rtt_ns)
{
    while (from != to) {
        struct scn_way *way = &w->way[w->next_way[from][to]];
        way->longest_rtt_ns = slt_max64(way->longest_rtt_ns, rtt_ns);
        from = way->to;
    }
}

void slt_scn_round_trips(struct scn_world *w)
{
    for (uint32_t i = 0; i < w->way_count; i++) {
        w->way[i].longest_rtt_ns = 0;
    }
    for (uint32_t i = 0; i < w->scn->app_count; i++) {
        const struct slt_scn_app *app = &w->scn->app[i];
        int64_t there_ns = delay_between(w, app->from, app->to);
        int64_t back_ns = delay_between(w, app->to, app->from);
        if (there_ns != SLT_NEVER && back_ns != SLT_NEVER) {
            note_path(w, app->from, app->to, there_ns + back_ns);
            note_path(w, app->to, app->from, there_ns + back_ns);
        }
    }
    for (uint32_t i = 0; i < w->way_count; i++) {
        struct scn_way *way = &w->way[i];
        if (way->longest_rtt_ns == 0) {
            way->longest_rtt_ns = way->say.delay_ns + w->way[i ^ 1U].say.delay_ns;
        }
    }
}
