/* SPDX-License-Identifier: Apache-2.0 */
/* The name under which the stand-alone signing code of the product documents is included. */
#ifndef IOTX_SIGN_API_H
#define IOTX_SIGN_API_H

#include "dev_sign_api.h"
#include "infra_sha256.h"

#endif /* IOTX_SIGN_API_H */
