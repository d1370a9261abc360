/*
 * stamps.c - see stamps.h.
 *
 * The card's setting is the interface's, not the socket's, and stays when we
 * go: a clock daemon may have made it, and use it.  So it is only ever raised,
 * from "some packets" to "all", and what is sent is left alone.
 */
#include "daemon/source/stamps.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>

static int card_stamps_all(int fd, const char *iface)
{
	struct hwtstamp_config c = {.tx_type = HWTSTAMP_TX_OFF};
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	if (strlen(iface) >= sizeof(r.ifr_name))
		return -ENODEV;
	memcpy(r.ifr_name, iface, strlen(iface));
	r.ifr_data = (char *)&c;
	/* some drivers set, but do not tell */
	if (!ioctl(fd, SIOCGHWTSTAMP, &r) && c.rx_filter == HWTSTAMP_FILTER_ALL)
		return 0;
	c.rx_filter = HWTSTAMP_FILTER_ALL;
	if (ioctl(fd, SIOCSHWTSTAMP, &r))
		return -errno;
	/* a driver may give less than was asked for */
	return c.rx_filter == HWTSTAMP_FILTER_ALL ? 0 : -ERANGE;
}

int stamps_hardware(int fd, const char *iface)
{
	int how = SOF_TIMESTAMPING_RAW_HARDWARE, rc;

	rc = card_stamps_all(fd, iface);
	if (rc)
		return rc;
	return setsockopt(fd, SOL_PACKET, PACKET_TIMESTAMP, &how, sizeof(how))
	               ? -errno
	               : 0;
}
