/* Private networks: what runs inside is apart from everything outside. */
#define _GNU_SOURCE 1
#include "link_test.h"

#include "link/netns_linux.h"
#include "link/rtnl_linux.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int give_back(void *ctx)
{
    return *(int *)ctx;
}

static int make_interfaces(void *ctx)
{
    struct slt_link_error error;
    struct slt_rtnl_facts facts;
    (void)ctx;
    if (slt_rtnl_facts("lo", &facts, &error) != SLT_LINK_FINE || !facts.up) {
        return 1;
    }
    if (slt_rtnl_make_veth("inner0", "inner1", &error) != SLT_LINK_FINE) {
        return 2;
    }
    return slt_rtnl_facts("inner1", &facts, &error) == SLT_LINK_FINE && facts.ethernet ? 42 : 3;
}

static int set_ports(void *ctx)
{
    char text[64] = {0};
    (void)ctx;
    if (!slt_netns_sysctl("ipv4/ip_local_port_range", "32768 33767")) {
        return 1;
    }
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    size_t got = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file) {
        fclose(file);
    }
    return got > 0 && strcmp(text, "32768\t33767\n") == 0 ? 42 : 2;
}

/* An interface moves to another namespace and is then not here any more. */
static int move_away(void *ctx)
{
    struct slt_link_error error;
    struct slt_rtnl_facts facts;
    (void)ctx;
    int home = slt_netns_here();
    if (home < 0 || slt_rtnl_make_veth("m0", "m1", &error) != SLT_LINK_FINE) {
        return 1;
    }
    if (slt_netns_enter(&error) != SLT_LINK_FINE) {
        return 2;
    }
    int away = slt_netns_here();
    if (slt_rtnl_facts("m1", &facts, &error) == SLT_LINK_FINE || !slt_netns_return(home)) {
        return 3;
    }
    if (slt_rtnl_move("m1", away, &error) != SLT_LINK_FINE ||
        slt_rtnl_facts("m1", &facts, &error) == SLT_LINK_FINE) {
        return 4;
    }
    return slt_netns_return(away) && slt_rtnl_facts("m1", &facts, &error) == SLT_LINK_FINE ? 42 : 5;
}

static int run_inside(int (*run)(void *ctx), void *ctx)
{
    struct slt_link_error error;
    int result = -1;
    enum slt_link_trouble trouble = slt_netns_run(run, ctx, &result, &error);
    if (trouble == SLT_LINK_NO_PRIVILEGE) {
        print_message("skipped: %s; %s\n", error.sentence, error.remedy);
        skip();
    }
    assert_int_equal(trouble, SLT_LINK_FINE);
    return result;
}

/* A child goes into a network of its own; we visit it there by its number and come back. */
static int visit(void *ctx)
{
    struct slt_link_error error;
    struct slt_rtnl_facts facts;
    int home = slt_netns_here();
    int told[2];
    char byte;
    char number[16];
    (void)ctx;
    if (pipe(told) != 0) {
        return 1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        bool made = slt_netns_enter(&error) == SLT_LINK_FINE &&
                    slt_rtnl_make_veth("deep0", "deep1", &error) == SLT_LINK_FINE;
        ssize_t put = write(told[1], "x", 1);
        pause();
        _exit(made && put == 1 ? 0 : 1);
    }
    snprintf(number, sizeof(number), "%d", (int)pid);
    bool there = read(told[0], &byte, 1) == 1 && slt_netns_join(number, &error) == SLT_LINK_FINE &&
                 slt_rtnl_facts("deep0", &facts, &error) == SLT_LINK_FINE;
    bool back =
        slt_netns_return(home) && slt_rtnl_facts("deep0", &facts, &error) == SLT_LINK_NO_DEVICE;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(home);
    return there && back ? 42 : 2;
}

/* Who one is stays, inside and for what is started inside; capabilities do not outlive that. */
static int enter_as_self(void)
{
    struct slt_link_error error;
    struct slt_rtnl_facts facts;
    bool one_user = false;
    uid_t uid = geteuid();
    gid_t gid = getegid();
    enum slt_link_trouble trouble = slt_netns_enter_as_self(&one_user, &error);
    if (trouble == SLT_LINK_NO_PRIVILEGE) {
        return 77;
    }
    if (trouble != SLT_LINK_FINE || geteuid() != uid || getegid() != gid) {
        return 1;
    }
    if (slt_rtnl_facts("lo", &facts, &error) != SLT_LINK_FINE || !facts.up ||
        slt_rtnl_make_veth("s0", "s1", &error) != SLT_LINK_FINE) {
        return 2;
    }
    return one_user == (uid != 0) ? 42 : 3;
}

static void identities_stay(void **state)
{
    (void)state;
    for (int as_nobody = 0; as_nobody < 2; as_nobody++) {
        int status = 0;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            bool fine =
                as_nobody == 0 || geteuid() != 0 ||
                (setgid(65534) == 0 && setuid(65534) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0);
            _exit(fine ? enter_as_self() : 99);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77) {
            print_message("skipped: no user namespaces here\n");
            skip();
        }
        assert_int_equal(WEXITSTATUS(status), 42);
    }
}

static void results_come_back(void **state)
{
    (void)state;
    int value = 17;
    assert_int_equal(run_inside(give_back, &value), 17);
}

static void interfaces_stay_inside(void **state)
{
    (void)state;
    struct slt_link_error error;
    struct slt_rtnl_facts facts;
    assert_int_equal(run_inside(make_interfaces, NULL), 42);
    assert_int_equal(slt_rtnl_facts("inner0", &facts, &error), SLT_LINK_NO_DEVICE);
    assert_true(error.remedy[0] != '\0');
}

static void sysctls_are_its_own(void **state)
{
    (void)state;
    assert_int_equal(run_inside(set_ports, NULL), 42);
    assert_false(slt_netns_sysctl("ipv4/no_such_setting", "1"));
}

static void interfaces_move(void **state)
{
    (void)state;
    assert_int_equal(run_inside(move_away, NULL), 42);
}

static void others_are_joined(void **state)
{
    (void)state;
    struct slt_link_error error;
    assert_int_equal(run_inside(visit, NULL), 42);
    assert_int_equal(slt_netns_join("no-such-network", &error), SLT_LINK_NO_DEVICE);
    assert_true(error.remedy[0] != '\0');
    assert_int_equal(slt_netns_join("/etc/passwd", &error), SLT_LINK_NO_DEVICE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back),   cmocka_unit_test(interfaces_stay_inside),
        cmocka_unit_test(sysctls_are_its_own), cmocka_unit_test(interfaces_move),
        cmocka_unit_test(others_are_joined),   cmocka_unit_test(identities_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
