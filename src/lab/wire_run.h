/* The wire between two real TAP devices, in real time.
 *
 * The devices are made, or attached to when they exist, each in the network namespace that is
 * named; they go when the wire ends unless somebody made them to stay. Both sides may hand over
 * super-frames of 64 KB, which saves their CPU time; the wire cuts them first, so that every rate
 * and chance is per wire frame, and what it delivers are wire frames with complete checksums.
 */
#ifndef SLT_LAB_WIRE_RUN_H
#define SLT_LAB_WIRE_RUN_H

#include "lab/wire.h"

struct slt_wire_device {
    const char *netns; /* as slt_netns_join takes it; NULL: the one we are in */
    const char *name;
};

struct slt_wire_run_params {
    struct slt_wire_params wire;
    struct slt_wire_device device[2];
    uint32_t mtu;         /* 0: what the devices have */
    int64_t duration_ns;  /* 0: until stopped */
    int64_t spin_ns;      /* turn without waiting for that long before a frame is due */
    bool realtime;        /* before all ordinary processes (SCHED_FIFO) */
    bool stop_on_signals; /* SIGINT and SIGTERM end it in good order */
    int stop_fd;          /* readable or hung up: end; -1: none */
    int ready_fd;         /* gets one byte when frames flow; -1: none */
};

/* Open the devices and join them. On failure *error says what is missing. */
enum slt_link_trouble slt_wire_open(struct slt_wire *wire, const struct slt_wire_run_params *params,
                                    struct slt_link_error *error);

/* Carry frames until the duration is over or a signal or stop_fd says so. */
void slt_wire_carry(struct slt_wire *wire, const struct slt_wire_run_params *params);

/* Measure a wire of these parameters (there: rate and delay) between two devices of a private
 * network: does it keep its rate, and how wrong are its delays? */
struct slt_wire_check {
    uint64_t rate_bits_per_s; /* measured over saturated seconds; 0: the wire has no rate */
    int64_t error_p50_ns;     /* of the one-way delay, either sign */
    int64_t error_p99_ns;
    int64_t error_most_ns;
    uint32_t probes;
    uint32_t probes_lost;
};
enum slt_link_trouble slt_wire_measure(const struct slt_wire_run_params *params,
                                       struct slt_wire_check *check, struct slt_link_error *error);

#endif
