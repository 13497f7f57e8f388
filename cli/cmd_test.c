/* salut test: packetdrill scripts against the stack, in virtual time. The work is done in
 * src/lab/script_main.c, which also reads the arguments: scripts carry the same options inside.
 */
#include "cli/cli.h"

#include "lab/script_main.h"

#include <string.h>

static const char help[] =
    "usage: salut test [options] SCRIPT|DIRECTORY ...\n"
    "\n"
    "Runs scripts in packetdrill's language against this stack, in virtual time: thousands a "
    "second,\n"
    "no privilege. A failure shows the line, what was expected, what came, and the last changes "
    "of\n"
    "state with their reasons.\n"
    "\n"
    "  --ip_version=ipv4|ipv6|ipv4-mapped-ipv6\n"
    "  --profile=linux|rfc       the stack's defaults\n"
    "  --mtu=N  --mss=N  --local_ip=A  --remote_ip=A\n"
    "  --tolerance_usecs=N       how exact times must be\n"
    "  --tcp_ts_tick_usecs=N     also compare timestamp values\n"
    "  --strict_segments         segment boundaries as written\n"
    "  --non_fatal=packet,syscall  warn instead\n"
    "  --pcapng=DIR              write each script's packets, with reasons as comments\n"
    "  --dry_run                 read the scripts only\n"
    "  -D SYM=VAL                define a symbol\n"
    "  -v                        a line per event\n";

static int run(int argc, char **argv)
{
    if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        slt_print_help(&slt_cli_test, stdout);
        return SLT_EXIT_FINE;
    }
    return slt_lab_test_main(argc, argv);
}

const struct slt_cli_verb slt_cli_test = {
    .name = "test",
    .summary = "packetdrill scripts against this stack, in virtual time",
    .help = help,
    .run = run,
};
