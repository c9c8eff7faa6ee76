/* SPDX-License-Identifier: Apache-2.0 */
/* dev_sign_wrapper.h of SDK 3.0.1: what ports and sources of that part include for the HAL. */
#ifndef IOTX_COMPAT_3_0_DEV_SIGN_WRAPPER_H
#define IOTX_COMPAT_3_0_DEV_SIGN_WRAPPER_H

#include "infra_config.h"
#include "infra_types.h"
#include "infra_defs.h"

#endif /* IOTX_COMPAT_3_0_DEV_SIGN_WRAPPER_H */
