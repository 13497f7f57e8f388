/* Names of UNIX sockets that nobody but the supervisor can connect to.
 *
 * A listener of the program, and the listener to which its opening sockets are connected, need
 * names. Where a file system of our own can be made (fsmount(2), without a place in any tree) the
 * names are files there, reached through our own descriptor of it: nobody else has a way there, and
 * all is gone with the last descriptor. Elsewhere they are abstract names with 128 random bits;
 * those can be read in /proc/net/unix by whoever shares the network namespace, which in the private
 * network are the program's own processes.
 *
 * Ends that are to be told from one another are named, too: an accepted socket is known by
 * getpeername(2) on it. Nothing listens there, so an abstract name serves. That the namer was
 * really this process says SO_PEERCRED, which was taken when the connection was made.
 */
#include "run/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PRIVATE_BACKLOG 64
#define NAME_CHARS      32
#define PREFIX_BYTES    17U
#define NUMBER_CHARS    8U
#define SERIAL_CHARS    16U
#define SIGNED_BYTES    (PREFIX_BYTES + NUMBER_CHARS + SERIAL_CHARS)

int slt_run_unix_socket(int flags)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    return fd < 0 ? -errno : fd;
}

static bool random_hex(char *out, size_t chars)
{
    uint8_t bytes[NAME_CHARS / 2];
    size_t count = chars / 2;
    if (getrandom(bytes, count, 0) != (ssize_t)count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(&out[2 * i], 3, "%02x", bytes[i]);
    }
    return true;
}

/* ---- names to connect to -------------------------------------------------------------------- */

/* A file system of our own: -1 when the system does not let us. */
static int make_names_dir(void)
{
    int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
    if (fs < 0) {
        return -1;
    }
    (void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "1m", 0);
    (void)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0700", 0);
    int dir = -1;
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
        dir = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
    }
    (void)close(fs);
    return dir;
}

int slt_run_name_bind(struct slt_supervisor *sup, int fd, struct slt_run_name *name)
{
    char secret[NAME_CHARS + 1];
    *name = (struct slt_run_name){.un = {.sun_family = AF_UNIX}};
    if (!random_hex(secret, NAME_CHARS)) {
        return -EAGAIN;
    }
    name->is_file = sup->names_dir >= 0;
    int length = name->is_file
                     ? snprintf(name->un.sun_path, sizeof(name->un.sun_path), "/proc/self/fd/%d/%s",
                                sup->names_dir, secret)
                     : snprintf(&name->un.sun_path[1], sizeof(name->un.sun_path) - 1, "%s", secret);
    name->bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length + 1);
    return bind(fd, (const struct sockaddr *)&name->un, name->bytes) == 0 ? 0 : -errno;
}

void slt_run_name_drop(struct slt_run_name *name)
{
    if (name->is_file) {
        (void)unlink(name->un.sun_path);
    }
    name->bytes = 0;
}

/* ---- names to be known by ------------------------------------------------------------------- */

int slt_run_end_sign(struct slt_supervisor *sup, int end_fd, const struct slt_run_sock *sock)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, sup->prefix, PREFIX_BYTES);
    (void)snprintf(&un.sun_path[PREFIX_BYTES], sizeof(un.sun_path) - PREFIX_BYTES, "%08x%016llx",
                   (unsigned)sock->fd, (unsigned long long)sock->serial);
    socklen_t bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + SIGNED_BYTES);
    return bind(end_fd, (const struct sockaddr *)&un, bytes) == 0 ? 0 : -errno;
}

static bool is_connected_by(int fd, pid_t pid)
{
    struct ucred cred;
    socklen_t bytes = sizeof(cred);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &bytes) == 0 && cred.pid == pid;
}

bool slt_run_end_read(const struct slt_supervisor *sup, int their_fd, uint64_t *number,
                      uint64_t *serial)
{
    struct sockaddr_un un;
    socklen_t bytes = sizeof(un);
    char text[NUMBER_CHARS + SERIAL_CHARS + 1];
    if (getpeername(their_fd, (struct sockaddr *)&un, &bytes) != 0 || un.sun_family != AF_UNIX ||
        bytes != offsetof(struct sockaddr_un, sun_path) + SIGNED_BYTES ||
        memcmp(un.sun_path, sup->prefix, PREFIX_BYTES) != 0 ||
        !is_connected_by(their_fd, sup->self)) {
        return false;
    }
    memcpy(text, &un.sun_path[PREFIX_BYTES], sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    *serial = strtoull(&text[NUMBER_CHARS], NULL, 16);
    text[NUMBER_CHARS] = '\0';
    *number = strtoull(text, NULL, 16);
    return true;
}

/* ---- private connections -------------------------------------------------------------------- */

bool slt_run_names_open(struct slt_supervisor *sup)
{
    char secret[PREFIX_BYTES];
    if (!random_hex(secret, PREFIX_BYTES - 1)) {
        return false;
    }
    memcpy(&sup->prefix[1], secret, PREFIX_BYTES - 1);
    sup->names_dir = make_names_dir();
    sup->private_fd = slt_run_unix_socket(SOCK_NONBLOCK);
    if (sup->private_fd < 0) {
        return false;
    }
    int bound = slt_run_name_bind(sup, sup->private_fd, &sup->private_name);
    if (bound < 0 && sup->names_dir >= 0) {
        (void)close(sup->names_dir);
        sup->names_dir = -1;
        bound = slt_run_name_bind(sup, sup->private_fd, &sup->private_name);
    }
    return bound == 0 && listen(sup->private_fd, PRIVATE_BACKLOG) == 0;
}

void slt_run_names_close(struct slt_supervisor *sup)
{
    if (sup->private_fd >= 0) {
        slt_run_name_drop(&sup->private_name);
        (void)close(sup->private_fd);
        sup->private_fd = -1;
    }
    if (sup->names_dir >= 0) {
        (void)close(sup->names_dir);
        sup->names_dir = -1;
    }
}

/* Connecting to a listener whose queue has room never blocks, whatever the descriptor's flags; and
 * the queue has room, for everything in it is taken out in the same call. A stranger's connection
 * is told by its maker, and closed. */
int slt_run_pair_up(struct slt_supervisor *sup, int their_fd)
{
    if (connect(their_fd, (const struct sockaddr *)&sup->private_name.un,
                sup->private_name.bytes) != 0) {
        return -errno;
    }
    int end = -1;
    int fd;
    while ((fd = accept4(sup->private_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (end < 0 && is_connected_by(fd, sup->self)) {
            end = fd;
        } else {
            (void)close(fd);
        }
    }
    return end >= 0 ? end : -ECONNABORTED;
}
