/* Programs started, ended, signalled; and what they get from us: nothing that a shell would not
 * have given them. */
#define _GNU_SOURCE 1
#include "program.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int exit_with_42(void)
{
    return 42;
}

static int kill_self(void)
{
    (void)signal(SIGTERM, SIG_DFL);
    (void)raise(SIGTERM);
    return 0;
}

static int wait_for_signal(void)
{
    sigset_t set;
    int number = 0;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGHUP);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT(syscall(SYS_listen, -1, 0) == MARK);
    EXPECT(sigwait(&set, &number) == 0);
    return number;
}

static void test_exit_status(void **state)
{
    (void)state;
    struct slt_child child = start("exit");
    assert_int_equal(child.status, -1);
    assert_int_equal(finish(&child), 42);
    assert_int_equal(child.status, 42);
    child = start("kill");
    assert_int_equal(finish(&child), 128 + SIGTERM);
}

static void test_signals_are_handed_on(void **state)
{
    bool any_left = false;
    (void)state;
    struct slt_child child = start("wait");
    struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
    assert_int_equal(slt_child_reap(&child, &any_left), -1);
    assert_true(any_left);
    assert_true(slt_notify_answer(child.notify_fd, &call, MARK));
    slt_child_signal(&child, SIGHUP);
    assert_int_equal(finish(&child), SIGHUP);
}

static void test_descriptors_of_ours(void **state)
{
    (void)state;
    struct slt_child child = start("exit");
    assert_int_equal(fcntl(child.notify_fd, F_GETFD), FD_CLOEXEC);
    assert_true((fcntl(child.notify_fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_int_equal(fcntl(child.pidfd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(finish(&child), 42);
}

/* ---- what cannot be started ---------------------------------------------------------------- */

static int try_to_start(char *path, char *why, size_t size)
{
    struct slt_child child;
    char *argv[] = {path, NULL};
    struct slt_child_plan plan = {.argv = argv};
    int code = slt_child_start(&child, &plan, why, size);
    assert_true(code == 0 || (child.pid == -1 && child.pidfd == -1 && child.notify_fd == -1));
    if (code == 0) {
        assert_int_equal(finish(&child), 0);
    }
    return code;
}

static void test_programs_that_are_not_there(void **state)
{
    char why[256] = "";
    (void)state;
    assert_int_equal(try_to_start("no-such-program-anywhere", why, sizeof(why)), 127);
    assert_string_equal(why, "no-such-program-anywhere: command not found");
    assert_int_equal(try_to_start("/no/such/program", why, sizeof(why)), 127);
    assert_string_equal(why, "/no/such/program: No such file or directory");
    assert_int_equal(try_to_start("/", why, sizeof(why)), 126);
    assert_string_equal(why, "/: Permission denied");
    assert_int_equal(try_to_start("/etc/passwd", why, sizeof(why)), 126);
    assert_int_equal(try_to_start("/no/such/program", why, 5), 127);
    assert_string_equal(why, "/no/");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* none is left */
    assert_int_equal(errno, ECHILD);
}

static void test_path_is_searched(void **state)
{
    char why[256] = "";
    (void)state;
    assert_int_equal(try_to_start("true", why, sizeof(why)), 0);
}

/* A script without a first line is run by the shell, as shells do it. */
static void test_scripts(void **state)
{
    char path[] = "/tmp/salut-child-XXXXXX";
    char why[256] = "";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "exit 0\n", 7), 7);
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
    int code = try_to_start(path, why, sizeof(why));
    (void)unlink(path);
    assert_int_equal(code, 0);
}

/* ---- the hook ------------------------------------------------------------------------------ */

static bool refuse(void *ctx, char *why, size_t size)
{
    snprintf(why, size, "not %s", (const char *)ctx);
    return false;
}

static bool set_variable(void *ctx, char *why, size_t size)
{
    (void)ctx;
    (void)why;
    (void)size;
    return setenv("SALUT_PREPARED", "yes", 1) == 0;
}

static int look_at_variable(void)
{
    const char *value = getenv("SALUT_PREPARED");
    return value && strcmp(value, "yes") == 0 ? 0 : 1;
}

static void test_prepare(void **state)
{
    struct slt_child child;
    char why[256] = "";
    char self[] = "/proc/self/exe";
    char *argv[] = {self, NULL};
    char today[] = "today";
    struct slt_child_plan plan = {.argv = argv, .prepare = refuse, .ctx = today};
    (void)state;
    assert_int_equal(slt_child_start(&child, &plan, why, sizeof(why)), 3);
    assert_string_equal(why, "not today");
    child = start_prepared("variable", set_variable);
    assert_int_equal(finish(&child), 0);
    assert_null(getenv("SALUT_PREPARED"));
}

/* ---- what it inherits ---------------------------------------------------------------------- */

static int look_at_signals(void)
{
    sigset_t blocked;
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0);
    EXPECT(!sigismember(&blocked, SIGTERM) && !sigismember(&blocked, SIGCHLD));
    EXPECT(signal(SIGPIPE, SIG_DFL) == SIG_DFL);
    EXPECT(signal(SIGUSR2, SIG_DFL) == SIG_DFL);
    EXPECT(signal(SIGHUP, SIG_DFL) == SIG_IGN); /* nohup salut run ... */
    return 0;
}

static void on_signal(int number)
{
    (void)number;
}

static void test_signals_of_the_program(void **state)
{
    sigset_t all;
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGUSR2, on_signal);
    (void)signal(SIGHUP, SIG_IGN);
    (void)sigemptyset(&all);
    (void)sigaddset(&all, SIGTERM);
    (void)sigaddset(&all, SIGCHLD);
    assert_int_equal(sigprocmask(SIG_BLOCK, &all, NULL), 0);
    struct slt_child child = start("signals");
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &all, NULL), 0);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGUSR2, SIG_DFL);
    (void)signal(SIGHUP, SIG_DFL);
    assert_int_equal(finish(&child), 0);
}

/* Descriptors that the caller meant for it, and none of the starting. */
static int count_descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    EXPECT(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        count += entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) > 2;
    }
    (void)closedir(folder);
    return count - 1; /* the folder itself */
}

static void test_descriptors_of_the_program(void **state)
{
    (void)state;
    struct slt_child child = start("count");
    int before = finish(&child);
    int meant = open("/dev/null", O_RDONLY);
    int ours = open("/dev/null", O_RDONLY | O_CLOEXEC);
    child = start("count");
    assert_int_equal(finish(&child), before + 1);
    close(meant);
    close(ours);
}

/* A supervisor without descriptors says so, and leaves no process behind. */
static int start_without_descriptors(void)
{
    struct rlimit limit;
    struct slt_child child;
    char why[256] = "";
    char name[] = "true";
    char *argv[] = {name, NULL};
    struct slt_child_plan plan = {.argv = argv};
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    int lowest = dup(0);
    /* Three are needed: the socket pair, and the descriptor of the process. */
    for (int room = 0; room < 3; room++) {
        limit.rlim_cur = (rlim_t)(lowest + room);
        close(lowest);
        EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        EXPECT(slt_child_start(&child, &plan, why, sizeof(why)) != 0 && why[0] != '\0');
        EXPECT(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
        limit.rlim_cur = limit.rlim_max;
        EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        EXPECT(dup(0) == lowest);
    }
    return 0;
}

static void test_no_descriptors(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(start_without_descriptors());
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv)
{
    static const struct program programs[] = {
        {"exit", exit_with_42},
        {"kill", kill_self},
        {"wait", wait_for_signal},
        {"variable", look_at_variable},
        {"signals", look_at_signals},
        {"count", count_descriptors},
        {NULL, NULL},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_status),
        cmocka_unit_test(test_signals_are_handed_on),
        cmocka_unit_test(test_descriptors_of_ours),
        cmocka_unit_test(test_programs_that_are_not_there),
        cmocka_unit_test(test_path_is_searched),
        cmocka_unit_test(test_scripts),
        cmocka_unit_test(test_prepare),
        cmocka_unit_test(test_signals_of_the_program),
        cmocka_unit_test(test_descriptors_of_the_program),
        cmocka_unit_test(test_no_descriptors),
    };
    int code = run_program(argc, argv, programs);
    return code >= 0 ? code : cmocka_run_group_tests(tests, NULL, NULL);
}
