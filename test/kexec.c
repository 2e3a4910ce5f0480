/*
 * kexec.c - kexec KERNEL INITRD WORDS: that kernel lies ready then; it is not started.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
#ifdef SYS_kexec_file_load
	if (argc == 4 && syscall(SYS_kexec_file_load, open(argv[1], O_RDONLY), open(argv[2], O_RDONLY), strlen(argv[3]) + 1, argv[3], 0) == 0)
		return 0;
#endif
	(void)argc;
	perror(argv[0]);
	return 1;
}
