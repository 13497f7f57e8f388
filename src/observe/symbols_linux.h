/* From addresses in the kernel's text to the functions that matter for causes (cause.h).
 *
 * /proc/kallsyms is read once. Of its hundred thousand functions some forty are kept, each as a
 * range up to the next symbol of any name, so that a look-up is a short search; and since return
 * addresses repeat exactly, most look-ups are answered by a small table in front of it.
 */
#ifndef SLT_OBSERVE_SYMBOLS_LINUX_H
#define SLT_OBSERVE_SYMBOLS_LINUX_H

#include "observe/cause.h"

#define SLT_SYMBOLS_SEEN 4096U

struct slt_symbol {
    uint64_t address;
    int8_t frame; /* enum slt_frame; -1: from here on nothing that matters */
};

struct slt_symbols {
    struct slt_symbol *items; /* by address */
    size_t count;
    uint64_t seen[SLT_SYMBOLS_SEEN];
    int8_t seen_frame[SLT_SYMBOLS_SEEN];
};

/* Returns 0 or a negative errno value: -EACCES when the kernel hides its addresses. */
int slt_symbols_read(const char *path, struct slt_symbols *symbols);
void slt_symbols_free(struct slt_symbols *symbols);

/* The set of frames of a call chain, innermost first. Markers of contexts are stepped over. */
uint32_t slt_symbols_frames(struct slt_symbols *symbols, const uint64_t *chain, size_t count);

#endif
