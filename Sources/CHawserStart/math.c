// SPDX-License-Identifier: Apache-2.0
//
// The mathematical functions of C that Swift's standard library refers to, for programs that carry
// it with them (docs/decisions/0009-start.md). It needs them for floating-point numbers, which few
// programs here ever compute with; but bound to libm, each start would find, map and bind a library
// of which nothing runs. So libm is opened by the first call. What is never referred to is not linked.

#ifdef HAWSER_STATIC_RUNTIME

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void say(const char *text) {
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

// The function of libm, remembered in `place`. Threads may meet here: each finds the same.
static void *function_of_libm(_Atomic(void *) *place, const char *name) {
    void *function = atomic_load_explicit(place, memory_order_acquire);
    if (function) return function;
    void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    function = library ? dlsym(library, name) : NULL;
    if (!function) {
        say("libm.so.6 cannot be loaded, but is needed for ");
        say(name);
        say("\n");
        abort();
    }
    atomic_store_explicit(place, function, memory_order_release);
    return function;
}

#define FUNCTION(result, name, parameters, arguments)                                              \
    result name parameters {                                                                       \
        static _Atomic(void *) place;                                                              \
        return ((result(*) parameters)function_of_libm(&place, #name)) arguments;                  \
    }
// One function for each of double, float and long double.
#define OF_ONE(name)                                                                               \
    FUNCTION(double, name, (double x), (x))                                                        \
    FUNCTION(float, name##f, (float x), (x))                                                       \
    FUNCTION(long double, name##l, (long double x), (x))
#define OF_TWO(name)                                                                               \
    FUNCTION(double, name, (double x, double y), (x, y))                                           \
    FUNCTION(float, name##f, (float x, float y), (x, y))                                           \
    FUNCTION(long double, name##l, (long double x, long double y), (x, y))
#define OF_THREE(name)                                                                             \
    FUNCTION(double, name, (double x, double y, double z), (x, y, z))                              \
    FUNCTION(float, name##f, (float x, float y, float z), (x, y, z))                               \
    FUNCTION(long double, name##l, (long double x, long double y, long double z), (x, y, z))

// libswiftCore's.
OF_ONE(ceil)
OF_ONE(cos)
OF_ONE(exp)
OF_ONE(exp2)
OF_ONE(floor)
OF_ONE(log)
OF_ONE(log10)
OF_ONE(log2)
OF_ONE(nearbyint)
OF_ONE(rint)
OF_ONE(round)
OF_ONE(sin)
OF_ONE(sqrt)
OF_ONE(trunc)
OF_TWO(fmod)
OF_TWO(remainder)
OF_THREE(fma)

// Those of libswiftGlibc, which the linker may not drop.
OF_ONE(acos)
OF_ONE(acosh)
OF_ONE(asin)
OF_ONE(asinh)
OF_ONE(atan)
OF_ONE(atanh)
OF_ONE(cbrt)
OF_ONE(cosh)
OF_ONE(erf)
OF_ONE(erfc)
OF_ONE(expm1)
OF_ONE(log1p)
OF_ONE(logb)
OF_ONE(sinh)
OF_ONE(tan)
OF_ONE(tanh)
OF_ONE(tgamma)
OF_TWO(atan2)
OF_TWO(fdim)
OF_TWO(fmax)
OF_TWO(fmin)
OF_TWO(hypot)
OF_TWO(nextafter)
OF_TWO(pow)
FUNCTION(double, jn, (int n, double x), (n, x))
FUNCTION(double, yn, (int n, double x), (n, x))
FUNCTION(double, lgamma_r, (double x, int *sign), (x, sign))
FUNCTION(float, lgammaf_r, (float x, int *sign), (x, sign))
FUNCTION(long double, lgammal_r, (long double x, int *sign), (x, sign))
FUNCTION(double, remquo, (double x, double y, int *quotient), (x, y, quotient))
FUNCTION(float, remquof, (float x, float y, int *quotient), (x, y, quotient))
FUNCTION(long double, remquol, (long double x, long double y, int *quotient), (x, y, quotient))
FUNCTION(double, nan, (const char *tag), (tag))
FUNCTION(float, nanf, (const char *tag), (tag))
FUNCTION(long double, nanl, (const char *tag), (tag))

#endif
