/* Pages of text for salut watch: lines that are broken at blanks and scroll.
 */
#include "cli/watch.h"

#include <stdarg.h>
#include <string.h>

#define LABEL_WIDTH 13U
#define WIDTH_MIN   40U
#define TEXT_MAX    2048U

void slt_page_begin(struct slt_page *page, int columns)
{
    size_t width = columns > 0 ? (size_t)columns : 0;
    page->count = 0;
    page->width = width < WIDTH_MIN                ? WIDTH_MIN
                  : width > SLT_PAGE_LINE_MAX - 1U ? SLT_PAGE_LINE_MAX - 1U
                                                   : width;
}

static char *next_line(struct slt_page *page, enum slt_paint paint)
{
    if (page->count == SLT_PAGE_LINES_MAX) {
        return NULL;
    }
    struct slt_page_line *line = &page->lines[page->count++];
    line->paint = (uint8_t)paint;
    line->text[0] = '\0';
    return line->text;
}

void slt_page_line(struct slt_page *page, enum slt_paint paint, const char *format, ...)
{
    va_list list;
    char *text = next_line(page, paint);
    if (text != NULL) {
        va_start(list, format);
        (void)vsnprintf(text, SLT_PAGE_LINE_MAX, format, list);
        va_end(list);
    }
}

/* How much of `text` goes on a line: up to a blank, where there is one. */
static size_t fitting(const char *text, size_t width)
{
    size_t n = strlen(text);
    if (n <= width) {
        return n;
    }
    for (n = width; n > 0 && text[n] != ' '; n--) {
    }
    return n > 0 ? n : width;
}

void slt_page_part(struct slt_page *page, const char *name, const char *format, ...)
{
    char whole[TEXT_MAX];
    const char *text = whole;
    va_list list;
    va_start(list, format);
    (void)vsnprintf(whole, sizeof(whole), format, list);
    va_end(list);
    while (*text != '\0') {
        size_t n = fitting(text, page->width - LABEL_WIDTH - 2);
        char *line = next_line(page, SLT_PAINT_PLAIN);
        if (line == NULL) {
            return;
        }
        (void)snprintf(line, SLT_PAGE_LINE_MAX, "  %-*s%.*s", (int)LABEL_WIDTH - 1, name, (int)n,
                       text);
        name = "";
        text += n + (text[n] == ' ');
    }
}
