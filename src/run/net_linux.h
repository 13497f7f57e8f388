/* Where the packets of a run program go.
 *
 * With the privilege for it (CAP_NET_ADMIN here, and /dev/net/tun): a TAP in the current network
 * namespace, whose other end is this machine. Without, or when told to: a private network, which
 * is a network namespace of its own (and a user namespace, where that takes one), in which the
 * kernel sits at one end of a device and the program's stack at the other. The device is a TAP
 * where /dev/net/tun can be opened, else a virtual Ethernet pair and a packet socket. The
 * supervisor lives in the private network and so does the program: its UDP and the kernel's
 * loopback are those of that network.
 *
 * Addresses: the first of each family that is given to the program's stack decides what the
 * kernel's end and the gateway get: the first and the last host of its subnet.
 */
#ifndef SLT_RUN_NET_LINUX_H
#define SLT_RUN_NET_LINUX_H

#include "link/link.h"

/* The names of the interfaces in a private network. */
#define SLT_RUN_NET_KERNEL_NAME "salut0"
#define SLT_RUN_NET_STACK_NAME  "salut1"

enum slt_run_device { SLT_RUN_DEVICE_BEST, SLT_RUN_DEVICE_TAP, SLT_RUN_DEVICE_VETH };

/* True when the current network namespace will do: the capability and the device are there. */
bool slt_run_net_is_privileged(void);

/* An address in its subnet; prefix_bits 0: there is none. */
struct slt_run_net_address {
    salut_addr addr;
    unsigned prefix_bits;
};

/* What a family's addresses are. */
struct slt_run_net_family {
    struct slt_run_net_address ours;    /* the program's */
    struct slt_run_net_address kernel;  /* the kernel's end */
    struct slt_run_net_address gateway; /* the gateway's */
};

/* From `ours`, the others. False: the subnet is too small for three. */
bool slt_run_net_derive(struct slt_run_net_family *family);

struct slt_run_net {
    enum slt_run_device device;   /* in: what is wanted; out: what it became */
    struct slt_run_net_family v4; /* all zero: none */
    struct slt_run_net_family v6;
    uint32_t mtu;     /* 0: 1500 */
    bool one_user;    /* out: nobody can become anybody else inside */
    bool tun_missing; /* out: /dev/net/tun cannot be opened */
};

/* Enter a private network: the calling process, which must have only one thread, is in it from now
 * on. A virtual Ethernet pair is made and its kernel's end has its addresses; a TAP is for the
 * caller to open and to set up. Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_run_net_enter(struct slt_run_net *net, struct slt_link_error *error);

/* True when the kernel of this namespace knows IPv6. */
bool slt_run_net_has_ipv6(void);

#endif
