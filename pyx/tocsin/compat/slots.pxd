"""What Cython does not declare of Python's types: slots that it fills itself, and descriptors made by hand."""

from cpython.object cimport PyObject


cdef extern from "Python.h":
    ctypedef int (*visitproc)(PyObject* item, void* argument) noexcept
    ctypedef int (*traverseproc)(PyObject* self, visitproc visit, void* argument) noexcept
    ctypedef int (*inquiry)(PyObject* self) noexcept
    ctypedef object (*getter)(object self, void* place)
    ctypedef int (*setter)(object self, PyObject* part, void* place) except -1
    ctypedef struct PyTypeObject:
        traverseproc tp_traverse
        inquiry tp_clear
    ctypedef struct PyGetSetDef:
        const char* name
        getter get
        setter set
        const char* doc
        void* closure
    object PyDescr_NewGetSet(type owner, PyGetSetDef* definition)
    const Py_ssize_t PY_SSIZE_T_MAX
