/* The connections of a script, and packets between the script's numbers and the wire's.
 *
 * A script counts both sides' sequence numbers from 0 where the side's SYN says so. The remote
 * side's numbers are the script's own and go to the wire as they are. The stack chooses its
 * initial sequence number, its ephemeral port and its timestamps: these are learned from the
 * first packet that shows them, and every later packet is held against that.
 */
#ifndef SLT_LAB_SCRIPT_FLOW_H
#define SLT_LAB_SCRIPT_FLOW_H

#include "lab/script_host.h"
#include "wire/ipv4.h"
#include "wire/tcp.h"

#define SLT_FLOWS_MAX     64
#define SLT_FLOW_TIMES    64
#define SLT_COMPLAINT_MAX 1024

/* One connection as the script sees it. */
struct slt_script_flow {
    uint16_t local_port;
    uint16_t remote_port;
    bool isn_known;
    bool isn_open; /* a SYN went in since: the stack may choose anew */
    uint32_t isn;  /* the stack's: wire minus script */
    bool ts_known;
    uint32_t ts_script; /* the first timestamp seen, as written and as sent */
    uint32_t ts_wire;
    uint32_t time_count; /* pairs of timestamps, a ring of the last */
    uint32_t times_script[SLT_FLOW_TIMES];
    uint32_t times_wire[SLT_FLOW_TIMES];
};

struct slt_script_flows {
    const struct slt_script_options *options;
    salut_addr local;
    salut_addr remote;
    bool zeros; /* no call has written anything but zeros: payloads are compared */
    uint32_t count;
    uint32_t current; /* index, SLT_FLOWS_MAX when there is none */
    uint16_t ip_id;
    uint8_t ttl; /* what packets carry when the script says nothing */
    struct slt_script_flow flow[SLT_FLOWS_MAX];
};

/* A packet of the stack's, read strictly. */
struct slt_live_packet {
    int64_t at_ns;
    uint8_t why;
    const uint8_t *data;
    uint32_t bytes;
    uint8_t protocol; /* of the IP header */
    uint8_t ecn;
    uint8_t dscp;
    uint8_t ttl;
    bool dont_fragment;
    uint8_t src[16];
    uint8_t dst[16];
    struct slt_tcp_segment seg;
    const uint8_t *option_bytes; /* raw */
    uint32_t option_byte_count;
    const char *fault; /* what no packet may be, or NULL */
    const uint8_t *transport;
    uint32_t transport_bytes;
};

/* Names and ports of the flow table are the setup's. */
void slt_flows_init(struct slt_script_flows *flows, const struct slt_script_options *options,
                    const struct slt_script_setup *setup);

/* The flow with these ports; made when there is none. NULL: too many. */
struct slt_script_flow *slt_flow_find(struct slt_script_flows *flows, uint16_t local_port,
                                      uint16_t remote_port);

/* The flow a packet without ports belongs to; made for the default ports when there is none. */
struct slt_script_flow *slt_flow_current(struct slt_script_flows *flows);
void slt_flow_set_current(struct slt_script_flows *flows, const struct slt_script_flow *flow);
void slt_flow_set_none(struct slt_script_flows *flows);

/* script_build.c: an inbound packet's bytes. Returns how many, 0 with a complaint when it cannot
 * be built. `room` is at least 65600. */
uint32_t slt_packet_build(struct slt_script_flows *flows, const struct slt_script_packet *packet,
                          uint8_t *out, uint32_t room, const char **complaint);

/* script_build.c: the wire form of written options, timestamps as given. 0 with *fits false when
 * they do not fit in 40 bytes. */
uint32_t slt_packet_options(const struct slt_script_packet *packet, uint32_t isn, uint8_t out[40],
                            bool *fits);

/* script_live.c: read a packet of the stack's; its fault says what is wrong in itself. */
void slt_live_parse(struct slt_live_packet *live, const struct slt_host *host,
                    const struct slt_script_host_packet *packet);

/* script_match.c: hold `count` consecutive packets of the host's queue, from the first, against a
 * written one. On a mismatch the differences are written to `out`, one on a line. */
struct slt_match {
    struct slt_script_flows *flows;
    const struct slt_host *host;
    const struct slt_script_packet *expected;
    uint32_t used; /* packets that belong to it */
    char *out;
    uint32_t out_bytes;
};

enum slt_match_result {
    SLT_MATCH_YES,
    SLT_MATCH_MORE, /* so far so good: the next packet belongs to it as well */
    SLT_MATCH_NO
};

enum slt_match_result slt_match_packet(struct slt_match *match);

/* script_show.c: a packet of the stack's as a script would write it, in the numbers of its flow
 * (which may be NULL); and one of the script's that is to be, or was, quoted. */
void slt_live_show(const struct slt_live_packet *live, const struct slt_script_flow *flow,
                   char *out, uint32_t out_bytes);

#endif
