/* Where things lie in a kernel's structures, as its own type information says (BTF, the kernel's
 * Documentation/bpf/btf.rst): offsets differ between versions and configurations, so nobody may
 * know them beforehand.
 *
 * Pure bytes in, numbers out: where the bytes come from is the caller's concern.
 */
#ifndef SLT_OBSERVE_BTF_H
#define SLT_OBSERVE_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slt_btf_wish {
    const char *name;   /* of a structure, or of a function */
    const char *member; /* of the structure itself, not of one inside it; NULL: a function */
    uint32_t found;     /* byte offset of the member; the number of the function */
    bool fulfilled;
};

/* Fulfil all of them in one pass. False: one of them is not to be had, or this is no BTF in this
 * machine's byte order. */
bool slt_btf_find(const uint8_t *data, size_t bytes, struct slt_btf_wish *wishes, size_t count);

#endif
