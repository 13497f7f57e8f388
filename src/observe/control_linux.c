/* See control_linux.h.
 *
 * A socket is bound under a name that readers pass over and gets its own only once it listens: a
 * name that refuses connections is therefore always a dead process's.
 *
 * Each reader has a cursor into the walk over the stack; a message is composed from the cursor and
 * sent, and when the socket takes no more the cursor goes back to where it was.
 */
#include "observe/control_linux.h"

#include "base/time.h"
#include "observe/control_place_linux.h"
#include "observe/owner_linux.h"
#include "sock/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READERS_MAX   8U
#define PATIENCE_NS   (5 * SLT_NS_PER_S)  /* a reader takes a message within that */
#define VISIT_NS      (60 * SLT_NS_PER_S) /* and is done within that */
#define OWN_NAMES_MAX 64                  /* stacks of one process */

struct reader {
    struct slt_control *control;
    int fd; /* -1: nobody */
    bool asked;
    uint8_t kind; /* enum slt_control_kind: what comes next */
    uint16_t what;
    uint64_t cursor; /* of the walk over connections, and of reasons */
    uint64_t next_event;
    int64_t cut_at_ns;
    int64_t end_at_ns;
};

struct slt_control {
    struct salut_runner *runner;
    const struct salut_stack *stack;
    struct salut_runner_timer timer;
    int folder_fd;
    int listener_fd;
    int64_t uid;
    char name[SLT_CONTROL_NAME_MAX];
    char program[SLT_SEEN_NAME_MAX];
    struct reader readers[READERS_MAX];
    uint8_t message[SLT_CONTROL_MESSAGE_MAX];
};

/* ---- messages ---------------------------------------------------------------------------------
 */

/* A message under work. */
struct message {
    struct slt_control_head head;
    uint8_t *records;
    size_t most;
};

static void begin(struct slt_control *control, struct message *m, uint8_t kind, size_t record_bytes)
{
    m->head = (struct slt_control_head){.magic = SLT_CONTROL_MAGIC,
                                        .version = SLT_CONTROL_VERSION,
                                        .kind = kind,
                                        .record_bytes = (uint32_t)record_bytes};
    m->records = control->message + sizeof(m->head);
    m->most = (sizeof(control->message) - sizeof(m->head)) / record_bytes;
}

static void put(struct message *m, const void *record)
{
    memcpy(m->records + (size_t)m->head.count * m->head.record_bytes, record, m->head.record_bytes);
    m->head.count++;
}

/* Each returns true when there is nothing more of its kind. */
static bool tell_who(struct slt_control *control, struct reader *reader, struct message *m)
{
    const struct slt_telemetry *telemetry = slt_inside_telemetry(control->stack);
    struct slt_control_who who = {.pid = (int32_t)getpid(),
                                  .event_ring = telemetry->ring_count,
                                  .events_written = telemetry->written,
                                  .now_ns = slt_inside_now(control->stack)};
    memcpy(who.program, control->program, sizeof(who.program));
    (void)snprintf(who.library, sizeof(who.library), "%s", salut_version());
    begin(control, m, SLT_CONTROL_WHO, sizeof(who));
    put(m, &who);
    (void)reader;
    return true;
}

static void fill_owner(const struct slt_control *control, struct slt_seen *seen)
{
    bool nobodys = seen->kind == SLT_SEEN_HALF_OPEN || seen->kind == SLT_SEEN_TIME_WAIT ||
                   seen->orphan == SLT_YES || seen->accepted == SLT_NO;
    seen->uid = control->uid;
    seen->pid = (int32_t)getpid();
    seen->owner = nobodys ? SLT_OWNER_KERNEL : SLT_OWNER_SEEN;
    memcpy(seen->program, control->program, sizeof(seen->program));
}

static bool tell_conns(struct slt_control *control, struct reader *reader, struct message *m)
{
    struct salut_info info;
    struct slt_seen seen;
    begin(control, m, SLT_CONTROL_CONN, sizeof(seen));
    while (m->head.count < m->most) {
        if (!salut_next_info(control->stack, &reader->cursor, &info)) {
            return true;
        }
        slt_seen_from_info(&seen, &info, (uint64_t)getpid());
        fill_owner(control, &seen);
        put(m, &seen);
    }
    return false;
}

static bool tell_counters(struct slt_control *control, struct reader *reader, struct message *m)
{
    begin(control, m, SLT_CONTROL_COUNTER, sizeof(struct slt_control_counter));
    for (; m->head.count < m->most && reader->cursor < salut_reason_count(); reader->cursor++) {
        struct slt_control_counter counter = {
            .value = salut_counter(control->stack, (unsigned)reader->cursor)};
        (void)snprintf(counter.token, sizeof(counter.token), "%s",
                       salut_reason_token((unsigned)reader->cursor));
        if (reader->cursor > 0) { /* 0 is no reason */
            put(m, &counter);
        }
    }
    return reader->cursor >= salut_reason_count();
}

static bool tell_events(struct slt_control *control, struct reader *reader, struct message *m)
{
    const struct slt_telemetry *telemetry = slt_inside_telemetry(control->stack);
    struct slt_event event;
    begin(control, m, SLT_CONTROL_EVENT, sizeof(event));
    if (telemetry->ring_count == 0) {
        return true;
    }
    while (m->head.count < m->most) {
        int64_t lost = slt_event_read(telemetry, reader->next_event, &event);
        if (lost < 0) {
            return true;
        }
        if (lost > 0 && m->head.count > 0) {
            return false; /* the gap goes before the first of the next message */
        }
        m->head.lost += (uint64_t)lost;
        reader->next_event += lost > 0 ? (uint64_t)lost : 1;
        if (lost == 0) {
            put(m, &event);
        }
    }
    return false;
}

static bool tell_end(struct slt_control *control, struct reader *reader, struct message *m)
{
    begin(control, m, SLT_CONTROL_END, 1);
    (void)reader;
    return true;
}

/* Compose the next message of a reader, and move on. */
static size_t compose(struct slt_control *control, struct reader *reader)
{
    static bool (*const tell[SLT_CONTROL_KIND_COUNT])(struct slt_control *, struct reader *,
                                                      struct message *) = {
        [SLT_CONTROL_WHO] = tell_who,          [SLT_CONTROL_CONN] = tell_conns,
        [SLT_CONTROL_COUNTER] = tell_counters, [SLT_CONTROL_EVENT] = tell_events,
        [SLT_CONTROL_END] = tell_end,
    };
    struct message m;
    if (tell[reader->kind](control, reader, &m)) {
        reader->cursor = 0;
        do {
            reader->kind++;
        } while (reader->kind < SLT_CONTROL_END && (reader->what & 1U << reader->kind) == 0);
    }
    memcpy(control->message, &m.head, sizeof(m.head));
    return sizeof(m.head) + (size_t)m.head.count * m.head.record_bytes;
}

/* ---- readers ----------------------------------------------------------------------------------
 */

static void let_go(struct reader *reader)
{
    (void)salut_runner_remove_fd(reader->control->runner, reader->fd);
    (void)close(reader->fd);
    reader->fd = -1;
}

static void set_timer(struct slt_control *control)
{
    int64_t at_ns = SLT_NEVER;
    for (size_t i = 0; i < READERS_MAX; i++) {
        const struct reader *reader = &control->readers[i];
        int64_t cut = reader->cut_at_ns < reader->end_at_ns ? reader->cut_at_ns : reader->end_at_ns;
        if (reader->fd >= 0 && cut < at_ns) {
            at_ns = cut;
        }
    }
    salut_runner_set_timer(control->runner, &control->timer, at_ns);
}

static void on_timer(void *ctx, int64_t now_ns)
{
    struct slt_control *control = ctx;
    for (size_t i = 0; i < READERS_MAX; i++) {
        struct reader *reader = &control->readers[i];
        if (reader->fd >= 0 && (reader->cut_at_ns <= now_ns || reader->end_at_ns <= now_ns)) {
            let_go(reader);
        }
    }
    set_timer(control);
}

static void on_reader(void *ctx, int fd, uint32_t events);

static bool watch(struct reader *reader, uint32_t events)
{
    struct salut_runner_fd watch = {
        .fd = reader->fd, .events = events, .on_ready = on_reader, .ctx = reader};
    return salut_runner_set_fd(reader->control->runner, &watch) == SALUT_OK;
}

static bool take_request(struct reader *reader)
{
    struct slt_control_request request;
    ssize_t got = recv(reader->fd, &request, sizeof(request), MSG_DONTWAIT | MSG_TRUNC);
    if (got != (ssize_t)sizeof(request) || request.magic != SLT_CONTROL_MAGIC ||
        request.version != SLT_CONTROL_VERSION) {
        return false;
    }
    reader->asked = true;
    reader->what = request.what;
    reader->next_event = request.events_from > 0 ? request.events_from : 1;
    return watch(reader, EPOLLOUT);
}

/* One message; false: this reader is done with, or gone. */
static bool serve(struct reader *reader)
{
    struct slt_control *control = reader->control;
    struct reader before = *reader;
    size_t bytes = compose(control, reader);
    ssize_t sent = send(reader->fd, control->message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        *reader = before;
        return true;
    }
    reader->cut_at_ns = slt_time_add(salut_runner_now(control->runner), PATIENCE_NS);
    return sent == (ssize_t)bytes && reader->kind < SLT_CONTROL_KIND_COUNT;
}

static void on_reader(void *ctx, int fd, uint32_t events)
{
    struct reader *reader = ctx;
    if (reader->fd != fd) {
        return; /* let go of in this very turn */
    }
    bool gone = (events & (EPOLLERR | EPOLLHUP)) != 0;
    bool goes_on = !gone && (reader->asked ? serve(reader) : take_request(reader));
    if (!goes_on) {
        let_go(reader);
    }
    set_timer(reader->control);
}

static bool may_look(int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 &&
           (peer.uid == geteuid() || peer.uid == 0);
}

static struct reader *find_place(struct slt_control *control)
{
    for (size_t i = 0; i < READERS_MAX; i++) {
        if (control->readers[i].fd < 0) {
            return &control->readers[i];
        }
    }
    return NULL;
}

static void on_listener(void *ctx, int listener_fd, uint32_t events)
{
    struct slt_control *control = ctx;
    (void)events;
    int fd = accept4(listener_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct reader *reader = fd >= 0 ? find_place(control) : NULL;
    if (fd < 0) {
        return;
    }
    if (reader == NULL || !may_look(fd)) {
        (void)close(fd);
        return;
    }
    int64_t now_ns = salut_runner_now(control->runner);
    *reader = (struct reader){.control = control,
                              .fd = fd,
                              .cut_at_ns = slt_time_add(now_ns, PATIENCE_NS),
                              .end_at_ns = slt_time_add(now_ns, VISIT_NS)};
    if (!watch(reader, EPOLLIN)) {
        (void)close(fd);
        reader->fd = -1;
    }
    set_timer(control);
}

/* ---- the socket -------------------------------------------------------------------------------
 */

static bool answers(int folder_fd, const char *name)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    slt_control_address(folder_fd, name, &address);
    bool refused = fd < 0 || (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 &&
                              (errno == ECONNREFUSED || errno == ENOENT));
    if (fd >= 0) {
        (void)close(fd);
    }
    return !refused;
}

/* The first name of this process that is free, or was left behind by a dead namesake. */
static int choose_name(struct slt_control *control)
{
    for (int i = 1; i <= OWN_NAMES_MAX; i++) {
        if (i == 1) {
            (void)snprintf(control->name, sizeof(control->name), "%d", (int)getpid());
        } else {
            (void)snprintf(control->name, sizeof(control->name), "%d.%d", (int)getpid(), i);
        }
        if (!answers(control->folder_fd, control->name)) {
            return 0;
        }
    }
    control->name[0] = '\0';
    return -EADDRINUSE;
}

static int listen_there(struct slt_control *control)
{
    char hidden[SLT_CONTROL_NAME_MAX + 1];
    struct sockaddr_un address;
    int result = choose_name(control);
    if (result < 0) {
        return result;
    }
    (void)snprintf(hidden, sizeof(hidden), ".%s", control->name);
    (void)unlinkat(control->folder_fd, hidden, 0);
    slt_control_address(control->folder_fd, hidden, &address);
    control->listener_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listener_fd < 0 ||
        bind(control->listener_fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(control->listener_fd, (int)READERS_MAX) < 0 ||
        renameat(control->folder_fd, hidden, control->folder_fd, control->name) < 0) {
        result = -errno;
        control->name[0] = '\0';
        (void)unlinkat(control->folder_fd, hidden, 0);
        return result;
    }
    struct salut_runner_fd watch = {
        .fd = control->listener_fd, .events = EPOLLIN, .on_ready = on_listener, .ctx = control};
    return salut_runner_set_fd(control->runner, &watch) == SALUT_OK ? 0 : -ENOMEM;
}

int slt_control_open(struct salut_runner *runner, const struct salut_stack *stack,
                     const char *program, struct slt_control **control)
{
    struct slt_control *c = calloc(1, sizeof(*c));
    *control = NULL;
    if (c == NULL) {
        return -ENOMEM;
    }
    c->runner = runner;
    c->stack = stack;
    c->listener_fd = -1;
    c->uid = (int64_t)geteuid();
    c->timer = (struct salut_runner_timer){.on_due = on_timer, .ctx = c};
    for (size_t i = 0; i < READERS_MAX; i++) {
        c->readers[i].fd = -1;
    }
    if (program != NULL) {
        (void)snprintf(c->program, sizeof(c->program), "%s", program);
    } else {
        slt_program_name((int32_t)getpid(), c->program);
    }
    c->folder_fd = slt_control_folder_own(true);
    int result = c->folder_fd < 0 ? c->folder_fd : listen_there(c);
    if (result < 0) {
        slt_control_close(c);
        return result;
    }
    *control = c;
    return 0;
}

void slt_control_close(struct slt_control *control)
{
    if (control == NULL) {
        return;
    }
    for (size_t i = 0; i < READERS_MAX; i++) {
        if (control->readers[i].fd >= 0) {
            let_go(&control->readers[i]);
        }
    }
    if (control->name[0] != '\0') {
        (void)unlinkat(control->folder_fd, control->name, 0);
    }
    if (control->listener_fd >= 0) {
        (void)salut_runner_remove_fd(control->runner, control->listener_fd);
        (void)close(control->listener_fd);
    }
    if (control->folder_fd >= 0) {
        (void)close(control->folder_fd);
    }
    salut_runner_set_timer(control->runner, &control->timer, SLT_NEVER);
    free(control);
}
