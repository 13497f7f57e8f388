/* Names for salut watch, from /etc/hosts and /etc/services: read once, sorted, searched.
 *
 * Nothing is asked over the network: a question to a name server takes seconds when the network is
 * what is wrong, and would itself be among the connections that are watched.
 */
#include "cli/status_print.h"
#include "cli/watch.h"

#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 31 /* two and a colon fit an endpoint */
#define LINE_MAX_BYTES 512

struct host {
    salut_addr addr;
    size_t line; /* of two names for one the first is meant */
    char name[NAME_MAX_BYTES];
};

struct service {
    uint16_t port;
    size_t line;
    char name[NAME_MAX_BYTES];
};

struct slt_names {
    struct host *hosts;
    size_t host_count;
    struct service *services;
    size_t service_count;
};

static int by_addr(const void *a, const void *b)
{
    const struct host *x = a;
    const struct host *y = b;
    int order = memcmp(x->addr.b, y->addr.b, sizeof(x->addr.b));
    return order != 0 ? order : x->line < y->line ? -1 : x->line > y->line;
}

static int by_port(const void *a, const void *b)
{
    const struct service *x = a;
    const struct service *y = b;
    int order = x->port < y->port ? -1 : x->port > y->port;
    return order != 0 ? order : x->line < y->line ? -1 : x->line > y->line;
}

/* The first two words of a line that is no comment. */
static bool split(char *line, const char **first, const char **second)
{
    char *rest = NULL;
    line[strcspn(line, "#\n")] = '\0';
    *first = strtok_r(line, " \t", &rest);
    *second = *first == NULL ? NULL : strtok_r(NULL, " \t", &rest);
    return *second != NULL;
}

static bool add_host(struct slt_names *names, const char *addr, const char *name)
{
    struct host host = {.line = names->host_count};
    if (salut_addr_parse(addr, &host.addr) != SALUT_OK) {
        return true;
    }
    struct host *hosts = realloc(names->hosts, (names->host_count + 1) * sizeof(*hosts));
    if (hosts == NULL) {
        return false;
    }
    (void)snprintf(host.name, sizeof(host.name), "%s", name);
    names->hosts = hosts;
    names->hosts[names->host_count++] = host;
    return true;
}

static bool add_service(struct slt_names *names, const char *name, const char *port)
{
    struct service service = {.line = names->service_count};
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    if (strcmp(end, "/tcp") != 0 || number == 0 || number > UINT16_MAX) {
        return true;
    }
    struct service *all = realloc(names->services, (names->service_count + 1) * sizeof(*all));
    if (all == NULL) {
        return false;
    }
    service.port = (uint16_t)number;
    (void)snprintf(service.name, sizeof(service.name), "%s", name);
    names->services = all;
    names->services[names->service_count++] = service;
    return true;
}

static bool read_lines(struct slt_names *names, const char *path,
                       bool (*add)(struct slt_names *names, const char *first, const char *second))
{
    char line[LINE_MAX_BYTES];
    const char *first;
    const char *second;
    bool fine = true;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return true; /* then there are no names */
    }
    while (fine && fgets(line, sizeof(line), file) != NULL) {
        if (split(line, &first, &second)) {
            fine = add(names, first, second);
        }
    }
    (void)fclose(file);
    return fine;
}

/* Sort, and keep the first line of each. */
static void put_in_order(struct slt_names *names)
{
    size_t kept = 0;
    if (names->host_count > 0) {
        qsort(names->hosts, names->host_count, sizeof(*names->hosts), by_addr);
    }
    for (size_t i = 0; i < names->host_count; i++) {
        struct host host = names->hosts[i];
        host.line = 0;
        if (kept == 0 || by_addr(&names->hosts[kept - 1], &host) != 0) {
            names->hosts[kept++] = host;
        }
    }
    names->host_count = kept;
    if (names->service_count > 0) {
        qsort(names->services, names->service_count, sizeof(*names->services), by_port);
    }
    kept = 0;
    for (size_t i = 0; i < names->service_count; i++) {
        struct service service = names->services[i];
        service.line = 0;
        if (kept == 0 || by_port(&names->services[kept - 1], &service) != 0) {
            names->services[kept++] = service;
        }
    }
    names->service_count = kept;
}

struct slt_names *slt_names_read(const char *hosts, const char *services)
{
    struct slt_names *names = calloc(1, sizeof(*names));
    if (names == NULL || !read_lines(names, hosts, add_host) ||
        !read_lines(names, services, add_service)) {
        slt_names_free(names);
        return NULL;
    }
    put_in_order(names);
    return names;
}

void slt_names_free(struct slt_names *names)
{
    if (names != NULL) {
        free(names->hosts);
        free(names->services);
        free(names);
    }
}

const char *slt_names_endpoint(const struct slt_names *names, const salut_addr *addr, uint16_t port,
                               char *out)
{
    struct host host = {.addr = *addr};
    struct service service = {.port = port};
    const struct host *named = NULL;
    const struct service *known = NULL;
    char number[8];
    if (names->host_count > 0) {
        named = bsearch(&host, names->hosts, names->host_count, sizeof(host), by_addr);
    }
    if (names->service_count > 0) {
        known = bsearch(&service, names->services, names->service_count, sizeof(service), by_port);
    }
    (void)slt_print_endpoint(addr, port, out);
    (void)snprintf(number, sizeof(number), "%u", port);
    char *colon = strrchr(out, ':');
    if (named != NULL) {
        (void)snprintf(out, SLT_ENDPOINT_MAX, "%s:%s", named->name,
                       known != NULL ? known->name : number);
    } else if (known != NULL && colon != NULL) {
        (void)snprintf(colon + 1, SLT_ENDPOINT_MAX - (size_t)(colon + 1 - out), "%s", known->name);
    }
    return out;
}
