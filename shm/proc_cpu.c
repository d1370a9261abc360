/* proc_cpu.c - how busy processes are: see proc.h. */
#include "shm/proc.h"

#include <time.h>

#include "shm/clock.h"

void proc_cpu(struct table *t)
{
	struct proc_page *p = table_proc(t, t->me);
	uint64_t now = clock_mono_ns();
	uint32_t turn = p->cpu_turn & 1;
	struct timespec ts;

	if (p->cpu_at_ns[turn] && now - p->cpu_at_ns[turn] < NS_PER_S)
		return;
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts))
		return;
	turn ^= 1;
	shm_store(&p->cpu_ns[turn],
	          (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec);
	shm_store(&p->cpu_at_ns[turn], now);
	shm_store_release(&p->cpu_turn, turn);
}

uint32_t proc_cpu_use(const struct table *t, uint32_t slot)
{
	const struct proc_page *p = table_proc(t, slot);
	uint32_t turn = shm_load_acquire(&p->cpu_turn) & 1;
	uint64_t at = shm_load(&p->cpu_at_ns[turn]);
	uint64_t before = shm_load(&p->cpu_at_ns[!turn]);
	uint64_t used = shm_load(&p->cpu_ns[turn]);
	uint64_t then = shm_load(&p->cpu_ns[!turn]);

	if (at <= before || used < then)
		return 0;
	if (!before)
		before = shm_load(&p->start_ns);
	if (at <= before)
		return 0;
	used = (used - then) * 1000 / (at - before);
	return used > 1000 ? 1000 : (uint32_t)used;
}
