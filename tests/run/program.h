/* Programs under the filter, for the tests of what starts, answers and looks into them.
 *
 * A test program is started again under the filter, as `test_x program NAME`; its main() gives such
 * an argv to run_program, which finds the function of that name in the test's table. What a program
 * finds out it says by its exit status: 0, or the line at which it was disappointed (modulo 256,
 * never 0).
 */
#ifndef RUN_PROGRAM_H
#define RUN_PROGRAM_H

#include "run/child_linux.h"
#include "run/notify_linux.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* What the tests' supervisors answer: no system call would. */
#define MARK 40777

struct program {
    const char *name;
    int (*run)(void);
};

/* In a program: leave with the line when something is not so. */
#define EXPECT(what)                                                                               \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #what, errno);   \
            _exit(__LINE__ % 255 + 1);                                                             \
        }                                                                                          \
    } while (0)

/* The exit status of the program that argv names; -1: it names none, this is the test itself. */
static inline int run_program(int argc, char **argv, const struct program *programs)
{
    if (argc != 3 || strcmp(argv[1], "program") != 0) {
        return -1;
    }
    for (const struct program *program = programs; program->name; program++) {
        if (strcmp(program->name, argv[2]) == 0) {
            int code = program->run();
            fflush(NULL);
            _exit(code); /* without what sanitizers do at the end: it takes descriptors */
        }
    }
    return 2;
}

/* Start a program of this test's table. Where the kernel hands nothing over, says so and skips. */
static inline struct slt_child start_prepared(const char *name,
                                              bool (*prepare)(void *, char *, size_t))
{
    struct slt_child child;
    char why[256] = "";
    char self[] = "/proc/self/exe";
    char word[] = "program";
    char named[64];
    snprintf(named, sizeof(named), "%s", name);
    char *argv[] = {self, word, named, NULL};
    struct slt_child_plan plan = {.argv = argv, .prepare = prepare};
    int code = slt_child_start(&child, &plan, why, sizeof(why));
    if (code == 3) {
        printf("skipped: %s\n", why);
        fflush(stdout);
        _exit(77);
    }
    if (code != 0) {
        print_error("%s: %s\n", name, why);
    }
    assert_int_equal(code, 0);
    return child;
}

static inline struct slt_child start(const char *name)
{
    return start_prepared(name, NULL);
}

static inline int64_t clock_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

static inline void sleep_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* The next call of the program; fails when none comes in ten seconds. */
static inline struct slt_call next_call(const struct slt_child *child)
{
    struct slt_call call = {.kind = SLT_CALL_COUNT};
    struct pollfd ready = {.fd = child->notify_fd, .events = POLLIN};
    int64_t until_ms = clock_ms() + 10000;
    while (clock_ms() < until_ms) {
        (void)poll(&ready, 1, 1000);
        if (slt_notify_take(child->notify_fd, &call)) {
            return call;
        }
        assert_false(slt_notify_is_deserted(child->notify_fd));
    }
    fail_msg("no call came");
    return call;
}

/* The next call, which has to be of this kind. */
static inline struct slt_call next_of(const struct slt_child *child, enum slt_call_kind kind)
{
    struct slt_call call = next_call(child);
    assert_int_equal(call.kind, kind);
    return call;
}

static inline void let_go(struct slt_child *child)
{
    close(child->notify_fd);
    close(child->pidfd);
}

/* The program's exit status; what it still calls gets MARK. */
static inline int finish(struct slt_child *child)
{
    bool any_left = true;
    int64_t until_ms = clock_ms() + 20000;
    while (clock_ms() < until_ms) {
        struct pollfd ready[2] = {{.fd = child->notify_fd, .events = POLLIN},
                                  {.fd = child->pidfd, .events = POLLIN}};
        struct slt_call call;
        (void)poll(ready, 2, 1000);
        while (slt_notify_take(child->notify_fd, &call)) {
            (void)slt_notify_answer(child->notify_fd, &call, MARK);
        }
        int code = slt_child_reap(child, &any_left);
        if (code >= 0) {
            let_go(child);
            return code;
        }
    }
    (void)kill(child->pid, SIGKILL);
    fail_msg("the program does not end");
    return -1;
}

/* Run `body` in a process of its own that has no privilege; its exit status. */
static inline int as_nobody(int (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        if (geteuid() == 0 &&
            (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)) {
            _exit(255);
        }
        _exit(body());
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

#endif
