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

#ifndef PYS_STATIC
#define PYS_STATIC 0
#endif

static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
static bool started;

static void
start_all(void)
{
    started = pys_hash_start() && pys_aead_start() && pys_cbc_start() &&
        pys_share_start() && pys_sign_start() && pys_keys13_start();
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
pys_libcrypto_built(void)
{
    return OPENSSL_VERSION_TEXT;
}

bool
pys_libcrypto_static(void)
{
    return PYS_STATIC != 0;
}

const char *
pys_libcrypto_cpu(void)
{
    const char *text = OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS);

    return text == NULL ? "" : text;
}

const char *
pys_compiler(void)
{
#if defined(__clang_version__)
    return "clang " __clang_version__;
#elif defined(__GNUC__)
    return "gcc " __VERSION__;
#else
    return "";
#endif
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
