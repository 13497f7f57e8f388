/* Requests to rtnetlink; rtnl_linux.h tells which.
 *
 * A request is built in a fixed buffer by appending attributes; nested attributes are closed by
 * writing their length afterwards. Requests carry NLM_F_ACK, so that every answer is one
 * nlmsgerr: 0 or a negated errno.
 */
#define _GNU_SOURCE 1
#include "link/rtnl_linux.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX 1024U

struct request {
    _Alignas(NLMSG_ALIGNTO) uint8_t bytes[REQUEST_MAX];
    uint32_t at;
};

static void *append(struct request *r, size_t bytes)
{
    uint32_t aligned = (uint32_t)NLMSG_ALIGN(bytes);
    SLT_ASSERT(r->at + aligned <= REQUEST_MAX);
    void *place = r->bytes + r->at;
    r->at += aligned;
    return place;
}

static void begin(struct request *r, uint16_t type, uint16_t flags)
{
    *r = (struct request){.at = 0};
    struct nlmsghdr *header = append(r, sizeof(*header));
    header->nlmsg_type = type;
    header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    header->nlmsg_seq = 1;
}

static void put(struct request *r, uint16_t type, const void *data, size_t bytes)
{
    struct rtattr *attribute = append(r, RTA_LENGTH(bytes));
    attribute->rta_type = type;
    attribute->rta_len = (uint16_t)RTA_LENGTH(bytes);
    if (bytes > 0) {
        memcpy(RTA_DATA(attribute), data, bytes);
    }
}

static void put_text(struct request *r, uint16_t type, const char *text)
{
    put(r, type, text, strlen(text) + 1);
}

static uint32_t open_nest(struct request *r, uint16_t type)
{
    uint32_t at = r->at;
    put(r, type, NULL, 0);
    return at;
}

static void close_nest(struct request *r, uint32_t at)
{
    uint16_t bytes = (uint16_t)(r->at - at);
    memcpy(r->bytes + at + offsetof(struct rtattr, rta_len), &bytes, sizeof(bytes));
}

/* Read the acknowledgement; 0 or an errno value. */
static int read_answer(int fd)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t answer[4096];
    ssize_t got;
    do {
        got = recv(fd, answer, sizeof(answer), 0);
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        return errno;
    }
    struct nlmsghdr header;
    struct nlmsgerr result;
    if ((size_t)got < NLMSG_LENGTH(sizeof(result))) {
        return EPROTO;
    }
    memcpy(&header, answer, sizeof(header));
    memcpy(&result, answer + NLMSG_HDRLEN, sizeof(result));
    return header.nlmsg_type == NLMSG_ERROR ? -result.error : EPROTO;
}

/* Send the request and wait; 0 or an errno value. */
static int transact(struct request *r)
{
    uint32_t bytes = r->at;
    memcpy(r->bytes + offsetof(struct nlmsghdr, nlmsg_len), &bytes, sizeof(bytes));
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (fd < 0) {
        return errno;
    }
    int os_error = send(fd, r->bytes, bytes, 0) == (ssize_t)bytes ? read_answer(fd) : errno;
    close(fd);
    return os_error;
}

static enum slt_link_trouble answer(struct request *r, const char *what,
                                    struct slt_link_error *error)
{
    char sentence[120];
    int os_error = transact(r);
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    if (os_error == 0) {
        return SLT_LINK_FINE;
    }
    snprintf(sentence, sizeof(sentence), "%s failed", what);
    if (os_error == EPERM || os_error == EACCES) {
        return slt_link_error_set(error, SLT_LINK_NO_PRIVILEGE, os_error, sentence,
                                  "run as root, or in a private network namespace");
    }
    if (os_error == EOPNOTSUPP) {
        return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, os_error, sentence,
                                  "the kernel lacks this kind of device: modprobe veth");
    }
    return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, os_error, sentence, NULL);
}

/* Ask an interface's ioctl; 0 or an errno value. */
static int ask(int fd, unsigned long what, const char *name, struct ifreq *request)
{
    *request = (struct ifreq){0};
    snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", name);
    return ioctl(fd, what, request) < 0 ? errno : 0;
}

static int ask_all(int fd, const char *name, struct slt_rtnl_facts *facts)
{
    struct ifreq request;
    int os_error = ask(fd, SIOCGIFINDEX, name, &request);
    facts->index = (uint32_t)request.ifr_ifindex;
    if (os_error == 0) {
        os_error = ask(fd, SIOCGIFMTU, name, &request);
        facts->mtu = (uint32_t)request.ifr_mtu;
    }
    if (os_error == 0) {
        os_error = ask(fd, SIOCGIFFLAGS, name, &request);
        facts->up = ((unsigned)request.ifr_flags & IFF_UP) != 0;
    }
    if (os_error == 0) {
        os_error = ask(fd, SIOCGIFHWADDR, name, &request);
        facts->ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
        if (facts->ethernet) {
            memcpy(facts->mac, request.ifr_hwaddr.sa_data, 6);
        }
    }
    return os_error;
}

enum slt_link_trouble slt_rtnl_facts(const char *name, struct slt_rtnl_facts *facts,
                                     struct slt_link_error *error)
{
    char sentence[120];
    *facts = (struct slt_rtnl_facts){0};
    *error = (struct slt_link_error){.trouble = SLT_LINK_FINE};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                  "no socket to ask about interfaces with", NULL);
    }
    int os_error = ask_all(fd, name, facts);
    close(fd);
    if (os_error == 0) {
        return SLT_LINK_FINE;
    }
    snprintf(sentence, sizeof(sentence), "interface %.16s", name);
    return slt_link_error_set(error,
                              os_error == ENODEV ? SLT_LINK_NO_DEVICE : SLT_LINK_SYSTEM_ERROR,
                              os_error, sentence, "the interfaces there are: ip link");
}

void slt_rtnl_derive_mac(const uint8_t mac[6], uint8_t out[6])
{
    memcpy(out, mac, 6);
    out[0] = (uint8_t)((mac[0] | 0x02U) & ~0x01U);
    out[5] ^= 1;
}

static void begin_link(struct request *r, const char *name, uint32_t flags, uint32_t change)
{
    begin(r, RTM_NEWLINK, 0);
    struct ifinfomsg *info = append(r, sizeof(*info));
    info->ifi_family = AF_UNSPEC;
    info->ifi_flags = flags;
    info->ifi_change = change;
    put_text(r, IFLA_IFNAME, name);
}

enum slt_link_trouble slt_rtnl_set_mtu(const char *name, uint32_t mtu, struct slt_link_error *error)
{
    struct request r;
    begin_link(&r, name, 0, 0);
    put(&r, IFLA_MTU, &mtu, sizeof(mtu));
    return answer(&r, "setting the MTU", error);
}

enum slt_link_trouble slt_rtnl_set_queue(const char *name, uint32_t frames,
                                         struct slt_link_error *error)
{
    struct request r;
    begin_link(&r, name, 0, 0);
    put(&r, IFLA_TXQLEN, &frames, sizeof(frames));
    return answer(&r, "setting the length of the queue", error);
}

enum slt_link_trouble slt_rtnl_set_up(const char *name, bool up, struct slt_link_error *error)
{
    struct request r;
    begin_link(&r, name, up ? IFF_UP : 0, IFF_UP);
    return answer(&r, "bringing the interface up or down", error);
}

enum slt_link_trouble slt_rtnl_set_mac(const char *name, const uint8_t mac[6],
                                       struct slt_link_error *error)
{
    struct request r;
    begin_link(&r, name, 0, 0);
    put(&r, IFLA_ADDRESS, mac, 6);
    return answer(&r, "setting the link address", error);
}

static bool is_v4(const salut_addr *addr)
{
    static const uint8_t prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(addr->b, prefix, sizeof(prefix)) == 0;
}

static void put_address(struct request *r, uint16_t type, const salut_addr *addr)
{
    if (is_v4(addr)) {
        put(r, type, addr->b + 12, 4);
    } else {
        put(r, type, addr->b, 16);
    }
}

enum slt_link_trouble slt_rtnl_add_address(const char *name, const salut_addr *addr,
                                           unsigned prefix_bits, struct slt_link_error *error)
{
    struct request r;
    struct slt_rtnl_facts facts;
    if (slt_rtnl_facts(name, &facts, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
    struct ifaddrmsg *message = append(&r, sizeof(*message));
    message->ifa_family = is_v4(addr) ? AF_INET : AF_INET6;
    message->ifa_prefixlen = (uint8_t)prefix_bits;
    message->ifa_flags = is_v4(addr) ? 0 : IFA_F_NODAD;
    message->ifa_index = facts.index;
    put_address(&r, IFA_LOCAL, addr);
    put_address(&r, IFA_ADDRESS, addr);
    return answer(&r, "adding an address", error);
}

enum slt_link_trouble slt_rtnl_add_route(const char *name, const struct slt_rtnl_route *route,
                                         struct slt_link_error *error)
{
    static const salut_addr none;
    struct request r;
    struct slt_rtnl_facts facts;
    if (slt_rtnl_facts(name, &facts, error) != SLT_LINK_FINE) {
        return error->trouble;
    }
    bool direct = memcmp(route->gateway.b, none.b, 16) == 0;
    begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
    struct rtmsg *message = append(&r, sizeof(*message));
    message->rtm_family = is_v4(&route->dest) ? AF_INET : AF_INET6;
    message->rtm_dst_len = (uint8_t)route->prefix_bits;
    message->rtm_table = RT_TABLE_MAIN;
    message->rtm_protocol = RTPROT_BOOT;
    message->rtm_scope = direct ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    message->rtm_type = RTN_UNICAST;
    if (route->prefix_bits > 0) {
        put_address(&r, RTA_DST, &route->dest);
    }
    if (!direct) {
        put_address(&r, RTA_GATEWAY, &route->gateway);
    }
    put(&r, RTA_OIF, &facts.index, sizeof(facts.index));
    return answer(&r, "adding a route", error);
}

enum slt_link_trouble slt_rtnl_make_veth(const char *a, const char *b, struct slt_link_error *error)
{
    struct request r;
    begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    append(&r, sizeof(struct ifinfomsg));
    put_text(&r, IFLA_IFNAME, a);
    uint32_t info = open_nest(&r, IFLA_LINKINFO);
    put_text(&r, IFLA_INFO_KIND, "veth");
    uint32_t data = open_nest(&r, IFLA_INFO_DATA);
    uint32_t peer = open_nest(&r, VETH_INFO_PEER);
    append(&r, sizeof(struct ifinfomsg));
    put_text(&r, IFLA_IFNAME, b);
    close_nest(&r, peer);
    close_nest(&r, data);
    close_nest(&r, info);
    return answer(&r, "making a virtual Ethernet pair", error);
}

enum slt_link_trouble slt_rtnl_remove(const char *name, struct slt_link_error *error)
{
    struct request r;
    begin(&r, RTM_DELLINK, 0);
    append(&r, sizeof(struct ifinfomsg));
    put_text(&r, IFLA_IFNAME, name);
    return answer(&r, "removing an interface", error);
}

enum slt_link_trouble slt_rtnl_move(const char *name, int namespace_fd,
                                    struct slt_link_error *error)
{
    struct request r;
    begin_link(&r, name, 0, 0);
    put(&r, IFLA_NET_NS_FD, &namespace_fd, sizeof(namespace_fd));
    return answer(&r, "moving an interface to another namespace", error);
}
