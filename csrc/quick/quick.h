/*
 * The room that knows Python: the usual case of the calls that every program
 * makes all the time, as methods in C. All else is left to the Python methods
 * of the same object. CPython with the GIL only, and the limited API of 3.9
 * only: under the GIL, what a method checks and what it then does is one step.
 * pyssl/_quick.py is what takes the room's place elsewhere.
 */
#ifndef PYS_QUICK_QUICK_H
#define PYS_QUICK_QUICK_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include "pys_conn.h"

/*
 * METH_FASTCALL. The limited API names it from 3.10 on; 3.9 calls in the same
 * way, and neither is ever going to change.
 */
enum { PYS_FASTCALL = 0x80 };

/* May reads or writes leave the lock alone? As conn_base.py has them. */
enum { PYS_USELESS, PYS_UNTRIED, PYS_QUICK };

/* What an SSL is made of, as far as it is C's; Python sees all of it. */
typedef struct pys_quick_conn {
    PyObject_HEAD PyObject *owner; /* cffi's object that owns core, or NULL */
    pys_conn *core; /* NULL: never made, or freed */
    int turn[2]; /* USELESS, UNTRIED, QUICK */
    int want[2]; /* SSL_want(3) after the last call of a direction */
    int last; /* the direction of the last call */
    unsigned long inside[2]; /* the thread that has the lock, or 0 */
    unsigned long caller[2]; /* the thread of the last call, or 0 */
} pys_quick_conn;

/* The methods that read and write. */
PyObject *pys_quick_conn_read(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_conn_write(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
extern const char pys_quick_doc_read[];
extern const char pys_quick_doc_write[];

#endif
