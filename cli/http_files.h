/* Files for the HTTP server: from a request's target to an open file below one directory.
 */
#ifndef SLT_CLI_HTTP_FILES_H
#define SLT_CLI_HTTP_FILES_H

#include "cli/app_http.h"

/* Turn a target ("/a%20b?x=1") into a path without its first slash. False when it is malformed or
 * climbs out ("..") . */
bool slt_http_decode(const char *target, char *path, size_t size);

/* Open a file. Returns the HTTP status: 200 with *body, 301 (a directory named without its slash),
 * 403, 404. */
int slt_http_open(int dir_fd, const char *path, struct slt_http_body *body);

#endif
