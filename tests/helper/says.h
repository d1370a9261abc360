/* says.h - a fake caller and cmocka together. */
#ifndef TESTS_HELPER_SAYS_H
#define TESTS_HELPER_SAYS_H

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/helper/fake.h"

/* what was asked for since the last look */
#define says(f, text) assert_string_equal(fake_log(f), text)

#endif
