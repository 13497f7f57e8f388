/* Failing, tracing, and the simulator's two ways of drawing numbers. */
#include "lab/sim_world.h"

#include <stdarg.h>

#include "wire/tcp.h"

bool slt_sim_fail(struct sim_world *w, unsigned id, const char *format, ...)
{
    struct slt_sim_result *r = w->result;
    if (r->failed) {
        return false;
    }
    r->failed = true;
    r->turn = w->turn;
    r->at_ns = w->now_ns;
    int at = snprintf(r->sentence, sizeof(r->sentence), "I-%02u: ", id);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->sentence + at, sizeof(r->sentence) - (size_t)at, format, arguments);
    va_end(arguments);
    return false;
}

static void print_time(const struct sim_world *w)
{
    fprintf(w->trace, "%6llu %12.6f ", (unsigned long long)w->turn, (double)w->now_ns / 1e9);
}

void slt_sim_note(struct sim_world *w, const char *format, ...)
{
    if (!slt_sim_tracing(w)) {
        return;
    }
    va_list arguments;
    print_time(w);
    va_start(arguments, format);
    vfprintf(w->trace, format, arguments);
    va_end(arguments);
    fputc('\n', w->trace);
}

void slt_sim_trace_packet(struct sim_world *w, const char *what, const struct sim_packet *p)
{
    static const char *const kinds[] = {"bad", "arp", "nd", "icmp", "fragment", "tcp", "other"};
    static const char *const origins[] = {"", " (tampered)", " (forged)"};
    if (!slt_sim_tracing(w)) {
        return;
    }
    struct sim_decoded d;
    slt_sim_decode(w, p->data, p->bytes, &d);
    print_time(w);
    fprintf(w->trace, "%s %c>%c%s ", what, p->from == SIM_NOBODY ? '*' : 'A' + p->from,
            p->to == SIM_NOBODY ? '*' : 'A' + p->to, origins[p->origin]);
    if (d.kind == SIM_TCP && d.bad == NULL) {
        char flags[12];
        slt_tcp_flags_print(d.flags, flags);
        fprintf(w->trace, "%u>%u [%s] seq %u ack %u win %u len %u%s", d.src_port, d.dst_port, flags,
                d.seq, d.ack, d.window, d.payload_bytes, d.sack_count ? " sack" : "");
        if (d.has_ts) {
            fprintf(w->trace, " ts %u/%u", d.ts_val, d.ts_ecr);
        }
        for (unsigned i = 0; i < d.sack_count; i++) {
            fprintf(w->trace, " %u-%u", d.sack[i][0], d.sack[i][1]);
        }
        fputc('\n', w->trace);
        return;
    }
    fprintf(w->trace, "%s, %u bytes%s%s\n", kinds[d.kind], p->bytes, d.bad ? ": " : "",
            d.bad ? d.bad : "");
}

static void print_event(const struct slt_event *e, FILE *out)
{
    static const char *const kinds[] = {"-", "state", "sent", "taken", "dropped", "note"};
    fprintf(out, "  %12.6f %-7s %u/%u ", (double)e->at_ns / 1e9, kinds[e->kind], e->local_port,
            e->remote_port);
    if (e->kind == SLT_EVENT_STATE) {
        fprintf(out, "%s -> %s, %s\n", salut_state_name((enum salut_state)e->from),
                salut_state_name((enum salut_state)e->to), slt_reason_token(e->reason));
        return;
    }
    char flags[12];
    slt_tcp_flags_print(e->flags, flags);
    fprintf(out, "%s [%s] pos %lld ack %lld bytes %u window %u\n", slt_reason_token(e->reason),
            flags, (long long)e->seq_pos, (long long)e->ack_pos, e->bytes, e->window);
}

void slt_sim_trace_events(struct sim_world *w, const struct sim_host *h, unsigned last, FILE *out)
{
    (void)w;
    if (!h->stack) {
        fprintf(out, "host %c is down\n", 'A' + h->number);
        return;
    }
    uint64_t written = h->stack->telemetry->written;
    uint64_t from = written > last ? written - last + 1 : 1;
    fprintf(out, "host %c, last events:\n", 'A' + h->number);
    for (uint64_t i = from; i <= written; i++) {
        struct slt_event e;
        if (slt_event_read(h->stack->telemetry, i, &e) == 0) {
            print_event(&e, out);
        }
    }
}

int64_t slt_sim_log_between(struct sim_world *w, int64_t low, int64_t high)
{
    SLT_ASSERT(low > 0 && low <= high);
    unsigned doublings = 0;
    while (doublings < 62 && (low << (doublings + 1)) <= high) {
        doublings++;
    }
    int64_t base = low << slt_sim_below(w, doublings + 1U);
    int64_t top = base > high / 2 ? high : base * 2;
    return base + (int64_t)slt_sim_below(w, (uint64_t)(top - base) + 1U);
}

static const char *const fault_names[] = {
#define SLT_SIM_FAULT(name, token) token,
#include "lab/sim_faults.def"
#undef SLT_SIM_FAULT
};

const char *slt_sim_fault_name(enum slt_sim_fault fault)
{
    return fault_names[fault];
}
