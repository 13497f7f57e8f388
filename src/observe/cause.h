/* What made a connection of the kernel change its state: told from the names of the functions that
 * were under way when it did.
 *
 * The kernel's tracepoint says from which state to which; its call chain says who asked: a system
 * call of the program, the exit of its process, a segment, a timer, an administrator. Compilers
 * inline functions and turn last calls into jumps, so no single name may be counted on. Names
 * become a set of what they stand for (several names, one meaning), and the causes are a table of
 * rows over such sets: the first that fits wins, and where none does the cause is unknown.
 *
 * Only the part of a chain that belongs to the connection counts: what is beyond the arrival of
 * a segment or the expiry of a timer is whoever happened to be interrupted.
 */
#ifndef SLT_OBSERVE_CAUSE_H
#define SLT_OBSERVE_CAUSE_H

#include "salut/salut.h"

enum slt_cause {
    SLT_BY_NONE,
    SLT_BY_UNKNOWN,
    SLT_BY_LISTEN,
    SLT_BY_CONNECT,
    SLT_BY_CONNECT_FAILED, /* the host itself refused: no route, no port */
    SLT_BY_SYN_ANSWERED,
    SLT_BY_PASSIVE_OPEN,
    SLT_BY_SIMULTANEOUS_OPEN,
    SLT_BY_CLOSE,
    SLT_BY_SHUTDOWN,
    SLT_BY_KILLED,
    SLT_BY_EXITED,
    SLT_BY_UNREAD,
    SLT_BY_UNREAD_KILLED,
    SLT_BY_UNREAD_EXITED,
    SLT_BY_LINGER_ZERO,
    SLT_BY_DISCONNECTED, /* connect() to AF_UNSPEC */
    SLT_BY_LISTENER_CLOSED,
    SLT_BY_FIN_RECEIVED,
    SLT_BY_FIN_ACKED,
    SLT_BY_LAST_ACKED,
    SLT_BY_TIME_WAIT,        /* not closed: what is left of it waits out 2 MSL */
    SLT_BY_ORPHANED,         /* not closed: what is left of it waits for the peer's FIN */
    SLT_BY_TIME_WAIT_OVER,   /* by the clock: no tracepoint tells */
    SLT_BY_ORPHAN_TIMED_OUT, /* likewise */
    SLT_BY_DATA_AFTER_CLOSE,
    SLT_BY_RST_RECEIVED,
    SLT_BY_REFUSED,
    SLT_BY_RETRANSMIT_TIMEOUT,
    SLT_BY_CONNECT_TIMEOUT,
    SLT_BY_PROBE_TIMEOUT,
    SLT_BY_KEEPALIVE_TIMEOUT,
    SLT_BY_ICMP_ERROR,
    SLT_BY_ADMINISTRATOR,
    SLT_BY_NO_MEMORY,
    SLT_BY_ADDRESS_IN_USE, /* nothing changed: bind() or listen() failed */
    SLT_BY_COUNT
};

/* What names stand for; a set of them is a uint32_t with bit 1 << frame. */
enum slt_frame {
    SLT_FRAME_CLOSE,
    SLT_FRAME_SHUTDOWN,
    SLT_FRAME_EXIT,
    SLT_FRAME_SIGNAL,
    SLT_FRAME_DISCONNECT,
    SLT_FRAME_CONNECT,
    SLT_FRAME_RESET_IN,
    SLT_FRAME_DONE,
    SLT_FRAME_RETRANSMIT,
    SLT_FRAME_WRITE_TIMER,
    SLT_FRAME_KEEPALIVE,
    SLT_FRAME_ABORT,
    SLT_FRAME_SEGMENT,
    SLT_FRAME_FIN,
    SLT_FRAME_TIME_WAIT,
    SLT_FRAME_LISTEN_STOP,
    SLT_FRAME_ICMP,
    SLT_FRAME_NO_MEMORY,
    SLT_FRAME_BEYOND, /* what lies further out does not belong to the connection */
    SLT_FRAME_COUNT
};

/* What a kernel function's name stands for; -1: nothing that matters. What compilers append
 * (".isra.0", ".cold") and architectures put in front ("__x64_") is looked through. */
int slt_frame_of(const char *name, size_t bytes);

/* The set of a chain, innermost name first, up to where it leaves the connection. */
uint32_t slt_frames_of(const char *const *names, size_t count);

struct slt_cause_facts {
    uint8_t from; /* enum salut_state, as the tracepoint says */
    uint8_t to;
    bool reset_received; /* a RST came for this socket just before */
    bool reset_sent;     /* one was sent at once after */
    uint32_t frames;
};

struct slt_cause_verdict {
    enum slt_cause cause;
    uint8_t to; /* enum salut_state: where the connection really is now (TIME-WAIT, FIN-WAIT-2) */
    bool certain;
};

struct slt_cause_verdict slt_cause_judge(const struct slt_cause_facts *facts);

struct slt_seen;

/* What ended a connection whose last change was missed while it stood in a state: it was a timer or
 * a segment, for no program's call is missed, and the final numbers say which. Never certain. */
struct slt_cause_verdict slt_cause_guess(uint8_t stands, const struct slt_seen *final);

/* Was it the program that did it, in its own process? */
bool slt_cause_is_programs(enum slt_cause cause);

/* "fin-received", for machines; and "the peer sent FIN", for people. */
const char *slt_cause_token(enum slt_cause cause);
const char *slt_cause_text(enum slt_cause cause);

/* Back from a token of `bytes` letters; SLT_BY_COUNT: there is none of that name. */
enum slt_cause slt_cause_parse(const char *token, size_t bytes);

#endif
