/* SPDX-License-Identifier: Apache-2.0 */
/* Dynamic registration, weak: firmware that still compiles the SDK's own links and uses that. */
#include "dynreg_api.h"
#include "replaceable.h"

REPLACEABLE(int32_t, IOT_Dynamic_Register, iotx_port_dynamic_register,
            (iotx_http_region_types_t region, iotx_dev_meta_info_t *meta), (region, meta))
