/* arm64.S - where the program begins on ARMv8, and how it calls the kernel. */
#include <sys/syscall.h>

	.section .text.start, "ax"

/* A row of calls.S: its number, then to the one way into the kernel. */
	.macro ROW name, nr
	FUNCTION \name
	mov	w8, #\nr
	b	enter
	.endm

	.macro FUNCTION name
	.globl	\name
	.type	\name, %function
\name:
	.endm

/* The stack protector finds its secret by the thread pointer. */
	FUNCTION _start
	adrp	x0, __stack_chk_guard
	add	x0, x0, #:lo12:__stack_chk_guard
	msr	tpidr_el0, x0
	mov	x29, #0
	mov	x30, #0
	mov	x0, sp
	b	entry

	FUNCTION __restore_rt
	mov	w8, #__NR_rt_sigreturn
	svc	0

	FUNCTION syscall
	mov	w8, w0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
enter:	svc	0
	cmn	x0, #4095
	b.hs	1f
	ret
1:	neg	w0, w0
	adrp	x1, last_errno
	str	w0, [x1, #:lo12:last_errno]
	mov	x0, #-1
	ret

	ROW openat, __NR_openat
#include "calls.S"

	.section .note.GNU-stack, "", %progbits
