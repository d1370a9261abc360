/*
 * fuzz_capture.c - any bytes as capture files: pcap, pcapng, gzip, Zstandard.
 *
 * Byte 0 says how the rest becomes files: as it stands, packed here (so that
 * what unpacks is reached with sound data behind it), cut into two captures
 * that are merged, with a filter, resumed in the middle.
 */
#include <unistd.h>

#include <zlib.h>
#include <zstd.h>

#include "daemon/source/source.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/capture.h"

enum { AS_IT_IS, GZIP, ZSTD, TWO, NKINDS };
enum { FILTERED = 4, RESUMED = 8 };

/* frames looked at: a small file may unpack to very many */
#define FRAMES_MAX 20000u
#define PACKED     (1u << 17)

static uint8_t packed[PACKED];

static size_t pack_gzip(const uint8_t *data, size_t len)
{
	z_stream z;
	size_t n;

	memset(&z, 0, sizeof(z));
	if (deflateInit2(&z, 1, Z_DEFLATED, 31, 8, 0) != Z_OK)
		return 0;
	z.next_in = (Bytef *)(uintptr_t)data;
	z.avail_in = (uInt)len;
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	deflate(&z, Z_FINISH);
	n = sizeof(packed) - z.avail_out;
	deflateEnd(&z);
	return n;
}

static size_t pack_zstd(const uint8_t *data, size_t len)
{
	size_t n = ZSTD_compress(packed, sizeof(packed), data, len, 1);

	return ZSTD_isError(n) ? 0 : n;
}

static void check_frame(const struct pkt *p, uint64_t *last, unsigned int n,
                        bool filtered)
{
	struct pkt copy = *p;
	uint8_t sum = 0;
	uint32_t i;

	fuzz_check(filtered ? p->frame > *last : p->frame == *last + 1,
	           "frame %llu after %llu", (unsigned long long)p->frame,
	           (unsigned long long)*last);
	*last = p->frame;
	fuzz_check(p->iface < n && p->caplen <= p->wirelen, "frame of %u, %u",
	           p->iface, p->caplen);
	for (i = 0; i < p->caplen; i++)
		sum ^= p->data[i];
	copy.source = sum;
	pkt_parse(&copy);
}

static void check_end(struct source *s, int r, uint64_t frames)
{
	struct source_stats st;
	struct pkt one;

	source_stats(s, SOURCE_ALL, &st);
	fuzz_check(st.frames == frames + st.filtered + st.skipped,
	           "%llu frames, %llu taken", (unsigned long long)st.frames,
	           (unsigned long long)frames);
	if (r == SOURCE_ERROR)
		fuzz_check(source_error(s) && *source_error(s),
		           "broken without a reason");
	if (r == SOURCE_ERROR || r == SOURCE_END)
		fuzz_check(source_next(s, &one, 1) == r, "an end that ends");
}

static void run(const char *const *path, unsigned int n, uint8_t how)
{
	char err[SOURCE_ERR] = "";
	struct source *s = source_open_files(
		path, n, how & FILTERED ? "udp or port 80" : NULL, err);
	struct pkt batch[SOURCE_BATCH];
	uint64_t last = 0, frames = 0, calls = 0;
	int r, i;

	if (!s) {
		fuzz_check(*err, "refused without a reason");
		return;
	}
	if (how & RESUMED) {
		last = 2;
		source_seek(s, last);
	}
	do {
		r = source_next(s, batch, how >> 4 ? how >> 4 : SOURCE_BATCH);
		for (i = 0; i < r; i++)
			check_frame(&batch[i], &last, n, how & FILTERED);
		frames += r > 0 ? (uint64_t)r : 0;
	} while (r >= 0 && frames < FRAMES_MAX && calls++ < FRAMES_MAX);
	check_end(s, r, frames);
	source_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture c[2] = {{.fd = -1}, {.fd = -1}};
	const char *path[2];
	unsigned int n = 1;
	size_t len;
	uint8_t how;

	if (!size || size > 1u << 16)
		return 0;
	how = *data++;
	size--;
	switch (how % NKINDS) {
	case GZIP:
		len = pack_gzip(data, size);
		path[0] = capture_bytes(&c[0], packed, len);
		break;
	case ZSTD:
		len = pack_zstd(data, size);
		path[0] = capture_bytes(&c[0], packed, len);
		break;
	case TWO:
		n = 2;
		path[0] = capture_bytes(&c[0], data, size);
		path[1] = capture_bytes(&c[1], data, size);
		break;
	default:
		path[0] = capture_bytes(&c[0], data, size);
	}
	run(path, n, how);
	capture_done(&c[0]);
	capture_done(&c[1]);
	return 0;
}
