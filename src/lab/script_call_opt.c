/* Calls that set and ask: socket options, fcntl, ioctl. */
#include "lab/script_call.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#define VALUE_MAX 1024U

/* ---- values of options --------------------------------------------------------------------- */

static bool put_linger(struct slt_call *run, const struct slt_expr *expr, uint8_t *value,
                       uint32_t *bytes)
{
    struct linger linger;
    int64_t on;
    int64_t seconds;

    if (!slt_call_number(run, slt_expr_member(expr, "onoff", 0), &on) ||
        !slt_call_number(run, slt_expr_member(expr, "linger", 1), &seconds)) {
        return false;
    }
    linger.l_onoff = (int)on;
    linger.l_linger = (int)seconds;
    memcpy(value, &linger, sizeof(linger));
    *bytes = sizeof(linger);
    return true;
}

static bool put_timeval(struct slt_call *run, const struct slt_expr *expr, uint8_t *value,
                        uint32_t *bytes)
{
    struct timeval time;
    int64_t seconds;
    int64_t micros;

    if (!slt_call_number(run, slt_expr_member(expr, "tv_sec", 0), &seconds) ||
        !slt_call_number(run, slt_expr_member(expr, "tv_usec", 1), &micros)) {
        return false;
    }
    time.tv_sec = (time_t)seconds;
    time.tv_usec = (suseconds_t)micros;
    memcpy(value, &time, sizeof(time));
    *bytes = sizeof(time);
    return true;
}

/* The bytes of a written value: [1], a string, {onoff=1, linger=0}. */
static bool put_value(struct slt_call *run, const struct slt_expr *expr, uint8_t *value,
                      uint32_t *bytes)
{
    int64_t number;
    int small;

    if (expr->kind == SLT_EXPR_LIST && expr->first && expr->first->kind == SLT_EXPR_STRUCT) {
        expr = expr->first;
    }
    if (expr->kind == SLT_EXPR_STRUCT) {
        return slt_expr_member(expr, "tv_usec", 2) ? put_timeval(run, expr, value, bytes)
                                                   : put_linger(run, expr, value, bytes);
    }
    const struct slt_expr *text = expr->kind == SLT_EXPR_LIST ? expr->first : expr;
    if (text && text->kind == SLT_EXPR_STRING) {
        *bytes = text->text_bytes < VALUE_MAX ? text->text_bytes : VALUE_MAX;
        memcpy(value, text->text, *bytes);
        return true;
    }
    if (!slt_call_number(run, expr, &number)) {
        return false;
    }
    small = (int)number;
    memcpy(value, &small, sizeof(small));
    *bytes = sizeof(small);
    return true;
}

static bool option_args(struct slt_call *run, int *fd, struct salut_sock_opt *opt)
{
    return slt_call_fd(run, 0, fd) && slt_call_int(run, 1, &opt->level) &&
           slt_call_int(run, 2, &opt->name);
}

static bool call_setsockopt(struct slt_call *run)
{
    struct salut_sock_opt opt;
    uint8_t value[VALUE_MAX] = {0};
    int64_t bytes;
    uint32_t written;
    int fd;

    if (!option_args(run, &fd, &opt) || !put_value(run, slt_call_arg(run, 3), value, &written) ||
        !slt_call_number(run, slt_call_arg(run, 4), &bytes)) {
        return false;
    }
    if (bytes < 0 || bytes > (int64_t)VALUE_MAX) {
        return slt_call_fail(run, "an option has 0 to %u bytes", VALUE_MAX);
    }
    opt.value = value;
    opt.bytes = (uint32_t)bytes;
    run->result = salut_sock_setsockopt(run->world->host->socks, fd, &opt);
    /* What the script changes it also says of every later packet, or does not care about. */
    bool hops = (opt.level == IPPROTO_IP && opt.name == IP_TTL) ||
                (opt.level == IPPROTO_IPV6 && opt.name == IPV6_UNICAST_HOPS);
    if (hops && run->result == 0) {
        run->world->flows->ttl = value[0];
    }
    return true;
}

static void check_value(struct slt_call *run, const struct slt_expr *expr,
                        const struct salut_sock_opt *got)
{
    uint8_t want[VALUE_MAX] = {0};
    uint32_t bytes;
    int number = 0;

    if (expr->kind == SLT_EXPR_ELLIPSIS || !put_value(run, expr, want, &bytes)) {
        return;
    }
    if (bytes == got->bytes && memcmp(want, got->value, bytes) == 0) {
        return;
    }
    if (got->bytes == sizeof(number)) {
        int wanted;
        memcpy(&number, got->value, sizeof(number));
        memcpy(&wanted, want, sizeof(wanted));
        slt_call_fail(run, "option value: expected %d, got %d", wanted, number);
    } else {
        slt_call_fail(run, "option value: %u bytes that are not the expected %u", got->bytes,
                      bytes);
    }
}

static bool call_getsockopt(struct slt_call *run)
{
    uint8_t value[VALUE_MAX] = {0};
    struct salut_sock_opt opt = {.value = value};
    const struct slt_expr *length = slt_call_arg(run, 4);
    int64_t bytes = sizeof(int);
    int fd;

    if (!option_args(run, &fd, &opt)) {
        return false;
    }
    if (length->kind != SLT_EXPR_ELLIPSIS && !slt_call_number(run, length, &bytes)) {
        return false;
    }
    if (bytes < 0 || bytes > (int64_t)VALUE_MAX) {
        return slt_call_fail(run, "an option has 0 to %u bytes", VALUE_MAX);
    }
    opt.bytes = (uint32_t)bytes;
    run->result = salut_sock_getsockopt(run->world->host->socks, fd, &opt);
    if (run->result == 0) {
        check_value(run, slt_call_arg(run, 3), &opt);
    }
    return true;
}

static bool call_fcntl(struct slt_call *run)
{
    int fd;
    int command;
    int value = 0;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_int(run, 1, &command) ||
        (run->call->arg_count == 3 && !slt_call_int(run, 2, &value))) {
        return false;
    }
    run->result = salut_sock_fcntl(run->world->host->socks, fd, command, value);
    return true;
}

static bool call_ioctl(struct slt_call *run)
{
    const struct slt_expr *arg = slt_call_arg(run, 2);
    int64_t request;
    int64_t want = 0;
    int value = 0;
    int fd;

    if (!slt_call_fd(run, 0, &fd) || !slt_call_number(run, slt_call_arg(run, 1), &request)) {
        return false;
    }
    bool said = arg && arg->kind != SLT_EXPR_ELLIPSIS;
    if (said && !slt_call_number(run, arg, &want)) {
        return false;
    }
    value = (int)want;
    run->result = salut_sock_ioctl(run->world->host->socks, fd, (unsigned long)request, &value);
    if (run->result == 0 && said && value != (int)want) {
        slt_call_fail(run, "ioctl value: expected %lld, got %d", (long long)want, value);
    }
    return true;
}

static const struct slt_call_row ROWS[] = {
    {"setsockopt", 5, 5, false, call_setsockopt},
    {"getsockopt", 5, 5, false, call_getsockopt},
    {"fcntl", 2, 3, false, call_fcntl},
    {"ioctl", 2, 3, false, call_ioctl},
};

const struct slt_call_row *slt_call_opt_row(const char *name)
{
    for (size_t i = 0; i < SLT_ARRAY_COUNT(ROWS); i++) {
        if (strcmp(ROWS[i].name, name) == 0) {
            return &ROWS[i];
        }
    }
    return NULL;
}
