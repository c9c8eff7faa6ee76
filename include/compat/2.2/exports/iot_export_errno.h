/* SPDX-License-Identifier: Apache-2.0 */
/* The return codes are those of 2.3.0. */
#include "../../2.3/exports/iot_export_errno.h"
