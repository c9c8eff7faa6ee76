/* SPDX-License-Identifier: Apache-2.0 */
/* Selects the interface of SDK 3.1.0: put this folder before, or in place of, the one with the headers
 * of 3.2.0. What differs in layout or numbers goes to entry points that know it. */
#ifndef IOTX_COMPAT_3_1_CONFIG_H
#define IOTX_COMPAT_3_1_CONFIG_H

#ifdef IOTX_SDK_ABI_MAJOR
#error "headers of two SDK versions in one source file: the folder compat/3.1 must be searched first"
#endif

#define IOTX_SDK_ABI_MAJOR 3
#define IOTX_SDK_ABI_MINOR 1
#define IOTX_SDK_ABI_PATCH 0

/* Events have other numbers. */
#define iotx_event_callback iotx_v31_event_callback
#define iotx_state_event iotx_v31_state_event

#include "../../infra_config.h"

#endif /* IOTX_COMPAT_3_1_CONFIG_H */
