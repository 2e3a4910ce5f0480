/* supers.c - FILE WHAT ...: what kind of file system boards/find.c takes an image for, and
 * for each LABEL=X and UUID=X whether that is it. For test_find.py. */
#include <stdio.h>

#include "../boards/find.c"

const uint8_t text_pairs[1][2];
const char code_end[1];
const char *stage_name(int row) { (void)row; return ""; }

/* Of /sys, which is not looked at here */
int rootfs_list(int dir)
{
	(void)dir;
	return 0;
}

const char *rootfs_name(void)
{
	return NULL;
}

void board_nodes(void)
{
}

size_t log_clean(char *to, const char *from, size_t n)
{
	(void)to;
	(void)from;
	return n;
}

int main(int argc, char **argv)
{
	const char *type = argc > 1 ? board_type(argv[1]) : NULL;
	int i;

	printf("%s", type ? type : "-");
	for (i = 2; i < argc; i++)
		printf(" %d", is("", argv[1], argv[i]));
	putchar('\n');
	return 0;
}
