/* fuzz_snmp.c - requests to agents, to anybody. */
#include "tests/fuzz/talk.h"

extern const struct helper helper_snmp;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return talk_run(&helper_snmp, 17, false, data, size);
}
