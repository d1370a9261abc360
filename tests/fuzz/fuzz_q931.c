/* fuzz_q931.c - calls of H.323. */
#define TALK_THIRDS
#include "tests/fuzz/talk.h"

extern const struct helper helper_q931;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_q931, 6, true, data, size);
}
