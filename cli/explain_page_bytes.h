/* The two halves of the page, which cmake/embed.cmake makes of the files of cli/page. */
#ifndef SLT_CLI_EXPLAIN_PAGE_BYTES_H
#define SLT_CLI_EXPLAIN_PAGE_BYTES_H

#include <stddef.h>

extern const unsigned char slt_explain_page_before[];
extern const size_t slt_explain_page_before_size;
extern const unsigned char slt_explain_page_behind[];
extern const size_t slt_explain_page_behind_size;

#endif
