/* segment.h - what is read of a plain segment (tcp_plain.h), for who carries it
 * from one stage to the next. */
#ifndef TRACKER_SEGMENT_H
#define TRACKER_SEGMENT_H

#include <stdint.h>

struct tcp_plain {
	uint32_t seq, ack;
	uint32_t end; /* behind its last byte */
	uint16_t win; /* as on the wire */
};

#endif
