// SPDX-License-Identifier: Apache-2.0
//
// Two pieces of the Swift runtime, replaced in programs that carry the runtime with them
// (docs/decisions/0009-start.md). Linked before the runtime's archive, these definitions keep its
// CommandLine.cpp.o and Backtrace.cpp.o out of the program:
//  - the first reads all of /proc/self/maps before main() to find the arguments;
//  - the second looks for a program named swift-backtrace, in folders that the environment and the
//    current directory have a say in, and can be told by the environment to run it.
// Programs of the shared runtime (debug builds) keep the runtime's own.

#ifdef HAWSER_STATIC_RUNTIME

#include <stdbool.h>

static int argument_count;
static char **argument_vector;

// glibc hands main()'s arguments to each constructor.
__attribute__((constructor)) static void keep_arguments(int count, char **vector, char **environment) {
    (void)environment;
    argument_count = count;
    argument_vector = vector;
}

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

#endif
