/* metrics.h - the daemon's figures in the text of OpenMetrics. */
#ifndef API_METRICS_H
#define API_METRICS_H

#include "daemon/api/cmd.h"

#define METRICS_TYPE \
	"application/openmetrics-text; version=1.0.0; charset=utf-8"

/* The text for free() and its length; NULL: no memory. */
char *metrics_text(struct api *a, size_t *len);

#endif
