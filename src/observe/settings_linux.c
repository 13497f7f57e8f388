/* See settings_linux.h.
 *
 * A line is "key = value"; '.' and '/' both join the parts of a key, a '-' before it lets failures
 * pass, and '#' or ';' begins a comment. Which of several files wins does not matter here: that one
 * says so is enough.
 */
#include "observe/settings_linux.h"

#include "base/compiler.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_MAX_BYTES 384U

static const char *const folders[] = {"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
                                      "/usr/lib/sysctl.d"};

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

/* Does `line` give `name` a value? */
static bool parse_line(const char *line, const char *name, long *value)
{
    line = skip_blanks(line);
    line += *line == '-';
    for (; *name != '\0'; name++, line++) {
        if (*line != *name && !(*name == '.' && *line == '/')) {
            return false;
        }
    }
    line = skip_blanks(line);
    if (*line != '=') {
        return false;
    }
    char *end;
    *value = strtol(line + 1, &end, 10);
    return end != line + 1;
}

static bool search_file(const char *path, const char *name, struct slt_setting_place *place)
{
    char line[512];
    bool found = false;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    place->line = 0;
    while (!found && fgets(line, sizeof(line), file) != NULL) {
        place->line++;
        found = parse_line(line, name, &place->value);
    }
    (void)fclose(file);
    (void)snprintf(place->file, sizeof(place->file), "%s", path);
    return found;
}

static bool search_folder(const char *folder, const char *name, struct slt_setting_place *place)
{
    char path[PATH_MAX_BYTES];
    bool found = false;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return false;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL && !found; entry = readdir(dir)) {
        size_t n = strlen(entry->d_name);
        int wanted = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        found = n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0 && wanted > 0 &&
                (size_t)wanted < sizeof(path) && search_file(path, name, place);
    }
    (void)closedir(dir);
    return found;
}

bool slt_setting_find(const char *root, const char *name, struct slt_setting_place *place)
{
    char path[PATH_MAX_BYTES];
    (void)snprintf(path, sizeof(path), "%s/etc/sysctl.conf", root);
    bool found = search_file(path, name, place);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(folders) && !found; i++) {
        (void)snprintf(path, sizeof(path), "%s%s", root, folders[i]);
        found = search_folder(path, name, place);
    }
    return found;
}
