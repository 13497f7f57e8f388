/* Links: devices behind one small vtable.
 *
 * A link lends received frames in batches and takes frames to send in batches. The order of use
 * in a turn is
 *
 *     slt_link_poll(link, now);                      // decorators move what has become due
 *     n = slt_link_receive(link, frames, max, now);  // frames are lent ...
 *     salut_input(stack, frames, n, now);
 *     slt_link_release(link);                        // ... and go back, all at once
 *     ...
 *     n = salut_output(stack, out, max);
 *     salut_output_taken(stack, slt_link_send(link, out, n, now));
 *
 * Every link is non-blocking and reads no clock: `now_ns` comes from whoever turns the stack. A
 * link that cannot take a frame now takes none of it, and slt_link_wants_write says that its
 * descriptor is to be watched for room. A frame that the device will never take (too long, device
 * down) is taken and counted as dropped, as a cable would: TCP retransmits.
 *
 * A link without offload still takes super-frames and partial checksums: it cuts and completes them
 * in software (segment.h). One that does so in the copy it makes anyway says so in its capabilities
 * (caps.gso_max_bytes, caps.tx_checksum): to the stack that is cheaper than a frame per segment.
 *
 * Links are decorated by tee (tee.h) and impair (impair.h), which own the link they wrap.
 */
#ifndef SLT_LINK_LINK_H
#define SLT_LINK_LINK_H

#include "base/compiler.h"
#include "base/time.h"
#include "salut/types.h"

/* The payload of the longest super-frame: an IPv4 packet of 65,535 bytes whose TCP header is 60
 * bytes long; one of IPv6 is never longer. */
#define SLT_LINK_GSO_MAX_BYTES (65535U - 20U - 60U)

/* The longest frame a link hands over: an IP packet of 65,535 bytes behind an Ethernet header with
 * two VLAN tags. Linux makes IPv6 super-frames of up to 65,536 + 40 bytes. */
#define SLT_LINK_FRAME_MAX (65535U + 64U)

/* The most frames that are lent at once. */
#define SLT_LINK_BATCH_MAX 64U

#define SLT_LINK_NAME_MAX 16

/* slt_link_next_deadline: there is something to receive without anybody waiting. */
#define SLT_LINK_AT_ONCE INT64_MIN

enum slt_link_drop {
    SLT_LINK_DROP_QUEUE_FULL,  /* a queue of this link was full */
    SLT_LINK_DROP_KERNEL_FULL, /* the kernel's queue towards us was full */
    SLT_LINK_DROP_TOO_BIG,     /* the frame is longer than the link carries */
    SLT_LINK_DROP_MALFORMED,   /* a super-frame that is no TCP segment, an impossible offset */
    SLT_LINK_DROP_DEVICE_DOWN, /* the device, or the other end, is down or gone */
    SLT_LINK_DROP_DEVICE,      /* the device refused the frame */
    SLT_LINK_DROP_COUNT
};

struct slt_link_counters {
    uint64_t frames_in; /* lent to the stack; a super-frame counts once */
    uint64_t bytes_in;
    uint64_t frames_out; /* taken from the stack, dropped later or not */
    uint64_t bytes_out;
    uint64_t dropped[SLT_LINK_DROP_COUNT];
};

/* What a stack on this link must know (salut_config's link part). */
struct slt_link_caps {
    enum salut_link_kind kind;
    uint8_t mac[6];         /* the station's own address; zero for SALUT_LINK_IP */
    uint32_t mtu;           /* bytes of the longest IP packet */
    uint32_t gso_max_bytes; /* payload of the longest super-frame it takes as one; 0: none */
    bool tx_checksum;       /* it completes transport checksums of frames it takes */
    bool rx_checksum;       /* frames it lends may have checksum_valid set */
};

struct slt_link;

struct slt_link_ops {
    size_t (*receive)(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                      int64_t now_ns);
    void (*release)(struct slt_link *link);
    size_t (*send)(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                   int64_t now_ns);
    int64_t (*next_deadline)(const struct slt_link *link);
    void (*poll)(struct slt_link *link, int64_t now_ns);
    int (*fd)(const struct slt_link *link);
    bool (*wants_write)(const struct slt_link *link);
    void (*close)(struct slt_link *link);
};

/* The head of every link; the rest of its memory is its maker's. */
struct slt_link {
    const struct slt_link_ops *ops;
    struct slt_link_caps caps;
    char name[SLT_LINK_NAME_MAX];
    struct slt_link_counters counters;
    bool lent; /* frames are with the stack: release must come before the next receive */
};

/* What kept a link from being opened: something a program can show and act on. */
enum slt_link_trouble {
    SLT_LINK_FINE,
    SLT_LINK_NO_DEVICE,     /* the device or the interface does not exist */
    SLT_LINK_NO_PRIVILEGE,  /* the caller may not open it */
    SLT_LINK_BUSY,          /* somebody else has it open */
    SLT_LINK_BAD_NAME,      /* the name is no interface name */
    SLT_LINK_NOT_SUPPORTED, /* the kernel lacks a feature we need */
    SLT_LINK_NO_MEMORY,
    SLT_LINK_SYSTEM_ERROR /* anything else the kernel said */
};

struct slt_link_error {
    enum slt_link_trouble trouble;
    int os_error;       /* errno's value at that moment; 0: none */
    char sentence[200]; /* what is missing */
    char remedy[200];   /* the command or setting that helps; empty: none known */
};

/* Fill *error. `remedy` may be NULL. Returns `trouble`. */
enum slt_link_trouble slt_link_error_set(struct slt_link_error *error,
                                         enum slt_link_trouble trouble, int os_error,
                                         const char *sentence, const char *remedy);

/* The status that a call of the public interface answers for a trouble. */
enum salut_status slt_link_trouble_status(enum slt_link_trouble trouble);

/* Lend up to `max` frames, valid until slt_link_release. Returns how many. */
size_t slt_link_receive(struct slt_link *link, struct salut_rx_frame *frames, size_t max,
                        int64_t now_ns);

/* Give every lent frame back. Harmless when none is lent. */
void slt_link_release(struct slt_link *link);

/* Hand over frames to send. Returns how many were taken, from the first on; nothing of a taken
 * frame is referred to afterwards. */
size_t slt_link_send(struct slt_link *link, const struct salut_tx_frame *frames, size_t count,
                     int64_t now_ns);

/* The instant at which slt_link_poll and slt_link_receive are to be called even though the
 * descriptor is silent: SLT_LINK_AT_ONCE, an instant, or SLT_NEVER. */
int64_t slt_link_next_deadline(const struct slt_link *link);

/* Tell the time: frames held back go on when they are due. */
void slt_link_poll(struct slt_link *link, int64_t now_ns);

/* The descriptor to watch, or -1. Level-triggered readable while frames wait in the kernel. */
int slt_link_fd(const struct slt_link *link);

/* True when the last send stopped for want of room: watch the descriptor for writing, or, where
 * there is none, try again in the next turn. */
bool slt_link_wants_write(const struct slt_link *link);

/* Close the link, and those it wraps, and free its memory. NULL is allowed. */
void slt_link_close(struct slt_link *link);

/* A short lower-case name of a drop counter ("queue-full"). */
const char *slt_link_drop_name(enum slt_link_drop drop);

/* Count a dropped frame. */
static inline void slt_link_count_drop(struct slt_link *link, enum slt_link_drop drop)
{
    link->counters.dropped[drop]++;
}

static inline uint32_t slt_tx_frame_bytes(const struct salut_tx_frame *frame)
{
    return frame->header_bytes + frame->payload_bytes;
}

#endif
