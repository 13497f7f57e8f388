/* Congestion control by name: the one place that knows which there are and how one is asked for.
 *
 * Empty and "default" mean the stack's own choice.
 */
#include "lab/scenario_world.h"

#include <string.h>

static const char *const names[] = {"", "default"};

bool slt_scn_cc_known(const char *name)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(names); i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const char *slt_scn_cc_names(void)
{
    return "default";
}

void slt_scn_cc_set(struct salut_stack *stack, salut_conn conn, const char *name)
{
    SLT_ASSERT(slt_scn_cc_known(name));
    (void)stack;
    (void)conn;
}
