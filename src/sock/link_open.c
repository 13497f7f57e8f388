/* See link_open.h. */
#include "sock/link_open.h"

#include "link/loopback.h"
#include "link/packet_linux.h"
#include "link/tap_linux.h"
#include "sock/impair_spec.h"
#include "sock/runner_clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOP_MTU 65535U

/* The kernel's 500 are 5 ms of a flood of small frames: less than we may have to wait for our turn
 * on a busy machine, and with them it drops what is not part of the flood. */
#define QUEUE_FRAMES 4096U

static enum slt_link_trouble open_tap(const struct slt_link_plan *plan, struct slt_link **link,
                                      struct slt_link_error *error)
{
    struct slt_tap_params params = {
        .name = plan->name,
        .kind = plan->device == SALUT_DEVICE_TUN ? SALUT_LINK_IP : SALUT_LINK_ETHERNET,
        .mtu = plan->mtu,
        .queue_frames = QUEUE_FRAMES,
        .no_offload = plan->no_offload,
        .multi_queue = plan->multi_queue,
    };
    return slt_tap_open(&params, link, error);
}

static enum slt_link_trouble open_packet(const struct slt_link_plan *plan, struct slt_link **link,
                                         struct slt_link_error *error)
{
    struct slt_packet_params params = {
        .name = plan->name, .derive_mac = true, .no_offload = plan->no_offload};
    if (plan->name == NULL) {
        return slt_link_error_set(error, SLT_LINK_BAD_NAME, 0,
                                  "a packet socket needs the name of an interface", NULL);
    }
    enum slt_link_trouble trouble = slt_packet_open(&params, link, error);
    if (trouble == SLT_LINK_FINE && plan->mtu != 0 && plan->mtu < (*link)->caps.mtu) {
        (*link)->caps.mtu = plan->mtu;
    }
    return trouble;
}

static enum slt_link_trouble open_loop(const struct slt_link_plan *plan, struct slt_link **link,
                                       struct slt_link_error *error)
{
    struct slt_loopback_params params = {.kind = SALUT_LINK_IP,
                                         .mtu = plan->mtu == 0 ? LOOP_MTU : plan->mtu,
                                         .offload = !plan->no_offload};
    return slt_loopback_open(&params, link) == SALUT_OK
               ? SLT_LINK_FINE
               : slt_link_error_set(error, SLT_LINK_NO_MEMORY, 0,
                                    "the loopback link cannot be made", NULL);
}

static enum slt_link_trouble open_device(const struct slt_link_plan *plan, struct slt_link **link,
                                         struct slt_link_error *error)
{
    switch (plan->device) {
    case SALUT_DEVICE_TAP:
    case SALUT_DEVICE_TUN:
        return open_tap(plan, link, error);
    case SALUT_DEVICE_PACKET:
        return open_packet(plan, link, error);
    case SALUT_DEVICE_LOOP:
        return open_loop(plan, link, error);
    }
    return slt_link_error_set(error, SLT_LINK_NOT_SUPPORTED, 0, "there is no such device", NULL);
}

static void close_sink(struct slt_tee_sink *sink)
{
    if (sink != NULL && sink->close != NULL) {
        sink->close(sink);
    }
}

/* Decorators close what they wrap when they fail. */
static enum slt_link_trouble decorate(const struct slt_link_plan *plan, struct slt_link **link,
                                      struct slt_link **impair, struct slt_link_error *error)
{
    if (plan->impair != NULL) {
        enum salut_status status = slt_impair_open(*link, plan->impair, link);
        if (status != SALUT_OK) {
            close_sink(plan->sink);
            return slt_link_error_set(error, SLT_LINK_NO_MEMORY, 0,
                                      "the impairment cannot be set up: a value is outside its "
                                      "domain, or memory is short",
                                      NULL);
        }
        if (impair != NULL) {
            *impair = *link;
        }
    }
    if (plan->sink != NULL && slt_tee_open(*link, plan->sink, link) != SALUT_OK) {
        close_sink(plan->sink);
        return slt_link_error_set(error, SLT_LINK_NO_MEMORY, 0, "memory is short", NULL);
    }
    return SLT_LINK_FINE;
}

enum slt_link_trouble slt_link_open_plan(const struct slt_link_plan *plan, struct slt_link **link,
                                         struct slt_link **impair, struct slt_link_error *error)
{
    if (impair != NULL) {
        *impair = NULL;
    }
    enum slt_link_trouble trouble = open_device(plan, link, error);
    if (trouble != SLT_LINK_FINE) {
        close_sink(plan->sink);
        return trouble;
    }
    return decorate(plan, link, impair, error);
}

struct slt_tee_sink *slt_link_open_capture(const char *path,
                                           const struct slt_capture_params *params,
                                           struct slt_link_error *error)
{
    struct slt_tee_sink *sink = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        (void)slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                 "the capture file cannot be written", NULL);
        return NULL;
    }
    struct slt_capture_params whole = *params;
    whole.fd = fd;
    whole.name = "salut";
    whole.epoch_ns = slt_runner_epoch();
    if (slt_capture_open(&whole, &sink) != SALUT_OK) {
        (void)slt_link_error_set(error, SLT_LINK_SYSTEM_ERROR, errno,
                                 "the capture file cannot be begun", NULL);
        (void)close(fd);
        return NULL;
    }
    return sink;
}

void slt_link_configure(const struct slt_link *link, struct salut_config *config)
{
    uint32_t mtu = link->caps.mtu;
    config->link_kind = link->caps.kind;
    memcpy(config->mac, link->caps.mac, sizeof(config->mac));
    config->mtu = (uint16_t)slt_min32(mtu, UINT16_MAX);
    config->gso_max_bytes = link->caps.gso_max_bytes;
    config->tx_checksum = link->caps.tx_checksum ? 1 : 0;
}

/* ---- the public face ------------------------------------------------------------------------ */

static void explain(const struct slt_link_error *error, char *why, size_t size)
{
    if (why != NULL && size > 0) {
        (void)snprintf(why, size, "%s%s%s", error->sentence, error->remedy[0] != '\0' ? "; " : "",
                       error->remedy);
    }
}

enum salut_status salut_link_open(const struct salut_link_params *params, struct salut_link **link,
                                  char *why, size_t size)
{
    struct slt_link_error error = {.trouble = SLT_LINK_FINE};
    struct slt_impair_params impair;
    struct slt_link_plan plan = {.device = params->device,
                                 .name = params->name,
                                 .mtu = params->mtu,
                                 .no_offload = params->no_offload,
                                 .multi_queue = params->multi_queue};
    if (params->impair != NULL) {
        const char *bad = slt_impair_spec_parse(params->impair, &impair);
        if (bad != NULL) {
            (void)slt_link_error_set(&error, SLT_LINK_BAD_NAME, 0, bad, SLT_IMPAIR_SPEC_HELP);
            explain(&error, why, size);
            return SALUT_INVALID;
        }
        plan.impair = &impair;
    }
    if (params->capture != NULL) {
        bool ip = params->device == SALUT_DEVICE_TUN || params->device == SALUT_DEVICE_LOOP;
        struct slt_capture_params capture = {.kind = ip ? SALUT_LINK_IP : SALUT_LINK_ETHERNET};
        plan.sink = slt_link_open_capture(params->capture, &capture, &error);
    }
    struct slt_link *made = NULL;
    enum slt_link_trouble trouble = error.trouble;
    if (trouble == SLT_LINK_FINE) {
        trouble = slt_link_open_plan(&plan, &made, NULL, &error);
    }
    if (trouble != SLT_LINK_FINE) {
        explain(&error, why, size);
        return slt_link_trouble_status(trouble);
    }
    *link = slt_link_public(made);
    return SALUT_OK;
}

void salut_link_close(struct salut_link *link)
{
    slt_link_close(slt_link_of(link));
}

const char *salut_link_name(const struct salut_link *link)
{
    return slt_link_of_const(link)->name;
}
