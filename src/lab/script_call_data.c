/* Calls that open, move bytes and close. */
#include "lab/script_call.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <arpa/inet.h>

#define PIECES_MAX 64

/* ---- addresses ----------------------------------------------------------------------------- */

static void default_address(const struct slt_call *run, const salut_addr *addr, uint16_t port,
                            struct sockaddr_storage *out, uint32_t *bytes)
{
    memset(out, 0, sizeof(*out));
    if (run->world->options->ipv6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, addr->b, 16);
        *bytes = sizeof(*in6);
        return;
    }
    struct sockaddr_in *in4 = (struct sockaddr_in *)out;
    in4->sin_family = AF_INET;
    in4->sin_port = htons(port);
    memcpy(&in4->sin_addr, addr->b + 12, 4);
    *bytes = sizeof(*in4);
}

/* inet_addr("1.2.3.4"), inet_pton(AF_INET6, "::1", ...) or INADDR_ANY. */
static bool read_address(struct slt_call *run, const struct slt_expr *expr, int family, void *out)
{
    const struct slt_expr *text = NULL;

    if (!expr || expr->kind == SLT_EXPR_ELLIPSIS ||
        (expr->kind == SLT_EXPR_WORD && strcmp(expr->text, "INADDR_ANY") == 0)) {
        return true;
    }
    if (expr->kind == SLT_EXPR_STRING) {
        text = expr;
    }
    if (expr->kind == SLT_EXPR_CALL) {
        text = expr->first && expr->first->kind == SLT_EXPR_WORD ? expr->first->next : expr->first;
    }
    if (!text || text->kind != SLT_EXPR_STRING || inet_pton(family, text->text, out) != 1) {
        return slt_call_fail(run, "an address is wanted here, such as inet_addr(\"192.0.2.1\")");
    }
    return true;
}

static bool written_address(struct slt_call *run, const struct slt_expr *expr,
                            struct sockaddr_storage *out, uint32_t *bytes)
{
    int64_t family = AF_INET;
    int64_t port = 0;
    const struct slt_expr *named = slt_expr_member(expr, "sa_family", 0);

    named = named ? named : slt_expr_member(expr, "sin_family", 0);
    memset(out, 0, sizeof(*out));
    if (!named || !slt_call_number(run, named, &family)) {
        return slt_call_fail(run, "a socket address begins with sa_family");
    }
    const struct slt_expr *sin_port = slt_expr_member(expr, "sin_port", 1);
    sin_port = sin_port ? sin_port : slt_expr_member(expr, "sin6_port", 1);
    if (sin_port && !slt_call_number(run, sin_port, &port)) {
        return false;
    }
    out->ss_family = (sa_family_t)family;
    if (family == AF_INET6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
        in6->sin6_port = htons((uint16_t)port);
        *bytes = sizeof(*in6);
        return read_address(run, slt_expr_member(expr, "sin6_addr", 2), AF_INET6, &in6->sin6_addr);
    }
    struct sockaddr_in *in4 = (struct sockaddr_in *)out;
    in4->sin_port = htons((uint16_t)port);
    *bytes = sizeof(*in4);
    return read_address(run, slt_expr_member(expr, "sin_addr", 2), AF_INET, &in4->sin_addr);
}

static bool address_arg(struct slt_call *run, uint32_t index, const salut_addr *usual,
                        uint16_t port, struct sockaddr_storage *out, uint32_t *bytes);

/* ---- opening ------------------------------------------------------------------------------- */

static bool call_socket(struct slt_call *run)
{
    const struct slt_expr *domain_arg = slt_call_arg(run, 0);
    int domain = run->world->options->ipv6 ? AF_INET6 : AF_INET;
    int type;
    int protocol;

    if (domain_arg->kind != SLT_EXPR_ELLIPSIS && !slt_call_int(run, 0, &domain)) {
        return false;
    }
    if (!slt_call_int(run, 1, &type) || !slt_call_int(run, 2, &protocol)) {
        return false;
    }
    run->result = salut_sock_socket(run->world->host->socks, domain, type, protocol);
    return true;
}

static bool address_arg(struct slt_call *run, uint32_t index, const salut_addr *usual,
                        uint16_t port, struct sockaddr_storage *out, uint32_t *bytes)
{
    const struct slt_expr *expr = slt_call_arg(run, index);

    if (expr->kind == SLT_EXPR_ELLIPSIS) {
        default_address(run, usual, port, out, bytes);
        return true;
    }
    return written_address(run, expr, out, bytes);
}

static bool call_bind(struct slt_call *run)
{
    struct slt_call_world *world = run->world;
    struct sockaddr_storage addr;
    uint32_t bytes;
    int fd;

    if (!slt_call_fd(run, 0, &fd) ||
        !address_arg(run, 1, &world->flows->local, world->options->bind_port, &addr, &bytes)) {
        return false;
    }
    run->result = salut_sock_bind(world->host->socks, fd, (struct sockaddr *)&addr, bytes);
    return true;
}

static bool call_listen(struct slt_call *run)
{
    int fd;
    int backlog;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_int(run, 1, &backlog)) {
        return false;
    }
    run->result = salut_sock_listen(run->world->host->socks, fd, backlog);
    /* A new listener after the last connection was closed: its peer is a new one. */
    if (run->world->fd_under_test < 0) {
        slt_flow_set_none(run->world->flows);
    }
    return true;
}

static void note_blocking(struct slt_call *run, int fd)
{
    bool waits = run->result == -EAGAIN || run->result == -EINPROGRESS ||
                 (run->result == -EALREADY && run->may_block);
    run->would_block = waits && salut_sock_blocks(run->world->host->socks, fd);
}

static bool call_accept(struct slt_call *run)
{
    struct sockaddr_storage addr;
    uint32_t bytes = sizeof(addr);
    int fd;
    int flags = 0;

    if (!slt_call_fd(run, 0, &fd) || (run->call->arg_count == 4 && !slt_call_int(run, 3, &flags))) {
        return false;
    }
    run->result =
        salut_sock_accept(run->world->host->socks, fd, (struct sockaddr *)&addr, &bytes, flags);
    note_blocking(run, fd);
    if (run->result >= 0) {
        run->world->fd_under_test = (int)run->result;
    }
    return true;
}

static bool call_connect(struct slt_call *run)
{
    struct slt_call_world *world = run->world;
    struct sockaddr_storage addr;
    uint32_t bytes;
    int fd;

    if (!slt_call_fd(run, 0, &fd) ||
        !address_arg(run, 1, &world->flows->remote, world->options->connect_port, &addr, &bytes)) {
        return false;
    }
    run->result = salut_sock_connect(world->host->socks, fd, (struct sockaddr *)&addr, bytes);
    note_blocking(run, fd);
    world->fd_under_test = fd;
    return true;
}

/* ---- sending ------------------------------------------------------------------------------- */

/* Bytes as written: a string, or zeros for an ellipsis. */
static bool fill_bytes(struct slt_call *run, const struct slt_expr *expr, uint8_t *to, size_t bytes)
{
    if (expr && expr->kind == SLT_EXPR_STRING) {
        memcpy(to, expr->text, expr->text_bytes < bytes ? expr->text_bytes : bytes);
        run->world->flows->zeros = false;
        return true;
    }
    return (expr && expr->kind == SLT_EXPR_ELLIPSIS) ||
           slt_call_fail(run, "bytes are a string or ...");
}

/* A blocking write goes on until everything is taken. */
static void note_sent(struct slt_call *run, int fd, int64_t wanted, int64_t result)
{
    bool blocks = run->may_block && salut_sock_blocks(run->world->host->socks, fd);
    int64_t before = run->done_bytes;

    if (result > 0) {
        run->done_bytes += result;
    }
    run->result = result < 0 && before > 0 ? before : run->done_bytes;
    if (result < 0 && before == 0) {
        run->result = result;
    }
    bool stuck = result == -EAGAIN || (result >= 0 && run->done_bytes < wanted);
    run->would_block = blocks && stuck;
}

static bool send_bytes(struct slt_call *run, int flags)
{
    int fd;
    int64_t bytes;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_number(run, slt_call_arg(run, 2), &bytes)) {
        return false;
    }
    if (bytes < 0) {
        return slt_call_fail(run, "a length is not negative");
    }
    uint8_t *data = slt_call_scratch(run, (size_t)bytes);
    if (!data || !fill_bytes(run, slt_call_arg(run, 1), data, (size_t)bytes)) {
        return false;
    }
    ptrdiff_t result = salut_sock_send(run->world->host->socks, fd, data + run->done_bytes,
                                       (size_t)(bytes - run->done_bytes), flags);
    note_sent(run, fd, bytes, result);
    return true;
}

static bool call_write(struct slt_call *run)
{
    return send_bytes(run, 0);
}

static bool call_send(struct slt_call *run)
{
    int flags;
    return slt_call_int(run, 3, &flags) && send_bytes(run, flags);
}

/* With MSG_FASTOPEN a sendto is a connect as well (RFC 7413). */
static bool call_sendto(struct slt_call *run)
{
    struct slt_call_world *world = run->world;
    struct sockaddr_storage addr;
    uint32_t addr_bytes;
    int flags;
    int fd;
    int64_t bytes;

    if (!slt_call_int(run, 3, &flags) || (flags & MSG_FASTOPEN) == 0) {
        return call_send(run);
    }
    if (!slt_call_fd(run, 0, &fd) || !slt_call_number(run, slt_call_arg(run, 2), &bytes) ||
        !address_arg(run, 4, &world->flows->remote, world->options->connect_port, &addr,
                     &addr_bytes)) {
        return false;
    }
    uint8_t *data = slt_call_scratch(run, (size_t)slt_max64(bytes, 0));
    if (bytes < 0 || !data || !fill_bytes(run, slt_call_arg(run, 1), data, (size_t)bytes)) {
        return false;
    }
    struct salut_sock_peer peer = {
        .addr = (struct sockaddr *)&addr, .bytes = addr_bytes, .flags = flags};
    run->result = salut_sock_sendto(world->host->socks, fd, data, (size_t)bytes, &peer);
    world->fd_under_test = fd;
    return true;
}

/* [{..., 10}, {iov_base=..., iov_len=20}] */
static bool read_pieces(struct slt_call *run, const struct slt_expr *list, struct iovec *pieces,
                        int *count)
{
    size_t total = 0;
    *count = 0;

    if (!list || list->kind != SLT_EXPR_LIST) {
        return slt_call_fail(run, "a list of pieces is wanted here");
    }
    for (const struct slt_expr *one = list->first; one; one = one->next) {
        int64_t bytes;
        if (*count == PIECES_MAX) {
            return slt_call_fail(run, "too many pieces");
        }
        if (!slt_call_number(run, slt_expr_member(one, "iov_len", 1), &bytes)) {
            return false;
        }
        pieces[(*count)++].iov_len = (size_t)bytes;
        total += (size_t)bytes;
    }
    uint8_t *at = slt_call_scratch(run, total);
    for (int i = 0; at && i < *count; i++) {
        pieces[i].iov_base = at;
        at += pieces[i].iov_len;
    }
    return at != NULL;
}

static bool fill_pieces(struct slt_call *run, const struct slt_expr *list, struct iovec *pieces)
{
    int i = 0;
    for (const struct slt_expr *one = list->first; one; one = one->next, i++) {
        const struct slt_expr *base = slt_expr_member(one, "iov_base", 0);
        if (!fill_bytes(run, base, pieces[i].iov_base, pieces[i].iov_len)) {
            return false;
        }
    }
    return true;
}

static bool call_writev(struct slt_call *run)
{
    struct iovec pieces[PIECES_MAX];
    const struct slt_expr *list = slt_call_arg(run, 1);
    int count;
    int fd;

    if (!slt_call_fd(run, 0, &fd) || !read_pieces(run, list, pieces, &count) ||
        !fill_pieces(run, list, pieces)) {
        return false;
    }
    run->result = salut_sock_writev(run->world->host->socks, fd, pieces, count);
    note_blocking(run, fd);
    return true;
}

static bool call_sendmsg(struct slt_call *run)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr msg = {.msg_iov = pieces};
    const struct slt_expr *list = slt_expr_member(slt_call_arg(run, 1), "msg_iov", 0);
    int count;
    int fd;
    int flags;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_int(run, 2, &flags) ||
        !read_pieces(run, list, pieces, &count) || !fill_pieces(run, list, pieces)) {
        return false;
    }
    msg.msg_iovlen = (size_t)count;
    run->result = salut_sock_sendmsg(run->world->host->socks, fd, &msg, flags);
    note_blocking(run, fd);
    return true;
}

/* ---- receiving ----------------------------------------------------------------------------- */

static bool check_bytes(struct slt_call *run, const struct slt_expr *expr, const uint8_t *got,
                        int64_t bytes)
{
    if (!expr || expr->kind == SLT_EXPR_ELLIPSIS || bytes <= 0) {
        return true;
    }
    if (expr->kind != SLT_EXPR_STRING) {
        return slt_call_fail(run, "bytes are a string or ...");
    }
    if (expr->text_bytes != bytes || memcmp(expr->text, got, (size_t)bytes) != 0) {
        slt_call_fail(run, "bytes: what was read is not \"%s\"", expr->text);
    }
    return true;
}

static bool receive_bytes(struct slt_call *run, int flags)
{
    int fd;
    int64_t bytes;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_number(run, slt_call_arg(run, 2), &bytes)) {
        return false;
    }
    if (bytes < 0) {
        return slt_call_fail(run, "a length is not negative");
    }
    uint8_t *data = slt_call_scratch(run, (size_t)bytes);
    if (!data) {
        return false;
    }
    run->result = salut_sock_recv(run->world->host->socks, fd, data, (size_t)bytes, flags);
    note_blocking(run, fd);
    run->would_block = run->would_block && (flags & MSG_DONTWAIT) == 0;
    return check_bytes(run, slt_call_arg(run, 1), data, run->result);
}

static bool call_read(struct slt_call *run)
{
    return receive_bytes(run, 0);
}

static bool call_recv(struct slt_call *run)
{
    int flags;
    return slt_call_int(run, 3, &flags) && receive_bytes(run, flags);
}

static bool call_readv(struct slt_call *run)
{
    struct iovec pieces[PIECES_MAX];
    int count;
    int fd;

    if (!slt_call_fd(run, 0, &fd) || !read_pieces(run, slt_call_arg(run, 1), pieces, &count)) {
        return false;
    }
    run->result = salut_sock_readv(run->world->host->socks, fd, pieces, count);
    note_blocking(run, fd);
    return true;
}

static bool call_recvmsg(struct slt_call *run)
{
    struct iovec pieces[PIECES_MAX];
    struct msghdr msg = {.msg_iov = pieces};
    const struct slt_expr *arg = slt_call_arg(run, 1);
    const struct slt_expr *want = slt_expr_member(arg, "msg_flags", 1);
    int64_t want_flags;
    int count;
    int fd;
    int flags;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_int(run, 2, &flags) ||
        !read_pieces(run, slt_expr_member(arg, "msg_iov", 0), pieces, &count)) {
        return false;
    }
    msg.msg_iovlen = (size_t)count;
    run->result = salut_sock_recvmsg(run->world->host->socks, fd, &msg, flags);
    note_blocking(run, fd);
    if (want && run->result >= 0) {
        if (!slt_call_number(run, want, &want_flags)) {
            return false;
        }
        if (want_flags != msg.msg_flags) {
            slt_call_fail(run, "msg_flags: expected %lld, got %d", (long long)want_flags,
                          msg.msg_flags);
        }
    }
    return true;
}

/* ---- closing ------------------------------------------------------------------------------- */

static bool call_close(struct slt_call *run)
{
    int script_fd;
    int fd;

    if (!slt_call_int(run, 0, &script_fd) || !slt_call_fd(run, 0, &fd)) {
        return false;
    }
    run->result = salut_sock_close(run->world->host->socks, fd);
    if (run->result == 0) {
        run->world->fds[script_fd] = -1;
    }
    if (run->result == 0 && fd == run->world->fd_under_test) {
        run->world->fd_under_test = -1;
    }
    return true;
}

static bool call_shutdown(struct slt_call *run)
{
    int fd;
    int how;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_int(run, 1, &how)) {
        return false;
    }
    run->result = salut_sock_shutdown(run->world->host->socks, fd, how);
    return true;
}

static const struct slt_call_row ROWS[] = {
    {"socket", 3, 3, true, call_socket},    {"bind", 3, 3, false, call_bind},
    {"listen", 2, 2, false, call_listen},   {"accept", 3, 3, true, call_accept},
    {"accept4", 4, 4, true, call_accept},   {"connect", 3, 3, false, call_connect},
    {"write", 3, 3, false, call_write},     {"send", 4, 4, false, call_send},
    {"sendto", 6, 6, false, call_sendto},   {"writev", 3, 3, false, call_writev},
    {"sendmsg", 3, 3, false, call_sendmsg}, {"read", 3, 3, false, call_read},
    {"recv", 4, 4, false, call_recv},       {"recvfrom", 6, 6, false, call_recv},
    {"readv", 3, 3, false, call_readv},     {"recvmsg", 3, 3, false, call_recvmsg},
    {"close", 1, 1, false, call_close},     {"shutdown", 2, 2, false, call_shutdown},
};

const struct slt_call_row *slt_call_data_row(const char *name)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(ROWS); i++) {
        if (strcmp(ROWS[i].name, name) == 0) {
            return &ROWS[i];
        }
    }
    return NULL;
}
