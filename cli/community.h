/* community.h - Community ID, version 1: one name for a flow in all tools. */
#ifndef CLI_COMMUNITY_H
#define CLI_COMMUNITY_H

#include "proto/ctshard.h"

#define COMMUNITY_TEXT 32 /* "1:", 28 of base64, the end */

void community_id(const struct ctshard_conn *c, uint16_t seed,
                  char to[COMMUNITY_TEXT]);

#endif
