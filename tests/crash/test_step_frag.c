/*
 * test_step_frag.c - SIGKILL at every instruction of who keeps fragments.
 *
 * A worker of a capture adds fragments to its store instruction by
 * instruction.  Wherever the store has changed, it is killed there: an heir
 * takes the store as it is and goes on at the first frame that is not done.
 * Then every fragment is either part of a datagram that came out whole, byte
 * for byte, or was said to be lost; and no cell of the store is.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "daemon/pkt/frag.h"
#include "daemon/pkt/frag_store.h"
#include "tests/lib/image.h"
#include "tests/lib/packet.h"

#define BLOCK  16384u
#define SECRET 0x1234567890abcdefull

/* the frames: which datagram, its bytes, is there more */
static const struct {
	uint8_t id;
	uint16_t off, end;
	bool more;
} frames[] = {
	{1, 0, 64, true},     {2, 0, 400, true},    {1, 64, 128, true},
	{3, 64, 96, true},    {1, 128, 140, false}, {2, 392, 500, false},
	{3, 0, 64, true},     {4, 0, 8, true},      {3, 96, 100, false},
	{5, 600, 640, false}, {5, 0, 600, true},    {4, 0, 8, true},
	{4, 8, 16, false},
};

#define TWICE 11u /* the frame that is there already */
#define LOST  2u  /* those that overlap: of all these, undisturbed */

/* what has come of frames that are done */
struct sums {
	uint32_t done;  /* frames */
	uint32_t lost;  /* fragments, as was said */
	uint32_t whole; /* fragments of datagrams that came out */
	uint32_t twice; /* fragments that were there already */
};

struct keeper {
	struct frag *f;
	volatile struct sums *sums;
};

static uint8_t pattern(uint32_t id, uint32_t at)
{
	return (uint8_t)(id * 31 + at * 7 + (at >> 8) + 1);
}

static uint32_t frame_make(uint32_t n, uint8_t *raw)
{
	uint32_t i, off = frames[n].off, end = frames[n].end;

	memset(raw, 0, 20);
	raw[0] = 0x45;
	put16(raw + 2, (uint16_t)(20 + end - off));
	put16(raw + 4, frames[n].id);
	put16(raw + 6, (uint16_t)((frames[n].more ? 0x2000 : 0) | off / 8));
	raw[8] = 64;
	raw[9] = 17;
	put32(raw + 12, 0x0a000001u);
	put32(raw + 16, 0x0a000100u);
	for (i = off; i < end; i++)
		raw[20 + i - off] = pattern(frames[n].id, i);
	return 20 + end - off;
}

static uint32_t whole_check(const struct pkt *whole, uint32_t id)
{
	uint32_t i, n = 0;

	for (i = 0; i < whole->l4len; i++)
		if (*(const uint8_t *)pkt_l4(whole, i, 1) != pattern(id, i))
			abort();
	for (i = 0; i < ARRAY_SIZE(frames); i++)
		n += frames[i].id == id && i != TWICE;
	return n;
}

/* Frame `n`; what came of it is noted before the datagram is let go. */
static void keeper_add(struct frag *f, uint32_t n, volatile struct sums *sums)
{
	static uint8_t raw[1024], buf[FRAG_WHOLE];
	struct sums s = *sums;
	struct frag_answer a;
	struct pkt p = {.linktype = 228, .frame = n + 1}, whole;

	p.caplen = p.wirelen = frame_make(n, raw);
	p.data = raw;
	if (pkt_parse(&p) != PKT_FRAGMENT)
		abort();
	a = frag_add(f, &p, NS_PER_S, 5, buf, &whole);
	s.lost += a.lost;
	s.twice += a.why == FRAG_WHY_DUPLICATE;
	if (a.verdict == FRAG_DONE)
		s.whole += whole_check(&whole, frames[n].id);
	sums->lost = s.lost;
	sums->whole = s.whole;
	sums->twice = s.twice;
	sums->done = n + 1;
	frag_release(f);
}

static void keeper_run(void *arg)
{
	const struct keeper *k = arg;
	uint32_t n;

	for (n = k->sums->done; n < ARRAY_SIZE(frames); n++)
		keeper_add(k->f, n, k->sums);
}

/* the heir's end: what still waits is given up, and all cells are there;
 * `again`: one that began anew dies in its first change, too.  What was lost.
 */
static uint32_t heir_run(void *block, struct sums s, bool again)
{
	bool busy = ((struct frag *)block)->busy;
	struct frag *f = frag_open(block, BLOCK, SECRET, true);
	struct keeper k = {f, &s};
	uint32_t lost;
	uint8_t tag;

	assert_non_null(f);
	if (busy && again && s.done < ARRAY_SIZE(frames)) {
		frag_change_begin(f);
		assert_ptr_equal(frag_open(block, BLOCK, SECRET, true), f);
	}
	keeper_run(&k);
	frag_release(f);
	while (frag_expire(f, UINT64_MAX, 1, &tag, &lost))
		s.lost += lost;
	assert_int_equal(frag_use(f).fragments, 0);
	assert_int_equal(frag_use(f).bytes, 0);
	assert_int_equal(s.whole + s.lost + s.twice, ARRAY_SIZE(frames));
	return s.lost;
}

static void test_killed(void **state)
{
	void *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE,
	                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile struct sums *sums = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
	                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct keeper k = {.sums = sums};
	static uint64_t was[BLOCK / 8], heir[BLOCK / 8];
	struct sums now = {0};
	uint32_t images = 0;
	struct stepper st;

	(void)state;
	if (!stepper_allowed())
		skip();
	assert_true(block != MAP_FAILED &&
	            (void *)(uintptr_t)sums != MAP_FAILED);
	k.f = frag_open(block, BLOCK, SECRET, true);
	memcpy(was, block, BLOCK);
	assert_int_equal(stepper_start(&st, keeper_run, &k), 0);
	while (stepper_next(&st)) {
		/* of what is written in several words, the last counts */
		if (sums->done != now.done) {
			now = *sums;
			/* nothing is under way: nothing is lost */
			memcpy(heir, block, BLOCK);
			assert_int_equal(heir_run(heir, now, false), LOST);
		}
		if ((STEPPER_SLOW && st.steps % 8) ||
		    !memcmp(was, block, BLOCK))
			continue;
		memcpy(was, block, BLOCK);
		memcpy(heir, was, BLOCK);
		heir_run(heir, now, images & 1);
		images++;
	}
	assert_int_equal(stepper_collect(&st), 0);
	assert_true(images > (STEPPER_SLOW ? 40u : 300u));
	assert_int_equal(sums->done, ARRAY_SIZE(frames));
	munmap(block, BLOCK);
	munmap((void *)(uintptr_t)sums, PAGE);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed),
	};

	/* found now, not by the child, instruction by instruction */
	raise(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
