/* See owner_bpf_linux.h.
 *
 * The program is thirty instructions, written here as such: it needs no compiler for BPF, no
 * library that loads objects, and nothing at build time. What a loader would do for it is to put in
 * four offsets of this kernel's structures, which btf.c finds. The kernel checks what it does
 * before it runs: a program that does not fit this kernel is refused, and then the owner is found
 * in /proc.
 *
 * For every descriptor of every process the kernel calls it with the task, the number and the file
 * (struct bpf_iter__task_file). What it writes with bpf_seq_write is what a read of the iterator
 * returns: one struct slt_sight after the other.
 */
#include "observe/owner_bpf_linux.h"

#include "base/compiler.h"
#include "observe/btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FIRST_PID_NAMESPACE UINT64_C(0xeffffffc) /* PROC_PID_INIT_INO of the kernel */
#define INSTRUCTIONS_MAX    40U
#define FIRST_ROOM          (256U * 1024U)

_Static_assert(sizeof(struct slt_sight) == 16, "what the program writes is read as it is");

/* Functions of the kernel that programs may call: their numbers never change. */
enum { BPF_CALL_SEQ_WRITE = 127, BPF_CALL_SOCK_FROM_FILE = 162 };

/* struct bpf_iter__task_file and struct bpf_iter_meta, which are an interface. */
enum { CTX_META = 0, CTX_TASK = 8, CTX_FD = 16, CTX_FILE = 24, META_SEQ = 0 };

/* What differs from kernel to kernel and is looked up. */
enum { AT_FUNCTION, AT_PID, AT_TGID, AT_INODE, AT_NUMBER, WISH_COUNT };

/* ---- the program ---------------------------------------------------------------------------- */

/* Registers: R1-R5 are arguments, R0 what a call returns, R10 the end of the stack; R6-R9 outlive
 * calls. */
enum { R0, R1, R2, R3, CTX = 6, SEQ = 7, TASK = 8, OPENED = 9, STACK = 10 };

struct program {
    struct bpf_insn code[INSTRUCTIONS_MAX];
    unsigned count;
};

static struct bpf_insn *put(struct program *p, unsigned code, unsigned to, unsigned from)
{
    SLT_ASSERT(p->count < INSTRUCTIONS_MAX);
    struct bpf_insn *insn = &p->code[p->count++];
    *insn = (struct bpf_insn){.code = (uint8_t)code};
    insn->dst_reg = to & 0xf;
    insn->src_reg = from & 0xf;
    return insn;
}

/* to = *(from + offset); `size` is BPF_W or BPF_DW. */
static void load(struct program *p, unsigned size, unsigned to, unsigned from, uint32_t offset)
{
    put(p, BPF_LDX | BPF_MEM | size, to, from)->off = (int16_t)offset;
}

/* *(STACK + offset) = from */
static void store(struct program *p, unsigned size, int16_t offset, unsigned from)
{
    put(p, BPF_STX | BPF_MEM | size, STACK, from)->off = offset;
}

static void move(struct program *p, unsigned to, unsigned from)
{
    (void)put(p, BPF_ALU64 | BPF_MOV | BPF_X, to, from);
}

static void set(struct program *p, unsigned to, int32_t value)
{
    put(p, BPF_ALU64 | BPF_MOV | BPF_K, to, 0)->imm = value;
}

static void add(struct program *p, unsigned to, int32_t value)
{
    put(p, BPF_ALU64 | BPF_ADD | BPF_K, to, 0)->imm = value;
}

static void call(struct program *p, int32_t function)
{
    put(p, BPF_JMP | BPF_CALL, 0, 0)->imm = function;
}

/* Jumps all lead to the end, and get their distance there. */
static void end_if_zero(struct program *p, unsigned reg)
{
    (void)put(p, BPF_JMP | BPF_JEQ | BPF_K, reg, 0);
}

static void end_if_different(struct program *p, unsigned a, unsigned b)
{
    (void)put(p, BPF_JMP | BPF_JNE | BPF_X, a, b);
}

static bool is_jump(const struct bpf_insn *insn)
{
    return insn->code == (BPF_JMP | BPF_JEQ | BPF_K) || insn->code == (BPF_JMP | BPF_JNE | BPF_X);
}

static void end(struct program *p)
{
    for (unsigned i = 0; i < p->count; i++) {
        if (is_jump(&p->code[i])) {
            p->code[i].off = (int16_t)(p->count - i - 1);
        }
    }
    set(p, R0, 0);
    (void)put(p, BPF_JMP | BPF_EXIT, 0, 0);
}

static void write_program(struct program *p, const struct slt_btf_wish at[WISH_COUNT])
{
    enum { SIGHT = -16, SIGHT_PID = -16, SIGHT_FD = -12, SIGHT_INODE = -8 };
    p->count = 0;
    move(p, CTX, R1);
    load(p, BPF_DW, R1, CTX, CTX_META);
    load(p, BPF_DW, SEQ, R1, META_SEQ);
    load(p, BPF_DW, TASK, CTX, CTX_TASK);
    end_if_zero(p, TASK);
    load(p, BPF_DW, OPENED, CTX, CTX_FILE);
    end_if_zero(p, OPENED); /* after the last one it is called once more */

    move(p, R1, OPENED);
    call(p, BPF_CALL_SOCK_FROM_FILE);
    end_if_zero(p, R0);

    /* A thread with descriptors of its own: /proc does not show these as the process's. */
    load(p, BPF_W, R1, TASK, at[AT_PID].found);
    load(p, BPF_W, R2, TASK, at[AT_TGID].found);
    end_if_different(p, R1, R2);

    store(p, BPF_W, SIGHT_PID, R2);
    load(p, BPF_W, R1, CTX, CTX_FD);
    store(p, BPF_W, SIGHT_FD, R1);
    load(p, BPF_DW, R1, OPENED, at[AT_INODE].found);
    load(p, BPF_DW, R1, R1, at[AT_NUMBER].found);
    store(p, BPF_DW, SIGHT_INODE, R1);

    move(p, R1, SEQ);
    move(p, R2, STACK);
    add(p, R2, SIGHT);
    set(p, R3, (int32_t)sizeof(struct slt_sight));
    call(p, BPF_CALL_SEQ_WRITE);
    end(p);
}

/* ---- the kernel ----------------------------------------------------------------------------- */

static int ask_bpf(int command, union bpf_attr *attr)
{
    long result = syscall(SYS_bpf, command, attr, sizeof(*attr));
    return result < 0 ? -errno : (int)result;
}

static uint64_t address_of(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static int load_program(const struct program *p, uint32_t function)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.prog_type = BPF_PROG_TYPE_TRACING;
    attr.expected_attach_type = BPF_TRACE_ITER;
    attr.attach_btf_id = function;
    attr.insn_cnt = p->count;
    attr.insns = address_of(p->code);
    /* bpf_seq_write is for programs under the GPL, which the MIT licence lets this one be. */
    attr.license = address_of("Dual MIT/GPL");
    memcpy(attr.prog_name, "salut_owners", sizeof("salut_owners"));
    return ask_bpf(BPF_PROG_LOAD, &attr);
}

/* Whether this process may, before five megabytes are read for it: a program that is attached to
 * nothing is wrong, but it is first of all refused to those who may not. */
static bool may_load(void)
{
    struct program p = {.count = 0};
    end(&p);
    int fd = load_program(&p, 0);
    if (fd >= 0) {
        (void)close(fd);
    }
    return fd != -EPERM && fd != -ENOSYS;
}

static int open_iterator(int program)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof(attr));
    attr.link_create.prog_fd = (uint32_t)program;
    attr.link_create.attach_type = BPF_TRACE_ITER;
    int link = ask_bpf(BPF_LINK_CREATE, &attr);
    if (link < 0) {
        return link;
    }
    memset(&attr, 0, sizeof(attr));
    attr.iter_create.link_fd = (uint32_t)link;
    int fd = ask_bpf(BPF_ITER_CREATE, &attr);
    (void)close(link); /* the iterator keeps what it needs */
    return fd;
}

/* ---- where things lie ----------------------------------------------------------------------- */

/* The kernel's type information. Before Linux 6.16 it cannot be mapped, and is read. */
struct types {
    uint8_t *data;
    size_t bytes;
    bool mapped;
};

static void read_all_of(int fd, struct types *types, size_t bytes)
{
    ssize_t got = 1;
    types->data = malloc(bytes + 1);
    while (types->data != NULL && types->bytes < bytes && got > 0) {
        got = read(fd, types->data + types->bytes, bytes - types->bytes);
        types->bytes += got > 0 ? (size_t)got : 0;
    }
}

static void open_types(struct types *types)
{
    struct stat status;
    int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
    *types = (struct types){.data = NULL};
    if (fd < 0) {
        return;
    }
    size_t bytes = fstat(fd, &status) == 0 ? (size_t)status.st_size : 0;
    void *map = bytes > 0 ? mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (map != MAP_FAILED) {
        *types = (struct types){map, bytes, true};
    } else if (bytes > 0) {
        read_all_of(fd, types, bytes);
    }
    (void)close(fd);
}

static void close_types(struct types *types)
{
    if (types->mapped) {
        (void)munmap(types->data, types->bytes);
    } else {
        free(types->data);
    }
}

static bool find_places(struct slt_btf_wish at[WISH_COUNT])
{
    struct types types;
    at[AT_FUNCTION] = (struct slt_btf_wish){.name = "bpf_iter_task_file"};
    at[AT_PID] = (struct slt_btf_wish){.name = "task_struct", .member = "pid"};
    at[AT_TGID] = (struct slt_btf_wish){.name = "task_struct", .member = "tgid"};
    at[AT_INODE] = (struct slt_btf_wish){.name = "file", .member = "f_inode"};
    at[AT_NUMBER] = (struct slt_btf_wish){.name = "inode", .member = "i_ino"};
    open_types(&types);
    bool found = types.data != NULL && slt_btf_find(types.data, types.bytes, at, WISH_COUNT);
    close_types(&types);
    return found;
}

static bool is_first_pid_namespace(void)
{
    struct stat status;
    return stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == FIRST_PID_NAMESPACE;
}

/* ---- what it tells -------------------------------------------------------------------------- */

struct told {
    struct slt_sight *sights;
    size_t used; /* bytes */
    size_t room;
};

static bool make_room(struct told *told)
{
    if (told->room - told->used >= FIRST_ROOM / 2) {
        return true;
    }
    size_t room = told->room == 0 ? FIRST_ROOM : told->room * 2;
    struct slt_sight *sights = realloc(told->sights, room);
    if (sights != NULL) {
        told->sights = sights;
        told->room = room;
    }
    return sights != NULL;
}

/* EAGAIN: a million descriptors in a row that are no sockets. */
static int read_all(int fd, struct told *told)
{
    ssize_t got = 1;
    while (got != 0) {
        if (!make_room(told)) {
            return -ENOMEM;
        }
        got = read(fd, (uint8_t *)told->sights + told->used, told->room - told->used);
        if (got < 0 && errno != EINTR && errno != EAGAIN) {
            return -errno;
        }
        told->used += got > 0 ? (size_t)got : 0;
    }
    return 0;
}

static int run(const struct program *p, uint32_t function, struct told *told)
{
    int loaded = load_program(p, function);
    int fd = loaded < 0 ? loaded : open_iterator(loaded);
    int result = fd < 0 ? fd : read_all(fd, told);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (loaded >= 0) {
        (void)close(loaded);
    }
    return result;
}

int slt_owner_bpf(struct slt_sights *sights)
{
    struct slt_btf_wish at[WISH_COUNT];
    struct program program;
    struct told told = {.used = 0};
    *sights = (struct slt_sights){.count = 0};
    if (!may_load()) {
        return -EPERM;
    }
    if (!is_first_pid_namespace() || !find_places(at)) {
        return -EOPNOTSUPP;
    }
    write_program(&program, at);
    int result = run(&program, at[AT_FUNCTION].found, &told);
    if (result < 0) {
        free(told.sights);
        return result;
    }
    *sights = (struct slt_sights){told.sights, told.used / sizeof(*told.sights)};
    return 0;
}
