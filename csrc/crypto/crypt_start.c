/*
 * The process-wide start, and what libcrypto says about itself.
 */
#include "crypto/crypt_evp.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypto/keys13.h"

#ifndef PYS_VERSION
#error "the build gives the version of the package as PYS_VERSION"
#endif

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static bool started;

static void
start_all(void)
{
    started = pys_hash_start() && pys_aead_start() && pys_share_start() &&
        pys_sign_start() && pys_keys13_start();
}

bool
pys_crypt_start(void)
{
    return CRYPTO_THREAD_run_once(&once, start_all) == 1 && started;
}

bool
pys_start(void)
{
    return pys_crypt_start();
}

const char *
pys_version(void)
{
    return PYS_VERSION;
}

unsigned long
pys_libcrypto_number(void)
{
    return OpenSSL_version_num();
}

const char *
pys_libcrypto_text(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

const char *
pys_code_library(unsigned long code)
{
    return ERR_lib_error_string(code);
}

const char *
pys_code_reason(unsigned long code)
{
    return ERR_reason_error_string(code);
}
