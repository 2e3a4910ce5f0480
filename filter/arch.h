/*
 * arch.h - from the compiler's own macro to the kernel's name of the machine.
 *
 * Read by filter/nr.sh through the target's compiler, never by a .c file: what
 * it says ends up as numbers in nr.h. A machine that is not here stops the
 * build; there is no default.
 */
#include <linux/audit.h>

#if defined __x86_64__ && !defined __ILP32__
#define ARCH_AUDIT	AUDIT_ARCH_X86_64
#define ARCH_NATIVE	1
#elif defined __i386__
#define ARCH_AUDIT	AUDIT_ARCH_I386
#define ARCH_NATIVE	2
#elif defined __arm__ && defined __ARM_EABI__ && defined __ARMEL__
#define ARCH_AUDIT	AUDIT_ARCH_ARM
#define ARCH_NATIVE	3
#elif defined __aarch64__ && defined __AARCH64EL__ && !defined __ILP32__
#define ARCH_AUDIT	AUDIT_ARCH_AARCH64
#define ARCH_NATIVE	4
#else
#error "filter/arch.h: no AUDIT_ARCH_ is known for this target"
#endif
