/* Text as JSON has it (RFC 8259 7), for every verb that prints objects.
 */
#ifndef SLT_CLI_JSON_TEXT_H
#define SLT_CLI_JSON_TEXT_H

#include <stdio.h>

/* With its quotes. What is printed is UTF-8 whatever the text is: program and file names are bytes
 * that anybody may choose. A byte that is part of no character becomes \u00xx, and so does '<': no
 * element of a page can end within a string. */
void slt_put_json_text(const char *text, FILE *to);

/* A member of an object that has others before it: ,"name":"text". */
void slt_put_json_member(const char *name, const char *text, FILE *to);

#endif
