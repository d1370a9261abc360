/*
 * stamps.h - whose clock stamps the packets of a socket.
 */
#ifndef SOURCE_STAMPS_H
#define SOURCE_STAMPS_H

#include <stdbool.h>

/*
 * Have the interface's card stamp what packet socket @fd receives: the card is
 * told to stamp all that arrives, unless it does already, and the ring to show
 * those stamps.  0, or -errno: the host's are shown then, as they are for
 * packets that the card left unstamped.
 */
int stamps_hardware(int fd, const char *iface);

#endif
