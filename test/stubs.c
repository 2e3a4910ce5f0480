/*
 * stubs.c - what filter/ calls of init/ and cfg/, which are not under test in who
 * includes this: filter_test.c, learn_test.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "husk.h"

size_t fmt(char *to, size_t max, const char *f, ...)
{
	va_list ap;
	int n;

	va_start(ap, f);
	n = vsnprintf(to, max, f, ap);
	va_end(ap);
	return (size_t)n;
}

size_t copy(char *to, size_t max, const char *from)
{
	return (size_t)snprintf(to, max, "%s", from);
}

bool same(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

const char *nth(const char *list, int n)
{
	while (n--)
		list += strlen(list) + 1;
	return list;
}

int cfg_index(const char *list, const char *word)
{
	size_t n = strlen(word);
	int i = 0;

	for (; *list; list += strcspn(list, "|"), list += *list == '|', i++)
		if (strncmp(list, word, n) == 0 && (list[n] == '|' || !list[n]))
			return i;
	return -1;
}

const char *cfg_nth(const char *list, int i)
{
	static char word[28];

	for (; i > 0; i--)
		list = strchr(list, '|') + 1;
	snprintf(word, sizeof word, "%.*s", (int)strcspn(list, "|"), list);
	return word;
}

const char *fmts(const char *f, ...)
{
	static char text[80];
	va_list ap;

	va_start(ap, f);
	vsnprintf(text, sizeof text, f, ap);
	va_end(ap);
	return text;
}
