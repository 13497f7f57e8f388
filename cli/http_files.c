/* See http_files.h. Paths are decoded once, checked component by component, and opened relative to
 * the directory; symbolic links are followed: who made them may publish what they point to.
 */
#include "cli/http_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool has_climb(const char *path)
{
    while (*path != '\0') {
        size_t bytes = strcspn(path, "/");
        if (bytes == 2 && path[0] == '.' && path[1] == '.') {
            return true;
        }
        path += bytes;
        path += *path == '/';
    }
    return false;
}

bool slt_http_decode(const char *target, char *path, size_t size)
{
    size_t used = 0;
    if (*target != '/') {
        return false;
    }
    target += strspn(target, "/");
    for (; *target != '\0' && *target != '?' && *target != '#'; target++) {
        int c = (unsigned char)*target;
        if (c == '%') {
            int high = hex_value(target[1]);
            int low = high < 0 ? -1 : hex_value(target[2]);
            if (low < 0) {
                return false;
            }
            c = high * 16 + low;
            target += 2;
        }
        if (c < ' ' || used + 1 >= size) {
            return false;
        }
        path[used] = (char)c;
        used++;
    }
    path[used] = '\0';
    return path[0] != '/' && !has_climb(path);
}

static const char *type_of(const char *path)
{
    static const struct {
        const char *ending;
        const char *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".htm", "text/html; charset=utf-8"},
                 {".txt", "text/plain; charset=utf-8"},
                 {".md", "text/plain; charset=utf-8"},
                 {".css", "text/css"},
                 {".js", "text/javascript"},
                 {".json", "application/json"},
                 {".svg", "image/svg+xml"},
                 {".png", "image/png"},
                 {".jpg", "image/jpeg"},
                 {".gif", "image/gif"},
                 {".pdf", "application/pdf"}};
    size_t bytes = strlen(path);
    for (size_t i = 0; i < SLT_ARRAY_COUNT(types); i++) {
        size_t ending = strlen(types[i].ending);
        if (bytes >= ending && strcmp(path + bytes - ending, types[i].ending) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

static int status_of_errno(void)
{
    return errno == EACCES || errno == EPERM || errno == ELOOP ? 403 : 404;
}

int slt_http_open(int dir_fd, const char *path, struct slt_http_body *body)
{
    char index[4096];
    size_t bytes = strlen(path);
    if (dir_fd < 0) {
        return 404;
    }
    if (bytes == 0 || path[bytes - 1] == '/') {
        (void)snprintf(index, sizeof(index), "%sindex.html", path);
        path = index;
    }
    /* O_NONBLOCK: a FIFO must not hold up the whole server. */
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0) {
        return status_of_errno();
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        bool is_dir = S_ISDIR(st.st_mode);
        (void)close(fd);
        return is_dir ? 301 : 403;
    }
    *body = (struct slt_http_body){
        .kind = SLT_HTTP_FILE, .type = type_of(path), .fd = fd, .bytes = (uint64_t)st.st_size};
    return 200;
}
