/* plan.c - husk plan: the rows that this box will go through, and what each is
 * told: the lines of its keys. A row whose namespace is not new is left out. */
#include "husk.h"

void plan_print(const struct box *b)
{
	const struct stage *s;
	const char *what;
	int row, key, ns;

	for (row = 0; row < stage_count(); row++) {
		s = stage_row(row);
		ns = (s->side & ~ENTER) / 8 - 1;
		if (!(s->side & ~ENTER) || (ns >= 0 && b->ns[ns] != NSM_NEW))
			continue;
		what = stage_what(row);
		say(1, "%s %s%s%s\n", s->side & HOST ? "HOST" : s->side & INIT ? "INIT" : "PROG", stage_name(row),
			*what ? ": " : "", what);
		for (key = s->first; key <= s->last; key++)
			cfg_show_key(key, 1, "\t", false);
	}
}
