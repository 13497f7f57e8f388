/* The supervisor's heart, private to it: the program's sockets and what is done for each call.
 *
 * A socket of the program is three things: a UNIX socket S in the program's table (its identity is
 * the inode), a descriptor of a salut_socks table over the stack (it knows TCP's rules and errors),
 * and, once it is connected, our end E of the UNIX connection, through which bytes and closings
 * pass. struct slt_run_sock ties them together; its number is that of the salut descriptor, so
 * events of the stack find it without a search.
 *
 * Calls between these files go down this list only:
 *
 *   supervisor                          the public door, events, timers
 *   calls                               which call is for whom; calls that wait
 *   call_open call_connect call_accept call_options call_data call_shut    one call each
 *   loopback                            the kernel's 127.0.0.1 and ::1
 *   renew                               a new S in the place of one used up
 *   swap                                another socket under the program's number
 *   watchers                            sockets that end without a word (liveness)
 *   queue                               from the stack's accept queue to the program's
 *   bridge                              bytes
 *   ending                              close, reset, abort
 *   locate                              which record a descriptor is; a duplicate of a record's
 *   blocks sockets names_linux diag_linux   leaves
 */
#ifndef SLT_RUN_SOCKETS_H
#define SLT_RUN_SOCKETS_H

#include "base/compiler.h"
#include "base/time.h"
#include "run/blocks.h"
#include "run/notify_linux.h"
#include "run/poller.h"
#include "run/supervisor.h"
#include "salut/sock.h"

#include <sys/socket.h>
#include <sys/un.h>

/* What a handler of a call answers beside a result (0 and more, or a negative errno value). */
#define SLT_RUN_ANSWERED INT64_MIN       /* it was answered, or passed on, already */
#define SLT_RUN_LATER    (INT64_MIN + 1) /* not yet: ask again when the socket was poked */

/* How often calls that wait, and sockets that cannot tell, are looked after. */
#define SLT_RUN_TICK_NS (100 * SLT_NS_PER_MS)

/* The room for option values: none that the stack knows is longer. */
#define SLT_RUN_OPTION_MAX 512U

enum slt_run_phase {
    SLT_RUN_FRESH,      /* S is not connected; perhaps bound, in salut's table only */
    SLT_RUN_LISTENING,  /* S is a UNIX listener */
    SLT_RUN_CONNECTING, /* S is connected to E and full of filler */
    SLT_RUN_DEFERRED,   /* complete, but not offered before its first bytes (TCP_DEFER_ACCEPT) */
    SLT_RUN_OPEN,       /* bytes pass */
    SLT_RUN_DEAD,       /* E is closed; S lives on until the program closes it */
    SLT_RUN_KERNEL      /* accepted on the kernel's loopback, and joined with a socket there */
};

/* One socket of the program. */
struct slt_run_sock {
    struct slt_supervisor *sup;
    struct slt_polled end; /* E; fd -1: none */
    uint64_t inode;        /* of S; 0: accepted by the kernel, and not met since */
    uint64_t serial;       /* never used twice */
    int fd;                /* in the salut_socks table; the record's number */
    uint8_t phase;         /* enum slt_run_phase */
    uint8_t family;        /* 4 or 6 */
    bool poked;            /* calls that wait for it are to be asked again */
    bool shut_write;       /* the program shut its writing side: the end of E is no close */
    bool shut_read;        /* ... its reading side: what arrives is dropped */
    bool fin_sent;         /* the end of the program's bytes was told to the stack */
    bool fin_given;        /* the end of the peer's bytes was told to the program */
    bool end_stuck;        /* E takes no more bytes: EPOLLOUT is awaited */
    bool reset_waits;      /* a reset cannot be shown before S is found */
    bool failed_open;      /* DEAD because the attempt to connect failed */
    bool end_near;         /* E has told of its end: read until it is there */
    bool told_reset;       /* S was given ECONNRESET */
    bool urgent;           /* an urgent mark may lie ahead */
    bool bulk;             /* much comes from the program: its bytes are lent, not copied */
    bool seen_alive;       /* watchers.c: the last look found S */
    uint8_t reset_tries;
    uint32_t interest;      /* of enum salut_ready */
    struct salut_loan held; /* read from E, and not yet taken by the stack; 0 bytes: nothing */
    uint32_t bulk_bytes;    /* lent so far, until S is widened for it */
    uint32_t filler_bytes;  /* in E, to be dropped before anything else is read */
    int backlog;            /* LISTENING: as the program said */
    int defer_s;            /* LISTENING: TCP_DEFER_ACCEPT */
    int64_t offer_at_ns;    /* DEFERRED: with or without bytes */
    int listener;           /* ... to be accepted from this one */
    uint64_t listener_serial;
    int queued; /* ... connections in the program's queue, by the last count */
    salut_conn conn;
    pid_t seen_tid; /* who used it last, and under which number */
    int seen_fd;
    struct slt_run_sock *next_of_inode;
    struct slt_run_sock *next_poked;
    struct slt_run_sock *next_watched;
    struct slt_run_sock **watched_at; /* what points to it in the list; NULL: it is not there */
    struct slt_run_wait *waits;       /* calls that wait for it */
    struct slt_run_door *doors;       /* LISTENING on the wildcard: on the kernel's loopback, too */
    struct slt_run_joint *joint;      /* KERNEL: what E is joined with */
    struct slt_run_name *name;        /* LISTENING: where the UNIX listener is bound */
    struct {
        bool valid;
        enum slt_call_kind kind;
        pid_t tid;
        int64_t result;
    } unheard; /* an answer that a signal swallowed: the same call will come again */
};

/* A call that waits for its answer. */
struct slt_run_wait {
    struct slt_call call;
    struct slt_run_sock *sock;
    struct slt_polled dup; /* a duplicate of S; fd -1: none */
    uint32_t dup_events;   /* what to watch the duplicate for; 0: nothing */
    int64_t due_at_ns;     /* answer with `late` then; SLT_NEVER: no limit */
    int64_t late;          /* -EAGAIN, -EINPROGRESS */
    uint64_t done;         /* bytes moved so far */
    bool begun;
    struct slt_run_wait *next;        /* of the same socket */
    struct slt_run_wait *next_of_all; /* of the supervisor */
};

/* A name in the UNIX namespace that nobody else can connect to, or guess. */
struct slt_run_name {
    struct sockaddr_un un;
    socklen_t bytes;
    bool is_file;
};

struct slt_supervisor {
    struct salut_runner *runner;
    struct salut_stack *stack;
    struct salut_socks *socks;
    struct slt_link *detour; /* around the caller's link: what we send to ourselves comes back */
    struct slt_poller poller;
    struct slt_run_blocks blocks;
    int notify_fd;
    pid_t root;
    pid_t self;
    uint32_t mss; /* the user's bound on segments; 0: none */
    bool loopback_off;
    void (*note)(void *ctx, const char *line);
    void *note_ctx;
    uint32_t socks_max;
    uint32_t sock_count;
    uint64_t serial;
    struct slt_run_sock **sock; /* by number */
    uint32_t sock_slots;
    struct slt_run_sock **by_inode;
    uint32_t inode_mask;
    uint64_t strangers[256]; /* inodes that are none of ours, lately */
    struct slt_run_sock *poked;
    struct slt_run_wait *waits;
    struct slt_run_sock *watched;
    struct salut_runner_timer tick;  /* calls that wait, sockets that are watched */
    struct salut_runner_timer again; /* poked calls */
    struct salut_runner_timer retry; /* UNIX queues that were full */
    int names_dir;                   /* a file system of our own for names, or -1: abstract names */
    uint8_t prefix[17];              /* of the names of ends, NUL first */
    int private_fd;                  /* the listener to which the program's ends are connected */
    struct slt_run_name private_name;
    int diag_fd;
    bool noted_blind; /* the user knows that resets cannot be shown */
    bool any_full;    /* a listener's queue in the program was full when last counted */
    uint8_t scratch[65536];
};

/* ---- sockets.c: the table ---- */

struct slt_run_sock *slt_run_sock_new(struct slt_supervisor *sup, int fd, uint8_t family);
void slt_run_sock_free(struct slt_run_sock *sock);
void slt_run_drop_held(struct slt_run_sock *sock);
void slt_run_forget_name(struct slt_run_sock *sock);
void slt_run_close_doors(struct slt_run_sock *sock);
struct slt_run_sock *slt_run_sock_at(const struct slt_supervisor *sup, uint64_t number);
struct slt_run_sock *slt_run_sock_of_inode(const struct slt_supervisor *sup, uint64_t inode);
void slt_run_sock_set_inode(struct slt_run_sock *sock, uint64_t inode);

/* Its end cannot say when it is closed: look after it now and then. */
void slt_run_watch(struct slt_run_sock *sock);
void slt_run_unwatch(struct slt_run_sock *sock);

/* Turn what happens every now and then on; it goes off by itself. */
void slt_run_tick_soon(struct slt_supervisor *sup, int64_t at_ns);

/* Calls that wait for the socket are to be asked again. */
void slt_run_poke(struct slt_run_sock *sock);
void slt_run_note(struct slt_supervisor *sup, const char *line);
uint64_t slt_run_inode_of(int fd);

/* ---- names_linux.c ---- */

/* A UNIX stream socket, not blocking. */
int slt_run_unix_socket(int flags);

/* Bind to a name of our own, fresh and secret. Returns 0 or a negative errno value. */
int slt_run_name_bind(struct slt_supervisor *sup, int fd, struct slt_run_name *name);
void slt_run_name_drop(struct slt_run_name *name);

/* Open and close what names and private connections take. */
bool slt_run_names_open(struct slt_supervisor *sup);
void slt_run_names_close(struct slt_supervisor *sup);

/* Name an end after its record, and read that name at the other end. */
int slt_run_end_sign(struct slt_supervisor *sup, int end_fd, const struct slt_run_sock *sock);
bool slt_run_end_read(const struct slt_supervisor *sup, int their_fd, uint64_t *number,
                      uint64_t *serial);

/* Connect a descriptor of the program to a new end of ours. Returns the end or a negative errno
 * value. */
int slt_run_pair_up(struct slt_supervisor *sup, int their_fd);

/* ---- diag_linux.c: what the kernel knows of UNIX sockets (sock_diag(7)) ---- */

struct slt_run_seen {
    uint64_t inode;
    uint8_t state;   /* TCP_LISTEN, TCP_CLOSE, TCP_ESTABLISHED */
    uint32_t queued; /* TCP_LISTEN: connections that wait */
    uint64_t peer;   /* inode of the other end; 0: there is none, or nobody has accepted it */
};

/* Call `seen` for every UNIX socket in one of `states` (bits 1 << TCP_LISTEN ...). False when the
 * kernel does not tell. */
bool slt_run_diag_walk(struct slt_supervisor *sup, uint32_t states,
                       void (*seen)(void *ctx, const struct slt_run_seen *seen), void *ctx);

/* The same for one. Returns 1, 0 (there is none), or -1 (the kernel does not tell). */
int slt_run_diag_one(struct slt_supervisor *sup, uint64_t inode, struct slt_run_seen *seen);

/* ---- locate.c ---- */

/* The record of a call's descriptor; NULL with a result when it is none of ours: SLT_RUN_ANSWERED
 * (passed on) or an errno value. */
struct slt_run_sock *slt_run_locate(struct slt_supervisor *sup, const struct slt_call *call,
                                    int64_t *result);

/* The record after which the other end of a socket is named; NULL: it is none of ours. */
struct slt_run_sock *slt_run_end_signer(const struct slt_supervisor *sup, int their_fd);

/* A duplicate of S by a call that names it; negative: an errno value (-ESRCH: the call is over). */
int slt_run_take(struct slt_run_sock *sock, const struct slt_call *call);

/* Find out the inode of S if no call has named it yet. False: nobody has S. */
bool slt_run_know_inode(struct slt_run_sock *sock);

/* A duplicate of S from where it was seen last. Negative: it is not known, or not there. */
int slt_run_take_seen(const struct slt_run_sock *sock);

/* A duplicate of S, wherever in the program it is. Negative: it cannot be had now. */
int slt_run_take_any(struct slt_run_sock *sock);

/* Copy memory of the program, checking that the call still waits. 0 or a negative errno value;
 * -ESRCH: the call is over. */
int slt_run_read(struct slt_supervisor *sup, const struct slt_call *call, uint64_t from, void *data,
                 size_t bytes);
int slt_run_write(struct slt_supervisor *sup, const struct slt_call *call, uint64_t to,
                  const void *data, size_t bytes);

/* ---- ending.c ---- */

/* The program let go of S: what it had said is said, then FIN (or RST, as the stack decides). */
void slt_run_closed(struct slt_run_sock *sock);

/* The program let go of S with bytes unread, or a listener went with S in its queue. */
void slt_run_aborted(struct slt_run_sock *sock);

/* The connection is over: show it in S as a reset. The stack's descriptor keeps the error. */
void slt_run_show_reset(struct slt_run_sock *sock);

/* Close E, whatever it holds. */
void slt_run_drop_end(struct slt_run_sock *sock);

/* ---- bridge.c ---- */

/* Begin to move bytes between E and the connection. */
void slt_run_bridge_open(struct slt_run_sock *sock);

enum slt_run_pumped {
    SLT_RUN_PUMPED_DRY,   /* nothing is left in E */
    SLT_RUN_PUMPED_STUCK, /* the stack takes no more */
    SLT_RUN_PUMPED_OVER,  /* the end was reached; the record may be gone */
};

/* Move what can be moved from the program to the stack. */
enum slt_run_pumped slt_run_pump_out(struct slt_run_sock *sock);
/* Poke the calls that wait once the stack has room for more. */
void slt_run_want_room(struct slt_run_sock *sock);

void slt_run_bridge_event(struct slt_run_sock *sock, uint32_t ready);

/* Watch E, whatever the phase. */
bool slt_run_end_watch(struct slt_run_sock *sock);

/* ---- queue.c ---- */

/* Hand connections of the stack's accept queue on to the program's. */
void slt_run_queue_serve(struct slt_run_sock *listener);
void slt_run_queue_retry(void *ctx, int64_t now_ns);

/* Something arrived: is what is full still full? */
void slt_run_queue_input(struct slt_supervisor *sup);

/* A deferred connection has bytes, has ended, or its time is up: offer it. */
void slt_run_queue_deferred(struct slt_run_sock *sock);

/* The backlog was set; one was accepted. */
void slt_run_queue_begin(struct slt_run_sock *listener);
void slt_run_queue_left(struct slt_run_sock *listener);

/* Connect a new end to the program's listener. Returns it, or a negative errno value. */
int slt_run_queue_offer(const struct slt_run_sock *listener);

/* ---- watchers.c ---- */

/* Close what the program has closed without a word. */
void slt_run_watch_sweep(struct slt_supervisor *sup);

/* ---- loopback.c ---- */

struct slt_run_joint;

/* A listener on the kernel's loopback beside one on the wildcard. */
struct slt_run_door {
    struct slt_polled polled;
    struct slt_run_sock *listener;
    struct slt_run_door *next;
    int held; /* accepted there, and not offered yet: the program's queue is full; -1: none */
    struct salut_runner_timer retry; /* when it is offered again */
};

bool slt_run_is_loopback(const struct sockaddr_storage *addr);

/* Give the socket up for one of the kernel's, and let the kernel carry out the call. Answers as a
 * handler; the record is gone unless it is an errno value. */
int64_t slt_run_go_to_kernel(struct slt_run_sock *sock, const struct slt_call *call);

void slt_run_open_doors(struct slt_run_sock *sock);

/* Phase KERNEL, accepted through a door: options and names are those of the kernel's socket. */
int slt_run_joint_set(struct slt_run_sock *sock, const struct salut_sock_opt *opt);
int slt_run_joint_get(struct slt_run_sock *sock, struct salut_sock_opt *opt);
int slt_run_joint_name(const struct slt_run_sock *sock, bool peer, struct sockaddr_storage *addr,
                       uint32_t *bytes);
void slt_run_joint_cut(struct slt_run_sock *sock);

/* ---- swap.c ---- */

/* Put `fd` in the place of S, in the program's table and in its epoll sets. `flags` are those of
 * its descriptor (slt_run_descriptor_flags: of the file, and O_CLOEXEC). Returns 0 or a negative
 * errno value. */
int slt_run_swap(struct slt_run_sock *sock, const struct slt_call *call, int fd, int flags);
int slt_run_descriptor_flags(const struct slt_call *call);

/* ---- renew.c ---- */

/* A new S for the program: not connected, not blocking as `flags` say. Its send buffer is as small
 * as can be, so that little filler fills it. */
int slt_run_fresh(int flags);

/* Put a fresh S in the place of one that is used up. Returns 0 or a negative errno value. */
int slt_run_renew(struct slt_run_sock *sock, const struct slt_call *call);

/* Options that work in the kernel's socket as well: tell them to `fd`. */
void slt_run_mirror_options(const struct slt_run_sock *sock, int fd);

/* ---- calls ---- */

typedef int64_t (*slt_run_handler)(struct slt_run_sock *sock, struct slt_run_wait *wait);

int64_t slt_run_call_socket(struct slt_supervisor *sup, const struct slt_call *call);
int64_t slt_run_call_bind(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_listen(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_connect(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_accept(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_getsockname(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_getpeername(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_getsockopt(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_setsockopt(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_ioctl(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_shutdown(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_sendto(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_sendmsg(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_recvfrom(struct slt_run_sock *sock, struct slt_run_wait *wait);
int64_t slt_run_call_recvmsg(struct slt_run_sock *sock, struct slt_run_wait *wait);

/* SO_RCVTIMEO or SO_SNDTIMEO as an instant; SLT_NEVER: none. */
int64_t slt_run_timeout(const struct slt_run_sock *sock, int name);

/* A receiving call asked its S, of which `their` is a descriptor: it is answered with `result`, or
 * waits for `events` if that is -EAGAIN and there are any. Takes `their`. */
int64_t slt_run_answer_or_wait(struct slt_run_wait *wait, int their, int64_t result,
                               uint32_t events);

/* Write a socket address to where a call wants it. Returns 0, -EFAULT, -EINVAL. */
int slt_run_write_address(struct slt_run_sock *sock, const struct slt_call *call, bool peer);

/* An attempt was begun in the stack with this result (-EINPROGRESS, or 0): connect S. Answers as a
 * handler. And its outcome, for a call that waited. */
int64_t slt_run_connect_begin(struct slt_run_sock *sock, struct slt_run_wait *wait, int result);
int64_t slt_run_connect_again(struct slt_run_sock *sock, struct slt_run_wait *wait);

/* A connection that was being opened has something to say. */
void slt_run_connect_event(struct slt_run_sock *sock, uint32_t ready);

/* calls.c: take and serve calls; ask again those that were poked; those that are late or gone. */
void slt_run_calls_ready(void *ctx, int fd, uint32_t events);
void slt_run_calls_retry(struct slt_supervisor *sup);
void slt_run_calls_tick(struct slt_supervisor *sup, int64_t now_ns);
void slt_run_calls_drop(struct slt_supervisor *sup);

#endif
