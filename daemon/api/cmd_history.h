/* cmd_history.h - the history's file, opened while it may be. */
#ifndef API_CMD_HISTORY_H
#define API_CMD_HISTORY_H

#include "daemon/api/cmd.h"

void history_setup(struct api *a, const struct role_env *e);

#endif
