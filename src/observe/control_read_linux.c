/* See control_read_linux.h. */
#include "observe/control_read_linux.h"

#include "base/time.h"
#include "observe/control_place_linux.h"
#include "sock/runner_clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SILENCE_MS   1000
#define VISIT_NS     (20 * SLT_NS_PER_S)
#define RECORDS_MAX  UINT64_C(4000000) /* of one instance: more than one can have */
#define MESSAGES_MAX UINT64_C(2000000)
#define SOCKETS_MAX  4096U /* looked at in one folder */

/* One instance being read. */
struct visit {
    int fd;
    const struct slt_control_taker *taker;
    struct ucred peer;
    uint64_t records;
    uint64_t events_lost;
    bool ended;
    bool stopped; /* by the taker */
};

/* ---- records ----------------------------------------------------------------------------------
 */

static bool take_conn(struct visit *v, const uint8_t *bytes, size_t count)
{
    struct slt_seen seen;
    if (!slt_seen_take(&seen, SLT_SOURCE_STACK, bytes, count)) {
        return true;
    }
    seen.instance = (uint64_t)v->peer.pid;
    seen.uid = v->peer.uid;
    return v->taker->on_conn(v->taker->ctx, &seen);
}

static bool take_counter(struct visit *v, const uint8_t *bytes, size_t count)
{
    struct slt_control_counter counter = {.value = 0};
    memcpy(&counter, bytes, count < sizeof(counter) ? count : sizeof(counter));
    counter.token[sizeof(counter.token) - 1] = '\0';
    bool plain =
        counter.token[0] != '\0' &&
        strspn(counter.token, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(counter.token);
    return !plain || v->taker->on_counter(v->taker->ctx, &counter);
}

static bool take_event(struct visit *v, const uint8_t *bytes, size_t count)
{
    struct slt_event event = {.kind = SLT_EVENT_NONE};
    memcpy(&event, bytes, count < sizeof(event) ? count : sizeof(event));
    uint64_t lost = v->events_lost;
    v->events_lost = 0;
    return v->taker->on_event(v->taker->ctx, &event, lost);
}

static bool take_who(struct visit *v, const uint8_t *bytes, size_t count)
{
    struct slt_control_who who = {.pid = 0};
    memcpy(&who, bytes, count < sizeof(who) ? count : sizeof(who));
    who.pid = (int32_t)v->peer.pid;
    who.program[sizeof(who.program) - 1] = '\0';
    who.library[sizeof(who.library) - 1] = '\0';
    return v->taker->on_who(v->taker->ctx, &who);
}

/* What takes records of a kind; NULL: nobody asked. */
typedef bool (*take_record)(struct visit *v, const uint8_t *bytes, size_t count);

static take_record taker_of(const struct slt_control_taker *taker, uint8_t kind)
{
    switch ((enum slt_control_kind)kind) {
    case SLT_CONTROL_WHO:
        return taker->on_who != NULL ? take_who : NULL;
    case SLT_CONTROL_CONN:
        return taker->on_conn != NULL ? take_conn : NULL;
    case SLT_CONTROL_COUNTER:
        return taker->on_counter != NULL ? take_counter : NULL;
    case SLT_CONTROL_EVENT:
        return taker->on_event != NULL ? take_event : NULL;
    case SLT_CONTROL_END:
    case SLT_CONTROL_KIND_COUNT:
        break;
    }
    return NULL;
}

/* ---- messages ---------------------------------------------------------------------------------
 */

static int take_message(struct visit *v, const uint8_t *bytes, size_t count)
{
    struct slt_control_head head;
    if (count < sizeof(head)) {
        return count == 0 ? -EPIPE : -EPROTO;
    }
    memcpy(&head, bytes, sizeof(head));
    if (head.magic != SLT_CONTROL_MAGIC) {
        return -EPROTO;
    }
    if (head.version != SLT_CONTROL_VERSION) {
        return -EPROTONOSUPPORT;
    }
    size_t room = count - sizeof(head);
    if (head.count > 0 && (head.record_bytes == 0 || head.count > room / head.record_bytes)) {
        return -EPROTO;
    }
    take_record take = taker_of(v->taker, head.kind);
    v->ended = head.kind == SLT_CONTROL_END;
    v->events_lost += head.kind == SLT_CONTROL_EVENT ? head.lost : 0;
    v->records += head.count;
    for (uint32_t i = 0; take != NULL && i < head.count && !v->stopped; i++) {
        const uint8_t *record = bytes + sizeof(head) + (size_t)i * head.record_bytes;
        v->stopped = !take(v, record, head.record_bytes);
    }
    return v->records > RECORDS_MAX ? -EPROTO : 0;
}

static int receive(struct visit *v, uint8_t *buffer, int64_t end_at_ns)
{
    struct pollfd ready = {.fd = v->fd, .events = POLLIN};
    int result = poll(&ready, 1, SILENCE_MS);
    if (result < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    if (result == 0 || slt_runner_clock() > end_at_ns) {
        return -ETIMEDOUT;
    }
    ssize_t got = recv(v->fd, buffer, SLT_CONTROL_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0) {
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    }
    return got > (ssize_t)SLT_CONTROL_MESSAGE_MAX ? -EPROTO : take_message(v, buffer, (size_t)got);
}

int slt_control_read(int fd, const struct slt_control_taker *taker)
{
    struct visit v = {.fd = fd, .taker = taker};
    socklen_t bytes = sizeof(v.peer);
    uint8_t *buffer = malloc(SLT_CONTROL_MESSAGE_MAX);
    int64_t end_at_ns = slt_time_add(slt_runner_clock(), VISIT_NS);
    int result = buffer == NULL ? -ENOMEM : 0;
    if (result == 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &v.peer, &bytes) < 0) {
        result = -errno;
    }
    for (uint64_t i = 0; result == 0 && i < MESSAGES_MAX && !v.ended && !v.stopped; i++) {
        result = receive(&v, buffer, end_at_ns);
    }
    free(buffer);
    return result;
}

/* ---- instances --------------------------------------------------------------------------------
 */

static uint16_t wanted(const struct slt_control_taker *taker)
{
    uint32_t what = 0;
    for (uint8_t kind = 0; kind < SLT_CONTROL_END; kind++) {
        what |= taker_of(taker, kind) != NULL ? 1U << kind : 0;
    }
    return (uint16_t)what;
}

/* A socket that is ours to ask: another user's is asked by root alone. */
static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t bytes = sizeof(peer);
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0;
    return known && (peer.uid == geteuid() || peer.uid == 0 || geteuid() == 0);
}

static int ask_connected(int fd, const struct slt_control_taker *taker)
{
    struct slt_control_request request = {
        .magic = SLT_CONTROL_MAGIC, .version = SLT_CONTROL_VERSION, .what = wanted(taker)};
    if (!may_ask(fd)) {
        return -EPERM;
    }
    if (send(fd, &request, sizeof(request), MSG_NOSIGNAL) != (ssize_t)sizeof(request)) {
        return -errno;
    }
    return slt_control_read(fd, taker);
}

static int ask_one(int folder_fd, const char *name, const struct slt_control_taker *taker)
{
    struct sockaddr_un address;
    struct stat status;
    if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISSOCK(status.st_mode)) {
        return -ENOTSOCK;
    }
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    slt_control_address(folder_fd, name, &address);
    int result = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0
                     ? -errno
                     : ask_connected(fd, taker);
    (void)close(fd);
    return result;
}

struct round {
    const struct slt_control_taker *taker;
    struct slt_control_round *sum;
    int32_t pid;
};

static void take_name(struct round *r, int folder_fd, const char *name, bool ours)
{
    int pid;
    if (!slt_control_is_name(name, &pid) || (r->pid != 0 && r->pid != pid)) {
        return;
    }
    int result = ask_one(folder_fd, name, r->taker);
    if (result == 0) {
        r->sum->instances++;
    } else if (result == -ECONNREFUSED) {
        r->sum->removed += ours && unlinkat(folder_fd, name, 0) == 0;
    } else if (result != -ENOENT && result != -ENOTSOCK) {
        r->sum->mute++;
        r->sum->mute_pid = pid;
    }
}

static void visit_folder(void *ctx, int folder_fd, bool ours)
{
    const struct dirent *entry;
    int fd = dup(folder_fd);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return;
    }
    for (uint32_t i = 0; i < SOCKETS_MAX && (entry = readdir(folder)) != NULL; i++) {
        take_name(ctx, folder_fd, entry->d_name, ours);
    }
    (void)closedir(folder);
}

void slt_control_ask(const struct slt_control_taker *taker, int32_t pid,
                     struct slt_control_round *round)
{
    struct round r = {.taker = taker, .sum = round, .pid = pid};
    *round = (struct slt_control_round){.instances = 0};
    slt_control_folder_each(visit_folder, &r);
}
