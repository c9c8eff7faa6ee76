/* SPDX-License-Identifier: Apache-2.0 */
/* infra_sha1.h as it was in SDK 3.1.0. */
#include "infra_config.h"
#include "../../infra_sha1.h"
