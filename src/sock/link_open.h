/* Opening links by description: device, then impair, then tee, from the inside out.
 *
 * A public struct salut_link is a struct slt_link under its public name.
 */
#ifndef SLT_SOCK_LINK_OPEN_H
#define SLT_SOCK_LINK_OPEN_H

#include "link/capture.h"
#include "link/impair.h"
#include "link/link.h"
#include "link/tee.h"
#include "salut/runner.h"

struct slt_link_plan {
    enum salut_device device;
    const char *name;
    uint32_t mtu;
    bool no_offload;
    bool multi_queue;
    const struct slt_impair_params *impair; /* NULL: none */
    struct slt_tee_sink *sink;              /* NULL: none; closed with the link, or on failure */
};

/* Open the device and put the decorators around it. *impair, unless `impair` is NULL, becomes the
 * impairing link (for its counters), or NULL. Returns SLT_LINK_FINE or the trouble. */
enum slt_link_trouble slt_link_open_plan(const struct slt_link_plan *plan, struct slt_link **link,
                                         struct slt_link **impair, struct slt_link_error *error);

/* Open a capture file as a tee's sink. Of `params` only the link's kind and the comments are looked
 * at. NULL: *error says why. */
struct slt_tee_sink *slt_link_open_capture(const char *path,
                                           const struct slt_capture_params *params,
                                           struct slt_link_error *error);

/* Write what the link is into a configuration. */
void slt_link_configure(const struct slt_link *link, struct salut_config *config);

static inline struct slt_link *slt_link_of(struct salut_link *link)
{
    return (struct slt_link *)(void *)link;
}

static inline const struct slt_link *slt_link_of_const(const struct salut_link *link)
{
    return (const struct slt_link *)(const void *)link;
}

static inline struct salut_link *slt_link_public(struct slt_link *link)
{
    return (struct salut_link *)(void *)link;
}

#endif
