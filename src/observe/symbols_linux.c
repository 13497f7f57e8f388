/* See symbols_linux.h.
 */
#include "observe/symbols_linux.h"

#include "base/compiler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT_MARKS UINT64_C(0xfffffffffffff000) /* -4095 and up: PERF_CONTEXT_KERNEL ... */

static int by_address(const void *a, const void *b)
{
    const struct slt_symbol *x = a;
    const struct slt_symbol *y = b;
    if (x->address != y->address) {
        return x->address < y->address ? -1 : 1;
    }
    return y->frame - x->frame; /* of names for one address, one that matters comes first */
}

static bool add(struct slt_symbols *symbols, size_t *room, struct slt_symbol symbol)
{
    if (symbols->count == *room) {
        size_t more = *room == 0 ? 1U << 16 : *room * 2;
        struct slt_symbol *items = realloc(symbols->items, more * sizeof(*items));
        if (items == NULL) {
            return false;
        }
        symbols->items = items;
        *room = more;
    }
    symbols->items[symbols->count++] = symbol;
    return true;
}

/* "ffffffff8200b1b0 T tcp_set_state", perhaps with a module behind. */
static bool take_line(struct slt_symbols *symbols, size_t *room, const char *line)
{
    char *end = NULL;
    uint64_t address = strtoull(line, &end, 16);
    if (address == 0 || end[0] != ' ' || end[1] == '\0' || end[2] != ' ') {
        return true;
    }
    if (strchr("tTwW", end[1]) == NULL) {
        return true;
    }
    const char *name = end + 3;
    int frame = slt_frame_of(name, strcspn(name, "\t\n "));
    return add(symbols, room, (struct slt_symbol){address, (int8_t)frame});
}

/* Keep what matters, and where it ends. */
static void thin_out(struct slt_symbols *symbols)
{
    size_t kept = 0;
    for (size_t i = 0; i < symbols->count; i++) {
        const struct slt_symbol *s = &symbols->items[i];
        bool alias = i > 0 && s->address == s[-1].address;
        if (!alias && (s->frame >= 0 || (kept > 0 && symbols->items[kept - 1].frame >= 0))) {
            symbols->items[kept++] = *s;
        }
    }
    symbols->count = kept;
}

int slt_symbols_read(const char *path, struct slt_symbols *symbols)
{
    char line[512];
    size_t room = 0;
    bool fine = true;
    memset(symbols, 0, sizeof(*symbols));
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    while (fine && fgets(line, sizeof(line), file) != NULL) {
        fine = take_line(symbols, &room, line);
    }
    (void)fclose(file);
    if (!fine) {
        slt_symbols_free(symbols);
        return -ENOMEM;
    }
    if (symbols->count > 0) {
        qsort(symbols->items, symbols->count, sizeof(*symbols->items), by_address);
        /* thin_out compares neighbours before it overwrites them: it writes behind what it reads */
        thin_out(symbols);
    }
    return symbols->count > 0 ? 0 : -EACCES;
}

void slt_symbols_free(struct slt_symbols *symbols)
{
    free(symbols->items);
    symbols->items = NULL;
    symbols->count = 0;
}

static int8_t search(const struct slt_symbols *symbols, uint64_t address)
{
    size_t low = 0;
    size_t high = symbols->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols->items[middle].address <= address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? -1 : symbols->items[low - 1].frame;
}

static int8_t find(struct slt_symbols *symbols, uint64_t address)
{
    size_t at = (size_t)((address ^ address >> 12) % SLT_SYMBOLS_SEEN);
    if (symbols->seen[at] != address) {
        symbols->seen[at] = address;
        symbols->seen_frame[at] = search(symbols, address);
    }
    return symbols->seen_frame[at];
}

uint32_t slt_symbols_frames(struct slt_symbols *symbols, const uint64_t *chain, size_t count)
{
    uint32_t set = 0;
    for (size_t i = 0; i < count && (set & 1U << SLT_FRAME_BEYOND) == 0; i++) {
        if (chain[i] < CONTEXT_MARKS) {
            /* A return address may be the first byte behind a call that never returns. */
            int8_t frame = find(symbols, chain[i] - 1);
            set |= frame < 0 ? 0 : 1U << frame;
        }
    }
    return set;
}
