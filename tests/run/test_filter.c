/* What the filter hands over, what it refuses, and what it leaves alone. */
#define _GNU_SOURCE 1
#include "program.h"

#include "run/filter_linux.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define GARBAGE 0x7654321000000000L /* in the upper half of an int argument's register */

/* ---- kinds -------------------------------------------------------------------------------- */

static void test_every_kind_has_its_number(void **state)
{
    static const struct {
        int nr;
        enum slt_call_kind kind;
    } rows[] = {
        {SYS_socket, SLT_CALL_SOCKET},           {SYS_bind, SLT_CALL_BIND},
        {SYS_listen, SLT_CALL_LISTEN},           {SYS_accept, SLT_CALL_ACCEPT},
        {SYS_accept4, SLT_CALL_ACCEPT4},         {SYS_connect, SLT_CALL_CONNECT},
        {SYS_getsockname, SLT_CALL_GETSOCKNAME}, {SYS_getpeername, SLT_CALL_GETPEERNAME},
        {SYS_setsockopt, SLT_CALL_SETSOCKOPT},   {SYS_getsockopt, SLT_CALL_GETSOCKOPT},
        {SYS_shutdown, SLT_CALL_SHUTDOWN},       {SYS_sendto, SLT_CALL_SENDTO},
        {SYS_sendmsg, SLT_CALL_SENDMSG},         {SYS_recvfrom, SLT_CALL_RECVFROM},
        {SYS_recvmsg, SLT_CALL_RECVMSG},         {SYS_ioctl, SLT_CALL_IOCTL},
    };
    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), SLT_CALL_FOREIGN);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum slt_call_kind kind = SLT_CALL_COUNT;
        bool is_x86 =
            slt_filter_kind(rows[i].nr, AUDIT_ARCH_X86_64, &kind) && kind != SLT_CALL_FOREIGN;
        if (!is_x86) {
            assert_true(slt_filter_kind(rows[i].nr, AUDIT_ARCH_AARCH64, &kind));
        }
        assert_int_equal(kind, rows[i].kind);
    }
}

static void test_other_architectures_are_foreign(void **state)
{
    enum slt_call_kind kind = SLT_CALL_COUNT;
    (void)state;
    assert_true(slt_filter_kind(20, AUDIT_ARCH_I386, &kind));
    assert_int_equal(kind, SLT_CALL_FOREIGN);
    assert_true(slt_filter_kind(20, AUDIT_ARCH_ARM, &kind));
    assert_int_equal(kind, SLT_CALL_FOREIGN);
    kind = SLT_CALL_COUNT;
    assert_true(slt_filter_kind(0x40000000 | 20, AUDIT_ARCH_X86_64, &kind));
    assert_int_equal(kind, SLT_CALL_FOREIGN);
}

/* ---- which calls -------------------------------------------------------------------------- */

/* A call with descriptor -1 that is left to the kernel answers EBADF; one handed over, MARK. */
#define HANDED(...) EXPECT(syscall(__VA_ARGS__) == MARK)
#define KERNELS(...)                                                                               \
    do {                                                                                           \
        errno = 0;                                                                                 \
        EXPECT(syscall(__VA_ARGS__) == -1 && errno == EBADF);                                      \
    } while (0)
#define REFUSED(code, ...)                                                                         \
    do {                                                                                           \
        errno = 0;                                                                                 \
        EXPECT(syscall(__VA_ARGS__) == -1 && errno == (code));                                     \
    } while (0)

static bool is_kernel_socket(long family, long type, long protocol)
{
    long fd = syscall(SYS_socket, family, type, protocol);
    if (fd >= 0) {
        close((int)fd);
    }
    return fd != MARK;
}

static int call_socket(void)
{
    HANDED(SYS_socket, AF_INET, SOCK_STREAM, 0);
    HANDED(SYS_socket, AF_INET6, SOCK_STREAM, 0);
    HANDED(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    HANDED(SYS_socket, AF_INET6, SOCK_STREAM, IPPROTO_TCP);
    HANDED(SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    HANDED(SYS_socket, AF_INET, SOCK_STREAM | 0x40000, 0); /* the supervisor says EINVAL */
    HANDED(SYS_socket, GARBAGE | AF_INET, GARBAGE | SOCK_STREAM, GARBAGE | IPPROTO_TCP);
    HANDED(SYS_socket, GARBAGE | AF_INET6, GARBAGE | SOCK_STREAM, GARBAGE);
    REFUSED(EPROTONOSUPPORT, SYS_socket, AF_INET, SOCK_STREAM, 262);
    REFUSED(EPROTONOSUPPORT, SYS_socket, AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 262);
    EXPECT(is_kernel_socket(AF_INET, SOCK_DGRAM, 0));
    EXPECT(is_kernel_socket(AF_INET6, SOCK_DGRAM, IPPROTO_UDP));
    EXPECT(is_kernel_socket(AF_INET, SOCK_RAW, IPPROTO_TCP));
    EXPECT(is_kernel_socket(AF_INET, SOCK_STREAM, 132));
    EXPECT(is_kernel_socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT(is_kernel_socket(AF_NETLINK, SOCK_RAW, 0));
    return 0;
}

static int call_others(void)
{
    static const long nrs[] = {SYS_bind,        SYS_listen,     SYS_connect,    SYS_getsockname,
                               SYS_getpeername, SYS_setsockopt, SYS_getsockopt, SYS_shutdown};
    for (size_t i = 0; i < sizeof(nrs) / sizeof(nrs[0]); i++) {
        HANDED(nrs[i], -1, 0, 0, 0, 0);
    }
    HANDED(SYS_accept, -1, GARBAGE, 0);
    HANDED(SYS_accept, -1, 8, 0);
    HANDED(SYS_accept4, -1, 8, 0, 0);
    KERNELS(SYS_accept, -1, 0, 0);
    KERNELS(SYS_accept4, -1, 0, 0, SOCK_CLOEXEC);
    KERNELS(SYS_read, -1, 0, 0);
    KERNELS(SYS_write, -1, 0, 0);
    KERNELS(SYS_close, -1);
    KERNELS(SYS_dup, -1);
    KERNELS(SYS_ioctl, -1, FIONREAD, 0);
    KERNELS(SYS_ioctl, -1, FIONBIO, 0);
    KERNELS(SYS_ioctl, -1, SIOCGIFCONF, 0);
    HANDED(SYS_ioctl, -1, SIOCOUTQ, 0);
    HANDED(SYS_ioctl, -1, SIOCOUTQNSD, 0);
    HANDED(SYS_ioctl, -1, SIOCATMARK, 0);
    HANDED(SYS_ioctl, -1, GARBAGE | SIOCATMARK, 0);
    return 0;
}

static int call_data(void)
{
    struct msghdr message = {0};
    KERNELS(SYS_sendto, -1, 0, 0, 0, 0, 0);
    KERNELS(SYS_sendto, -1, 0, 0, MSG_NOSIGNAL | MSG_DONTWAIT, 0, 8);
    HANDED(SYS_sendto, -1, 0, 0, MSG_NOSIGNAL | MSG_MORE | MSG_DONTWAIT, 0, 8);
    HANDED(SYS_sendto, -1, 0, 0, 0, 8, 0);
    HANDED(SYS_sendto, -1, 0, 0, 0, GARBAGE, 0);
    HANDED(SYS_sendto, -1, 0, 0, MSG_OOB | MSG_NOSIGNAL, 0, 0);
    HANDED(SYS_sendto, -1, 0, 0, MSG_FASTOPEN | MSG_NOSIGNAL, 0, 0);
    HANDED(SYS_sendto, -1, 0, 0, MSG_OOB, 8, 0);
    KERNELS(SYS_sendmsg, -1, &message, MSG_NOSIGNAL);
    HANDED(SYS_sendmsg, -1, &message, MSG_OOB);
    HANDED(SYS_sendmsg, -1, &message, MSG_MORE);
    HANDED(SYS_sendmsg, -1, &message, MSG_FASTOPEN | MSG_DONTWAIT);
    KERNELS(SYS_recvfrom, -1, 0, 0, MSG_PEEK | MSG_WAITALL, 0, 0);
    HANDED(SYS_recvfrom, -1, 0, 0, 0, 8, 0);
    HANDED(SYS_recvfrom, -1, 0, 0, MSG_OOB, 0, 0);
    HANDED(SYS_recvfrom, -1, 0, 0, MSG_TRUNC | MSG_DONTWAIT, 0, 0);
    HANDED(SYS_recvfrom, -1, 0, 0, GARBAGE | MSG_OOB | MSG_PEEK, GARBAGE, 0);
    KERNELS(SYS_recvmsg, -1, &message, MSG_PEEK);
    HANDED(SYS_recvmsg, -1, &message, MSG_OOB);
    REFUSED(ENOSYS, SYS_io_uring_setup, 8, 0);
    REFUSED(ENOSYS, SYS_io_uring_enter, -1, 0, 0, 0, 0, 0);
    REFUSED(ENOSYS, SYS_io_uring_register, -1, 0, 0, 0);
    return 0;
}

static void *call_in_thread(void *done)
{
    *(bool *)done = syscall(SYS_listen, -1, 0) == MARK;
    return NULL;
}

/* In a thread, in a child, and after another execve the filter is the same. */
static int call_later(void)
{
    pthread_t thread;
    bool done = false;
    int status = -1;
    EXPECT(pthread_create(&thread, NULL, call_in_thread, &done) == 0);
    EXPECT(pthread_join(thread, NULL) == 0 && done);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {"/proc/self/exe", "program", "others", NULL};
        execv(argv[0], argv);
        _exit(255);
    }
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}

/* A second filter with a listener is refused: there is one supervisor. */
static int install_again(void)
{
    EXPECT(slt_filter_install() == -EBUSY);
    return 0;
}

static void expect_fine(const char *name)
{
    struct slt_child child = start(name);
    assert_int_equal(finish(&child), 0);
}

static void test_socket_for_tcp_only(void **state)
{
    (void)state;
    expect_fine("socket");
}

static void test_calls_that_name_addresses(void **state)
{
    (void)state;
    expect_fine("others");
}

static void test_data_calls_only_when_they_must(void **state)
{
    (void)state;
    expect_fine("data");
}

static void test_threads_children_and_execve(void **state)
{
    (void)state;
    expect_fine("later");
}

static void test_one_supervisor(void **state)
{
    (void)state;
    expect_fine("again");
}

static int filtered_without_privilege(void)
{
    static const char *const names[] = {"socket", "others", "data", "later", "again", "privs"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slt_child child = start(names[i]);
        if (finish(&child) != 0) {
            return 1 + (int)i;
        }
    }
    return 0;
}

static void test_without_privilege(void **state)
{
    (void)state;
    assert_int_equal(as_nobody(filtered_without_privilege), 0);
}

/* ---- set-user-id programs ----------------------------------------------------------------- */

/* no_new_privs is there exactly when there was no CAP_SYS_ADMIN. */
static int look_at_privs(void)
{
    EXPECT((prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) == (geteuid() == 0));
    return 0;
}

/* A copy of this program that is root's whoever starts it; where set-user-id files are not obeyed
 * (a mount with nosuid), that is said. */
static char risen_path[64];

static int be_risen(void)
{
    EXPECT(geteuid() == 0 && getuid() == 65534);
    HANDED(SYS_listen, -1, 0);
    return 0;
}

static int exec_risen(void)
{
    EXPECT(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    char *argv[] = {getenv("RISEN"), "program", "risen", NULL};
    execv(argv[0], argv);
    return 1;
}

static bool copy_self(const char *path)
{
    char command[160];
    snprintf(command, sizeof(command), "cp /proc/%d/exe %s && chmod 4755 %s", (int)getpid(), path,
             path);
    return system(command) == 0;
}

static void test_set_user_id_programs_rise(void **state)
{
    (void)state;
    char folder[] = "/tmp/salut-filter-XXXXXX";
    if (geteuid() != 0) {
        print_message("skipped: set-user-id files are made by root\n");
        skip();
    }
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chmod(folder, 0755), 0);
    snprintf(risen_path, sizeof(risen_path), "%s/risen", folder);
    bool copied = copy_self(risen_path);
    (void)setenv("RISEN", risen_path, 1);
    int code = 1;
    if (copied) {
        struct slt_child child = start("exec-risen");
        code = finish(&child);
    }
    (void)unlink(risen_path);
    (void)rmdir(folder);
    assert_true(copied);
    assert_int_equal(code, 0);
}

/* ---- other architectures ------------------------------------------------------------------ */

#if defined(__x86_64__)
static long call_i386(long nr)
{
    long result = nr;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result;
}

static long call_x32(long nr)
{
    return syscall(0x40000000L | nr);
}
#define HAS_OTHERS true
#else
static long call_i386(long nr)
{
    return nr;
}

static long call_x32(long nr)
{
    return nr;
}
#define HAS_OTHERS false
#endif

#define NO_EMULATION 99 /* exit status: this kernel knows no 32-bit calls */

static void on_fault(int number)
{
    (void)number;
    _exit(NO_EMULATION);
}

static int be_i386(void)
{
    (void)signal(SIGSEGV, on_fault);
    EXPECT((int)call_i386(20) == MARK);
    return 0;
}

static int be_x32(void)
{
    EXPECT(call_x32(39) == MARK);
    return 0;
}

static void expect_foreign(const char *name)
{
    if (!HAS_OTHERS) {
        print_message("skipped: this architecture has no other beside it\n");
        skip();
    }
    struct slt_child child = start(name);
    struct pollfd ready[2] = {{.fd = child.notify_fd, .events = POLLIN},
                              {.fd = child.pidfd, .events = POLLIN}};
    struct slt_call call;
    (void)poll(ready, 2, 10000);
    bool taken = slt_notify_take(child.notify_fd, &call);
    if (taken) {
        assert_int_equal(call.kind, SLT_CALL_FOREIGN);
        assert_true(slt_notify_answer(child.notify_fd, &call, MARK));
    }
    int code = finish(&child);
    if (!taken && code == NO_EMULATION) {
        print_message("skipped: this kernel runs no 32-bit programs\n");
        skip();
    }
    assert_true(taken);
    assert_int_equal(code, 0);
}

static void test_i386_is_foreign(void **state)
{
    (void)state;
    expect_foreign("i386");
}

static void test_x32_is_foreign(void **state)
{
    (void)state;
    expect_foreign("x32");
}

int main(int argc, char **argv)
{
    static const struct program programs[] = {
        {"socket", call_socket},
        {"others", call_others},
        {"data", call_data},
        {"later", call_later},
        {"again", install_again},
        {"privs", look_at_privs},
        {"risen", be_risen},
        {"exec-risen", exec_risen},
        {"i386", be_i386},
        {"x32", be_x32},
        {NULL, NULL},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_has_its_number),
        cmocka_unit_test(test_other_architectures_are_foreign),
        cmocka_unit_test(test_socket_for_tcp_only),
        cmocka_unit_test(test_calls_that_name_addresses),
        cmocka_unit_test(test_data_calls_only_when_they_must),
        cmocka_unit_test(test_threads_children_and_execve),
        cmocka_unit_test(test_one_supervisor),
        cmocka_unit_test(test_without_privilege),
        cmocka_unit_test(test_set_user_id_programs_rise),
        cmocka_unit_test(test_i386_is_foreign),
        cmocka_unit_test(test_x32_is_foreign),
    };
    int code = run_program(argc, argv, programs);
    return code >= 0 ? code : cmocka_run_group_tests(tests, NULL, NULL);
}
