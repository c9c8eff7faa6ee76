/* SPDX-License-Identifier: Apache-2.0 */
/* sign_api.h as it was in SDK 3.1.0. */
#include "infra_config.h"
#include "../../sign_api.h"
