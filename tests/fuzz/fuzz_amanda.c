/* fuzz_amanda.c - answers of a machine that is to be saved. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_amanda;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_amanda, 17, true, data, size);
}
