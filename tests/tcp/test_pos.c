/* Positions: unwrapping is exhaustive over the low 16 bits scaled to the whole circle, at every
 * kind of reference (RFC 9293 3.4, U-03).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tcp/pos.h"

static const int64_t references[] = {0,
                                     1,
                                     -1,
                                     0x7fffffff,
                                     0x80000000,
                                     0xffffffff,
                                     INT64_C(0x100000000),
                                     INT64_C(0x1ffffffff),
                                     INT64_C(0x7fffffffff),
                                     -INT64_C(0x80000000)};
static const uint32_t isns[] = {0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffff0, 0x12345678};

/* Every distance from -2^31 to 2^31 - 1 in steps of 2^16 - 1 (so that all residues occur), and the
 * edges themselves, comes back exactly. */
static void t_u_03_every_distance_comes_back(void **ctx)
{
    (void)ctx;
    for (unsigned r = 0; r < sizeof(references) / sizeof(references[0]); r++) {
        for (unsigned i = 0; i < sizeof(isns) / sizeof(isns[0]); i++) {
            for (int64_t d = -INT64_C(0x80000000); d < INT64_C(0x80000000); d += 0xffff) {
                int64_t pos = references[r] + d;
                uint32_t seq = slt_tcp_wrap(pos, isns[i]);
                assert_true(slt_tcp_unwrap(references[r], isns[i], seq) == pos);
            }
            int64_t last = references[r] + INT64_C(0x7fffffff);
            assert_true(slt_tcp_unwrap(references[r], isns[i], slt_tcp_wrap(last, isns[i])) ==
                        last);
        }
    }
}

static void t_u_03_near_distances_come_back_one_by_one(void **ctx)
{
    (void)ctx;
    for (unsigned r = 0; r < sizeof(references) / sizeof(references[0]); r++) {
        for (int64_t d = -70000; d <= 70000; d++) {
            int64_t pos = references[r] + d;
            assert_true(slt_pos_expand(references[r], (uint32_t)pos) == pos);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_u_03_every_distance_comes_back),
        cmocka_unit_test(t_u_03_near_distances_come_back_one_by_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
