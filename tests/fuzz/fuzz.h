/*
 * What the fuzz targets share: settings made once, two connections joined by
 * memory, and a reader of the fuzzer's bytes.
 */
#ifndef PYS_FUZZ_H
#define PYS_FUZZ_H

#include "pys_conn.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Random bytes begin anew; nothing where the real primitives are at work. */
void fuzz_reset(void);

/* Certificates and keys of tests/fuzz/build.py, PEM. */
extern const char fuzz_ca[];
extern const char fuzz_leaf[];
extern const char fuzz_key[];

/* Bits of the first byte of an input. */
enum {
    FUZZ_SERVER = 1,  /* the server gets the fuzzer's bytes */
    FUZZ_12 = 2,      /* TLS 1.2 is the peer's highest */
    FUZZ_AUTH = 4,    /* the client is asked for a certificate */
    FUZZ_RESUME = 8,  /* the client has a session of an earlier handshake */
    FUZZ_RETRY = 16,  /* the groups make a HelloRetryRequest */
    FUZZ_VERIFY = 32, /* the client verifies */
    FUZZ_EARLY = 64,  /* with FUZZ_RESUME: early data */
    FUZZ_RAW = 128,   /* the input is what the victim gets */
    /* Of the second byte. */
    FUZZ_PSK = 1 << 8,     /* both know an external PSK */
    FUZZ_POST = 1 << 9,    /* the server asks for a certificate later */
    FUZZ_PROOFS = 1 << 10, /* OCSP response and timestamps */
    FUZZ_SIGN = 1 << 11,   /* who signs is asked */
    FUZZ_TICKET = 1 << 12, /* ticket keys are asked for */
    FUZZ_LIMIT = 1 << 13,  /* short records (RFC 8449) */
    FUZZ_PAD = 1 << 14,    /* padding is asked for */
    FUZZ_ASKS = 1 << 15,   /* every other question is asked */
    FUZZ_FLAGS = 1 << 16
};

/*
 * An input begins with the two bytes of flags and one of answers: two bits
 * for each of four questions, then again; 0 is yes.
 */
enum { FUZZ_HEAD = 3 };

/* A client and a server, and what travels between them. */
typedef struct fuzz_pair {
    pys_conn *conn[2]; /* client, server */
    pys_bio *in[2];
    pys_bio *out[2];
    unsigned flags;
    unsigned answers;
    unsigned n_asked;
    bool said[2];   /* that side has written its line */
    bool demanded;  /* the server has asked for a certificate */
} fuzz_pair;

/* Made as an input's head says. */
void fuzz_pair_new(fuzz_pair *p, const uint8_t *head);
void fuzz_pair_free(fuzz_pair *p);
/* One turn of a side: handshake, then reading. False: it is at an end. */
bool fuzz_turn(fuzz_pair *p, int side);
/* Bytes that a side has written, at most max of them, taken away. */
size_t fuzz_take(fuzz_pair *p, int side, uint8_t *out, size_t max);
/* Gives bytes to a side. */
void fuzz_give(fuzz_pair *p, int side, const uint8_t *bytes, size_t n);
/* Closes a side in good order, if it is open. */
void fuzz_close(fuzz_pair *p, int side);
/* Answers what the core asks. False: the call is not to be repeated. */
bool fuzz_answer(fuzz_pair *p, int side, enum pys_io io);
/* A session for FUZZ_RESUME, or NULL. */
pys_session *fuzz_session(unsigned flags);
/* The key of fuzz_key. */
pys_key *fuzz_own_key(void);

#endif
