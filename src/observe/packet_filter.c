/* See packet_filter.h: once with libpcap's headers, and once without.
 */
#include "observe/packet_filter.h"

#include "wire/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef SLT_HAVE_PCAP

#include <dlfcn.h>
#include <pcap/pcap.h>

#define LIBRARY "libpcap.so.0.8", "libpcap.so.1", "libpcap.so"

/* What is used of the library. */
struct library {
    void *handle;
    pcap_t *(*open_dead)(int, int);
    int (*compile)(pcap_t *, struct bpf_program *, const char *, int, bpf_u_int32);
    void (*freecode)(struct bpf_program *);
    char *(*geterr)(pcap_t *);
    void (*close)(pcap_t *);
};

/* A function's address comes as an object's: POSIX says that the copy is one. */
static bool find(void *handle, const char *name, void *function)
{
    void *at = dlsym(handle, name);
    memcpy(function, &at, sizeof(at));
    return at != NULL;
}

static bool load(struct library *l)
{
    static const char *const names[] = {LIBRARY};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && l->handle == NULL; i++) {
        l->handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    }
    return l->handle != NULL && find(l->handle, "pcap_open_dead", (void *)&l->open_dead) &&
           find(l->handle, "pcap_compile", (void *)&l->compile) &&
           find(l->handle, "pcap_freecode", (void *)&l->freecode) &&
           find(l->handle, "pcap_geterr", (void *)&l->geterr) &&
           find(l->handle, "pcap_close", (void *)&l->close);
}

static bool copy(const struct bpf_program *program, struct slt_packet_filter *filter)
{
    filter->items = calloc(program->bf_len, sizeof(*filter->items));
    if (filter->items == NULL || program->bf_len > UINT16_MAX) {
        return false;
    }
    for (unsigned i = 0; i < program->bf_len; i++) {
        const struct bpf_insn *from = &program->bf_insns[i];
        filter->items[i] = (struct slt_packet_instruction){from->code, from->jt, from->jf, from->k};
    }
    filter->count = (uint16_t)program->bf_len;
    return true;
}

enum slt_packet_filter_result slt_packet_filter_compile(const char *text, uint16_t linktype,
                                                        uint32_t snap_bytes,
                                                        struct slt_packet_filter *filter, char *why,
                                                        size_t size)
{
    struct library l = {.handle = NULL};
    struct bpf_program program;
    int kind = linktype == SLT_LINKTYPE_ETHERNET ? DLT_EN10MB : DLT_RAW;
    memset(filter, 0, sizeof(*filter));
    if (!load(&l)) {
        (void)snprintf(why, size, "a filter needs libpcap, which is not installed");
        return SLT_FILTER_IMPOSSIBLE;
    }
    pcap_t *pcap = l.open_dead(kind, (int)snap_bytes);
    if (pcap == NULL) {
        (void)snprintf(why, size, "out of memory");
        return SLT_FILTER_IMPOSSIBLE;
    }
    bool fine = l.compile(pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (fine) {
        fine = copy(&program, filter);
        l.freecode(&program);
        (void)snprintf(why, size, "%s", fine ? "" : "it is too long");
    } else {
        (void)snprintf(why, size, "%s", l.geterr(pcap));
    }
    l.close(pcap); /* the library stays: it may have threads and handlers of its own */
    return fine ? SLT_FILTER_FINE : SLT_FILTER_WRONG;
}

#else

enum slt_packet_filter_result slt_packet_filter_compile(const char *text, uint16_t linktype,
                                                        uint32_t snap_bytes,
                                                        struct slt_packet_filter *filter, char *why,
                                                        size_t size)
{
    (void)text;
    (void)linktype;
    (void)snap_bytes;
    memset(filter, 0, sizeof(*filter));
    (void)snprintf(why, size,
                   "a filter needs libpcap, which was not there when this salut was built: install "
                   "libpcap-dev and build again, or capture without a filter");
    return SLT_FILTER_IMPOSSIBLE;
}

#endif

void slt_packet_filter_free(struct slt_packet_filter *filter)
{
    free(filter->items);
    filter->items = NULL;
    filter->count = 0;
}
