/* Words of scripts and the numbers they stand for: the system's own, by the names C gives them. */
#ifndef SLT_LAB_SCRIPT_SYMBOLS_H
#define SLT_LAB_SCRIPT_SYMBOLS_H

#include "base/compiler.h"

/* The number of a word. False: nobody knows it. */
bool slt_symbol_find(const char *word, int64_t *number);

/* The number of an errno's name; the name of an errno, "errno N" in `buffer` when it has none. */
bool slt_errno_find(const char *name, int *number);
const char *slt_errno_name(int number, char buffer[24]);

#endif
