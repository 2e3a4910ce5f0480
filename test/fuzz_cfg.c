/*
 * fuzz_cfg.c - test: any bytes as a configuration. What is accepted must come
 * back from husk show as the same text.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -DTEXT='""' -Iinit -Iout \
 *		test/fuzz_cfg.c init/[!m]*.c init/main... (all sources but init/main.c)
 *	./fuzz -close_fd_mask=2 corpus test/conf/good test/conf/bad
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "husk.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static struct box box;
static char in[MAXTEXT], one[MAXTEXT], two[MAXTEXT];

static size_t shown(char *to)
{
	static int fd = -1;
	ssize_t n;

	if (fd < 0)
		fd = memfd_create("show", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		abort();
	cfg_show(fd, false);
	n = pread(fd, to, MAXTEXT, 0);
	return n < 0 ? 0 : (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t n;

	if (memmem(data, size, "include", 7) || size >= sizeof in)	/* other files are not ours */
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	if (cfg_parse(&box, "fuzz.conf", in))
		return 0;
	n = shown(one);
	if (n >= sizeof one)
		abort();
	one[n] = '\0';
	if (cfg_parse(&box, "fuzz.conf", one))
		abort();
	if (shown(two) != n || memcmp(one, two, n))
		abort();
	return 0;
}
