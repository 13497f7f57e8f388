/* The host under test.
 *
 * A turn is what the interpreter makes of it: a packet goes in and everything it causes comes out
 * before the next thing happens, as if the machine were infinitely fast. Events are read from the
 * instance's ring after every step; a capture gets the changes of state as comments of the packet
 * that caused them (an inbound one), or that they caused (an outbound one).
 */
#include "lab/script_host.h"

#include "lab/script_settings.h"
#include "link/segment.h"
#include "sock/heap.h"
#include "stack/stack.h"
#include "wire/pcapng.h"

#include <stdlib.h>
#include <string.h>

#define TX_FRAMES     8U
#define CAPTURE_SLACK 1024U
#define SPINS_MAX     100000U

/* The whole world is on the link: the default route has no gateway. */
bool slt_script_host_add_address(struct slt_host *host, const salut_addr *addr)
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    bool v4 = memcmp(addr->b, v4_prefix, sizeof(v4_prefix)) == 0;
    salut_addr any = {{0}, 0};
    enum salut_status status = salut_add_address(host->stack, addr, v4 ? 16 : 64);

    if (status == SALUT_ADDRESS_IN_USE) {
        return true;
    }
    if (v4) {
        memcpy(any.b, v4_prefix, sizeof(v4_prefix));
    }
    return status == SALUT_OK &&
           salut_add_route(host->stack, &any, 0, &(salut_addr){{0}, 0}) == SALUT_OK;
}

const char *slt_script_host_open(struct slt_host *host, const struct slt_script_setup *setup,
                                 int first_fd)
{
    struct salut_config config = setup->config;

    memset(host, 0, sizeof(*host));
    host->start_ns = 1000 * SLT_NS_PER_S;
    host->now_ns = host->start_ns;
    config.alloc = slt_heap_take;
    config.free = slt_heap_give;
    config.start_at_ns = host->start_ns;
    enum salut_status status = salut_create(&config, &host->stack);
    if (status != SALUT_OK) {
        return status == SALUT_INVALID ? "the settings make no valid configuration"
                                       : "no memory for an instance";
    }
    if (!slt_script_host_add_address(host, &setup->local)) {
        return "the local address cannot be used";
    }
    struct salut_socks_params params = {.stack = host->stack, .first_fd = first_fd};
    if (salut_socks_create(&params, &host->socks) != SALUT_OK) {
        return "no memory for sockets";
    }
    return NULL;
}

void slt_script_host_close(struct slt_host *host)
{
    salut_socks_destroy(host->socks);
    salut_destroy(host->stack);
    free(host->packets);
    free(host->bytes);
    if (host->capture) {
        fclose(host->capture);
    }
    memset(host, 0, sizeof(*host));
}

/* The instance reads its copy of the configuration whenever it decides; sysctls of a kernel are
 * read the same way. */
void slt_script_host_configure(struct slt_host *host, const struct salut_config *config)
{
    slt_settings_copy_live(&host->stack->config, config);
}

/* ---- the capture --------------------------------------------------------------------------- */

bool slt_script_host_capture(struct slt_host *host, const char *path)
{
    uint8_t header[512];
    struct slt_writer w = slt_writer_of(header, sizeof(header));
    struct slt_pcapng_interface interface = {.linktype = SLT_LINKTYPE_RAW, .resolution = 9};

    host->capture = fopen(path, "wb");
    if (!host->capture) {
        return false;
    }
    uint32_t bytes = slt_pcapng_section_emit("salut test", NULL, &w);
    bytes += slt_pcapng_interface_emit(&interface, "salut0", &w);
    return fwrite(header, 1, bytes, host->capture) == bytes;
}

static void write_packet(struct slt_host *host, const uint8_t *data, uint32_t bytes, bool outbound)
{
    if (!host->capture) {
        return;
    }
    struct slt_capture_packet packet = {
        .at_ns = host->now_ns,
        .original_bytes = bytes,
        .direction = outbound ? SLT_CAPTURE_OUTBOUND : SLT_CAPTURE_INBOUND,
        .data = data,
        .bytes = bytes,
        .comment = host->comment,
        .comment_bytes = host->comment_bytes,
    };
    uint32_t room = slt_pcapng_packet_bytes(&packet) + CAPTURE_SLACK;
    uint8_t *block = malloc(room);
    if (!block) {
        host->failed = true;
        return;
    }
    struct slt_writer w = slt_writer_of(block, room);
    uint32_t used = slt_pcapng_packet_emit(&packet, &w);
    if (fwrite(block, 1, used, host->capture) != used) {
        host->failed = true;
    }
    free(block);
    host->comment_bytes = 0;
}

/* ---- events -------------------------------------------------------------------------------- */

static void add_comment(struct slt_host *host, const char *words)
{
    uint32_t bytes = (uint32_t)strlen(words);
    uint32_t room = (uint32_t)sizeof(host->comment) - host->comment_bytes;

    if (bytes + 2 < room) {
        if (host->comment_bytes > 0) {
            memcpy(host->comment + host->comment_bytes, "; ", 2);
            host->comment_bytes += 2;
        }
        memcpy(host->comment + host->comment_bytes, words, bytes);
        host->comment_bytes += bytes;
    }
}

static void note_event(struct slt_host *host, const struct slt_event *event)
{
    char words[200];

    if (event->kind == SLT_EVENT_STATE) {
        host->changes[host->change_count++ % SLT_HOST_CHANGES_MAX] = *event;
        snprintf(
            words, sizeof(words), "%s -> %s: %s", salut_state_name((enum salut_state)event->from),
            salut_state_name((enum salut_state)event->to), salut_reason_sentence(event->reason));
        add_comment(host, words);
    } else if (event->kind == SLT_EVENT_DROPPED || event->kind == SLT_EVENT_SENT) {
        snprintf(words, sizeof(words), "%s: %s", event->kind == SLT_EVENT_SENT ? "sent" : "dropped",
                 salut_reason_sentence(event->reason));
        add_comment(host, words);
    }
}

/* Read what the instance has written since the last time. The reason of the last segment sent is
 * returned: frames and their events come in the same order. */
static uint8_t read_events(struct slt_host *host)
{
    struct slt_event event;
    uint8_t why = SLT_PASS;

    for (;;) {
        int64_t lost = slt_event_read(host->stack->telemetry, host->events_seen + 1, &event);
        if (lost < 0) {
            return why;
        }
        if (lost > 0) {
            host->events_seen += (uint64_t)lost;
            continue;
        }
        host->events_seen++;
        note_event(host, &event);
        if (event.kind == SLT_EVENT_SENT) {
            why = event.reason;
        }
    }
}

void slt_script_host_print_changes(const struct slt_host *host, FILE *out)
{
    uint64_t first =
        host->change_count > SLT_HOST_CHANGES_MAX ? host->change_count - SLT_HOST_CHANGES_MAX : 0;

    for (uint64_t i = first; i < host->change_count; i++) {
        const struct slt_event *event = &host->changes[i % SLT_HOST_CHANGES_MAX];
        double at = (double)(event->at_ns - host->start_ns) / (double)SLT_NS_PER_S;
        fprintf(
            out, "    %.6f  %s -> %s: %s\n", at, salut_state_name((enum salut_state)event->from),
            salut_state_name((enum salut_state)event->to), salut_reason_sentence(event->reason));
    }
}

/* ---- packets out --------------------------------------------------------------------------- */

static bool make_room(struct slt_host *host, uint32_t bytes)
{
    if (host->packet_count == host->packet_room) {
        uint32_t room = host->packet_room ? host->packet_room * 2 : 64;
        struct slt_script_host_packet *packets = realloc(host->packets, room * sizeof(*packets));
        if (!packets) {
            return false;
        }
        host->packets = packets;
        host->packet_room = room;
    }
    if (host->bytes_room - host->bytes_used < bytes) {
        uint32_t room = host->bytes_room ? host->bytes_room : 65536;
        while (room - host->bytes_used < bytes) {
            room *= 2;
        }
        uint8_t *grown = realloc(host->bytes, room);
        if (!grown) {
            return false;
        }
        host->bytes = grown;
        host->bytes_room = room;
    }
    return true;
}

/* A super-frame is cut as a network card would cut it: PSH stands on its last segment. */
static void take_frame(struct slt_host *host, const struct salut_tx_frame *frame)
{
    struct slt_frame_view view = slt_frame_view_of_tx(frame, SALUT_LINK_IP);
    struct slt_segmenter segmenter;
    uint32_t bytes;

    if (!slt_segmenter_init(&segmenter, &view)) {
        SLT_UNREACHABLE("the instance made a frame that no link can send");
    }
    while ((bytes = slt_segmenter_next_bytes(&segmenter)) > 0) {
        if (!make_room(host, bytes)) {
            host->failed = true;
            return;
        }
        slt_segmenter_next(&segmenter, host->bytes + host->bytes_used);
        host->packets[host->packet_count++] = (struct slt_script_host_packet){
            .at_ns = host->now_ns, .at = host->bytes_used, .bytes = bytes};
        host->bytes_used += bytes;
        host->packets_out++;
    }
}

/* One frame at a time, so that each gets the reason and the comment that are its own. */
void slt_script_host_pump(struct slt_host *host)
{
    struct salut_tx_frame frame;

    for (uint32_t spins = 0; spins < SPINS_MAX; spins++) {
        size_t count = salut_output(host->stack, &frame, 1);
        if (count == 0) {
            salut_output_taken(host->stack, 0);
            read_events(host);
            return;
        }
        uint32_t before = host->packet_count;
        take_frame(host, &frame);
        salut_output_taken(host->stack, 1);
        uint8_t why = read_events(host);
        for (uint32_t i = before; i < host->packet_count && !host->failed; i++) {
            host->packets[i].why = why;
            write_packet(host, host->bytes + host->packets[i].at, host->packets[i].bytes, true);
        }
        if (host->failed) {
            return;
        }
    }
    SLT_UNREACHABLE("the instance sends without end at one instant");
}

void slt_script_host_inject(struct slt_host *host, const uint8_t *packet, uint32_t bytes,
                            uint16_t gso_bytes)
{
    struct salut_rx_frame frame = {.data = packet, .bytes = bytes, .gso_bytes = gso_bytes};

    /* What happened before is none of this packet's doing. */
    host->comment_bytes = 0;
    salut_input(host->stack, &frame, 1, host->now_ns);
    read_events(host);
    write_packet(host, packet, bytes, false);
    slt_script_host_pump(host);
}

/* ---- time ---------------------------------------------------------------------------------- */

int64_t slt_script_host_deadline(const struct slt_host *host)
{
    return salut_next_deadline(host->stack);
}

void slt_script_host_step(struct slt_host *host, int64_t until_ns)
{
    int64_t deadline = slt_script_host_deadline(host);
    int64_t next = deadline < until_ns ? deadline : until_ns;

    host->now_ns = next > host->now_ns ? next : host->now_ns;
    while (salut_poll(host->stack, host->now_ns)) {
        slt_script_host_pump(host);
    }
    slt_script_host_pump(host);
}

void slt_script_host_advance(struct slt_host *host, int64_t until_ns)
{
    while (slt_script_host_deadline(host) <= until_ns) {
        slt_script_host_step(host, until_ns);
    }
    slt_script_host_step(host, until_ns);
}

const struct slt_script_host_packet *slt_script_host_peek(const struct slt_host *host,
                                                          uint32_t index)
{
    uint32_t at = host->packet_head + index;
    return at < host->packet_count ? &host->packets[at] : NULL;
}

const uint8_t *slt_script_host_bytes(const struct slt_host *host,
                                     const struct slt_script_host_packet *packet)
{
    return host->bytes + packet->at;
}

void slt_script_host_drop(struct slt_host *host, uint32_t count)
{
    host->packet_head += count;
    SLT_ASSERT(host->packet_head <= host->packet_count);
    if (host->packet_head == host->packet_count) {
        host->packet_head = 0;
        host->packet_count = 0;
        host->bytes_used = 0;
    }
}
