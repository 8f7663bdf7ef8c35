/*
 * Where the primitives come from: libcrypto. A build with another supply has
 * a file of this name in the folder of that.
 */
#include "crypto/crypt.h"

const char *
pys_primitives_text(void)
{
    return pys_libcrypto_text();
}
