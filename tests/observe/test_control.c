/* observe/control: a stack offered at a socket, read by another thread; and ends that misbehave. */
#include "observe/control_linux.h"

#include "base/time.h"
#include "link/memory.h"
#include "observe/control_place_linux.h"
#include "observe/control_read_linux.h"
#include "sock/link_open.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define CONNS 3U
#define RING  8U

/* Two stacks on a wire; the second listens and is offered. */
struct world {
    char folder[64];
    struct salut_runner *runner;
    struct slt_link *links[2];
    struct salut_stack *stacks[2];
    struct slt_control *control;
};

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    (void)ctx;
    (void)stack;
    (void)event; /* nobody accepts */
}

static void make_stack(struct world *w, int i, const char *address)
{
    struct salut_config config;
    salut_addr addr;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.event_ring = RING;
    assert_int_equal(salut_runner_prepare(w->runner, slt_link_public(w->links[i]), &config),
                     SALUT_OK);
    assert_int_equal(salut_create(&config, &w->stacks[i]), SALUT_OK);
    assert_int_equal(salut_addr_parse(address, &addr), SALUT_OK);
    assert_int_equal(salut_add_address(w->stacks[i], &addr, 24), SALUT_OK);
    struct salut_runner_stack member = {
        .stack = w->stacks[i], .link = slt_link_public(w->links[i]), .on_event = on_event};
    assert_int_equal(salut_runner_add_stack(w->runner, &member), SALUT_OK);
}

static void connect_all(struct world *w)
{
    struct salut_listen_params listen = {.port = 5000, .backlog = 8};
    struct salut_connect_params connect = {.remote_port = 5000};
    salut_listener listener;
    salut_conn conn;
    assert_int_equal(salut_addr_parse("10.1.0.2", &connect.remote), SALUT_OK);
    assert_int_equal(salut_listen(w->stacks[1], &listen, &listener), SALUT_OK);
    for (unsigned i = 0; i < CONNS; i++) {
        assert_int_equal(salut_connect(w->stacks[0], &connect, &conn), SALUT_OK);
    }
    for (int i = 0; i < 50; i++) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
    }
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct slt_memory_params params = {.kind = SALUT_LINK_IP, .mtu = 1500};
    strcpy(w->folder, "/tmp/salut-test-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    assert_int_equal(setenv("XDG_RUNTIME_DIR", w->folder, 1), 0);
    assert_int_equal(salut_runner_create(&w->runner), SALUT_OK);
    assert_int_equal(slt_memory_pair(&params, &w->links[0], &w->links[1]), SALUT_OK);
    make_stack(w, 0, "10.1.0.1");
    make_stack(w, 1, "10.1.0.2");
    connect_all(w);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    char path[80];
    slt_control_close(w->control);
    salut_runner_destroy(w->runner);
    for (int i = 0; i < 2; i++) {
        salut_destroy(w->stacks[i]);
        slt_link_close(w->links[i]);
    }
    (void)snprintf(path, sizeof(path), "%s/salut", w->folder);
    (void)rmdir(path);
    assert_int_equal(rmdir(w->folder), 0); /* nothing was left behind */
    free(w);
    return 0;
}

static void offer(struct world *w)
{
    assert_int_equal(slt_control_open(w->runner, w->stacks[1], "tester", &w->control), 0);
}

/* ---- a reader beside the runner ---------------------------------------------------------------
 */

struct heard {
    struct slt_control_round round;
    int32_t pid; /* to be asked; 0: all */
    bool stop_early;
    struct slt_control_who who;
    unsigned whos, listeners, conns, counters, events;
    int64_t queue;
    uint64_t passive_opens;
    uint64_t lost, first_event, last_event;
    bool strange; /* a record that should not be */
    atomic_bool done;
};

static bool on_who(void *ctx, const struct slt_control_who *who)
{
    struct heard *h = ctx;
    h->who = *who;
    h->whos++;
    return !h->stop_early;
}

static bool on_conn(void *ctx, const struct slt_seen *seen)
{
    struct heard *h = ctx;
    if (seen->kind == SLT_SEEN_LISTENER) {
        h->listeners++;
        h->queue = seen->queue;
    } else {
        h->conns++;
        h->strange |= seen->state != SALUT_STATE_ESTABLISHED || seen->accepted != SLT_NO ||
                      seen->pid != getpid() || strcmp(seen->program, "tester") != 0 ||
                      seen->uid != (int64_t)geteuid() || seen->instance != (uint64_t)getpid();
    }
    return true;
}

static bool on_counter(void *ctx, const struct slt_control_counter *counter)
{
    struct heard *h = ctx;
    h->counters++;
    if (strcmp(counter->token, "passive-open") == 0) {
        h->passive_opens = counter->value;
    }
    return true;
}

static bool on_told_event(void *ctx, const struct slt_event *event, uint64_t lost)
{
    struct heard *h = ctx;
    h->strange |= h->events > 0 && (event->sequence != h->last_event + 1 || lost != 0);
    h->first_event = h->events == 0 ? event->sequence : h->first_event;
    h->last_event = event->sequence;
    h->lost += lost;
    h->events++;
    return true;
}

static void *read_all(void *ctx)
{
    struct heard *h = ctx;
    struct slt_control_taker taker = {.ctx = h,
                                      .on_who = on_who,
                                      .on_conn = on_conn,
                                      .on_counter = on_counter,
                                      .on_event = on_told_event};
    slt_control_ask(&taker, h->pid, &h->round);
    atomic_store(&h->done, true);
    return NULL;
}

static void listen_to(struct world *w, struct heard *h)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_all, h), 0);
    while (!atomic_load(&h->done)) {
        (void)salut_runner_turn(w->runner, SLT_NS_PER_MS);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_tells_everything(void **state)
{
    struct world *w = *state;
    struct heard h = {.pid = 0};
    offer(w);
    listen_to(w, &h);
    assert_int_equal(h.round.instances, 1);
    assert_int_equal(h.round.mute, 0);
    assert_int_equal(h.whos, 1);
    assert_int_equal(h.who.pid, getpid());
    assert_string_equal(h.who.program, "tester");
    assert_string_equal(h.who.library, salut_version());
    assert_int_equal(h.listeners, 1);
    assert_int_equal(h.queue, CONNS);
    assert_int_equal(h.conns, CONNS);
    assert_int_equal(h.counters, salut_reason_count() - 1);
    assert_int_equal(h.passive_opens, CONNS);
    assert_false(h.strange);
    /* The ring keeps the last events; the reader learns how many it lost. */
    assert_int_equal(h.events, RING);
    assert_int_equal(h.lost, h.first_event - 1);
    assert_int_equal(h.last_event, h.who.events_written);
}

static void test_one_process(void **state)
{
    struct world *w = *state;
    struct heard h = {.pid = 1};
    offer(w);
    listen_to(w, &h);
    assert_int_equal(h.round.instances + h.whos, 0);
    h = (struct heard){.pid = getpid(), .stop_early = true};
    listen_to(w, &h);
    assert_int_equal(h.whos, 1);
    assert_int_equal(h.conns, 0); /* the taker had had enough */
}

/* ---- the folder -------------------------------------------------------------------------------
 */

static bool is_there(const struct world *w, const char *name)
{
    char path[120];
    struct stat status;
    (void)snprintf(path, sizeof(path), "%s/salut/%s", w->folder, name);
    return lstat(path, &status) == 0;
}

static void test_names(void **state)
{
    struct world *w = *state;
    struct slt_control *second = NULL;
    char name[SLT_CONTROL_NAME_MAX];
    char path[120];
    struct stat status;
    offer(w);
    (void)snprintf(path, sizeof(path), "%s/salut", w->folder);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    (void)snprintf(name, sizeof(name), "%d", (int)getpid());
    assert_true(is_there(w, name));
    assert_int_equal(slt_control_open(w->runner, w->stacks[0], NULL, &second), 0);
    (void)snprintf(name, sizeof(name), "%d.2", (int)getpid());
    assert_true(is_there(w, name));
    struct heard h = {.pid = getpid()};
    listen_to(w, &h);
    assert_int_equal(h.round.instances, 2);
    slt_control_close(second);
    assert_false(is_there(w, name));
    slt_control_close(w->control);
    w->control = NULL;
    (void)snprintf(name, sizeof(name), "%d", (int)getpid());
    assert_false(is_there(w, name));
    assert_true(slt_control_is_name("17", NULL) && slt_control_is_name("17.2", NULL));
    assert_false(slt_control_is_name("", NULL) || slt_control_is_name("0", NULL) ||
                 slt_control_is_name(".17", NULL) || slt_control_is_name("17x", NULL) ||
                 slt_control_is_name("17.", NULL) || slt_control_is_name("17.x", NULL) ||
                 slt_control_is_name("99999999999", NULL) || slt_control_is_name("../1", NULL));
}

static void test_folder_of_others(void **state)
{
    struct world *w = *state;
    char path[80];
    char elsewhere[80];
    (void)snprintf(path, sizeof(path), "%s/salut", w->folder);
    (void)snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", w->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(chmod(path, 0755), 0);
    assert_int_equal(slt_control_open(w->runner, w->stacks[1], NULL, &w->control), -EPERM);
    assert_null(w->control);
    assert_int_equal(rename(path, elsewhere), 0);
    assert_int_equal(chmod(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, path), 0);
    assert_true(slt_control_open(w->runner, w->stacks[1], NULL, &w->control) < 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(elsewhere), 0);
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/no/such/place", 1), 0);
    assert_int_equal(slt_control_open(w->runner, w->stacks[1], NULL, &w->control), -ENOENT);
}

/* A listening socket under a name in the folder. */
static int listen_as(const char *name)
{
    struct sockaddr_un address;
    int folder = slt_control_folder_own(true);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_true(folder >= 0 && fd >= 0);
    slt_control_address(folder, name, &address);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 4), 0);
    (void)close(folder);
    return fd;
}

static void remove_name(const char *name)
{
    int folder = slt_control_folder_own(false);
    (void)unlinkat(folder, name, 0);
    (void)close(folder);
}

static void test_dead_ones_are_removed(void **state)
{
    struct world *w = *state;
    char path[120];
    offer(w);
    (void)close(listen_as("999999"));
    (void)close(listen_as(".5"));
    (void)snprintf(path, sizeof(path), "%s/salut/77", w->folder);
    (void)close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    struct heard h = {.pid = 0};
    listen_to(w, &h);
    assert_int_equal(h.round.instances, 1);
    assert_int_equal(h.round.removed, 1);
    assert_int_equal(h.round.mute, 0);
    assert_false(is_there(w, "999999"));
    assert_true(is_there(w, ".5") && is_there(w, "77")); /* not a dead process's socket */
    remove_name(".5");
    remove_name("77");
}

static void test_own_stale_name(void **state)
{
    struct world *w = *state;
    char name[SLT_CONTROL_NAME_MAX];
    (void)snprintf(name, sizeof(name), "%d", (int)getpid());
    (void)close(listen_as(name)); /* an earlier process of this pid was killed */
    offer(w);
    struct heard h = {.pid = getpid()};
    listen_to(w, &h);
    assert_int_equal(h.round.instances, 1);
}

static void test_mute(void **state)
{
    struct world *w = *state;
    int fd = listen_as("888888");
    offer(w);
    struct heard h = {.pid = 0};
    listen_to(w, &h);
    assert_int_equal(h.round.instances, 1);
    assert_int_equal(h.round.mute, 1);
    assert_int_equal(h.round.mute_pid, 888888);
    (void)close(fd);
    remove_name("888888");
}

/* ---- nonsense ---------------------------------------------------------------------------------
 */

struct wire {
    int ends[2];
    struct heard heard;
};

static void tell(const struct wire *wire, struct slt_control_head head, size_t bytes)
{
    uint8_t message[1024];
    memset(message, 0xaa, sizeof(message));
    memcpy(message, &head, sizeof(head));
    assert_int_equal(send(wire->ends[1], message, bytes, 0), (ssize_t)bytes);
}

static int read_wire(struct wire *wire)
{
    struct slt_control_taker taker = {.ctx = &wire->heard,
                                      .on_who = on_who,
                                      .on_conn = on_conn,
                                      .on_counter = on_counter,
                                      .on_event = on_told_event};
    return slt_control_read(wire->ends[0], &taker);
}

static struct wire make_wire(void)
{
    struct wire wire = {.ends = {-1, -1}};
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wire.ends), 0);
    return wire;
}

static void drop_wire(const struct wire *wire)
{
    (void)close(wire->ends[0]);
    (void)close(wire->ends[1]);
}

#define HEAD(k, b, n)                                                                              \
    {                                                                                              \
        .magic = SLT_CONTROL_MAGIC, .version = SLT_CONTROL_VERSION, .kind = (k),                   \
        .record_bytes = (b), .count = (n)                                                          \
    }

static void test_nonsense(void **state)
{
    (void)state;
    static const struct {
        struct slt_control_head head;
        size_t bytes;
        int result;
    } rows[] = {
        {HEAD(SLT_CONTROL_END, 1, 0), sizeof(struct slt_control_head), 0},
        {HEAD(SLT_CONTROL_END, 1, 0), 5, -EPROTO},
        {HEAD(SLT_CONTROL_CONN, 100, 11), 1024, -EPROTO},
        {HEAD(SLT_CONTROL_CONN, 0, 1), 100, -EPROTO},
        {HEAD(SLT_CONTROL_CONN, UINT32_MAX, UINT32_MAX), 1024, -EPROTO},
        {{.magic = 1}, 100, -EPROTO},
        {{.magic = SLT_CONTROL_MAGIC, .version = 99}, 100, -EPROTONOSUPPORT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct wire wire = make_wire();
        tell(&wire, rows[i].head, rows[i].bytes);
        assert_int_equal(read_wire(&wire), rows[i].result);
        drop_wire(&wire);
    }
    struct wire wire = make_wire();
    (void)close(wire.ends[1]);
    wire.ends[1] = -1;
    assert_int_equal(read_wire(&wire), -EPIPE);
    (void)close(wire.ends[0]);
    wire = make_wire();
    assert_int_equal(read_wire(&wire), -ETIMEDOUT);
    drop_wire(&wire);
}

/* Records that cannot be, or of kinds to come, are passed over. */
static void test_strange_records(void **state)
{
    (void)state;
    struct wire wire = make_wire();
    tell(&wire, (struct slt_control_head)HEAD(SLT_CONTROL_CONN, 900, 1), 1000);
    tell(&wire, (struct slt_control_head)HEAD(SLT_CONTROL_CONN, 3, 20), 1000);
    tell(&wire, (struct slt_control_head)HEAD(SLT_CONTROL_COUNTER, 48, 10), 1000);
    tell(&wire, (struct slt_control_head)HEAD(SLT_CONTROL_KIND_COUNT, 10, 10), 1000);
    tell(&wire, (struct slt_control_head)HEAD(255, 10, 10), 1000);
    tell(&wire, (struct slt_control_head)HEAD(SLT_CONTROL_END, 1, 0), 100);
    assert_int_equal(read_wire(&wire), 0);
    assert_int_equal(wire.heard.conns + wire.heard.listeners + wire.heard.counters, 0);
    drop_wire(&wire);
}

/* The superuser is told of everybody's instances, so the machine's own must not be seen from here.
 */
static void hide_the_others(void)
{
    if (geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0) {
        (void)mount("none", "/run", "tmpfs", 0, NULL);
    }
}

int main(void)
{
    hide_the_others();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tells_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_folder_of_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_ones_are_removed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_stale_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mute, set_up, tear_down),
        cmocka_unit_test(test_nonsense),
        cmocka_unit_test(test_strange_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
