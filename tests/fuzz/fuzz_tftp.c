/* fuzz_tftp.c - requests for files, of any bytes. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_tftp;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_tftp, 17, true, data, size);
}
