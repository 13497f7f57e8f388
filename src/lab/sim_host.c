/* A host: a stack, its memory, its clock, its turns.
 *
 * The order of a turn is the runner's: what arrived, timers, the application (sim_app), output.
 * After it every invariant of the stack itself is checked.
 */
#include "lab/sim_world.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "link/segment.h"

/* What one door may use of the stack: 4 KB (I-53), and room for what a debug or sanitized build
 * adds to each frame. */
#if defined(__SANITIZE_ADDRESS__) || defined(SLT_DEBUG) || !defined(__OPTIMIZE__)
#define STACK_DEPTH_MAX 16384U
#else
#define STACK_DEPTH_MAX 6144U
#endif

/* ---- memory
 * -------------------------------------------------------------------------------------- */

static void *take_memory(void *ctx, size_t bytes)
{
    struct sim_host *h = ctx;
    uint64_t call = h->alloc_calls++;
    if (call >= h->alloc_fail_from && call < h->alloc_fail_to) {
        return NULL;
    }
    h->allocated += (int64_t)bytes;
    return malloc(bytes);
}

static void give_memory(void *ctx, void *ptr, size_t bytes)
{
    struct sim_host *h = ctx;
    h->allocated -= (int64_t)bytes;
    free(ptr);
}

/* ---- life
 * ---------------------------------------------------------------------------------------- */

static void tick_isn(struct sim_world *w, struct sim_host *h)
{
    if (w->is.wrap) {
        h->stack->tcp.isn_fixed = true;
        h->stack->tcp.isn_next = h->isn_base + (uint32_t)(slt_sim_local(w, h) / 65536);
    }
}

static bool set_up(struct sim_world *w, struct sim_host *h)
{
    salut_addr any = {{0}, 0};
    salut_addr gateway;
    for (int family = 0; family < 2; family++) {
        bool ip6 = family == 1;
        if (ip6 && h->config.mtu < 1280) {
            continue;
        }
        memset(&any, 0, sizeof(any));
        if (!ip6) {
            any.b[10] = any.b[11] = 0xff;
        }
        slt_sim_station(w, ip6, SIM_ROUTER, &gateway);
        if (h->config.link_kind == SALUT_LINK_IP) {
            memset(&gateway, 0, sizeof(gateway));
        }
        if (salut_add_address(h->stack, &h->addr[family], ip6 ? 64 : 24) != SALUT_OK ||
            salut_add_route(h->stack, &any, 0, &gateway) != SALUT_OK) {
            return false;
        }
    }
    return true;
}

static void forget(struct sim_host *h)
{
    salut_destroy(h->stack);
    h->stack = NULL;
    h->up = false;
    free(h->block);
    free(h->snapshot);
    h->block = NULL;
    h->snapshot = NULL;
}

bool slt_sim_host_boot(struct sim_world *w, struct sim_host *h)
{
    struct salut_config *config = &h->config;
    bool fixed = config->memory_bytes != 0;
    config->start_at_ns = slt_sim_local(w, h);
    for (unsigned i = 0; i < sizeof(config->seed); i++) {
        config->seed[i] = (uint8_t)slt_sim_below(w, 256);
    }
    config->memory = NULL;
    if (fixed) {
        size_t bytes = salut_block_bytes(config);
        h->block = malloc(bytes);
        SLT_ASSERT(bytes > 0 && h->block != NULL);
        config->memory = h->block;
        config->memory_bytes = bytes;
        slt_sim_fault(w, SLT_SIM_FIXED_MEMORY);
    } else {
        config->alloc = take_memory;
        config->free = give_memory;
        config->alloc_ctx = h;
    }
    h->isn_base = 0U - (uint32_t)(slt_sim_local(w, h) / 65536) - (uint32_t)slt_sim_below(w, 60000);
    enum salut_status status = salut_create(config, &h->stack);
    if (status != SALUT_OK) {
        h->stack = NULL;
        free(h->block);
        h->block = NULL;
        return (status == SALUT_NO_MEMORY && h->allocated == 0) ||
               slt_sim_fail(w, 52, "creation failed with %s and %lld bytes out",
                            salut_status_text(status), (long long)h->allocated);
    }
    if (!set_up(w, h)) { /* an allocation failed in the middle of it: not yet */
        forget(h);
        return true;
    }
    if (fixed) {
        h->snapshot = malloc(salut_snapshot_bytes(h->stack));
        SLT_ASSERT(h->snapshot != NULL);
    }
    h->up = true;
    h->boots++;
    h->events_seen = 0;
    h->frames_in = h->frames_out = h->tcp_out = 0;
    h->heard_count = 0;
    h->heard_answered = 0;
    h->boot_ledger = h->stack->mem.ledger;
    h->work_before = h->stack->tcp.work;
    tick_isn(w, h);
    return true;
}

/* The end of an instance: a crash, or the end of the run. */
void slt_sim_host_stop(struct sim_world *w, struct sim_host *h)
{
    if (!h->stack) {
        return;
    }
    slt_sim_count_reasons(w, h);
    slt_sim_lend_stop(w, h);
    forget(h);
    slt_sim_checked(w, 49);
    if (h->allocated != 0) {
        slt_sim_fail(w, 49, "%lld bytes are still out after the stack was destroyed",
                     (long long)h->allocated);
    }
}

/* ---- stack depth (I-53)
 * -------------------------------------------------------------------------- */

struct sim_call {
    struct salut_stack *stack;
    const struct salut_rx_frame *frames;
    size_t count;
    int64_t now_ns;
    ucontext_t back;
    ucontext_t there;
};

static void call_input(unsigned high, unsigned low)
{
    struct sim_call *call = (struct sim_call *)((uintptr_t)high << 16 << 16 | low);
    salut_input(call->stack, call->frames, call->count, call->now_ns);
}

static uint32_t measured_input(struct sim_world *w, struct sim_call *call)
{
    memset(w->canary_stack, 0xa5, SIM_CANARY_BYTES);
    uintptr_t address = (uintptr_t)call;
    getcontext(&call->there);
    call->there.uc_stack.ss_sp = w->canary_stack;
    call->there.uc_stack.ss_size = SIM_CANARY_BYTES;
    call->there.uc_link = &call->back;
    makecontext(&call->there, (void (*)(void))call_input, 2, (unsigned)(address >> 16 >> 16),
                (unsigned)address);
    swapcontext(&call->back, &call->there);
    uint32_t unused = 0;
    while (unused < SIM_CANARY_BYTES && w->canary_stack[unused] == 0xa5) {
        unused++;
    }
    return SIM_CANARY_BYTES - unused;
}

/* ---- receiving
 * ----------------------------------------------------------------------------------- */

/* I-55: the same packet on the same state leads to the same state. */
static void check_restore(struct sim_world *w, struct sim_host *h,
                          const struct salut_rx_frame *frame, int64_t now_ns)
{
    struct slt_telemetry telemetry = *h->stack->telemetry;
    uint64_t seen = h->events_seen;
    salut_save(h->stack, h->snapshot);
    salut_input(h->stack, frame, 1, now_ns);
    uint64_t first = salut_digest(h->stack);
    salut_restore(h->stack, h->snapshot);
    *h->stack->telemetry = telemetry;
    h->events_seen = seen;
    salut_input(h->stack, frame, 1, now_ns);
    uint64_t second = salut_digest(h->stack);
    slt_sim_checked(w, 55);
    slt_sim_fault(w, SLT_SIM_SNAPSHOT);
    if (first != second) {
        slt_sim_fail(w, 55, "the same packet after save and restore led to another state");
    }
}

static void input(struct sim_world *w, struct sim_host *h, const struct salut_rx_frame *frame)
{
    int64_t now_ns = slt_sim_local(w, h);
    if (h->snapshot && slt_sim_chance(w, w->is.snapshot)) {
        check_restore(w, h, frame, now_ns);
    } else if (slt_sim_chance(w, w->is.canary)) {
        struct sim_call call = {.stack = h->stack, .frames = frame, .count = 1, .now_ns = now_ns};
        uint32_t depth = measured_input(w, &call);
        slt_sim_checked(w, 53);
        slt_sim_fault(w, SLT_SIM_CANARY);
        if (depth > STACK_DEPTH_MAX) {
            slt_sim_fail(w, 53, "salut_input used %u bytes of stack", depth);
        }
    } else {
        salut_input(h->stack, frame, 1, now_ns);
    }
}

void slt_sim_host_deliver(struct sim_world *w, struct sim_host *h, struct sim_packet *p)
{
    struct sim_decoded d;
    struct sim_before before = {0};
    struct salut_rx_frame frame = {
        .data = p->data, .bytes = p->bytes, .link_broadcast = p->link_broadcast};
    slt_sim_trace_packet(w, "->", p);
    if (w->net.faults && slt_sim_chance(w, w->is.rx_empty)) {
        h->rx_until_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1) / 10, SIM_MS(100));
        slt_sim_fault(w, SLT_SIM_RX_EMPTY);
    }
    if (!h->up || h->rx_until_ns > w->now_ns) {
        return;
    }
    h->frames_in++;
    w->tally->packets++;
    slt_digest_u64(&w->hash, (uint64_t)w->now_ns);
    slt_digest_bytes(&w->hash, p->data, p->bytes);
    tick_isn(w, h);
    slt_sim_decode(w, p->data, p->bytes, &d);
    slt_sim_learn_heard(w, h, &d);
    h->odd = h->odd || (p->origin == SIM_FORGED && (d.kind != SIM_TCP || d.bad));
    slt_sim_before_input(w, h, p, &d, &before);
    input(w, h, &frame);
    if (!slt_sim_failed(w)) {
        slt_sim_after_input(w, h, p, &before);
    }
}

/* ---- timers
 * -------------------------------------------------------------------------------------- */

bool slt_sim_host_poll(struct sim_world *w, struct sim_host *h)
{
    int64_t now_ns = slt_sim_local(w, h);
    tick_isn(w, h);
    for (unsigned rounds = 0; salut_poll(h->stack, now_ns); rounds++) {
        slt_sim_checked(w, 33);
        if (rounds > 10000) {
            return slt_sim_fail(w, 33, "timers that are due do not come to an end");
        }
    }
    /* I-33: what was due has fired. Output that waits may be due at once. */
    if (salut_next_deadline(h->stack) <= now_ns && !salut_wants_output(h->stack)) {
        return slt_sim_fail(w, 33, "after a poll a deadline lies %lld ns in the past",
                            (long long)(now_ns - salut_next_deadline(h->stack)));
    }
    return true;
}

/* ---- sending
 * ------------------------------------------------------------------------------------- */

static void leave(struct sim_world *w, struct sim_host *h, uint8_t *data, uint32_t bytes,
                  const struct slt_tx_record *record)
{
    struct sim_packet *shown = slt_sim_tracing(w) ? malloc(sizeof(*shown) + bytes) : NULL;
    if (shown) {
        *shown = (struct sim_packet){
            .bytes = bytes, .from = h->number, .to = SIM_NOBODY, .origin = SIM_GENUINE};
        memcpy(shown->data, data, bytes);
        slt_sim_trace_packet(w, "<-", shown);
        free(shown);
    }
    h->frames_out++;
    w->packets_since_idle++;
    slt_digest_bytes(&w->hash, data, bytes);
    if (!slt_sim_check_sent(w, h, data, bytes, record)) {
        return;
    }
    slt_sim_ghost(w, h, data, bytes);
    slt_sim_net_send(w, h->number, data, bytes);
}

static void send_frame(struct sim_world *w, struct sim_host *h, const struct salut_tx_frame *frame,
                       const struct slt_tx_record *record)
{
    if (frame->gso_bytes == 0 && frame->checksum_offset == 0) {
        uint32_t bytes = frame->header_bytes;
        memcpy(w->scratch, frame->header, bytes);
        for (unsigned i = 0; i < frame->piece_count; i++) {
            memcpy(w->scratch + bytes, frame->pieces[i].base, frame->pieces[i].bytes);
            bytes += (uint32_t)frame->pieces[i].bytes;
        }
        leave(w, h, w->scratch, bytes, record);
        return;
    }
    struct slt_segmenter cut;
    struct slt_frame_view view =
        slt_frame_view_of_tx(frame, (enum salut_link_kind)h->config.link_kind);
    slt_sim_fault(w, SLT_SIM_GSO);
    if (!slt_segmenter_init(&cut, &view)) {
        slt_sim_fail(w, 28, "a super-frame that cannot be cut");
        return;
    }
    uint32_t bytes;
    while (!slt_sim_failed(w) && (bytes = slt_segmenter_next_bytes(&cut)) > 0) {
        slt_segmenter_next(&cut, w->scratch);
        leave(w, h, w->scratch, bytes, record);
    }
}

/* One batch: false when there was nothing to send, or the link takes nothing now. */
bool slt_sim_host_output(struct sim_world *w, struct sim_host *h)
{
    if (h->tx_until_ns > w->now_ns) {
        return false;
    }
    tick_isn(w, h);
    size_t max = 1 + (size_t)slt_sim_below(w, SIM_OUT_MAX);
    size_t count = salut_output(h->stack, w->out, max);
    size_t taken = count;
    if (count > 0 && w->net.faults && slt_sim_chance(w, w->is.tx_full)) {
        taken = (size_t)slt_sim_below(w, count);
        h->tx_until_ns = w->now_ns + slt_sim_log_between(w, SIM_MS(1) / 100, SIM_MS(300));
        slt_sim_fault(w, SLT_SIM_TX_FULL);
    }
    for (size_t i = 0; i < taken && !slt_sim_failed(w); i++) {
        const struct slt_tx_record *record = &h->stack->tx.record[i];
        bool tcp = record->kind == SLT_TX_CONN ||
                   (record->kind == SLT_TX_REPLY &&
                    slt_reply_at(h->stack, record->index)->kind == SLT_REPLY_TCP);
        h->tcp_out += tcp ? 1 : 0;
        if (slt_sim_check_leaving(w, h, record)) {
            send_frame(w, h, &w->out[i], record);
        }
    }
    salut_output_taken(h->stack, taken);
    return count > 0 && taken == count && !slt_sim_failed(w);
}

bool slt_sim_host_settle(struct sim_world *w, struct sim_host *h)
{
    if (slt_sim_failed(w)) {
        return false;
    }
    static const uint8_t stated[] = {8, 9, 14, 16, 30, 31, 32, 38};
    const char *broken = salut_check(h->stack);
    for (size_t i = 0; i < sizeof(stated); i++) {
        slt_sim_checked(w, stated[i]);
    }
    if (h->alloc_fail_from <= h->alloc_calls) {
        slt_sim_checked(w, 52);
    }
    if (broken) {
        unsigned id = 0;
        if (sscanf(broken, "I-%u", &id) == 1) {
            const char *rest = strstr(broken, ": ");
            return slt_sim_fail(w, id, "%s", rest ? rest + 2 : broken);
        }
        return slt_sim_fail(w, 0, "%s", broken);
    }
    return slt_sim_check_events(w, h) && slt_sim_check_conns(w, h) && slt_sim_check_resources(w, h);
}
