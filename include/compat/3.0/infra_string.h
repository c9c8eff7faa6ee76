/* SPDX-License-Identifier: Apache-2.0 */
/* infra_string.h as it was in SDK 3.0.1. */
#include "infra_config.h"
#include "../../infra_string.h"
