// SPDX-License-Identifier: Apache-2.0
//
// The arguments, and pieces of the Swift runtime and libstdc++ that are replaced in programs which carry
// these with them (docs/decisions/0009-start.md). Linked before the archives, these definitions keep out
// of the program:
//  - CommandLine.cpp.o, which reads all of /proc/self/maps before main() to find the arguments;
//  - Backtrace.cpp.o, which looks for a program named swift-backtrace, in folders that the environment
//    and the current directory have a say in, and can be told by the environment to run it;
//  - eh_alloc.o, which sets memory aside for exceptions, eh_term_handler.o, and for it cp-demangle.o, a
//    translator of C++ names: no code here catches an exception, and one that is thrown ends the program.
// Programs of the shared runtime (debug builds) keep the runtime's own.

#include "include/start.h"

static int argument_count;
static char **argument_vector;

// glibc hands main()'s arguments to each constructor.
__attribute__((constructor)) static void keep_arguments(int count, char **vector, char **environment) {
    (void)environment;
    argument_count = count;
    argument_vector = vector;
}

char **hawser_arguments(int *count) {
    *count = argument_count;
    return argument_vector;
}

#ifdef HAWSER_STATIC_RUNTIME

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

// What CommandLine.arguments is made from.
char **_swift_stdlib_getUnsafeArgvArgc(int *count) {
    *count = argument_count;
    return argument_vector;
}

void _swift_stdlib_overrideUnsafeArgvArgc(char **vector, int count) {
    argument_count = count;
    argument_vector = vector;
}

// The settings of the backtracer: all zero is off. Larger than the runtime's own record.
unsigned long _swift_backtraceSettings[64];

bool _swift_backtrace_isThunkFunction(const char *name) {
    (void)name;
    return false;
}

// Of C++'s exceptions (Itanium C++ ABI: Exception Handling): the runtime throws when memory is out.
void *__cxa_allocate_exception(size_t bytes) {
    (void)bytes;
    abort();
}

void *__cxa_allocate_dependent_exception(void) { abort(); }

void __cxa_free_exception(void *exception) { (void)exception; }

void __cxa_free_dependent_exception(void *exception) { (void)exception; }

// Nor is a name translated, in what the runtime says before it ends a program.
char *__cxa_demangle(const char *name, char *buffer, size_t *bytes, int *status) {
    (void)name, (void)buffer, (void)bytes;
    if (status) *status = -2;  // not a name of C++
    return NULL;
}

// __gnu_cxx::__freeres() and __cxxabiv1::__terminate_handler.
void _ZN9__gnu_cxx9__freeresEv(void) {}
void (*_ZN10__cxxabiv119__terminate_handlerE)(void) = abort;

#endif
