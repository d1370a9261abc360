/* fuzz_sane.c - requests and answers, cut anywhere. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_sane;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_sane, 6, true, data, size);
}
