/* salut: the program. A table of verbs, and help.
 */
#include "cli/cli.h"

#include <string.h>

static const struct slt_cli_verb *const verbs[] = {
    &slt_cli_demo,   &slt_cli_run,    &slt_cli_enter,   &slt_cli_serve,   &slt_cli_nc,
    &slt_cli_status, &slt_cli_watch,  &slt_cli_stats,   &slt_cli_metrics, &slt_cli_check,
    &slt_cli_doctor, &slt_cli_record, &slt_cli_capture, &slt_cli_explain, &slt_cli_kill,
    &slt_cli_probe,  &slt_cli_test,   &slt_cli_sim,     &slt_cli_wire,    &slt_cli_bench,
};

static void print_overview(FILE *to)
{
    (void)fprintf(to,
                  "salut %s: a TCP/IP stack that runs in your own process\n\n"
                  "usage: salut VERB [options]\n\n",
                  salut_version());
    for (size_t i = 0; i < SLT_ARRAY_COUNT(verbs); i++) {
        (void)fprintf(to, "  %-8s %s\n", verbs[i]->name, verbs[i]->summary);
    }
    (void)fprintf(to,
                  "  %-8s %s\n  %-8s %s\n\n"
                  "Exit status: 0 fine, 1 failure, 2 usage, 3 missing privilege or device.\n"
                  "More on a verb: salut help VERB\n",
                  "help", "this, or more on one verb", "version", "print the version");
}

static const struct slt_cli_verb *find_verb(const char *name)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(verbs); i++) {
        if (strcmp(verbs[i]->name, name) == 0) {
            return verbs[i];
        }
    }
    return NULL;
}

static int refuse_verb(const char *name)
{
    return slt_usage_error(NULL, "there is no verb '%s'", name);
}

static int run_help(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stdout);
        return SLT_EXIT_FINE;
    }
    const struct slt_cli_verb *verb = find_verb(argv[1]);
    if (verb == NULL) {
        return refuse_verb(argv[1]);
    }
    slt_print_help(verb, stdout);
    return SLT_EXIT_FINE;
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return SLT_EXIT_USAGE;
    }
    if (is_one_of(argv[1], "help", "-h", "--help")) {
        return run_help(argc - 1, argv + 1);
    }
    if (is_one_of(argv[1], "version", "-V", "--version")) {
        (void)printf("salut %s\n", salut_version());
        return SLT_EXIT_FINE;
    }
    const struct slt_cli_verb *verb = find_verb(argv[1]);
    return verb == NULL ? refuse_verb(argv[1]) : verb->run(argc - 1, argv + 1);
}
