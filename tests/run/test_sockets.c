/* The table of the program's sockets: numbers, inodes, lists; and what the kernel tells of UNIX
 * sockets that end without a word. */
#include "run/sockets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void nothing(void *ctx, int64_t now_ns)
{
    (void)ctx;
    (void)now_ns;
}

/* A supervisor without a program. */
static int set_up(void **state)
{
    struct slt_supervisor *sup = calloc(1, sizeof(*sup));
    assert_non_null(sup);
    assert_int_equal(salut_runner_create(&sup->runner), SALUT_OK);
    assert_true(slt_poller_open(&sup->poller, sup->runner));
    sup->self = getpid();
    sup->root = getpid();
    sup->names_dir = -1;
    sup->private_fd = -1;
    sup->diag_fd = -1;
    sup->tick.on_due = nothing;
    sup->again.on_due = nothing;
    *state = sup;
    return 0;
}

static int tear_down(void **state)
{
    struct slt_supervisor *sup = *state;
    for (uint32_t i = 0; i < sup->sock_slots; i++) {
        if (sup->sock[i] != NULL) {
            slt_run_sock_free(sup->sock[i]);
        }
    }
    slt_run_names_close(sup);
    slt_poller_close(&sup->poller);
    if (sup->diag_fd >= 0) {
        (void)close(sup->diag_fd);
    }
    salut_runner_destroy(sup->runner);
    free(sup->by_inode);
    free(sup->sock);
    free(sup);
    return 0;
}

static void finds_by_number_and_inode(void **state)
{
    struct slt_supervisor *sup = *state;
    for (int i = 0; i < 1000; i++) {
        struct slt_run_sock *sock = slt_run_sock_new(sup, i, 4);
        assert_non_null(sock);
        slt_run_sock_set_inode(sock, 5000U + (uint64_t)i * 3);
    }
    assert_int_equal(sup->sock_count, 1000);
    for (int i = 0; i < 1000; i++) {
        struct slt_run_sock *sock = slt_run_sock_at(sup, (uint64_t)i);
        assert_ptr_equal(slt_run_sock_of_inode(sup, 5000U + (uint64_t)i * 3), sock);
        assert_int_equal(sock->fd, i);
    }
    assert_null(slt_run_sock_of_inode(sup, 5001));
    assert_null(slt_run_sock_at(sup, 100000));
}

static void forgets_what_is_freed(void **state)
{
    struct slt_supervisor *sup = *state;
    struct slt_run_sock *a = slt_run_sock_new(sup, 3, 4);
    struct slt_run_sock *b = slt_run_sock_new(sup, 4, 6);
    slt_run_sock_set_inode(a, 77);
    slt_run_watch(a);
    slt_run_watch(b);
    slt_run_sock_free(a);
    assert_null(slt_run_sock_of_inode(sup, 77));
    assert_null(slt_run_sock_at(sup, 3));
    assert_ptr_equal(sup->watched, b);
    assert_null(b->next_watched);
    slt_run_unwatch(b);
    assert_null(sup->watched);
    /* The number is used again, the serial never is. */
    uint64_t serial = b->serial;
    slt_run_sock_free(b);
    assert_true(slt_run_sock_new(sup, 4, 4)->serial > serial);
}

static void an_inode_moves(void **state)
{
    struct slt_supervisor *sup = *state;
    struct slt_run_sock *sock = slt_run_sock_new(sup, 0, 4);
    slt_run_sock_set_inode(sock, 10);
    slt_run_sock_set_inode(sock, 11);
    assert_null(slt_run_sock_of_inode(sup, 10));
    assert_ptr_equal(slt_run_sock_of_inode(sup, 11), sock);
}

/* ---- names ---------------------------------------------------------------------------------- */

static void connects_privately(void **state)
{
    struct slt_supervisor *sup = *state;
    assert_true(slt_run_names_open(sup));
    int theirs = slt_run_unix_socket(0);
    int end = slt_run_pair_up(sup, theirs);
    assert_true(end >= 0);
    char byte = 0;
    assert_int_equal(send(theirs, "x", 1, 0), 1);
    assert_int_equal(recv(end, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    (void)close(end);
    (void)close(theirs);
}

static void signs_and_reads_ends(void **state)
{
    struct slt_supervisor *sup = *state;
    struct slt_run_name name;
    uint64_t number = 0;
    uint64_t serial = 0;
    assert_true(slt_run_names_open(sup));
    struct slt_run_sock *sock = slt_run_sock_new(sup, 42, 4);
    int listener = slt_run_unix_socket(0);
    assert_int_equal(slt_run_name_bind(sup, listener, &name), 0);
    assert_int_equal(listen(listener, 4), 0);
    int end = slt_run_unix_socket(0);
    assert_int_equal(connect(end, (const struct sockaddr *)&name.un, name.bytes), 0);
    int theirs = accept(listener, NULL, NULL);
    assert_null(slt_run_end_signer(sup, theirs)); /* nameless as yet */
    assert_int_equal(slt_run_end_sign(sup, end, sock), 0);
    assert_true(slt_run_end_read(sup, theirs, &number, &serial));
    assert_int_equal(number, 42);
    assert_int_equal(serial, sock->serial);
    assert_ptr_equal(slt_run_end_signer(sup, theirs), sock);
    /* A record that took the number over is another. */
    slt_run_sock_free(sock);
    sock = slt_run_sock_new(sup, 42, 4);
    assert_null(slt_run_end_signer(sup, theirs));
    (void)close(theirs);
    (void)close(end);
    (void)close(listener);
    slt_run_name_drop(&name);
}

/* ---- what the kernel tells ------------------------------------------------------------------ */

struct found {
    uint64_t inode;
    int count;
};

static void count_found(void *ctx, const struct slt_run_seen *seen)
{
    struct found *found = ctx;
    found->count += seen->inode == found->inode ? 1 : 0;
}

static void sees_sockets_come_and_go(void **state)
{
    struct slt_supervisor *sup = *state;
    struct slt_run_seen seen;
    int fd = slt_run_unix_socket(0);
    struct found found = {.inode = slt_run_inode_of(fd)};
    if (slt_run_diag_one(sup, found.inode, &seen) < 0) {
        (void)close(fd);
        print_message("skipped: this kernel has no sock_diag for UNIX sockets\n");
        skip();
    }
    assert_int_equal(slt_run_diag_one(sup, found.inode, &seen), 1);
    assert_int_equal(seen.state, TCP_CLOSE);
    assert_true(slt_run_diag_walk(sup, 1U << TCP_CLOSE, count_found, &found));
    assert_int_equal(found.count, 1);
    assert_true(slt_run_diag_walk(sup, 1U << TCP_LISTEN, count_found, &found));
    assert_int_equal(found.count, 1);
    (void)close(fd);
    assert_int_equal(slt_run_diag_one(sup, found.inode, &seen), 0);
}

static void counts_a_listeners_queue(void **state)
{
    struct slt_supervisor *sup = *state;
    struct slt_run_name name;
    struct slt_run_seen seen;
    assert_true(slt_run_names_open(sup));
    int listener = slt_run_unix_socket(0);
    assert_int_equal(slt_run_name_bind(sup, listener, &name), 0);
    assert_int_equal(listen(listener, 4), 0);
    int end = slt_run_unix_socket(SOCK_NONBLOCK);
    assert_int_equal(connect(end, (const struct sockaddr *)&name.un, name.bytes), 0);
    if (slt_run_diag_one(sup, slt_run_inode_of(listener), &seen) == 1) {
        assert_int_equal(seen.state, TCP_LISTEN);
        assert_int_equal(seen.queued, 1);
        assert_int_equal(slt_run_diag_one(sup, slt_run_inode_of(end), &seen), 1);
        assert_int_equal(seen.peer, 0); /* nobody has accepted it */
        int theirs = accept(listener, NULL, NULL);
        assert_int_equal(slt_run_diag_one(sup, slt_run_inode_of(end), &seen), 1);
        assert_int_equal(seen.peer, slt_run_inode_of(theirs));
        (void)close(theirs);
    }
    (void)close(end);
    (void)close(listener);
    slt_run_name_drop(&name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_by_number_and_inode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(forgets_what_is_freed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_inode_moves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(connects_privately, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signs_and_reads_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sees_sockets_come_and_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_a_listeners_queue, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
