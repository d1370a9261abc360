/*
 * fuzz_ftp.c - control connections of FTP.
 *
 * Besides what talk.h checks: in mirror mode it makes no difference how a
 * stream is cut into segments.
 */
#include "tests/fuzz/talk.h"

extern const struct helper helper_ftp;

/* The same bytes in one piece, and in pieces; what was asked for. */
static const char *whole(struct fake *f, uint8_t dir, const uint8_t *b,
                         uint32_t len, uint32_t piece)
{
	uint32_t n;

	fake_open(f, &helper_ftp, 6, "10.0.0.1", 40001, "10.0.0.2", 21);
	f->h.mirror = true;
	for (; len; len -= n, b += n) {
		n = len < piece ? len : piece;
		fake_bytes(f, dir, b, n);
	}
	fake_close(f);
	return fake_log(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake one, more;
	uint32_t piece;

	if (size > 2 && size < HELP_KEEP && data[0] & 0x80) {
		piece = 1u + data[1] % 61;
		fuzz_check(!strcmp(whole(&one, data[0] & 1, data + 2,
		                         (uint32_t)size - 2, HELP_KEEP),
		                   whole(&more, data[0] & 1, data + 2,
		                         (uint32_t)size - 2, piece)),
		           "pieces of %u make a difference", piece);
		return 0;
	}
	return talk_run(&helper_ftp, 6, true, data, size);
}
