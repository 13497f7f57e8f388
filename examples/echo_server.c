/* An echo server on salut, with the runner: the shortest useful program.
 *
 *     sudo ./echo_server             then, in another terminal:
 *     sudo ip addr add 10.99.0.1/24 dev salut0; sudo ip link set salut0 up
 *     nc 10.99.0.2 7
 *
 * What a client sends is given back from where it lies in the receive queue: no buffer in between.
 * A client that does not read makes itself wait, for what cannot be sent is not taken.
 */
#include <salut/runner.h>
#include <salut/salut.h>

#include <stdio.h>
#include <stdlib.h>

#define PORT    7
#define ADDRESS "10.99.0.2"

static salut_listener listener;

/* Give back what can be given back now. */
static void echo(struct salut_stack *stack, salut_conn conn)
{
    for (;;) {
        struct salut_iovec pieces[8];
        size_t count = 0;
        size_t bytes = 0;
        size_t sent = 0;
        enum salut_status status = salut_peek(stack, conn, pieces, 8, &count, &bytes);
        if (status == SALUT_WOULD_BLOCK) {
            (void)salut_set_interest(stack, conn, SALUT_READABLE | SALUT_ENDED);
            return;
        }
        if (status == SALUT_OK) {
            status = salut_sendv(stack, conn, pieces, count, 0, &sent);
        }
        if (status == SALUT_WOULD_BLOCK) {
            (void)salut_set_interest(stack, conn, SALUT_WRITABLE | SALUT_ENDED);
            return;
        }
        if (status != SALUT_OK) { /* the end of the stream, or of the connection */
            (void)salut_close(stack, conn);
            return;
        }
        (void)salut_consume(stack, conn, sent);
    }
}

static void on_event(void *ctx, struct salut_stack *stack, const struct salut_event *event)
{
    salut_conn conn;
    (void)ctx;
    if (event->conn.index != SALUT_NO_INDEX) {
        echo(stack, event->conn);
        return;
    }
    while (salut_accept(stack, listener, 0, &conn) == SALUT_OK) {
        echo(stack, conn);
    }
}

static enum salut_status listen_on(struct salut_stack *stack)
{
    salut_addr address;
    enum salut_status status = salut_addr_parse(ADDRESS, &address);
    if (status == SALUT_OK) {
        status = salut_add_address(stack, &address, 24);
    }
    struct salut_listen_params params = {.port = PORT, .backlog = 128};
    return status == SALUT_OK ? salut_listen(stack, &params, &listener) : status;
}

static enum salut_status start(struct salut_runner *runner, struct salut_link *link,
                               struct salut_stack **stack)
{
    struct salut_config config;
    salut_config_init(&config, SALUT_PROFILE_LINUX);
    enum salut_status status = salut_runner_prepare(runner, link, &config);
    if (status == SALUT_OK) {
        status = salut_create(&config, stack);
    }
    if (status == SALUT_OK) {
        status = listen_on(*stack);
    }
    struct salut_runner_stack member = {.stack = *stack, .link = link, .on_event = on_event};
    return status == SALUT_OK ? salut_runner_add_stack(runner, &member) : status;
}

int main(void)
{
    struct salut_runner *runner = NULL;
    struct salut_link *link = NULL;
    struct salut_stack *stack = NULL;
    char why[512];
    struct salut_link_params params = {.device = SALUT_DEVICE_TAP, .name = "salut0"};
    if (salut_runner_create(&runner) != SALUT_OK) {
        (void)fprintf(stderr, "no runner\n");
        return EXIT_FAILURE;
    }
    if (salut_link_open(&params, &link, why, sizeof(why)) != SALUT_OK) {
        (void)fprintf(stderr, "%s\n", why);
        salut_runner_destroy(runner);
        return EXIT_FAILURE;
    }
    enum salut_status status = start(runner, link, &stack);
    if (status == SALUT_OK) {
        (void)printf("echo on %s port %d, behind %s\n", ADDRESS, PORT, salut_link_name(link));
        salut_runner_run(runner);
    } else {
        (void)fprintf(stderr, "%s\n", salut_status_text(status));
    }
    salut_runner_destroy(runner);
    salut_destroy(stack);
    salut_link_close(link);
    return status == SALUT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
