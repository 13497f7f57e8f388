/* HTTP heads and paths: what is understood, and what is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/http_files.h"
#include "cli/http_request.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse(const char *text, struct slt_http_request *request)
{
    static char head[4096];
    size_t bytes = strlen(text);
    memcpy(head, text, bytes);
    size_t whole = slt_http_head_bytes(head, bytes);
    assert_int_equal(whole, bytes);
    return slt_http_parse(head, bytes, request);
}

static void heads_end_at_the_empty_line(void **state)
{
    (void)state;
    static const char head[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
    for (size_t bytes = 0; bytes < 27; bytes++) {
        assert_int_equal(slt_http_head_bytes(head, bytes), 0);
    }
    assert_int_equal(slt_http_head_bytes(head, sizeof(head) - 1), 27);
    assert_int_equal(slt_http_head_bytes("GET / HTTP/1.0\n\n", 16), 16);
}

static void requests(void **state)
{
    (void)state;
    struct slt_http_request r;
    assert_int_equal(parse("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n", &r), 0);
    assert_int_equal(r.method, SLT_HTTP_GET);
    assert_string_equal(r.target, "/a?b");
    assert_true(r.keep);
    assert_false(r.has_length);
    assert_int_equal(parse("HEAD / HTTP/1.0\r\n\r\n", &r), 0);
    assert_int_equal(r.method, SLT_HTTP_HEAD);
    assert_false(r.keep);
    assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &r), 0);
    assert_true(r.keep);
    assert_int_equal(parse("PUT /x HTTP/1.1\r\ncontent-LENGTH:  123 \r\nConnection: close\r\n"
                           "Expect: 100-continue\r\n\r\n",
                           &r),
                     0);
    assert_int_equal(r.method, SLT_HTTP_PUT);
    assert_int_equal(r.length, 123);
    assert_true(r.expects_continue);
    assert_false(r.keep);
    assert_int_equal(parse("POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", &r), 0);
    assert_true(r.coded);
    assert_int_equal(parse("BREW / HTTP/1.1\r\n\r\n", &r), 0);
    assert_int_equal(r.method, SLT_HTTP_OTHER);
}

static void refused_requests(void **state)
{
    (void)state;
    struct slt_http_request r;
    static const char *const bad[] = {
        "GET\r\n\r\n",
        "GET /\r\n\r\n",
        " GET / HTTP/1.1\r\n\r\n",
        "GET / FTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "GET / HTTP/1.1\r\n folded: x\r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: 12x\r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: \r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], &r) != 400) {
            fail_msg("not refused: %s", bad[i]);
        }
    }
    assert_int_equal(parse("GET / HTTP/2.0\r\n\r\n", &r), 505);
    char with_nul[] = "GET / HTTP/1.1\r\nA: \0\r\n\r\n";
    assert_int_equal(slt_http_parse(with_nul, sizeof(with_nul) - 1, &r), 400);
}

static void paths(void **state)
{
    (void)state;
    char path[64];
    assert_true(slt_http_decode("/", path, sizeof(path)));
    assert_string_equal(path, "");
    assert_true(slt_http_decode("/a%20b/c.html?q=1#x", path, sizeof(path)));
    assert_string_equal(path, "a b/c.html");
    assert_true(slt_http_decode("//x", path, sizeof(path)));
    assert_string_equal(path, "x");
    assert_true(slt_http_decode("/a..b/...", path, sizeof(path)));
    static const char *const bad[] = {"",          "a",         "/..",       "/../x", "/a/../b",
                                      "/%2e%2e/x", "/a/%2E./b", "/%00",      "/%0a",  "/%4",
                                      "/%zz",      "/%2fetc",   "http://x/", "/a/..", "*"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (slt_http_decode(bad[i], path, sizeof(path))) {
            fail_msg("'%s' became '%s'", bad[i], path);
        }
    }
    assert_false(slt_http_decode("/0123456789", path, 10));
    assert_true(slt_http_decode("/012345678", path, 10));
}

static void files(void **state)
{
    (void)state;
    char dir[] = "/tmp/salut-test-XXXXXX";
    char fifo[64];
    struct slt_http_body body = {.kind = SLT_HTTP_NOTHING};
    assert_non_null(mkdtemp(dir));
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY);
    assert_int_equal(mkdirat(dir_fd, "sub", 0755), 0);
    int fd = openat(dir_fd, "sub/index.html", O_WRONLY | O_CREAT, 0644);
    assert_int_equal(write(fd, "hello", 5), 5);
    (void)close(fd);
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0644), 0);
    assert_int_equal(slt_http_open(dir_fd, "sub/", &body), 200);
    assert_int_equal(body.bytes, 5);
    assert_string_equal(body.type, "text/html; charset=utf-8");
    (void)close(body.fd);
    assert_int_equal(slt_http_open(dir_fd, "sub", &body), 301);
    assert_int_equal(slt_http_open(dir_fd, "", &body), 404);
    assert_int_equal(slt_http_open(dir_fd, "none", &body), 404);
    assert_int_equal(slt_http_open(dir_fd, "fifo", &body), 403);
    assert_int_equal(slt_http_open(-1, "sub/", &body), 404);
    (void)unlinkat(dir_fd, "fifo", 0);
    (void)unlinkat(dir_fd, "sub/index.html", 0);
    (void)unlinkat(dir_fd, "sub", AT_REMOVEDIR);
    (void)close(dir_fd);
    (void)rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_end_at_the_empty_line),
        cmocka_unit_test(requests),
        cmocka_unit_test(refused_requests),
        cmocka_unit_test(paths),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
