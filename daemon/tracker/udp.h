/* udp.h - what UDP and UDP-Lite share: UDP-Lite has no timeouts of its own,
 * it reads UDP's row of the policy (F284). */
#ifndef TRACKER_UDP_H
#define TRACKER_UDP_H

enum { UDP_UNREPLIED, UDP_REPLIED, UDP_NTIMEOUTS };

#define UDP_HEADER 8u

#endif
