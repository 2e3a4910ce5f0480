/*
 * show.c - husk filter FILE: the program that the kernel will run, one
 * instruction a line, which begins with its number.
 *
 *	3: load nr
 *	4: if nr >= 97 getrlimit goto 12 else 5
 *	9: and 0x1f
 *	12: return ALLOW
 *
 * A comparison says what it compares; argN>>32 is the high word of an argument.
 */
#include <linux/seccomp.h>

#include "husk.h"

static struct {
	uint16_t set[MAXBPF + 1];	/* who gave the accumulator what it holds there, + 1 */
	struct seccomp_data data;
	uint8_t	 parts;			/* that have begun */
} s;

static const char *word(uint32_t offset)
{
	if (offset < offsetof(struct seccomp_data, args))
		return offset ? "arch" : "nr";
	offset -= (uint32_t)offsetof(struct seccomp_data, args);
	return fmts(TEXT "arg%u%s", offset / 8, offset % 8 == 0 ? "" : ">>32");
}

static const char *held(const struct sock_filter *f, unsigned at)
{
	unsigned by = s.set[at] - 1u;

	if (f[by].code == (BPF_ALU | BPF_AND | BPF_K))
		return fmts(TEXT "%s&0x%x", held(f, by), f[by].k);
	return word(f[by].k);
}

static void comparison(const struct sock_filter *f, unsigned i)
{
	const struct sock_filter *at = f + i;
	const char *what = held(f, i), *name = "";
	bool nr = *what == 'n';

	if (nr || what[2] == 'c')
		name = nr ? filter_call(at->k) : filter_machine(at->k);
	if (!name)
		name = "";
	say(1, "%u: if %s %s %s%s%s goto %u else %u\n", i, what, nth("==\0>\0>=", BPF_OP(at->code) / 16 - 1),
		fmts(nr && at->k < 0x10000 ? "%u" : "0x%x", at->k), *name ? " " : "", name, i + 1 + at->jt, i + 1 + at->jf);
}

static void instruction(const struct sock_filter *f, unsigned i)
{
	uint32_t k = f[i].k;

	switch (f[i].code) {
	case BPF_LD | BPF_W | BPF_ABS:
		if (!k && s.parts++)		/* what stands behind is of the other ABI */
			(void)filter_compat(filter_arch->bits == 64);
		say(1, "%u: load %s\n", i, word(k));
		s.set[i + 1] = (uint16_t)(i + 1);
		break;
	case BPF_ALU | BPF_AND | BPF_K:
		say(1, "%u: and 0x%x\n", i, k);
		s.set[i + 1] = (uint16_t)(i + 1);
		break;
	case BPF_RET | BPF_K:
		say(1, "%u: return %s\n", i, filter_action(k));
		break;
	case BPF_JMP | BPF_JA:
		say(1, "%u: goto %u\n", i, i + 1 + k);
		s.set[i + 1 + k] = s.set[i];
		break;
	default:
		comparison(f, i);
		s.set[i + 1 + f[i].jt] = s.set[i + 1 + f[i].jf] = s.set[i];
	}
}

/* Numbers that are allowed without a look at more than the number: the kernel
 * tries each once, and does not run the program for them again. */
static void calls(const struct box *b)
{
	unsigned call, seen, kept = 0, all = 0;

	say(1, "# by arguments:");
	s.data.arch = filter_arch->audit;
	for (call = 0; call < OLDCALL; call++) {
		s.data.nr = (int)filter_number(call);
		if ((uint32_t)s.data.nr == NONUMBER)
			continue;
		all++;
		kept += filter_run(b->bpf, &s.data, &seen) == ACT_ALLOW && seen < 4;
		if (seen >= 4)
			say(1, " %s", filter_call((uint32_t)s.data.nr));
	}
	say(1, "\n# %u of %u calls: the kernel keeps the answer, from 5.11\n", kept, all);
}

void filter_show(const struct box *b)
{
	unsigned i;

	if (!b->nbpf) {
		say(1, "# %s: %s: no filter, all is allowed\n", b->name, filter_arch->name);
		return;
	}
	say(1, "# %s: %s: %u instructions, %u bytes\n", b->name, filter_arch->name, b->nbpf, b->nbpf * 8u);
	calls(b);
	for (i = 0; i < b->nbpf; i++)
		instruction(b->bpf, i);
}
