/* See kernel_diag_linux.h.
 *
 * Structures are our own copies of the kernel's (linux/inet_diag.h, linux/tcp.h as of 6.18): they
 * only ever grow at the end, so a reader takes as much as came and knows the rest to be unknown.
 */
#include "observe/kernel_diag_linux.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/diag_format_linux.h"
#include "observe/kernel_room_linux.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES   (256U * 1024U)
#define RECEIVE_BUFFER (4 * 1024 * 1024)

enum { KERNEL_ESTABLISHED = 1, KERNEL_LISTEN = 10, KERNEL_BOUND = 13, KERNEL_STATES = 14 };
enum { ATTR_INFO = 2, ATTR_CONG = 4, ATTR_SKMEM = 7, ATTR_SHUTDOWN = 8 };
enum { SKMEM_RCVBUF = 1, SKMEM_SNDBUF = 3, SKMEM_DROPS = 8 };

/* struct tcp_info, as far as it is looked at. */
struct kernel_tcp_info {
    uint8_t state, ca_state, retransmits, probes, backoff, options, scales, app_limited;
    uint32_t rto_us, ato_us, snd_mss, rcv_mss;
    uint32_t unacked, sacked, lost, retrans, fackets;
    uint32_t last_data_sent_ms, last_ack_sent_ms, last_data_recv_ms, last_ack_recv_ms;
    uint32_t pmtu, rcv_ssthresh, rtt_us, rttvar_us, snd_ssthresh, snd_cwnd, advmss, reordering;
    uint32_t rcv_rtt_us, rcv_space, total_retrans;
    uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
    uint32_t segs_out, segs_in, notsent_bytes, min_rtt_us, data_segs_in, data_segs_out;
    uint64_t delivery_rate, busy_us, rwnd_limited_us, sndbuf_limited_us;
    uint32_t delivered, delivered_ce;
    uint64_t bytes_sent, bytes_retrans;
    uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd, rcv_wnd, rehash;
    uint16_t total_rto;
};

static const uint8_t state_of_kernel[KERNEL_STATES] = {
    SALUT_STATE_CLOSED,       SALUT_STATE_ESTABLISHED, SALUT_STATE_SYN_SENT,
    SALUT_STATE_SYN_RECEIVED, SALUT_STATE_FIN_WAIT_1,  SALUT_STATE_FIN_WAIT_2,
    SALUT_STATE_TIME_WAIT,    SALUT_STATE_CLOSED,      SALUT_STATE_CLOSE_WAIT,
    SALUT_STATE_LAST_ACK,     SALUT_STATE_LISTEN,      SALUT_STATE_CLOSING,
    SALUT_STATE_SYN_RECEIVED, SALUT_STATE_CLOSED,
};

enum salut_state slt_kernel_state(uint32_t number)
{
    return number < KERNEL_STATES ? (enum salut_state)state_of_kernel[number] : SALUT_STATE_CLOSED;
}

/* ---- one message to a record ---------------------------------------------------------------- */

static salut_addr address_of(uint8_t family, const uint8_t bytes[16])
{
    salut_addr addr = {.zone = 0};
    if (family == AF_INET6) {
        memcpy(addr.b, bytes, sizeof(addr.b));
    } else {
        addr.b[10] = addr.b[11] = 0xff;
        memcpy(addr.b + 12, bytes, 4);
    }
    return addr;
}

static uint16_t port_of(uint16_t network_order)
{
    uint8_t b[2];
    memcpy(b, &network_order, sizeof(b));
    return (uint16_t)(b[0] << 8 | b[1]);
}

static struct slt_seen_span exactly(uint64_t ms)
{
    return (struct slt_seen_span){(int64_t)ms * SLT_NS_PER_MS, SLT_SPAN_EXACT};
}

static struct slt_seen_span at_least(uint64_t ms)
{
    return (struct slt_seen_span){(int64_t)ms * SLT_NS_PER_MS, SLT_SPAN_AT_LEAST};
}

static uint8_t kind_of(const struct diag_message *m)
{
    bool small = m->inode == 0 && m->timer == 3; /* the kernel's minisocks run this timer alone */
    switch (m->state) {
    case 10:
        return SLT_SEEN_LISTENER;
    case 3:
    case 12:
        return m->inode == 0 ? SLT_SEEN_HALF_OPEN : SLT_SEEN_CONN;
    case 6:
        return SLT_SEEN_TIME_WAIT;
    case 5:
        return small ? SLT_SEEN_TIME_WAIT : SLT_SEEN_CONN;
    case 7:
    case KERNEL_BOUND:
        return SLT_SEEN_BOUND;
    default:
        return SLT_SEEN_CONN;
    }
}

static void fill_timer(struct slt_seen *seen, const struct diag_message *m)
{
    static const uint8_t timers[] = {SLT_SEEN_TIMER_NONE,      SLT_SEEN_TIMER_RETRANSMIT,
                                     SLT_SEEN_TIMER_KEEPALIVE, SLT_SEEN_TIMER_TIME_WAIT,
                                     SLT_SEEN_TIMER_PERSIST,   SLT_SEEN_TIMER_DELAYED_ACK};
    seen->timer = m->timer < SLT_ARRAY_COUNT(timers) ? timers[m->timer] : SLT_SEEN_TIMER_OTHER;
    bool orphan = m->inode == 0 && seen->state == SALUT_STATE_FIN_WAIT_2;
    if (orphan && m->timer != 0) {
        seen->timer = SLT_SEEN_TIMER_FIN_WAIT_2;
    }
    seen->timer_in = exactly(m->expires_ms);
    seen->retries = m->retransmits;
    if (seen->state == SALUT_STATE_TIME_WAIT) {
        seen->age = exactly(m->expires_ms < 60000 ? 60000 - m->expires_ms : 0);
    }
    /* Timer 2 of a connection at rest is keep-alive; none at all means that it is off. */
    bool at_rest = seen->state == SALUT_STATE_ESTABLISHED || seen->state == SALUT_STATE_CLOSE_WAIT;
    if (at_rest && m->timer == 2) {
        seen->keepalive = SLT_YES;
    } else if (at_rest && m->timer == 0) {
        seen->keepalive = SLT_NO;
    }
}

static bool has_received_fin(uint8_t state)
{
    return state == SALUT_STATE_CLOSE_WAIT || state == SALUT_STATE_LAST_ACK ||
           state == SALUT_STATE_CLOSING;
}

/* Ours takes a position, too: it is in wqueue until it is acknowledged. */
static bool has_own_fin(uint8_t state)
{
    return state == SALUT_STATE_FIN_WAIT_1 || state == SALUT_STATE_CLOSING ||
           state == SALUT_STATE_LAST_ACK;
}

static void fill_queues(struct slt_seen *seen, const struct diag_message *m)
{
    if (seen->kind == SLT_SEEN_LISTENER) {
        seen->queue = m->receive_queue;
        seen->queue_limit = m->send_queue;
        return;
    }
    if (seen->kind != SLT_SEEN_CONN) {
        return;
    }
    /* The FIN takes a position: it is in rqueue until the program has read up to it. */
    bool fin = has_received_fin(seen->state) && m->receive_queue > 0;
    seen->fin_unread = has_received_fin(seen->state) ? (fin ? SLT_YES : SLT_NO) : SLT_NO;
    seen->unread = (int64_t)m->receive_queue - (fin ? 1 : 0);
    bool ours = has_own_fin(seen->state) && m->send_queue > 0;
    seen->unacked = (int64_t)m->send_queue - (ours ? 1 : 0);
}

static void fill_owner(struct slt_seen *seen, const struct diag_message *m)
{
    seen->inode = m->inode;
    seen->uid = m->uid;
    seen->owner = m->inode != 0 ? SLT_OWNER_HIDDEN : SLT_OWNER_KERNEL;
    if (seen->kind != SLT_SEEN_CONN) {
        return;
    }
    bool open = seen->state == SALUT_STATE_ESTABLISHED || seen->state == SALUT_STATE_CLOSE_WAIT;
    seen->accepted = m->inode != 0 ? SLT_YES : open ? SLT_NO : SLT_DONT_KNOW;
    seen->orphan = m->inode == 0 && !open ? SLT_YES : SLT_NO;
    if (seen->accepted == SLT_NO) {
        seen->passive = SLT_YES;
    }
}

/* How long the state has lasted, at least. An open connection was so when data last went; what
 * waits for an acknowledgement has waited for the timeouts it has seen; and a state that a segment
 * of the peer began is no younger than the last one that came. */
static void fill_age(struct slt_seen *seen, const struct kernel_tcp_info *t, uint64_t idle_ms)
{
    switch (seen->state) {
    case SALUT_STATE_ESTABLISHED:
        seen->age = at_least(idle_ms);
        break;
    case SALUT_STATE_CLOSE_WAIT:
    case SALUT_STATE_FIN_WAIT_2:
        seen->age = at_least(t->last_ack_recv_ms);
        break;
    default:
        if (t->backoff > 0 && t->backoff < 20) {
            seen->age = at_least((t->rto_us - (t->rto_us >> t->backoff)) / 1000);
        }
        break;
    }
}

static void fill_times(struct slt_seen *seen, const struct kernel_tcp_info *t)
{
    uint64_t idle_ms =
        t->last_data_sent_ms < t->last_data_recv_ms ? t->last_data_sent_ms : t->last_data_recv_ms;
    /* Before the handshake is done the kernel counts these from its own start. */
    if (seen->state != SALUT_STATE_SYN_SENT && seen->state != SALUT_STATE_SYN_RECEIVED) {
        seen->idle = exactly(idle_ms);
        seen->given = exactly(t->last_data_recv_ms);
        seen->silent = exactly(t->last_ack_recv_ms < t->last_data_recv_ms ? t->last_ack_recv_ms
                                                                          : t->last_data_recv_ms);
    }
    if (seen->age.how == SLT_SPAN_UNKNOWN) {
        fill_age(seen, t, idle_ms);
    }
}

static void fill_info(struct slt_seen *seen, const struct kernel_tcp_info *t, size_t bytes)
{
    seen->rtt_us = t->rtt_us;
    seen->rtt_var_us = t->rttvar_us;
    seen->rto_us = t->rto_us;
    seen->send_mss = t->snd_mss;
    seen->recv_mss = t->rcv_mss;
    seen->pmtu = t->pmtu;
    seen->cwnd_bytes = (int64_t)t->snd_cwnd * t->snd_mss;
    seen->ssthresh_bytes = t->snd_ssthresh == UINT32_MAX || t->snd_ssthresh == INT32_MAX
                               ? SLT_UNKNOWN
                               : (int64_t)t->snd_ssthresh * t->snd_mss;
    seen->retransmits = t->total_retrans;
    seen->lost = t->lost;
    seen->sacked = t->sacked;
    seen->reordering = t->reordering;
    seen->backoff = t->backoff;
    seen->retries = t->probes > seen->retries ? t->probes : seen->retries;
    seen->timestamps = (t->options & 1) != 0 ? SLT_YES : SLT_NO;
    seen->sack = (t->options & 2) != 0 ? SLT_YES : SLT_NO;
    seen->window_scale = (t->options & 4) != 0 ? SLT_YES : SLT_NO;
    seen->ecn = (t->options & 8) != 0 ? SLT_YES : SLT_NO;
    seen->send_scale = t->scales & 0xf;
    seen->recv_scale = t->scales >> 4;
    seen->app_limited = (t->app_limited & 1) != 0 ? SLT_YES : SLT_NO;
    if (bytes >= offsetof(struct kernel_tcp_info, delivery_rate)) {
        seen->pacing_rate = (int64_t)t->pacing_rate;
        seen->bytes_acked = (int64_t)t->bytes_acked;
        seen->bytes_received = (int64_t)t->bytes_received;
        seen->segs_in = t->segs_in;
        seen->segs_out = t->segs_out;
        seen->rtt_min_us = t->min_rtt_us == UINT32_MAX ? SLT_UNKNOWN : (int64_t)t->min_rtt_us;
        seen->unsent = t->notsent_bytes - (t->notsent_bytes > 0 && has_own_fin(seen->state));
        seen->unacked = slt_max64(seen->unacked - seen->unsent, 0);
    }
    if (bytes >= offsetof(struct kernel_tcp_info, delivered)) {
        seen->delivery_rate = (int64_t)t->delivery_rate;
        seen->busy_us = (int64_t)t->busy_us;
        seen->window_limited_us = (int64_t)t->rwnd_limited_us;
        seen->buffer_limited_us = (int64_t)t->sndbuf_limited_us;
    }
    if (bytes >= offsetof(struct kernel_tcp_info, rcv_wnd)) {
        seen->bytes_sent = (int64_t)t->bytes_sent;
        seen->bytes_retransmitted = (int64_t)t->bytes_retrans;
        seen->dsacks = t->dsack_dups;
        seen->marked = t->delivered_ce;
        seen->holes_in = t->rcv_ooopack;
        seen->late = t->reord_seen;
        seen->send_window = t->snd_wnd;
    }
    if (bytes >= offsetof(struct kernel_tcp_info, rcv_wnd) + sizeof(t->rcv_wnd)) {
        seen->recv_window = t->rcv_wnd;
    }
    if (bytes >= offsetof(struct kernel_tcp_info, total_rto) + sizeof(t->total_rto)) {
        seen->timeouts = t->total_rto;
    }
    fill_times(seen, t);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void fill_attribute(struct slt_seen *seen, uint16_t type, const uint8_t *data, size_t bytes)
{
    struct kernel_tcp_info info = {.state = 0};
    uint32_t memory[SKMEM_DROPS + 1];
    switch (type) {
    case ATTR_INFO:
        if (seen->kind == SLT_SEEN_CONN) {
            memcpy(&info, data, smaller(bytes, sizeof(info)));
            fill_info(seen, &info, bytes);
        }
        break;
    case ATTR_SKMEM:
        if (bytes >= sizeof(memory)) {
            memcpy(memory, data, sizeof(memory));
            seen->recv_buffer = memory[SKMEM_RCVBUF];
            seen->send_buffer = memory[SKMEM_SNDBUF];
            seen->drops = memory[SKMEM_DROPS];
        }
        break;
    case ATTR_CONG:
        memcpy(seen->congestion, data, smaller(bytes, sizeof(seen->congestion) - 1));
        break;
    case ATTR_SHUTDOWN:
        seen->shut = bytes > 0 ? data[0] & 3 : 0;
        break;
    default:
        break;
    }
}

static void fill_attributes(struct slt_seen *seen, const uint8_t *data, size_t bytes)
{
    while (bytes >= sizeof(struct rtattr)) {
        struct rtattr attribute;
        memcpy(&attribute, data, sizeof(attribute));
        size_t whole = RTA_ALIGN(attribute.rta_len);
        if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > bytes) {
            return;
        }
        fill_attribute(seen, attribute.rta_type, data + sizeof(attribute),
                       attribute.rta_len - sizeof(attribute));
        if (whole >= bytes) {
            return;
        }
        data += whole;
        bytes -= whole;
    }
}

static bool parse(const uint8_t *data, size_t bytes, bool is_final, struct slt_seen *seen)
{
    struct diag_message m;
    if (bytes < sizeof(m)) {
        return false;
    }
    memcpy(&m, data, sizeof(m));
    slt_seen_init(seen, SLT_SOURCE_KERNEL);
    seen->family = m.family == AF_INET6 ? 6 : 4;
    seen->state = m.state < KERNEL_STATES ? state_of_kernel[m.state] : SALUT_STATE_CLOSED;
    seen->kind = is_final ? SLT_SEEN_CONN : kind_of(&m);
    seen->key = (uint64_t)m.id.cookie[1] << 32 | m.id.cookie[0];
    seen->local = address_of(m.family, m.id.local);
    seen->remote = address_of(m.family, m.id.remote);
    seen->local.zone = seen->remote.zone = m.family == AF_INET6 ? m.id.interface : 0;
    seen->interface = m.id.interface;
    seen->local_port = port_of(m.id.local_port);
    seen->remote_port = port_of(m.id.remote_port);
    fill_owner(seen, &m);
    fill_timer(seen, &m);
    fill_queues(seen, &m);
    fill_attributes(seen, data + sizeof(m), bytes - sizeof(m));
    return true;
}

bool slt_kernel_diag_parse(const uint8_t *data, size_t bytes, struct slt_seen *seen)
{
    return parse(data, bytes, false, seen);
}

bool slt_kernel_diag_parse_final(const uint8_t *data, size_t bytes, struct slt_seen *seen)
{
    return parse(data, bytes, true, seen);
}

/* ---- the dump -------------------------------------------------------------------------------
 *
 * SOCK_DIAG_BY_FAMILY would take one a family, and each walks over all sockets there are. The older
 * request (TCPDIAG_GETSOCK of linux/inet_diag.h), which ss sends as well, knows no families.
 */

enum { ALL_FAMILIES = 18 };

/* A dump under way. */
struct dump {
    int fd;
    uint8_t *answer; /* ANSWER_BYTES */
    struct slt_seen_list *list;
    uint64_t instance;
    uint64_t *cookies; /* of those that came, by open addressing, at most half full */
    size_t mask;
    size_t count;
};

/* ---- twins ----------------------------------------------------------------------------------
 *
 * A socket that changed its place during the dump comes twice: the second is dropped.
 */

static uint64_t *place_of(uint64_t *cookies, size_t mask, uint64_t cookie)
{
    size_t at = (size_t)(cookie * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
    while (cookies[at] != 0 && cookies[at] != cookie) {
        at = (at + 1) & mask;
    }
    return &cookies[at];
}

/* Room for `count` cookies and as many again. */
static bool open_cookies(struct dump *dump, size_t count)
{
    size_t room = 64;
    while (room < count * 2) {
        room *= 2;
    }
    uint64_t *cookies = calloc(room, sizeof(*cookies));
    for (size_t i = 0; cookies != NULL && dump->cookies != NULL && i <= dump->mask; i++) {
        if (dump->cookies[i] != 0) {
            *place_of(cookies, room - 1, dump->cookies[i]) = dump->cookies[i];
        }
    }
    if (cookies != NULL) {
        free(dump->cookies);
        dump->cookies = cookies;
        dump->mask = room - 1;
    }
    return cookies != NULL;
}

/* 1: it is new, 0: it came before, or a negative errno value. */
static int note_cookie(struct dump *dump, uint64_t cookie)
{
    if (cookie == 0) {
        return 1;
    }
    if (dump->count > dump->mask / 2 && !open_cookies(dump, dump->count + 1)) {
        return -ENOMEM;
    }
    uint64_t *place = place_of(dump->cookies, dump->mask, cookie);
    bool fresh = *place == 0;
    *place = cookie;
    dump->count += fresh;
    return fresh;
}

/* ---- requests and answers ------------------------------------------------------------------- */

static uint32_t kernel_states(uint32_t states)
{
    uint32_t mask = 0;
    for (uint32_t i = KERNEL_ESTABLISHED; i < KERNEL_STATES; i++) {
        if (states == 0 || (states & 1U << state_of_kernel[i]) != 0) {
            mask |= 1U << i;
        }
    }
    return mask;
}

static uint32_t extensions(enum slt_kernel_detail detail)
{
    switch (detail) {
    case SLT_KERNEL_BRIEF:
        return 0;
    case SLT_KERNEL_LEAN:
        return 1U << (ATTR_INFO - 1);
    case SLT_KERNEL_FULL:
        break;
    }
    return 1U << (ATTR_INFO - 1) | 1U << (ATTR_CONG - 1) | 1U << (ATTR_SKMEM - 1) |
           1U << (ATTR_SHUTDOWN - 1);
}

static int send_request(int fd, uint32_t states, enum slt_kernel_detail detail)
{
    struct {
        struct nlmsghdr header;
        struct diag_old_request request;
    } message = {
        .header = {.nlmsg_len = sizeof(message),
                   .nlmsg_type = ALL_FAMILIES,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .request = {.extensions = (uint8_t)extensions(detail), .states = states},
    };
    return send(fd, &message, sizeof(message), 0) == (ssize_t)sizeof(message) ? 0 : -errno;
}

static int take_message(struct dump *dump, const struct nlmsghdr *header)
{
    if (header->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *error = NLMSG_DATA(header);
        bool whole = header->nlmsg_len >= NLMSG_LENGTH(sizeof(*error));
        return whole && error->error != 0 ? error->error : -EPROTO;
    }
    struct slt_seen *seen = slt_seen_list_room(dump->list);
    if (seen == NULL) {
        return -ENOMEM;
    }
    if (header->nlmsg_type == ALL_FAMILIES &&
        slt_kernel_diag_parse(NLMSG_DATA(header), NLMSG_PAYLOAD(header, 0), seen)) {
        int fresh = note_cookie(dump, seen->key);
        seen->instance = dump->instance;
        dump->list->count += fresh > 0;
        return fresh < 0 ? fresh : 0;
    }
    return 0;
}

/* One datagram of answers: 1 when the dump is over, 0 when there is more, or a negative errno. */
static int take_answer(struct dump *dump)
{
    ssize_t got = recv(dump->fd, dump->answer, ANSWER_BYTES, 0);
    if (got < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    uint32_t left = (uint32_t)got;
    for (const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)dump->answer;
         NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
        if (h->nlmsg_type == NLMSG_DONE) {
            return 1;
        }
        int result = take_message(dump, h);
        if (result < 0) {
            return result;
        }
    }
    return 0;
}

static int dump_states(struct dump *dump, uint32_t states, enum slt_kernel_detail detail)
{
    int result = states == 0 ? 1 : send_request(dump->fd, states, detail);
    while (result == 0) {
        result = take_answer(dump);
    }
    return result > 0 ? 0 : result;
}

/* A listener's losses are among what a lean listing leaves out: they are asked for apart, which
 * costs little, for they have a table of their own. */
static int dump_all(struct dump *dump, const struct slt_kernel_ask *ask)
{
    uint32_t states = kernel_states(ask->states);
    uint32_t listeners = ask->detail == SLT_KERNEL_LEAN ? states & 1U << KERNEL_LISTEN : 0;
    int result = dump_states(dump, listeners, SLT_KERNEL_FULL);
    return result == 0 ? dump_states(dump, states & ~listeners, ask->detail) : result;
}

uint64_t slt_kernel_namespace(void)
{
    struct stat status;
    return stat("/proc/self/ns/net", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

int slt_kernel_diag(const struct slt_kernel_ask *ask, struct slt_seen_list *list)
{
    int bytes = RECEIVE_BUFFER;
    size_t expected = slt_kernel_socket_count();
    struct dump dump = {.list = list, .instance = slt_kernel_namespace()};
    dump.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (dump.fd < 0) {
        return -errno;
    }
    (void)setsockopt(dump.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    dump.answer = malloc(ANSWER_BYTES);
    bool room = open_cookies(&dump, expected) && dump.answer != NULL;
    slt_kernel_make_room(list, expected);
    int result = room ? dump_all(&dump, ask) : -ENOMEM;
    free(dump.cookies);
    free(dump.answer);
    (void)close(dump.fd);
    return result;
}
