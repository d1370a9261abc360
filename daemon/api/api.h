/* api.h - the role that answers clients. */
#ifndef API_API_H
#define API_API_H

#include "daemon/base/role.h"

extern const struct role role_api;

#endif
