/* The page of salut explain --html around its data. What it looks like and does is in cli/page, as
 * HTML, CSS and JavaScript; the build puts the three together (cmake/embed.cmake). It needs nothing
 * from anywhere else. See explain_page.h. */
#include "cli/explain_page.h"

#include "cli/explain_page_bytes.h"

void slt_explain_page_begin(FILE *to)
{
    (void)fwrite(slt_explain_page_before, 1, slt_explain_page_before_size, to);
}

void slt_explain_page_end(FILE *to)
{
    (void)fwrite(slt_explain_page_behind, 1, slt_explain_page_behind_size, to);
}
