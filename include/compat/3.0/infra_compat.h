/* SPDX-License-Identifier: Apache-2.0 */
/* infra_compat.h as it was in SDK 3.0.1, which brought the lists along. */
#include "infra_config.h"
#include "infra_list.h"
#include "../../infra_compat.h"
