/* The program's filter; filter_linux.h tells what for.
 *
 * How it works. The rules stand in one table; libseccomp makes the kernel's program of them, as a
 * search tree, and knows each architecture's numbers. Arguments that the kernel reads as int are
 * compared in their low 32 bits only, as the kernel does: what a caller leaves in the upper half of
 * the register has no meaning, and must not lead past the filter.
 *
 * The filter is put in place by seccomp(2) itself, for a flag that libseccomp does not offer:
 * SPEC_ALLOW, since kernels before 5.16 otherwise slow every filtered program down as if it were a
 * sandbox of hostile code, and this filter is no fence. (What gets past it, such as a socket made
 * by a filtered program of another architecture, is a kernel socket as without us, no breach.)
 *
 * Another flag is left out on purpose: WAIT_KILLABLE_RECV would let signals wait until a call is
 * answered, and a connect or accept that blocks has to end with EINTR. The price: a signal may fall
 * into the moment in which a quick call waits for its answer; then slt_notify_answer says so, and
 * the call comes again (SA_RESTART) or returns EINTR.
 *
 * It stays on the program through fork and execve for ever. With no_new_privs, set-user-id
 * programs run as who started them; with CAP_SYS_ADMIN that is not needed, and they work as ever.
 *
 * Not handed over, since they are for datagrams in practice: sendmmsg and recvmmsg with MSG_OOB,
 * and sendmsg and recvmsg with an address.
 */
#define _GNU_SOURCE 1
#include "run/filter_linux.h"

#include "base/compiler.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <netinet/in.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#else
#error "cmake/sources.cmake leaves this folder out here"
#endif

#define TYPE_BITS        0xfU        /* socket(2): the rest of `type` are flags */
#define INT_BITS         0xffffffffU /* the kernel reads an int: the low half of the register */
#define X32_BIT          0x40000000U /* numbers of the x32 architecture, on x86-64 */
#define INSTRUCTIONS_MAX 1024U

#define POINTER_SET   SCMP_CMP_NE, 0, 0
#define AS_INT(value) SCMP_CMP_MASKED_EQ, INT_BITS, (value)

/* One call of the table, and which of its arguments must be how for the rule to hold; rules of
 * the same call stand for "or". */
struct rule {
    int nr;
    uint32_t action;
    struct scmp_arg_cmp args[3];
    unsigned args_count;
};

#define HAND_OVER(call)                                                                            \
    {                                                                                              \
        .nr = SCMP_SYS(call), .action = SCMP_ACT_NOTIFY                                            \
    }
#define HAND_OVER_IF(call, ...)                                                                    \
    {                                                                                              \
        .nr = SCMP_SYS(call), .action = SCMP_ACT_NOTIFY, .args = {{__VA_ARGS__}}, .args_count = 1  \
    }
#define REFUSE(call)                                                                               \
    {                                                                                              \
        .nr = SCMP_SYS(call), .action = SCMP_ACT_ERRNO(ENOSYS)                                     \
    }
#define SOCKET_RULE(family, protocol, what)                                                        \
    {                                                                                              \
        .nr = SCMP_SYS(socket), .action = (what),                                                  \
        .args = {{0, AS_INT(family)},                                                              \
                 {1, SCMP_CMP_MASKED_EQ, TYPE_BITS, SOCK_STREAM},                                  \
                 {2, AS_INT(protocol)}},                                                           \
        .args_count = 3                                                                            \
    }

static const struct rule rules[] = {
    SOCKET_RULE(AF_INET, 0, SCMP_ACT_NOTIFY),
    SOCKET_RULE(AF_INET, IPPROTO_TCP, SCMP_ACT_NOTIFY),
    SOCKET_RULE(AF_INET, IPPROTO_MPTCP, SCMP_ACT_ERRNO(EPROTONOSUPPORT)),
    SOCKET_RULE(AF_INET6, 0, SCMP_ACT_NOTIFY),
    SOCKET_RULE(AF_INET6, IPPROTO_TCP, SCMP_ACT_NOTIFY),
    SOCKET_RULE(AF_INET6, IPPROTO_MPTCP, SCMP_ACT_ERRNO(EPROTONOSUPPORT)),
    HAND_OVER(bind),
    HAND_OVER(listen),
    HAND_OVER(connect),
    HAND_OVER(getsockname),
    HAND_OVER(getpeername),
    HAND_OVER(setsockopt),
    HAND_OVER(getsockopt),
    HAND_OVER(shutdown),
    HAND_OVER_IF(accept, 1, POINTER_SET),
    HAND_OVER_IF(accept4, 1, POINTER_SET),
    HAND_OVER_IF(sendto, 4, POINTER_SET),
    HAND_OVER_IF(sendto, 3, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN),
    HAND_OVER_IF(sendto, 3, SCMP_CMP_MASKED_EQ, MSG_OOB, MSG_OOB),
    HAND_OVER_IF(sendto, 3, SCMP_CMP_MASKED_EQ, MSG_MORE, MSG_MORE),
    HAND_OVER_IF(sendmsg, 2, SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, MSG_FASTOPEN),
    HAND_OVER_IF(sendmsg, 2, SCMP_CMP_MASKED_EQ, MSG_OOB, MSG_OOB),
    HAND_OVER_IF(sendmsg, 2, SCMP_CMP_MASKED_EQ, MSG_MORE, MSG_MORE),
    HAND_OVER_IF(recvfrom, 4, POINTER_SET),
    HAND_OVER_IF(recvfrom, 3, SCMP_CMP_MASKED_EQ, MSG_OOB, MSG_OOB),
    HAND_OVER_IF(recvfrom, 3, SCMP_CMP_MASKED_EQ, MSG_TRUNC, MSG_TRUNC),
    HAND_OVER_IF(recvmsg, 2, SCMP_CMP_MASKED_EQ, MSG_OOB, MSG_OOB),
    HAND_OVER_IF(ioctl, 1, AS_INT(SIOCOUTQ)),
    HAND_OVER_IF(ioctl, 1, AS_INT(SIOCOUTQNSD)),
    HAND_OVER_IF(ioctl, 1, AS_INT(SIOCATMARK)),
    REFUSE(io_uring_setup),
    REFUSE(io_uring_enter),
    REFUSE(io_uring_register),
};

/* The calls and their kinds, in the order of how often programs make them. */
static const struct {
    int nr;
    enum slt_call_kind kind;
} kinds[] = {
    {SYS_getsockopt, SLT_CALL_GETSOCKOPT},   {SYS_setsockopt, SLT_CALL_SETSOCKOPT},
    {SYS_accept4, SLT_CALL_ACCEPT4},         {SYS_socket, SLT_CALL_SOCKET},
    {SYS_connect, SLT_CALL_CONNECT},         {SYS_shutdown, SLT_CALL_SHUTDOWN},
    {SYS_recvfrom, SLT_CALL_RECVFROM},       {SYS_sendto, SLT_CALL_SENDTO},
    {SYS_accept, SLT_CALL_ACCEPT},           {SYS_getsockname, SLT_CALL_GETSOCKNAME},
    {SYS_getpeername, SLT_CALL_GETPEERNAME}, {SYS_bind, SLT_CALL_BIND},
    {SYS_listen, SLT_CALL_LISTEN},           {SYS_sendmsg, SLT_CALL_SENDMSG},
    {SYS_recvmsg, SLT_CALL_RECVMSG},         {SYS_ioctl, SLT_CALL_IOCTL},
};

bool slt_filter_kind(int nr, uint32_t arch, enum slt_call_kind *kind)
{
    bool is_x32 = NATIVE_ARCH == AUDIT_ARCH_X86_64 && ((uint32_t)nr & X32_BIT) != 0;
    if (arch != NATIVE_ARCH || is_x32) {
        *kind = SLT_CALL_FOREIGN;
        return true;
    }
    for (size_t i = 0; i < SLT_ARRAY_COUNT(kinds); i++) {
        if (kinds[i].nr == nr) {
            *kind = kinds[i].kind;
            return true;
        }
    }
    return false;
}

/* Negative errno values, as libseccomp gives them. */
static int add_rules(scmp_filter_ctx filter)
{
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_NOTIFY);
    if (result == 0) {
        /* As a search tree. libseccomp before 2.5 has no such thing and is as right without. */
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    }
    for (size_t i = 0; result == 0 && i < SLT_ARRAY_COUNT(rules); i++) {
        const struct rule *rule = &rules[i];
        result =
            seccomp_rule_add_array(filter, rule->action, rule->nr, rule->args_count, rule->args);
    }
    return result;
}

/* The filter as the kernel's program. The number of instructions, or a negative errno value. */
static int compile(struct sock_filter *code, size_t room)
{
    int fd = memfd_create("salut-filter", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int result = filter ? add_rules(filter) : -ENOMEM;
    if (result == 0) {
        result = seccomp_export_bpf(filter, fd);
    }
    if (filter) {
        seccomp_release(filter);
    }
    ssize_t bytes = result == 0 ? pread(fd, code, room * sizeof(*code), 0) : 0;
    struct stat facts;
    bool complete = result == 0 && fstat(fd, &facts) == 0 && facts.st_size == bytes;
    close(fd);
    if (result < 0) {
        return result;
    }
    return complete ? (int)((size_t)bytes / sizeof(*code)) : -E2BIG;
}

static int load(struct sock_fprog *program)
{
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program);
    return fd < 0 ? -errno : (int)fd;
}

static bool kernel_hands_over(void)
{
    uint32_t action = SECCOMP_RET_USER_NOTIF;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int slt_filter_install(void)
{
    struct sock_filter code[INSTRUCTIONS_MAX];
    if (!kernel_hands_over()) {
        return -ENOSYS;
    }
    int count = compile(code, INSTRUCTIONS_MAX);
    if (count < 0) {
        return count;
    }
    struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
    int fd = load(&program);
    if (fd == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
        fd = load(&program);
    }
    return fd;
}
