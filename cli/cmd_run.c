/* salut run: any program, unmodified, with its TCP on salut.
 *
 * Signals. What the terminal sends (interrupt, quit) reaches the program by itself, which is in the
 * same process group, and must not end the supervisor before it; what is sent to the supervisor
 * alone is handed on. The second request to end, once the program is gone, is obeyed at once.
 *
 * The first process of the program decides the exit status. Where it has started others and ends
 * (a server that puts itself into the background), the supervisor stays for those.
 */
#include "cli/run.h"

#include "base/reason.h"
#include "base/time.h"
#include "run/privilege_linux.h"
#include "sock/link_open.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUFFER_BYTES   (16U * 1024U) /* one read of what the program wrote */
#define SETTLE_NS      (5 * SLT_NS_PER_S)
#define TURN_NS        (20 * SLT_NS_PER_MS)
#define CHALLENGE_NS   (100 * SLT_NS_PER_MS)
#define LOOK_NS        (500 * SLT_NS_PER_MS) /* how often leftovers of the program are looked for */
#define MSS_MIN        88                    /* of TCP_MAXSEG */
#define MSS_MAX        32767
#define PROGRAM_WORDS  2 /* enough to see that there is one */
#define SIGNAL_NUMBERS 32

static const char help[] =
    "usage: salut run [options] -- PROGRAM ARGS...\n"
    "\n"
    "PROGRAM runs as it is, and all it starts; its TCP over IPv4 and IPv6 is salut's. With\n"
    "privilege (root) it has addresses on a TAP of this network; without, in a private network,\n"
    "from which it reaches the outside through a gateway.\n"
    "\n"
    "  --private          a private network, also with privilege\n"
    "  --device D         its device: tap or veth, instead of the best there is\n"
    "  --publish [A:]P:Q  connections to port P of this machine (address A, default 127.0.0.1)\n"
    "                     go to port Q of the program; may be given again\n"
    "  --no-gateway       a private network without a way out\n"
    "  --no-loopback      127.0.0.1 and ::1 are salut's as well, instead of the kernel's\n"
    "  --mss BYTES        no segment is longer\n"
    "  --quiet            do not say at the start what the address is and what is off\n"
    "\n"
    "The exit status is PROGRAM's; 126 and 127 when it cannot be run, as in a shell.\n"
    "\n";

static struct slt_run run;

/* ---- signals -------------------------------------------------------------------------------- */

static volatile sig_atomic_t received[SIGNAL_NUMBERS];
static volatile sig_atomic_t any_received;
static struct salut_runner *signalled;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    /* From the terminal: the program has it already. */
    bool from_kernel = info->si_code == SI_KERNEL && (number == SIGINT || number == SIGQUIT);
    if (number > 0 && number < SIGNAL_NUMBERS && number != SIGCHLD && number != SIGPIPE &&
        !from_kernel) {
        received[number] = 1;
        any_received = 1;
    }
    if (signalled != NULL) {
        salut_runner_wake(signalled);
    }
}

/* Caught, not ignored: what is caught is at its default again in the program. What was ignored
 * when we were started stays ignored, for it and for us. */
static void catch_signals(struct salut_runner *runner)
{
    static const int numbers[] = {SIGINT,  SIGQUIT, SIGTERM,  SIGHUP,
                                  SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};
    signalled = runner;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(numbers); i++) {
        struct sigaction now = {.sa_handler = SIG_DFL};
        struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
        (void)sigaction(numbers[i], NULL, &now);
        bool ignored = (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_IGN;
        if (!ignored || numbers[i] == SIGCHLD) {
            (void)sigaction(numbers[i], &action, NULL);
        }
    }
}

/* Those whose parent has ended are ours now (PR_SET_CHILD_SUBREAPER). The porter is no concern of
 * anybody's. */
static void signal_orphans(int number)
{
    char line[4096];
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
    FILE *file = fopen(path, "re");
    if (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *rest = line;
        for (long pid = strtol(rest, &rest, 10); pid > 0; pid = strtol(rest, &rest, 10)) {
            if (pid != (long)run.porter.pid && pid != (long)run.guardian.pid) {
                (void)kill((pid_t)pid, number);
            }
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

/* True when one of them asks for the end. */
static bool hand_on_signals(bool program_ended)
{
    bool end = false;
    if (!any_received) {
        return false;
    }
    any_received = 0;
    for (int number = 1; number < SIGNAL_NUMBERS; number++) {
        if (received[number] == 0) {
            continue;
        }
        received[number] = 0;
        end = end || number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
        if (program_ended) {
            signal_orphans(number);
        } else {
            slt_child_signal(&run.child, number);
        }
    }
    return end;
}

/* ---- the program ---------------------------------------------------------------------------- */

static void on_program_end(void *ctx, int fd, uint32_t events)
{
    bool *ended = ctx;
    (void)events;
    *ended = true;
    (void)salut_runner_remove_fd(run.host.runner, fd); /* it would be reported for ever */
}

static void note(void *ctx, const char *line)
{
    const struct slt_run *r = ctx;
    if (!r->words.quiet) {
        (void)fprintf(stderr, "salut run: %s\n", line);
    }
}

/* The program has had the limits it was given; we hold a descriptor for each of its sockets. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The program, once woken, is to do all it can before we have the processor again: a supervisor
 * that took it at each wake-up would serve requests one by one (SCHED_BATCH, sched(7)). Who has
 * chosen another policy keeps it. */
static void give_way(void)
{
    const struct sched_param none = {0};
    if (sched_getscheduler(0) == SCHED_OTHER) {
        (void)sched_setscheduler(0, SCHED_BATCH, &none);
    }
}

static int start_program(char **argv)
{
    char why[256] = "";
    struct slt_child_plan plan = {.argv = argv};
    int result = slt_child_start(&run.child, &plan, why, sizeof(why));
    if (result != 0) {
        return slt_fail(&slt_cli_run, result, "%s", why);
    }
    raise_descriptor_limit();
    give_way();
    struct slt_supervisor_params params = {.runner = run.host.runner,
                                           .stack = run.host.stack,
                                           .link = slt_link_public(run.host.link),
                                           .config = &run.host.config,
                                           .notify_fd = run.child.notify_fd,
                                           .root = run.child.pid,
                                           .mss = (uint32_t)run.words.mss,
                                           .loopback_off = run.words.no_loopback,
                                           .note = note,
                                           .ctx = &run,
                                           .sockets_max = (uint32_t)run.host_words.connections};
    enum salut_status status = slt_supervisor_create(&params, &run.supervisor);
    if (status != SALUT_OK) {
        slt_child_signal(&run.child, SIGKILL);
        return slt_fail(&slt_cli_run, SLT_EXIT_FAILURE, "the program cannot be supervised: %s",
                        salut_status_text(status));
    }
    slt_guardian_start(&run.guardian, run.supervisor);
    int dropped = slt_privilege_drop();
    if (dropped < 0) {
        slt_child_signal(&run.child, SIGKILL);
        return slt_fail(&slt_cli_run, SLT_EXIT_FAILURE, "privileges cannot be given up: %s",
                        strerror(-dropped));
    }
    return SLT_EXIT_FINE;
}

/* Until all of the program is gone. Returns its exit status. */
static int attend(void)
{
    bool ended = false;
    bool any_left = true;
    bool told = false;
    int status = -1;
    struct salut_runner_fd watch = {
        .fd = run.child.pidfd, .events = EPOLLIN, .on_ready = on_program_end, .ctx = &ended};
    if (salut_runner_set_fd(run.host.runner, &watch) != SALUT_OK) {
        return slt_fail(&slt_cli_run, SLT_EXIT_FAILURE, "the program cannot be watched");
    }
    while (any_left) {
        (void)slt_host_turn(&run.host, ended ? LOOK_NS : -1);
        (void)hand_on_signals(ended);
        if (!ended) {
            continue;
        }
        status = slt_child_reap(&run.child, &any_left);
        if (any_left && !told) {
            note(&run, "the program has ended, what it started goes on; staying for that");
            told = true;
        }
    }
    return status;
}

static uint64_t resets_sent(void)
{
    const struct salut_stack *stack = run.host.stack;
    return salut_counter(stack, SLT_SEND_RST_ABORT) + salut_counter(stack, SLT_SEND_RST_UNREAD) +
           salut_counter(stack, SLT_SEND_RST_LISTENER);
}

/* Connections that still have something to say get a few seconds. A reset that is not exactly at
 * the edge of what the peer has (something before it was lost) is asked about by a challenge ACK
 * (RFC 5961 3.2): after one there is somebody to answer for a moment, or the peer would wait for
 * good. */
static void settle(void)
{
    slt_supervisor_program_ended(run.supervisor);
    int64_t now_ns = salut_runner_now(run.host.runner);
    int64_t end_at_ns = slt_time_add(now_ns, SETTLE_NS);
    int64_t calm_at_ns = now_ns;
    uint64_t resets = 0;
    bool goes_on = true;
    while (goes_on) {
        (void)slt_host_turn(&run.host, TURN_NS);
        now_ns = salut_runner_now(run.host.runner);
        if (resets != resets_sent()) {
            resets = resets_sent();
            calm_at_ns = slt_time_add(now_ns, CHALLENGE_NS);
        }
        bool quiet = slt_supervisor_is_quiet(run.supervisor) && slt_run_net_is_quiet(&run) &&
                     now_ns >= calm_at_ns;
        goes_on = !quiet && !hand_on_signals(true) && now_ns < end_at_ns;
    }
}

static int perform(char **argv)
{
    int result = slt_run_open(&run);
    if (result == SLT_EXIT_FINE) {
        catch_signals(run.host.runner);
        if (!run.words.quiet) {
            slt_run_say(&run);
        }
        result = start_program(argv);
    }
    if (result == SLT_EXIT_FINE) {
        result = attend();
        settle();
    }
    signalled = NULL;
    slt_guardian_stop(&run.guardian);
    slt_supervisor_destroy(run.supervisor);
    slt_run_close(&run);
    return result;
}

/* ---- the command line ----------------------------------------------------------------------- */

/* Options end at "--" or at the first word that is none; the program's own are not ours. Returns
 * where the program's name stands; `argc` when there is none. */
static int find_program(int argc, char **argv, const struct slt_arg *const tables[2],
                        const size_t counts[2])
{
    for (int at = 1; at < argc; at++) {
        if (strcmp(argv[at], "--") == 0) {
            return at + 1;
        }
        if (argv[at][0] != '-') {
            return at;
        }
        for (int t = 0; t < 2 && strchr(argv[at], '=') == NULL; t++) {
            for (size_t i = 0; i < counts[t]; i++) {
                const struct slt_arg *arg = &tables[t][i];
                at +=
                    strcmp(arg->name, argv[at]) == 0 && arg->kind != SLT_ARG_FLAG && at + 1 < argc;
            }
        }
    }
    return argc;
}

static int run_verb(int argc, char **argv)
{
    const char *words[PROGRAM_WORDS];
    struct slt_arg host_options[SLT_HOST_OPTIONS];
    slt_host_options(&run.host_words, host_options);
    run.host_words.own_traffic = true;
    run.host_words.buffer_bytes = BUFFER_BYTES;
    const struct slt_arg options[] = {
        {"--private", SLT_ARG_FLAG, &run.words.is_private, 0, 0},
        {"--device", SLT_ARG_TEXT, &run.words.device, 0, 0},
        {"--publish", SLT_ARG_LIST, &run.words.publish, 0, 0},
        {"--no-gateway", SLT_ARG_FLAG, &run.words.no_gateway, 0, 0},
        {"--no-loopback", SLT_ARG_FLAG, &run.words.no_loopback, 0, 0},
        {"--mss", SLT_ARG_NUMBER, &run.words.mss, MSS_MIN, MSS_MAX},
        {"--quiet", SLT_ARG_FLAG, &run.words.quiet, 0, 0},
    };
    struct slt_args args = {.verb = &slt_cli_run,
                            .options = options,
                            .option_count = SLT_ARRAY_COUNT(options),
                            .more = host_options,
                            .more_count = SLT_HOST_OPTIONS,
                            .words = words,
                            .words_max = 0};
    const struct slt_arg *const tables[2] = {options, host_options};
    const size_t counts[2] = {SLT_ARRAY_COUNT(options), SLT_HOST_OPTIONS};
    run.verb = &slt_cli_run;
    int program = find_program(argc, argv, tables, counts);
    bool dashes = program > 1 && program <= argc && strcmp(argv[program - 1], "--") == 0;
    int result = slt_args_parse(&args, program - (dashes ? 1 : 0), argv);
    if (result != SLT_EXIT_FINE) {
        return result < 0 ? SLT_EXIT_FINE : result;
    }
    return program < argc ? perform(&argv[program])
                          : slt_usage_error(&slt_cli_run, "which PROGRAM is to be run?");
}

const struct slt_cli_verb slt_cli_run = {
    .name = "run",
    .summary = "run any program on salut",
    .help = help,
    .more_help = slt_host_help,
    .run = run_verb,
};
