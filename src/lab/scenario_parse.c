/* From text to a scenario: statements, names, ranges of names, variables.
 *
 *     title TEXT
 *     let NAME VALUE                       $NAME further down; salut sim --set NAME=VALUE
 *     host NAMES [settings]                NAMES: one name, or s1..40 for s1, s2 ... s40
 *     router NAMES
 *     link NAMES NAME [settings] [back settings]
 *     app KIND NAMES -> NAMES [settings]
 *     at TIME link NAME NAME [->] settings
 *     run TIME
 *     sample TIME
 *
 * Statements are read in order, once; what a statement names must stand above it.
 */
#include "lab/scenario_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODE_NONE UINT32_MAX

static const char name_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

struct parser {
    struct slt_scn *scn;
    struct slt_scn_reader reader;
};

/* ---- names ---------------------------------------------------------------------------------- */

static uint32_t find_node(const struct slt_scn *scn, const char *name)
{
    for (uint32_t i = 0; i < scn->node_count; i++) {
        if (strcmp(scn->node[i].name, name) == 0) {
            return i;
        }
    }
    return NODE_NONE;
}

static bool is_name(const char *text)
{
    size_t bytes = strlen(text);
    return bytes > 0 && bytes < SLT_SCN_NAME_BYTES && strspn(text, name_letters) == bytes &&
           strcmp(text, "->") != 0;
}

/* A range of names "s1..40": the letters, the first and the last number. */
struct range {
    char stem[SLT_SCN_NAME_BYTES];
    uint32_t first, last;
    bool numbered;
};

static bool parse_range(const char *text, struct range *range)
{
    const char *dots = strstr(text, "..");
    if (dots == NULL) {
        range->first = range->last = 0;
        range->numbered = false;
        if (!is_name(text)) {
            return false;
        }
        (void)snprintf(range->stem, sizeof(range->stem), "%s", text);
        return true;
    }
    const char *digits = dots;
    while (digits > text && digits[-1] >= '0' && digits[-1] <= '9') {
        digits--;
    }
    size_t bytes = (size_t)(digits - text);
    char *end;
    unsigned long first = strtoul(digits, NULL, 10);
    unsigned long last = strtoul(dots + 2, &end, 10);
    if (digits == dots || bytes == 0 || bytes + 4 > sizeof(range->stem) || *end != '\0' ||
        last < first || last > 999) {
        return false;
    }
    memcpy(range->stem, text, bytes);
    range->stem[bytes] = '\0';
    range->first = (uint32_t)first;
    range->last = (uint32_t)last;
    range->numbered = true;
    return is_name(range->stem);
}

static void name_in(const struct range *range, uint32_t number, char name[SLT_SCN_NAME_BYTES + 12])
{
    if (range->numbered) {
        (void)snprintf(name, SLT_SCN_NAME_BYTES + 12, "%s%u", range->stem, number);
    } else {
        (void)snprintf(name, SLT_SCN_NAME_BYTES + 12, "%s", range->stem);
    }
}

static bool take_range(struct parser *p, const char *what, struct range *range)
{
    const char *word = slt_scn_next(&p->reader);
    if (word == NULL) {
        return slt_scn_wrong(&p->reader, "%s wants a name", what);
    }
    return parse_range(word, range) ||
           slt_scn_wrong(&p->reader,
                         "'%.60s' is no name: letters, digits, - and _, at most 23; s1..40 means "
                         "s1 to s40",
                         word);
}

/* The node that has a name of the range; false with a message. */
static bool node_in(struct parser *p, const struct range *range, uint32_t number, uint32_t *node)
{
    char name[SLT_SCN_NAME_BYTES + 12];
    name_in(range, number, name);
    *node = find_node(p->scn, name);
    return *node != NODE_NONE ||
           slt_scn_wrong(&p->reader, "there is no '%s' above: say `host %s` or `router %s` first",
                         name, name, name);
}

static bool take_node(struct parser *p, const char *what, uint32_t *node)
{
    struct range range;
    if (!take_range(p, what, &range)) {
        return false;
    }
    if (range.numbered) {
        return slt_scn_wrong(&p->reader, "%s wants one name here, not several", what);
    }
    return node_in(p, &range, 0, node);
}

/* ---- statements ----------------------------------------------------------------------------- */

static bool add_node(struct parser *p, const char *name, const struct slt_scn_node *like)
{
    struct slt_scn *scn = p->scn;
    if (find_node(scn, name) != NODE_NONE) {
        return slt_scn_wrong(&p->reader, "there is a '%s' already, in line %u", name,
                             scn->node[find_node(scn, name)].line);
    }
    if (scn->node_count == SLT_SCN_NODES_MAX) {
        return slt_scn_wrong(&p->reader, "more than %u hosts and routers", SLT_SCN_NODES_MAX);
    }
    struct slt_scn_node *node = &scn->node[scn->node_count++];
    *node = *like;
    (void)snprintf(node->name, sizeof(node->name), "%.23s", name);
    node->line = p->reader.line;
    return true;
}

static bool read_nodes(struct parser *p, bool router)
{
    struct range range;
    struct slt_scn_node like;
    if (!take_range(p, router ? "router" : "host", &range)) {
        return false;
    }
    slt_scn_node_init(&like, "", router);
    if (router && slt_scn_peek(&p->reader) != NULL) {
        return slt_scn_wrong(&p->reader,
                             "a router has no settings, its links have; what is '%.40s'"
                             " for?",
                             slt_scn_peek(&p->reader));
    }
    if (!router && !slt_scn_read_host(&p->reader, &like)) {
        return false;
    }
    for (uint32_t i = range.first; i <= range.last; i++) {
        char name[SLT_SCN_NAME_BYTES + 12];
        name_in(&range, i, name);
        if (!add_node(p, name, &like)) {
            return false;
        }
    }
    return true;
}

static uint32_t find_link(const struct slt_scn *scn, uint32_t a, uint32_t b)
{
    for (uint32_t i = 0; i < scn->link_count; i++) {
        const struct slt_scn_link *link = &scn->link[i];
        if ((link->a == a && link->b == b) || (link->a == b && link->b == a)) {
            return i;
        }
    }
    return NODE_NONE;
}

static bool add_link(struct parser *p, uint32_t a, uint32_t b, const struct slt_scn_link *like)
{
    struct slt_scn *scn = p->scn;
    if (a == b) {
        return slt_scn_wrong(&p->reader, "a link joins two, not %s with itself", scn->node[a].name);
    }
    uint32_t other = find_link(scn, a, b);
    if (other != NODE_NONE) {
        return slt_scn_wrong(&p->reader, "%s and %s are linked already, in line %u",
                             scn->node[a].name, scn->node[b].name, scn->link[other].line);
    }
    if (scn->link_count == SLT_SCN_LINKS_MAX) {
        return slt_scn_wrong(&p->reader, "more than %u links", SLT_SCN_LINKS_MAX);
    }
    struct slt_scn_link *link = &scn->link[scn->link_count++];
    *link = *like;
    link->a = a;
    link->b = b;
    link->line = p->reader.line;
    return true;
}

static bool read_links(struct parser *p)
{
    struct range range;
    uint32_t b;
    struct slt_scn_link like = {.cost = 1};
    if (!take_range(p, "link", &range) || !take_node(p, "link", &b) ||
        !slt_scn_read_link(&p->reader, &like)) {
        return false;
    }
    for (uint32_t i = range.first; i <= range.last; i++) {
        uint32_t a;
        if (!node_in(p, &range, i, &a) || !add_link(p, a, b, &like)) {
            return false;
        }
    }
    return true;
}

static bool take_kind(struct parser *p, enum slt_scn_kind *kind)
{
    const char *word = slt_scn_next(&p->reader);
    for (uint32_t i = 0; word != NULL && i < SLT_SCN_KINDS; i++) {
        if (strcmp(word, slt_scn_kind_name((enum slt_scn_kind)i)) == 0) {
            *kind = (enum slt_scn_kind)i;
            return true;
        }
    }
    return slt_scn_wrong(&p->reader, "app wants a kind: bulk, request, onoff or web, not '%.40s'",
                         word ? word : "");
}

static bool add_app(struct parser *p, const struct slt_scn_app *like, uint32_t from, uint32_t to)
{
    struct slt_scn *scn = p->scn;
    if (scn->node[from].router || scn->node[to].router) {
        return slt_scn_wrong(&p->reader, "%s is a router: applications run on hosts",
                             scn->node[scn->node[from].router ? from : to].name);
    }
    if (from == to) {
        return slt_scn_wrong(&p->reader, "an application needs two hosts");
    }
    if (scn->app_count == SLT_SCN_APPS_MAX) {
        return slt_scn_wrong(&p->reader, "more than %u applications", SLT_SCN_APPS_MAX);
    }
    struct slt_scn_app *app = &scn->app[scn->app_count++];
    *app = *like;
    app->from = from;
    app->to = to;
    app->line = p->reader.line;
    if (app->label[0] == '\0') {
        (void)snprintf(app->label, sizeof(app->label), "%s%u", slt_scn_kind_name(app->kind),
                       scn->app_count);
    }
    return true;
}

static bool read_apps(struct parser *p)
{
    enum slt_scn_kind kind = SLT_SCN_BULK;
    struct range from;
    struct range to;
    struct slt_scn_app like;
    if (!take_kind(p, &kind) || !take_range(p, "app", &from)) {
        return false;
    }
    if (!slt_scn_take(&p->reader, "->")) {
        const char *word = slt_scn_peek(&p->reader);
        return slt_scn_wrong(&p->reader, "app wants FROM -> TO; '%.40s' stands where -> should",
                             word ? word : "");
    }
    if (!take_range(p, "app", &to)) {
        return false;
    }
    slt_scn_app_init(&like, kind);
    if (!slt_scn_read_app(&p->reader, &like)) {
        return false;
    }
    for (uint32_t i = from.first; i <= from.last; i++) {
        for (uint32_t k = to.first; k <= to.last; k++) {
            uint32_t a;
            uint32_t b;
            if (!node_in(p, &from, i, &a) || !node_in(p, &to, k, &b) || !add_app(p, &like, a, b)) {
                return false;
            }
        }
    }
    return true;
}

/* The ways of a link as the changes so far have left them at a time. */
static void ways_before(const struct slt_scn *scn, uint32_t link, int64_t at_ns,
                        struct slt_scn_way way[2])
{
    int64_t latest_ns = -1;
    memcpy(way, scn->link[link].way, sizeof(scn->link[link].way));
    for (uint32_t i = 0; i < scn->change_count; i++) {
        const struct slt_scn_change *change = &scn->change[i];
        if (change->link == link && change->at_ns <= at_ns && change->at_ns >= latest_ns) {
            memcpy(way, change->way, sizeof(change->way));
            latest_ns = change->at_ns;
        }
    }
}

static bool read_change(struct parser *p)
{
    struct slt_scn *scn = p->scn;
    int64_t at_ns;
    uint32_t a;
    uint32_t b;
    if (!slt_scn_value(&p->reader, "at", SLT_SCN_VALUE_TIME, &at_ns)) {
        return false;
    }
    if (!slt_scn_take(&p->reader, "link")) {
        return slt_scn_wrong(&p->reader, "at a time a link can change: at 10s link a b rate 1Mb/s");
    }
    if (!take_node(p, "at", &a)) {
        return false;
    }
    bool both = !slt_scn_take(&p->reader, "->");
    if (!take_node(p, "at", &b)) {
        return false;
    }
    uint32_t link = find_link(scn, a, b);
    if (link == NODE_NONE) {
        return slt_scn_wrong(&p->reader, "%s and %s are not linked", scn->node[a].name,
                             scn->node[b].name);
    }
    if (scn->change_count == SLT_SCN_CHANGES_MAX) {
        return slt_scn_wrong(&p->reader, "more than %u changes", SLT_SCN_CHANGES_MAX);
    }
    struct slt_scn_change change = {.at_ns = at_ns, .link = link};
    struct slt_scn_way way[2];
    ways_before(scn, link, at_ns, change.way);
    uint32_t forth = scn->link[link].a == a ? 0 : 1;
    way[0] = change.way[forth];
    way[1] = change.way[1 - forth];
    if (!slt_scn_read_ways(&p->reader, way, both)) {
        return false;
    }
    change.way[forth] = way[0];
    change.way[1 - forth] = way[1];
    scn->change[scn->change_count++] = change;
    return true;
}

static bool read_let(struct parser *p)
{
    struct slt_scn *scn = p->scn;
    const char *name = slt_scn_next(&p->reader);
    const char *value = slt_scn_next(&p->reader);
    if (name == NULL || value == NULL || !is_name(name) || strlen(value) >= 64) {
        return slt_scn_wrong(&p->reader, "let wants a name and a value: let rate 10Mb/s");
    }
    uint32_t at = 0;
    while (at < scn->var_count && strcmp(scn->var[at].name, name) != 0) {
        at++;
    }
    if (at == SLT_SCN_VARS_MAX) {
        return slt_scn_wrong(&p->reader, "more than %u variables", SLT_SCN_VARS_MAX);
    }
    struct slt_scn_var *var = &scn->var[at];
    if (at == scn->var_count) {
        scn->var_count++;
        *var = (struct slt_scn_var){.fixed = false};
    }
    var->used = true;
    if (!var->fixed) {
        (void)snprintf(var->name, sizeof(var->name), "%s", name);
        (void)snprintf(var->value, sizeof(var->value), "%s", value);
    }
    return true;
}

/* A title is the rest of its line, whatever stands there. */
static bool take_title(struct parser *p, const char *line)
{
    line += strspn(line, " \t");
    if (strncmp(line, "title ", 6) != 0) {
        return false;
    }
    (void)snprintf(p->scn->title, sizeof(p->scn->title), "%.*s", (int)strcspn(line + 6, "\r"),
                   line + 6);
    return true;
}

static bool read_time(struct parser *p, const char *what, int64_t *to)
{
    if (!slt_scn_value(&p->reader, what, SLT_SCN_VALUE_TIME, to)) {
        return false;
    }
    return *to >= SLT_NS_PER_MS || slt_scn_wrong(&p->reader, "%s is at least 1ms", what);
}

static bool read_statement(struct parser *p)
{
    const char *verb = slt_scn_next(&p->reader);
    bool fine;
    if (strcmp(verb, "host") == 0 || strcmp(verb, "router") == 0) {
        fine = read_nodes(p, verb[0] == 'r');
    } else if (strcmp(verb, "link") == 0) {
        fine = read_links(p);
    } else if (strcmp(verb, "app") == 0) {
        fine = read_apps(p);
    } else if (strcmp(verb, "at") == 0) {
        fine = read_change(p);
    } else if (strcmp(verb, "let") == 0) {
        fine = read_let(p);
    } else if (strcmp(verb, "run") == 0) {
        fine = read_time(p, "run", &p->scn->run_ns);
    } else if (strcmp(verb, "sample") == 0) {
        fine = read_time(p, "sample", &p->scn->sample_ns);
    } else {
        return slt_scn_wrong(&p->reader,
                             "there is no '%.40s'; a statement begins with host, router, link, "
                             "app, at, let, title, run or sample",
                             verb);
    }
    if (fine && slt_scn_peek(&p->reader) != NULL) {
        return slt_scn_wrong(&p->reader, "what is '%.40s' for? %s is complete before it",
                             slt_scn_peek(&p->reader), verb);
    }
    return fine;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* The value of a variable; NULL with a message. */
static const char *value_of(struct parser *p, const char *name, size_t bytes)
{
    for (uint32_t i = 0; i < p->scn->var_count; i++) {
        const struct slt_scn_var *var = &p->scn->var[i];
        if (var->used && strlen(var->name) == bytes && memcmp(var->name, name, bytes) == 0) {
            return var->value;
        }
    }
    (void)slt_scn_wrong(&p->reader, "there is no variable $%.*s: say `let %.*s VALUE` above",
                        (int)bytes, name, (int)bytes, name);
    return NULL;
}

/* Copy a word with the values of the variables in it: $name, or $a,$b in a pair. */
static bool copy_word(struct parser *p, const char *word, char copy[SLT_SCN_WORD_BYTES])
{
    size_t used = 0;
    while (*word != '\0') {
        size_t bytes = 1;
        const char *from = word;
        if (*word == '$') {
            size_t name = strspn(word + 1, name_letters);
            from = value_of(p, word + 1, name);
            if (from == NULL) {
                return false;
            }
            bytes = strlen(from);
            word += name;
        }
        if (used + bytes >= SLT_SCN_WORD_BYTES) {
            return slt_scn_wrong(&p->reader, "'%.60s...' is too long", copy);
        }
        memcpy(copy + used, from, bytes);
        used += bytes;
        copy[used] = '\0';
        word++;
    }
    return true;
}

/* Cut one statement into words, which are copies: pairs are cut further. */
static bool cut_words(struct parser *p, char *text, char copies[][SLT_SCN_WORD_BYTES])
{
    char *rest = text;
    p->reader.count = 0;
    p->reader.at = 0;
    for (char *word; (word = strtok_r(rest, " \t\r", &rest)) != NULL;) {
        if (p->reader.count == SLT_SCN_WORDS_MAX) {
            return slt_scn_wrong(&p->reader, "more than %u words", SLT_SCN_WORDS_MAX);
        }
        copies[p->reader.count][0] = '\0';
        if (!copy_word(p, word, copies[p->reader.count])) {
            return false;
        }
        p->reader.word[p->reader.count] = copies[p->reader.count];
        p->reader.count++;
    }
    return true;
}

static bool read_line(struct parser *p, char *line)
{
    char copies[SLT_SCN_WORDS_MAX][SLT_SCN_WORD_BYTES];
    if (take_title(p, line)) {
        return true;
    }
    line[strcspn(line, "#")] = '\0';
    char *rest = line;
    for (char *statement; (statement = strsep(&rest, ";")) != NULL;) {
        if (!cut_words(p, statement, copies) || (p->reader.count > 0 && !read_statement(p))) {
            return false;
        }
    }
    return true;
}

static bool check_whole(struct parser *p)
{
    struct slt_scn *scn = p->scn;
    for (uint32_t i = 0; i < scn->var_count; i++) {
        if (!scn->var[i].used) {
            return slt_scn_wrong(&p->reader, "nothing here is called %s: it has no `let %s`",
                                 scn->var[i].name, scn->var[i].name);
        }
    }
    if (scn->app_count == 0) {
        return slt_scn_wrong(&p->reader, "nothing happens here: there is no app");
    }
    for (uint32_t i = 0; i < scn->app_count && scn->run_ns == 0; i++) {
        const struct slt_scn_app *app = &scn->app[i];
        bool ends = app->stop_ns != SLT_NEVER || (app->kind == SLT_SCN_BULK && app->bytes.mean) ||
                    (app->kind != SLT_SCN_ONOFF && app->rounds > 0);
        if (!ends) {
            return slt_scn_wrong(&p->reader, "app %s has no end: say how long to run (run 30s)",
                                 app->label);
        }
    }
    return true;
}

void slt_scn_init(struct slt_scn *scn)
{
    memset(scn, 0, sizeof(*scn));
}

bool slt_scn_set(struct slt_scn *scn, const char *assignment)
{
    const char *equals = strchr(assignment, '=');
    if (equals == NULL || equals == assignment || scn->var_count == SLT_SCN_VARS_MAX ||
        (size_t)(equals - assignment) >= SLT_SCN_NAME_BYTES || strlen(equals + 1) >= 64 ||
        equals[1] == '\0') {
        return false;
    }
    struct slt_scn_var *var = &scn->var[scn->var_count++];
    *var = (struct slt_scn_var){.fixed = true};
    (void)snprintf(var->name, sizeof(var->name), "%.*s", (int)(equals - assignment), assignment);
    (void)snprintf(var->value, sizeof(var->value), "%s", equals + 1);
    return true;
}

bool slt_scn_parse(struct slt_scn *scn, const char *name, const char *text,
                   char why[SLT_SCN_SENTENCE_MAX])
{
    struct parser p = {.scn = scn, .reader = {.name = name, .why = why}};
    char *copy = strdup(text);
    if (copy == NULL) {
        (void)snprintf(why, SLT_SCN_SENTENCE_MAX, "no memory");
        return false;
    }
    why[0] = '\0';
    char *rest = copy;
    bool fine = true;
    for (char *line; fine && (line = strsep(&rest, "\n")) != NULL;) {
        p.reader.line++;
        fine = read_line(&p, line);
    }
    free(copy);
    return fine && check_whole(&p);
}
