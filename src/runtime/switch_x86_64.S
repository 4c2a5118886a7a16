/* The switch between stacks, x86-64 System V: callee-saved registers go to the stack that is left.
 * The floating-point control words are not saved: tasks share them, as functions do.
 *
 * It goes on by a jump, not a return, and is come to by a jump, not a call (rill__switch_here): the
 * processor predicts a return to be to where the last call came from, which is wrong here. */
    .text

/* void rill__switch(void **ret_sp, void *sp): leaves this stack, whose pointer goes to *ret_sp, and
 * continues on the other. */
    .globl rill__switch
    .hidden rill__switch
    .type rill__switch, @function
    .p2align 4
rill__switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    pushq %r12
    .cfi_adjust_cfa_offset 8
    pushq %r13
    .cfi_adjust_cfa_offset 8
    pushq %r14
    .cfi_adjust_cfa_offset 8
    pushq %r15
    .cfi_adjust_cfa_offset 8
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    .cfi_adjust_cfa_offset -8
    popq %r14
    .cfi_adjust_cfa_offset -8
    popq %r13
    .cfi_adjust_cfa_offset -8
    popq %r12
    .cfi_adjust_cfa_offset -8
    popq %rbx
    .cfi_adjust_cfa_offset -8
    popq %rbp
    .cfi_adjust_cfa_offset -8
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register rip, rcx
    notrack jmp *%rcx
    .cfi_endproc
    .size rill__switch, . - rill__switch

/* The first thing that runs on a new stack: calls rill__task_entry(r12), which never returns, and
 * so by a jump too. Unwinding ends here. */
    .globl rill__switch_entry
    .hidden rill__switch_entry
    .type rill__switch_entry, @function
    .p2align 4
rill__switch_entry:
    .cfi_startproc
    .cfi_undefined rip
    endbr64
    movq %r12, %rdi
    xorl %ebp, %ebp
    leaq 1f(%rip), %rax
    pushq %rax
    .cfi_adjust_cfa_offset 8
    jmp rill__task_entry
1:  ud2
    .cfi_endproc
    .size rill__switch_entry, . - rill__switch_entry

    .section .note.GNU-stack, "", @progbits
/* Says that indirect branch tracking is supported; shadow stacks are not. */
    .section .note.gnu.property, "a"
    .p2align 3
    .long 4, 16, 5
    .asciz "GNU"
    .long 0xc0000002, 4, 1, 0
