/* observe/owner_again: what was closed after the kernel listed it, with the kernel's own sockets.
 */
#include "observe/owner_again_linux.h"

#include "observe/kernel_diag_linux.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* A connection over loopback: both ends, and the listener it came through. */
struct ends {
    int listener;
    int here;
    int there;
    uint16_t port;       /* the listener's */
    uint16_t local_port; /* of `here` */
};

static uint16_t port_of(int fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(address);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    return ntohs(address.sin_port);
}

static struct ends make_ends(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct ends e = {.listener = socket(AF_INET, SOCK_STREAM, 0),
                     .here = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(e.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(e.listener, 5), 0);
    e.port = port_of(e.listener);
    address.sin_port = htons(e.port);
    assert_int_equal(connect(e.here, (struct sockaddr *)&address, sizeof(address)), 0);
    e.there = accept(e.listener, NULL, NULL);
    assert_true(e.there >= 0);
    e.local_port = port_of(e.here);
    return e;
}

static void close_ends(struct ends *e)
{
    (void)close(e->here);
    (void)close(e->there);
    (void)close(e->listener);
}

static const struct slt_seen *find(const struct slt_seen_list *list, uint16_t local,
                                   uint16_t remote)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].local_port == local && list->items[i].remote_port == remote) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* All sockets, as a look has them before owners are found. */
static void list_all(struct slt_seen_list *list)
{
    struct slt_kernel_ask ask = {.states = 0};
    *list = (struct slt_seen_list){.count = 0};
    int result = slt_kernel_diag(&ask, list);
    if (result != 0) {
        skip();
    }
}

static void abort_on_close(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
}

static void test_nothing_changed(void **state)
{
    (void)state;
    struct slt_seen_list list;
    struct ends e = make_ends();
    list_all(&list);
    slt_owner_ask_again(&list);
    const struct slt_seen *listener = find(&list, e.port, 0);
    const struct slt_seen *here = find(&list, e.local_port, e.port);
    assert_non_null(listener);
    assert_non_null(here);
    assert_int_equal(listener->owner, SLT_OWNER_HIDDEN);
    assert_int_equal(here->owner, SLT_OWNER_HIDDEN);
    assert_int_equal(here->state, SALUT_STATE_ESTABLISHED);
    slt_seen_list_free(&list);
    close_ends(&e);
}

static void test_nothing_left(void **state)
{
    (void)state;
    struct slt_seen_list list;
    struct ends e = make_ends();
    list_all(&list);
    abort_on_close(e.here);
    close_ends(&e);
    slt_owner_ask_again(&list);
    assert_int_equal(find(&list, e.port, 0)->owner, SLT_OWNER_GONE);
    assert_int_equal(find(&list, e.local_port, e.port)->owner, SLT_OWNER_GONE);
    assert_int_equal(find(&list, e.port, e.local_port)->owner, SLT_OWNER_GONE);
    slt_seen_list_free(&list);
}

static void test_something_left(void **state)
{
    (void)state;
    struct slt_seen_list list;
    struct ends e = make_ends();
    list_all(&list);
    uint64_t instance = find(&list, e.local_port, e.port)->instance;
    (void)close(e.here);
    slt_owner_ask_again(&list);
    const struct slt_seen *orphan = find(&list, e.local_port, e.port);
    assert_true(orphan->state == SALUT_STATE_FIN_WAIT_1 || orphan->state == SALUT_STATE_FIN_WAIT_2);
    assert_int_equal(orphan->owner, SLT_OWNER_KERNEL);
    assert_true(orphan->instance == instance);

    slt_seen_list_free(&list);
    list_all(&list);
    (void)close(e.there);
    slt_owner_ask_again(&list);
    const struct slt_seen *other = find(&list, e.port, e.local_port);
    assert_int_equal(other->owner, SLT_OWNER_GONE); /* the one that closes last has no TIME-WAIT */
    slt_seen_list_free(&list);
    (void)close(e.listener);
}

/* A connection that is over but for its TIME-WAIT. */
static void test_time_wait_left(void **state)
{
    (void)state;
    struct slt_seen_list list;
    struct ends e = make_ends();
    list_all(&list);
    (void)close(e.here);
    (void)close(e.there);
    slt_owner_ask_again(&list);
    const struct slt_seen *here = find(&list, e.local_port, e.port);
    assert_int_equal(here->kind, SLT_SEEN_TIME_WAIT);
    assert_int_equal(here->state, SALUT_STATE_TIME_WAIT);
    assert_int_equal(here->owner, SLT_OWNER_KERNEL);
    slt_seen_list_free(&list);
    (void)close(e.listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_changed),
        cmocka_unit_test(test_nothing_left),
        cmocka_unit_test(test_something_left),
        cmocka_unit_test(test_time_wait_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
