/* A file that `salut record --json -w FILE` kept, read back.
 */
#ifndef SLT_OBSERVE_PAST_FILE_H
#define SLT_OBSERVE_PAST_FILE_H

#include "observe/past.h"

/* Read a file, and what became FILE.1 before it when it was full. Times are calendar times. Returns
 * 0 or a negative errno value: -EPROTO when there is no line of a recorder in it. */
int slt_past_read(const char *path, struct slt_past *past);

/* One line, for tests: false when it is none of a recorder's changes and final numbers. */
struct slt_past_reader;
struct slt_past_reader *slt_past_reader_new(struct slt_past *past);
bool slt_past_reader_take(struct slt_past_reader *reader, const char *line);
void slt_past_reader_free(struct slt_past_reader *reader);

#endif
