/* After set-up the supervisor can do its work, and nothing more. */
#define _GNU_SOURCE 1
#include "program.h"

#include "run/privilege_linux.h"
#include "run/target_linux.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define KEPT ((1ULL << CAP_SYS_PTRACE) | (1ULL << CAP_KILL) | (1ULL << CAP_NET_BIND_SERVICE))

/* A set of capabilities as /proc/self/status shows it. */
static uint64_t read_set(const char *name)
{
    char line[256];
    uint64_t set = UINT64_MAX;
    FILE *file = fopen("/proc/self/status", "re");
    EXPECT(file);
    while (fgets(line, (int)sizeof(line), file)) {
        if (strncmp(line, name, strlen(name)) == 0) {
            set = strtoull(line + strlen(name) + 1, NULL, 16);
        }
    }
    fclose(file);
    return set;
}

/* What an execve would pass on: all that may be, so that there is something to take away. */
static void make_inheritable(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    EXPECT(syscall(SYS_capget, &header, sets) == 0);
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        sets[i].inheritable = sets[i].permitted;
    }
    EXPECT(syscall(SYS_capset, &header, sets) == 0);
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0);
}

static int drop_and_look(void)
{
    make_inheritable();
    uint64_t before = read_set("CapPrm:");
    bool could_shrink = (before & (1ULL << CAP_SETPCAP)) != 0;
    EXPECT(slt_privilege_drop() == 0);
    EXPECT(read_set("CapPrm:") == (before & KEPT));
    EXPECT(read_set("CapEff:") == (before & KEPT));
    EXPECT(read_set("CapInh:") == 0);
    EXPECT(read_set("CapAmb:") == 0);
    EXPECT(!could_shrink || (read_set("CapBnd:") & ~KEPT) == 0);
    EXPECT(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    EXPECT(slt_privilege_can_look() == ((before & (1ULL << CAP_SYS_PTRACE)) != 0));
    char *argv[] = {"/no/such/program", NULL};
    EXPECT(execv(argv[0], argv) == -1 && errno == EPERM);
    EXPECT(unshare(CLONE_NEWUSER) == -1 && errno == EPERM);
    EXPECT(unshare(0) == -1 && errno == EPERM);
    EXPECT(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) == -1 && errno == EPERM);
    EXPECT(syscall(SYS_clone3, 0, 0) == -1 && errno == ENOSYS);
    EXPECT(mount("none", "/", NULL, MS_REMOUNT, NULL) == -1 && errno == EPERM);
    EXPECT(socket(AF_PACKET, SOCK_RAW, 0) == -1 && errno == EPERM);
    EXPECT(slt_privilege_drop() == 0); /* again: nothing is left to do */
    return 0;
}

static int in_a_fork(int (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        _exit(body());
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

static void test_little_is_left(void **state)
{
    (void)state;
    assert_int_equal(in_a_fork(drop_and_look), 0);
}

static void test_little_is_left_without_privilege(void **state)
{
    (void)state;
    assert_int_equal(as_nobody(drop_and_look), 0);
}

/* A program that changed its user, as servers' workers do, is still looked into and given to. */
static int change_user(void)
{
    int value = 4711;
    EXPECT(geteuid() != 0 ||
           (setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(syscall(SYS_listen, fd, &value) > fd && value == 4712);
    return 0;
}

static int supervise_after_drop(void)
{
    int value = 0;
    struct slt_child child = start("change-user");
    EXPECT(slt_privilege_drop() == 0);
    struct slt_call call = next_call(&child);
    int fd = (int)call.args[0];
    EXPECT(slt_target_read(call.tid, call.args[1], &value, sizeof(value)) == 0 && value == 4711);
    value++;
    EXPECT(slt_target_write(call.tid, call.args[1], &value, sizeof(value)) == 0);
    int64_t inode = slt_target_socket_inode(call.tid, fd);
    EXPECT(inode > 0);
    int taken = slt_target_take_fd(call.tid, fd);
    EXPECT(taken >= 0 && slt_target_socket_inode(getpid(), taken) == inode);
    EXPECT(slt_target_is_sole(call.tid, fd, (uint64_t)inode));
    EXPECT(slt_notify_give(child.notify_fd, &call, taken, 0));
    int code = finish(&child);
    close(taken);
    return code;
}

static void test_work_goes_on(void **state)
{
    (void)state;
    int code = in_a_fork(supervise_after_drop);
    if (code == 77) {
        print_message("skipped: this kernel hands no calls over\n");
        skip();
    }
    assert_int_equal(code, 0);
    assert_int_equal(as_nobody(supervise_after_drop), 0);
}

int main(int argc, char **argv)
{
    static const struct program programs[] = {{"change-user", change_user}, {NULL, NULL}};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_little_is_left),
        cmocka_unit_test(test_little_is_left_without_privilege),
        cmocka_unit_test(test_work_goes_on),
    };
    int code = run_program(argc, argv, programs);
    return code >= 0 ? code : cmocka_run_group_tests(tests, NULL, NULL);
}
