/* See mounts_linux.h.
 *
 * The new file must lie somewhere: on a memory file system that covers a directory everybody has,
 * for as long as it takes to bind the file over /etc/resolv.conf (mount_namespaces(7)). Taking the
 * cover away lets go of the file system, but not of the file that is bound. Nobody else is in the
 * namespace meanwhile.
 */
#define _GNU_SOURCE 1
#include "run/mounts_linux.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define TARGET "/etc/resolv.conf"
#define COVER  "/tmp"
#define SOURCE COVER "/resolv.conf"

static bool is_kept(const char *line)
{
    return strncmp(line, "search", 6) == 0 || strncmp(line, "domain", 6) == 0 ||
           strncmp(line, "options", 7) == 0;
}

static int write_file(const char *server)
{
    char line[1024];
    FILE *from = fopen(TARGET, "re");
    FILE *to = from == NULL ? NULL : fopen(SOURCE, "we");
    int result = to == NULL ? -errno : 0;
    if (to != NULL) {
        (void)fprintf(to, "# salut run: the name server of this private network\nnameserver %s\n",
                      server);
        while (fgets(line, sizeof(line), from) != NULL) {
            if (is_kept(line)) {
                (void)fputs(line, to);
            }
        }
        (void)chmod(SOURCE, 0444);
        result = fclose(to) == 0 ? 0 : -errno;
    }
    if (from != NULL) {
        (void)fclose(from);
    }
    return result;
}

int slt_mounts_name_server(const char *server)
{
    struct stat what;
    if (stat(TARGET, &what) != 0) {
        return -errno;
    }
    /* What the host mounts later still comes to us; nothing of ours goes back. */
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) != 0 ||
        mount("salut", COVER, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=64k,mode=0755") !=
            0) {
        return -errno;
    }
    int result = write_file(server);
    if (result == 0 && mount(SOURCE, TARGET, NULL, MS_BIND, NULL) != 0) {
        result = -errno;
    }
    (void)umount2(COVER, MNT_DETACH);
    return result;
}
