/* Functions of an extension that breaks the rules of CPython: with a result there is no exception, without
 * one there is.
 */
#include <Python.h>

static PyObject *both(PyObject *self, PyObject *argument) {
    (void)self;
    PyErr_SetString(PyExc_ValueError, "left behind");
    return Py_NewRef(argument);
}

static PyObject *neither(PyObject *self, PyObject *argument) {
    (void)self;
    (void)argument;
    return NULL;
}

static PyMethodDef of_both = {"both", both, METH_O, NULL};
static PyMethodDef of_neither = {"neither", neither, METH_O, NULL};

PyObject *make_both(void) { return PyCFunction_New(&of_both, NULL); }
PyObject *make_neither(void) { return PyCFunction_New(&of_neither, NULL); }
