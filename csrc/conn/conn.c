/*
 * What every handshake file needs of a connection: recording faults, asking
 * the application, the key log, and the handshake's own life.
 */
#include "conn/notice.h"
#include "conn/pad.h"

/* Two hellos of the longest, ours and theirs; what most pairs need. */
enum { OFFERS_MAX = 1 << 20, OFFERS_USUAL = 512 };

bool
pys_fail_after(pys_conn *c, const pys_fault *first, int alert, unsigned reason)
{
    /* A reader and a writer may both fail: the first one is recorded. */
    if (atomic_flag_test_and_set(&c->faulted)) {
        pys_fault_forget();
        return false;
    }
    c->fault = *first;
    pys_fault_drain(&c->fault);
    pys_fault_code(&c->fault, PYS_LIB_SSL, reason);
    c->fault.alert = alert;
    if (alert != PYS_NO_ALERT)
        atomic_store(&c->alert_due, alert + 1);
    return false;
}

bool
pys_fail(pys_conn *c, int alert, unsigned reason)
{
    pys_fault none;

    pys_fault_init(&none);
    return pys_fail_after(c, &none, alert, reason);
}

bool
pys_fail_internal(pys_conn *c)
{
    return pys_fail(c, PYS_AD_INTERNAL_ERROR, PYS_ERR_INTERNAL);
}

bool
pys_keep(pys_buf *to, pys_rd from)
{
    if (to->limit == 0)
        pys_buf_init(to, UINT16_MAX + 1);
    return pys_buf_keep(to, from.p, from.n);
}

pys_proofs *
pys_conn_proofs(pys_conn *c)
{
    if (c->proofs == NULL) {
        c->proofs = pys_alloc(sizeof(*c->proofs));
        if (c->proofs == NULL)
            return NULL;
        pys_buf_init(&c->proofs->status, UINT16_MAX);
        pys_buf_init(&c->proofs->scts, UINT16_MAX);
    }
    return c->proofs;
}

void
pys_proofs_drop(pys_conn *c, bool all)
{
    if (c->proofs == NULL)
        return;
    pys_buf_wipe(&c->proofs->scts);
    if (all || c->role == PYS_CLIENT)
        pys_buf_wipe(&c->proofs->status);
    if (all) {
        pys_free(c->proofs);
        c->proofs = NULL;
    }
}

bool
pys_scts_check(pys_rd list)
{
    pys_rd all;
    pys_rd one;

    if (!pys_rd_vec16(&list, &all) || !pys_rd_end(&list) || all.n == 0)
        return false;
    while (!pys_rd_end(&all)) {
        if (!pys_rd_vec16(&all, &one) || one.n == 0)
            return false;
    }
    return true;
}

bool
pys_ask(pys_hs *hs, enum pys_ask what)
{
    if (!pys_registered(hs->conn, what)) {
        hs->answer = PYS_GO_ON;
        pys_buf_wipe(&hs->answer_data);
        return true;
    }
    if (hs->asked == (int)what && hs->answered && hs->answer != PYS_SUSPEND) {
        hs->asked = -1;
        hs->answered = false;
        return true;
    }
    hs->asked = (int)what;
    hs->answered = false;
    return false;
}

static char
hex_digit(unsigned v)
{
    return (char)(v < 10 ? '0' + v : 'a' + (v - 10));
}

static void
wr_hex(pys_wr *w, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pys_wr_u8(w, (unsigned char)hex_digit((unsigned)p[i] >> 4));
        pys_wr_u8(w, (unsigned char)hex_digit((unsigned)p[i] & 15));
    }
}

bool
pys_keylog(pys_hs *hs, const char *label, const uint8_t *secret, size_t n)
{
    pys_conn *c = hs->conn;
    pys_wr w = pys_wr_to(&c->keylog);

    if (!pys_setting(c->set, PYS_ASKS, PYS_HEAR_KEYLOG))
        return true;
    pys_wr_bytes(&w, label, strlen(label));
    pys_wr_u8(&w, ' ');
    wr_hex(&w, hs->random, sizeof(hs->random));
    pys_wr_u8(&w, ' ');
    wr_hex(&w, secret, n);
    pys_wr_u8(&w, 0);
    return pys_wr_ok(&w) || pys_fail_internal(c);
}

/*
 * RFC 8446 5.4: zeros behind a content of n bytes and its type, up to a
 * multiple of a block, and no more than record and peer allow (RFC 8449 4).
 */
static size_t
padding(const pys_conn *c, size_t n, size_t block)
{
    size_t over = (n + 1) % block;
    size_t pad = over == 0 ? 0 : block - over;
    size_t max = pys_send_max(c);

    if (n >= max)
        return 0;
    return pad < max - n ? pad : max - n;
}

static inline bool
seal(pys_conn *c, pys_protect *p, enum pys_record_type type, pys_rd in,
    size_t pad)
{
    pys_buf *out = &c->flow[PYS_OUT].buf;
    size_t before = pys_buf_size(out);

    if (!pys_record_seal(p, type, in, pad, out))
        return false;
    if (c->watch != NULL)
        pys_note_sealed(c, p->aead != NULL, (uint8_t)type, in,
            pys_buf_head(out) + before);
    return true;
}

bool
pys_seal_padded(pys_conn *c, pys_protect *p, enum pys_record_type type,
    pys_rd in, size_t pad)
{
    return seal(c, p, type, in, pad);
}

bool
pys_seal(pys_conn *c, pys_protect *p, enum pys_record_type type, pys_rd in)
{
    int64_t block = c->set->numbers[type == PYS_RT_APPLICATION_DATA ?
            PYS_PAD_DATA :
            PYS_PAD_OTHER];

    if ((c->pad != NULL || c->set->numbers[PYS_PAD_ASKED] != 0) &&
        pys_pad_due(c, p))
        return pys_pad_put(c, p, type, in);
    return seal(c, p, type, in,
        block == 0 ? 0 : padding(c, in.n, (size_t)block));
}

bool
pys_hs_seal(pys_hs *hs)
{
    pys_flow *out = &hs->conn->flow[PYS_OUT];
    size_t max = pys_send_max(hs->conn);
    pys_rd rest = pys_rd_buf(&hs->unsealed);
    pys_rd part;

    while (rest.n != 0) {
        size_t n = rest.n < max ? rest.n : max;

        if (!pys_rd_bytes(&rest, n, &part) ||
            !pys_seal(hs->conn, &out->protect, PYS_RT_HANDSHAKE, part))
            return pys_fail_internal(hs->conn);
        out->flush_due = true;
    }
    pys_buf_eat(&hs->unsealed, pys_buf_size(&hs->unsealed));
    return true;
}

static void
hs_init_bufs(pys_hs *hs)
{
    pys_buf_init(&hs->unsealed, (size_t)1 << 18);
    pys_buf_init(&hs->ticket_got, PYS_TICKET_MAX);
    pys_buf_init(&hs->answer_data, PYS_SIG_MAX);
    pys_buf_init(&hs->to_sign, (size_t)1 << 18);
    pys_buf_init(&hs->psk_about, UINT16_MAX);
    pys_buf_init(&hs->share_out, 4096);
    pys_buf_init(&hs->cookie, UINT16_MAX);
    pys_buf_init(&hs->hello, (size_t)UINT16_MAX * 2);
    pys_buf_init(&hs->alpn_chosen, UINT8_MAX);
    pys_buf_init(&hs->request_context, UINT8_MAX);
    pys_buf_init(&hs->peer_schemes_cert, UINT16_MAX);
}

/* Begins anew where an authentication follows the handshake. */
static bool
offers_begin(pys_conn *c)
{
    pys_offers_drop(c);
    c->offers = pys_alloc(sizeof(*c->offers));
    if (c->offers == NULL)
        return false;
    pys_buf_init(&c->offers->bytes, OFFERS_MAX);
    return pys_buf_reserve(&c->offers->bytes, OFFERS_USUAL);
}

bool
pys_offers_put(pys_offers *o, pys_span *list, pys_rd bytes)
{
    size_t at = pys_buf_size(&o->bytes);

    if (!pys_buf_add(&o->bytes, bytes.p, bytes.n))
        return false;
    *list = (pys_span){.at = at, .n = bytes.n};
    return true;
}

void
pys_offers_drop(pys_conn *c)
{
    if (c->offers == NULL)
        return;
    pys_buf_drop(&c->offers->bytes);
    pys_free(c->offers);
    c->offers = NULL;
}

pys_hs *
pys_hs_new(pys_conn *c)
{
    pys_hs *hs;

    if (!offers_begin(c))
        return NULL;
    hs = pys_alloc(sizeof(*hs));
    if (hs == NULL)
        return NULL;
    hs->conn = c;
    hs->server = c->role == PYS_SERVER;
    hs->asked = -1;
    hs_init_bufs(hs);
    if (!pys_transcript_init(&hs->transcript)) {
        pys_hs_free(hs);
        return NULL;
    }
    return hs;
}

bool
pys_peer_add(pys_conn *c, pys_cert *cert)
{
    size_t n = c->n_peer_chain;
    pys_cert **more;

    /* There is room for 1, 2, 4 ... */
    if ((n & (n - 1)) == 0) {
        more = pys_alloc((n == 0 ? 1 : 2 * n) * sizeof(*more));
        if (more == NULL) {
            pys_cert_free(cert);
            return pys_fail_internal(c);
        }
        if (n != 0)
            memcpy(more, c->peer_chain, n * sizeof(*more));
        pys_free(c->peer_chain);
        c->peer_chain = more;
    }
    c->peer_chain[c->n_peer_chain++] = cert;
    return true;
}

void
pys_peer_drop(pys_conn *c)
{
    for (size_t i = 0; i < c->n_peer_chain; i++)
        pys_cert_free(c->peer_chain[i]);
    pys_free(c->peer_chain);
    c->peer_chain = NULL;
    c->n_peer_chain = 0;
    pys_free(c->peername);
    c->peername = NULL;
    c->verify_result = 0;
    c->verify_depth = -1;
}

void
pys_post_free(pys_conn *c)
{
    if (c->post == NULL)
        return;
    pys_hash_free(c->post->base);
    pys_hs_free(c->post->waiting);
    pys_buf_wipe(&c->post->used);
    pys_free(c->post);
    c->post = NULL;
}

void
pys_hs_free(pys_hs *hs)
{
    if (hs == NULL)
        return;
    pys_transcript_wipe(&hs->transcript);
    for (size_t i = 0; i < hs->n_shares; i++)
        pys_share_free(hs->shares[i]);
    pys_buf_wipe(&hs->unsealed);
    pys_buf_wipe(&hs->ticket_got);
    pys_buf_wipe(&hs->answer_data);
    pys_buf_wipe(&hs->psk_about);
    pys_buf_wipe(&hs->to_sign);
    pys_buf_wipe(&hs->params);
    pys_buf_wipe(&hs->share_out);
    pys_buf_wipe(&hs->cookie);
    pys_buf_wipe(&hs->hello);
    pys_buf_wipe(&hs->alpn_chosen);
    pys_buf_wipe(&hs->request_context);
    pys_buf_wipe(&hs->peer_schemes_cert);
    pys_verdict_wipe(&hs->verdict);
    pys_settings_free(hs->id_owner);
    pys_session_free(hs->psk);
    pys_session_free(hs->keys_of);
    pys_session_free(hs->given);
    pys_session_free(hs->external);
    pys_free_secret(hs->setup, sizeof(*hs->setup));
    pys_free_secret(hs, sizeof(*hs));
}

void
pys_count_good(pys_conn *c)
{
    enum { CLEAR_AFTER = 255 };
    pys_counts *counts = c->set->counts;
    enum pys_count which = c->role == PYS_CLIENT ? PYS_COUNT_CONNECT_GOOD :
                                                   PYS_COUNT_ACCEPT_GOOD;

    if (c->resumed)
        (void)pys_counts_add(counts, PYS_COUNT_HITS);
    c->clear_due = pys_counts_add(counts, which) % CLEAR_AFTER == 0 &&
        !pys_setting(c->set, PYS_CACHE_MODE, PYS_CACHE_NO_AUTO_CLEAR);
}
