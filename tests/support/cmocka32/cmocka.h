/* The part of cmocka's interface that the tests use, for builds that cannot link the real one.
 *
 * A 64-bit Debian has no 32-bit cmocka without a foreign architecture, so the 32-bit builds of
 * the tests include this file instead. The names and meanings are cmocka's; mocking, and what else
 * no test here needs, is absent, and using it fails to compile. Everything is static, because each
 * test program is one file.
 */
#ifndef SALUT_TESTS_CMOCKA32_H
#define SALUT_TESTS_CMOCKA32_H

#include <fnmatch.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CM_UNUSED __attribute__((unused))

typedef uint64_t LargestIntegralType;
typedef void (*CMUnitTestFunction)(void **state);
typedef int (*CMFixtureFunction)(void **state);

struct CMUnitTest {
    const char *name;
    CMUnitTestFunction test_func;
    CMFixtureFunction setup_func;
    CMFixtureFunction teardown_func;
    void *initial_state;
};

#define cmocka_unit_test(f)                                                                        \
    {                                                                                              \
#f, f, NULL, NULL, NULL                                                                    \
    }
#define cmocka_unit_test_setup(f, setup)                                                           \
    {                                                                                              \
#f, f, setup, NULL, NULL                                                                   \
    }
#define cmocka_unit_test_teardown(f, teardown)                                                     \
    {                                                                                              \
#f, f, NULL, teardown, NULL                                                                \
    }
#define cmocka_unit_test_setup_teardown(f, setup, teardown)                                        \
    {                                                                                              \
#f, f, setup, teardown, NULL                                                               \
    }
#define cmocka_unit_test_prestate(f, state)                                                        \
    {                                                                                              \
#f, f, NULL, NULL, state                                                                   \
    }
#define cmocka_unit_test_prestate_setup_teardown(f, setup, teardown, state)                        \
    {                                                                                              \
#f, f, setup, teardown, state                                                              \
    }

enum { CM_PASSED, CM_FAILED, CM_SKIPPED };

static jmp_buf cm_exit CM_UNUSED;

CM_UNUSED static _Noreturn void cm_stop(const char *file, int line, int how)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, how == CM_SKIPPED ? "skipped" : "failed");
    longjmp(cm_exit, how);
}

/* A call that must end in mock_assert. */
static jmp_buf cm_expected CM_UNUSED;
static int cm_expecting CM_UNUSED;

static CM_UNUSED void mock_assert(int result, const char *what, const char *file, int line)
{
    if (!result) {
        if (cm_expecting) {
            longjmp(cm_expected, 1);
        }
        fprintf(stderr, "%s:%d: %s\n", file, line, what);
        abort();
    }
}

#define expect_assert_failure(call)                                                                \
    do {                                                                                           \
        cm_expecting = 1;                                                                          \
        if (setjmp(cm_expected) == 0) {                                                            \
            call;                                                                                  \
            cm_expecting = 0;                                                                      \
            cm_stop(__FILE__, __LINE__, CM_FAILED);                                                \
        }                                                                                          \
        cm_expecting = 0;                                                                          \
    } while (0)

CM_UNUSED static void cm_true(uint64_t fact, const char *text, const char *file, int line)
{
    if (!fact) {
        fprintf(stderr, "%s\n", text);
        cm_stop(file, line, CM_FAILED);
    }
}

CM_UNUSED static void cm_integers(uint64_t a, uint64_t b, const char *text, const char *file,
                                  int line)
{
    fprintf(stderr, "%s: %#llx, %#llx\n", text, (unsigned long long)a, (unsigned long long)b);
    cm_stop(file, line, CM_FAILED);
}

CM_UNUSED static void cm_strings(const char *a, const char *b, int want_equal, const char *file,
                                 int line)
{
    if ((strcmp(a, b) == 0) != want_equal) {
        fprintf(stderr, "\"%s\" %s \"%s\"\n", a, want_equal ? "!=" : "==", b);
        cm_stop(file, line, CM_FAILED);
    }
}

CM_UNUSED static void cm_memory(const void *a, const void *b, size_t size, const char *file,
                                int line)
{
    const uint8_t *p = a;
    const uint8_t *q = b;

    for (size_t i = 0; i < size; i++) {
        if (p[i] != q[i]) {
            fprintf(stderr, "byte %lu differs: %#x, %#x\n", (unsigned long)i, p[i], q[i]);
            cm_stop(file, line, CM_FAILED);
        }
    }
}

CM_UNUSED static void cm_memory_differs(const void *a, const void *b, size_t size, const char *file,
                                        int line)
{
    if (memcmp(a, b, size) == 0) {
        fprintf(stderr, "the memory is the same\n");
        cm_stop(file, line, CM_FAILED);
    }
}

#define CM_COMPARE(a, relation, b, type)                                                           \
    do {                                                                                           \
        const type cm_a = (type)(a);                                                               \
        const type cm_b = (type)(b);                                                               \
        if (!(cm_a relation cm_b)) {                                                               \
            cm_integers((uint64_t)cm_a, (uint64_t)cm_b, "not " #a " " #relation " " #b, __FILE__,  \
                        __LINE__);                                                                 \
        }                                                                                          \
    } while (0)

#define assert_true(c)             cm_true((uint64_t)((c) != 0), "not true: " #c, __FILE__, __LINE__)
#define assert_false(c)            cm_true((uint64_t)((c) == 0), "not false: " #c, __FILE__, __LINE__)
#define assert_null(p)             cm_true((p) == NULL, "not NULL: " #p, __FILE__, __LINE__)
#define assert_non_null(p)         cm_true((p) != NULL, "NULL: " #p, __FILE__, __LINE__)
#define assert_ptr_equal(a, b)     CM_COMPARE(a, ==, b, uintptr_t)
#define assert_ptr_not_equal(a, b) CM_COMPARE(a, !=, b, uintptr_t)
#define assert_int_equal(a, b)     CM_COMPARE(a, ==, b, uint64_t)
#define assert_int_not_equal(a, b) CM_COMPARE(a, !=, b, uint64_t)
#define assert_in_range(v, low, high)                                                              \
    do {                                                                                           \
        CM_COMPARE(v, >=, low, uint64_t);                                                          \
        CM_COMPARE(v, <=, high, uint64_t);                                                         \
    } while (0)
#define assert_not_in_range(v, low, high)                                                          \
    assert_true((uint64_t)(v) < (uint64_t)(low) || (uint64_t)(v) > (uint64_t)(high))
#define assert_string_equal(a, b)           cm_strings(a, b, 1, __FILE__, __LINE__)
#define assert_string_not_equal(a, b)       cm_strings(a, b, 0, __FILE__, __LINE__)
#define assert_memory_equal(a, b, size)     cm_memory(a, b, size, __FILE__, __LINE__)
#define assert_memory_not_equal(a, b, size) cm_memory_differs(a, b, size, __FILE__, __LINE__)
#define assert_return_code(rc, error)       assert_true((rc) >= 0)
#define fail()                              cm_stop(__FILE__, __LINE__, CM_FAILED)
#define skip()                              cm_stop(__FILE__, __LINE__, CM_SKIPPED)
#define fail_msg(...)                                                                              \
    do {                                                                                           \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        fail();                                                                                    \
    } while (0)
#define print_message(...) fprintf(stdout, __VA_ARGS__)
#define print_error(...)   fprintf(stderr, __VA_ARGS__)

CM_UNUSED static int cm_fixture(CMFixtureFunction fixture, void **state)
{
    return fixture == NULL ? 0 : fixture(state);
}

CM_UNUSED static int cm_run_one(const struct CMUnitTest *test, void *group_state)
{
    void *state = test->initial_state != NULL ? test->initial_state : group_state;
    void **volatile state_at = &state;
    volatile int how = setjmp(cm_exit);

    if (how == CM_PASSED) {
        if (cm_fixture(test->setup_func, state_at) != 0) {
            cm_stop(test->name, 0, CM_FAILED);
        }
        test->test_func(state_at);
    }
    if (cm_fixture(test->teardown_func, state_at) != 0) {
        how = CM_FAILED;
    }
    printf("[%s] %s\n",
           how == CM_PASSED   ? "  OK  "
           : how == CM_FAILED ? "FAILED"
                              : " SKIP ",
           test->name);
    return how;
}

/* A pattern of names to run; NULL: all. */
CM_UNUSED static const char *cm_filter;

CM_UNUSED static void cmocka_set_test_filter(const char *pattern)
{
    cm_filter = pattern;
}

CM_UNUSED static int cm_run_group(const struct CMUnitTest *tests, size_t count,
                                  CMFixtureFunction setup, CMFixtureFunction teardown)
{
    void *state = NULL;
    int failed = 0;

    if (cm_fixture(setup, &state) != 0) {
        fprintf(stderr, "the group's setup failed\n");
        return (int)count;
    }
    for (size_t i = 0; i < count; i++) {
        if (cm_filter == NULL || fnmatch(cm_filter, tests[i].name, 0) == 0) {
            failed += cm_run_one(&tests[i], state) == CM_FAILED;
        }
    }
    if (cm_fixture(teardown, &state) != 0) {
        failed++;
    }
    printf("%d of %lu tests failed\n", failed, (unsigned long)count);
    return failed;
}

#define cmocka_run_group_tests(group, setup, teardown)                                             \
    cm_run_group(group, sizeof(group) / sizeof((group)[0]), setup, teardown)
#define cmocka_run_group_tests_name(name, group, setup, teardown)                                  \
    cmocka_run_group_tests(group, setup, teardown)

#endif
