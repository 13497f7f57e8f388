/* salut enter: step into the private network of a running `salut run`.
 */
#include "cli/cli.h"
#include "run/door_linux.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define EXIT_CANNOT_RUN 126
#define EXIT_NOT_FOUND  127

static const char help[] =
    "usage: salut enter [--pid PID] -- COMMAND ARGS...\n"
    "\n"
    "COMMAND runs in the private network of a running `salut run`, with the kernel's own TCP: "
    "what\n"
    "the program under `run` serves can be asked from there, and its interface can be listened to\n"
    "(the kernel's end is salut0).\n"
    "\n"
    "  --pid PID          which one, by the number of its `salut run`; not needed when there is "
    "one\n"
    "\n"
    "The exit status is COMMAND's; 126 and 127 when it cannot be run, as in a shell.\n";

/* Those that can be entered from here, as text. */
static void list_doors(const pid_t *pids, size_t count, char *out, size_t size)
{
    size_t at = 0;
    for (size_t i = 0; i < count && at < size; i++) {
        int length = snprintf(out + at, size - at, " %ld", (long)pids[i]);
        at += length > 0 ? (size_t)length : 0;
    }
}

/* Knock at each, and keep what answers. */
static size_t find_doors(pid_t *pids, struct slt_door_spaces *spaces, enum slt_door_answer *answer)
{
    pid_t all[SLT_DOORS_MAX];
    size_t found = 0;
    size_t count = slt_door_list(all, SLT_DOORS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slt_door_spaces theirs;
        enum slt_door_answer got = slt_door_knock(all[i], &theirs);
        if (got != SLT_DOOR_OPEN && got != SLT_DOOR_PLAIN) {
            continue;
        }
        pids[found] = all[i];
        *answer = got;
        *spaces = theirs;
        found++;
    }
    return found;
}

static int find_only(pid_t *pid, struct slt_door_spaces *spaces, enum slt_door_answer *answer)
{
    pid_t pids[SLT_DOORS_MAX];
    char text[SLT_DOORS_MAX * 12] = "";
    size_t count = find_doors(pids, spaces, answer);
    if (count == 0) {
        return slt_fail(&slt_cli_enter, SLT_EXIT_MISSING,
                        "there is no `salut run` to step into from here\n"
                        "Start one: salut run --private -- PROGRAM");
    }
    if (count > 1) {
        list_doors(pids, count, text, sizeof(text));
        return slt_usage_error(&slt_cli_enter, "there are %zu: choose one with --pid, of%s", count,
                               text);
    }
    *pid = pids[0];
    return SLT_EXIT_FINE;
}

static int find_named(pid_t pid, struct slt_door_spaces *spaces, enum slt_door_answer *answer)
{
    *answer = slt_door_knock(pid, spaces);
    if (*answer == SLT_DOOR_FOREIGN) {
        return slt_fail(&slt_cli_enter, SLT_EXIT_MISSING,
                        "the `salut run` with number %ld is another user's; run as that user",
                        (long)pid);
    }
    return *answer == SLT_DOOR_NONE
               ? slt_fail(&slt_cli_enter, SLT_EXIT_MISSING,
                          "there is no `salut run` with number %ld\n"
                          "Without --pid the only one is taken, or all are named",
                          (long)pid)
               : SLT_EXIT_FINE;
}

static int enter(pid_t pid, char **argv)
{
    struct slt_door_spaces spaces;
    enum slt_door_answer answer = SLT_DOOR_NONE;
    int result = pid != 0 ? find_named(pid, &spaces, &answer) : find_only(&pid, &spaces, &answer);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    if (answer == SLT_DOOR_PLAIN) {
        (void)fprintf(stderr,
                      "salut enter: %ld has no private network, it lives in this one: there is "
                      "nothing to enter\n",
                      (long)pid);
    } else {
        int error = slt_door_enter(&spaces);
        if (error < 0) {
            return slt_fail(&slt_cli_enter, SLT_EXIT_MISSING,
                            "the private network of %ld cannot be entered: %s\n"
                            "Run as the user who started it, or as root",
                            (long)pid, strerror(-error));
        }
    }
    (void)execvp(argv[0], argv);
    return slt_fail(&slt_cli_enter, errno == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN, "%s: %s",
                    argv[0], strerror(errno));
}

/* Where COMMAND stands: behind "--", or the first word that is no option and no option's value. */
static int find_command(int argc, char **argv)
{
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            return at + 1;
        }
        if (argv[at][0] != '-') {
            return at;
        }
        at += strcmp(argv[at], "--pid") == 0;
    }
    return argc;
}

static int run(int argc, char **argv)
{
    const char *words[1];
    int64_t pid = 0;
    const struct slt_arg options[] = {{"--pid", SLT_ARG_NUMBER, &pid, 1, INT32_MAX}};
    struct slt_args args = {.verb = &slt_cli_enter,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words};
    int command = find_command(argc, argv);
    command = command > argc ? argc : command;
    bool dashes = command > 1 && strcmp(argv[command - 1], "--") == 0;
    int result = slt_args_parse(&args, command - (dashes ? 1 : 0), argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    return command < argc ? enter((pid_t)pid, &argv[command])
                          : slt_usage_error(&slt_cli_enter, "which COMMAND is to be run?");
}

const struct slt_cli_verb slt_cli_enter = {
    .name = "enter",
    .summary = "step into the private network of a salut run",
    .help = help,
    .run = run,
};
