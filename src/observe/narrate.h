/* A narrator: one line for every change of state of an instance, as it happens.
 *
 *     12.345678  10.0.0.2:80 - 10.0.0.1:40122  ESTABLISHED -> CLOSE-WAIT  the peer sent FIN ...
 *
 * It reads the instance's event ring; when the ring has lapped it, it says how many it missed. An
 * event names ports only; the addresses are looked up while the connection can be asked for them,
 * and remembered for what follows. Where they are not known, ports stand alone.
 */
#ifndef SLT_OBSERVE_NARRATE_H
#define SLT_OBSERVE_NARRATE_H

#include "salut/salut.h"

#include <stdio.h>

#define SLT_NARRATOR_ENDS 1024U /* a power of two */

/* The addresses of a pair of ports, as last seen. */
struct slt_narrator_ends {
    uint16_t local_port;
    uint16_t remote_port;
    salut_addr local;
    salut_addr remote;
};

struct slt_narrator {
    const struct salut_stack *stack; /* NULL: silent */
    FILE *to;
    uint64_t next_event;
    int64_t start_at_ns; /* times count from here */
    struct slt_narrator_ends ends[SLT_NARRATOR_ENDS];
};

/* Start with what happens from now on. */
void slt_narrator_init(struct slt_narrator *narrator, const struct salut_stack *stack, FILE *to);

/* Print what happened since the last call. */
void slt_narrator_tell(struct slt_narrator *narrator);

#endif
