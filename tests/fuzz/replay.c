/* Runs a fuzz target without libFuzzer: every file of the corpus folder given, then seeded inputs.
 *
 * The fuzz targets are built by every compiler this way, so that they cannot rot, and so that an
 * input which once crashed (kept in tests/fuzz/corpus/<target>/) is tried on every run of the
 * tests. The generated inputs are plain noise and mutations of corpus files; finding new paths is
 * libFuzzer's work, not theirs.
 *
 * usage: fuzz_x [CORPUS_FOLDER]
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 65536, NOISE_COUNT = 3000, NOISE_MAX = 512, MUTATIONS_PER_FILE = 200 };

static size_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (size_t)(*state & SIZE_MAX);
}

/* The target gets a copy of its own that ends where the input ends, so that a sanitizer sees the
 * first byte read beyond it. */
static void try_input(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);

    if (copy == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void try_mutations(const uint8_t *data, size_t size, uint64_t *state)
{
    static uint8_t changed[INPUT_MAX];

    for (int i = 0; i < MUTATIONS_PER_FILE && size > 0; i++) {
        size_t length = size - (next_random(state) % 4 == 0 ? next_random(state) % size : 0);

        memcpy(changed, data, length);
        for (size_t flips = next_random(state) % 4 + 1; flips > 0; flips--) {
            changed[next_random(state) % length] = (uint8_t)next_random(state);
        }
        try_input(changed, length);
    }
}

static int try_file(const char *folder, const char *name, uint64_t *state)
{
    static uint8_t input[INPUT_MAX];
    char path[4096];
    FILE *file;
    size_t size;

    if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)) {
        fprintf(stderr, "%s: the path is too long\n", folder);
        return 1;
    }
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return 1;
    }
    size = fread(input, 1, sizeof(input), file);
    (void)fclose(file);
    try_input(input, size);
    try_mutations(input, size, state);
    return 0;
}

static int try_folder(const char *folder, uint64_t *state)
{
    DIR *directory = opendir(folder);
    struct dirent *entry;
    int failures = 0;
    int files = 0;

    if (directory == NULL) {
        printf("%s: no corpus\n", folder);
        return 0;
    }
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            failures += try_file(folder, entry->d_name, state);
            files++;
        }
    }
    (void)closedir(directory);
    printf("%s: %d files\n", folder, files);
    return failures;
}

int main(int argc, char **argv)
{
    uint8_t noise[NOISE_MAX];
    uint64_t state = 0x9e3779b97f4a7c15U;
    int failures = 0;

    if (argc > 2) {
        fprintf(stderr, "usage: %s [CORPUS_FOLDER]\n", argv[0]);
        return 2;
    }
    if (argc == 2) {
        failures = try_folder(argv[1], &state);
    }
    for (int i = 0; i < NOISE_COUNT; i++) {
        size_t size = next_random(&state) % (NOISE_MAX + 1);

        for (size_t at = 0; at < size; at++) {
            noise[at] = (uint8_t)next_random(&state);
        }
        try_input(noise, size);
    }
    printf("%d generated inputs\n", NOISE_COUNT);
    return failures == 0 ? 0 : 1;
}
