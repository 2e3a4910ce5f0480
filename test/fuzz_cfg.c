/*
 * fuzz_cfg.c - test: any bytes as a configuration. What is accepted must come
 * back from husk show as the same text.
 *
 *	sh test/cfg_test.sh fuzz SECONDS
 */
#define main cfg_test
#include "cfg_test.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char in[MAXTEXT];
	char *one, *two;

	if (memmem(data, size, "include", 7) || size >= sizeof in)	/* other files are not ours */
		return 0;
	memcpy(in, data, size);
	in[size] = '\0';
	if (cfg_parse(&box, "fuzz.conf", in))
		return 0;
	one = shown();
	if (cfg_parse(&box, "fuzz.conf", one))
		abort();
	two = shown();
	if (strcmp(one, two))
		abort();
	return 0;
}
