/*
 * policy.h - settings that the packet path reads, in one block that is
 * replaced whole (RCU): the supervisor writes a new block and publishes it,
 * the old one is free again after a grace period.
 *
 * Timeouts and options of a tracker sit in rows by the tracker's place in
 * trackers.h; what a slot means is known to the tracker alone.
 */
#ifndef SHM_POLICY_H
#define SHM_POLICY_H

#include "shm/base.h"

#define POLICY_TRACKERS 16u
#define POLICY_TIMEOUTS 16u
#define POLICY_OPTIONS	8u

enum tcp_mode { TCP_MODE_AUTO, TCP_MODE_STRICT, TCP_MODE_MIRROR };
enum checksum_mode { CHECKSUM_OFF, CHECKSUM_ON, CHECKSUM_AUTO };

struct policy {
	uint64_t version;
	uint32_t max; /* connections in all, 0 = as many as there is room for */
	uint8_t acct;
	uint8_t timestamp;
	uint8_t checksum; /* enum checksum_mode */
	uint8_t events;	  /* 0 none, else always */
	uint8_t tcp_mode; /* enum tcp_mode, AUTO resolved by the source */
	uint8_t log_invalid;
	uint8_t tracker_off[POLICY_TRACKERS]; /* 1 = use the generic one */
	uint8_t pad[6];
	uint32_t timeout[POLICY_TRACKERS][POLICY_TIMEOUTS]; /* seconds */
	uint32_t option[POLICY_TRACKERS][POLICY_OPTIONS];
};

#endif
