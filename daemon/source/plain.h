/*
 * plain.h - frames of an unpacked classic capture, read without libpcap.
 *
 * libpcap reads a capture with two calls of fread() a packet, and its bytes
 * are to be copied once more because the next call overwrites them.  Here they
 * are read in large pieces and stay where they were read.  Only what nearly
 * every capture is: whatever is not as expected, up to the end of the file, is
 * left to libpcap, which goes on at that place and has the words for it.
 */
#ifndef SOURCE_PLAIN_H
#define SOURCE_PLAIN_H

#include <pcap/pcap.h>

#include "shm/base.h"

struct plain;

struct plain_record {
	const uint8_t *bytes;
	uint32_t caplen, wirelen;
	uint64_t ts_ns;
};

/* A reader of the same file as `pcap`, which was opened with times in
 * nanoseconds and has read no packet yet; NULL: leave it to libpcap. */
struct plain *plain_open(pcap_t *pcap);

/* Goes on to the next piece of the file when this one has no whole record any
 * more.  What was handed out of the piece before stays valid until the call
 * after that which finds a new one. */
void plain_turn(struct plain *p);

/* The next record of this piece; false: there is none. */
bool plain_next(struct plain *p, struct plain_record *r);

/* libpcap goes on where this one stands; false: errno says why not. */
bool plain_leave(struct plain *p, pcap_t *pcap);

void plain_close(struct plain *p);

#endif
