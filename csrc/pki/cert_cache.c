/*
 * Certificates seen lately. Decoding one costs libcrypto as much as checking
 * a signature, and a program meets the same few peers again and again; what
 * is decoded is never changed, so it can be handed out twice. Equal means
 * every byte of the DER: a hit says nothing about trust.
 *
 * A slot is emptied while a thread looks into it, so no lock is needed; who
 * finds it empty just decodes. A peer can do no more than drive others out.
 */
#include "pki/pki_x509.h"

enum { SETS = 16, WAYS = 4, LARGEST = 8192 };

static _Atomic(pys_cert *) slots[SETS][WAYS];
static atomic_uint turn;

/* The tail is signature bits: as good as any hash to spread entries. */
static _Atomic(pys_cert *) *
set_of(const uint8_t *der, size_t n)
{
    unsigned sum = 0;

    for (size_t i = n > 8 ? n - 8 : 0; i < n; i++)
        sum += der[i];
    return slots[sum % SETS];
}

pys_cert *
pys_cert_seen(const uint8_t *der, size_t n)
{
    _Atomic(pys_cert *) *set = set_of(der, n);
    pys_cert *found = NULL;

    for (size_t i = 0; i < WAYS && found == NULL; i++) {
        pys_cert *c = atomic_exchange(&set[i], NULL);

        if (c == NULL)
            continue;
        if (c->n_der == n && pys_equal(c->der, der, n))
            found = pys_cert_up_ref(c);
        pys_cert_free(atomic_exchange(&set[i], c));
    }
    return found;
}

void
pys_cert_remember(pys_cert *c)
{
    _Atomic(pys_cert *) *set = set_of(c->der, c->n_der);
    unsigned way = atomic_fetch_add(&turn, 1) % WAYS;

    if (c->n_der <= LARGEST)
        pys_cert_free(atomic_exchange(&set[way], pys_cert_up_ref(c)));
}

void
pys_cert_forget_all(void)
{
    for (size_t i = 0; i < SETS; i++) {
        for (size_t j = 0; j < WAYS; j++)
            pys_cert_free(atomic_exchange(&slots[i][j], NULL));
    }
}
