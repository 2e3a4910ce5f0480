/*
 * bpf.c - classic BPF as the kernel runs it on struct seccomp_data, written from
 * Documentation/networking/filter.rst and kernel/seccomp.c, not from filter/.
 * What the kernel would refuse to load is refused here.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* NULL, or why the kernel would not take it */
const char *bpf_check(const struct sock_filter *f, unsigned n)
{
	unsigned i;

	if (n == 0 || n > BPF_MAXINSNS)
		return "length";
	for (i = 0; i < n; i++)
		switch (f[i].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f[i].k & 3 || f[i].k >= sizeof(struct seccomp_data))
				return "load outside of seccomp_data";
			break;
		case BPF_JMP | BPF_JA:
			if (f[i].k >= n - i - 1)
				return "long jump past the end";
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JSET | BPF_K:
			if (i + f[i].jt + 1 >= n || i + f[i].jf + 1 >= n)
				return "jump past the end";
			break;
		case BPF_ALU | BPF_AND | BPF_K:
		case BPF_RET | BPF_K:
			break;
		default:
			return "instruction";
		}
	return f[n - 1].code == (BPF_RET | BPF_K) ? NULL : "no RET at the end";
}

/* *plain: only nr and arch were loaded and nothing computed, so the kernel's
 * cache of allowed numbers holds the answer; *steps: instructions run */
uint32_t bpf_run(const struct sock_filter *f, const struct seccomp_data *d, bool *plain, unsigned *steps)
{
	uint32_t a = 0;

	*plain = true;
	for (*steps = 1;; f++, ++*steps)
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + f->k, 4);
			if (f->k > 4)
				*plain = false;
			break;
		case BPF_JMP | BPF_JA:
			f += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			f += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			f += a >= f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			f += a > f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			f += a & f->k ? f->jt : f->jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		default:
			return f->k;
		}
}
