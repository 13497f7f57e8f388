/* The doors of every link: counting, the rule of lending, and names.
 *
 * Frames and bytes are counted here and nowhere else, so that a new device cannot forget to; only
 * drops are counted by the device, which alone knows why.
 */
#include "link/link.h"

#include <stdio.h>
#include <string.h>

size_t slt_link_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                        int64_t now_ns)
{
    SLT_ASSERT(!link->lent);
    if (max > SLT_LINK_BATCH_MAX) {
        max = SLT_LINK_BATCH_MAX;
    }
    size_t count = link->ops->receive(link, frames, max, now_ns);
    SLT_ASSERT(count <= max);
    link->lent = count > 0;
    link->counters.frames_in += count;
    for (size_t i = 0; i < count; i++) {
        link->counters.bytes_in += frames[i].bytes;
    }
    return count;
}

void slt_link_release(struct slt_link *link)
{
    if (link->lent) {
        link->lent = false;
        link->ops->release(link);
    }
}

size_t slt_link_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                     int64_t now_ns)
{
    if (count == 0) {
        return 0;
    }
    size_t taken = link->ops->send(link, frames, count, now_ns);
    SLT_ASSERT(taken <= count);
    link->counters.frames_out += taken;
    for (size_t i = 0; i < taken; i++) {
        link->counters.bytes_out += slt_tx_frame_bytes(&frames[i]);
    }
    return taken;
}

int64_t slt_link_next_deadline(const struct slt_link *link)
{
    return link->ops->next_deadline(link);
}

void slt_link_poll(struct slt_link *link, int64_t now_ns)
{
    link->ops->poll(link, now_ns);
}

int slt_link_fd(const struct slt_link *link)
{
    return link->ops->fd(link);
}

bool slt_link_wants_write(const struct slt_link *link)
{
    return link->ops->wants_write(link);
}

void slt_link_close(struct slt_link *link)
{
    if (link) {
        slt_link_release(link);
        link->ops->close(link);
    }
}

const char *slt_link_drop_name(enum slt_link_drop drop)
{
    static const char *const names[SLT_LINK_DROP_COUNT] = {
        [SLT_LINK_DROP_QUEUE_FULL] = "queue-full",   [SLT_LINK_DROP_KERNEL_FULL] = "kernel-full",
        [SLT_LINK_DROP_TOO_BIG] = "too-big",         [SLT_LINK_DROP_MALFORMED] = "malformed",
        [SLT_LINK_DROP_DEVICE_DOWN] = "device-down", [SLT_LINK_DROP_DEVICE] = "device",
    };
    return (unsigned)drop < SLT_LINK_DROP_COUNT ? names[drop] : "unknown";
}

enum slt_link_trouble slt_link_error_set(struct slt_link_error *error,
                                         enum slt_link_trouble trouble, int os_error,
                                         const char *sentence, const char *remedy)
{
    error->trouble = trouble;
    error->os_error = os_error;
    if (os_error != 0) {
        snprintf(error->sentence, sizeof(error->sentence), "%s: %s", sentence, strerror(os_error));
    } else {
        snprintf(error->sentence, sizeof(error->sentence), "%s", sentence);
    }
    snprintf(error->remedy, sizeof(error->remedy), "%s", remedy ? remedy : "");
    return trouble;
}

enum salut_status slt_link_trouble_status(enum slt_link_trouble trouble)
{
    switch (trouble) {
    case SLT_LINK_FINE:
        return SALUT_OK;
    case SLT_LINK_NO_DEVICE:
    case SLT_LINK_BUSY:
        return SALUT_ADDRESS_NOT_AVAILABLE;
    case SLT_LINK_BAD_NAME:
        return SALUT_INVALID;
    case SLT_LINK_NO_MEMORY:
        return SALUT_NO_MEMORY;
    case SLT_LINK_NO_PRIVILEGE:
    case SLT_LINK_NOT_SUPPORTED:
    case SLT_LINK_SYSTEM_ERROR:
        return SALUT_NOT_SUPPORTED;
    }
    return SALUT_NOT_SUPPORTED;
}
