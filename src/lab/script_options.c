/* What the options mean.
 *
 * Names are those of the tool whose language this is; loose_end, profile, pcapng, set and
 * remote_port are ours.
 */
#include "lab/script_options.h"

#include "lab/script_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_BYTE 0x5a

void slt_script_options_init(struct slt_script_options *options)
{
    *options = (struct slt_script_options){
        .tolerance_ns = 4 * SLT_NS_PER_MS,
        .profile = SALUT_PROFILE_LINUX,
        .bind_port = 8080,
        .connect_port = 8080,
        .remote_port = 40000,
    };
}

/* Options of the original tool that need a value and have no meaning for an instance in memory. */
static const char *const IGNORED_VALUED[] = {
    "gateway_ip",        "netmask_ip",  "speed",         "tolerance_percent",
    "code_command",      "code_format", "code_sockopt",  "init_scripts",
    "so_filename",       "so_flags",    "wire_protocol", "socket_fd_alloc",
    "tcp_ts_ecr_scaled", "cleanup_cmd",
};

static const char *const IGNORED_PLAIN[] = {
    "debug",
    "send_omit_free",
    "is_anyip",
    "no_cleanup",
};

static const char *const FLAGS[] = {"strict_segments", "loose_end", "dry_run", "verbose"};

static bool is_among(const char *name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool slt_script_option_has_value(const char *name)
{
    return !is_among(name, FLAGS, SLT_ARRAY_COUNT(FLAGS)) &&
           !is_among(name, IGNORED_PLAIN, SLT_ARRAY_COUNT(IGNORED_PLAIN));
}

static const char *set_number(const char *value, long long min, long long max, long long *out)
{
    char *end;
    *out = strtoll(value, &end, 0);
    if (end == value || *end != '\0' || *out < min || *out > max) {
        return "the number is missing, malformed or outside its range";
    }
    return NULL;
}

struct number_option {
    const char *name;
    long long min;
    long long max;
};

static const struct number_option NUMBERS[] = {
    {"tolerance_usecs", 0, 3600000000LL},
    {"tcp_ts_tick_usecs", 0, 1000000},
    {"mss", 0, 65535},
    {"mtu", 68, 65535},
    {"bind_port", 1, 65535},
    {"connect_port", 1, 65535},
    {"remote_port", 1, 65535},
};

static void store_number(struct slt_script_options *options, size_t which, long long number)
{
    switch (which) {
    case 0:
        options->tolerance_ns = number * 1000;
        break;
    case 1:
        options->ts_tick_ns = number * 1000;
        break;
    case 2:
        options->mss = (uint16_t)number;
        break;
    case 3:
        options->mtu = (uint16_t)number;
        break;
    case 4:
        options->bind_port = (uint16_t)number;
        break;
    case 5:
        options->connect_port = (uint16_t)number;
        break;
    default:
        options->remote_port = (uint16_t)number;
        break;
    }
}

static const char *set_ip_version(struct slt_script_options *options, const char *value)
{
    if (strcmp(value, "ipv4") != 0 && strcmp(value, "ipv6") != 0) {
        return "ip_version is ipv4 or ipv6";
    }
    options->ipv6 = strcmp(value, "ipv6") == 0;
    return NULL;
}

static const char *set_profile(struct slt_script_options *options, const char *value)
{
    if (strcmp(value, "linux") != 0 && strcmp(value, "rfc") != 0) {
        return "profile is linux or rfc";
    }
    options->profile = strcmp(value, "rfc") == 0 ? SALUT_PROFILE_RFC : SALUT_PROFILE_LINUX;
    return NULL;
}

/* NAME=value; the text stays the caller's, cut at '='. */
static const char *set_symbol(struct slt_script_options *options, const char *value)
{
    const char *equals = strchr(value, '=');
    if (!equals || equals == value) {
        return "a definition is NAME=value";
    }
    if (options->symbol_count == SLT_SCRIPT_SYMBOLS_MAX) {
        return "too many definitions";
    }
    options->symbols[options->symbol_count++] =
        (struct slt_script_symbol){.name = value, .value = equals + 1};
    return NULL;
}

static const char *set_setting(struct slt_script_options *options, const char *value)
{
    if (options->setting_count == SLT_SCRIPT_SYMBOLS_MAX) {
        return "too many settings";
    }
    options->settings[options->setting_count++] = value;
    return NULL;
}

static const char *set_non_fatal(struct slt_script_options *options, const char *value)
{
    options->non_fatal_packet = options->non_fatal_packet || strstr(value, "packet") != NULL;
    options->non_fatal_call = options->non_fatal_call || strstr(value, "syscall") != NULL;
    return options->non_fatal_packet || options->non_fatal_call
               ? NULL
               : "non_fatal takes packet, syscall, or both";
}

static bool set_flag(struct slt_script_options *options, const char *name)
{
    if (strcmp(name, "strict_segments") == 0) {
        options->strict_segments = true;
    } else if (strcmp(name, "loose_end") == 0) {
        options->loose_end = true;
    } else if (strcmp(name, "dry_run") == 0) {
        options->dry_run = true;
    } else if (strcmp(name, "verbose") == 0) {
        options->verbose = true;
    } else {
        return is_among(name, IGNORED_PLAIN, SLT_ARRAY_COUNT(IGNORED_PLAIN)) ||
               is_among(name, IGNORED_VALUED, SLT_ARRAY_COUNT(IGNORED_VALUED));
    }
    return true;
}

const char *slt_script_option_set(struct slt_script_options *options, const char *name,
                                  const char *value)
{
    long long number;

    for (size_t i = 0; i < SLT_ARRAY_COUNT(NUMBERS); i++) {
        if (strcmp(name, NUMBERS[i].name) == 0) {
            const char *wrong = set_number(value, NUMBERS[i].min, NUMBERS[i].max, &number);
            if (!wrong) {
                store_number(options, i, number);
            }
            return wrong;
        }
    }
    if (strcmp(name, "ip_version") == 0) {
        return set_ip_version(options, value);
    }
    if (strcmp(name, "profile") == 0) {
        return set_profile(options, value);
    }
    if (strcmp(name, "define") == 0) {
        return set_symbol(options, value);
    }
    if (strcmp(name, "set") == 0) {
        return set_setting(options, value);
    }
    if (strcmp(name, "non_fatal") == 0) {
        return set_non_fatal(options, value);
    }
    if (strcmp(name, "local_ip") == 0) {
        options->local_ip = value;
        return NULL;
    }
    if (strcmp(name, "remote_ip") == 0) {
        options->remote_ip = value;
        return NULL;
    }
    if (strcmp(name, "pcapng") == 0) {
        options->capture_folder = value;
        return NULL;
    }
    return set_flag(options, name) ? NULL : "there is no such option";
}

/* Limits that suit one connection under test: an instance is made for every script. */
static void set_small(struct salut_config *config)
{
    config->conns_max = 64;
    config->half_open_max = 256;
    config->time_wait_max = 256;
    config->listeners_max = 16;
    config->udp_max = 8;
    config->buffers_max = 16384;
    config->buffer_bytes = 2048;
    config->ranges_max = 1024;
    config->neighbours_max = 16;
    config->fragments_max = 4;
    config->addresses_max = 8;
    config->routes_max = 8;
    config->event_ring = 256;
}

bool slt_script_setup_init(struct slt_script_setup *setup, const struct slt_script_options *options,
                           const char **complaint)
{
    const char *local = options->ipv6 ? "fd3d:a0b:17d6::1" : "192.168.0.2";
    const char *remote = options->ipv6 ? "2001:db8::1" : "192.0.2.1";

    local = options->local_ip ? options->local_ip : local;
    remote = options->remote_ip ? options->remote_ip : remote;
    salut_config_init(&setup->config, options->profile);
    set_small(&setup->config);
    memset(setup->config.seed, SEED_BYTE, sizeof(setup->config.seed));
    setup->config.link_kind = SALUT_LINK_IP;
    setup->config.mtu = options->mtu ? options->mtu : 1500;
    /* Linux hands bursts to the card in one piece, which shows in where PSH stands. */
    setup->config.gso_max_bytes = options->profile == SALUT_PROFILE_LINUX ? 65535 : 0;
    *complaint = NULL;
    if (salut_addr_parse(local, &setup->local) != SALUT_OK) {
        *complaint = "local_ip is no address";
    } else if (salut_addr_parse(remote, &setup->remote) != SALUT_OK) {
        *complaint = "remote_ip is no address";
    }
    return *complaint == NULL;
}
