/*
 * fuzz.h - what fuzz programs share: bytes as decisions, and how to fail.
 *
 * A program of tests/fuzz makes decisions from the input's bytes, front to
 * back; behind the end all bytes are zero.  What must hold is said by
 * fuzz_check(), which ends the process so that libFuzzer keeps the input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/base.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(cond, ...)                                              \
	do {                                                               \
		if (!(cond)) {                                             \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, \
			        #cond);                                    \
			fprintf(stderr, __VA_ARGS__);                      \
			fputc('\n', stderr);                               \
			abort();                                           \
		}                                                          \
	} while (0)

struct fuzz_in {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz8(struct fuzz_in *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint16_t fuzz16(struct fuzz_in *in)
{
	uint16_t hi = fuzz8(in);

	return (uint16_t)(hi << 8 | fuzz8(in));
}

static inline uint32_t fuzz32(struct fuzz_in *in)
{
	uint32_t hi = fuzz16(in);

	return hi << 16 | fuzz16(in);
}

static inline uint64_t fuzz64(struct fuzz_in *in)
{
	uint64_t hi = fuzz32(in);

	return hi << 32 | fuzz32(in);
}

/* Up to `max` bytes; their number in *len. */
static inline const uint8_t *fuzz_bytes(struct fuzz_in *in, size_t max,
                                        size_t *len)
{
	const uint8_t *at = in->at;

	*len = in->left < max ? in->left : max;
	in->at += *len;
	in->left -= *len;
	return at;
}

/* A copy of exactly so many bytes, so that a read behind them is seen. */
static inline uint8_t *fuzz_copy(const void *from, size_t len)
{
	uint8_t *to = malloc(len ? len : 1);

	fuzz_check(to, "out of memory");
	if (len)
		memcpy(to, from, len);
	return to;
}

#endif
