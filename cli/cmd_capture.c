/* salut capture: packets of this machine in a pcapng file, with a comment on each packet that
 * changed the state of a connection here: which change, why, and whose connection it is.
 */
#include "cli/capture_files.h"
#include "cli/cli.h"

#include "base/time.h"
#include "observe/kernel_diag_linux.h"
#include "observe/live_comment.h"
#include "observe/live_linux.h"
#include "observe/recorder_linux.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORDS_MAX   64U
#define FILTER_MAX  4096U
#define TURN_MS     50
#define RETIRE_NS   (50 * SLT_NS_PER_MS)
#define HOLD_NS     (250 * SLT_NS_PER_MS)
#define HELD_BYTES  (256U << 20)
#define ROTATE_MIN  (64 << 10)
#define ROTATE_MANY 10000

static const char help[] =
    "usage: salut capture [options] [FILTER] -w FILE\n"
    "\n"
    "Captures packets into a pcapng file that Wireshark, tshark, tcpdump and salut explain read.\n"
    "Packets that changed the state of a connection of this machine bear a comment: the change,\n"
    "its cause, and the program (in Wireshark: frame.comment).\n"
    "\n"
    "  -w FILE          where to; - is standard output\n"
    "  -i NAME          an interface; may be given again (default: all that are up)\n"
    "  -c COUNT         stop after that many packets\n"
    "  -s BYTES         of a packet that are kept (262144)\n"
    "  --duration T     stop after T (10s, 5m)\n"
    "  --rotate N,M     files of N bytes each, M of them: FILE is the youngest, FILE.1 before it\n"
    "  --no-comments    packets alone, without delay\n"
    "\n"
    "FILTER is pcap-filter(7)'s language: tcp port 9000; host 10.0.0.7 and not port 22. Needs\n"
    "CAP_NET_RAW, and for the comments root: without, packets are captured and it is said. To "
    "find\n"
    "their comments, packets are held back for a quarter of a second.\n";

struct words {
    const char *file;
    struct slt_arg_list interfaces;
    int64_t count;
    int64_t snap_bytes;
    int64_t duration_ns;
    const char *rotate;
    bool no_comments;
    int64_t rotate_bytes;
    int64_t rotate_files;
    const char *filter_words[WORDS_MAX];
    char filter[FILTER_MAX]; /* the words in one; empty: everything */
};

/* The run. */
struct run {
    const struct words *words;
    struct slt_live *live;
    struct slt_recording *recording; /* NULL: no comments */
    struct slt_live_comment *comments;
    struct slt_capture_files *files;
    uint16_t linktypes[SLT_LIVE_INTERFACES_MAX];
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* ---- setting up ----------------------------------------------------------------------------- */

static void on_change(void *ctx, const struct slt_change *change)
{
    struct run *run = ctx;
    struct slt_live_change said;
    slt_live_change_of(change, &said);
    slt_live_comment_change(run->comments, &said);
}

static int open_live(struct run *run)
{
    char why[300];
    const struct words *words = run->words;
    struct slt_live_ask ask = {.names = words->interfaces.items,
                               .name_count = words->interfaces.count,
                               .filter = words->filter[0] == '\0' ? NULL : words->filter,
                               .snap_bytes = (uint32_t)words->snap_bytes};
    int result = slt_live_open(&ask, &run->live, why, sizeof(why));
    if (result == -EINVAL) {
        return slt_usage_error(&slt_cli_capture, "the filter '%s' is wrong: %s", words->filter,
                               why);
    }
    return result < 0 ? slt_fail(&slt_cli_capture, SLT_EXIT_MISSING, "%s", why) : SLT_EXIT_FINE;
}

/* Comments are wanted but not needed. */
static void open_recording(struct run *run)
{
    char why[300];
    struct slt_recording_ask ask = {
        .alone = true, .no_finals = true, .on_change = on_change, .ctx = run};
    if (!run->words->no_comments &&
        slt_recording_start(&ask, &run->recording, why, sizeof(why)) < 0) {
        run->recording = NULL;
        (void)fprintf(stderr, "salut capture: packets will have no comments: %s\n", why);
    }
}

static int open_files(struct run *run)
{
    const struct words *words = run->words;
    const struct slt_live_interface *list;
    struct slt_capture_files_ask ask = {
        .path = words->file,
        .bytes_max = words->rotate_bytes,
        .files_max = words->rotate_files,
        .packet_max = words->count,
        .snap_bytes = (uint32_t)words->snap_bytes,
        .comment =
            run->recording == NULL ? NULL : "packets bear the changes of state that they made"};
    ask.interface_count = slt_live_interfaces(run->live, &list);
    ask.interfaces = list;
    for (size_t i = 0; i < ask.interface_count; i++) {
        run->linktypes[i] = list[i].linktype;
    }
    int result = slt_capture_files_open(&ask, &run->files);
    if (result < 0) {
        return slt_fail(&slt_cli_capture, SLT_EXIT_FAILURE, "%s cannot be written: %s", words->file,
                        strerror(-result));
    }
    struct slt_live_comment_ask comments = {.hold_ns = run->recording == NULL ? 0 : HOLD_NS,
                                            .bytes_max = HELD_BYTES,
                                            .netns = slt_kernel_namespace(),
                                            .linktypes = run->linktypes,
                                            .emit = slt_capture_files_packet,
                                            .ctx = run->files};
    run->comments = slt_live_comment_new(&comments);
    return run->comments != NULL ? SLT_EXIT_FINE
                                 : slt_fail(&slt_cli_capture, SLT_EXIT_FAILURE, "out of memory");
}

/* ---- the run -------------------------------------------------------------------------------- */

static void on_packet(void *ctx, const struct slt_capture_packet *packet)
{
    struct run *run = ctx;
    slt_live_comment_packet(run->comments, packet);
}

/* Packets first: a change looks for a packet that is there. */
static int turn(struct run *run, int wait_ms, bool last)
{
    const struct timespec retire = {.tv_nsec = RETIRE_NS};
    struct pollfd fds[SLT_LIVE_INTERFACES_MAX];
    size_t count = slt_live_fds(run->live, fds, SLT_LIVE_INTERFACES_MAX);
    if (last) {
        (void)nanosleep(&retire, NULL); /* what is in a block that is not full comes after that */
    }
    if (wait_ms > 0 && poll(fds, (nfds_t)count, wait_ms) < 0 && errno != EINTR) {
        return errno;
    }
    slt_live_read(run->live, on_packet, run);
    if (run->recording != NULL) {
        (void)slt_recording_turn(run->recording, 0, last);
    }
    slt_live_comment_flush(run->comments, slt_runner_clock() + slt_runner_epoch(), last);
    return slt_capture_files_flush(run->files);
}

static void tell_counts(const struct run *run, uint64_t dropped)
{
    (void)fprintf(stderr,
                  "%" PRIu64 " packets, %" PRIu64 " with a comment; %" PRIu64
                  " dropped by the kernel for want of room\n",
                  slt_capture_files_count(run->files), slt_live_comment_count(run->comments),
                  dropped);
    if (run->recording != NULL) {
        struct slt_recording_counts counts;
        slt_recording_counts(run->recording, &counts);
        if (counts.trace.lost > 0) {
            (void)fprintf(stderr, "%" PRIu64 " events lost: some comments are missing\n",
                          counts.trace.lost);
        }
    }
}

static int capture(struct run *run)
{
    int64_t began_ns = slt_runner_clock();
    int64_t for_ns = run->words->duration_ns;
    bool last = false;
    int failed = 0;
    while (!last && failed == 0 && !slt_capture_files_full(run->files)) {
        last = interrupted || (for_ns > 0 && slt_runner_clock() - began_ns >= for_ns);
        failed = turn(run, last ? 0 : TURN_MS, last);
    }
    tell_counts(run, slt_live_dropped(run->live));
    return failed == 0 ? SLT_EXIT_FINE
                       : slt_fail(&slt_cli_capture, SLT_EXIT_FAILURE, "%s cannot be written: %s",
                                  run->words->file, strerror(failed));
}

static void tear_down(struct run *run)
{
    if (run->comments != NULL) {
        slt_live_comment_free(run->comments);
    }
    if (run->files != NULL) {
        (void)slt_capture_files_close(run->files);
    }
    if (run->recording != NULL) {
        slt_recording_stop(run->recording);
    }
    if (run->live != NULL) {
        slt_live_close(run->live);
    }
}

static int start(const struct words *words)
{
    struct run run = {.words = words};
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    int result = open_live(&run);
    if (result == SLT_EXIT_FINE) {
        open_recording(&run);
        result = open_files(&run);
    }
    if (result == SLT_EXIT_FINE) {
        result = capture(&run);
    }
    tear_down(&run);
    return result;
}

/* ---- the verb ------------------------------------------------------------------------------- */

static bool join_filter(struct words *words, size_t count)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(words->filter + used, FILTER_MAX - used, "%s%s", i > 0 ? " " : "",
                         words->filter_words[i]);
        used += n < 0 ? 0 : (size_t)n;
        if (used >= FILTER_MAX) {
            return false;
        }
    }
    return true;
}

/* "10M,5" */
static bool parse_rotate(struct words *words)
{
    char *end = NULL;
    if (words->rotate == NULL) {
        return true;
    }
    words->rotate_bytes = strtoll(words->rotate, &end, 10);
    const char *unit = strchr("KMG", *end);
    if (*end != '\0' && unit != NULL) {
        unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30;
        bool fits = words->rotate_bytes >= 0 && words->rotate_bytes < 1 << 24;
        words->rotate_bytes = fits ? words->rotate_bytes << shift : 0;
        end++;
    }
    if (*end != ',') {
        return false;
    }
    words->rotate_files = strtoll(end + 1, &end, 10);
    return *end == '\0' && words->rotate_bytes >= ROTATE_MIN && words->rotate_files >= 1 &&
           words->rotate_files <= ROTATE_MANY && strcmp(words->file, "-") != 0;
}

static int check(struct words *words, size_t word_count)
{
    if (words->file == NULL) {
        return slt_usage_error(&slt_cli_capture, "where to? -w FILE, or -w - for standard output");
    }
    if (strcmp(words->file, "-") == 0 && isatty(STDOUT_FILENO)) {
        return slt_usage_error(&slt_cli_capture, "standard output is a terminal, and a capture is "
                                                 "not text");
    }
    if (!parse_rotate(words)) {
        return slt_usage_error(&slt_cli_capture,
                               "--rotate wants bytes (64K or more) and a number of files, such as "
                               "10M,5, and a file, not '%s'",
                               words->rotate);
    }
    if (!join_filter(words, word_count)) {
        return slt_usage_error(&slt_cli_capture, "the filter is too long");
    }
    return SLT_EXIT_FINE;
}

static int run(int argc, char **argv)
{
    struct words words = {.snap_bytes = SLT_LIVE_SNAP_BYTES};
    const struct slt_arg options[] = {
        {"-w", SLT_ARG_TEXT, &words.file, 0, 0},
        {"-i", SLT_ARG_LIST, &words.interfaces, 0, 0},
        {"-c", SLT_ARG_NUMBER, &words.count, 1, INT64_MAX},
        {"-s", SLT_ARG_NUMBER, &words.snap_bytes, 64, SLT_LIVE_SNAP_BYTES},
        {"--duration", SLT_ARG_TIME, &words.duration_ns, 0, 0},
        {"--rotate", SLT_ARG_TEXT, &words.rotate, 0, 0},
        {"--no-comments", SLT_ARG_FLAG, &words.no_comments, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_capture,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .words = words.filter_words,
                            .words_max = WORDS_MAX};
    int result = slt_args_parse(&args, argc, argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    result = check(&words, args.word_count);
    return result == SLT_EXIT_FINE ? start(&words) : result;
}

const struct slt_cli_verb slt_cli_capture = {.name = "capture",
                                             .summary = "packets into pcapng, with the changes of "
                                                        "state they made",
                                             .help = help,
                                             .run = run};
