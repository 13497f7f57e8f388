/* See control_place_linux.h. */
#include "observe/control_place_linux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512

/* The folder that holds ours. */
static void name_parent(char path[PATH_BYTES])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int room = PATH_BYTES - 16;
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < (size_t)room) {
        (void)snprintf(path, PATH_BYTES, "%.*s", room, runtime);
    } else if (geteuid() == 0) {
        (void)snprintf(path, PATH_BYTES, "/run");
    } else {
        (void)snprintf(path, PATH_BYTES, "/run/user/%u", (unsigned)geteuid());
    }
}

/* A descriptor of a folder that its owner alone can look into. */
static int open_folder(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    if (fstat(fd, &status) == 0 && status.st_uid == geteuid() && (status.st_mode & 077) == 0) {
        return fd;
    }
    (void)close(fd);
    return -EPERM;
}

int slt_control_folder_own(bool make)
{
    char path[PATH_BYTES];
    name_parent(path);
    (void)strncat(path, "/salut", sizeof(path) - strlen(path) - 1);
    if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
        return -errno;
    }
    return open_folder(path);
}

/* ---- all there are ----------------------------------------------------------------------------
 */

struct visit {
    void (*visit)(void *ctx, int folder_fd, bool ours);
    void *ctx;
    dev_t own_device; /* of the folder that was visited first */
    ino_t own_inode;
};

static void visit_other(struct visit *v, int parent_fd, const char *path)
{
    struct stat status;
    int fd = openat(parent_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    bool known =
        fstat(fd, &status) < 0 || (status.st_dev == v->own_device && status.st_ino == v->own_inode);
    if (!known) {
        v->visit(v->ctx, fd, status.st_uid == geteuid());
    }
    (void)close(fd);
}

static void visit_users(struct visit *v)
{
    char path[NAME_MAX + 16];
    DIR *users = opendir("/run/user");
    const struct dirent *user;
    while (users != NULL && (user = readdir(users)) != NULL) {
        if (user->d_name[0] >= '0' && user->d_name[0] <= '9') {
            (void)snprintf(path, sizeof(path), "%s/salut", user->d_name);
            visit_other(v, dirfd(users), path);
        }
    }
    if (users != NULL) {
        (void)closedir(users);
    }
}

void slt_control_folder_each(void (*visit)(void *ctx, int folder_fd, bool ours), void *ctx)
{
    struct visit v = {.visit = visit, .ctx = ctx};
    struct stat status;
    int own = slt_control_folder_own(false);
    if (own >= 0) {
        if (fstat(own, &status) == 0) {
            v.own_device = status.st_dev;
            v.own_inode = status.st_ino;
        }
        visit(ctx, own, true);
        (void)close(own);
    }
    if (geteuid() == 0) {
        visit_other(&v, AT_FDCWD, "/run/salut");
        visit_users(&v);
    }
}

/* ---- names ------------------------------------------------------------------------------------
 */

bool slt_control_is_name(const char *name, int *pid)
{
    char *end;
    bool digit = name[0] >= '1' && name[0] <= '9';
    long long value = digit ? strtoll(name, &end, 10) : 0;
    if (!digit || strlen(name) >= SLT_CONTROL_NAME_MAX || value > 0x7fffffff) {
        return false;
    }
    if (pid != NULL) {
        *pid = (int)value;
    }
    return *end == '\0' ||
           (*end == '.' && end[1] != '\0' && strspn(end + 1, "0123456789") == strlen(end + 1));
}

void slt_control_address(int folder_fd, const char *name, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%.*s", folder_fd,
                   SLT_CONTROL_NAME_MAX, name);
}
