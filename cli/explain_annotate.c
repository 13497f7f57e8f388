/* salut explain --annotate: the capture again, each packet of a connection with a comment; see
 * explain_show.h.
 *
 * The file is read a second time. What is to be said is gathered before: a note for every packet
 * that a connection kept, by the packet's number.
 */
#include "cli/explain_show.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define COMMENT_MAX    1024U
#define INTERFACES_MAX SLT_PCAPNG_INTERFACES_MAX
#define HEAD_MAX       4096U

struct note {
    uint32_t number;
    uint32_t flow; /* index into the view's flows */
    uint32_t step;
};

struct copier {
    const struct slt_explain_view *view;
    FILE *to;
    struct note *notes;
    size_t note_count;
    size_t note_at;
    struct slt_explain_states **states; /* of each flow, as long as it has changes */
    uint32_t number;
    uint16_t linktypes[INTERFACES_MAX]; /* written so far */
    uint32_t linktype_count;
    uint8_t *block;
    uint32_t block_room;
};

static int compare_notes(const void *a, const void *b)
{
    const struct note *x = a;
    const struct note *y = b;
    return x->number < y->number ? -1 : x->number > y->number;
}

/* A flow's states without the room for changes that it has not. */
static struct slt_explain_states *keep_states(const struct slt_explain_flow *flow)
{
    struct slt_explain_states all;
    slt_explain_states_of(flow, &all);
    size_t bytes =
        offsetof(struct slt_explain_states, changes) + all.count * sizeof(all.changes[0]);
    struct slt_explain_states *kept = malloc(bytes);
    if (kept != NULL) {
        memcpy(kept, &all, bytes);
    }
    return kept;
}

static bool gather(struct copier *c)
{
    size_t count = 0;
    for (size_t i = 0; i < c->view->count; i++) {
        count += c->view->flows[i]->step_count;
    }
    c->notes = malloc((count + 1) * sizeof(*c->notes));
    c->states = calloc(c->view->count + 1, sizeof(*c->states));
    if (c->notes == NULL || c->states == NULL) {
        return false;
    }
    for (size_t i = 0; i < c->view->count; i++) {
        const struct slt_explain_flow *f = c->view->flows[i];
        c->states[i] = keep_states(f);
        if (c->states[i] == NULL) {
            return false;
        }
        for (uint32_t k = 0; k < f->step_count; k++) {
            c->notes[c->note_count] = (struct note){f->steps[k].number, (uint32_t)i, k};
            c->note_count++;
        }
    }
    qsort(c->notes, c->note_count, sizeof(*c->notes), compare_notes);
    return true;
}

static bool put(struct copier *c, uint32_t bytes)
{
    return bytes > 0 && fwrite(c->block, 1, bytes, c->to) == bytes;
}

static bool reserve(struct copier *c, uint32_t bytes)
{
    if (bytes <= c->block_room) {
        return true;
    }
    uint8_t *block = realloc(c->block, bytes);
    if (block != NULL) {
        c->block = block;
        c->block_room = bytes;
    }
    return block != NULL;
}

static bool put_head(struct copier *c)
{
    if (!reserve(c, HEAD_MAX)) {
        return false;
    }
    struct slt_writer w = slt_writer_of(c->block, c->block_room);
    return put(c, slt_pcapng_section_emit("salut explain",
                                          "states read off the packets: ! proved, "
                                          "? assumed, x refuted",
                                          &w));
}

/* One interface for each link type is enough: which one a packet came from is not kept. */
static bool find_interface(struct copier *c, uint16_t linktype, uint32_t *index)
{
    for (*index = 0; *index < c->linktype_count; (*index)++) {
        if (c->linktypes[*index] == linktype) {
            return true;
        }
    }
    if (c->linktype_count == INTERFACES_MAX) {
        return false;
    }
    c->linktypes[c->linktype_count] = linktype;
    c->linktype_count++;
    const struct slt_pcapng_interface interface = {.linktype = linktype, .resolution = 9};
    struct slt_writer w = slt_writer_of(c->block, c->block_room);
    return put(c, slt_pcapng_interface_emit(&interface, NULL, &w));
}

static size_t add_line(char *out, size_t used, const char *text)
{
    int n = snprintf(out + used, COMMENT_MAX - used, "%s%s", used > 0 ? "\n" : "", text);
    size_t more = n > 0 ? (size_t)n : 0;
    return used + more < COMMENT_MAX ? used + more : COMMENT_MAX - 1;
}

static size_t write_changes(const struct copier *c, const struct note *note, char *out, size_t used)
{
    const struct slt_explain_flow *flow = c->view->flows[note->flow];
    const struct slt_explain_states *states = c->states[note->flow];
    uint32_t step = note->step;
    static const char marks[] = "?!x";
    for (uint32_t i = 0; i < states->count; i++) {
        const struct slt_explain_change *change = &states->changes[i];
        char line[256];
        char proof[32] = "";
        if (change->step != step) {
            continue;
        }
        if (change->proof != SLT_NO_STEP && change->proof != step) {
            (void)snprintf(proof, sizeof(proof), " [#%u]", flow->steps[change->proof].number);
        }
        (void)snprintf(line, sizeof(line), "%c %s %s -> %s: %s%s", marks[change->certainty],
                       change->end == 0 ? "client" : "server", slt_explain_state_name(change->from),
                       slt_explain_state_name(change->to), change->why, proof);
        used = add_line(out, used, line);
    }
    return used;
}

/* "connection 3: client ESTABLISHED, server CLOSE-WAIT?" and what is remarkable. */
static size_t write_comment(struct copier *c, const struct note *note, char *out)
{
    char line[256];
    const struct slt_explain_flow *flow = c->view->flows[note->flow];
    const struct slt_explain_states *states = c->states[note->flow];
    struct slt_explain_cursor cursor;
    slt_explain_cursor_init(&cursor, states);
    for (uint32_t i = 0; i < states->count; i++) {
        if (states->changes[i].shown <= note->step) {
            slt_explain_cursor_move(&cursor, states, states->changes[i].shown);
        }
    }
    slt_explain_cursor_move(&cursor, states, note->step);
    (void)snprintf(
        line, sizeof(line), "connection %u: client %s%s, server %s%s", flow->id,
        slt_explain_state_name(cursor.state[0]), cursor.certainty[0] == SLT_PROVED ? "" : "?",
        slt_explain_state_name(cursor.state[1]), cursor.certainty[1] == SLT_PROVED ? "" : "?");
    size_t used = add_line(out, 0, line);
    used = write_changes(c, note, out, used);
    (void)slt_explain_remark(&flow->steps[note->step], line, sizeof(line));
    return line[0] == '\0' ? used : add_line(out, used, line);
}

static bool put_packet(struct copier *c, struct slt_capture_packet *packet, uint16_t linktype)
{
    char comment[COMMENT_MAX];
    c->number++;
    while (c->note_at < c->note_count && c->notes[c->note_at].number < c->number) {
        c->note_at++;
    }
    packet->comment_bytes = 0;
    packet->comment = NULL;
    if (c->note_at < c->note_count && c->notes[c->note_at].number == c->number) {
        packet->comment_bytes = (uint32_t)write_comment(c, &c->notes[c->note_at], comment);
        packet->comment = comment;
    }
    if (packet->at_ns < 0) {
        packet->at_ns = 0;
    }
    if (!find_interface(c, linktype, &packet->interface_index)) {
        return false;
    }
    uint32_t bytes = slt_pcapng_packet_bytes(packet);
    if (!reserve(c, bytes)) {
        return false;
    }
    struct slt_writer w = slt_writer_of(c->block, c->block_room);
    return put(c, slt_pcapng_packet_emit(packet, &w));
}

static bool copy(struct copier *c, struct slt_explain_file *file)
{
    struct slt_capture_packet packet;
    uint16_t linktype;
    if (!gather(c) || !put_head(c)) {
        return false;
    }
    while (slt_explain_file_next(file, &packet, &linktype) == SLT_READ_PACKET) {
        if (!put_packet(c, &packet, linktype)) {
            return false;
        }
    }
    return true;
}

bool slt_explain_annotate(const struct slt_explain_view *view, struct slt_explain_file *file,
                          const char *path)
{
    struct copier c = {.view = view};
    errno = 0;
    c.to = fopen(path, "wbe");
    if (c.to == NULL) {
        return false;
    }
    bool fine = slt_explain_file_rewind(file) && copy(&c, file);
    fine = fclose(c.to) == 0 && fine;
    free(c.notes);
    for (size_t i = 0; c.states != NULL && i < view->count; i++) {
        free(c.states[i]);
    }
    free(c.states);
    free(c.block);
    return fine;
}
