/* Preloaded into an interpreter: fails the n-th allocation or thread of the core, or of Python, and counts
 * what the core holds.
 *
 * "Of the core" is a call whose return address lies in one of the ranges that were given to faults_watch():
 * the text of tocsin's modules. Their blocks are in a table from malloc to free, wherever they are freed, so
 * what is left in it is theirs. Python's own allocators are wrapped on demand; there a failure is for the
 * thread that armed it alone, since workers of a live pipeline allocate whenever they like.
 */
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *block);

enum kind { CORE = 1, THREADS = 2, PYTHON = 4 };

/* -- which call fails ---------------------------------------------------------------------------- */

static struct {
    uintptr_t begin, end;
} ranges[256];
static int ranges_used;

static atomic_int armed;
static atomic_long seen; /* calls of that kind since it was armed */
static atomic_long failed;
static long first_to_fail; /* counted from 1; 0: none */
static int all_after_it;
static _Thread_local int arms __attribute__((tls_model("initial-exec")));

static int is_ours(void *caller) {
    for (int i = 0; i < ranges_used; i++)
        if ((uintptr_t)caller >= ranges[i].begin && (uintptr_t)caller < ranges[i].end)
            return 1;
    return 0;
}

static int fails(enum kind kind) {
    if (!(atomic_load(&armed) & (int)kind) || (kind == PYTHON && !arms))
        return 0;
    long now = atomic_fetch_add(&seen, 1) + 1;
    if (first_to_fail == 0 || now < first_to_fail || (now > first_to_fail && !all_after_it))
        return 0;
    atomic_fetch_add(&failed, 1);
    return 1;
}

/* -- the blocks of the core ---------------------------------------------------------------------- */

#define PLACES (1u << 18)

static atomic_flag table_lock = ATOMIC_FLAG_INIT;
static uintptr_t table[PLACES];
static size_t sizes[PLACES];
static atomic_long blocks;
static atomic_long bytes;

static unsigned place_of(uintptr_t address) { return (unsigned)((address >> 4) * 2654435761u) % PLACES; }

static void keep(void *block, size_t size) {
    unsigned at = place_of((uintptr_t)block);

    while (atomic_flag_test_and_set(&table_lock))
        ;
    if (atomic_load(&blocks) > PLACES / 2)
        abort();
    while (table[at] != 0)
        at = (at + 1) % PLACES;
    table[at] = (uintptr_t)block;
    sizes[at] = size;
    atomic_fetch_add(&blocks, 1);
    atomic_fetch_add(&bytes, (long)size);
    atomic_flag_clear(&table_lock);
}

/* Linear probing without gaps: what comes behind a freed place and may stand there moves up. */
static void drop(void *block) {
    unsigned at = place_of((uintptr_t)block), hole;

    if (block == NULL || atomic_load(&blocks) == 0)
        return;
    while (atomic_flag_test_and_set(&table_lock))
        ;
    while (table[at] != 0 && table[at] != (uintptr_t)block)
        at = (at + 1) % PLACES;
    if (table[at] != 0) {
        atomic_fetch_sub(&blocks, 1);
        atomic_fetch_sub(&bytes, (long)sizes[at]);
        for (hole = at; table[at = (at + 1) % PLACES] != 0;)
            if ((at - place_of(table[at])) % PLACES >= (at - hole) % PLACES) {
                table[hole] = table[at];
                sizes[hole] = sizes[at];
                hole = at;
            }
        table[hole] = 0;
    }
    atomic_flag_clear(&table_lock);
}

/* -- what the core calls ------------------------------------------------------------------------- */

static void *kept(void *caller, void *block, size_t size) {
    if (block != NULL && is_ours(caller))
        keep(block, size);
    return block;
}

void *malloc(size_t size) {
    void *caller = __builtin_return_address(0);

    if (is_ours(caller) && fails(CORE))
        return NULL;
    return kept(caller, __libc_malloc(size), size);
}

void *calloc(size_t count, size_t size) {
    void *caller = __builtin_return_address(0);

    if (is_ours(caller) && fails(CORE))
        return NULL;
    return kept(caller, __libc_calloc(count, size), count * size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *caller = __builtin_return_address(0);

    if (is_ours(caller) && fails(CORE))
        return ENOMEM;
    *block = kept(caller, __libc_memalign(alignment, size), size);
    return *block == NULL ? ENOMEM : 0;
}

void *realloc(void *block, size_t size) {
    void *caller = __builtin_return_address(0), *moved;

    if (is_ours(caller) && fails(CORE))
        return NULL;
    if (is_ours(caller))
        drop(block);
    moved = __libc_realloc(block, size);
    return kept(caller, moved, size);
}

void free(void *block) {
    drop(block);
    __libc_free(block);
}

static void *map_pages(void *caller, void *address, size_t length, int protection, int flags, int file,
                       off_t at) {
    void *pages;

    if (is_ours(caller) && fails(CORE)) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    pages = (void *)syscall(SYS_mmap, address, length, protection, flags, file, at);
    return pages == MAP_FAILED ? pages : kept(caller, pages, length);
}

/* Under both names, of which Python.h's switches let C have one only. */
void *mmap_plain(void *address, size_t length, int protection, int flags, int file, off_t at) __asm__("mmap");
void *mmap_large(void *address, size_t length, int protection, int flags, int file,
                 off_t at) __asm__("mmap64");

void *mmap_plain(void *address, size_t length, int protection, int flags, int file, off_t at) {
    return map_pages(__builtin_return_address(0), address, length, protection, flags, file, at);
}

void *mmap_large(void *address, size_t length, int protection, int flags, int file, off_t at) {
    return map_pages(__builtin_return_address(0), address, length, protection, flags, file, at);
}

int munmap(void *pages, size_t length) {
    drop(pages);
    return (int)syscall(SYS_munmap, pages, length);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*main)(void *),
                   void *argument) {
    static int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

    if (create == NULL)
        *(void **)&create = dlsym(RTLD_NEXT, "pthread_create");
    if (is_ours(__builtin_return_address(0)) && fails(THREADS))
        return EAGAIN;
    return create(thread, attributes, main, argument);
}

/* -- what Python calls --------------------------------------------------------------------------- */

static PyMemAllocatorEx real[3];

static void *python_malloc(void *context, size_t size) {
    PyMemAllocatorEx *its = context;
    return fails(PYTHON) ? NULL : its->malloc(its->ctx, size);
}

static void *python_calloc(void *context, size_t number, size_t size) {
    PyMemAllocatorEx *its = context;
    return fails(PYTHON) ? NULL : its->calloc(its->ctx, number, size);
}

static void *python_realloc(void *context, void *block, size_t size) {
    PyMemAllocatorEx *its = context;
    return fails(PYTHON) ? NULL : its->realloc(its->ctx, block, size);
}

static void python_free(void *context, void *block) {
    PyMemAllocatorEx *its = context;
    its->free(its->ctx, block);
}

/* Wrap the allocators of Python, once. With the GIL. */
void faults_wrap_python(void) {
    const PyMemAllocatorDomain domains[] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};

    for (int i = 0; i < 3; i++) {
        PyMemAllocatorEx mine = {&real[i], python_malloc, python_calloc, python_realloc, python_free};

        PyMem_GetAllocator(domains[i], &real[i]);
        PyMem_SetAllocator(domains[i], &mine);
    }
}

/* -- the face ------------------------------------------------------------------------------------ */

void faults_watch(uintptr_t begin, uintptr_t end) {
    if (ranges_used == sizeof ranges / sizeof *ranges)
        abort();
    ranges[ranges_used].begin = begin;
    ranges[ranges_used++].end = end;
}

/* Call a function while the n-th call of a kind fails, or that and all later ones; 0: none, only count. */
PyObject *faults_call(PyObject *function, int kind, long n, int and_all_later) {
    PyObject *result;

    first_to_fail = n;
    all_after_it = and_all_later;
    atomic_store(&seen, 0);
    atomic_store(&failed, 0);
    arms = 1;
    atomic_store(&armed, kind);
    result = PyObject_CallNoArgs(function);
    atomic_store(&armed, 0);
    arms = 0;
    return result;
}

/* Of the last faults_call(): how many calls were made, and how many of them failed. */
long faults_seen(void) { return atomic_load(&seen); }
long faults_failed(void) { return atomic_load(&failed); }

/* What the core holds now. */
long faults_blocks(void) { return atomic_load(&blocks); }
long faults_bytes(void) { return atomic_load(&bytes); }
