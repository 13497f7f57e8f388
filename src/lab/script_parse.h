/* From text to a script (the grammar stands in the .c files, where it is read).
 *
 * Three files read one language: script_parse.c the script and its events, script_parse_expr.c
 * arguments of calls, script_parse_packet.c packets. None of them calls itself: what nests in the
 * language (lists, structures) is kept on an explicit stack with a limit.
 */
#ifndef SLT_LAB_SCRIPT_PARSE_H
#define SLT_LAB_SCRIPT_PARSE_H

#include "lab/script_lex.h"

/* Read a script. False: *error says what is wrong and where; the script is to be freed all the
 * same. `file` and `text` are borrowed until then. */
bool slt_script_parse(struct slt_script *script, const char *file, const char *text, uint32_t bytes,
                      struct slt_script_error *error);

/* Read one expression, from the current token to the first that does not belong to it. NULL: the
 * lexer has failed. */
struct slt_expr *slt_parse_expr(struct slt_script *script, struct slt_lexer *lex);

/* Read a packet, from its direction mark on. NULL: the lexer has failed. */
struct slt_script_packet *slt_parse_packet(struct slt_script *script, struct slt_lexer *lex);

/* Read `key=value` pairs or the value of an option again: a whole number within limits. */
bool slt_parse_number(struct slt_lexer *lex, int64_t max, const char *what, int64_t *number);

#endif
