/* Descriptions of tracepoints: read as the kernel writes them, and refused when they are not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "observe/trace_format.h"

#include <string.h>

static const char state_change[] =
    "name: inet_sock_set_state\n"
    "ID: 2287\n"
    "format:\n"
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n"
    "\n"
    "\tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n"
    "\tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;\n"
    "\tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;\n"
    "\tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;\n"
    "\tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;\n"
    "\tfield:const void *closely;\toffset:56;\tsize:8;\tsigned:0;\n"
    "\n"
    "print fmt: \"field:int fake; offset:x;\", REC->sport\n";

static void fields_are_found_by_name(void **state)
{
    (void)state;
    struct slt_trace_format format;
    assert_true(slt_trace_format_parse(state_change, &format));
    assert_int_equal(format.id, 2287);
    assert_int_equal(format.count, 8);
    assert_int_equal(slt_trace_format_find(&format, "skaddr")->offset, 8);
    assert_int_equal(slt_trace_format_find(&format, "saddr")->bytes, 4);
    assert_int_equal(slt_trace_format_find(&format, "saddr_v6")->offset, 40);
    assert_int_equal(slt_trace_format_find(&format, "closely")->offset, 56);
    assert_true(slt_trace_format_find(&format, "oldstate")->is_signed);
    assert_null(slt_trace_format_find(&format, "reason"));
    assert_null(slt_trace_format_find(&format, "fake"));
}

static void values_have_the_sizes_told(void **state)
{
    (void)state;
    struct slt_trace_format format;
    uint8_t data[64] = {0};
    uint64_t address = UINT64_C(0xffff888012345678);
    int32_t old = -7;
    uint16_t port = 40000;
    assert_true(slt_trace_format_parse(state_change, &format));
    memcpy(data + 8, &address, sizeof(address));
    memcpy(data + 16, &old, sizeof(old));
    memcpy(data + 24, &port, sizeof(port));
    assert_true(slt_trace_field_read(slt_trace_format_find(&format, "skaddr"), data, 64, 0) ==
                address);
    assert_int_equal(
        (int32_t)slt_trace_field_read(slt_trace_format_find(&format, "oldstate"), data, 64, 0), -7);
    assert_int_equal(slt_trace_field_read(slt_trace_format_find(&format, "sport"), data, 64, 0),
                     40000);
}

/* A record that ends before a field, a field that is not there, one of an odd size. */
static void what_is_not_there_is_the_default(void **state)
{
    (void)state;
    struct slt_trace_format format;
    const uint8_t data[64] = {1};
    assert_true(slt_trace_format_parse(state_change, &format));
    const struct slt_trace_field *socket = slt_trace_format_find(&format, "skaddr");
    assert_int_equal(slt_trace_field_read(socket, data, 15, 99), 99);
    assert_int_equal(slt_trace_field_read(socket, data, 3, 99), 99);
    assert_int_equal(slt_trace_field_read(socket, data, 16, 99), 0);
    assert_int_equal(slt_trace_field_read(NULL, data, 64, 99), 99);
    assert_int_equal(slt_trace_field_read(slt_trace_format_find(&format, "saddr_v6"), data, 64, 99),
                     99);
}

static void broken_descriptions_are_refused(void **state)
{
    (void)state;
    struct slt_trace_format format;
    assert_false(slt_trace_format_parse("", &format));
    assert_false(slt_trace_format_parse("name: x\nformat:\n", &format));
    assert_false(slt_trace_format_parse("ID: \n", &format));
    assert_false(slt_trace_format_parse("ID: 5\n\tfield:int a;\toffset:;\tsize:4;\n", &format));
    assert_false(slt_trace_format_parse("ID: 5\n\tfield:int a\n", &format));
    assert_false(slt_trace_format_parse("ID: 5\n\tfield:int a;\toffset:0;\n", &format));
    assert_true(slt_trace_format_parse("ID: 5", &format));
}

static void more_fields_than_places_are_left_out(void **state)
{
    (void)state;
    struct slt_trace_format format;
    char text[4096] = "ID: 5\n";
    for (int i = 0; i < SLT_TRACE_FIELDS_MAX + 5; i++) {
        (void)strcat(text, "\tfield:int f;\toffset:0;\tsize:4;\tsigned:1;\n");
    }
    (void)strcat(text, "\tfield:int a_name_that_is_longer_than_any;\toffset:0;\tsize:4;\n");
    assert_true(slt_trace_format_parse(text, &format));
    assert_int_equal(format.count, SLT_TRACE_FIELDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_name),
        cmocka_unit_test(values_have_the_sizes_told),
        cmocka_unit_test(what_is_not_there_is_the_default),
        cmocka_unit_test(broken_descriptions_are_refused),
        cmocka_unit_test(more_fields_than_places_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
