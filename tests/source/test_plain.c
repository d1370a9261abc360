/* test_plain.c - what is read without libpcap is what libpcap reads. */
#include "daemon/source/source.h"

#include <byteswap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#define FRAMES  400u
#define BIGGEST 65535u

/* what stands in the middle, which only libpcap knows what to do with */
enum odd { ODD_NONE, ODD_LONG, ODD_FRACTION, ODD_CUT, ODD_HEAD, ODD_BROKEN };

static char path[64], err[SOURCE_ERR];
static struct pkt batch[SOURCE_BATCH];
static uint8_t data[BIGGEST];

static uint32_t rnd(uint32_t *s)
{
	*s = *s * 1664525u + 1013904223u;
	return *s >> 8;
}

static void words(FILE *f, bool big, const uint32_t *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t v = big ? bswap_32(w[i]) : w[i];

		assert_int_equal(fwrite(&v, 4, 1, f), 1);
	}
}

static void frame(FILE *f, bool big, uint32_t i, uint32_t *seed, enum odd odd)
{
	uint32_t len = rnd(seed) % 4 ? rnd(seed) % 1500 : rnd(seed) % 40000;
	uint32_t head[4] = {1700000000 + i, rnd(seed) % 1000000, len, len};

	if (odd == ODD_LONG)
		head[2] = head[3] = len = 50000;
	else if (odd == ODD_FRACTION)
		head[1] = 1999999999;
	else if (odd == ODD_BROKEN)
		head[2] = 0x7fffffff;
	else if (i % 7 == 0)
		head[3] = len / 2;
	for (uint32_t k = 0; k < len; k++)
		data[k] = (uint8_t)rnd(seed);
	words(f, big, head, odd == ODD_HEAD ? 3 : 4);
	if (odd == ODD_CUT)
		len /= 2;
	assert_int_equal(fwrite(data, 1, len, f), len);
}

static void capture(bool big, bool nano, enum odd odd, uint32_t seed)
{
	uint32_t head[6] = {nano ? 0xa1b23c4d : 0xa1b2c3d4, 0, 0, 0, 45000, 1};
	bool end = odd == ODD_CUT || odd == ODD_HEAD;
	int fd;
	FILE *f;

	/* two halves of a word */
	head[1] = big ? 2 << 16 | 4 : 4 << 16 | 2;
	snprintf(path, sizeof(path), "/tmp/ctshardd-plain.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	words(f, big, head, 6);
	for (uint32_t i = 0; i < FRAMES; i++) {
		bool here = i == (end ? FRAMES - 1 : FRAMES / 2);

		frame(f, big, i, &seed, here ? odd : ODD_NONE);
	}
	assert_int_equal(fclose(f), 0);
}

static uint64_t pcap_time(const struct pcap_pkthdr *h)
{
	uint64_t frac = (uint64_t)h->ts.tv_usec;

	if (h->ts.tv_usec < 0)
		frac = 0;
	return (uint64_t)h->ts.tv_sec * NS_PER_S +
	       (frac < NS_PER_S ? frac : NS_PER_S - 1);
}

static void same(pcap_t *p, const struct pkt *k)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;

	assert_int_equal(pcap_next_ex(p, &h, &bytes), 1);
	assert_int_equal(k->caplen, h->caplen);
	assert_int_equal(k->wirelen, h->len > h->caplen ? h->len : h->caplen);
	assert_true(k->ts_ns == pcap_time(h));
	assert_memory_equal(k->data, bytes, h->caplen);
}

/* How both end, and with the same words. */
static void same_end(pcap_t *p, const struct source *s, int code)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int n = pcap_next_ex(p, &h, &bytes);

	assert_int_equal(n, code == SOURCE_END ? PCAP_ERROR_BREAK : PCAP_ERROR);
	if (n == PCAP_ERROR)
		assert_non_null(strstr(source_error(s), pcap_geterr(p)));
}

static void compare(unsigned int max)
{
	const char *const paths[] = {path};
	char why[PCAP_ERRBUF_SIZE];
	struct source *s = source_open_files(paths, 1, NULL, err);
	pcap_t *p = pcap_open_offline_with_tstamp_precision(
		path, PCAP_TSTAMP_PRECISION_NANO, why);
	uint64_t count = 0;
	int n;

	assert_non_null(s);
	assert_non_null(p);
	/* all of a batch stays valid until the next one */
	while ((n = source_next(s, batch, max)) >= 0)
		for (int i = 0; i < n; i++) {
			assert_int_equal(batch[i].frame, ++count);
			same(p, &batch[i]);
		}
	assert_true(count >= FRAMES / 2);
	same_end(p, s, n);
	pcap_close(p);
	source_close(s);
	unlink(path);
}

static void run(enum odd odd)
{
	static const unsigned int max[] = {1, 7, 64};

	for (unsigned int i = 0; i < 12; i++) {
		capture(i & 1, i & 2, odd, 17 + i);
		compare(max[i % 3]);
	}
}

static void test_whole(void **state)
{
	(void)state;
	run(ODD_NONE);
}

/* longer than the capture says: shortened, and it goes on */
static void test_long(void **state)
{
	(void)state;
	run(ODD_LONG);
}

static void test_fraction(void **state)
{
	(void)state;
	run(ODD_FRACTION);
}

static void test_cut(void **state)
{
	(void)state;
	run(ODD_CUT);
	run(ODD_HEAD);
}

static void test_broken(void **state)
{
	(void)state;
	run(ODD_BROKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),    cmocka_unit_test(test_long),
		cmocka_unit_test(test_fraction), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
