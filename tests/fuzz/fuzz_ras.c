/* fuzz_ras.c - registration and admission of H.323. */
#define TALK_THIRDS
#include "tests/fuzz/talk.h"

extern const struct helper helper_ras;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_ras, 17, true, data, size);
}
