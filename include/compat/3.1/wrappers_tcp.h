/* SPDX-License-Identifier: Apache-2.0 */
/* wrappers_tcp.h as it was in SDK 3.1.0. */
#include "infra_config.h"
#include "../../wrappers_tcp.h"
