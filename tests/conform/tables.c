/* Reading the tables: one row a line, fields between tabs, `#` begins a comment line, a field of
 * "-" is empty. Fields lie in memory that lives as long as the tables.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 10

static char *copy_text(const char *text, size_t bytes)
{
    char *copy = malloc(bytes + 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    return copy;
}

static int cut_fields(char *line, char *fields[FIELDS_MAX])
{
    int count = 0;
    char *at = line;
    while (count < FIELDS_MAX) {
        char *tab = strchr(at, '\t');
        size_t bytes = tab == NULL ? strlen(at) : (size_t)(tab - at);
        while (bytes > 0 && at[bytes - 1] == ' ') {
            bytes--;
        }
        while (bytes > 0 && *at == ' ') {
            at++;
            bytes--;
        }
        fields[count++] = copy_text(at, bytes);
        if (tab == NULL) {
            return count;
        }
        at = tab + 1;
    }
    return count;
}

static void free_fields(char *fields[FIELDS_MAX], int from, int count)
{
    for (int i = from; i < count; i++) {
        free(fields[i]);
    }
}

static void *grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) == 0) {
        array = realloc(array, (count == 0 ? 1 : count * 2) * size);
        if (array == NULL) {
            abort();
        }
    }
    return array;
}

static bool add_row(struct tables *tables, const char *path, int number, char *line)
{
    char *fields[FIELDS_MAX];
    int count = cut_fields(line, fields);
    if (count < 8) {
        fprintf(stderr, "%s:%d: %d fields, at least 8 are wanted\n", path, number, count);
        free_fields(fields, 0, count);
        return false;
    }
    tables->rows = grow(tables->rows, tables->row_count, sizeof(struct row));
    tables->rows[tables->row_count++] = (struct row){
        .file = path,
        .line = number,
        .id = fields[0],
        .profile = fields[1],
        .constructor = fields[2],
        .stimulus = fields[3],
        .segments = fields[4],
        .state = fields[5],
        .reason = fields[6],
        .timers = fields[7],
        .note = count > 8 ? fields[8] : copy_text("", 0),
    };
    free_fields(fields, 9, count);
    return true;
}

static bool add_constructor(struct tables *tables, const char *path, int number, char *line)
{
    char *fields[FIELDS_MAX];
    int count = cut_fields(line, fields);
    if (count < 4) {
        fprintf(stderr, "%s:%d: %d fields, 4 are wanted\n", path, number, count);
        free_fields(fields, 0, count);
        return false;
    }
    tables->constructors =
        grow(tables->constructors, tables->constructor_count, sizeof(struct constructor));
    tables->constructors[tables->constructor_count++] = (struct constructor){
        .name = fields[0], .base = fields[1], .steps = fields[2], .state = fields[3]};
    free_fields(fields, 4, count);
    return true;
}

static bool load(struct tables *tables, const char *path,
                 bool (*add)(struct tables *, const char *, int, char *))
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return false;
    }
    static char line[16384];
    bool good = true;
    int number = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        number++;
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '#' || line[strspn(line, " \t")] == '\0') {
            continue;
        }
        good = add(tables, path, number, line) && good;
    }
    fclose(file);
    return good;
}

bool tables_load_rows(struct tables *tables, const char *path)
{
    return load(tables, path, add_row);
}

bool tables_load_constructors(struct tables *tables, const char *path)
{
    return load(tables, path, add_constructor);
}

const struct constructor *tables_constructor(const struct tables *tables, const char *name)
{
    for (size_t i = 0; i < tables->constructor_count; i++) {
        if (strcmp(tables->constructors[i].name, name) == 0) {
            return &tables->constructors[i];
        }
    }
    return NULL;
}

void tables_free(struct tables *tables)
{
    for (size_t i = 0; i < tables->row_count; i++) {
        struct row *row = &tables->rows[i];
        char *fields[FIELDS_MAX] = {row->id,       row->profile,  row->constructor,
                                    row->stimulus, row->segments, row->state,
                                    row->reason,   row->timers,   row->note};
        free_fields(fields, 0, 9);
    }
    for (size_t i = 0; i < tables->constructor_count; i++) {
        struct constructor *made = &tables->constructors[i];
        char *fields[FIELDS_MAX] = {made->name, made->base, made->steps, made->state};
        free_fields(fields, 0, 4);
    }
    free(tables->rows);
    free(tables->constructors);
}

void words_cut(struct words *words, const char *line, size_t bytes)
{
    if (bytes >= sizeof(words->text)) {
        bytes = sizeof(words->text) - 1;
    }
    memcpy(words->text, line, bytes);
    words->text[bytes] = '\0';
    words->count = 0;
    char *at = words->text;
    while (words->count < WORDS_MAX) {
        at += strspn(at, " ");
        if (*at == '\0') {
            return;
        }
        words->word[words->count++] = at;
        at += strcspn(at, " ");
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
}

const char *words_value(const struct words *words, int first, const char *key)
{
    size_t bytes = strlen(key);
    for (int i = first; i < words->count; i++) {
        if (strncmp(words->word[i], key, bytes) == 0 && words->word[i][bytes] == '=') {
            return words->word[i] + bytes + 1;
        }
    }
    return NULL;
}

bool words_has(const struct words *words, int first, const char *key)
{
    for (int i = first; i < words->count; i++) {
        if (strcmp(words->word[i], key) == 0) {
            return true;
        }
    }
    return false;
}
