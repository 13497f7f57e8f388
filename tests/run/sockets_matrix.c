/* The socket matrix (sockets.h): the side under test, and by another word its peer.
 *
 *     sockets_matrix peer PATH OTHER4 OTHER6
 *     sockets_matrix app PATH 4|6 OWN PEER LOST EMPTY [ROW...]
 *
 * The peer listens on a UNIX socket at PATH, which works from one network namespace into another.
 */
#include "sockets.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROW_SECONDS 40

static int reach_peer(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    (void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)(void *)&a, sizeof(a)) != 0) {
        die("the peer cannot be reached");
    }
    return fd;
}

static void run_row(struct world *w, const struct row *row, const char *path)
{
    w->row = row->number;
    w->kind = "";
    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) {
        die("fork");
    }
    if (pid == 0) {
        (void)alarm(ROW_SECONDS);
        w->control = reach_peer(path);
        (void)ask(w, "family %d", w->family == AF_INET ? 4 : 6);
        row->run(w);
        (void)fflush(stdout);
        _exit(0);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) {
        say(w, "ended by %s", WTERMSIG(status) == SIGALRM ? "its time limit" : "a signal");
    } else if (WEXITSTATUS(status) != 0) {
        say(w, "exit %d", WEXITSTATUS(status));
    }
}

static bool is_wanted(int number, int count, char **rows)
{
    for (int i = 0; i < count; i++) {
        if (atoi(rows[i]) == number) {
            return true;
        }
    }
    return count == 0;
}

int main(int count, char **words)
{
    static const struct row *const tables[] = {close_rows,   error_rows, icmp_rows,
                                               connect_rows, poll_rows,  listen_rows,
                                               bind_rows,    data_rows,  option_rows};
    if (count == 5 && strcmp(words[1], "peer") == 0) {
        return serve_peer(words[2], words[3], words[4]);
    }
    if (count < 8 || strcmp(words[1], "app") != 0) {
        (void)fprintf(stderr, "usage: sockets_matrix peer PATH OTHER4 OTHER6\n"
                              "       sockets_matrix app PATH 4|6 OWN PEER LOST EMPTY [ROW...]\n");
        return 2;
    }
    struct world w = {.family = words[3][0] == '4' ? AF_INET : AF_INET6,
                      .own = words[4],
                      .peer = words[5],
                      .lost = words[6],
                      .empty = words[7]};
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct row *row = tables[i]; row->run != NULL; row++) {
            if (is_wanted(row->number, count - 8, words + 8)) {
                run_row(&w, row, words[2]);
            }
        }
    }
    return 0;
}
