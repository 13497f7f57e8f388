/* See filter_words.h. */
#include "observe/filter_words.h"

#include "base/compiler.h"
#include "base/time.h"
#include "observe/concern.h"
#include "observe/findings.h"
#include "wire/address.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum shape {
    SHAPE_STATE,
    SHAPE_ADDRESS,
    SHAPE_PORT,
    SHAPE_TIME,
    SHAPE_COUNT,
    SHAPE_NAME,
    SHAPE_TRUTH,
    SHAPE_FINDING
};

enum what {
    WHAT_STATE,
    WHAT_EXCLUDE,
    WHAT_SRC,
    WHAT_DST,
    WHAT_SPORT,
    WHAT_DPORT,
    WHAT_PORT,
    WHAT_AGE,
    WHAT_IDLE,
    WHAT_SILENT,
    WHAT_RTT,
    WHAT_RECVQ,
    WHAT_SENDQ,
    WHAT_QUEUE,
    WHAT_DROPS,
    WHAT_RETRANS,
    WHAT_PID,
    WHAT_UID,
    WHAT_COMM,
    WHAT_ACCEPTED,
    WHAT_ORPHAN,
    WHAT_KEEPALIVE,
    WHAT_PASSIVE,
    WHAT_FINDING,
    WHAT_COUNT
};

struct row {
    const char *word;
    uint8_t shape; /* enum shape */
};

static const struct row rows[WHAT_COUNT] = {
    [WHAT_STATE] = {"state", SHAPE_STATE},     [WHAT_EXCLUDE] = {"exclude", SHAPE_STATE},
    [WHAT_SRC] = {"src", SHAPE_ADDRESS},       [WHAT_DST] = {"dst", SHAPE_ADDRESS},
    [WHAT_SPORT] = {"sport", SHAPE_PORT},      [WHAT_DPORT] = {"dport", SHAPE_PORT},
    [WHAT_PORT] = {"port", SHAPE_PORT},        [WHAT_AGE] = {"age", SHAPE_TIME},
    [WHAT_IDLE] = {"idle", SHAPE_TIME},        [WHAT_SILENT] = {"silent", SHAPE_TIME},
    [WHAT_RTT] = {"rtt", SHAPE_TIME},          [WHAT_RECVQ] = {"recvq", SHAPE_COUNT},
    [WHAT_SENDQ] = {"sendq", SHAPE_COUNT},     [WHAT_QUEUE] = {"queue", SHAPE_COUNT},
    [WHAT_DROPS] = {"drops", SHAPE_COUNT},     [WHAT_RETRANS] = {"retrans", SHAPE_COUNT},
    [WHAT_PID] = {"pid", SHAPE_COUNT},         [WHAT_UID] = {"uid", SHAPE_COUNT},
    [WHAT_COMM] = {"comm", SHAPE_NAME},        [WHAT_ACCEPTED] = {"accepted", SHAPE_TRUTH},
    [WHAT_ORPHAN] = {"orphan", SHAPE_TRUTH},   [WHAT_KEEPALIVE] = {"keepalive", SHAPE_TRUTH},
    [WHAT_PASSIVE] = {"passive", SHAPE_TRUTH}, [WHAT_FINDING] = {"finding", SHAPE_FINDING},
};

/* ---- words ---------------------------------------------------------------------------------- */

static bool is_operator(char c)
{
    return c != '\0' && strchr("=!<>&|()", c) != NULL;
}

/* How many characters of `from` are one word. */
static size_t word_length(const char *from)
{
    static const char *const pairs[] = {"==", "!=", ">=", "<=", "&&", "||"};
    size_t n = 0;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(pairs); i++) {
        if (strncmp(from, pairs[i], 2) == 0) {
            return 2;
        }
    }
    if (is_operator(from[0])) {
        return 1;
    }
    while (from[n] != '\0' && from[n] != ' ' && from[n] != '\t' && !is_operator(from[n])) {
        n++;
    }
    return n;
}

bool slt_filter_fail(struct slt_filter_text *text, const char *what)
{
    if (!text->failed) {
        (void)snprintf(text->why, text->size, "at '%s': %s", text->word, what);
    }
    text->failed = true;
    return false;
}

bool slt_filter_next(struct slt_filter_text *text)
{
    for (; text->index < text->count; text->index++, text->at = 0) {
        const char *from = text->words[text->index] + text->at;
        size_t blank = strspn(from, " \t");
        size_t n = word_length(from + blank);
        if (n == 0) {
            continue;
        }
        size_t kept = n < SLT_FILTER_WORD_MAX ? n : SLT_FILTER_WORD_MAX - 1;
        memcpy(text->word, from + blank, kept);
        text->word[kept] = '\0';
        text->at += blank + n;
        return n < SLT_FILTER_WORD_MAX || slt_filter_fail(text, "the word is too long");
    }
    return false;
}

/* Look at the next word without taking it. */
static bool peek(const struct slt_filter_text *text, char word[SLT_FILTER_WORD_MAX])
{
    struct slt_filter_text ahead = *text;
    char why[8];
    ahead.why = why;
    ahead.size = sizeof(why);
    bool found = slt_filter_next(&ahead);
    memcpy(word, ahead.word, SLT_FILTER_WORD_MAX);
    return found;
}

struct joint_word {
    const char *word;
    uint8_t joint;
};

enum slt_joint slt_filter_joint(const struct slt_filter_text *text)
{
    static const struct joint_word joints[] = {
        {"(", SLT_JOINT_OPEN}, {")", SLT_JOINT_CLOSE}, {"and", SLT_JOINT_AND},
        {"&", SLT_JOINT_AND},  {"&&", SLT_JOINT_AND},  {"or", SLT_JOINT_OR},
        {"|", SLT_JOINT_OR},   {"||", SLT_JOINT_OR},   {"not", SLT_JOINT_NOT},
        {"!", SLT_JOINT_NOT},
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(joints); i++) {
        if (strcmp(text->word, joints[i].word) == 0) {
            return (enum slt_joint)joints[i].joint;
        }
    }
    return SLT_JOINT_NONE;
}

struct comparison_word {
    const char *word;
    uint8_t comparison;
};

static bool find_comparison(const char *word, uint8_t *comparison)
{
    static const struct comparison_word words[] = {
        {"=", SLT_EQ},   {"==", SLT_EQ},  {"eq", SLT_EQ}, {"!=", SLT_NE},
        {"ne", SLT_NE},  {"neq", SLT_NE}, {">", SLT_GT},  {"gt", SLT_GT},
        {"<", SLT_LT},   {"lt", SLT_LT},  {">=", SLT_GE}, {"ge", SLT_GE},
        {"geq", SLT_GE}, {"<=", SLT_LE},  {"le", SLT_LE}, {"leq", SLT_LE},
    };
    for (size_t i = 0; i < SLT_ARRAY_COUNT(words); i++) {
        if (strcmp(word, words[i].word) == 0) {
            *comparison = words[i].comparison;
            return true;
        }
    }
    return false;
}

/* ---- values --------------------------------------------------------------------------------- */

struct unit {
    const char *word;
    int64_t factor;
};

static bool parse_scaled(const char *word, const struct unit *units, size_t count, int64_t *value)
{
    char *end;
    if (word[0] < '0' || word[0] > '9') {
        return false;
    }
    double number = strtod(word, &end);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].word) == 0 && number < 1e15 / (double)units[i].factor * 1e3) {
            *value = (int64_t)(number * (double)units[i].factor);
            return true;
        }
    }
    return false;
}

static bool parse_time(struct slt_filter_text *text, struct slt_filter_test *test)
{
    static const struct unit units[] = {
        {"", SLT_NS_PER_S},          {"s", SLT_NS_PER_S},
        {"ms", SLT_NS_PER_MS},       {"us", 1000},
        {"m", 60 * SLT_NS_PER_S},    {"h", 3600 * SLT_NS_PER_S},
        {"d", 86400 * SLT_NS_PER_S},
    };
    return parse_scaled(text->word, units, SLT_ARRAY_COUNT(units), &test->number) ||
           slt_filter_fail(text, "a time is wanted, such as 60s, 5m or 20ms");
}

static bool parse_count(struct slt_filter_text *text, struct slt_filter_test *test)
{
    static const struct unit units[] = {
        {"", 1}, {"K", 1024}, {"k", 1024}, {"M", 1048576}, {"G", 1073741824}};
    return parse_scaled(text->word, units, SLT_ARRAY_COUNT(units), &test->number) ||
           slt_filter_fail(text, "a number is wanted, such as 1000 or 64K");
}

static bool find_port(const char *word, int64_t *port)
{
    char *end;
    const char *from = word[0] == ':' ? word + 1 : word;
    if (from[0] >= '0' && from[0] <= '9') {
        unsigned long value = strtoul(from, &end, 10);
        *port = (int64_t)value;
        return *end == '\0' && value <= UINT16_MAX;
    }
    const struct servent *service = from[0] == '\0' ? NULL : getservbyname(from, "tcp");
    if (service == NULL) {
        return false;
    }
    *port = ntohs((uint16_t)service->s_port);
    return true;
}

static bool parse_port(struct slt_filter_text *text, struct slt_filter_test *test)
{
    return find_port(text->word, &test->number) ||
           slt_filter_fail(text, "a port is wanted: 443, :443, or a service's name");
}

/* The port of "1.2.3.4:80", "[::1]:80", ":80", cut off; -1: none. False: it is none. */
static bool cut_port(char *word, int64_t *port)
{
    char *colon = strrchr(word, ':');
    char *bracket = strchr(word, ']');
    bool bare_v6 = colon != NULL && bracket == NULL && strchr(word, ':') != colon;
    *port = -1;
    if (colon == NULL || bare_v6 || (bracket != NULL && colon < bracket)) {
        return true;
    }
    bool any = strcmp(colon, ":*") == 0;
    bool fine = any || find_port(colon, port);
    *colon = '\0';
    return fine;
}

static bool parse_bits(const char *word, unsigned most, uint8_t *bits)
{
    char *end;
    unsigned long value = strtoul(word, &end, 10);
    if (end == word || *end != '\0' || value > most) {
        return false;
    }
    *bits = (uint8_t)(128 - most + value);
    return true;
}

/* "10", "10.1" are short for "10.0.0.0", "10.1.0.0", as ss has it. */
static void complete_v4(char *word, size_t size)
{
    unsigned dots = 0;
    for (const char *c = word; *c != '\0'; c++) {
        dots += *c == '.';
    }
    bool digits = strspn(word, "0123456789.") == strlen(word) && word[0] != '\0';
    for (; digits && dots < 3 && strlen(word) + 3 < size; dots++) {
        memcpy(word + strlen(word), ".0", 3);
    }
}

static bool parse_address(struct slt_filter_text *text, struct slt_filter_test *test)
{
    char word[SLT_FILTER_WORD_MAX];
    memcpy(word, text->word, sizeof(word));
    if (!cut_port(word, &test->number)) {
        return slt_filter_fail(text, "the port after ':' is none");
    }
    char bits[8] = "";
    char *slash = strchr(word, '/');
    if (slash != NULL) {
        (void)snprintf(bits, sizeof(bits), "%s", slash + 1);
        *slash = '\0';
    }
    size_t n = strlen(word);
    if (n == 0 || strcmp(word, "*") == 0) {
        test->prefix_bits = 0;
        return slash == NULL || slt_filter_fail(text, "bits without an address");
    }
    if (word[0] == '[' && word[n - 1] == ']') {
        memmove(word, word + 1, n - 2);
        word[n - 2] = '\0';
    }
    complete_v4(word, sizeof(word));
    if (salut_addr_parse(word, &test->addr) != SALUT_OK) {
        return slt_filter_fail(text, "an address is wanted: 10.0.0.0/8, [fd00::1]:443, :80");
    }
    test->prefix_bits = 128;
    return slash == NULL ||
           parse_bits(bits, slt_address_is_v4(test->addr.b) ? 32 : 128, &test->prefix_bits) ||
           slt_filter_fail(text, "the number of bits after '/' is none");
}

static bool parse_states(struct slt_filter_text *text, struct slt_filter_test *test)
{
    static const uint32_t all = (1U << SALUT_STATE_COUNT) - 1;
    static const uint32_t minor = 1U << SALUT_STATE_TIME_WAIT | 1U << SALUT_STATE_SYN_RECEIVED;
    static const uint32_t unconnected = 1U << SALUT_STATE_LISTEN | 1U << SALUT_STATE_CLOSED;
    enum salut_state state;
    if (strcmp(text->word, "all") == 0) {
        test->states = all;
    } else if (strcmp(text->word, "connected") == 0) {
        test->states = all & ~unconnected;
    } else if (strcmp(text->word, "synchronized") == 0) {
        test->states = all & ~unconnected & ~(1U << SALUT_STATE_SYN_SENT);
    } else if (strcmp(text->word, "bucket") == 0) {
        test->states = minor;
    } else if (strcmp(text->word, "big") == 0) {
        test->states = all & ~minor;
    } else if (slt_seen_parse_state(text->word, &state)) {
        test->states = 1U << state;
    } else {
        return slt_filter_fail(text,
                               "no state is called so; established, close-wait, listening...");
    }
    return true;
}

static bool parse_truth(struct slt_filter_text *text, struct slt_filter_test *test)
{
    bool yes = strcmp(text->word, "yes") == 0;
    test->number = yes ? SLT_YES : SLT_NO;
    return yes || strcmp(text->word, "no") == 0 || slt_filter_fail(text, "yes or no is wanted");
}

static bool parse_name(struct slt_filter_text *text, struct slt_filter_test *test)
{
    size_t n = strlen(text->word);
    if (n >= sizeof(test->word)) {
        return slt_filter_fail(text, "no program's name is that long");
    }
    memcpy(test->word, text->word, n + 1);
    return true;
}

static bool parse_finding(struct slt_filter_text *text, struct slt_filter_test *test)
{
    test->number = slt_finding_parse(text->word);
    return test->number != SLT_FIND_COUNT ||
           slt_filter_fail(text, "no such finding; salut doctor --list names them");
}

/* ---- tests ---------------------------------------------------------------------------------- */

static bool parse_value(struct slt_filter_text *text, struct slt_filter_test *test)
{
    switch ((enum shape)rows[test->what].shape) {
    case SHAPE_STATE:
        return parse_states(text, test);
    case SHAPE_ADDRESS:
        return parse_address(text, test);
    case SHAPE_PORT:
        return parse_port(text, test);
    case SHAPE_TIME:
        return parse_time(text, test);
    case SHAPE_COUNT:
        return parse_count(text, test);
    case SHAPE_NAME:
        return parse_name(text, test);
    case SHAPE_FINDING:
        return parse_finding(text, test);
    case SHAPE_TRUTH:
        break;
    }
    return parse_truth(text, test);
}

/* A comparison, where one is given; states have none, addresses may leave it out. */
static bool parse_comparison(struct slt_filter_text *text, struct slt_filter_test *test)
{
    char next[SLT_FILTER_WORD_MAX];
    uint8_t shape = rows[test->what].shape;
    test->comparison = SLT_EQ;
    bool given = peek(text, next) && find_comparison(next, &test->comparison);
    bool ordered = test->comparison != SLT_EQ && test->comparison != SLT_NE;
    if (given) {
        (void)slt_filter_next(text);
    }
    if (given && shape == SHAPE_STATE) {
        return slt_filter_fail(text, "a state follows at once");
    }
    bool named = shape == SHAPE_NAME || shape == SHAPE_TRUTH || shape == SHAPE_FINDING;
    if (ordered && (shape == SHAPE_ADDRESS || named)) {
        return slt_filter_fail(text, "only = and != have a meaning here");
    }
    bool optional = shape == SHAPE_STATE || shape == SHAPE_ADDRESS;
    return given || optional || slt_filter_fail(text, "a comparison must follow: = != > < >= <=");
}

/* `finding` without a comparison is any. */
static bool is_alone(struct slt_filter_text *text, struct slt_filter_test *test)
{
    char next[SLT_FILTER_WORD_MAX];
    uint8_t comparison;
    if (test->what != WHAT_FINDING || (peek(text, next) && find_comparison(next, &comparison))) {
        return false;
    }
    test->number = SLT_FIND_COUNT;
    return true;
}

bool slt_filter_asks_finding(const struct slt_filter_test *test)
{
    return test->what == WHAT_FINDING;
}

bool slt_filter_parse_test(struct slt_filter_text *text, struct slt_filter_test *test)
{
    *test = (struct slt_filter_test){.what = WHAT_COUNT};
    for (uint8_t i = 0; i < WHAT_COUNT; i++) {
        if (strcmp(text->word, rows[i].word) == 0) {
            test->what = i;
        }
    }
    if (test->what == WHAT_COUNT) {
        test->what = WHAT_PORT;
        test->comparison = SLT_EQ;
        bool port = text->word[0] == ':' || strspn(text->word, "0123456789") == strlen(text->word);
        return port ? parse_port(text, test)
                    : slt_filter_fail(text, "no such word; a filter is like ss's: state "
                                            "established dport = :443");
    }
    if (is_alone(text, test)) {
        return true;
    }
    if (!parse_comparison(text, test)) {
        return false;
    }
    return slt_filter_next(text) ? parse_value(text, test)
                                 : slt_filter_fail(text, "something must follow");
}

/* ---- asking a record ------------------------------------------------------------------------ */

static bool compare(const struct slt_filter_test *test, int64_t fact)
{
    switch ((enum slt_comparison)test->comparison) {
    case SLT_EQ:
        return fact == test->number;
    case SLT_NE:
        return fact != test->number;
    case SLT_GT:
        return fact > test->number;
    case SLT_LT:
        return fact < test->number;
    case SLT_GE:
        return fact >= test->number;
    case SLT_LE:
        break;
    }
    return fact <= test->number;
}

static bool compare_known(const struct slt_filter_test *test, int64_t fact)
{
    return fact != SLT_UNKNOWN && compare(test, fact);
}

/* "At least 5 s" is more than 4 s for sure; whether it is less than 6 s nobody knows. */
static bool compare_span(const struct slt_filter_test *test, const struct slt_seen_span *span)
{
    bool upward = test->comparison == SLT_GT || test->comparison == SLT_GE;
    bool downward = test->comparison == SLT_LT || test->comparison == SLT_LE;
    bool known = span->how == SLT_SPAN_EXACT || (span->how == SLT_SPAN_AT_LEAST && upward) ||
                 (span->how == SLT_SPAN_AT_MOST && downward);
    return known && compare(test, span->ns);
}

static bool in_prefix(const salut_addr *addr, const salut_addr *prefix, unsigned bits)
{
    unsigned whole = bits / 8;
    unsigned rest = bits % 8;
    if (memcmp(addr->b, prefix->b, whole) != 0) {
        return false;
    }
    return rest == 0 || (addr->b[whole] ^ prefix->b[whole]) >> (8 - rest) == 0;
}

static bool address_holds(const struct slt_filter_test *test, const salut_addr *addr, uint16_t port)
{
    bool holds = in_prefix(addr, &test->addr, test->prefix_bits) &&
                 (test->number < 0 || test->number == port);
    return holds == (test->comparison == SLT_EQ);
}

static bool name_holds(const struct slt_filter_test *test, const char *name)
{
    const char *wanted = test->word;
    size_t n = strlen(wanted);
    bool front = n > 0 && wanted[0] == '*';
    bool back = n > 1 && wanted[n - 1] == '*';
    char middle[SLT_SEEN_NAME_MAX];
    size_t bytes = n - (front ? 1 : 0) - (back ? 1 : 0);
    memcpy(middle, wanted + (front ? 1 : 0), bytes);
    middle[bytes] = '\0';
    const char *found = strstr(name, middle);
    size_t length = strlen(name);
    bool holds;
    if (front && back) {
        holds = found != NULL;
    } else if (front) {
        holds = length >= bytes && strcmp(name + length - bytes, middle) == 0;
    } else if (back) {
        holds = found == name;
    } else {
        holds = strcmp(name, middle) == 0;
    }
    return holds == (test->comparison == SLT_EQ);
}

static bool port_holds(const struct slt_filter_test *test, const struct slt_seen *seen)
{
    bool ours = compare(test, seen->local_port);
    bool theirs = seen->remote_port != 0 && compare(test, seen->remote_port);
    return test->comparison == SLT_NE ? ours && (seen->remote_port == 0 || theirs) : ours || theirs;
}

static int64_t send_queue(const struct slt_seen *seen)
{
    if (seen->unacked == SLT_UNKNOWN) {
        return seen->unsent;
    }
    return seen->unsent == SLT_UNKNOWN ? seen->unacked : seen->unacked + seen->unsent;
}

static int64_t count_of(uint8_t what, const struct slt_seen *seen)
{
    switch (what) {
    case WHAT_RECVQ:
        return seen->kind == SLT_SEEN_LISTENER ? seen->queue : seen->unread;
    case WHAT_SENDQ:
        return seen->kind == SLT_SEEN_LISTENER ? seen->queue_limit : send_queue(seen);
    case WHAT_QUEUE:
        return seen->queue;
    case WHAT_DROPS:
        return seen->drops;
    case WHAT_RETRANS:
        return seen->retransmits;
    case WHAT_PID:
        return seen->pid;
    case WHAT_UID:
        return seen->uid;
    default:
        return SLT_UNKNOWN;
    }
}

static uint8_t truth_of(uint8_t what, const struct slt_seen *seen)
{
    switch (what) {
    case WHAT_ACCEPTED:
        return seen->accepted;
    case WHAT_ORPHAN:
        return seen->orphan;
    case WHAT_KEEPALIVE:
        return seen->keepalive;
    case WHAT_PASSIVE:
        return seen->passive;
    default:
        return SLT_DONT_KNOW;
    }
}

static bool time_holds(const struct slt_filter_test *test, const struct slt_seen *seen)
{
    switch (test->what) {
    case WHAT_AGE:
        return compare_span(test, &seen->age);
    case WHAT_IDLE:
        return compare_span(test, &seen->idle);
    case WHAT_SILENT:
        return compare_span(test, &seen->silent);
    default:
        return seen->rtt_us != SLT_UNKNOWN && compare(test, seen->rtt_us * 1000);
    }
}

static bool side_holds(const struct slt_filter_test *test, const struct slt_seen *seen)
{
    switch (test->what) {
    case WHAT_SRC:
        return address_holds(test, &seen->local, seen->local_port);
    case WHAT_DST:
        return address_holds(test, &seen->remote, seen->remote_port);
    case WHAT_SPORT:
        return compare(test, seen->local_port);
    case WHAT_DPORT:
        return compare(test, seen->remote_port);
    default:
        return port_holds(test, seen);
    }
}

bool slt_filter_holds(const struct slt_filter_test *test, const struct slt_seen *seen)
{
    uint8_t truth;
    switch ((enum shape)rows[test->what].shape) {
    case SHAPE_STATE:
        return ((test->states & 1U << seen->state) != 0) == (test->what == WHAT_STATE);
    case SHAPE_ADDRESS:
    case SHAPE_PORT:
        return side_holds(test, seen);
    case SHAPE_TIME:
        return time_holds(test, seen);
    case SHAPE_COUNT:
        return compare_known(test, count_of(test->what, seen));
    case SHAPE_NAME:
        return name_holds(test, seen->program);
    case SHAPE_FINDING:
        return slt_concern_has(seen, (unsigned)test->number) == (test->comparison == SLT_EQ);
    case SHAPE_TRUTH:
        break;
    }
    truth = truth_of(test->what, seen);
    return truth != SLT_DONT_KNOW && (truth == test->number) == (test->comparison == SLT_EQ);
}
