/* What the network interfaces lost before anybody saw it, by rtnetlink: of this network namespace,
 * without privilege.
 */
#ifndef SLT_OBSERVE_INTERFACES_LINUX_H
#define SLT_OBSERVE_INTERFACES_LINUX_H

#include <stddef.h>
#include <stdint.h>

/* Since the interfaces are up, all together. */
struct slt_interface_losses {
    int64_t missed;   /* the host gave the device no room in time: its ring was full */
    int64_t overruns; /* the device's own queue overflowed */
};

/* Read them. Returns 0, or a negative errno value, and `losses` is then untouched. */
int slt_interface_losses_read(struct slt_interface_losses *losses);

/* Add what one message of the answer tells; messages of other kinds add nothing. For tests. */
void slt_interface_losses_add(struct slt_interface_losses *losses, const uint8_t *message,
                              size_t bytes);

#endif
