/* A descriptor of a socket that somebody saw: which process's, which number, which socket. */
#ifndef SLT_OBSERVE_SIGHT_H
#define SLT_OBSERVE_SIGHT_H

#include <stdint.h>

struct slt_sight {
    int32_t pid;
    int32_t fd;
    uint64_t inode;
};

#endif
