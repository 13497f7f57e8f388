/* Settings of the system that are advice gone stale, in the files that sysctl(8) reads at start.
 */
#ifndef SLT_OBSERVE_SETTINGS_LINUX_H
#define SLT_OBSERVE_SETTINGS_LINUX_H

#include <stdbool.h>
#include <stddef.h>

/* Where a setting was found. */
struct slt_setting_place {
    char file[128];
    unsigned line;
    long value;
};

/* Find the first line that gives `name` ("net.ipv4.tcp_tw_recycle") a value. `root` goes before
 * every path: "" for the system's own. */
bool slt_setting_find(const char *root, const char *name, struct slt_setting_place *place);

#endif
