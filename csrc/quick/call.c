/*
 * Calls of what stands in Python. By interned names: an interpreter remembers
 * where in a type those are found, and SSL is made of many types.
 */
#include "quick/quick.h"

PyObject *
pys_quick_attribute(PyObject *op, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name), *found;

    if (key == NULL)
        return NULL;
    found = PyObject_GetAttr(op, key);
    Py_DECREF(key);
    return found;
}

PyObject *
pys_quick_call(PyObject *op, const char *name, const char *format, ...)
{
    PyObject *call = pys_quick_attribute(op, name), *args, *result = NULL;
    va_list values;

    if (call == NULL)
        return NULL;
    va_start(values, format);
    args = Py_VaBuildValue(format, values);
    va_end(values);
    if (args != NULL)
        result = PyObject_Call(call, args, NULL);
    Py_XDECREF(args);
    Py_DECREF(call);
    return result;
}

bool
pys_quick_is_made_by(PyObject *op, newfunc maker)
{
    PyTypeObject *type = Py_TYPE(op);

    /* Python 3.9 asks no slot of a type that is not on the heap. */
    return (PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE) != 0 &&
        PyType_GetSlot(type, Py_tp_new) == (void *)maker;
}
