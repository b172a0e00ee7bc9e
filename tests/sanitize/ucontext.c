/* swapcontext() and its like for musl, which declares them only: enough for the machine of tests/native/seam.
 *
 * A context's first word (uc_flags) is its stack pointer; what a call must keep lies on that stack.
 */
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

#if !defined(__x86_64__)
#error "only written for x86-64"
#endif

__asm__(".globl swapcontext\n"
        "swapcontext:\n"
        "    push %rbp; push %rbx; push %r12; push %r13; push %r14; push %r15\n"
        "    mov %rsp, (%rdi)\n"
        "    mov (%rsi), %rsp\n"
        "    pop %r15; pop %r14; pop %r13; pop %r12; pop %rbx; pop %rbp\n"
        "    xor %eax, %eax\n"
        "    ret\n");

int getcontext(ucontext_t *context) {
    (void)context;
    return 0;
}

void makecontext(ucontext_t *context, void (*function)(void), int count, ...) {
    uintptr_t end = ((uintptr_t)context->uc_stack.ss_sp + context->uc_stack.ss_size) & ~(uintptr_t)15;
    uint64_t *top = (uint64_t *)end - 8;
    for (int i = 0; i < 8; i++)
        top[i] = 0;
    top[6] = (uintptr_t)function; /* where swapcontext() returns to; it never comes back from there */
    context->uc_flags = (uintptr_t)top;
    if (count != 0)
        abort();
}
