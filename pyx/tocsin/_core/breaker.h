/* Have the main thread look at its pending calls now.
 *
 * Py_AddPendingCall() may be called by any thread, but up to CPython 3.12 the word that makes the main thread
 * look, its "eval breaker", is only set where the caller is that thread itself; a busy main thread would
 * find the call when another thread has waited for the GIL, 5 ms later, or never. From 3.13 on the
 * interpreter does it right. Before, the word lies in a struct that CPython's internal headers declare. We
 * set it as the interpreter itself does when a thread wants the GIL: by one store, from any thread, without
 * the GIL; a main thread that looks in vain goes on. It may be missed: a main thread that has just taken
 * the GIL stores what it read before. So the caller comes again if nothing happens.
 *
 * The struct is that of the headers which this was compiled with. So nothing is stored before breaker_try()
 * has seen, on the main thread, that the word does what it should: zero, and one after a pending call was
 * added.
 */
#ifndef TOCSIN_BREAKER_H
#define TOCSIN_BREAKER_H

#include <Python.h>

enum { BREAKER_UNTRIED, BREAKER_UNKNOWN, BREAKER_WORKS, BREAKER_NEEDLESS };

#if PY_VERSION_HEX >= 0x030D0000

static inline int breaker_try(void) { return BREAKER_NEEDLESS; }
static inline void breaker_raise(void) {}

#elif defined(__has_include)
#if __has_include("internal/pycore_interp.h")
#define TOCSIN_BREAKER_IS_DECLARED
#endif
#endif

#ifdef TOCSIN_BREAKER_IS_DECLARED
#ifndef Py_BUILD_CORE
#define Py_BUILD_CORE 1
#endif
#undef _PyGC_FINALIZED /* a macro of Python.h, and a function in there */
#include "internal/pycore_interp.h"

static inline void breaker_raise(void) {
    _Py_atomic_store_relaxed(&PyInterpreterState_Main()->ceval.eval_breaker, 1);
}

static int breaker_nothing(void *unused) {
    (void)unused;
    return 0;
}

/* On the main thread, with the GIL. UNTRIED: something else is pending just now. */
static inline int breaker_try(void) {
    _Py_atomic_int *word = &PyInterpreterState_Main()->ceval.eval_breaker;
    if (_Py_atomic_load_relaxed(word) != 0 || Py_AddPendingCall(breaker_nothing, NULL) != 0)
        return BREAKER_UNTRIED;
    return _Py_atomic_load_relaxed(word) == 1 ? BREAKER_WORKS : BREAKER_UNKNOWN;
}

#elif PY_VERSION_HEX < 0x030D0000

static inline int breaker_try(void) { return BREAKER_UNKNOWN; }
static inline void breaker_raise(void) {}

#endif
#endif
