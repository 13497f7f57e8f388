/* User calls of the line language: `NAME arguments [= RESULT]`. RESULT is a status (OK by
 * default) or, for send, recv, peek and urgent, a number of bytes. Bytes sent are the pattern of
 * their position, bytes received must be the pattern of theirs.
 */
#include "tests/conform/conform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct call {
    struct world *world;
    struct words words;
    enum salut_status status;
    size_t bytes;
    bool counted; /* `bytes` is a result */
};

static const char *const status_names[SALUT_STATUS_COUNT] = {
    [SALUT_OK] = "OK",
    [SALUT_WOULD_BLOCK] = "WOULD_BLOCK",
    [SALUT_END] = "END",
    [SALUT_INVALID] = "INVALID",
    [SALUT_STALE] = "STALE",
    [SALUT_NO_MEMORY] = "NO_MEMORY",
    [SALUT_IN_PROGRESS] = "IN_PROGRESS",
    [SALUT_ALREADY_CONNECTED] = "ALREADY_CONNECTED",
    [SALUT_NOT_CONNECTED] = "NOT_CONNECTED",
    [SALUT_CLOSED] = "CLOSED",
    [SALUT_RESET] = "RESET",
    [SALUT_REFUSED] = "REFUSED",
    [SALUT_TIMED_OUT] = "TIMED_OUT",
    [SALUT_HOST_UNREACHABLE] = "HOST_UNREACHABLE",
    [SALUT_NET_UNREACHABLE] = "NET_UNREACHABLE",
    [SALUT_PROTO_UNREACHABLE] = "PROTO_UNREACHABLE",
    [SALUT_DENIED] = "DENIED",
    [SALUT_ADDRESS_IN_USE] = "ADDRESS_IN_USE",
    [SALUT_ADDRESS_NOT_AVAILABLE] = "ADDRESS_NOT_AVAILABLE",
    [SALUT_ADDRESS_INVALID] = "ADDRESS_INVALID",
    [SALUT_ABORTED] = "ABORTED",
    [SALUT_NOT_SUPPORTED] = "NOT_SUPPORTED",
    [SALUT_PENDING_OUTPUT] = "PENDING_OUTPUT",
    [SALUT_PROTOCOL_ERROR] = "PROTOCOL_ERROR",
    [SALUT_TOO_BIG] = "TOO_BIG",
};

const char *status_token(enum salut_status status)
{
    return (unsigned)status < SALUT_STATUS_COUNT ? status_names[status] : "?";
}

static uint32_t number_or(const struct call *c, const char *key, uint32_t missing)
{
    const char *text = words_value(&c->words, 1, key);
    return text == NULL ? missing : (uint32_t)strtoul(text, NULL, 0);
}

static void address_or_any(const struct call *c, const char *key, const char *missing,
                           salut_addr *addr)
{
    const char *text = words_value(&c->words, 1, key);
    memset(addr, 0, sizeof(*addr));
    text = text == NULL ? missing : text;
    if (text != NULL && !eval_address(c->world, text, addr)) {
        fail(c->world, "bad address \"%s\"", text);
    }
}

static uint32_t size_word(const struct call *c, uint32_t missing)
{
    return c->words.count > 1 ? (uint32_t)strtoul(c->words.word[1], NULL, 0) : missing;
}

static salut_listener *listener_of(const struct call *c)
{
    uint32_t at = number_or(c, "n", 0);
    return &c->world->listeners[at < 4 ? at : 0];
}

static void call_listen(struct call *c)
{
    static const char *const names[] = {"v6only", "anyport", "transparent", "early", "reuse"};
    struct world *world = c->world;
    struct salut_listen_params params = {.backlog = number_or(c, "backlog", 16),
                                         .port = (uint16_t)number_or(c, "port", 80)};
    address_or_any(c, "addr", NULL, &params.local);
    for (unsigned i = 0; i < 5; i++) {
        params.flags |= words_has(&c->words, 1, names[i]) ? 1U << i : 0U;
    }
    salut_listener listener = {0};
    c->status = salut_listen(world->stack, &params, &listener);
    if (c->status == SALUT_OK && world->listener_count < 4) {
        world->listeners[world->listener_count++] = listener;
        (void)salut_set_listener_option(world->stack, listener, SALUT_OPT_FAST_OPEN,
                                        number_or(c, "fast", 0));
    }
}

/* A connection of ours goes from port 40000 to the peer's port 80 unless the line says otherwise.
 */
static void fill_connect(struct call *c, struct salut_connect_params *params)
{
    address_or_any(c, "to", "peer", &params->remote);
    address_or_any(c, "from", NULL, &params->local);
    params->remote_port = (uint16_t)number_or(c, "port", 80);
    params->local_port = (uint16_t)number_or(c, "lport", 40000U + (uint32_t)c->world->at);
    params->flags = words_has(&c->words, 1, "fast") ? (uint32_t)SALUT_CONNECT_FAST_OPEN : 0;
    params->flags |= words_has(&c->words, 1, "wait") ? (uint32_t)SALUT_CONNECT_FAST_OPEN_WAIT : 0;
}

static void learn_tuple(struct call *c, salut_conn conn)
{
    struct peer *peer = peer_of(c->world);
    struct salut_info info;
    peer->conn = conn;
    peer->held = true;
    if (salut_get_info(c->world->stack, conn, &info) == SALUT_OK) {
        peer->local_port = info.local_port;
        peer->port = info.remote_port;
    }
}

static void call_connect(struct call *c)
{
    struct salut_connect_params params = {0};
    salut_conn conn = {0};
    fill_connect(c, &params);
    c->status = salut_connect(c->world->stack, &params, &conn);
    if (c->status == SALUT_OK) {
        learn_tuple(c, conn);
    }
}

static void call_listener_connect(struct call *c)
{
    struct salut_connect_params params = {0};
    salut_conn conn = {0};
    fill_connect(c, &params);
    params.local_port = 0;
    c->status = salut_listener_connect(c->world->stack, *listener_of(c), &params, &conn);
    if (c->status == SALUT_OK) {
        learn_tuple(c, conn);
    }
}

static void call_accept(struct call *c)
{
    salut_conn conn = {0};
    c->status = salut_accept(c->world->stack, *listener_of(c), 7, &conn);
    if (c->status == SALUT_OK) {
        learn_tuple(c, conn);
    }
}

static void call_send(struct call *c)
{
    static uint8_t data[1 << 20];
    struct peer *peer = peer_of(c->world);
    size_t bytes = size_word(c, 1);
    bytes = bytes < sizeof(data) ? bytes : sizeof(data);
    for (size_t i = 0; i < bytes; i++) {
        data[i] = pattern_byte((uint32_t)(peer->write_pos + i + 1));
    }
    unsigned flags = (words_has(&c->words, 1, "urgent") ? SALUT_SEND_URGENT : 0U) |
                     (words_has(&c->words, 1, "more") ? SALUT_SEND_MORE : 0U);
    c->status = salut_send(c->world->stack, peer->conn, data, bytes, flags, &c->bytes);
    c->counted = true;
    if (c->status == SALUT_OK) {
        peer->write_pos += c->bytes;
    }
}

static void call_recv(struct call *c)
{
    static uint8_t data[1 << 20];
    struct peer *peer = peer_of(c->world);
    size_t bytes = size_word(c, 65536);
    c->status = salut_recv(c->world->stack, peer->conn, data,
                           bytes < sizeof(data) ? bytes : sizeof(data), &c->bytes);
    c->counted = true;
    for (size_t i = 0; c->status == SALUT_OK && i < c->bytes; i++) {
        if (data[i] != pattern_byte((uint32_t)(peer->read_pos + i + 1))) {
            fail(c->world, "received octet %llu is not what the peer sent",
                 (unsigned long long)(peer->read_pos + i));
            return;
        }
    }
    peer->read_pos += c->status == SALUT_OK ? c->bytes : 0;
}

static void call_peek(struct call *c)
{
    struct salut_iovec pieces[16];
    size_t count = 0;
    c->status = salut_peek(c->world->stack, peer_of(c->world)->conn, pieces, 16, &count, &c->bytes);
    c->counted = true;
}

static void call_consume(struct call *c)
{
    c->status = salut_consume(c->world->stack, peer_of(c->world)->conn, size_word(c, 1));
    peer_of(c->world)->read_pos += c->status == SALUT_OK ? size_word(c, 1) : 0;
}

static void call_urgent(struct call *c)
{
    uint32_t ahead = 0;
    c->status = salut_urgent(c->world->stack, peer_of(c->world)->conn, &ahead);
    c->bytes = ahead;
    c->counted = true;
}

static void call_shutdown(struct call *c)
{
    const char *how = c->words.count > 1 ? c->words.word[1] : "w";
    enum salut_how what = strcmp(how, "r") == 0    ? SALUT_SHUT_READ
                          : strcmp(how, "w") == 0  ? SALUT_SHUT_WRITE
                          : strcmp(how, "rw") == 0 ? SALUT_SHUT_BOTH
                                                   : (enum salut_how)0;
    c->status = salut_shutdown(c->world->stack, peer_of(c->world)->conn, what);
}

static void call_close(struct call *c)
{
    c->status = salut_close(c->world->stack, peer_of(c->world)->conn);
    peer_of(c->world)->held = false;
}

static void call_abort(struct call *c)
{
    c->status = salut_abort(c->world->stack, peer_of(c->world)->conn);
    peer_of(c->world)->held = false;
}

static void call_close_listener(struct call *c)
{
    c->status = salut_close_listener(c->world->stack, *listener_of(c));
}

static void call_backlog(struct call *c)
{
    c->status = salut_set_backlog(c->world->stack, *listener_of(c), size_word(c, 1));
}

static void call_interest(struct call *c)
{
    c->status = salut_set_interest(c->world->stack, peer_of(c->world)->conn, size_word(c, 0));
}

static void call_info(struct call *c)
{
    struct salut_info info;
    c->status = salut_get_info(c->world->stack, peer_of(c->world)->conn, &info);
}

static int option_named(const char *name)
{
    static const char *const names[SALUT_OPT_COUNT] = {
        "nodelay",      "cork",     "keepalive",   "keepidle",     "keepintvl", "keepcnt",
        "user_timeout", "sndbuf",   "rcvbuf",      "linger_abort", "ttl",       "dscp",
        "maxseg",       "quickack", "syn_retries", "linger2",      "rcvlowat",  "fast_open",
        "congestion",   "pacing",   "pacing_max"};
    for (int i = 0; i < SALUT_OPT_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    return SALUT_OPT_COUNT;
}

static void call_option(struct call *c)
{
    if (c->words.count < 3) {
        fail(c->world, "option NAME VALUE");
        return;
    }
    enum salut_option option = (enum salut_option)option_named(c->words.word[1]);
    int64_t value = strtoll(c->words.word[2], NULL, 0);
    c->status = strcmp(c->words.word[0], "option") == 0
                    ? salut_set_option(c->world->stack, peer_of(c->world)->conn, option, value)
                    : salut_set_listener_option(c->world->stack, *listener_of(c), option, value);
}

static void call_get_option(struct call *c)
{
    int64_t value = -1;
    c->status = salut_get_option(c->world->stack, peer_of(c->world)->conn,
                                 (enum salut_option)option_named(c->words.word[1]), &value);
    c->bytes = (size_t)value;
    c->counted = true;
}

static void call_address(struct call *c)
{
    salut_addr addr;
    address_or_any(c, "addr", "us2", &addr);
    unsigned bits = c->world->settings.ip6 ? 64 : 24;
    c->status = c->words.word[0][0] == 'a'
                    ? salut_add_address(c->world->stack, &addr, number_or(c, "bits", bits))
                    : salut_remove_address(c->world->stack, &addr);
}

static void call_route(struct call *c)
{
    salut_addr dest;
    salut_addr gateway;
    address_or_any(c, "to", "far", &dest);
    address_or_any(c, "via", "gw", &gateway);
    c->status = salut_add_route(c->world->stack, &dest,
                                number_or(c, "bits", c->world->settings.ip6 ? 128 : 32), &gateway);
}

static bool judge(const struct call *c, const char *expected)
{
    bool number = expected != NULL && ((*expected >= '0' && *expected <= '9') || *expected == '-');
    if (c->world->error[0] != '\0') {
        return false;
    }
    if (number) {
        if (c->status != SALUT_OK || !c->counted || c->bytes != strtoull(expected, NULL, 0)) {
            return fail(c->world, "%s: %s, %zu bytes; expected %s", c->words.word[0],
                        status_token(c->status), c->bytes, expected);
        }
        return true;
    }
    if (strcmp(status_token(c->status), expected == NULL ? "OK" : expected) != 0) {
        return fail(c->world, "%s: %s; expected %s", c->words.word[0], status_token(c->status),
                    expected == NULL ? "OK" : expected);
    }
    return true;
}

bool call_run(struct world *world, const char *line)
{
    static const struct {
        const char *name;
        void (*run)(struct call *);
    } table[] = {
        {"listen", call_listen},
        {"connect", call_connect},
        {"listener_connect", call_listener_connect},
        {"accept", call_accept},
        {"send", call_send},
        {"recv", call_recv},
        {"peek", call_peek},
        {"consume", call_consume},
        {"urgent", call_urgent},
        {"shutdown", call_shutdown},
        {"close", call_close},
        {"abort", call_abort},
        {"close_listener", call_close_listener},
        {"backlog", call_backlog},
        {"info", call_info},
        {"interest", call_interest},
        {"option", call_option},
        {"loption", call_option},
        {"getoption", call_get_option},
        {"add_address", call_address},
        {"remove_address", call_address},
        {"add_route", call_route},
    };
    static struct call c;
    const char *equals = strstr(line, " = ");
    char expected[64];
    c.world = world;
    c.status = SALUT_OK;
    c.bytes = 0;
    c.counted = false;
    words_cut(&c.words, line, equals == NULL ? strlen(line) : (size_t)(equals - line));
    for (size_t i = 0; c.words.count > 0 && i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcmp(table[i].name, c.words.word[0]) == 0) {
            table[i].run(&c);
            snprintf(expected, sizeof(expected), "%s", equals == NULL ? "" : equals + 3);
            return judge(&c, equals == NULL ? NULL : expected);
        }
    }
    return fail(world, "\"%s\" is no call", line);
}
