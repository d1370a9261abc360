/* fuzz_netbios_ns.c - questions for names, to anybody. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_netbios_ns;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_netbios_ns, 17, false, data, size);
}
