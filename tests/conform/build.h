/* What build.c and build_tcp.c share: the frame being built, from its end to its beginning. */
#ifndef SALUT_TESTS_CONFORM_BUILD_H
#define SALUT_TESTS_CONFORM_BUILD_H

#include "tests/conform/conform.h"

#define LAYERS_MAX 8

struct frame {
    struct world *world;
    struct words layers[LAYERS_MAX];
    int count;
    uint8_t bytes[FRAME_BYTES];
    size_t start; /* of what has been built */
    size_t end;
    bool broken; /* a key could not be evaluated */
};

/* Where a transport checksum goes, and what it covers besides the layer. */
struct checksum_place {
    size_t offset;
    uint8_t protocol;
    bool pseudo;
};

uint32_t sum_add(uint32_t sum, const uint8_t *bytes, size_t count);
uint8_t *frame_push(struct frame *f, size_t bytes);
void put16(uint8_t *at, uint32_t value);
void put32(uint8_t *at, uint32_t value);
uint32_t key_number(struct frame *f, const struct words *layer, const char *key, uint32_t missing);
void key_address(struct frame *f, const struct words *layer, const char *key, const char *missing,
                 salut_addr *addr);
void finish_checksum(struct frame *f, int at, struct checksum_place place);

/* Layers inside IP: tcp, udp, icmp, icmp6, quote, ns, na, ra, redirect, raw. */
bool build_inner(struct frame *f, int at);

#endif
