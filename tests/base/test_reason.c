/* The reason table: complete, unique, greppable. */
#include "base_test.h"

#include "base/reason.h"

static void test_every_reason_has_a_unique_token_and_a_sentence(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SLT_REASON_COUNT; i++) {
        const char *token = slt_reason_token((enum slt_reason)i);
        const char *sentence = slt_reason_sentence((enum slt_reason)i);
        assert_non_null(token);
        assert_non_null(sentence);
        assert_true(strlen(token) >= 4);
        assert_true(strlen(sentence) >= 8);
        assert_int_equal(strspn(token, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(token));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(token, slt_reason_token((enum slt_reason)j));
        }
    }
}

static void test_categories(void **state)
{
    (void)state;
    assert_int_equal(slt_reason_category(SLT_PASS), SLT_CATEGORY_PASS);
    assert_int_equal(slt_reason_category(SLT_DROP_FRAME_SHORT), SLT_CATEGORY_DROP);
    assert_int_equal(slt_reason_category(SLT_CAUSE_FIN_RECEIVED), SLT_CATEGORY_CAUSE);
    assert_int_equal(slt_reason_category(SLT_SEND_ACK_NOW), SLT_CATEGORY_SEND);
    assert_int_equal(slt_reason_category(SLT_NOTE_FRAG_HELD), SLT_CATEGORY_NOTE);
    assert_string_equal(slt_reason_token(SLT_CAUSE_FIN_RECEIVED), "fin-received");
    for (unsigned i = 1; i < SLT_REASON_COUNT; i++) {
        assert_int_not_equal(slt_reason_category((enum slt_reason)i), SLT_CATEGORY_PASS);
        const char *token = slt_reason_token((enum slt_reason)i);
        bool is_send = slt_reason_category((enum slt_reason)i) == SLT_CATEGORY_SEND;
        assert_int_equal(strncmp(token, "send-", 5) == 0, is_send);
    }
}

static void test_a_number_from_elsewhere_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(slt_reason_token(SLT_REASON_COUNT), "unknown");
    assert_string_equal(slt_reason_token((enum slt_reason)255), "unknown");
    assert_int_equal(slt_reason_category((enum slt_reason)255), SLT_CATEGORY_NOTE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_reason_has_a_unique_token_and_a_sentence),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_a_number_from_elsewhere_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
