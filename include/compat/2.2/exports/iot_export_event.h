/* SPDX-License-Identifier: Apache-2.0 */
/* The events are those of 2.3.0. */
#include "../../2.3/exports/iot_export_event.h"
