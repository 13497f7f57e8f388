/* observe/watch_model and watch_view: looks joined, marks that grow old, the order of lines, the
 * tree and the selection, without a terminal. */
#include "observe/watch_view.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- looks built by hand --------------------------------------------------------------------- */

struct bench {
    struct slt_watch_model model;
    struct slt_watch_view view;
    struct slt_watch_wish wish;
    struct slt_seen_list list;
    int64_t at_ns;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    b->at_ns = 1000 * SLT_NS_PER_S;
    *state = b;
    return b == NULL;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    slt_watch_free(&b->model);
    slt_watch_view_free(&b->view);
    slt_seen_list_free(&b->list);
    free(b);
    return 0;
}

static struct slt_seen *put(struct bench *b, uint64_t key, enum salut_state state)
{
    struct slt_seen seen;
    slt_seen_init(&seen, SLT_SOURCE_KERNEL);
    seen.key = key;
    seen.kind = state == SALUT_STATE_LISTEN ? SLT_SEEN_LISTENER : SLT_SEEN_CONN;
    seen.state = (uint8_t)state;
    seen.local_port = 80;
    seen.remote_port = (uint16_t)(40000 + key);
    assert_int_equal(salut_addr_parse("10.0.0.1", &seen.local), SALUT_OK);
    assert_int_equal(salut_addr_parse("10.0.0.2", &seen.remote), SALUT_OK);
    assert_true(slt_seen_list_add(&b->list, &seen));
    return &b->list.items[b->list.count - 1];
}

static struct slt_seen *put_owned(struct bench *b, uint64_t key, const char *program, int32_t pid)
{
    struct slt_seen *seen = put(b, key, SALUT_STATE_ESTABLISHED);
    seen->pid = pid;
    strcpy(seen->program, program);
    return seen;
}

/* The look that was put together, a second after the one before. */
static void look(struct bench *b)
{
    b->at_ns += SLT_NS_PER_S;
    assert_true(slt_watch_take(&b->model, &b->list, b->at_ns));
    b->list.count = 0;
    assert_true(slt_watch_arrange(&b->view, &b->model, &b->wish));
}

static void arrange(struct bench *b)
{
    assert_true(slt_watch_arrange(&b->view, &b->model, &b->wish));
}

static const struct slt_watch_row *row_of(const struct bench *b, uint64_t key)
{
    for (size_t i = 0; i < b->model.count; i++) {
        if (b->model.rows[i].seen.key == key) {
            return &b->model.rows[i];
        }
    }
    return NULL;
}

static enum slt_watch_mark mark_of(const struct bench *b, uint64_t key)
{
    const struct slt_watch_row *row = row_of(b, key);
    assert_non_null(row);
    return (enum slt_watch_mark)row->mark;
}

/* The keys of the lines, a row each; a head of the tree is 0. */
static void lines_are(const struct bench *b, const uint64_t *keys, size_t count)
{
    assert_int_equal(b->view.count, count);
    for (size_t i = 0; i < count; i++) {
        const struct slt_watch_line *line = &b->view.lines[i];
        uint64_t key = line->kind == SLT_WATCH_LINE_ROW ? line->row->seen.key : 0;
        assert_int_equal(key, keys[i]);
    }
}

#define LINES_ARE(b, ...)                                                                          \
    lines_are(b, (const uint64_t[]){__VA_ARGS__},                                                  \
              sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* ---- marks ----------------------------------------------------------------------------------- */

static void the_first_look_marks_nothing(void **state)
{
    struct bench *b = *state;
    put(b, 1, SALUT_STATE_ESTABLISHED);
    look(b);
    assert_int_equal(mark_of(b, 1), SLT_WATCH_STAYS);
    assert_int_equal(b->view.entered[SALUT_STATE_ESTABLISHED], 0);
    assert_int_equal(b->view.states[SALUT_STATE_ESTABLISHED], 1);
}

static void what_comes_is_new_for_three_seconds(void **state)
{
    struct bench *b = *state;
    look(b);
    put(b, 1, SALUT_STATE_ESTABLISHED);
    look(b);
    assert_int_equal(mark_of(b, 1), SLT_WATCH_NEW);
    assert_int_equal(b->view.entered[SALUT_STATE_ESTABLISHED], 1);
    for (int i = 0; i < 2; i++) {
        put(b, 1, SALUT_STATE_ESTABLISHED);
        look(b);
        assert_int_equal(mark_of(b, 1), SLT_WATCH_NEW);
        assert_int_equal(b->view.entered[SALUT_STATE_ESTABLISHED], 0); /* counted once */
    }
    put(b, 1, SALUT_STATE_ESTABLISHED);
    look(b);
    assert_int_equal(mark_of(b, 1), SLT_WATCH_STAYS);
}

static void a_change_of_state_is_a_step(void **state)
{
    struct bench *b = *state;
    put(b, 1, SALUT_STATE_ESTABLISHED);
    look(b);
    put(b, 1, SALUT_STATE_CLOSE_WAIT);
    look(b);
    const struct slt_watch_row *row = row_of(b, 1);
    assert_int_equal(row->mark, SLT_WATCH_CHANGED);
    assert_int_equal(row->was, SALUT_STATE_ESTABLISHED);
    assert_int_equal(row->step_count, 1);
    assert_int_equal(row->steps[0].from, SALUT_STATE_ESTABLISHED);
    assert_int_equal(row->steps[0].to, SALUT_STATE_CLOSE_WAIT);
    assert_int_equal(row->steps[0].at_ns, b->at_ns);
    assert_int_equal(b->view.entered[SALUT_STATE_CLOSE_WAIT], 1);
    assert_int_equal(b->view.states[SALUT_STATE_ESTABLISHED], 0);
}

static void an_old_step_gives_way_to_a_new_one(void **state)
{
    struct bench *b = *state;
    for (unsigned i = 0; i < SLT_WATCH_STEPS_MAX + 3; i++) {
        put(b, 1, i % 2 == 0 ? SALUT_STATE_SYN_SENT : SALUT_STATE_ESTABLISHED);
        look(b);
    }
    const struct slt_watch_row *row = row_of(b, 1);
    assert_int_equal(row->step_count, SLT_WATCH_STEPS_MAX);
    assert_int_equal(row->steps[SLT_WATCH_STEPS_MAX - 1].at_ns, b->at_ns);
    assert_int_equal(row->steps[0].at_ns, b->at_ns - (SLT_WATCH_STEPS_MAX - 1) * SLT_NS_PER_S);
}

static void what_goes_is_kept_for_three_seconds(void **state)
{
    struct bench *b = *state;
    put(b, 1, SALUT_STATE_TIME_WAIT);
    put(b, 2, SALUT_STATE_ESTABLISHED);
    look(b);
    for (int i = 0; i < 3; i++) {
        put(b, 2, SALUT_STATE_ESTABLISHED);
        look(b);
        assert_int_equal(mark_of(b, 1), SLT_WATCH_CLOSED);
        assert_int_equal(b->view.states[SALUT_STATE_TIME_WAIT], 0); /* shown, not counted */
        assert_int_equal(b->view.count, 2);
        assert_int_equal(mark_of(b, 2), SLT_WATCH_STAYS);
    }
    put(b, 2, SALUT_STATE_ESTABLISHED);
    look(b);
    assert_null(row_of(b, 1));
    assert_int_equal(b->view.count, 1);
}

static void what_comes_back_is_the_same(void **state)
{
    struct bench *b = *state;
    put(b, 1, SALUT_STATE_TIME_WAIT);
    look(b);
    look(b);
    put(b, 1, SALUT_STATE_ESTABLISHED);
    look(b);
    assert_int_equal(b->model.count, 1);
    assert_int_equal(mark_of(b, 1), SLT_WATCH_CHANGED);
}

static void accepting_is_a_change_and_bytes_are_none(void **state)
{
    struct bench *b = *state;
    put(b, 1, SALUT_STATE_ESTABLISHED)->accepted = SLT_NO;
    put(b, 2, SALUT_STATE_ESTABLISHED)->bytes_received = 1000;
    look(b);
    put(b, 1, SALUT_STATE_ESTABLISHED)->accepted = SLT_YES;
    put(b, 2, SALUT_STATE_ESTABLISHED)->bytes_received = 5000;
    look(b);
    assert_int_equal(mark_of(b, 1), SLT_WATCH_CHANGED);
    assert_int_equal(mark_of(b, 2), SLT_WATCH_STAYS);
    assert_int_equal(row_of(b, 1)->step_count, 0);
    assert_int_equal(row_of(b, 2)->in_rate, 4000);
    assert_int_equal(row_of(b, 2)->out_rate, SLT_UNKNOWN);
    assert_int_equal(row_of(b, 1)->in_rate, SLT_UNKNOWN);
}

static void an_owner_is_remembered(void **state)
{
    struct bench *b = *state;
    put_owned(b, 1, "nginx", 7);
    look(b);
    put(b, 1, SALUT_STATE_TIME_WAIT);
    look(b);
    const struct slt_seen *seen = &row_of(b, 1)->seen;
    assert_int_equal(seen->pid, 7);
    assert_string_equal(seen->program, "nginx");
    assert_int_equal(seen->owner, SLT_OWNER_REMEMBERED);
}

static void keys_are_of_a_source_and_an_instance(void **state)
{
    struct bench *b = *state;
    put(b, 1, SALUT_STATE_ESTABLISHED);
    put(b, 1, SALUT_STATE_ESTABLISHED)->instance = 9;
    put(b, 1, SALUT_STATE_ESTABLISHED)->source = SLT_SOURCE_STACK;
    put(b, 1, SALUT_STATE_LISTEN);
    look(b);
    assert_int_equal(b->model.count, 4);
    put(b, 1, SALUT_STATE_ESTABLISHED)->instance = 9;
    look(b);
    assert_int_equal(b->view.marked[SLT_WATCH_CLOSED], 3);
    assert_int_equal(b->view.marked[SLT_WATCH_STAYS], 1);
}

/* Listeners of one stack may have one key: two stay two. */
static void twins_are_two(void **state)
{
    struct bench *b = *state;
    for (int i = 0; i < 3; i++) {
        put(b, 1, SALUT_STATE_LISTEN);
        put(b, 1, SALUT_STATE_LISTEN);
        look(b);
        assert_int_equal(b->model.count, 2);
        assert_int_equal(b->view.marked[SLT_WATCH_STAYS], 2);
    }
}

/* ---- order and choice ------------------------------------------------------------------------ */

static void lines_are_sorted_as_wished(void **state)
{
    struct bench *b = *state;
    put_owned(b, 1, "b", 5)->age = (struct slt_seen_span){5, SLT_SPAN_EXACT};
    put_owned(b, 2, "c", 4)->age = (struct slt_seen_span){9, SLT_SPAN_AT_LEAST};
    put_owned(b, 3, "a", 9)->age.how = SLT_SPAN_UNKNOWN;
    put(b, 4, SALUT_STATE_LISTEN);
    look(b);
    LINES_ARE(b, 4, 1, 2, 3); /* by state, listeners first; then by port of the peer */
    b->wish.sort = SLT_WATCH_BY_AGE;
    arrange(b);
    LINES_ARE(b, 2, 1, 4, 3); /* the oldest first, unknown last */
    b->wish.reverse = true;
    arrange(b);
    LINES_ARE(b, 4, 3, 1, 2);
    b->wish.reverse = false;
    b->wish.sort = SLT_WATCH_BY_OWNER;
    arrange(b);
    LINES_ARE(b, 3, 1, 2, 4);
    b->wish.sort = SLT_WATCH_BY_PEER;
    b->wish.reverse = true;
    arrange(b);
    LINES_ARE(b, 4, 3, 2, 1);
}

static void every_column_sorts(void **state)
{
    struct bench *b = *state;
    for (uint64_t key = 1; key <= 3; key++) {
        struct slt_seen *seen = put(b, key, SALUT_STATE_ESTABLISHED);
        seen->unread = seen->unsent = seen->rtt_us = seen->retransmits = (int64_t)key;
        seen->bytes_received = seen->bytes_acked = 0;
        seen->local_port = (uint16_t)(100 - key);
    }
    look(b);
    for (uint64_t key = 1; key <= 3; key++) {
        struct slt_seen *seen = put(b, key, SALUT_STATE_ESTABLISHED);
        seen->unread = seen->unsent = seen->rtt_us = seen->retransmits = (int64_t)key;
        seen->bytes_received = seen->bytes_acked = (int64_t)(key * 100);
        seen->local_port = (uint16_t)(100 - key);
    }
    look(b);
    static const enum slt_watch_column largest_first[] = {
        SLT_WATCH_BY_LOCAL,   SLT_WATCH_BY_UNREAD,   SLT_WATCH_BY_UNSENT, SLT_WATCH_BY_RTT,
        SLT_WATCH_BY_IN_RATE, SLT_WATCH_BY_OUT_RATE, SLT_WATCH_BY_RESENT,
    };
    for (size_t i = 0; i < sizeof(largest_first) / sizeof(largest_first[0]); i++) {
        b->wish.sort = largest_first[i];
        arrange(b);
        LINES_ARE(b, 3, 2, 1);
    }
}

static void filters_choose(void **state)
{
    struct bench *b = *state;
    char why[100];
    const char *words = "pid = 7";
    struct slt_filter *filter = slt_filter_compile(&words, 1, why, sizeof(why));
    put_owned(b, 1, "a", 7);
    put_owned(b, 2, "b", 8);
    put_owned(b, 3, "a", 7)->state = SALUT_STATE_CLOSE_WAIT;
    b->wish.filter = filter;
    look(b);
    LINES_ARE(b, 1, 3);
    assert_int_equal(b->view.states[SALUT_STATE_ESTABLISHED], 1);
    b->wish.states = 1U << SALUT_STATE_CLOSE_WAIT;
    arrange(b);
    LINES_ARE(b, 3);
    assert_int_equal(b->view.states[SALUT_STATE_ESTABLISHED], 1); /* counted, if not shown */
    slt_filter_free(filter);
}

/* ---- the tree -------------------------------------------------------------------------------- */

static void put_tree(struct bench *b)
{
    struct slt_seen *listener = put(b, 1, SALUT_STATE_LISTEN);
    memset(listener->local.b + 12, 0, 4); /* 0.0.0.0:80 */
    put(b, 2, SALUT_STATE_LISTEN)->local_port = 443;
    put_owned(b, 3, "httpd", 11);
    put_owned(b, 4, "httpd", 12);
    put_owned(b, 5, "httpd", 11);
    put_owned(b, 6, "curl", 20)->local_port = 50000;
}

static void the_tree_is_by_listener_and_process(void **state)
{
    struct bench *b = *state;
    b->wish.tree = true;
    put_tree(b);
    look(b);
    /* :80 { 11 {3, 5}, 12 {4} }, :443 {}, none { curl {6} } */
    LINES_ARE(b, 0, 0, 3, 5, 0, 4, 0, 0, 0, 6);
    const struct slt_watch_line *l = b->view.lines;
    assert_int_equal(l[0].kind, SLT_WATCH_LINE_LISTENER);
    assert_int_equal(l[0].below, 3);
    assert_int_equal(l[1].kind, SLT_WATCH_LINE_PROCESS);
    assert_int_equal(l[1].below, 2);
    assert_false(l[1].last);
    assert_false(l[2].last);
    assert_true(l[3].last);
    assert_true(l[4].last);
    assert_int_equal(l[4].below, 1);
    assert_int_equal(l[6].row->seen.local_port, 443);
    assert_int_equal(l[6].below, 0);
    assert_int_equal(l[7].kind, SLT_WATCH_LINE_OUTGOING);
    assert_int_equal(l[7].below, 1);
    assert_null(l[7].row);
    assert_true(l[9].last);
}

static void a_hidden_listener_stands_above_its_own(void **state)
{
    struct bench *b = *state;
    b->wish.tree = true;
    b->wish.states = 1U << SALUT_STATE_ESTABLISHED;
    put_tree(b);
    look(b);
    LINES_ARE(b, 0, 0, 3, 5, 0, 4, 0, 0, 6);
    assert_int_equal(b->view.lines[0].kind, SLT_WATCH_LINE_LISTENER);
}

/* ---- the selection --------------------------------------------------------------------------- */

static void the_selection_stays_or_follows(void **state)
{
    struct bench *b = *state;
    put(b, 2, SALUT_STATE_ESTABLISHED);
    put(b, 3, SALUT_STATE_ESTABLISHED);
    look(b);
    slt_watch_select(&b->view, 1);
    assert_int_equal(slt_watch_selected(&b->view)->seen.key, 3);
    b->wish.follow = true;
    for (uint64_t key = 1; key <= 3; key++) {
        put(b, key, SALUT_STATE_ESTABLISHED);
    }
    look(b);
    assert_int_equal(b->view.selected, 2);
    assert_int_equal(slt_watch_selected(&b->view)->seen.key, 3);
    b->wish.follow = false;
    put(b, 3, SALUT_STATE_ESTABLISHED)->state = SALUT_STATE_SYN_SENT; /* now the first */
    look(b);
    assert_int_equal(b->view.selected, 2);
    assert_int_not_equal(slt_watch_selected(&b->view)->seen.key, 3);
}

static void the_selection_stays_on_the_screen(void **state)
{
    struct bench *b = *state;
    look(b);
    assert_null(slt_watch_selected(&b->view));
    slt_watch_select(&b->view, 5);
    assert_int_equal(b->view.selected, 0);
    put(b, 1, SALUT_STATE_ESTABLISHED);
    put(b, 2, SALUT_STATE_ESTABLISHED);
    look(b);
    slt_watch_select(&b->view, 99);
    assert_int_equal(b->view.selected, 1);
    slt_watch_select(&b->view, -99);
    assert_int_equal(b->view.selected, 0);
}

static void a_search_goes_round(void **state)
{
    struct bench *b = *state;
    for (uint64_t key = 1; key <= 4; key++) {
        put_owned(b, key, key % 2 == 0 ? "Nginx" : "curl", (int32_t)key);
    }
    look(b);
    assert_true(slt_watch_search(&b->view, "nginx", false));
    assert_int_equal(b->view.selected, 1);
    assert_true(slt_watch_search(&b->view, "nginx", false));
    assert_int_equal(b->view.selected, 3);
    assert_true(slt_watch_search(&b->view, "nginx", false));
    assert_int_equal(b->view.selected, 1);
    assert_true(slt_watch_search(&b->view, "nginx", true));
    assert_int_equal(b->view.selected, 3);
    assert_true(slt_watch_search(&b->view, "10.0.0.2:40003", false));
    assert_int_equal(b->view.selected, 2);
    assert_false(slt_watch_search(&b->view, "apache", false));
    assert_false(slt_watch_search(&b->view, "", false));
    assert_int_equal(b->view.selected, 2);
}

static void rows_are_found_again(void **state)
{
    struct bench *b = *state;
    for (uint64_t key = 1; key <= 9; key++) {
        put(b, key, SALUT_STATE_ESTABLISHED);
    }
    look(b);
    for (size_t i = 0; i < b->model.count; i++) {
        struct slt_seen seen = b->model.rows[i].seen;
        assert_ptr_equal(slt_watch_find(&b->model, &seen), &b->model.rows[i]);
        seen.key += 100;
        assert_null(slt_watch_find(&b->model, &seen));
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_first_look_marks_nothing),
        CASE(what_comes_is_new_for_three_seconds),
        CASE(a_change_of_state_is_a_step),
        CASE(an_old_step_gives_way_to_a_new_one),
        CASE(what_goes_is_kept_for_three_seconds),
        CASE(what_comes_back_is_the_same),
        CASE(accepting_is_a_change_and_bytes_are_none),
        CASE(an_owner_is_remembered),
        CASE(keys_are_of_a_source_and_an_instance),
        CASE(twins_are_two),
        CASE(lines_are_sorted_as_wished),
        CASE(every_column_sorts),
        CASE(filters_choose),
        CASE(the_tree_is_by_listener_and_process),
        CASE(a_hidden_listener_stands_above_its_own),
        CASE(the_selection_stays_or_follows),
        CASE(the_selection_stays_on_the_screen),
        CASE(a_search_goes_round),
        CASE(rows_are_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
