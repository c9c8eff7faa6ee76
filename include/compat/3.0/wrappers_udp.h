/* SPDX-License-Identifier: Apache-2.0 */
/* wrappers_udp.h as it was in SDK 3.0.1. */
#include "infra_config.h"
#include "../../wrappers_udp.h"
