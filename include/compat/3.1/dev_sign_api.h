/* SPDX-License-Identifier: Apache-2.0 */
/* dev_sign_api.h as it was in SDK 3.1.0. */
#include "infra_config.h"
#include "../../dev_sign_api.h"
