/* See kernel_room_linux.h. */
#include "observe/kernel_room_linux.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE    ((size_t)2 << 20)
#define WORTH_PAGES  2U
#define SOCKSTAT_MAX 1024U

/* The number behind `word` in the line that begins with `line`. */
static size_t number_of(const char *text, const char *line, const char *word)
{
    const char *at = strstr(text, line);
    const char *end = at != NULL ? strchr(at, '\n') : NULL;
    const char *found = at != NULL ? strstr(at, word) : NULL;
    if (found == NULL || (end != NULL && found > end)) {
        return 0;
    }
    return strtoul(found + strlen(word), NULL, 10);
}

static void read_text(const char *path, char text[SOCKSTAT_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, text, SOCKSTAT_MAX - 1) : 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    text[got > 0 ? got : 0] = '\0';
}

size_t slt_kernel_socket_count(void)
{
    char text[SOCKSTAT_MAX];
    read_text("/proc/net/sockstat", text);
    size_t count = number_of(text, "TCP:", " inuse ") + number_of(text, "TCP:", " tw ");
    read_text("/proc/net/sockstat6", text);
    return count + number_of(text, "TCP6:", " inuse ");
}

void slt_kernel_make_room(struct slt_seen_list *list, size_t count)
{
    size_t room = count + count / 16; /* some are opened meanwhile */
    if (list->items != NULL || room > SIZE_MAX / 2 / sizeof(*list->items)) {
        return;
    }
    size_t bytes = (room * sizeof(*list->items) + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    if (bytes < WORTH_PAGES * HUGE_PAGE) {
        return;
    }
    struct slt_seen *items = aligned_alloc(HUGE_PAGE, bytes);
    if (items == NULL) {
        return;
    }
    /* A fault for each of ten thousand pages costs as much as printing them. */
    (void)madvise(items, bytes, MADV_HUGEPAGE);
    list->items = items;
    list->room = bytes / sizeof(*items);
}
