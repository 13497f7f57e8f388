/* See choice.h. */
#include "cli/choice.h"

#include "cli/status_print.h"

#include <string.h>
#include <unistd.h>

int slt_choice_parse(struct slt_choice *choice, const struct slt_arg *options, size_t option_count,
                     int argc, char **argv)
{
    struct slt_args args = {.verb = choice->verb,
                            .options = options,
                            .option_count = option_count,
                            .words = choice->filter,
                            .words_max = SLT_CHOICE_WORDS_MAX};
    int result = slt_args_parse(&args, argc, argv);
    choice->filter_count = args.word_count;
    return result;
}

static void keep_fitting(const struct slt_choice *choice, struct slt_seen_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (choice->fits(&list->items[i], choice->ctx)) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

static int look(const struct slt_choice *choice, struct slt_look *look)
{
    char why[200];
    struct slt_filter *filter =
        slt_filter_compile(choice->filter, choice->filter_count, why, sizeof(why));
    if (filter == NULL) {
        return slt_usage_error(choice->verb, "the filter is wrong %s", why);
    }
    struct slt_look_ask ask = {.filter = filter, .kernel = true, .owners = true};
    int result = slt_look_take(&ask, look);
    slt_filter_free(filter);
    return result == 0
               ? SLT_EXIT_FINE
               : slt_fail(choice->verb, SLT_EXIT_MISSING,
                          "the kernel does not tell about its sockets: %s", strerror(-result));
}

static bool ask(const struct slt_choice *choice, size_t count)
{
    char answer[16];
    (void)fprintf(stderr, "%s %s %zu connection%s? [y/N] ", choice->verb->name, choice->what, count,
                  count == 1 ? "" : "s");
    return fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y');
}

int slt_choose(const struct slt_choice *choice, struct slt_look *found)
{
    *found = (struct slt_look){.hidden = 0};
    if (choice->filter_count == 0) {
        return slt_usage_error(choice->verb,
                               "which connections? a FILTER is wanted, such as dst 10.0.0.7");
    }
    if (!choice->yes && !choice->dry_run && !isatty(STDIN_FILENO)) {
        return slt_usage_error(choice->verb, "nobody can be asked here: --yes or --dry-run");
    }
    int result = look(choice, found);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    keep_fitting(choice, &found->list);
    struct slt_status_style style = {.term = slt_term_look(stderr), .no_why = true};
    if (!choice->json) {
        slt_status_table(found, &style, stderr);
        (void)fprintf(stderr, "%zu connection%s to %s\n", found->list.count,
                      found->list.count == 1 ? "" : "s", choice->what);
    }
    if (found->list.count == 0 || choice->dry_run) {
        return -1;
    }
    return choice->yes || ask(choice, found->list.count) ? SLT_EXIT_FINE : -1;
}
