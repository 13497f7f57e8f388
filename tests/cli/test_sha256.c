/* SHA-256 against the vectors of FIPS 180-4, in one piece and in every split.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/sha256.h"

#include <string.h>

static void vectors(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slt_sha256 sha;
        char hex[SLT_SHA256_HEX];
        slt_sha256_init(&sha);
        slt_sha256_add(&sha, rows[i].text, strlen(rows[i].text));
        slt_sha256_hex(&sha, hex);
        assert_string_equal(hex, rows[i].hex);
    }
}

static void splits(void **state)
{
    (void)state;
    uint8_t data[300];
    char whole[SLT_SHA256_HEX];
    char parts[SLT_SHA256_HEX];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 13);
    }
    for (size_t bytes = 0; bytes <= sizeof(data); bytes += 7) {
        struct slt_sha256 sha;
        slt_sha256_init(&sha);
        slt_sha256_add(&sha, data, bytes);
        slt_sha256_hex(&sha, whole);
        for (size_t cut = 0; cut <= bytes; cut++) {
            slt_sha256_init(&sha);
            slt_sha256_add(&sha, data, cut);
            slt_sha256_add(&sha, data + cut, bytes - cut);
            slt_sha256_hex(&sha, parts);
            assert_string_equal(parts, whole);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(vectors), cmocka_unit_test(splits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
