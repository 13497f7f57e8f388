/* The network of salut run, step by step: what must be done in the network it was started in (the
 * door, the porter, published ports), then the private one, then the host on its device, then what
 * needs the host's runner.
 */
#include "cli/run.h"

#include "run/mounts_linux.h"
#include "wire/address.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MTU6_MIN 1280 /* RFC 8200 5 */
#define USUAL4   "10.99.0.2/24"
#define USUAL6   "fd99::2/64"

/* ---- which network -------------------------------------------------------------------------- */

static int choose_device(struct slt_run *run)
{
    const char *name = run->words.device;
    if (name == NULL) {
        return SLT_EXIT_FINE;
    }
    if (strcmp(name, "tap") != 0 && strcmp(name, "veth") != 0) {
        return slt_usage_error(run->verb, "--device is tap or veth, not '%s'", name);
    }
    run->net.device = strcmp(name, "tap") == 0 ? SLT_RUN_DEVICE_TAP : SLT_RUN_DEVICE_VETH;
    return SLT_EXIT_FINE;
}

/* A device that is named is one of this network; else it is a matter of privilege. */
static int choose_network(struct slt_run *run)
{
    const struct slt_host_words *w = &run->host_words;
    const struct slt_run_words *r = &run->words;
    bool private_words = r->is_private || r->no_gateway || r->device != NULL;
    bool named = w->tap != NULL || w->tun != NULL || w->packet != NULL;
    if (private_words && named) {
        return slt_usage_error(run->verb, "--tap, --tun and --packet name a device of this "
                                          "network; --private, --no-gateway and --device are "
                                          "about a private one");
    }
    if (w->packet != NULL && r->publish.count > 0) {
        return slt_usage_error(run->verb, "--publish cannot be had with --packet: this machine's "
                                          "kernel does not reach what lives on its own interface");
    }
    run->is_private = private_words || (!named && !slt_run_net_is_privileged());
    return choose_device(run);
}

/* ---- published ports ------------------------------------------------------------------------ */

static int parse_published(struct slt_run *run)
{
    const struct slt_arg_list *list = &run->words.publish;
    for (size_t i = 0; i < list->count; i++) {
        if (!slt_publish_parse(list->items[i], &run->published[i])) {
            return slt_usage_error(run->verb,
                                   "--publish wants [ADDRESS:]PORT:PORT such as 8080:80, "
                                   "0.0.0.0:8080:80 or [::1]:8080:80, not '%s'",
                                   list->items[i]);
        }
    }
    return SLT_EXIT_FINE;
}

static int fail_published(const struct slt_run *run, const char *what, int error)
{
    const char *helps =
        error == EADDRINUSE      ? "\nChoose another port; who has this one is shown by: ss -ltnp"
        : error == EACCES        ? "\nRun as root, choose a port from 1024 on, or: sysctl "
                                   "-w net.ipv4.ip_unprivileged_port_start=0"
        : error == EADDRNOTAVAIL ? "\nThe addresses of this machine are shown by: ip address"
                                 : "";
    return slt_fail(run->verb, SLT_EXIT_MISSING, "--publish %s: %s%s", what, strerror(error),
                    helps);
}

static int open_published(struct slt_run *run)
{
    struct slt_porter *porter = run->is_private ? &run->porter : NULL;
    for (size_t i = 0; i < run->words.publish.count; i++) {
        int fd = slt_publish_listen(&run->published[i], porter);
        if (fd < 0) {
            return fail_published(run, run->words.publish.items[i], -fd);
        }
        run->published_fds[run->published_count] = fd;
        run->published_count++;
    }
    return SLT_EXIT_FINE;
}

static int serve_published(struct slt_run *run)
{
    run->publish.poller = &run->poller;
    run->publish.inside =
        run->net.v4.ours.prefix_bits != 0 ? run->net.v4.ours.addr : run->net.v6.ours.addr;
    for (size_t i = 0; i < run->published_count; i++) {
        int fd = run->published_fds[i];
        run->published_fds[i] = -1;
        if (!slt_publish_add(&run->publish, fd, run->published[i].inside_port)) {
            return slt_fail(run->verb, SLT_EXIT_FAILURE, "a published port cannot be watched");
        }
    }
    return SLT_EXIT_FINE;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* The first address of each family: to[0] IPv4's, to[1] IPv6's. */
static int take_addresses(const struct slt_run *run, const struct slt_arg_list *list,
                          const char *option, struct slt_run_net_address *const to[2])
{
    for (size_t i = 0; i < list->count; i++) {
        struct slt_run_net_address address;
        if (!slt_parse_prefix(list->items[i], &address.addr, &address.prefix_bits) ||
            address.prefix_bits == 0) {
            return slt_usage_error(run->verb,
                                   "%s wants an address such as 10.99.0.2/24 or fd99::2/64, not "
                                   "'%s'",
                                   option, list->items[i]);
        }
        struct slt_run_net_address *at = to[slt_address_is_v4(address.addr.b) ? 0 : 1];
        *at = at->prefix_bits == 0 ? address : *at;
    }
    return SLT_EXIT_FINE;
}

/* Whose addresses nobody named. */
static void use_usual(struct slt_run *run)
{
    struct slt_arg_list *list = &run->host_words.addresses;
    if (list->count > 0 || run->host_words.packet != NULL) {
        return;
    }
    bool fits6 = run->host_words.mtu == 0 || run->host_words.mtu >= MTU6_MIN;
    list->items[list->count++] = USUAL4;
    if (fits6 && slt_run_net_has_ipv6()) {
        list->items[list->count++] = USUAL6;
    }
    if (!run->is_private && run->host_words.kernel.count == 0) {
        run->host_words.kernel = (struct slt_arg_list){{"10.99.0.1/24", "fd99::1/64"}, list->count};
    }
}

static int derive(const struct slt_run *run, struct slt_run_net_family *family,
                  const struct slt_run_net_address *kernel)
{
    if (family->ours.prefix_bits != 0 && !slt_run_net_derive(family)) {
        return slt_usage_error(run->verb, "--address: the subnet has no room for the kernel's "
                                          "end and the gateway; 10.99.0.2/24 has");
    }
    family->kernel = kernel->prefix_bits != 0 ? *kernel : family->kernel;
    return SLT_EXIT_FINE;
}

static int plan_addresses(struct slt_run *run)
{
    struct slt_run_net *net = &run->net;
    struct slt_run_net_address kernel[2] = {{.prefix_bits = 0}, {.prefix_bits = 0}};
    struct slt_run_net_address *const ours[2] = {&net->v4.ours, &net->v6.ours};
    struct slt_run_net_address *const theirs[2] = {&kernel[0], &kernel[1]};
    use_usual(run);
    int result = take_addresses(run, &run->host_words.addresses, "--address", ours);
    if (result != SLT_EXIT_FINE || !run->is_private) {
        return result;
    }
    result = take_addresses(run, &run->host_words.kernel, "--kernel", theirs);
    if (result == SLT_EXIT_FINE) {
        result = derive(run, &net->v4, &kernel[0]);
    }
    return result == SLT_EXIT_FINE ? derive(run, &net->v6, &kernel[1]) : result;
}

/* ---- the host ------------------------------------------------------------------------------- */

static void add_text(struct slt_arg_list *list, char text[SLT_RUN_ADDRESS_TEXT],
                     const struct slt_run_net_address *address, bool with_bits)
{
    if (address->prefix_bits == 0) {
        return;
    }
    int length = salut_addr_print(&address->addr, text, SLT_RUN_ADDRESS_TEXT);
    if (with_bits && length > 0 && (size_t)length < SLT_RUN_ADDRESS_TEXT) {
        (void)snprintf(text + length, SLT_RUN_ADDRESS_TEXT - (size_t)length, "/%u",
                       address->prefix_bits);
    }
    list->items[list->count++] = text;
}

/* In the private network the host's words follow from what the network became. */
static void plan_host(struct slt_run *run)
{
    struct slt_host_words *w = &run->host_words;
    w->kernel.count = 0;
    if (run->net.device == SLT_RUN_DEVICE_TAP) {
        w->tap = SLT_RUN_NET_KERNEL_NAME;
        add_text(&w->kernel, run->kernel4, &run->net.v4.kernel, true);
        add_text(&w->kernel, run->kernel6, &run->net.v6.kernel, true);
    } else {
        w->packet = SLT_RUN_NET_STACK_NAME;
    }
    if (!run->words.no_gateway && w->gateways.count == 0) {
        add_text(&w->gateways, run->gateway4, &run->net.v4.gateway, false);
        add_text(&w->gateways, run->gateway6, &run->net.v6.gateway, false);
    }
}

static int fail_link(const struct slt_run *run, const struct slt_link_error *error)
{
    return slt_fail(run->verb, SLT_EXIT_MISSING, "%s%s%s", error->sentence,
                    error->remedy[0] != '\0' ? "\n" : "", error->remedy);
}

/* ---- the private network -------------------------------------------------------------------- */

static void replace_name_server(struct slt_run *run)
{
    char server[SLT_RUN_ADDRESS_TEXT];
    const struct slt_run_net_address *kernel =
        run->net.v4.ours.prefix_bits != 0 ? &run->net.v4.kernel : &run->net.v6.kernel;
    (void)salut_addr_print(&kernel->addr, server, sizeof(server));
    int result = slt_mounts_name_server(server);
    run->names_off = result < 0;
    run->names_why = result == -ENOENT ? "there is no /etc/resolv.conf"
                                       : "/etc/resolv.conf cannot be replaced here";
}

static int enter_private(struct slt_run *run)
{
    struct slt_link_error error;
    if (!slt_porter_start(&run->porter)) {
        return slt_fail(run->verb, SLT_EXIT_FAILURE, "no process for the host's sockets: %s",
                        strerror(errno));
    }
    int result = open_published(run);
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    run->net.mtu = (uint32_t)run->host_words.mtu;
    if (slt_run_net_enter(&run->net, &error) != SLT_LINK_FINE) {
        return fail_link(run, &error);
    }
    if (!run->words.no_gateway) {
        replace_name_server(run);
    }
    plan_host(run);
    return SLT_EXIT_FINE;
}

static int open_gateway(struct slt_run *run)
{
    struct slt_link_error error;
    struct slt_gateway_params params = {.runner = run->host.runner,
                                        .poller = &run->poller,
                                        .porter = &run->porter,
                                        .interface = SLT_RUN_NET_KERNEL_NAME,
                                        .v4 = run->net.v4.gateway.addr,
                                        .v4_prefix_bits = run->net.v4.gateway.prefix_bits,
                                        .v6 = run->net.v6.gateway.addr,
                                        .v6_prefix_bits = run->net.v6.gateway.prefix_bits};
    if (slt_gateway_open(&params, &run->gateway, &error) != SLT_LINK_FINE) {
        run->gateway = NULL;
        return fail_link(run, &error);
    }
    struct slt_resolver_params names = {.runner = run->host.runner,
                                        .poller = &run->poller,
                                        .porter = &run->porter,
                                        .address = run->net.v4.ours.prefix_bits != 0
                                                       ? run->net.v4.kernel.addr
                                                       : run->net.v6.kernel.addr};
    if (!run->names_off && slt_resolver_open(&names, &run->resolver) < 0) {
        run->resolver = NULL;
        run->names_off = true;
        run->names_why = "port 53 of the private network cannot be had";
    }
    return SLT_EXIT_FINE;
}

/* ---- all of it ------------------------------------------------------------------------------ */

static int open_services(struct slt_run *run)
{
    if (!slt_poller_open(&run->poller, run->host.runner) ||
        (run->door.polled.fd >= 0 && !slt_door_attach(&run->door, &run->poller, run->is_private)) ||
        (run->is_private && !slt_porter_attach(&run->porter, &run->poller))) {
        return slt_fail(run->verb, SLT_EXIT_FAILURE, "out of memory or descriptors");
    }
    int result = SLT_EXIT_FINE;
    if (run->is_private && !run->words.no_gateway) {
        result = open_gateway(run);
    }
    return result == SLT_EXIT_FINE ? serve_published(run) : result;
}

int slt_run_open(struct slt_run *run)
{
    run->poller.epoll_fd = -1;
    run->porter = (struct slt_porter){.pid = -1, .fd = -1, .polled = {.fd = -1}};
    run->door.polled.fd = -1;
    int result = choose_network(run);
    if (result == SLT_EXIT_FINE) {
        result = parse_published(run);
    }
    if (result == SLT_EXIT_FINE) {
        result = plan_addresses(run);
    }
    if (result != SLT_EXIT_FINE) {
        return result;
    }
    (void)slt_door_open(&run->door); /* without one nobody steps in, that is all */
    result = run->is_private ? enter_private(run) : open_published(run);
    if (result == SLT_EXIT_FINE) {
        result = slt_host_open(&run->host, run->verb, &run->host_words);
    }
    return result == SLT_EXIT_FINE ? open_services(run) : result;
}

bool slt_run_net_is_quiet(const struct slt_run *run)
{
    return slt_gateway_is_quiet(run->gateway) && slt_publish_is_quiet(&run->publish);
}

void slt_run_close(struct slt_run *run)
{
    slt_resolver_close(run->resolver);
    slt_gateway_close(run->gateway);
    slt_publish_close(&run->publish);
    for (size_t i = 0; i < run->published_count; i++) {
        if (run->published_fds[i] >= 0) {
            (void)close(run->published_fds[i]);
        }
    }
    slt_door_close(&run->door);
    slt_porter_stop(&run->porter);
    slt_poller_close(&run->poller);
    if (run->host.verb != NULL) {
        slt_host_close(&run->host);
    }
}
