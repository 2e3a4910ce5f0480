/*
 * smash.c - test: a function of husk that writes behind its buffer. Linked with husk's
 * own way into main(), by its flags, on each architecture: make guard.
 *
 *	smash		fills the buffer: 0
 *	smash over	and what lies behind it, with zeros: the end, by __stack_chk_fail()
 *
 * Zeros, because that is what the secret would be that nobody has set.
 */
#include <string.h>

#include "husk.h"

enum { ROOM = 16, BEHIND = 16 };

int main(int argc, char **argv);

/* What entry.c takes of init/util.c. */
size_t copy(char *to, size_t max, const char *from)
{
	*to = '\0';
	return max + strlen(from);
}

/* The compiler is not to know how much, nor that it is for nothing. */
static __attribute__((noipa)) unsigned fill(size_t n)
{
	uint8_t room[ROOM];
	volatile uint8_t *at = room;
	size_t i;

	for (i = 0; i < n; i++)
		at[i] = 0;
	return at[ROOM - 1];
}

int main(int argc, char **argv)
{
	(void)argv;
	return (int)fill(argc > 1 ? ROOM + BEHIND : ROOM);
}
