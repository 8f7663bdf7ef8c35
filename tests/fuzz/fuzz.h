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
    FUZZ_EARLY = 64   /* with FUZZ_RESUME: early data */
};

/* A client and a server, and what travels between them. */
typedef struct fuzz_pair {
    pys_conn *conn[2]; /* client, server */
    pys_bio *in[2];
    pys_bio *out[2];
} fuzz_pair;

bool fuzz_pair_new(fuzz_pair *p, unsigned flags);
void fuzz_pair_free(fuzz_pair *p);
/* One turn of a side: handshake, then reading. False: it is at an end. */
bool fuzz_turn(fuzz_pair *p, int side);
/* Bytes that a side has written, at most max of them, taken away. */
size_t fuzz_take(fuzz_pair *p, int side, uint8_t *out, size_t max);
/* Gives bytes to a side. */
void fuzz_give(fuzz_pair *p, int side, const uint8_t *bytes, size_t n);
/* A session for FUZZ_RESUME, or NULL. */
pys_session *fuzz_session(unsigned flags);

#endif
