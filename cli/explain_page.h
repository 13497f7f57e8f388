/* The page of salut explain --html: what stands before and behind its data, an object of script.
 */
#ifndef SLT_CLI_EXPLAIN_PAGE_H
#define SLT_CLI_EXPLAIN_PAGE_H

#include <stdio.h>

void slt_explain_page_begin(FILE *to);
void slt_explain_page_end(FILE *to);

#endif
