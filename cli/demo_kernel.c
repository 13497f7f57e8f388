/* The kernel's side of salut demo: curl as a client, and a small server, each in a process of its
 * own that ends when this one does.
 */
#include "cli/demo.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK   65536U
#define SECONDS "8"

static const char greeting[] = "This is a server on the kernel's TCP.\n";

bool slt_demo_has_curl(void)
{
    const char *path = getenv("PATH");
    path = path == NULL ? "/usr/bin:/bin" : path;
    while (*path != '\0') {
        char file[512];
        size_t bytes = strcspn(path, ":");
        (void)snprintf(file, sizeof(file), "%.*s/curl", (int)bytes, path);
        if (access(file, X_OK) == 0) {
            return true;
        }
        path += bytes;
        path += *path == ':';
    }
    return false;
}

/* What a child does first: end with its parent, and let signals be what they were. */
static void become_child(void)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_DFL);
}

static void on_output(void *ctx, int fd, uint32_t events)
{
    static uint8_t chunk[CHUNK];
    struct slt_demo_curl *curl = ctx;
    (void)events;
    ssize_t got = read(fd, chunk, sizeof(chunk));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (got > 0) {
        slt_sha256_add(&curl->sha, chunk, (size_t)got);
        curl->bytes += (uint64_t)got;
        return;
    }
    (void)salut_runner_remove_fd(curl->runner, fd);
    (void)close(fd);
    curl->fd = -1;
}

_Noreturn static void exec_curl(const char *url, int output)
{
    become_child();
    (void)dup2(output, STDOUT_FILENO);
    (void)execlp("curl", "curl", "-q", "-sS", "-g", "--noproxy", "*", "--max-time", SECONDS, url,
                 (char *)NULL);
    _exit(127);
}

bool slt_demo_curl_start(struct slt_demo_curl *curl, const char *url)
{
    int pipe_fds[2];
    curl->fd = -1;
    curl->bytes = 0;
    slt_sha256_init(&curl->sha);
    (void)fflush(stdout);
    if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
        return false;
    }
    (void)fcntl(pipe_fds[0], F_SETFL, O_NONBLOCK);
    (void)fcntl(pipe_fds[0], F_SETPIPE_SZ, 1 << 20);
    curl->pid = fork();
    if (curl->pid == 0) {
        exec_curl(url, pipe_fds[1]);
    }
    (void)close(pipe_fds[1]);
    struct salut_runner_fd watch = {
        .fd = pipe_fds[0], .events = EPOLLIN, .on_ready = on_output, .ctx = curl};
    if (curl->pid < 0 || salut_runner_set_fd(curl->runner, &watch) != SALUT_OK) {
        (void)close(pipe_fds[0]);
        return false;
    }
    curl->fd = pipe_fds[0];
    return true;
}

int slt_demo_curl_status(struct slt_demo_curl *curl)
{
    int status = 0;
    if (waitpid(curl->pid, &status, 0) != curl->pid || !WIFEXITED(status)) {
        return -1;
    }
    return WEXITSTATUS(status);
}

void slt_demo_curl_kill(struct slt_demo_curl *curl)
{
    (void)kill(curl->pid, SIGKILL);
    (void)salut_runner_remove_fd(curl->runner, curl->fd);
    (void)close(curl->fd);
    curl->fd = -1;
    (void)slt_demo_curl_status(curl);
}

/* ---- the server ----------------------------------------------------------------------------- */

static bool write_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t put = write(fd, data, bytes);
        if (put <= 0) {
            return false;
        }
        data += put;
        bytes -= (size_t)put;
    }
    return true;
}

_Noreturn static void serve_one(int listener)
{
    char chunk[4096];
    become_child();
    int fd = accept(listener, NULL, NULL);
    bool fine = fd >= 0 && write_all(fd, greeting, sizeof(greeting) - 1);
    while (fine) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        fine = got > 0 && write_all(fd, chunk, (size_t)got);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    _exit(0);
}

pid_t slt_demo_kernel_server(const char *address, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pid_t pid = -1;
    (void)inet_pton(AF_INET, address, &in.sin_addr);
    if (listener < 0) {
        return -1;
    }
    (void)fflush(stdout);
    if (bind(listener, (const struct sockaddr *)&in, sizeof(in)) == 0 && listen(listener, 1) == 0) {
        pid = fork();
        if (pid == 0) {
            serve_one(listener);
        }
    }
    (void)close(listener);
    return pid;
}
