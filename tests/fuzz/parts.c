/*
 * What is read without a connection. Input: which of the parts (below), then
 * its bytes.
 */
#include "fuzz.h"

#include <string.h>

#include "pys_pki.h"
#include "pys_test.h"
#include "record/record.h"
#include "session/session.h"
#include "session/ticket.h"

enum { BIG = 1 << 17 };

static uint8_t big[BIG];

/* d2i_SSL_SESSION(3), and what it read is written and read again. */
static void
session_der(const uint8_t *p, size_t n)
{
    size_t used = 0;
    pys_fault f = {.alert = PYS_NO_ALERT};
    pys_session *s = pys_session_from_der_bytes(p, n, &used, &f);
    pys_session *again;

    if (s == NULL)
        return;
    n = pys_session_der(s, big, sizeof(big));
    pys_session_free(s);
    if (n == 0 || n > sizeof(big))
        return;
    again = pys_session_from_der_bytes(big, n, &used, &f);
    if (again == NULL || used != n)
        __builtin_trap();
    pys_session_free(again);
}

/* The compact form, which tickets hold. */
static void
session_compact(const uint8_t *p, size_t n)
{
    pys_session *s = pys_session_take(pys_rd_of(p, n));
    pys_buf out;

    if (s == NULL)
        return;
    pys_buf_init(&out, BIG);
    if (pys_session_put(s, &out)) {
        pys_session *again = pys_session_take(pys_rd_buf(&out));

        if (again == NULL)
            __builtin_trap();
        pys_session_free(again);
    }
    pys_buf_wipe(&out);
    pys_session_free(s);
}

static void
ticket(const uint8_t *p, size_t n)
{
    static pys_ticket_keys *keys;
    bool old;

    if (keys == NULL)
        keys = pys_ticket_keys_new();
    if (keys != NULL)
        pys_session_free(pys_ticket_open(keys, pys_rd_of(p, n), &old));
}

/* The record layer of a version: flag, then a record. */
static void
record(const uint8_t *p, size_t n)
{
    static const uint8_t secret[48] = {1};
    pys_hash *scratch = pys_hash_new();
    pys_protect protect;
    pys_head inner;
    pys_fault f = {.alert = PYS_NO_ALERT};

    if (n < 6 || scratch == NULL || n - 1 > sizeof(big)) {
        pys_hash_free(scratch);
        return;
    }
    memset(&protect, 0, sizeof(protect));
    memcpy(big, p + 1, n - 1);
    if ((p[0] & 1) != 0) {
        if (pys_protect_install12(&protect, pys_suite_find(0xC02F), secret,
                secret, false))
            (void)pys_record_open12(&protect, pys_rd_of(big, n - 1), big + 5,
                &inner, &f);
    } else if (pys_protect_install(&protect, pys_suite_find(0x1301), scratch,
                   secret, false)) {
        (void)pys_record_open(&protect, pys_rd_of(big, n - 1), big + 5, n,
            &inner, &f);
    }
    pys_protect_wipe(&protect);
    pys_hash_free(scratch);
}

static void
certificate(const uint8_t *p, size_t n)
{
    static char text[4096];
    pys_fault f = {.alert = PYS_NO_ALERT};
    pys_cert *c = pys_cert_from_der(p, n, &f);

    if (c == NULL)
        return;
    (void)pys_cert_print(c, text, sizeof(text));
    (void)pys_test_cert_facts(c);
    pys_cert_free(c);
}

static void
pem(const uint8_t *p, size_t n)
{
    pys_trust *t = pys_trust_new();
    pys_fault f = {.alert = PYS_NO_ALERT};

    if (t == NULL)
        return;
    (void)pys_trust_add_pem(t, p, n, &f);
    (void)pys_pem_key_encrypted(p, n);
    pys_key_free(pys_key_from_pem(p, n, (const uint8_t *)"x", 1, &f));
    pys_trust_free(t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static void (*const parts[])(const uint8_t *, size_t) = {
        session_der,
        session_compact,
        ticket,
        record,
        certificate,
        pem,
    };

    fuzz_reset();
    pys_test_set_now(0);
    if (n != 0)
        parts[p[0] % PYS_COUNT(parts)](p + 1, n - 1);
    return 0;
}
