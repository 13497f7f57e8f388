/* The host under test: one instance, its sockets, a virtual clock, and the packets it has sent.
 *
 * The interpreter and the packetdrill library both stand on this. Time moves only when told:
 * slt_script_host_advance goes from deadline to deadline, so that timers fire at their own
 * instants. After anything that may make the instance send, slt_script_host_pump collects what it
 * sends; packets wait in a queue with the instant at which they left.
 *
 * Every change of state is noted on the way, for failure reports and for the comments of a
 * capture.
 */
#ifndef SLT_LAB_SCRIPT_HOST_H
#define SLT_LAB_SCRIPT_HOST_H

#include "base/event.h"
#include "lab/script_options.h"
#include "salut/sock.h"

#include <stdio.h>

#define SLT_HOST_CHANGES_MAX 8

/* A packet the instance has sent. */
struct slt_script_host_packet {
    int64_t at_ns;
    uint32_t at; /* offset in the host's bytes */
    uint32_t bytes;
    uint8_t why; /* enum slt_reason it was sent for, SLT_PASS when unknown */
};

struct slt_host {
    struct salut_stack *stack;
    struct salut_socks *socks;
    int64_t start_ns;
    int64_t now_ns;
    uint64_t packets_out; /* ever sent */

    struct slt_script_host_packet *packets; /* a queue: [head, count) */
    uint32_t packet_head;
    uint32_t packet_count;
    uint32_t packet_room;
    uint8_t *bytes; /* theirs, emptied when the queue is */
    uint32_t bytes_used;
    uint32_t bytes_room;

    uint64_t events_seen;
    struct slt_event changes[SLT_HOST_CHANGES_MAX]; /* a ring of the last */
    uint64_t change_count;

    FILE *capture; /* NULL: none */
    char comment[512];
    uint32_t comment_bytes;
    bool failed; /* out of memory */
};

/* Make the instance of a setup. `first_fd` is the first descriptor it gives out. NULL, or what
 * went wrong; the host is to be closed either way. */
const char *slt_script_host_open(struct slt_host *host, const struct slt_script_setup *setup,
                                 int first_fd);
void slt_script_host_close(struct slt_host *host);

/* Give the instance one more address, with the whole of its family on the link. An address it has
 * already is fine. */
bool slt_script_host_add_address(struct slt_host *host, const salut_addr *addr);

/* Begin a capture file. False: it cannot be written. */
bool slt_script_host_capture(struct slt_host *host, const char *path);

/* Change what may change while the instance runs (script_settings.h). */
void slt_script_host_configure(struct slt_host *host, const struct salut_config *config);

/* Put a packet into the instance, now. `gso_bytes` is the payload of the segments a super-frame
 * was made from, or 0. */
void slt_script_host_inject(struct slt_host *host, const uint8_t *packet, uint32_t bytes,
                            uint16_t gso_bytes);

/* Collect what the instance wants to send now. */
void slt_script_host_pump(struct slt_host *host);

/* The instant of the next timer, SLT_NEVER when none runs. */
int64_t slt_script_host_deadline(const struct slt_host *host);

/* Go to the next deadline, or to `until_ns` when that comes first. */
void slt_script_host_step(struct slt_host *host, int64_t until_ns);

/* Go to `until_ns` through every deadline before it. */
void slt_script_host_advance(struct slt_host *host, int64_t until_ns);

/* The oldest packet that waits, or NULL; the next one; and take it away. */
const struct slt_script_host_packet *slt_script_host_peek(const struct slt_host *host,
                                                          uint32_t index);
const uint8_t *slt_script_host_bytes(const struct slt_host *host,
                                     const struct slt_script_host_packet *packet);
void slt_script_host_drop(struct slt_host *host, uint32_t count);

/* "ESTABLISHED -> CLOSE_WAIT: the peer sent FIN ..." for the last changes, oldest first. */
void slt_script_host_print_changes(const struct slt_host *host, FILE *out);

#endif
