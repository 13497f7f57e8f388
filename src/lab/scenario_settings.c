/* What a host, a link and an application can be told, with units and domains.
 *
 * A host's settings are fields of struct salut_config: a new one there becomes a word here with
 * one row. Domains are those that make sense on a wire; salut_create has the last word.
 */
#include "lab/scenario_settings.h"

#include <string.h>

#define GIGA     INT64_C(1000000000)
#define TIME_MAX (3600 * SLT_NS_PER_S)

#define FIELD(type, field) (uint32_t)sizeof(((type *)0)->field), offsetof(type, field)

#define HOST(word, kind, field, low, high)                                                         \
    {                                                                                              \
        word, kind, FIELD(struct salut_config, field), low, high, kind, 0                          \
    }
#define WAY(word, kind, field, low, high)                                                          \
    {                                                                                              \
        word, kind, FIELD(struct slt_scn_way, field), low, high, kind, 0                           \
    }
#define WAY2(word, kind, field, high, kind2, field2)                                               \
    {                                                                                              \
        word, kind, FIELD(struct slt_scn_way, field), 0, high, kind2,                              \
            offsetof(struct slt_scn_way, field2)                                                   \
    }
#define APP(word, kind, field, low, high)                                                          \
    {                                                                                              \
        word, kind, FIELD(struct slt_scn_app, field), low, high, kind, 0                           \
    }

static const struct slt_scn_setting host_table[] = {
    HOST("send-buffer", SLT_SCN_VALUE_BYTES, send_buffer_bytes, 1024, GIGA),
    HOST("recv-buffer", SLT_SCN_VALUE_BYTES, recv_buffer_bytes, 1024, GIGA),
    HOST("recv-buffer-max", SLT_SCN_VALUE_BYTES, recv_buffer_max_bytes, 1024, GIGA),
    HOST("send-buffer-max", SLT_SCN_VALUE_BYTES, send_buffer_max_bytes, 1024, GIGA),
    HOST("tune-send", SLT_SCN_VALUE_SWITCH, tune_send_buffer, 0, 1),
    HOST("tune-recv", SLT_SCN_VALUE_SWITCH, tune_recv_buffer, 0, 1),
    HOST("ecn", SLT_SCN_VALUE_COUNT, ecn, SALUT_ECN_OFF, SALUT_ECN_ACCURATE),
    HOST("pacing", SLT_SCN_VALUE_SWITCH, pacing, 0, 1),
    HOST("bbr-loss", SLT_SCN_VALUE_COUNT, bbr_loss_percent, 1, 20),
    HOST("mtu-probing", SLT_SCN_VALUE_SWITCH, mtu_probing, 0, 1),
    HOST("initial-window", SLT_SCN_VALUE_COUNT, initial_window_segments, 1, 100),
    HOST("sack", SLT_SCN_VALUE_SWITCH, sack, 0, 1),
    HOST("dsack", SLT_SCN_VALUE_SWITCH, dsack, 0, 1),
    HOST("timestamps", SLT_SCN_VALUE_SWITCH, timestamps, 0, 1),
    HOST("window-scaling", SLT_SCN_VALUE_SWITCH, window_scaling, 0, 1),
    HOST("delayed-ack", SLT_SCN_VALUE_TIME, delayed_ack_ns, SLT_NS_PER_MS, SLT_NS_PER_S / 2),
    HOST("quick-acks", SLT_SCN_VALUE_COUNT, quick_acks, 0, 255),
    HOST("rto-min", SLT_SCN_VALUE_TIME, rto_min_ns, SLT_NS_PER_MS, 60 * SLT_NS_PER_S),
    HOST("rto-initial", SLT_SCN_VALUE_TIME, rto_initial_ns, SLT_NS_PER_MS, 60 * SLT_NS_PER_S),
    HOST("msl", SLT_SCN_VALUE_TIME, msl_ns, SLT_NS_PER_MS, 120 * SLT_NS_PER_S),
};

static const struct slt_scn_setting way_table[] = {
    WAY("rate", SLT_SCN_VALUE_RATE, rate_bps, 1000, 1000 * GIGA),
    WAY("delay", SLT_SCN_VALUE_TIME, delay_ns, 0, 60 * SLT_NS_PER_S),
    WAY("jitter", SLT_SCN_VALUE_TIME, jitter_ns, 0, 60 * SLT_NS_PER_S),
    WAY("loss", SLT_SCN_VALUE_CHANCE, loss_ppm, 0, SLT_SCN_CHANCE_ALWAYS),
    WAY2("burst-loss", SLT_SCN_VALUE_CHANCE, burst_ppm, SLT_SCN_CHANCE_ALWAYS / 2,
         SLT_SCN_VALUE_COUNT, burst_count),
    WAY2("reorder", SLT_SCN_VALUE_CHANCE, reorder_ppm, SLT_SCN_CHANCE_ALWAYS, SLT_SCN_VALUE_TIME,
         reorder_ns),
    WAY("dup", SLT_SCN_VALUE_CHANCE, dup_ppm, 0, SLT_SCN_CHANCE_ALWAYS),
    WAY("corrupt", SLT_SCN_VALUE_CHANCE, corrupt_ppm, 0, SLT_SCN_CHANCE_ALWAYS),
    WAY("queue", SLT_SCN_VALUE_ROOM, queue, 0, 0),
    WAY("ecn", SLT_SCN_VALUE_ROOM, ecn, 0, 0),
    WAY2("police", SLT_SCN_VALUE_RATE, police_bps, 1000 * GIGA, SLT_SCN_VALUE_BYTES, police_bytes),
    WAY("mtu", SLT_SCN_VALUE_BYTES, mtu, 68, 65535),
    WAY("icmp", SLT_SCN_VALUE_SWITCH_OFF, icmp_silent, 0, 1),
};

static const struct slt_scn_setting app_table[] = {
    APP("start", SLT_SCN_VALUE_DRAW_TIME, start, 0, 0),
    APP("stop", SLT_SCN_VALUE_TIME, stop_ns, 0, TIME_MAX),
    APP("count", SLT_SCN_VALUE_COUNT, count, 1, 20000),
    APP("every", SLT_SCN_VALUE_DRAW_TIME, every, 0, 0),
    APP("cc", SLT_SCN_VALUE_NAME, cc, 0, 0),
    APP("label", SLT_SCN_VALUE_NAME, label, 0, 0),
    APP("nagle", SLT_SCN_VALUE_SWITCH, nagle, 0, 1),
    APP("bytes", SLT_SCN_VALUE_DRAW_BYTES, bytes, 0, 0),
    APP("request", SLT_SCN_VALUE_DRAW_BYTES, request, 0, 0),
    APP("reply", SLT_SCN_VALUE_DRAW_BYTES, reply, 0, 0),
    APP("think", SLT_SCN_VALUE_DRAW_TIME, think, 0, 0),
    APP("period", SLT_SCN_VALUE_TIME, period_ns, SLT_NS_PER_MS, TIME_MAX),
    APP("rounds", SLT_SCN_VALUE_COUNT, rounds, 0, GIGA),
    APP("on", SLT_SCN_VALUE_DRAW_TIME, on, 0, 0),
    APP("off", SLT_SCN_VALUE_DRAW_TIME, off, 0, 0),
    APP("rate", SLT_SCN_VALUE_RATE, rate_bps, 1000, 1000 * GIGA),
    APP("objects", SLT_SCN_VALUE_COUNT, objects, 0, 10000),
    APP("conns", SLT_SCN_VALUE_COUNT, conns, 1, 100),
};

/* The first seven words of app_table are every application's; these are the kinds' own. */
#define APP_COMMON 7U

static const struct {
    const char *name;
    const char *words; /* in app_table, set off by blanks */
} kind_table[] = {
    [SLT_SCN_BULK] = {"bulk", " bytes "},
    [SLT_SCN_REQUEST] = {"request", " request reply think period rounds "},
    [SLT_SCN_ONOFF] = {"onoff", " on off rate "},
    [SLT_SCN_WEB] = {"web", " bytes request think rounds objects conns "},
};

const char *slt_scn_kind_name(enum slt_scn_kind kind)
{
    SLT_ASSERT(kind < SLT_SCN_KINDS);
    return kind_table[kind].name;
}

/* ---- hosts ---------------------------------------------------------------------------------- */

void slt_scn_node_init(struct slt_scn_node *node, const char *name, bool router)
{
    memset(node, 0, sizeof(*node));
    (void)strncpy(node->name, name, sizeof(node->name) - 1);
    node->router = router;
    salut_config_init(&node->config, SALUT_PROFILE_LINUX);
}

static bool read_profile(struct slt_scn_reader *reader, struct slt_scn_node *node)
{
    if (slt_scn_take(reader, "linux")) {
        salut_config_init(&node->config, SALUT_PROFILE_LINUX);
        return true;
    }
    if (slt_scn_take(reader, "rfc")) {
        salut_config_init(&node->config, SALUT_PROFILE_RFC);
        return true;
    }
    const char *word = slt_scn_peek(reader);
    return slt_scn_wrong(reader, "profile wants linux or rfc, not '%.40s'", word ? word : "");
}

bool slt_scn_read_host(struct slt_scn_reader *reader, struct slt_scn_node *node)
{
    while (slt_scn_peek(reader) != NULL) {
        bool fine;
        if (slt_scn_take(reader, "profile")) {
            fine = read_profile(reader, node);
        } else if (slt_scn_take(reader, "cc")) {
            fine = slt_scn_value(reader, "cc", SLT_SCN_VALUE_NAME, node->cc);
        } else {
            fine = slt_scn_setting(reader, host_table, SLT_ARRAY_COUNT(host_table), &node->config);
        }
        if (!fine) {
            return false;
        }
    }
    return true;
}

/* ---- links ---------------------------------------------------------------------------------- */

static bool check_way(struct slt_scn_reader *reader, const struct slt_scn_way *way)
{
    if (way->jitter_ns > way->delay_ns) {
        return slt_scn_wrong(reader, "the jitter is larger than the delay");
    }
    if (way->police_bps > 0 && way->police_bytes < 1500) {
        return slt_scn_wrong(reader, "the burst of police is at least a packet, 1500B");
    }
    bool needs_rate = way->queue.unit != SLT_SCN_ROOM_NONE || way->ecn.unit != SLT_SCN_ROOM_NONE;
    if (needs_rate && way->rate_bps == 0) {
        return slt_scn_wrong(reader, "a queue forms in front of a rate: the link needs one, such "
                                     "as rate 100Mb/s");
    }
    return true;
}

/* One word for one way, or the same for both. */
static bool read_way_word(struct slt_scn_reader *reader, struct slt_scn_way *first,
                          struct slt_scn_way *second)
{
    uint32_t at = reader->at;
    if (slt_scn_take(reader, "down") || slt_scn_take(reader, "up")) {
        first->down = strcmp(reader->word[at], "down") == 0;
        if (second != NULL) {
            second->down = first->down;
        }
        return true;
    }
    if (slt_scn_take(reader, "clean")) {
        *first = (struct slt_scn_way){.down = first->down};
        if (second != NULL) {
            *second = (struct slt_scn_way){.down = second->down};
        }
        return true;
    }
    char value[SLT_SCN_WORD_BYTES] = "";
    if (at + 1 < reader->count) { /* a pair is cut in two when it is read */
        (void)strncpy(value, reader->word[at + 1], sizeof(value) - 1);
    }
    if (!slt_scn_setting(reader, way_table, SLT_ARRAY_COUNT(way_table), first)) {
        return false;
    }
    if (second == NULL) {
        return true;
    }
    reader->at = at;
    memcpy(reader->word[at + 1], value, strlen(value) + 1);
    return slt_scn_setting(reader, way_table, SLT_ARRAY_COUNT(way_table), second);
}

bool slt_scn_read_ways(struct slt_scn_reader *reader, struct slt_scn_way way[2], bool both)
{
    struct slt_scn_way *first = &way[0];
    struct slt_scn_way *second = both ? &way[1] : NULL;
    while (slt_scn_peek(reader) != NULL) {
        if (both && slt_scn_take(reader, "back")) {
            first = &way[1];
            second = NULL;
        } else if (!read_way_word(reader, first, second)) {
            return false;
        }
    }
    return check_way(reader, &way[0]) && check_way(reader, &way[1]);
}

bool slt_scn_read_link(struct slt_scn_reader *reader, struct slt_scn_link *link)
{
    link->cost = 1;
    if (slt_scn_take(reader, "cost") &&
        !slt_scn_value(reader, "cost", SLT_SCN_VALUE_COUNT, &link->cost)) {
        return false;
    }
    if (link->cost < 1 || link->cost > 1000000) {
        return slt_scn_wrong(reader, "cost is a number from 1 to 1000000");
    }
    return slt_scn_read_ways(reader, link->way, true);
}

/* ---- applications --------------------------------------------------------------------------- */

void slt_scn_app_init(struct slt_scn_app *app, enum slt_scn_kind kind)
{
    *app = (struct slt_scn_app){
        .kind = kind,
        .stop_ns = SLT_NEVER,
        .count = 1,
        .request = {200, false},
        .reply = {10000, false},
        .on = {SLT_NS_PER_S, false},
        .off = {SLT_NS_PER_S, false},
        .rate_bps = 1000000,
        .objects = 10,
        .conns = 6,
    };
    if (kind == SLT_SCN_WEB) {
        app->bytes = (struct slt_scn_draw){30000, true};
        app->request.mean = 400;
        app->think = (struct slt_scn_draw){2 * SLT_NS_PER_S, true};
    }
}

static bool kind_takes(enum slt_scn_kind kind, const char *word)
{
    char wanted[SLT_SCN_NAME_BYTES + 2] = " ";
    if (strlen(word) >= SLT_SCN_NAME_BYTES) {
        return false;
    }
    strcat(wanted, word);
    strcat(wanted, " ");
    return strstr(kind_table[kind].words, wanted) != NULL;
}

static bool read_app_word(struct slt_scn_reader *reader, struct slt_scn_app *app)
{
    const char *word = slt_scn_peek(reader);
    bool known = false;
    bool common = false;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(app_table); i++) {
        bool same = strcmp(app_table[i].name, word) == 0;
        known = known || same;
        common = common || (same && i < APP_COMMON);
    }
    if (!common && !kind_takes(app->kind, word)) {
        return slt_scn_wrong(reader,
                             "%s '%.40s'; app %s takes: start stop count every cc label nagle%s",
                             known ? "it has no" : "there is no setting", word,
                             kind_table[app->kind].name, kind_table[app->kind].words);
    }
    return slt_scn_setting(reader, app_table, SLT_ARRAY_COUNT(app_table), app);
}

bool slt_scn_read_app(struct slt_scn_reader *reader, struct slt_scn_app *app)
{
    while (slt_scn_peek(reader) != NULL) {
        if (!read_app_word(reader, app)) {
            return false;
        }
    }
    if (!app->start.random && app->stop_ns <= app->start.mean) {
        return slt_scn_wrong(reader, "it stops before it starts");
    }
    if (app->kind == SLT_SCN_REQUEST && (app->request.mean < 1 || app->reply.mean < 1)) {
        return slt_scn_wrong(reader, "a request and a reply have at least one byte");
    }
    if (app->kind == SLT_SCN_ONOFF && (app->on.mean < SLT_NS_PER_MS || app->off.mean < 0)) {
        return slt_scn_wrong(reader, "on is at least 1ms");
    }
    if (app->kind == SLT_SCN_WEB && (app->bytes.mean < 1 || app->request.mean < 1)) {
        return slt_scn_wrong(reader, "a request and an object have at least one byte");
    }
    return true;
}
