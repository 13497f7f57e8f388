/* See finding_page.h. */
#include "cli/finding_page.h"

#include "cli/json_text.h"
#include "observe/findings.h"

#include <ctype.h>
#include <string.h>

#define INDENT     4U
#define NAME_WIDTH 12U
#define WIDTH_MIN  60U
#define WIDTH_MOST 110U

static size_t width_of(const struct slt_term *term)
{
    size_t width = term->width < WIDTH_MIN ? WIDTH_MIN : term->width;
    return (width > WIDTH_MOST ? WIDTH_MOST : width) - INDENT - NAME_WIDTH - 1;
}

/* How much of `text` fits a line: up to a blank, where there is one. */
static size_t line_length(const char *text, size_t width)
{
    size_t n = strlen(text);
    if (n <= width) {
        return n;
    }
    for (n = width; n > 0 && text[n] != ' '; n--) {
    }
    return n > 0 ? n : width;
}

void slt_finding_print_part(const char *name, const char *text, const struct slt_term *term)
{
    size_t width = width_of(term);
    char label[NAME_WIDTH + 1];
    if (text[0] == '\0') {
        return;
    }
    (void)snprintf(label, sizeof(label), "%s:", name);
    while (*text != '\0') {
        size_t n = line_length(text, width);
        (void)printf("%*s%-*s%.*s\n", (int)INDENT, "", (int)NAME_WIDTH, label, (int)n, text);
        label[0] = '\0';
        text += n + (text[n] == ' ');
    }
}

const char *slt_finding_severity(uint8_t severity)
{
    static const char *const names[] = {"info", "warning", "critical"};
    return names[severity % SLT_ARRAY_COUNT(names)];
}

void slt_finding_print_head(const struct slt_finding *row, const struct slt_term *term)
{
    static const char *const paints[] = {"\033[36m", "\033[33m", "\033[31m"};
    (void)printf("%s%-7s %-8s%s  ", term->colour ? paints[row->severity] : "", row->id,
                 slt_finding_severity(row->severity), term->colour ? "\033[0m" : "");
}

void slt_finding_print_advice(enum slt_finding_id id, char confidence, const struct slt_term *term)
{
    const struct slt_finding *row = slt_finding_row(id);
    slt_finding_print_part("why", row->cause, term);
    slt_finding_print_part("told apart", row->tell, term);
    slt_finding_print_part("do", row->remedy, term);
    slt_finding_print_part("no help", slt_finding_wrong_advice(id), term);
    slt_finding_print_part("sure", slt_finding_confidence(confidence), term);
}

void slt_finding_put_head(const struct slt_finding *row, char confidence)
{
    const char letter[2] = {confidence, '\0'};
    slt_put_json_member("id", row->id, stdout);
    slt_put_json_member("severity", slt_finding_severity(row->severity), stdout);
    slt_put_json_member("confidence", letter, stdout);
}

void slt_finding_put_advice(enum slt_finding_id id)
{
    const struct slt_finding *row = slt_finding_row(id);
    slt_put_json_member("cause", row->cause, stdout);
    slt_put_json_member("advice", row->remedy, stdout);
    slt_put_json_member("no_help", slt_finding_wrong_advice(id), stdout);
}

const char *slt_finding_confidence(char confidence)
{
    switch (confidence) {
    case 'A':
        return "certain, given these facts";
    case 'B':
        return "very likely";
    case 'C':
        return "plausible; one more observation is needed";
    default:
        return "a hint, no more";
    }
}

bool slt_finding_is_named(const char *word)
{
    size_t letters = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    size_t more = strspn(word + letters, "0123456789");
    const char *hyphen = word + letters + more;
    size_t digits = hyphen[0] == '-' ? strspn(hyphen + 1, "0123456789") : 0;
    return letters >= 2 && letters <= 4 && more <= 1 && digits > 0 && hyphen[1 + digits] == '\0';
}

static const char *judged_by(enum slt_finding_id id)
{
    bool of_captures = slt_explain_is_judged(id);
    if (slt_finding_needs_past(id)) {
        return of_captures ? "by salut doctor, of captures and while salut record runs"
                           : "by salut doctor, while salut record runs";
    }
    if (slt_finding_is_judged(id)) {
        return of_captures ? "by salut doctor, of connections and of captures"
                           : "by salut doctor, of connections";
    }
    return of_captures ? "by salut doctor and salut explain, of captures"
                       : "by nobody: neither the kernel's sockets nor captures tell";
}

int slt_finding_print_page(const struct slt_cli_verb *verb, const char *id)
{
    struct slt_term term = slt_term_look(stdout);
    enum slt_finding_id found = slt_finding_parse(id);
    if (found == SLT_FIND_COUNT) {
        return slt_usage_error(verb,
                               "there is no finding %s; salut doctor --list names them, and "
                               "./%s is a file",
                               id, id);
    }
    const struct slt_finding *row = slt_finding_row(found);
    (void)printf("%s (%s)\n", row->id, slt_finding_severity(row->severity));
    slt_finding_print_part("seen", row->seen, &term);
    slt_finding_print_advice(found, row->confidence, &term);
    slt_finding_print_part("judged", judged_by(found), &term);
    return SLT_EXIT_FINE;
}
