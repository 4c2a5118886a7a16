/* The switch between stacks, AArch64 AAPCS: callee-saved registers go to the stack that is left. */
    .text

/* void rill__switch(void **ret_sp, void *sp): leaves this stack, whose pointer goes to *ret_sp, and
 * continues on the other. */
    .globl rill__switch
    .hidden rill__switch
    .type rill__switch, %function
    .p2align 4
rill__switch:
    .cfi_startproc
    hint #34 /* bti c */
    sub sp, sp, #160
    .cfi_adjust_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_adjust_cfa_offset -160
    ret
    .cfi_endproc
    .size rill__switch, . - rill__switch

/* The first thing that runs on a new stack: calls rill__task_entry(x19). Unwinding ends here. */
    .globl rill__switch_entry
    .hidden rill__switch_entry
    .type rill__switch_entry, %function
    .p2align 4
rill__switch_entry:
    .cfi_startproc
    .cfi_undefined x30
    hint #38 /* bti jc: reached by ret, or by a branch */
    mov x0, x19
    mov x29, xzr
    mov x30, xzr
    bl rill__task_entry
    brk #1
    .cfi_endproc
    .size rill__switch_entry, . - rill__switch_entry

    .section .note.GNU-stack, "", %progbits
