/* See past_file.h.
 *
 * The lines are flat objects, one for each change: names and values are taken in turn, and what is
 * not known is passed over. A table of heads leads from the ends of a connection to the latest that
 * had them; a line that opens one begins a new record.
 */
#include "observe/past_file.h"

#include "base/compiler.h"
#include "wire/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADS 65536U
#define PLACE 1024U /* of a path */

struct slt_past_reader {
    struct slt_past *past;
    uint32_t heads[HEADS]; /* number of a record plus one; 0: none */
    uint32_t *next;        /* by record, likewise */
    size_t next_room;
};

/* ---- one line ------------------------------------------------------------------------------- */

struct line {
    bool is_change;
    bool is_final;
    int64_t at_ns;
    int64_t in_state_ns;
    struct slt_recorded_change change;
    struct slt_recorded conn; /* what the line says of it */
};

struct piece {
    const char *at;
    size_t bytes;
};

static bool is_word(const struct piece *p, const char *word)
{
    return strlen(word) == p->bytes && memcmp(p->at, word, p->bytes) == 0;
}

/* A string, between its quotes; false: there is none here. */
static bool take_string(const char **at, struct piece *string)
{
    const char *c = *at;
    if (*c != '"') {
        return false;
    }
    string->at = ++c;
    while (*c != '"' && *c != '\0') {
        c += *c == '\\' && c[1] != '\0' ? 2 : 1;
    }
    string->bytes = (size_t)(c - string->at);
    *at = *c == '"' ? c + 1 : c;
    return *c == '"';
}

/* A string's inside, or the letters of a number or a word. */
static bool take_value(const char **at, struct piece *value)
{
    if (**at == '"') {
        return take_string(at, value);
    }
    value->at = *at;
    value->bytes = strcspn(*at, ",} \n");
    *at += value->bytes;
    return value->bytes > 0;
}

static int64_t number_of(const struct piece *value)
{
    return strtoll(value->at, NULL, 10);
}

static void take_name(const struct piece *value, char program[SLT_SEEN_NAME_MAX])
{
    size_t bytes = value->bytes < SLT_SEEN_NAME_MAX ? value->bytes : SLT_SEEN_NAME_MAX - 1;
    memcpy(program, value->at, bytes);
    program[bytes] = '\0';
}

static void take_address(const struct piece *value, salut_addr *addr)
{
    char text[64];
    if (value->bytes < sizeof(text)) {
        memcpy(text, value->at, value->bytes);
        text[value->bytes] = '\0';
        (void)salut_addr_parse(text, addr);
    }
}

static uint8_t state_of(const struct piece *value)
{
    char word[24] = "";
    enum salut_state state = SALUT_STATE_CLOSED;
    if (value->bytes < sizeof(word)) {
        memcpy(word, value->at, value->bytes);
        (void)slt_seen_parse_state(word, &state);
    }
    return (uint8_t)state;
}

enum field {
    FIELD_EVENT,
    FIELD_AT,
    FIELD_FROM,
    FIELD_TO,
    FIELD_LOCAL,
    FIELD_LOCAL_PORT,
    FIELD_REMOTE,
    FIELD_REMOTE_PORT,
    FIELD_PID,
    FIELD_PROGRAM,
    FIELD_NETNS,
    FIELD_LASTED,
    FIELD_RETRANSMITS,
    FIELD_ODD,
    FIELD_CAUSE,
    FIELD_CERTAIN,
    FIELD_SENT,
    FIELD_RECEIVED,
    FIELD_DATA,
    FIELD_HEARD,
    FIELD_RETRY,
    FIELD_COUNT
};

static enum field field_of(const struct piece *name)
{
    static const char *const names[FIELD_COUNT] = {
        [FIELD_EVENT] = "event",
        [FIELD_AT] = "at_unix_ns",
        [FIELD_FROM] = "from",
        [FIELD_TO] = "to",
        [FIELD_LOCAL] = "local_address",
        [FIELD_LOCAL_PORT] = "local_port",
        [FIELD_REMOTE] = "remote_address",
        [FIELD_REMOTE_PORT] = "remote_port",
        [FIELD_PID] = "pid",
        [FIELD_PROGRAM] = "program",
        [FIELD_NETNS] = "netns_inode",
        [FIELD_LASTED] = "in_state_ns",
        [FIELD_RETRANSMITS] = "retransmits",
        [FIELD_ODD] = "odd_answers",
        [FIELD_CAUSE] = "cause",
        [FIELD_CERTAIN] = "certain",
        [FIELD_SENT] = "bytes_sent",
        [FIELD_RECEIVED] = "bytes_received",
        [FIELD_DATA] = "last_data_at_unix_ns",
        [FIELD_HEARD] = "last_heard_at_unix_ns",
        [FIELD_RETRY] = "retry_began_at_unix_ns",
    };
    unsigned i = 0;
    while (i < FIELD_COUNT && !is_word(name, names[i])) {
        i++;
    }
    return (enum field)i;
}

static void take_text(struct line *line, enum field field, const struct piece *value)
{
    if (field == FIELD_EVENT) {
        line->is_change = is_word(value, "change");
        line->is_final = is_word(value, "final");
    } else if (field == FIELD_FROM) {
        line->change.from = state_of(value);
    } else if (field == FIELD_TO) {
        line->change.to = state_of(value);
    } else if (field == FIELD_LOCAL) {
        take_address(value, &line->conn.local);
    } else if (field == FIELD_REMOTE) {
        take_address(value, &line->conn.remote);
    } else if (field == FIELD_PROGRAM) {
        take_name(value, line->conn.program);
    } else if (field == FIELD_CERTAIN) {
        line->change.certain = is_word(value, "true");
    } else if (field == FIELD_CAUSE) {
        enum slt_cause cause = slt_cause_parse(value->at, value->bytes);
        line->change.cause = (uint8_t)(cause == SLT_BY_COUNT ? SLT_BY_UNKNOWN : cause);
    }
}

static void take_number(struct line *line, enum field field, int64_t number)
{
    struct slt_recorded *c = &line->conn;
    if (field == FIELD_LOCAL_PORT) {
        c->local_port = (uint16_t)number;
    } else if (field == FIELD_REMOTE_PORT) {
        c->remote_port = (uint16_t)number;
    } else if (field == FIELD_PID) {
        c->pid = (int32_t)number;
    } else if (field == FIELD_NETNS) {
        c->netns = (uint64_t)number;
    } else if (field == FIELD_RETRANSMITS) {
        c->retransmits = (uint32_t)number;
    } else if (field == FIELD_ODD) {
        c->odd_answers = (uint32_t)number;
    }
}

static void take_amount(struct line *line, enum field field, int64_t number)
{
    struct slt_recorded *c = &line->conn;
    if (field == FIELD_AT) {
        line->at_ns = number;
    } else if (field == FIELD_LASTED) {
        line->in_state_ns = number;
    } else if (field == FIELD_SENT) {
        c->bytes_sent = number;
    } else if (field == FIELD_RECEIVED) {
        c->bytes_received = number;
    } else if (field == FIELD_DATA) {
        c->data_ns = number;
    } else if (field == FIELD_HEARD) {
        c->heard_ns = number;
    } else if (field == FIELD_RETRY) {
        c->retry_began_ns = number;
    }
}

static bool parse(const char *text, struct line *line)
{
    struct piece name;
    struct piece value;
    *line = (struct line){.in_state_ns = SLT_UNKNOWN,
                          .conn = {.pid = SLT_UNKNOWN, .passive = SLT_DONT_KNOW, .used = 1}};
    line->conn.bytes_sent = line->conn.bytes_received = SLT_UNKNOWN;
    bool fine = *text == '{';
    while (fine && *text != '}') {
        text++; /* the brace or the comma */
        fine = take_string(&text, &name) && *text == ':';
        text += fine;
        fine = fine && take_value(&text, &value);
        if (fine) {
            enum field field = field_of(&name);
            take_text(line, field, &value);
            take_number(line, field, number_of(&value));
            take_amount(line, field, number_of(&value));
        }
        fine = fine && (*text == ',' || *text == '}');
    }
    line->conn.family = slt_address_is_v4(line->conn.local.b) ? 4 : 6;
    return fine && (line->is_change || line->is_final);
}

/* ---- connections ---------------------------------------------------------------------------- */

static uint32_t head_of(const struct slt_recorded *c)
{
    return slt_recorded_hash(&c->local, &c->remote, c->local_port, c->remote_port) % HEADS;
}

static bool same_ends(const struct slt_recorded *a, const struct slt_recorded *b)
{
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           (a->netns == 0 || b->netns == 0 || a->netns == b->netns) &&
           memcmp(a->local.b, b->local.b, sizeof(a->local.b)) == 0 &&
           memcmp(a->remote.b, b->remote.b, sizeof(a->remote.b)) == 0;
}

static struct slt_recorded *find_latest(struct slt_past_reader *r, const struct slt_recorded *c)
{
    uint32_t at = r->heads[head_of(c)];
    while (at != 0 && !same_ends(&r->past->items[at - 1], c)) {
        at = r->next[at - 1];
    }
    return at == 0 ? NULL : &r->past->items[at - 1];
}

static struct slt_recorded *begin(struct slt_past_reader *r, const struct slt_recorded *c)
{
    uint32_t *head = &r->heads[head_of(c)];
    if (!slt_past_add(r->past, c)) {
        return NULL;
    }
    if (r->next_room < r->past->room) {
        uint32_t *next = realloc(r->next, r->past->room * sizeof(*next));
        if (next == NULL) {
            r->past->count--;
            return NULL;
        }
        r->next = next;
        r->next_room = r->past->room;
    }
    r->next[r->past->count - 1] = *head;
    *head = (uint32_t)r->past->count;
    return &r->past->items[r->past->count - 1];
}

static bool is_beginning(const struct slt_recorded *known, const struct line *line)
{
    return known == NULL || known->stands == SALUT_STATE_CLOSED ||
           line->change.from == SALUT_STATE_CLOSED || line->change.from == SALUT_STATE_LISTEN ||
           (known->stands == SALUT_STATE_TIME_WAIT && line->change.from != SALUT_STATE_TIME_WAIT);
}

/* bind() that fails has no ends: a process is one record, as the recorder keeps it. */
static struct slt_recorded *find_failing(struct slt_past_reader *r, const struct line *line)
{
    for (size_t i = r->past->count; i > 0; i--) {
        struct slt_recorded *c = &r->past->items[i - 1];
        if (c->pid == line->conn.pid && slt_past_find(c, UINT64_C(1) << SLT_BY_ADDRESS_IN_USE, 0)) {
            return c;
        }
    }
    return NULL;
}

static struct slt_recorded *find_conn(struct slt_past_reader *r, const struct line *line)
{
    if (line->change.cause == SLT_BY_ADDRESS_IN_USE) {
        struct slt_recorded *c = find_failing(r, line);
        return c == NULL ? begin(r, &line->conn) : c;
    }
    struct slt_recorded *known = find_latest(r, &line->conn);
    return is_beginning(known, line) ? begin(r, &line->conn) : known;
}

static void learn_opening(struct slt_recorded *c, const struct line *line)
{
    enum slt_cause cause = (enum slt_cause)line->change.cause;
    if (cause == SLT_BY_PASSIVE_OPEN) {
        c->passive = SLT_YES;
    } else if (cause == SLT_BY_CONNECT || cause == SLT_BY_SYN_ANSWERED || cause == SLT_BY_REFUSED) {
        c->passive = SLT_NO;
    }
    if (c->change_count == 0 &&
        (cause == SLT_BY_CONNECT || line->change.from == SALUT_STATE_LISTEN)) {
        c->opened_ns = line->at_ns;
    } else if (c->opened_ns == 0 && line->change.from == SALUT_STATE_SYN_SENT &&
               line->in_state_ns != SLT_UNKNOWN) {
        c->opened_ns = line->at_ns - line->in_state_ns; /* its port was chosen after connect() */
    }
}

static bool take_change(struct slt_past_reader *r, struct line *line)
{
    struct slt_recorded *c = find_conn(r, line);
    if (c == NULL) {
        return false;
    }
    bool programs = slt_cause_is_programs((enum slt_cause)line->change.cause);
    learn_opening(c, line);
    if (line->conn.pid != SLT_UNKNOWN) {
        c->pid = line->conn.pid;
        memcpy(c->program, line->conn.program, sizeof(c->program));
    }
    c->retransmits = line->conn.retransmits;
    c->odd_answers = line->conn.odd_answers;
    line->change.at_ns = line->at_ns;
    line->change.pid = programs ? line->conn.pid : SLT_UNKNOWN;
    c->changes[c->change_count % SLT_RECORDED_MAX] = line->change;
    c->change_count++;
    c->stands = line->change.to;
    c->since_ns = line->at_ns;
    r->past->now_ns = line->at_ns > r->past->now_ns ? line->at_ns : r->past->now_ns;
    return true;
}

static void take_final(struct slt_past_reader *r, const struct line *line)
{
    struct slt_recorded *c = find_latest(r, &line->conn);
    if (c != NULL) {
        c->bytes_sent = line->conn.bytes_sent;
        c->bytes_received = line->conn.bytes_received;
        c->retransmits = line->conn.retransmits;
        c->data_ns = line->conn.data_ns;
        c->heard_ns = line->conn.heard_ns;
        c->retry_began_ns = line->conn.retry_began_ns;
    }
}

/* ---- the reader ----------------------------------------------------------------------------- */

struct slt_past_reader *slt_past_reader_new(struct slt_past *past)
{
    struct slt_past_reader *r = calloc(1, sizeof(*r));
    if (r != NULL) {
        r->past = past;
    }
    return r;
}

void slt_past_reader_free(struct slt_past_reader *r)
{
    free(r->next);
    free(r);
}

bool slt_past_reader_take(struct slt_past_reader *r, const char *text)
{
    struct line line;
    if (!parse(text, &line)) {
        return false;
    }
    if (line.is_final) {
        take_final(r, &line);
        return true;
    }
    return take_change(r, &line);
}

/* How many lines were a recorder's; a negative errno value. */
static int64_t read_file(struct slt_past_reader *r, const char *path)
{
    char *text = NULL;
    size_t room = 0;
    int64_t count = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return -errno;
    }
    while (getline(&text, &room, file) >= 0) {
        count += slt_past_reader_take(r, text);
    }
    bool failed = ferror(file) != 0;
    free(text);
    (void)fclose(file);
    return failed ? -EIO : count;
}

int slt_past_read(const char *path, struct slt_past *past)
{
    char older[PLACE];
    struct slt_past_reader *r = slt_past_reader_new(past);
    if (r == NULL) {
        return -ENOMEM;
    }
    int64_t before = 0;
    if ((size_t)snprintf(older, sizeof(older), "%s.1", path) < sizeof(older)) {
        before = read_file(r, older);
    }
    int64_t count = read_file(r, path);
    past->over = true;
    slt_past_reader_free(r);
    if (count < 0) {
        return (int)count;
    }
    return count == 0 && before <= 0 ? -EPROTO : 0;
}
