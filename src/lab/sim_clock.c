/* What all files know of hosts: their clocks and their addresses.
 *
 * A host reads virtual time through a clock that runs at a rate of its own and may jump forward.
 */
#include "lab/sim_world.h"

#include <string.h>

/* ---- clocks
 * -------------------------------------------------------------------------------------- */

int64_t slt_sim_local(const struct sim_world *w, const struct sim_host *h)
{
    int64_t passed = w->now_ns - h->clock.virtual_ns;
    return h->clock.local_ns + passed + passed / 1000000 * h->clock.ppm +
           passed % 1000000 * h->clock.ppm / 1000000;
}

/* The first virtual instant at which the host's clock shows at least `local_ns`. */
int64_t slt_sim_virtual(const struct sim_host *h, int64_t local_ns)
{
    if (local_ns == SLT_NEVER) {
        return SLT_NEVER;
    }
    int64_t ahead = local_ns - h->clock.local_ns;
    if (ahead <= 0) {
        return h->clock.virtual_ns;
    }
    int64_t rate = 1000000 + h->clock.ppm;
    int64_t at = ahead / rate * 1000000 + ahead % rate * 1000000 / rate;
    while (at + at / 1000000 * h->clock.ppm + at % 1000000 * h->clock.ppm / 1000000 < ahead) {
        at++;
    }
    return h->clock.virtual_ns + at;
}

void slt_sim_clock_set(struct sim_world *w, struct sim_host *h, int64_t jump_ns, int64_t ppm)
{
    h->clock.local_ns = slt_sim_local(w, h) + jump_ns;
    h->clock.virtual_ns = w->now_ns;
    h->clock.ppm = ppm;
}

/* ---- addresses
 * ------------------------------------------------------------------------------------ */

void slt_sim_station(const struct sim_world *w, bool ip6, uint8_t number, salut_addr *addr)
{
    (void)w;
    memset(addr, 0, sizeof(*addr));
    if (ip6) {
        addr->b[0] = 0xfd;
    } else {
        addr->b[10] = addr->b[11] = 0xff;
        addr->b[12] = 10;
    }
    addr->b[15] = number;
}
