/*
 * One verification of a peer's chain through libcrypto (RFC 5280 6, RFC 6125
 * 6). Its callback takes notes and never stops it; the verdict is made of
 * the notes, and is good only if there is no error in them.
 */
#include <openssl/x509v3.h>

#include "pki/pki_x509.h"
#include "pki/verify.h"

typedef STACK_OF(X509) stack;

/* The alert for each result (VFY-16; RFC 8446 6.2); others: unknown. */
static const struct {
    int result;
    int alert;
} alerts[] = {
    {X509_V_OK, PYS_AD_INTERNAL_ERROR},
    {X509_V_ERR_UNSPECIFIED, PYS_AD_INTERNAL_ERROR},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_CRL, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, PYS_AD_DECRYPT_ERROR},
    {X509_V_ERR_CRL_SIGNATURE_FAILURE, PYS_AD_DECRYPT_ERROR},
    {X509_V_ERR_CERT_NOT_YET_VALID, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_CERT_HAS_EXPIRED, PYS_AD_CERTIFICATE_EXPIRED},
    {X509_V_ERR_CRL_NOT_YET_VALID, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_CRL_HAS_EXPIRED, PYS_AD_CERTIFICATE_EXPIRED},
    {X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_OUT_OF_MEM, PYS_AD_INTERNAL_ERROR},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_CERT_CHAIN_TOO_LONG, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_CERT_REVOKED, PYS_AD_CERTIFICATE_REVOKED},
    {X509_V_ERR_PATH_LENGTH_EXCEEDED, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_INVALID_PURPOSE, PYS_AD_UNSUPPORTED_CERTIFICATE},
    {X509_V_ERR_CERT_UNTRUSTED, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_CERT_REJECTED, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_APPLICATION_VERIFICATION, PYS_AD_HANDSHAKE_FAILURE},
    {X509_V_ERR_HOSTNAME_MISMATCH, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_EMAIL_MISMATCH, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_EE_KEY_TOO_SMALL, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_CA_KEY_TOO_SMALL, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_CA_MD_TOO_WEAK, PYS_AD_BAD_CERTIFICATE},
    {X509_V_ERR_INVALID_CALL, PYS_AD_INTERNAL_ERROR},
    {X509_V_ERR_STORE_LOOKUP, PYS_AD_INTERNAL_ERROR},
    {X509_V_ERR_INVALID_CA, PYS_AD_UNKNOWN_CA},
    {X509_V_ERR_EC_KEY_EXPLICIT_PARAMS, PYS_AD_BAD_CERTIFICATE},
};

int
pys_verify_alert(long result)
{
    for (size_t i = 0; i < PYS_COUNT(alerts); i++) {
        if (alerts[i].result == result)
            return alerts[i].alert;
    }
    return PYS_AD_CERTIFICATE_UNKNOWN;
}

const char *
pys_verify_text(long result)
{
    return X509_verify_cert_error_string(result);
}

/* ---- names to match ---- */

void
pys_hosts_wipe(pys_hosts *h)
{
    for (size_t i = 0; i < h->n; i++)
        pys_free(h->names[i]);
    pys_free(h->names);
    *h = (pys_hosts){.names = NULL};
}

bool
pys_hosts_add(pys_hosts *h, const char *name, size_t n)
{
    pys_rd in = pys_rd_of(name, n);
    char **names;
    char *copy;

    if (n == 0 || n > PYS_NAME_MAX || h->n >= PYS_HOSTS_MAX ||
        memchr(name, '\0', n) != NULL)
        return false;
    names = pys_alloc((h->n + 1) * sizeof(*names));
    copy = pys_alloc(n + 1);
    if (names == NULL || copy == NULL || !pys_rd_copy(&in, copy, n)) {
        pys_free(names);
        pys_free(copy);
        return false;
    }
    if (h->n != 0)
        memcpy(names, h->names, h->n * sizeof(*names));
    names[h->n++] = copy;
    pys_free(h->names);
    h->names = names;
    return true;
}

static bool
is_address(const char *name)
{
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    bool found = ip != NULL;

    ASN1_OCTET_STRING_free(ip);
    return found;
}

/*
 * Makes any of the hosts good enough. libcrypto takes several names or one
 * address, so an address that the leaf has goes first, then all names.
 */
static bool
expect_hosts(X509_VERIFY_PARAM *param, const pys_hosts *hosts, X509 *leaf)
{
    const char *address = NULL;
    bool named = false;

    for (size_t i = 0; i < hosts->n; i++) {
        if (!is_address(hosts->names[i])) {
            named = true;
            continue;
        }
        if (X509_check_ip_asc(leaf, hosts->names[i], 0) == 1)
            return X509_VERIFY_PARAM_set1_ip_asc(param, hosts->names[i]) == 1;
        address = hosts->names[i];
    }
    if (!named)
        return address == NULL ||
            X509_VERIFY_PARAM_set1_ip_asc(param, address) == 1;
    for (size_t i = 0; i < hosts->n; i++) {
        if (!is_address(hosts->names[i]) &&
            X509_VERIFY_PARAM_add1_host(param, hosts->names[i], 0) != 1)
            return false;
    }
    return true;
}

/* ---- the verification ---- */

/* Notes one step; always goes on. */
static int
take_note(int ok, X509_STORE_CTX *ctx)
{
    pys_verdict *v = X509_STORE_CTX_get_app_data(ctx);
    pys_verify_event event = {
        .ok = ok != 0,
        .error = X509_STORE_CTX_get_error(ctx),
        .depth = (int16_t)X509_STORE_CTX_get_error_depth(ctx),
    };

    if (ok == 0 && event.error == X509_V_OK)
        event.error = X509_V_ERR_UNSPECIFIED;
    if (ok == 0 && v->result == X509_V_OK) {
        v->result = event.error;
        v->depth = event.depth;
    }
    if (v->n_events < PYS_EVENTS_MAX) {
        v->events[v->n_events++] = event;
        return 1;
    }
    v->lost = true;
    if (ok == 0) /* too many: the last error must stay the last one */
        v->events[PYS_EVENTS_MAX - 1] = event;
    return 1;
}

static bool
ctx_prepare(X509_STORE_CTX *ctx, const pys_verify_job *job, int64_t now,
    pys_verdict *v)
{
    X509_VERIFY_PARAM *param;

    /* Purpose and trust settings; RFC 5280 4.2.1.12. */
    if (X509_STORE_CTX_set_default(ctx,
            job->server ? "ssl_server" : "ssl_client") != 1)
        return false;
    param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_auth_level(param, job->security_level);
    if (job->depth >= 0)
        X509_VERIFY_PARAM_set_depth(param, job->depth);
    X509_VERIFY_PARAM_set_time(param, (time_t)(now / 1000));
    X509_VERIFY_PARAM_set_hostflags(param, job->host_flags);
    if (job->hosts != NULL &&
        !expect_hosts(param, job->hosts, job->chain[0]->x))
        return false;
    X509_STORE_CTX_set_verify_cb(ctx, take_note);
    return X509_STORE_CTX_set_app_data(ctx, v) == 1;
}

/* Keeps the name that matched; false if memory is short. */
static bool
keep_peername(X509_STORE_CTX *ctx, pys_verdict *v)
{
    const char *name =
        X509_VERIFY_PARAM_get0_peername(X509_STORE_CTX_get0_param(ctx));

    if (name == NULL)
        return true;
    v->peername = pys_copy(name, strlen(name) + 1);
    return v->peername != NULL;
}

/* A certificate of the path: one that was sent, or one of the store. */
static pys_cert *
path_cert(const pys_verify_job *job, X509 *x)
{
    unsigned char *der = NULL;
    pys_cert *c = NULL;
    int n;

    for (size_t i = 0; i < job->n_chain; i++) {
        if (job->chain[i]->x == x)
            return pys_cert_up_ref(job->chain[i]);
    }
    n = i2d_X509(x, &der);
    if (n > 0 && X509_up_ref(x) == 1)
        c = pys_cert_of(x, der, (size_t)n);
    OPENSSL_free(der);
    return c;
}

static bool
keep_path(X509_STORE_CTX *ctx, const pys_verify_job *job, pys_verdict *v)
{
    const stack *path = X509_STORE_CTX_get0_chain(ctx);
    int n = sk_X509_num(path);

    if (!job->keep_path || n <= 0)
        return true;
    v->path = pys_alloc((size_t)n * sizeof(*v->path));
    if (v->path == NULL)
        return false;
    for (int i = 0; i < n; i++) {
        v->path[i] = path_cert(job, sk_X509_value(path, i));
        if (v->path[i] == NULL)
            return false;
        v->n_path++;
    }
    return true;
}

/*
 * RFC 8446 4.4.2.4: MD5 never; level 0 lets libcrypto take it. Nobody
 * verifies what the last one, the anchor, is signed with.
 */
static void
refuse_md5(X509_STORE_CTX *ctx, const pys_verify_job *job)
{
    const stack *path = X509_STORE_CTX_get0_chain(ctx);

    if (job->security_level > 0)
        return;
    for (int i = 0; i < sk_X509_num(path) - 1; i++) {
        if (pys_x509_hash(sk_X509_value(path, i)) != NID_md5)
            continue;
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_CA_MD_TOO_WEAK);
        X509_STORE_CTX_set_error_depth(ctx, i);
        (void)take_note(0, ctx);
    }
}

static bool
ctx_run(X509_STORE_CTX *ctx, const pys_verify_job *job, pys_verdict *v)
{
    int passed = X509_verify_cert(ctx);

    if (passed <= 0) {
        /* Nothing was asked of the callback: libcrypto gave up itself. */
        int error = X509_STORE_CTX_get_error(ctx);

        if (error == X509_V_ERR_OUT_OF_MEM)
            return false;
        if (v->result == X509_V_OK) {
            v->result = error != X509_V_OK ? error : X509_V_ERR_UNSPECIFIED;
            v->depth = X509_STORE_CTX_get_error_depth(ctx);
        }
        /* The events are not all of it: whoever judges them must fail. */
        v->lost = true;
    }
    refuse_md5(ctx, job);
    return keep_peername(ctx, v) && keep_path(ctx, job, v);
}

/* Puts the certificates behind the leaf on the stack, borrowed. */
static bool
push_others(const pys_verify_job *job, stack *certs)
{
    for (size_t i = 1; i < job->n_chain; i++) {
        if (sk_X509_push(certs, job->chain[i]->x) <= 0)
            return false;
    }
    return true;
}

void
pys_verdict_wipe(pys_verdict *v)
{
    pys_free(v->peername);
    for (size_t i = 0; i < v->n_path; i++)
        pys_cert_free(v->path[i]);
    pys_free(v->path);
    *v = (pys_verdict){.result = X509_V_ERR_UNSPECIFIED};
}

/* True if no certificate of the path, the anchor too, ends that soon. */
static bool
path_outlives(X509_STORE_CTX *ctx, int64_t seconds)
{
    const stack *path = X509_STORE_CTX_get0_chain(ctx);

    for (int i = 0; i < sk_X509_num(path); i++) {
        const X509 *x = sk_X509_value(path, i);

        if (ASN1_TIME_cmp_time_t(X509_get0_notAfter(x), (time_t)seconds) != 1)
            return false;
    }
    return sk_X509_num(path) > 0;
}

/* With a key, a chain that passes and will go on doing so is remembered. */
static bool
verify_now(const pys_verify_job *job, int64_t now, const pys_chain_key *key,
    pys_verdict *v)
{
    pys_trust *trust = pys_trust_up_ref(job->trust);
    stack *untrusted = NULL;
    X509_STORE_CTX *ctx = NULL;
    bool ok = false;

    *v = (pys_verdict){.result = X509_V_OK, .depth = -1};
    if (job->n_chain == 0)
        goto out;
    if (trust == NULL && (trust = pys_trust_new()) == NULL)
        goto out;
    ctx = X509_STORE_CTX_new();
    untrusted = sk_X509_new_null();
    if (ctx != NULL && untrusted != NULL && push_others(job, untrusted) &&
        X509_STORE_CTX_init(ctx, trust->store, job->chain[0]->x, untrusted) ==
            1 &&
        ctx_prepare(ctx, job, now, v))
        ok = ctx_run(ctx, job, v);
    if (ok && key != NULL &&
        path_outlives(ctx, now / 1000 + PYS_CHAIN_SECONDS))
        pys_chain_remember(key, now, v);

out:
    X509_STORE_CTX_free(ctx);
    sk_X509_free(untrusted);
    pys_trust_free(trust);
    pys_fault_forget();
    if (!ok)
        pys_verdict_wipe(v);
    return ok;
}

bool
pys_verify_chain(const pys_verify_job *job, pys_verdict *v)
{
    int64_t now = pys_now_ms();
    pys_chain_key key;
    bool keyed = pys_chain_key_of(job, &key);

    if (keyed && pys_chain_recall(&key, now, v))
        return true;
    return verify_now(job, now, keyed ? &key : NULL, v);
}
