/* See inode_table.h. */
#include "observe/inode_table.h"

#include "base/compiler.h"

#include <stdlib.h>

static struct slt_inode_place *place_of(const struct slt_inode_table *table, uint64_t inode)
{
    size_t at = (size_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) & table->mask;
    while (table->places[at].inode != 0 && table->places[at].inode != inode) {
        at = (at + 1) & table->mask;
    }
    return &table->places[at];
}

bool slt_inode_table_open(struct slt_inode_table *table, size_t count)
{
    size_t room = 64;
    while (room < count * 2) {
        room *= 2;
    }
    *table = (struct slt_inode_table){.mask = room - 1};
    table->places = calloc(room, sizeof(*table->places));
    return table->places != NULL;
}

void slt_inode_table_close(struct slt_inode_table *table)
{
    free(table->places);
    table->places = NULL;
}

void slt_inode_table_add(struct slt_inode_table *table, uint64_t inode, uint32_t value)
{
    struct slt_inode_place *place = place_of(table, inode);
    if (inode != 0 && place->inode == 0) {
        SLT_ASSERT(table->count <= table->mask / 2);
        *place = (struct slt_inode_place){inode, value};
        table->count++;
        table->values_end = value >= table->values_end ? (size_t)value + 1 : table->values_end;
    }
}

uint32_t slt_inode_table_find(const struct slt_inode_table *table, uint64_t inode)
{
    const struct slt_inode_place *place = place_of(table, inode);
    return inode != 0 && place->inode == inode ? place->value : SLT_INODE_NONE;
}
