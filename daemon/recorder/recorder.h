/* recorder.h - the role that writes what ended to files.  See recorder.c. */
#ifndef RECORDER_RECORDER_H
#define RECORDER_RECORDER_H

#include "daemon/base/role.h"

extern const struct role role_recorder;

#endif
