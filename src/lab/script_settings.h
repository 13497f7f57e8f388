/* key=value settings: fields of salut_config by their own names and by Linux's (tcp_retries2).
 *
 * The same table serves the backtick lines of scripts, `salut test --set`, the flags of the
 * packetdrill library and the file that stands for sysctls. A key may carry a path in front
 * (net.ipv4.tcp_sack, /proc/sys/net/ipv4/tcp_sack). Times take a unit (200ms); without one the
 * number has the unit of Linux's setting, or is in milliseconds.
 */
#ifndef SLT_LAB_SCRIPT_SETTINGS_H
#define SLT_LAB_SCRIPT_SETTINGS_H

#include "salut/config.h"

enum slt_setting_result {
    SLT_SETTING_TAKEN,
    SLT_SETTING_NO_EFFECT, /* a setting of Linux's that has no counterpart here */
    SLT_SETTING_UNKNOWN,
    SLT_SETTING_BAD_VALUE
};

/* Apply one setting. `value` may hold several numbers (tcp_rmem). */
enum slt_setting_result slt_setting_apply(struct salut_config *config, const char *key,
                                          const char *value);

/* Apply a line of words key=value, as in "sysctl -q net.ipv4.tcp_sack=0" or
 * "key=value,key=value". Words of a shell that set nothing (sysctl, -q, paths of scripts) are
 * stepped over. Returns NULL, or the words that were not understood (in `buffer`). */
const char *slt_settings_apply_line(struct salut_config *config, const char *line, char *buffer,
                                    uint32_t buffer_bytes);

/* Copy those fields of `from` that may change while an instance runs. */
void slt_settings_copy_live(struct salut_config *to, const struct salut_config *from);

#endif
