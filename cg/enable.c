/* enable.c - a controller for the leaf in the v2 tree, from the top down; and where
 * it is not to be had, in no layout, the reason: the most wanted line of all. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "husk.h"

static bool disabled(struct run *r, const char *controller)
{
	char *p = caps_status(r->proc, "cmdline");

	if (!p || !(p = strstr(p, "cgroup_disable=")))
		return false;
	p[strcspn(p, " \n")] = '\0';
	return cg_word(p, controller);
}

/* No hierarchy of ours has it. */
const char *cg_absent(struct run *r, int ctl)
{
	const char *path, *p;
	int e;

	if (disabled(r, cg_name(ctl)) || disabled(r, cg_v1(ctl)))
		return fmts(TEXT "cgroup_disable=%s is on the kernel's command line", cg_name(ctl));
	if (!(p = caps_status(r->proc, "cgroups")) || !cg_word(p, cg_v1(ctl)))
		return fmts("CONFIG_%s", cg_option(ctl));
	if ((path = cg_refused(ctl, &e)) || (path = cg_refused(NCTL, &e)))
		return fmts("%s: %s", path, strerror(e));
	return fmts(TEXT "its hierarchy is not mounted, or it is not handed on to us");
}

/* Among boxes it may be one of them that has seen to it that no other gets this: by a
 * directory of the name of a file, or with CONFIG_RT_GROUP_SCHED by threads of real time.
 * EEXIST says so to who asks. */
static const char *refused(const char *dir, const char *name, bool boxes)
{
	int e = errno;

	if (e == EBUSY)
		return fmts(TEXT "%s has processes in it, and hands on nothing: cgroup= of one without", dir);
	if (e == EINVAL && boxes)
		errno = EEXIST;
	return fmts("%s/cgroup.subtree_control: %s%s", dir, strerror(e), e == EEXIST ? fmts(TEXT ": a box has made a directory %s.* in its cgroup", name) :
		e == EINVAL ? ": threads of real time are in it" : "");
}

static bool hand_on(const char *dir, const char *names)
{
	return write_at(AT_FDCWD, fmts("%s/cgroup.subtree_control", dir), names) == 0;
}

/* All that the box will ask for and that is there: to take them one by one would be half
 * of a board's first start. What is no limit of it is not handed on. */
static const char *together(const struct run *r, int ctl, const char *has)
{
	static char names[128];
	unsigned want = cg_wanted(r->box) | 1u << ctl;
	size_t n = 0;
	int i;

	for (i = 0; i < NCTL; i++)
		if (want >> i & 1 && cg_word(has, cg_name(i)))
			n += fmt(names + n, sizeof names - n, "+%s ", cg_name(i));
	return names;
}

/* A directory hands on what it was given, but not one that has processes. The
 * kernel would let it hand on what can be had by the thread (cpu, cpuset, pids) even
 * then: and make it the root of a threaded domain, below which there is no place
 * for a process. So that is looked at before. What another start is handing on
 * the kernel names before its files are there: a write that changes nothing waits. */
const char *cg_enable(struct run *r, int ctl)
{
	static char dir[CGPATH];
	const char *path = cg_path(NCTL), *p = cg_below(NCTL), *name = cg_name(ctl), *has, *all;
	bool there;

	if (V1(r, ctl))
		return NULL;
	errno = 0;
	if (r->cgroup2 < 0 || !(has = caps_file(fmts("%.*s/cgroup.controllers", (int)(p - path), path))) || !cg_word(has, name))
		return cg_absent(r, ctl);
	all = together(r, ctl, has);
	for (; p; p = strchr(p + 1, '/')) {
		copy(dir, (size_t)(p - path) + 1, path);
		there = (has = caps_file(fmts("%s/cgroup.subtree_control", dir))) && cg_word(has, name);
		errno = EBUSY;
		if (there)
			(void)hand_on(dir, fmts("+%s", name));
		else if (cg_busy(dir) || !(hand_on(dir, all) || hand_on(dir, fmts("+%s", name))))
			return refused(dir, name, !strchr(p + 1, '/'));
	}
	return NULL;
}
