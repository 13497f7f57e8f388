/* Congestion control by name: the one place that knows which there are and how one is asked for.
 *
 * Empty and "default" mean the stack's own choice.
 */
#include "lab/scenario_world.h"

#include <string.h>

static const struct {
    const char *name;
    enum salut_cc which;
} kinds[] = {
    {"cubic", SALUT_CC_CUBIC},
    {"newreno", SALUT_CC_NEWRENO},
    {"reno", SALUT_CC_NEWRENO},
    {"bbr", SALUT_CC_BBR},
};

/* The entry of a name; SLT_ARRAY_COUNT(kinds) when there is none. */
static size_t find(const char *name)
{
    size_t at = 0;
    while (at < SLT_ARRAY_COUNT(kinds) && strcmp(kinds[at].name, name) != 0) {
        at++;
    }
    return at;
}

static bool is_default(const char *name)
{
    return name[0] == '\0' || strcmp(name, "default") == 0;
}

bool slt_scn_cc_known(const char *name)
{
    return is_default(name) || find(name) < SLT_ARRAY_COUNT(kinds);
}

const char *slt_scn_cc_names(void)
{
    return "cubic newreno (reno) bbr default";
}

void slt_scn_cc_set(struct salut_stack *stack, salut_conn conn, const char *name)
{
    if (!is_default(name)) {
        size_t at = find(name);
        SLT_ASSERT(at < SLT_ARRAY_COUNT(kinds));
        enum salut_status status =
            salut_set_option(stack, conn, SALUT_OPT_CONGESTION, kinds[at].which);
        SLT_ASSERT(status == SALUT_OK);
    }
}
