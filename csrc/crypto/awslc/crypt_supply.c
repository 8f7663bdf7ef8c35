/*
 * Where the primitives come from: AWS-LC, but for RSA and Ed448 signatures,
 * which stay with libcrypto.
 */
#include <awslc/service_indicator.h>

#include "crypto/crypt.h"

const char *
pys_primitives_text(void)
{
    return awslc_version_string();
}
