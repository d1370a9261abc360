/*
 * tcp_origin.c - who began a connection of which a mirror shows a packet first
 * (F138): a SYN and a SYN/ACK say so, else ports are what is left to guess by.
 */
#include "daemon/tracker/tcp.h"

#include "daemon/tracker/common.h"

/* ports below are servers', ports from the second on are clients', and these
 * are between them by number alone */
#define PORT_SYSTEM 1024u
/* nobody listens on it: an FTP server's own end (RFC 959 3.2) */
#define PORT_FTP_DATA  20u
#define PORT_EPHEMERAL 32768u
static const uint16_t port_servers[] = {
	1433, 1521, 1723, 1883, 2049, 3128,  3260,  3268,  3306,
	3389, 5000, 5060, 5061, 5222, 5432,  5672,  5900,  5985,
	6379, 6443, 6566, 6667, 8000, 8080,  8443,  8883,  9000,
	9042, 9090, 9092, 9100, 9200, 10080, 11211, 25565, 27017};

static unsigned int port_rank(uint16_t port)
{
	unsigned int i;

	if (port == PORT_FTP_DATA)
		return 4;
	if (port < PORT_SYSTEM)
		return 0;
	for (i = 0; i < ARRAY_SIZE(port_servers); i++)
		if (port == port_servers[i])
			return 1;
	return port < PORT_EPHEMERAL ? 2 : 3;
}

uint8_t tcp_origin(const struct pkt *p, bool *answer)
{
	const uint8_t *h = pkt_l4(p, 0, TCP_HLEN);
	unsigned int src, dst;

	*answer = false;
	if (!h)
		return CONN_DIR_UNKNOWN;
	if (h[13] & TH_SYN) {
		*answer = h[13] & TH_ACK;
		return *answer ? CONN_DIR_SYNACK : CONN_DIR_SYN;
	}
	src = port_rank(get16(h));
	dst = port_rank(get16(h + 2));
	if (src == dst)
		return CONN_DIR_UNKNOWN;
	*answer = src < dst;
	return CONN_DIR_PORT;
}
