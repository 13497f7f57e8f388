/* The verbs `run` and `enter` where the program was built without them: they say what is missing.
 *
 * They hand system calls to another process, which takes Linux on x86-64 or aarch64, and libseccomp
 * (cmake/sources.cmake decides, by SALUT_HAS_RUN).
 */
#include "cli/cli.h"

#ifndef SALUT_HAS_RUN

static int say_missing(const struct slt_cli_verb *verb)
{
    return slt_fail(verb, SLT_EXIT_MISSING,
                    "this program was built without it: that takes Linux on x86-64 or "
                    "aarch64, and libseccomp (apt-get install libseccomp-dev, then build again)");
}

static int run_run(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return say_missing(&slt_cli_run);
}

static int run_enter(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return say_missing(&slt_cli_enter);
}

const struct slt_cli_verb slt_cli_run = {
    .name = "run",
    .summary = "run any program on salut (not in this build)",
    .help = "usage: salut run [options] -- PROGRAM ARGS...\n",
    .run = run_run,
};

const struct slt_cli_verb slt_cli_enter = {
    .name = "enter",
    .summary = "run a command beside such a program (not in this build)",
    .help = "usage: salut enter [--pid PID] -- COMMAND ARGS...\n",
    .run = run_enter,
};

#endif
