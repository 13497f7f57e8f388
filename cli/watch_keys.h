/* What keys do in salut watch.
 */
#ifndef SLT_CLI_WATCH_KEYS_H
#define SLT_CLI_WATCH_KEYS_H

#include "cli/watch.h"

/* False: it is to end. */
bool slt_watch_on_key(struct slt_watch_app *app, int key);

#endif
