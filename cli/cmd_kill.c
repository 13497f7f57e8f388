/* salut kill: close connections of the kernel from outside. The program gets ECONNABORTED, the peer
 * a reset.
 */
#include "cli/choice.h"
#include "cli/status_print.h"

#include "observe/kernel_destroy_linux.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "usage: salut kill [options] FILTER\n"
    "\n"
    "Closes the kernel's connections that pass FILTER (as in salut status): the program that has\n"
    "one gets ECONNABORTED, its peer a reset, and what was not delivered is lost. They are listed\n"
    "first; each is closed only if it is still the very same one. Needs CAP_NET_ADMIN.\n"
    "\n"
    "  --dry-run        list them, close none\n"
    "  --yes            do not ask\n"
    "  --listeners      listeners too, which FILTER alone never reaches\n"
    "  --json           one object a line for what became of each\n"
    "\n"
    "  salut kill --dry-run state close-wait and comm = nginx\n"
    "  salut kill dst 192.0.2.7 and dport = :443\n"
    "\n"
    "What a program forgets to close it will forget again: that is a fault of the program, and "
    "this\n"
    "only relief. Connections of salut's own stacks are ended by their process.\n";

struct words {
    struct slt_choice choice;
    bool listeners;
};

static bool fits(const struct slt_seen *seen, void *ctx)
{
    const struct words *words = ctx;
    return seen->source == SLT_SOURCE_KERNEL && seen->kind != SLT_SEEN_BOUND &&
           (words->listeners || seen->kind != SLT_SEEN_LISTENER);
}

static void tell(const struct words *words, const struct slt_seen *seen, int result)
{
    char local[SLT_ENDPOINT_MAX];
    char remote[SLT_ENDPOINT_MAX];
    const char *end = result == 0 ? "closed" : result == -ENOENT ? "gone already" : "failed";
    (void)slt_print_endpoint(&seen->local, seen->local_port, local);
    (void)slt_print_endpoint(&seen->remote, seen->remote_port, remote);
    if (words->choice.json) {
        (void)printf("{\"schema\":1,\"result\":\"%s\",\"local\":\"%s\",\"remote\":\"%s\"", end,
                     local, remote);
        (void)(seen->pid != SLT_UNKNOWN ? printf(",\"pid\":%d}\n", seen->pid) : printf("}\n"));
    } else {
        (void)printf("%s  %s  %s%s%s\n", local, remote, end,
                     result < 0 && result != -ENOENT ? ": " : "",
                     result < 0 && result != -ENOENT ? strerror(-result) : "");
    }
}

static int fail_for_all(int result)
{
    if (result == -EPERM || result == -EACCES) {
        return slt_fail(&slt_cli_kill, SLT_EXIT_MISSING,
                        "closing other programs' connections needs CAP_NET_ADMIN: run as root");
    }
    return slt_fail(&slt_cli_kill, SLT_EXIT_MISSING,
                    "this kernel cannot close sockets from outside "
                    "(it is built without CONFIG_INET_DIAG_DESTROY); end the program instead");
}

static int close_all(const struct words *words, const struct slt_look *look)
{
    int fd = slt_kernel_destroy_open();
    size_t closed = 0;
    size_t failed = 0;
    if (fd < 0) {
        return fail_for_all(-EOPNOTSUPP);
    }
    for (size_t i = 0; i < look->list.count; i++) {
        int result = slt_kernel_destroy(fd, &look->list.items[i]);
        if (result == -EPERM || result == -EACCES || result == -EOPNOTSUPP) {
            (void)close(fd);
            return fail_for_all(result);
        }
        tell(words, &look->list.items[i], result);
        closed += result == 0;
        failed += result != 0 && result != -ENOENT;
    }
    (void)close(fd);
    if (!words->choice.json) {
        (void)fprintf(stderr, "%zu closed, %zu gone already, %zu failed\n", closed,
                      look->list.count - closed - failed, failed);
    }
    return failed == 0 ? SLT_EXIT_FINE : SLT_EXIT_FAILURE;
}

static int run(int argc, char **argv)
{
    struct words words = {.choice = {.verb = &slt_cli_kill, .what = "close", .fits = fits}};
    struct slt_look look;
    const struct slt_arg options[] = {
        {"--dry-run", SLT_ARG_FLAG, &words.choice.dry_run, 0, 0},
        {"--yes", SLT_ARG_FLAG, &words.choice.yes, 0, 0},
        {"--listeners", SLT_ARG_FLAG, &words.listeners, 0, 0},
        {"--json", SLT_ARG_FLAG, &words.choice.json, 0, 0},
    };
    int result = slt_choice_parse(&words.choice, options, SLT_ARRAY_COUNT(options), argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    words.choice.ctx = &words;
    result = slt_choose(&words.choice, &look);
    if (result == SLT_EXIT_FINE) {
        result = close_all(&words, &look);
    }
    slt_look_free(&look);
    return result < 0 ? SLT_EXIT_FINE : result;
}

const struct slt_cli_verb slt_cli_kill = {.name = "kill",
                                          .summary =
                                              "close connections of the kernel, after asking",
                                          .help = help,
                                          .run = run};
