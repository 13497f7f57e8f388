/* The interpreter catches what it should: a good script, and the same with one thing changed in
 * turn, each of which must fail and say why.
 */
#include "lab/script_run.h"
#include "wire/pcapng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char GOOD[] =
    "--tcp_ts_tick_usecs=1000\n"
    "`net.ipv4.tcp_synack_retries=3`\n"
    "+0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
    "+0 bind(3, ..., ...) = 0\n"
    "+0 listen(3, 1) = 0\n"
    "+0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 700 ecr 0,nop,wscale 7>\n"
    "+0 > S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 100 ecr 700,nop,wscale 7>\n"
    "+.1 < . 1:1(0) ack 1 win 257 <nop,nop,TS val 800 ecr 100>\n"
    "+0 accept(3, ..., ...) = 4\n"
    "+0 %{ assert tcpi_state == TCP_ESTABLISHED }%\n"
    "+.1 write(4, ..., 1500) = 1500\n"
    "+0 > P. 1:1501(1500) ack 1 <nop,nop,TS val 300 ecr 800>\n"
    "+.1 < . 1:1(0) ack 1501 win 257 <nop,nop,TS val 900 ecr 300>\n"
    "+0...0.2 read(4, ..., 100) = 10\n"
    "+.2 < P. 1:11(10) ack 1501 win 257 <nop,nop,TS val 1100 ecr 300>\n"
    "+0 > [ttl 64] . 1501:1501(0) ack 11 <nop,nop,TS val 600 ecr 1100>\n";

static const struct {
    const char *from;
    const char *to;
    const char *words;
} CHANGES[] = {
    {"listen(3, 1) = 0", "listen(3, 1) = -1 EINVAL", "result: expected -1 EINVAL, got 0"},
    {"> S. 0:0(0)", "> S 0:0(0)", "flags: expected S, got S."},
    {"> S. 0:0(0) ack 1", "> S. 0:0(0) ack 2", "acknowledgement: expected 2, got 1"},
    {"ack 1 win 65535", "ack 1 win 65534", "window: expected 65534, got 65535"},
    {"TS val 100 ecr 700,nop", "TS val 100 ecr 701,nop", "options differ: got <mss 1460"},
    {"<mss 1460,sackOK,TS val 100", "<mss 1460,nop,nop,TS val 100", "options differ"},
    {"TCP_ESTABLISHED }%", "TCP_SYN_SENT }%", "tcpi_state=1"},
    {"write(4, ..., 1500) = 1500", "write(4, ..., 1500) = 1499", "expected 1499, got 1500"},
    {"> P. 1:1501(1500)", "> P. 2:1502(1500)", "sequence number: expected 2, got 1"},
    {"> P. 1:1501(1500)", "> P. 1:1500(1499)", "payload bytes: expected 1499, got 1500"},
    {"> P. 1:1501(1500)", "> . 1:1501(1500)", "flags: expected ., got P."},
    {"1501(1500) ack 1 <nop,nop,TS val 300 ", "1501(1500) ack 1 <nop,nop,TS val 320 ",
     "timestamp: expected 320, got 300"},
    {"+0 > P. 1:1501", "+.05 > P. 1:1501", "the packet left at 0.200000, expected at 0.250000"},
    {"+0...0.2 read", "+0...0.1 read", "the call returned at 0.500000, expected at 0.400000"},
    {"100) = 10\n", "100) = 11\n", "result: expected 11, got 10"},
    {"+.2 < P.", "+.2 write(4, ..., 1) = 1\n+0 < P.", "has not returned yet"},
    {"[ttl 64]", "[ttl 63]", "ttl: expected 63, got 64"},
    {"[ttl 64]", "[ect0]", "ECN: expected 2, got 0"},
    {"+0 > [ttl 64] . 1501:1501(0) ack 11 <nop,nop,TS val 600 ecr 1100>\n", "",
     "packets were sent that the script does not mention"},
    {"+0 > [ttl 64]", "+0 > . 1501:1501(0) ack 1 <...>\n+0 > [ttl 64]",
     "acknowledgement: expected 1, got 11"},
    {"ecr 1100>\n", "ecr 1100>\n+1 > . 1:1(0) ack 1\n", "expected a packet, none was sent"},
    {"tcp_synack_retries=3", "tcp_synack_retries=99", "'99' is no value for the setting"},
    {"net.ipv4.tcp_synack_retries=3", "rm -rf nothing", "commands are not run"},
    {"--tcp_ts_tick_usecs=1000", "--nonsense=1", "there is no such option"},
    {"SOCK_STREAM", "SOCK_NONSENSE", "nobody knows the word 'SOCK_NONSENSE'"},
    {"accept(3, ..., ...)", "gettimeofday(3)", "there is no call 'gettimeofday' here"},
    {"listen(3, 1)", "listen(3)", "listen takes 2 to 2 arguments"},
};

static enum slt_script_result run(const char *text, const struct slt_script_arguments *arguments,
                                  char **said)
{
    size_t bytes;
    FILE *out = open_memstream(said, &bytes);
    assert_non_null(out);
    enum slt_script_result result =
        slt_script_run_text("x.pkt", text, (uint32_t)strlen(text), arguments, out);
    fclose(out);
    return result;
}

static void test_good(void **state)
{
    struct slt_script_arguments none = {0};
    char *said;

    (void)state;
    if (run(GOOD, &none, &said) != SLT_SCRIPT_PASSED) {
        fail_msg("%s", said);
    }
    free(said);
}

static void test_changes(void **state)
{
    struct slt_script_arguments none = {0};
    char text[4096];
    char *said;

    (void)state;
    for (size_t i = 0; i < SLT_ARRAY_COUNT(CHANGES); i++) {
        const char *at = strstr(GOOD, CHANGES[i].from);
        assert_non_null(at);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - GOOD), GOOD, CHANGES[i].to,
                 at + strlen(CHANGES[i].from));
        if (run(text, &none, &said) == SLT_SCRIPT_PASSED || !strstr(said, CHANGES[i].words)) {
            fail_msg("%s -> %s\nwanted: %s\nsaid: %s", CHANGES[i].from, CHANGES[i].to,
                     CHANGES[i].words, said);
        }
        free(said);
    }
}

static void test_failure_shows_states(void **state)
{
    struct slt_script_arguments none = {0};
    char *said;

    (void)state;
    run("+0 socket(..., SOCK_STREAM, 0) = 3\n+0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n"
        "+0 connect(3, ..., ...) = -1 EINPROGRESS\n+0 > S 0:0(0) <...>\n"
        "+.1 < R. 0:0(0) ack 1\n+0 read(3, ..., 10) = 10\n",
        &none, &said);
    assert_non_null(strstr(said, "x.pkt:6: error"));
    assert_non_null(strstr(said, "script:  +0 read(3, ..., 10) = 10"));
    assert_non_null(strstr(said, "got -1 ECONNREFUSED"));
    assert_non_null(strstr(said, "0.000000  CLOSED -> SYN_SENT: the user opened the connection"));
    assert_non_null(strstr(said, "0.100000  SYN_SENT -> CLOSED: the peer refused the connection"));
    free(said);
}

/* The command line wins over the script, and defines words. */
static void test_arguments(void **state)
{
    struct slt_script_argument list[] = {
        {"ip_version", "ipv6"}, {"define", "SIZE=777"}, {"mtu", "1400"}};
    struct slt_script_arguments arguments = {list, SLT_ARRAY_COUNT(list)};
    char *said;

    (void)state;
    if (run("--mtu=1500\n+0 socket(..., SOCK_STREAM, 0) = 3\n+0 bind(3, ..., ...) = 0\n"
            "+0 listen(3, 1) = 0\n+0 < S 0:0(0) win 9000 <mss 1000>\n"
            "+0 > S. 0:0(0) ack 1 <mss 1340>\n+0 < . 1:1(0) ack 1 win 9000\n"
            "+0 accept(3, ..., ...) = 4\n+0 write(4, ..., SIZE) = 777\n"
            "+0 > P. 1:778(777) ack 1\n+0 %{ assert SIZE == 777 }%\n",
            &arguments, &said) != SLT_SCRIPT_PASSED) {
        fail_msg("%s", said);
    }
    free(said);
}

/* A capture holds every packet, with the changes of state as comments. */
static void test_capture(void **state)
{
    char folder[] = "/tmp/salut-capture-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct slt_script_argument list[] = {{"pcapng", folder}};
    struct slt_script_arguments arguments = {list, 1};
    static uint8_t file[65536];
    char path[128];
    char *said;

    (void)state;
    assert_int_equal(run(GOOD, &arguments, &said), SLT_SCRIPT_PASSED);
    free(said);
    snprintf(path, sizeof(path), "%s/x.pkt.pcapng", folder);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    uint32_t bytes = (uint32_t)fread(file, 1, sizeof(file), in);
    fclose(in);
    unlink(path);
    rmdir(folder);
    struct slt_pcapng_section section = {0};
    struct slt_pcapng_block block;
    uint32_t packets = 0;
    bool changed = false;
    for (uint32_t at = 0; at < bytes; at += block.bytes) {
        struct slt_span rest = {file + at, bytes - at};
        assert_int_equal(slt_pcapng_parse(&section, rest, &block), SLT_CAPTURE_OK);
        packets += block.kind == SLT_PCAPNG_PACKET;
        static const char words[] = "SYN_RECV -> ESTABLISHED: the peer acknowledged our SYN";
        changed = changed || (block.comment && block.comment_bytes >= sizeof(words) - 1 &&
                              memcmp(block.comment, words, sizeof(words) - 1) == 0);
    }
    assert_int_equal(packets, 8);
    assert_true(changed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_failure_shows_states),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
