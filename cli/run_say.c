/* What salut run says when it starts: two lines, or three.
 */
#include "cli/run.h"

#include <string.h>

static void print_ours(const struct slt_run *run)
{
    const struct slt_arg_list *list = &run->host_words.addresses;
    for (size_t i = 0; i < list->count; i++) {
        (void)fprintf(stderr, "%s%.*s", i == 0 ? "" : " ", (int)strcspn(list->items[i], "/"),
                      list->items[i]);
    }
}

static void say_where(const struct slt_run *run)
{
    const char *link = run->host.link->name;
    (void)fprintf(stderr, "salut run: ");
    print_ours(run);
    if (run->is_private) {
        (void)fprintf(stderr, " in a private network (%s %s%s); step in: salut enter -- COMMAND\n",
                      run->net.device == SLT_RUN_DEVICE_TAP ? "TAP" : "packet socket on", link,
                      run->net.tun_missing ? ", for /dev/net/tun cannot be opened" : "");
        return;
    }
    bool packet = run->host_words.packet != NULL;
    (void)fprintf(stderr, " on %s %s of this network; %s\n",
                  packet                        ? "interface"
                  : run->host_words.tun != NULL ? "TUN"
                                                : "TAP",
                  link,
                  packet ? "to be reached from other machines on it, not from this one"
                         : "to be reached from this machine as they are");
}

/* One item of a list that begins with its head. */
static void add(bool *begun, const char *head, const char *text)
{
    (void)fprintf(stderr, "%s%s", *begun ? ", " : head, text);
    *begun = true;
}

static void say_published(const struct slt_run *run, bool *begun)
{
    for (size_t i = 0; i < run->words.publish.count; i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "published %s", run->words.publish.items[i]);
        add(begun, "on: ", text);
    }
}

static void say_on(const struct slt_run *run)
{
    bool begun = false;
    (void)fprintf(stderr, "salut run: ");
    if (run->gateway != NULL) {
        add(&begun, "on: ", "TCP to the outside");
    }
    if (run->resolver != NULL) {
        add(&begun, "on: ", "names");
    }
    if (run->host_words.gateways.count > 0 && run->gateway == NULL) {
        add(&begun, "on: ", "the gateway");
    }
    say_published(run, &begun);
    if (!run->words.no_loopback) {
        add(&begun, "on: ", "127.0.0.1 and ::1 by the kernel");
    }
    (void)fprintf(stderr, "%s", begun ? "; " : "");
}

static void say_off(const struct slt_run *run)
{
    bool begun = false;
    char text[160];
    if (run->is_private && run->gateway == NULL) {
        add(&begun, "off: ", "TCP to the outside and names (--no-gateway)");
    } else if (run->names_off) {
        (void)snprintf(text, sizeof(text), "names (%s)", run->names_why);
        add(&begun, "off: ", text);
    }
    if (!run->is_private && run->host_words.gateways.count == 0) {
        add(&begun, "off: ", "TCP beyond the subnet (no --gateway)");
    }
    if (run->is_private) {
        add(&begun, "off: ", "other UDP to the outside");
    }
    if (run->is_private && run->net.one_user) {
        add(&begun, "off: ",
            "programs that change their user (one user is mapped; run as root, or "
            "behind: unshare -r --map-auto)");
    }
    if (run->is_private && run->words.publish.count == 0) {
        add(&begun, "off: ", "being reached from outside (no --publish)");
    }
    if (run->words.no_loopback) {
        add(&begun, "off: ", "127.0.0.1 and ::1 (--no-loopback)");
    }
    (void)fprintf(stderr, "%s\n", begun ? "" : "nothing is off");
}

void slt_run_say(const struct slt_run *run)
{
    say_where(run);
    say_on(run);
    say_off(run);
    (void)fflush(stderr);
}
