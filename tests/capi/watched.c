/* A producer's thread under the kernel's eyes: each system call that it makes inside tocsin_notify() is
 * trapped and noted, and so is each page that comes at its first use.
 *
 * A filter (seccomp) can't be taken off again, so the thread ends behind it. tests/watched.py mirrors the
 * struct.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <tocsin.h>

enum planted { NOTHING, SYSTEM_CALL, WAIT, PAGE };

struct watched {
    tocsin_producer *producer;
    uint64_t timestamp;
    uint32_t events;
    uint32_t may_wake; /* the futex's wake is not noted */
    uint32_t planted;  /* a bug, once in the middle */
    uint32_t accepted, refused;
    uint32_t disturbed; /* errno changed */
    uint32_t noted;     /* system calls, or pages */
    int32_t last;       /* number of the last system call */
};

struct pair {
    uint32_t source, number;
};

static void plant(enum planted bug) {
    static uint32_t word;

    if (bug == SYSTEM_CALL)
        getppid();
    if (bug == WAIT) /* as a contended mutex does; the word differs, so this returns at once */
        syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, word + 1, NULL, NULL, 0);
    if (bug == PAGE) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
        volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, flags, -1, 0);

        page[0] = 1;
        munmap((void *)page, 4096);
    }
}

static void notify(struct watched *watched, uint32_t number) {
    const struct pair pair = {1, number};

    errno = EXDEV;
    int error = tocsin_notify(watched->producer, 0, &pair, sizeof pair, watched->timestamp);

    watched->disturbed += errno != EXDEV;
    watched->accepted += error == 0;
    watched->refused += error == -ENOBUFS;
    if (number == watched->events / 2)
        plant(watched->planted);
}

static int in_a_thread(void *(*run)(void *), struct watched *watched) {
    pthread_t thread;
    void *error = NULL;

    if (pthread_create(&thread, NULL, run, watched) != 0)
        return -EAGAIN;
    pthread_join(thread, &error);
    return (int)(intptr_t)error;
}

/* -- system calls ------------------------------------------------------------------------------ */

static struct watched *on_trap;

/* Note the call and have it fail: it was not made. */
static void note_call(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    on_trap->noted++;
    on_trap->last = info->si_syscall;
#if defined(__x86_64__)
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -ENOSYS;
#elif defined(__aarch64__)
    ((ucontext_t *)context)->uc_mcontext.regs[0] = (uint64_t)-ENOSYS;
#endif
}

/* From now on this thread may return from a handler, end, and perhaps wake; all else is trapped. 0, or
 * -errno. */
static int trap_all(int may_wake) {
    const uint32_t wake = may_wake ? SECCOMP_RET_ALLOW : SECCOMP_RET_TRAP;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 5, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 4, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAKE_PRIVATE, 0, 2),
        BPF_STMT(BPF_RET | BPF_K, wake),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0 ? 0 : -errno;
}

static void *run_trapped(void *argument) {
    struct watched *watched = argument;
    int error = trap_all((int)watched->may_wake);

    if (error != 0)
        return (void *)(intptr_t)error;
    for (uint32_t i = 0; i < watched->events; i++)
        notify(watched, i);
    syscall(SYS_exit, 0); /* as returning does, less what libc does there by system calls */
    return NULL;
}

/* Notify, noting system calls. 0, or -errno: no filter to be had. */
int watched_calls(struct watched *watched) {
    struct sigaction action, before;

    memset(&action, 0, sizeof action);
    action.sa_sigaction = note_call;
    action.sa_flags = SA_SIGINFO;
    on_trap = watched;
    sigaction(SIGSYS, &action, &before);
    int error = in_a_thread(run_trapped, watched);
    sigaction(SIGSYS, &before, NULL);
    return error;
}

/* -- pages ------------------------------------------------------------------------------------- */

static uint32_t faults(void) {
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    return (uint32_t)(usage.ru_minflt + usage.ru_majflt);
}

static void touch_stack(void) {
    volatile char room[65536];

    for (size_t i = 0; i < sizeof room; i += 512)
        room[i] = 0;
}

static void *run_counted(void *argument) {
    struct watched *watched = argument;

    touch_stack();
    faults();
    notify(watched, 0); /* code comes at its first use */
    const uint32_t before = faults();
    for (uint32_t i = 1; i < watched->events; i++)
        notify(watched, i);
    watched->noted = faults() - before;
    return NULL;
}

/* Notify, noting page faults; 0, or -errno. */
int watched_pages(struct watched *watched) { return in_a_thread(run_counted, watched); }
