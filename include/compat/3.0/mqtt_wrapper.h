/* SPDX-License-Identifier: Apache-2.0 */
/* mqtt_wrapper.h of SDK 3.0.1: what ports and sources of that part include for the HAL. */
#ifndef IOTX_COMPAT_3_0_MQTT_WRAPPER_H
#define IOTX_COMPAT_3_0_MQTT_WRAPPER_H

#include "infra_config.h"
#include "infra_types.h"
#include "infra_defs.h"
#include "mqtt_api.h"
#include "wrappers.h"
#include "wrappers_identity.h"

#endif /* IOTX_COMPAT_3_0_MQTT_WRAPPER_H */
