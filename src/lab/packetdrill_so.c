/* The door of libsalut-packetdrill.so: one call makes the state of one script and the table. */
#include "lab/packetdrill_so.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The last call of a script. Descriptors of the kernel's that the script left open stay
 * packetdrill's to close. */
static void pd_free(void *userdata)
{
    struct slt_pd *pd = userdata;

    if (pd->open) {
        slt_script_host_close(&pd->host);
    }
    pthread_cond_destroy(&pd->changed);
    pthread_mutex_destroy(&pd->lock);
    free(pd->words);
    free(pd);
}

static bool init_locks(struct slt_pd *pd)
{
    pthread_condattr_t attributes;

    return pthread_mutex_init(&pd->lock, NULL) == 0 && pthread_condattr_init(&attributes) == 0 &&
           pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
           pthread_cond_init(&pd->changed, &attributes) == 0 &&
           pthread_condattr_destroy(&attributes) == 0;
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc)
{
    struct slt_pd *pd = calloc(1, sizeof(*pd));

    if (!pd || !init_locks(pd)) {
        fprintf(stderr, "libsalut-packetdrill: no memory\n");
        exit(1);
    }
    pd->main_thread = pthread_self();
    pd->settings_bytes = -1;
    pd->early_ns = 1000 * SLT_NS_PER_S;
    pd->give_up_ns = SLT_NEVER;
    for (uint32_t i = 0; i < SLT_PD_FDS_MAX; i++) {
        pd->fds[i] = -1;
    }
    slt_script_options_init(&pd->options);
    slt_pd_read_flags(pd, flags);
    memset(ifc, 0, sizeof(*ifc));
    ifc->userdata = pd;
    ifc->free = pd_free;
    slt_pd_fill_time(ifc);
    slt_pd_fill_calls(ifc);
    slt_pd_fill_control(ifc);
}
