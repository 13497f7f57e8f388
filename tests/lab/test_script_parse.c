/* The script language: what is read, and what is said, with its place, about what is not. */
#include "lab/script_parse.h"
#include "wire/tcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *text;
    const char *error;
} BAD[] = {
    {"socket(1, 2, 3) = 3", "x.pkt:1:1: error: expected a time (+0.1, 0.1, *), found 'socket'"},
    {"+0 socket(1, 2 = 3", "x.pkt:1:16: error: expected ',' or ')', found '='"},
    {"+0 socket(1, 2)", "x.pkt:1:16: error: expected '=', found the end of the script"},
    {"+0 close(3) =", "x.pkt:1:14: error: expected a value, found the end of the script"},
    {"+0 close(3) = 0.5", "x.pkt:1:15: error: expected a whole number, found '0.5'"},
    {"\n\n  +x close(3) = 0", "x.pkt:3:4: error: expected a time in seconds, found 'x'"},
    {"-1 close(3) = 0", "x.pkt:1:1: error: expected a time (+0.1, 0.1, *), found '-'"},
    {"+-1 close(3) = 0", "x.pkt:1:3: error: expected a time that is not negative, found '1'"},
    {"+0 close(\"3) = 0", "x.pkt:1:10: error: this string has no end"},
    {"/* never", "x.pkt:1:1: error: this comment has no end"},
    {"+0 `sysctl", "x.pkt:1:4: error: this command has no closing backtick"},
    {"+0 %{ assert", "x.pkt:1:4: error: this code has no closing }%"},
    {"+0 close(99999999999999999999) = 0", "x.pkt:1:28: error: this number is too large"},
    {"+0 < X 0:0(0) win 5", "x.pkt:1:6: error: expected TCP flags"},
    {"+0 < S 0:5(4) win 5", "x.pkt:1:8: error: the sequence range is not as long"},
    {"+0 < S 0:0(0) win 65536", "x.pkt:1:19: error: a window can be at most 65535"},
    {"+0 < S 0 0(0)", "x.pkt:1:10: error: expected ':', found '0'"},
    {"+0 < S 0:0(0) win 5 <mss>", "x.pkt:1:25: error: expected an mss, found '>'"},
    {"+0 < S 0:0(0) win 5 <foo>", "x.pkt:1:22: error: expected a TCP option"},
    {"+0 < S 0:0(0) win 5 <nop nop>", "x.pkt:1:26: error: expected ',' or '>', found 'nop'"},
    {"+0 < S 0:0(0) win 5 <...>", "x.pkt:1:25: error: expected options that can be built"},
    {"+0 < [ect2] S 0:0(0)", "x.pkt:1:7: error: expected ect0, ect1, ce"},
    {"+0 < [ttl 256] S 0:0(0)", "x.pkt:1:11: error: a ttl can be at most 255"},
    {"+0 < icmp nonsense", "x.pkt:1:11: error: expected an ICMP type, found 'nonsense'"},
    {"+0 < icmp unreachable ttl_exceeded", "x.pkt:1:23: error: expected a code of this ICMP"},
    {"+0 < . 0:70000(70000) ack 1", "x.pkt:1:28: error: no packet can carry that many bytes"},
    {"+2~+1 > . 0:0(0)", "x.pkt:1:1: error: the range ends before it begins"},
    {"+2~3 > . 0:0(0)", "x.pkt:1:4: error: expected both ends of the range relative"},
    {"+2...1 read(3, ..., 1) = 1", "x.pkt:1:1: error: the call ends before it begins"},
    {"+0 f([[[[[[[[[[[[[[[[[[[[[[[[[[1]) = 0", "x.pkt:1:30: error: this is nested too deeply"},
    {"+0 f([1, 2}) = 0", "x.pkt:1:11: error: expected ',' or ']', found '}'"},
    {"+0 f(1) = -1 EAGAIN (never ends", "x.pkt:1:32: error: expected ')', found the end"},
};

static void test_errors(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(BAD); i++) {
        struct slt_script script = {0};
        struct slt_script_error error;
        uint32_t bytes = (uint32_t)strlen(BAD[i].text);
        bool good = slt_script_parse(&script, "x.pkt", BAD[i].text, bytes, &error);
        if (good || strncmp(error.text, BAD[i].error, strlen(BAD[i].error)) != 0) {
            print_message("%s\n  wanted %s\n  got    %s\n", BAD[i].text, BAD[i].error,
                          good ? "no error" : error.text);
            fail();
        }
        slt_script_free(&script);
    }
}

static struct slt_script parse(const char *text)
{
    struct slt_script script = {0};
    struct slt_script_error error;
    if (!slt_script_parse(&script, "x.pkt", text, (uint32_t)strlen(text), &error)) {
        fail_msg("%s", error.text);
    }
    return script;
}

static void test_times(void **state)
{
    struct slt_script script = parse("0.100 close(3) = 0\n+.1 close(3) = 0\n"
                                     "1~2.5 > . 0:0(0)\n+0~+.000001 > . 0:0(0)\n* > . 0:0(0)\n"
                                     "+0...0.200 close(3) = 0\n0x10 close(3) = 0");
    static const struct {
        enum slt_script_time_kind kind;
        int64_t from;
        int64_t to;
    } want[] = {
        {SLT_TIME_ABSOLUTE, 100000000, 0},
        {SLT_TIME_RELATIVE, 100000000, 0},
        {SLT_TIME_ABSOLUTE_RANGE, 1000000000, 2500000000},
        {SLT_TIME_RELATIVE_RANGE, 0, 1000},
        {SLT_TIME_ANY, 0, 0},
        {SLT_TIME_RELATIVE, 0, 0},
    };
    const struct slt_script_event *event = script.events;

    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(want); i++, event = event->next) {
        assert_int_equal(event->time_kind, want[i].kind);
        assert_int_equal(event->time_ns, want[i].from);
        assert_int_equal(event->time_end_ns, want[i].to);
        assert_int_equal(event->line, i + 1);
    }
    slt_script_free(&script);
}

static void test_packet(void **state)
{
    struct slt_script script =
        parse("--mss=1000\n--strict_segments\n// comment\n/* and\nanother */\n# and a third\n"
              "+0 < [ect0, ttl 7] 5 > 6 PUE. 1:11(10) ack 2 win 3 urg 4 "
              "<mss 1460,nop,wscale 7,sackOK,sack 1:2 3:4,TS val 5 ecr 6,kind 99 abcd,eol>\n"
              "+0 > SEWA 0:0(0) <...>\n+0 > .5 1:1(0) ack 1\n"
              "+0 < [1:1001(1000)] icmp unreachable frag_needed mtu 1200\n"
              "+0 < icmp unreachable host_unreachable [7:8(1)]\n+0 > - 0:0(0)\n");
    const struct slt_script_event *event = script.events;
    const struct slt_script_packet *packet = event->packet;

    (void)state;
    assert_string_equal(script.options->name, "mss");
    assert_string_equal(script.options->value, "1000");
    assert_string_equal(script.options->next->name, "strict_segments");
    assert_false(packet->outbound);
    assert_int_equal(packet->ecn, 2);
    assert_int_equal(packet->ttl, 7);
    assert_true(packet->has_ports && packet->src_port == 5 && packet->dst_port == 6);
    assert_int_equal(packet->flags, SLT_TCP_PSH | SLT_TCP_URG | SLT_TCP_ECE | SLT_TCP_ACK);
    assert_true(packet->seq == 1 && packet->payload_bytes == 10 && packet->ack == 2);
    assert_true(packet->window == 3 && packet->urgent == 4);
    assert_int_equal(packet->option_count, 8);
    assert_int_equal(packet->options[4].count, 2);
    assert_int_equal(packet->options[4].number[3], 4);
    assert_int_equal(packet->options[5].number[1], 6);
    assert_int_equal(packet->options[6].count, 4);
    event = event->next;
    assert_true(event->packet->outbound && event->packet->any_options);
    assert_int_equal(event->packet->flags, SLT_TCP_SYN | SLT_TCP_ECE | SLT_TCP_CWR | SLT_TCP_AE);
    event = event->next;
    assert_int_equal(event->packet->flags, SLT_TCP_ACK | SLT_TCP_AE | SLT_TCP_ECE);
    event = event->next;
    assert_true(event->packet->icmp_type == 3 && event->packet->icmp_code == 4);
    assert_true(event->packet->icmp_mtu == 1200 && event->packet->echo_seq == 1);
    event = event->next;
    assert_true(event->packet->icmp_code == 1 && event->packet->echo_seq == 7);
    assert_int_equal(event->next->packet->flags, 0);
    slt_script_free(&script);
}

static void test_call(void **state)
{
    struct slt_script script =
        parse("+0...0.5 f(..., [1, {fd=3, events=A|B|C}], \"a\\n\\x41\\0b\", htons(80), ~-5, "
              "{msg_iov(1)=[{..., 10}]}, [], g()) = -1 EAGAIN (a (nested) note)");
    const struct slt_script_call *call = script.events->call;
    const struct slt_expr *arg = call->args;

    (void)state;
    assert_string_equal(call->name, "f");
    assert_int_equal(call->arg_count, 8);
    assert_int_equal(call->end_ns, 500000000);
    assert_string_equal(call->error, "EAGAIN");
    assert_int_equal(call->result->number, -1);
    assert_int_equal(arg->kind, SLT_EXPR_ELLIPSIS);
    arg = arg->next;
    assert_int_equal(arg->kind, SLT_EXPR_LIST);
    assert_int_equal(arg->first->number, 1);
    const struct slt_expr *fields = arg->first->next->first;
    assert_int_equal(fields->kind, SLT_EXPR_FIELD);
    assert_string_equal(fields->next->text, "events");
    assert_int_equal(fields->next->first->kind, SLT_EXPR_OR);
    assert_string_equal(fields->next->first->first->next->next->text, "C");
    arg = arg->next;
    assert_int_equal(arg->text_bytes, 5);
    assert_memory_equal(arg->text, "a\nA\0b", 5);
    arg = arg->next;
    assert_int_equal(arg->kind, SLT_EXPR_CALL);
    assert_int_equal(arg->first->number, 80);
    arg = arg->next;
    assert_int_equal(arg->kind, SLT_EXPR_NOT);
    assert_int_equal(arg->first->number, -5);
    arg = arg->next;
    assert_string_equal(arg->first->text, "msg_iov");
    assert_int_equal(arg->first->first->first->first->next->number, 10);
    arg = arg->next;
    assert_null(arg->first);
    assert_int_equal(arg->next->kind, SLT_EXPR_CALL);
    slt_script_free(&script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_packet),
        cmocka_unit_test(test_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
