/*
 * Ways into pki/ for tests, without a connection. Empty in the shipped
 * build.
 */
#include "pki/pki_x509.h"

#ifdef PYS_TEST
#include "pki/identity.h"
#include "pki/verify.h"
#include "pys_test.h"

static void
show_verdict(const pys_verdict *v, pys_test_verdict *out)
{
    *out = (pys_test_verdict){
        .result = v->result,
        .depth = v->depth,
        .n_events = v->n_events,
    };
    for (size_t i = 0; i < v->n_events && i < PYS_TEST_EVENTS; i++) {
        out->ok[i] = v->events[i].ok;
        out->error[i] = v->events[i].error;
        out->depths[i] = v->events[i].depth;
    }
    for (size_t i = 0; i < PYS_TEST_PEERNAME - 1; i++) {
        if (v->peername == NULL || v->peername[i] == '\0')
            break;
        out->peername[i] = v->peername[i];
    }
}

bool
pys_test_verify(const pys_test_job *job, pys_test_verdict *out)
{
    pys_hosts hosts = {.names = NULL};
    pys_verify_job real = {
        .trust = job->trust,
        .chain = job->chain,
        .n_chain = job->n_chain,
        .server = job->server,
        .depth = job->depth,
        .security_level = job->security_level,
        .host_flags = job->host_flags,
        .hosts = &hosts,
        .remember = job->remember,
    };
    pys_verdict v = {.result = X509_V_ERR_UNSPECIFIED};
    bool ok = true;

    for (size_t i = 0; ok && i < job->n_hosts; i++)
        ok = pys_hosts_add(&hosts, job->hosts[i], job->host_lens[i]);
    ok = ok && pys_verify_chain(&real, &v);
    show_verdict(&v, out);
    pys_verdict_wipe(&v);
    pys_hosts_wipe(&hosts);
    return ok;
}

int
pys_test_verify_alert(long result)
{
    return pys_verify_alert(result);
}

bool
pys_test_issuers(pys_trust *t, pys_cert *leaf, pys_cert **out, size_t max,
    size_t *n)
{
    return pys_trust_issuers(t, leaf, out, max, n);
}

pys_test_cert
pys_test_cert_facts(pys_cert *c)
{
    pys_key *k = pys_cert_key(c);

    return (pys_test_cert){
        .key_type = k == NULL ? -1 : (int)pys_key_type(k),
        .signed_with = pys_cert_signed_with(c),
        .may_sign = pys_cert_may_sign(c),
        .self_issued = pys_cert_self_issued(c),
    };
}

void
pys_test_forget_certs(void)
{
    pys_cert_forget_all();
    pys_bundle_forget_all();
    pys_chain_forget_all();
}

long
pys_test_n_recalled(void)
{
    return pys_chain_recalled();
}

int
pys_test_key_type(pys_key *k)
{
    return (int)pys_key_type(k);
}

bool
pys_test_key_fits(pys_key *k, pys_cert *c)
{
    return pys_cert_key(c) != NULL && pys_key_match(pys_cert_key(c), k);
}

/* ---- identities ---- */

pys_identities *
pys_test_ids_new(void)
{
    pys_identities *ids = pys_alloc(sizeof(*ids));

    if (ids != NULL)
        pys_identities_init(ids);
    return ids;
}

void
pys_test_ids_free(pys_identities *ids)
{
    if (ids == NULL)
        return;
    pys_identities_wipe(ids);
    pys_free(ids);
}

pys_identities *
pys_test_ids_copy(const pys_identities *from)
{
    pys_identities *ids = pys_alloc(sizeof(*ids));

    if (ids != NULL && !pys_identities_copy(ids, from)) {
        pys_free(ids);
        return NULL;
    }
    return ids;
}

bool
pys_test_ids_use_cert(pys_identities *ids, pys_cert *c, pys_fault *f)
{
    return pys_identities_use_cert(ids, c, f);
}

bool
pys_test_ids_use_key(pys_identities *ids, pys_key *k, pys_fault *f)
{
    return pys_identities_use_key(ids, k, f);
}

bool
pys_test_ids_check(const pys_identities *ids, pys_fault *f)
{
    return pys_identities_check(ids, f);
}

bool
pys_test_ids_add_chain(pys_identities *ids, pys_cert *c, pys_fault *f)
{
    return pys_identities_add_chain(ids, c, f);
}

bool
pys_test_ids_clear_chain(pys_identities *ids, pys_fault *f)
{
    return pys_identities_clear_chain(ids, f);
}

bool
pys_test_ids_add_extra(pys_identities *ids, pys_cert *c, pys_fault *f)
{
    return pys_identities_add_extra(ids, c, f);
}

pys_test_slot
pys_test_ids_slot(const pys_identities *ids, int slot)
{
    const pys_identity *id = &ids->slot[slot];

    return (pys_test_slot){
        .leaf = id->leaf,
        .key = id->key,
        .chain = id->chain,
        .n_chain = id->n_chain,
        .extra = ids->extra,
        .n_extra = ids->n_extra,
        .current = ids->current,
    };
}
#endif
