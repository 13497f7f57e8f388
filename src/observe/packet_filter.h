/* Filters over packets: pcap-filter(7)'s language, turned into what the kernel runs at its socket.
 *
 * libpcap compiles it; the rest of capturing is done without. Its headers are found when the
 * project is configured, the library itself is loaded when a filter is given; without either, only
 * captures without a filter can be had.
 */
#ifndef SLT_OBSERVE_PACKET_FILTER_H
#define SLT_OBSERVE_PACKET_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As struct sock_filter. */
struct slt_packet_instruction {
    uint16_t code;
    uint8_t if_true;
    uint8_t if_false;
    uint32_t value;
};

struct slt_packet_filter {
    struct slt_packet_instruction *items;
    uint16_t count;
};

enum slt_packet_filter_result { SLT_FILTER_FINE, SLT_FILTER_WRONG, SLT_FILTER_IMPOSSIBLE };

/* Compile `text` for packets of a link type (enum slt_linktype: ETHERNET or RAW); otherwise `why`
 * says what is wrong with it, or missing. */
enum slt_packet_filter_result slt_packet_filter_compile(const char *text, uint16_t linktype,
                                                        uint32_t snap_bytes,
                                                        struct slt_packet_filter *filter, char *why,
                                                        size_t size);
void slt_packet_filter_free(struct slt_packet_filter *filter);

#endif
