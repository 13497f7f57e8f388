/* Reasons that a simulation of this kind cannot produce, each with why. */
#include "lab/sim.h"

#include <stddef.h>

static const struct {
    enum slt_reason reason;
    const char *why;
} unreachable[] = {
    {SLT_CAUSE_STACK_DESTROYED, "the stack is taken down without a word to anybody"},
    {SLT_CAUSE_NO_MEMORY,
     "the pool has a block for every connection, and its slabs come with the first ones"},
    {SLT_NOTE_TCP_RENEGED, "none of the hosts takes back what it has reported by SACK"},
    {SLT_DROP_UDP_QUEUE_FULL, "no simulated host has a datagram socket; fuzz_udp_sockets does"},
    {SLT_DROP_UDP_NO_BUFFER, "the same"},
    {SLT_DROP_UDP_UNSENT, "the same"},
    {SLT_NOTE_UDP_TAKEN, "the same"},
    {SLT_NOTE_UDP_SENT, "the same"},
    {SLT_NOTE_UDP_ERROR, "the same"},
    {SLT_DROP_TCP_DEFERRED, "no simulated listener waits for data; tests/sock/test_queues.c does"},
    {SLT_CAUSE_SHRUNK, "an entry tells the end of TIME-WAIT, not its change of form"},
};

const char *slt_sim_unreachable(enum slt_reason reason)
{
    for (size_t i = 0; i < sizeof(unreachable) / sizeof(unreachable[0]); i++) {
        if (unreachable[i].reason == reason) {
            return unreachable[i].why;
        }
    }
    return NULL;
}
