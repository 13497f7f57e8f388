/* Lines of salut record --json, read back: the connections they tell of, and lines that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "observe/past_file.h"
#include "wire/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENDS                                                                                       \
    "\"local_address\":\"127.0.0.1\",\"local_port\":4000,\"remote_address\":\"127.0.0.1\","        \
    "\"remote_port\":80"

static const char opened[] =
    "{\"schema\":1,\"event\":\"change\",\"source\":\"kernel\",\"at_unix_ns\":5000000700,"
    "\"from\":\"SYN-SENT\",\"to\":\"ESTABLISHED\"," ENDS ",\"pid\":17,\"program\":\"a \\\"b\\\"\","
    "\"netns_inode\":4026531840,\"in_state_ns\":700,\"odd_answers\":1,\"cause\":\"syn-answered\","
    "\"certain\":true,\"why\":\"the peer answered the SYN\"}\n";
static const char reset[] =
    "{\"schema\":1,\"event\":\"change\",\"source\":\"kernel\",\"at_unix_ns\":7000000000,"
    "\"from\":\"ESTABLISHED\",\"to\":\"CLOSED\"," ENDS ",\"retransmits\":2,"
    "\"cause\":\"rst-received\",\"certain\":false,\"why\":\"\"}\n";
static const char final[] =
    "{\"schema\":1,\"event\":\"final\",\"source\":\"kernel\"," ENDS ",\"bytes_sent\":12,"
    "\"bytes_received\":34,\"retransmits\":3,\"last_data_at_unix_ns\":6000000000,"
    "\"last_heard_at_unix_ns\":5500000000,\"retry_began_at_unix_ns\":6500000000}\n";
static const char failed[] =
    "{\"schema\":1,\"event\":\"change\",\"source\":\"kernel\",\"at_unix_ns\":8000000000,"
    "\"from\":\"CLOSED\",\"to\":\"CLOSED\",\"local_address\":\"0.0.0.0\",\"local_port\":0,"
    "\"pid\":18,\"program\":\"nginx\",\"cause\":\"address-in-use\",\"certain\":true,\"why\":\"\"}"
    "\n";

static struct slt_past_reader *begin(struct slt_past *past)
{
    *past = (struct slt_past){.count = 0};
    struct slt_past_reader *reader = slt_past_reader_new(past);
    assert_non_null(reader);
    return reader;
}

static void end(struct slt_past_reader *reader, struct slt_past *past)
{
    slt_past_reader_free(reader);
    slt_past_free(past);
}

static void lines_become_a_connection(void **state)
{
    (void)state;
    struct slt_past past;
    struct slt_past_reader *reader = begin(&past);
    assert_true(slt_past_reader_take(reader, opened));
    assert_true(slt_past_reader_take(reader, reset));
    assert_true(slt_past_reader_take(reader, final));
    assert_int_equal(past.count, 1);
    const struct slt_recorded *c = &past.items[0];
    assert_int_equal(c->change_count, 2);
    assert_int_equal(c->stands, SALUT_STATE_CLOSED);
    assert_int_equal(c->opened_ns, 5000000000);
    assert_int_equal(c->passive, SLT_NO);
    assert_int_equal(c->pid, 17);
    assert_string_equal(c->program, "a \\\"b\\\"");
    assert_int_equal(c->netns, 4026531840);
    assert_int_equal(c->changes[1].cause, SLT_BY_RST_RECEIVED);
    assert_int_equal(c->changes[1].certain, 0);
    assert_int_equal(c->bytes_sent, 12);
    assert_int_equal(c->bytes_received, 34);
    assert_int_equal(c->retransmits, 3);
    assert_int_equal(c->data_ns, 6000000000);
    assert_int_equal(c->heard_ns, 5500000000);
    assert_int_equal(c->retry_began_ns, 6500000000);
    assert_int_equal(past.now_ns, 7000000000);
    assert_true(slt_address_is_v4(c->remote.b) && c->remote.b[15] == 1);
    /* The same ends again are another connection. */
    assert_true(slt_past_reader_take(reader, opened));
    assert_int_equal(past.count, 2);
    end(reader, &past);
}

static void a_process_that_fails_is_one_record(void **state)
{
    (void)state;
    struct slt_past past;
    struct slt_past_reader *reader = begin(&past);
    assert_true(slt_past_reader_take(reader, failed));
    assert_true(slt_past_reader_take(reader, failed));
    assert_int_equal(past.count, 1);
    assert_int_equal(past.items[0].change_count, 2);
    assert_int_equal(past.items[0].changes[0].pid, 18);
    end(reader, &past);
}

static void other_lines_are_none(void **state)
{
    static const char *const lines[] = {
        "",
        "\n",
        "{}",
        "{\"schema\":1,\"event\":\"lost\",\"count\":3}\n",
        "{\"event\":\"change\"",
        "{\"event\":\"change\",",
        "{\"event\":\"change\",\"",
        "{\"event\":\"change\",\"a\\",
        "{\"event\":\"change\",\"a\":}",
        "{\"event\":\"change\" \"a\":1}",
        "14:03:59.123456  CLOSED -> SYN-SENT",
        "[{\"event\":\"change\"}]",
    };
    (void)state;
    struct slt_past past;
    struct slt_past_reader *reader = begin(&past);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_false(slt_past_reader_take(reader, lines[i]));
    }
    assert_int_equal(past.count, 0);
    /* Cut anywhere, and with any byte another: it may be taken or not, and nothing breaks. */
    for (size_t at = 0; at < sizeof(opened) - 1; at++) {
        char *cut = malloc(at + 1);
        char spoilt[sizeof(opened)];
        assert_non_null(cut);
        memcpy(cut, opened, at);
        cut[at] = '\0';
        if (at < sizeof(opened) - 2) {
            assert_false(slt_past_reader_take(reader, cut));
        }
        free(cut);
        memcpy(spoilt, opened, sizeof(opened));
        spoilt[at] = (char)(at * 37 % 255 + 1);
        (void)slt_past_reader_take(reader, spoilt);
    }
    end(reader, &past);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0 && fclose(file) == 0);
}

static void a_file_has_an_older_half(void **state)
{
    (void)state;
    char folder[] = "/tmp/salut-past-XXXXXX";
    char path[64];
    char older[64];
    struct slt_past past = {.count = 0};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/lines", folder);
    (void)snprintf(older, sizeof(older), "%s/lines.1", folder);
    assert_int_equal(slt_past_read(path, &past), -ENOENT);
    write_text(path, "nothing of ours\n");
    assert_int_equal(slt_past_read(path, &past), -EPROTO);
    write_text(older, opened);
    write_text(path, reset);
    assert_int_equal(slt_past_read(path, &past), 0);
    assert_int_equal(past.count, 1);
    assert_int_equal(past.items[0].change_count, 2);
    slt_past_free(&past);
    assert_int_equal(unlink(path) + unlink(older) + rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_become_a_connection),
        cmocka_unit_test(a_process_that_fails_is_one_record),
        cmocka_unit_test(other_lines_are_none),
        cmocka_unit_test(a_file_has_an_older_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
