/* salut doctor FILE: the findings of a capture in doctor's shape.
 */
#ifndef SLT_CLI_DOCTOR_CAPTURE_H
#define SLT_CLI_DOCTOR_CAPTURE_H

#include "cli/cli.h"

/* True when the word names a file that begins as pcap or pcapng do. */
bool slt_doctor_is_capture(const char *word);

/* Judge it: words[0] is the file, the rest a filter as in salut explain. Exit status as doctor's; a
 * file that cannot be read to its end is a failure, too. */
int slt_doctor_capture(const struct slt_cli_verb *verb, const char *const *words, size_t count,
                       bool json, bool brief);

#endif
