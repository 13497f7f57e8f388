/* How sock_diag writes requests and answers: our own copies of the kernel's structures
 * (linux/inet_diag.h), which only ever grow at the end.
 */
#ifndef SLT_OBSERVE_DIAG_FORMAT_LINUX_H
#define SLT_OBSERVE_DIAG_FORMAT_LINUX_H

#include "observe/seen.h"

#include <stdint.h>

struct diag_id {
    uint16_t local_port; /* network order */
    uint16_t remote_port;
    uint8_t local[16];
    uint8_t remote[16];
    uint32_t interface;
    uint32_t cookie[2];
};

struct diag_request {
    uint8_t family;
    uint8_t protocol;
    uint8_t extensions;
    uint8_t pad;
    uint32_t states;
    struct diag_id id;
};

/* Of the older request, whose answer is the sockets of all families. */
struct diag_old_request {
    uint8_t family;
    uint8_t local_prefix;
    uint8_t remote_prefix;
    uint8_t extensions;
    struct diag_id id;
    uint32_t states;
    uint32_t databases;
};

struct diag_message {
    uint8_t family;
    uint8_t state;
    uint8_t timer;
    uint8_t retransmits;
    struct diag_id id;
    uint32_t expires_ms;
    uint32_t receive_queue;
    uint32_t send_queue;
    uint32_t uid;
    uint32_t inode;
};

/* The kernel's number of a record's family, and what it is found by. */
uint8_t slt_diag_family(const struct slt_seen *seen);
struct diag_id slt_diag_id(const struct slt_seen *seen);

#endif
