/*
 * A context: where a stack was left, and the notes that sanitizers and valgrind want at every
 * switch from one stack to another.
 */
#ifndef RILL_SRC_RUNTIME_CONTEXT_H
#define RILL_SRC_RUNTIME_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define RILL__ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RILL__ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define RILL__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RILL__TSAN 1
#endif
#endif
#ifdef RILL__TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef RILL__ASAN
#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

typedef struct rill__context {
    void *sp; /* where it was left; undefined while it runs */
#ifdef RILL__ASAN
    void *fake_stack;
    const void *bottom; /* lowest address of its stack */
    size_t size;
#endif
#ifdef RILL__TSAN
    void *fiber; /* the stack pool's, or the thread's own */
#endif
} rill__context;

void rill__switch(void **ret_sp, void *sp);
void rill__switch_entry(void);
/* Where a new stack begins; defined by task.c. */
void rill__task_entry(void *task);

/* Prepares a context that will call rill__task_entry(arg) on the stack [bottom, top). */
static inline void rill__context_make(rill__context *context, char *bottom, char *top, void *arg)
{
#if defined(__x86_64__)
    /* r15 r14 r13 r12 rbx rbp, return address; after its ret the stack is 16-byte aligned, so that
     * the call in the entry leaves it as a function expects. */
    void **sp = (void **)((uintptr_t)top & ~(uintptr_t)15) - 9;
    for (int i = 0; i < 9; i++)
        sp[i] = NULL;
    sp[3] = arg; /* r12 */
    sp[6] = __extension__(void *) rill__switch_entry;
#elif defined(__aarch64__)
    void **sp = (void **)((uintptr_t)top & ~(uintptr_t)15) - 20;
    for (int i = 0; i < 20; i++)
        sp[i] = NULL;
    sp[0] = arg;                                       /* x19 */
    sp[11] = __extension__(void *) rill__switch_entry; /* x30 */
#else
#error "rill has a stack switch for x86-64 and AArch64 only"
#endif
    context->sp = sp;
#ifdef RILL__ASAN
    context->fake_stack = NULL;
    context->bottom = bottom;
    context->size = (size_t)(top - bottom);
#else
    (void)bottom;
#endif
}

/* Goes to rill__switch, and comes back when somebody switches here. */
#if defined(__x86_64__) && !defined(__clang_analyzer__) /* which does not see what may change */
#ifdef __AVX512F__
#define RILL__AVX512_CLOBBERED                                                                     \
    , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25",    \
        "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k1", "k2", "k3", "k4", "k5", "k6",  \
        "k7"
#else
#define RILL__AVX512_CLOBBERED
#endif
/* As an operand of the assembly it makes the compiler set up the frame before, by which the stack
 * is unwound from there. */
__extension__ register uintptr_t rill__stack_pointer __asm__("rsp");

/* By a jump that pushes the address to come back to, not by a call: the processor notes every call
 * to predict its return, and the switch, which goes on elsewhere, would leave its note behind. All
 * returns that follow would be predicted wrongly. The red zone is stepped over. */
static inline void rill__switch_here(void **ret_sp, void *sp)
{
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "jmp rill__switch\n"
                     "1:\tleaq 128(%%rsp), %%rsp"
                     : "+r"(rill__stack_pointer), "+D"(ret_sp), "+S"(sp)
                     :
                     : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc", "memory", "xmm0",
                       "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "st(1)", "st(2)",
                       "st(3)", "st(4)", "st(5)", "st(6)", "st(7)" RILL__AVX512_CLOBBERED);
}
#else
static inline void rill__switch_here(void **ret_sp, void *sp)
{
    rill__switch(ret_sp, sp);
}
#endif

/* Leaves `from` and goes on with `to`. `dying`: `from` will never be gone on with. */
static inline void rill__context_switch(rill__context *from, rill__context *to, bool dying)
{
#ifdef RILL__ASAN
    __sanitizer_start_switch_fiber(dying ? NULL : &from->fake_stack, to->bottom, to->size);
    rill__switch_here(&from->sp, to->sp);
    __sanitizer_finish_switch_fiber(from->fake_stack, NULL, NULL);
#else
    (void)dying;
#ifdef RILL__TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    rill__switch_here(&from->sp, to->sp);
#endif
}

/* To be called first on a new stack. */
static inline void rill__context_arrived(void)
{
#ifdef RILL__ASAN
    __sanitizer_finish_switch_fiber(NULL, NULL, NULL);
#endif
}

/* Describes the thread's own stack, which the loop runs on. */
static inline void rill__context_of_thread(rill__context *context)
{
    *context = (rill__context){ 0 };
#ifdef RILL__TSAN
    context->fiber = __tsan_get_current_fiber();
#endif
#ifdef RILL__ASAN
    pthread_attr_t attributes;
    void *bottom = NULL;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &bottom, &context->size);
        pthread_attr_destroy(&attributes);
    }
    context->bottom = bottom;
#endif
}

#endif
