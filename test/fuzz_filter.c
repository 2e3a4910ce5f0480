/*
 * fuzz_filter.c - test: any text as the words of syscalls=. What is accepted makes a
 * program that the kernel takes, and that says what the words say (words.c), for every
 * number, and for the arguments around each test. The first letter is the machine and ABI.
 *
 *	sh test/filter_test.sh fuzz SECONDS	(in make test: 4000 texts; by hand: 3600 for an hour)
 */
#define main filter_test
#include "filter_test.c"
#undef main

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void wrong(const char *words)
{
	fprintf(stderr, "%s: %s\n", filter_arch->name, words);
	abort();
}

static void one(const char *words)
{
	static const uint64_t zero[6];
	uint32_t nr;

	if (!nprog)
		return;
	if (bpf_check(prog, nprog) || !words_policy(words, which_arch()))
		wrong(words);
	for (nr = 0; nr < 480; nr++)
		if (!agree(nr, zero, words) || (rule_of(nr) && !agree_tests(nr, words)))
			wrong(words);
	for (nr = 0xf0000; nr < 0xf0008; nr++)
		if (!agree(nr, zero, words))
			wrong(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const all[] = { "x86_64", "i386", "armv7", "arm64" };
	static char words[1025];

	if (size < 2 || size >= sizeof words || !words_read())
		return 0;
	memcpy(words, data + 1, size - 1);
	words[size - 1] = '\0';
	if (strlen(words) < size - 1 || strstr(words, "default:") || strstr(words, "sockets:"))
		return 0;
	arch = all[*data & 3];
	filter_use(arch);
	if (!compile(words))
		one(words);
	return 0;
}
