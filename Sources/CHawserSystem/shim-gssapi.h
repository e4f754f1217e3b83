// SPDX-License-Identifier: Apache-2.0
// The structures of RFC 2744 §3, as C libraries for the GSS-API on Linux lay them out. The libraries
// are opened at run time.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hawser_gss_oid {
    uint32_t length;
    const void *elements;
};

struct hawser_gss_oid_set {
    size_t count;
    struct hawser_gss_oid *elements;
};

struct hawser_gss_buffer {
    size_t length;
    const void *value;
};
