/* SOCK-23 to SOCK-26 where ICMP brings the error (sockets.h): the peer forges it about a segment
 * that it saw, during the handshake and afterwards. */
#include "sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

struct message {
    int type;
    int code;
    const char *name;
};

static const struct message messages_v4[] = {
    {3, 0, "network unreachable"}, {3, 1, "host unreachable"},    {3, 2, "protocol unreachable"},
    {3, 3, "port unreachable"},    {3, 5, "source route failed"}, {3, 9, "network prohibited"},
    {3, 10, "host prohibited"},    {3, 13, "filtered"},           {12, 0, "parameter problem"},
    {11, 0, "time exceeded"}};
static const struct message messages_v6[] = {{1, 0, "no route"},         {1, 1, "prohibited"},
                                             {1, 3, "host unreachable"}, {1, 4, "port unreachable"},
                                             {1, 5, "source policy"},    {4, 0, "bad header"},
                                             {4, 1, "next header"},      {3, 0, "time exceeded"}};

/* An error about the SYN. */
static void about_syn(struct world *w, const struct message *m)
{
    (void)ask(w, "watch");
    int fd = new_socket(w, SOCK_NONBLOCK);
    (void)start_connect(fd, w->lost, 9);
    const char *sent = ask(w, "icmp %d %d", m->type, m->code);
    if (sent[0] != '0') {
        say(w, "%s could not be sent: %s", m->name, sent);
    }
    short bits = bits_when(fd, 0, 500);
    say(w, "%s: %s, SO_ERROR %s", m->name, bits_text(bits), error_name(take_error(fd)));
    (void)close(fd);
}

static void row_26(struct world *w)
{
    bool v4 = w->family == AF_INET;
    const struct message *all = v4 ? messages_v4 : messages_v6;
    size_t count = v4 ? sizeof(messages_v4) / sizeof(messages_v4[0])
                      : sizeof(messages_v6) / sizeof(messages_v6[0]);
    for (size_t i = 0; i < count; i++) {
        about_syn(w, &all[i]);
    }
}

/* An error about data changes nothing but what a time-out is called. */
static void about_data(struct world *w, struct pair *p)
{
    bool v4 = w->family == AF_INET;
    (void)ask(w, "watch");
    (void)set_int(p->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 900);
    (void)ask(w, "mute 1");
    (void)send_all(p->fd, 10);
    (void)ask(w, v4 ? "icmp 3 1" : "icmp 1 3");
    pause_ms(50);
    say(w, "host unreachable, at once: %s", bits_text(bits_now(p->fd)));
    say(w, "later: %s", bits_text(bits_when(p->fd, 0, 10000)));
    (void)ask(w, "mute 0");
    say(w, "SO_ERROR %s", error_name(take_error(p->fd)));
}

static void row_24(struct world *w)
{
    on_both(w, about_data);
}

const struct row icmp_rows[] = {{24, row_24}, {26, row_26}, {0, NULL}};
