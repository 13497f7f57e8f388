/* Clock, processors, memory and interfaces of this machine; see machine.h. */
#include "bench/machine.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

int64_t slt_bench_now_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

unsigned slt_bench_cpus(int *cpus, unsigned max)
{
    cpu_set_t set;
    unsigned count = 0;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) < 0) {
        return 0;
    }
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && count < max; cpu--) {
        if (CPU_ISSET((size_t)cpu, &set)) {
            cpus[count++] = cpu;
        }
    }
    return count;
}

bool slt_bench_pin(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* The number behind `key` in a file of "key: number kB" lines, in bytes. */
static uint64_t read_kilobytes(const char *path, const char *key)
{
    char line[256];
    uint64_t bytes = 0;
    FILE *file = fopen(path, "re");
    if (!file) {
        return 0;
    }
    while (bytes == 0 && fgets(line, sizeof(line), file)) {
        if (strncmp(line, key, strlen(key)) == 0) {
            bytes = strtoull(line + strlen(key), NULL, 10) * 1024;
        }
    }
    fclose(file);
    return bytes;
}

uint64_t slt_bench_resident_bytes(void)
{
    return read_kilobytes("/proc/self/status", "VmRSS:");
}

uint64_t slt_bench_available_bytes(void)
{
    return read_kilobytes("/proc/meminfo", "MemAvailable:");
}

static void find_model(char *out, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    snprintf(out, size, "unknown");
    while (file && fgets(line, sizeof(line), file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon) {
            snprintf(out, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

void slt_bench_machine_print(char *out, size_t size)
{
    struct utsname name = {.release = "?"};
    char model[128];
    uname(&name);
    find_model(model, sizeof(model));
    snprintf(out, size, "%s %s, %ld processors: %s", name.sysname, name.release,
             sysconf(_SC_NPROCESSORS_ONLN), model);
}

static bool may_use_cubic(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool may = fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return may;
}

bool slt_bench_allow_cubic(void)
{
    static const char path[] = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
    char allowed[256] = "";
    if (may_use_cubic()) {
        return true;
    }
    FILE *file = fopen(path, "re");
    if (file) {
        if (!fgets(allowed, sizeof(allowed), file)) {
            allowed[0] = '\0';
        }
        fclose(file);
    }
    file = fopen(path, "we");
    if (file) {
        fprintf(file, "%.*s cubic\n", (int)strcspn(allowed, "\n"), allowed);
        fclose(file);
    }
    return may_use_cubic();
}

bool slt_bench_offloads_off(const char *interface)
{
    static const uint32_t commands[] = {ETHTOOL_STSO,    ETHTOOL_SGSO, ETHTOOL_SGRO,
                                        ETHTOOL_STXCSUM, ETHTOOL_SSG,  ETHTOOL_SRXCSUM};
    struct ethtool_value value = {.data = 0};
    struct ifreq request = {.ifr_name = ""};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool off = fd >= 0;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    request.ifr_data = (void *)&value;
    for (size_t i = 0; off && i < sizeof(commands) / sizeof(commands[0]); i++) {
        value = (struct ethtool_value){.cmd = commands[i], .data = 0};
        /* A device may not know every one of them; what counts is looked at below. */
        (void)ioctl(fd, SIOCETHTOOL, &request);
    }
    static const uint32_t asked[] = {ETHTOOL_GTSO, ETHTOOL_GGSO, ETHTOOL_GTXCSUM};
    for (size_t i = 0; off && i < sizeof(asked) / sizeof(asked[0]); i++) {
        value = (struct ethtool_value){.cmd = asked[i], .data = 1};
        off = ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data == 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return off;
}
