/* good.c - are all boxes up? board.good= and what else is done then, or when it is too late. */
#include "husk.h"

void board_good(const struct board_plan *p)
{
	(void)p;
}

uint64_t board_good_due(void)
{
	return 0;
}
