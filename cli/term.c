/* The terminal: what it can show, and numbers as people read them.
 */
#include "cli/cli.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT 100

struct slt_term slt_term_look(FILE *to)
{
    struct slt_term term = {.width = WIDTH_DEFAULT};
    struct winsize size;
    const char *no_colour = getenv("NO_COLOR");
    (void)setlocale(LC_CTYPE, "");
    term.tty = isatty(fileno(to)) == 1;
    term.colour = term.tty && (no_colour == NULL || no_colour[0] == '\0');
    term.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (term.tty && ioctl(fileno(to), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        term.width = size.ws_col;
    }
    return term;
}

const char *slt_print_bytes(uint64_t bytes, char *out, size_t size)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < SLT_ARRAY_COUNT(units)) {
        value /= 1024;
        unit++;
    }
    bool whole = unit == 0 || value == (double)(uint64_t)value;
    (void)snprintf(out, size, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

const char *slt_print_rate(uint64_t bytes, int64_t ns, char *out, size_t size)
{
    double bits = ns <= 0 ? 0 : (double)bytes * 8 * 1e9 / (double)ns;
    if (bits >= 1e9) {
        (void)snprintf(out, size, "%.2f Gbit/s", bits / 1e9);
    } else if (bits >= 1e6) {
        (void)snprintf(out, size, "%.1f Mbit/s", bits / 1e6);
    } else {
        (void)snprintf(out, size, "%.1f kbit/s", bits / 1e3);
    }
    return out;
}
