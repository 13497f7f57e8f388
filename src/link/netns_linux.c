/* Private networks; netns_linux.h tells what they are for.
 *
 * Order matters for the maps of a user namespace: an unprivileged process must deny setgroups
 * before it may write its group map (user_namespaces(7)).
 */
#define _GNU_SOURCE 1
#include "link/netns_linux.h"

#include "link/rtnl_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    size_t bytes = strlen(text);
    bool done = write(fd, text, bytes) == (ssize_t)bytes;
    close(fd);
    return done;
}

/* One user and one group are mapped: to root, or each to itself. */
static bool write_maps(uid_t uid, gid_t gid, bool to_root)
{
    char uid_map[64];
    char gid_map[64];
    snprintf(uid_map, sizeof(uid_map), "%lu %lu 1", to_root ? 0UL : (unsigned long)uid,
             (unsigned long)uid);
    snprintf(gid_map, sizeof(gid_map), "%lu %lu 1", to_root ? 0UL : (unsigned long)gid,
             (unsigned long)gid);
    return write_file("/proc/self/setgroups", "deny") &&
           write_file("/proc/self/uid_map", uid_map) && write_file("/proc/self/gid_map", gid_map);
}

static enum slt_link_trouble unshare_as_user(bool to_root, struct slt_link_error *error)
{
    /* Inside, the ids are the overflow ids until the maps are written. */
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, errno,
                                  "a private network needs root or user namespaces",
                                  "run as root, or: sysctl -w user.max_user_namespaces=10000 "
                                  "kernel.unprivileged_userns_clone=1");
    }
    if (!write_maps(uid, gid, to_root)) {
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, errno,
                                  "the ids of the user namespace cannot be mapped",
                                  "run as root, or allow unprivileged user namespaces");
    }
    return SLT_LINK_FINE;
}

/* Some systems let anybody make a user namespace, and then no one have any power in it. */
static enum slt_link_trouble bring_up(bool as_user, struct slt_link_error *error)
{
    enum slt_link_trouble trouble = slt_rtnl_set_up("lo", true, error);
    if (!as_user || trouble != SLT_LINK_NO_PRIVILEGE) {
        return trouble;
    }
    return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, error->os_error,
                              "user namespaces have no power over their networks on this system",
                              "run as root, or: sysctl -w "
                              "kernel.apparmor_restrict_unprivileged_userns=0");
}

enum slt_link_trouble slt_netns_enter(struct slt_link_error *error)
{
    bool one_user = unshare(CLONE_NEWNET) < 0;
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    if (one_user && unshare_as_user(true, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    return bring_up(one_user, error);
}

enum slt_link_trouble slt_netns_enter_as_self(bool *one_user, struct slt_link_error *error)
{
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    *one_user = unshare(CLONE_NEWNET) < 0;
    if (*one_user && unshare_as_user(false, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    return bring_up(*one_user, error);
}

/* The child tells through the pipe how entering went, then runs. */
static _Noreturn void run_child(int report_fd, int (*run)(void *ctx), void *ctx)
{
    struct slt_link_error error;
    enum slt_link_trouble trouble = slt_netns_enter(&error);
    bool told = write(report_fd, &error, sizeof(error)) == (ssize_t)sizeof(error);
    close(report_fd);
    int result = told && trouble == SLT_LINK_FINE ? run(ctx) : 0;
    fflush(NULL);
    _exit(result);
}

static int wait_for(pid_t pid)
{
    int status = 0;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

enum slt_link_trouble slt_netns_run(int (*run)(void *ctx), void *ctx, int *result,
                                    struct slt_link_error *error)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0) {
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno, "no pipe", NULL);
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(report[0]);
        run_child(report[1], run, ctx);
    }
    close(report[1]);
    ssize_t got = pid > 0 ? read(report[0], error, sizeof(*error)) : -1;
    close(report[0]);
    if (pid > 0) {
        *result = wait_for(pid);
    }
    if (got != (ssize_t)sizeof(*error)) {
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, 0,
                                  "the process for the private network did not start", NULL);
    }
    return error->trouble;
}

int slt_netns_here(void)
{
    return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

bool slt_netns_return(int namespace_fd)
{
    return setns(namespace_fd, CLONE_NEWNET) == 0;
}

enum slt_link_trouble slt_netns_join(const char *where, struct slt_link_error *error)
{
    char path[256];
    bool number = where[0] != '\0' && strspn(where, "0123456789") == strlen(where);
    bool file = strchr(where, '/') != NULL;
    const char *before = file ? "" : number ? "/proc/" : "/run/netns/";
    const char *after = number ? "/ns/net" : "";
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    int length = snprintf(path, sizeof(path), "%s%s%s", before, where, after);
    int fd = length > 0 && (size_t)length < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        return slt_link_error_set(error, SLT_LINK_NO_DEVICE, errno,
                                  "there is no such network namespace", "ip netns add NAME");
    }
    bool joined = setns(fd, CLONE_NEWNET) == 0;
    int os_error = errno;
    close(fd);
    if (!joined && os_error == EINVAL) {
        return slt_link_error_set(error, SLT_LINK_NO_DEVICE, 0, "that is no network namespace",
                                  "ip netns list");
    }
    return joined ? SLT_LINK_FINE
                  : slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, os_error,
                                       "entering another network namespace needs privilege over it",
                                       "run as root");
}

bool slt_netns_sysctl(const char *name, const char *value)
{
    char path[160];
    int length = snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    return length > 0 && (size_t)length < sizeof(path) && write_file(path, value);
}

static enum slt_link_trouble add_addresses(const struct slt_netns_pair *pair,
                                           struct slt_link_error *error)
{
    static const salut_addr none;
    if (memcmp(pair->kernel_v4.b, none.b, 16) != 0 &&
        slt_rtnl_add_address(pair->kernel_name, &pair->kernel_v4, pair->v4_prefix_bits, error) !=
            SLT_LINK_FINE) {
        return error->trouble;
    }
    if (memcmp(pair->kernel_v6.b, none.b, 16) != 0) {
        return slt_rtnl_add_address(pair->kernel_name, &pair->kernel_v6, pair->v6_prefix_bits,
                                    error);
    }
    return SLT_LINK_FINE;
}

enum slt_link_trouble slt_netns_make_pair(const struct slt_netns_pair *pair,
                                          struct slt_link_error *error)
{
    char name[80];
    if (slt_rtnl_make_veth(pair->kernel_name, pair->stack_name, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    /* Where the kernel has no IPv6 there is nothing to switch off. */
    snprintf(name, sizeof(name), "ipv6/conf/%.16s/disable_ipv6", pair->stack_name);
    (void)slt_netns_sysctl(name, "1");
    if (slt_rtnl_set_mtu(pair->kernel_name, pair->mtu, error) != SLT_LINK_FINE ||
        slt_rtnl_set_mtu(pair->stack_name, pair->mtu, error) != SLT_LINK_FINE ||
        add_addresses(pair, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    /* The end that comes up second has its carrier at once; the first one's is noticed up to a
     * second later, and until then the kernel would send nothing there. */
    if (slt_rtnl_set_up(pair->stack_name, true, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    return slt_rtnl_set_up(pair->kernel_name, true, error);
}
