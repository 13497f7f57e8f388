/* Options of a script: --name=value lines in it, and the same on the command line, which win.
 */
#ifndef SLT_LAB_SCRIPT_OPTIONS_H
#define SLT_LAB_SCRIPT_OPTIONS_H

#include "lab/script_ast.h"
#include "salut/salut.h"

#define SLT_SCRIPT_SYMBOLS_MAX 32

/* -D NAME=value */
struct slt_script_symbol {
    const char *name;
    const char *value;
};

struct slt_script_options {
    int64_t tolerance_ns;
    int64_t ts_tick_ns; /* 0: timestamp values are not checked */
    bool ipv6;
    bool strict_segments;
    bool loose_end; /* packets after the last expected one are no failure */
    bool non_fatal_packet;
    bool non_fatal_call;
    bool dry_run;
    bool verbose;
    enum salut_profile profile;
    uint16_t mss; /* inbound packets above it arrive as one super-frame; 0: as they are */
    uint16_t mtu; /* 0: 1500 */
    uint16_t bind_port;
    uint16_t connect_port;
    uint16_t remote_port; /* of the peer that opens */
    const char *local_ip; /* NULL: the default of the IP version */
    const char *remote_ip;
    const char *capture_folder; /* NULL: none */
    const char *settings[SLT_SCRIPT_SYMBOLS_MAX];
    uint32_t setting_count;
    struct slt_script_symbol symbols[SLT_SCRIPT_SYMBOLS_MAX];
    uint32_t symbol_count;
};

void slt_script_options_init(struct slt_script_options *options);

/* Set one option by its name (without "--"); `value` is "" when none was given. Strings are
 * borrowed. Returns NULL, or what is wrong. Options of the original tool that mean nothing here
 * are taken and ignored. */
const char *slt_script_option_set(struct slt_script_options *options, const char *name,
                                  const char *value);

/* True when the option wants a value. */
bool slt_script_option_has_value(const char *name);

/* The configuration of the instance under test, and its addresses. False: *complaint says why. */
struct slt_script_setup {
    struct salut_config config;
    salut_addr local;
    salut_addr remote;
};
bool slt_script_setup_init(struct slt_script_setup *setup, const struct slt_script_options *options,
                           const char **complaint);

#endif
