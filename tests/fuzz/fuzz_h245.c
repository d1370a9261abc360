/* fuzz_h245.c - channels of H.323. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_h245;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_h245, 6, true, data, size);
}
