/* The socket matrix: what programs see of TCP sockets, row by row (SOCK-nn), in a form that can be
 * compared between the kernel and `salut run`.
 *
 * A row is a function that uses ordinary system calls against a peer (sockets_peer.c), which runs
 * on a kernel at the other end of the wire and does what it is told, and says what it saw: results,
 * names of errors, poll bits, bytes; never times, never ports. Rows run one by one, each in a
 * process of its own and with a peer of its own, bounded in time.
 */
#ifndef SALUT_TESTS_RUN_SOCKETS_H
#define SALUT_TESTS_RUN_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#define REPLY_BYTES 256

/* Where a row runs. */
struct world {
    int family;
    const char *own;   /* the address of the side under test */
    const char *peer;  /* the peer's */
    const char *lost;  /* behind the peer; what goes there is dropped */
    const char *empty; /* on the wire; nobody has it */
    int row;
    const char *kind; /* "connected: ", "accepted: " or "" */
    int control;      /* to the peer */
    char reply[REPLY_BYTES];
};

/* A connection between the side under test (fd) and the peer (its number there). */
struct pair {
    int fd;
    int far;
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage room;
};

struct row {
    int number;
    void (*run)(struct world *w);
};

/* The rows of each file; ended by a NULL. */
extern const struct row close_rows[];
extern const struct row error_rows[];
extern const struct row icmp_rows[];
extern const struct row connect_rows[];
extern const struct row poll_rows[];
extern const struct row listen_rows[];
extern const struct row bind_rows[];
extern const struct row data_rows[];
extern const struct row option_rows[];

/* ---- saying what was seen ------------------------------------------------------------------ */

void say(const struct world *w, const char *form, ...) __attribute__((format(printf, 2, 3)));
const char *result(ssize_t value); /* a number, or the name of errno when negative */
const char *error_name(int number);
const char *bits_text(short bits);
const char *yes(bool fact);
void die(const char *what) __attribute__((noreturn));

/* ---- the peer ------------------------------------------------------------------------------ */

/* Tell the peer to do something; its answer. */
const char *ask(struct world *w, const char *form, ...) __attribute__((format(printf, 2, 3)));
int ask_number(struct world *w, const char *form, ...) __attribute__((format(printf, 2, 3)));
int serve_peer(const char *path, const char *other_v4, const char *other_v6);
bool send_icmp(int packet, int family, int type, int code); /* about the last that `packet` saw */
int open_packets(void);
void count_packets(int packet, int family, const char *to, int *syns, int *others);
int mute_syn_ack(int packet, int family); /* answer the SYN that `packet` saw; 0 or -1 */

/* ---- sockets ------------------------------------------------------------------------------- */

socklen_t fill_address(union address *a, const char *text, int port);
int port_of(int fd);
int new_socket(const struct world *w, int flags);
int start_connect(int fd, const char *to, int port);
int new_listener(const struct world *w, int backlog, int *port);
void open_pair(struct world *w, struct pair *p, bool accepted);
void on_both(struct world *w, void (*run)(struct world *w, struct pair *p));
int set_int(int fd, int level, int name, int value);
int get_int(int fd, int level, int name); /* -1 and errno */
int take_error(int fd);                   /* SO_ERROR */
void set_linger(int fd, int on, int seconds);
void set_nonblock(int fd, bool on);

/* All poll bits as they are now. */
short bits_now(int fd);
/* Wait until one of `wanted` (POLLERR and POLLHUP always count) is there, then all bits. */
short bits_when(int fd, short wanted, int ms);
int wait_bytes(int fd, int bytes); /* until FIONREAD says so many; what it says */
ssize_t send_all(int fd, size_t bytes);
ssize_t read_all(int fd, size_t bytes);
void pause_ms(int ms);
long now_ms(void);
/* A signal after some time, with a handler that does nothing and restarts nothing. */
void interrupt_after(int ms);

#endif
