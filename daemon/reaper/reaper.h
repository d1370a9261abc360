/* reaper.h - the role of time and death. */
#ifndef REAPER_REAPER_H
#define REAPER_REAPER_H

#include "daemon/base/role.h"

extern const struct role role_reaper;

#endif
