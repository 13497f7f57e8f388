/* The command line of `salut test`. */
#include "lab/script_main.h"

#include "lab/script_run.h"
#include "sock/runner_clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ARGUMENTS_MAX 64
#define FOLDER_MAX    4096

struct tally {
    uint32_t passed;
    uint32_t failed;
    uint32_t unreadable;
    bool verbose;
};

static void print_usage(FILE *out)
{
    fputs("usage: salut test [options] FILE|FOLDER...\n"
          "Run packetdrill scripts against the stack, each on an instance of its own, in virtual "
          "time.\n"
          "\n"
          "  --profile linux|rfc       defaults and wire image (linux)\n"
          "  --set KEY=VALUE           a setting, as in `KEY=VALUE` lines of scripts\n"
          "  -D NAME=VALUE             a word for scripts\n"
          "  --ip_version ipv4|ipv6    (ipv4)\n"
          "  --local_ip, --remote_ip   addresses of the stack and of its peer\n"
          "  --bind_port, --connect_port, --remote_port   (8080, 8080, 40000)\n"
          "  --mtu BYTES               (1500)\n"
          "  --mss BYTES               larger inbound packets come as receive-offload frames\n"
          "  --tolerance_usecs N       (4000)\n"
          "  --tcp_ts_tick_usecs N     check timestamps, in ticks of so much\n"
          "  --strict_segments         segments must be exactly the script's\n"
          "  --loose_end               packets after the last expected one are no failure\n"
          "  --non_fatal packet,syscall   report and go on\n"
          "  --pcapng FOLDER           write FOLDER/SCRIPT.pcapng, with states as comments\n"
          "  --dry_run                 only read the scripts\n"
          "  -v                        print every event as it happens\n",
          out);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void run_one(const char *file, const struct slt_script_arguments *arguments,
                    struct tally *tally)
{
    enum slt_script_result result = slt_script_run_file(file, arguments, stdout);

    if (result == SLT_SCRIPT_PASSED) {
        tally->passed++;
    } else if (result == SLT_SCRIPT_FAILED) {
        tally->failed++;
    } else {
        tally->unreadable++;
    }
    if (tally->verbose || result != SLT_SCRIPT_PASSED) {
        printf("%s %s\n", result == SLT_SCRIPT_PASSED ? "ok  " : "FAIL", file);
    }
}

static bool is_script(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 4 && strcmp(name + bytes - 4, ".pkt") == 0;
}

/* Every script of a folder, in the order of names. */
static void run_folder(const char *folder, const struct slt_script_arguments *arguments,
                       struct tally *tally)
{
    static char *names[FOLDER_MAX];
    size_t count = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL && count < FOLDER_MAX) {
        char path[2048];
        int bytes = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (is_script(entry->d_name) && bytes > 0 && (size_t)bytes < sizeof(path)) {
            names[count] = strdup(path);
            count += names[count] != NULL;
        }
    }
    if (dir) {
        closedir(dir);
    }
    if (count == 0) {
        printf("%s: there are no scripts (*.pkt) in it\n", folder);
        tally->unreadable++;
    }
    qsort(names, count, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < count; i++) {
        run_one(names[i], arguments, tally);
        free(names[i]);
    }
}

static void run_path(const char *path, const struct slt_script_arguments *arguments,
                     struct tally *tally)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        run_folder(path, arguments, tally);
    } else {
        run_one(path, arguments, tally);
    }
}

/* Options before and between files. Paths are collected in place, in argv[1..]. Returns how many,
 * or -1 after a message. */
struct command_line {
    int argc;
    char **argv;
    int at;
    struct slt_script_argument list[ARGUMENTS_MAX];
    uint32_t count;
    bool help;
};

static bool usage_error(const char *what, const char *which)
{
    fprintf(stderr, "salut test: %s: %s\n", which, what);
    return false;
}

static bool add_argument(struct command_line *line, const char *name, const char *value)
{
    struct slt_script_options scratch;

    if (line->count == ARGUMENTS_MAX) {
        return usage_error("too many options", name);
    }
    slt_script_options_init(&scratch);
    const char *wrong = slt_script_option_set(&scratch, name, value);
    if (wrong) {
        return usage_error(wrong, name);
    }
    line->list[line->count++] = (struct slt_script_argument){.name = name, .value = value};
    return true;
}

/* --name=value, --name value, or a flag. */
static bool take_long(struct command_line *line, char *word)
{
    char *equals = strchr(word, '=');
    const char *value = "";

    if (equals) {
        *equals = '\0';
        value = equals + 1;
    } else if (slt_script_option_has_value(word)) {
        if (line->at + 1 >= line->argc) {
            return usage_error("there is no such option, or its value is missing", word);
        }
        value = line->argv[++line->at];
    }
    return add_argument(line, word, value);
}

static bool take_word(struct command_line *line, int *paths)
{
    char *word = line->argv[line->at];

    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        line->help = true;
        return true;
    }
    if (strcmp(word, "-v") == 0) {
        return add_argument(line, "verbose", "");
    }
    if (strncmp(word, "-D", 2) == 0) {
        if (word[2] == '\0' && line->at + 1 >= line->argc) {
            return usage_error("wants NAME=VALUE", "-D");
        }
        return add_argument(line, "define", word[2] ? word + 2 : line->argv[++line->at]);
    }
    if (strncmp(word, "--", 2) == 0) {
        return take_long(line, word + 2);
    }
    if (word[0] == '-' && word[1] != '\0') {
        return usage_error("there is no such option", word);
    }
    line->argv[1 + (*paths)++] = word;
    return true;
}

int slt_lab_test_main(int argc, char **argv)
{
    struct command_line line = {.argc = argc, .argv = argv};
    struct tally tally = {0};
    int paths = 0;

    for (line.at = 1; line.at < argc; line.at++) {
        if (!take_word(&line, &paths)) {
            return 2;
        }
    }
    if (line.help || paths == 0) {
        print_usage(line.help ? stdout : stderr);
        return line.help ? 0 : 2;
    }
    for (uint32_t i = 0; i < line.count; i++) {
        tally.verbose = tally.verbose || strcmp(line.list[i].name, "verbose") == 0;
    }
    struct slt_script_arguments arguments = {line.list, line.count};
    int64_t started_ns = slt_runner_clock();
    for (int i = 0; i < paths; i++) {
        run_path(argv[1 + i], &arguments, &tally);
    }
    double took = (double)(slt_runner_clock() - started_ns) / (double)SLT_NS_PER_S;
    uint32_t failed = tally.failed + tally.unreadable;
    printf("%u passed, %u failed (%.0f scripts a second)\n", tally.passed, failed,
           took > 0 ? (tally.passed + failed) / took : 0.0);
    if (tally.unreadable > 0) {
        return 2;
    }
    return tally.failed > 0 ? 1 : 0;
}
