/* SPDX-License-Identifier: Apache-2.0 */
/* Basic types of every header. */
#ifndef _INFRA_TYPES_H_
#define _INFRA_TYPES_H_

#include <stddef.h>
#include <stdint.h>
#include "infra_config.h"

#if IOTX_SDK_ABI_MAJOR != 3
#error "headers of SDK 2.x and 3.x in one source file: their types differ, include those of one version"
#endif

#define IOT_TRUE                         1
#define IOT_FALSE                        0

#endif /* _INFRA_TYPES_H_ */
