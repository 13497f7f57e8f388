/* See shard_box.h. */
#include "sock/shard_box.h"

#include <stdlib.h>
#include <string.h>

static size_t bytes_of(const struct slt_shard_letter *letter)
{
    return sizeof(*letter) + letter->frame.bytes;
}

void slt_shard_box_init(struct slt_shard_box *box)
{
    atomic_init(&box->top, NULL);
    atomic_init(&box->bytes, 0);
}

struct slt_shard_letter *slt_shard_letter_make(const struct salut_rx_frame *frame, uint32_t home,
                                               bool stray)
{
    struct slt_shard_letter *letter = malloc(sizeof(*letter) + frame->bytes);
    if (letter == NULL) {
        return NULL;
    }
    *letter = (struct slt_shard_letter){.home = home, .stray = stray, .frame = *frame};
    uint8_t *data = (uint8_t *)(letter + 1);
    memcpy(data, frame->data, frame->bytes);
    letter->frame.data = data;
    return letter;
}

void slt_shard_letter_free(struct slt_shard_letter *letter)
{
    free(letter);
}

bool slt_shard_box_put(struct slt_shard_box *box, struct slt_shard_letter *letter, bool *first)
{
    size_t bytes = bytes_of(letter);
    if (atomic_fetch_add(&box->bytes, bytes) + bytes > SLT_SHARD_BOX_BYTES_MAX) {
        atomic_fetch_sub(&box->bytes, bytes);
        return false;
    }
    struct slt_shard_letter *top = atomic_load(&box->top);
    do {
        letter->next = top;
    } while (!atomic_compare_exchange_weak(&box->top, &top, letter));
    *first = top == NULL;
    return true;
}

struct slt_shard_letter *slt_shard_box_take(struct slt_shard_box *box)
{
    struct slt_shard_letter *newest = atomic_exchange(&box->top, NULL);
    struct slt_shard_letter *oldest = NULL;
    size_t bytes = 0;
    while (newest != NULL) {
        struct slt_shard_letter *next = newest->next;
        bytes += bytes_of(newest);
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    atomic_fetch_sub(&box->bytes, bytes);
    return oldest;
}

bool slt_shard_box_is_empty(const struct slt_shard_box *box)
{
    return atomic_load(&box->top) == NULL;
}

void slt_shard_box_deinit(struct slt_shard_box *box)
{
    struct slt_shard_letter *letter = slt_shard_box_take(box);
    while (letter != NULL) {
        struct slt_shard_letter *next = letter->next;
        slt_shard_letter_free(letter);
        letter = next;
    }
}
