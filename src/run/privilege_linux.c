/* The supervisor's own limits; privilege_linux.h tells which.
 *
 * How it works. Capabilities are three sets of a thread, plus the bounding set and the ambient set
 * that say what an execve may bring back (capabilities(7)). All are brought down to what is kept;
 * the bounding set first, since that takes CAP_SETPCAP. no_new_privs closes what is left of that
 * way. A user namespace would give a full set of new capabilities, over little, but over the
 * kernel's larger surface: the filter refuses to make or enter one.
 *
 * The filter is a list of what is refused, not of what is allowed: it stands behind the missing
 * capabilities, and must not turn a C library's change of mind into a crash.
 */
#define _GNU_SOURCE 1
#include "run/privilege_linux.h"

#include "base/compiler.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SETS    _LINUX_CAPABILITY_U32S_3
#define BIT(n)  (1ULL << (n))
#define KEPT    (BIT(CAP_SYS_PTRACE) | BIT(CAP_KILL) | BIT(CAP_NET_BIND_SERVICE))
#define CAP_MAX 63

static int get_capabilities(struct __user_cap_data_struct sets[SETS])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capget, &header, sets) < 0 ? -errno : 0;
}

static int set_capabilities(const struct __user_cap_data_struct sets[SETS])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

/* Without CAP_SETPCAP the bounding set stays; no_new_privs makes it void. */
static void shrink_bounding_set(void)
{
    for (int cap = 0; cap <= CAP_MAX && prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if ((KEPT & BIT(cap)) == 0) {
            (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
        }
    }
}

static int drop_capabilities(void)
{
    struct __user_cap_data_struct sets[SETS];
    shrink_bounding_set();
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    int result = get_capabilities(sets);
    if (result < 0) {
        return result;
    }
    for (unsigned i = 0; i < SETS; i++) {
        sets[i].permitted &= (uint32_t)(KEPT >> (32 * i));
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    return set_capabilities(sets);
}

static const int refused[] = {
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsmount),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(reboot),
    SCMP_SYS(swapon),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(personality),
    SCMP_SYS(io_uring_setup),
};

static int add_refusals(scmp_filter_ctx filter)
{
    int result = 0;
    for (unsigned i = 0; i < SLT_ARRAY_COUNT(refused) && result == 0; i++) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    }
    return result;
}

static int refuse_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter) {
        return -ENOMEM;
    }
    int result = add_refusals(filter);
    if (result == 0) {
        /* A new user namespace by clone; clone3 keeps its flags in memory, and is said not to be
         * there, so that the C library falls back. */
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_NEWUSER, CLONE_NEWUSER));
    }
    if (result == 0) {
        result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    }
    if (result == 0) {
        result = seccomp_load(filter);
    }
    seccomp_release(filter);
    return result;
}

int slt_privilege_drop(void)
{
    int result = drop_capabilities();
    if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
        result = -errno;
    }
    return result == 0 ? refuse_calls() : result;
}

bool slt_privilege_can_look(void)
{
    struct __user_cap_data_struct sets[SETS];
    return get_capabilities(sets) == 0 &&
           (sets[CAP_SYS_PTRACE / 32].effective & (1U << (CAP_SYS_PTRACE % 32))) != 0;
}
