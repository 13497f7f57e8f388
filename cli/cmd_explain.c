/* salut explain: all about a finding.
 */
#include "cli/cli.h"
#include "cli/finding_page.h"

static const char help[] =
    "usage: salut explain ID\n"
    "\n"
    "Prints what is known of a finding such as CW-1: what is seen, likely causes, how it is told\n"
    "from its neighbours, and what to do. `salut doctor --list` names them all.\n";

static int run(int argc, char **argv)
{
    const char *word = NULL;
    struct slt_args args = {.verb = &slt_cli_explain, .words = &word, .words_max = 1};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    if (args.word_count == 0) {
        return slt_usage_error(&slt_cli_explain, "the name of a finding is wanted, such as CW-1");
    }
    return slt_finding_print_page(&slt_cli_explain, word);
}

const struct slt_cli_verb slt_cli_explain = {
    .name = "explain", .summary = "all about a finding", .help = help, .run = run};
