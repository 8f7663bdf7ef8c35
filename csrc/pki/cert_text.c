/*
 * A certificate's fields as text for people and for Python. Names come from
 * the peer: no byte of them may forge a line or a prefix.
 */
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "pki/pki_x509.h"

/* Hands over what was written to text, and frees it. */
static size_t
text_out(BIO *text, char *out, size_t max)
{
    char *p = NULL;
    long n = BIO_get_mem_data(text, &p);
    size_t len = n > 0 && p != NULL ? (size_t)n : 0;
    pys_rd in = pys_rd_of(p, len);

    if (!pys_rd_copy(&in, out, len < max ? len : max))
        len = 0;
    BIO_free(text);
    return len;
}

/* RFC 2253, UTF-8 kept; a name in broken UTF-8 is shown in hex. */
static void
put_name(BIO *text, const X509_NAME *name)
{
    unsigned long keep = XN_FLAG_RFC2253 &
        ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
    BIO *whole = BIO_new(BIO_s_mem());
    char *p = NULL;
    long n;

    if (whole == NULL)
        return;
    if (X509_NAME_print_ex(whole, name, 0, keep) < 0) {
        (void)BIO_reset(whole);
        X509_NAME_print_ex(whole, name, 0,
            XN_FLAG_RFC2253 | ASN1_STRFLGS_DUMP_ALL);
    }
    n = BIO_get_mem_data(whole, &p);
    if (n > 0)
        BIO_write(text, p, (int)n);
    BIO_free(whole);
}

static void
put_serial(BIO *text, const ASN1_INTEGER *serial)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);

    if (n != NULL)
        BN_print(text, n);
    BN_free(n);
}

/* Printable ASCII as it is, anything else and the backslash as \xHH. */
static void
put_escaped(BIO *text, const ASN1_STRING *s)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);

    for (int i = 0; i < ASN1_STRING_length(s); i++) {
        if (p[i] > 0x20 && p[i] < 0x7f && p[i] != '\\')
            BIO_write(text, &p[i], 1);
        else
            BIO_printf(text, "\\x%02x", p[i]);
    }
}

/* RFC 5280 4.2.1.6: 4 or 16 octets; others are shown in hex. */
static void
put_address(BIO *text, const ASN1_OCTET_STRING *s)
{
    const unsigned char *p = ASN1_STRING_get0_data(s);
    int n = ASN1_STRING_length(s);

    if (n == 4) {
        BIO_printf(text, "%d.%d.%d.%d", p[0], p[1], p[2], p[3]);
        return;
    }
    if (n != 16)
        BIO_puts(text, "#");
    for (int i = 0; i < n; i++) {
        if (n == 16 && i != 0 && i % 2 == 0)
            BIO_puts(text, ":");
        BIO_printf(text, "%02x", p[i]);
    }
}

static void
put_alt_name(BIO *text, const GENERAL_NAME *name)
{
    int type;
    const void *value = GENERAL_NAME_get0_value(name, &type);

    switch (type) {
    case GEN_DNS:
        BIO_puts(text, "DNS:");
        put_escaped(text, value);
        break;
    case GEN_EMAIL:
        BIO_puts(text, "email:");
        put_escaped(text, value);
        break;
    case GEN_URI:
        BIO_puts(text, "URI:");
        put_escaped(text, value);
        break;
    case GEN_IPADD:
        BIO_puts(text, "IP:");
        put_address(text, value);
        break;
    case GEN_DIRNAME:
        BIO_puts(text, "DirName:");
        put_name(text, value);
        break;
    case GEN_RID:
        BIO_puts(text, "RID:");
        i2a_ASN1_OBJECT(text, value);
        break;
    default:
        BIO_puts(text, "other:");
        break;
    }
    BIO_puts(text, "\n");
}

/* An extension that cannot be read names nobody. */
static void
put_alt_names(BIO *text, const X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL,
        NULL);

    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        put_alt_name(text, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
}

size_t
pys_cert_text(pys_cert *c, enum pys_cert_text what, char *out, size_t max)
{
    BIO *text = BIO_new(BIO_s_mem());

    if (text == NULL)
        return 0;
    switch (what) {
    case PYS_CERT_SUBJECT:
        put_name(text, X509_get_subject_name(c->x));
        break;
    case PYS_CERT_ISSUER:
        put_name(text, X509_get_issuer_name(c->x));
        break;
    case PYS_CERT_SERIAL:
        put_serial(text, X509_get0_serialNumber(c->x));
        break;
    case PYS_CERT_ALT_NAMES:
        put_alt_names(text, c->x);
        break;
    }
    pys_fault_forget();
    return text_out(text, out, max);
}

size_t
pys_cert_print(pys_cert *c, char *out, size_t max)
{
    BIO *text = BIO_new(BIO_s_mem());

    if (text == NULL)
        return 0;
    X509_print_ex(text, c->x, XN_FLAG_ONELINE, X509_FLAG_COMPAT);
    pys_fault_forget();
    return text_out(text, out, max);
}

static bool
seconds_of(const ASN1_TIME *epoch, const ASN1_TIME *t, int64_t *out)
{
    int days, seconds;

    if (epoch == NULL || t == NULL ||
        ASN1_TIME_diff(&days, &seconds, epoch, t) != 1)
        return false;
    *out = (int64_t)days * 86400 + seconds;
    return true;
}

bool
pys_cert_validity(pys_cert *c, int64_t *from, int64_t *until)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    bool ok = seconds_of(epoch, X509_get0_notBefore(c->x), from) &&
        seconds_of(epoch, X509_get0_notAfter(c->x), until);

    ASN1_TIME_free(epoch);
    pys_fault_forget();
    return ok;
}
