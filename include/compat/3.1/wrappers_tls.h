/* SPDX-License-Identifier: Apache-2.0 */
/* wrappers_tls.h as it was in SDK 3.1.0. */
#include "infra_config.h"
#include "../../wrappers_tls.h"
