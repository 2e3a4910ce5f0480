/* listen.c - listen=: an address of a socket that is made outside. */
#include <linux/capability.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "husk.h"

/* mode=M,user=U */
static bool options(struct listening *l, char *v)
{
	bool right = true;
	char *w;

	while (right && (w = strsep(&v, ",")))
		right = starts(w, "mode=") ? cfg_octal(w + 5, 0777, &l->mode) : starts(w, "user=") && cfg_named(w + 5, &l->owner);
	return right;
}

static bool path(struct listening *l, char *v)
{
	char *f[2];
	int n = cfg_fields(v, f, 2);

	l->family = AF_UNIX;
	l->path = f[0];
	l->mode = 0666;
	return n <= 2 && cfg_path(f[0]) && !strchr(f[0], ':') && strlen(f[0]) < sizeof ((struct sockaddr_un *)0)->sun_path &&
		(n < 2 || options(l, f[1]));
}

static bool v4(uint8_t to[4], char *v)
{
	uint32_t n;
	int i;

	for (i = 0; i < 4; i++) {
		if (!v || !cfg_digits(strsep(&v, "."), 255, &n))
			return false;
		to[i] = (uint8_t)n;
	}
	return !v;
}

/* Up to four digits */
static bool group(const char *s, uint8_t to[2])
{
	unsigned n = 0, c, i;

	for (i = 0; (c = (uint8_t)s[i]); i++) {
		c = c - '0' < 10 ? c - '0' : (c | 32) - 'a' < 6 ? (c | 32) - 'a' + 10 : 16;
		if (c > 15 || i == 4)
			return false;
		n = n << 4 | c;
	}
	to[0] = (uint8_t)(n >> 8);
	to[1] = (uint8_t)n;
	return true;
}

/* :: is the gap, once, and may be the beginning or the end. */
static bool v6(uint8_t to[16], char *v)
{
	int n = 0, gap = -1;
	char *w;

	if (*v == ':' && *++v != ':')
		return false;
	while ((w = strsep(&v, ":")))
		if (*w) {
			if (n == 16 || !group(w, to + n))
				return false;
			n += 2;
		} else if (gap < 0 && v)
			gap = n;
		else if (v || gap != n)
			return false;
	if (gap < 0)
		return n == 16;
	memmove(to + 16 - (n - gap), to + gap, (size_t)(n - gap));
	memset(to + gap, 0, (size_t)(16 - n));
	return n < 16;
}

/* PORT, A.B.C.D:PORT, [A:B::C]:PORT */
static bool address(struct listening *l, char *v)
{
	char *port = strrchr(v, ':'), *end;
	uint32_t n = 0;

	if (port)
		*port++ = '\0';
	if (!cfg_digits(port ? port : v, 65535, &n) || !n)
		return false;
	l->port = (uint16_t)n;
	if (!port)
		return true;			/* family 0: both */
	l->family = *v == '[' ? AF_INET6 : AF_INET;
	end = strrchr(v, ']');
	if (l->family == AF_INET)
		return v4(l->addr, v);
	if (!end || end[1])
		return false;
	*end = '\0';
	return v6(l->addr, v + 1);
}

const char *cfg_set_listen(struct box *b, char *v)
{
	const char *e = cfg_add(&b->nlisten, MAXLISTEN);
	struct listening *l = &b->listen[b->nlisten - 1];

	if (e)
		return e;
	memset(l, 0, sizeof *l);
	l->udp = starts(v, "udp:");
	return (*v == '/' ? path(l, v) : address(l, v + (l->udp ? 4 : 0))) ? NULL : cfg_not();
}

/* Two of one box would be in each other's way. Their numbers are taken. */
void cfg_check_listen(const struct box *b)
{
	const struct listening *l = b->listen, *k;
	int i;

	if (!HAS(sockets))
		return;
	/* ioctl() and setsockopt() ask for it in the network that the socket is of */
	if (b->nlisten && b->caps >> CAP_NET_ADMIN & 1 && b->ns[NS_NET] != NSM_HOST && USERS(b) != NSM_NEW)
		cfg_error(KEY_LISTEN, 0, "with caps=net_admin its socket opens the host's network: net=host says so, ns.user=new closes it");
	for (i = 0; i < b->nlisten; i++)
		for (k = b->listen; k < l + i; k++)
			if (l[i].family == AF_UNIX ? k->family == AF_UNIX && same(k->path, l[i].path) :
			    k->port == l[i].port && k->udp == l[i].udp && k->family == l[i].family && !memcmp(k->addr, l[i].addr, sizeof k->addr))
				cfg_error(KEY_LISTEN, i, "this address is there already");
	for (i = 0; i < b->nfd; i++)
		if (b->fd[i].number < 3 + b->nlisten)
			cfg_error(KEY_FD, i, "%u is of listen=: from %d on they are free", b->fd[i].number, 3 + b->nlisten);
	if (b->life.ready == READY_FD && b->life.ready_number < 3 + b->nlisten)
		cfg_error(KEY_READY, 0, "%u is of listen=: from %d on they are free", b->life.ready_number, 3 + b->nlisten);
}
