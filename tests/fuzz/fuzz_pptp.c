/* fuzz_pptp.c - control messages of PPTP. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_pptp;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_pptp, 6, false, data, size);
}
