/* Assertions and compiler help for every floor.
 *
 * Three kinds of errors, three mechanisms: the peer's fault is an enum slt_reason, the caller's
 * or the environment's is an enum salut_status, and ours is an assertion. SLT_ASSERT stays on in
 * release builds; SLT_DCHECK is for checks that cost more than a few instructions and is on in
 * debug, simulation and fuzzing builds.
 */
#ifndef SLT_BASE_COMPILER_H
#define SLT_BASE_COMPILER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called when an assertion fails. The library's own definition is weak and traps; a program that
 * embeds salut may define its own (log, reboot); it must not return. */
_Noreturn void salut_fault(const char *file, int line, const char *what);

#define SLT_ASSERT(cond)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0)) {                                                        \
            salut_fault(__FILE__, __LINE__, #cond);                                                \
        }                                                                                          \
    } while (0)

#define SLT_UNREACHABLE(why) salut_fault(__FILE__, __LINE__, why)

#ifdef SLT_DEBUG
#define SLT_DCHECK(cond) SLT_ASSERT(cond)
#else
#define SLT_DCHECK(cond) ((void)sizeof(cond))
#endif

#define SLT_MUST_USE          __attribute__((warn_unused_result))
#define SLT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/* Not made part of its caller, who mostly goes without it and is to stay cheap then. */
#define SLT_APART          __attribute__((noinline))
#define SLT_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define SLT_LINE_BYTES 64U

static inline void slt_prefetch(const void *p)
{
    __builtin_prefetch(p);
}

/* A number whose bytes in memory are those of `v` in network order. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline uint32_t slt_big_endian_u32(uint32_t v)
{
    return __builtin_bswap32(v);
}
#else
static inline uint32_t slt_big_endian_u32(uint32_t v)
{
    return v;
}
#endif

/* All of an object. */
static inline void slt_prefetch_all(const void *p, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += SLT_LINE_BYTES) {
        slt_prefetch((const uint8_t *)p + at);
    }
}

static inline int64_t slt_min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t slt_max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static inline uint32_t slt_min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static inline uint32_t slt_max32(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

#endif
