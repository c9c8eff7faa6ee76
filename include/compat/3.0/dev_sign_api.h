/* SPDX-License-Identifier: Apache-2.0 */
/* dev_sign_api.h as it was in SDK 3.0.1. */
/* Sources of 3.0.1 rely on these two. */
#include <stdio.h>
#include <string.h>
#include "infra_config.h"
#include "../../dev_sign_api.h"
