/* getsockopt and setsockopt: find the row of the option table and let it work. */
#include "sock/sock.h"

#include <errno.h>
#include <netinet/in.h>

static const struct slt_sock_option *find_row(const struct slt_sock_option *rows, size_t count,
                                              const struct salut_sock_opt *opt)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].level == opt->level && rows[i].name == opt->name) {
            return &rows[i];
        }
    }
    return NULL;
}

static int find_option(const struct salut_socks *socks, int fd, const struct salut_sock_opt *opt,
                       struct slt_sock_optcall *call)
{
    int found = slt_sock_find(socks, fd, &call->sock);
    if (found < 0) {
        return found;
    }
    if (call->sock->kind == SLT_SOCK_DGRAM && opt->level == IPPROTO_TCP) {
        return -ENOPROTOOPT;
    }
    call->row = find_row(slt_sock_options_socket, slt_sock_options_socket_count, opt);
    if (call->row == NULL) {
        call->row = find_row(slt_sock_options_tcp, slt_sock_options_tcp_count, opt);
    }
    call->value = opt->value;
    call->bytes = opt->bytes;
    return call->row != NULL ? 0 : -ENOPROTOOPT;
}

int salut_sock_getsockopt(struct salut_socks *socks, int fd, struct salut_sock_opt *opt)
{
    struct slt_sock_optcall call = {.socks = socks};
    int result = find_option(socks, fd, opt, &call);
    if (result == 0 && call.row->get == NULL) {
        result = -ENOPROTOOPT;
    }
    if (result == 0 && (opt->bytes > INT32_MAX || (opt->bytes > 0 && opt->value == NULL))) {
        result = -EINVAL;
    }
    if (result == 0) {
        result = call.row->get(&call);
    }
    if (result == 0) {
        opt->bytes = call.bytes;
    }
    return result;
}

int salut_sock_setsockopt(struct salut_socks *socks, int fd, const struct salut_sock_opt *opt)
{
    struct slt_sock_optcall call = {.socks = socks};
    int result = find_option(socks, fd, opt, &call);
    if (result == 0 && call.row->set == NULL) {
        result = -ENOPROTOOPT;
    }
    if (result == 0 && (opt->bytes > INT32_MAX || opt->value == NULL)) {
        result = -EINVAL;
    }
    return result == 0 ? call.row->set(&call) : result;
}
