/* What BIO is made on, as far as it is C's; Python sees all of it. */
#ifndef PYS_QUICK_BIO_H
#define PYS_QUICK_BIO_H

#include "quick/quick.h"

/* What Python keeps here, None or NULL for nothing. */
enum pys_quick_of_bio {
    PYS_OF_BIO_METHOD,
    PYS_OF_BIO_MIRROR,
    PYS_OF_BIO_NEXT,
    PYS_OF_BIO_PREV,
    PYS_OF_BIO_VIEWS,
    PYS_OF_BIO_INSIDE,
    PYS_OF_BIO_CALLBACK,
    PYS_OF_BIO_CALLBACK_EX,
    PYS_OF_BIO_CALLBACK_ARG,
    PYS_OF_BIO_DATA,
    PYS_OF_BIO_EX,
    PYS_OF_BIO_KEEP,
    PYS_OF_BIO_PARKED,
    PYS_N_OF_BIO
};

typedef struct pys_quick_bio {
    PyObject ob_base;
    PyObject *owner; /* cffi's object that owns core; NULL: this one does */
    pys_bio *core;   /* NULL: never made, or freed */
    PyObject *part[PYS_N_OF_BIO];
    Py_ssize_t refs;  /* of the user */
    Py_ssize_t holds; /* of others */
    long init;
    long shutdown;
    int epoch;
    char native;
    char plain; /* native, and nobody's callback is called */
    char duplex;
    char dying;
} pys_quick_bio;

static inline bool
pys_quick_has(const pys_quick_bio *self, enum pys_quick_of_bio which)
{
    return self->part[which] != NULL && self->part[which] != Py_None;
}

/* Has somebody a view of a pair's memory? */
static inline bool
pys_quick_has_views(const pys_quick_bio *self)
{
    PyObject *views = self->part[PYS_OF_BIO_VIEWS];

    return pys_quick_has(self, PYS_OF_BIO_VIEWS) &&
        !(PyList_Check(views) && PyList_Size(views) == 0);
}

/* A BIO in use whose bytes move without a word to Python, or NULL. */
pys_quick_bio *pys_quick_plain_bio(PyObject *op);

PyObject *pys_quick_bio_read(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_bio_write(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_bio_pending(PyObject *self, PyObject *none);
PyObject *pys_quick_bio_tie(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
extern const char pys_quick_doc_bio_read[];
extern const char pys_quick_doc_bio_write[];
extern const char pys_quick_doc_bio_tie[];

#endif
