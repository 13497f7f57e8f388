/* Fuzzes ip/frag against a model: a byte map per datagram that says what must come out.
 *
 * The input is a list of commands of four bytes: which datagram, offset, length, flags. A second
 * implementation, made of one array of marks per datagram and knowing no limits but those of
 * the format, says what each piece must lead to; only memory's eviction is beyond it, so the table
 * is large enough for all datagrams the commands can name.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ip/frag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DATAGRAMS = 4, BLOCKS = 40, PIECES = 64 };

struct model {
    uint8_t owner[BLOCKS]; /* which piece a block came with; 0: none */
    uint8_t start[PIECES];
    uint8_t end[PIECES];
    bool last[PIECES];
    uint32_t count;
    uint32_t total; /* blocks; 0: not known */
    bool poisoned;
    bool live;
};

static void *take(void *ctx, size_t bytes)
{
    (void)ctx;
    return calloc(1, bytes);
}

static void give(void *ctx, void *ptr, size_t bytes)
{
    (void)ctx;
    (void)bytes;
    free(ptr);
}

static enum slt_reason poison(struct model *m)
{
    m->poisoned = true;
    return SLT_DROP_FRAG_OVERLAP;
}

static bool is_complete(const struct model *m)
{
    uint32_t held = 0;
    while (held < m->total && m->owner[held] != 0) {
        held++;
    }
    return m->total != 0 && held == m->total;
}

static enum slt_reason predict(struct model *m, uint8_t start, uint8_t end, bool more)
{
    m->live = true;
    if (m->poisoned) {
        return SLT_DROP_FRAG_POISONED;
    }
    for (uint32_t i = 0; i < m->count; i++) {
        if (m->start[i] == start && m->end[i] == end && m->last[i] == !more) {
            return SLT_DROP_FRAG_DUPLICATE;
        }
    }
    for (uint32_t block = start; block < end; block++) {
        if (m->owner[block] != 0 || (m->total != 0 && block >= m->total)) {
            return poison(m);
        }
    }
    for (uint32_t block = end; block < BLOCKS && !more; block++) {
        if (m->owner[block] != 0) {
            return poison(m);
        }
    }
    if (m->total != 0 && (!more || end >= m->total)) {
        return poison(m);
    }
    m->start[m->count] = start;
    m->end[m->count] = end;
    m->last[m->count] = !more;
    m->count++;
    memset(m->owner + start, 1, (size_t)(end - start));
    m->total = more ? m->total : end;
    return is_complete(m) ? SLT_NOTE_FRAG_DONE : SLT_NOTE_FRAG_HELD;
}

static void check_whole(const struct slt_frag *frag, struct slt_span whole, uint32_t blocks,
                        uint8_t family)
{
    uint32_t header = family == 4 ? 20 : 40;
    SLT_ASSERT(frag->lent);
    SLT_ASSERT(whole.bytes == header + 8 * blocks);
    for (uint32_t i = 0; i < 8 * blocks; i++) {
        SLT_ASSERT(whole.data[header + i] == (uint8_t)(i * 7 + 3));
    }
}

static void run_command(struct slt_frag *frag, struct model *models, const uint8_t *command,
                        int64_t now_ns)
{
    static uint8_t bytes[48 + 8 * BLOCKS];
    uint8_t which = command[0] % DATAGRAMS;
    uint8_t family = which % 2 == 0 ? 4 : 6;
    uint8_t start = command[1] % BLOCKS;
    uint8_t end = (uint8_t)(start + 1 + command[2] % (BLOCKS - start));
    bool more = (command[3] & 1) != 0;
    uint32_t header = family == 4 ? 20 : 48;
    struct slt_span whole;
    struct model *m = &models[which];
    if ((start == 0 && !more) || m->count >= PIECES - 1) {
        return;
    }
    memset(bytes, 0, sizeof(bytes));
    bytes[0] = family == 4 ? 0x45 : 0x60;
    bytes[6] = family == 4 ? 0 : SLT_IPV6_FRAGMENT;
    for (uint32_t i = 0; i < 8U * (uint32_t)(end - start); i++) {
        bytes[header + i] = (uint8_t)((8U * start + i) * 7 + 3);
    }
    struct slt_ip_packet p = {.family = family,
                              .protocol = SLT_IP_PROTOCOL_UDP,
                              .header_bytes = header,
                              .fragment = true,
                              .more = more,
                              .offset = 8U * start,
                              .id = which,
                              .next_header_at = 6};
    p.payload = (struct slt_span){bytes + header, 8U * (uint32_t)(end - start)};
    p.packet = (struct slt_span){bytes, header + p.payload.bytes};
    enum slt_reason expected = predict(m, start, end, more);
    enum slt_reason reason = slt_frag_input(frag, &p, now_ns, &whole);
    SLT_ASSERT(reason == expected);
    if (reason == SLT_NOTE_FRAG_DONE) {
        check_whole(frag, whole, m->total, family);
        slt_frag_release(frag);
        memset(m, 0, sizeof(*m));
    }
    SLT_ASSERT(slt_frag_check(frag));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slt_mem mem;
    struct slt_frag frag;
    struct model models[DATAGRAMS];
    struct slt_frag_expired gone;
    const struct slt_frag_setup setup = {.datagrams_max = DATAGRAMS,
                                         .bytes_max = 1 << 20,
                                         .timeout4_ns = 30 * SLT_NS_PER_S,
                                         .timeout6_ns = 60 * SLT_NS_PER_S};
    memset(models, 0, sizeof(models));
    slt_mem_init_growing(&mem, take, give, NULL);
    SLT_ASSERT(slt_frag_init(&frag, &mem, &setup));
    for (size_t at = 0; at + 4 <= size && at < 4096; at += 4) {
        run_command(&frag, models, data + at, (int64_t)at);
    }
    uint32_t live = 0;
    for (uint32_t i = 0; i < DATAGRAMS; i++) {
        live += models[i].live;
    }
    while (slt_frag_expire(&frag, 100 * SLT_NS_PER_S, &gone)) {
        if (gone.first.bytes > 0) {
            slt_frag_release(&frag);
        }
        live--;
    }
    SLT_ASSERT(live == 0);
    slt_frag_deinit(&frag);
    for (uint32_t i = 0; i < SLT_OWNER_COUNT; i++) {
        SLT_ASSERT(mem.ledger.bytes[i] == 0);
        SLT_ASSERT(mem.ledger.objects[i] == 0);
    }
    return 0;
}
