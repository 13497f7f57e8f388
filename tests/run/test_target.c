/* Looking into another process: its memory, its descriptors, its names. */
#define _GNU_SOURCE 1
#include "program.h"

#include "run/target_linux.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* A child that has what we had when it was made, and sits there until it is ended. `body` runs in
 * it first; the number it returns is handed to us. */
struct target {
    pid_t pid;
    int said;
};

static struct target make_target(int (*body)(void))
{
    int ends[2];
    struct target target = {.said = 0};
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    target.pid = fork();
    if (target.pid == 0) {
        int said = body ? body() : 0;
        (void)!write(ends[1], &said, sizeof(said));
        for (;;) {
            (void)pause();
        }
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &target.said, sizeof(target.said)), sizeof(target.said));
    close(ends[0]);
    return target;
}

static void end_target(const struct target *target)
{
    (void)kill(target->pid, SIGKILL);
    assert_int_equal(waitpid(target->pid, NULL, 0), target->pid);
}

static uint64_t address_of(const void *at)
{
    return (uint64_t)(uintptr_t)at;
}

static uint64_t inode_of(int fd)
{
    struct stat facts;
    assert_int_equal(fstat(fd, &facts), 0);
    return facts.st_ino;
}

/* ---- memory ------------------------------------------------------------------------------- */

static int theirs = 1;

static int change_theirs(void)
{
    theirs = 4711;
    return 0;
}

static void test_memory(void **state)
{
    int value = 0;
    (void)state;
    struct target target = make_target(change_theirs);
    assert_int_equal(slt_target_read(target.pid, address_of(&theirs), &value, sizeof(value)), 0);
    assert_int_equal(value, 4711);
    value = 12;
    assert_int_equal(slt_target_write(target.pid, address_of(&theirs), &value, sizeof(value)), 0);
    value = 0;
    assert_int_equal(slt_target_read(target.pid, address_of(&theirs), &value, sizeof(value)), 0);
    assert_int_equal(value, 12);
    assert_int_equal(theirs, 1);
    assert_int_equal(slt_target_read(target.pid, 0, &value, 0), 0);
    end_target(&target);
    assert_int_equal(slt_target_read(target.pid, address_of(&theirs), &value, 4), -ESRCH);
    assert_int_equal(slt_target_write(target.pid, address_of(&theirs), &value, 4), -ESRCH);
}

static void test_memory_that_is_not_there(void **state)
{
    char bytes[64] = {0};
    (void)state;
    long page = sysconf(_SC_PAGESIZE);
    char *area =
        mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(area, MAP_FAILED);
    assert_int_equal(munmap(area + page, (size_t)page), 0);
    struct target target = make_target(NULL);
    uint64_t edge = address_of(area) + (uint64_t)page;
    assert_int_equal(slt_target_read(target.pid, edge - 64, bytes, 64), 0);
    assert_int_equal(slt_target_read(target.pid, edge - 63, bytes, 64), -EFAULT);
    assert_int_equal(slt_target_write(target.pid, edge - 63, bytes, 64), -EFAULT);
    assert_int_equal(slt_target_read(target.pid, 0, bytes, 64), -EFAULT);
    assert_int_equal(slt_target_read(target.pid, UINT64_MAX - 8, bytes, 64), -EFAULT);
    assert_int_equal(slt_target_write(target.pid, UINT64_MAX / 2, bytes, 64), -EFAULT);
    end_target(&target);
    assert_int_equal(mprotect(area, (size_t)page, PROT_READ), 0);
    target = make_target(NULL);
    assert_int_equal(slt_target_read(target.pid, address_of(area), bytes, 64), 0);
    assert_int_equal(slt_target_write(target.pid, address_of(area), bytes, 64), -EFAULT);
    end_target(&target);
    assert_int_equal(munmap(area, (size_t)page), 0);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static void test_inodes(void **state)
{
    int ends[2];
    (void)state;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(pipe(ends), 0);
    struct target target = make_target(NULL);
    assert_true(slt_target_socket_inode(target.pid, fd) == (int64_t)inode_of(fd));
    assert_int_equal(slt_target_socket_inode(target.pid, ends[0]), 0);
    assert_int_equal(slt_target_socket_inode(target.pid, 999), -EBADF);
    assert_int_equal(slt_target_socket_inode(target.pid, -1), -EBADF);
    end_target(&target);
    assert_int_equal(slt_target_socket_inode(target.pid, fd), -ESRCH);
    assert_int_equal(slt_target_socket_inode(0, fd), -ESRCH);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

static void test_taking(void **state)
{
    (void)state;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct target target = make_target(NULL);
    int taken = slt_target_take_fd(target.pid, fd);
    assert_true(taken >= 0);
    assert_true(inode_of(taken) == inode_of(fd));
    assert_int_equal(fcntl(taken, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(taken, F_SETFL, O_NONBLOCK), 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0); /* one open file */
    assert_int_equal(slt_target_take_fd(target.pid, 999), -EBADF);
    assert_int_equal(slt_target_take_fd(target.pid, -1), -EBADF);
    end_target(&target);
    assert_int_equal(slt_target_take_fd(target.pid, fd), -ESRCH);
    close(taken);
    close(fd);
}

/* A thread with descriptors of its own: what it calls 50 is another socket than its process's, or
 * none of its process's at all. */
static struct {
    int tid;
    uint64_t inode;
} * apart; /* in memory that we share with the target */

static void *live_apart(void *ready_fd)
{
    (void)unshare(CLONE_FILES);
    (void)dup2(socket(AF_UNIX, SOCK_STREAM, 0), 50);
    apart->inode = inode_of(50);
    apart->tid = (int)syscall(SYS_gettid);
    (void)!write(*(int *)ready_fd, "r", 1);
    for (;;) {
        (void)pause();
    }
    return NULL;
}

static int start_apart(void)
{
    pthread_t thread;
    int ends[2];
    char byte;
    (void)!pipe(ends);
    (void)pthread_create(&thread, NULL, live_apart, &ends[1]);
    (void)!read(ends[0], &byte, 1);
    return apart->tid;
}

static void test_threads_with_tables_of_their_own(void **state)
{
    (void)state;
    apart = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(apart, MAP_FAILED);
    struct target target = make_target(start_apart);
    assert_true(target.said > 0 && target.said != target.pid);
    assert_true(slt_target_socket_inode(target.said, 50) == (int64_t)apart->inode);
    assert_int_equal(slt_target_socket_inode(target.pid, 50), -EBADF);
    assert_int_equal(slt_target_pid(target.said), target.pid);
    int taken = slt_target_take_fd(target.said, 50);
    long pidfd = syscall(SYS_pidfd_open, target.said, O_EXCL);
    if (pidfd < 0) {
        print_message("before Linux 6.9 a thread's own descriptors are out of reach\n");
        assert_true(taken < 0);
    } else {
        close((int)pidfd);
        assert_true(taken >= 0 && inode_of(taken) == apart->inode);
        close(taken);
    }
    end_target(&target);
    assert_int_equal(munmap(apart, 4096), 0);
}

/* ---- names -------------------------------------------------------------------------------- */

static int take_hostile_name(void)
{
    return prctl(PR_SET_NAME, "\033[2Jx\nTgid:\t1", 0, 0, 0);
}

static void test_names(void **state)
{
    char name[32];
    (void)state;
    struct target target = make_target(take_hostile_name);
    slt_target_name(target.pid, name, sizeof(name));
    assert_string_equal(name, "?[2Jx");
    assert_int_equal(slt_target_pid(target.pid), target.pid);
    slt_target_name(target.pid, name, 3);
    assert_string_equal(name, "?[");
    end_target(&target);
    slt_target_name(target.pid, name, sizeof(name));
    assert_string_equal(name, "?");
    assert_int_equal(slt_target_pid(target.pid), -ESRCH);
}

/* ---- who has it --------------------------------------------------------------------------- */

static bool is_sole(int fd)
{
    return slt_target_is_sole(getpid(), fd, inode_of(fd));
}

static void test_sole(void **state)
{
    (void)state;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(is_sole(fd));
    assert_false(slt_target_is_sole(getpid(), fd + 1, inode_of(fd)));
    int other = dup(fd);
    assert_false(is_sole(fd));
    close(other);
    assert_true(is_sole(fd));
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    other = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, other, &event), 0);
    assert_true(is_sole(fd));
    assert_false(is_sole(other));
    assert_int_equal(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event), 0);
    assert_false(is_sole(fd));
    assert_int_equal(epoll_ctl(set, EPOLL_CTL_DEL, fd, &event), 0);
    assert_true(is_sole(fd));
    close(set);
    close(other);
    uint64_t inode = inode_of(fd);
    close(fd);
    assert_false(slt_target_is_sole(getpid(), fd, inode));
}

/* A target's child has a socket that nobody else has. */
static int make_holder(void)
{
    int ends[2];
    int fds[2] = {0, 0};
    (void)!pipe(ends);
    pid_t pid = fork();
    if (pid == 0) {
        int first = socket(AF_UNIX, SOCK_STREAM, 0);
        int fd = dup2(first, 60);
        close(first);
        fds[0] = (int)inode_of(fd);
        fds[1] = (int)getpid();
        (void)!write(ends[1], fds, sizeof(fds));
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        for (;;) {
            (void)pause();
        }
    }
    (void)!read(ends[0], fds, sizeof(fds));
    return fds[0];
}

static void test_finding(void **state)
{
    pid_t pid = 0;
    int fd = -1;
    (void)state;
    int ours = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct target target = make_target(make_holder);
    assert_true(slt_target_find(target.pid, (uint64_t)target.said, &pid, &fd));
    assert_true(pid > 0 && pid != target.pid && pid != getpid());
    assert_int_equal(fd, 60);
    assert_true(slt_target_socket_inode(pid, fd) == target.said);
    /* What it inherited is found there; what only we have is nobody's below it. */
    assert_true(slt_target_find(target.pid, inode_of(ours), &pid, &fd));
    assert_int_equal(fd, ours);
    int later = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_false(slt_target_find(target.pid, inode_of(later), &pid, &fd));
    end_target(&target);
    close(later);
    close(ours);
}

/* ---- without privilege -------------------------------------------------------------------- */

static pid_t privileged;

static int look_at_privileged(void)
{
    int value = 0;
    EXPECT(slt_target_read(privileged, address_of(&theirs), &value, sizeof(value)) == -EPERM);
    EXPECT(slt_target_write(privileged, address_of(&theirs), &value, sizeof(value)) == -EPERM);
    EXPECT(slt_target_socket_inode(privileged, 0) == -EPERM);
    EXPECT(slt_target_take_fd(privileged, 0) == -EPERM);
    EXPECT(!slt_target_is_sole(privileged, 0, 1));
    EXPECT(slt_target_pid(privileged) == privileged);
    return 0;
}

static void test_not_allowed(void **state)
{
    (void)state;
    struct target target = make_target(NULL);
    privileged = geteuid() == 0 ? target.pid : 1;
    assert_int_equal(as_nobody(look_at_privileged), 0);
    end_target(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_memory_that_is_not_there),
        cmocka_unit_test(test_inodes),
        cmocka_unit_test(test_taking),
        cmocka_unit_test(test_threads_with_tables_of_their_own),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_sole),
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_not_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
