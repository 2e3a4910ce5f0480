/* find.c - the disk that is meant: by its path, by what stands in its super block,
 * or by its place in a partition table. It may come late: who looks waits for it,
 * and is a child of PID 1. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "husk.h"

enum { ROUND_MS = 200, PAGE = 4096, SECTOR = 512, MBR_ID = 0x1b8, BLANK = 1 << 20,
	GPT_SIZE = 92, GPT_PARTS = 128, MARKS = 128, MARK = 0xa5 };

/* Where what stands, in a page of 4096 bytes. Those of one page stand together, that with
 * the shortest mark last. */
static const struct super {
	uint16_t magic, label, uuid;	/* label, uuid 0: it has none */
	uint8_t	 page;
	uint8_t	 size;			/* of the label */
	bool	 wide;			/* which has two bytes a letter */
	bool	 serial;		/* four bytes are the UUID */
	char	 bytes[8], type[9];
} supers[] = {
	{ 0, 0, 0, 0, 0, false, false, "hsqs", "squashfs" },
	{ 0x52, 0x47, 0x43, 0, 11, false, true, "FAT32   ", "vfat" },
	{ 0x36, 0x2b, 0x27, 0, 11, false, true, "FAT", "vfat" },
	{ 0x400, 0x47c, 0x46c, 0, 255, true, false, "\x10\x20\xf5\xf2", "f2fs" },
	{ 0x400, 0x440, 0x430, 0, 16, false, false, "\xe2\xe1\xf5\xe0", "erofs" },
	{ 0xff6, 0x41c, 0x40c, 0, 16, false, false, "SWAPSPAC", "swap" },
	{ 0, 0x6c, 0x20, 0, 12, false, false, "XFSB", "xfs" },
	{ 3, 0, 0x64, 0, 0, false, true, "EXFAT   ", "exfat" },
	{ 0x438, 0x478, 0x468, 0, 16, false, false, "\x53\xef", "ext4" },
	{ 1, 0x28, 0, 8, 32, false, false, "CD001", "iso9660" },
	{ 0x40, 0x12b, 0x20, 16, 255, false, false, "_BHRfS_M", "btrfs" },
};

static uint8_t page[PAGE];

static int open_disk(const char *dev)
{
	return open(dev, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static const struct super *super(const char *dev)
{
	const struct super *s, *end = supers + sizeof supers / sizeof *supers;
	int fd = open_disk(dev), at = -1;

	for (s = supers; s < end; s++) {
		if (s->page != at && pread(fd, page, PAGE, (at = s->page) * PAGE) != PAGE)
			s = end - 1;		/* it is smaller, or not there */
		else if (!memcmp(page + s->magic, s->bytes, strnlen(s->bytes, sizeof s->bytes)))
			break;
	}
	close(fd);
	return s == end ? NULL : s;
}

const char *board_type(const char *dev)
{
	const struct super *s = super(dev);

	return s ? s->type : NULL;
}

/* In its place. Blanks at the end are none of it. */
static const char *label(const struct super *s)
{
	char *p = (char *)page + s->label;
	unsigned n = 0;

	while (n < s->size && (p[n] = p[n << s->wide]))
		n++;
	while (n && p[n - 1] == ' ')
		n--;
	p[n] = '\0';
	return p;
}

/* What stands behind it, or NULL. turn: as in GPT and FAT, where its groups are numbers. */
static const char *is_uuid(const char *text, const uint8_t *id, int n, bool turn)
{
	static const uint8_t turned[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const char hex[] = "0123456789abcdef";
	int i;

	for (i = 0; i < n; i++) {
		uint8_t c = id[turn ? turned[i] : i];

		text += *text == '-';
		if ((*text | 32) != hex[c >> 4] || (text[1] | 32) != hex[c & 15])
			return NULL;
		text += 2;
	}
	return text;
}

/* Of a file of /sys with lines NAME=VALUE; one at a time */
const char *board_said(const char *path, const char *name)
{
	static char text[1024];
	char *at;

	if (read_file(path, text, sizeof text) < 0 || !(at = strstr(text, name)))
		return NULL;
	at += strlen(name);
	at[strcspn(at, "\n")] = '\0';
	return at;
}

/* The disk that it is a part of, and its number there; or -1 */
static int open_whole(const char *name, int how, unsigned *number)
{
	const char *s = board_said(fmts(TEXT "/sys/class/block/%s/partition", name), "");
	uint64_t n = 0;

	if (s)
		(void)decimal(s, &n);
	*number = (unsigned)n;
	s = n ? board_said(fmts(TEXT "/sys/class/block/%s/../uevent", name), "DEVNAME=") : NULL;
	return s ? open(fmts(TEXT "/dev/%s", s), how | O_CLOEXEC | O_NONBLOCK) : -1;
}

static bool is_header(void)
{
	return memcmp(page, "EFI PART", 8) == 0;
}

/* Its header is in the second sector, and is in the page then: the size of a sector, or 0 */
static unsigned gpt(int fd)
{
	unsigned sector = PAGE;

	while (pread(fd, page, PAGE, sector) == PAGE && !is_header())
		if (sector == PAGE)
			sector = SECTOR;
		else
			return 0;
	return sector;
}

/* Does it call partition n so? Its table is where the header says. */
static bool in_gpt(int fd, const char *text, unsigned n)
{
	unsigned sector = gpt(fd);
	uint64_t entries;
	uint32_t size;

	if (!sector)
		return false;
	memcpy(&entries, page + 72, sizeof entries);
	memcpy(&size, page + 84, sizeof size);
	return pread(fd, page, PAGE, (off_t)(entries * sector + (n - 1) * size)) > 0 && (text = is_uuid(text, page + 16, 16, true)) && !*text;
}

/* What the kernel calls PARTUUID: of MBR the number of the disk, and its own. */
static bool is_part(const char *name, const char *text)
{
	const char *s;
	unsigned n;
	int fd = open_whole(name, O_RDONLY, &n);
	bool yes = n && (in_gpt(fd, text, n) || (pread(fd, page, PAGE, 0) == PAGE && (s = is_uuid(text, page + MBR_ID, 4, true)) &&
		same(s, fmts(TEXT "-%x%x", n >> 4, n & 15))));

	close(fd);
	return yes;
}

/* That mkfs has begun there, and not ended: what it leaves when the power goes is not blank, and no
 * file system. It writes all over its partition, and a box whatever it likes into its files: so it is
 * written where neither comes, a byte behind the second header of the disk, which nobody reads
 * unless the first one is gone. set: 1, or 0; -1: is it? Of MBR there is no such place. */
bool board_begun(const char *dev, int set)
{
	unsigned n, sector;
	int fd = open_whole(last_part(dev), set < 0 ? O_RDONLY : O_RDWR, &n);
	uint8_t *mark = page + MARKS + n;
	uint64_t at;
	bool yes = false;

	if (n && n <= GPT_PARTS && (sector = gpt(fd))) {
		memcpy(&at, page + 32, sizeof at);
		at *= sector;
		if (pread(fd, page, SECTOR, (off_t)at) == SECTOR && is_header() && page[12] == GPT_SIZE && !page[13]) {
			yes = *mark == (uint8_t)(MARK ^ n);
			*mark = set ? (uint8_t)(MARK ^ n) : 0;
			if (set >= 0)
				yes = pwrite(fd, page, SECTOR, (off_t)at) == SECTOR && fsync(fd) == 0;
		}
	}
	close(fd);
	return yes;
}

static bool zeros(int fd, off_t at)
{
	ssize_t n = pread(fd, page, PAGE, at);

	while (n > 0 && !page[n - 1])
		n--;
	return !n;
}

/* Nothing stands in the first MB, nor at the end, where others have their marks; or what stands there
 * is of a mkfs that was cut off. */
bool board_blank(const char *dev)
{
	int fd = open_disk(dev);
	uint64_t size = 0;
	off_t end, at;

	(void)ioctl(fd, (int)BLKGETSIZE64, &size);
	end = (off_t)size;
	for (at = 0; at < BLANK && at < end && zeros(fd, at); )
		at += PAGE;
	if (at >= BLANK)
		for (at = end - BLANK / 8; at < end && zeros(fd, at); )
			at += PAGE;
	close(fd);
	return end > 0 && (at >= end || board_begun(dev, -1));
}

static char others[256];		/* disks, and what they are called */

/* Of LABEL= and PARTLABEL= without a name none is; but they are listed. */
static bool is(const char *name, const char *dev, const char *what)
{
	const char *text = strchr(what, '=') + 1, *called;
	const struct super *s;
	size_t n = strlen(others);

	if (starts(what, "PARTUUID="))
		return is_part(name, text);
	if (starts(what, "PARTLABEL="))
		called = board_said(fmts(TEXT "/sys/class/block/%s/uevent", name), "PARTNAME=");
	else if (!(s = super(dev)) || *what != 'L')
		return s && s->uuid && (text = is_uuid(text, page + s->uuid, s->serial ? 4 : 16, s->serial)) && !*text;
	else
		called = label(s);
	if (!called || !*called)
		return false;
	if (!*text)
		fmt(others + n, sizeof others - n, " %s=%s", dev + 5, called);
	return same(called, text);
}

/* The name of the disk that this is on */
static const char *under(const char *path)
{
	FILLED struct stat st;

	return stat(path, &st) < 0 ? NULL : board_said(fmts(TEXT "/sys/dev/block/%u:%u/uevent", major(st.st_dev), minor(st.st_dev)), "DEVNAME=");
}

/* All that there are; / is what the root is on. */
static const char *look(const char *what)
{
	static char dev[80];
	int dir;
	const char *name, *found = NULL;

	if (!what[1])
		return (found = under(what)) ? fmt(dev, sizeof dev, TEXT "/dev/%s", found), dev : NULL;
	if (*what == '/')
		return access(what, F_OK) == 0 ? what : NULL;
	dir = open("/sys/class/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (!found && rootfs_list(dir) > 0)
		while (!found && (name = rootfs_name()))
			if (*name != '.' && (found = board_said(fmts(TEXT "/sys/class/block/%s/uevent", name), "DEVNAME="))) {
				fmt(dev, sizeof dev, TEXT "/dev/%s", found);
				found = is(name, dev, what) ? dev : NULL;
			}
	close(dir);
	return found;
}

/* LABEL= of what is still to be made: the name of its partition */
static const char *look_for(const char *what, bool make)
{
	static char part[80];			/* fmts() has not so many places as there are disks */
	const char *dev = look(what);

	fmt(part, sizeof part, TEXT "PART%s", what);
	return !dev && make && *what == 'L' && (dev = look(part)) && !board_blank(dev) ? NULL : dev;
}

const char *board_find(const char *what, bool make, unsigned ms)
{
	struct pollfd p = { .fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .events = POLLIN };
	uint64_t end = now_ms() + ms;
	const char *dev;

	(void)inotify_add_watch(p.fd, "/dev", IN_CREATE);
	while (!(dev = look_for(what, make)) && now_ms() < end) {
		board_nodes();
		(void)poll(&p, 1, ROUND_MS);
		(void)!read(p.fd, page, PAGE);
	}
	close(p.fd);
	if (dev || !ms)
		return dev;
	*others = '\0';
	(void)look(*what == 'P' ? "PARTLABEL=" : "LABEL=");
	others[log_clean(others, others, strlen(others))] = '\0';
	warnx("%s: waited for %u s; there are:%s", what, ms / 1000, *others ? others : " none");
	errno = ENODEV;
	return NULL;
}
