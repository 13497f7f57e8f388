/* Ready scenarios lie in a directory of their own: the one SALUT_SCENARIOS names, else where an
 * installation has it, seen from the program (../share/salut/scenarios), else where the project has
 * it, seen from a build directory (../examples/scenarios). So an installed tree may be moved.
 */
#include "lab/scenario_find.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SUFFIX     ".scn"
#define PATH_BYTES 1200
#define TEXT_MAX   (1L << 20)
#define READY_MAX  256U

static const char *const places[] = {
    "../share/salut/scenarios", "../examples/scenarios",
    "../../../examples/scenarios", /* tests below a build directory */
};

/* ---- directories ---------------------------------------------------------------------------- */

/* The directory number `index`; false when there are no more. */
static bool directory_at(size_t index, char path[PATH_BYTES])
{
    char program[PATH_BYTES / 2];
    const char *named = getenv("SALUT_SCENARIOS");
    if (named != NULL && named[0] != '\0') {
        (void)snprintf(path, PATH_BYTES, "%.1000s", named);
        return index == 0;
    }
    if (index >= SLT_ARRAY_COUNT(places)) {
        return false;
    }
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (bytes <= 0) {
        return false;
    }
    program[bytes] = '\0';
    char *slash = strrchr(program, '/');
    if (slash != NULL) {
        *slash = '\0';
    }
    (void)snprintf(path, PATH_BYTES, "%s/%s", program, places[index]);
    return true;
}

/* ---- files ---------------------------------------------------------------------------------- */

static char *read_file(FILE *file)
{
    char *text = malloc((size_t)TEXT_MAX + 1);
    if (text == NULL) {
        return NULL;
    }
    size_t bytes = fread(text, 1, (size_t)TEXT_MAX + 1, file);
    if (ferror(file) != 0 || bytes > (size_t)TEXT_MAX || memchr(text, 0, bytes) != NULL) {
        free(text);
        return NULL;
    }
    text[bytes] = '\0';
    return text;
}

static FILE *open_ready(const char *name)
{
    char directory[PATH_BYTES];
    char path[PATH_BYTES + 80];
    if (strlen(name) > 60 || strchr(name, '/') != NULL) {
        return NULL;
    }
    for (size_t i = 0; directory_at(i, directory); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s%s", directory, name, SUFFIX);
        FILE *file = fopen(path, "re");
        if (file != NULL) {
            return file;
        }
    }
    return NULL;
}

char *slt_scn_read(const char *name, char why[SLT_SCN_SENTENCE_MAX])
{
    FILE *file = fopen(name, "re");
    int error = errno;
    file = file != NULL ? file : open_ready(name);
    if (file == NULL) {
        (void)snprintf(why, SLT_SCN_SENTENCE_MAX,
                       "%.200s: %s, and no ready scenario has that name (salut sim --list)", name,
                       strerror(error));
        return NULL;
    }
    char *text = read_file(file);
    (void)fclose(file);
    if (text == NULL) {
        (void)snprintf(why, SLT_SCN_SENTENCE_MAX, "%.200s is no text of at most 1 MiB", name);
    }
    return text;
}

/* ---- the list ------------------------------------------------------------------------------- */

static void read_title(const char *path, struct slt_scn_ready *ready)
{
    char line[200];
    FILE *file = fopen(path, "re");
    ready->title[0] = '\0';
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "title ", 6) == 0) {
            line[strcspn(line, "\n")] = '\0';
            (void)snprintf(ready->title, sizeof(ready->title), "%.99s", line + 6);
            break;
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct slt_scn_ready *)a)->name, ((const struct slt_scn_ready *)b)->name);
}

static size_t list_directory(const char *directory, struct slt_scn_ready *list)
{
    char path[PATH_BYTES + 300];
    size_t count = 0;
    DIR *dir = opendir(directory);
    const struct dirent *entry;
    while (dir != NULL && count < READY_MAX && (entry = readdir(dir)) != NULL) {
        size_t bytes = strlen(entry->d_name);
        size_t stem = bytes - (sizeof(SUFFIX) - 1);
        if (bytes <= sizeof(SUFFIX) - 1 || strcmp(entry->d_name + stem, SUFFIX) != 0 ||
            stem >= sizeof(list->name)) {
            continue;
        }
        (void)snprintf(list[count].name, sizeof(list->name), "%.*s", (int)stem, entry->d_name);
        (void)snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        read_title(path, &list[count]);
        count++;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return count;
}

size_t slt_scn_list(struct slt_scn_ready **list)
{
    char directory[PATH_BYTES];
    size_t count = 0;
    *list = calloc(READY_MAX, sizeof(**list));
    for (size_t i = 0; *list != NULL && count == 0 && directory_at(i, directory); i++) {
        count = list_directory(directory, *list);
    }
    if (count > 0) {
        qsort(*list, count, sizeof(**list), by_name);
    }
    return count;
}
