/* See net_linux.h. */
#include "run/net_linux.h"

#include "ip/addr.h"
#include "link/netns_linux.h"
#include "link/rtnl_linux.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAIR_MTU 1500U

static bool can_open_tun(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd >= 0;
}

/* Who is root in a user namespace may have every capability, and none over this network: a mark on
 * a socket takes one that counts here (socket(7)). */
static bool counts_here(void)
{
    int mark = 1;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool may = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return may;
}

bool slt_run_net_is_privileged(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    return syscall(SYS_capget, &head, data) == 0 &&
           (data[0].effective & (1U << CAP_NET_ADMIN)) != 0 && counts_here() && can_open_tun();
}

bool slt_run_net_has_ipv6(void)
{
    return access("/proc/net/if_inet6", F_OK) == 0;
}

/* ---- addresses ------------------------------------------------------------------------------ */

/* The subnet of `base` with `host` in its last byte's place; all others of its host bits are
 * `ones`. */
static salut_addr make_host(const salut_addr *base, unsigned first_bit, bool ones, uint8_t host)
{
    salut_addr addr = *base;
    slt_ip_addr_fill_host(addr.b, first_bit, ones);
    unsigned kept = first_bit > 120 ? first_bit - 120 : 0; /* bits of the last byte */
    uint8_t hosts = (uint8_t)(0xffU >> kept);
    addr.b[15] = (uint8_t)((addr.b[15] & ~hosts) | (host & hosts));
    return addr;
}

static bool same(const salut_addr *a, const salut_addr *b)
{
    return memcmp(a->b, b->b, 16) == 0;
}

bool slt_run_net_derive(struct slt_run_net_family *family)
{
    const salut_addr *ours = &family->ours.addr;
    bool v4 = slt_address_is_v4(ours->b);
    unsigned bits = family->ours.prefix_bits + (v4 ? 96U : 0U);
    if (bits > 125) {
        return false;
    }
    /* The last hosts: of IPv4 those below the broadcast address; of IPv6 ...:fe, as it fits. */
    salut_addr kernel = make_host(ours, bits, false, 1);
    salut_addr gateway = make_host(ours, bits, v4, 0xfe);
    if (same(&kernel, ours)) {
        kernel = make_host(ours, bits, false, 2);
    }
    if (same(&gateway, ours)) {
        gateway = make_host(ours, bits, v4, 0xfd);
    }
    family->kernel = (struct slt_run_net_address){kernel, family->ours.prefix_bits};
    family->gateway = (struct slt_run_net_address){gateway, family->ours.prefix_bits};
    return true;
}

/* ---- the private network -------------------------------------------------------------------- */

static enum slt_link_trouble make_pair(const struct slt_run_net *net, struct slt_link_error *error)
{
    struct slt_netns_pair pair = {.kernel_name = SLT_RUN_NET_KERNEL_NAME,
                                  .stack_name = SLT_RUN_NET_STACK_NAME,
                                  .mtu = net->mtu == 0 ? PAIR_MTU : net->mtu,
                                  .kernel_v4 = net->v4.kernel.addr,
                                  .v4_prefix_bits = net->v4.kernel.prefix_bits,
                                  .kernel_v6 = net->v6.kernel.addr,
                                  .v6_prefix_bits = net->v6.kernel.prefix_bits};
    return slt_netns_make_pair(&pair, error);
}

enum slt_link_trouble slt_run_net_enter(struct slt_run_net *net, struct slt_link_error *error)
{
    net->tun_missing = !can_open_tun();
    if (slt_netns_enter_as_self(&net->one_user, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    /* It is nobody else's network: every port is anybody's. */
    (void)slt_netns_sysctl("ipv4/ip_unprivileged_port_start", "0");
    if (net->device == SLT_RUN_DEVICE_BEST) {
        net->device = net->tun_missing ? SLT_RUN_DEVICE_VETH : SLT_RUN_DEVICE_TAP;
    }
    return net->device == SLT_RUN_DEVICE_VETH ? make_pair(net, error) : SLT_LINK_FINE;
}
