/* Code in scripts: assertions over what a connection tells of itself.
 *
 * %{ assert tcpi_unacked == 2 and tcpi_snd_cwnd >= 10, "why" }% is read as Python would read it,
 * as far as scripts go: comparisons (chained ones too), and, or, not, | & ^ ~ << >>, + - * // %,
 * parentheses, numbers and names. Statements end at a line's end or a semicolon; print does
 * nothing.
 */
#ifndef SLT_LAB_SCRIPT_ASSERT_H
#define SLT_LAB_SCRIPT_ASSERT_H

#include "base/compiler.h"

/* Where names come from. */
struct slt_assert_names {
    void *ctx;
    bool (*find)(void *ctx, const char *name, int64_t *number);
};

/* Run the code. False: `out` says which assertion failed, with the values of the names in it, or
 * what could not be read. */
bool slt_assert_run(const char *code, const struct slt_assert_names *names, char *out,
                    uint32_t out_bytes);

#endif
