/* x86_64.S - where the program begins on a PC, and how it calls the kernel. */
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
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	entry

	FUNCTION __restore_rt
	mov	$__NR_rt_sigreturn, %eax
	syscall

	FUNCTION syscall
	mov	%edi, %eax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %rcx
	mov	%r9, %r8
	mov	8(%rsp), %r9
enter:	mov	%rcx, %r10
	syscall
	cmp	$-4095, %rax
	jae	1f
	ret
1:	neg	%eax
	mov	%eax, last_errno(%rip)
	or	$-1, %rax
	ret

	ROW openat, __NR_openat
#include "calls.S"

	.section .note.GNU-stack, "", @progbits
