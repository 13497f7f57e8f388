/* A descriptor of a socket that somebody saw: which process's, which number, which socket. */
#ifndef SLT_OBSERVE_SIGHT_H
#define SLT_OBSERVE_SIGHT_H

#include <stddef.h>
#include <stdint.h>

struct slt_sight {
    int32_t pid;
    int32_t fd;
    uint64_t inode;
};

struct slt_sights {
    struct slt_sight *items;
    size_t count;
};

#endif
