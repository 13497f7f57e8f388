/* Calls of a program taken and answered, each exactly once, also when its thread is interrupted or
 * killed meanwhile. */
#define _GNU_SOURCE 1
#include "program.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* ---- answers ------------------------------------------------------------------------------ */

static int make_calls(void)
{
    EXPECT(syscall(SYS_setsockopt, -7, 1L << 40, 3, 4, 5) == 0);
    EXPECT(syscall(SYS_listen, -1, 2) == 12345);
    EXPECT(syscall(SYS_listen, -1, 3) == -1 && errno == ECONNREFUSED);
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    int type = 0;
    socklen_t bytes = sizeof(type);
    EXPECT(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 && type == SOCK_DGRAM);
    return 0;
}

static void test_answers_and_passing(void **state)
{
    (void)state;
    struct slt_child child = start("calls");
    struct slt_call call = next_of(&child, SLT_CALL_SETSOCKOPT);
    assert_int_equal(call.tid, child.pid);
    assert_int_equal(call.nr, SYS_setsockopt);
    assert_int_equal((int)call.args[0], -7);
    assert_true(call.args[1] == 1ULL << 40);
    assert_int_equal(call.args[4], 5);
    assert_true(slt_notify_is_waiting(child.notify_fd, &call));
    assert_true(slt_notify_answer(child.notify_fd, &call, 0));
    assert_false(slt_notify_is_waiting(child.notify_fd, &call));
    assert_false(slt_notify_answer(child.notify_fd, &call, 0));
    call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(slt_notify_answer(child.notify_fd, &call, 12345));
    call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(slt_notify_answer(child.notify_fd, &call, -ECONNREFUSED));
    call = next_of(&child, SLT_CALL_GETSOCKOPT);
    slt_notify_pass(child.notify_fd, &call);
    assert_int_equal(finish(&child), 0);
}

static int stay_quiet(void)
{
    sleep_ms(200);
    return 0;
}

static void test_nothing_to_take(void **state)
{
    struct slt_call call;
    (void)state;
    struct slt_child child = start("quiet");
    assert_true(slt_notify_can_give(child.notify_fd));
    int64_t began_ms = clock_ms();
    assert_false(slt_notify_take(child.notify_fd, &call));
    assert_true(clock_ms() - began_ms < 150);
    assert_false(slt_notify_is_deserted(child.notify_fd));
    int fd = child.notify_fd;
    child.notify_fd = dup(fd);
    assert_int_equal(finish(&child), 0);
    assert_true(slt_notify_is_deserted(fd));
    assert_false(slt_notify_take(fd, &call));
    close(fd);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static int be_given(void)
{
    char byte = 0;
    long plain = syscall(SYS_listen, -1, 1);
    EXPECT(plain > 2 && (fcntl((int)plain, F_GETFD) & FD_CLOEXEC) == 0);
    EXPECT(write((int)plain, "a", 1) == 1);
    long closing = syscall(SYS_listen, -1, 2);
    EXPECT(closing > 2 && closing != plain && fcntl((int)closing, F_GETFD) == FD_CLOEXEC);
    EXPECT(write((int)closing, "b", 1) == 1);
    /* The third is put in the place of the first; a duplicate of that stays what it was. */
    int other = dup((int)plain);
    EXPECT(syscall(SYS_listen, plain, 3) == 0);
    EXPECT(read((int)plain, &byte, 1) == 1 && byte == 'z');
    EXPECT(write(other, "c", 1) == 1);
    return 0;
}

static void test_giving_and_replacing(void **state)
{
    int ends[2];
    int pipe_ends[2];
    char text[4] = "";
    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pipe2(pipe_ends, O_CLOEXEC), 0);
    struct slt_child child = start("given");
    struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(slt_notify_give(child.notify_fd, &call, ends[1], 0));
    assert_false(slt_notify_answer(child.notify_fd, &call, 1));
    call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(slt_notify_give(child.notify_fd, &call, ends[1], O_CLOEXEC));
    call = next_of(&child, SLT_CALL_LISTEN);
    assert_int_equal(
        slt_notify_replace(child.notify_fd, &call, pipe_ends[0], (int)call.args[0], O_CLOEXEC), 0);
    assert_int_equal(write(pipe_ends[1], "z", 1), 1);
    assert_true(slt_notify_is_waiting(child.notify_fd, &call));
    assert_true(slt_notify_answer(child.notify_fd, &call, 0));
    assert_int_equal(finish(&child), 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], text, 3), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(read(ends[0], text, 1), 0); /* nobody holds the other end any more */
    close(ends[0]);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

/* A full table: the program reads EMFILE, and gets one when it has room again. */
static int be_full(void)
{
    struct rlimit limit = {.rlim_cur = 16, .rlim_max = 16};
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    int last = 0;
    for (int fd = 0; fd >= 0; fd = dup(0)) {
        last = fd;
    }
    EXPECT(syscall(SYS_listen, -1, 1) == -1 && errno == EMFILE);
    EXPECT(syscall(SYS_listen, -1, 2) == -1 && errno == EBADF);
    close(last);
    EXPECT(syscall(SYS_listen, -1, 3) == last);
    return 0;
}

static void test_full_table(void **state)
{
    (void)state;
    struct slt_child child = start("full");
    struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
    assert_false(slt_notify_give(child.notify_fd, &call, 0, 0));
    assert_false(slt_notify_is_waiting(child.notify_fd, &call));
    call = next_of(&child, SLT_CALL_LISTEN);
    int result = slt_notify_replace(child.notify_fd, &call, 0, 16, 0);
    assert_int_equal(result, -EBADF);
    assert_true(slt_notify_answer(child.notify_fd, &call, result));
    call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(slt_notify_give(child.notify_fd, &call, 0, 0));
    assert_int_equal(finish(&child), 0);
}

/* ---- interrupted, killed, alone ------------------------------------------------------------ */

static void on_signal(int number)
{
    (void)number;
}

static void catch_signal(int flags)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
}

static int be_interrupted(void)
{
    catch_signal(0);
    EXPECT(syscall(SYS_listen, -1, 1) == -1 && errno == EINTR);
    catch_signal((int)SA_RESTART);
    EXPECT(syscall(SYS_listen, -1, 2) == 99);
    return 0;
}

static void wait_until_gone(const struct slt_child *child, const struct slt_call *call)
{
    int64_t until_ms = clock_ms() + 5000;
    while (slt_notify_is_waiting(child->notify_fd, call)) {
        assert_true(clock_ms() < until_ms);
        sleep_ms(1);
    }
}

/* SOCK-32: a call that waits ends with EINTR, or comes again, as the handler's flags say. */
static void test_interrupted_calls(void **state)
{
    int fd = 0;
    (void)state;
    struct slt_child child = start("interrupted");
    struct slt_call first = next_of(&child, SLT_CALL_LISTEN);
    slt_child_signal(&child, SIGUSR1);
    wait_until_gone(&child, &first);
    assert_false(slt_notify_answer(child.notify_fd, &first, 1));
    assert_false(slt_notify_give(child.notify_fd, &first, fd, 0));
    assert_int_equal(slt_notify_replace(child.notify_fd, &first, fd, 1, 0), -ENOENT);
    struct slt_call second = next_of(&child, SLT_CALL_LISTEN);
    assert_int_equal(second.args[1], 2);
    slt_child_signal(&child, SIGUSR1);
    struct slt_call again = next_of(&child, SLT_CALL_LISTEN);
    assert_int_equal(again.args[1], 2);
    assert_int_equal(again.tid, second.tid);
    assert_true(again.id != second.id);
    assert_false(slt_notify_answer(child.notify_fd, &second, 98));
    assert_true(slt_notify_answer(child.notify_fd, &again, 99));
    assert_int_equal(finish(&child), 0);
}

static int call_once(void)
{
    return syscall(SYS_listen, -1, 1) == -1 && errno == ENOSYS ? 0 : 1;
}

static void test_killed_before_taking(void **state)
{
    struct slt_call call;
    (void)state;
    struct slt_child child = start("once");
    struct pollfd ready = {.fd = child.notify_fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, 10000), 1);
    slt_child_signal(&child, SIGKILL);
    sleep_ms(50);
    int64_t began_ms = clock_ms();
    assert_false(slt_notify_take(child.notify_fd, &call));
    assert_true(clock_ms() - began_ms < 1000);
    assert_int_equal(finish(&child), 128 + SIGKILL);
}

static void test_killed_after_taking(void **state)
{
    (void)state;
    struct slt_child child = start("once");
    struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
    slt_child_signal(&child, SIGKILL);
    wait_until_gone(&child, &call);
    assert_false(slt_notify_answer(child.notify_fd, &call, 0));
    slt_notify_pass(child.notify_fd, &call);
    assert_int_equal(finish(&child), 128 + SIGKILL);
}

/* From whichever thread the call came, the process ends. */
static void *call_from_thread(void *unused)
{
    (void)syscall(SYS_listen, -1, 1);
    return unused;
}

static int call_from_second(void)
{
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, call_from_thread, NULL) == 0);
    (void)pthread_join(thread, NULL);
    return 0;
}

static void test_killing(void **state)
{
    (void)state;
    struct slt_child child = start("second");
    struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(call.tid != child.pid);
    slt_notify_kill(child.notify_fd, &call);
    assert_false(slt_notify_is_waiting(child.notify_fd, &call));
    assert_int_equal(finish(&child), 128 + SIGKILL);
}

/* The supervisor dies: who waits reads ENOSYS, and so does whoever calls later. */
static void test_supervisor_gone(void **state)
{
    int status = -1;
    (void)state;
    struct slt_child child = start("once");
    (void)next_of(&child, SLT_CALL_LISTEN);
    let_go(&child);
    assert_int_equal(waitpid(child.pid, &status, 0), child.pid);
    assert_int_equal(status, 0);
}

/* ---- many at once -------------------------------------------------------------------------- */

#define THREADS          8
#define CALLS_PER_THREAD 300

static void *call_often(void *number)
{
    long base = (long)(intptr_t)number * 1000;
    for (long i = 0; i < CALLS_PER_THREAD; i++) {
        if (syscall(SYS_listen, -1, base + i) != base + i + 1) {
            return number;
        }
    }
    return NULL;
}

static int call_from_threads(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        EXPECT(pthread_create(&threads[i], NULL, call_often, (void *)(intptr_t)(i + 1)) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result = NULL;
        EXPECT(pthread_join(threads[i], &result) == 0 && result == NULL);
    }
    return 0;
}

static void test_many_threads(void **state)
{
    (void)state;
    struct slt_child child = start("threads");
    for (int i = 0; i < THREADS * CALLS_PER_THREAD; i++) {
        struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
        assert_true(slt_notify_answer(child.notify_fd, &call, (int64_t)call.args[1] + 1));
    }
    assert_int_equal(finish(&child), 0);
}

static int leave_orphan(void)
{
    if (fork() == 0) {
        (void)setsid();
        sleep_ms(300);
        EXPECT(syscall(SYS_listen, -1, 1) == 5);
        _exit(0);
    }
    return 0;
}

/* What was left behind is still under the filter, is answered, and is noticed when it ends. */
static void test_orphans(void **state)
{
    bool any_left = false;
    (void)state;
    struct slt_child child = start("orphan");
    while (slt_child_reap(&child, &any_left) < 0) {
        sleep_ms(1);
    }
    assert_true(any_left);
    struct slt_call call = next_of(&child, SLT_CALL_LISTEN);
    assert_true(call.tid != child.pid);
    assert_true(slt_notify_answer(child.notify_fd, &call, 5));
    int64_t until_ms = clock_ms() + 5000;
    while (any_left && clock_ms() < until_ms) {
        sleep_ms(1);
        assert_int_equal(slt_child_reap(&child, &any_left), 0);
    }
    assert_false(any_left);
    let_go(&child);
}

int main(int argc, char **argv)
{
    static const struct program programs[] = {
        {"calls", make_calls},
        {"quiet", stay_quiet},
        {"given", be_given},
        {"full", be_full},
        {"interrupted", be_interrupted},
        {"once", call_once},
        {"second", call_from_second},
        {"threads", call_from_threads},
        {"orphan", leave_orphan},
        {NULL, NULL},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_passing),
        cmocka_unit_test(test_nothing_to_take),
        cmocka_unit_test(test_giving_and_replacing),
        cmocka_unit_test(test_full_table),
        cmocka_unit_test(test_interrupted_calls),
        cmocka_unit_test(test_killed_before_taking),
        cmocka_unit_test(test_killed_after_taking),
        cmocka_unit_test(test_supervisor_gone),
        cmocka_unit_test(test_killing),
        cmocka_unit_test(test_many_threads),
        cmocka_unit_test(test_orphans),
    };
    int code = run_program(argc, argv, programs);
    return code >= 0 ? code : cmocka_run_group_tests(tests, NULL, NULL);
}
