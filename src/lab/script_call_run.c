/* Making calls, and holding their results against the script's. */
#include "lab/script_call.h"

#include "lab/script_symbols.h"

#include <stdio.h>
#include <string.h>

static const struct slt_call_row *find_row(const char *name)
{
    const struct slt_call_row *row = slt_call_data_row(name);
    row = row ? row : slt_call_opt_row(name);
    return row ? row : slt_call_poll_row(name);
}

static void describe(char out[80], int64_t result)
{
    char name[24];
    if (result < 0) {
        snprintf(out, 80, "-1 %s", slt_errno_name((int)-result, name));
    } else {
        snprintf(out, 80, "%lld", (long long)result);
    }
}

static void map_fd(struct slt_call *run, int64_t script_fd)
{
    if (script_fd < 0 || script_fd >= SLT_CALL_FDS_MAX) {
        slt_call_fail(run, "descriptors of scripts are 0 to %d", SLT_CALL_FDS_MAX - 1);
        return;
    }
    if (run->world->fds[script_fd] >= 0) {
        slt_call_fail(run, "the script has a descriptor %lld already", (long long)script_fd);
        return;
    }
    run->world->fds[script_fd] = (int)run->result;
}

static bool check_result(struct slt_call *run)
{
    const struct slt_script_call *call = run->call;
    int64_t want;
    int want_errno = 0;
    char got[80];

    if (call->result->kind == SLT_EXPR_ELLIPSIS) {
        return run->complaint[0] == '\0';
    }
    if (!slt_call_number(run, call->result, &want)) {
        return false;
    }
    if (call->error && !slt_errno_find(call->error, &want_errno)) {
        return slt_call_fail(run, "nobody knows the error '%s'", call->error);
    }
    describe(got, run->result);
    bool failed = run->result < 0;
    if (want >= 0 && !failed && run->returns_fd) {
        map_fd(run, want);
    } else if (want == -1 && failed) {
        if (call->error && run->result != -want_errno) {
            slt_call_fail(run, "result: expected -1 %s, got %s", call->error, got);
        }
    } else if (want != run->result || failed) {
        slt_call_fail(run, "result: expected %lld%s%s, got %s", (long long)want,
                      call->error ? " " : "", call->error ? call->error : "", got);
    }
    return run->complaint[0] == '\0';
}

enum slt_call_result slt_call_retry(struct slt_call *run)
{
    const struct slt_call_row *row = find_row(run->call->name);

    SLT_ASSERT(row);
    run->would_block = false;
    run->complaint[0] = '\0';
    bool understood = row->run(run);
    /* What the call made the instance send leaves before anything else happens. */
    slt_script_host_pump(run->world->host);
    if (!understood) {
        return SLT_CALL_BAD;
    }
    if (run->would_block && run->may_block && run->world->host->now_ns < run->give_up_ns) {
        run->complaint[0] = '\0';
        return SLT_CALL_BLOCKED;
    }
    return check_result(run) ? SLT_CALL_GOOD : SLT_CALL_BAD;
}

enum slt_call_result slt_call_begin(struct slt_call *run, struct slt_call_world *world,
                                    const struct slt_script_call *call)
{
    const struct slt_call_row *row = find_row(call->name);

    memset(run, 0, sizeof(*run));
    run->world = world;
    run->call = call;
    run->may_block = call->end_any || call->end_ns != SLT_NEVER;
    run->give_up_ns = SLT_NEVER;
    if (!row) {
        slt_call_fail(run, "there is no call '%s' here", call->name);
        return SLT_CALL_BAD;
    }
    if (call->arg_count < row->arg_min || call->arg_count > row->arg_max) {
        slt_call_fail(run, "%s takes %u to %u arguments", call->name, row->arg_min, row->arg_max);
        return SLT_CALL_BAD;
    }
    run->returns_fd = row->returns_fd;
    return slt_call_retry(run);
}
