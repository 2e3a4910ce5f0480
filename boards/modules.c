/* modules.c - kernel modules of board.conf. */
#include "husk.h"

void board_modules(const struct board *b)
{
	(void)b;
}
