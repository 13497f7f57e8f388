/* A link decorator at which the openings of connections wait for a decision.
 *
 * A transparent listener would complete the handshake for every address there is, and the program
 * would learn of a refused or unreachable peer as a connection that is reset: a browser that tries
 * IPv6 first would never come to IPv4. So the first SYN of a connection is shown to the owner of
 * the gate, who may keep it while he finds out, hand it to the stack later (slt_syn_gate_admit), or
 * answer it with a reset or an ICMP error (slt_syn_gate_refuse). Everything else passes.
 */
#ifndef SLT_RUN_SYN_GATE_H
#define SLT_RUN_SYN_GATE_H

#include "link/link.h"

/* Who opens to whom; addresses as everywhere (v4-mapped). */
struct slt_syn_ends {
    salut_addr local; /* the destination: the stack's side */
    salut_addr remote;
    uint16_t local_port;
    uint16_t remote_port;
};

/* A kept opening: the frame, owned by whoever has it. */
struct slt_syn {
    struct slt_syn_ends ends;
    struct slt_syn *next;
    struct salut_rx_frame frame; /* its data follows the struct */
};

enum slt_syn_verdict { SLT_SYN_PASS, SLT_SYN_DROP, SLT_SYN_KEEP };

struct slt_syn_gate_params {
    uint8_t mac[6]; /* only frames to this address are looked at */
    salut_addr v4;  /* who ICMP errors come from */
    salut_addr v6;
    enum slt_syn_verdict (*on_syn)(void *ctx, const struct slt_syn_ends *ends);
    /* After a verdict of KEEP; the opening is the owner's until he admits, refuses or frees it. */
    void (*on_kept)(void *ctx, struct slt_syn *syn);
    void *ctx;
};

/* Wrap `inner`, which belongs to the decorator from now on, also when this fails: then it is
 * closed. Returns SALUT_OK, SALUT_NO_MEMORY. */
enum salut_status slt_syn_gate_open(struct slt_link *inner,
                                    const struct slt_syn_gate_params *params,
                                    struct slt_link **link);

/* The stack gets it in the next turn. Takes the opening. */
void slt_syn_gate_admit(struct slt_link *link, struct slt_syn *syn);

/* What its sender gets. */
enum slt_syn_answer {
    SLT_SYN_RESET,           /* RFC 9293 3.10.7.1: sequence 0, acknowledging the SYN */
    SLT_SYN_NET_UNREACHABLE, /* RFC 792, RFC 4443 3.1: there is no route */
    SLT_SYN_HOST_UNREACHABLE
};

/* Answer it. Takes the opening. */
void slt_syn_gate_refuse(struct slt_link *link, struct slt_syn *syn, enum slt_syn_answer answer,
                         int64_t now_ns);

/* Forget it without a word. NULL is allowed. */
void slt_syn_free(struct slt_syn *syn);

#endif
