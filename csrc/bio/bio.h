/*
 * What the kinds of BIO share: one struct, a table of operations a kind, and
 * two sides. One thread may read while another writes through the same
 * descriptor or foreign BIO, so each direction keeps its own retry flags,
 * reason and errno; the flags a user sees are those of the last operation.
 */
#ifndef PYS_BIO_BIO_H
#define PYS_BIO_BIO_H

#include "base/wire.h"
#include "pys.h"

#include <stdatomic.h>

/* A foreign BIO has put a question: Python must answer, then call again. */
static const long PYS_BIO_PENDING = -1000;

/* Commands of BIO_ctrl(3) that the kinds know. */
enum {
    PYS_CTRL_RESET = 1,
    PYS_CTRL_EOF = 2,
    PYS_CTRL_INFO = 3,
    PYS_CTRL_GET_CLOSE = 8,
    PYS_CTRL_SET_CLOSE = 9,
    PYS_CTRL_PENDING = 10,
    PYS_CTRL_FLUSH = 11,
    PYS_CTRL_WPENDING = 13,
    PYS_CTRL_GET_FD = 105,
    PYS_CTRL_SEEK = 128,
    PYS_CTRL_MEM_EOF_RETURN = 130,
    PYS_CTRL_TELL = 133,
    PYS_CTRL_SET_WRITE_BUF_SIZE = 136,
    PYS_CTRL_GET_WRITE_BUF_SIZE = 137,
    PYS_CTRL_DESTROY_PAIR = 139,
    PYS_CTRL_WRITE_GUARANTEE = 140,
    PYS_CTRL_READ_REQUEST = 141,
    PYS_CTRL_SHUTDOWN_WR = 142,
    PYS_CTRL_RESET_READ_REQUEST = 147
};

/* BIO_R_ reasons. */
enum {
    PYS_BIO_R_UNINITIALIZED = 120,
    PYS_BIO_R_UNSUPPORTED_METHOD = 121,
    PYS_BIO_R_IN_USE = 123,
    PYS_BIO_R_BROKEN_PIPE = 124,
    PYS_BIO_R_INVALID_ARGUMENT = 125,
    PYS_BIO_R_READ_ONLY = 126,
    PYS_BIO_R_MALLOC = 0xC0100 /* any library's */
};

enum {
    PYS_BIO_RWS = PYS_BIO_READ | PYS_BIO_WRITE | PYS_BIO_SPECIAL,
    PYS_BIO_RETRY_BITS = PYS_BIO_RWS | PYS_BIO_RETRY,
    /* Most bytes of one operation: fits an int on every platform. */
    PYS_BIO_MOST = 0x7fffffff
};

/*
 * Question and answer of one direction of a foreign BIO.
 *
 *   IDLE --asked--> ASKED --pys_bio_answer--> ANSWERED --called--> IDLE
 *
 * Bytes that a read answered and nobody took yet stay in data.
 */
enum pys_slot_state { PYS_SLOT_IDLE, PYS_SLOT_ASKED, PYS_SLOT_ANSWERED };

typedef struct pys_slot {
    enum pys_slot_state state;
    enum pys_bio_op op;
    size_t n;      /* bytes asked for, or offered */
    long ret;      /* the answer */
    uint8_t *data; /* owned: bytes offered (write) or got (read) */
    size_t off;    /* of a read: taken already */
    size_t len;
} pys_slot;

typedef struct pys_bio_side {
    atomic_int retry; /* retry flags of this direction */
    atomic_int reason;
    atomic_int fault; /* BIO_R_, or 0 */
    atomic_int err;   /* errno, or 0 */
    _Atomic uint64_t count;
} pys_bio_side;

typedef struct pys_bio_method {
    bool duplex; /* each direction keeps its own retry flags */
    long (*read)(pys_bio *b, uint8_t *out, size_t n);
    long (*write)(pys_bio *b, const uint8_t *p, size_t n);
    long (*gets)(pys_bio *b, uint8_t *out, size_t size);
    long (*ctrl)(pys_bio *b, int cmd, long larg);
    bool (*ready)(pys_bio *b); /* may be missing: always */
    void (*wipe)(pys_bio *b);  /* may be missing */
} pys_bio_method;

typedef struct pys_mem {
    uint8_t *data; /* owned, unless view */
    size_t off;    /* first unread byte */
    size_t len;    /* one past the last */
    size_t cap;
    int eof_return;
    bool view; /* read-only bytes of somebody else */
} pys_mem;

typedef struct pys_half {
    pys_link *link; /* NULL: unpaired */
    int index;      /* which ring of the link is written here */
    size_t size;    /* of the ring, for the next pairing */
} pys_half;

typedef struct pys_fd {
    atomic_int fd;
    atomic_bool socket; /* made as a socket BIO */
    atomic_bool stream; /* send() does not work: not a socket */
    atomic_bool eof;
} pys_fd;

struct pys_bio {
    const pys_bio_method *method;
    atomic_int flags; /* static ones, and retry flags of the last call */
    atomic_int reason;
    atomic_int err;
    atomic_bool init;
    atomic_bool close;
    atomic_bool handed_over;
    atomic_flag lock; /* held for moments, never while waiting */
    pys_bio_side side[2];
    union {
        pys_mem mem;
        pys_half half;
        pys_fd fd;
        pys_slot slot[2];
    } u;
};

extern const pys_bio_method pys_bio_method_mem;
extern const pys_bio_method pys_bio_method_pair;
extern const pys_bio_method pys_bio_method_socket;
extern const pys_bio_method pys_bio_method_fd;
extern const pys_bio_method pys_bio_method_null;
extern const pys_bio_method pys_bio_method_foreign;

/* Whether Python answers for this BIO: its calls may say PYS_BIO_PENDING. */
static inline bool
pys_bio_is_foreign(const pys_bio *b)
{
    return b->method == &pys_bio_method_foreign;
}

/* May a call wait for nothing and needs nobody's answer? */
static inline bool
pys_bio_is_quick(const pys_bio *b)
{
    return (b->method == &pys_bio_method_mem ||
               b->method == &pys_bio_method_pair) &&
        !atomic_load(&b->handed_over);
}

/* Does the system move the bytes, and nobody's answer is needed? */
static inline bool
pys_bio_is_descriptor(const pys_bio *b)
{
    return (b->method == &pys_bio_method_socket ||
               b->method == &pys_bio_method_fd) &&
        !atomic_load(&b->handed_over);
}

/* Keeps other threads out of what is not atomic, for a moment. */
static inline void
pys_spin_lock(atomic_flag *lock)
{
    while (atomic_flag_test_and_set_explicit(lock, memory_order_acquire))
        continue;
}

static inline void
pys_spin_unlock(atomic_flag *lock)
{
    atomic_flag_clear_explicit(lock, memory_order_release);
}

/* Clears what the last operation of a direction left (BIO-22). */
void pys_bio_begin(pys_bio *b, int writing);

/* Asks for a retry of this direction: PYS_BIO_READ, _WRITE. Always -1. */
long pys_bio_again(pys_bio *b, int writing);

/* Records the reason of a failure; always -1. */
long pys_bio_fail(pys_bio *b, int writing, int fault);

/* Records the errno of a failure. */
void pys_bio_save_errno(pys_bio *b, int writing, int err);

/*
 * What lies in a memory BIO, where it lies; NULL for none, or another kind of
 * BIO. The BIO is locked until pys_bio_mem_ate says how many of them were
 * used: for moments, as always, so for one record and no I/O.
 */
PYS_MUST pys_rd pys_bio_mem_look(pys_bio *b);
void pys_bio_mem_ate(pys_bio *b, size_t n);

/*
 * Where the next n bytes of a memory BIO are to be written; NULL if that is
 * not possible. Locked as above, until pys_bio_mem_filled says how many were.
 */
PYS_MUST uint8_t *pys_bio_mem_room(pys_bio *b, size_t n);
void pys_bio_mem_filled(pys_bio *b, size_t n);

/* A number for a caller who gets a long. */
static inline long
pys_bio_long(size_t n)
{
    return n < PYS_BIO_MOST ? (long)n : (long)PYS_BIO_MOST;
}

#endif
