/*
 * ifaces.c - what happens to the interfaces beside their packets.
 *
 * Once a second: is it there and up, has its MTU changed, do GRO or LRO hand
 * out packets that never were on the wire, has anything arrived?  What changed
 * is logged once, and how it stands is in the supervisor's page for the api.
 */
#include "daemon/supervisor/super.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "shm/atomic.h"

#define LOOK_NS NS_PER_S

static bool ask(int fd, unsigned long what, const char *name, struct ifreq *r)
{
	memset(r, 0, sizeof(*r));
	strncpy(r->ifr_name, name, sizeof(r->ifr_name) - 1);
	return !ioctl(fd, what, r);
}

/* A value of ethtool; 0 also when the driver has none. */
static uint32_t ask_ethtool(int fd, uint32_t what, const char *name)
{
	struct ethtool_value v = {.cmd = what};
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	strncpy(r.ifr_name, name, sizeof(r.ifr_name) - 1);
	r.ifr_data = (char *)&v;
	return ioctl(fd, SIOCETHTOOL, &r) ? 0 : v.data;
}

static void look(int fd, const char *name, struct iface_state *now)
{
	struct ifreq r;

	if (!ask(fd, SIOCGIFFLAGS, name, &r))
		return;
	now->flags |= IFACE_F_THERE;
	if (r.ifr_flags & IFF_UP && r.ifr_flags & IFF_RUNNING)
		now->flags |= IFACE_F_UP;
	if (ask(fd, SIOCGIFMTU, name, &r))
		now->mtu = (uint32_t)r.ifr_mtu;
	if (ask_ethtool(fd, ETHTOOL_GGRO, name))
		now->flags |= IFACE_F_GRO;
	if (ask_ethtool(fd, ETHTOOL_GFLAGS, name) & ETH_FLAG_LRO)
		now->flags |= IFACE_F_LRO;
}

/* What is told of a change; the first look has nothing to compare with but
 * offloads. */
static void tell(const char *name, const struct iface_state *was,
                 const struct iface_state *now, bool first)
{
	uint32_t on = now->flags & ~(first ? 0 : was->flags);
	uint32_t both = was->flags & now->flags;

	if (on & (IFACE_F_GRO | IFACE_F_LRO))
		log_warnx("source",
		          "%s: %s is on: packets are joined before they are "
		          "seen, and counters are those of the joined; ethtool "
		          "-K %s gro off lro off",
		          name, on & IFACE_F_LRO ? "LRO" : "GRO", name);
	if (first)
		return;
	/* of one that is not there at all taps.c tells */
	if (both & IFACE_F_THERE && (was->flags ^ now->flags) & IFACE_F_UP)
		log_warnx("source", "%s is %s", name,
		          now->flags & IFACE_F_UP ? "up" : "down");
	if (was->mtu != now->mtu && was->mtu && now->mtu)
		log_warnx("source", "%s: MTU %u, was %u", name, now->mtu,
		          was->mtu);
}

static uint64_t received(const struct super *s, unsigned int iface)
{
	uint64_t n = 0;
	uint32_t w;

	for (w = 0; w < s->params.nworker; w++)
		n += shm_load(&s->t.ring[w].hdr->iface[iface].received);
	return n;
}

/* Nothing for so long may be a quiet net, and is mostly a mirror that was taken
 * away. */
static void quiet(const struct super *s, unsigned int iface,
                  struct iface_state *p, uint64_t now)
{
	uint64_t limit = conf_number(s->env->conf, "capture.quiet");
	uint64_t n = received(s, iface);
	const char *name = s->env->ifaces[iface];

	if (n != p->received || !p->moved_ns) {
		if (p->flags & IFACE_F_QUIET)
			log_warnx("source", "%s: packets arrive again", name);
		p->flags &= ~IFACE_F_QUIET;
		p->received = n;
		shm_store(&p->moved_ns, now);
	} else if (limit && !(p->flags & IFACE_F_QUIET) &&
	           now - p->moved_ns >= limit * NS_PER_S) {
		log_warnx("source", "%s: nothing has arrived for %u s", name,
		          (unsigned int)((now - p->moved_ns) / NS_PER_S));
		p->flags |= IFACE_F_QUIET;
	}
}

void ifaces_watch(struct super *s)
{
	static uint64_t looked_ns;
	struct iface_state *p = table_proc(&s->t, SLOT_SUPER)->iface;
	uint64_t now = super_now();
	unsigned int i;
	int fd;

	if (!s->env->live || (looked_ns && now - looked_ns < LOOK_NS))
		return;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	for (i = 0; fd >= 0 && i < s->env->nifaces && i < STATS_IFACES; i++) {
		struct iface_state got = {.flags = p[i].flags & IFACE_F_QUIET};

		look(fd, s->env->ifaces[i], &got);
		tell(s->env->ifaces[i], &p[i], &got, !looked_ns);
		if (looked_ns &&
		    ((p[i].flags ^ got.flags) & (IFACE_F_THERE | IFACE_F_UP) ||
		     p[i].mtu != got.mtu))
			p[i].changes++;
		shm_store(&p[i].mtu, got.mtu);
		shm_store(&p[i].flags, got.flags);
		quiet(s, i, &p[i], now);
	}
	if (fd >= 0)
		close(fd);
	looked_ns = now;
}
