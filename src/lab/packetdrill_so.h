/* What the files of libsalut-packetdrill.so share.
 *
 * The library lets a packetdrill binary (--so_filename) drive an instance of salut. The interface
 * is a table of functions that packetdrill_interface_init fills in; it has no header of its own
 * in the field, so it is written down here: 33 pointers, in this order, each function with
 * `userdata` first, each answering -1 with errno set when it fails.
 *
 * Time is virtual. One instance belongs to one script; two threads of packetdrill use it: its
 * main thread, which must never block, and one for the call that the script lets block. One mutex
 * guards everything.
 */
#ifndef SLT_LAB_PACKETDRILL_SO_H
#define SLT_LAB_PACKETDRILL_SO_H

#include "lab/script_host.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *bytes);
    int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes);
    ssize_t (*read)(void *userdata, int fd, void *data, size_t bytes);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *pieces, int count);
    ssize_t (*recv)(void *userdata, int fd, void *data, size_t bytes, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *data, size_t bytes, int flags,
                        struct sockaddr *addr, socklen_t *addr_bytes);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *data, size_t bytes);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *pieces, int count);
    ssize_t (*send)(void *userdata, int fd, const void *data, size_t bytes, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *data, size_t bytes, int flags,
                      const struct sockaddr *addr, socklen_t addr_bytes);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
    int (*fcntl)(void *userdata, int fd, int command, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value,
                      socklen_t bytes);
    int (*poll)(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms);
    int (*netdev_send)(void *userdata, const void *packet, size_t bytes);
    int (*netdev_receive)(void *userdata, void *packet, size_t *bytes, long long *time_usecs);
    int (*usleep)(void *userdata, useconds_t usecs);
    int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epoll_fd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epoll_fd, struct epoll_event *events, int max,
                      int timeout_ms);
    int (*pipe)(void *userdata, int fds[2]);
    int (*splice)(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t bytes,
                  unsigned flags);
};
_Static_assert(sizeof(struct packetdrill_interface) == 33 * sizeof(void *), "33 pointers");

/* The door packetdrill looks up. `flags` is --so_flags as given, or NULL. */
__attribute__((visibility("default"))) void
packetdrill_interface_init(const char *flags, struct packetdrill_interface *ifc);

#define SLT_PD_FDS_MAX 4096

struct slt_pd {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t main_thread;

    struct slt_script_options options;
    struct slt_script_setup setup; /* as the flags say */
    char *words;                   /* the flags' text, which the options borrow */
    const char *settings_file;     /* NULL: none */
    int64_t settings_bytes;        /* the file's, when it was read last; -1: never */
    struct timespec settings_at;

    struct slt_host host;
    bool open;               /* the host is there: it is made at the first use */
    int64_t early_ns;        /* the clock until then */
    int fds[SLT_PD_FDS_MAX]; /* kernel descriptor to the host's; -1: none */

    /* The blocked call of the other thread. */
    bool blocked;
    bool unstamped;     /* it has returned, but not asked for the time yet */
    int64_t give_up_ns; /* when a poll returns empty-handed, SLT_NEVER otherwise */
    uint64_t change;    /* counts what the main thread did */
    uint64_t seen;      /* ... as far as the blocked call has looked at it */
};

/* packetdrill_so_time.c: lock and make sure that the host is there; unlock. */
void slt_pd_enter(struct slt_pd *pd);
void slt_pd_leave(struct slt_pd *pd);

/* packetdrill_so_time.c: for the thread whose call blocks: say that it does, or does not any more;
 * sleep until something has happened. */
bool slt_pd_on_main_thread(const struct slt_pd *pd);
void slt_pd_set_blocked(struct slt_pd *pd, bool blocked);
void slt_pd_wait(struct slt_pd *pd);

/* packetdrill_so_setup.c: flags and the settings file. */
void slt_pd_read_flags(struct slt_pd *pd, const char *flags);
void slt_pd_read_settings(struct slt_pd *pd);

/* Fill in the functions: packetdrill_so_time.c, packetdrill_so_calls.c, packetdrill_so_control.c.
 */
void slt_pd_fill_time(struct packetdrill_interface *ifc);
void slt_pd_fill_calls(struct packetdrill_interface *ifc);
void slt_pd_fill_control(struct packetdrill_interface *ifc);

/* packetdrill_so_control.c: the host's descriptor for a kernel descriptor, -1 when there is none;
 * a kernel descriptor for a new one of the host's, or -1 with errno set. */
int slt_pd_fd(const struct slt_pd *pd, int fd);
int slt_pd_new_fd(struct slt_pd *pd, int host_fd);

/* Set errno from a result: 0 or more as it is, else -1. */
ssize_t slt_pd_result(ptrdiff_t result);

/* A call that may block. */
enum slt_pd_kind {
    SLT_PD_ACCEPT,
    SLT_PD_CONNECT,
    SLT_PD_RECV,
    SLT_PD_RECVMSG,
    SLT_PD_SEND,
    SLT_PD_SENDMSG,
    SLT_PD_POLL,
    SLT_PD_EPOLL
};

struct slt_pd_call {
    enum slt_pd_kind kind;
    int fd; /* the host's */
    int flags;
    int timeout_ms; /* POLL, EPOLL */
    void *data;
    const void *const_data;
    size_t bytes;
    size_t done; /* SEND: taken so far */
    struct msghdr *msg;
    const struct msghdr *const_msg;
    struct sockaddr *addr;
    const struct sockaddr *const_addr;
    uint32_t addr_bytes;
    struct pollfd *fds; /* with the host's descriptors */
    struct epoll_event *events;
    ptrdiff_t result;
};

#endif
