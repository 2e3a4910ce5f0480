/* i386.S - where the program begins on a 32-bit PC, and how it calls the kernel. */
#include <bits/fcntl.h>
#include <sys/syscall.h>

	.section .text.start, "ax"

/* A row of calls.S: its number, then to the one way into the kernel. */
	.macro ROW name, nr
	FUNCTION \name
	mov	$\nr, %eax
	jmp	enter
	.endm

	.macro FUNCTION name
	.globl	\name
	.type	\name, @function
\name:
	.endm

	FUNCTION _start
	xor	%ebp, %ebp
	mov	%esp, %eax
	and	$-16, %esp
	sub	$12, %esp
	push	%eax
	call	entry

	FUNCTION __restore_rt
	mov	$__NR_rt_sigreturn, %eax
	int	$0x80

/* The number is the first argument: all others one place to the left. */
	FUNCTION syscall
	mov	4(%esp), %eax
	push	%ebp
	push	%edi
	push	%esi
	push	%ebx
	lea	24(%esp), %ebp
	jmp	1f

	FUNCTION openat
	orl	$O_LARGEFILE, 12(%esp)
	mov	$__NR_openat, %eax

enter:	push	%ebp
	push	%edi
	push	%esi
	push	%ebx
	lea	20(%esp), %ebp
1:	mov	(%ebp), %ebx
	mov	4(%ebp), %ecx
	mov	8(%ebp), %edx
	mov	12(%ebp), %esi
	mov	16(%ebp), %edi
	mov	20(%ebp), %ebp
	int	$0x80
	pop	%ebx
	pop	%esi
	pop	%edi
	pop	%ebp
	cmp	$-4095, %eax
	jae	2f
	ret
2:	neg	%eax
	call	3f
3:	pop	%ecx
	mov	%eax, last_errno - 3b(%ecx)
	or	$-1, %eax
	ret

#include "calls.S"

	.section .note.GNU-stack, "", @progbits
