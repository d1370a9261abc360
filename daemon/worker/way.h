/* way.h - a packet under way: what apply.c and help.c share. */
#ifndef WORKER_WAY_H
#define WORKER_WAY_H

#include "daemon/worker/pipeline.h"
#include "shm/expect.h"

struct way {
	struct pipeline *p;
	struct lane *l;
	struct counters cs;
	struct op_cursor cur;
	uint32_t now; /* tick */
	uint8_t dir;
	uint8_t info; /* enum ctinfo */
	bool clash;   /* its zones belong to somebody else's tuple */
	bool traced;  /* somebody asks for it: p->trace.rec is its record */
	uint8_t acts; /* what its helper did to expectations so far */
	bool drop;    /* the kernel's helper would have dropped it (F203) */
	bool room;    /* there is room for its connection (room.h) */
	uint8_t full; /* enum op_refusal: or what there is none of */
};

#endif
