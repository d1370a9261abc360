/* mark.c - see mark.h. */
#include "daemon/base/mark.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

uint64_t mark_sum(const void *p, size_t len)
{
	const uint8_t *b = p;
	uint64_t h = 0xcbf29ce484222325ull, word;

	for (; len; b += sizeof(word), len -= sizeof(word)) {
		if (len < sizeof(word))
			break;
		memcpy(&word, b, sizeof(word));
		h = (h ^ word) * 0x100000001b3ull;
		h ^= h >> 29;
	}
	for (; len; b++, len--)
		h = (h ^ *b) * 0x100000001b3ull;
	return h;
}

static bool copy_read(int fd, off_t off, struct mark *m)
{
	return pread(fd, m, sizeof(*m), off) == (ssize_t)sizeof(*m) &&
	       m->turn && m->sum == mark_sum(m, offsetof(struct mark, sum));
}

static off_t copy_place(off_t off, uint64_t turn)
{
	return off + (off_t)(turn & 1) * (off_t)(MARK_BYTES / 2);
}

bool mark_read(int fd, off_t off, struct mark *m)
{
	struct mark copy[2];
	bool good[2];
	int i;

	for (i = 0; i < 2; i++)
		good[i] = copy_read(fd, copy_place(off, (uint64_t)i), &copy[i]);
	memset(m, 0, sizeof(*m));
	if (!good[0] && !good[1])
		return false;
	i = !good[0] || (good[1] && copy[1].turn > copy[0].turn);
	*m = copy[i];
	return true;
}

int mark_write(int fd, off_t off, struct mark *m)
{
	struct mark next = *m;
	ssize_t n;

	next.turn++;
	next.sum = mark_sum(&next, offsetof(struct mark, sum));
	n = pwrite(fd, &next, sizeof(next), copy_place(off, next.turn));
	if (n != (ssize_t)sizeof(next))
		return n < 0 ? -errno : -ENOSPC;
	*m = next;
	return 0;
}
