/* A web server for one page: what a Prometheus scraper asks.
 *
 * On the kernel's sockets, one request at a time, each within some seconds and kilobytes: a scraper
 * comes every few seconds, and nobody else has business here.
 */
#ifndef SLT_CLI_METRICS_HTTP_H
#define SLT_CLI_METRICS_HTTP_H

#include "cli/metrics_text.h"

/* Serve at `where` ("127.0.0.1:9555", "[::1]:9555", "9555" for loopback) until interrupted. Returns
 * an exit code, after saying what is wrong. */
int slt_metrics_serve(const struct slt_cli_verb *verb, const char *where,
                      const struct slt_metrics_ask *ask);

#endif
