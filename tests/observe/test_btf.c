/* observe/btf: wishes fulfilled from type information written here, one type of every kind before
 * the wanted ones, and from that of the kernel this runs on; and what is broken is refused. */
#include "observe/btf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KINDS 20U

static const char strings[] = "\0task\0pid\0tgid\0walk\0other";
enum { NAME_TASK = 1, NAME_PID = 6, NAME_TGID = 10, NAME_WALK = 15, NAME_OTHER = 20 };

/* A blob under construction. */
struct made {
    uint8_t bytes[2048];
    size_t used;
    uint32_t types;
};

static void put(struct made *m, uint32_t word)
{
    assert_true(m->used + sizeof(word) <= sizeof(m->bytes));
    memcpy(m->bytes + m->used, &word, sizeof(word));
    m->used += sizeof(word);
}

static void put_type(struct made *m, uint32_t name, uint32_t kind, uint32_t parts)
{
    put(m, name);
    put(m, (kind & 0x1f) << 24 | (kind & 0x80000000U) | parts);
    put(m, 0);
    m->types++;
}

/* Header (magic, version 1), types, strings. */
static void begin(struct made *m)
{
    m->used = m->types = 0;
    put(m, 0x0001eb9f);
    for (int i = 0; i < 5; i++) {
        put(m, i == 0 ? 24 : 0);
    }
}

static void finish(struct made *m)
{
    uint32_t types_bytes = (uint32_t)m->used - 24;
    uint32_t strings_bytes = sizeof(strings);
    memcpy(m->bytes + 12, &types_bytes, 4);
    memcpy(m->bytes + 16, &types_bytes, 4);
    memcpy(m->bytes + 20, &strings_bytes, 4);
    memcpy(m->bytes + m->used, strings, sizeof(strings));
    m->used += sizeof(strings);
}

/* One of each kind, with what follows it, two parts where it has parts. */
static void put_one_of_each(struct made *m)
{
    static const uint32_t words[KINDS] = {[1] = 1,  [3] = 3,  [4] = 6,  [5] = 6,  [6] = 4,
                                          [13] = 4, [14] = 1, [15] = 6, [17] = 1, [19] = 6};
    static const uint32_t has_parts = 1U << 4 | 1U << 5 | 1U << 6 | 1U << 13 | 1U << 15 | 1U << 19;
    for (uint32_t kind = 1; kind < KINDS; kind++) {
        put_type(m, NAME_OTHER, kind, (has_parts & 1U << kind) != 0 ? 2 : 0);
        for (uint32_t i = 0; i < words[kind]; i++) {
            put(m, 0);
        }
    }
}

static void make(struct made *m, uint32_t packed)
{
    begin(m);
    put_one_of_each(m);
    put_type(m, NAME_TASK, 4 | packed, 2);
    put(m, NAME_PID), put(m, 1), put(m, 0x20 * 8);
    put(m, NAME_TGID), put(m, 1), put(m, 0x24 * 8 | (packed != 0 ? 5U << 24 : 0));
    put_type(m, NAME_WALK, 12, 0);
    finish(m);
}

static bool find(const uint8_t *data, size_t bytes, struct slt_btf_wish wishes[3])
{
    wishes[0] = (struct slt_btf_wish){.name = "task", .member = "tgid"};
    wishes[1] = (struct slt_btf_wish){.name = "walk"};
    wishes[2] = (struct slt_btf_wish){.name = "task", .member = "pid"};
    return slt_btf_find(data, bytes, wishes, 3);
}

static void finds_behind_every_kind(void **state)
{
    (void)state;
    struct made m;
    struct slt_btf_wish wishes[3];
    for (uint32_t packed = 0; packed < 2; packed++) {
        make(&m, packed << 31);
        assert_true(find(m.bytes, m.used, wishes));
        assert_int_equal(wishes[0].found, 0x24);
        assert_int_equal(wishes[1].found, m.types);
        assert_int_equal(wishes[2].found, 0x20);
    }
}

static void what_is_not_there(void **state)
{
    (void)state;
    struct made m;
    struct slt_btf_wish wish = {.name = "task", .member = "walk"};
    make(&m, 0);
    assert_false(slt_btf_find(m.bytes, m.used, &wish, 1));
    wish = (struct slt_btf_wish){.name = "task"}; /* a structure is no function */
    assert_false(slt_btf_find(m.bytes, m.used, &wish, 1));
    wish = (struct slt_btf_wish){.name = "walk", .member = "pid"};
    assert_false(slt_btf_find(m.bytes, m.used, &wish, 1));
}

/* Copies of their own size, so that a read beyond is seen by the sanitizer. */
static bool find_in_copy(const uint8_t *data, size_t bytes)
{
    struct slt_btf_wish wishes[3];
    uint8_t *copy = malloc(bytes + (bytes == 0));
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    bool found = find(copy, bytes, wishes);
    free(copy);
    return found;
}

static void broken_ones_are_refused(void **state)
{
    (void)state;
    struct made m;
    make(&m, 0);
    for (size_t bytes = 0; bytes < m.used; bytes++) {
        assert_false(find_in_copy(m.bytes, bytes));
    }
    assert_true(find_in_copy(m.bytes, m.used));
    for (size_t at = 0; at < m.used; at++) {
        for (unsigned value = 0; value < 256; value += 17) {
            uint8_t was = m.bytes[at];
            m.bytes[at] = (uint8_t)value;
            (void)find_in_copy(m.bytes, m.used); /* any answer but a read beyond */
            m.bytes[at] = was;
        }
    }
    begin(&m);
    put_type(&m, NAME_OTHER, KINDS, 0); /* of a kind to come: how long is it? */
    put_type(&m, NAME_WALK, 12, 0);
    finish(&m);
    struct slt_btf_wish wish = {.name = "walk"};
    assert_false(slt_btf_find(m.bytes, m.used, &wish, 1));
}

static void kernel_of_this_machine(void **state)
{
    (void)state;
    FILE *file = fopen("/sys/kernel/btf/vmlinux", "rb");
    if (file == NULL) {
        skip();
    }
    const size_t most = 64U << 20;
    uint8_t *data = malloc(most);
    assert_non_null(data);
    size_t bytes = fread(data, 1, most, file);
    (void)fclose(file);
    struct slt_btf_wish wishes[] = {{.name = "task_struct", .member = "pid"},
                                    {.name = "task_struct", .member = "tgid"},
                                    {.name = "tcp_close"}};
    assert_true(slt_btf_find(data, bytes, wishes, 3));
    assert_int_equal(wishes[1].found, wishes[0].found + 4);
    assert_true(wishes[2].found > 0);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_behind_every_kind),
        cmocka_unit_test(what_is_not_there),
        cmocka_unit_test(broken_ones_are_refused),
        cmocka_unit_test(kernel_of_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
