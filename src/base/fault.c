/* The library's own fault hook: an assertion failed, so the program's state cannot be trusted.
 *
 * It traps, because floor 0 knows no operating system to report to and must not return. The
 * definition is weak: a program that embeds salut replaces it with one that logs or reboots.
 */
#include "base/compiler.h"

__attribute__((weak)) _Noreturn void salut_fault(const char *file, int line, const char *what)
{
    (void)file;
    (void)line;
    (void)what;
    __builtin_trap();
}
