/* Which record has an inode: a table of open addressing that is never more than half full. */
#ifndef SLT_OBSERVE_INODE_TABLE_H
#define SLT_OBSERVE_INODE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLT_INODE_NONE UINT32_MAX

struct slt_inode_place {
    uint64_t inode; /* 0: nothing is here; no socket has it */
    uint32_t value;
};

struct slt_inode_table {
    struct slt_inode_place *places;
    size_t mask;
    size_t count;
    size_t values_end; /* all values are below it */
};

/* For at most `count` inodes. False: no memory. Close it either way. */
bool slt_inode_table_open(struct slt_inode_table *table, size_t count);
void slt_inode_table_close(struct slt_inode_table *table);

/* The first value that an inode is given stays. */
void slt_inode_table_add(struct slt_inode_table *table, uint64_t inode, uint32_t value);

/* SLT_INODE_NONE when it is not there. */
uint32_t slt_inode_table_find(const struct slt_inode_table *table, uint64_t inode);

#endif
