/* Private networks: a network namespace of one's own, as root or as anybody (namespaces(7)).
 *
 * With privilege a network namespace is enough. Without, a user namespace comes with it, in which
 * the caller is root over that network alone: it can make virtual Ethernet pairs and open packet
 * sockets there, but usually not /dev/net/tun. Nothing done inside reaches any other network; all
 * of it is gone with the last process inside.
 */
#ifndef SLT_LINK_NETNS_LINUX_H
#define SLT_LINK_NETNS_LINUX_H

#include "link/link.h"

/* Move the calling process, which must have only one thread, into a new network namespace with the
 * loopback interface up. Returns SLT_LINK_FINE, SLT_LINK_NO_PRIVILEGE or other trouble. */
enum slt_link_trouble slt_netns_enter(struct slt_link_error *error);

/* The same, but where a user namespace is needed the caller stays who it is (its user and group are
 * mapped to themselves): a program it starts then has the user's own number and no capability.
 * *one_user says that there is such a namespace, in which nobody can become anybody else. */
enum slt_link_trouble slt_netns_enter_as_self(bool *one_user, struct slt_link_error *error);

/* Run `run(ctx)` in a child process inside a new network namespace and wait for it; what it
 * returns, 0..255, is *result (256 when a signal ended it). Returns the trouble of entering, or
 * SLT_LINK_FINE when `run` was called. */
enum slt_link_trouble slt_netns_run(int (*run)(void *ctx), void *ctx, int *result,
                                    struct slt_link_error *error);

/* A descriptor for the network namespace the process is in, -1 when it cannot be had; and back
 * there (needs privilege over it). */
int slt_netns_here(void);
bool slt_netns_return(int namespace_fd);

/* Go to a network namespace that exists: a name as `ip netns` knows it, the number of a process in
 * it, or the path of a file that stands for it. Returns SLT_LINK_FINE, SLT_LINK_NO_DEVICE when
 * there is none, or other trouble. */
enum slt_link_trouble slt_netns_join(const char *where, struct slt_link_error *error);

/* Set a sysctl of this namespace: "ipv4/ip_local_port_range", "32768 33767". */
bool slt_netns_sysctl(const char *name, const char *value);

/* A private network in its simplest form: the kernel on one end of a virtual Ethernet pair, a
 * stack on the other. */
struct slt_netns_pair {
    const char *kernel_name; /* gets the addresses */
    const char *stack_name;  /* has none; IPv6 is off there, so that the kernel stays silent */
    uint32_t mtu;
    salut_addr kernel_v4; /* all zero: none */
    unsigned v4_prefix_bits;
    salut_addr kernel_v6; /* all zero: none */
    unsigned v6_prefix_bits;
};

/* Make the pair in the current namespace, set its MTU, give the kernel's end its addresses and
 * bring both up. Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_netns_make_pair(const struct slt_netns_pair *pair,
                                          struct slt_link_error *error);

#endif
