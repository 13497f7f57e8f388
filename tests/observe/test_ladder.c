/* Ladders: what is drawn, column by column, in both alphabets and widths.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "observe/ladder.h"
#include "salut/types.h"

#include <stdlib.h>
#include <string.h>

static char *draw(const struct slt_ladder *ladder)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);
    assert_non_null(to);
    slt_ladder_print(ladder, to);
    assert_int_equal(fclose(to), 0);
    return text;
}

static const struct slt_ladder_step handshake[] = {
    {.at_ns = 1000000000,
     .kind = SLT_LADDER_STATE,
     .side = SLT_LADDER_RIGHT,
     .to = SALUT_STATE_SYN_SENT,
     .why = "it opened"},
    {.at_ns = 1000000000, .side = SLT_LADDER_RIGHT, .label = "SYN seq 0", .detail = "MSS 1460"},
    {.at_ns = 1000000000,
     .kind = SLT_LADDER_STATE,
     .side = SLT_LADDER_LEFT,
     .to = SALUT_STATE_SYN_RECEIVED,
     .why = "a SYN came"},
    {.at_ns = 1002500000, .side = SLT_LADDER_LEFT, .label = "SYN,ACK seq 0 ack 1"},
    {.at_ns = 1003000000,
     .side = SLT_LADDER_RIGHT,
     .label = "ACK seq 9 ack 1",
     .dropped = true,
     .why = "the segment lies outside the receive window"},
};

static const struct slt_ladder ladder = {.names = {"here", "there"},
                                         .first = {SALUT_STATE_LISTEN, SALUT_STATE_CLOSED},
                                         .steps = handshake,
                                         .count = 5,
                                         .width = 80};

static void a_handshake_in_ascii(void **state)
{
    (void)state;
    char *text = draw(&ladder);
    assert_non_null(strstr(text, "here"));
    assert_non_null(strstr(text, "it opened * SYN-SENT\n"));
    assert_non_null(strstr(text, "LISTEN       <"));
    assert_non_null(strstr(text, " SYN seq 0 -"));
    assert_non_null(strstr(text, "SYN-RECEIVED * a SYN came\n"));
    assert_non_null(strstr(text, "   2.500ms SYN-RECEIVED -"));
    assert_non_null(strstr(text, "SYN,ACK seq 0 ack 1 "));
    assert_non_null(strstr(text, "> SYN-SENT\n"));
    assert_non_null(strstr(text, "MSS 1460\n"));
    assert_non_null(strstr(text, "SYN-RECEIVED X"));
    assert_non_null(strstr(text, "outside the receive window\n"));
    free(text);
}

/* Arrows end where the right column begins; nothing is wider than asked for; no blanks at ends. */
static void nothing_sticks_out(void **state)
{
    (void)state;
    static const uint32_t widths[] = {10, 80, 100, 120, 500};
    for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
        struct slt_ladder l = ladder;
        l.width = widths[i];
        size_t most = widths[i] < 80 ? 80 : widths[i] > 120 ? 120 : widths[i];
        char *text = draw(&l);
        for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            size_t length = strlen(line);
            assert_true(length <= most);
            assert_true(length == 0 || line[length - 1] != ' ');
            assert_null(strpbrk(line, "\033\t"));
            if (strstr(line, "seq") != NULL) {
                assert_string_equal(line + most - 12, "SYN-SENT");
            }
        }
        free(text);
    }
}

static void long_labels_are_cut(void **state)
{
    (void)state;
    struct slt_ladder_step step = {.side = SLT_LADDER_LEFT};
    memset(step.label, 'x', sizeof(step.label) - 1);
    struct slt_ladder l = {.names = {"a", "b"}, .steps = &step, .count = 1, .width = 80};
    char *text = draw(&l);
    char *line = strstr(text, "xxx");
    assert_non_null(line);
    assert_true(strspn(line, "x") <= 80 - 37);
    free(text);
}

static void utf8_and_colour(void **state)
{
    (void)state;
    struct slt_ladder l = ladder;
    l.utf8 = true;
    l.colour = true;
    char *text = draw(&l);
    assert_non_null(strstr(text, "◀─"));
    assert_non_null(strstr(text, "─▶"));
    assert_non_null(strstr(text, "✗"));
    assert_non_null(strstr(text, "\033["));
    free(text);
}

static void long_runs_lose_their_middle(void **state)
{
    (void)state;
    static struct slt_ladder_step steps[50];
    for (int i = 0; i < 50; i++) {
        steps[i] = (struct slt_ladder_step){.at_ns = i * 1000,
                                            .side = (uint8_t)(i % 2),
                                            .bytes = i % 2 == 0 ? 100 : 0,
                                            .plain = true};
        (void)snprintf(steps[i].label, sizeof(steps[i].label), "segment %d", i);
    }
    struct slt_ladder l = {.names = {"a", "b"}, .steps = steps, .count = 50, .width = 80};
    char *text = draw(&l);
    assert_non_null(strstr(text, "segment 2 "));
    assert_null(strstr(text, "segment 3 "));
    assert_null(strstr(text, "segment 47 "));
    assert_non_null(strstr(text, "segment 48 "));
    assert_non_null(strstr(text, "segment 49 "));
    assert_non_null(strstr(text, "45 more segments: 2200 bytes >, 0 bytes <"));
    free(text);
    l.count = 8;
    text = draw(&l);
    assert_non_null(strstr(text, "segment 4 "));
    assert_null(strstr(text, "more segments"));
    free(text);
}

static void an_empty_one(void **state)
{
    (void)state;
    struct slt_ladder l = {.names = {"a", "b"}, .width = 80};
    char *text = draw(&l);
    assert_non_null(strstr(text, "a "));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_in_ascii),        cmocka_unit_test(nothing_sticks_out),
        cmocka_unit_test(long_labels_are_cut),         cmocka_unit_test(utf8_and_colour),
        cmocka_unit_test(long_runs_lose_their_middle), cmocka_unit_test(an_empty_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
