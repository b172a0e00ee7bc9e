#include "arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explorer.h"

enum {
    GRANULE = 16,
    LINES = ARENA_BYTES / LINE,
    SHADOW_BYTES = ARENA_BYTES / GRANULE,
    HEAP = STATE_BYTES + SCENE_BYTES + SHADOW_BYTES,
    REGION_BYTES = (ARENA_BYTES - HEAP) / REGIONS / LINE * LINE,
    NEVER = 0, /* what a granule is */
    LIVE = 1,
    FREED = 2,
};

typedef struct {
    size_t used[REGIONS];
    long blocks;
} heap_t;

/* What lies in the log: a line as it was, or other bytes as they were. */
typedef struct {
    uint32_t line; /* LINES: other bytes */
    uint32_t size;
    uint64_t hash_or_address;
} kept_t;

unsigned char arena[ARENA_BYTES] __attribute__((aligned(4096)));
uint64_t arena_hash;

static uint64_t line_hash[LINES];
static uint64_t line_step[LINES]; /* when it was kept last */
static uint16_t line_ignored[LINES];
static uint64_t step;
static int logging;

static unsigned char *log_bytes;
static size_t log_used, log_room, log_settled;

static unsigned char *shadow(void) { return arena + STATE_BYTES + SCENE_BYTES; }
static heap_t *heap(void) { return (heap_t *)(arena + STATE_BYTES - LINE * 2); }

void *arena_state(void) { return arena; }
void *arena_scene(void) { return arena + STATE_BYTES; }

uint64_t hash_bytes(const void *bytes, size_t size, uint64_t seed) {
    const uint64_t *word = bytes;
    uint64_t a = seed ^ 0x9E3779B97F4A7C15u, b = size ^ 0xD6E8FEB86659FD93u;
    size_t i = 0;
    for (; i + 2 <= size / 8; i += 2) {
        a = (a ^ word[i]) * 0xA0761D6478BD642Fu;
        b = (b ^ word[i + 1]) * 0xE7037ED1A0B428DBu;
        a ^= a >> 32;
        b ^= b >> 29;
    }
    if (i < size / 8)
        a = (a ^ word[i]) * 0x8EBC6AF09C88C6E3u;
    a = (a ^ (a >> 31) ^ b) * 0x589965CC75374CC3u;
    return a ^ (a >> 30) ^ (b << 1);
}

static uint64_t hash_line(uint32_t line) {
    const unsigned char *bytes = arena + (size_t)line * LINE;
    if (line_ignored[line]) {
        uint32_t words[LINE / 4];
        memcpy(words, bytes, LINE);
        for (int i = 0; i < LINE / 4; i++)
            if (line_ignored[line] >> i & 1)
                words[i] = 0;
        return hash_bytes(words, LINE, line);
    }
    return hash_bytes(bytes, LINE, line);
}

void arena_clear(void) {
    memset(arena, 0, sizeof arena);
    memset(line_ignored, 0, sizeof line_ignored);
    memset(line_step, 0, sizeof line_step);
    log_used = log_settled = 0;
    step = 0;
    logging = 0;
}

void arena_begin(void) {
    arena_hash = 0;
    for (uint32_t line = 0; line < LINES; line++)
        arena_hash ^= line_hash[line] = hash_line(line);
    log_used = log_settled = 0;
    logging = 1;
    arena_step();
}

void arena_step(void) { step++; }

static void log_put(const kept_t *kept, const void *bytes) {
    size_t need = log_used + sizeof *kept + kept->size + sizeof(uint32_t);
    if (need > log_room) {
        log_room = 2 * need + (1 << 20);
        log_bytes = realloc(log_bytes, log_room);
        if (log_bytes == NULL)
            xp_die("no memory for %zu bytes of log", log_room);
    }
    memcpy(log_bytes + log_used, kept, sizeof *kept);
    memcpy(log_bytes + log_used + sizeof *kept, bytes, kept->size);
    log_used = need;
    memcpy(log_bytes + log_used - sizeof(uint32_t), &kept->size, sizeof(uint32_t)); /* for the way back */
}

static int keep_line(uint32_t line) {
    if (line_step[line] == step)
        return 0;
    line_step[line] = step;
    log_put(&(kept_t){line, LINE, line_hash[line]}, arena + (size_t)line * LINE);
    return 1;
}

/* The arena runs on the stack of whoever writes. What it leaves there (numbers of steps, places in the log)
 * would show through in variables of theirs that are never set, and make equal states look different. */
static __attribute__((noinline)) void leave_no_trace(void) {
    char below[512];
    memset(below, 0, sizeof below);
    __asm__ volatile("" ::"r"(below) : "memory");
}

void arena_touch(const void *bytes, size_t size) {
    size_t offset = (size_t)((const unsigned char *)bytes - arena);
    int kept = 0;
    if (offset >= ARENA_BYTES || !logging)
        return;
    for (uint32_t line = offset / LINE; line <= (offset + size - 1) / LINE; line++)
        kept |= keep_line(line);
    if (kept)
        leave_no_trace();
}

void arena_keep(void *bytes, size_t size) {
    log_put(&(kept_t){LINES, (uint32_t)size, (uint64_t)(uintptr_t)bytes}, bytes);
}

void arena_settle(void) {
    while (log_settled < log_used) {
        kept_t kept;
        memcpy(&kept, log_bytes + log_settled, sizeof kept);
        log_settled += sizeof kept + kept.size + sizeof(uint32_t);
        if (kept.line != LINES) {
            arena_hash ^= line_hash[kept.line];
            arena_hash ^= line_hash[kept.line] = hash_line(kept.line);
        }
    }
}

void arena_verify(void) {
    for (uint32_t line = 0; line < LINES; line++)
        if (line_hash[line] != hash_line(line))
            xp_die("line %u of the arena was written unseen: %s", line, xp_name(arena + (size_t)line * LINE));
}

size_t arena_mark(void) { return log_used; }

void arena_undo(size_t mark) {
    while (log_used > mark) {
        kept_t kept;
        uint32_t size;
        memcpy(&size, log_bytes + log_used - sizeof size, sizeof size);
        log_used -= sizeof size + size + sizeof kept;
        memcpy(&kept, log_bytes + log_used, sizeof kept);
        if (kept.line == LINES) {
            memcpy((void *)(uintptr_t)kept.hash_or_address, log_bytes + log_used + sizeof kept, size);
            continue;
        }
        memcpy(arena + (size_t)kept.line * LINE, log_bytes + log_used + sizeof kept, size);
        arena_hash ^= line_hash[kept.line] ^ kept.hash_or_address;
        line_hash[kept.line] = kept.hash_or_address;
    }
    log_settled = log_used;
    step++;
}

/* -- blocks ----------------------------------------------------------------------------------- */

void *arena_alloc(int region, size_t size) {
    heap_t *h = heap();
    size = (size + LINE - 1) / LINE * LINE;
    if (h->used[region] + size + LINE > REGION_BYTES)
        return NULL;
    size_t offset = HEAP + (size_t)region * REGION_BYTES + h->used[region];
    arena_touch(h, sizeof *h);
    h->used[region] += size + LINE; /* a line between blocks that nobody may touch */
    h->blocks++;
    arena_touch(shadow() + offset / GRANULE, size / GRANULE);
    memset(shadow() + offset / GRANULE, LIVE, size / GRANULE);
    return arena + offset;
}

void arena_free(void *block) {
    size_t offset = (size_t)((unsigned char *)block - arena);
    if (block == NULL)
        return;
    if (offset >= ARENA_BYTES || shadow()[offset / GRANULE] != LIVE) {
        xp_fail("memory", "freed twice: %s", xp_name(block));
        return;
    }
    arena_touch(heap(), sizeof(heap_t));
    heap()->blocks--;
    for (size_t i = offset / GRANULE; shadow()[i] == LIVE; i++) {
        arena_touch(shadow() + i, 1);
        shadow()[i] = FREED;
    }
}

size_t arena_size(const void *block) {
    size_t first = (size_t)((const unsigned char *)block - arena) / GRANULE, i = first;
    while (shadow()[i] == LIVE)
        i++;
    return (i - first) * GRANULE;
}

long arena_blocks(void) { return heap()->blocks; }

void arena_ignore(const void *word, size_t size) {
    size_t offset = (size_t)((const unsigned char *)word - arena);
    for (size_t i = offset / 4; i < (offset + size) / 4; i++)
        line_ignored[i * 4 / LINE] |= (uint16_t)(1u << (i % (LINE / 4)));
}

void arena_check(const void *bytes, size_t size) {
    size_t first = (size_t)((const unsigned char *)bytes - arena), last = first + size - 1;
    if (first >= ARENA_BYTES || first < HEAP)
        return;
    if (shadow()[first / GRANULE] != LIVE || shadow()[last / GRANULE] != LIVE)
        xp_fail("memory", "%s: %s",
                shadow()[first / GRANULE] == FREED ? "touched after it was freed" : "outside",
                xp_name(bytes));
}

/* -- what the compiler calls before an access of the core or the scene ------------------------ */

#define WATCHED(size)                                                                                        \
    void __tsan_read##size(void *p) { arena_check(p, size); }                                                \
    void __tsan_write##size(void *p) {                                                                       \
        arena_check(p, size);                                                                                \
        arena_touch(p, size);                                                                                \
    }                                                                                                        \
    void __tsan_unaligned_read##size(void *p) { __tsan_read##size(p); }                                      \
    void __tsan_unaligned_write##size(void *p) { __tsan_write##size(p); }
WATCHED(1)
WATCHED(2)
WATCHED(4)
WATCHED(8)
WATCHED(16)

void __tsan_read_range(void *p, size_t size) {
    if (size)
        arena_check(p, size);
}
void __tsan_write_range(void *p, size_t size) {
    if (size) {
        arena_check(p, size);
        arena_touch(p, size);
    }
}
void __tsan_init(void) {}
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void) {}

void *xp_memcpy(void *target, const void *source, size_t n) {
    __tsan_read_range((void *)(uintptr_t)source, n);
    __tsan_write_range(target, n);
    return memcpy(target, source, n);
}
