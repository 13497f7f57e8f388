/* Memory that is lent: no byte is lent twice, what is back is used again, and there is a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "run/blocks.h"

#include "base/prng.h"

#include <string.h>

#include <cmocka.h>

#define OUT_MAX 3000
#define STEPS   200000

static void fill(const struct salut_loan *loan, uint8_t mark)
{
    memset((void *)(uintptr_t)loan->base, mark, loan->bytes);
}

static bool holds(const struct salut_loan *loan, uint8_t mark)
{
    const uint8_t *data = loan->base;
    return data[0] == mark && memcmp(data, data + 1, loan->bytes - 1) == 0;
}

/* Loans of all sizes go and come in any order; each keeps its bytes while it is out. */
static void t_no_byte_is_lent_twice(void **state)
{
    static struct salut_loan out[OUT_MAX];
    struct slt_run_blocks blocks = {.made = 0};
    struct slt_prng prng;
    size_t count = 0;
    size_t room = 0;
    (void)state;

    slt_prng_seed(&prng, 7);
    for (int step = 0; step < STEPS; step++) {
        bool lend = slt_prng_below(&prng, 100) < (step / 10000 % 2 == 0 ? 55 : 45);
        if (lend && count < OUT_MAX && slt_run_blocks_room(&blocks, &room) != NULL) {
            uint32_t most = slt_prng_below(&prng, 10) == 0 ? (uint32_t)room : 4096;
            out[count] = slt_run_blocks_lend(&blocks, 1 + slt_prng_below(&prng, most));
            fill(&out[count], (uint8_t)(uintptr_t)out[count].base);
            count++;
        } else if (count > 0) {
            size_t at = slt_prng_below(&prng, (uint32_t)count);
            assert_true(holds(&out[at], (uint8_t)(uintptr_t)out[at].base));
            slt_run_blocks_return(&blocks, &out[at]);
            count--;
            out[at] = out[count];
        }
    }
    while (count > 0) {
        count--;
        assert_true(holds(&out[count], (uint8_t)(uintptr_t)out[count].base));
        slt_run_blocks_return(&blocks, &out[count]);
    }
    assert_in_range(blocks.made, 1, 32); /* idle, it holds little */
    slt_run_blocks_deinit(&blocks);
}

/* What came back last is used first. */
static void t_what_is_warm_is_used_again(void **state)
{
    struct slt_run_blocks blocks = {.made = 0};
    size_t room = 0;
    (void)state;

    uint8_t *first = slt_run_blocks_room(&blocks, &room);
    for (int i = 0; i < 1000; i++) {
        struct salut_loan loan = slt_run_blocks_lend(&blocks, 100000);
        slt_run_blocks_return(&blocks, &loan);
        assert_ptr_equal(slt_run_blocks_room(&blocks, &room), first);
    }
    assert_int_equal(blocks.made, 1);
    slt_run_blocks_deinit(&blocks);
}

/* Beyond the limit there is no room; with one block back there is. What is still out when all is
 * over is freed as well. */
static void t_there_is_a_limit(void **state)
{
    static struct salut_loan out[SLT_RUN_BLOCKS_MAX];
    struct slt_run_blocks blocks = {.made = 0};
    size_t room = 0;
    (void)state;

    for (size_t i = 0; i < SLT_RUN_BLOCKS_MAX; i++) {
        assert_non_null(slt_run_blocks_room(&blocks, &room));
        out[i] = slt_run_blocks_lend(&blocks, room);
    }
    assert_null(slt_run_blocks_room(&blocks, &room));
    assert_int_equal(room, 0);
    assert_null(slt_run_blocks_room(&blocks, &room));
    slt_run_blocks_return(&blocks, &out[17]);
    assert_ptr_equal(slt_run_blocks_room(&blocks, &room), out[17].base);
    assert_int_equal(blocks.made, SLT_RUN_BLOCKS_MAX);
    slt_run_blocks_deinit(&blocks);
    assert_int_equal(blocks.made, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_no_byte_is_lent_twice),
        cmocka_unit_test(t_what_is_warm_is_used_again),
        cmocka_unit_test(t_there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
