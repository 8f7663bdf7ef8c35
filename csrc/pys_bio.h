/*
 * The face of the BIOs. The Python side reads it before pys.h, whose
 * conventions hold here too.
 */
#ifndef PYS_BIO_H
#define PYS_BIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct pys_bio pys_bio;

enum pys_bio_kind {
    PYS_BIO_MEM,
    PYS_BIO_PAIR,
    PYS_BIO_SOCKET,
    PYS_BIO_FD,
    PYS_BIO_NULL,
    PYS_BIO_FOREIGN /* answered by Python */
};

/* Flags, numbers of the man pages. */
enum {
    PYS_BIO_READ = 1,
    PYS_BIO_WRITE = 2,
    PYS_BIO_SPECIAL = 4,
    PYS_BIO_RETRY = 8,
    PYS_BIO_RDONLY = 0x200
};

/* An operation that a foreign BIO waits for Python to do. */
enum pys_bio_op {
    PYS_BIO_OP_NONE,
    PYS_BIO_OP_READ,  /* up to n bytes, then pys_bio_answer */
    PYS_BIO_OP_EOF,   /* BIO_CTRL_EOF */
    PYS_BIO_OP_WRITE, /* data, n bytes */
    PYS_BIO_OP_FLUSH  /* BIO_CTRL_FLUSH */
};

typedef struct pys_bio_question {
    enum pys_bio_op op;
    size_t n;
    const uint8_t *data; /* valid until answered */
} pys_bio_question;

/* What the halves of a pair share. */
typedef struct pys_link pys_link;

/* Each gives NULL if memory is short. */
pys_bio *pys_bio_new(enum pys_bio_kind kind);
/* Read-only memory BIO over bytes that must outlive it. */
pys_bio *pys_bio_new_view(const uint8_t *p, size_t n);
void pys_bio_free(pys_bio *b);

/*
 * As the man pages, for n > 0: bytes moved, or <= 0 with the flags set. The
 * first line of BIO-18 included. A failure leaves its reason (BIO_R_) in
 * pys_bio_fault and errno in pys_bio_errno, per direction.
 */
long pys_bio_read(pys_bio *b, uint8_t *out, size_t n);
long pys_bio_write(pys_bio *b, const uint8_t *p, size_t n);
long pys_bio_gets(pys_bio *b, uint8_t *out, size_t size);
/* Another BIO answers for it from now on, to whoever holds it: for good. */
void pys_bio_hand_over(pys_bio *b);
/* BIO_ctrl(3) for commands whose argument is a number. */
long pys_bio_ctrl(pys_bio *b, int cmd, long larg);
int pys_bio_flags(const pys_bio *b);
void pys_bio_set_flags(pys_bio *b, int flags);
void pys_bio_clear_flags(pys_bio *b, int flags);
/* Retry flags of one direction: 0 reading, 1 writing. */
int pys_bio_retry(const pys_bio *b, int writing);
/* Reason of a special retry; writing -1: the last one set. */
int pys_bio_reason(const pys_bio *b, int writing);
void pys_bio_set_reason(pys_bio *b, int reason);
int pys_bio_fault(const pys_bio *b, int writing);
/* writing -1: of the last operation. */
int pys_bio_errno(const pys_bio *b, int writing);
/* What an operation of a foreign BIO sets, for its own direction only. */
void pys_bio_side_flags(pys_bio *b, int writing, int set, int clear);
void pys_bio_side_reason(pys_bio *b, int writing, int reason);
void pys_bio_side_errno(pys_bio *b, int writing, int err);
/* BIO_get_init(3), BIO_set_init(3). */
bool pys_bio_ready(pys_bio *b);
void pys_bio_set_ready(pys_bio *b, bool on);
/* Bytes moved by all reads or writes; of a foreign BIO those added. */
uint64_t pys_bio_count(const pys_bio *b, int writing);
void pys_bio_add_count(pys_bio *b, int writing, uint64_t n);

/* Pairs (BIO_s_bio(3)). */
int pys_bio_make_pair(pys_bio *a, pys_bio *b);
/* Zero-copy: bytes exposed or reserved (may be 0), or < 0 as on the page. */
long pys_bio_nread0(pys_bio *b, uint8_t **p);
long pys_bio_nread(pys_bio *b, uint8_t **p, size_t n);
long pys_bio_nwrite0(pys_bio *b, uint8_t **p);
long pys_bio_nwrite(pys_bio *b, uint8_t **p, size_t n);
/* Keeps the bytes of a pair alive (a new reference), or NULL if unpaired. */
pys_link *pys_bio_link(pys_bio *b);
void pys_link_free(pys_link *l);
/* The unread bytes of a memory BIO; while no other thread uses it. */
const uint8_t *pys_bio_mem_data(const pys_bio *b, size_t *n);
/* Copies at most max of them; the answer is how many there are. */
size_t pys_bio_mem_peek(pys_bio *b, uint8_t *out, size_t max);

/* Descriptors. */
void pys_bio_set_fd(pys_bio *b, int fd, int close);
int pys_bio_fd_non_fatal(int err);

/* Foreign BIOs: what Python must do now, and what came of it. */
pys_bio_question pys_bio_asked(const pys_bio *b, int writing);
/* Copies the max bytes of a write that is asked for; 0 if it is not. */
size_t pys_bio_asked_data(pys_bio *b, int writing, uint8_t *out, size_t max);
/*
 * ret is the operation's result; data are the bytes of a read (ret of them).
 * False if memory is short or ret bytes are more than were asked for.
 */
bool pys_bio_answer(pys_bio *b, int writing, long ret, const uint8_t *data);

#endif
