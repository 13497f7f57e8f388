/* Flags and the settings file.
 *
 * --so_flags is a list of key=value, separated by commas: options (local_ip, remote_ip, mtu, mss,
 * profile), settings (tcp_sack=0, initcwnd=4), and settings_file=PATH, for which the environment
 * variable PD_SYSCTL_FILE stands as well. The file holds settings too, in lines; whatever stands
 * for sysctl appends to it. It is read again at every call when it has changed, and what may
 * change while an instance runs then changes.
 */
#include "lab/packetdrill_so.h"

#include "lab/script_settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static _Noreturn void give_up(const char *words, const char *what)
{
    fprintf(stderr, "libsalut-packetdrill: %s: %s\n", what, words);
    exit(1);
}

/* Options that make sense here; everything else is a setting. */
static bool is_option(const char *name)
{
    static const char *const names[] = {"local_ip", "remote_ip", "mtu",
                                        "mss",      "profile",   "ip_version"};
    for (size_t i = 0; i < SLT_ARRAY_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void take_word(struct slt_pd *pd, char *word)
{
    char *equals = strchr(word, '=');

    if (!equals) {
        give_up("flags are key=value, separated by commas", word);
    }
    if (strncmp(word, "settings_file=", 14) == 0) {
        pd->settings_file = equals + 1;
        return;
    }
    *equals = '\0';
    if (is_option(word)) {
        const char *wrong = slt_script_option_set(&pd->options, word, equals + 1);
        if (wrong) {
            give_up(wrong, word);
        }
        return;
    }
    *equals = '=';
    const char *wrong = slt_script_option_set(&pd->options, "set", word);
    if (wrong) {
        give_up(wrong, word);
    }
}

void slt_pd_read_flags(struct slt_pd *pd, const char *flags)
{
    char words[200];
    const char *complaint;
    char *save = NULL;

    pd->settings_file = getenv("PD_SYSCTL_FILE");
    pd->words = strdup(flags ? flags : "");
    if (!pd->words) {
        give_up("no memory", "flags");
    }
    for (char *word = strtok_r(pd->words, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
        take_word(pd, word);
    }
    if (!slt_script_setup_init(&pd->setup, &pd->options, &complaint)) {
        give_up(complaint, "flags");
    }
    for (uint32_t i = 0; i < pd->options.setting_count; i++) {
        complaint = slt_settings_apply_line(&pd->setup.config, pd->options.settings[i], words,
                                            sizeof(words));
        if (complaint) {
            give_up(complaint, "flags");
        }
    }
}

static void apply_file(struct slt_pd *pd, FILE *in)
{
    char line[512];
    char words[200];

    while (fgets(line, sizeof(line), in)) {
        const char *complaint =
            slt_settings_apply_line(&pd->setup.config, line, words, sizeof(words));
        if (complaint) {
            fprintf(stderr, "libsalut-packetdrill: %s: %s\n", pd->settings_file, complaint);
        }
    }
}

void slt_pd_read_settings(struct slt_pd *pd)
{
    struct stat st;

    if (!pd->settings_file || stat(pd->settings_file, &st) != 0) {
        return;
    }
    if (st.st_size == pd->settings_bytes && st.st_mtim.tv_sec == pd->settings_at.tv_sec &&
        st.st_mtim.tv_nsec == pd->settings_at.tv_nsec) {
        return;
    }
    FILE *in = fopen(pd->settings_file, "r");
    if (!in) {
        return;
    }
    pd->settings_bytes = st.st_size;
    pd->settings_at = st.st_mtim;
    apply_file(pd, in);
    fclose(in);
    if (pd->open) {
        slt_script_host_configure(&pd->host, &pd->setup.config);
    }
}
