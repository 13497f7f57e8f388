/* Salut without an operating system: memory from static blocks, time from a counter, two instances
 * joined by copying frames. Nothing here allocates, and no system call is made but to print.
 *
 * The client says hello, the server answers, the client closes; then both wait out what TCP has to
 * wait for, and every object is back in its pool.
 */
#include <salut/salut.h>

#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES (512U * 1024U)
#define FRAME_BYTES 1514U
#define FRAMES      8U
#define STEP_NS     1000000 /* 1 ms between two turns */

static _Alignas(64) unsigned char blocks[2][BLOCK_BYTES];
static struct salut_tx_frame outgoing[FRAMES];
static uint8_t wire[FRAMES][FRAME_BYTES];

/* Small limits: what a device with little memory would take. */
static int make(unsigned which, const char *address, struct salut_stack **stack)
{
    struct salut_config config;
    salut_addr addr;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    config.conns_max = 4;
    config.half_open_max = 4;
    config.time_wait_max = 4;
    config.listeners_max = 2;
    config.udp_max = 2;
    config.buffers_max = 32;
    config.buffer_bytes = 2048;
    config.ranges_max = 32;
    config.ranges_per_conn_max = 8;
    config.records_max = 64;
    config.loans_max = 4;
    config.neighbours_max = 4;
    config.fragments_max = 2;
    config.fragment_bytes_max = 16384;
    config.addresses_max = 2;
    config.routes_max = 4;
    config.event_ring = 0;
    config.send_buffer_bytes = 8192;
    config.recv_buffer_bytes = 8192;
    config.recv_buffer_max_bytes = 8192;
    config.memory = blocks[which];
    config.memory_bytes = sizeof(blocks[which]);
    config.mac[0] = 2; /* locally administered */
    config.mac[5] = (uint8_t)(which + 1);
    config.seed[0] = (uint8_t)(which + 1); /* a device would take a true random seed */
    size_t wanted = salut_block_bytes(&config);
    if (wanted == 0 || wanted > sizeof(blocks[which])) {
        (void)printf("the block must have %lu bytes\n", (unsigned long)wanted);
        return 0;
    }
    return salut_create(&config, stack) == SALUT_OK &&
           salut_addr_parse(address, &addr) == SALUT_OK &&
           salut_add_address(*stack, &addr, 24) == SALUT_OK;
}

/* Carry what one instance wants to send to the other; returns how many frames went. */
static size_t carry(struct salut_stack *from, struct salut_stack *to, int64_t now_ns)
{
    struct salut_rx_frame incoming[FRAMES];
    size_t n = salut_output(from, outgoing, FRAMES);
    for (size_t i = 0; i < n; i++) {
        uint8_t *at = wire[i];
        memcpy(at, outgoing[i].header, outgoing[i].header_bytes);
        at += outgoing[i].header_bytes;
        for (unsigned k = 0; k < outgoing[i].piece_count; k++) {
            memcpy(at, outgoing[i].pieces[k].base, outgoing[i].pieces[k].bytes);
            at += outgoing[i].pieces[k].bytes;
        }
        incoming[i] = (struct salut_rx_frame){.data = wire[i], .bytes = (uint32_t)(at - wire[i])};
    }
    salut_output_taken(from, n);
    salut_input(to, incoming, n, now_ns);
    return n;
}

/* The server: accept, answer what is said, close when the client has. */
static void serve(struct salut_stack *stack, salut_listener listener)
{
    struct salut_event event;
    while (salut_next_event(stack, &event)) {
        char text[64];
        size_t bytes = 0;
        size_t sent = 0;
        salut_conn conn;
        if (event.conn.index == SALUT_NO_INDEX) {
            (void)!salut_accept(stack, listener, 0, &conn);
            continue;
        }
        enum salut_status status = salut_recv(stack, event.conn, text, sizeof(text), &bytes);
        if (status == SALUT_OK) {
            (void)printf("server: got \"%.*s\"\n", (int)bytes, text);
            (void)!salut_send(stack, event.conn, "Salut!", 6, 0, &sent);
        } else if (status != SALUT_WOULD_BLOCK) {
            (void)salut_close(stack, event.conn);
        }
    }
}

/* The client: speak once connected, close once answered. Returns 1 when it has its answer. */
static int ask(struct salut_stack *stack)
{
    struct salut_event event;
    int answered = 0;
    while (salut_next_event(stack, &event)) {
        char text[64];
        size_t bytes = 0;
        size_t sent = 0;
        if ((event.ready & SALUT_CONNECTED) != 0) {
            (void)!salut_send(stack, event.conn, "Hello?", 6, 0, &sent);
            (void)salut_set_interest(stack, event.conn, SALUT_READABLE | SALUT_ENDED);
        } else if (salut_recv(stack, event.conn, text, sizeof(text), &bytes) == SALUT_OK) {
            (void)printf("client: got \"%.*s\"\n", (int)bytes, text);
            (void)salut_close(stack, event.conn);
            answered = 1;
        }
    }
    return answered;
}

static unsigned count_conns(const struct salut_stack *stack)
{
    struct salut_info info;
    uint64_t cursor = 0;
    unsigned count = 0;
    while (salut_next_info(stack, &cursor, &info)) {
        count += info.object != SALUT_IS_LISTENER;
    }
    return count;
}

/* Turn both until the answer is there and nothing is left, or for two virtual minutes. The clock
 * jumps over the time in which nothing can happen. */
static int run(struct salut_stack *client, struct salut_stack *server, salut_listener listener)
{
    int64_t now_ns = 0;
    int answered = 0;
    while (now_ns < 120 * INT64_C(1000000000)) {
        (void)salut_poll(client, now_ns);
        (void)salut_poll(server, now_ns);
        answered += ask(client);
        serve(server, listener);
        size_t moved = carry(client, server, now_ns) + carry(server, client, now_ns);
        if (answered != 0 && count_conns(client) + count_conns(server) == 0) {
            (void)printf("both ends are gone after %.1f s\n", (double)now_ns / 1e9);
            return 0;
        }
        int64_t next_ns = salut_next_deadline(client);
        int64_t other_ns = salut_next_deadline(server);
        next_ns = other_ns < next_ns ? other_ns : next_ns;
        now_ns =
            moved > 0 || next_ns <= now_ns || next_ns == INT64_MAX ? now_ns + STEP_NS : next_ns;
    }
    (void)printf("no answer\n");
    return 1;
}

int main(void)
{
    struct salut_stack *client = NULL;
    struct salut_stack *server = NULL;
    struct salut_listen_params listen = {.port = 7, .backlog = 2};
    struct salut_connect_params connect = {.remote_port = 7};
    salut_listener listener;
    salut_conn conn;
    int result = 1;
    if (make(0, "10.0.0.1", &client) && make(1, "10.0.0.2", &server) &&
        salut_addr_parse("10.0.0.2", &connect.remote) == SALUT_OK &&
        salut_listen(server, &listen, &listener) == SALUT_OK &&
        salut_connect(client, &connect, &conn) == SALUT_OK) {
        result = run(client, server, listener);
    } else {
        (void)printf("the instances cannot be set up\n");
    }
    salut_destroy(client);
    salut_destroy(server);
    return result;
}
