/* See btf.h.
 *
 * Types are numbered from 1 in the order they are written in, each a head and what its kind adds
 * to that; there is no index, so all are walked until the last wish is fulfilled. The kernel's have
 * some 150,000.
 */
#include "observe/btf.h"

#include <string.h>

#define BTF_MAGIC 0xeb9fU

enum btf_kind {
    BTF_VOID,
    BTF_INT,
    BTF_PTR,
    BTF_ARRAY,
    BTF_STRUCT,
    BTF_UNION,
    BTF_ENUM,
    BTF_FWD,
    BTF_TYPEDEF,
    BTF_VOLATILE,
    BTF_CONST,
    BTF_RESTRICT,
    BTF_FUNC,
    BTF_FUNC_PROTO,
    BTF_VAR,
    BTF_DATASEC,
    BTF_FLOAT,
    BTF_DECL_TAG,
    BTF_TYPE_TAG,
    BTF_ENUM64,
    BTF_KIND_COUNT
};

struct btf_header {
    uint16_t magic;
    uint8_t version;
    uint8_t flags;
    uint32_t header_bytes;
    uint32_t types_at; /* from the end of the header, as strings_at */
    uint32_t types_bytes;
    uint32_t strings_at;
    uint32_t strings_bytes;
};

struct btf_type {
    uint32_t name;
    uint32_t info; /* bits 0-15 how many parts, 24-28 the kind, 31: offsets are packed */
    uint32_t size_or_type;
};

struct btf_member {
    uint32_t name;
    uint32_t type;
    uint32_t offset; /* in bits; packed: of its lower 24 */
};

/* What follows the head of a type: once, and for each of its parts. */
static const struct {
    uint8_t once;
    uint8_t each;
} extra[BTF_KIND_COUNT] = {
    [BTF_INT] = {4, 0},     [BTF_ARRAY] = {12, 0},   [BTF_STRUCT] = {0, 12},
    [BTF_UNION] = {0, 12},  [BTF_ENUM] = {0, 8},     [BTF_FUNC_PROTO] = {0, 8},
    [BTF_VAR] = {4, 0},     [BTF_DATASEC] = {0, 12}, [BTF_DECL_TAG] = {4, 0},
    [BTF_ENUM64] = {0, 12},
};

struct part {
    const uint8_t *at;
    size_t bytes;
};

struct blob {
    struct part types;
    struct part strings;
};

/* A type as it is come by. */
struct type {
    struct btf_type head;
    uint32_t number;
    uint32_t kind;
    uint32_t part_count;
    const uint8_t *parts;
};

/* What `part` has from `from` on. */
static bool take_part(struct part *part, uint32_t from, uint32_t bytes)
{
    bool inside = from <= part->bytes && bytes <= part->bytes - from;
    *part = inside ? (struct part){part->at + from, bytes} : (struct part){NULL, 0};
    return inside;
}

static bool open_blob(const uint8_t *data, size_t bytes, struct blob *blob)
{
    struct btf_header header;
    if (bytes < sizeof(header)) {
        return false;
    }
    memcpy(&header, data, sizeof(header));
    if (header.magic != BTF_MAGIC || header.header_bytes > bytes) {
        return false;
    }
    blob->types = (struct part){data + header.header_bytes, bytes - header.header_bytes};
    blob->strings = blob->types;
    /* The last string ends, and so does every one before it. */
    return take_part(&blob->types, header.types_at, header.types_bytes) &&
           take_part(&blob->strings, header.strings_at, header.strings_bytes) &&
           blob->strings.bytes > 0 && blob->strings.at[blob->strings.bytes - 1] == 0;
}

static bool is_named(const struct blob *blob, uint32_t name, const char *wanted)
{
    return name < blob->strings.bytes && strcmp((const char *)blob->strings.at + name, wanted) == 0;
}

/* The type that begins at `at`, which moves behind it. */
static bool next_type(const struct part *types, size_t *at, struct type *type)
{
    if (types->bytes - *at < sizeof(type->head)) {
        return false;
    }
    memcpy(&type->head, types->at + *at, sizeof(type->head));
    *at += sizeof(type->head);
    type->number++;
    type->kind = type->head.info >> 24 & 0x1f;
    type->part_count = type->head.info & 0xffff;
    type->parts = types->at + *at;
    if (type->kind == BTF_VOID || type->kind >= BTF_KIND_COUNT) {
        return false; /* nobody knows how long it is */
    }
    size_t more = extra[type->kind].once + (size_t)extra[type->kind].each * type->part_count;
    bool whole = more <= types->bytes - *at;
    *at += whole ? more : 0;
    return whole;
}

static void find_member(const struct blob *blob, const struct type *type, struct slt_btf_wish *wish)
{
    bool packed = type->head.info >> 31 != 0;
    for (uint32_t i = 0; i < type->part_count; i++) {
        struct btf_member member;
        memcpy(&member, type->parts + i * sizeof(member), sizeof(member));
        if (is_named(blob, member.name, wish->member)) {
            wish->found = (packed ? member.offset & 0xffffff : member.offset) / 8;
            wish->fulfilled = true;
            return;
        }
    }
}

static void try_wish(const struct blob *blob, const struct type *type, struct slt_btf_wish *wish)
{
    uint32_t wanted = wish->member != NULL ? BTF_STRUCT : BTF_FUNC;
    if (wish->fulfilled || type->kind != wanted || !is_named(blob, type->head.name, wish->name)) {
        return;
    }
    if (wish->member != NULL) {
        find_member(blob, type, wish);
    } else {
        wish->found = type->number;
        wish->fulfilled = true;
    }
}

static size_t count_open(const struct slt_btf_wish *wishes, size_t count)
{
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        open += !wishes[i].fulfilled;
    }
    return open;
}

bool slt_btf_find(const uint8_t *data, size_t bytes, struct slt_btf_wish *wishes, size_t count)
{
    struct blob blob;
    struct type type = {.number = 0};
    size_t at = 0;
    if (!open_blob(data, bytes, &blob)) {
        return false;
    }
    while (count_open(wishes, count) > 0) {
        if (!next_type(&blob.types, &at, &type)) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            try_wish(&blob, &type, &wishes[i]);
        }
    }
    return true;
}
