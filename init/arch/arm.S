/* arm.S - where the program begins on ARMv7, and how it calls the kernel. Thumb. */
#include <bits/fcntl.h>
#include <asm/unistd.h>
#include <sys/syscall.h>

	.syntax unified
	.thumb
	.section .text.start, "ax"

/* A row of calls.S: its number, then to the one way into the kernel. */
	.macro ROW name, nr
	FUNCTION \name
	movw	ip, #\nr
	b	enter
	.endm

	.macro FUNCTION name
	.globl	\name
	.type	\name, %function
	.thumb_func
\name:
	.endm

/* The stack protector finds its secret by the thread pointer: that takes less code
 * in each function than an address. */
	FUNCTION _start
	ldr	r0, 2f
1:	add	r0, pc
	ldr	r7, 3f
	svc	0
	mov	r0, sp
	b	entry
	.align	2
2:	.word	__stack_chk_guard - 1b - 4
3:	.word	__ARM_NR_set_tls

	FUNCTION __restore_rt
	mov	r7, #__NR_rt_sigreturn
	svc	0

/* The number is the first argument: all others one place to the left. */
	FUNCTION syscall
	mov	ip, r0
	mov	r0, r1
	mov	r1, r2
	mov	r2, r3
	push	{r4, r5, r7, lr}
	ldrd	r3, r4, [sp, #16]
	ldr	r5, [sp, #24]
	b	1f

	FUNCTION openat
	orr	r2, #O_LARGEFILE
	movw	ip, #__NR_openat

enter:	push	{r4, r5, r7, lr}
	ldrd	r4, r5, [sp, #16]
1:	mov	r7, ip
	svc	0
	pop	{r4, r5, r7, lr}
	cmn	r0, #4096
	bhi	2f
	bx	lr
2:	ldr	r1, 4f
	negs	r0, r0
3:	add	r1, pc
	str	r0, [r1]
	mov	r0, #-1
	bx	lr
	.align	2
4:	.word	last_errno - 3b - 4

#include "calls.S"

/* 64 bits: r1:r0 / r3:r2 to r1:r0, the rest in r3:r2. Bit by bit: it is for a few
 * numbers a start. */
	FUNCTION __aeabi_uldivmod
	push	{r4, r5, r6, r7, lr}
	movs	r4, #0
	movs	r5, #0
	movs	r6, #64
1:	adds	r0, r0
	adcs	r1, r1
	adcs	r4, r4
	adcs	r5, r5
	subs	r7, r4, r2
	sbcs	ip, r5, r3
	ittt	cs
	movcs	r4, r7
	movcs	r5, ip
	addcs	r0, #1
	subs	r6, #1
	bne	1b
	mov	r2, r4
	mov	r3, r5
	pop	{r4, r5, r6, r7, pc}

	.section .note.GNU-stack, "", %progbits
