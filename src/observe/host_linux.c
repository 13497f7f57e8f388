/* See host_linux.h. */
#include "observe/host_linux.h"

#include "observe/interfaces_linux.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read a small file; false when there is none. */
static bool read_text(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, out, size - 1) : -1;
    if (fd >= 0) {
        (void)close(fd);
    }
    out[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* The numbers of a setting, as many as there are. */
static void read_numbers(const char *path, int64_t *const *to, size_t count)
{
    char text[128];
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        *to[i] = SLT_UNKNOWN;
    }
    if (!read_text(path, text, sizeof(text))) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char *end;
        long long value = strtoll(at, &end, 10);
        if (end == at) {
            return;
        }
        *to[i] = value;
        at = end;
    }
}

static int64_t read_number(const char *path)
{
    int64_t value;
    int64_t *const to[] = {&value};
    read_numbers(path, to, 1);
    return value;
}

/* A line a processor, of hexadecimal numbers; the second is what it dropped, the third how often it
 * was squeezed. */
static void read_softnet(struct slt_host_facts *facts)
{
    char line[512];
    FILE *file = fopen("/proc/net/softnet_stat", "re");
    facts->softnet_dropped = facts->softnet_squeezed = file == NULL ? SLT_UNKNOWN : 0;
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        char *rest = strchr(line, ' ');
        facts->softnet_dropped += rest == NULL ? 0 : (int64_t)strtoll(rest, &rest, 16);
        facts->softnet_squeezed += rest == NULL ? 0 : (int64_t)strtoll(rest, NULL, 16);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
}

static void read_interfaces(struct slt_host_facts *facts)
{
    struct slt_interface_losses losses = {.missed = SLT_UNKNOWN, .overruns = SLT_UNKNOWN};
    (void)slt_interface_losses_read(&losses);
    facts->interface_missed = losses.missed;
    facts->interface_overruns = losses.overruns;
}

void slt_host_facts_read(struct slt_host_facts *facts)
{
    int64_t low_pages;
    int64_t *const ports[] = {&facts->port_low, &facts->port_high};
    int64_t *const memory[] = {&low_pages, &facts->memory_pressure_pages, &facts->memory_max_pages};
    read_numbers("/proc/sys/net/ipv4/ip_local_port_range", ports, 2);
    read_numbers("/proc/sys/net/ipv4/tcp_mem", memory, 3);
    facts->orphans_max = read_number("/proc/sys/net/ipv4/tcp_max_orphans");
    facts->time_wait_max = read_number("/proc/sys/net/ipv4/tcp_max_tw_buckets");
    facts->backlog_max = read_number("/proc/sys/net/core/somaxconn");
    facts->abort_on_overflow = read_number("/proc/sys/net/ipv4/tcp_abort_on_overflow");
    facts->fin_timeout_s = read_number("/proc/sys/net/ipv4/tcp_fin_timeout");
    facts->keepalive_time_s = read_number("/proc/sys/net/ipv4/tcp_keepalive_time");
    facts->retries2 = read_number("/proc/sys/net/ipv4/tcp_retries2");
    facts->slow_start_after_idle = read_number("/proc/sys/net/ipv4/tcp_slow_start_after_idle");
    facts->conntrack_count = read_number("/proc/sys/net/netfilter/nf_conntrack_count");
    facts->conntrack_max = read_number("/proc/sys/net/netfilter/nf_conntrack_max");
    read_softnet(facts);
    read_interfaces(facts);
}

void slt_host_facts_forget(struct slt_host_facts *facts)
{
    memset(facts, 0xff, sizeof(*facts)); /* SLT_UNKNOWN, every one */
}

static int64_t since(int64_t now, int64_t before)
{
    return now == SLT_UNKNOWN || before == SLT_UNKNOWN ? SLT_UNKNOWN : now - before;
}

void slt_host_facts_since(struct slt_host_facts *facts, const struct slt_host_facts *before)
{
    facts->softnet_dropped = since(facts->softnet_dropped, before->softnet_dropped);
    facts->softnet_squeezed = since(facts->softnet_squeezed, before->softnet_squeezed);
    facts->interface_missed = since(facts->interface_missed, before->interface_missed);
    facts->interface_overruns = since(facts->interface_overruns, before->interface_overruns);
}

/* ---- one process ---------------------------------------------------------------------------- */

/* The letter after the name, which is in parentheses and may hold anything. */
static char read_state(int32_t pid)
{
    char path[48];
    char text[512];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    if (!read_text(path, text, sizeof(text))) {
        return '\0';
    }
    const char *end = strrchr(text, ')');
    return end != NULL && end[1] == ' ' ? end[2] : '\0';
}

static int64_t count_fds(int32_t pid)
{
    char path[48];
    int64_t count = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return SLT_UNKNOWN;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(dir);
    return count;
}

static int64_t read_fd_limit(int32_t pid)
{
    static const char name[] = "Max open files";
    char path[48];
    char text[4096];
    (void)snprintf(path, sizeof(path), "/proc/%d/limits", pid);
    const char *line = read_text(path, text, sizeof(text)) ? strstr(text, name) : NULL;
    return line == NULL ? SLT_UNKNOWN : strtoll(line + sizeof(name) - 1, NULL, 10);
}

void slt_process_read(int32_t pid, struct slt_process *process)
{
    static const char gone[] = " (deleted)";
    char path[48];
    *process = (struct slt_process){
        .state = read_state(pid), .fds = count_fds(pid), .fds_max = read_fd_limit(pid)};
    (void)snprintf(path, sizeof(path), "/proc/%d/exe", pid);
    ssize_t got = readlink(path, process->program, sizeof(process->program) - 1);
    size_t n = got > 0 ? (size_t)got : 0;
    process->program[n] = '\0';
    process->program_gone =
        n >= sizeof(gone) && strcmp(process->program + n - (sizeof(gone) - 1), gone) == 0;
}
