/* observe/inode_table: what was put in is found, and nothing else, also when it is as full as it
 * may be and the inodes lie as a kernel hands them out. */
#include "observe/inode_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void check_table(size_t count, uint64_t first, uint64_t step)
{
    struct slt_inode_table table;
    assert_true(slt_inode_table_open(&table, count));
    for (size_t i = 0; i < count; i++) {
        slt_inode_table_add(&table, first + i * step, (uint32_t)i);
    }
    assert_int_equal(table.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(slt_inode_table_find(&table, first + i * step), i);
        assert_int_equal(slt_inode_table_find(&table, first + i * step + 1),
                         step == 1 && i + 1 < count ? i + 1 : SLT_INODE_NONE);
    }
    slt_inode_table_close(&table);
}

static void finds_what_is_there(void **state)
{
    (void)state;
    check_table(0, 1, 1);
    check_table(1, 7, 2);
    check_table(32, 1, 2);
    check_table(33, 1, 1);
    check_table(50000, 1234567, 1);
    check_table(50000, 1234567, 2);
    check_table(4096, UINT64_C(0xfffffff000000000), 1 << 20);
}

static void first_value_stays(void **state)
{
    (void)state;
    struct slt_inode_table table;
    assert_true(slt_inode_table_open(&table, 3));
    slt_inode_table_add(&table, 5, 1);
    slt_inode_table_add(&table, 5, 2);
    slt_inode_table_add(&table, 0, 3); /* no socket has it */
    assert_int_equal(table.count, 1);
    assert_int_equal(table.values_end, 2);
    slt_inode_table_add(&table, 9, 700);
    slt_inode_table_add(&table, 8, 6);
    assert_int_equal(table.values_end, 701);
    assert_int_equal(slt_inode_table_find(&table, 5), 1);
    assert_int_equal(slt_inode_table_find(&table, 0), SLT_INODE_NONE);
    slt_inode_table_close(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_there),
        cmocka_unit_test(first_value_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
