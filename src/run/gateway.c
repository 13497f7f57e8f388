/* See gateway.h.
 *
 * A passage is one connection on its way through, from the program's first SYN to the end of both
 * sides:
 *
 *     ASKED       the porter was asked for a socket, the SYN is kept
 *     CONNECTING  the socket's handshake runs, the SYN is kept
 *     ADMITTED    it stands, and the stack was given the SYN
 *     RELAYED     the program's handshake is complete, too
 *
 * Passages are found by their four ends; a SYN that comes again while one is under way is dropped
 * or passed, never counted as another.
 */
#include "run/gateway.h"

#include "base/siphash.h"
#include "ip/addr.h"
#include "link/packet_linux.h"
#include "link/rtnl_linux.h"
#include "run/relay.h"
#include "run/socket_address.h"
#include "run/syn_gate.h"
#include "sock/link_open.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define PASSAGES_MAX  4096U
#define BUCKETS       4096U
#define SWEEP_NS      (5 * SLT_NS_PER_S)
#define ADMITTED_NS   (20 * SLT_NS_PER_S)  /* how long the program's handshake may take */
#define CONNECTING_NS (130 * SLT_NS_PER_S) /* a little more than Linux tries */

enum passage_state { ASKED, CONNECTING, ADMITTED, RELAYED };

struct passage {
    struct slt_gateway *gateway;
    struct passage *next; /* of the bucket */
    enum passage_state state;
    int64_t since_ns;
    struct slt_syn_ends ends;
    struct slt_syn *syn; /* ASKED, CONNECTING */
    struct slt_relay relay;
};

struct slt_gateway {
    struct slt_gateway_params params;
    struct slt_link *link; /* the SYN gate */
    struct salut_stack *stack;
    salut_listener listener;
    struct salut_runner_timer sweep;
    struct slt_sipkey key;
    uint32_t count;
    struct passage *buckets[BUCKETS];
};

/* ---- the table ------------------------------------------------------------------------------ */

static struct passage **bucket_of(struct slt_gateway *g, const struct slt_syn_ends *ends)
{
    uint8_t bytes[36];
    memcpy(bytes, ends->local.b, 16);
    memcpy(bytes + 16, ends->remote.b, 16);
    memcpy(bytes + 32, &ends->local_port, 2);
    memcpy(bytes + 34, &ends->remote_port, 2);
    return &g->buckets[slt_siphash13(&g->key, bytes, sizeof(bytes)) % BUCKETS];
}

static bool same_ends(const struct slt_syn_ends *a, const struct slt_syn_ends *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           memcmp(a->local.b, b->local.b, 16) == 0 && memcmp(a->remote.b, b->remote.b, 16) == 0;
}

static struct passage *find_passage(struct slt_gateway *g, const struct slt_syn_ends *ends)
{
    struct passage *p = *bucket_of(g, ends);
    while (p != NULL && !same_ends(&p->ends, ends)) {
        p = p->next;
    }
    return p;
}

/* Everything but the relay's two sides, which are closed already or none. */
static void remove_passage(struct passage *p)
{
    struct slt_gateway *g = p->gateway;
    struct passage **at = bucket_of(g, &p->ends);
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    g->count--;
    slt_porter_forget(g->params.porter, p);
    slt_syn_free(p->syn);
    slt_poller_drop(g->params.poller, &p->relay.polled);
    free(p);
}

/* ---- opening -------------------------------------------------------------------------------- */

static int64_t now_of(const struct slt_gateway *g)
{
    return salut_runner_now(g->params.runner);
}

/* The outside said no. Silence is answered with silence, and so is a want of ours: the program's
 * stack asks again. */
static void deny(struct passage *p, int error)
{
    struct slt_gateway *g = p->gateway;
    if (error != ETIMEDOUT && error != EMFILE && error != ENFILE && error != EPIPE) {
        enum slt_syn_answer answer = error == ENETUNREACH    ? SLT_SYN_NET_UNREACHABLE
                                     : error == EHOSTUNREACH ? SLT_SYN_HOST_UNREACHABLE
                                                             : SLT_SYN_RESET;
        slt_syn_gate_refuse(g->link, p->syn, answer, now_of(g));
        p->syn = NULL;
    }
    remove_passage(p);
}

static void on_connected(void *ctx, uint32_t events)
{
    struct passage *p = ctx;
    int error = 0;
    socklen_t bytes = sizeof(error);
    (void)events;
    (void)getsockopt(p->relay.polled.fd, SOL_SOCKET, SO_ERROR, &error, &bytes);
    if (error != 0) {
        deny(p, error);
        return;
    }
    (void)slt_poller_watch(p->gateway->params.poller, &p->relay.polled, 0);
    p->state = ADMITTED;
    p->since_ns = now_of(p->gateway);
    slt_syn_gate_admit(p->gateway->link, p->syn);
    p->syn = NULL;
}

static void on_socket(void *ctx, int fd)
{
    struct passage *p = ctx;
    if (fd < 0) {
        deny(p, -fd);
        return;
    }
    p->state = CONNECTING;
    p->relay.polled = (struct slt_polled){.fd = fd, .on_ready = on_connected, .ctx = p};
    if (!slt_poller_watch(p->gateway->params.poller, &p->relay.polled, EPOLLOUT)) {
        remove_passage(p);
    }
}

/* The gateway's own addresses, and those that mean the porter's machine itself wherever they are
 * used (loopback), or no single one. */
static bool is_out_of_reach(const struct slt_gateway *g, const salut_addr *addr)
{
    return memcmp(addr->b, g->params.v4.b, 16) == 0 || memcmp(addr->b, g->params.v6.b, 16) == 0 ||
           slt_ip_addr_is_unfit_source(addr->b);
}

static enum slt_syn_verdict on_syn(void *ctx, const struct slt_syn_ends *ends)
{
    struct slt_gateway *g = ctx;
    const struct passage *p = find_passage(g, ends);
    if (p != NULL) {
        return p->state == ASKED || p->state == CONNECTING ? SLT_SYN_DROP : SLT_SYN_PASS;
    }
    return g->count < g->params.passages_max ? SLT_SYN_KEEP : SLT_SYN_DROP;
}

static void on_kept(void *ctx, struct slt_syn *syn)
{
    struct slt_gateway *g = ctx;
    struct sockaddr_storage address;
    if (is_out_of_reach(g, &syn->ends.local)) {
        slt_syn_gate_refuse(g->link, syn, SLT_SYN_RESET, now_of(g));
        return;
    }
    struct passage *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        slt_syn_free(syn);
        return;
    }
    *p = (struct passage){.gateway = g,
                          .state = ASKED,
                          .since_ns = now_of(g),
                          .ends = syn->ends,
                          .syn = syn,
                          .relay = {.polled = {.fd = -1}}};
    struct passage **bucket = bucket_of(g, &p->ends);
    p->next = *bucket;
    *bucket = p;
    g->count++;
    if (!g->sweep.armed) {
        salut_runner_set_timer(g->params.runner, &g->sweep, p->since_ns + SWEEP_NS);
    }
    slt_socket_address_make(&p->ends.local, p->ends.local_port, &address);
    if (!slt_porter_ask(g->params.porter, SLT_PORTER_CONNECT, &address, on_socket, p)) {
        remove_passage(p);
    }
}

/* ---- the stack's side ----------------------------------------------------------------------- */

static void on_over(void *ctx)
{
    remove_passage(ctx);
}

static void take_conn(struct slt_gateway *g, salut_conn conn)
{
    struct salut_info info;
    struct passage *p = NULL;
    if (salut_get_info(g->stack, conn, &info) == SALUT_OK) {
        struct slt_syn_ends ends = {.local = info.local,
                                    .remote = info.remote,
                                    .local_port = info.local_port,
                                    .remote_port = info.remote_port};
        p = find_passage(g, &ends);
    }
    if (p == NULL || p->state != ADMITTED) {
        (void)salut_abort(g->stack, conn);
        return;
    }
    p->state = RELAYED;
    (void)salut_set_user(g->stack, conn, (uint64_t)(uintptr_t)p);
    p->relay.on_over = on_over;
    p->relay.ctx = p;
    slt_relay_begin(&p->relay, g->params.poller, g->stack, conn);
}

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    struct slt_gateway *g = ctx;
    salut_conn conn;
    if (event->conn.index != SALUT_NO_INDEX) {
        struct passage *p = (struct passage *)(uintptr_t)event->user;
        slt_relay_event(&p->relay, event->ready);
        return;
    }
    while (salut_accept(stack, g->listener, 0, &conn) == SALUT_OK) {
        take_conn(g, conn);
    }
}

/* The program did not come to the end of its handshake, or has long given up waiting for it. */
static void on_sweep(void *ctx, int64_t now_ns)
{
    struct slt_gateway *g = ctx;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (struct passage *p = g->buckets[i]; p != NULL;) {
            struct passage *next = p->next;
            int64_t most_ns = p->state == ADMITTED ? ADMITTED_NS : CONNECTING_NS;
            if (p->state != RELAYED && now_ns - p->since_ns > most_ns) {
                remove_passage(p);
            }
            p = next;
        }
    }
    if (g->count > 0) {
        salut_runner_set_timer(g->params.runner, &g->sweep, now_ns + SWEEP_NS);
    }
}

/* ---- setting up ----------------------------------------------------------------------------- */

static enum slt_link_trouble open_link(struct slt_gateway *g, struct slt_link_error *error)
{
    struct slt_packet_params packet = {.name = g->params.interface, .own_only = true};
    struct slt_rtnl_facts facts;
    struct slt_link *inner = NULL;
    if (slt_rtnl_facts(g->params.interface, &facts, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    /* The program's stack may have the address derived from this interface's: another one. */
    slt_rtnl_derive_mac(facts.mac, packet.mac);
    packet.mac[5] ^= 2;
    if (slt_packet_open(&packet, &inner, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    struct slt_syn_gate_params gate = {
        .v4 = g->params.v4, .v6 = g->params.v6, .on_syn = on_syn, .on_kept = on_kept, .ctx = g};
    memcpy(gate.mac, packet.mac, sizeof(gate.mac));
    return slt_syn_gate_open(inner, &gate, &g->link) == SALUT_OK
               ? SLT_LINK_FINE
               : slt_link_error_set(error, SLT_LINK_NO_MEMORY, 0, "memory is short", NULL);
}

static bool add_address(struct slt_gateway *g, const salut_addr *addr, unsigned prefix_bits)
{
    static const salut_addr none;
    return memcmp(addr->b, none.b, 16) == 0 ||
           salut_add_address(g->stack, addr, prefix_bits) == SALUT_OK;
}

static bool open_stack(struct slt_gateway *g)
{
    struct salut_config config;
    struct salut_listen_params listen = {.flags = SALUT_LISTEN_TRANSPARENT | SALUT_LISTEN_ANY_PORT,
                                         .backlog = g->params.passages_max};
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.conns_max = g->params.passages_max;
    struct salut_link *link = slt_link_public(g->link);
    if (salut_runner_prepare(g->params.runner, link, &config) != SALUT_OK ||
        salut_create(&config, &g->stack) != SALUT_OK) {
        return false;
    }
    struct salut_runner_stack member = {
        .stack = g->stack, .link = link, .on_event = on_event, .ctx = g};
    return add_address(g, &g->params.v4, g->params.v4_prefix_bits) &&
           add_address(g, &g->params.v6, g->params.v6_prefix_bits) &&
           salut_listen(g->stack, &listen, &g->listener) == SALUT_OK &&
           salut_runner_add_stack(g->params.runner, &member) == SALUT_OK;
}

enum slt_link_trouble slt_gateway_open(const struct slt_gateway_params *params,
                                       struct slt_gateway **gateway, struct slt_link_error *error)
{
    struct slt_gateway *g = calloc(1, sizeof(*g));
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    if (g == NULL) {
        return slt_link_error_set(error, SLT_LINK_NO_MEMORY, 0, "memory is short", NULL);
    }
    g->params = *params;
    g->params.passages_max = params->passages_max == 0 ? PASSAGES_MAX : params->passages_max;
    g->sweep = (struct salut_runner_timer){.on_due = on_sweep, .ctx = g};
    if (getrandom(&g->key, sizeof(g->key), 0) != (ssize_t)sizeof(g->key)) {
        g->key.k0 = (uint64_t)(uintptr_t)g;
    }
    if (open_link(g, error) != SLT_LINK_FINE) {
        slt_gateway_close(g);
        return error->trouble;
    }
    if (!open_stack(g)) {
        slt_gateway_close(g);
        return slt_link_error_set(error, SLT_LINK_NO_MEMORY, 0,
                                  "the gateway's stack cannot be made", NULL);
    }
    *gateway = g;
    return SLT_LINK_FINE;
}

bool slt_gateway_is_quiet(const struct slt_gateway *gateway)
{
    for (uint32_t i = 0; gateway != NULL && gateway->count > 0 && i < BUCKETS; i++) {
        for (const struct passage *p = gateway->buckets[i]; p != NULL; p = p->next) {
            if (p->state == RELAYED && !p->relay.from_stack_ended) {
                return false;
            }
        }
    }
    return true;
}

void slt_gateway_close(struct slt_gateway *gateway)
{
    if (gateway == NULL) {
        return;
    }
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (gateway->buckets[i] != NULL) {
            struct passage *p = gateway->buckets[i];
            if (p->state == RELAYED) {
                slt_relay_cut(&p->relay);
            }
            remove_passage(p);
        }
    }
    salut_runner_set_timer(gateway->params.runner, &gateway->sweep, SLT_NEVER);
    if (gateway->stack != NULL) {
        (void)salut_runner_remove_stack(gateway->params.runner, gateway->stack);
    }
    salut_destroy(gateway->stack);
    slt_link_close(gateway->link);
    free(gateway);
}
