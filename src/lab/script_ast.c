/* The arena a script lives in.
 *
 * A script is read once, used and thrown away whole, thousands of times a second: chunks of some
 * kilobytes, handed out from the front, freed together.
 */
#include "lab/script_ast.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES 16384U
#define ALIGN_BYTES 16U

struct slt_script_chunk {
    struct slt_script_chunk *next;
    size_t used;
    size_t bytes;
    _Alignas(ALIGN_BYTES) unsigned char data[];
};

void *slt_script_take(struct slt_script *script, size_t bytes)
{
    size_t wanted = (bytes + ALIGN_BYTES - 1U) / ALIGN_BYTES * ALIGN_BYTES;
    struct slt_script_chunk *chunk = script->chunks;

    if (!chunk || chunk->bytes - chunk->used < wanted) {
        size_t room = wanted > CHUNK_BYTES ? wanted : CHUNK_BYTES;
        chunk = malloc(sizeof(*chunk) + room);
        if (!chunk) {
            return NULL;
        }
        chunk->next = script->chunks;
        chunk->used = 0;
        chunk->bytes = room;
        script->chunks = chunk;
    }
    void *memory = chunk->data + chunk->used;
    chunk->used += wanted;
    memset(memory, 0, bytes);
    return memory;
}

char *slt_script_copy(struct slt_script *script, const char *text, size_t bytes)
{
    char *copy = slt_script_take(script, bytes + 1U);
    if (copy && bytes > 0) {
        memcpy(copy, text, bytes);
    }
    return copy;
}

void slt_script_free(struct slt_script *script)
{
    struct slt_script_chunk *chunk = script->chunks;

    while (chunk) {
        struct slt_script_chunk *next = chunk->next;
        free(chunk);
        chunk = next;
    }
    memset(script, 0, sizeof(*script));
}
